from typing import ClassVar

import trio

from trio_stream import LimitExceededError, open_stream
from trio_stream.framing import Framing, Parser
from trio_stream.testing import Head, Send, check_parser, serve


class NamesParser(Parser[str]):
    """Names that end in NUL, as ``find -print0`` writes them."""

    def __init__(self, max_event_bytes):
        self._max_event_bytes = max_event_bytes
        self._rest = bytearray()
        self._truncated = False

    @property
    def truncated(self):
        return self._truncated

    def feed(self, data):
        names = []
        for index, piece in enumerate(data.split(b"\0")):
            if index > 0:  # a NUL stands before it
                names.append(self._rest.decode("utf-8", "replace"))
                self._rest.clear()
            self._rest += piece
            if len(self._rest) > self._max_event_bytes:
                raise LimitExceededError(
                    f"a name grew past max_event_bytes={self._max_event_bytes}",
                    limit="max_event_bytes",
                    frames=names,
                )
        return names

    def close(self):
        self._truncated = self._truncated or len(self._rest) > 0
        self._rest.clear()
        return []


class Names(Framing[str]):
    media_types: ClassVar = ("text/x-names",)

    def parser(self, *, last_event_id="", max_line_bytes=2**26, max_event_bytes=2**26):
        return NamesParser(max_event_bytes)


def check_names():
    def make():
        return Names().parser(max_event_bytes=8)

    check_parser(make, b"one\0two\0", ["one", "two"], ends=[4, 8], truncated=False)
    check_parser(make, "smörgås\0".encode(), [], raises=LimitExceededError)
    check_parser(make, b"one\0\0tw", ["one", ""], truncated=True)


async def main():
    check_names()
    async with serve([Head(content_type="text/x-names"), Send(b"one\0two\0")]) as server:
        async with open_stream("GET", server.url, framing=Names()) as rx:
            async for name in rx:
                print(name)


trio.run(main)
