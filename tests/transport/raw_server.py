"""A server that is told byte for byte what to do, and clients of both families for it.

A test gives a function that talks to one connection. It runs in the same event loop as the
client, so `Peer.send` knows when the client has read a piece and waits: pieces that are sent one
by one are also read one by one.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from typing import Any, TypeAlias

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_stream.testing import assert_no_leaks
from trio_stream.testing._background import running

pytest.importorskip("httptools", reason="the transport needs the extra [fast]")

from trio_stream.transport import TrioTransport

FAMILIES = ("httpx", "httpx2")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # certificates take 25 ms to load
LIMIT = 60  # seconds that no test comes near on any machine, so that a hang is a failure

each_family = pytest.mark.parametrize("family", FAMILIES)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CUT = "peer closed connection"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_IS_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


@attrs.define(eq=False)
class Peer:
    """The server's end of one connection.

    Attributes:
        number: The how many-th connection of the server it is; the first is 1.
        received: What has come and was not taken by `request`.
    """

    number: int
    stream: Any
    socket: Any
    received: bytes = b""

    async def read(self) -> bytes:
        """What comes next; nothing once the client has hung up."""
        try:
            return bytes(await self.stream.receive_some(65536))
        except trio.BrokenResourceError:
            return b""

    async def until(self, mark: bytes) -> bytes:
        """Everything up to and with a mark, or what there is if the client hangs up first."""
        while mark not in self.received:
            data = await self.read()
            if not data:
                break
            self.received += data
        head, mark, self.received = self.received.partition(mark)
        return head + mark

    async def exactly(self, size: int) -> bytes:
        while len(self.received) < size and (data := await self.read()):
            self.received += data
        taken, self.received = self.received[:size], self.received[size:]
        return taken

    async def request(self) -> bytes:
        """The next request, head and body as they came; nothing if the client hangs up first."""
        head = await self.until(b"\r\n\r\n")
        if _IS_CHUNKED.search(head):
            return head + await self._chunks()
        length = _LENGTH.search(head)
        return head + (await self.exactly(int(length[1])) if length else b"")

    async def _chunks(self) -> bytes:
        body = b""
        while line := await self.until(b"\r\n"):
            size = int(line, 16)
            body += line + await self.exactly(size + 2)
            if not size:
                break
        return body

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, each when the client has read the one before and waits again."""
        for number, piece in enumerate(pieces):
            if number:
                await wait_all_tasks_blocked()
            await self.stream.send_all(piece)

    async def answer(self, *pieces: bytes) -> bytes:
        """Read a request and answer it; return the request."""
        request = await self.request()
        if request:
            await self.send(*pieces)
        return request

    async def pour(self, piece: bytes) -> None:
        """Send the same for ever, until the client hangs up."""
        while True:
            await self.stream.send_all(piece)

    def end(self) -> None:
        """Send nothing more, but go on reading."""
        self.socket.shutdown(socket.SHUT_WR)

    async def gone(self) -> None:
        """Wait until the client has hung up."""
        while await self.read():
            pass

    def reset(self) -> None:
        """Close with an RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


Talk: TypeAlias = Callable[[Peer], Awaitable[object]]


@attrs.define(eq=False)
class RawServer:
    """Talks to each connection; a talk that ends closes its connection.

    Attributes:
        talk: What it does with a connection.
        tls: With it, connections begin with a handshake; it fails for those who do not follow.
        peers: The connections so far, those that ended too.
        open: How many are open.
        failed_handshakes: What the server's side said of them.
    """

    talk: Talk
    tls: ssl.SSLContext | None = None
    url: str = ""
    peers: list[Peer] = attrs.Factory(list)
    open: int = 0
    failed_handshakes: list[BaseException] = attrs.Factory(list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def run(
        self, where: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        if where.startswith("/"):
            listening = trio.socket.socket(socket.AF_UNIX)
            await listening.bind(where)
            self.url = "http://uds.test"
        else:
            listening = trio.socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET)
            await listening.bind((where, 0))
            host = f"[{where}]" if ":" in where else where
            scheme = "https" if self.tls else "http"
            self.url = f"{scheme}://{host}:{listening.getsockname()[1]}"
        listening.listen(256)
        task_status.started()
        await trio.serve_listeners(self._serve, [trio.SocketListener(listening)])

    async def _serve(self, stream: trio.SocketStream) -> None:
        peer = Peer(len(self.peers) + 1, stream, stream.socket)
        self.peers.append(peer)
        self.open += 1
        try:
            if self.tls is not None and not await self._shake_hands(peer, self.tls):
                return
            await self.talk(peer)
        except trio.BrokenResourceError:
            pass  # the client hung up, as it may at any time
        finally:
            self.open -= 1
            stream.socket.close()

    async def _shake_hands(self, peer: Peer, context: ssl.SSLContext) -> bool:
        tls = trio.SSLStream(peer.stream, context, server_side=True)
        try:
            await tls.do_handshake()
        except trio.BrokenResourceError as exc:
            self.failed_handshakes.append(exc.__cause__ or exc)
            return False
        peer.stream = tls
        return True


@asynccontextmanager
async def serve_raw(
    talk: Talk, *, where: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncGenerator[RawServer]:
    """Serve for as long as the block runs, which is limited: a hang is a failure."""
    server = RawServer(talk, tls)
    with trio.fail_after(LIMIT):
        async with running(partial(server.run, where)):
            yield server


@asynccontextmanager
async def raw(
    family: str, talk: Talk, *, tls: ssl.SSLContext | None = None, **options: Any
) -> AsyncGenerator[tuple[Any, RawServer]]:
    """A client over a `TrioTransport` with these options, and a server: neither leaves anything."""
    async with (
        assert_no_leaks(),
        serve_raw(talk, tls=tls) as server,
        new_client(family, **options) as client,
    ):
        yield client, server


def new_client(family: str, *, timeout: Any = None, **options: Any) -> Any:
    """A client of a family over a `TrioTransport` with these options."""
    options = {"verify": NO_TLS, "trust_env": False, **options}
    return import_module(family).AsyncClient(
        transport=TrioTransport(**options), timeout=timeout, trust_env=False
    )


async def exchange(
    family: str, *pieces: bytes, method: str = "GET", stay: bool = False, **options: Any
) -> Any:
    """The whole response that a client makes of an answer of these bytes.

    Args:
        family: The family of the client.
        pieces: Sent one by one; behind the last, the server ends the connection.
        method: That of the request.
        stay: Whether the server leaves the connection open instead.
        options: For the transport.
    """

    async def talk(peer: Peer) -> None:
        await peer.answer(*pieces)
        if not stay:
            peer.end()
        await peer.gone()

    async with raw(family, talk, **options) as (client, server):
        return await client.request(method, server.url)


async def exchange_if_taken(family: str, *pieces: bytes, **options: Any) -> Any:
    """The same, or `None` if the client refuses the answer, as it may."""
    try:
        return await exchange(family, *pieces, **options)
    except import_module(family).RemoteProtocolError:
        return None


async def refused(family: str, *pieces: bytes, stay: bool = True, **options: Any) -> str:
    """The text of the error with which a client refuses an answer of these bytes."""
    http = import_module(family)
    with pytest.raises(http.RemoteProtocolError) as caught:
        await exchange(family, *pieces, stay=stay, **options)
    assert caught.value.request is not None
    return str(caught.value)


async def stream_until_error(
    client: Any, url: str, method: str = "GET"
) -> tuple[bytes, Exception | None]:
    """The content of a response as far as it came, and what ended it if not its end."""
    got = b""
    try:
        async with client.stream(method, url) as response:
            async for piece in response.aiter_raw():
                got += piece
    except import_module(type(client).__module__.partition(".")[0]).TransportError as error:
        return got, error
    return got, None


def statistics(client: Any) -> Any:
    return client._transport.statistics()
