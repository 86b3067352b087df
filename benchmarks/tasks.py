"""What a worker is asked to do with its candidate, on trio or on asyncio.

The client is made beforehand: only the streams are measured.
"""

from __future__ import annotations

import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .answers import text_of
from .candidates import SDK, Candidate, Kind, Ours

__all__ = ["assemble", "fairness", "gather", "hold", "latency", "memory", "read"]

Answer = dict[str, Any]


def _no_pause() -> None:
    """What happens while streams are held, if nothing is measured then."""


async def read(candidate: Candidate, url: str, path: str, count: int, kind: Kind) -> Answer:
    """One stream, read to its end: CPU nanoseconds."""
    async with candidate.client(url) as client:
        start = time.process_time_ns()
        seen = await candidate.read(client, f"{url}/{path}", kind)
        spent = time.process_time_ns() - start
    _expect(seen, count)
    return {"cpu_ns": spent}


async def assemble(candidate: Ours | SDK, url: str, path: str, words: int, streams: int) -> Answer:
    """Some messages, one after another: CPU nanoseconds."""
    expected = text_of(words)
    async with candidate.client(f"{url}/{path}") as client:
        start = time.process_time_ns()
        texts = [await candidate.assemble(client, f"{url}/{path}") for _ in range(streams)]
        spent = time.process_time_ns() - start
    if any(text != expected for text in texts):
        raise AssertionError("another text came")
    return {"cpu_ns": spent}


async def hold(
    candidate: Candidate,
    url: str,
    count: int,
    pause: Callable[[], object] = _no_pause,
    *,
    in_turn: bool = False,
) -> Answer:
    """Many streams: opened, one event read from each, held together, closed: CPU nanoseconds.

    They are opened all at the same time or, ``in_turn``, one after another.
    """
    runtime = candidate.runtime
    everybody, leave = runtime.event(), runtime.event()
    arrived = 0

    async def one() -> None:
        nonlocal arrived
        async with candidate.open(client, f"{url}/held") as events:
            await events.__anext__()
            arrived += 1
            if arrived == count:
                everybody.set()
            await leave.wait()

    async with candidate.client(url) as client:
        start = time.process_time_ns()
        async with runtime.group() as group:
            for number in range(count):
                group.start_soon(one)
                while in_turn and arrived <= number:
                    await runtime.sleep(0)
            await everybody.wait()
            pause()
            leave.set()
        spent = time.process_time_ns() - start
    return {"cpu_ns": spent}


async def gather(candidate: Candidate, url: str, count: int) -> Answer:
    """Many streams: opened, held until the server ends all of them, read to that end."""
    seen = 0
    path = f"{url}/gathered/{count}/{time.monotonic_ns()}"  # nobody else is in this one

    async def one() -> None:
        nonlocal seen
        async with candidate.open(client, path) as events:
            async for _ in events:
                pass
            seen += 1

    async with candidate.client(url) as client:
        start = time.process_time_ns()
        async with candidate.runtime.group() as group:
            for _ in range(count):
                group.start_soon(one)
        spent = time.process_time_ns() - start
    _expect(seen, count)
    return {"cpu_ns": spent}


async def memory(candidate: Candidate, url: str, count: int, *, is_traced: bool) -> Answer:
    """Many idle streams: bytes for each, as the system or as `tracemalloc` counts them.

    A few streams come and go beforehand, so that what is imported or made once is not counted. And
    they are opened one after another: what all need at the same time to open them would stay with
    the process, but no stream holds it.
    """
    await hold(candidate, url, 10)
    held = 0

    def weigh() -> None:
        nonlocal held
        gc.collect()
        held = _weight(is_traced=is_traced)

    if is_traced:
        tracemalloc.start()
    gc.collect()
    before = _weight(is_traced=is_traced)
    await hold(candidate, url, count, weigh, in_turn=True)
    tracemalloc.stop()
    return {"bytes": max(held - before, 1) / count}  # less than nothing is noise


def _weight(*, is_traced: bool) -> int:
    if is_traced:
        return tracemalloc.get_traced_memory()[0]
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("there is no VmRSS")


async def latency(
    candidate: Candidate, url: str, streams: int, period_ms: int, seconds: float
) -> Answer:
    """From the server's `send` to the consumer's hands: nanoseconds, with many streams alive."""
    runtime = candidate.runtime
    everybody = runtime.event()
    arrived = 0
    is_measured = False
    delays: list[int] = []

    async def one() -> None:
        nonlocal arrived
        is_first = True
        async with candidate.open(client, f"{url}/stamped/{period_ms}") as items:
            async for item in items:
                sent = candidate.stamp(item)
                if is_measured and sent:
                    delays.append(time.monotonic_ns() - sent)
                elif is_first and sent:
                    is_first = False
                    arrived += 1
                    if arrived == streams:
                        everybody.set()

    async with candidate.client(url) as client, runtime.group() as group:
        for _ in range(streams):
            group.start_soon(one)
        await everybody.wait()
        gc.collect()
        await runtime.sleep(period_ms / 1000)  # what is late because of all that is past
        is_measured = True
        start = time.process_time_ns()
        await runtime.sleep(seconds)
        spent = time.process_time_ns() - start
        is_measured = False
        group.cancel()
    if len(delays) < streams * seconds * 1000 / period_ms / 2:
        raise AssertionError(f"only {len(delays)} events came")
    return {**_percentiles(delays), "cpu_ns": spent, "events": len(delays)}


async def fairness(candidate: Candidate, url: str, path: str, count: int) -> Answer:
    """How late a task is that sleeps for 1 ms, again and again, while a stream floods."""
    runtime = candidate.runtime
    late: list[int] = []

    async def sleeper() -> None:
        while True:
            start = time.monotonic_ns()
            await runtime.sleep(0.001)
            late.append(max(time.monotonic_ns() - start - 1_000_000, 0))

    async with candidate.client(url) as client, runtime.group() as group:
        group.start_soon(sleeper)
        await runtime.sleep(0.005)
        late.clear()
        _expect(await candidate.read(client, f"{url}/{path}", "events"), count)
        await runtime.sleep(0.002)  # the last one is told of, too
        group.cancel()
    return {**_percentiles(late), "max_ns": max(late)}


def _percentiles(values: Sequence[int]) -> Answer:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50_ns": cuts[49], "p99_ns": cuts[98]}


def _expect(seen: int, count: int) -> None:
    if seen != count:
        raise AssertionError(f"{seen} events came of {count}")
