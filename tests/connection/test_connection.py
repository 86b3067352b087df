"""One response: the time it may take to come, reading it, and closing it without a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from operator import attrgetter
from typing import Any

import pytest
import trio

from tests.connection.asking import HELLO, ask, fail
from tests.pipeline.tls import contexts, needs_openssl, serve_tls
from tests.pipeline.worlds import MEMORY, SOCKETS, WORLDS, World
from trio_stream.config import StreamConfig
from trio_stream.connection import Connection, RequestSpec, connect
from trio_stream.errors import StreamError, StreamErrorType, StreamTimeoutError
from trio_stream.outcome import Ending
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Event,
    Head,
    Pieces,
    Raw,
    Reset,
    Send,
    Stall,
    Truncate,
    Wait,
    assert_no_leaks,
)

everywhere = pytest.mark.parametrize("world", WORLDS, ids=attrgetter("name"))
in_memory = pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))


async def timed_out(
    client: Any, url: str, layer: str, after: float, method: str = "GET", **options: Any
) -> StreamTimeoutError:
    """The error of a request that takes too long; it is raised at the right time."""
    start = trio.current_time()
    error = await fail(client, url, method, **options)
    assert isinstance(error, StreamTimeoutError)
    assert error.layer == layer
    assert error.is_retryable
    assert error.outcome is not None
    assert error.outcome.ending is Ending.TIMED_OUT
    assert trio.current_time() - start == pytest.approx(after, abs=1e-3)
    return error


# ---- the time until there is a response ------------------------------------------------------


@in_memory
@pytest.mark.parametrize(
    ("config", "layer", "after"),
    [
        (StreamConfig(), "connect", 10),
        (StreamConfig(connect_timeout=3), "connect", 3),
        (StreamConfig(connect_timeout=300, headers_timeout=5), "connect", 300),
        (StreamConfig(connect_timeout=None, timeout=1000), "total", 1000),
        (StreamConfig(connect_timeout=3, timeout=2), "total", 2),
    ],
    ids=["default", "shorter", "longer than headers", "none", "total"],
)
def test_connection_that_is_never_made(
    world: World, config: StreamConfig, layer: str, after: float
) -> None:
    """Making the connection has its own time, within the total, whatever the other times are."""

    async def main() -> None:
        async with assert_no_leaks(), world.nobody_accepts() as (client, url):
            error = await timed_out(client, url, layer, after, config=config)
            assert f"{'connect_timeout' if layer == 'connect' else 'timeout'}=" in str(error)

    world.run(main)


@in_memory
@pytest.mark.parametrize(
    ("config", "layer", "after"),
    [
        (StreamConfig(), "headers", 120),
        (StreamConfig(headers_timeout=3, connect_timeout=1), "headers", 3),
        (StreamConfig(headers_timeout=None, timeout=500), "total", 500),
        (StreamConfig(headers_timeout=5, timeout=4), "total", 4),
    ],
    ids=["default", "shorter", "none", "total"],
)
@pytest.mark.parametrize(
    "script", [[Stall()], [Raw(b"HTTP/1.1 200 O"), Stall()]], ids=["no", "half"]
)
def test_head_that_never_comes(
    world: World, script: Any, config: StreamConfig, layer: str, after: float
) -> None:
    """The response head has its own time, within the total; half a head is none."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve([script, HELLO]) as (client, server):
            await timed_out(client, server.url, layer, after, config=config)
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@in_memory
def test_interim_answers_win_no_time(world: World) -> None:
    """A server that says 103 for ever has not answered."""
    interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"

    async def main() -> None:
        script = [step for _ in range(100) for step in (Raw(interim), Wait(1))]
        async with assert_no_leaks(), world.serve([script, HELLO]) as (client, server):
            config = StreamConfig(headers_timeout=5)
            await timed_out(client, server.url, "headers", 5, config=config)
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@in_memory
def test_body_that_is_never_sent(world: World) -> None:
    """Sending the body belongs to the time of the response head."""

    async def never() -> AsyncIterator[bytes]:
        yield b"one"
        await trio.sleep_forever()

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            config = StreamConfig(headers_timeout=7)
            await timed_out(
                client, server.url, "headers", 7, "POST", content=never(), config=config
            )
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@in_memory
@pytest.mark.parametrize(
    ("config", "layer", "after"),
    [
        (StreamConfig(connect_timeout=3), "connect", 3),
        (StreamConfig(connect_timeout=3, timeout=2), "total", 2),
    ],
    ids=["connect", "total"],
)
def test_pool_without_a_free_slot(
    world: World, config: StreamConfig, layer: str, after: float
) -> None:
    """The wait for a slot of the client's pool is part of connecting, and gives its place up."""

    async def main() -> None:
        async with (
            assert_no_leaks(),
            world.serve([[Event("first"), Stall()], HELLO]) as (client, server),
        ):
            async with open_stream("GET", server.url, client=client) as first:
                await first.receive()
                await timed_out(client, server.url, layer, after, config=config)
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@in_memory
def test_each_phase_has_its_own_time(world: World) -> None:
    """Phases that take long, but each no longer than it may, add up to no timeout."""

    async def main() -> None:
        async with world.serve([Wait(4), *HELLO]) as (client, server):
            backend = client._transport._pool._network_backend
            connect_at_once = backend.connect_tcp

            async def connect_slowly(*args: Any, **options: Any) -> Any:
                await trio.sleep(4)
                return await connect_at_once(*args, **options)

            backend.connect_tcp = connect_slowly
            config = StreamConfig(connect_timeout=5, headers_timeout=5)
            assert await ask(client, server.url, config=config) == ["hello"]
            assert trio.current_time() == pytest.approx(8, abs=0.1)

    world.run(main)


