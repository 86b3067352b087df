"""JSON that stands in an event stream without being framed as an event.

Theory of operation
-------------------

Some servers write an error as plain JSON into a body that is labelled as an event stream, as the
whole of it or after the last event. To the standard its lines are unknown fields, which are
ignored, so the error would be lost::

    data: {"candidates": [...]}
                                       a blank line ends the block
    {                                  a block that begins with a brace: unframed, from here...
      "error": {"code": 503}
    }                                  ...to the brace that closes it

A block that begins with ``{``, or with ``[`` and then ``{`` or white space, is taken for a JSON
text. The text ends with the bracket that matches its first, and is handed out then. What follows
is an event stream again. Whether it is JSON is not looked at: its brackets are counted, without
those in strings, and each byte is looked at once. A text whose last bracket does not come was cut,
and what was cut is dropped, as an event is.

Everything else goes to the parser of the events as it came. Its price is one search, for a blank
line with a bracket after it, that skips from line to line. What is searched for may be cut, so the
last three bytes are remembered.

To the standard, a field whose name begins with a brace is legal, unknown and ignored. No provider
sends one; still, that is a difference, and it must be asked for. The blank line before the text
must be made of LF or CRLF, as it is everywhere, and not of CR alone.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Final, Generic, TypeVar, cast

from ..errors import LimitExceededError
from ._contract import Parser
from ._frames import UnframedText

__all__ = ["UnframedTextParser"]

F = TypeVar("F")

_BOM: Final = b"\xef\xbb\xbf"
_find_block: Final = re.compile(rb"\n\r?\n(?=[{\[])").search
_BLOCK_END: Final = b"\n\n"
_EDGES: Final = b"{[\r\n"  # with which a piece can begin that has the last byte of a match
_AFTER_BRACKET: Final = b"{ \t\r\n"  # so that a bare ``[DONE]`` stays what it is
_IN_TEXT: Final = re.compile(rb'["{}\[\]]')
_IN_STRING: Final = re.compile(rb'["\\]')


class UnframedTextParser(Parser[F | UnframedText], Generic[F]):
    """Parse an event stream, and hand out as `UnframedText` the JSON in it that is no event.

    Args:
        events: The parser of the event stream, fresh.
        max_event_bytes: The largest unframed text.
    """

    __slots__ = (
        "_bom",
        "_depth",
        "_escaped",
        "_events",
        "_max_event_bytes",
        "_quoted",
        "_tail",
        "_text",
    )

    def __init__(self, events: Parser[F], *, max_event_bytes: int) -> None:
        # Nobody else holds the lists that it returns, so they may be taken for wider ones.
        self._events = cast("Parser[F | UnframedText]", events)
        self._max_event_bytes = max_event_bytes

        # How much of a BOM has come at the start of the body; `None` when that is over.
        self._bom: int | None = 0
        # The last bytes of the event stream, before which the body begins as after a blank line.
        self._tail: bytes | bytearray = _BLOCK_END
        # The open text, its open brackets, and whether it is in a string or after a backslash.
        self._text: bytearray | None = None
        self._depth = 0
        self._quoted = False
        self._escaped = False

    @property
    def last_event_id(self) -> str:
        """The last event ID string: committed by the blank line that ends its block."""
        return self._events.last_event_id

    @property
    def retry(self) -> int | None:
        """As of the parser of the events."""
        return self._events.retry

    def skip(self, ids: Container[str]) -> None:
        """As of the parser of the events."""
        self._events.skip(ids)

    @property
    def skipped(self) -> int:
        """As of the parser of the events."""
        return self._events.skipped

    @property
    def truncated(self) -> bool:
        """After `close`: whether the body ended inside an event or a text, which was dropped."""
        return self._text is not None or self._events.truncated

    def feed(self, data: bytes | bytearray) -> list[F | UnframedText]:
        """Take the next piece of the body; return the events and texts that it completes.

        Raises:
            LimitExceededError: A line, an event or a text outgrew its limit. Its ``frames`` are
                those that this call had completed before. The parser is spent.
        """
        if not data:
            return []
        usual = self._text is None and self._bom is None and data[0] not in _EDGES
        if usual and _find_block(data) is None:
            self._tail = data[-3:] if len(data) > 2 else (self._tail + data)[-3:]
            return self._events.feed(data)
        frames: list[F | UnframedText] = []
        try:
            data = self._pass_bom(data, frames)
            at = 0
            while at < len(data):
                read = self._read_events if self._text is None else self._read_text
                at = read(data, at, frames)
        except LimitExceededError as breach:
            breach.frames[:0] = frames
            raise
        return frames

    def close(self) -> list[F | UnframedText]:
        """The body has ended: nothing more is handed out. Always returns an empty list."""
        return self._events.close()

    def _pass_bom(
        self, data: bytes | bytearray, frames: list[F | UnframedText]
    ) -> bytes | bytearray:
        """Pass on what ``data`` has of a BOM at the start of the body; return the rest."""
        at = 0
        while self._bom is not None and at < len(data):
            if data[at] != _BOM[self._bom]:
                if self._bom:
                    self._tail = b""
                self._bom = None
            else:
                at += 1
                self._bom = self._bom + 1 if self._bom < 2 else None
        if at:
            frames += self._events.feed(data[:at])
            data = data[at:]
        return data

    def _read_events(
        self, data: bytes | bytearray, start: int, frames: list[F | UnframedText]
    ) -> int:
        """Read up to the next text; return where it, or ``data``, begins or ends."""
        if start == 0:
            found = _find_block(self._tail + data)
            end = len(data) if found is None else found.end() - len(self._tail)
        else:
            found = _find_block(data, start)
            end = len(data) if found is None else found.end()
        piece = data[start:end]
        self._tail = (self._tail + piece[-3:])[-3:]
        if piece:
            frames += self._events.feed(piece)
        if found is not None:
            self._text = bytearray(data[end : end + 1])
            self._depth = 1
            end += 1
        return end

    def _read_text(
        self, data: bytes | bytearray, start: int, frames: list[F | UnframedText]
    ) -> int:
        """Read up to the end of the open text; return where it, or ``data``, ends."""
        text = self._text or bytearray()
        if bytes(text[:2]) == b"[" and data[start] not in _AFTER_BRACKET:
            self._text = None
            self._tail = b"["
            frames += self._events.feed(b"[")
            return start
        end = self._find_end(data, start)
        text += data[start:end]
        if len(text) > self._max_event_bytes:
            text.clear()
            raise LimitExceededError(
                f"a text outside of any event grew past max_event_bytes={self._max_event_bytes}",
                limit="max_event_bytes",
                frames=[],
            )
        if self._depth == 0:
            frames.append(UnframedText(text.decode("utf-8", "replace")))
            self._text = None
            self._tail = b""
        return end

    def _find_end(self, data: bytes | bytearray, at: int) -> int:
        """Return where the open text ends in ``data``, or the end of ``data``."""
        if self._escaped:
            self._escaped = False
            at += 1
        while self._depth:
            found = (_IN_STRING if self._quoted else _IN_TEXT).search(data, at)
            if found is None:
                return len(data)
            at = found.end()
            match found[0]:
                case b'"':
                    self._quoted = not self._quoted
                case b"\\":
                    self._escaped = at == len(data)
                    at += 1
                case b"{" | b"[":
                    self._depth += 1
                case _:
                    self._depth -= 1
        return at
