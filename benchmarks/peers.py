"""The event stream decoders that we compare with, each run as its library runs it, without I/O.

A reader takes the pieces of a body and returns its events. Each is built only when its library is
installed. What is imported is private to the libraries: none of them offers a decoder apart from
its HTTP client.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from trio_stream.framing import SSEParser

__all__ = ["BASE", "OURS", "Reader", "readers"]

Reader = Callable[[Sequence[bytes]], Sequence[Any]]

OURS = "trio_stream"
BASE = "httpx-sse"


def readers() -> dict[str, Reader]:
    """What can be measured here, by name; ours and the base come first."""
    makers = {
        BASE: _httpx_sse,
        "httpx2": _httpx2,
        "anthropic": _anthropic,
        "openai": _openai,
        "launchdarkly": _launchdarkly,
    }
    found: dict[str, Reader] = {OURS: read_with_ours}
    for name, make in makers.items():
        try:
            found[name] = make()
        except ImportError:
            continue
    return found


def read_with_ours(chunks: Iterable[bytes]) -> list[Any]:
    """Our parser."""
    parser = SSEParser()
    events: list[Any] = []
    for chunk in chunks:
        events += parser.feed(chunk)
    events += parser.close()
    return events


def split_lines(chunks: Iterable[bytes]) -> list[Any]:
    """A floor: no parser in Python is faster than splitting the pieces into lines."""
    return [chunk.split(b"\n") for chunk in chunks]


def search_bytes(chunks: Iterable[bytes]) -> list[Any]:
    """A floor: each byte is looked at once, by memchr."""
    return [chunk.find(b"\0") for chunk in chunks]


def _httpx_sse() -> Reader:
    httpx: Any = importlib.import_module("httpx._decoders")
    httpx_sse: Any = importlib.import_module("httpx_sse._decoders")

    def read(chunks: Sequence[bytes]) -> list[Any]:
        to_text = httpx.TextDecoder("utf-8")
        to_lines = httpx_sse.SSELineDecoder()
        decoder = httpx_sse.SSEDecoder()
        events: list[Any] = []

        def decode(lines: list[str]) -> None:
            for line in lines:
                event = decoder.decode(line.rstrip("\n"))
                if event is not None:
                    events.append(event)

        for chunk in chunks:
            text = to_text.decode(chunk)
            if text:
                decode(to_lines.decode(text))
        decode(to_lines.flush())
        return events

    return read


def _httpx2() -> Reader:
    httpx2: Any = importlib.import_module("httpx2._decoders")
    sse: Any = importlib.import_module("httpx2._sse")

    def read(chunks: Sequence[bytes]) -> list[Any]:
        to_text = httpx2.TextDecoder("utf-8")
        parser = sse._SSEParser()
        events: list[Any] = []
        for chunk in chunks:
            text = to_text.decode(chunk)
            if text:
                events += parser.decode(text)
        events += parser.flush()
        return events

    return read


def _anthropic() -> Reader:
    streaming: Any = importlib.import_module("anthropic._streaming")
    return lambda chunks: list(streaming.SSEDecoder().iter_bytes(iter(chunks)))


def _openai() -> Reader:
    streaming: Any = importlib.import_module("openai._streaming")
    return lambda chunks: list(streaming.SSEDecoder().iter_bytes(iter(chunks)))


def _launchdarkly() -> Reader:
    reader: Any = importlib.import_module("ld_eventsource.reader")

    def read(chunks: Sequence[bytes]) -> list[Any]:
        lines = reader._BufferedLineReader.lines_from(chunks)
        return list(reader._SSEReader(lines).events_and_comments())

    return read
