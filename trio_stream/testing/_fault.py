"""What a fault is, and how faults are laid over a plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeAlias

import attrs

from ._busy import Busy
from ._plan import Plan, Scheme, Scripts, start
from ._request import Request
from ._script import End, Refuse, Reset, Script, Step, Truncate

__all__ = ["Ending", "Fault", "Turn", "ending", "faulty", "faulty_in_turn"]

Ending: TypeAlias = Literal["close", "reset", "end"]
"""How a cut ends: the connection closes before the declared end of the body (FIN), it is aborted
(RST), or the body ends there in good order, as if there were no more; a head that has declared more
makes a cut of this, too."""


class Fault(ABC):
    """Something that goes wrong with an answer: makes a worse script of a script.

    Called with a script it returns the new one, so faults are tried out as values::

        CutAt(5)([Event("one")]) == [Truncate(b"data:")]

    Faults compose in any order, each working on what the one before it has made: bytes are counted
    in the body (before compression) as it then is, and events are the `Event` steps that are
    whole, in the order that they then have, from 1. So faults of events usually come before
    faults of bytes. A fault of something that a script does not get to changes nothing; random
    faults need not know how long a script is. All work with every framing of `Head`, over sockets
    and in memory, and on scripts without an end.

    A fault of your own is a subclass that overrides `apply`.
    """

    def __call__(self, script: Script) -> list[Step]:
        """Make the worse script, of one that has an end."""
        return list(self.apply(_opened([script] if isinstance(script, Step) else script)))

    @abstractmethod
    def apply(self, steps: Iterator[Step]) -> Iterator[Step]:
        """Make the worse script step by step; the script may have no end."""

    @property
    def refuses(self) -> bool:
        """Whether the connection is refused. The plan below is then not asked for a script."""
        return False


Turn: TypeAlias = Fault | Sequence[Fault] | None
"""The faults of one answer: one, several in order, or none."""


def faulty(plan: Plan, *faults: Fault) -> Plan:
    """Lay faults over every answer of a plan, in this order.

    ::

        faulty([Event("one"), Event("two")], Duplicate(2), CutAt(30, "reset"))
    """
    return _Faulty(plan, lambda _number: faults)


def faulty_in_turn(
    plan: Plan, turns: Sequence[Turn] | Callable[[int], Turn], *, then: Turn = None
) -> Plan:
    """Lay faults over the answers of a plan, other ones each time.

    ::

        faulty_in_turn(feed, [CutAt(100), None, [Swap(1, 2), CutEvent(3)], Instead(Refuse())])

    Each answer and each refused connection is one turn. A callable is called once in each.

    Args:
        plan: Any plan.
        turns: The faults of the first answer, of the second …; or a callable that is given the
            number of the answer, from 1.
        then: The faults of all answers after those.
    """
    if callable(turns):
        return _Faulty(plan, turns)
    listed = list(turns)

    def choose(number: int) -> Turn:
        return listed[number - 1] if number <= len(listed) else then

    return _Faulty(plan, choose)


@attrs.frozen
class _Faulty(Scheme):
    plan: Plan
    choose: Callable[[int], Turn]

    def start(self) -> Scripts:
        return _FaultyScripts(start(self.plan), self.choose)


class _FaultyScripts(Scripts):
    def __init__(self, scripts: Scripts, choose: Callable[[int], Turn]) -> None:
        self._scripts = scripts
        self._choose = choose
        self._number = 0
        self._chosen: Sequence[Fault] | None = None  # of the turn that has begun

    def take(self, request: Request) -> Iterable[Step]:
        faults = self._faults()
        self._chosen = None
        if any(fault.refuses for fault in faults):
            return [Refuse()]
        steps = self._scripts.take(request)
        for fault in faults:
            steps = fault.apply(_opened(steps))
        return steps

    def take_refusal(self) -> bool:
        refuses = any(fault.refuses for fault in self._faults()) or self._scripts.take_refusal()
        if refuses:
            self._chosen = None
        return refuses

    def _faults(self) -> Sequence[Fault]:
        if self._chosen is None:
            self._number += 1
            turn = self._choose(self._number)
            self._chosen = [turn] if isinstance(turn, Fault) else turn or ()
        return self._chosen


def _opened(steps: Iterable[Step]) -> Iterator[Step]:
    """A whole answer has a head and a body, and faults treat them as such."""
    for step in steps:
        yield from step.unrolled() if isinstance(step, Busy) else (step,)


def ending(how: Ending, part: bytes = b"") -> Step:
    """The step that ends an answer so; ``part`` is the piece that a closing cuts into."""
    match how:
        case "close":
            return Truncate(part)
        case "reset":
            return Reset()
        case "end":
            return End()
