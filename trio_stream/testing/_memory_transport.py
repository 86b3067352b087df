"""An HTTP transport over connections in memory, for httpx and for httpx2.

Both families are built alike: a client, over a transport, over a connection pool of httpcore that
takes a ``network_backend``. That parameter is public, but the stock transport does not hand it
on. So this is a transport of our own over the stock pool, and does what the stock one does, less
proxies and TLS: it hands requests down and responses up, and raises the exceptions of httpcore as
those of the client. These are namesakes in the two libraries, so no table is needed.

It knows the HTTP libraries by their public names, and imports only the family that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Self, TypeAlias

import trio

from ._libraries import core, library
from ._pipe import PipeEnd

__all__ = ["Connect", "memory_transport", "new_client"]

Connect: TypeAlias = Callable[[], Awaitable[PipeEnd]]
"""Opens a connection, or raises `OSError`."""


def memory_transport(
    connect: Connect, family: str | ModuleType = "httpx", *, limits: Any = None
) -> Any:
    """Make a transport whose connections are made by ``connect``, whatever the host is.

    Args:
        connect: Such as `MemoryServer.connect`.
        family: ``"httpx"`` or ``"httpx2"``, or the module itself.
        limits: The ``Limits`` of its pool, of that family; default: those of the family.

    Returns:
        An ``AsyncBaseTransport`` of that family: the ``transport`` argument of its client.
    """
    http = library(family)
    # The client insists on its own abstract classes, and ours must serve two clients.
    kind = type("MemoryTransport", (_Transport, http.AsyncBaseTransport), {})
    if limits is None:
        limits = http.Limits(max_connections=100, max_keepalive_connections=20)
    return kind(http, core(family), connect, limits)


def new_client(connect: Connect, family: str | ModuleType, options: dict[str, Any]) -> Any:
    """Make an ``AsyncClient`` of the family over `memory_transport`."""
    # A client hands its limits to a transport that it makes; not to one that it is given.
    transport = memory_transport(connect, family, limits=options.pop("limits", None))
    # Without trust_env, a proxy in the environment would go past the transport.
    return transport.http.AsyncClient(**{"transport": transport, "trust_env": False, **options})


class _Transport:
    """The transport, but for its base class."""

    def __init__(self, http: Any, core: Any, connect: Connect, limits: Any) -> None:
        self.http = http
        self._core = core
        self._pool = core.AsyncConnectionPool(
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Backend(core, connect),
        )
        self._body_type: Any = type("MemoryBody", (_Body, http.AsyncByteStream), {})

    async def handle_async_request(self, request: Any) -> Any:
        core_request = self._core.Request(
            method=request.method,
            url=self._core.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with self.translated():
            response = await self._pool.handle_async_request(core_request)
        return self.http.Response(
            status_code=response.status,
            headers=response.headers,
            stream=self._body_type(self, response.stream),
            extensions=response.extensions,
        )

    @contextmanager
    def translated(self) -> Generator[None]:
        """Raise the client's exception where httpcore's namesake is raised."""
        try:
            yield
        except Exception as exc:
            for ancestor in type(exc).__mro__:  # nearest first: ReadTimeout, TimeoutException …
                name = ancestor.__name__
                if getattr(self._core, name, None) is ancestor and hasattr(self.http, name):
                    raise getattr(self.http, name)(str(exc)) from exc
            raise

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def __aenter__(self) -> Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._pool.__aexit__(*exc_info)


class _Body:
    """The response body, but for its base class. Its own iterator, since it is read once."""

    def __init__(self, transport: _Transport, stream: Any) -> None:
        self._transport = transport
        self._stream = stream
        self._chunks = aiter(stream)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        with self._transport.translated():
            chunk: bytes = await anext(self._chunks)
        return chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Backend:
    """httpcore's ``AsyncNetworkBackend``, as much of it as a pool without retries asks for."""

    def __init__(self, core: Any, connect: Connect) -> None:
        self._core = core
        self._connect = connect

    async def connect_tcp(  # the signatures are httpcore's
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        **options: Any,
    ) -> _NetworkStream:
        with _raising(self._core.ConnectTimeout, self._core.ConnectError, timeout):
            return _NetworkStream(self._core, await self._connect())


class _NetworkStream:
    """httpcore's ``AsyncNetworkStream`` over one end of a connection in memory."""

    def __init__(self, core: Any, end: PipeEnd) -> None:
        self._core = core
        self._end = end

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        with _raising(self._core.ReadTimeout, self._core.ReadError, timeout):
            return await self._end.receive_some(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        with _raising(self._core.WriteTimeout, self._core.WriteError, timeout):
            await self._end.send_all(buffer)

    async def aclose(self) -> None:
        await self._end.aclose()

    async def start_tls(self, *args: Any, **kwargs: Any) -> _NetworkStream:
        raise self._core.ConnectError("connections in memory have no TLS: use an http:// URL")

    def get_extra_info(self, info: str) -> Any:
        # The pool asks this of an idle connection: readable then means that the server hung up.
        return self._end.is_readable() if info == "is_readable" else None


@contextmanager
def _raising(timed_out: Any, failed: Any, timeout: float | None) -> Generator[None]:
    """Limit the block to ``timeout`` seconds, and raise its failures as those of httpcore."""
    try:
        with trio.fail_after(math.inf if timeout is None else timeout):
            yield
    except trio.TooSlowError as exc:
        raise timed_out from exc
    except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as exc:
        raise failed(str(exc)) from exc
