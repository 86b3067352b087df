import socket
import tempfile
from pathlib import Path
from typing import TypedDict

import httpx
import trio

from trio_stream import open_stream
from trio_stream.framing import NDJSON
from trio_stream.transport import TrioTransport


class ContainerEvent(TypedDict):
    Type: str
    Action: str


async def print_events(path):
    async with httpx.AsyncClient(
        transport=TrioTransport(uds=path), base_url="http://docker"
    ) as client:
        async with open_stream(
            "GET", "/events", client=client, item=ContainerEvent, framing=NDJSON()
        ) as rx:
            async for event in rx:
                print(event["Type"], event["Action"])


ANSWER = b"""HTTP/1.1 200 OK\r
Content-Type: application/json\r
Connection: close\r
\r
{"Type": "container", "Action": "create"}
{"Type": "container", "Action": "start"}
"""


async def answer(stream):
    """Stand in for the Docker daemon."""
    print((await stream.receive_some()).partition(b"\r")[0].decode())
    await stream.send_all(ANSWER)
    await stream.aclose()


async def main():
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "docker.sock")
        listening = trio.socket.socket(socket.AF_UNIX)
        await listening.bind(path)
        listening.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, answer, [trio.SocketListener(listening)])
            await print_events(path)  # with Docker: "/var/run/docker.sock"
            nursery.cancel_scope.cancel()


trio.run(main)
