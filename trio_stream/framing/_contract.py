"""What a wire format is: a `Framing` value that makes a fresh `Parser` for each connection.

A parser is sans-IO and synchronous. Whoever drives it calls `feed` with each piece of the body,
in order and of any size, then `close` once at the clean end of the body (never after a failure:
what was cut off by a failure is not a frame). Both return the frames that have become complete.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container
from typing import ClassVar, Generic, TypeVar

from ..config import DEFAULT_MAX_BYTES

__all__ = ["DEFAULT_MAX_BYTES", "Framing", "Parser"]

F = TypeVar("F")


class Parser(ABC, Generic[F]):
    """Bytes in, frames out. One parser reads one body."""

    __slots__ = ()

    @abstractmethod
    def feed(self, data: bytes | bytearray) -> list[F]:
        """Take the next piece of the body; return the frames that it completes.

        Raises:
            LimitExceededError: A line or a frame outgrew its limit. Its ``frames`` are those that
                this call had completed before. The parser is spent.
            CorruptFrameError: The bytes are damaged. The same goes for its ``frames``.
        """

    @abstractmethod
    def close(self) -> list[F]:
        """The body has ended; return the frames that this completes. Idempotent."""

    @property
    def truncated(self) -> bool:
        """After `close`: whether the body ended inside a frame, which was dropped."""
        return False

    @property
    def last_event_id(self) -> str:
        """The last event ID that was committed; ``""`` in formats that have none."""
        return ""

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds, if the stream has set it."""
        return None

    def skip(self, ids: Container[str]) -> None:
        """Drop the frames that set one of these event IDs: an earlier connection has brought them.

        In formats without event IDs there is nothing to drop.
        """
        return

    @property
    def skipped(self) -> int:
        """How many frames were dropped by `skip`."""
        return 0


class Framing(ABC, Generic[F]):
    """A wire format: which media types mean it, and how to parse it."""

    __slots__ = ()

    media_types: ClassVar[tuple[str, ...]]
    """The media types that mean this format; sent as ``Accept``."""

    tolerated_types: ClassVar[tuple[str, ...]] = ("text/plain", "application/octet-stream", "")
    """What servers also label it with; accepted only when the caller chose the framing.
    ``""`` stands for no Content-Type at all."""

    @abstractmethod
    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> Parser[F]:
        """Make a parser for one connection. ``last_event_id``: where an earlier one stopped."""
