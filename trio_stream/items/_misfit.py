"""`MisfitError`: a value does not fit its type, and where in the payload it sits."""

from __future__ import annotations

import json
from typing import Any

from cattrs.errors import AttributeValidationNote, BaseValidationError, IterableValidationNote

from ._types import name_of

__all__ = ["MisfitError", "first_fault", "misfit", "told"]

_MAX_SHOWN = 40


class MisfitError(ValueError):
    """A value does not fit its type.

    cattrs notes on an error each step that leads to it. But it collects the errors, and those of a
    payload that somebody made for it take a hundred times the memory of the payload. So this error
    takes the step and goes on its way out: the first fault ends the reading.

    Attributes:
        why: What was expected and what came.
        steps: The keys and indices that lead to the value, innermost first.
    """

    def __init__(self, why: str, *steps: str | int) -> None:
        super().__init__(why)
        self.why = why
        self.steps = list(steps)

    @property
    def path(self) -> str:
        """The steps as one string, as in ``$.owner.pets[2].name``."""
        return "$" + "".join(map(_written, reversed(self.steps)))

    @property
    def __notes__(self) -> list[str]:
        return []

    @__notes__.setter
    def __notes__(self, notes: list[str]) -> None:
        try:
            self.steps.append(_step(notes[-1]))
            raise self
        finally:
            del self  # the traceback leads to this frame: a cycle

    def add_note(self, note: str, /) -> None:
        """Do as when notes are set."""
        self.__notes__ = [note]  # pyright: ignore[reportIncompatibleVariableOverride]


def misfit(value: object, expected: str, *steps: str | int) -> MisfitError:
    """Make the `MisfitError` for a JSON value that came where something else was expected."""
    return MisfitError(f"expected {expected}, got {_shown(value)}", *steps)


def first_fault(error: BaseException, name: str) -> MisfitError:
    """Find the first fault in what a class or a function has raised.

    Args:
        error: If it is a group of cattrs, the fault is the first error in it.
        name: The class or function.
    """
    steps: list[str | int] = []
    note: Any = None
    while isinstance(error, BaseValidationError):
        group, error = error, error.exceptions[0]
        note = next((each for each in getattr(error, "__notes__", ()) if _is_step(each)), None)
        if note is not None:
            steps.insert(0, _step(note))
            for each in group.exceptions:
                each.__traceback__ = None  # leads to a frame that holds the errors: a cycle
    if note is not None and isinstance(error, KeyError):
        return MisfitError(
            f"the field is missing, expected {name_of(note.type)}", error.args[0], *steps[1:]
        )
    fault = MisfitError(f"{name} refused it: {told(error)}", *steps)
    fault.__cause__ = error
    return fault


def _is_step(note: object) -> bool:
    return isinstance(note, AttributeValidationNote | IterableValidationNote)


def _step(note: Any) -> str | int:
    step: str | int = note.name if isinstance(note, AttributeValidationNote) else note.index
    return step


def told(error: BaseException) -> str:
    """Name an exception and say what it says, whatever it is."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the user's own exception may fail to describe itself
        return type(error).__name__


def _written(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f"[{json.dumps(step)}]"


def _shown(value: object) -> str:
    """Name what came, with its value where that is short: a payload may be 64 MiB of one string."""
    kind = type(value)
    if value is None:
        return "None"
    if kind not in (bool, int, float, str):
        return kind.__name__
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        return f"str {value[:_MAX_SHOWN]!r}..."
    if isinstance(value, int) and value.bit_length() > 64:
        return "int"  # CPython may refuse to write out a huge one
    return f"{kind.__name__} {value!r}"
