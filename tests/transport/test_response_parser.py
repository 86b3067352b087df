"""The parser of responses beside h11, which knows nothing of it, and under hostile bytes."""

from __future__ import annotations

import re
import tracemalloc
from itertools import pairwise

import attrs
import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("httptools", reason="the transport needs the extra [fast]")

from trio_stream.transport._response_parser import BadResponseError, ResponseParser

LIMITS = {"max_head_bytes": 65536, "max_headers": 128}


@attrs.frozen
class Reading:
    """What a parser makes of the bytes of one connection, from the first to the end of it.

    Attributes:
        head: Version, status, reason and headers; `None`: there was no head.
        content: What came of the body.
        ending: ``"whole"`` without a look at the end of the connection, whole ``"at the end"``,
            ``"cut"``, or ``"bad"``.
        is_reusable: Whether the connection could be used again.
    """

    head: tuple[object, ...] | None
    content: bytes
    ending: str
    is_reusable: bool = attrs.field(default=False, eq=False)


def ours(method: str, pieces: list[bytes]) -> Reading:
    """What `ResponseParser` makes of it."""
    parser = ResponseParser(method, **LIMITS)
    content = b""
    ending = "bad"
    try:
        for piece in pieces:
            content += parser.feed(piece)
            if parser.problem:
                break
        else:
            ending = "whole"
            if not parser.is_complete:
                ending = "cut"
                parser.feed_eof()
                ending = "at the end"
    except BadResponseError:
        pass
    head = None
    if parser.has_head:
        # h11 writes the names of codings in lower case, which means the same.
        names = [
            (name.lower(), value.lower() if name.lower() == b"transfer-encoding" else value)
            for name, value in parser.headers
        ]
        head = (parser.http_version, parser.status_code, parser.reason, names)
    return Reading(head, content, ending, parser.is_reusable)


