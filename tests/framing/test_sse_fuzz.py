"""Server-sent events against the reference: any bytes, cut anywhere."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from tests.framing.cutting import cut, read_until_breach
from tests.framing.reference import interpret
from trio_stream.framing import SSEParser

# What a reader may trip over, and whole blocks in the usual form so that its shortcuts run.
PIECES = [
    *(b"\xef\xbb\xbf", b"\xef\xbb", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n"),
    *(b"\0", b"\v", b"\x85", "\u2028".encode(), "\x85".encode(), b"\xff", b"\xe2\x80", b"\xc3"),
    *("é".encode(), "😀".encode(), b"\xed\xa0\x80", b":", b" ", b": ", b"  ", b"\t"),
    *(b"data", b"data:", b"data: ", b"data: a", b"data: a\n", b"data: b\n\n", b"Data: c\n"),
    *(b"event", b"event:", b"event: ", b"event: a\n", b"event: b\n", b"event: a\ndata: 1\n\n"),
    *(b"event: b\ndata: 2\n\n", b"event: a\r\ndata: 3\r\n\r\n", b"data: 4\r\r", b"event\n"),
    *(b"id", b"id: ", b"id: 1\n", b"id: 2\n\n", b"id: \x003\n", b"id:\n", "id: …\n".encode()),
    *(b"retry", b"retry: ", b"retry: 10\n", b"retry:99999999999\n", b"retry: 1_0\n", b"retry:-1\n"),
    *("retry: ٣\n".encode(), b"retry: 12\ndata: r\n\n", b": comment\n", b":\n", b"foo: bar\n"),
]
LARGE = [
    150 * b"event: a\ndata: 1\n\n",
    400 * b"data: 1\n\n",
    20 * b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\nid: 3\nevent: a\ndata: 4\n\n",
    b"data: " + 3000 * b"x",
    b"event: a\ndata: " + 3000 * "é".encode() + b"\n\n",
    300 * b"data: x\ndata: y\n",
    300 * b"event: a\r\ndata: 1\r\n\r\n",
    1500 * b"\n",
]

small_bodies = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=30).map(b"".join)
large_bodies = st.lists(st.sampled_from(PIECES + LARGE), max_size=15).map(b"".join)
places = st.lists(st.integers(min_value=0, max_value=2**32), max_size=12)


def check_against_reference(body: bytes, pieces: list[bytes], *, comments: bool) -> None:
    """Check that after each piece the parser is where the reference is after the same bytes."""
    parser = SSEParser(comments=comments, last_event_id="0")
    frames = []
    fed = 0
    for piece in pieces:
        frames += parser.feed(piece)
        fed += len(piece)
        meant = interpret(body[:fed], comments=comments, last_event_id="0")
        assert frames == meant.frames
        assert (parser.last_event_id, parser.retry) == (meant.last_event_id, meant.retry)
    assert parser.close() == []
    assert parser.truncated is interpret(body, last_event_id="0").truncated


@given(body=small_bodies, ends=places, comments=st.booleans())
@example(body=b"event: a\ndata: 1\n\nevent: a\ndata: 1\n\n", ends=[18], comments=False)
@example(body=b"data: a\r\r\n\n", ends=[8, 9, 10], comments=False)
@example(body=b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", ends=[1, 2, 3, 4, 5], comments=False)
def test_any_stream_under_any_cutting(body: bytes, ends: list[int], *, comments: bool) -> None:
    """After each piece, frames, last event ID and retry are the reference's for those bytes."""
    pieces = cut(body, [end % (len(body) + 1) for end in ends])

    check_against_reference(body, pieces, comments=comments)


@given(body=small_bodies, comments=st.booleans())
def test_any_stream_byte_by_byte(body: bytes, *, comments: bool) -> None:
    """The same, byte by byte: each frame is out with the last byte of its terminator."""
    check_against_reference(body, cut(body, range(len(body))), comments=comments)


@given(body=large_bodies, ends=places, comments=st.booleans())
def test_bursts_and_long_lines_under_any_cutting(
    body: bytes, ends: list[int], *, comments: bool
) -> None:
    """The same, where the pieces are large enough for every shortcut."""
    pieces = cut(body, [end % (len(body) + 1) for end in ends])

    check_against_reference(body, pieces, comments=comments)


@given(data=st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_raise_nothing(data: list[bytes]) -> None:
    """No bytes at all make the parser raise."""
    parser = SSEParser()
    for piece in data:
        parser.feed(piece)

    assert parser.close() == []


@given(
    body=small_bodies | large_bodies,
    ends=places,
    max_line_bytes=st.integers(1, 40) | st.integers(1000, 4000),
    max_event_bytes=st.integers(1, 40) | st.integers(1000, 4000),
)
def test_limits_do_not_depend_on_the_cutting(
    body: bytes, ends: list[int], max_line_bytes: int, max_event_bytes: int
) -> None:
    """A breach, its name and the frames before it are the same however the body is cut."""
    results = []
    for pieces in ([body], cut(body, [end % (len(body) + 1) for end in ends])):
        parser = SSEParser(max_line_bytes=max_line_bytes, max_event_bytes=max_event_bytes)
        frames, breach = read_until_breach(parser, pieces)
        results.append((frames, breach and breach.limit, parser.last_event_id, parser.retry))

    whole, in_pieces = results
    assert whole == in_pieces
    if whole[1] is None:
        assert whole[0] == interpret(body).frames
