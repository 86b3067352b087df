"""The same scripts without a socket: a server and HTTP clients that are joined in memory.

Nothing here waits on the outside world, so with `trio.testing.MockClock` and
``autojump_threshold=0`` a script of an hour takes a millisecond. All above the socket is the real
thing: the client, its connection pool, HTTP/1.1.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, overload

import trio

from ._background import running
from ._memory_transport import new_client
from ._pipe import PipeEnd
from ._plan import Plan
from ._serving import Server
from ._wire import Wire

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import httpx
    import httpx2

__all__ = ["MemoryServer", "memory_client", "serve_memory"]


class MemoryServer(Server):
    """Plays scripts over connections in memory, in a task of the caller's nursery.

    `serve_memory` is the same with a nursery of its own.

    Attributes:
        refused: How many connections were refused, by scripts that begin with `Refuse`.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.url = "http://memory.test"
        self.refused = 0
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; every connection is closed then."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    async def connect(self) -> PipeEnd:
        """Connect to the server.

        Raises:
            ConnectionRefusedError: The script refuses, or the server does not run.
        """
        await trio.lowlevel.checkpoint()
        if self._nursery is None:
            raise ConnectionRefusedError("connection refused: the server does not run")
        if self._scripts.take_refusal():
            self.refused += 1
            raise ConnectionRefusedError("connection refused")
        ours, theirs = PipeEnd.pair()
        wire = Wire(theirs, close=theirs.close, reset=theirs.reset)
        self._nursery.start_soon(self._serve, wire)
        return ours


@asynccontextmanager
async def serve_memory(plan: Plan) -> AsyncGenerator[MemoryServer]:
    """Serve scripts in memory for as long as the block runs: `serve` without the socket.

    An exception of the block leaves it as the object that was raised, not in a group.

    Args:
        plan: One script, a list of scripts, or a callable from `Request` to script.
    """
    server = MemoryServer(plan)
    async with running(server.run):
        yield server


@overload
def memory_client(
    plan: Plan, *, family: Literal["httpx"] = "httpx", **options: Any
) -> AbstractAsyncContextManager[tuple[httpx.AsyncClient, MemoryServer]]: ...


@overload
def memory_client(
    plan: Plan, *, family: Literal["httpx2"], **options: Any
) -> AbstractAsyncContextManager[tuple[httpx2.AsyncClient, MemoryServer]]: ...


@overload
def memory_client(
    plan: Plan, *, family: str | ModuleType, **options: Any
) -> AbstractAsyncContextManager[tuple[Any, MemoryServer]]: ...


def memory_client(
    plan: Plan, *, family: str | ModuleType = "httpx", **options: Any
) -> AbstractAsyncContextManager[tuple[Any, MemoryServer]]:
    """Serve scripts in memory and give a client for them, for as long as the block runs.

    ::

        async with memory_client([Event("one"), Wait(3600)], family="httpx2") as (client, server):
            response = await client.get(server.url)

    Every host resolves to the server. ``http`` only. An exception of the block leaves it as the
    object that was raised, not in a group.

    Args:
        plan: One script, a list of scripts, or a callable from `Request` to script.
        family: ``"httpx"`` or ``"httpx2"``, or the module itself.
        options: Further arguments for the family's ``AsyncClient``.
    """
    return _memory_client(plan, family, options)


@asynccontextmanager
async def _memory_client(
    plan: Plan, family: str | ModuleType, options: dict[str, Any]
) -> AsyncGenerator[tuple[Any, MemoryServer]]:
    async with (
        serve_memory(plan) as server,
        new_client(server.connect, family, options) as client,
    ):
        yield client, server
