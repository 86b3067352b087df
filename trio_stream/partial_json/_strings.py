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
_CERTAIN = re.compile(
    rf'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|(?!{_HIGH}{_LOW_BEGUN}\Z)u{_HEX}{{4}}))*+'
)
_UNCERTAIN = re.compile(rf"\\(?:{_HIGH}{_LOW_BEGUN}|u{_HEX}{{0,3}})?")
_ESCAPE = re.compile(rf"\\(?:u{_HEX}{{0,3}})?")


def scan_certain(text: str, pos: int, end: int) -> tuple[str, int]:
    """Read the content of a string as far as it is certain; return it and where it ends.

    There is the closing quote, or ``end``, or an escape that ``end`` cuts, or a fault.
    """
    certain = _CERTAIN.match(text, pos, end)
    stop = certain.end() if certain else pos
    content = text[pos:stop]
    if "\\" in content:
        content = scanstring(content + '"', 0)[0]
    return content, stop


def find_fault(text: str, stop: int, end: int, offset: int) -> PartialJSONError | None:
    """Say what is wrong where `scan_certain` stopped, if it is not just cut.

    The position of the error is counted from ``offset`` on.
    """
    if stop == end or text[stop] == '"' or _UNCERTAIN.fullmatch(text, stop, end):
        return None
    escape = _ESCAPE.match(text, stop, end)
    if escape is None:
        return PartialJSONError(f"control character {text[stop]!r} in a string", offset + stop)
    return PartialJSONError("invalid escape", offset + escape.end())
