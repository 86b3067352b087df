import msgspec
import pydantic
import trio

from trio_stream import BadItemError, open_stream
from trio_stream.testing import Event, serve


class Scanned(pydantic.BaseModel):
    parcel: str
    weight: float = pydantic.Field(gt=0)


class Delivered(msgspec.Struct):
    parcel: str
    signed_by: str


ITEMS = {
    "scanned": Scanned.model_validate_json,
    "delivered": msgspec.json.Decoder(Delivered).decode,
}


async def main():
    script = [
        Event({"parcel": "P1", "weight": 2.5}, event="scanned"),
        Event({"parcel": "P1", "signed_by": "Ada"}, event="delivered"),
        Event({"parcel": "P2", "weight": -1}, event="scanned"),
    ]
    async with serve(script) as server:
        try:
            async with open_stream("GET", server.url, item=ITEMS) as rx:
                async for item in rx:
                    print(repr(item))
        except BadItemError as error:
            print(type(error.original_exception).__name__, "in", error.raw)


trio.run(main)
