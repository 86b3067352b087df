"""Requests as the server records them."""

from __future__ import annotations

import trio
import trio.testing

from tests.testing.wires import GET, exchange, read_all
from trio_stream.testing import Event, Head, Headers, Request, Send, Wait, serve_memory


async def requested(wire: bytes) -> Request:
    async with serve_memory([Head(framing="close")]) as server, await server.connect() as client:
        await client.send_all(wire)
        await read_all(client)
    [request] = server.requests
    return request


def test_headers_have_no_case() -> None:
    """A header is found under its name in any case; a repeated one holds all values."""
    headers = Headers([(b"Last-Event-ID", b"7"), (b"X-A", b"1"), (b"x-a", b"2")])

    assert headers["last-event-id"] == headers["LAST-EVENT-ID"] == "7"
    assert headers["X-a"] == "1, 2"
    assert headers.get("x-b") is None
    assert "X-A" in headers
    assert dict(headers) == {"last-event-id": "7", "x-a": "1, 2"}
    assert len(headers) == 2
    assert "7" in repr(headers)


async def test_request_is_recorded() -> None:
    """Method, path, query, headers and body are recorded, and the headers also as sent."""
    request = await requested(
        b"POST /p/a?q=1&r=%20 HTTP/1.1\r\nHost: test\r\nX-A: 1\r\nX-A: 2\r\n"
        b"Content-Length: 4\r\n\r\nbody"
    )

    assert request.method == "POST"
    assert request.target == "/p/a?q=1&r=%20"
    assert request.path == "/p/a"
    assert request.query == "q=1&r=%20"
    assert request.body == b"body"
    assert request.headers["x-a"] == "1, 2"
    assert request.raw_headers[1:3] == [(b"X-A", b"1"), (b"X-A", b"2")]
    assert request.connection == 1
    assert request.client_left is False


async def test_chunked_body_is_recorded_decoded() -> None:
    """The recorded body is what the client meant to send, however it was framed."""
    request = await requested(
        b"POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )

    assert request.body == b"abc"


async def test_client_that_waits_to_be_told_is_told() -> None:
    """A client that expects 100 (Continue) before it sends its body gets it (RFC 9110, 10.1.1)."""
    head = b"POST / HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    async with (
        serve_memory([Head(framing="close")]) as server,
        await server.connect() as client,
    ):
        await client.send_all(head)
        assert await client.receive_some() == b"HTTP/1.1 100 \r\n\r\n"
        await client.send_all(b"abc")
        assert (await read_all(client)).startswith(b"HTTP/1.1 200 OK\r\n")

    assert server.requests[0].body == b"abc"


async def test_request_time_is_on_the_clock(autojump_clock: trio.testing.MockClock) -> None:
    """A request is dated when its last byte has arrived, on trio's clock."""
    start = trio.current_time()
    async with serve_memory([Head(framing="close")]) as server, await server.connect() as client:
        await client.send_all(GET[:10])
        await trio.sleep(5)
        await client.send_all(GET[10:])
        await read_all(client)

    assert server.requests[0].time - start == 5


async def test_pipelined_requests_are_answered_in_order() -> None:
    """What arrives during an answer is kept for the next one."""
    plan = [[Head(framing="length"), Send(b"one")], [Head(framing="close"), Send(b"two")]]
    wire = await exchange(plan, b"GET /1 HTTP/1.1\r\nhost: test\r\n\r\n" * 2)

    assert wire.endswith(b"two")
    assert b"\r\n\r\noneHTTP/1.1 200 OK\r\n" in wire


async def test_request_that_comes_during_an_answer_waits(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A request that is sent early is read when the answer before it is done."""
    plan = [[Head(framing="length"), Wait(5), Send(b"one")], Head(framing="close")]
    async with serve_memory(plan) as server, await server.connect() as client:
        await client.send_all(GET.replace(b"connection: close\r\n", b""))
        await server.wait_requests()
        await client.send_all(GET[:9])
        await trio.sleep(1)
        await client.send_all(GET[9:])
        await read_all(client)

    assert [request.client_left for request in server.requests] == [False, False]


async def test_request_that_breaks_off_is_none() -> None:
    """A client that leaves in the middle of a request leaves no record, and no error."""
    async with serve_memory([Event("x")]) as server:
        async with await server.connect() as client:
            await client.send_all(GET[:10])
            await trio.testing.wait_all_tasks_blocked()
        await server.wait_disconnected()

    assert server.requests == []
    assert server.connections == 1


async def test_what_is_no_request_is_refused() -> None:
    """Bytes that are not HTTP/1.1 are answered with 400 and the reason."""
    wire = await exchange([Event("x")], b"nonsense\r\n\r\n")

    assert wire.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"illegal request line" in wire
