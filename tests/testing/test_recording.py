"""Recording: what gets into a cassette, and that the client does not notice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import trio
import trio.testing

from tests.testing.test_serving import CASES, ONE
from trio_stream import open_stream
from trio_stream.testing import (
    BadChunk,
    Busy,
    Cassette,
    Event,
    Exchange,
    ExchangeEnd,
    Head,
    MemoryServer,
    Pieces,
    Plan,
    RecordedChunk,
    Recorder,
    Refuse,
    Reset,
    Send,
    Stall,
    Truncate,
    Wait,
    assert_no_leaks,
    memory_transport,
    recording,
    serve,
    serve_memory,
)

Clock = trio.testing.MockClock


@asynccontextmanager
async def recorded_client(
    plan: Plan, family: str = "httpx", **options: Any
) -> AsyncIterator[tuple[Any, MemoryServer, Recorder]]:
    recorder = Recorder()
    async with serve_memory(plan) as server:
        transport = recorder.transport(memory_transport(server.connect, family))
        async with import_module(family).AsyncClient(transport=transport, **options) as client:
            yield client, server, recorder


async def view(client: Any, url: str) -> tuple[list[object], dict[float, bytes]]:
    """All that a client can see of an answer: what it is and how it ends, and its body by time."""
    seen: list[object] = []
    body: dict[float, bytes] = {}
    start = trio.current_time()
    try:
        async with client.stream("GET", url) as response:
            seen += [response.status_code, response.reason_phrase, response.headers.raw]
            async for data in response.aiter_raw():
                # Without chunks, what is sent at once may come in one piece or in two.
                time = round(trio.current_time() - start, 4)
                body[time] = body.get(time, b"") + data
    except Exception as error:  # noqa: BLE001
        seen += [type(error), str(error), type(error.__cause__)]
    return [*seen, round(trio.current_time() - start, 4)], body


@pytest.mark.parametrize("family", ["httpx", "httpx2"])
@pytest.mark.parametrize("case", [*CASES, "slow", "busy", "refused"])
async def test_client_sees_no_difference(autojump_clock: Clock, case: str, family: str) -> None:
    """With a recorder in between, a client gets the same bytes, times and exceptions as without."""
    more: dict[str, Plan] = {
        "slow": [Wait(1), Event("one"), Wait(600), Pieces(b"abcd", sizes=[1, 2], every=0.25)],
        "busy": Busy(503, retry_after=3),
        "refused": Refuse(),
    }
    plan = CASES[case][0] if case in CASES else more[case]
    async with (
        assert_no_leaks(),
        serve_memory(plan) as server,
        import_module(family).AsyncClient(
            transport=memory_transport(server.connect, family), timeout=900
        ) as client,
    ):
        expected = await view(client, server.url)
    async with recorded_client(plan, family, timeout=900) as (client, server, recorder):
        assert await view(client, server.url) == expected

        [exchange] = recorder.cassette.exchanges
    body: dict[float, bytes] = {}
    for chunk in exchange.chunks:
        time = round(chunk.at, 4)
        body[time] = body.get(time, b"") + chunk.data
    assert body == expected[1]


@pytest.mark.parametrize(
    ("plan", "end", "error"),
    [
        ([Event("one")], "complete", ""),
        ([Event("one"), Truncate()], "cut", "RemoteProtocolError: peer closed connection"),
        (Truncate(), "cut", "RemoteProtocolError: Server disconnected"),
        ([Event("one"), Reset()], "reset", "ReadError"),
        (Reset(), "reset", "ReadError"),
        (Refuse(), "refused", "ConnectError: connection refused"),
        ([Event("one"), Stall()], "timed_out", "ReadTimeout"),
        (Stall(), "timed_out", "ReadTimeout"),
        ([Event("one"), BadChunk()], "garbled", "RemoteProtocolError: illegal chunk header"),
    ],
)
@pytest.mark.parametrize("http", [httpx, httpx2])
async def test_ends(
    autojump_clock: Clock, http: Any, plan: Plan, end: ExchangeEnd, error: str
) -> None:
    """A cassette tells how an exchange ended, by the exceptions of both libraries."""
    async with recorded_client(plan, http.__name__, timeout=60) as (client, server, recorder):
        try:
            await client.get(server.url)
        except http.TransportError:
            pass
        [exchange] = recorder.cassette.exchanges

    assert exchange.end.end == end
    assert exchange.end.error.startswith(error)
    assert exchange.end.at == pytest.approx(60 if end == "timed_out" else 0, abs=1e-5)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("<ConnectionTerminated error_code:0, last_stream_id:1, additional_data:None>", "cut"),
        ("<StreamReset stream_id:1, error_code:ErrorCodes.CANCEL, remote_reset:True>", "reset"),
        ("Invalid input ConnectionInputs.RECV_DATA in state ConnectionState.CLOSED", "garbled"),
    ],
)
@pytest.mark.parametrize("http", [httpx, httpx2])
async def test_ends_of_http2(http: Any, text: str, end: ExchangeEnd) -> None:
    """A GOAWAY and a RST_STREAM, told by the events of h2, are recorded as what they are."""

    def answer(request: Any) -> Any:
        raise http.RemoteProtocolError(text)

    recorder = Recorder()
    async with recorder.client(http, transport=http.MockTransport(answer)) as client:
        with pytest.raises(http.RemoteProtocolError):
            await client.get("http://memory.test")

    assert recorder.cassette.exchanges[0].end.end == end


async def test_pool_that_is_full_is_no_timeout_of_the_server() -> None:
    """What never reached a server is a failure of another kind."""

    class Full(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.PoolTimeout("full")

    recorder = Recorder()
    async with httpx.AsyncClient(transport=recorder.transport(Full())) as client:
        with pytest.raises(httpx.PoolTimeout):
            await client.get("http://memory.test")

    assert recorder.cassette.exchanges[0].end.end == "failed"


async def test_leaving_early(autojump_clock: Clock) -> None:
    """A client that leaves, or is cancelled, before or after the head, is in the cassette."""
    plan: Plan = [[Event("one"), Stall()], [Event("one"), Stall()], Stall(), [Event("one")]]
    async with recorded_client(plan, timeout=None) as (client, server, recorder):
        async with client.stream("GET", server.url):
            await trio.sleep(3)
            during = recorder.cassette
        for _ in range(2):
            with trio.move_on_after(5):
                await client.get(server.url)
        await client.get(server.url)

    ends = [exchange.end for exchange in recorder.cassette.exchanges]
    assert [(end.end, round(end.at, 3)) for end in ends] == [
        ("left", 3),
        ("left", 5),
        ("left", 5),
        ("complete", 0),
    ]
    assert [end.error.partition(":")[0] for end in ends] == ["", "Cancelled", "Cancelled", ""]
    assert [exchange.end.end for exchange in during.exchanges] == ["open"]
    assert during.exchanges[0].end.at == 3


@pytest.mark.parametrize("family", ["httpx", "httpx2"])
async def test_streams_of_this_library(autojump_clock: Clock, family: str) -> None:
    """A stream over a recorder has its outcome, and leaves nothing behind when it is left."""
    plan = [Event("one"), Event("two"), Stall()]
    async with (
        assert_no_leaks(),
        recorded_client(plan, family) as (client, server, recorder),
        open_stream("GET", server.url, client=client) as rx,
    ):
        event: Any = await anext(rx)
        assert event.data == "one"
        await trio.testing.wait_all_tasks_blocked()  # the second is read ahead

    [exchange] = recorder.cassette.exchanges
    assert exchange.end.end == "left"
    assert exchange.body == b"data: one\n\ndata: two\n\n"
    headers = {name.lower(): value for name, value in exchange.request.headers}
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("family", ["httpx", "httpx2"])
async def test_transport_of_both_families(family: str) -> None:
    """A `TrioTransport` serves clients of both families, recorded too; a stream is seen whole."""
    pytest.importorskip("httptools")
    transport = import_module("trio_stream.transport").TrioTransport(trust_env=False)
    recorder = Recorder()
    async with (
        serve([Event("one"), Event("two")]) as server,
        recorder.client(family, transport=transport) as client,
        open_stream("GET", server.url, client=client) as rx,
    ):
        assert [event.data async for event in rx] == ["one", "two"]

    [exchange] = recorder.cassette.exchanges
    assert exchange.end.end == "complete"
    assert exchange.body == b"data: one\n\ndata: two\n\n"


async def test_request_is_recorded_as_it_was_sent() -> None:
    """Method, URL, headers and body are those of the wire, and a body that is read once is sent."""

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"bc"):
            yield part

    async with recorded_client([Event("one")]) as (client, server, recorder):
        await client.post(f"{server.url}/x?y=1", content=parts(), headers={"X-A": b"\xe9"})
        await client.put(server.url, json={"a": 1})
        assert [request.body for request in server.requests] == [b"abc", b'{"a":1}']

    [posted, put] = [exchange.request for exchange in recorder.cassette.exchanges]
    assert (posted.method, posted.url, posted.body) == ("POST", f"{server.url}/x?y=1", b"abc")
    sent = server.requests[0].raw_headers
    assert posted.headers == tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in sent)
    assert put.body == b'{"a":1}'


@pytest.mark.parametrize("family", ["httpx", "httpx2"])
async def test_redirect_is_two_exchanges(family: str) -> None:
    """Each request that goes out is an exchange, and a body is sent again after a redirect."""
    plan: Plan = [[Head(307, headers={"location": "/there"})], [Event("one")]]
    async with recorded_client(plan, family, follow_redirects=True) as (client, server, recorder):
        response = await client.post(server.url, content=b"abc")
        assert response.text == "data: one\n\n"
        assert [request.body for request in server.requests] == [b"abc", b"abc"]

    exchanges = recorder.cassette.exchanges
    assert [exchange.head.status for exchange in exchanges if exchange.head] == [307, 200]
    assert [exchange.request.body for exchange in exchanges] == [b"abc", b"abc"]


async def test_exchanges_overlap(autojump_clock: Clock) -> None:
    """Exchanges at the same time are kept apart, in the order in which they began."""
    plan = [Wait(3), Event("one"), Wait(3)]
    async with (
        recorded_client(plan, timeout=None) as (client, server, recorder),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(client.get, f"{server.url}/1")
        await trio.sleep(1)
        nursery.start_soon(client.get, f"{server.url}/2")

    first, second = recorder.cassette.exchanges
    assert [first.start, second.start] == [0, 1]
    assert first.request.url.endswith("/1")
    for exchange in (first, second):
        assert exchange.chunks == (RecordedChunk(3.000001, ONE),)
        assert exchange.end.at == 6
        assert Cassette.parse(recorder.cassette.text()) == recorder.cassette


@pytest.mark.parametrize("http", [httpx, httpx2])
async def test_transport_without_a_network(http: Any) -> None:
    """An answer that came in one piece is recorded though nobody reads it from the transport."""

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"de", b"f"):
            yield part

    async def answer(request: Any) -> Any:
        if request.url.path == "/":
            return http.Response(200, content=b"abc")
        response = http.Response(200, content=parts())
        await response.aread()
        return response

    recorder = Recorder()
    transport = recorder.transport(http.MockTransport(answer))
    async with http.AsyncClient(transport=transport) as client:
        assert (await client.get("http://memory.test/")).content == b"abc"
        assert (await client.get("http://memory.test/read")).content == b"def"

    assert [exchange.body for exchange in recorder.cassette.exchanges] == [b"abc", b"def"]
    assert [exchange.end.end for exchange in recorder.cassette.exchanges] == ["complete"] * 2


@pytest.mark.parametrize("http", [httpx, httpx2])
async def test_recording_writes_a_file_whatever_happens(http: Any, tmp_path: Path) -> None:
    """The cassette is written when the block is left, by an exception too, and can be played."""
    path = tmp_path / "x.jsonl"
    family: Any = http.__name__
    transport = http.AsyncHTTPTransport(verify=False)
    async with assert_no_leaks(), serve([Event("one"), Truncate()]) as server:
        with pytest.raises(http.RemoteProtocolError):
            async with recording(path, family=family, transport=transport) as client:
                await client.get(server.url, headers={"Authorization": "Bearer sk-12345678"})
    text = path.read_text()

    assert "sk-12345678" not in text
    assert '"data":"data: one\\n\\n"' in text
    assert Cassette.load(path).exchanges[0].end.end == "cut"


async def test_default_transport_is_that_of_the_family(tmp_path: Path) -> None:
    """Without a transport the real one is recorded, and options go to the client."""
    async with (
        serve([Event("one")]) as server,
        recording(tmp_path / "x", headers={"x-a": "1"}) as client,
    ):
        assert (await client.get(server.url)).text == "data: one\n\n"

    assert server.requests[0].headers["x-a"] == "1"


def test_what_is_no_transport_is_refused() -> None:
    """A transport of another kind is refused when it is given."""
    with pytest.raises(TypeError, match="AsyncBaseTransport"):
        Recorder().transport(httpx.HTTPTransport(verify=False))


async def test_empty_chunks_are_not_recorded() -> None:
    """A transport may hand out nothing at all, which no server can be made to send."""

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for part in (b"", b"a", b""):
                yield part

    recorder = Recorder()
    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Body()))
    async with httpx.AsyncClient(transport=recorder.transport(transport)) as client:
        assert (await client.get("http://memory.test")).content == b"a"

    [exchange] = recorder.cassette.exchanges
    assert isinstance(exchange, Exchange)
    assert exchange.body == b"a"
    assert len(exchange.chunks) == 1


async def test_head_says_what_the_server_said() -> None:
    """Status, reason and headers are recorded in the order, case and number of the wire."""
    head = Head(299, reason="Odd", headers=[("X-A", "1"), ("x-a", "é")], framing="close")
    async with recorded_client([head, Send(b"x")]) as (client, server, recorder):
        await client.get(server.url)

    [exchange] = recorder.cassette.exchanges
    assert exchange.head is not None
    assert (exchange.head.status, exchange.head.reason) == (299, "Odd")
    assert exchange.head.headers[:2] == (("X-A", "1"), ("x-a", "é"))
    assert exchange.head.http_version == "HTTP/1.1"


@pytest.mark.parametrize("http", [httpx, httpx2])
async def test_what_is_closed_is_closed_below(http: Any) -> None:
    """Closing a client closes the transport below, and what that closes is closed above."""
    closed: list[str] = []

    class Parts(http.AsyncByteStream):  # type: ignore[misc, name-defined]
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"a"

        async def aclose(self) -> None:
            closed.append("request")

    class Below(http.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        async def handle_async_request(self, request: Any) -> Any:
            assert [part async for part in request.stream] == [b"a"]
            await request.stream.aclose()
            return http.Response(200)

        async def aclose(self) -> None:
            closed.append("transport")

    recorder = Recorder()
    client = http.AsyncClient(transport=recorder.transport(Below()))
    request = http.Request("POST", "http://memory.test", stream=Parts())
    original = request.stream
    await client.send(request)
    await client.aclose()

    assert closed == ["request", "transport"]
    assert request.stream is original
    assert recorder.cassette.exchanges[0].request.body == b"a"
