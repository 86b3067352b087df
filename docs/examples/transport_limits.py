import httpx
import trio

from trio_stream import StreamConfig, StreamTimeoutError, open_stream
from trio_stream.testing import Event, Stall, serve
from trio_stream.transport import TrioTransport


async def main():
    transport = TrioTransport(max_per_host=1)
    async with (
        serve([Event("one"), Stall()]) as server,
        httpx.AsyncClient(transport=transport) as client,
        open_stream("GET", server.url, client=client) as rx,
    ):
        print((await rx.receive()).data, transport.statistics())

        config = StreamConfig(connect_timeout=0.01)
        try:
            async with open_stream("GET", server.url, client=client, config=config):
                pass
        except StreamTimeoutError as error:
            print("the stream:", error.layer, "timeout,", error)

        try:
            await client.get(server.url, timeout=httpx.Timeout(5, pool=0.01))
        except httpx.PoolTimeout as error:
            print("the client:", type(error).__name__)

    print(transport.statistics())


trio.run(main)
