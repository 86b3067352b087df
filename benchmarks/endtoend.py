"""End to end over loopback: client CPU per event, the server in its own process.

Each round runs every candidate once, in rotated order; a candidate's figure is the median of its
rounds, a ratio the median of the ratios within each round. CPU time, since wall-clock time on a
shared machine measures the neighbours.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import trio

from trio_stream import open_stream

from .server import running

Candidate = Callable[[str, int], Awaitable[None]]


async def raw_recv(url: str, count: int) -> None:
    """The physical limit: read the bytes and do nothing with them."""
    parts = urlsplit(url)
    stream = await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 80))
    async with stream:
        await stream.send_all(f"GET {parts.path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        while await stream.receive_some():
            pass


async def httpx_sse(url: str, count: int) -> None:
    """httpx-sse on httpx."""
    from httpx_sse import aconnect_sse

    seen = 0
    async with (
        httpx.AsyncClient(verify=False, timeout=None) as client,
        aconnect_sse(client, "GET", url) as source,
    ):
        async for _ in source.aiter_sse():
            seen += 1
    assert seen == count, seen


async def httpx2_sse(url: str, count: int) -> None:
    """httpx2's own SSE."""
    import httpx2

    seen = 0
    async with (
        httpx2.AsyncClient(verify=False, timeout=None) as client,
        client.sse(url) as source,
    ):
        async for _ in source:
            seen += 1
    assert seen == count, seen


async def ours(family: Any, url: str, count: int) -> None:
    """open_stream on a client of the family."""
    seen = 0
    async with (
        family.AsyncClient(verify=False, timeout=None) as client,
        open_stream("GET", url, client=client) as rx,
    ):
        async for _ in rx:
            seen += 1
    assert seen == count, seen


async def hold(open_one: Callable[[str, trio.Event, trio.Event], Awaitable[None]], url: str, count: int) -> None:
    """Open `count` streams, hold them all open, close them."""


def candidates() -> dict[str, Candidate]:
    """What can be measured here."""
    found: dict[str, Candidate] = {
        "raw trio recv": raw_recv,
        "trio_stream on httpx": partial(ours, httpx),
    }
    if importlib.util.find_spec("httpx_sse"):
        found["httpx-sse on httpx"] = httpx_sse
    if importlib.util.find_spec("httpx2"):
        import httpx2

        found["httpx2's sse"] = httpx2_sse
        found["trio_stream on httpx2"] = partial(ours, httpx2)
    return found


async def measure(url: str, kind: str, count: int, rounds: int) -> dict[str, list[float]]:
    """CPU microseconds per event, by candidate and round."""
    named = candidates()
    figures: dict[str, list[float]] = {name: [] for name in named}
    for number in range(rounds + 1):
        names = list(named)
        shift = number % len(names)
        for name in names[shift:] + names[:shift]:
            start = time.process_time_ns()
            await named[name](f"{url}/{kind}/{count}", count)
            if number:  # the first round warms up
                figures[name].append((time.process_time_ns() - start) / count / 1000)
    return figures

if __name__=="__main__":
    import sys
    with running() as url:
        for kind,count in (("burst",64*300),("paced",1500)):
            f=trio.run(measure,url,kind,count,int(sys.argv[1]) if len(sys.argv)>1 else 7)
            base=f["httpx-sse on httpx"]
            for n,v in f.items(): print(kind,f"{n:26}{statistics.median(v):8.2f} us  x{statistics.median(a/b for a,b in zip(v,base)):5.2f} of httpx-sse", flush=True)
