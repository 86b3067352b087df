"""Which script answers which request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from ._request import Request
from ._script import Refuse, Script, Step

__all__ = ["Plan", "Scripts"]

Plan: TypeAlias = Script | Sequence[Script] | Callable[[Request], Script]
"""One script for every request; or a list of scripts, the n-th for the n-th request and the last
for all that follow; or a callable that is given the request, for everything else."""


class Scripts:
    """A plan, made ready: hands out one script after the other."""

    def __init__(self, plan: Plan) -> None:
        self._choose: Callable[[Request], Script] | None = None
        self._scripts: Sequence[Sequence[Step]] = ()
        self._used = 0
        if isinstance(plan, type):
            raise TypeError(f"a step is an instance: {plan.__name__}(), not {plan.__name__}")
        if isinstance(plan, Step):
            self._scripts = [_steps(plan)]
        elif not isinstance(plan, Sequence):
            self._choose = plan
        else:
            parts = cast("Sequence[object]", plan)
            one_script = all(isinstance(part, Step) for part in parts)
            self._scripts = [_steps(parts)] if one_script else [_steps(part) for part in parts]

    def take(self, request: Request) -> Sequence[Step]:
        """Return the script for ``request`` and go on to the next one."""
        if self._choose is not None:
            return _steps(self._choose(request))
        script = self._next()
        self._used += 1
        return script

    def take_refusal(self) -> bool:
        """Whether the next script is a `Refuse`; if so, go on to the one after it."""
        if self._choose is not None:
            return False  # a callable judges requests, and there is none yet
        script = self._next()
        refuses = len(script) > 0 and isinstance(script[0], Refuse)
        self._used += refuses
        return refuses

    def _next(self) -> Sequence[Step]:
        return self._scripts[min(self._used, len(self._scripts) - 1)]


def _steps(script: object) -> Sequence[Step]:
    if isinstance(script, Step):
        return [script]
    steps = list(cast("Sequence[object]", script)) if isinstance(script, Sequence) else [script]
    for step in steps:
        if not isinstance(step, Step):
            raise TypeError(f"a script is a list of steps, but there is {step!r}")
    return cast("Sequence[Step]", steps)
