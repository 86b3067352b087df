"""Which ending is which."""

from __future__ import annotations

import pytest
import trio

from trio_stream.errors import (
    BadItemError,
    InBandError,
    LimitExceededError,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.outcome import Ending
from trio_stream.pipeline._ending import ending_of_exit, ending_of_fault, is_forgiven

RESET = StreamError(error_type=StreamErrorType.STREAM_INTERRUPTED)


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        (StreamTimeoutError(layer="idle"), Ending.TIMED_OUT),
        (StreamTruncatedError(), Ending.TRUNCATED),
        (RESET, Ending.FAILED),
        (StreamStatusError(), Ending.FAILED),
        (LimitExceededError(), Ending.FAILED),
        (BadItemError(), Ending.FAILED),
        (InBandError(), Ending.FAILED),
        (ValueError(), Ending.FAILED),
    ],
    ids=repr,
)
def test_fault_tells_its_ending(fault: Exception, ending: Ending) -> None:
    """A watchdog is a time-out, missing bytes are a truncation, and the rest is a failure."""
    assert ending_of_fault(fault) is ending


@pytest.mark.parametrize(
    ("fault", "forgiven"),
    [
        (StreamTimeoutError(layer="idle"), True),
        (StreamTruncatedError(), True),
        (RESET, True),
        (StreamError(error_type=StreamErrorType.CONNECTION_ERROR), False),
        (InBandError(), False),
        (BadItemError(), False),
        (LimitExceededError(), False),
        (ValueError(), False),
    ],
    ids=repr,
)
def test_what_is_forgiven_when_the_content_is_whole(fault: Exception, forgiven: bool) -> None:
    """Bytes that never came are forgiven; what did come, and is bad, is not."""
    assert is_forgiven(fault) is forgiven


async def cancelled() -> BaseException:
    """A Cancelled, which only trio can make."""
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.lowlevel.checkpoint()
        except trio.Cancelled as error:
            caught = error
            raise
    return caught


async def test_exit_tells_its_ending() -> None:
    """Cancellation and the end of the program are told from what the consumer does itself."""
    stop = await cancelled()
    group = ExceptionGroup("mine", [ValueError()])
    mixed = BaseExceptionGroup("", [stop, ValueError()])
    value_error, interrupt, system_exit = ValueError(), KeyboardInterrupt(), SystemExit()
    table = [
        (None, Ending.CLOSED, None),
        (stop, Ending.CANCELLED, None),
        (BaseExceptionGroup("", [stop, BaseExceptionGroup("", [stop])]), Ending.CANCELLED, None),
        (mixed, Ending.CLOSED, mixed),
        (group, Ending.CLOSED, group),
        (value_error, Ending.CLOSED, value_error),
        (interrupt, Ending.CANCELLED, interrupt),
        (system_exit, Ending.CANCELLED, system_exit),
    ]

    for error, ending, kept in table:
        assert ending_of_exit(error, complete=False) == (ending, kept)
        assert ending_of_exit(error, complete=True) == (Ending.COMPLETED, None)
    assert ending_of_exit(None, complete=False, cancelled=True) == (Ending.CANCELLED, None)
