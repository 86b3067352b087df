import httpx
import httpx2
import trio

from trio_stream import open_stream
from trio_stream.testing import Event, serve


async def two_streams(client):
    for path in ("/parcels", "/trucks"):
        async with open_stream("GET", path, client=client) as rx:
            print(path, rx.response.status_code, len(await rx.result()), "events")


async def main():
    async with serve([Event("one"), Event("two")]) as server:
        for http in (httpx, httpx2):
            async with http.AsyncClient(
                base_url=server.url,
                headers={"Authorization": "Bearer secret"},
                limits=http.Limits(max_connections=50, max_keepalive_connections=50),
            ) as client:
                await two_streams(client)

        for request in server.requests:
            print(request.target, request.headers["authorization"], "on", request.connection)


trio.run(main)
