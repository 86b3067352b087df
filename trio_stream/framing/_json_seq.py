"""JSON text sequences: ``application/json-seq`` (RFC 7464)."""

from __future__ import annotations

import re
from typing import ClassVar

import attrs

from ..errors import LimitExceededError
from ._contract import DEFAULT_MAX_BYTES, Framing, Parser
from ._frames import Record

__all__ = ["JSONSequence", "JSONSequenceParser"]

_RS = b"\x1e"
_LF = b"\n"
_SPACE = b" \t\r\n"
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+("?)', re.DOTALL)


class JSONSequenceParser(Parser[Record]):
    """Parse a JSON text sequence into `Record` objects; the JSON itself is not judged.

    Each text begins with RS (0x1E) and ends in LF, but an LF may also stand inside it. So a text
    is handed out at the first LF where all its brackets are closed; at the latest, the next RS
    ends it.

    At the end of the body a text without its LF is kept if it is a whole object, array or string;
    anything else (RFC 7464, 2.4: ``12`` may be the half of ``123``) is dropped, and `truncated`
    says so.

    Limits:
        A text is at most ``max_event_bytes`` long, RS and LF not counted.
    """

    __slots__ = ("_depth", "_line", "_max_event_bytes", "_text", "_truncated")

    def __init__(self, *, max_event_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._truncated = False

        # The open text, without white space before it; where its last line begins; and how many
        # brackets are open there.
        self._text = bytearray()
        self._line = 0
        self._depth = 0

    @property
    def truncated(self) -> bool:
        """After `close`: whether the body ended inside a text, which was dropped."""
        return self._truncated

    def feed(self, data: bytes | bytearray) -> list[Record]:
        """Take the next piece of the body; return the texts that it completes.

        Raises:
            LimitExceededError: A text outgrew its limit. Its ``frames`` are those that this call
                had completed before. The parser is spent.
        """
        records: list[Record] = []
        first, *others = data.split(_RS)
        self._read(first, records)
        for piece in others:
            self._hand_out(records)
            self._read(piece, records)
        return records

    def close(self) -> list[Record]:
        """The body has ended; return the last text if it is whole."""
        records: list[Record] = []
        if self._is_whole():
            self._hand_out(records)
        elif self._text:
            self._truncated = True
            self._text.clear()
        return records

    def _read(self, piece: bytes | bytearray, records: list[Record]) -> None:
        """Read a piece without RS."""
        *lines, rest = piece.split(_LF)
        for line in lines:
            self._add(line, records)
            self._end_line(records)
        self._add(rest, records)

    def _add(self, part: bytes | bytearray, records: list[Record]) -> None:
        if not self._text:
            part = part.lstrip(_SPACE)
        if not part:
            return
        if len(self._text) + len(part) > self._max_event_bytes:
            raise LimitExceededError(
                f"a JSON text grew past max_event_bytes={self._max_event_bytes}",
                limit="max_event_bytes",
                frames=records,
            )
        self._text += part

    def _end_line(self, records: list[Record]) -> None:
        self._depth += _brackets(self._text[self._line :])
        if self._depth <= 0:
            self._hand_out(records)
        else:
            self._text += _LF
            self._line = len(self._text)

    def _hand_out(self, records: list[Record]) -> None:
        if self._text:
            text = self._text.rstrip(_SPACE)
            records.append(Record(text.decode("utf-8", "replace")))
        self._text = bytearray()
        self._line = self._depth = 0

    def _is_whole(self) -> bool:
        """Whether the open text, which has no LF, can be no beginning of a longer one."""
        if self._text.startswith(b'"'):
            string = _STRING.match(self._text)
            return string is not None and string[1] != b""
        opened = self._depth + _brackets(self._text[self._line :])
        return self._text.startswith((b"{", b"[")) and opened <= 0


def _brackets(line: bytearray) -> int:
    """How many more brackets a line opens than it closes."""
    bare = _STRING.sub(b"", line)  # no JSON string spans two lines
    return sum(map(bare.count, (b"{", b"["))) - sum(map(bare.count, (b"}", b"]")))


@attrs.frozen
class JSONSequence(Framing[Record]):
    """JSON text sequences (RFC 7464)."""

    media_types: ClassVar[tuple[str, ...]] = ("application/json-seq", "application/geo+json-seq")

    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> JSONSequenceParser:
        return JSONSequenceParser(max_event_bytes=max_event_bytes)
