"""Server-sent events: ``text/event-stream``, as WHATWG HTML 9.2.5 and 9.2.6 have it.

Theory of operation
-------------------

The body is cut into lines, the lines are gathered into a block, and a blank line ends the block::

    bytes ──▶ line ends made LF ──▶ whole lines ──▶ fields of the open block ──blank──▶ event
              (BOM dropped)         (LineParser)    (data, event type, id, retry)

Four things outlive a chunk, and nothing else does: whether the body has begun (a BOM is dropped
there and only there), whether the last byte was a CR (an LF that follows belongs to it), the
unfinished line, and the open block. Three things outlive a block: the ID buffer, the last event
ID and the reconnection time.

A CR ends its line at once, without waiting to see whether an LF follows, so an event is handed
out by the very `feed` that brings the last byte of its terminator.

There is one machine, `_read_lines`, and it can read everything. In front of it stand two
shortcuts for what live streams mostly consist of: plain blocks, of one ``event`` line or none and
then one ``data`` line. Both guess the *head* of such a block, ``event: NAME\\ndata: ``; a wrong
guess costs time, never correctness, because a payload is believed only if it holds no LF:

* the piece at hand is one plain block with the event type of the event before (a live stream
  delivers event by event): `feed`;
* the piece holds many blocks, and is cut wherever its second block's head, if that is a plain
  one, comes again (a burst, a replay): `_read_burst`.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import TYPE_CHECKING, Any, ClassVar, Literal, overload

import attrs

from ..errors import LimitExceededError
from ._contract import DEFAULT_MAX_BYTES, Framing, Parser
from ._frames import Comment, ServerSentEvent, UnframedText
from ._lines import LineParser, has_long_lines, search_lines
from ._unframed import UnframedTextParser

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    F = TypeVar("F", default=ServerSentEvent)
else:  # only type checkers have use for the default
    from typing import TypeVar

    F = TypeVar("F")

__all__ = ["MAX_RETRY_MS", "SSE", "SSEParser"]

MAX_RETRY_MS = 24 * 60 * 60 * 1000
"""A ``retry`` field is clamped to a day: a longer one is a mistake or an attack."""

_BOM = b"\xef\xbb\xbf"
_LF, _CR = 10, 13
_RUN = 4096
_BURST = 2048  # from this length on, looking for a regular structure pays
_BLANK_AND_HEAD = re.compile(r"\n\n(?:event: ([^\n]*)\n)?data: ")


class SSEParser(LineParser[F]):
    """Parse a ``text/event-stream``.

    Always UTF-8, with U+FFFD for invalid bytes, whatever a ``charset`` parameter says. Nothing
    is dispatched at the end of the body: an unfinished event is dropped, and `truncated` says so.

    Args:
        comments: Hand out comment lines too, as `Comment`, in their place among the events.
        last_event_id: Where an earlier connection stopped (its ``last_event_id``).
        max_line_bytes: The longest line, its end not counted.
        max_event_bytes: The largest event: its `data`, as UTF-8.

    Limits:
        Both are 64 MiB by default. Of an event that outgrows them, little more is buffered.
    """

    __slots__ = (
        "_at_edge",
        "_block_retry",
        "_comments",
        "_data",
        "_data_bytes",
        "_event",
        "_held",
        "_id",
        "_joined",
        "_last_event_id",
        "_limit_name",
        "_max_event_bytes",
        "_more",
        "_open",
        "_own_id",
        "_retry",
        "_skip",
        "_skipped",
        "_truncated",
        "_usual_event",
        "_usual_head",
        "_usual_line",
        "_usual_name",
    )

    @overload
    def __init__(
        self: SSEParser[ServerSentEvent],
        *,
        comments: Literal[False] = False,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None: ...
    @overload
    def __init__(
        self: SSEParser[ServerSentEvent | Comment],
        *,
        comments: bool,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None: ...
    def __init__(
        self,
        *,
        comments: bool = False,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        # A longer line could not be part of an event in any case.
        line_limit = min(max_line_bytes, len("data: ") + max_event_bytes)
        super().__init__(line_limit)
        self._limit_name = "max_line_bytes" if line_limit == max_line_bytes else "max_event_bytes"
        self._max_event_bytes = max_event_bytes
        self._comments = comments

        # What outlives a chunk, beside the unfinished line. `_at_edge`: the body has not begun
        # (and `_held` is what may yet become a BOM), or its last byte was a CR.
        self._at_edge = True
        self._held: bytes | None = b""
        self._truncated = False

        # The open block: its first data line and, if there are more, those and the size of all.
        self._open = False
        self._event = ""
        self._data: str | None = None
        self._more: list[str] = []
        self._joined = 0
        self._data_bytes = 0
        self._block_retry: int | None = None
        self._own_id = False

        # What outlives a block.
        self._id = self._last_event_id = last_event_id
        self._retry: int | None = None
        self._skip: Container[str] = ()
        self._skipped = 0

        # The guess.
        self._expect("")

    @property
    def last_event_id(self) -> str:
        """The last event ID string: committed by the blank line that ends its block."""
        return self._last_event_id

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds, if the stream has set it (at most a day)."""
        return self._retry

    def skip(self, ids: Container[str]) -> None:
        """Drop the events that set one of these IDs: an earlier connection has brought them.

        An event that sets no ID is never dropped, whatever the last event ID is.
        """
        self._skip = ids

    @property
    def skipped(self) -> int:
        """How many events were dropped by `skip`."""
        return self._skipped

    @property
    def truncated(self) -> bool:
        """After `close`: whether the body ended inside an event, which was dropped."""
        return self._truncated

    def feed(self, data: bytes | bytearray) -> list[F]:
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
        if not self._rest and not self._open:  # it may be one whole block, plain and as usual
            head = self._usual_head
            size = len(head)
            end = len(data) - 2
            if (
                data[:size] == head
                and data.find(_LF, size) == end
                and data[-1] == _LF
                and end <= self._line_limit
            ):
                try:
                    payload = data[size:end].decode()
                except UnicodeDecodeError:
                    payload = data[size:end].decode("utf-8", "replace")
                event: Any = ServerSentEvent(self._usual_event, payload, self._last_event_id, None)
                return [event]
        events: list[Any] = []
        text = self._take(data)
        if text is not None:
            if len(text) < _BURST:
                self._read_lines(text.split("\n"), events)
            elif has_long_lines(text):
                self._read_lines(search_lines(text), events)
            else:
                self._read_burst(text, events)
        if self._overflow:
            raise self._refuse(self._limit_name, events)
        return events

    def close(self) -> list[F]:
        """The body has ended: nothing more is dispatched. Always returns an empty list."""
        rest = self._rest or self._held or b":"
        pending = self._data is not None or self._event or self._id != self._last_event_id
        if pending or rest[:1] != b":":
            self._truncated = True
        self._rest = bytearray()
        self._held = None
        return []

    def _enter(self, data: bytes | bytearray) -> bytes | bytearray:
        """Settle what the last piece left open.

        It is whether a BOM begins here, or whether an LF belongs to the CR before it.
        """
        if self._held is not None:
            data = self._held + data
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._held = bytes(data)
                return b""
            self._held = None
            data = data.removeprefix(_BOM)
        elif not data:
            return data
        elif data[0] == _LF:
            data = data[1:]
        self._at_edge = False
        return data

    def _to_lf(self, data: bytes | bytearray) -> bytes | bytearray:
        self._at_edge = data[-1] == _CR
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _read_burst(self, text: str, events: list[Any]) -> None:
        """Read text of many blocks, where the second may be like many that follow."""
        found = _BLANK_AND_HEAD.match(text, text.find("\n\n"))
        if found is None:
            self._read_lines(text.split("\n"), events)
            return
        head = found[0][2:]
        event = found[1] or "message"
        first, *payloads, last = text.split(found[0])
        self._read_lines(f"{first}\n".split("\n"), events)
        for payload in payloads:
            if "\n" in payload:
                self._read_lines(f"{head}{payload}\n".split("\n"), events)
            else:
                events.append(ServerSentEvent(event, payload, self._last_event_id, None))
        self._read_lines(f"{head}{last}".split("\n"), events)

    def _read_lines(  # noqa: C901 (one machine; each call would cost what a line costs)
        self, lines: list[str], events: list[Any]
    ) -> None:
        """Read whole lines: WHATWG HTML 9.2.6, "interpreting an event stream"."""
        data = self._data
        event = self._event
        line = ""
        for line in lines:
            if not line:  # "dispatch the event"
                self._last_event_id = self._id  # a block of nothing but an id commits it, too
                if data is not None:
                    if self._more:
                        data = self._join(data)
                    if event != self._usual_name:
                        self._expect(event)
                    if self._own_id and self._id in self._skip:
                        self._skipped += 1
                    else:
                        events.append(
                            ServerSentEvent(self._usual_event, data, self._id, self._block_retry)
                        )
                    data = None
                event = ""
                self._block_retry = None
                self._own_id = False
            elif line[:6] == "data: ":  # the usual spelling, without the detour
                if data is None:
                    data = line[6:]
                else:
                    self._add(data, line[6:], events)
            elif line == self._usual_line:
                event = self._usual_name
            else:
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "event":
                    event = value
                elif name != "data":
                    self._read_other(name, value, events)
                elif data is None:
                    data = value
                    # Without the space, it may be a byte larger than the line limit allows for.
                    self._check_size(_utf8_size(value), events)
                else:
                    self._add(data, value, events)
        self._data = data
        self._event = event
        self._open = line != ""

    def _read_other(self, name: str, value: str, events: list[Any]) -> None:
        """Read a field that is neither data nor event."""
        if name == "id":
            if "\0" not in value:
                self._id = value
                self._own_id = True
        elif name == "retry":
            if value.isascii() and value.isdigit():
                # int() refuses more than 4300 digits; a day has 8.
                digits = value.lstrip("0")[:9]
                self._retry = self._block_retry = min(int(digits or "0"), MAX_RETRY_MS)
        elif name == "" and self._comments:
            events.append(Comment(value))

    def _add(self, data: str, value: str, events: list[Any]) -> None:
        """Add a data line to the open block, whose first is ``data``."""
        more = self._more
        if not more:
            self._data_bytes = _utf8_size(data)
            self._joined = 0
        more.append(value)
        self._data_bytes += 1 + _utf8_size(value)
        self._check_size(self._data_bytes, events)
        if len(more) - self._joined == _RUN:
            # A short str costs twenty times its text: lines are joined in runs, each once.
            more[self._joined :] = ["\n".join(more[self._joined :])]
            self._joined += 1

    def _join(self, data: str) -> str:
        """Return the data of the open block, whose first line is ``data``."""
        data = "\n".join([data, *self._more])
        self._more.clear()
        return data

    def _check_size(self, size: int, events: list[Any]) -> None:
        if size > self._max_event_bytes:
            raise LimitExceededError(
                f"an event grew past max_event_bytes={self._max_event_bytes}",
                limit="max_event_bytes",
                frames=events,
            )

    def _expect(self, name: str) -> None:
        """Guess that the next block will name this event type, too."""
        self._usual_name = name
        self._usual_event = name or "message"
        self._usual_line = f"event: {name}"
        self._usual_head = f"event: {name}\ndata: ".encode() if name else b"data: "


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


