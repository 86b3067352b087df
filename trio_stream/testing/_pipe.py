"""A connection in memory: two ends that close and break like those of a socket."""

from __future__ import annotations

import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, memory_stream_pair

__all__ = ["PipeEnd"]


class PipeEnd(trio.abc.Stream):
    """One end of a connection in memory.

    `trio.testing.memory_stream_pair` with three things that sockets have: bytes and not
    bytearrays, a reset, and a way to ask whether there is something to read. Unbounded: sending
    never blocks.
    """

    def __init__(self, carrier: trio.StapledStream[MemorySendStream, MemoryReceiveStream]) -> None:
        self._carrier = carrier
        self._peer: PipeEnd = self
        self._closed = False
        self._broken = False
        self._waiting = 0  # bytes that the peer has sent and nobody has received

    @classmethod
    def pair(cls) -> tuple[PipeEnd, PipeEnd]:
        """Make a connection; return its two ends."""
        one, other = (cls(carrier) for carrier in memory_stream_pair())
        one._peer, other._peer = other, one
        return one, other

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of ``data``.

        Raises:
            trio.BrokenResourceError: The other end is closed, or has reset the connection.
        """
        await self._carrier.send_all(data)
        self._peer._waiting += len(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._carrier.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive what is there; ``b""`` at the end.

        Raises:
            trio.BrokenResourceError: The other end has reset the connection, and everything
                that it sent before was received.
        """
        data = bytes(await self._carrier.receive_some(max_bytes))
        self._waiting -= len(data)
        if not data and self._broken:
            raise trio.BrokenResourceError("connection reset by peer")
        return data

    def is_readable(self) -> bool:
        """Whether `receive_some` would return or raise at once."""
        return self._waiting > 0 or self._peer._closed

    def close(self) -> None:
        """Close this end; the other one reads what was sent, then the end. Idempotent."""
        self._closed = True
        self._carrier.send_stream.close()
        self._carrier.receive_stream.close()

    def reset(self) -> None:
        """Close this end; the other one reads what was sent, then an error."""
        self._peer._broken = True
        self.close()

    async def aclose(self) -> None:
        """Close this end, then run a checkpoint; closed even if cancelled."""
        self.close()
        await trio.lowlevel.checkpoint()
