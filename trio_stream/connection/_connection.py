"""One HTTP response as a source of bytes: opened, read, closed without a trace.

Timeouts
--------

The HTTP library's own read timeout is switched off: it restarts with every byte and cannot tell
one phase from another. While a response is awaited, one cancel scope holds the deadline of the
phase that is running. The library reports its progress through the ``trace`` extension of the
request, and each report may begin another phase (`Progress`).

Leaks
-----

* httpcore loses connections that are given up while they are being made; `Progress` knows them.
* httpx hands a body out through half a dozen nested async generators and does not close the inner
  ones when the outer one is closed. `Connection.aclose` resumes them in a scope that is already
  cancelled: what they have buffered comes out, then the cancellation unwinds them all from the
  innermost read. The body of our own transport (`TrioTransport`) has no generators.
* A request that is given up leaves the generators behind that its body was read through
  (`RequestBody`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any, final

import trio

from ..config import StreamConfig
from ..errors import StreamError
from ._body import RequestBody
from ._decoding import Decompressor, decompressor
from ._errors import bare, map_error
from ._family import AsyncClient, family_of
from ._progress import Progress
from ._refusal import not_a_stream, status_error
from ._request import RequestSpec
from ._response import StreamResponse

__all__ = ["Connection", "connect", "refuse"]

# The extension of a response that holds the body as a `TrioTransport` reads it.
_BODY = "trio_stream.body"

# How long closing may take. The sockets close at once; this bounds what a client's own transport
# may do.
_CLOSE_TIME = 1.0
# How long to read the body of an error answer.
_ERROR_BODY_TIME = 5.0
# How many buffered pieces are drained when a response is closed. httpcore reads 64 KiB at once,
# which is 10,922 pieces if each is a chunk of one byte.
_MAX_DRAINED = 16384
_DRAINED_AT_ONCE = 64
_FIRST_KIB = 1024


@final
class Connection:
    """An open response.

    Attributes:
        response: Its head.
        bytes_received: How many bytes of body have come, as sent.
    """

    __slots__ = (
        "response",
        "bytes_received",
        "_body",
        "_chunk_size",
        "_chunks",
        "_decompressor",
        "_family",
        "_is_read",
        "_pieces",
        "_response",
    )

    def __init__(self, response: Any, family: ModuleType, chunk_size: int) -> None:
        self._family = family
        self._chunk_size = chunk_size
        # A transport without a network, or a hook of the client, may have read the body before. It
        # has been decoded then.
        self._is_read = response.is_stream_consumed
        self._body = None if self._is_read else _body_of(response)
        # All that is left to do with the response if there is a body of our own is to forget it: a
        # tenth of the memory that a stream takes.
        self._response: Any = response if self._body is None else None
        # The stream itself is what `aiter_raw` would iterate over, with one generator less.
        chunks = response.aiter_bytes() if self._is_read else self._body or response.stream
        self._chunks: AsyncIterator[bytes] = chunks.__aiter__()
        self._pieces: Iterator[bytes] = iter(())
        self._decompressor: Decompressor | None = None
        self.bytes_received = 0
        self.response = StreamResponse.of(response)

    def decode(self) -> None:
        """Undo the Content-Encoding from here on.

        Raises:
            ValueError: It cannot be undone.
        """
        if not self._is_read:
            encoding = self.response.headers.get("content-encoding", "")
            self._decompressor = decompressor(encoding, self._chunk_size)

    async def receive_some(self) -> bytes:
        """Wait for the next piece of the body: at most ``chunk_size`` bytes, ``b""`` at its end.

        Cancellation: no byte is lost that an earlier call did not return; the response is then
        closed.

        Raises:
            StreamError: The body broke off.
        """
        while True:
            for piece in self._pieces:
                return piece
            try:
                chunk = await self._chunks.__anext__()
            except StopAsyncIteration:
                break
            except Exception as error:
                mapped = map_error(error, self._family, streaming=True)
                if mapped is None:
                    raise
                raise mapped from error
            self.bytes_received += len(chunk)
            if self._decompressor is not None:
                self._pieces = self._decompressor.feed(chunk)
            elif len(chunk) > self._chunk_size:
                self._pieces = _cut(chunk, self._chunk_size)
            elif chunk:
                return chunk
        if self._decompressor is not None:
            self._decompressor.close()
        return b""

    async def read_head(self, max_bytes: int, deadline: float = math.inf) -> bytes:
        """Read up to ``max_bytes`` of the body, for an error report: what there is, in its time."""
        head = bytearray()
        with trio.move_on_at(min(deadline, trio.current_time() + _ERROR_BODY_TIME)):
            try:
                self.decode()
                while len(head) < max_bytes and (piece := await self.receive_some()):
                    head += piece
            except (StreamError, ValueError):
                pass  # half an explanation is better than another error
        return bytes(head[:max_bytes])

    async def aclose(self) -> None:
        """Close the response and release its connection. Idempotent, bounded, never raises.

        Cancellation: shielded, for at most one second.
        """
        if self._body is not None:
            self._body.close()
            return
        with trio.CancelScope(shield=True, relative_deadline=_CLOSE_TIME):
            await self._unwind()
            try:
                await self._response.aclose()
            except Exception:  # noqa: BLE001 (nobody can do anything about a close that fails)
                pass

    async def _unwind(self) -> None:
        """Unwind the generators of the HTTP library: see "Leaks"."""
        try:
            with trio.CancelScope() as unwind:
                unwind.cancel()
                for count in range(1, _MAX_DRAINED):
                    await self._chunks.__anext__()
                    if count % _DRAINED_AT_ONCE == 0:
                        await trio.lowlevel.cancel_shielded_checkpoint()
        except Exception:  # noqa: BLE001 (the end, or whatever broke the body: it has been reported)
            pass
        try:
            chunks: Any = self._chunks
            if inspect.isasyncgen(chunks):  # a body without a checkpoint or an end
                await chunks.aclose()
        except Exception:  # noqa: BLE001 (see above)
            pass


async def connect(
    spec: RequestSpec, client: AsyncClient, config: StreamConfig, *, deadline: float = math.inf
) -> Connection:
    """Send the request and wait for a response whose status is below 400.

    Args:
        spec: The request.
        client: Either family's; it is not changed and not closed.
        config: Its timeouts and caps.
        deadline: The end of the whole stream's time, on trio's clock.

    Cancellation: the request is given up; its connection is closed.

    Raises:
        StreamError: No response, or a bad one; in that case its body has been read (capped), and
            its connection is released.
    """
    family = family_of(client)
    # From here on the two families are alike, which their types cannot say.
    sender: Any = client
    progress = Progress(config, deadline)
    body: RequestBody | None = None
    response: Any = None
    with progress.deadline_scope as deadline_scope:
        await spec.measure()  # what it raises is the caller's own
        try:
            request = spec.build(
                sender,
                family,
                timeout=family.Timeout(None, pool=config.connect_timeout),
                extensions={"trace": progress.trace},
            )
            body = RequestBody(request, family, spec)
            response = await _send(
                partial(sender.send, request, stream=True, **_redirects(spec)), body, progress
            )
        except Exception as error:
            if body is not None and body.has_raised(error):
                raise  # the caller's own
            mapped = map_error(error, family, streaming=False, whom=progress.whom)
            if mapped is None:
                raise
            if spec.spent and isinstance(error, family.StreamConsumed):
                mapped.add_note(f"The request cannot be sent again: {spec.spent}")
            raise mapped from error
    if deadline_scope.cancelled_caught:
        raise progress.timeout_error()
    connection = Connection(response, family, config.chunk_size)
    if response.status_code < 400:
        return connection
    try:
        explanation = await connection.read_head(config.max_error_body_bytes, deadline)
    finally:
        await connection.aclose()
    raise status_error(connection.response, explanation)


def _redirects(spec: RequestSpec) -> dict[str, bool]:
    return {} if spec.follow_redirects is None else {"follow_redirects": spec.follow_redirects}


async def _send(send: Callable[[], Awaitable[Any]], body: RequestBody, progress: Progress) -> Any:
    """Send a request; leave nothing behind if that fails."""
    failure: BaseException | None = None
    try:
        try:
            with progress.guard:
                return await send()
        finally:
            await body.aclose()
    except BaseException as error:
        await progress.close_unfinished()
        failure = bare(error)
        if failure is error:
            raise
    try:
        # Outside of the handler: the group is not its context. (The guard is never cancelled.)
        raise failure or AssertionError
    finally:
        del failure  # its traceback leads back to this frame: a cycle


async def refuse(connection: Connection, why: str, *, deadline: float = math.inf) -> StreamError:
    """Close a response that is not a stream; make the error that says so."""
    try:
        body = await connection.read_head(_FIRST_KIB, deadline)
    finally:
        await connection.aclose()
    return not_a_stream(connection.response, why, body)


def _body_of(response: Any) -> Any:
    """The body that a `TrioTransport` made: no generators, and closed without waiting.

    `None` if there is none, or if others want to see what is read of it: a transport around ours
    may have put a stream of its own around the body.
    """
    body = response.extensions.get(_BODY)
    stream = response.stream
    return body if body is not None and body in (stream, getattr(stream, "_stream", None)) else None


def _cut(chunk: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(chunk), size):
        yield chunk[start : start + size]
