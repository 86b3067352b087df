"""The server without a socket, and virtual time."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import httpx2
import pytest
import trio
import trio.testing

from tests.testing.wires import read_all
from trio_stream.testing import (
    At,
    Event,
    Head,
    MemoryServer,
    Pieces,
    Refuse,
    Reset,
    Send,
    Stall,
    Wait,
    assert_no_leaks,
    memory_client,
    memory_transport,
    serve_memory,
)

Clock = trio.testing.MockClock
GET = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n"


@pytest.mark.parametrize("family", ["httpx", "httpx2"])
async def test_script_of_an_hour_takes_no_time(autojump_clock: Clock, family: str) -> None:
    """Every byte arrives at its time on the mock clock, exactly."""
    plan = [Event("one"), Wait(3600), Event("two"), Pieces(b"ab", size=1, every=10)]
    async with (
        memory_client(plan, family=family, timeout=None) as (client, server),
        client.stream("GET", server.url) as response,
    ):
        start = trio.current_time()
        seen = [(data, trio.current_time() - start) async for data in response.aiter_raw()]

    assert seen == [
        (b"data: one\n\n", 0),
        (b"data: two\n\n", 3600),
        (b"a", 3600),
        (b"b", 3610),
    ]


async def test_times_since_the_request(autojump_clock: Clock) -> None:
    """A step may be held back until a time after the request, which may be over already."""
    plan = [At(5), Event("one"), Wait(3), At(7), Event("two"), At(600), Event("three")]
    async with memory_client(plan, timeout=None) as (client, server):
        for _ in range(2):
            start = trio.current_time()
            async with client.stream("GET", server.url) as response:
                seen = [trio.current_time() - start async for _ in response.aiter_raw()]
            assert seen == pytest.approx([5, 8, 600])


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (Stall(), "ReadTimeout"),
        ([Event("one"), Stall()], "ReadTimeout"),
        (Refuse(), "ConnectError"),
    ],
)
@pytest.mark.parametrize("http", [httpx, httpx2])
async def test_timeouts_are_virtual(
    autojump_clock: Clock, http: type, plan: list[Event], error: str
) -> None:
    """The client's own timeouts fire on the mock clock, with the client's own exceptions."""
    async with memory_client(plan, family=http, timeout=100) as (client, server):
        start = trio.current_time()
        with pytest.raises(getattr(http, error)) as caught:
            await client.get(server.url)

        assert trio.current_time() - start == (100 if error == "ReadTimeout" else 0)
    assert caught.value.request.url == server.url
    assert isinstance(caught.value.__cause__, Exception)


async def test_bytes_are_bytes() -> None:
    """A connection in memory gives bytes, as a socket does."""
    async with serve_memory([Event("one")]) as server, await server.connect() as client:
        await client.send_all(GET)
        await client.wait_send_all_might_not_block()
        assert type(await client.receive_some(3)) is bytes


async def test_stream_keeps_the_contract_of_trio() -> None:
    """Reading what was sent before a reset, then an error; and writing to it fails."""
    async with serve_memory([Event("one"), Reset()]) as server:
        client = await server.connect()
        await client.send_all(GET)
        assert (await client.receive_some()).startswith(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await read_all(client)
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"x")
        await client.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await client.receive_some()


async def test_closing_is_a_checkpoint_and_closes_even_if_cancelled() -> None:
    """Closing an end of a connection follows trio's rules for closing."""
    async with serve_memory([]) as server:
        client = await server.connect()
        with trio.testing.assert_checkpoints():
            await client.aclose()
        client = await server.connect()
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.aclose()
        assert scope.cancelled_caught
        await server.wait_disconnected()
        with trio.testing.assert_checkpoints():
            await server.wait_disconnected()


async def test_server_that_does_not_run_refuses() -> None:
    """Before and after it runs, a server refuses connections."""
    server = MemoryServer([])
    with pytest.raises(ConnectionRefusedError):
        await server.connect()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        await (await server.connect()).aclose()
        nursery.cancel_scope.cancel()
    with pytest.raises(ConnectionRefusedError):
        await server.connect()
    assert server.refused == 0


