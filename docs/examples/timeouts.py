import trio
from trio.testing import MockClock

from trio_stream import StreamConfig, StreamTimeoutError, open_stream
from trio_stream.testing import Event, Head, Ping, Stall, Wait, memory_client

PINGS = [step for _ in range(1000) for step in (Wait(10), Ping())]
EVENTS = [step for _ in range(1000) for step in (Wait(10), Event("more"))]

CASES = [
    ("no response head", [Stall()], {"headers_timeout": 30}),
    ("then nothing", [Head(), Stall()], {"idle_timeout": 64}),
    ("an event, then nothing", [Event("one"), Stall()], {"idle_timeout": 64}),
    ("an event, then pings", [Event("one"), *PINGS], {"idle_timeout": 64, "stall_timeout": 160}),
    ("events for ever", EVENTS, {"idle_timeout": 64, "stall_timeout": 160, "timeout": 600}),
]


async def main():
    for name, script, timeouts in CASES:
        async with memory_client(script) as (client, server):
            start = trio.current_time()
            try:
                config = StreamConfig(**timeouts)
                async with open_stream("GET", server.url, client=client, config=config) as rx:
                    async for _ in rx:
                        pass
            except StreamTimeoutError as error:
                seconds = trio.current_time() - start
                print(f"{name}: {error.layer} after {seconds:g} s, {error.outcome.items} items")


async def slow_consumer():
    config = StreamConfig(idle_timeout=5, stall_timeout=5)
    async with memory_client([Event("one"), Event("two")]) as (client, server):
        async with open_stream("GET", server.url, client=client, config=config) as rx:
            async for _ in rx:
                await trio.sleep(3600)
    print("a slow consumer:", rx.outcome.ending)


# A mock clock makes these hours pass in a moment.
trio.run(main, clock=MockClock(autojump_threshold=0))
trio.run(slow_consumer, clock=MockClock(autojump_threshold=0))
