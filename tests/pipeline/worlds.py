"""Where a test of the pipeline takes place: each HTTP family over sockets, and over memory.

Over sockets with the transport of the library, and with our own ("trio").

The same script runs in each. Over sockets time is real, so the seconds of a test are shrunk.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_stream.errors import BadItemError, InBandError, StreamTruncatedError
from trio_stream.framing import SSE, ServerSentEvent
from trio_stream.testing import Answer, Plan, Step, memory_transport, serve, serve_memory

FAMILIES = ("httpx", "httpx2")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@attrs.frozen
class World:
    """A family of clients, and what connects them."""

    name: str

    @property
    def family(self) -> ModuleType:
        return import_module(self.name.split()[-1])

    @property
    def is_ours(self) -> bool:
        return self.name.startswith("trio")

    @property
    def in_memory(self) -> bool:
        return self.name.startswith("memory")

    def seconds(self, seconds: float | None) -> float | None:
        """A time of a script or of a config: as it is over memory, a 100th over sockets."""
        return seconds if self.in_memory or seconds is None else seconds / 100

    async def quiet(self) -> None:
        """Wait until nothing moves any more, but for the clock."""
        await wait_all_tasks_blocked(0.0 if self.in_memory else 0.02)

    def run(self, main: Callable[[], Awaitable[Any]], *, limit: float = 120) -> Any:
        """Run a test that has a time limit, so that a hang is a failure."""

        async def limited() -> Any:
            # Real time over sockets; over memory it is time that nothing should ever take.
            with trio.fail_after(1e6 if self.in_memory else limit):
                return await main()

        clock = MockClock(autojump_threshold=0) if self.in_memory else None
        return trio.run(limited, clock=clock)

    @asynccontextmanager
    async def serve(
        self, plan: Plan, *, max_connections: int = 1
    ) -> AsyncGenerator[tuple[Any, Any]]:
        """A client that may hold one connection, and a server for it."""
        if self.in_memory:
            async with serve_memory(plan) as server:

                async def connect() -> Any:
                    # As if the handshake ended in the very moment of a cancellation: this
                    # checkpoint does not notice it, the next one will.
                    connection = await server.connect()
                    await trio.lowlevel.cancel_shielded_checkpoint()
                    return connection

                transport = memory_transport(connect, self.family)
                transport._pool._max_connections = max_connections
                async with self.family.AsyncClient(transport=transport) as client:
                    yield client, server
        else:
            limits = self.family.Limits(max_connections=max_connections)
            async with (
                serve(plan) as server,
                self.new_client(limits=limits) as client,
            ):
                yield client, server

    def new_client(self, **options: Any) -> Any:
        """A client over sockets, without the 25 ms that the certificates take."""
        if self.is_ours:
            limits = options.pop("limits", None)
            most = None if limits is None else limits.max_connections
            verify = options.pop("verify", NO_TLS)
            transport = import_module("trio_stream.transport").TrioTransport
            options["transport"] = transport(trust_env=False, verify=verify, max_connections=most)
        options.setdefault("verify", NO_TLS)
        return self.family.AsyncClient(trust_env=False, **options)

    @asynccontextmanager
    async def nobody_accepts(self) -> AsyncGenerator[tuple[Any, str]]:
        """A client, and a URL at which connecting takes for ever."""
        if self.in_memory:
            transport = memory_transport(trio.sleep_forever, self.family)
            async with self.family.AsyncClient(transport=transport) as client:
                yield client, "http://memory.test"
        else:
            async with self.new_client() as client:
                with _full_backlog() as url:
                    yield client, url


_OURS = ["trio "] if find_spec("httptools") else []
WORLDS = [World(f"{place}{family}") for place in ("", *_OURS, "memory ") for family in FAMILIES]
MEMORY = [world for world in WORLDS if world.in_memory]
SOCKETS = [world for world in WORLDS if not world.in_memory]


def is_ours(transport: Any) -> bool:
    """Whether it is a `TrioTransport`, which not everybody has."""
    return type(transport).__name__ == "TrioTransport"


def is_free(client: Any) -> bool:
    """Whether no request is in the pool of a client, and none waits for it."""
    transport = client._transport
    if not is_ours(transport):
        return bool(transport._pool._requests == [])
    pool = transport.statistics()
    return pool.connections == pool.idle and pool.waiting == 0


@contextmanager
def _full_backlog() -> Generator[str]:
    """The URL of a socket that listens, with no room for one more connection."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        with socket.socket() as first, socket.socket() as second:
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(listening.getsockname())
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@attrs.frozen
class Call(Step):
    """A step that calls something, when what is before it has been sent."""

    function: Callable[[], object]

    async def play(self, answer: Answer) -> None:
        self.function()


# ---- a dialect -------------------------------------------------------------------------------
#
# "." is the terminal event, "!" an error that the stream reports, all else is content.


class Letters:
    """A dialect that is no more than its completion contract."""

    framing = SSE()

    def decoder(self) -> LettersDecoder:
        return LettersDecoder()

    def assembler(self) -> LettersAssembler:
        return LettersAssembler()


class LettersDecoder:
    skipped_items = 0
    unknown_events = 0

    def __init__(self) -> None:
        self.finished = False

    def decode(self, frames: Sequence[ServerSentEvent], out: list[str]) -> None:
        for frame in frames:
            assert not self.finished, "nothing is read behind the terminal event"
            if frame.data == "!":
                raise InBandError("overloaded", kind="overloaded_error", status_code=529)
            if frame.data == "?":
                raise BadItemError("no letter", raw=b"?")
            out.append(frame.data)
            if frame.data == ".":
                self.finished = True
                return

    def close(self) -> None:
        if not self.finished:
            raise StreamTruncatedError("no full stop")


class LettersAssembler:
    def __init__(self) -> None:
        self._letters: list[str] = []
        self.complete = False

    def fold(self, letter: str, /) -> None:
        self._letters.append(letter)
        self.complete = letter == "."

    def snapshot(self) -> list[str]:
        return list(self._letters)
