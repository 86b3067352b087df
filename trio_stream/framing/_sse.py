"""Server-sent events: ``text/event-stream``, as WHATWG HTML 9.2.5 and 9.2.6 have it.

Theory of operation
-------------------

The body is cut into lines, the lines are gathered into a block, and a blank line ends the block::

    bytes ──▶ line ends made LF ──▶ whole lines ──▶ fields of the open block ──blank──▶ event
              (BOM dropped)         (LineBuffer)    (data, event type, id, retry)

Four things outlive a chunk, and nothing else does: whether the body has begun (a BOM is dropped
there and only there), whether the last byte was a CR (an LF that follows belongs to it), the
unfinished line, and the open block. Two things outlive a block: the ID buffer and the last
event ID.

A CR ends its line at once, without waiting to see whether an LF follows, so an event is handed
out by the very `feed` that brings the last byte of its terminator.

There is one machine, `_read_lines`, and it can read everything. In front of it stand two
shortcuts for what live streams mostly consist of, blocks of one ``event`` and one ``data`` line
under the same event name again and again. Both speculate on the *head* of such a block
(``event: NAME\\ndata: ``), learned from the blocks before; a wrong guess costs time, never
correctness, because a payload is believed only if it holds no LF:

* the piece at hand is one such block (a live stream delivers event by event);
* the piece is split at each blank line that is followed by the head (a burst, a replay).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import attrs

from ..errors import LimitExceededError
from ._contract import DEFAULT_MAX_BYTES, Framing
from ._frames import Comment, ServerSentEvent
from ._lines import LineParser, decode, has_long_lines, search_lines

__all__ = ["MAX_RETRY_MS", "SSE", "SSEParser"]

MAX_RETRY_MS = 24 * 60 * 60 * 1000
"""A ``retry`` field is clamped to a day: a longer one is a mistake or an attack."""

_BOM = b"\xef\xbb\xbf"
_LF, _CR = 10, 13
_RUN = 4096
_SHORT = 2048


class SSEParser(LineParser[ServerSentEvent | Comment]):
    """Parse a ``text/event-stream``.

    Always UTF-8, with U+FFFD for invalid bytes, whatever a ``charset`` parameter says. Nothing
    is dispatched at the end of the body: an unfinished event is dropped, and `truncated` says so.

    Args:
        comments: Hand out comment lines too, as `Comment`, in their place among the events.
        last_event_id: Where an earlier connection stopped (its ``last_event_id``).
        max_line_bytes: The longest line, terminator excluded.
        max_event_bytes: The largest event: the bytes of its data lines.

    Limits:
        Both are 64 MiB by default. Of an event that outgrows them, at most that much is buffered.
    """

    __slots__ = (
        "_at_edge",
        "_block_retry",
        "_comments",
        "_data",
        "_data_bytes",
        "_event",
        "_head",
        "_head_bytes",
        "_held",
        "_id",
        "_joined",
        "_last_event_id",
        "_limit_name",
        "_max_event_bytes",
        "_open",
        "_retry",
        "_skip_lf",
        "_truncated",
        "_usual_event",
        "_usual_line",
        "_usual_name",
    )

    def __init__(
        self,
        *,
        comments: bool = False,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        # A line that is longer than an event may be cannot be part of one.
        super().__init__(min(max_line_bytes, max_event_bytes))
        self._limit_name = (
            "max_line_bytes" if max_line_bytes <= max_event_bytes else "max_event_bytes"
        )
        self._max_event_bytes = max_event_bytes
        self._comments = comments

        # What outlives a chunk, beside the unfinished line. `_at_edge`: the body has not begun
        # (`_held` is what may yet become a BOM), or its last byte was a CR.
        self._at_edge = True
        self._held: bytes | None = b""
        self._skip_lf = False
        self._truncated = False

        # The open block. Its data is a list only if it has more than one line.
        self._open = False
        self._event = ""
        self._data: str | list[str] | None = None
        self._data_bytes = 0
        self._joined = 0
        self._block_retry: int | None = None

        # What outlives a block.
        self._id = self._last_event_id = last_event_id
        self._retry: int | None = None

        # The guess, from the event type that came last.
        self._expect("")

    @property
    def last_event_id(self) -> str:
        """The last event ID string: committed by the blank line that ends its block."""
        return self._last_event_id

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds, if the stream has set it (at most a day)."""
        return self._retry

    @property
    def truncated(self) -> bool:
        """After `close`: whether the body ended inside an event, which was dropped."""
        return self._truncated

    def feed(self, data: bytes | bytearray) -> list[ServerSentEvent | Comment]:
        """Take the next piece of the body; return the events that it completes.

        Raises:
            LimitExceededError: A line or an event outgrew its limit. Its ``frames`` are the
                events that this call had completed before. The parser is spent.
        """
        if self._at_edge:
            data = self._enter(data)
        if _CR in data:
            data = self._to_lf(data)
        elif _LF not in data:
            self._rest += data
            if len(self._rest) > self._line_limit:
                raise self._refuse(self._limit_name, [])
            return []
        # The usual piece of a live stream: one whole block with the usual head, and no LF in its
        # payload but those that end it.
        head = self._head_bytes
        size = len(head)
        if (
            data[:size] == head
            and data.find(_LF, size) == len(data) - 2
            and data[-1] == _LF
            and not self._open
            and not self._rest
        ):
            payload = decode(data[size:-2])
            return [ServerSentEvent(self._usual_event, payload, self._last_event_id, None)]
        events: list[ServerSentEvent | Comment] = []
        text = self._take(data)
        if text is not None:
            if len(text) < _SHORT:
                self._read_lines(text.split("\n"), events)
            elif has_long_lines(text):
                self._read_lines(search_lines(text), events)
            else:
                self._read_burst(text, events)
        if self._overflow:
            raise self._refuse(self._limit_name, events)
        return events

    def close(self) -> list[ServerSentEvent | Comment]:
        """The body has ended: nothing more is dispatched. Always returns an empty list."""
        rest = self._rest or self._held or b":"
        if self._data is not None or self._event or rest[:1] != b":":
            self._truncated = True
        self._rest = bytearray()
        self._held = None
        return []

    def _enter(self, data: bytes | bytearray) -> bytes | bytearray:
        """Settle what the last piece left open: whether a BOM begins here, or an LF belongs to
        the CR before it."""
        if self._held is not None:
            data = self._held + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._held = bytes(data)
                return b""
            self._held = None
            data = data.removeprefix(_BOM)
        elif self._skip_lf:
            if not data:
                return data
            self._skip_lf = False
            if data[0] == _LF:
                data = data[1:]
        self._at_edge = False
        return data

    def _to_lf(self, data: bytes | bytearray) -> bytes | bytearray:
        self._skip_lf = self._at_edge = data[-1] == _CR
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _read_burst(self, text: str, events: list[ServerSentEvent | Comment]) -> None:
        """Read text in which blocks with the usual head may follow a blank line."""
        head, event = self._head, self._usual_event
        before, *payloads = text.split("\n\n" + head)
        if not payloads:
            self._read_lines(before.split("\n"), events)
            return
        self._read_lines([*before.split("\n"), ""], events)
        last = payloads.pop()
        for payload in payloads:
            if "\n" in payload:
                self._read_lines([*f"{head}{payload}".split("\n"), ""], events)
            else:
                events.append(ServerSentEvent(event, payload, self._last_event_id, None))
        self._read_lines(f"{head}{last}".split("\n"), events)

    def _read_lines(self, lines: Iterable[str], events: list[ServerSentEvent | Comment]) -> None:
        """Read whole lines: WHATWG HTML 9.2.6, "interpreting an event stream"."""
        data = self._data
        event = self._event
        line = ""
        for line in lines:
            if not line:  # "dispatch the event"
                self._last_event_id = self._id  # a block of nothing but an id commits it, too
                if data is not None:
                    if event != self._usual_name:
                        self._expect(event)
                    if not isinstance(data, str):
                        data = "\n".join(data)
                    events.append(
                        ServerSentEvent(
                            self._usual_event, data, self._last_event_id, self._block_retry
                        )
                    )
                    data = None
                event = ""
                self._block_retry = None
            elif line[:6] == "data: ":  # the usual spelling, without the detour
                data = line[6:] if data is None else self._add_data(data, line[6:], events)
            elif line == self._usual_line:
                event = self._usual_name
            else:
                name, _, value = line.partition(":")
                if value[:1] == " ":
                    value = value[1:]
                if name == "data":
                    data = value if data is None else self._add_data(data, value, events)
                elif name == "event":
                    event = value
                elif name == "id":
                    if "\0" not in value:
                        self._id = value
                elif name == "retry":
                    if value.isascii() and value.isdigit():
                        # int() refuses more than 4300 digits; a day has 8.
                        digits = value.lstrip("0")[:9]
                        self._retry = self._block_retry = min(int(digits or "0"), MAX_RETRY_MS)
                elif name == "" and self._comments:
                    events.append(Comment(value))
        self._data = data
        self._event = event
        self._open = line != ""

    def _add_data(
        self, data: str | list[str], value: str, events: list[ServerSentEvent | Comment]
    ) -> list[str]:
        """A second or later data line of the open block."""
        if isinstance(data, str):
            self._data_bytes = _utf8_size(data)
            self._joined = 0
            data = [data]
        data.append(value)
        self._data_bytes += 1 + _utf8_size(value)
        if self._data_bytes > self._max_event_bytes:
            raise LimitExceededError(
                f"an event grew past max_event_bytes={self._max_event_bytes}",
                limit="max_event_bytes",
                frames=events,
            )
        if len(data) - self._joined == _RUN:
            # A short str costs twenty times its text: lines are joined in runs, each once.
            data[self._joined :] = ["\n".join(data[self._joined :])]
            self._joined += 1
        return data

    def _expect(self, name: str) -> None:
        """Guess that the next block will name this event type, too."""
        self._usual_name = name
        self._usual_event = name or "message"
        self._usual_line = f"event: {name}"
        self._head = f"event: {name}\ndata: " if name else "data: "
        self._head_bytes = self._head.encode()


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


@attrs.frozen
class SSE(Framing[ServerSentEvent | Comment]):
    """Server-sent events.

    Args:
        comments: Hand out comment lines too, as `Comment`.
    """

    media_types: ClassVar[tuple[str, ...]] = ("text/event-stream",)

    comments: bool = False

    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> SSEParser:
        return SSEParser(
            comments=self.comments,
            last_event_id=last_event_id,
            max_line_bytes=max_line_bytes,
            max_event_bytes=max_event_bytes,
        )
