"""The same scripts over sockets and in memory, under both HTTP families, mean the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from trio_stream.testing import (
    BadChunk,
    Event,
    Head,
    Headers,
    MemoryServer,
    Pieces,
    Ping,
    Plan,
    Raw,
    Refuse,
    Reset,
    ScriptedServer,
    Send,
    Stall,
    Truncate,
    Until,
    assert_no_leaks,
    memory_client,
    serve,
)


@attrs.frozen
class Peer:
    """A client of one family and the server at the other end, over one kind of connection."""

    family: str
    medium: str

    @asynccontextmanager
    async def connect(
        self, plan: Plan, **options: Any
    ) -> AsyncIterator[tuple[Any, ScriptedServer | MemoryServer]]:
        if self.medium == "memory":
            async with memory_client(plan, family=self.family, **options) as pair:
                yield pair
        else:
            http = import_module(self.family)
            # The import of certificates blocks, and there is nothing to verify.
            options = {"trust_env": False, "verify": False, **options}
            async with serve(plan) as server, http.AsyncClient(**options) as client:
                yield client, server


@pytest.fixture(params=["httpx", "httpx2"])
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["socket", "memory"])
def peer(request: pytest.FixtureRequest, family: str) -> Peer:
    return Peer(family, request.param)


async def fetch(client: Any, url: str) -> tuple[bytes, str]:
    """What of the body arrived, and the name of the exception that ended it, if one did."""
    http = import_module(type(client).__module__)
    received = b""
    try:
        async with client.stream("GET", url) as response:
            async for data in response.aiter_bytes():
                received += data
    except http.TransportError as exc:
        return received, type(exc).__name__
    return received, ""


ONE = b"data: one\n\n"
CASES: dict[str, tuple[Plan, bytes, str]] = {
    "chunked": ([Event("one")], ONE, ""),
    "length": ([Head(framing="length"), Event("one")], ONE, ""),
    "close": ([Head(framing="close"), Event("one")], ONE, ""),
    "gzip": ([Head(encoding="gzip"), Event("one")], ONE, ""),
    "gzip, length": ([Head(encoding="gzip", framing="length"), Event("one")], ONE, ""),
    "ping": ([Ping(), Event("one")], b": ping\n\n" + ONE, ""),
    "pieces": ([Pieces(ONE, size=1, every=0.001)], ONE, ""),
    "interim": ([Head(103), Event("one")], ONE, ""),
    "status 204": (Head(204), b"", ""),
    "status 503": ([Head(503, content_type="text/plain"), Send(b"busy")], b"busy", ""),
    "raw": ([Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")], b"hi", ""),
    "raw, broken": ([Raw(b"ICY 200 OK\r\n\r\n")], b"", "RemoteProtocolError"),
    "truncated": ([Event("one"), Truncate()], ONE, "RemoteProtocolError"),
    "truncated chunk": ([Truncate(b"data: o")], b"data: o", "RemoteProtocolError"),
    "truncated length": (
        [Head(framing="length"), Event("one"), Truncate()],
        ONE,
        "RemoteProtocolError",
    ),
    "too short": ([Head(length=99), Event("one"), Truncate()], ONE, "RemoteProtocolError"),
    "bad chunk": ([Event("one"), BadChunk()], ONE, "RemoteProtocolError"),
    "hung up": (Truncate(), b"", "RemoteProtocolError"),
    "reset": ([Event("one"), Reset()], ONE, "ReadError"),
    "reset at once": (Reset(), b"", "ReadError"),
    "stalled": ([Event("one"), Stall()], ONE, "ReadTimeout"),
    "stalled at once": (Stall(), b"", "ReadTimeout"),
}


@pytest.mark.parametrize("case", CASES)
async def test_script_as_a_client_sees_it(case: str, peer: Peer) -> None:
    """A client gets the same bytes and the same exception from a socket and from memory."""
    plan, expected, error = CASES[case]
    patience = 0.05 if error == "ReadTimeout" else 30
    async with assert_no_leaks(), peer.connect(plan, timeout=patience) as (client, server):
        assert await fetch(client, server.url) == (expected, error)


async def test_wrong_status_and_type(peer: Peer) -> None:
    """Status, reason, type and headers arrive as the head has them."""
    head = Head(429, reason="Slow Down", headers={"Retry-After": "2"}, content_type="text/html")
    async with peer.connect([head, Send(b"<p>")]) as (client, server):
        response = await client.get(server.url)

    assert (response.status_code, response.reason_phrase) == (429, "Slow Down")
    assert response.headers["retry-after"] == "2"
    assert response.headers["content-type"] == "text/html"
    assert response.content == b"<p>"


async def test_request_is_recorded(peer: Peer) -> None:
    """What a client sends is there to be looked at."""
    async with peer.connect([Event("one")]) as (client, server):
        before = trio.current_time()
        await client.post(f"{server.url}/events?from=3", json=[1], headers={"Last-Event-ID": "7"})

        [request] = server.requests
    assert (request.method, request.path, request.query) == ("POST", "/events", "from=3")
    assert request.headers == Headers(request.raw_headers)
    assert request.headers["last-event-id"] == "7"
    assert request.body == b"[1]"
    assert before <= request.time


async def test_each_request_has_its_script(peer: Peer) -> None:
    """The n-th request is answered with the n-th script, and the last script repeats."""
    plan = [Reset(), [Head(503), Send(b"busy")], [Event("one")]]
    async with peer.connect(plan) as (client, server):
        answers = [await fetch(client, server.url) for _ in range(4)]

    assert answers == [(b"", "ReadError"), (b"busy", ""), (ONE, ""), (ONE, "")]


async def test_callable_chooses_by_the_request(peer: Peer) -> None:
    """A callable can answer what was asked, such as where to resume."""

    def plan(request: Any) -> list[Event]:
        start = int(request.headers.get("last-event-id", "0"))
        return [Event(str(n), id=str(n)) for n in range(start + 1, 4)]

    async with peer.connect(plan) as (client, server):
        response = await client.get(server.url, headers={"last-event-id": "2"})

    assert response.text == "id: 3\ndata: 3\n\n"


async def test_connection_is_used_again_after_a_clean_end(peer: Peer) -> None:
    """A connection whose answer ended cleanly is kept alive."""
    async with peer.connect([Event("one")]) as (client, server):
        for _ in range(3):
            await client.get(server.url)

        assert server.connections == server.open_connections == 1
    assert [request.connection for request in server.requests] == [1, 1, 1]


@pytest.mark.parametrize(
    "head", [Head(framing="close"), Head(headers={"Connection": "close"}, length=11)]
)
async def test_connection_is_closed_when_the_head_says_so(peer: Peer, head: Head) -> None:
    """A head that announces the end of the connection keeps its word."""
    async with peer.connect([head, Event("one")]) as (client, server):
        assert [await fetch(client, server.url) for _ in range(2)] == [(ONE, "")] * 2
        await server.wait_disconnected()

    assert server.connections == 2


async def test_client_that_leaves_is_seen(peer: Peer) -> None:
    """A client that hangs up ends the script at once, is recorded, and is no error."""
    async with peer.connect([Event("one"), Stall()], timeout=0.05) as (client, server):
        assert await fetch(client, server.url) == (ONE, "ReadTimeout")
        await server.wait_disconnected()

        assert server.open_connections == 0
        assert server.requests[0].client_left is True


async def test_client_that_stays_is_seen(peer: Peer) -> None:
    """Whether the client has left is unknown while the script plays, and then known."""
    gate = trio.Event()
    async with peer.connect([Event("one"), Until(gate), Event("two")]) as (client, server):
        async with client.stream("GET", server.url) as response:
            body = aiter(response.aiter_raw())
            assert await anext(body) == ONE
            assert server.requests[0].client_left is None
            gate.set()
            assert [data async for data in body] == [b"data: two\n\n"]
        await trio.testing.wait_all_tasks_blocked()

        assert server.requests[0].client_left is False


async def test_client_that_leaves_during_much_data_is_no_error(peer: Peer) -> None:
    """A server that is still sending when the client leaves stops quietly."""
    plan = [Head(framing="close"), *[Send(b"x" * 100_000)] * 200]
    async with assert_no_leaks(), peer.connect(plan) as (client, server):
        with trio.CancelScope() as scope:
            async with client.stream("GET", server.url):
                scope.cancel()
                await trio.lowlevel.checkpoint()
        await server.wait_disconnected()


async def test_requests_can_be_waited_for(peer: Peer) -> None:
    """A test can wait for the n-th request instead of sleeping."""
    async with peer.connect([Event("one")]) as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(client.get, server.url)
        await server.wait_requests()
        assert len(server.requests) == 1
        nursery.start_soon(client.get, server.url)
        await server.wait_requests(2)


async def test_refusal_takes_no_request(peer: Peer) -> None:
    """A refused client gets no answer: not even a connection, where that can be played."""
    async with peer.connect([Refuse(), [Event("one")]]) as (client, server):
        answers = [await fetch(client, server.url) for _ in range(2)]

    refusal = "ConnectError" if peer.medium == "memory" else "RemoteProtocolError"
    assert answers == [(b"", refusal), (ONE, "")]


async def test_exception_of_the_block_stays_itself(peer: Peer) -> None:
    """What is raised in the block comes out as the same object, without a group around it."""
    error = ExceptionGroup("mine", [ValueError()])

    with pytest.raises(ExceptionGroup) as caught:
        async with peer.connect([Event("one")]):
            raise error
    assert caught.value is error
    assert error.__context__ is None


async def test_cancellation_of_the_block_goes_through(peer: Peer) -> None:
    """A cancelled block is left by its cancellation, and everything is closed."""
    with trio.CancelScope() as scope:
        async with assert_no_leaks(), peer.connect(Stall()) as (client, server):
            scope.cancel()
            await client.get(server.url)
    assert scope.cancelled_caught


async def test_failing_plan_is_raised_where_the_server_runs(peer: Peer) -> None:
    """A callable that fails is an error of the test, and is not hidden as a broken answer."""

    def plan(request: Any) -> Event:
        raise KeyError(request.path)

    with pytest.RaisesGroup(KeyError, flatten_subgroups=True):
        async with peer.connect(plan) as (client, server):
            await client.get(server.url)
