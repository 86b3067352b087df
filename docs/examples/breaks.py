import trio
from trio.testing import MockClock

from trio_stream import StreamConfig, stream_with_retry
from trio_stream.checkpoints import MemoryCheckpoints
from trio_stream.testing import Busy, Event, Reset, memory_client

CONFIG = StreamConfig(
    max_retries=-1,
    on_reconnect=lambda attempt, delay: print(f"[retry {attempt}]"),
)


async def watch(url, client, store):
    """Show each parcel, whatever the connection does."""
    async with stream_with_retry("GET", url, client=client, config=CONFIG, checkpoints=store) as rx:
        async for event in rx:
            print(event.data)
    print(rx.outcome.ending, "requests:", rx.outcome.attempts)


async def main():
    # One script for each request. FileCheckpoints("parcels.json") would outlive the program.
    store = MemoryCheckpoints()
    scripts = [
        [Event("P1 in Oslo", id="1"), Event("P2 in Bergen", id="2"), Reset()],
        Busy(503),
        [Event("P3 in Voss", id="3")],
        [Event("P4 in Oslo", id="4")],
    ]
    async with memory_client(scripts) as (client, server):
        await watch(server.url, client, store)
        print("-- the next day")
        await watch(server.url, client, store)
        print([request.headers.get("last-event-id") for request in server.requests])


# A clock on which waits take no time. With a real server: trio.run(main).
trio.run(main, clock=MockClock(autojump_threshold=0))
