"""The stages together: order, bounds, faults in their place, connections that are used again."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any

import pytest
import trio

from tests.pipeline.worlds import MEMORY, WORLDS, Letters, World
from trio_stream.config import StreamConfig
from trio_stream.errors import BadItemError, StreamError
from trio_stream.framing import SSE, RawBytes
from trio_stream.outcome import Ending
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Event,
    Head,
    Pieces,
    Raw,
    Send,
    Stall,
    Step,
    Truncate,
    Wait,
    assert_no_leaks,
)

WORLD = MEMORY[0]


def chunks(*pieces: bytes) -> Raw:
    """Several HTTP chunks that arrive in one network read."""
    return Raw(b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces))


def event(data: object) -> bytes:
    return b"data: %b\n\n" % str(data).encode()


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
@pytest.mark.parametrize("size", [1, 7, 300, 100_000])
@pytest.mark.parametrize("chunk_size", [1, 100, 65536])
def test_everything_arrives_in_order(chunk_size: int, size: int, world: World) -> None:
    """However the bytes are cut, and however slowly they are taken, nothing is lost or moved."""
    count = 150 if size == 1 or chunk_size == 1 else 1500
    body = b"".join(event(n) for n in range(count))

    async def main() -> None:
        async with (
            world.serve([Pieces(body, size=size)]) as (client, server),
            open_stream(
                "GET", server.url, client=client, config=StreamConfig(chunk_size=chunk_size)
            ) as rx,
        ):
            got = []
            async for item in rx:
                got.append(item.data)
                if len(got) % 97 == 0:
                    await trio.lowlevel.checkpoint()
        assert got == [str(n) for n in range(count)]
        assert rx.outcome.bytes_received == len(body)

    world.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
@pytest.mark.parametrize("data", [b"x", b"x" * 1000, b"x" * 30_000])
def test_stuck_consumer_stops_the_source(data: bytes, world: World) -> None:
    """While the consumer takes nothing, little is read: each link holds two batches at most."""
    chunk_size = 4096
    item = event(data.decode())
    script = [Send(item) for _ in range(8_000_000 // len(item) if len(data) > 1 else 4000)]

    async def main() -> None:
        async with world.serve(script) as (client, server):
            config = StreamConfig(chunk_size=chunk_size)
            async with open_stream("GET", server.url, client=client, config=config) as rx:
                await world.quiet()
                await world.quiet()
                statistics = rx.statistics()
                assert statistics.items_delivered == 0
                # Three links, and a batch in the hands of each stage; a batch is extended while
                # it is below its limits, so it may be twice as large.
                assert statistics.bytes_received <= 12 * max(chunk_size, 2 * len(item))
                if len(data) == 1:
                    assert statistics.bytes_received < 12 * 64 * len(item) + 65536

    world.run(main)


def test_flood_is_bounded() -> None:
    """A source that is a thousand times faster than its consumer costs no memory."""

    async def flood() -> Any:
        piece = event("x" * 50) * 500  # 28 KiB
        for _ in range(2000):
            yield piece

    async def main() -> None:
        httpx = WORLD.family
        transport = httpx.MockTransport(
            lambda request: httpx.Response(
                200, headers={"content-type": "text/event-stream"}, content=flood()
            )
        )
        async with httpx.AsyncClient(transport=transport) as client:
            config = StreamConfig(max_kept_items=10)
            gc.collect()
            tracemalloc.start()
            async with open_stream("GET", "http://x/", client=client, config=config) as rx:
                async for _ in rx:
                    if rx.statistics().items_delivered % 1000 == 0:
                        await trio.lowlevel.checkpoint()
                    if rx.statistics().items_delivered == 30_000:
                        break
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert rx.outcome.ending is Ending.CLOSED
        assert peak < 8_000_000

    WORLD.run(main)


@pytest.mark.parametrize("early", [[], [Event("z"), Wait(1)]], ids=["at once", "later"])
@pytest.mark.parametrize("behind", [b"c", b"!", b"?", b"."])
def test_nothing_is_read_behind_a_fault(behind: bytes, early: list[Step]) -> None:
    """What comes behind a fault, though in the same network read, is no part of the stream."""
    script = [Head(), *early, chunks(event("!"), event(behind.decode()), event("e")), Stall()]

    async def main() -> None:
        async with WORLD.serve(script) as (client, server):
            with pytest.raises(StreamError) as caught:
                async with open_stream("GET", server.url, client=client, dialect=Letters()) as rx:
                    await rx.result()
        assert str(caught.value) == "overloaded"
        assert rx.state.last_error is caught.value
        assert rx.outcome.value == ["z"] * bool(early)
        assert rx.outcome.items == len(rx.outcome.value)

    WORLD.run(main)


@pytest.mark.parametrize("early", [[], [Event("z"), Wait(1)]], ids=["at once", "later"])
@pytest.mark.parametrize("pieces", [(b".", b"c"), (b".", b"!"), (b".", b"?")])
@pytest.mark.parametrize("leave", [False, True])
def test_nothing_is_read_behind_the_terminal_event(
    leave: bool, pieces: tuple[bytes, ...], early: list[Step]
) -> None:
    """What comes behind the terminal event is not decoded, not even when the consumer has left."""
    script = [Head(), *early, chunks(*[event(piece.decode()) for piece in pieces]), Stall()]

    async def main() -> None:
        async with (
            WORLD.serve(script) as (client, server),
            open_stream("GET", server.url, client=client, dialect=Letters()) as rx,
        ):
            await trio.sleep(2)
            if not leave:
                await rx.result()
        assert rx.outcome.value == ["z"] * bool(early) + ["."]
        assert rx.outcome.ending is (Ending.CLOSED if leave else Ending.COMPLETED)

    WORLD.run(main)


def test_fault_is_the_first_in_the_order_of_the_stream() -> None:
    """If the connection breaks while a bad item is still unread, the bad item is the error."""
    script = [*[Event(str(n)) for n in range(300)], Event("x"), *[Event("1")] * 300, Truncate()]

    async def main() -> None:
        async with (
            WORLD.serve(script) as (client, server),
            open_stream("GET", server.url, client=client, item=int) as rx,
        ):
            await trio.sleep(10)
            with pytest.raises(BadItemError):
                await rx.result()
        assert rx.outcome.value == list(range(300))

    WORLD.run(main)


@pytest.mark.parametrize("leave_after", [0, 1, 50, 299])
@pytest.mark.parametrize("chunk_size", [1, 40, 1000, 65536])
def test_value_is_all_that_was_received(chunk_size: int, leave_after: int) -> None:
    """A consumer that leaves early finds in the outcome what it had not taken, wherever it was."""
    script = [*[Event(str(n)) for n in range(300)], Send(b"data: half"), Stall()]

    async def main() -> None:
        async with WORLD.serve(script) as (client, server):
            config = StreamConfig(chunk_size=chunk_size)
            async with open_stream("GET", server.url, client=client, config=config) as rx:
                for _ in range(leave_after):
                    await rx.receive()
                await trio.sleep(1)
                snapshot = rx.snapshot()
        got = [int(item.data) for item in rx.outcome.value]
        assert got == list(range(len(got)))
        assert rx.outcome.items == len(got)
        # All the bytes that were read are in it, but for an event that is not whole.
        assert len(b"".join(map(event, got))) + 12 > rx.outcome.bytes_received
        assert rx.snapshot() == snapshot == rx.outcome.value[:leave_after]

    WORLD.run(main)


def test_value_has_the_record_that_the_end_completes() -> None:
    """A last record without a newline counts, also when the consumer has left before."""
    script = [Head(content_type="application/x-ndjson"), Send(b"1\n2\n3")]

    async def main() -> None:
        async with (
            WORLD.serve(script) as (client, server),
            open_stream("GET", server.url, client=client, item=int) as rx,
        ):
            await trio.sleep(1)
        assert rx.outcome.value == [1, 2, 3]

    WORLD.run(main)


def test_raw_bytes_come_in_small_pieces() -> None:
    """No piece that is handed on is larger than ``chunk_size``."""

    async def main() -> None:
        async with WORLD.serve([Send(bytes(range(256)) * 400)]) as (client, server):
            config = StreamConfig(chunk_size=1000)
            async with open_stream(
                "GET", server.url, client=client, framing=RawBytes(), config=config
            ) as rx:
                pieces = await rx.result()
        assert b"".join(pieces) == bytes(range(256)) * 400
        assert max(map(len, pieces)) <= 2000  # two pieces may have been joined on the way

    WORLD.run(main)


async def check_reuse(world: World, script: list[Step], **options: Any) -> None:
    """Three streams, one after the other, share a connection."""
    async with assert_no_leaks(), world.serve(script) as (client, server):
        for _ in range(3):
            try:
                async with open_stream("GET", server.url, client=client, **options) as rx:
                    await rx.result()
            except StreamError as error:
                assert error.status_code in (200, 204, 404)  # noqa: PT017
        assert [request.connection for request in server.requests] == [1, 1, 1]


@pytest.mark.parametrize(
    "script",
    [
        [Event("a")],
        [Head(framing="length"), Event("a")],
        [Head(404), Send(b"sorry")],
        [Head(content_type="text/html"), Send(b"<html>")],
        [Head(204)],
    ],
    ids=["complete", "by length", "status error", "not a stream", "204"],
)
@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_connection_is_used_again(world: World, script: list[Step]) -> None:
    """A stream whose body has come to its end leaves its connection for the next one."""
    world.run(lambda: check_reuse(world, script))


@pytest.mark.parametrize(
    "script",
    [
        [Send(event("a") + event("."))],
        [Event("."), Wait(0.01)],
        [Event("."), Event("x"), Wait(0.01), Event("y")],
        [Event("."), *[Event("x")] * 500],
    ],
    ids=["at once", "end a little later", "more events", "many more events"],
)
@pytest.mark.parametrize("world", MEMORY, ids=lambda world: world.name)
def test_connection_is_used_again_after_the_terminal_event(
    world: World, script: list[Step]
) -> None:
    """So does a stream whose terminal event comes a moment before the end of its body."""
    world.run(lambda: check_reuse(world, script, dialect=Letters()))


@pytest.mark.parametrize("leave", ["aclose", "async with", "break"])
def test_connection_is_used_again_however_a_complete_stream_is_left(leave: str) -> None:
    """Closing a stream that has ended well does not cost its connection."""
    script = [Event("a"), Event("."), Wait(0.01)]

    async def main() -> None:
        async with WORLD.serve(script) as (client, server):
            for _ in range(2):
                async with open_stream("GET", server.url, client=client, dialect=Letters()) as rx:
                    async for item in rx:
                        if item == "." and leave == "break":
                            break
                    if leave == "aclose":
                        await rx.aclose()
                    if leave == "async with":
                        async with rx:
                            pass
                assert rx.outcome.is_complete
            assert [request.connection for request in server.requests] == [1, 1]

    WORLD.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_connection_in_the_middle_is_not_used_again(world: World) -> None:
    """A stream that is left before its end takes its connection with it."""

    async def main() -> None:
        async with world.serve([Event("a"), Stall()]) as (client, server):
            for _ in range(3):
                async with open_stream("GET", server.url, client=client) as rx:
                    await rx.receive()
            assert [request.connection for request in server.requests] == [1, 2, 3]

    world.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
@pytest.mark.parametrize("count", [3, 10_000])
def test_break_with_many_chunks_in_the_buffer(count: int, world: World) -> None:
    """Leaving closes all the generators of the HTTP library, however much they have buffered."""
    script = [Head(), chunks(*[b":"] * count), Stall()]

    async def main() -> None:
        async with assert_no_leaks(), world.serve(script) as (client, server):
            async with open_stream(
                "GET", server.url, client=client, framing=SSE(comments=True)
            ) as rx:
                await world.quiet()
            assert rx.outcome.ending is Ending.CLOSED

    world.run(main)
