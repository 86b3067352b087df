import trio

from trio_stream import open_stream
from trio_stream.testing import Event, Send, Stall, serve


async def stop(url, way):
    """Take one event of a feed that has sent two, then stop."""
    with trio.CancelScope() as scope:
        async with open_stream("GET", url) as rx:
            taken = [await rx.receive()]
            match way:
                case "finish":
                    rx.finish()
                    taken += [event async for event in rx]
                case "aclose":
                    await rx.aclose()
                case "cancel":
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
    print(f"{way}: {len(taken)} taken, {rx.outcome.items} received, {rx.outcome.ending}")


async def until_told(url, told):
    """Work on until another task says that it is enough."""

    async def finish_when_told():
        await told.wait()
        rx.finish()

    async with open_stream("GET", url, reconnect="always") as rx, trio.open_nursery() as nursery:
        nursery.start_soon(finish_when_told)
        async for event in rx:
            print("done with", event.data)
            if event.data == "two":
                told.set()  # as a signal handler would
    print(rx.outcome.ending)


async def main():
    two_events = Send(b"data: one\n\ndata: two\n\n")
    async with serve([two_events, Stall()]) as server:
        for way in ("finish", "aclose", "cancel"):
            await stop(server.url, way)
    async with serve([Event("one", id="1"), Event("two", id="2"), Stall()]) as server:
        await until_told(server.url, trio.Event())


trio.run(main)
