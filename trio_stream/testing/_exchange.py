"""What was said in one exchange between a client and a server, as values."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = [
    "Exchange",
    "ExchangeEnd",
    "HeaderPairs",
    "RecordedChunk",
    "RecordedEnd",
    "RecordedHead",
    "RecordedRequest",
]

HeaderPairs: TypeAlias = tuple[tuple[str, str], ...]

ExchangeEnd: TypeAlias = Literal[
    "complete", "cut", "reset", "refused", "timed_out", "garbled", "left", "open", "failed"
]
"""How an exchange ended: ``complete``, with the declared end of the body; ``cut``, by a connection
that closed before that, or before any answer; ``reset``, by one that broke; ``refused``, by one
that was never made; ``timed_out``, when the client had waited long enough; ``garbled``, by what is
no HTTP; ``left``, by the client, which closed the response or was cancelled; ``failed``, in any
other way. ``open``: it went on when the cassette was made."""


@attrs.frozen
class RecordedRequest:
    """A request as it was sent: with the headers that the client has added."""

    method: str
    url: str
    headers: HeaderPairs = ()
    body: bytes = b""


@attrs.frozen
class RecordedHead:
    """The head of a response, ``at`` seconds after the request."""

    at: float
    status: int
    reason: str = ""
    http_version: str = "HTTP/1.1"
    headers: HeaderPairs = ()


@attrs.frozen
class RecordedChunk:
    """A piece of a body as the client received it, ``at`` seconds after the request."""

    at: float
    data: bytes


@attrs.frozen
class RecordedEnd:
    """How an exchange ended, ``at`` seconds after the request.

    Attributes:
        at: When.
        end: How.
        error: The exception, in words; not compared.
    """

    at: float
    end: ExchangeEnd
    error: str = attrs.field(default="", eq=False)


@attrs.frozen
class Exchange:
    """A request and everything that came of it.

    Attributes:
        request: The request.
        start: When it began, in seconds since the first one of the cassette.
        head: The head of the response, if there was any.
        chunks: The body, as it came: before its ``Content-Encoding`` was undone.
        end: How it ended.
    """

    request: RecordedRequest
    start: float
    head: RecordedHead | None
    chunks: tuple[RecordedChunk, ...]
    end: RecordedEnd

    @property
    def body(self) -> bytes:
        """The body of the response, in one piece."""
        return b"".join(chunk.data for chunk in self.chunks)
