"""No framing: the bytes of the body, in the pieces in which they came."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ._contract import DEFAULT_MAX_BYTES, Framing, Parser

__all__ = ["RawBytes", "RawBytesParser"]


class RawBytesParser(Parser[bytes]):
    """Hand out each piece as it came. The sizes of the pieces mean nothing."""

    __slots__ = ()

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """Take the next piece of the body; return it."""
        return [bytes(data)] if data else []

    def close(self) -> list[bytes]:
        """The body has ended. Always returns an empty list."""
        return []


@attrs.frozen
class RawBytes(Framing[bytes]):
    """The bytes of the body; the item type is `bytes`. Takes any media type."""

    media_types: ClassVar[tuple[str, ...]] = ("application/octet-stream",)
    tolerated_types: ClassVar[tuple[str, ...]] = ("*",)

    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> RawBytesParser:
        return RawBytesParser()
