"""`MisfitError`: a value does not fit its type, and where in the payload it sits.

A hook (a function from a JSON value to a typed one) raises `MisfitError`. Each container that the
exception passes on its way out adds the step that leads to it, so the path costs nothing until
something is wrong, and the work stops at the first fault: a hostile payload of a million bad
elements costs no more than one with a single bad element.
"""

from __future__ import annotations

import json

__all__ = ["MisfitError", "misfit", "told"]

_MAX_SHOWN = 40
_SHOWN = (bool, int, float, str)


class MisfitError(ValueError):
    """A value does not fit its type.

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
        return "$" + "".join(map(_step, reversed(self.steps)))


def misfit(value: object, expected: str, *steps: str | int) -> MisfitError:
    """Make the `MisfitError` for a JSON value that came where something else was expected."""
    return MisfitError(f"expected {expected}, got {_shown(value)}", *steps)


def told(error: BaseException) -> str:
    """Name an exception and say what it says, whatever it is."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the user's own exception may fail to describe itself
        return type(error).__name__


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if step.isidentifier() else f"[{json.dumps(step)}]"


def _shown(value: object) -> str:
    """Name what came, with its value where that is short: a payload may be 64 MiB of one string."""
    if value is None:
        return "None"
    kind = type(value)
    if kind not in _SHOWN:
        return kind.__name__
    if isinstance(value, str) and len(value) > _MAX_SHOWN:
        return f"str {value[:_MAX_SHOWN]!r}..."
    if isinstance(value, int) and value.bit_length() > 64:
        return "int"  # CPython may refuse to write out a huge one
    return f"{kind.__name__} {value!r}"
