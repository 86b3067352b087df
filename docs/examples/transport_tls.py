import ssl
from functools import partial

import httpx
import trio
import trustme

from trio_stream import StreamError, open_stream
from trio_stream.transport import TrioTransport

AUTHORITY = trustme.CA()  # stands in for that of a company


async def read(url, **options):
    async with httpx.AsyncClient(transport=TrioTransport(**options)) as client:
        try:
            async with open_stream("GET", url, client=client) as rx:
                print(await rx.result())
        except StreamError as error:
            print(str(error).partition(" (_ssl")[0])  # a line of CPython's source


ANSWER = b"""HTTP/1.1 200 OK\r
Content-Type: application/x-ndjson\r
Content-Length: 12\r
\r
"one"
"two"
"""


async def answer(stream):
    try:
        await stream.receive_some()
        await stream.send_all(ANSWER)
        await stream.receive_some()
    except trio.BrokenResourceError:
        pass  # who does not trust a server hangs up


async def main():
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)  # with a file: context.load_verify_locations("ca.pem")

    async with trio.open_nursery() as nursery:
        server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        AUTHORITY.issue_cert("localhost").configure_cert(server_side)
        serve = partial(trio.serve_ssl_over_tcp, host="127.0.0.1")
        (listener,) = await nursery.start(serve, answer, 0, server_side)
        port = listener.transport_listener.socket.getsockname()[1]

        await read(f"https://localhost:{port}", verify=context)
        await read(f"https://localhost:{port}")
        await read(f"https://127.0.0.1:{port}", verify=context)
        nursery.cancel_scope.cancel()


trio.run(main)