async def test_refusals_are_counted() -> None:
    """A refused connection is neither a connection nor a request."""
    async with memory_client([Refuse(), Refuse(), [Event("one")]]) as (client, server):
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await client.get(server.url)
        await client.get(server.url)

        assert (server.refused, server.connections, len(server.requests)) == (2, 1, 1)


async def test_refusal_on_a_standing_connection_hangs_up() -> None:
    """A connection that stands cannot be refused: it is closed without an answer."""
    async with memory_client([[Event("one")], Refuse()]) as (client, server):
        await client.get(server.url)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)


async def test_pool_does_not_reuse_what_the_server_closed() -> None:
    """The pool notices an idle connection that the server has closed, and makes a new one."""
    plan = [Head(length=3, headers={"x": "keep"}), Send(b"one")]
    async with memory_client(plan) as (client, server):
        async with client.stream("GET", server.url) as response:
            await response.aread()
            network_stream = response.extensions["network_stream"]
        assert network_stream.get_extra_info("is_readable") is False
        assert network_stream.get_extra_info("socket") is None

    async with memory_client([Head(framing="close"), Send(b"one")]) as (client, server):
        await client.get(server.url)
        await client.get(server.url)
        assert server.connections == 2


async def test_there_is_no_tls() -> None:
    """An https URL fails with the reason, and as a failure to connect."""
    async with assert_no_leaks(), memory_client([]) as (client, _server):
        with pytest.raises(httpx.ConnectError, match="no TLS"):
            await client.get("https://memory.test")


async def test_every_host_is_the_server() -> None:
    """Whatever host is asked for, the server in memory answers."""
    async with memory_client([Event("one")]) as (client, server):
        await client.get("http://api.example.org:8080/x")

    assert server.requests[0].headers["host"] == "api.example.org:8080"


async def test_options_are_those_of_the_client() -> None:
    """Further arguments go to the client, the transport included."""
    async with memory_client([Event("one")], headers={"x-a": "1"}) as (client, server):
        await client.get(server.url)
    assert server.requests[0].headers["x-a"] == "1"

    other = httpx.MockTransport(lambda request: httpx.Response(204))
    async with memory_client([Event("one")], transport=other) as (client, server):
        assert (await client.get(server.url)).status_code == 204
    assert server.requests == []


async def test_transport_serves_a_client_of_ones_own() -> None:
    """The transport can be given to a client, and is closed with it."""
    async with serve_memory([Event("one")]) as server:
        client = httpx2.AsyncClient(transport=memory_transport(server.connect, httpx2))
        response = await client.get(server.url)
        await client.aclose()
        await server.wait_disconnected()

    assert response.text == "data: one\n\n"


def test_unknown_family_is_refused() -> None:
    """A family that is neither of the two is refused by name."""
    with pytest.raises(ValueError, match="'requests'"):
        memory_transport(MemoryServer([]).connect, "requests")


def test_one_family_suffices() -> None:
    """Only the family that is asked for is imported: httpx2 need not be installed."""
    program = """
import sys, trio
sys.modules["httpx2"] = sys.modules["httpcore2"] = None
from trio_stream.testing import Event, memory_client
async def main():
    async with memory_client(Event("one"), family="httpx") as (client, server):
        print((await client.get(server.url)).text)
trio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("data: one\n\n\n", "")


async def test_error_of_a_pool_that_the_client_has_no_name_for_stays() -> None:
    """An exception that has no namesake in the client is raised as it is."""

    async def connect() -> None:
        raise KeyError("mine")

    async with httpx.AsyncClient(transport=memory_transport(connect)) as client:
        with pytest.raises(KeyError, match="mine"):
            await client.get("http://memory.test")


@pytest.mark.parametrize("family", [httpx, httpx2])
async def test_limits_of_the_client(autojump_clock: Clock, family: Any) -> None:
    """A client in memory has the limits that it is given."""
    plan = [Event("one"), Wait(10)]
    async with memory_client(
        plan, family=family, limits=family.Limits(max_connections=200), timeout=None
    ) as (client, server):
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(200):
                nursery.start_soon(client.get, server.url)
        assert trio.current_time() - start == 10
