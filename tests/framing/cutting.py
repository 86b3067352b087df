"""The cuttings that every example is read under, and what must hold under each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeVar

from tests.framing.reference import interpret
from trio_stream.errors import LimitExceededError
from trio_stream.framing import Comment, Parser, ServerSentEvent, SSEParser
from trio_stream.testing import check_parser

F = TypeVar("F")


def cut(body: bytes, ends: Iterable[int]) -> list[bytes]:
    """The pieces of a body, cut at the places that lie inside it."""
    places = sorted({end for end in ends if 0 < end < len(body)})
    return [body[start:end] for start, end in pairwise([0, *places, len(body)])]


def pieces_of(body: bytes, size: int) -> list[bytes]:
    """The pieces of a body, each of one size but the last."""
    return cut(body, range(size, len(body), size))


def every_cutting(body: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and each split in two."""
    yield [body]
    yield pieces_of(body, 1)
    for place in range(1, len(body)):
        yield cut(body, [place])


def read(parser: Parser[F], pieces: Iterable[bytes]) -> list[F]:
    """All the frames of a body."""
    frames: list[F] = []
    for piece in pieces:
        frames += parser.feed(piece)
    return frames + parser.close()


def read_until_breach(
    parser: Parser[F], pieces: Iterable[bytes]
) -> tuple[list[object], LimitExceededError | None]:
    """The frames of a body, up to the breach of a limit if there is one, and that breach."""
    frames: list[object] = []
    try:
        for piece in pieces:
            frames += parser.feed(piece)
    except LimitExceededError as breach:
        return frames + breach.frames, breach
    return frames + parser.close(), None


def check_sse(
    body: bytes,
    frames: list[ServerSentEvent | Comment],
    *,
    last_event_id: str = "",
    retry: int | None = None,
    truncated: bool = False,
    start_id: str = "",
    comments: bool = False,
) -> None:
    """Check that a body is read as expected under every cutting, each frame in time.

    The reference must agree.
    """

    def make() -> SSEParser:
        return SSEParser(last_event_id=start_id, comments=comments)

    meant = interpret(body, last_event_id=start_id, comments=comments)
    assert (meant.frames, meant.last_event_id, meant.retry, meant.truncated) == (
        frames,
        last_event_id,
        retry,
        truncated,
    )
    out = [len(interpret(body[:end], comments=comments).frames) for end in range(len(body) + 1)]
    due = [end for end in range(1, len(out)) for _ in range(out[end] - out[end - 1])]
    check_parser(make, body, frames, ends=due, truncated=truncated)
    for pieces in every_cutting(body):
        parser = make()
        assert read(parser, pieces) == frames
        assert (parser.last_event_id, parser.retry) == (last_event_id, retry)
