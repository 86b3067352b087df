"""Recording what a client and its servers say to each other.

Theory of operation
-------------------

A recorder stands between a client and its transport: below it are connections, above it are
cookies, redirects and decompression. It hands on the very response that the transport has made,
with a body that looks through the other one, and every exception as it is. So the client notices
nothing, and each redirect, retry and reconnection is an exchange of its own.

A time is when the client received something, in whole microseconds on trio's clock, and each is at
least one later than the one before it. A server that plays it never sends two pieces at once then,
and they come out as they went in.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from os import PathLike
from types import ModuleType
from typing import Any, Self

import trio

from ._cassette import Cassette
from ._exchange import (
    Exchange,
    ExchangeEnd,
    HeaderPairs,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
    RecordedRequest,
)
from ._libraries import libraries_of, library, library_of_request, preferred
from ._scrubbing import Scrubber

__all__ = ["Recorder", "recording"]


class Recorder:
    """Records the exchanges of one client or of several.

    ::

        recorder = Recorder()
        transport = recorder.transport(httpx.AsyncHTTPTransport())
        async with httpx.AsyncClient(transport=transport) as client:
            ...
        recorder.cassette.save("outage.jsonl")

    What was recorded is kept in memory until then. `recording` does all of this.

    Args:
        scrubber: What is taken out of the cassette, besides what always is.
    """

    def __init__(self, scrubber: Scrubber | None = None) -> None:
        self._scrubber = Scrubber() if scrubber is None else scrubber
        self._takes: list[_Take] = []

    def transport(self, inner: Any) -> Any:
        """Make a transport that does what ``inner`` does, and records it.

        Args:
            inner: An ``AsyncBaseTransport`` of httpx or httpx2.

        Returns:
            One of the same family, or of both. It closes ``inner`` when it is closed.
        """
        bases = [http.AsyncBaseTransport for http in libraries_of(inner)]
        return type("RecordingTransport", (_Transport, *bases), {})(inner, self)

    def client(
        self, family: str | ModuleType | None = None, *, transport: Any = None, **options: Any
    ) -> Any:
        """Make a client that is recorded.

        Args:
            family: ``"httpx"`` or ``"httpx2"``, or the module itself; default: that of the
                transport, or httpx2 where it is installed.
            transport: What to record; default: the family's ``AsyncHTTPTransport()``. Proxies of
                the environment are used only if a transport is given that uses them.
            options: Further arguments for the family's ``AsyncClient``. Those of connections, such
                as ``verify``, belong to the transport.
        """
        if family is None and transport is not None:
            http = libraries_of(transport)[0]
        else:
            http = library(preferred() if family is None else family)
        inner = http.AsyncHTTPTransport() if transport is None else transport
        return http.AsyncClient(transport=self.transport(inner), **options)

    @property
    def cassette(self) -> Cassette:
        """What was recorded so far, without its secrets. What is still going on ends ``open``."""
        return Cassette(self._scrubber.scrub_all(take.exchange() for take in self._takes))

    def begin(self, request: Any) -> _Take:
        """Begin to record an exchange; for the transports."""
        now = trio.current_time()
        first = self._takes[0].began if self._takes else now
        take = _Take(request, now, round(now - first, 6))
        self._takes.append(take)
        return take


@asynccontextmanager
async def recording(
    path: str | PathLike[str],
    *,
    family: str | ModuleType | None = None,
    scrubber: Scrubber | None = None,
    **options: Any,
) -> AsyncGenerator[Any]:
    """Give a client whose exchanges are in a cassette when the block is left, however it is left.

    ::

        async with recording("outage.jsonl") as client:
            async with open_stream("GET", url, client=client) as rx:
                ...

    Args:
        path: The file; it is written on the way out, in place of what was there.
        family: As for `Recorder.client`.
        scrubber: What is taken out, besides what always is.
        options: As for `Recorder.client`: ``transport``, and what ``AsyncClient`` takes.

    Raises:
        OSError: The file cannot be written.
    """
    recorder = Recorder(scrubber)
    try:
        async with recorder.client(family, **options) as client:
            yield client
    finally:
        recorder.cassette.save(path)


class _Take:
    """One exchange, while it goes on."""

    def __init__(self, request: Any, began: float, start: float) -> None:
        self.began = began
        self.sent = bytearray()
        self._start = start
        self._method: str = request.method
        self._url = str(request.url)
        self._headers = _pairs(request.headers)
        self._head: RecordedHead | None = None
        self._chunks: list[RecordedChunk] = []
        self._end: RecordedEnd | None = None
        self._last = -1  # the newest time, in microseconds

    def head(self, response: Any) -> None:
        extensions = response.extensions
        self._head = RecordedHead(
            at=self._now(),
            status=response.status_code,
            reason=extensions.get("reason_phrase", b"").decode("latin-1"),
            http_version=extensions.get("http_version", b"HTTP/1.1").decode("latin-1"),
            headers=_pairs(response.headers),
        )

    def chunk(self, data: bytes) -> None:
        if data and self._end is None:
            self._chunks.append(RecordedChunk(self._now(), data))

    def end(self, end: ExchangeEnd, error: str = "") -> None:
        """Note the end; the first one counts."""
        if self._end is None:
            self._end = RecordedEnd(self._now(), end, error)

    def fail(self, error: BaseException) -> None:
        """Note an end by an exception."""
        name, text = type(error).__name__, " ".join(str(error).split())
        if isinstance(error, trio.Cancelled):
            text = ""  # it names tasks by their addresses, which are others in each run
        self.end(_end_by(error), f"{name}: {text}" if text else name)

    def exchange(self) -> Exchange:
        request = RecordedRequest(self._method, self._url, self._headers, bytes(self.sent))
        end = self._end or RecordedEnd(self._time(), "open")
        return Exchange(request, self._start, self._head, tuple(self._chunks), end)

    def _now(self) -> float:
        time = self._time()
        self._last = round(time * 1e6)
        return time

    def _time(self) -> float:
        now = round((trio.current_time() - self.began) * 1e6)
        return max(now, self._last + 1) / 1e6


class _Transport:
    """The transport, but for its base class."""

    def __init__(self, inner: Any, recorder: Recorder) -> None:
        self._inner = inner
        self._recorder = recorder

    async def handle_async_request(self, request: Any) -> Any:
        http = library_of_request(request)
        take = self._recorder.begin(request)
        content = request.stream
        try:
            take.sent += request.content
        except http.RequestNotRead:  # it comes from an iterator, and is read only once
            request.stream = _stream(_Content, http)(content, take.sent)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as error:
            take.fail(error)
            raise
        finally:
            request.stream = content  # which a redirect would send again
        take.head(response)
        if response.is_stream_consumed:  # it came in one piece, and nobody will ask for it again
            take.chunk(await _whole(response, http))
            take.end("complete")
        response.stream = _stream(_Body, http)(response.stream, take)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._inner.__aexit__(*exc_info)


async def _whole(response: Any, http: Any) -> bytes:
    try:
        return b"".join([part async for part in response.stream])
    except http.StreamConsumed:
        whole: bytes = response.content
        return whole


@functools.cache
def _stream(type_: type, http: Any) -> Any:
    """A class of ours, as a stream of the family, which insists on its own base class."""
    return type(type_.__name__, (type_, http.AsyncByteStream), {})


class _Content:
    """The body of a request, but for its base class."""

    def __init__(self, stream: Any, sent: bytearray) -> None:
        self._stream = stream
        self._sent = sent
        self._parts: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> Self:
        self._parts = aiter(self._stream)
        self._sent.clear()
        return self

    async def __anext__(self) -> bytes:
        assert self._parts is not None
        part = await anext(self._parts)
        self._sent += part
        return part

    async def aclose(self) -> None:
        await self._stream.aclose()


class _Body:
    """The body of a response, but for its base class."""

    def __init__(self, stream: Any, take: _Take) -> None:
        self._stream = stream
        self._take = take
        self._chunks: AsyncIterator[bytes] | None = None

    def __aiter__(self) -> Self:
        self._chunks = aiter(self._stream)
        return self

    async def __anext__(self) -> bytes:
        assert self._chunks is not None
        try:
            chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self._take.end("complete")
            raise
        except BaseException as error:
            self._take.fail(error)
            raise
        self._take.chunk(chunk)
        return chunk

    async def aclose(self) -> None:
        self._take.end("left")
        await self._stream.aclose()


# What an exception of the HTTP library says, by names that both families share. The first that
# is among the names of its class and the classes above it counts.
_ENDS: tuple[tuple[str, ExchangeEnd], ...] = (
    ("PoolTimeout", "failed"),
    ("TimeoutException", "timed_out"),
    ("ConnectError", "refused"),
    ("NetworkError", "reset"),
    ("Exception", "failed"),
    ("BaseException", "left"),  # a cancellation
)


def _end_by(error: BaseException) -> ExchangeEnd:
    names = {cls.__name__ for cls in type(error).__mro__}
    if "RemoteProtocolError" in names:
        # It has no other way to tell what the server did: of HTTP/2 it is a GOAWAY or RST_STREAM.
        text = str(error)
        hung_up = ("disconnected", "closed connection", "ConnectionTerminated")
        if any(each in text for each in hung_up):
            return "cut"
        return "reset" if "StreamReset" in text else "garbled"
    return next(end for name, end in _ENDS if name in names)


def _pairs(headers: Any) -> HeaderPairs:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)
