"""Many requests at once over few connections, to a server that does everything, cancelled anywhere.

`TRIO_STREAM_SOAK` says how many rounds there are.
"""

from __future__ import annotations

import gc
import os
import random
import socket
import ssl
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.transport.raw_server import (
    CHUNKED,
    OK,
    Peer,
    each_family,
    new_client,
    raw,
    serve_raw,
    statistics,
)
from trio_stream.slots import Slots

trustme = pytest.importorskip("trustme")

ROUNDS = int(os.environ.get("TRIO_STREAM_SOAK", "1"))
TASKS = 200

POISON = b"HTTP/1.1 200 OK\r\nX-Number: 0\r\nContent-Length: 6\r\n\r\nPOISON"


async def answer_anyhow(peer: Peer) -> None:
    """Answer each request with its number, in the way that it asks for."""
    while request := await peer.request():
        number, kind = request.split(b" ")[1].strip(b"/").decode().split("/")
        if not await ANSWERS[kind](peer, number.encode()):
            return


def content(number: bytes) -> bytes:
    return number * 50


def head(number: bytes, *more: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"X-Number: " + number, *more, b"", b""])


def sized(number: bytes, *more: bytes) -> bytes:
    length = b"Content-Length: %i" % len(content(number))
    return head(number, length, *more) + content(number)


async def keep(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number))
    return True


async def in_chunks(peer: Peer, number: bytes) -> bool:
    data = content(number)
    await peer.stream.send_all(head(number, b"Transfer-Encoding: chunked"))
    for piece in (data[:1], data[1:60], data[60:]):
        if piece:
            await peer.stream.send_all(b"%x;x=y\r\n%b\r\n" % (len(piece), piece))
            await trio.lowlevel.checkpoint()
    await peer.stream.send_all(b"0\r\nX-Number: 0\r\n\r\n")
    return True


async def close(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number, b"Connection: close"))
    return False


async def close_untold(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number))
    return False


async def until_close(peer: Peer, number: bytes) -> bool:
    await peer.send(head(number) + content(number))
    return False


async def cut(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number)[:-3])
    return False


async def nothing(peer: Peer, number: bytes) -> bool:
    return False


async def reset(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number)[:-3])
    peer.reset()
    return False


