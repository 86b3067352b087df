"""Reading JSON into plain types with msgspec, where it is installed: the extra ``fast``.

Theory of operation. msgspec reads text straight into typed objects, in about a sixth of the time
that `json` and the hooks take. But its rules are its own. So it is only ever believed when it says
yes: whatever it refuses is read again by the hook, and what that says counts, be it an error or a
value. What is left to make sure of is that the hook would have said yes too, with an equal value.
That is decided once per type, by `_alike`.

Two differences are not of types. An integer of more digits than CPython reads, where the type has
no use for it, is an error to `json` and skipped by msgspec: a text that may hold one is left to the
hook. And `json` comes to the end of the stack two levels before msgspec: a payload that is nested
just as deeply as `sys.getrecursionlimit` lets msgspec read it is read, and was not.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from ._alike import reads_alike
from ._types import unwrapped

__all__ = ["SURELY_NO_HUGE_INT", "Decode", "decode_of", "is_known", "may_hold_huge_int"]

Decode: TypeAlias = Callable[[str], Any]
"""From JSON to an item. That it raises does not mean that there is a fault."""


def is_known(version: str) -> bool:
    """Whether what this version of msgspec accepts is known: an older one may be here, too."""
    return [int(part) for part in version.split(".")[:2] if part.isdecimal()] >= [0, 22]


_decoder_class: Any = None
try:
    import msgspec
except ImportError:
    pass
else:
    _decoder_class = msgspec.json.Decoder if is_known(msgspec.__version__) else None


def decode_of(type_: Any) -> Decode | None:
    """Find or make the function of msgspec that reads a type that has a hook.

    Returns:
        `None` if msgspec is not installed, or may accept what the hook does not accept, or read
        something else in it.
    """
    return None if _decoder_class is None else _kept_decode(unwrapped(type_))


@functools.lru_cache(maxsize=256)  # as hooks are kept, and for the same reasons
def _kept_decode(type_: Any) -> Decode | None:
    try:
        decode: Decode | None = _decoder_class(type_).decode if reads_alike(type_) else None
    except Exception:  # noqa: BLE001 - msgspec has several ways to say that it cannot
        return None
    return decode


SURELY_NO_HUGE_INT = sys.int_info.str_digits_check_threshold
"""A text of so many characters is too short: CPython allows no limit below it."""


def may_hold_huge_int(text: str) -> bool:
    """Whether a JSON text may hold an integer of more digits than CPython reads.

    `True` may be wrong, `False` is not: so many digits in a row fill at least one of the windows
    of half their number that the text is cut into.
    """
    window = sys.get_int_max_str_digits() // 2
    if window == 0 or len(text) <= window:  # 0: there is no limit
        return False
    return any(text[at : at + window].isdecimal() for at in range(0, len(text), window))
