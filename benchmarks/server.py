"""A server in a process of its own that sends events as fast, or as slowly, as the path says.

``/burst/N``: N events, 64 to a `send`, each in its own HTTP chunk. ``/paced/N``: N events, one to
a `send`, with a pause after each, so that the client's every read sees one. ``/held``: one event,
then silence until the client leaves.

The bytes are made beforehand: in the measured time the server only sends.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import trio

EVENT = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" word"}}\n'
    b"\n"
)
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
    b"connection: close\r\n\r\n"
)
END = b"0\r\n\r\n"
PER_SEND = 64
PAUSE = 0.0003


async def answer(stream: trio.SocketStream) -> None:
    """Read one request and answer it."""
    async with stream:
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some()
        _, path, _ = head.split(b" ", 2)
        await stream.send_all(HEAD)
        match path.decode().strip("/").split("/"):
            case ["burst", count]:
                sends, rest = divmod(int(count), PER_SEND)
                for _ in range(sends):
                    await stream.send_all(CHUNK * PER_SEND)
                await stream.send_all(CHUNK * rest + END)
            case ["paced", count]:
                for _ in range(int(count)):
                    await stream.send_all(CHUNK)
                    await trio.sleep(PAUSE)
                await stream.send_all(END)
            case _:
                await stream.send_all(CHUNK)
                await stream.receive_some()  # until the client leaves


async def guard(stream: trio.SocketStream) -> None:
    """A client that leaves is no reason to stop serving."""
    try:
        await answer(stream)
    except trio.BrokenResourceError:
        pass


async def main() -> None:
    """Serve until the parent closes our standard input."""
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=4096)
        print(listeners[0].socket.getsockname()[1], flush=True)
        nursery.start_soon(trio.serve_listeners, guard, listeners)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


@contextmanager
def running() -> Generator[str]:
    """Run the server; yields its base URL."""
    command = [sys.executable, "-m", "benchmarks.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.communicate()


if __name__ == "__main__":
    trio.run(main)
