import httpx
import trio

from trio_stream import open_stream
from trio_stream.testing import Event, serve


async def main():
    # The scripted server stands in for the proxy.
    async with serve([Event("through the proxy")]) as proxy:
        async with httpx.AsyncClient(proxy=proxy.url) as client:
            async with open_stream("GET", "http://feed.example/events", client=client) as rx:
                async for event in rx:
                    print(event.data)
    print(proxy.requests[0].target)


trio.run(main)
