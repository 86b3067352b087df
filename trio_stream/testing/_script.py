"""The script language: immutable steps that say what a server sends in answer to one request.

A script is a list of steps, played in order::

    [Event("one"), Wait(2), Pieces("data: naïve".encode(), size=1), Truncate()]

It need not say the obvious. The first step that sends body bytes sends the default `Head` first
(status 200, ``text/event-stream``, chunked), and the end of the script ends the body cleanly.
A step of your own is a subclass of `Step` that overrides `Step.play`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import attrs
import trio

if TYPE_CHECKING:
    from ._answer import Answer

__all__ = [
    "At",
    "BadChunk",
    "End",
    "Event",
    "Head",
    "Pieces",
    "Ping",
    "Raw",
    "Refuse",
    "Reset",
    "Script",
    "Send",
    "Stall",
    "Step",
    "Truncate",
    "Until",
    "Wait",
]


class Step:
    """One thing that a server does while it answers a request."""

    unfinished = False
    """Whether the body does not end here although the script may: the length that a
    ``Head(framing="length")`` declares is then longer than what is sent."""

    def pieces(self) -> Sequence[bytes]:
        """The body bytes that this step sends, by write."""
        return ()

    def unrolled(self) -> Sequence[Step]:
        """The same in steps that send one write or none: what faults cut and stretch.

        A step that overrides `play` is one of these itself.
        """
        if type(self).play is not Step.play:
            return (self,)
        return [Send(piece) for piece in self.pieces()]

    async def play(self, answer: Answer) -> None:
        """Do it. Cancelled when the client leaves.

        Raises:
            trio.BrokenResourceError: The client has left; ends the script, and is no error.
        """
        for piece in self.pieces():
            await answer.send(piece)


Script: TypeAlias = Step | Sequence[Step]
"""The answer to one request: steps in order, or a single step."""


def _pairs(
    fields: Mapping[str, str] | Iterable[tuple[str, str]],
) -> tuple[tuple[str, str], ...]:
    if isinstance(fields, Mapping):
        fields = cast("Mapping[str, str]", fields).items()
    return tuple(fields)


_Framing: TypeAlias = Literal["chunked", "length", "close"]


def _default_framing(head: Head) -> _Framing:
    return "chunked" if head.length is None else "length"


@attrs.frozen
class Head(Step):
    """The status line and the headers.

    A status of 1xx is an interim answer: the real head is still to come. 204, 304 and answers to
    HEAD have no body, and what the script sends of one is left out.

    Attributes:
        status: The status code.
        headers: Headers, in order and as given; a mapping or pairs. They come before those that
            the other attributes make, and in place of their namesakes.
        content_type: The ``Content-Type``; `None`: no such header.
        length: The ``Content-Length`` to declare, in bytes, true or not; after a body of another
            length the connection closes. `None`: with framing ``"length"``, what the rest of the
            script sends, and one more if it stalls or is cut; such a script has an end.
        framing: How the client knows where the body ends: ``"chunked"``, ``"length"`` (the
            default if ``length`` is given) or ``"close"`` (the end of the connection).
        encoding: ``"gzip"`` compresses the body and says so. Each write is flushed by itself, so
            the times of a script keep their meaning.
        reason: The reason phrase; `None`: the usual one.
        is_bare: Send ``headers`` and no others, whatever they make of the body.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs, kw_only=True)
    content_type: str | None = attrs.field(default="text/event-stream", kw_only=True)
    length: int | None = attrs.field(default=None, kw_only=True)
    framing: _Framing = attrs.field(
        default=attrs.Factory(_default_framing, takes_self=True), kw_only=True
    )
    encoding: Literal["gzip"] | None = attrs.field(default=None, kw_only=True)
    reason: str | None = attrs.field(default=None, kw_only=True)
    is_bare: bool = attrs.field(default=False, kw_only=True)

    async def play(self, answer: Answer) -> None:
        await answer.start(self)


@attrs.frozen
class Send(Step):
    """Body bytes, in one write: one chunk where the framing is chunked."""

    data: bytes

    def pieces(self) -> Sequence[bytes]:
        return (self.data,)


@attrs.frozen
class Event(Step):
    """One server-sent event, in one write.

    Attributes:
        data: A string as it is (each of its lines becomes a ``data`` line); anything else as JSON.
        event: The event type, if it has one.
        id: The event ID, if it has one.
        retry: The reconnection time in milliseconds, if it sets one.
    """

    data: object = ""
    event: str | None = attrs.field(default=None, kw_only=True)
    id: str | None = attrs.field(default=None, kw_only=True)
    retry: int | None = attrs.field(default=None, kw_only=True)

    def pieces(self) -> Sequence[bytes]:
        text = self.data if isinstance(self.data, str) else json.dumps(self.data)
        lines = [
            f"{name}: {value}"
            for name, value in (("event", self.event), ("id", self.id), ("retry", self.retry))
            if value is not None
        ]
        lines += [f"data: {line}" for line in text.split("\n")]
        return ("\n".join([*lines, "", ""]).encode(),)


@attrs.frozen
class Ping(Step):
    """A comment line, as servers send to keep a connection alive."""

    text: str = "ping"

    def pieces(self) -> Sequence[bytes]:
        return (f": {self.text}\n\n".encode(),)


