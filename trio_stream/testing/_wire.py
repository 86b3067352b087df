"""The server's end of one connection, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

__all__ = ["Wire"]


@attrs.define
class Wire:
    """A stream with the two ways to end it, and room for what was read too early.

    Attributes:
        stream: What carries the bytes.
        close: Hang up: the client reads everything that was sent, then the end. Idempotent.
        reset: Abort: the client reads what has arrived, then an error.
        unsent: How many bytes are still on their way, which a reset would throw away.
        unread: Bytes that were read ahead of their time; `receive` returns them first.
    """

    stream: trio.abc.Stream
    close: Callable[[], None]
    reset: Callable[[], None]
    unread: bytes = b""
    unsent: Callable[[], int] = lambda: 0

    async def receive(self) -> bytes:
        """Return the next bytes from the client; ``b""`` once it has hung up.

        Raises:
            trio.BrokenResourceError: The client aborted the connection.
        """
        if self.unread:
            await trio.lowlevel.checkpoint()
            data, self.unread = self.unread, b""
            return data
        return bytes(await self.stream.receive_some())

    async def wait_hung_up(self) -> None:
        """Return when the client has hung up or aborted; keep what it sends until then."""
        try:
            while data := await self.stream.receive_some():
                self.unread += data
        except trio.BrokenResourceError:
            pass
