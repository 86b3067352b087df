"""From the socket to the consumer, over loopback: client CPU per event or stream."""

# The server is a process of its own. Each round runs every candidate once, in an order that
# rotates; a figure is the median over the rounds, and a ratio the median of the ratios within each.

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import ModuleType
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import attrs
import httpx
import trio

from trio_stream import StreamConfig, open_stream

from .report import Report, Table
from .server import running

__all__ = ["run"]

BASE = "httpx-sse on httpx"

Opener: TypeAlias = Callable[[Any, str], AbstractAsyncContextManager[AsyncIterator[object]]]
"""Opens a stream with a client."""


@attrs.frozen
class Candidate:
    """A library, and the client that it streams with (`None`: it makes do without)."""

    family: ModuleType | None
    open: Opener


@asynccontextmanager
async def open_raw(client: object, url: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """The physical limit: a socket of trio's, and nothing done with what comes."""
    parts = urlsplit(url)
    async with await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 80)) as stream:
        await stream.send_all(f"GET {parts.path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        yield stream.__aiter__()


@asynccontextmanager
async def open_httpx_sse(client: httpx.AsyncClient, url: str) -> AsyncIterator[Any]:
    """httpx-sse."""
    module = importlib.import_module("httpx_sse")
    async with module.aconnect_sse(client, "GET", url) as source:
        yield source.aiter_sse()


@asynccontextmanager
async def open_httpx2_sse(client: Any, url: str) -> AsyncIterator[Any]:
    """httpx2's own."""
    async with client.sse(url) as source:
        yield source.__aiter__()


def open_ours(client: Any, url: str) -> AbstractAsyncContextManager[Any]:
    """trio_stream, as it comes: watchdogs, limits, outcome."""
    return open_stream("GET", url, client=client, config=StreamConfig(connect_timeout=60))


def candidates() -> dict[str, Candidate]:
    """What can be measured here."""
    found = {
        "raw trio socket": Candidate(None, open_raw),
        "trio_stream on httpx": Candidate(httpx, open_ours),
    }
    if importlib.util.find_spec("httpx_sse"):
        found[BASE] = Candidate(httpx, open_httpx_sse)
    if importlib.util.find_spec("httpx2"):
        httpx2 = importlib.import_module("httpx2")
        found["httpx2's sse"] = Candidate(httpx2, open_httpx2_sse)
        found["trio_stream on httpx2"] = Candidate(httpx2, open_ours)
    return found


async def read_all(candidate: Candidate, url: str, count: int) -> None:
    """One stream, read to its end."""
    seen = 0
    async with _client(candidate) as client, candidate.open(client, url) as events:
        async for _ in events:
            seen += 1
    if candidate.family is not None and seen != count:
        raise AssertionError(f"{seen} events came of {count}")


async def hold_many(candidate: Candidate, url: str, count: int) -> None:
    """Many streams: opened, one event read from each, held together, closed."""
    everybody, leave = trio.Event(), trio.Event()
    arrived = 0

    async def one(client: Any) -> None:
        nonlocal arrived
        async with candidate.open(client, url) as events:
            await events.__anext__()
            arrived += 1
            if arrived == count:
                everybody.set()
            await leave.wait()

    async with _client(candidate) as client, trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one, client)
        await everybody.wait()
        leave.set()


@asynccontextmanager
async def _client(candidate: Candidate) -> AsyncIterator[Any]:
    family = candidate.family
    if family is None:
        yield None
        return
    limits = family.Limits(max_connections=None, max_keepalive_connections=None)
    async with family.AsyncClient(verify=False, timeout=None, limits=limits) as client:
        yield client


Task: TypeAlias = Callable[[Candidate, str, int], Awaitable[None]]


@attrs.frozen
class Workload:
    """What is measured.

    Attributes:
        title: Its name.
        note: What happens.
        path: What is asked of the server.
        task: What the client does.
        count: Events, or streams.
        rounds: How often.
        names: Which candidates take part; empty: all.
    """

    title: str
    note: str
    path: str
    task: Task
    count: int
    rounds: int


def workloads(*, smoke: bool) -> list[Workload]:
    """All of them; with ``smoke``, small."""
    scale, rounds = (0.01, 1) if smoke else (1.0, 9)
    burst, paced, held = int(64 * 300 * scale), int(1500 * scale), int(1000 * scale)
    return [
        Workload(
            "burst",
            "Events as fast as they go: 64 to a send, each in its own HTTP chunk.",
            f"burst/{burst}",
            read_all,
            burst,
            rounds,
        ),
        Workload(
            "paced",
            "One event to a read, as an LLM sends them.",
            f"paced/{paced}",
            read_all,
            paced,
            rounds,
        ),
        Workload(
            "held",
            f"{held} streams opened, held open together, and closed; the figures are per stream.",
            "held",
            hold_many,
            held,
            1,
        ),
    ]


async def measure(workload: Workload, url: str) -> dict[str, list[float]]:
    """CPU microseconds per event or stream, by candidate and round."""
    named = candidates()
    figures: dict[str, list[float]] = {name: [] for name in named}
    warm_up = workload.rounds > 1
    for number in range(workload.rounds + warm_up):
        names = list(named)
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            start = time.process_time_ns()
            await workload.task(named[name], f"{url}/{workload.path}", workload.count)
            spent = time.process_time_ns() - start
            if number or not warm_up:
                figures[name].append(spent / workload.count / 1000)
    return figures


def run(*, smoke: bool) -> Report:
    """Measure every workload."""
    tables: list[Table] = []
    facts: dict[str, object] = {}
    with running() as url:
        for workload in workloads(smoke=smoke):
            figures = trio.run(measure, workload, url)
            base = figures.get(BASE, figures["trio_stream on httpx"])
            rows = [
                [name, f"{statistics.median(own):.2f}", f"{_ratio(own, base):.2f}"]
                for name, own in figures.items()
            ]
            note = (
                f"{workload.note} CPU time of the client; the ratio is to {BASE}: less is better."
            )
            tables.append(Table(workload.title, note, ["", "µs", "ratio"], rows))
            facts[workload.title] = {
                name: {"us": statistics.median(own), "ratio": _ratio(own, base)}
                for name, own in figures.items()
            }
    return Report(tables, facts)


def _ratio(own: list[float], base: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(own, base, strict=True))
