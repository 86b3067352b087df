"""Server-sent events: limits, memory, and work that is linear in the bytes."""

from __future__ import annotations

import contextlib
import gc
import tracemalloc
from collections.abc import Iterable
from itertools import repeat

import pytest

from tests.framing.cutting import every_cutting, pieces_of, read, read_until_breach
from trio_stream.config import DEFAULT_MAX_BYTES
from trio_stream.errors import LimitExceededError, StreamErrorType
from trio_stream.framing import SSE, Comment, ServerSentEvent, SSEParser
from trio_stream.testing import check_parser

E = ServerSentEvent
KIB = 1024
MIB = 1024 * KIB


def check_limit(
    body: bytes,
    frames: list[ServerSentEvent | Comment],
    *,
    breach: str | None = None,
    max_line_bytes: int = MIB,
    max_event_bytes: int = MIB,
) -> None:
    """Check that a body breaches a limit, or none, in the same place under every cutting."""

    def make() -> SSEParser:
        return SSEParser(max_line_bytes=max_line_bytes, max_event_bytes=max_event_bytes)

    raises = LimitExceededError if breach else None
    check_parser(make, body, frames, raises=raises, max_splits=60)
    # Within a burst of usual events, whose length the parser guesses from two places.
    for before in (b"", 200 * b"data: 1\n\n"):
        for size in (len(body) + len(before), 1000, 2):
            _, error = read_until_breach(make(), pieces_of(before + body, size))
            assert (error and error.limit) == breach


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("size", [20, 700, 5000])
@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_line_limit_is_exact(end: bytes, size: int, letter: str) -> None:
    """A line may have as many bytes as the limit, its end not counted, and not one more."""
    text = letter.encode()
    line = b"data: " + (size - 6) // len(text) * text
    body = b"data: 0" + 2 * end + line + 2 * end + b"data: 2" + 2 * end
    data = line[6:].decode()

    check_limit(body, [E(data="0"), E(data=data), E(data="2")], max_line_bytes=len(line))
    check_limit(body, [E(data="0")], breach="max_line_bytes", max_line_bytes=len(line) - 1)


@pytest.mark.parametrize("line", [b": comment", b"event: name", b"id: 1234567", b"nonsense"])
def test_line_limit_is_for_every_line(line: bytes) -> None:
    """Lines that are no data are bounded, too, also when they stay unfinished."""
    frames: list[ServerSentEvent | Comment] = [E(data="0")]

    check_limit(b"data: 0\n\n" + line + b"\n", frames, max_line_bytes=len(line))
    check_limit(
        b"data: 0\n\n" + line + b"\ndata: 1\n\n",
        frames,
        breach="max_line_bytes",
        max_line_bytes=len(line) - 1,
    )
    check_limit(
        b"data: 0\n\n" + line, frames, breach="max_line_bytes", max_line_bytes=len(line) - 1
    )


def test_bom_does_not_count() -> None:
    """A BOM is no part of the first line."""
    for body, limit in [
        (b"\xef\xbb\xbfdata: a\n\n", None),
        (b"\xef\xbb\xbfdata: ab\n\n", "max_line_bytes"),
    ]:
        for pieces in every_cutting(body):
            _, breach = read_until_breach(SSEParser(max_line_bytes=7), pieces)
            assert (breach and breach.limit) == limit


@pytest.mark.parametrize("lines", [1, 2, 3, 50])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("name", [b"data:", b"data: "])
@pytest.mark.parametrize("letter", ["x", "é"])
def test_event_limit_is_exact(lines: int, end: bytes, name: bytes, letter: str) -> None:
    """The data of an event may be as large as the limit as UTF-8, the LFs in it counted."""
    data = "\n".join([10 * letter] * lines)
    size = len(data.encode())
    block = b"".join(name + line.encode() + end for line in data.split("\n")) + b": c" + end + end
    body = b"data: 0" + 2 * end + block + b"data: 2" + 2 * end

    check_limit(body, [E(data="0"), E(data=data), E(data="2")], max_event_bytes=size)
    check_limit(body, [E(data="0")], breach="max_event_bytes", max_event_bytes=size - 1)


def test_empty_data_lines_count() -> None:
    """Each further data line adds its LF, so an event of empty lines is bounded, too."""
    check_limit(4 * b"data\n" + b"\n", [E(data="\n\n\n")], max_event_bytes=3)
    check_limit(5 * b"data\n" + b"\n", [], breach="max_event_bytes", max_event_bytes=3)


def test_event_limit_is_for_each_event() -> None:
    """What an event was made of does not count for the next."""
    body = 10 * b"data: 12345\ndata: 12345\n\n"

    check_limit(body, 10 * [E(data="12345\n12345")], max_event_bytes=11)


def test_line_too_long_for_any_event_breaches_the_event_limit() -> None:
    """The smaller limit is the one that is named."""
    line = b"data: " + 500 * b"x"

    check_limit(line, [], breach="max_event_bytes", max_line_bytes=600, max_event_bytes=499)
    check_limit(line, [], breach="max_line_bytes", max_line_bytes=505, max_event_bytes=501)


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_error_tells_what_was_completed_before(size: int) -> None:
    """The error names the limit and carries the events that the failing feed had completed."""
    body = b"event: a\ndata: 1\n\nid: 2\ndata: 3\ndata: 4\n\n" + 100 * b"x" + b"\n\ndata: 5\n\n"
    parser = SSEParser(max_line_bytes=99)

    frames, error = read_until_breach(parser, pieces_of(body, size))

    assert frames == [E("a", "1"), E(data="3\n4", id="2")]
    assert error is not None
    assert error.limit == "max_line_bytes"
    assert error.error_type is StreamErrorType.LIMIT_EXCEEDED
    assert not error.is_retryable
    assert "max_line_bytes=99" in str(error)
    assert parser.last_event_id == "2"
    assert parser.close() == []


