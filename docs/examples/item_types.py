import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypedDict

import attrs
import trio

from trio_stream import open_stream
from trio_stream.testing import Event, serve


class Carrier(enum.Enum):
    POST = "post"
    BIKE = "bike"


class Position(TypedDict):
    lat: float
    lon: float


@attrs.define
class Scanned:
    kind: Literal["scanned"]
    parcel: str
    at: datetime
    carrier: Carrier
    position: Position | None = None


@dataclass
class Delivered:
    kind: Literal["delivered"]
    parcel: str
    signatures: list[str] = field(default_factory=list)


async def watch(url):
    async with open_stream("GET", url, item=Scanned | Delivered) as rx:
        async for item in rx:
            print(item)


async def main():
    script = [
        Event(
            {
                "kind": "scanned",
                "parcel": "P1",
                "at": "2026-03-01T12:00:00Z",
                "carrier": "bike",
                "position": {"lat": 60, "lon": 5.3},
                "a key that Scanned does not have": "is ignored",
            }
        ),
        Event({"kind": "delivered", "parcel": "P1", "signatures": ["Ada", "Bob"]}),
    ]
    async with serve(script) as server:
        await watch(server.url)


trio.run(main)
