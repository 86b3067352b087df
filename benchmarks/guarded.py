"""What the guard counts: the hot paths, each without I/O, run for a number of events.

As a program it runs each, and each case of `lengths`, for valgrind. ``getppid`` marks where a run
begins and ends: valgrind is told to write its counts, and to begin at 0, when that is called.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import httpx
import trio

from trio_stream import open_stream
from trio_stream.dialects import AnthropicMessages, OpenAIChat
from trio_stream.framing import SSEParser
from trio_stream.items import item_decoder
from trio_stream.partial_json import PartialJSON

from .answers import anthropic_answer, openai_chat_answer
from .candidates import BlockDelta
from .documents import SHAPES, fragments_of
from .lengths import LENGTHS, LONG, SHORT, Run
from .server import EVENT
from .workloads import anthropic_text

__all__ = ["PATHS", "Work", "main", "runs", "sizes"]

Work: TypeAlias = Callable[[int], object]
"""Does the work for so many events, and returns what is left of it."""

PIECE = 1400
"""Bytes in a piece: what a packet holds."""


def parse_each() -> Work:
    """The parser of server-sent events, an event to a piece."""
    blocks = anthropic_text(100).blocks

    def work(count: int) -> object:
        parser = SSEParser()
        events: list[Any] = []
        for block in itertools.islice(itertools.cycle(blocks), count):
            events += parser.feed(block)
        return events

    return work


def parse_large() -> Work:
    """The same, 100 events to a piece."""
    blocks = anthropic_text(100).blocks
    body = b"".join(blocks)

    def work(count: int) -> object:
        parser = SSEParser()
        events: list[Any] = []
        for _ in range(count // len(blocks)):
            events += parser.feed(body)
        return events

    return work


def decode_items() -> Work:
    """Events into items of an attrs class."""
    frames = SSEParser().feed(EVENT) * 10
    fresh = item_decoder(BlockDelta)

    def work(count: int) -> object:
        items: list[Any] = []
        for _ in range(count // len(frames)):
            fresh.decode(frames, items)
        return items

    return work


def assemble(dialect: Any, answer: bytes) -> Work:
    """The answer of a model, from bytes to the message; as many answers as have so many events."""
    pieces = [answer[start : start + PIECE] for start in range(0, len(answer), PIECE)]
    events = answer.count(b"\n\n")

    def work(count: int) -> object:
        messages: list[Any] = []
        for _ in range(count // events):
            parser = dialect.framing.parser()
            decoder, assembler = dialect.decoder(), dialect.assembler()
            for piece in pieces:
                items: list[Any] = []
                decoder.decode(parser.feed(piece), items)
                for item in items:
                    assembler.fold(item)
            decoder.close()
            messages.append(assembler.snapshot())
        return messages

    return work


def read_fragments() -> Work:
    """The arguments of a call in fragments, looked at after each; a fragment counts as an event."""
    fragments = fragments_of(SHAPES["small objects"](2000), 4, 4)[:400]

    def work(count: int) -> object:
        values: list[Any] = []
        for _ in range(count // len(fragments)):
            parser = PartialJSON()
            for fragment in fragments:
                parser.feed(fragment)
                values.append(parser.snapshot())
        return values

    return work


class _Pieces(httpx.AsyncByteStream):
    """A body that lets others run before each piece, as a socket does."""

    def __init__(self, piece: bytes, count: int) -> None:
        self._piece = piece
        self._left = count

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return self._piece


class _Transport(httpx.AsyncBaseTransport):
    """Answers each request with such a body."""

    def __init__(self, piece: bytes, count: int) -> None:
        self._piece = piece
        self._count = count

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        head = {"content-type": "text/event-stream"}
        return httpx.Response(200, headers=head, stream=_Pieces(self._piece, self._count))


def whole_stream(per_piece: int) -> Work:
    """`open_stream` on a client whose transport has the body in memory."""

    async def read(count: int) -> int:
        transport = _Transport(EVENT * per_piece, count // per_piece)
        async with httpx.AsyncClient(transport=transport, verify=False, trust_env=False) as client:
            seen = 0
            async with open_stream("GET", "http://test/", client=client) as events:
                async for _ in events:
                    seen += 1
            return seen

    def work(count: int) -> object:
        # Trio shuffles what is runnable at the same time; here, always in the same way.
        importlib.import_module("trio._core._run")._r.seed(0)
        seen = trio.run(read, count)
        assert seen == count, seen
        return seen

    return work


def _events_of(answer: Callable[[int], bytes]) -> tuple[bytes, int]:
    body = answer(60)
    return body, body.count(b"\n\n")


_ANTHROPIC, _ANTHROPIC_EVENTS = _events_of(anthropic_answer)
_OPENAI, _OPENAI_EVENTS = _events_of(openai_chat_answer)

PATHS: Mapping[str, tuple[Callable[[], Work], int]] = {
    "SSEParser, 1 event to a piece": (parse_each, 200),
    "SSEParser, 100 events to a piece": (parse_large, 400),
    "ItemDecoder": (decode_items, 200),
    "message, AnthropicMessages": (
        lambda: assemble(AnthropicMessages(), _ANTHROPIC),
        _ANTHROPIC_EVENTS,
    ),
    "message, OpenAIChat": (lambda: assemble(OpenAIChat(), _OPENAI), _OPENAI_EVENTS),
    "PartialJSON": (read_fragments, 400),
    "open_stream, 1 event to a piece": (lambda: whole_stream(1), 200),
    "open_stream, 64 events to a piece": (lambda: whole_stream(64), 1280),
}
"""What makes the work of each path, and a number of events that it can do at a time."""


def sizes(name: str) -> list[int]:
    """For how many events a path, or a case of `lengths`, is run: pairs of a number and its double.

    The difference of the two is what as many events cost without the start.
    """
    counts = [SHORT, LONG] if name in LENGTHS else [PATHS[name][1]]
    return [times * count for count in counts for times in (1, 2)]


def runs(name: str) -> Iterator[Run]:
    """What is to be counted: a run of each size. What it needs is made when it is asked for."""
    if name in LENGTHS:
        make = LENGTHS[name]
        make(SHORT)()  # caches are filled by then
        yield from map(make, sizes(name))
        return
    work = PATHS[name][0]()
    work(sizes(name)[0])
    for size in sizes(name):
        yield partial(work, size)


def main(names: Sequence[str]) -> None:
    """Run each, with a mark before and after."""
    gc.disable()
    for name in names:
        for run in runs(name):
            os.getppid()
            run()
            os.getppid()


if __name__ == "__main__":
    main(sys.argv[1:])
