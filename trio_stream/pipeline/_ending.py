"""Judgement: which `Ending` a stream has had. Pure functions of what happened."""

from __future__ import annotations

import trio

from ..errors import StreamError, StreamErrorType, StreamTimeoutError, StreamTruncatedError
from ..outcome import Ending

__all__ = ["ending_of_exit", "ending_of_fault", "is_forgiven"]


def ending_of_fault(fault: BaseException) -> Ending:
    """The ending of a stream that was ended by ``fault``."""
    match fault:
        case StreamTimeoutError():
            return Ending.TIMED_OUT
        case StreamTruncatedError():
            return Ending.TRUNCATED
        case _:
            return Ending.FAILED


def is_forgiven(fault: BaseException) -> bool:
    """Whether ``fault`` harms nothing once the content is known to be whole.

    A connection that breaks, stalls or closes between the last content and the terminal event has
    taken nothing from the reader; an error that the stream reported, or a bad item, stands.
    """
    return isinstance(fault, StreamTimeoutError) or (
        isinstance(fault, StreamError) and fault.error_type is StreamErrorType.STREAM_INTERRUPTED
    )


def ending_of_exit(
    error: BaseException | None, *, complete: bool, cancelled: bool = False
) -> tuple[Ending, BaseException | None]:
    """The ending of a stream whose consumer left, and the error to keep.

    Args:
        error: What left the body of ``async with``, if anything did.
        complete: Whether the consumer had been given the terminal item: it then left at the end,
            whatever it did next.
        cancelled: Whether the consumer left while it was being cancelled.
    """
    if complete:
        return Ending.COMPLETED, None
    match error:
        case None:
            return (Ending.CANCELLED if cancelled else Ending.CLOSED), None
        case trio.Cancelled():
            return Ending.CANCELLED, None
        case BaseExceptionGroup():
            stopped, other = error.split(trio.Cancelled)
            if stopped is not None and other is None:
                return Ending.CANCELLED, None
            return Ending.CLOSED, error
        case KeyboardInterrupt() | SystemExit():
            return Ending.CANCELLED, error
        case _:
            return Ending.CLOSED, error