async def stall(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number)[: -len(content(number)) // 2])
    await peer.gone()
    return False


async def interim(peer: Peer, number: bytes) -> bool:
    early = b"HTTP/1.1 103 Early Hints\r\nX-Number: 0\r\n\r\n"
    await peer.stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
    await peer.stream.send_all(early + early)
    await trio.lowlevel.checkpoint()
    await peer.stream.send_all(sized(number))
    return True


async def poison(peer: Peer, number: bytes) -> bool:
    await peer.stream.send_all(sized(number) + POISON)
    return True


WHOLE = {
    "keep": keep,
    "in_chunks": in_chunks,
    "close": close,
    "close_untold": close_untold,
    "until_close": until_close,
    "interim": interim,
    "poison": poison,
}
BROKEN = {"cut": cut, "nothing": nothing, "reset": reset}
ANSWERS: dict[str, Any] = {**WHOLE, **BROKEN, "stall": stall}


@attrs.define
class Soak:
    """One round.

    Attributes:
        ended: How many requests have ended how.
    """

    client: Any
    url: str
    rng: random.Random
    ended: Counter[str] = attrs.Factory(Counter)

    async def one(self, number: int) -> None:
        """One request, or more of them, for as long as nobody cancels it."""
        kind = self.rng.choice(list(ANSWERS))
        steps = self.rng.randrange(300) if kind == "stall" or self.rng.random() < 0.5 else None
        async with trio.open_nursery() as nursery:
            if steps is not None:
                nursery.start_soon(self.cancel_after, steps, nursery.cancel_scope)
            how = "cancelled"
            try:
                how = await self.ask(number, kind)
            finally:
                self.ended[how] += 1
            nursery.cancel_scope.cancel()

    async def cancel_after(self, steps: int, scope: trio.CancelScope) -> None:
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async def ask(self, number: int, kind: str) -> str:
        http = import_module(type(self.client).__module__.partition(".")[0])
        method = self.rng.choice(["GET", "POST"])
        body = b"x" * self.rng.choice([0, 10, 100_000]) if method == "POST" else None
        url = f"{self.url}/{number}/{kind}"
        pieces = self.rng.choice([1, 1000])
        got = b""
        try:
            async with self.client.stream(method, url, content=body) as response:
                assert response.headers["X-Number"] == str(number)
                # The library's own iterator must be read to its end, or be left to be collected.
                body = (
                    response.aiter_raw() if pieces > 1 else response.extensions["trio_stream.body"]
                )
                async for piece in body:
                    got += piece
                    pieces -= 1
                    if not pieces:
                        break
        except (http.NetworkError, http.RemoteProtocolError):
            # A request that cannot be repeated may die with the connection that it was given.
            assert kind in BROKEN or method == "POST"
            assert content(str(number).encode()).startswith(got)
            return "error"
        assert content(str(number).encode()).startswith(got)
        assert not pieces or (kind in WHOLE and len(got) == 50 * len(str(number)))
        return "answer"


@each_family
@pytest.mark.parametrize("limit", [3, None])
async def test_each_gets_its_own(family: str, limit: int | None) -> None:
    """Each request gets its own answer or an error, and nothing is left of those cancelled."""
    for number in range(ROUNDS):
        rng = random.Random(number)
        async with raw(family, answer_anyhow, max_connections=limit) as (client, server):
            soak = Soak(client, server.url, rng)
            async with trio.open_nursery() as nursery:
                for each in range(1, TASKS + 1):
                    nursery.start_soon(soak.one, each)
            now = statistics(client)
            assert (now.connections - now.idle, now.waiting) == (0, 0)
            assert now.idle <= (limit or TASKS)
            assert soak.ended.total() == TASKS
            assert min(soak.ended[how] for how in ("answer", "error", "cancelled")) > 5


# ---- the client is closed ---------------------------------------------------------------------


@each_family
async def test_closed_while_waiting(family: str) -> None:
    """Whoever waits for a connection, or for an answer, when the client is closed gets an error."""
    http = import_module(family)
    ended = []

    async def ask(client: Any, url: str) -> None:
        with pytest.raises(http.NetworkError) as caught:
            await client.get(url)
        ended.append(caught.value)

    async with raw(family, Peer.gone, max_connections=2) as (client, server):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask, client, server.url)
            await wait_all_tasks_blocked()
            assert statistics(client).waiting == 3
            await client.aclose()
        assert len(ended) == 5
        assert len(server.peers) == 2
        assert statistics(client).connections == 0


