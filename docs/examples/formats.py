import attrs
import trio

from trio_stream import Comment, NotAStreamError, open_stream
from trio_stream.framing import NDJSON, SSE, RawBytes
from trio_stream.testing import Event, Head, Ping, Send, serve


@attrs.define
class Line:
    n: int


async def by_content_type(url):
    async with open_stream("GET", url, item=Line) as rx:
        print(rx.response.content_type, await rx.result())


async def labelled_as_json(url):
    try:
        async with open_stream("GET", url, item=Line):
            pass
    except NotAStreamError as error:
        print(error.args[0].partition(" (")[0])

    async with open_stream("GET", url, item=Line, framing=NDJSON()) as rx:
        print(await rx.result())


async def raw(url):
    size = 0
    async with open_stream("GET", url, framing=RawBytes()) as rx:
        async for chunk in rx:
            size += len(chunk)
    print(size, "bytes")


async def with_comments(url):
    async with open_stream("GET", url, framing=SSE(comments=True)) as rx:
        async for frame in rx:
            print("ping" if isinstance(frame, Comment) else frame.data)


async def main():
    lines = Send(b'{"n": 1}\n{"n": 2}\n{"n": 3}')
    records = Send(b'\x1e{"n": 1}\n\x1e{"n": 2}\n')
    for function, script in [
        (by_content_type, [Head(content_type="application/x-ndjson"), lines]),
        (by_content_type, [Head(content_type="application/json-seq"), records]),
        (labelled_as_json, [Head(content_type="application/json"), lines]),
        (raw, [Head(content_type="application/pdf"), Send(b"%PDF-1.7")]),
        (with_comments, [Event("one"), Ping(), Event("two")]),
    ]:
        async with serve(script) as server:
            await function(server.url)


trio.run(main)
