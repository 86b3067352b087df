"""Print a table: responses that are no HTTP/1.1, or not whole, and where that is found out."""

import csv
import sys

import httpx
import trio

from trio_stream.testing import Raw, serve
from trio_stream.transport import TrioTransport

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FAULTS = [
    ("Lines that end in a bare LF", "RFC 9112, 2.2", b"HTTP/1.1 200 OK\n\n"),
    ("A field that goes on in the next line", "RFC 9112, 5.2", OK + b"A: b\r\n c\r\n\r\n"),
    ("White space in front of a colon", "RFC 9112, 5.1", OK + b"A : b\r\n\r\n"),
    ("Control characters", "RFC 9112, 4", b"HTTP/1.1 200 O\0K\r\n\r\n"),
    ("A length that is none", "RFC 9112, 6.2", OK + b"Content-Length: +2\r\n\r\nok"),
    ("Two lengths", "RFC 9112, 6.3", OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok"),
    (
        "A length and chunks",
        "RFC 9112, 6.3",
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    (
        "Another coding than chunks",
        "RFC 9112, 6.1",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    ),
    ("The size of a chunk is none", "RFC 9112, 7.1", CHUNKED + b"+2\r\nok\r\n0\r\n\r\n"),
    ("A chunk is longer than its size", "RFC 9112, 7.1", CHUNKED + b"1\r\nok\r\n0\r\n\r\n"),
    ("Another version", "RFC 9112, 2.3", b"HTTP/2.0 200 OK\r\n\r\n"),
    ("Another protocol, unasked", "RFC 9110, 7.8", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    ("A head without end", "a limit", OK + b"A: b\r\n" * 20_000),
    ("A head of too many fields", "a limit", OK + b"A: b\r\n" * 200 + b"\r\n"),
    ("Chunk extensions without end", "a limit", CHUNKED + b"2;" + b"x" * 100_000),
    ("Nothing at all", "RFC 9112, 8", b""),
    ("Half a body", "RFC 9112, 8", OK + b"Content-Length: 3\r\n\r\nok"),
    ("Half of the chunks", "RFC 9112, 8", CHUNKED + b"2\r\nok\r\n"),
]


async def refused_at(client, url):
    """Where a response is found out, and what had come of its body."""
    body = b""
    try:
        async with client.stream("GET", url) as response:
            async for piece in response.aiter_raw():
                body += piece
    except httpx.RemoteProtocolError:
        return f"behind ``{body.decode()}``" if body else "in front of the body"
    raise AssertionError("it was accepted")


async def main():
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["what is refused", "by", "where"])
    scripts = [[Raw(response)] for _, _, response in FAULTS]
    transport = TrioTransport(max_keepalive=0)
    async with serve(scripts) as server, httpx.AsyncClient(transport=transport) as client:
        for what, rule, _ in FAULTS:
            table.writerow([what, rule, await refused_at(client, server.url)])


trio.run(main)
