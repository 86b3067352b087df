import attrs
import trio

from trio_stream import StreamError, open_stream
from trio_stream.testing import Event, Head, Reset, Send, Truncate, serve


@attrs.define
class Scanned:
    parcel: str
    place: str


async def track(url):
    try:
        async with open_stream("GET", url, item=Scanned) as rx:
            async for scan in rx:
                print("  seen in", scan.place)
        outcome = rx.outcome
    except StreamError as error:
        print(f"  {type(error).__name__}, {error.error_type}, retryable: {error.is_retryable}")
        outcome = error.outcome
    print(f"  {outcome.ending}, {outcome.items} items: {outcome.value}")


OSLO = Event({"parcel": "P1", "place": "Oslo"})
BERGEN = Event({"parcel": "P1", "place": "Bergen"})

SCRIPTS = {
    "a stream that ends well": [OSLO, BERGEN],
    "one that is cut off": [OSLO, BERGEN, Truncate()],
    "one whose connection breaks": [OSLO, BERGEN, Reset()],
    "none, since the server is too busy": [Head(503), Send(b"come back later")],
}


async def main():
    for name, script in SCRIPTS.items():
        print(f"{name}:")
        async with serve(script) as server:
            await track(server.url)


trio.run(main)
