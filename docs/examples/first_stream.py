import trio

from trio_stream import open_stream
from trio_stream.testing import Event, serve


async def watch(url):
    async with open_stream("GET", url) as rx:
        async for event in rx:
            print(event.id, event.event, event.data)
    print(rx.outcome.ending, rx.outcome.items, "items")


async def main():
    # A server to try it with. It plays this script, then ends the body.
    script = [
        Event({"parcel": "P1", "place": "Oslo"}, event="scanned", id="1"),
        Event({"parcel": "P1", "place": "Bergen"}, event="scanned", id="2"),
        Event({"parcel": "P1", "signed_by": "Ada"}, event="delivered", id="3"),
    ]
    async with serve(script) as server:
        await watch(server.url)


trio.run(main)
