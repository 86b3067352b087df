"""Wait until a parcel is delivered."""

from typing import Literal

import attrs

from trio_stream import StreamConfig, open_stream

CONFIG = StreamConfig(idle_timeout=60, stall_timeout=3600)


@attrs.define
class Scanned:
    kind: Literal["scanned"]
    parcel: str
    place: str


@attrs.define
class Delivered:
    kind: Literal["delivered"]
    parcel: str
    signed_by: str


async def wait_for_delivery(client, url, parcel):
    """Return who signed for the parcel."""
    async with open_stream(
        "GET", url, client=client, item=Scanned | Delivered, config=CONFIG
    ) as rx:
        async for item in rx:
            if item.parcel == parcel and item.kind == "delivered":
                return item.signed_by
    raise LookupError(f"the feed ended before {parcel} was delivered")
