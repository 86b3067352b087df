import attrs
import trio

from trio_stream import BadItemError, UnknownEvent, open_stream
from trio_stream.testing import Event, serve


@attrs.define
class Scanned:
    parcel: str
    place: str
    weight: float | None = None


@attrs.define
class Delivered:
    parcel: str
    signed_by: str


async def watch(url):
    async with open_stream("GET", url, item={"scanned": Scanned, "delivered": Delivered}) as rx:
        async for item in rx:
            match item:
                case Scanned():
                    print(item.parcel, "is in", item.place)
                case Delivered():
                    print(item.parcel, "was signed for by", item.signed_by)
                case UnknownEvent():
                    print("what is this?", item.event, item.data)


async def main():
    script = [
        Event({"parcel": "P1", "place": "Oslo", "weight": 2}, event="scanned"),
        Event({"parcel": "P1", "signed_by": "Ada"}, event="delivered"),
        Event({"parcel": "P2"}, event="lost"),
        Event({"parcel": "P3", "place": 47}, event="scanned"),
    ]
    async with serve(script) as server:
        try:
            await watch(server.url)
        except BadItemError as error:
            print(error)
            print("at", error.path, "in", error.raw)


trio.run(main)
