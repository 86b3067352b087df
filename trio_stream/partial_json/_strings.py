"""Strings that the end of the text cuts (RFC 8259, section 7)."""

from __future__ import annotations

import json.decoder
import re
from collections.abc import Callable
from typing import Final

from ._errors import PartialJSONError

__all__ = ["find_fault", "scan_certain", "scanstring"]

scanstring: Final[Callable[[str, int], tuple[str, int]]] = vars(json.decoder)["scanstring"]
"""Decode the content of a string from a position on; return it and the position behind its quote.
It is public and old, but typeshed does not list it. Raises `ValueError`."""

_HEX = "[0-9a-fA-F]"
_HIGH = f"u[dD][89abAB]{_HEX}{{2}}"
# The beginnings of a low surrogate, from the longest to none.
_LOW_BEGUN = rf"(?:\\(?:u(?:[dD](?:[c-fC-F]{_HEX}?)?)?)?)?"

# What is certain: characters and whole escapes, but for a high surrogate whose other half may come.
# Then, what may be the beginning of an escape, if the text ends with it.
_CONTENT = re.compile(
    rf'((?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|(?!{_HIGH}{_LOW_BEGUN}\Z)u{_HEX}{{4}}))*+)'
    rf"(?:\\(?:{_HIGH}{_LOW_BEGUN}|u{_HEX}{{0,3}})?\Z)?"
)
_ESCAPE = re.compile(rf"\\(?:u{_HEX}{{0,3}})?")


def scan_certain(text: str, pos: int, end: int) -> tuple[str, int, bool]:
    """Read the content of a string that may end, be cut, or have a fault anywhere.

    Returns:
        The content as far as it is certain; where that ends; and whether the string is cut:
        from there to ``end`` stands the beginning of an escape, or nothing.
    """
    found = _CONTENT.match(text, pos, end)
    stop, seen = (found.end(1), found.end()) if found else (pos, pos)
    content = text[pos:stop]
    if "\\" in content:
        content = scanstring(content + '"', 0)[0]
    return content, stop, seen == end


def find_fault(text: str, stop: int, end: int, offset: int) -> PartialJSONError:
    """Say what is wrong where the content of a string stops, neither cut nor at its quote.

    The position of the error is counted from ``offset`` on.
    """
    escape = _ESCAPE.match(text, stop, end)
    if escape is None:
        return PartialJSONError(f"control character {text[stop]!r} in a string", offset + stop)
    return PartialJSONError("invalid escape", offset + escape.end())
