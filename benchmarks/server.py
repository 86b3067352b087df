"""A server in a process of its own that sends events as fast, or as slowly, as the path says.

``/burst/N`` and ``/burst/N/SIZE``: N events (of SIZE bytes), up to 64 to a `send`, each in its own
HTTP chunk. ``/paced/N``: N events, one to a `send`, with a pause after each, so that the client's
every read sees one. ``/held``: one event, then silence until the client leaves. ``/gathered/N/X``:
the same until N streams of this path are there, and then the end of all; the connection can be used
again. ``/stamped/MS``: an event every MS milliseconds, each with the time at which it was sent,
until the client leaves.
``/anthropic/N/...`` and ``/openai/N/...``: a `POST` of an SDK, answered with a message of N words
and, with ``/tools`` behind N, a tool call.

The bytes are made beforehand: in the measured time the server only sends.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Sequence
from functools import cache, partial

import trio

from .answers import anthropic_answer, openai_chat_answer
from .limits import allow_many_files

EVENT = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}\n'
    b"\n"
)
STAMPED = b'data: {"t":"%019d","delta":{"type":"text_delta","text":" word of an answer"}}\n\n'
STAMP = slice(len('{"t":"'), len('{"t":"') + 19)
"""Where the stamp stands in the data."""

HEAD_KEPT = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
HEAD = HEAD_KEPT[:-2] + b"connection: close\r\n\r\n"
END = b"0\r\n\r\n"
PER_SEND = 64
PER_SEND_BYTES = 256 * 1024
PAUSE = 0.0003


def in_chunk(data: bytes) -> bytes:
    """An HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNK = in_chunk(EVENT)


def event_of(size: int) -> bytes:
    """An event of so many bytes."""
    frame = b"event: delta\ndata: \n\n"
    return frame[:-2] + (size - len(frame)) * b"x" + frame[-2:]


def burst(count: int, size: int) -> bytes:
    """What of a burst is in one `send`, when all are alike."""
    chunk = in_chunk(event_of(size)) if size else CHUNK
    return chunk * max(min(PER_SEND, count, PER_SEND_BYTES // len(chunk)), 1)


@cache
def message(api: str, count: int, *, with_tools: bool) -> Sequence[bytes]:
    """The answer of a model, one piece for each `send`."""
    answer = anthropic_answer if api == "anthropic" else openai_chat_answer
    events = answer(count, with_tools=with_tools).split(b"\n\n")[:-1]
    chunks = [in_chunk(event + b"\n\n") for event in events]
    return [b"".join(chunks[start : start + PER_SEND]) for start in range(0, len(chunks), PER_SEND)]


async def answer(stream: trio.SocketStream) -> None:
    """Read requests and answer them, until one is the last."""
    async with stream:
        while (head := await read_request(stream)) is not None:
            path = head.split(b" ", 2)[1].decode().strip("/").split("/")
            is_kept = path[0] == "gathered" and b"connection: close" not in head.lower()
            await stream.send_all(HEAD_KEPT if is_kept else HEAD)
            await send(stream, path)
            if not is_kept:
                return


async def read_request(stream: trio.SocketStream) -> bytes | None:
    """The head of a request, whose body is dropped; `None`: the client has left."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = await stream.receive_some()
        if not data:
            return None
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            missing = int(line.split(b":")[1]) - len(body)
            while missing > 0 and (data := await stream.receive_some()):
                missing -= len(data)
    return head


async def send(stream: trio.SocketStream, path: list[str]) -> None:
    """Send the body."""
    match path:
        case ["burst", count, *size]:
            await send_burst(stream, int(count), int(size[0]) if size else 0)
        case ["paced", count]:
            for _ in range(int(count)):
                await stream.send_all(CHUNK)
                await trio.sleep(PAUSE)
            await stream.send_all(END)
        case ["gathered", count, name]:
            await stream.send_all(CHUNK)
            await gather(name, int(count))
            await stream.send_all(END)
        case ["stamped", milliseconds]:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(partial(send_stamped, stream, int(milliseconds) / 1000))
                await stream.receive_some()  # until the client leaves
                nursery.cancel_scope.cancel()
        case ["anthropic" | "openai" as api, count, *rest]:
            for piece in message(api, int(count), with_tools="tools" in rest):
                await stream.send_all(piece)
            await stream.send_all(END)
        case _:
            await stream.send_all(CHUNK)
            await stream.receive_some()  # until the client leaves


async def send_burst(stream: trio.SocketStream, count: int, size: int) -> None:
    """Events as fast as they go."""
    piece = burst(count, size)
    chunk = in_chunk(event_of(size)) if size else CHUNK
    sends, rest = divmod(count, len(piece) // len(chunk))
    for _ in range(sends):
        await stream.send_all(piece)
    await stream.send_all(chunk * rest + END)


_gathered: dict[str, tuple[list[None], trio.Event]] = {}


async def gather(name: str, count: int) -> None:
    """Wait for the others, and a moment more."""
    present, everybody = _gathered.setdefault(name, ([], trio.Event()))
    present.append(None)
    if len(present) == count:
        everybody.set()
        del _gathered[name]
    await everybody.wait()
    await trio.sleep(0.1)


async def send_stamped(stream: trio.SocketStream, period: float) -> None:
    """Events at even times, which begin at a random one."""
    first = in_chunk(STAMPED % time.monotonic_ns())
    await stream.send_all(first)
    await trio.sleep(random.random() * period)
    while True:
        await stream.send_all(in_chunk(STAMPED % time.monotonic_ns()))
        await trio.sleep(period)


async def guard(stream: trio.SocketStream) -> None:
    """A client that leaves is no reason to stop serving."""
    try:
        await answer(stream)
    except* trio.BrokenResourceError:
        pass


async def main() -> None:
    """Serve until the parent closes our standard input."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=65535)
        print(listeners[0].socket.getsockname()[1], flush=True)
        nursery.start_soon(trio.serve_listeners, guard, listeners)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    allow_many_files()
    trio.run(main)
