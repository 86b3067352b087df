"""Which script answers which request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, cast

import attrs

from ._request import Request
from ._script import Refuse, Script, Step

__all__ = ["Plan", "Scheme", "Scripts", "first", "start"]


class Scripts(ABC):
    """A plan as one server follows it: hands out one script after the other."""

    @abstractmethod
    def take(self, request: Request) -> Iterable[Step]:
        """Return the script for ``request`` and go on to the next one."""

    def take_refusal(self) -> bool:
        """Whether the next connection is refused; if so, go on to the script after that."""
        return False  # a callable judges requests, and there is none yet


class Scheme(ABC):
    """A plan that is an object, such as `Feed`. It may serve several servers, each from its start.

    A scheme of your own overrides `start`.
    """

    @abstractmethod
    def start(self) -> Scripts:
        """Begin: for one server."""


Plan: TypeAlias = Script | Sequence[Script] | Callable[[Request], Iterable[Step] | Step] | Scheme
"""One script for every request; or a list of scripts, the n-th for the n-th request and the last
for all that follow; or a callable that is given the request, for everything else; or what `first`,
`faulty`, `faulty_in_turn`, `Feed` and `Cassette.plan` make. A callable may return an iterator of
steps, for a script without an end."""


def first(scripts: Sequence[Script], *, then: Plan) -> Plan:
    """Put scripts before a plan: each is played once, then the plan begins.

    ::

        first([Refuse()] * 3, then=feed)  # drops the first three connections
        first([Busy(retry_after=5), Truncate()], then=feed)  # 429, then no answer at all

    Args:
        scripts: One for each request; a step by itself is a whole one.
        then: Any plan.
    """
    return _First([_script(script) for script in scripts], then)


def start(plan: Plan) -> Scripts:
    """Begin a plan, for one server.

    Raises:
        TypeError: It is no plan.
    """
    if isinstance(plan, type):
        raise TypeError(f"a step is an instance: {plan.__name__}(), not {plan.__name__}")
    if isinstance(plan, Scheme):
        return plan.start()
    if callable(plan):
        return _Chosen(plan)
    return _InOrder(_scripts(plan))


class _InOrder(Scripts):
    def __init__(self, scripts: Sequence[Sequence[Step]], then: Scripts | None = None) -> None:
        self._scripts = scripts
        self._then = then
        self._used = 0

    def take(self, request: Request) -> Iterable[Step]:
        if self._then is not None and self._used == len(self._scripts):
            return self._then.take(request)
        script = self._next()
        self._used += 1
        return script

    def take_refusal(self) -> bool:
        if self._then is not None and self._used == len(self._scripts):
            return self._then.take_refusal()
        script = self._next()
        refuses = len(script) > 0 and isinstance(script[0], Refuse)
        self._used += refuses
        return refuses

    def _next(self) -> Sequence[Step]:
        return self._scripts[min(self._used, len(self._scripts) - 1)]


class _Chosen(Scripts):
    def __init__(self, choose: Callable[[Request], Iterable[Step] | Step]) -> None:
        self._choose = choose

    def take(self, request: Request) -> Iterable[Step]:
        return _steps(self._choose(request))


@attrs.frozen
class _First(Scheme):
    scripts: Sequence[Sequence[Step]]
    then: Plan

    def start(self) -> Scripts:
        return _InOrder(self.scripts, start(self.then))


def _scripts(plan: Script | Sequence[Script]) -> Sequence[Sequence[Step]]:
    """A script, or several of them, as a list of scripts."""
    parts: Sequence[object] = [plan] if isinstance(plan, Step) else plan
    one_script = all(isinstance(part, Step) for part in parts)
    return [_script(parts)] if one_script else [_script(part) for part in parts]


def _script(script: object) -> Sequence[Step]:
    if isinstance(script, Step):
        return [script]
    steps = cast("Sequence[object]", script) if isinstance(script, Sequence) else [script]
    return list(_checked(steps))


def _steps(script: object) -> Iterable[Step]:
    """What a callable has returned."""
    if isinstance(script, Iterator):  # it may have no end: looked at as it is played
        return _checked(cast("Iterator[object]", script))
    return _script(script)


def _checked(steps: Iterable[object]) -> Iterator[Step]:
    for step in steps:
        if not isinstance(step, Step):
            raise TypeError(f"a script is a list of steps, but there is {step!r}")
        yield step
