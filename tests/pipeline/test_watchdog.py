"""The watchdogs: never early, hardly late, and never because of the consumer."""

from __future__ import annotations

import random
import socket
import threading
import time
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.pipeline.worlds import MEMORY, SOCKETS, Call, Letters, World
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamTimeoutError
from trio_stream.outcome import Ending
from trio_stream.pipeline import open_stream
from trio_stream.testing import Event, Head, Ping, Script, Send, Stall, Step, Wait

WORLD = MEMORY[0]


async def time_out(script: Script, config: StreamConfig) -> tuple[StreamTimeoutError, float]:
    """Read a stream until a watchdog fires; return its error, and when it fired."""
    async with WORLD.serve(script) as (client, server):
        with pytest.raises(StreamTimeoutError) as caught:
            async with open_stream("GET", server.url, client=client, config=config) as rx:
                await rx.result()
    return caught.value, trio.current_time()


async def complete(
    script: Script,
    config: StreamConfig,
    *,
    pause: float = 0.0,
    world: World = WORLD,
    **options: Any,
) -> list[Any]:
    """Read a stream to its end, with a pause after the first item; return all of them."""
    async with (
        world.serve(script) as (client, server),
        open_stream("GET", server.url, client=client, config=config, **options) as rx,
    ):
        got = [await rx.receive()]
        await trio.sleep(pause)
        async for item in rx:
            got.append(item)  # noqa: PERF401
    assert rx.outcome.ending is Ending.COMPLETED
    return [getattr(item, "data", item) for item in got]


@pytest.mark.parametrize("layer", ["idle", "stall"])
@pytest.mark.parametrize("seed", range(30))
def test_never_early_and_hardly_late(seed: int, layer: str) -> None:
    """Silence is measured from its beginning, to a sixteenth of the period."""
    rng = random.Random(seed)
    period = rng.choice([0.5, 30.0, 300.0])
    script: list[Step] = [Event("first")]
    script += [each for _ in range(50) for each in (Wait(rng.uniform(0, period)), Event("x"))]
    last = []
    script.append(Call(lambda: last.append(trio.current_time())))
    if layer == "stall":
        script += [Ping(), Wait(period / 50)] * 100
    script.append(Stall())
    timeouts: dict[str, Any] = {f"{layer}_timeout": period}

    async def main() -> None:
        error, now = await time_out(script, StreamConfig(**timeouts))
        assert error.layer == layer
        assert period < now - last[0] <= period * 17 / 16 + 1e-6

    WORLD.run(main)


def test_total_is_exact() -> None:
    """The total is not restarted by anything, and is not late."""

    async def main() -> None:
        error, now = await time_out([Event("x"), Wait(1.0)] * 200, StreamConfig(timeout=60))
        assert error.layer == "total"
        assert now == pytest.approx(60)

    WORLD.run(main)


def test_error_tells_the_facts() -> None:
    """The message names the setting that fired, and what came last when."""

    async def main() -> None:
        script = [Event("x"), *[Wait(8), Ping()] * 99]
        error, _ = await time_out(script, StreamConfig(stall_timeout=32, idle_timeout=16))
        text = (
            "bytes, but no item for stall_timeout=32 s (last byte 2.0 s ago, last item 34.0 s ago)"
        )
        assert str(error) == text

    WORLD.run(main)


@pytest.mark.parametrize("chunk_size", [50, 65536])
def test_slow_consumer_trips_none(chunk_size: int) -> None:
    """A consumer that sleeps for an hour, while events keep coming, is not mistaken for silence."""
    config = StreamConfig(idle_timeout=30, stall_timeout=30, chunk_size=chunk_size)
    script = [each for n in range(5000) for each in (Event(str(n)), Wait(1.0))]

    async def main() -> None:
        assert await complete(script, config, pause=3600) == [str(n) for n in range(5000)]

    WORLD.run(main)


def test_consumer_that_is_always_slow_trips_none() -> None:
    """A consumer that takes longer over each item than any period allows gets them all."""
    config = StreamConfig(idle_timeout=30, stall_timeout=30, chunk_size=50)

    async def main() -> None:
        async with (
            WORLD.serve([Event(str(n)) for n in range(300)]) as (client, server),
            open_stream("GET", server.url, client=client, config=config) as rx,
        ):
            async for _ in rx:
                await trio.sleep(1000)
        assert rx.outcome.items == 300
        assert rx.outcome.is_complete

    WORLD.run(main)


def test_silence_behind_a_slow_consumer_is_silence() -> None:
    """The source is watched while it is awaited, whatever the consumer does meanwhile."""

    async def main() -> None:
        async with WORLD.serve([Event("a"), Event("b"), Stall()]) as (client, server):
            config = StreamConfig(idle_timeout=16)
            async with open_stream("GET", server.url, client=client, config=config) as rx:
                await trio.sleep(1000)
                assert (await rx.receive()).data == "a"
                assert (await rx.receive()).data == "b"
                with pytest.raises(StreamTimeoutError) as caught:
                    await rx.receive()
        assert caught.value.layer == "idle"
        assert rx.outcome.timings.last_item == 0.0

    WORLD.run(main)


