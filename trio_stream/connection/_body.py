"""The body of a request, closed also when it is not read to its end.

httpx reads a body through an async generator, even one of plain bytes, and httpcore abandons that
when it is cancelled while it writes, or when the server answers before it has read everything. A
generator of the caller's is left behind with it.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any, Self, final

import trio

from ._request import RequestSpec

__all__ = ["RequestBody"]

# How long closing a generator of the caller's may take.
_CLOSE_TIME = 1.0


@final
class RequestBody:
    """What a request sends, and how to close it.

    Args:
        request: A request of either family; its stream is replaced.
        spec: What it was built from.
    """

    def __init__(self, request: Any, family: ModuleType, spec: RequestSpec) -> None:
        self._failure: Exception | None = None
        self._family = family
        self._spec = spec
        self._opened: list[Any] = []
        if isinstance(request.stream, family.AsyncByteStream):
            request.stream = _stream_type(family)(request.stream, self)

    def open(self, stream: Any) -> AsyncIterator[bytes]:
        """Read the body, for the first time or again after a redirect.

        Raises:
            Exception: The family's ``StreamConsumed``, for a body that is gone.
        """
        if self._spec.spent:
            raise self._family.StreamConsumed
        chunks = self._spec.begin_body(stream)
        self._opened.append(chunks)
        return _Chunks(chunks, self)

    def note_failure(self, error: Exception) -> None:
        """Reading the body has raised ``error``."""
        self._failure = error

    def has_raised(self, error: Exception) -> bool:
        """Whether ``error`` came from reading the body: no failure of HTTP, whatever its class.

        To be asked once. The error is then forgotten, for its traceback leads back here.
        """
        failure, self._failure = self._failure, None
        return error is failure

    async def aclose(self) -> None:
        """Close what was opened to read it, the newest first. Never raises.

        Cancellation: shielded, for at most one second.
        """
        with trio.CancelScope(shield=True, relative_deadline=_CLOSE_TIME):
            while self._opened:
                chunks = self._opened.pop()
                try:
                    await chunks.aclose()
                except Exception:  # noqa: BLE001 (there may be a response, which counts for more)
                    pass


@final
class _Chunks:
    """The chunks of a body, with an eye on what goes wrong."""

    def __init__(self, chunks: AsyncIterator[bytes], body: RequestBody) -> None:
        self._chunks = chunks
        self._body = body

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._chunks.__anext__()
        except StopAsyncIteration:
            raise
        except Exception as error:
            self._body.note_failure(error)
            raise


@functools.cache
def _stream_type(family: ModuleType) -> Any:
    class Stream(family.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, stream: Any, body: RequestBody) -> None:
            self._stream = stream
            self._body = body

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self._body.open(self._stream)

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Stream