@attrs.frozen(init=False)
class SSE(Framing[F]):
    """Server-sent events.

    Args:
        comments: Hand out comment lines too, as `Comment`.
        unframed: Hand out as `UnframedText` the JSON, such as that of an error, that some servers
            write into the stream without making it an event. Everything else is read as without.
    """

    media_types: ClassVar[tuple[str, ...]] = ("text/event-stream",)

    comments: bool
    unframed: bool

    @overload
    def __init__(
        self: SSE[ServerSentEvent],
        *,
        comments: Literal[False] = False,
        unframed: Literal[False] = False,
    ) -> None: ...
    @overload
    def __init__(
        self: SSE[ServerSentEvent | Comment], *, comments: bool, unframed: Literal[False] = False
    ) -> None: ...
    @overload
    def __init__(
        self: SSE[ServerSentEvent | Comment | UnframedText],
        *,
        comments: bool = False,
        unframed: bool,
    ) -> None: ...
    def __init__(self, *, comments: bool = False, unframed: bool = False) -> None:
        object.__setattr__(self, "comments", comments)  # it is frozen
        object.__setattr__(self, "unframed", unframed)

    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> Parser[F]:
        parser: Any = SSEParser(
            comments=self.comments,
            last_event_id=last_event_id,
            max_line_bytes=max_line_bytes,
            max_event_bytes=max_event_bytes,
        )
        if self.unframed:
            parser = UnframedTextParser(parser, max_event_bytes=max_event_bytes)
        made: Parser[F] = parser  # of what, the overloads say
        return made
