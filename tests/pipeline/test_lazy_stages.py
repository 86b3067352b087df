"""The tasks of the stages: started when a stage is behind, and missed by nobody before."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from tests.pipeline.worlds import MEMORY, Letters
from trio_stream.config import StreamConfig
from trio_stream.errors import (
    BadItemError,
    InBandError,
    LimitExceededError,
    StreamError,
    StreamTruncatedError,
)
from trio_stream.framing import SSE
from trio_stream.outcome import Ending
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Event,
    Head,
    Reset,
    Send,
    Stall,
    Step,
    Truncate,
    Wait,
    assert_no_leaks,
)

WORLD = MEMORY[0]


@attrs.define(eq=False)
class Spawned(trio.abc.Instrument):
    """Counts the tasks of stages, and the turns of everybody."""

    stages: int = 0
    living: int = 0
    turns: int = 0

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        if task.name.endswith("Stage.run"):
            self.stages += 1
            self.living += 1

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self.living -= task.name.endswith("Stage.run")

    def before_io_wait(self, timeout: float) -> None:
        self.turns += 1


def run(main: Callable[[Spawned], Any]) -> Spawned:
    spawned = Spawned()

    async def limited() -> None:
        with trio.fail_after(1e6):
            await main(spawned)

    trio.run(limited, clock=MockClock(autojump_threshold=0), instruments=[spawned])
    assert spawned.living == 0
    return spawned


def numbered(count: int) -> list[Step]:
    return [step for n in range(count) for step in (Event(str(n)), Wait(1))]


def test_stream_that_is_never_behind_has_one_task() -> None:
    """While the consumer takes each item before the next one comes, no stage needs a task."""

    async def main(spawned: Spawned) -> None:
        async with assert_no_leaks(), WORLD.serve(numbered(50)) as (client, server):
            async with open_stream("GET", server.url, client=client, item=int) as rx:
                assert [item async for item in rx] == list(range(50))
            assert rx.outcome.ending is Ending.COMPLETED

    assert run(main).stages == 0


@pytest.mark.parametrize("at", [0, 1, 10, 40])
def test_stages_get_tasks_when_the_consumer_is_behind(at: int) -> None:
    """The first piece that finds an item waiting starts the two tasks, once for a connection."""

    async def main(spawned: Spawned) -> None:
        async with assert_no_leaks(), WORLD.serve(numbered(50)) as (client, server):
            async with open_stream("GET", server.url, client=client, item=int) as rx:
                got = []
                async for item in rx:
                    assert spawned.stages == (2 if item > at else 0)
                    got.append(item)
                    if item in (at, at + 4):
                        await trio.sleep(2.5)
            assert got == list(range(50))
            assert rx.outcome.ending is Ending.COMPLETED

    assert run(main).stages == 2


def cut(data: bytes) -> list[Step]:
    """A body that ends in the middle of its next to last event, in pieces."""
    return [Send(data), Wait(1), Truncate()]


ENDS: dict[str, tuple[Sequence[Step], dict[str, Any], list[Any], type[StreamError] | None]] = {
    "complete": ([Event("1")], {"item": int}, [1], None),
    "record that the end completes": (
        [Head(content_type="application/x-ndjson"), Send(b"1\n"), Wait(1), Send(b"2")],
        {"item": int},
        [1, 2],
        None,
    ),
    "bad record that the end completes": (
        [Head(content_type="application/x-ndjson"), Send(b"1\n"), Wait(1), Send(b"x")],
        {"item": int},
        [1],
        BadItemError,
    ),
    "inside an event": ([Event("1"), Wait(1), Send(b"data: 2\n")], {}, ["1"], StreamTruncatedError),
    "cut": (cut(b"data: 1\n\ndata: 2\n"), {}, ["1"], StreamTruncatedError),
    "reset": ([Event("1"), Wait(1), Reset()], {}, ["1"], StreamError),
    "bad item": ([Event("1"), Wait(1), Event("x"), Stall()], {"item": int}, [1], BadItemError),
    "terminal event": (
        [Event("a"), Wait(1), Event("."), Stall()],
        {"dialect": Letters()},
        ["a", "."],
        None,
    ),
    "more behind the terminal event": (
        [Event("a"), Wait(1), Event("."), Event("x"), Wait(0.01), Event("y"), Stall()],
        {"dialect": Letters()},
        ["a", "."],
        None,
    ),
    "no terminal event": ([Event("a")], {"dialect": Letters()}, ["a"], StreamTruncatedError),
    "error in band": (
        [Event("a"), Wait(1), Event("!"), Stall()],
        {"dialect": Letters()},
        ["a"],
        InBandError,
    ),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_ends_without_tasks(end: Any) -> None:
    """However a stream ends, the end takes its place behind the items, and needs no task."""
    script, options, items, error = end

    async def main(spawned: Spawned) -> None:
        got: list[Any] = []
        raised: list[StreamError] = []
        async with assert_no_leaks(), WORLD.serve(script) as (client, server):
            try:
                async with open_stream("GET", server.url, client=client, **options) as rx:
                    while True:
                        item = await rx.receive()
                        got.append(getattr(item, "data", item))
            except trio.EndOfChannel:
                pass
            except StreamError as caught:
                raised.append(caught)
        assert got == items
        assert [type(each) for each in raised] == ([error] if error else [])
        assert rx.outcome.items == len(items)

    assert run(main).stages == 0


def pieces(data: Sequence[bytes]) -> Any:
    """A client whose response hands out these pieces without waiting."""

    async def body() -> AsyncGenerator[bytes]:
        for piece in data:
            yield piece

    return httpx.AsyncClient(
        transport=httpx.MockTransport(
            lambda request: httpx.Response(
                200, headers={"content-type": "text/event-stream"}, content=body()
            )
        )
    )


@pytest.mark.parametrize("comments", [False, True])
def test_flood_of_tiny_pieces_lets_others_run(comments: bool) -> None:
    """Others have a turn within 64 pieces, though none of these has to be waited for."""

    async def main(spawned: Spawned) -> None:
        async with (
            pieces([b":" if n % 9 else b":\n" for n in range(20_000)]) as client,
            open_stream("GET", "http://x/", client=client, framing=SSE(comments=comments)) as rx,
        ):
            before = spawned.turns
            await rx.result()
            assert spawned.turns - before > 20_000 // 64

    run(main)


def test_no_turn_decodes_thousands_of_events() -> None:
    """The events of a large piece are decoded in parts, between which others run."""
    decoded: dict[int, int] = {}

    async def main(spawned: Spawned) -> None:
        def item(data: bytes) -> bytes:
            decoded[spawned.turns] = decoded.get(spawned.turns, 0) + 1
            return data

        async with (
            pieces([b"data:x\n\n" * 5000]) as client,
            open_stream("GET", "http://x/", client=client, item=item) as rx,
        ):
            assert len(await rx.result()) == 5000

    run(main)
    assert max(decoded.values()) <= 256


class SlowToClose(httpx.AsyncByteStream):
    """A body that comes piece by piece, stalls, and takes its time to close."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        for piece in self._pieces:
            yield piece
            await trio.sleep(1)
        await trio.sleep_forever()

    async def aclose(self) -> None:
        await trio.sleep(0.5)


