"""Two hundred streams over sockets, through random faults, for as long as you like.

``TRIO_STREAM_SOAK=120`` runs for two minutes, and shows the figures.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.pipeline.worlds import SOCKETS, is_ours
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import open_stream
from trio_stream.retry import RetryBudget
from trio_stream.testing import (
    BadChunk,
    CutAt,
    CutEvent,
    Fault,
    Feed,
    Insert,
    Instead,
    Late,
    LineEnds,
    Ping,
    Refuse,
    Request,
    Reset,
    SplitEvery,
    StallAt,
    Step,
    Truncate,
    assert_no_leaks,
    serve,
)

SECONDS = float(os.environ.get("TRIO_STREAM_SOAK", "3"))
STREAMS = 200
PATIENCE = 2.0  # of the watchdogs: longer than it takes to serve all streams once
EVENTS = 30
# Growth behind the warm-up: allocators keep what they have had once. A leak of one object of 1 KiB
# for each stream would be more in a minute.
MOST_GROWTH = 24 * 2**20
RESUMABLE = ("resume", "always", "event_source")


def resident() -> int:
    """The memory of this process, in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@attrs.define
class Trouble:
    """A server that gives half of its answers with a fault."""

    rng: random.Random
    requests: int = 0

    def plan(self, request: Request) -> Iterable[Step]:
        # Our transport sends a request again if a kept connection was dead: it asks more often.
        self.requests += "x-stock" in request.headers
        # An event source takes nothing for a duplicate: it is sent nothing twice.
        overlap = 0 if request.headers.get("x-mode") == "event_source" else self.rng.randrange(3)
        feed = Feed(EVENTS, at_end="204", overlap=overlap)
        steps = feed.answer(request.headers.get("last-event-id"))
        for fault in self.faults():
            steps = fault.apply(steps)
        return steps

    def faults(self) -> Sequence[Fault]:
        """None for half of the answers. No clean end before the last event: that would be one."""
        rng = self.rng
        place, number = rng.randrange(500), rng.randrange(1, EVENTS)
        match rng.randrange(20):
            case 0:
                return [CutAt(place, rng.choice(("close", "reset")))]
            case 1:
                return [CutEvent(number, rng.choice(("close", "reset")))]
            case 2:
                return [Instead(Refuse())]
            case 3:
                return [Instead(Reset())]
            case 4:
                return [Instead(Truncate())]
            case 5:
                return [StallAt(place)]
            case 6:
                return [StallAt(place, 0.05), SplitEvery(rng.randrange(1, 50))]
            case 7:
                return [LineEnds(rng.choice(("\r\n", "\r"))), CutAt(place, "reset")]
            case 8:
                return [Insert(number, BadChunk())]
            case 9:
                return [Insert(number, Ping()), Late(rng.choice((0.05, 1.2 * PATIENCE)))]
            case _:
                return []


