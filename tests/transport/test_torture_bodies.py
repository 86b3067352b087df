"""Where a body ends, and where it does not: RFC 9112, 6 and 7."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import trio

from tests.transport.raw_server import (
    CHUNKED,
    OK,
    Peer,
    each_family,
    exchange,
    exchange_if_taken,
    raw,
    refused,
    stream_until_error,
)

HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 5\r\n\r\nhello"
WHOLE = CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"


async def body_of(family: str, *pieces: bytes, **options: Any) -> bytes:
    response = await exchange(family, *pieces, **options)
    assert response.status_code == 200
    content: bytes = response.content
    return content


async def check_reuse(family: str, answer: bytes, *, connections: int, method: str = "GET") -> Any:
    """Get an answer, then another; return the first response."""

    async def talk(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer(answer)
        await peer.answer(OK)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        first = await client.request(method, server.url)
        second = await client.get(server.url)
        assert (second.status_code, second.content) == (200, b"ok")
        assert len(server.peers) == connections
    return first


# ---- where they are cut into pieces --------------------------------------------------------

BODIES = {
    "length": (LENGTH, b"hello"),
    "chunks": (WHOLE, b"hello world"),
    "extensions and trailers": (
        CHUNKED + b'5;a;b=c;d="\\"e"\r\nhello\r\n006;x\r\n world\r\n000;y\r\nA: b\r\nC:\r\n\r\n',
        b"hello world",
    ),
    "chunks that look like chunks": (
        CHUNKED + b"a\r\n0\r\n\r\n0\r\n\r\n\r\nA\r\nHTTP/1.1 2\r\n0\r\n\r\n",
        b"0\r\n\r\n0\r\n\r\nHTTP/1.1 2",
    ),
}


@each_family
@pytest.mark.parametrize("name", BODIES)
async def test_body_is_split_anywhere(family: str, name: str) -> None:
    """A body is the same wherever TCP splits it, and ends exactly where it ends."""
    answer, body = BODIES[name]
    splits = [(answer[:at], answer[at:]) for at in range(1, len(answer))]
    splits.append(tuple(answer[at : at + 1] for at in range(len(answer))))

    async def talk(peer: Peer) -> None:
        for pieces in splits:
            await peer.answer(*pieces)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in splits:
            assert (await client.get(server.url)).content == body
        assert len(server.peers) == 1


@each_family
async def test_many_small_chunks(family: str) -> None:
    """Thousands of chunks of one byte make the body that they make, however they come."""
    body = bytes(n % 251 for n in range(20_000))
    answer = CHUNKED + b"".join(b"1\r\n%c\r\n" % each for each in body) + b"0\r\n\r\n"
    assert await body_of(family, answer) == body
    pieces = [answer[at : at + 4999] for at in range(0, len(answer), 4999)]
    assert await body_of(family, *pieces) == body


@each_family
@pytest.mark.parametrize("chunked", [False, True])
async def test_large_body(family: str, chunked: bool) -> None:
    """A body of many reads arrives whole."""
    body = b"0123456789abcdef" * 65536
    if chunked:
        answer = CHUNKED + b"%X\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert await body_of(family, answer, stay=True) == body


@each_family
async def test_pieces_are_handed_out_as_they_come(family: str) -> None:
    """What has arrived is there at once, before the next piece is sent, and is never empty."""
    handed_out = trio.Event()

    async def talk(peer: Peer) -> None:
        nonlocal handed_out
        await peer.answer(CHUNKED, b"1\r\na\r\n")
        for pieces in ([b"2\r", b"\nbc"], [b"\r\n1\r\nd\r\n1\r\ne\r\n"], [b"0\r\n\r\n"]):
            await handed_out.wait()
            handed_out = trio.Event()
            await peer.send(*pieces)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        async with client.stream("GET", server.url) as response:
            got = []
            async for piece in response.aiter_raw():
                got.append(piece)
                handed_out.set()
        assert got == [b"a", b"bc", b"de"]


# ---- chunks (RFC 9112, 7.1) ----------------------------------------------------------------


@each_family
@pytest.mark.parametrize("size", [b"5", b"05", b"0000000005"])
async def test_chunk_size(family: str, size: bytes) -> None:
    """A chunk size is one or more hex digits; zeros before them mean nothing."""
    answer = CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n"
    assert await body_of(family, answer, stay=True) == b"hello"


@each_family
@pytest.mark.parametrize(
    "size",
    [
        b"0x5",
        b"-5",
        b"+5",
        b"5_0",
        b"1_0",
        b"",
        b" ",
        b";a=b",
        b"g",
        b"5 5",
        b" 5",
        b"\t5",
        b"5\0",
        b"5,5",
        b"5.0",
        b"\xd9\xa5",  # a digit five, to `int`
        b"f" * 16 + b"0",
        b"f" * 18,
        b"1" + b"0" * 16,
    ],
)
async def test_bad_chunk_size(family: str, size: bytes) -> None:
    """What is not one or more hex digits, or does not fit, is no size, whatever `int` may say."""
    assert await refused(family, CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")


@each_family
@pytest.mark.parametrize(
    "body",
    [
        b"5\r\nhelloX\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n\r\n0\r\n\r\n",
        b"4\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\n\r\n",
        b"5\r\nhello\r\n0\r\n\n",
        b"5\r\nhello\r\n0\r\nA: b\n\r\n",
        b"5\r\nhello\r\n0\r\n A: b\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno field\r\n\r\n",
        b"5;a\0b\r\nhello\r\n0\r\n\r\n",
        b"5;a\nb\r\nhello\r\n0\r\n\r\n",
        b'5;a="b\r\nhello\r\n0\r\n\r\n',
    ],
)
async def test_bad_chunks(family: str, body: bytes) -> None:
    """Each line of the chunked coding ends in CRLF, and so does the data of a chunk."""
    assert await refused(family, CHUNKED + body)


@each_family
@pytest.mark.parametrize("tail", [b"ZZ\r\n", b"-1\r\n", b"5\r\nworldX"])
@pytest.mark.parametrize("joined", [True, False])
async def test_content_before_a_fault_is_delivered(family: str, tail: bytes, joined: bool) -> None:
    """Content that came in good order is handed out before the fault behind it is raised."""

    async def talk(peer: Peer) -> None:
        start = CHUNKED + b"5\r\nhello\r\n"
        await peer.answer(*([start + tail] if joined else [CHUNKED, start[len(CHUNKED) :] + tail]))
        await peer.gone()

    async with raw(family, talk) as (client, server):
        got, error = await stream_until_error(client, server.url)
        assert isinstance(error, import_module(family).RemoteProtocolError)
        assert got[:5] == b"hello"


@each_family
@pytest.mark.parametrize(
    "extension",
    [b";a", b";a=b", b';a="b c"', b";a;b;c=d", b';a=";\\"b"', b";" + b"a" * 5000],
)
async def test_chunk_extensions_are_ignored(family: str, extension: bytes) -> None:
    """A recipient ignores chunk extensions that it does not know (RFC 9112, 7.1.1)."""
    answer = CHUNKED + b"5%b\r\nhello\r\n0%b\r\n\r\n" % (extension, extension)
    response = await check_reuse(family, answer, connections=1)
    assert response.content == b"hello"


@each_family
@pytest.mark.parametrize(
    "trailers", [b"A: b\r\n", b"A: b\r\nC:\r\n", b"X: " + b"v" * 9000 + b"\r\n"]
)
async def test_trailers_are_no_headers(family: str, trailers: bytes) -> None:
    """Trailers are read, and are not merged into the headers (RFC 9110, 6.5.1)."""
    response = await check_reuse(family, WHOLE[:-2] + trailers + b"\r\n", connections=1)
    assert response.content == b"hello world"
    assert response.headers.raw == [(b"Transfer-Encoding", b"chunked")]


@each_family
@pytest.mark.parametrize("name", [b"Content-Length: 3", b"Transfer-Encoding: chunked"])
async def test_framing_is_not_in_trailers(family: str, name: bytes) -> None:
    """Fields of framing mean nothing among trailers (RFC 9110, 6.5.1), but for mischief."""
    response = await exchange_if_taken(family, WHOLE[:-2] + name + b"\r\n\r\n", stay=True)
    if response is not None:
        assert response.content == b"hello world"
        assert len(response.headers.raw) == 1


@each_family
@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"5;", b"a" * 4096),
        (b"5;a=", b"a" * 4096),
        (b'5;a="', b"a" * 4096),
        (b"", b"0" * 4096),
        (b"0\r\n", b"a" * 4096),
        (b"0\r\nA: ", b"b" * 4096),
        (b"0\r\nA:", b" " * 4096),
        (b"0\r\n", b"A: b\r\n" * 500),
    ],
    ids=["extension", "value", "quoted", "zeros", "name", "trailer", "white space", "trailers"],
)
async def test_no_content_without_end(family: str, begin: bytes, more: bytes) -> None:
    """Extensions and trailers that never end are given up (RFC 9112, 7.1.1: limit them)."""

    async def talk(peer: Peer) -> None:
        await peer.answer(CHUNKED + b"2\r\nok\r\n" + begin)
        await peer.pour(more)

    async with raw(family, talk) as (client, server):
        got, error = await stream_until_error(client, server.url)
        assert isinstance(error, import_module(family).RemoteProtocolError)
        assert got == b"ok"


# ---- Content-Length (RFC 9110, 8.6; RFC 9112, 6.3) -----------------------------------------


@each_family
@pytest.mark.parametrize("length", [b"5", b" 5 ", b"05", b"0000000000000000000005"])
async def test_content_length(family: str, length: bytes) -> None:
    """A length is one or more digits; zeros before them mean nothing."""
    answer = HEAD + b"Content-Length:" + length + b"\r\n\r\nhello"
    response = await exchange_if_taken(family, answer, stay=True)
    assert response is not None or len(length) > 20
    assert response is None or response.content == b"hello"


@each_family
@pytest.mark.parametrize(
    "length",
    [b"-5", b"+5", b"0x5", b"5_0", b"", b"5 5", b"5.0", b"5a", b"5;", b"\xb2", b"five", b"9" * 20,
     b"5, 6", b"5,", b"1" + b"0" * 40],
)  # fmt: skip
async def test_bad_content_length(family: str, length: bytes) -> None:
    """A length that is no number, or none that one can count to, is an unrecoverable error."""
    assert await refused(family, HEAD + b"Content-Length: " + length + b"\r\n\r\nhello")


@each_family
@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\ncontent-length: 0\r\n",
        b"Content-Length: 5\r\nX: y\r\nContent-Length: 4\r\n",
    ],
)
async def test_different_lengths(family: str, fields: bytes) -> None:
    """Lengths that differ make a user agent discard the response (RFC 9112, 6.3, rule 5)."""
    assert await refused(family, HEAD + fields + b"\r\nhello!")


@each_family
@pytest.mark.parametrize(
    "fields", [b"Content-Length: 5\r\nContent-Length: 5\r\n", b"Content-Length: 5, 5\r\n"]
)
async def test_equal_lengths(family: str, fields: bytes) -> None:
    """The same length twice is either refused or taken as one (RFC 9110, 8.6)."""
    response = await exchange_if_taken(family, HEAD + fields + b"\r\nhello", stay=True)
    assert response is None or response.content == b"hello"


# ---- Transfer-Encoding (RFC 9112, 6.1 and 6.3) ---------------------------------------------


@each_family
@pytest.mark.parametrize(
    "coding",
    [
        b"chunked",
        b"Chunked",
        b"CHUNKED",
        b"\tchunked",
        b" chunked \t ",
        b"chunked\t",
        b"chunked,",
        b", chunked",
        b"chunked ,",
    ],
)
async def test_spelling_of_chunked(family: str, coding: bytes) -> None:
    """However it is spelled, its chunks are undone or refused, and never content (RFC 9112, 7)."""
    answer = HEAD + b"transfer-ENCODING:" + coding + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    response = await exchange_if_taken(family, answer, stay=True)
    assert response is not None or coding.lower() != b"chunked"
    assert response is None or response.content == b"hello"


@each_family
@pytest.mark.parametrize(
    "codings",
    [
        b"gzip",  # a coding that the client did not ask for, and that nobody here undoes
        b"gzip, chunked",
        b"chunked, gzip",
        b"chunked, chunked",  # never twice (RFC 9112, 6.1)
        b"chunked\r\nTransfer-Encoding: chunked",
        b"identity",  # was struck out of HTTP/1.1 (RFC 7230, A.2)
        b"identity, chunked",
        b"chunked, identity",
        b"xchunked",
        b"chunkedx",
        b"chunked;q=1",
        b'"chunked"',
        b"chunked chunked",
        b"chun ked",
        b"cow",
        b"\x0bchunked",
        b"chunked\x0b",
    ],
)
async def test_unknown_transfer_coding(family: str, codings: bytes) -> None:
    """A coding other than chunked, once and last, cannot be undone: its bytes are no content."""
    answer = HEAD + b"Transfer-Encoding: " + codings + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert await refused(family, answer, stay=False)


@each_family
@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding: gzip\r\nContent-Length: 5\r\n",
        b"Transfer-Encoding:\r\nContent-Length: 5\r\n",
    ],
)
async def test_length_and_coding(family: str, fields: bytes) -> None:
    """Two framings at once are an attempt at smuggling, and an error (RFC 9112, 6.3, rule 3)."""
    assert await refused(family, HEAD + fields + b"\r\n5\r\nhello\r\n0\r\n\r\n")


# ---- no body (RFC 9112, 6.3, rule 1) -------------------------------------------------------


@each_family
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", HEAD + b"Content-Length: 5\r\n\r\n"),
        ("HEAD", HEAD + b"Content-Length: 123456789\r\n\r\n"),
        ("HEAD", HEAD + b"\r\n"),
        ("HEAD", b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
        ("GET", HEAD + b"Content-Length: 0\r\n\r\n"),
        ("GET", CHUNKED + b"0\r\n\r\n"),
    ],
)
async def test_no_body(family: str, method: str, answer: bytes) -> None:
    """After HEAD, 204 and 304 there is no body, whatever the head says; the connection goes on."""
    response = await check_reuse(family, answer, connections=1, method=method)
    assert response.status_code == int(answer[9:12])
    assert response.content == b""


@each_family
async def test_head_and_chunks(family: str) -> None:
    """A head that announces chunks ends the answer to HEAD; none are waited for, none go astray."""
    answer = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    response = await check_reuse(family, answer, connections=2, method="HEAD")
    assert response.status_code == 200
    assert response.content == b""


@each_family
@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
async def test_204_that_promises_a_body(family: str, field: bytes) -> None:
    """A 204 ends with its head (RFC 9112, 6.3): what follows it is not the next answer."""
    answer = b"HTTP/1.1 204 No Content\r\n" + field + b"\r\n\r\n"
    response = await exchange_if_taken(family, answer + b"hello", stay=True)
    assert response is None or response.content == b""


# ---- the end of the connection (RFC 9112, 6.3, rule 8; 9.3) --------------------------------


@each_family
@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
@pytest.mark.parametrize("field", [b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"])
async def test_body_until_the_end(family: str, version: bytes, field: bytes) -> None:
    """Without length and coding, a body is all that comes before the connection is closed."""
    head = version + b" 200 OK\r\n" + field + b"\r\n"
    for body in (b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
        assert await body_of(family, head + body) == body
    assert await body_of(family, head, b"h", b"el", b"lo") == b"hello"


@each_family
async def test_http_10_with_a_length(family: str) -> None:
    """An answer in HTTP/1.0 has its body, and its connection is not used again (RFC 9112, 9.3)."""
    answer = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    response = await check_reuse(family, answer, connections=2)
    assert response.content == b"hello"
    assert response.http_version == "HTTP/1.0"


@each_family
async def test_http_10_that_keeps_its_connection(family: str) -> None:
    """HTTP/1.0 can keep a connection if it says so (RFC 9112, 9.3)."""
    answer = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello"
    assert (await check_reuse(family, answer, connections=1)).content == b"hello"


@each_family
async def test_http_10_in_chunks(family: str) -> None:
    """Transfer-Encoding in HTTP/1.0 is faulty: its connection is not used again (RFC 9112, 6.1)."""
    head = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"5\r\nhello\r\n0\r\n\r\n"
    try:
        response = await check_reuse(family, answer, connections=2)
    except import_module(family).RemoteProtocolError:
        return
    assert response.content == b"hello"
