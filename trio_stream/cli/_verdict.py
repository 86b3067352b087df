"""What is said of a stream when it is over, and the exit code that says it to programs."""

from __future__ import annotations

import signal
from typing import Any

import attrs

from ..errors import (
    NotAStreamError,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTimeoutError,
)
from ..outcome import Ending, StreamOutcome
from ._exit import Exit
from ._state import StateError
from ._terminal import Style, human_bytes, visible

__all__ = ["Verdict", "judge"]

_WITHOUT_BODY = (204, 205, 304)


@attrs.frozen
class Verdict:
    """What to say on stderr, the last line telling the outcome, and the exit code."""

    code: Exit
    lines: tuple[str, ...] = ()


def judge(
    outcome: StreamOutcome[Any],
    *,
    printed: int | None,
    beginnings: int = 0,
    full: str,
    format_chosen: bool,
    unkept: bool = False,
    stopped_by: signal.Signals | None,
    failure: OSError | StateError | None,
    style: Style,
) -> Verdict:
    """Judge a stream that is over, by its outcome and by what else may have ended it.

    Args:
        outcome: Of the stream.
        printed: How many items were printed; `None`: items are not what was asked for.
        beginnings: How many of the items tell only that the stream has begun anew.
        full: Why nothing more was wanted, such as ``"--max-items 3"``; ``""``: more was.
        format_chosen: Whether the format was chosen, and not taken from the response.
        unkept: Whether a state was to be kept, and there was none.
        stopped_by: The signal that has stopped the command.
        failure: Why the output or the state could not be written.
        style: Of stderr.
    """
    error: BaseException | None = outcome.error
    if isinstance(failure, BrokenPipeError):
        return Verdict(Exit.OUTPUT_CLOSED)
    if failure is not None:
        code, ending, error = Exit.FAILED, style.bad("failed"), failure
    elif stopped_by is not None:
        code = Exit.of_signal(stopped_by)
        ending = style.odd(code.word)
    elif full:
        code, ending = Exit.COMPLETE, style.good(f"stopped at {full}")
        error = None
    elif outcome.ending is Ending.COMPLETED:
        code, ending = Exit.COMPLETE, style.good("complete")
    elif outcome.ending is Ending.TRUNCATED:
        code, ending = Exit.TRUNCATED, style.bad("truncated")
    elif isinstance(error, StreamTimeoutError):
        code, ending = Exit.TIMED_OUT, style.bad(f"timed out ({error.layer})")
    else:
        code, ending = Exit.FAILED, style.bad("failed")
        if _is_ours(error):
            code = Exit.USAGE
    if unkept and error is None:
        say_why = ["the stream has no event IDs: there was no state to keep"]
    else:
        say_why = _explain(error, format_chosen=format_chosen)
    why = [f"trio-stream: {visible(each)}" for each in say_why]
    facts = " · ".join(_facts(outcome, outcome.items - beginnings, printed))
    return Verdict(code, (*why, f"trio-stream: {ending} {style.dim('· ' + facts)}"))


def _is_ours(error: BaseException | None) -> bool:
    """Whether the request could not even be sent."""
    return isinstance(error, ValueError) or (
        isinstance(error, StreamError)
        and error.error_type is StreamErrorType.CLIENT_ERROR
        and error.status_code is None
    )


def _explain(error: BaseException | None, *, format_chosen: bool) -> list[str]:
    if error is None:
        return []
    if isinstance(error, OSError):
        return [f"cannot write the output: {error.strerror or error}"]
    message = " ".join(str(error).split())
    notes: list[str] = getattr(error, "__notes__", [])
    return [*_say(error, message, format_chosen=format_chosen), *notes]


def _say(error: BaseException, message: str, *, format_chosen: bool) -> list[str]:
    match error:
        case StreamTimeoutError():
            option = "--timeout" if error.layer == "total" else f"--{error.layer}-timeout"
            return [message, f"{option} sets this limit"]
        case NotAStreamError() if not format_chosen and error.status_code not in _WITHOUT_BODY:
            return [
                message,
                "if it is a stream all the same, --framing names its format; --raw prints it",
            ]
        case StreamStatusError() if error.retry_after is not None:
            return [message, f"the server asks to wait for {error.retry_after:g} s"]
        case _:
            return [message]


def _facts(outcome: StreamOutcome[Any], count: int, printed: int | None) -> list[str]:
    facts = [human_bytes(outcome.bytes_received), f"{outcome.timings.total:.2f} s"]
    if printed is not None:
        items = "1 item" if count == 1 else f"{count} items"
        facts.insert(0, items if printed == count else f"{items}, {printed} printed")
    if outcome.attempts > 1:
        facts.append(f"{outcome.attempts} requests")
    return facts