def _sizes(sizes: Iterable[int]) -> tuple[int, ...]:
    sizes = tuple(sizes)
    if any(size < 1 for size in sizes):
        raise ValueError(f"a piece has at least one byte, got sizes {sizes}")
    return sizes


@attrs.frozen
class Pieces(Step):
    """Body bytes in several writes; `Send` is the same in one.

    Pieces that follow each other at once may reach the client in one read; ``every`` keeps them
    apart.

    Attributes:
        data: The bytes.
        size: The size of each piece, in bytes; the last one may be smaller.
        sizes: The sizes of the first pieces, for uneven ones; ``size`` then cuts what is left.
            The default leaves it in one piece.
        every: Seconds to wait between two pieces.
    """

    data: bytes
    size: int | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    sizes: tuple[int, ...] = attrs.field(default=(), kw_only=True, converter=_sizes)
    every: float = attrs.field(default=0.0, kw_only=True)

    def pieces(self) -> Sequence[bytes]:
        cuts = [0]
        for size in self.sizes:
            cuts.append(cuts[-1] + size)
        cuts.extend(range(cuts[-1], len(self.data), self.size or len(self.data) or 1))
        cuts.append(len(self.data))
        pieces = [self.data[start:end] for start, end in pairwise(cuts)]
        return [piece for piece in pieces if piece]

    def unrolled(self) -> Sequence[Step]:
        sends = [Send(piece) for piece in self.pieces()]
        if not self.every:
            return sends
        return [step for send in sends for step in (Wait(self.every), send)][1:]

    async def play(self, answer: Answer) -> None:
        for index, piece in enumerate(self.pieces()):
            if index:
                await trio.sleep(self.every)
            await answer.send(piece)


@attrs.frozen
class Raw(Step):
    """Bytes on the wire as they are, past head, framing and encoding.

    Nothing is added: a script that begins with `Raw` writes its own head, framing and end, unless
    a `Head` follows. The connection closes when the script is over, whatever the bytes promise.
    """

    data: bytes

    async def play(self, answer: Answer) -> None:
        await answer.raw(self.data)


@attrs.frozen
class BadChunk(Step):
    """A chunk whose size line is no number (or is whatever ``line`` says), then what follows."""

    line: bytes = b"not-a-size"
    unfinished = True

    async def play(self, answer: Answer) -> None:
        await answer.ensure_started()
        await answer.raw(self.line + b"\r\n")


@attrs.frozen
class Wait(Step):
    """Nothing for a while, on trio's clock.

    Attributes:
        seconds: How long.
    """

    seconds: float

    async def play(self, answer: Answer) -> None:
        await trio.sleep(self.seconds)


@attrs.frozen
class At(Step):
    """Nothing until so long after the request, on trio's clock; nothing at all if it is past.

    Attributes:
        seconds: How long after the request was complete.
    """

    seconds: float

    async def play(self, answer: Answer) -> None:
        await trio.sleep_until(answer.request.time + self.seconds)


@attrs.frozen
class Until(Step):
    """Nothing until a test says so, by setting a `trio.Event`: order without sleeping."""

    event: trio.Event

    async def play(self, answer: Answer) -> None:
        await self.event.wait()


@attrs.frozen
class Stall(Step):
    """Nothing for ever: until the client leaves.

    Before any head it withholds the head; put a `Head` before it to stall the body.
    """

    unfinished = True

    async def play(self, answer: Answer) -> None:
        await trio.sleep_forever()


@attrs.frozen
class End(Step):
    """The clean end of the body. Needed only for trailers, or before steps that come after it.

    Attributes:
        trailers: Fields after the last chunk; a mapping or pairs. Chunked framing only.
    """

    trailers: tuple[tuple[str, str], ...] = attrs.field(default=(), converter=_pairs)

    async def play(self, answer: Answer) -> None:
        await answer.end(self.trailers)


@attrs.frozen
class Truncate(Step):
    """Cut the body short: the connection ends (FIN) before the declared end of the body.

    With framing ``"close"`` nobody can tell it from a clean end. Before any head it is a server
    that hangs up without an answer.

    Attributes:
        data: The beginning of one more chunk, which the cut falls into; ``b""``: the cut falls
            between two chunks.
    """

    data: bytes = b""
    unfinished = True

    def pieces(self) -> Sequence[bytes]:
        return (self.data,)

    async def play(self, answer: Answer) -> None:
        if self.data:
            await answer.send(self.data, missing=1)
        answer.stop("close")


@attrs.frozen
class Reset(Step):
    """Abort the connection (RST). What was sent before still arrives first.

    Over a socket it waits for a slow client to take it. Where the system does not tell (not Linux),
    the abort may overtake what does not fit into the buffers of the client.
    """

    unfinished = True

    async def play(self, answer: Answer) -> None:
        await answer.drain()
        answer.stop("reset")


@attrs.frozen
class Refuse(Step):
    """Take no request, as the first and only step of a script.

    A memory server refuses the connection, unless it stands already or the plan is a callable. A
    server on a socket cannot accept selectively: it closes the connection before answering. For
    a refused connection on a socket, see `closed_port`.
    """

    async def play(self, answer: Answer) -> None:
        answer.stop("close")