@each_family
async def test_closed_while_connecting(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is made while the client is closed is closed, too."""
    http = import_module(family)
    connect = trio.open_tcp_stream
    goes_on = trio.Event()

    async def slowly(*args: Any, **options: Any) -> trio.SocketStream:
        await goes_on.wait()
        return await connect(*args, **options)

    async def ask(client: Any, url: str) -> None:
        with pytest.raises(http.ConnectError):
            await client.get(url)

    monkeypatch.setattr(trio, "open_tcp_stream", slowly)
    async with raw(family, Peer.gone) as (client, server):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, client, server.url)
            await wait_all_tasks_blocked()
            await client.aclose()
            goes_on.set()
        assert statistics(client).connections == 0


@each_family
async def test_number_of_a_closed_socket(family: str, tmp_path: Path) -> None:
    """What has got the number of a connection that is closed under a reader is not read."""
    (tmp_path / "other").write_bytes(b"6\r\nSECRET\r\n0\r\n\r\n")
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"2\r\nok\r\n")
        await peer.gone()

    async def close_and_open(client: Any, theirs: socket.socket, files: list[int]) -> None:
        await trio.lowlevel.wait_readable(theirs)
        await client.aclose()
        files.append(os.open(tmp_path / "other", os.O_RDONLY))

    for _ in range(10):  # which of the two tasks is first is up to chance
        ours, theirs = socket.socketpair()
        files: list[int] = []
        async with raw(family, talk) as (client, server):
            async with client.stream("GET", server.url) as response:
                body = response.extensions["trio_stream.body"]
                assert await anext(body) == b"ok"
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(close_and_open, client, theirs, files)
                    await wait_all_tasks_blocked()
                    nursery.start_soon(read_one, body, http)
                    await wait_all_tasks_blocked()
                    server.peers[0].socket._sock.send(b"2\r\nok\r\n")
                    ours.send(b"x")
            assert os.read(files[0], 1) == b"6"
            os.close(files[0])
            ours.close()
            theirs.close()


async def read_one(body: Any, http: Any) -> None:
    try:
        assert await anext(body) == b"ok"
    except http.ReadError:
        pass


# ---- responses that nobody closes -------------------------------------------------------------


class Cycle:
    """Garbage that only the collector finds."""

    def __init__(self, content: object) -> None:
        self.content = content
        self.myself = self


async def drop_one(family: str, client: Any, url: str) -> None:
    request = import_module(family).Request("GET", url)
    Cycle(await client._transport.handle_async_request(request))


async def stop_in_the_middle(peer: Peer) -> None:
    await peer.answer(CHUNKED + b"2\r\nok\r\n" if peer.number == 1 else OK)
    await peer.gone()


@each_family
@pytest.mark.filterwarnings("ignore:a response was neither:ResourceWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_dropped_in_another_thread(family: str) -> None:
    """The slot of a response that is collected in a worker thread comes back."""
    async with (
        serve_raw(stop_in_the_middle) as server,
        new_client(family, max_connections=1) as client,
    ):
        gc.disable()
        try:
            await drop_one(family, client, server.url)
            await trio.to_thread.run_sync(gc.collect)
        finally:
            gc.enable()
        assert (await client.get(server.url)).content == b"ok"


@each_family
@pytest.mark.filterwarnings("ignore:a response was neither:ResourceWarning")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_dropped_while_another_gives_back(
    family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collection may begin in the middle of anything; no slot is lost by it, nor given twice."""
    got = []
    has_room = Slots._has_room

    def has_room_and_collects(self: Slots, host: str) -> bool:
        gc.collect()
        return has_room(self, host)

    async def ask(client: Any, url: str) -> None:
        got.append((await client.get(url)).content)

    async def talk(peer: Peer) -> None:
        while await peer.answer(CHUNKED + b"2\r\nok\r\n" if peer.number <= 2 else OK):
            pass

    async with (
        serve_raw(talk) as server,
        new_client(family, max_connections=2) as client,
    ):
        request = import_module(family).Request("GET", server.url)
        response = await client._transport.handle_async_request(request)
        gc.disable()
        try:
            await drop_one(family, client, server.url)
            async with trio.open_nursery() as nursery:
                for _ in range(6):
                    nursery.start_soon(ask, client, server.url)
                await wait_all_tasks_blocked()
                monkeypatch.setattr(Slots, "_has_room", has_room_and_collects)
                await response.aclose()
                monkeypatch.setattr(Slots, "_has_room", has_room)
        finally:
            gc.enable()
    assert got == [b"ok"] * 6


# ---- over TLS ---------------------------------------------------------------------------------


@each_family
async def test_poison_in_a_record_of_its_own(family: str) -> None:
    """What is behind a response, in the same packet but another record, is not the next one."""

    async def talk(peer: Peer) -> None:
        await peer.request()
        tls = peer.stream
        for data in (OK, POISON):
            tls._ssl_object.write(data)
        packet = (tls._delayed_outgoing or b"") + tls._outgoing.read()
        tls._delayed_outgoing = None
        await tls.transport_stream.send_all(packet)
        await peer.answer(OK)
        await peer.gone()

    authority = trustme.CA()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    client_side = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    async with raw(family, talk, tls=server_side, verify=client_side) as (client, server):
        assert (await client.get(server.url)).content == b"ok"
        assert (await client.get(server.url)).content == b"ok"
        assert len(server.peers) == 2