def test_body_that_has_arrived_cannot_time_out() -> None:
    """When the body is here, the total is no concern of the consumer any more."""

    async def main() -> None:
        config = StreamConfig(timeout=10, idle_timeout=10, stall_timeout=10)
        assert await complete([Event("a"), Event("b")], config, pause=1000) == ["a", "b"]

    WORLD.run(main)


def test_total_that_passes_behind_a_slow_consumer() -> None:
    """If the time is over before all was read, what was read is delivered, and then the error."""
    script = [Event(str(n) + "x" * 100) for n in range(1000)]

    async def main() -> None:
        async with WORLD.serve(script) as (client, server):
            config = StreamConfig(timeout=10, chunk_size=500)
            async with open_stream("GET", server.url, client=client, config=config) as rx:
                await trio.sleep(1000)
                with pytest.raises(StreamTimeoutError) as caught:
                    await rx.result()
        assert caught.value.layer == "total"
        got = [item.data.partition("x")[0] for item in rx.snapshot()]
        assert got == [str(n) for n in range(len(got))]
        assert 0 < len(got) < 1000

    WORLD.run(main)


def test_no_limits() -> None:
    """`None` is no limit, in each of the layers."""
    config = StreamConfig(
        timeout=None,
        connect_timeout=None,
        headers_timeout=None,
        idle_timeout=None,
        stall_timeout=None,
    )
    script = [Wait(90_000.0), Event("a"), Wait(90_000.0), Ping(), Wait(90_000.0), Event("b")]

    async def main() -> None:
        assert await complete(script, config) == ["a", "b"]

    WORLD.run(main)


@pytest.mark.parametrize("period", ["idle_timeout", "stall_timeout"])
def test_bytes_that_come_with_the_deadline_win(period: str) -> None:
    """Bytes that arrive in the very moment of the deadline are bytes, not silence."""
    timeouts: dict[str, Any] = {period: 100}

    def jump() -> None:  # as if some code had kept the program from running
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(1000)

    script: list[Step] = [Head(), Wait(1)]
    script += [each for letter in "abcd" for each in (Event(letter), Call(jump), Wait(1))]

    async def main() -> None:
        assert await complete(script, StreamConfig(**timeouts)) == ["a", "b", "c", "d"]

    WORLD.run(main)


@pytest.mark.parametrize("period", ["idle_timeout", "stall_timeout"])
@pytest.mark.parametrize("count", [1, 200, 300])
def test_many_events_that_come_with_the_deadline_win(count: int, period: str) -> None:
    """So are those of a piece that is too large to be dealt with at once."""
    timeouts: dict[str, Any] = {period: 100}

    def jump() -> None:
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        clock.jump(1000)

    piece = Send(b"data: x\n\n" * count)
    script = [Head(), Event("a"), Wait(1), piece, Call(jump), Wait(1), Event("b")]

    async def main() -> None:
        got = await complete(script, StreamConfig(**timeouts))
        assert got == ["a", *["x"] * count, "b"]

    WORLD.run(main)


def test_consumer_that_blocks_the_program_trips_none() -> None:
    """A consumer that does not let trio run is slow, too: its bytes wait in the socket."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            head = (
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            )
            connection.sendall(head)
            for n in range(20):
                connection.sendall(b"data: %d\n\n" % n)
                time.sleep(0.04)

    async def main() -> None:
        async with SOCKETS[0].new_client() as client:
            config = StreamConfig(idle_timeout=0.2, stall_timeout=0.2)
            async with open_stream("GET", url, client=client, config=config) as rx:
                async for item in rx:
                    if item.data in ("0", "9"):
                        time.sleep(0.3)  # noqa: ASYNC251
        assert [item.data for item in rx.outcome.value] == [str(n) for n in range(20)]

    thread = threading.Thread(target=serve)
    with listening:
        thread.start()
        SOCKETS[0].run(main)
        thread.join()


@pytest.mark.parametrize(
    "after",
    [[Stall()], [Ping(), Wait(0.01)] * 1000, [Event("x"), Wait(0.01)] * 1000, [Ping()] * 5000],
    ids=["silence", "pings", "events", "a flood"],
)
def test_nothing_is_awaited_after_the_terminal_event(after: list[Step]) -> None:
    """The terminal event ends the stream at once; the rest of the body has a twentieth second."""

    async def main() -> None:
        script = [Event("a"), Wait(1), Event("."), *after]
        start = trio.current_time()
        async with WORLD.serve(script) as (client, server):
            async with open_stream("GET", server.url, client=client, dialect=Letters()) as rx:
                assert await rx.result() == ["a", "."]
                assert trio.current_time() == pytest.approx(start + 1)
            assert trio.current_time() <= start + 1.05 + 1e-6
            assert not rx.state.is_connected

    WORLD.run(main)
