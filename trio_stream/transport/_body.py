"""The body of a response: read piece by piece, closed without waiting."""

from __future__ import annotations

import functools
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from ._exchange import Exchange
from ._pool import Lease

__all__ = ["ResponseBody", "body_type"]


class ResponseBody:
    """The content of a response, as it comes. Its own iterator, since it is read once.

    Its connection is given back at the end of the body, before the last piece is handed out; or
    when it is closed before that, or reading fails or is cancelled.

    Args:
        exchange: What has read the head.
        content: What came with the head.
        lease: The slot and the connection.
    """

    def __init__(self, exchange: Exchange, content: bytes, lease: Lease) -> None:
        self._exchange = exchange
        self._content = content
        self._lease = lease
        self._end_if_complete()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next piece; it is not empty.

        Cancellation: the response is closed.
        """
        content = self._content
        if content:
            self._content = b""
            return content
        exchange = self._exchange
        parser = exchange.parser
        try:
            while not parser.is_complete:
                content = await exchange.receive()
                if content:
                    break
        except BaseException:
            self.close()
            raise
        self._end_if_complete()
        if content:
            return content
        raise StopAsyncIteration

    def close(self) -> None:
        """Read no more. Idempotent."""
        self._exchange.parser.close()
        self._lease.end()

    async def aclose(self) -> None:
        """Read no more. Idempotent; does not wait."""
        self.close()

    def __del__(self) -> None:
        lease: Lease | None = getattr(self, "_lease", None)
        if lease is not None and lease.abandon():
            warnings.warn(
                "a response was neither read to its end nor closed", ResourceWarning, stacklevel=2
            )

    def _end_if_complete(self) -> None:
        if self._exchange.parser.is_complete:
            self._lease.end(reusable=self._exchange.is_reusable)


if TYPE_CHECKING:

    def body_type(family: ModuleType) -> type[ResponseBody]: ...

else:

    @functools.cache
    def body_type(family: Any) -> type[ResponseBody]:
        """`ResponseBody`, as a stream of the HTTP library, which insists on its own base class."""
        return type("ResponseBody", (ResponseBody, family.AsyncByteStream), {})
