import trio
from trio.testing import MockClock

from trio_stream import LimitExceededError, StreamLimiter, open_stream
from trio_stream.testing import Event, Wait, memory_client


async def read(name, client, url, limiter):
    start = trio.current_time()
    try:
        async with open_stream("GET", url, client=client, limiter=limiter) as rx:
            await rx.result()
    except LimitExceededError as error:
        print(f"{name}: {error.limit} after {trio.current_time() - start:.0f} s")
    else:
        print(f"{name}: had waited {trio.current_time() - start - 10:.0f} s")


async def main():
    limiter = StreamLimiter(2, max_waiting=2, max_wait=15)
    async with memory_client([Event("one"), Wait(10)]) as (client, server):
        async with trio.open_nursery() as nursery:
            for name in "abcde":
                nursery.start_soon(read, name, client, server.url, limiter)
                await trio.sleep(1)
            print(limiter.statistics().in_use, "open,", limiter.statistics().waiting, "wait")


trio.run(main, clock=MockClock(autojump_threshold=0))
