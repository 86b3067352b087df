"""Connections that are kept, counted, found dead, and handed on: RFC 9112, 9.3 to 9.6."""

from __future__ import annotations

import gc
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from importlib import import_module
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.pipeline.test_cancel_everywhere import CancelAtStep
from tests.pipeline.worlds import Letters
from tests.transport.raw_server import (
    CHUNKED,
    OK,
    Peer,
    each_family,
    new_client,
    raw,
    serve_raw,
    statistics,
    stream_until_error,
)
from trio_stream.errors import StreamError
from trio_stream.framing import RawBytes
from trio_stream.pipeline import open_stream
from trio_stream.testing import assert_no_leaks
from trio_stream.transport import TrioTransport

CHUNKED_EVENTS = CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Type: text/event-stream\r\n\r\n")
CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


async def keep_answering(peer: Peer) -> None:
    while await peer.answer(OK):
        pass


def counts(client: Any) -> tuple[int, int, int]:
    now = statistics(client)
    return now.connections, now.idle, now.waiting


# ---- what is kept --------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("GET", OK),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n"),
        ("POST", OK),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
        ("POST", b"HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nConnection: x-close\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nX-Connection: close\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_whole_response_keeps_its_connection(family: str, method: str, answer: bytes) -> None:
    """HTTP/1.1 connections persist, whatever the request was and the status (RFC 9112, 9.3)."""

    async def talk(peer: Peer) -> None:
        while await peer.answer(answer):
            pass

    async with raw(family, talk) as (client, server):
        for _ in range(3):
            await client.request(method, server.url, content=b"x" if method == "POST" else None)
            assert counts(client) == (1, 1, 0)
        assert len(server.peers) == 1


@each_family
@pytest.mark.parametrize(
    "answer",
    [
        CLOSE,
        CLOSE.replace(b"close", b"Close"),
        CLOSE.replace(b"close", b"x, close ,y"),
        CLOSE.replace(b"close", b"keep-alive, close"),
        CLOSE.replace(b"close", b"x\r\nConnection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
    ],
)
async def test_connection_that_will_be_closed(family: str, answer: bytes) -> None:
    """A connection is closed behind `close`, and behind HTTP/1.0 (RFC 9112, 9.3 and 9.6)."""

    async def talk(peer: Peer) -> None:
        await peer.answer(answer)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in range(2):
            assert (await client.get(server.url)).content == b"ok"
            assert counts(client) == (0, 0, 0)
        assert len(server.peers) == 2


@each_family
async def test_request_that_asks_for_closing(family: str) -> None:
    """A request with `Connection: close` is the last one on its connection (RFC 9112, 9.6)."""
    async with raw(family, keep_answering) as (client, server):
        await client.get(server.url, headers={"Connection": "close"})
        assert counts(client) == (0, 0, 0)


@each_family
@pytest.mark.parametrize("read", [0, 1])
async def test_half_read_body(family: str, read: int) -> None:
    """A response that is left before its end takes its connection with it."""

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"2\r\nok\r\n")
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in range(2):
            async with client.stream("GET", server.url) as response:
                for _ in range(read):  # past the generators of the client, which would be left
                    assert await anext(response.extensions["trio_stream.body"]) == b"ok"
                assert counts(client) == (1, 0, 0)
            assert counts(client) == (0, 0, 0)
        assert len(server.peers) == 2


@each_family
async def test_end_that_comes_behind_the_terminal_event(family: str) -> None:
    """The end of a body that is a little late is waited for, and the connection is kept."""
    left = trio.Event()

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED_EVENTS + b"9\r\ndata: .\n\n\r\n")
        await left.wait()
        await peer.send(b"0\r\n\r\n")
        await peer.gone()

    async with raw(family, talk) as (client, server):
        async with open_stream("GET", server.url, client=client, dialect=Letters()) as rx:
            assert await rx.receive() == "."
            left.set()
        assert counts(client) == (1, 1, 0)


# ---- connections that have died ------------------------------------------------------------


