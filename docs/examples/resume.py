import json

import trio
from trio.testing import MockClock

from trio_stream import LastEventID, Restarted, StreamConfig, event_source, stream_with_retry
from trio_stream.testing import Event, Feed, Head, Reset, Wait, first, memory_client

FIRST = [Event("one", id="1"), Event("two", id="2"), Reset()]


async def watch(url, client):
    """Print each event, whatever the connection does."""
    config = StreamConfig(
        max_retries=-1,
        on_error=lambda error: print(f"  [{error.error_type.value}]"),
        on_reconnect=lambda attempt, delay: print(f"  [retry {attempt}, within {delay:.0f} s]"),
        on_connect=lambda: print("  [connected]"),
        jitter=False,
    )
    async with stream_with_retry("GET", url, client=client, config=config) as rx:
        async for event in rx:
            print(event.data)
    print(rx.outcome.ending, rx.outcome.attempts, "attempts, last ID", rx.outcome.last_event_id)


async def find_gaps(url, client):
    """Tell what never came, of a feed that counts its events."""
    config = StreamConfig(on_gap=lambda expected, got: print(f"  [{expected} to {got - 1} lost]"))
    cursor = LastEventID(consecutive=True)
    async with stream_with_retry("GET", url, client=client, cursor=cursor, config=config) as rx:
        async for event in rx:
            print(event.id)
    outcome = rx.outcome
    print(outcome.missing_items, "missing,", outcome.duplicate_items, "came twice")


async def keep_a_board(url, client):
    """Keep the newest place of each parcel. The feed cannot go on: it begins with all of them."""
    places = {}
    async with stream_with_retry("GET", url, client=client, reconnect="always") as rx:
        async for item in rx:
            if isinstance(item, Restarted):
                print(places, item)
                places = {}
            else:
                places |= json.loads(item.data)
    print(places)


async def subscribe(url, client):
    """Watch a feed as a browser would."""
    start = trio.current_time()
    async with event_source(url, client=client) as rx:
        async for event in rx:
            print(event.data, f"after about {round(trio.current_time() - start, -1):.0f} s")
    print(rx.outcome.ending)


async def main():
    board = [[Event({"P1": "Oslo", "P2": "Bergen"}), Reset()], [Event({"P1": "Voss"})], [Head(204)]]
    lossy = [Event("", id="1"), Wait(1), Event("", id="2"), Wait(1), Event("", id="5"), Reset()]
    overlapping = [Event("", id=number) for number in ("2", "5", "6")]
    rotating = [[Event("one", id="1", retry=30_000), Wait(60)], [Event("two", id="2")], [Head(204)]]
    for function, plan in [
        (watch, first([FIRST, Head(503)], then=Feed(4))),
        (find_gaps, [lossy, overlapping]),
        (keep_a_board, board),
        (subscribe, rotating),
    ]:
        print("--", function.__name__)
        async with memory_client(plan) as (client, server):
            await function(server.url, client)
            print([request.headers.get("last-event-id") for request in server.requests])


# A mock clock makes the waits pass in a moment.
trio.run(main, clock=MockClock(autojump_threshold=0))
