"""AWS's binary event stream: ``application/vnd.amazon.eventstream``.

Theory of operation
-------------------

The body is a sequence of messages, each with its lengths in front and two CRC-32 sums; all
integers are big-endian::

    ┌────────────── prelude, 12 bytes ─────────────┐
    │ total length │ headers length │ CRC of these │ headers │ payload │ CRC of all before it │
    └──────────────────────────────────────────────┘

The parser has two states, told apart by the number of bytes that it waits for: the 12 of the next
prelude, or all those of the message whose prelude it has read. The prelude is judged as soon as
it is there, so lengths that are wrong or too large are refused before anything is gathered for
them. The second sum is checked before a message is handed out: what does not check is not shown.

After a wrong byte nothing can be found again, since only the lengths say where a message ends. So
a fault ends the stream, whatever follows.

Source: the Amazon Event Stream Specification of Smithy 2.0, "Wire Format".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from uuid import UUID
from zlib import crc32

import attrs

from ..errors import CorruptFrameError, LimitExceededError
from ._contract import DEFAULT_MAX_BYTES, Framing, Parser
from ._frames import EventStreamHeader, EventStreamMessage

__all__ = ["EventStream", "EventStreamParser"]

_PRELUDE: Final = struct.Struct("!III")
_SUM: Final = struct.Struct("!I")
_SMALLEST: Final = _PRELUDE.size + _SUM.size

# The specification lets services send 128 KiB and forbids clients to check that, so that it can
# grow. But a header may cost fifteen times its bytes once it is decoded.
_MAX_HEADERS_BYTES: Final = 1024 * 1024

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class EventStreamParser(Parser[EventStreamMessage]):
    """Parse ``application/vnd.amazon.eventstream`` into `EventStreamMessage` objects.

    Both sums of every message are checked. Strings are UTF-8, with U+FFFD for invalid bytes;
    timestamps are in UTC, and those outside of the years that `datetime` knows stay an integer, in
    milliseconds since 1970. At the end of the body an unfinished message is dropped, and
    `truncated` says so.

    Limits:
        A message is at most ``max_event_bytes`` long, everything in it counted, and its headers
        at most 1 MiB. Of a message that is longer, nothing beyond its prelude is gathered.
    """

    __slots__ = ("_awaited", "_buffer", "_max_event_bytes", "_truncated")

    def __init__(self, *, max_event_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._truncated = False

        # What came since the last whole message, and how much of it must be there to go on.
        self._buffer = bytearray()
        self._awaited = _PRELUDE.size

    @property
    def truncated(self) -> bool:
        """After `close`: whether the body ended inside a message, which was dropped."""
        return self._truncated

    def feed(self, data: bytes | bytearray) -> list[EventStreamMessage]:
        """Take the next piece of the body; return the messages that it completes.

        Raises:
            LimitExceededError: A message outgrew its limit.
            CorruptFrameError: A sum does not match, or what was sent is no message.

        The ``frames`` of either are the messages that this call had completed before. The parser
        is spent.
        """
        self._buffer += data
        messages: list[EventStreamMessage] = []
        start = 0
        try:
            while len(self._buffer) - start >= self._awaited:
                if self._awaited == _PRELUDE.size:
                    self._awaited = self._read_prelude(start)
                else:
                    messages.append(self._read_message(start))
                    start += self._awaited
                    self._awaited = _PRELUDE.size
        except (LimitExceededError, CorruptFrameError) as error:
            error.frames += messages
            self._buffer.clear()
            raise
        del self._buffer[:start]
        return messages

    def close(self) -> list[EventStreamMessage]:
        """The body has ended. Always returns an empty list."""
        if self._buffer:
            self._truncated = True
            self._buffer.clear()
        return []

    def _read_prelude(self, start: int) -> int:
        """Judge the prelude at ``start``; return the length of its message."""
        lengths: tuple[int, int, int] = _PRELUDE.unpack_from(self._buffer, start)
        length, headers_length, checksum = lengths
        if checksum != crc32(self._buffer[start : start + 8]):
            raise CorruptFrameError(
                "the checksum of a prelude does not match: "
                "the stream is corrupt, or no event stream at all"
            )
        if headers_length > length - _SMALLEST:  # also if that is negative
            raise CorruptFrameError(
                f"a message of {length} bytes cannot have {headers_length} bytes of headers"
            )
        if length > self._max_event_bytes:
            raise LimitExceededError(
                f"a message of {length} bytes is over max_event_bytes={self._max_event_bytes}",
                limit="max_event_bytes",
            )
        if headers_length > _MAX_HEADERS_BYTES:
            raise LimitExceededError(
                f"a message has {headers_length} bytes of headers: "
                f"the limit is {_MAX_HEADERS_BYTES}",
                limit="max_headers_bytes",
            )
        return length

    def _read_message(self, start: int) -> EventStreamMessage:
        """Check and decode the message at ``start``, which is all there."""
        buffer = self._buffer
        end = start + self._awaited - _SUM.size
        _, headers_length, _ = _PRELUDE.unpack_from(buffer, start)
        body = start + _PRELUDE.size + headers_length
        head = bytes(buffer[start:body])
        payload = bytes(memoryview(buffer)[body:end])  # one copy, not two
        (checksum,) = _SUM.unpack_from(buffer, end)
        if checksum != crc32(payload, crc32(head)):
            raise CorruptFrameError("the checksum of a message does not match")
        return EventStreamMessage(_read_headers(head), payload)


def _read_headers(head: bytes) -> dict[str, EventStreamHeader]:
    """Decode the headers of a message, behind its prelude."""
    headers: dict[str, EventStreamHeader] = {}
    at = _PRELUDE.size
    try:
        while at < len(head):
            name_end = at + 1 + head[at]
            name = head[at + 1 : name_end].decode("utf-8", "replace")
            kind = head[name_end]
            if not name or name in headers:
                raise CorruptFrameError(f"a header's name is empty or not its own: {name!r}")
            if kind >= len(_VALUES):
                raise CorruptFrameError(f"the type of header {name!r} is unknown: {kind}")
            headers[name], at = _VALUES[kind](head, name_end + 1)
    except (IndexError, ValueError) as exc:
        raise CorruptFrameError(f"the headers of a message are broken: {exc}") from exc
    if at != len(head):
        # Its value was taken with a slice, and a slice says nothing when it is too short.
        raise CorruptFrameError("the last header of a message is cut off")
    return headers


# One function for each type of value, in the order of their numbers. It is given where the value
# begins, and returns it and where it ends: behind the headers if they cut it off.


def _true(_head: bytes, at: int) -> tuple[bool, int]:
    return True, at


def _false(_head: bytes, at: int) -> tuple[bool, int]:
    return False, at


def _byte(head: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(head[at : at + 1], signed=True), at + 1


def _short(head: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(head[at : at + 2], signed=True), at + 2


def _integer(head: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(head[at : at + 4], signed=True), at + 4


def _long(head: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(head[at : at + 8], signed=True), at + 8


def _byte_array(head: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(head[at : at + 2])
    return head[at + 2 : end], end


def _string(head: bytes, at: int) -> tuple[str, int]:
    end = at + 2 + int.from_bytes(head[at : at + 2])
    return head[at + 2 : end].decode("utf-8", "replace"), end


def _timestamp(head: bytes, at: int) -> tuple[datetime | int, int]:
    milliseconds, end = _long(head, at)
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds), end
    except OverflowError:
        return milliseconds, end


def _uuid(head: bytes, at: int) -> tuple[UUID, int]:
    return UUID(bytes=head[at : at + 16]), at + 16


_VALUES: Final[Sequence[Callable[[bytes, int], tuple[EventStreamHeader, int]]]] = (
    *(_true, _false, _byte, _short, _integer, _long),
    *(_byte_array, _string, _timestamp, _uuid),
)


@attrs.frozen
class EventStream(Framing[EventStreamMessage]):
    """AWS's binary event stream."""

    media_types: ClassVar[tuple[str, ...]] = ("application/vnd.amazon.eventstream",)

    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> EventStreamParser:
        return EventStreamParser(max_event_bytes=max_event_bytes)
