import trio
from trio.testing import MockClock

from trio_stream import StreamConfig, stream_with_retry
from trio_stream.testing import (
    Busy,
    CutAt,
    CutEvent,
    Event,
    Feed,
    Instead,
    Late,
    Refuse,
    SplitEvery,
    StallAt,
    Swap,
    Truncate,
    faulty_in_turn,
    memory_client,
)


def show_a_script():
    """A fault makes a worse script of a script."""
    script = [Event("one"), Event("two")]
    for step in CutAt(14, "reset")(Swap(1, 2)(script)):
        print(step)


async def read(plan):
    """Read a stream to its end; return the numbers that came, and what it took."""
    config = StreamConfig(idle_timeout=60, max_retries=-1)
    async with memory_client(plan) as (client, server):
        async with stream_with_retry("GET", server.url, client=client, config=config) as rx:
            numbers = [int(event.data) async for event in rx]
    return numbers, rx.outcome


async def one_bad_hour():
    """One fault after the other, and the model of a server that goes on where it stopped."""
    feed = Feed(20)
    turns = [
        Instead(Refuse()),
        [Late(30), CutAt(100)],
        Instead(Busy(429, retry_after=20)),
        [CutEvent(3), SplitEvery(7, every=0.1)],
        StallAt(50),
        Instead(Truncate()),
    ]
    numbers, outcome = await read(faulty_in_turn(feed, turns))
    print(numbers == list(range(1, 21)), outcome.attempts, "requests")
    print(feed.asked)


async def cut_at_every_byte():
    """Nothing is lost and nothing comes twice, wherever the connection breaks."""
    length = sum(len(piece) for step in Feed(9).answer(None) for piece in step.pieces())
    for byte in range(length):
        feed = Feed(9, overlap=2)  # it sends the last two again
        numbers, _ = await read(faulty_in_turn(feed, [CutAt(byte, "reset")]))
        assert numbers == list(range(1, 10)), byte
    print(f"cut at each of {length} bytes")


async def main():
    show_a_script()
    await one_bad_hour()
    await cut_at_every_byte()


trio.run(main, clock=MockClock(autojump_threshold=0))
