"""The scripted server on a real socket of the loopback interface."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import trio

from ._background import running
from ._plan import Plan
from ._serving import Server
from ._wire import Wire

if sys.platform == "linux":
    import fcntl
    import termios

__all__ = ["ScriptedServer", "closed_port", "serve"]

_HOST = "127.0.0.1"


class ScriptedServer(Server):
    """Plays scripts on a loopback port, in a task of the caller's nursery.

    ::

        server = ScriptedServer([Event("hello")])
        await nursery.start(server.run)
        ...
        nursery.cancel_scope.cancel()

    `serve` is the same with a nursery of its own.
    """

    async def run(
        self,
        *,
        port: int = 0,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; every connection is closed then.

        Started with `trio.Nursery.start`, it reports once it accepts connections.

        Args:
            port: Where to listen; 0: a free port. `url` tells.
        """
        listeners = await trio.open_tcp_listeners(port, host=_HOST)
        self.url = _url(listeners[0].socket)
        task_status.started()
        await trio.serve_listeners(self._serve_socket, listeners)

    async def _serve_socket(self, stream: trio.SocketStream) -> None:
        # Closed past aclose(), whose checkpoint would only let a cancellation come between.
        wire = Wire(stream, close=stream.socket.close, reset=partial(_reset, stream))
        wire.unsent = partial(_unsent, stream)
        await self._serve(wire)


@asynccontextmanager
async def serve(plan: Plan, *, port: int = 0) -> AsyncGenerator[ScriptedServer]:
    """Serve scripts on a loopback port for as long as the block runs.

    ::

        async with serve([Event("one"), Reset()]) as server:
            await client.get(server.url)

    An exception of the block leaves it as the object that was raised, not in a group.

    Args:
        plan: One script, a list of scripts, or a callable from `Request` to script.
        port: Where to listen; 0: a free port.
    """
    server = ScriptedServer(plan)
    async with running(partial(server.run, port=port)):
        yield server


@contextmanager
def closed_port() -> Generator[str]:
    """Give the URL of a loopback port that refuses connections for as long as the block runs."""
    # Bound, hence taken by nobody else; not listening, hence refusing.
    with socket.socket() as bound:
        bound.bind((_HOST, 0))
        yield _url(bound)


def _url(listening: socket.socket | trio.socket.SocketType) -> str:
    return f"http://{_HOST}:{listening.getsockname()[1]}"


def _unsent(stream: trio.SocketStream) -> int:
    """How many bytes the client's system has not taken yet (tcp(7), SIOCOUTQ)."""
    if sys.platform != "linux":
        return 0  # nobody tells
    count = fcntl.ioctl(stream.socket.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(count, sys.byteorder)


def _reset(stream: trio.SocketStream) -> None:
    # To linger on close, but for zero seconds, is how sockets spell RST.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    stream.socket.close()
