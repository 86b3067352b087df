import attrs
import trio

from trio_stream import StreamConfig, StreamError, open_stream
from trio_stream.testing import Event, Reset, Send, Stall, serve


@attrs.define
class Scanned:
    parcel: str
    place: str


async def look_on_the_way(url):
    async with open_stream("GET", url, item=Scanned) as rx:
        async for _ in rx:
            print([scan.place for scan in rx.snapshot()])
            if len(rx.snapshot()) == 2:
                break


async def all_or_what_there_is(url):
    try:
        async with open_stream("GET", url, item=Scanned) as rx:
            scans = await rx.result()
    except StreamError as error:
        scans = error.outcome.value
        print("not whole, since", type(error).__name__)
    print([scan.place for scan in scans])


async def tell_each_outcome(url):
    def tell(outcome):
        print(outcome.ending, outcome.items, "items")

    with trio.move_on_after(0.1):
        async with open_stream("GET", url, config=StreamConfig(on_outcome=tell)) as rx:
            async for _ in rx:
                pass


async def more_than_was_delivered(url):
    async with open_stream("GET", url, item=Scanned) as rx:
        await rx.receive()
    print(rx.outcome.ending, len(rx.snapshot()), "delivered,", len(rx.outcome.value), "received")


async def main():
    places = Send(
        b'data: {"parcel": "P1", "place": "Oslo"}\n\ndata: {"parcel": "P1", "place": "Bergen"}\n\n'
    )
    last = Event({"parcel": "P1", "place": "Voss"})
    scripts = [
        (look_on_the_way, [places, last]),
        (all_or_what_there_is, [places, last]),
        (all_or_what_there_is, [places, last, Reset()]),
        (tell_each_outcome, [places, Stall()]),
        (more_than_was_delivered, [places, Stall()]),
    ]
    for function, script in scripts:
        print(f"-- {function.__name__}")
        async with serve(script) as server:
            await function(server.url)


trio.run(main)
