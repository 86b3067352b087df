"""The head of a request, read back by h11's server side, which knows nothing of how it was made."""

from __future__ import annotations

from collections.abc import Sequence

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("httptools", reason="the transport needs the extra [fast]")

from trio_stream.transport._request_head import (
    BadRequestError,
    body_length,
    request_head,
    wants_close,
)

HOST = (b"Host", b"a.test")

tokens = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8)
printable = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
targets = st.just("/") | st.text(printable, min_size=1, max_size=20)
values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.just("\t"), max_size=20)
headers = st.lists(st.tuples(tokens, values), max_size=6)
FRAMING = {b"host", b"content-length", b"transfer-encoding"}


def read_back(data: bytes) -> tuple[object, ...]:
    """What h11 makes of the bytes of a request: method, target, headers, body, what is left."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request), request
    assert request.http_version == b"1.1"
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage), event
    left = connection.trailing_data[0]
    return request.method, request.target, list(request.headers.raw_items()), body, left


@given(method=tokens, target=targets, headers=headers)
def test_reads_as_it_was_meant(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    """What we write is read as it was given, less the space around values."""
    pairs = [HOST, *((name.encode(), value.encode()) for name, value in headers)]
    pairs = [pair for pair in pairs if pair is HOST or pair[0].lower() not in FRAMING]
    meant = [(name, value.strip(b" \t")) for name, value in pairs]
    got = read_back(request_head(method, target.encode(), pairs))
    assert got == (method.encode(), target.encode(), meant, b"", b"")


evil = st.sampled_from(
    [
        *"\r\n\0 \t:\x0b\x0c\x1c\x85\x7f/",
        "\r\n",
        "\r\n ",
        "\n\n",
        "x",
        "HTTP/1.1",
        "é",
        "\u2028",
        "\r\nContent-Length: 5",
        "\r\n\r\nGET /evil HTTP/1.1\r\nHost: b\r\n\r\n",
        " HTTP/1.0",
        "\u010a",
    ]
)
texts = st.lists(evil | st.text(max_size=3), max_size=4).map("".join)


@given(method=texts, target=texts, name=texts, value=texts)
@example(method="GET", target="/", name="X", value="\r\nEvil: 1")
@example(method="GET", target="/ HTTP/1.1\r\nEvil:", name="X", value="")
@example(method="G\u010aT", target="/", name="X", value="")
def test_nothing_gets_in(method: str, target: str, name: str, value: str) -> None:
    """Whatever the parts are, they make one request with two fields, or none at all."""
    parts = target.encode(), name.encode(), value.encode("latin-1", "replace")
    try:
        head = request_head(method, parts[0], [HOST, (parts[1], parts[2])])
    except BadRequestError:
        return
    first, second, third, *rest = head.split(b"\r\n")
    assert rest == [b"", b""]
    assert b"\n" not in first + second + third
    assert b"\r" not in first + second + third
    assert first.split(b" ") == [method.encode(), parts[0], b"HTTP/1.1"]
    assert second == b"Host: a.test"
    assert third == parts[1] + b": " + parts[2]
    assert head.count(b"\0") == 0


@pytest.mark.parametrize(
    ("method", "target", "header"),
    [
        ("", b"/", (b"X", b"")),
        ("GET ", b"/", (b"X", b"")),
        ("G\r\nT", b"/", (b"X", b"")),
        ("GET", b"", (b"X", b"")),
        ("GET", b"/a b", (b"X", b"")),
        ("GET", b"/\r\n", (b"X", b"")),
        ("GET", b"/", (b"", b"")),
        ("GET", b"/", (b"X ", b"")),
        ("GET", b"/", (b"X:", b"")),
        ("GET", b"/", (b"X\n", b"")),
        ("GET", b"/", (b"X", b"a\r\n")),
        ("GET", b"/", (b"X", b"a\nb")),
        ("GET", b"/", (b"X", b"a\rb")),
        ("GET", b"/", (b"X", b"a\0b")),
        ("GET", b"/", (b"X", b"a\x7fb")),
    ],
)
def test_refused(method: str, target: bytes, header: tuple[bytes, bytes]) -> None:
    """What would be read as something else is not written."""
    with pytest.raises(BadRequestError, match="illegal"):
        request_head(method, target, [HOST, header])


framing = st.lists(
    st.tuples(
        st.sampled_from([b"Content-Length", b"content-length", b"Transfer-Encoding", b"X"]),
        st.sampled_from(
            [
                b"0",
                b"5",
                b"05",
                b" 5 ",
                b"+5",
                b"-5",
                b"5,5",
                b"5 5",
                b"0x5",
                b"5_0",
                b"\xb2",
                b"",
                b"chunked",
                b" Chunked\t",
                b"gzip",
                b"chunked, chunked",
                b"gzip, chunked",
                b"9" * 30,
            ]
        ),
    ),
    max_size=3,
)


@given(headers=framing)
@example(headers=[(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")])
@example(headers=[(b"Content-Length", b"5"), (b"content-length", b"6")])
def test_body_ends_where_h11_sees_its_end(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """The body that belongs to a head is all of the body to h11; what is ambiguous is refused."""
    try:
        length = body_length(headers)
        head = request_head("POST", b"/", [HOST, *headers])
    except BadRequestError:
        return
    body, meant = b"x" * (length or 0), b"x" * (length or 0)
    if length is None:
        body, meant = b"3\r\nabc\r\n0\r\n\r\n", b"abc"
    behind = b"GET / HTTP/1.1\r\n\r\n"
    assert read_back(head + body + behind)[3:] == (meant, behind)


@given(value=st.lists(st.sampled_from([b"close", b"Close", b"keep-alive", b"x", b""]), max_size=3))
def test_closing(value: list[bytes]) -> None:
    """If the server reads that it may close the connection, then so do we."""
    headers = [HOST, (b"Connection", b" , ".join(value))]
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(request_head("GET", b"/", headers))
    while connection.next_event() is not h11.PAUSED and connection.their_state is h11.SEND_BODY:
        pass
    assert wants_close(headers) == (connection.their_state is h11.MUST_CLOSE)