def test_fault_is_told_before_the_response_is_closed() -> None:
    """A consumer does not wait for the close of a connection to learn of a fault."""
    response = httpx.Response(
        200,
        headers={"content-type": "text/event-stream"},
        stream=SlowToClose(b"data: 1\n\n", b"data: " + b"x" * 2000),
    )

    async def main(spawned: Spawned) -> None:
        transport = httpx.MockTransport(lambda request: response)
        config = StreamConfig(max_line_bytes=1000)
        async with (
            httpx.AsyncClient(transport=transport) as client,
            open_stream("GET", "http://x/", client=client, config=config) as rx,
        ):
            start = trio.current_time()
            assert (await rx.receive()).data == "1"
            with pytest.raises(LimitExceededError):
                await rx.receive()
            assert trio.current_time() == start + 1

    assert run(main).stages == 0


@pytest.mark.parametrize("count", [257, 5000])
@pytest.mark.parametrize("earlier", [False, True])
def test_many_events_in_one_piece_let_others_run(earlier: bool, count: int) -> None:
    """A piece of thousands of events is decoded and delivered in parts."""
    body = b"".join(b"data:%d\n\n" % n for n in range(count))

    async def main(spawned: Spawned) -> None:
        async with (
            pieces([b"data:-1\n\n", body] if earlier else [body]) as client,
            open_stream("GET", "http://x/", client=client, item=int) as rx,
        ):
            before = spawned.turns
            got = [item async for item in rx]
            assert got == list(range(-1 if earlier else 0, count))
            assert spawned.turns - before > count // 256

    run(main)


@attrs.frozen
class Pace:
    """A stream of numbers whose sender and consumer change their pace."""

    seed: int

    async def play(self, spawned: Spawned) -> None:
        rng = random.Random(self.seed)
        count = rng.randrange(5, 80)
        script: list[Step] = []
        for n in range(count):
            script.append(Event(f"{n}" + " " * rng.choice([0, 0, 0, 3000])))
            if rng.random() < 0.3:
                script.append(Wait(rng.choice([0.5, 1, 3])))
        end = rng.choice([[], [Reset()], [Stall()], [Event("x")]])
        config = StreamConfig(chunk_size=rng.choice([1, 50, 65536]), idle_timeout=30)
        scope = trio.CancelScope()
        got: list[int] = []
        rx: Any = None
        async with assert_no_leaks(), WORLD.serve([*script, *end]) as (client, server):
            try:
                with scope:
                    if rng.random() < 0.5:
                        scope.deadline = trio.current_time() + rng.uniform(0, 40)
                    async with open_stream(
                        "GET", server.url, client=client, item=int, config=config
                    ) as rx:
                        async for item in rx:
                            got.append(item)
                            if rng.random() < 0.1:
                                await trio.sleep(rng.choice([0.5, 2, 5]))
                            if rng.random() < 0.01:
                                break
            except StreamError:
                assert got == list(range(count))
        outcome = rx.outcome
        assert outcome.value == list(range(outcome.items))
        assert outcome.value[: len(got)] == got
        if scope.cancelled_caught:
            assert outcome.ending is Ending.CANCELLED
        elif outcome.ending is not Ending.CLOSED:
            assert got == list(range(count))
            assert (outcome.ending is Ending.COMPLETED) == (not end)


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_lost_where_the_tasks_begin(seed: int) -> None:
    """Whenever a stage falls behind, and however the stream ends then, every item is there."""
    run(Pace(seed).play)
