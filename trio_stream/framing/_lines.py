"""Pieces of a body to whole lines, with a bound, and no byte looked at twice."""

from __future__ import annotations

from typing import Generic, TypeVar

from ..errors import LimitExceededError
from ._contract import Parser

__all__ = ["LineParser", "has_long_lines", "search_lines"]

F = TypeVar("F")

_LF = 10
_LARGE = 2048
_LONG = 512  # from this length on, one search beats a look at each character


class LineParser(Parser[F], Generic[F]):
    """The part that formats made of lines share: `_take` and the unfinished rest.

    The rest waits in one bytearray: appending is amortised O(length of the piece) and, however
    small the pieces, it holds little more than the bytes that came. Lines are decoded whole: an
    LF cannot be inside a UTF-8 sequence, so no sequence is ever cut.

    When a line outgrows its limit, `_take` returns the lines before it and sets ``_overflow``;
    `_refuse` then tells the caller, and the parser is spent.
    """

    __slots__ = ("_line_limit", "_overflow", "_rest")

    def __init__(self, line_limit: int) -> None:
        self._line_limit = line_limit
        self._overflow = False
        self._rest = bytearray()

    def _take(self, data: bytes | bytearray) -> str | None:
        """Add ``data``; return the lines that are complete now, or `None` if none is.

        There is an LF between the lines and none after the last.
        """
        rest = self._rest
        rest += data
        end = rest.rfind(_LF)
        if end > self._line_limit:
            end = self._end_before_long_line(end)
        text = None
        if end >= 0:
            try:
                # Of much text, a view costs less than a copy.
                text = rest[:end].decode() if end < _LARGE else str(memoryview(rest)[:end], "utf-8")
            except UnicodeDecodeError:
                text = rest[:end].decode("utf-8", "replace")
        del rest[: end + 1]
        if len(rest) > self._line_limit:
            self._overflow = True
            rest.clear()
        return text

    def _end_before_long_line(self, end: int) -> int:
        """Where the last line ends before the first that is too long; ``end`` if none is."""
        start = 0
        while end - start > self._line_limit:
            line_end = self._rest.find(_LF, start)
            if line_end - start > self._line_limit:
                self._overflow = True
                return start - 1
            start = line_end + 1
        return end

    def _refuse(self, name: str, frames: list[F]) -> LimitExceededError:
        return LimitExceededError(
            f"a line grew past {name}={self._line_limit}", limit=name, frames=frames
        )


def has_long_lines(text: str) -> bool:
    """Guess, from two places, whether searching for the line ends of ``text`` beats splitting."""
    third = len(text) // 3
    return (
        text.find("\n", third, third + _LONG) < 0
        or text.find("\n", 2 * third, 2 * third + _LONG) < 0
    )


def search_lines(text: str) -> list[str]:
    """The same as ``text.split("\\n")``; ten times faster where the lines are long."""
    lines: list[str] = []
    start = 0
    while (end := text.find("\n", start)) >= 0:
        lines.append(text[start:end])
        start = end + 1
    lines.append(text[start:])
    return lines
