"""JSON that stands in an event stream without being an event."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import tracemalloc
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.framing.cutting import cut, pieces_of, read, read_until_breach
from tests.framing.test_sse_fuzz import LARGE, PIECES
from trio_stream.config import DEFAULT_MAX_BYTES
from trio_stream.errors import LimitExceededError
from trio_stream.framing import SSE, Comment, Parser, ServerSentEvent, SSEParser, UnframedText
from trio_stream.testing import check_parser

E = ServerSentEvent
Frame = ServerSentEvent | Comment | UnframedText
KIB = 1024
MIB = 1024 * KIB

ERROR = json.dumps({"error": {"code": 503, "message": 'a "brace": } and \\ [', "details": [{}]}})
PRETTY = json.dumps(json.loads(ERROR), indent=2)
TEXTS = [
    ERROR,
    PRETTY,
    PRETTY.replace("\n", "\r\n"),
    f"[{ERROR}]",
    f"[\r\n{PRETTY}\n]",
    "{}",
    "[ ]",
    "{not: JSON}",
    '{"é": "\\"", "\\\\": "{["}',
    '[\t{"a":\n\n{"data": "x\n\ndata: y\n\n"}}]',
]
texts = pytest.mark.parametrize("text", TEXTS)


def make() -> Parser[Frame]:
    return SSE(unframed=True).parser()


# --- what is unframed -----------------------------------------------------------------------------


@texts
@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n", "  \n\n"])
def test_whole_body(text: str, end: str) -> None:
    """A body that is nothing but JSON is one text, out with its last bracket."""
    body = text.encode()

    check_parser(make, body + end.encode(), [UnframedText(text)], ends=[len(body)], truncated=False)


@texts
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["data: 1", "\ufeffevent: a\ndata: 1", ": ping", "", "\ufeff"])
def test_after_an_event(text: str, end: str, start: str) -> None:
    """JSON that begins a block is a text, whatever came before the blank line."""
    before = f"{start}{end}{end}".replace("\n", end).replace("\r\r", "\r").encode()
    events = SSEParser().feed(before)

    check_parser(make, before + text.encode(), [*events, UnframedText(text)], truncated=False)


@texts
def test_after_bom(text: str) -> None:
    """A BOM before the JSON is not part of it."""
    check_parser(make, b"\xef\xbb\xbf" + text.encode(), [UnframedText(text)], truncated=False)


def test_what_follows_is_an_event_stream_again() -> None:
    """After the last bracket, events and further texts are read on."""
    body = b'{"a": 1}\n\ndata: 1\n\n[{}]  \n\nid: 7\ndata: 2\n\n{}\n\n{}'

    check_parser(
        make,
        body,
        [
            UnframedText('{"a": 1}'),
            E(data="1"),
            UnframedText("[{}]"),
            E(data="2", id="7"),
            UnframedText("{}"),
            UnframedText("{}"),
        ],
        truncated=False,
    )


@pytest.mark.parametrize("text", TEXTS[:5])
def test_cut_text_is_dropped(text: str) -> None:
    """A text whose last bracket does not come is dropped like an unfinished event."""
    for length in range(1, len(text.encode())):
        parser = make()

        assert read(parser, [b"data: 1\n\n" + text.encode()[:length]]) == [E(data="1")]
        assert parser.truncated


@pytest.mark.parametrize(
    "body",
    [
        b"data: 1\n{}\n\n",  # inside a block
        b"event: error\n{}\n\n",
        b"data: 1\n\n {}\n\n",  # not at the start of the line
        b"data: 1\n\n[DONE]\n\ndata: 2\n\n",  # no JSON, but often seen
        b"[DONE]",
        b"[DONE]\n\n",
        b"data: 1\n\n[",
        b"data: {\n\ndata: }\n\n",
        b"\xef\xbb{}\n\n",  # half a BOM is the start of a line
        b"\xef\xbb\xbf\xef\xbb\xbf{}\n\n",  # so is a second BOM
        b"data: 1\r\r{}\r\r",  # CR alone: not looked at
        b"}\n\n]\n\n",
    ],
)
def test_everything_else_is_read_as_without(body: bytes) -> None:
    """Brackets in any other place mean what the standard says: an unknown field, ignored."""
    plain = SSEParser()
    frames = read(plain, [body])

    # A bracket in the very end may yet begin a text.
    check_parser(make, body, frames, truncated=plain.truncated)


def test_invalid_bytes_are_replaced() -> None:
    """A text is UTF-8, with U+FFFD for invalid bytes, as events are."""
    check_parser(make, b'{"a": "\xff\xe2\x82"}', [UnframedText('{"a": "\ufffd\ufffd"}')])


def test_comments_and_ids_are_handed_on() -> None:
    """The parser of the events keeps its properties: comments, the last event ID."""
    parser = SSE(comments=True, unframed=True).parser(last_event_id="6")

    assert parser.last_event_id == "6"
    assert parser.feed(b": hi\nid: 7\ndata: 1\n\n{}") == [
        Comment("hi"),
        E(data="1", id="7"),
        UnframedText("{}"),
    ]
    assert parser.last_event_id == "7"
    assert parser.close() == []


def test_only_on_request() -> None:
    """By default the standard holds, and the parser is that of event streams."""
    assert isinstance(SSE().parser(), SSEParser)
    assert SSE().parser().feed(b'{"error": 1}\n\ndata: 1\n\n') == [E(data="1")]


# --- any stream -----------------------------------------------------------------------------------

small_bodies = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=30).map(b"".join)
large_bodies = st.lists(st.sampled_from(PIECES + LARGE), max_size=15).map(b"".join)
places = st.lists(st.integers(min_value=0, max_value=2**32), max_size=12)


@given(body=small_bodies | large_bodies, ends=places)
@example(body=b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", ends=[1, 2, 3, 4, 5])
@example(body=b"data: a\r\n\r\nid: 1\r\n\r\n", ends=[8, 9, 10, 11])
def test_without_brackets_nothing_differs(body: bytes, ends: list[int]) -> None:
    """Where no line begins with a bracket, the frames are those of SSEParser, piece by piece."""
    body = body.replace(b"{", b"(").replace(b"[", b"(")
    plain, parser = SSEParser(comments=True), SSE(comments=True, unframed=True).parser()

    for piece in cut(body, [end % (len(body) + 1) for end in ends]):
        assert parser.feed(piece) == plain.feed(piece)
        assert parser.last_event_id == plain.last_event_id
    assert parser.close() == plain.close()
    assert parser.truncated == plain.truncated


segments = st.lists(
    st.sampled_from(["data: 1\n\n", "event: a\r\ndata: 2\r\n\r\n", ": c\n\n", "data: {}\n\n"])
    | st.sampled_from(TEXTS).map(lambda text: f"{text}\n\n"),
    max_size=8,
)


@given(parts=segments, ends=places)
def test_texts_between_events_under_any_cutting(parts: list[str], ends: list[int]) -> None:
    """Texts and events are found wherever they stand and however the body is cut."""
    expected: list[Frame] = []
    for part in parts:
        if part.startswith(("{", "[")):
            expected.append(UnframedText(part.removesuffix("\n\n")))
        else:
            expected += SSEParser().feed(part.encode())
    body = "".join(parts).encode()

    for pieces in (cut(body, [end % (len(body) + 1) for end in ends]), pieces_of(body, 1)):
        assert read(make(), pieces) == expected


@given(data=st.lists(st.binary(max_size=40) | st.sampled_from([*PIECES, b"{", b"["]), max_size=20))
def test_any_bytes_raise_nothing(data: list[bytes]) -> None:
    """No bytes at all make the parser raise."""
    parser = make()
    for piece in data:
        parser.feed(piece)

    assert parser.close() == []


# --- limits ---------------------------------------------------------------------------------------


def test_limit_is_exact() -> None:
    """A text may be as large as the limit of an event, in bytes, and not one byte larger."""
    text = '{"é": "' + 100 * "x" + '"}'
    size = len(text.encode())
    body = b"data: 1\n\n" + text.encode() + b"\n\ndata: 2\n\n"

    check_parser(
        lambda: SSE(unframed=True).parser(max_event_bytes=size, max_line_bytes=20),
        body,
        [E(data="1"), UnframedText(text), E(data="2")],
    )
    check_parser(
        lambda: SSE(unframed=True).parser(max_event_bytes=size - 1),
        body,
        [E(data="1")],
        raises=LimitExceededError,
    )


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_error_of_the_events_tells_what_was_completed_before(size: int) -> None:
    """Where a line breaches its limit, the error carries the texts that came before, too."""
    body = b"data: 1\n\n{}\n\ndata: " + 100 * b"x"
    parser = SSE(unframed=True).parser(max_line_bytes=50)

    frames, error = read_until_breach(parser, pieces_of(body, size))

    assert frames == [E(data="1"), UnframedText("{}")]
    assert error is not None
    assert error.limit == "max_line_bytes"


@pytest.mark.parametrize("piece", [b"{", b'"', b"x", b"{}", b"\\", 1500 * b"["])
def test_endless_text_is_bounded(piece: bytes) -> None:
    """However small the pieces of an endless text are, it takes little more than the limit."""
    limit = 16 * KIB
    parser = SSE(unframed=True).parser(max_event_bytes=limit)
    parser.feed(b"[{")
    gc.collect()
    tracemalloc.start()
    try:
        with contextlib.suppress(LimitExceededError):
            for each in repeat(piece):
                parser.feed(each)
        assert tracemalloc.get_traced_memory()[1] < 3 * limit
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 64, MIB])
def test_large_text(size: int) -> None:
    """A text of many brackets or of long strings is read in one look at each byte."""
    text = "[" + ",".join(5_000 * ['{"a": ["b\\n"]}'] + [f'"{50 * KIB * "x"}"']) + "]"

    assert read(make(), pieces_of(text.encode(), size)) == [UnframedText(text)]


def test_many_texts_in_one_piece() -> None:
    """Each of many small texts in one piece costs its own length, and not that of the piece."""
    assert read(make(), [20_000 * b"{}\n\n"]) == 20_000 * [UnframedText("{}")]


def test_limit_is_on_by_default() -> None:
    """Nobody has to ask for the limit: it is that of events, 64 MiB."""
    parser = make()
    parser.feed(b'{"')
    assert parser.feed((DEFAULT_MAX_BYTES - 2) * b"x") == []
    with pytest.raises(LimitExceededError):
        parser.feed(b"x")


# --- recorded streams -----------------------------------------------------------------------------

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")
RECORDED = sorted(Path(CORPORA or "/nowhere", "recorded").glob("*.sse"))


@pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")
def test_recorded_streams_have_no_such_text() -> None:
    """No line of a real stream is mistaken: the frames are those of the standard."""
    assert len(RECORDED) == 115
    for path in RECORDED:
        body = path.read_bytes()
        frames = read(SSEParser(), [body])

        assert read(make(), [body]) == frames, path.stem
        assert read(make(), pieces_of(body, 1400)) == frames, path.stem
