"""What a caller asks of a stream, and is told of on its way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, TypeVar

import attrs

from ..connection import RequestSpec
from ..dialects import Assembler, Decoder
from ..errors import StreamError
from ..framing import Framing
from ..retry import Cursor, Reconnect, RequestChanges

__all__ = ["Attempt", "Grammar", "Order", "RequestFactory", "Restarted"]

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)


@attrs.frozen
class Restarted:
    """An item of streams with ``reconnect="always"``: the server could not go on, and began anew.

    What follows does not continue what came before. Of a feed, items may be missing here, or come
    again; with a dialect, it is another message, and `StreamReceiver.snapshot` begins anew, too.

    Attributes:
        attempt: How many requests have been made, this one included.
        discarded: How many items had come since the beginning, or the last of these.
    """

    attempt: int
    discarded: int


@attrs.frozen
class Attempt:
    """What a ``request_factory`` is told of the request that is to be made.

    Attributes:
        number: Which one it is; the first is 1.
        position: Where the stream is to go on; ``""``: at its beginning.
        error: Why the one before has ended; `None` if there is none, or it came to a good end.
    """

    number: int
    position: str
    error: StreamError | None


RequestFactory: TypeAlias = Callable[
    [Attempt], Awaitable[RequestChanges | None] | RequestChanges | None
]
"""Called before each request, the first included. Returns what is different in it.

One that brings a body brings one each time: the body of one request is not that of another."""


class Grammar(Protocol[T, R_co]):
    """How to read a stream."""

    @property
    def framing(self) -> Framing[Any] | None:
        """The wire format; `None`: what the response says."""
        ...

    @property
    def is_dialect(self) -> bool:
        """Whether the items build on one another, and there is an end that can be told."""
        ...

    def decoder(self) -> Decoder[T]:
        """A fresh decoder."""
        ...

    def assembler(self) -> Assembler[T, R_co]:
        """A fresh assembler."""
        ...


@attrs.frozen(kw_only=True)
class Order:
    """What the caller asked for.

    Attributes:
        spec: The request.
        start: Where to go on, in the words of the cursor; ``""``: that of the request.
        mode: When to connect again.
        cursor: How to read the position; `None`: there is none.
        resumes: Whether the stream may go on from it on another connection.
        repeats: Whether the request may be made again when it has come to a good end.
        request_factory: Changes each request.
        tracks: Whether anybody wants to know the position.
    """

    spec: RequestSpec
    start: str
    mode: Reconnect
    cursor: Cursor | None
    resumes: bool
    repeats: bool
    request_factory: RequestFactory | None
    tracks: bool
