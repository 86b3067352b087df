"""The errors: which of them another attempt could mend, and what they know of their stream."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from trio_stream import (
    BadItemError,
    Ending,
    InBandError,
    LimitExceededError,
    StreamError,
    StreamErrorType,
    StreamOutcome,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)


@pytest.mark.parametrize(
    ("statuses", "error_type"),
    [
        ((401, 403, 407), StreamErrorType.AUTHENTICATION_ERROR),
        ((429,), StreamErrorType.RATE_LIMITED),
        ((500, 502, 503, 529, 599), StreamErrorType.SERVER_ERROR),
        ((400, 404, 408, 409, 418, 425, 422, 451), StreamErrorType.CLIENT_ERROR),
    ],
)
def test_types_of_statuses(statuses: tuple[int, ...], error_type: StreamErrorType) -> None:
    """A status of 400 or more says what kind of failure it is."""
    for status in statuses:
        assert StreamErrorType.of_status(status) is error_type


def test_retryable_types() -> None:
    """What may pass by itself is worth another attempt, and nothing else is."""
    retryable = {each.name for each in StreamErrorType if each.is_retryable}
    assert retryable == {
        "CONNECTION_ERROR",
        "TIMEOUT",
        "SERVER_ERROR",
        "RATE_LIMITED",
        "STREAM_INTERRUPTED",
    }
    for error_type in StreamErrorType:
        assert StreamError(error_type=error_type).is_retryable is error_type.is_retryable
    assert StreamStatusError(
        error_type=StreamErrorType.CLIENT_ERROR, is_retryable=True
    ).is_retryable


def test_outcome_before_the_end() -> None:
    """An error that has ended no stream has no outcome, and says so instead of returning `None`."""
    error = StreamError("broken")
    with pytest.raises(RuntimeError, match="no stream has ended with this error"):
        error.outcome  # noqa: B018 (the look is the claim)
    outcome: StreamOutcome[Any] = StreamOutcome(
        ending=Ending.FAILED, value=["partial"], error=error
    )
    error.outcome = outcome
    assert error.outcome is outcome


@pytest.mark.parametrize(
    "error",
    [
        StreamError("a", error_type=StreamErrorType.SERVER_ERROR, status_code=503, retry_after=2.0),
        StreamTimeoutError("b", layer="idle"),
        StreamTruncatedError("c"),
        LimitExceededError("d", limit="max_line_bytes", frames=["frame"]),
        BadItemError("e", path="$.x", raw=b"1", event="tick"),
        InBandError("f", kind="overloaded_error", payload="{}", status_code=529),
    ],
)
@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_copies(error: StreamError, copied: Any) -> None:
    """An error that is copied, or sent to another process, keeps its words and its facts."""
    other = copied(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)
