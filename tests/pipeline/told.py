"""What an answer has told, by the steps that its server has played: the truth to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from trio_stream.outcome import Ending
from trio_stream.testing import (
    BadChunk,
    Busy,
    End,
    Fault,
    Head,
    Reset,
    Stall,
    Step,
    Truncate,
    Wait,
)

__all__ = ["Recorded", "Told", "told"]


@attrs.frozen
class Recorded(Fault):
    """No fault: notes the steps that are played."""

    played: list[Step]

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            self.played.append(step)
            yield step


@attrs.frozen
class Told:
    """What there is to know about an attempt.

    Attributes:
        accepted: Whether there was the head of a stream.
        data: The data of its events.
        ending: How it ended.
    """

    accepted: bool
    data: list[str]
    ending: Ending


def told(played: Sequence[Step] | None, *, idle: float, headers: float) -> Told:
    """Read the steps of an answer, of events without IDs; `None`: the connection was refused.

    Args:
        played: The steps.
        idle: When a client gives up that hears no byte, in seconds.
        headers: When one does that sees no head.
    """
    accepted, body, silence = False, b"", 0.0
    ending = Ending.COMPLETED
    for step in [Truncate()] if played is None else played:
        match step:
            case Busy() | Head(status=429 | 503):
                ending = Ending.FAILED
            case Head():
                accepted, silence = True, 0.0
            case Wait():
                silence += step.seconds
            case Stall():
                silence = float("inf")
            case Truncate():
                body += step.data
                ending = Ending.TRUNCATED if accepted else Ending.FAILED
            case Reset() | BadChunk():
                ending = Ending.FAILED
            case _:
                piece = b"".join(step.pieces())
                silence = 0.0 if piece else silence
                body += piece
        if silence > (idle * 17 / 16 if accepted else headers):
            ending = Ending.TIMED_OUT
        if ending is not Ending.COMPLETED or isinstance(step, End):
            break
    return _read(body, ending, accepted=accepted)


def _read(body: bytes, ending: Ending, *, accepted: bool) -> Told:
    text = body.decode().replace("\r\n", "\n").replace("\r", "\n")
    *lines, rest = text.split("\n")
    data: list[str] = []
    block: list[str] = []
    for line in lines:
        if line:
            block.append(line)
        else:
            data += [field.removeprefix("data: ") for field in block if field.startswith("data: ")]
            block = []
    is_open = any(line.startswith("data:") for line in block) or (rest and rest[0] != ":")
    if is_open and ending is Ending.COMPLETED:
        ending = Ending.TRUNCATED
    return Told(accepted, data, ending)
