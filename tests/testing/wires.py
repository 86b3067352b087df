"""Raw connections to a scripted server: what is really on the wire."""

from __future__ import annotations

import trio

from trio_stream.testing import Plan, serve_memory

GET = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """Everything up to the end of the connection."""
    received = b""
    while data := await stream.receive_some():
        received += data
    return received


async def exchange(plan: Plan, request: bytes = GET) -> bytes:
    """What a server in memory answers to ``request``, until it closes the connection."""
    async with serve_memory(plan) as server, await server.connect() as connection:
        await connection.send_all(request)
        return await read_all(connection)


async def body(plan: Plan, request: bytes = GET) -> bytes:
    """The same without the head."""
    return (await exchange(plan, request)).partition(b"\r\n\r\n")[2]
