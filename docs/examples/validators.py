import attrs
import trio
from cattrs.preconf.json import make_converter

from trio_stream import open_stream
from trio_stream.testing import Event, serve


@attrs.define
class Scanned:
    parcel: str
    weight: float


# A converter that is laxer than we are: it makes a float of "2.5".
converter = make_converter()


def lax(payload: bytes) -> Scanned:
    return converter.loads(payload, Scanned)


def first_word(payload: bytes) -> str:
    return payload.decode().partition(" ")[0]


async def main():
    async with serve([Event({"parcel": "P1", "weight": "2.5"})]) as server:
        async with open_stream("GET", server.url, item=lax) as rx:
            print(await rx.result())

    async with serve([Event("no JSON at all")]) as server:
        async with open_stream("GET", server.url, item=first_word) as rx:
            print(await rx.result())


trio.run(main)
