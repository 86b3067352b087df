"""The numbers of RFC 8259, section 6, as the states of a machine that reads them anywhere cut."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["NUMBER", "NumberState", "scan_number"]


class NumberState(dict[str, "NumberState"]):
    """Which character leads where.

    Attributes:
        convert: What makes the value if the number ends here; `None` where it cannot end.
    """

    __slots__ = ("convert",)

    def __init__(self, convert: Callable[[str], int | float] | None = None) -> None:
        super().__init__()
        self.convert = convert


NUMBER = NumberState()
_minus = NumberState()
_zero = NumberState(int)
_integer = NumberState(int)
_point = NumberState()
_fraction = NumberState(float)
_e = NumberState()
_sign = NumberState()
_exponent = NumberState(float)

for _state, _characters, _next in (
    (NUMBER, "-", _minus),
    (NUMBER, "0", _zero),
    (NUMBER, "123456789", _integer),
    (_minus, "0", _zero),
    (_minus, "123456789", _integer),
    (_zero, ".", _point),
    (_zero, "eE", _e),
    (_integer, "0123456789", _integer),
    (_integer, ".", _point),
    (_integer, "eE", _e),
    (_point, "0123456789", _fraction),
    (_fraction, "0123456789", _fraction),
    (_fraction, "eE", _e),
    (_e, "+-", _sign),
    (_e, "0123456789", _exponent),
    (_sign, "0123456789", _exponent),
    (_exponent, "0123456789", _exponent),
):
    _state.update(dict.fromkeys(_characters, _next))


def scan_number(state: NumberState, text: str, pos: int) -> tuple[NumberState, int]:
    """Read on from a state; return the last state, and the position behind its character.

    ``text`` must hold, from ``pos`` on, a character that is no part of a number.
    """
    while (following := state.get(text[pos])) is not None:
        state = following
        pos += 1
    return state, pos
