"""What the error objects of OpenAI-like APIs amount to."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.dialects._openai_errors import read_error
from trio_stream.errors import StreamErrorType

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("error", "status", "kind", "error_type"),
    [
        ({"code": 502, "message": "m"}, 502, "", StreamErrorType.SERVER_ERROR),
        ({"code": "429", "message": "m"}, 429, "", StreamErrorType.RATE_LIMITED),
        (
            {"type": "invalid_request_error", "code": "invalid_api_key", "message": "m"},
            401,
            "invalid_api_key",
            StreamErrorType.AUTHENTICATION_ERROR,
        ),
        (
            {"type": "tokens", "code": "rate_limit_exceeded"},
            429,
            "rate_limit_exceeded",
            StreamErrorType.RATE_LIMITED,
        ),
        (
            {"type": "server_error", "code": None},
            500,
            "server_error",
            StreamErrorType.SERVER_ERROR,
        ),
        (
            {"type": "BadRequestError", "code": 400},
            400,
            "BadRequestError",
            StreamErrorType.CLIENT_ERROR,
        ),
        (
            {"code": "data_residency_mismatch"},
            400,
            "data_residency_mismatch",
            StreamErrorType.CLIENT_ERROR,
        ),
        (
            {"code": "misalignment_policy_violation"},
            400,
            "misalignment_policy_violation",
            StreamErrorType.CLIENT_ERROR,
        ),
        (
            {"code": "invalid_image_format"},
            400,
            "invalid_image_format",
            StreamErrorType.CLIENT_ERROR,
        ),
        (
            {"type": "invalid_request_error", "code": "tool_use_failed", "status_code": 400},
            400,
            "tool_use_failed",
            StreamErrorType.CLIENT_ERROR,
        ),
        (
            {"code": 503, "status": "UNAVAILABLE"},
            503,
            "UNAVAILABLE",
            StreamErrorType.SERVER_ERROR,
        ),
        (
            {"message": "m", "metadata": {"error_type": "rate_limit_exceeded"}},
            429,
            "rate_limit_exceeded",
            StreamErrorType.RATE_LIMITED,
        ),
        (
            {"message": "m", "metadata": {"code": 402}},
            402,
            "",
            StreamErrorType.CLIENT_ERROR,
        ),
        ({"type": "brand_new"}, 500, "brand_new", StreamErrorType.SERVER_ERROR),
        ({"type": "error", "code": "weird"}, 500, "weird", StreamErrorType.SERVER_ERROR),
        ({"code": 1234}, 500, "", StreamErrorType.SERVER_ERROR),
        ("it broke", 500, "", StreamErrorType.SERVER_ERROR),
    ],
)
def test_status_of_an_error(
    error: Any, status: int, kind: str, error_type: StreamErrorType
) -> None:
    """The status comes from a number, else from a word; the kind is the most exact word."""
    exception = read_error(error, "payload")

    assert exception.status_code == status
    assert exception.kind == kind
    assert exception.error_type is error_type
    assert exception.payload == "payload"


def test_message_and_request_id() -> None:
    """The exception says what the provider says, and which request it was."""
    exception = read_error({"message": "no luck", "code": "bad"}, "{}", request_id="req_1")

    assert str(exception) == "bad: no luck"
    assert exception.request_id == "req_1"
    assert read_error({"message": "m", "request_id": "req_2"}, "").request_id == "req_2"
    assert str(read_error("it broke", "payload")) == "it broke"
    assert str(read_error(None, "payload")) == "payload"


def test_an_empty_purse_is_not_retryable() -> None:
    """A spent quota is told with a 429, but waiting does not fill it."""
    exception = read_error({"code": "insufficient_quota", "type": "insufficient_quota"}, "")

    assert exception.status_code == 429
    assert exception.is_retryable is False
    assert read_error({"code": "rate_limit_exceeded"}, "").is_retryable is True
    assert read_error({"code": 408}, "").is_retryable is True
    assert read_error({"code": 400}, "").is_retryable is False


@given(JSON, st.text(max_size=8))
def test_a_broken_report_is_still_a_report(error: Any, payload: str) -> None:
    """Whatever stands in place of an error object, an exception is made of it."""
    exception = read_error(error, payload)

    assert exception.payload == payload
    assert exception.status_code is not None
