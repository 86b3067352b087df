"""The server on a socket."""

from __future__ import annotations

import socket
import struct
import sys

import httpx
import pytest
import trio
import trio.testing

from tests.testing.wires import GET, read_all
from trio_stream.testing import (
    Event,
    Head,
    Pieces,
    Reset,
    ScriptedServer,
    Send,
    Stall,
    Until,
    assert_no_leaks,
    closed_port,
    serve,
)


async def connect(url: str) -> trio.SocketStream:
    host, _, port = url.removeprefix("http://").partition(":")
    return await trio.open_tcp_stream(host, int(port))


def abort(client: trio.SocketStream) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


async def test_server_runs_in_a_nursery_of_the_caller() -> None:
    """A server is a task like any other: started in a nursery, and ended by cancelling it."""
    server = ScriptedServer([Head(framing="close"), Send(b"hi")])
    async with assert_no_leaks(), trio.open_nursery() as nursery:
        await nursery.start(server.run)
        async with await connect(server.url) as client:
            await client.send_all(GET)
            assert (await read_all(client)).endswith(b"\r\n\r\nhi")
        nursery.cancel_scope.cancel()


async def test_port_can_be_chosen() -> None:
    """A server listens where it is told to."""
    with closed_port() as url:
        port = int(url.rpartition(":")[2])
    async with serve([], port=port) as server:
        assert server.url == url
        await (await connect(url)).aclose()


async def test_port_that_is_taken_is_an_error() -> None:
    """A server that cannot listen says so, in the group of its nursery."""
    async with serve([]) as server:
        with pytest.RaisesGroup(OSError, flatten_subgroups=True):
            async with serve([], port=int(server.url.rpartition(":")[2])):
                pytest.fail("two servers on one port")  # pragma: no cover


async def test_reset_aborts_the_connection() -> None:
    """What was sent before a reset arrives, and then an error instead of the end."""
    async with serve([Event("one"), Reset()]) as server, await connect(server.url) as client:
        await client.send_all(GET)
        received = await client.receive_some()
        while not received.endswith(b"data: one\n\n\r\n"):
            received += await client.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what was not taken yet")
async def test_reset_waits_for_a_slow_reader() -> None:
    """All that was sent arrives before a reset, though the client takes its time."""
    plan = [Head(framing="close"), Send(bytes(1 << 19)), Reset()]
    async with serve(plan) as server:
        client = trio.socket.socket()
        client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
        received = bytearray()

        async def receive() -> None:
            while data := await client.recv(1 << 16):
                received.extend(data)

        with client:
            await client.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))
            await client.send(GET)
            await server.wait_requests()
            await trio.testing.wait_all_tasks_blocked(0.01)
            with pytest.raises(ConnectionResetError):
                await receive()

    assert len(received) > 1 << 19


async def test_pieces_arrive_apart() -> None:
    """A pause between pieces makes each of them a read of its own."""
    plan = [Head(framing="close"), Pieces("☃".encode(), size=1, every=0.01)]
    async with serve(plan) as server, await connect(server.url) as client:
        await client.send_all(GET)
        head = await client.receive_some()
        if head.endswith(b"\r\n\r\n"):
            head = await client.receive_some()
        rest = [data async for data in client]

    assert [head[-1:], *rest] == ["☃".encode()[n : n + 1] for n in range(3)]


async def test_gate_orders_server_and_test() -> None:
    """A script that waits for an event goes on when the test says so, and not before."""
    gate = trio.Event()
    plan = [Head(framing="close"), Until(gate), Send(b"now")]
    async with serve(plan) as server, await connect(server.url) as client:
        await client.send_all(GET)
        head = await client.receive_some()
        assert head.endswith(b"\r\n\r\n")
        gate.set()
        assert await read_all(client) == b"now"


async def test_slow_reader_holds_the_server_up() -> None:
    """A client that does not read stops the server, as a socket does."""
    plan = [Head(framing="close"), *[Send(bytes(1 << 20))] * 64]
    async with serve(plan) as server, await connect(server.url) as client:
        await client.send_all(GET)
        await server.wait_requests()
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert server.requests[0].client_left is None
        received = 0
        while data := await client.receive_some():
            received += len(data)

    assert received > 64 << 20
    assert server.requests[0].client_left is False


async def test_aborting_client_is_no_error() -> None:
    """A client that aborts its connection is only a client that left."""
    async with serve(Stall()) as server:
        client = await connect(server.url)
        await client.send_all(GET)
        await server.wait_requests()
        abort(client)
        await server.wait_disconnected()

    assert server.requests[0].client_left is True


async def test_idle_client_that_aborts_is_no_error() -> None:
    """A client may abort its connection before it has asked for anything."""
    async with serve([]) as server:
        client = await connect(server.url)
        abort(client)
        await trio.testing.wait_all_tasks_blocked(0.01)
        await server.wait_disconnected()

    assert server.requests == []


async def test_leaving_the_block_hangs_up_on_clients() -> None:
    """A server that is stopped leaves no connection open."""
    async with serve([Event("one"), Stall()]) as server:
        client = await connect(server.url)
        await client.send_all(GET)
        await server.wait_requests()

    async with client:
        await read_all(client)
    assert server.open_connections == 0


async def test_many_clients_at_once() -> None:
    """Connections are served side by side."""
    gate = trio.Event()
    async with (
        assert_no_leaks(),
        serve([Until(gate), Event("one")]) as server,
        httpx.AsyncClient(trust_env=False, verify=False) as client,
        trio.open_nursery() as nursery,
    ):
        for _ in range(20):
            nursery.start_soon(client.get, server.url)
        await server.wait_requests(20)
        assert server.open_connections == 20
        gate.set()


async def test_closed_port_refuses() -> None:
    """A closed port refuses connections, as a server that is down does."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        with closed_port() as url, pytest.raises(httpx.ConnectError):
            await client.get(url)
