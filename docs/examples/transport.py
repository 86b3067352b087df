import httpx
import httpx2
import trio

from trio_stream import open_stream
from trio_stream.testing import Event, serve
from trio_stream.transport import TrioTransport


async def main():
    async with serve([Event("one"), Event("two")]) as server:
        for http in (httpx, httpx2):
            transport = TrioTransport(max_connections=1000)
            async with http.AsyncClient(
                transport=transport, base_url=server.url, auth=("ada", "secret")
            ) as client:
                for path in ("/parcels", "/trucks"):
                    async with open_stream("GET", path, client=client) as rx:
                        print(path, len(await rx.result()), "events")
                await client.get("/status")
                print(transport.statistics())

        for request in server.requests:
            print(request.target, request.headers["authorization"], "on", request.connection)


trio.run(main)