def test_usual_block_is_bounded_when_it_comes_whole() -> None:
    """The shortcut for one whole block in one piece knows the limits."""
    for max_line_bytes, max_event_bytes, name in [
        (16, MIB, "max_line_bytes"),
        (MIB, 10, "max_event_bytes"),
    ]:
        parser = SSEParser(max_line_bytes=max_line_bytes, max_event_bytes=max_event_bytes)
        assert parser.feed(b"event: a\ndata: 1234567890\n\n") == [E("a", "1234567890")]
        assert parser.feed(b"event: a\ndata: 1234567890\n\n") == [E("a", "1234567890")]
        with pytest.raises(LimitExceededError) as caught:
            parser.feed(b"event: a\ndata: 12345678901\n\n")
        assert (caught.value.limit, caught.value.frames) == (name, [])


def test_limits_are_on_by_default() -> None:
    """Nobody has to ask for the limits: 64 MiB a line and 64 MiB an event."""
    piece = MIB * b"x"

    for parser in (SSEParser(), SSE().parser()):
        parser.feed(b"data: ")
        for _ in range(DEFAULT_MAX_BYTES // MIB - 1):
            assert parser.feed(piece) == []
        with pytest.raises(LimitExceededError):
            parser.feed(piece)


# --- memory -----------------------------------------------------------------------------------


def peak_of(parser: SSEParser, pieces: Iterable[bytes]) -> int:
    """The most memory that a parser holds until a limit stops it, beside what was there before."""
    gc.collect()
    tracemalloc.start()
    try:
        with contextlib.suppress(LimitExceededError):
            for piece in pieces:
                parser.feed(piece)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 2, 5, 64, 1500])
@pytest.mark.parametrize("start", [b"data: ", b": ", b"event: ", b""])
def test_dripped_endless_line_is_bounded(size: int, start: bytes) -> None:
    """However small the pieces of an endless line are, it takes little more than the limit."""
    limit = 256 * KIB
    parser = SSEParser(max_line_bytes=limit)
    parser.feed(start)

    assert peak_of(parser, repeat(size * b"x")) < 1.5 * limit


@pytest.mark.parametrize("piece", [b"data\n", b"data:x\n", b"data: x\n", b"data\r\n", b"data\r"])
@pytest.mark.parametrize("count", [1, 100])
def test_endless_event_of_tiny_lines_is_bounded(piece: bytes, count: int) -> None:
    """An endless event of tiny data lines takes a small multiple of the limit, not fifty times."""
    limit = 128 * KIB
    parser = SSEParser(max_event_bytes=limit)

    assert peak_of(parser, repeat(count * piece)) < 4 * limit


def test_long_names_and_ids_are_not_multiplied() -> None:
    """Huge event types and IDs, event after event, take a small multiple of the limit."""
    limit = 512 * KIB
    name = limit // 2 * b"x"
    body = [b"event: " + name + b"\nid: " + name + b"\n", b"data: a\n\n"]
    parser = SSEParser(max_line_bytes=limit)

    assert peak_of(parser, [*20 * body, 2 * limit * b"x"]) < 8 * limit


# --- linearity --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4])
def test_large_event_in_tiny_pieces(size: int) -> None:
    """A line of 1 MiB that arrives in tiny pieces is one event."""
    data = MIB * "x"

    assert read(SSEParser(), pieces_of(f"data: {data}\n\n".encode(), size)) == [E(data=data)]


@pytest.mark.parametrize("letter", ["x", "é"])
def test_4_mib_line_in_64_byte_pieces(letter: str) -> None:
    """A line of 4 MiB that arrives in 65,536 pieces is one event."""
    data = 4 * MIB // len(letter.encode()) * letter

    assert read(SSEParser(), pieces_of(f"data: {data}\n\n".encode(), 64)) == [E(data=data)]


@pytest.mark.parametrize("size", [11, 64, 65_536, 10 * MIB])
def test_100_000_data_lines_in_one_event(size: int) -> None:
    """An event of 100,000 data lines is one event."""
    lines = [f"line {number}" for number in range(100_000)]
    body = "".join(f"data: {line}\n" for line in lines).encode() + b"\n"

    assert read(SSEParser(), pieces_of(body, size)) == [E(data="\n".join(lines))]


@pytest.mark.parametrize("name", ["", "a", "aaaaaaaa", 40 * "a", 4000 * "a"])
@pytest.mark.parametrize("letter", ["a", " ", "\n", "\ndata: ", "\nevent: a"])
def test_payload_that_resembles_the_head(name: str, letter: str) -> None:
    """A payload made of what the parser looks for is read, and takes no more than its length."""
    block = f"event: {name}\ndata: 1\n\n"
    body = (2 * block + "data: " + 300_000 // len(letter) * letter + "\n\n" + block).encode()

    frames = read(SSEParser(), [body])

    for size in (20_000, 65_536):
        assert read(SSEParser(), pieces_of(body, size)) == frames
    assert frames[0] == frames[1] == frames[-1] == E(name or "message", "1")