@in_memory
def test_total_covers_connecting_and_the_head(world: World) -> None:
    """The total time runs from the request on, through all phases, and into the stream."""

    async def main() -> None:
        script = [Wait(4), Head(), Pieces(b"data: x\n\n" * 100, size=9, every=1)]
        async with world.serve(script) as (client, server):
            for total in (3, 6):
                await timed_out(
                    client, server.url, "total", total, config=StreamConfig(timeout=total)
                )

    world.run(main)


@in_memory
def test_redirects_begin_anew(world: World) -> None:
    """Each answer of a chain of redirects has the time of a response head."""

    async def main() -> None:
        step = [Wait(4), Head(302, headers={"location": "/next"})]
        async with world.serve([step, step, HELLO]) as (client, server):
            client.follow_redirects = True
            async with open_stream(
                "GET", server.url, client=client, config=StreamConfig(headers_timeout=5)
            ) as rx:
                await rx.result()
            assert rx.response.url == f"{server.url}/next"
            assert trio.current_time() == pytest.approx(8, abs=0.1)

    world.run(main)


@needs_openssl
@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_handshake_that_never_ends(world: World) -> None:
    """A server that accepts and then says nothing of TLS has not been connected to."""

    async def silent(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with assert_no_leaks(), trio.open_nursery() as nursery, world.new_client() as client:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, silent, [listener])
        url = f"https://127.0.0.1:{listener.socket.getsockname()[1]}"
        error = await fail(client, url, config=StreamConfig(connect_timeout=0.05))
        assert isinstance(error, StreamTimeoutError)
        assert error.layer == "connect"
        nursery.cancel_scope.cancel()


@everywhere
@pytest.mark.parametrize("before", ["connect", "head"])
def test_cancelled_before_there_is_a_response(world: World, before: str) -> None:
    """A request that is cancelled leaves nothing behind, and is no error."""

    async def main() -> None:
        if before == "connect":
            async with assert_no_leaks(), world.nobody_accepts() as (client, url):
                with trio.move_on_after(0.02) as scope:
                    await ask(client, url)
        else:
            async with assert_no_leaks(), world.serve([[Stall()], HELLO]) as (client, server):
                async with trio.open_nursery() as nursery:

                    async def give_up() -> None:
                        await server.wait_requests()
                        scope.cancel()

                    nursery.start_soon(give_up)
                    with trio.CancelScope() as scope:
                        await ask(client, server.url)
                assert await ask(client, server.url) == ["hello"]
        assert scope.cancelled_caught

    world.run(main)


# ---- reading ---------------------------------------------------------------------------------


async def connection_to(client: Any, url: str, **settings: Any) -> Connection:
    return await connect(RequestSpec(method="GET", url=url), client, StreamConfig(**settings))


@everywhere
def test_response_tells_its_head(world: World) -> None:
    """Status, headers, URL and version are there before the body."""

    async def main() -> None:
        head = Head(206, headers={"X-A": "1", "x-request-id": "r"}, content_type="a/b; c=d")
        async with world.serve([head, Stall()]) as (client, server):
            connection = await connection_to(client, f"{server.url}/path?q=1")
            response = connection.response
            assert response.status_code == 206
            assert response.headers["x-a"] == response.headers["X-A"] == "1"
            assert response.content_type == "a/b; c=d"
            assert response.url == f"{server.url}/path?q=1"
            assert response.http_version == "HTTP/1.1"
            assert response.request_id == "r"
            await connection.aclose()

    world.run(main)


