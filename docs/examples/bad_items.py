import attrs
import trio

from trio_stream import BadItemError, StreamConfig, open_stream
from trio_stream.testing import Event, Send, serve


@attrs.define
class Scanned:
    parcel: str
    weight: float


async def stop_at_the_first(url):
    try:
        async with open_stream("GET", url, item=Scanned) as rx:
            async for scan in rx:
                print(scan)
    except BadItemError as error:
        print("BadItemError:", error)


async def skip_them(url):
    config = StreamConfig(on_bad_item="skip")
    async with open_stream("GET", url, item=Scanned, config=config) as rx:
        scans = await rx.result()
    print(len(scans), "good,", rx.outcome.skipped_items, "skipped,", rx.outcome.ending)


async def keep_them(url):
    bad = []
    config = StreamConfig(on_bad_item=bad.append)
    async with open_stream("GET", url, item=Scanned, config=config) as rx:
        await rx.result()
    for error in bad:
        print(error.path, error.raw)


async def main():
    script = [
        Event({"parcel": "P1", "weight": 2.5}),
        Event({"parcel": "P2", "weight": "heavy"}),
        Event({"parcel": "P3"}),
        Send(b"data: {broken\n\n"),
        Event({"parcel": "P5", "weight": 1}),
    ]
    async with serve(script) as server:
        for way in (stop_at_the_first, skip_them, keep_them):
            print(f"-- {way.__name__}")
            await way(server.url)


trio.run(main)