def theirs(method: str, data: bytes) -> tuple[Reading, bytes]:
    """What h11 makes of it, and what it has left over."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    host = [("Host", "a.test")]
    connection.send(h11.Request(method=method, target="/", headers=host))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    head = None
    content = b""
    ending = "whole"
    try:
        while True:
            match connection.next_event():
                case h11.Response() as event:
                    version = event.http_version.decode()
                    head = (version, event.status_code, event.reason, list(event.headers))
                    if method == "CONNECT" and event.status_code < 300:
                        break
                case h11.Data() as event:
                    content += event.data
                case h11.EndOfMessage():
                    break
                case h11.NEED_DATA:
                    ending = "at the end"
                    connection.receive_data(b"")
                case h11.InformationalResponse():
                    pass
                case _:
                    ending = "cut"
                    break
    except h11.RemoteProtocolError:
        ending = "cut" if ending == "at the end" else "bad"
    is_reusable = connection.their_state is h11.DONE
    return Reading(head, content, ending, is_reusable), connection.trailing_data[0]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


# ---- responses that are in order --------------------------------------------------------------

places = st.lists(st.integers(0, 2**16), max_size=8)
methods = st.sampled_from(["GET", "GET", "GET", "POST", "HEAD", "CONNECT"])
optional_space = st.sampled_from([b"", b" ", b" ", b"\t", b"  \t "])
names = st.sampled_from(
    [b"X-One", b"x_2", b"Set-Cookie", b"ETag", b"Keep-Alive", b"a!#$%&'*+.^`|~"]
)
values = st.sampled_from([b"", b"1", b"a b", b"a\tb", b"caf\xe9", b'"q;,"', b"x" * 300, b": "])
reasons = st.sampled_from([b"OK", b"", b"Not  Found", b"H\xe9h\xe9", b"a\tb", b"200 OK"])
connections = st.sampled_from([b"close", b"keep-alive", b"Keep-Alive, x", b"x,Close", b"x-close"])
contents = st.binary(max_size=40) | st.sampled_from(
    [b"\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", b"y" * 3000]
)


@st.composite
def fields(draw: st.DrawFn, *more: tuple[bytes, bytes]) -> bytes:
    """Some fields in any order, with what may stand around a value."""
    some = draw(st.lists(st.tuples(names, values), max_size=4))
    some += [(b"Connection", value) for value in draw(st.lists(connections, max_size=1))]
    lines = []
    for name, value in draw(st.permutations([*some, *more])):
        before, behind = draw(optional_space), draw(optional_space)
        if name == b"Transfer-Encoding":  # a TAB behind it is refused: llhttp takes it for a coding
            behind = behind.replace(b"\t", b"")
        lines.append(b"%b:%b%b%b\r\n" % (name, before, value.strip(b" \t"), behind))
    return b"".join(lines)


@st.composite
def interims(draw: st.DrawFn) -> bytes:
    status = draw(st.sampled_from([b"100 Continue", b"102 ", b"103 Early Hints", b"199 x"]))
    links = draw(st.sampled_from([b"", b"Link: </a>; rel=preload\r\n", b"X: \r\nY:1\r\n"]))
    return b"HTTP/1.1 %b\r\n%b\r\n" % (status, links)


@st.composite
def chunked(draw: st.DrawFn, content: bytes) -> bytes:
    extensions = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b c";d'])
    body = b""
    for piece in cut(content, draw(places)):
        size = draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(piece)
        if piece:
            body += b"%b%b\r\n%b\r\n" % (size, draw(extensions), piece)
    return body + b"0%b\r\n%b\r\n" % (draw(extensions), draw(fields()))


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """A response with what may come before it; its body may be framed in any way."""
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"]))
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 205, 206, 304, 404, 407, 500, 599]))
    content = draw(contents)
    match draw(st.sampled_from(["length", "chunks", "close"])):
        case "length":
            head, body = [(b"Content-Length", b"%i" % len(content))], content
        case "chunks":
            head, body = [(b"Transfer-Encoding", b"chunked")], draw(chunked(content))
        case _:
            head, body = [], content
    before = b"".join(draw(st.lists(interims(), max_size=2)))
    first = b"HTTP/%b %i %b\r\n" % (version, status, draw(reasons))
    return before + first + draw(fields(*head)) + b"\r\n" + body


@given(method=methods, data=responses(), places=places)
@example(method="GET", data=b"HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", places=[])
def test_reads_what_h11_reads(method: str, data: bytes, places: list[int]) -> None:
    """A response that is in order is read as h11 reads it, wherever it is cut."""
    expected, left_over = theirs(method, data)
    reading = ours(method, cut(data, places))
    assert reading == expected
    if b"HTTP/1.1" in data[-len(left_over) :] and left_over:
        assert not reading.is_reusable


@given(method=methods, data=responses())
def test_cuts_make_no_difference(method: str, data: bytes) -> None:
    """Byte by byte the same is read as all at once."""
    assert ours(method, [data]) == ours(method, [data[i : i + 1] for i in range(len(data))])


@given(method=methods, data=responses(), end=st.integers(0, 2**16))
def test_cut_short(method: str, data: bytes, end: int) -> None:
    """A response that stops anywhere is as incomplete to us as it is to h11."""
    part = data[: end % (len(data) + 1)]
    reading, (expected, _) = ours(method, [part]), theirs(method, part)
    assert reading.head == expected.head
    assert reading.content == expected.content
    assert (reading.ending in {"cut", "bad"}) == (expected.ending in {"cut", "bad"})


# ---- responses that are not -------------------------------------------------------------------

NASTY = [
    *(
        b"\n",
        b"\r",
        b"\r\n",
        b"\r\n\r\n",
        b"\0",
        b" ",
        b"\t",
        b"\x0b",
        b"\x7f",
        b"\xff",
        b":",
        b";",
    ),
    *(b",", b"0", b"-1", b"+1", b"0x", b"_", b"\r\n ", b"\r\n\t", b"chunked", b", chunked"),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"Content-Length: 3, 3\r\n"),
    *(b"Transfer-Encoding: identity\r\n", b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    *(b"Connection: upgrade\r\nUpgrade: x\r\n", b"HTTP/1.1 101 x\r\n\r\n", b"ffffffffffffffff"),
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 x\r\n\r\n", b"HTTP/1.2", b"HTTP/2", b"RTSP/1.0"),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A response with bytes put in, left out, repeated or replaced."""
    data = draw(responses())
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from([0, 0, 1, 2, 8])))
        with_ = draw(st.sampled_from(NASTY) | st.binary(max_size=3) | st.just(data[start:end] * 2))
        data = data[:start] + with_ + data[end:]
    return data


def without_empty_lines(data: bytes) -> bytes:
    """The same less empty lines before a head, which h11 refuses, and llhttp skips.

    RFC 9112, 2.2, tells servers to skip them. They can be taken for nothing else.
    """
    data = data.lstrip(b"\r\n")
    head, end, rest = data.partition(b"\r\n\r\n")
    if end and re.match(rb"HTTP/1\.\d 1\d\d", head):
        return head + end + without_empty_lines(rest)
    return data


