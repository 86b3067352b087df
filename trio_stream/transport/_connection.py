"""An open connection: bytes in, bytes out, and a close that never waits."""

from __future__ import annotations

import os
import select
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, final

import trio

__all__ = ["Connection", "Origin"]


class Origin(NamedTuple):
    """What a connection leads to. Requests that agree in it may share one.

    Attributes:
        scheme: ``"http"`` or ``"https"``.
        host: A name in ASCII, or an address without brackets.
        port: The port.
        server_name: What TLS is to ask for and to verify; the host, mostly.
    """

    scheme: str
    host: str
    port: int
    server_name: str

    @property
    def netloc(self) -> str:
        """Host and port, as a CONNECT request and a ``Host`` field have them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@final
class Connection:
    """A connection to an origin, or to a proxy that forwards.

    Args:
        origin: Where it leads.
        stream: A `trio.SocketStream`, a `trio.SSLStream` over one, or another stream that has a
            synchronous ``close``.

    Attributes:
        was_cut: Whether it has ended without the alert by which TLS tells an end from a cut.
        send: Sends some bytes and returns how many: one call of the operating system. `None` where
            there is no such call.
        send_all: Sends bytes.
        idle_since: When it was put aside, on trio's clock.
    """

    __slots__ = (
        "origin",
        "stream",
        "send",
        "send_all",
        "idle_since",
        "was_cut",
        "_is_tls",
        "_may_have_more",
        "_receive_some",
        "_socket",
        "__weakref__",
    )

    def __init__(self, origin: Origin, stream: Any) -> None:
        self.origin = origin
        self.stream = stream
        wire: Any = getattr(stream, "transport_stream", stream)
        self._socket: Any = getattr(wire, "socket", wire)
        plain = isinstance(stream, trio.SocketStream)
        self._is_tls = isinstance(stream, trio.SSLStream)
        self._receive_some: Callable[[int], Awaitable[bytes]] | None = (
            None if plain and os.name == "posix" else stream.receive_some
        )
        self.send: Callable[[bytes], Awaitable[int]] | None = self._socket.send if plain else None
        self.send_all: Callable[[bytes], Awaitable[None]] = stream.send_all
        self._may_have_more = False
        self.idle_since = 0.0
        self.was_cut = False

    def close(self) -> None:
        """Close it. Idempotent. What waits for it in another task gets an error.

        TLS is not told: nothing that is of worth to anybody is cut off by it, since a response
        says by itself whether it is whole.
        """
        self._socket.close()

    async def receive(self, max_bytes: int) -> bytes:
        """Wait for some bytes, at most ``max_bytes``; ``b""`` at the end.

        Cancellation: no byte is lost.

        Raises:
            OSError, trio.BrokenResourceError, trio.ClosedResourceError: There are none any more.
        """
        if self._receive_some is not None:
            return await self._receive_otherwise(max_bytes)
        # trio's sockets try to read before they wait, which is in vain where events come one by
        # one: a fifth of the price of receiving one. So the wait comes first, but for a read that
        # follows one that was full.
        if self._may_have_more:
            data: bytes = await self._socket.recv(max_bytes)
        else:
            fileno = self._socket.fileno()
            if fileno < 0:
                raise trio.ClosedResourceError
            await trio.lowlevel.wait_readable(fileno)
            if self._socket.fileno() != fileno:  # closed meanwhile; the number may be another's now
                raise trio.ClosedResourceError
            try:
                data = os.read(fileno, max_bytes)
            except BlockingIOError:  # it was somebody else's turn, or a false alarm
                data = await self._socket.recv(max_bytes)
        self._may_have_more = len(data) == max_bytes
        return data

    async def _receive_otherwise(self, max_bytes: int) -> bytes:
        assert self._receive_some is not None  # noqa: S101
        try:
            return await self._receive_some(max_bytes)
        except trio.BrokenResourceError as error:
            if not isinstance(error.__cause__, ssl.SSLEOFError):
                raise
            self.was_cut = True
            return b""

    @property
    def is_readable(self) -> bool:
        """Whether something has come: bytes, the end, or an error.

        If nothing was asked, then what has come belongs to no request, and the connection is stale.
        """
        fileno = getattr(self._socket, "fileno", None)
        if fileno is None:  # in memory
            return bool(self._socket.is_readable())
        if fileno() < 0 or _is_ready(fileno(), to_write=False):
            return True
        if not self._is_tls:
            return False
        # What came in the same segment as the end of the response has been read from the socket.
        # trio has no public name for the buffer that it is in then.
        unread: Any = getattr(self.stream, "_incoming", None)
        return self.stream.pending() > 0 or bool(getattr(unread, "pending", 0))

    @property
    def is_writable(self) -> bool:
        """Whether there is room for some bytes; also when it is broken. To be asked of a socket."""
        return _is_ready(self._socket.fileno(), to_write=True)


def _is_ready(fileno: int, *, to_write: bool) -> bool:
    if not hasattr(select, "poll"):  # Windows, whose `select` takes any socket
        readable, writable, _ = select.select([fileno], [fileno], [], 0)
        return bool(writable if to_write else readable)
    poll = select.poll()
    poll.register(fileno, select.POLLOUT if to_write else select.POLLIN)
    return bool(poll.poll(0))
