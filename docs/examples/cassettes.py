import tempfile
from pathlib import Path

import trio
from trio.testing import MockClock

from trio_stream import StreamError, open_stream
from trio_stream.testing import (
    Cassette,
    Event,
    Reset,
    Scrubber,
    Wait,
    memory_client,
    memory_transport,
    recording,
    serve_memory,
)

SCRIPT = [Event("one"), Wait(240), Event("two"), Reset()]


async def read(client, url):
    try:
        async with open_stream(
            "GET", f"{url}/events?key=secret-key", client=client, headers={"x-desk": "desk-4711"}
        ) as rx:
            async for event in rx:
                print(f"{trio.current_time():.0f} s: {event.data}")
    except StreamError as error:
        print(error.outcome.ending, "with", len(error.outcome.value), "events")


async def record(path):
    # A transport of httpx would do; this one is connected to a script.
    async with serve_memory(SCRIPT) as server:
        transport = memory_transport(server.connect, "httpx")
        scrubber = Scrubber(names=["x-desk"])
        async with recording(
            path, family="httpx", transport=transport, scrubber=scrubber
        ) as client:
            await read(client, server.url)


async def replay(path):
    async with memory_client(Cassette.load(path).plan()) as (client, server):
        await read(client, server.url)


def show(path):
    """What is kept, without the headers that the libraries add."""
    for exchange in Cassette.load(path).exchanges:
        print(exchange.request.method, exchange.request.url)
        print(dict(exchange.request.headers)["x-desk"])
        for chunk in exchange.chunks:
            print(f"{chunk.at:.3f} s:", chunk.data)
        print(f"{exchange.end.at:.3f} s:", exchange.end.end)


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "outage.jsonl")
    for function in (record, replay):
        print("--", function.__name__)
        trio.run(function, path, clock=MockClock(autojump_threshold=0))
    print("-- show")
    show(path)
