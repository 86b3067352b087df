"""Much at once, by the scanner of the standard library.

In a long text most containers are whole, and most elements of an open array. `json`'s scanner,
which is C, reads those ten times faster than our machine; but it reads a value from its start to
its end, or not at all.

`Bulk.take` tries the container that begins here. `Bulk.take_elements` guesses where an element
ends: before what looks like the comma at hand and the start of the element behind it. A wrong
guess costs time, never correctness: characters that with ``[`` and ``]`` around them are an array
are elements of the open one, too.

A miss costs what was looked at, so misses are paid for: in all, they may look at hardly more
characters than have been read. Thus the whole stays linear.

The scanner recurses. So it never sees more opening brackets than it may go deep, however they
stand.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from ._path import Json

__all__ = ["LEAST", "Bulk"]

LEAST: Final = 100
"""With less text at hand, trying costs more than it saves."""

_WINDOW: Final = 8192
_DEPTH: Final = 200
_CREDIT: Final = 2 * _WINDOW

_COMMA_AND_HEAD = re.compile(r',[ \t\n\r]*+(?:"|[{\[](?:[ \t\n\r]*+"[^"\\]{0,40}")?)?')


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


class Bulk:
    """Takes what it can, and leaves the rest to the machine, errors included.

    Attributes:
        is_cut: Whether `take` last failed for a container that may only not be over yet.
    """

    __slots__ = ("_missed", "_reach", "_size", "is_cut")

    def __init__(self) -> None:
        self.is_cut = False
        self._missed = 0
        self._reach = _WINDOW  # in which so many brackets were seldom too many
        self._size = LEAST  # of the container that was taken last

    def take(self, text: str, pos: int, offset: int, room: int) -> tuple[Json, int] | None:
        """Read the container that begins at ``pos``; return it and its end, if it is whole.

        Args:
            text: The text, and one more character.
            pos: Where the container begins.
            offset: How many characters came before the text.
            room: How deep it may nest.
        """
        self.is_cut = False
        if self._missed > offset + pos + _CREDIT:
            return None
        window = self._window(text, pos, 2 * self._size, room)
        try:
            value, size = _decoder.raw_decode(window)
        except (ValueError, RecursionError):
            self.is_cut = len(window) == len(text) - 1 - pos
            self._missed += len(window)
            self._size = min(2 * self._size, _WINDOW // 2)
            return None
        self._size = max(size, LEAST)
        return value, pos + size

    def take_elements(
        self, text: str, pos: int, offset: int, room: int
    ) -> tuple[list[Json], int] | None:
        """Read elements behind the comma at ``pos``; return them and where the next comma is.

        The arguments are those of `take`.
        """
        head = _COMMA_AND_HEAD.match(text, pos)
        if head is None or self._missed > offset + pos + _CREDIT:
            return None
        window = self._window(text, pos, _WINDOW, room)
        end = window.rfind(head[0])
        if end <= 0:
            self._missed += len(window) // 8  # to search costs less than to read
            return None
        try:
            values: list[Json] = _decoder.decode(f"[{window[1:end]}]")
        except (ValueError, RecursionError):
            self._missed += end
            return None
        return (values, pos + end) if values else None

    def _window(self, text: str, pos: int, size: int, room: int) -> str:
        """What the scanner may see: nothing if the brackets stand too close for that."""
        depth = min(room, _DEPTH)
        while True:
            end = min(pos + min(size, self._reach), len(text) - 1)
            brackets = text.count("[", pos, end) + text.count("{", pos, end)
            if brackets <= depth:
                break
            if self._reach <= LEAST:
                return ""
            self._reach = max((end - pos) * depth // (brackets + brackets // 8), LEAST)
        if 2 * brackets < depth and self._reach < _WINDOW:
            self._reach *= 2
        return text[pos:end]
