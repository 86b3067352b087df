"""Faults of events: doubled, lost, out of order, cut in half; and of what comes between them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import attrs

from ._fault import Ending, Fault, ending
from ._script import BadChunk, End, Event, Head, Raw, Refuse, Script, Send, Step, Truncate, Wait

__all__ = [
    "CutEvent",
    "Duplicate",
    "Goodbye",
    "Insert",
    "Instead",
    "Late",
    "Lose",
    "Shuffle",
    "Swap",
]

_number = attrs.validators.ge(1)
_count = attrs.validators.ge(0)


@attrs.frozen
class Duplicate(Fault):
    """An event is sent twice, with the same ID.

    Attributes:
        event: Its number, from 1.
        later: How many other events come in between.
    """

    event: int = attrs.field(validator=_number)
    later: int = attrs.field(default=0, validator=_count)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        event: Step | None = None
        for number, step in _numbered(steps):
            yield step
            if number == self.event:
                event = step
            if number == self.event + self.later and event is not None:
                yield event


@attrs.frozen
class Swap(Fault):
    """Two events change places; if one of them is never sent, nothing happens.

    Attributes:
        one: Its number, from 1.
        other: That of the other one.
    """

    one: int = attrs.field(validator=_number)
    other: int = attrs.field(validator=_number)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        early, late = sorted((self.one, self.other))
        held: list[Step] = []  # what lies between them
        for number, step in _numbered(steps):
            if number == late and held:
                yield step
                yield from held[1:]
                yield held[0]
                held = []
            elif number == early != late or held:
                held.append(step)
            else:
                yield step
        yield from held


@attrs.frozen
class Shuffle(Fault):
    """Events in another order. What is not an event stays in its place.

    Attributes:
        seed: The same seed makes the same order.
        window: So many events are shuffled among themselves, then the next so many.
    """

    seed: int = 0
    window: int = attrs.field(default=8, validator=_number)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        rng = random.Random(self.seed)
        held: list[Step] = []
        for number, step in _numbered(steps):
            held.append(step)
            if number and number % self.window == 0:
                yield from _shuffled(held, rng)
                held = []
        yield from _shuffled(held, rng)


@attrs.frozen
class Lose(Fault):
    """An event is not sent: a gap.

    Attributes:
        event: Its number, from 1.
    """

    event: int = attrs.field(validator=_number)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        for number, step in _numbered(steps):
            if number != self.event:
                yield step


@attrs.frozen
class CutEvent(Fault):
    """The first half of an event, and nothing more.

    Attributes:
        event: Its number, from 1.
        how: How it ends there.
    """

    event: int = attrs.field(validator=_number)
    how: Ending = "reset"

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        for number, step in _numbered(steps):
            if number == self.event:
                data = b"".join(step.pieces())
                half = data[: len(data) // 2]
                yield Truncate(half) if self.how == "close" else Send(half)
                if self.how != "close":
                    yield ending(self.how)
                return
            yield step


@attrs.frozen
class Insert(Fault):
    """More steps in between: an error in band, a ping, a pause.

    ::

        Insert(3, Event({"message": "overloaded"}, event="error"))
        Insert(1, [Ping(), Wait(30), Ping()])

    Attributes:
        after: After how many events; 0: behind the head, before everything else.
        script: What is put there: a step, or several.
    """

    after: int = attrs.field(validator=_count)
    script: Script

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        waiting = self.after == 0
        for number, step in _numbered(steps):
            if waiting and not isinstance(step, Head):
                waiting = False
                yield from _steps(self.script)
            yield step
            if number and number == self.after:
                yield from _steps(self.script)
        if waiting:
            yield from _steps(self.script)


@attrs.frozen
class Goodbye(Fault):
    """A server that closes in good order, as one does that is stopped or rotates its connections.

    It says ``Connection: close`` in the head (HTTP/1.1 has no GOAWAY), ends the body cleanly after
    so many events, and closes.

    Attributes:
        after: After how many events; fewer if the script ends before.
    """

    after: int = attrs.field(default=0, validator=_count)

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        has_head = False
        left = self.after
        for number, step in _numbered(steps):
            if isinstance(step, Head) and not has_head:
                has_head = step.status >= 200
                closing = (("connection", "close"),) if has_head else ()
                yield attrs.evolve(step, headers=step.headers + closing)
                continue
            has_body = any(step.pieces()) or isinstance(step, End | BadChunk)
            has_head |= isinstance(step, Raw)  # whatever it is
            if left == 0 and (has_head or has_body):
                break
            if not has_head and has_body:
                has_head = True
                yield Head(headers={"connection": "close"})
            yield step
            left -= number > 0
        if not has_head:
            yield Head(headers={"connection": "close"})
        yield End()


@attrs.frozen
class Late(Fault):
    """The answer comes late, head and all.

    Attributes:
        seconds: How late.
    """

    seconds: float

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        yield Wait(self.seconds)
        yield from steps


@attrs.frozen
class Instead(Fault):
    """Another answer in place of this one.

    ::

        Instead(Busy(429, retry_after=5))
        Instead(Truncate())  # hangs up without an answer
        Instead(Refuse())  # and takes no request

    Attributes:
        script: A step, or several.
    """

    script: Script

    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        yield from _steps(self.script)

    @property
    def refuses(self) -> bool:
        return isinstance(next(iter(_steps(self.script)), None), Refuse)


def _steps(script: Script) -> Sequence[Step]:
    return [script] if isinstance(script, Step) else script


def _numbered(steps: Iterator[Step]) -> Iterator[tuple[int, Step]]:
    """Steps with the number of the event that each is, from 1; 0 where it is none."""
    events = 0
    for step in steps:
        is_event = isinstance(step, Event)
        events += is_event
        yield (events if is_event else 0), step


def _shuffled(steps: list[Step], rng: random.Random) -> Iterator[Step]:
    events = [step for step in steps if isinstance(step, Event)]
    rng.shuffle(events)
    for step in steps:
        yield events.pop() if isinstance(step, Event) else step