@everywhere
@pytest.mark.parametrize("break_off", [Reset(), Truncate()], ids=["reset", "cut"])
def test_body_that_breaks_off(world: World, break_off: Any) -> None:
    """What came before a break is read first; the error says what the network said."""

    async def main() -> None:
        script = [Send(b"one"), Wait(0.02), break_off]
        async with assert_no_leaks(), world.serve([script, HELLO]) as (client, server):
            connection = await connection_to(client, server.url)
            assert await connection.receive_some() == b"one"
            with pytest.raises(StreamError) as caught:
                await connection.receive_some()
            assert caught.value.error_type is StreamErrorType.STREAM_INTERRUPTED
            assert caught.value.original_exception is caught.value.__cause__ is not None
            assert "no details" not in str(caught.value)
            await connection.aclose()
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@everywhere
def test_end_of_the_body_stays_the_end(world: World) -> None:
    """Behind the end of a body there is nothing, however often it is asked."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve([Send(b"one")]) as (client, server):
            connection = await connection_to(client, server.url)
            assert [await connection.receive_some() for _ in range(4)] == [b"one", b"", b"", b""]
            await connection.aclose()
            assert await connection.receive_some() == b""

    world.run(main)


# ---- closing ---------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize("read", [0, 1, 2])
@pytest.mark.parametrize("end", ["stall", "complete", "reset"])
def test_closing_frees_the_slot(world: World, read: int, end: str) -> None:
    """A response that is closed, once or often, at once gives its place in the pool to the next."""
    steps = [Send(b"one"), Wait(0.01), Send(b"two"), Wait(0.01)]
    steps += {"stall": [Stall()], "complete": [], "reset": [Reset()]}[end]

    async def main() -> None:
        async with assert_no_leaks(), world.serve([steps, HELLO]) as (client, server):
            connection = await connection_to(client, server.url)
            for _ in range(read):
                await connection.receive_some()
            start = trio.current_time()
            await connection.aclose()
            await connection.aclose()
            assert trio.current_time() - start < 0.5
            assert await ask(client, server.url, config=StreamConfig(timeout=10)) == ["hello"]

    world.run(main)


@everywhere
def test_closing_in_a_cancelled_scope(world: World) -> None:
    """A response closes while everything around it is cancelled, and raises nothing of it."""

    async def main() -> None:
        async with (
            assert_no_leaks(),
            world.serve([[Send(b"one"), Stall()], HELLO]) as (client, server),
        ):
            connection = await connection_to(client, server.url)
            with trio.CancelScope() as scope:
                scope.cancel()
                await connection.aclose()
            assert not scope.cancelled_caught
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@in_memory
@pytest.mark.parametrize("how", ["hangs", "raises", "raises a group"])
@pytest.mark.parametrize("where", ["body", "response"])
def test_transport_that_does_not_close(world: World, how: str, where: str) -> None:
    """Closing is bounded and raises nothing, whatever the client's own transport does."""

    async def misbehave() -> None:
        if how == "hangs":
            await trio.sleep_forever()
        raise RuntimeError if how == "raises" else ExceptionGroup("", [ValueError()])

    class Body(world.family.AsyncByteStream):  # type: ignore[misc]
        def __aiter__(self) -> Body:
            return self

        async def __anext__(self) -> bytes:
            if where == "body":
                await misbehave()
            raise StopAsyncIteration

        async def aclose(self) -> None:
            if where == "response":
                await misbehave()

    class Transport(world.family.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            return world.family.Response(200, stream=Body())

    async def main() -> None:
        async with world.family.AsyncClient(transport=Transport()) as client:
            connection = await connection_to(client, "http://x/")
            start = trio.current_time()
            await connection.aclose()
            assert trio.current_time() - start <= 1
            await connection.aclose()

    world.run(main)


@in_memory
def test_body_that_never_ends_is_not_drained(world: World) -> None:
    """A body that always has more in store is left, not read to an end that never comes."""
    given = 0

    class Body(world.family.AsyncByteStream):  # type: ignore[misc]
        def __aiter__(self) -> Body:
            return self

        async def __anext__(self) -> bytes:
            nonlocal given
            given += 1
            return b"more"

    class Transport(world.family.AsyncBaseTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            return world.family.Response(200, stream=Body())

    async def main() -> None:
        async with world.family.AsyncClient(transport=Transport()) as client:
            connection = await connection_to(client, "http://x/")
            assert await connection.receive_some() == b"more"
            await connection.aclose()
            assert given < 20_000

    world.run(main)


@needs_openssl
@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_closing_over_tls(world: World) -> None:
    """A stream over TLS is left at once: no farewell is waited for."""
    async with (
        assert_no_leaks(),
        serve_tls([Send(b"one"), Stall()]) as server,
        world.new_client(verify=contexts()[1]) as client,
    ):
        connection = await connection_to(client, server.url)
        assert await connection.receive_some() == b"one"
        with trio.fail_after(10):
            await connection.aclose()
            await server.wait_disconnected()
