"""Faults that are counted in bytes of the body, whatever the bytes mean."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import attrs

from ._fault import Ending, Fault, ending
from ._script import (
    BadChunk,
    End,
    Event,
    Head,
    Pieces,
    Ping,
    Raw,
    Refuse,
    Reset,
    Send,
    Stall,
    Step,
    Truncate,
    Wait,
)

__all__ = ["CutAt", "LineEnds", "SplitAt", "SplitCRLF", "SplitEvery", "StallAt"]


@attrs.frozen
class CutAt(Fault):
    """Nothing after so many bytes of the body.

    The head is sent even if no byte is; for no answer at all there is ``Instead(Truncate())``.

    Attributes:
        byte: How many bytes are sent.
        how: How it ends there. A cut by ``"close"`` falls into a chunk where it falls into a write.
    """

    byte: int = attrs.field(validator=attrs.validators.ge(0))
    how: Ending = "close"

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        tape = _Tape(steps)
        last: Step | None = None
        for step in tape.next_bytes(self.byte):
            if last is not None:
                yield last
            last = step
        if last is not None and tape.is_inside and isinstance(last, Send) and self.how == "close":
            yield Truncate(last.data)
            return
        if last is not None:
            yield last
        if tape.is_there:
            yield from tape.missing_head()
            yield ending(self.how)


@attrs.frozen
class StallAt(Fault):
    """Nothing for a while after so many bytes of the body, then the rest.

    Attributes:
        byte: How many bytes come before; 0: only the head does.
        seconds: How long; infinity: until the client leaves.
    """

    byte: int = attrs.field(validator=attrs.validators.ge(0))
    seconds: float = math.inf

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        tape = _Tape(steps)
        yield from tape.next_bytes(self.byte)
        if tape.is_there:
            yield from tape.missing_head()
            yield Stall() if self.seconds == math.inf else Wait(self.seconds)
            yield from tape


def _places(places: int | Iterable[int]) -> tuple[int, ...]:
    return (places,) if isinstance(places, int) else tuple(sorted(set(places)))


@attrs.frozen
class SplitAt(Fault):
    """A write ends, and another one begins, after so many bytes of the body.

    Attributes:
        places: After how many; a number, or several.
        every: Seconds between the two. Writes that follow each other at once may reach the client
            in one read, unless each is a chunk of its own, as it is by default.
    """

    places: tuple[int, ...] = attrs.field(converter=_places)
    every: float = attrs.field(default=0.0, kw_only=True)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        tape = _Tape(steps)
        position = 0
        for place in self.places:
            yield from tape.next_bytes(place - position)
            position = place
            if tape.is_inside and self.every:
                yield Wait(self.every)
        yield from tape


@attrs.frozen
class SplitEvery(Fault):
    """Each write in pieces; with ``every`` the body trickles.

    Attributes:
        size: The size of each piece in bytes; the default splits it at every byte.
        every: Seconds between two pieces.
    """

    size: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    every: float = attrs.field(default=0.0, kw_only=True)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        begun = False
        for step in _unrolled(steps):
            if isinstance(step, Send) and step.data:
                if begun and self.every:
                    yield Wait(self.every)
                yield from Pieces(step.data, size=self.size, every=self.every).unrolled()
                begun = True
            else:
                yield step


@attrs.frozen
class SplitCRLF(Fault):
    """A write ends between each CR and its LF. See `LineEnds` for events that have them.

    Attributes:
        every: Seconds between the two.
    """

    every: float = attrs.field(default=0.0, kw_only=True)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in _unrolled(steps):
            if not isinstance(step, Send):
                yield step
                continue
            for number, part in enumerate(re.split(rb"(?<=\r)(?=\n)", step.data)):
                if number and self.every:
                    yield Wait(self.every)
                yield Send(part)


@attrs.frozen
class LineEnds(Fault):
    r"""Other line ends in `Event` and `Ping`, which have LF.

    Attributes:
        newline: ``"\r\n"`` or ``"\r"``, which the standard allows too.
    """

    newline: Literal["\r\n", "\r"] = "\r\n"

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            if isinstance(step, Event | Ping):
                text = b"".join(step.pieces())
                yield Send(text.replace(b"\n", self.newline.encode()))
            else:
                yield step


class _Tape(Iterator[Step]):
    """The steps of a script, to be taken by bytes.

    Attributes:
        is_there: Whether the last `next_bytes` came to its place before the script was over.
        is_inside: Whether that place is inside of a write.
    """

    def __init__(self, steps: Iterator[Step]) -> None:
        self._steps = steps
        self._put_back: list[Step] = []
        self._has_head = False
        self.is_there = False
        self.is_inside = False

    def __next__(self) -> Step:
        return self._put_back.pop() if self._put_back else next(self._steps)

    def next_bytes(self, count: int) -> Iterator[Step]:
        """The steps that send the next so many bytes, and a head that comes before any other."""
        self.is_there = self.is_inside = False
        for step in self:
            size = sum(map(len, step.pieces()))
            if count == 0 and (self._has_head or size or isinstance(step, End | BadChunk)):
                self._put_back.append(step)
                break
            if size > count:
                atoms = step.unrolled()
                if len(atoms) > 1:
                    self._put_back.extend(reversed(atoms))
                    continue
                halves = _halves(atoms[0], count)
                if halves is not None:
                    self._put_back.append(halves[1])
                    self.is_there = self.is_inside = self._has_head = True
                    yield halves[0]
                    return
            count = max(0, count - size)
            self._has_head |= size > 0 or isinstance(step, Raw | End | BadChunk)
            self._has_head |= isinstance(step, Head) and step.status >= 200
            yield step
            if isinstance(step, Refuse | Reset | Stall | Truncate):
                return  # the script does not get any farther
        self.is_there = count == 0

    def missing_head(self) -> Sequence[Step]:
        """The default head, unless one was sent by now."""
        return () if self._has_head else (Head(),)


def _halves(step: Step, at: int) -> tuple[Step, Step] | None:
    if isinstance(step, Send):
        return Send(step.data[:at]), Send(step.data[at:])
    if isinstance(step, Truncate):
        return Send(step.data[:at]), Truncate(step.data[at:])
    return None  # a step of the caller's: nobody knows where its bytes are


def _unrolled(steps: Iterator[Step]) -> Iterator[Step]:
    for step in steps:
        yield from step.unrolled()
