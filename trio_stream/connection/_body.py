"""The body of a request, closed also when it is not read to its end.

httpx reads a body through an async generator, even one of plain bytes, and httpcore abandons that
when it is cancelled while it writes, or when the server answers before it has read everything.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any, final

import trio

__all__ = ["RequestBody"]

# How long closing a generator of the caller's may take.
_CLOSE_TIME = 1.0


@final
class RequestBody:
    """What a request sends, and how to close it.

    Args:
        request: A request of either family; its stream is replaced.
        content: The ``content`` that the caller gave.
    """

    def __init__(self, request: Any, family: ModuleType, content: object) -> None:
        self._opened: list[Any] = []
        if inspect.isasyncgen(content):
            self._opened.append(content)
        if isinstance(request.stream, family.AsyncByteStream):
            request.stream = _stream_type(family)(request.stream, self._opened)

    async def aclose(self) -> None:
        """Close what was opened to read it, the newest first. Never raises.

        Cancellation: shielded, for at most one second.
        """
        with trio.CancelScope(shield=True, relative_deadline=_CLOSE_TIME):
            while self._opened:
                generator = self._opened.pop()
                try:
                    await generator.aclose()
                except Exception:  # noqa: BLE001 (there may be a response, which counts for more)
                    pass


@functools.cache
def _stream_type(family: ModuleType) -> Any:
    class Stream(family.AsyncByteStream):  # type: ignore[misc, name-defined]
        def __init__(self, stream: Any, opened: list[Any]) -> None:
            self._stream = stream
            self._opened = opened

        def __aiter__(self) -> AsyncIterator[bytes]:
            chunks: AsyncIterator[bytes] = self._stream.__aiter__()
            if inspect.isasyncgen(chunks):
                self._opened.append(chunks)
            return chunks

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Stream