@each_family
@pytest.mark.parametrize("how", ["FIN", "closed", "RST"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_connection_that_died_while_idle(family: str, how: str, method: str) -> None:
    """A server may close an idle connection at any time (RFC 9112, 9.5): it is found out first."""
    died = trio.Event()

    async def talk(peer: Peer) -> None:
        await peer.answer(OK)
        if peer.number == 1:
            {"FIN": peer.end, "closed": peer.socket.close, "RST": peer.reset}[how]()
            died.set()
        if how == "FIN" or peer.number == 2:
            await peer.gone()

    async with raw(family, talk) as (client, server):
        await client.get(server.url)
        await died.wait()
        response = await client.request(method, server.url, content=b"once")
        assert response.content == b"ok"
        assert len(server.peers) == 2
        assert counts(client) == (1, 1, 0)


@each_family
@pytest.mark.parametrize("how", ["end", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"])
async def test_kept_connection_that_dies_when_used(family: str, how: str, method: str) -> None:
    """A kept connection may die under a request: only an idempotent one is sent again (9.3.1)."""
    http = import_module(family)
    requests = []

    async def talk(peer: Peer) -> None:
        requests.append(await peer.request())
        await peer.send(OK[:-2] if method == "HEAD" else OK)
        if peer.number == 1:
            requests.append(await peer.request())
            getattr(peer, how)()
        else:
            await peer.gone()

    async with raw(family, talk) as (client, server):
        await client.request(method, server.url)
        if method in ("POST", "PATCH"):
            with pytest.raises((http.RemoteProtocolError, http.ReadError)):
                await client.request(method, server.url, content=b"body")
            assert len(requests) == 2
        else:
            await client.request(method, server.url, content=b"body")
            assert len(requests) == 3
            assert requests[1] == requests[2]
            assert len(server.peers) == 2


@each_family
@pytest.mark.parametrize("chunked", [True, False])
async def test_body_and_a_kept_connection_that_dies(family: str, chunked: bool) -> None:
    """Bytes can be sent again, under `open_stream` too; what a generator has brought is gone."""
    requests = []

    async def talk(peer: Peer) -> None:
        for _ in range(2 if peer.number == 1 else 1):
            requests.append(await peer.request())
            if len(requests) != 2:
                await peer.send(OK)
        if peer.number == 2:
            await peer.gone()

    async def pieces() -> AsyncGenerator[bytes]:
        yield b"body"

    async with raw(family, talk) as (client, server):
        await client.get(server.url)
        content = pieces() if chunked else b"body"
        stream = open_stream("PUT", server.url, client=client, content=content, framing=RawBytes())
        if chunked:
            with pytest.raises(StreamError, match="no response"):
                async with stream:
                    pass
            assert len(requests) == 2
        else:
            async with stream as rx:
                assert await rx.result() == [b"ok"]
            assert requests[1] == requests[2]


@each_family
async def test_first_use_is_not_repeated(family: str) -> None:
    """A request whose new connection dies is not sent again: the server had its reasons."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.request()

    async with raw(family, talk) as (client, server):
        with pytest.raises(http.RemoteProtocolError):
            await client.get(server.url)
        assert len(server.peers) == 1


@each_family
async def test_repeated_once(family: str) -> None:
    """However many kept connections die under a request, it ends, with an answer or an error."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.request()

    async with raw(family, talk) as (client, server):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(client.get, server.url)
        assert counts(client) == (3, 3, 0)
        try:
            response = await client.get(server.url)
        except (http.RemoteProtocolError, http.ReadError):
            pass
        else:
            assert response.content == b"ok"
        assert len(server.peers) <= 4


@each_family
async def test_answered_request_is_not_repeated(family: str) -> None:
    """A request that was answered in part on a kept connection is not sent again."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-")

    async with raw(family, talk) as (client, server):
        await client.get(server.url)
        with pytest.raises(http.RemoteProtocolError):
            await client.get(server.url)
        assert len(server.peers) == 1


# ---- limits --------------------------------------------------------------------------------


@attrs.define(eq=False)
class Gate:
    """A server that answers each request when it is told to."""

    asked: list[bytes] = attrs.Factory(list)
    _semaphore: trio.Semaphore = attrs.Factory(lambda: trio.Semaphore(0))

    async def talk(self, peer: Peer) -> None:
        while request := await peer.request():
            self.asked.append(request.split()[1])
            await self._semaphore.acquire()
            await peer.send(OK)

    def answer(self, times: int = 1) -> None:
        for _ in range(times):
            self._semaphore.release()


@each_family
@pytest.mark.parametrize("limit", ["max_connections", "max_per_host"])
async def test_wait_is_fair(family: str, limit: str) -> None:
    """Above the limit, requests wait in the order in which they came."""
    gate = Gate()
    async with raw(family, gate.talk, **{limit: 2}) as (client, server):
        async with trio.open_nursery() as nursery:
            for number in range(8):
                nursery.start_soon(client.get, f"{server.url}/{number}")
                await wait_all_tasks_blocked()
            assert gate.asked == [b"/0", b"/1"]
            assert counts(client) == (2, 0, 6)
            for number in range(2, 8):
                gate.answer()
                await wait_all_tasks_blocked()
                assert gate.asked[-1] == b"/%d" % number
            gate.answer(2)
        assert len(gate.asked) == 8
        assert len(server.peers) == 2
        assert counts(client) == (2, 2, 0)


@each_family
async def test_pool_timeout(family: str) -> None:
    """A wait for a connection that takes too long is a PoolTimeout, and harms nobody."""
    http = import_module(family)
    gate = Gate()
    async with raw(family, gate.talk, max_connections=1) as (client, server):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, server.url)
            await wait_all_tasks_blocked()
            with pytest.raises(http.PoolTimeout):
                await client.get(server.url, timeout=http.Timeout(None, pool=0.01))
            assert counts(client) == (1, 0, 0)
            gate.answer(2)
        assert (await client.get(server.url)).content == b"ok"
        assert len(gate.asked) == 2


@each_family
async def test_cancelled_while_waiting(family: str) -> None:
    """Those who are cancelled while they wait are passed over, also in the very moment."""
    gate = Gate()
    async with raw(family, gate.talk, max_connections=1) as (client, server):
        scopes = [trio.CancelScope() for _ in range(3)]

        async def waiting(scope: trio.CancelScope, number: int) -> None:
            with scope:
                await client.get(f"{server.url}/{number}")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.get, f"{server.url}/first")
            await wait_all_tasks_blocked()
            for number, scope in enumerate(scopes):
                nursery.start_soon(waiting, scope, number)
                await wait_all_tasks_blocked()
            scopes[0].cancel()
            gate.answer(2)
            await wait_all_tasks_blocked()
            assert gate.asked == [b"/first", b"/1", b"/2"]
            scopes[2].cancel()  # in the middle of its response
        gate.answer(5)
        assert (await client.get(server.url)).content == b"ok"
        assert counts(client) == (1, 1, 0)


@each_family
async def test_limit_counts_idle_connections_of_other_hosts(family: str) -> None:
    """An idle connection to one host makes room for one to another."""
    async with (
        raw(family, keep_answering, max_connections=1) as (client, server),
        serve_raw(keep_answering) as other,
    ):
        for url in (server.url, other.url, server.url):
            assert (await client.get(url)).content == b"ok"
            assert counts(client) == (1, 1, 0)
        await wait_all_tasks_blocked()
        assert (server.open, other.open) == (1, 0)


@each_family
async def test_limit_per_host(family: str) -> None:
    """A host that is at its limit keeps nobody from another."""
    gate = Gate()
    async with (
        raw(family, gate.talk, max_per_host=1) as (client, server),
        serve_raw(keep_answering) as other,
        trio.open_nursery() as nursery,
    ):
        for _ in range(2):
            nursery.start_soon(client.get, server.url)
        await wait_all_tasks_blocked()
        assert (await client.get(other.url)).content == b"ok"
        assert len(gate.asked) == 1
        gate.answer(2)


@each_family
@pytest.mark.parametrize("kept", [0, 1, 3])
async def test_max_keepalive(family: str, kept: int) -> None:
    """No more idle connections are kept than may be."""
    gate = Gate()
    async with raw(family, gate.talk, max_keepalive=kept) as (client, server):
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(client.get, server.url)
            await wait_all_tasks_blocked()
            gate.answer(5)
        assert counts(client) == (kept, kept, 0)
        await wait_all_tasks_blocked()
        assert server.open == kept


@each_family
@pytest.mark.parametrize(("age", "connections"), [(29.0, 1), (31.0, 2)])
async def test_keepalive_expiry(
    family: str, age: float, connections: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was idle for too long is not used again."""
    now = trio.current_time()
    async with raw(family, keep_answering, keepalive_expiry=30.0) as (client, server):
        await client.get(server.url)
        monkeypatch.setattr(trio, "current_time", lambda: now + age)
        await client.get(server.url)
        monkeypatch.undo()
        assert len(server.peers) == connections
        assert counts(client) == (1, 1, 0)


@pytest.mark.parametrize(
    "options",
    [
        {"max_connections": 0},
        {"max_per_host": 0},
        {"max_keepalive": -1},
        {"keepalive_expiry": -1.0},
        {"max_head_bytes": 0},
        {"max_headers": 0},
    ],
)
def test_senseless_limits(options: dict[str, Any]) -> None:
    """A limit that admits nothing is a mistake in the program."""
    with pytest.raises(ValueError, match=next(iter(options))):
        new_client("httpx", **options)


# ---- many, and cancelled -------------------------------------------------------------------


@each_family
async def test_a_thousand_requests_in_a_row(family: str) -> None:
    """A thousand requests, one after the other, share one connection."""
    async with raw(family, keep_answering) as (client, server):
        for _ in range(1000):
            response = await client._transport.handle_async_request(
                import_module(family).Request("GET", server.url)
            )
            assert await response.aread() == b"ok"
        assert len(server.peers) == 1


@each_family
async def test_two_hundred_at_once(family: str) -> None:
    """Two hundred requests at once share the connections that there may be."""
    got = []
    async with raw(family, keep_answering, max_connections=20) as (client, server):

        async def get() -> None:
            got.append((await client.get(server.url)).content)

        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(get)
        assert got == [b"ok"] * 200
        assert len(server.peers) <= 20
        assert counts(client) == (len(server.peers), len(server.peers), 0)


async def read_whole(client: Any, url: str) -> None:
    await client.get(url)


async def leave_early(client: Any, url: str) -> None:
    async with client.stream("GET", url):
        pass


async def upload(client: Any, url: str) -> None:
    await client.post(url, content=b"x" * 100_000)


SCENES: dict[str, tuple[Callable[[Any, str], Awaitable[None]], list[bytes]]] = {
    "whole": (read_whole, [OK]),
    "in pieces": (read_whole, [CHUNKED[:20], CHUNKED[20:], b"2\r\nok\r\n", b"0\r\n", b"\r\n"]),
    "close": (read_whole, [CLOSE]),
    "left early": (leave_early, [CHUNKED, b"2\r\nok\r\n", b"0\r\n\r\n"]),
    "upload": (upload, [OK]),
    "interim": (read_whole, [b"HTTP/1.1 100 Continue\r\n\r\n", OK]),
}


@each_family
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("kept", [False, True])
async def test_cancelled_at_every_step(family: str, name: str, kept: bool) -> None:
    """A request that is cancelled at any of its steps frees its slot, and leaves nothing."""
    scene, pieces = SCENES[name]

    async def talk(peer: Peer) -> None:
        while request := await peer.request():
            await peer.send(*(pieces if b" /scene " in request else [OK if kept else CLOSE]))

    async with raw(family, talk, max_connections=1) as (client, server):
        for n in range(1, 200):
            assert (await client.get(server.url)).content == b"ok"
            assert counts(client) == ((1, 1, 0) if kept else (0, 0, 0))
            canceller = CancelAtStep(n)

            async def play(canceller: CancelAtStep = canceller) -> None:
                canceller.root = trio.lowlevel.current_task()
                with canceller.scope:
                    await scene(client, server.url + "/scene")

            trio.lowlevel.add_instrument(canceller)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(play)
            trio.lowlevel.remove_instrument(canceller)
            now = statistics(client)
            assert (now.connections - now.idle, now.waiting) == (0, 0)
            if not canceller.has_fired:
                break
        assert n > 2
        assert not canceller.has_fired, "it never came to its end"


@each_family
async def test_dropped_response(family: str) -> None:
    """A response that nobody closes is warned of, and its slot comes back."""

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"2\r\nok\r\n" if peer.number == 1 else OK)
        await peer.gone()

    async with serve_raw(talk) as server, new_client(family, max_connections=1) as client:
        request = import_module(family).Request("GET", server.url)
        response = await client._transport.handle_async_request(request)
        assert counts(client) == (1, 0, 0)
        with pytest.warns(ResourceWarning, match="closed"):  # noqa: PT031
            del response
            gc.collect()
        await wait_all_tasks_blocked()  # the garbage collector gives back by way of trio
        assert counts(client) == (0, 0, 0)
        with trio.fail_after(5):
            assert (await client.get(server.url)).content == b"ok"


@each_family
async def test_client_is_closed(family: str) -> None:
    """Closing the client closes its idle connections."""
    async with raw(family, keep_answering) as (client, server):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(client.get, server.url)
        assert counts(client) == (3, 3, 0)
        await client.aclose()
        assert counts(client) == (0, 0, 0)
        await wait_all_tasks_blocked()
        assert server.open == 0


@each_family
async def test_client_is_closed_during_a_response(family: str) -> None:
    """A response that is being read when the client is closed gets an error, and no hang."""
    http = import_module(family)
    ended = []

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"2\r\nok\r\n")
        await peer.gone()

    async with raw(family, talk) as (client, server):

        async def reading() -> None:
            ended.append(await stream_until_error(client, server.url))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reading)
            await wait_all_tasks_blocked()
            await client.aclose()
        [(got, error)] = ended
        assert got == b"ok"
        assert isinstance(error, http.TransportError)
        assert counts(client) == (0, 0, 0)


@each_family
async def test_closed_under_a_request_that_could_be_repeated(family: str) -> None:
    """Closing is an error for who waits for an answer: an idempotent request is not sent again."""
    http = import_module(family)
    asked = trio.Event()

    async def talk(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.request()
        asked.set()
        await peer.gone()

    async with raw(family, talk) as (client, server), trio.open_nursery() as nursery:
        await client.get(server.url)

        async def ask() -> None:
            with pytest.raises(http.ReadError):
                await client.get(server.url)

        nursery.start_soon(ask)
        await asked.wait()
        await client._transport.aclose()
        await wait_all_tasks_blocked()
        assert counts(client) == (0, 0, 0)
        assert len(server.peers) == 1


@each_family
async def test_closed_under_who_waits_for_a_slot(family: str) -> None:
    """Closing ends the wait for a slot at once, also if nobody gives one back."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED)
        await peer.gone()

    async with (
        assert_no_leaks(),
        serve_raw(talk) as server,
        new_client(family, max_connections=1) as client,
        client.stream("GET", server.url),
        trio.open_nursery() as nursery,
    ):

        async def ask() -> None:
            with pytest.raises(http.ConnectError):
                await client.get(server.url)

        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert counts(client) == (1, 0, 1)
        await client._transport.aclose()
        with trio.fail_after(5):
            await wait_all_tasks_blocked()
        assert counts(client) == (1, 0, 0)


def test_response_that_outlives_its_run() -> None:
    """A response that is collected after its run is warned of, and its slot comes back."""
    kept: list[Any] = []

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED)
        await peer.gone()

    async def main() -> None:
        async with serve_raw(talk) as server:
            transport = TrioTransport(trust_env=False)
            request = httpx.Request("GET", server.url)
            kept.extend([await transport.handle_async_request(request), transport])

    trio.run(main)
    transport = kept[1]
    with warnings.catch_warnings(record=True) as told:  # of the socket, too
        warnings.simplefilter("always")
        kept.clear()
        gc.collect()
    assert any("neither read" in str(each.message) for each in told)
    assert transport.statistics().connections == 0