@attrs.define
class Soak:
    """Streams of all kinds, one after the other in each of many tasks.

    Attributes:
        trouble: The server.
        clients: One of each family, over our transport and over the stock one.
        url: Of the server.
        endings: How often each was seen, by kind of stream.
        items: How many items all have brought.
        attempts: How many requests those over the stock transports say they have made.
        interrupted: How many of these streams were not ended by the server.
        opened: How many streams were opened.
    """

    trouble: Trouble
    clients: Sequence[Any]
    url: str
    endings: Counter[tuple[str, Ending]] = attrs.field(factory=Counter)
    items: int = 0
    attempts: int = 0
    interrupted: int = 0
    opened: int = 0
    budget: RetryBudget = attrs.field(factory=lambda: RetryBudget(1e6, 1e6))

    async def keep_going(self, number: int, stop: trio.Event) -> None:
        rng = random.Random(number)
        while not stop.is_set():
            await self.one(rng)

    async def one(self, rng: random.Random) -> None:
        """Open a stream, and use it in one of many ways."""
        mode = rng.choice((*RESUMABLE, "before_first_item", "never"))
        way = rng.choice(("read", "read", "read", "slow", "leave", "cancel", "finish", "close"))
        limit = rng.randrange(1, EVENTS)
        client = rng.choice(self.clients)
        is_stock = not is_ours(client._transport)
        outcomes: list[StreamOutcome[Any]] = []
        config = StreamConfig(
            idle_timeout=PATIENCE,
            headers_timeout=PATIENCE,
            max_retries=-1,
            initial_backoff=0.01,
            max_backoff=0.1,
            retry_budget=self.budget,
            chunk_size=rng.choice((7, 100, 65536)),
            on_outcome=outcomes.append,
        )
        got: list[int] = []
        raised: StreamError | None = None
        self.opened += 1
        with trio.CancelScope() as scope:
            if way == "cancel":
                scope.relative_deadline = rng.uniform(0, 0.3)
            try:
                async with open_stream(
                    "GET",
                    self.url,
                    client=client,
                    headers={"x-mode": mode, **({"x-stock": "1"} if is_stock else {})},
                    reconnect=mode,
                    config=config,
                ) as rx:
                    async for event in rx:
                        got.append(int(event.data))
                        if way == "slow":
                            await trio.sleep(0.002)
                        if len(got) == limit and way == "leave":
                            break
                        if len(got) == limit and way == "finish":
                            rx.finish()
                        if len(got) == limit and way == "close":
                            await rx.aclose()
                            break
            except StreamError as error:
                raised = error
        [outcome] = outcomes
        self.count(mode, outcome, is_stock=is_stock, has_finished=way == "finish")
        assert got == list(range(1, len(got) + 1))
        received = [int(event.data) for event in outcome.value]
        assert received == list(range(1, len(received) + 1))
        assert outcome.items == len(received) >= len(got)
        assert raised is None or raised.outcome is outcome
        match outcome.ending:
            case Ending.CANCELLED:
                assert scope.cancelled_caught
            case Ending.CLOSED:
                assert way in ("leave", "close")
            case Ending.COMPLETED:
                assert len(got) == EVENTS or way == "finish"
            case _:
                assert raised is not None
                assert mode not in RESUMABLE

    def count(
        self, mode: str, outcome: StreamOutcome[Any], *, is_stock: bool, has_finished: bool
    ) -> None:
        self.endings[mode, outcome.ending] += 1
        self.items += outcome.items
        if is_stock:
            self.attempts += outcome.attempts
            left = outcome.ending in (Ending.CANCELLED, Ending.CLOSED)
            self.interrupted += left or has_finished


@attrs.define
class Memory:
    """What the process holds, by time."""

    samples: list[tuple[float, int]] = attrs.field(factory=list)

    async def watch(self, stop: trio.Event, forget: Callable[[], None]) -> None:
        """Look often, each time without what the server remembers."""
        begun = trio.current_time()
        while not stop.is_set():
            with trio.move_on_after(SECONDS / 20):
                await stop.wait()
            forget()
            gc.collect()
            self.samples.append((trio.current_time() - begun, resident()))

    @property
    def growth(self) -> int:
        """From the half of the time to its end: the least of each quarter."""
        sizes = [size for _, size in self.samples]
        quarter = len(sizes) // 4
        return min(sizes[-quarter:]) - min(sizes[quarter : 2 * quarter])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_soak(capsys: pytest.CaptureFixture[str]) -> None:
    """Hundreds of streams at once, through faults of all kinds: no leak, no lie, flat memory."""
    trouble, memory = Trouble(random.Random(1)), Memory()

    async def main() -> Soak:
        stop = trio.Event()
        async with assert_no_leaks(), serve(trouble.plan) as server:
            async with AsyncExitStack() as stack:
                clients = [
                    await stack.enter_async_context(
                        world.new_client(limits=world.family.Limits(max_connections=None))
                    )
                    for world in SOCKETS
                ]
                soak = Soak(trouble, clients, server.url)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(memory.watch, stop, server.requests.clear)
                    for number in range(STREAMS):
                        nursery.start_soon(soak.keep_going, number, stop)
                    await trio.sleep(SECONDS)
                    stop.set()
            await server.wait_disconnected()
        return soak

    soak = trio.run(main)
    if "TRIO_STREAM_SOAK" in os.environ:
        with capsys.disabled():
            sys.stdout.write(report(soak, memory))
    assert sum(soak.endings.values()) == soak.opened
    # A request that was given up while it was made may never have come to the server.
    assert soak.attempts - soak.interrupted <= trouble.requests <= soak.attempts
    assert memory.growth < MOST_GROWTH


def report(soak: Soak, memory: Memory) -> str:
    lines = [f"{soak.opened} streams, {soak.trouble.requests} requests, {soak.items} items"]
    for (mode, ending), count in sorted(soak.endings.items(), key=str):
        lines.append(f"  {mode:>18} {ending.value:<10} {count}")
    lines += [f"  {time:7.1f} s  {size / 2**20:6.1f} MiB" for time, size in memory.samples]
    return "\n".join(["", *lines, ""])