@given(method=methods, data=damaged(), places=places)
@example(
    method="GET",
    data=b"HTTP/1.1 150 x\r\nContent-Length: 1\r\n\r\nhHTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n",
    places=[],
)
@example(
    method="HEAD", data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", places=[]
)
@example(
    method="GET",
    data=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    places=[],
)
def test_takes_nothing_that_h11_refuses(method: str, data: bytes, places: list[int]) -> None:
    """Of damaged bytes, what we take is what h11 takes, to the last byte; all else is refused."""
    reading = ours(method, cut(data, places))
    expected, left_over = theirs(method, without_empty_lines(data))
    trailers = data.rpartition(b"\r\n0")[2].lower()
    if b"transfer-encoding" in trailers or b"content-length" in trailers:
        # h11 looks at them, and may refuse them; a recipient may as well not (RFC 9110, 6.5.1).
        expected = attrs.evolve(expected, ending=reading.ending)
    if reading.ending != "bad":
        assert reading == expected
    elif reading.head is not None and expected.head is not None:
        assert reading.head == expected.head
        assert expected.content.startswith(reading.content) or expected.ending == "bad"
    if reading.is_reusable and method != "CONNECT":
        assert not left_over.strip(b"\r\n")
        assert (
            expected.is_reusable
            or expected.head[0] == "1.0"
            or b"content-length" in trailers
            or b"transfer-encoding" in trailers
        )


@given(data=damaged(), places=places)
def test_cuts_make_no_difference_to_damage(data: bytes, places: list[int]) -> None:
    """Damaged bytes are taken or refused alike wherever they are cut."""
    whole, pieces = ours("GET", [data]), ours("GET", cut(data, places))
    assert (whole.ending, whole.head, whole.content) == (pieces.ending, pieces.head, pieces.content)


# ---- limits -----------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("size", [1000, 65536])
@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"HTTP/1.1 200 ", b"x"),
        (OK + b"X: ", b"x"),
        (OK, b"X: y\r\n"),
        (OK, b"x"),
        (b"", b"\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"),
        (CHUNKED, b"0"),
        (CHUNKED + b"1;", b"x"),
        (CHUNKED + b"0\r\n", b"X: y\r\n"),
        (CHUNKED + b"0\r\nX: ", b"x"),
    ],
    ids=[
        "reason",
        "value",
        "fields",
        "name",
        "empty",
        "interim",
        "size",
        "extension",
        "trailers",
        "trailer",
    ],
)
def test_flood_without_content(begin: bytes, more: bytes, size: int) -> None:
    """What is no content and has no end is given up in time, and is not kept until then."""
    parser = ResponseParser("GET", **LIMITS)
    piece = more * (size // len(more))
    tracemalloc.start()
    try:
        parser.feed(begin)
        fed = 0
        while not parser.problem:
            parser.feed(piece)
            fed += len(piece)
            assert fed <= 2 * 65536 + len(piece)
    except BadResponseError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert parser.problem
    assert peak < 8 * 65536


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;%b\r\nx\r\n" % (b"y" * 50)])
def test_body_without_end(chunk: bytes) -> None:
    """A body may be as long as it likes, in chunks of one byte too; nothing of it is kept."""
    parser = ResponseParser("GET", **LIMITS)
    assert parser.feed(CHUNKED) == b""
    read = chunk * 1000
    tracemalloc.start()
    for _ in range(20):
        assert parser.feed(read) == b"x" * 1000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not parser.problem
    assert peak < 3 * 65536


def test_many_tiny_chunks_are_one_piece() -> None:
    """What one read brings is handed out at once, however many chunks it came in."""
    parser = ResponseParser("GET", **LIMITS)
    parser.feed(CHUNKED)
    assert parser.feed(b"1\r\nx\r\n" * 10_000) == b"x" * 10_000
    assert parser.feed(b"0\r\n\r\n") == b""
    assert parser.is_complete
    assert parser.is_reusable


@pytest.mark.parametrize("size", [0, 127, 128, 129])
def test_number_of_fields(size: int) -> None:
    """As many fields as allowed are taken, and not one more."""
    reading = ours("HEAD", [OK + b"X: y\r\n" * size + b"\r\n"])
    assert (reading.ending == "whole") == (size <= 128)


def test_size_of_a_head() -> None:
    """A head of about the size that is allowed is taken, and one that is larger is not."""
    for size, ending in [(65000, "whole"), (65600, "bad")]:
        data = OK + b"X: %b\r\n\r\n" % (b"x" * size)
        assert ours("HEAD", [data]).ending == ending
        assert ours("HEAD", cut(data, [100, 30_000, 64_000])).ending == ending
