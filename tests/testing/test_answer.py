"""What the steps of a script put on the wire, byte for byte."""

from __future__ import annotations

import zlib

import pytest

from tests.testing.wires import GET, body, exchange
from trio_stream.testing import (
    Answer,
    BadChunk,
    End,
    Event,
    Head,
    Pieces,
    Plan,
    Raw,
    Refuse,
    Reset,
    Send,
    Stall,
    Step,
    Truncate,
    serve_memory,
)

DEFAULT_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize(
    ("plan", "wire"),
    [
        ([], DEFAULT_HEAD + b"0\r\n\r\n"),
        ([Event("hi")], DEFAULT_HEAD + b"a\r\ndata: hi\n\n\r\n0\r\n\r\n"),
        ([Pieces(b"abc", size=2)], DEFAULT_HEAD + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        ([Send(b"")], DEFAULT_HEAD + b"0\r\n\r\n"),
        ([End({"x-sum": "7"})], DEFAULT_HEAD + b"0\r\nx-sum: 7\r\n\r\n"),
        ([Send(b"a"), End(), End()], DEFAULT_HEAD + b"1\r\na\r\n0\r\n\r\n"),
        ([Send(b"a"), Truncate()], DEFAULT_HEAD + b"1\r\na\r\n"),
        ([Truncate(b"abc")], DEFAULT_HEAD + b"4\r\nabc"),
        ([BadChunk(), Send(b"a")], DEFAULT_HEAD + b"not-a-size\r\n1\r\na\r\n0\r\n\r\n"),
        ([BadChunk(b"-1")], DEFAULT_HEAD + b"-1\r\n0\r\n\r\n"),
        ([Send(b"a"), Raw(b"junk")], DEFAULT_HEAD + b"1\r\na\r\njunk0\r\n\r\n"),
        ([End(), Raw(b"junk")], DEFAULT_HEAD + b"0\r\n\r\njunk"),
        (Raw(b"ICY 200\r\n\r\n"), b"ICY 200\r\n\r\n"),
        ([Raw(b"HTTP/1.1 200 OK\r\n\r\n"), Send(b"abc")], b"HTTP/1.1 200 OK\r\n\r\nabc"),
        (Truncate(), b""),
        (Refuse(), None),
    ],
)
async def test_script_on_the_wire(plan: Plan, wire: bytes | None) -> None:
    """Each step sends exactly what it says, and the default head and end where none is given."""
    if wire is None:
        with pytest.raises(ConnectionRefusedError):
            await exchange(plan)
    else:
        assert await exchange(plan) == wire


@pytest.mark.parametrize(
    ("head", "wire"),
    [
        (
            Head(503, headers={"Retry-After": "2"}, content_type=None, framing="close"),
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nconnection: close\r\n\r\nabc",
        ),
        (
            Head(200, reason="Fine", content_type="text/html", framing="length"),
            b"HTTP/1.1 200 Fine\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\nabc",
        ),
        (
            Head(599, content_type=None, length=99),
            b"HTTP/1.1 599 \r\ncontent-length: 99\r\n\r\nabc",
        ),
        (
            Head(headers={"Content-Type": "a/b", "Content-Length": "9"}, length=3),
            b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 9\r\n\r\nabc",
        ),
        (
            Head(is_bare=True, headers={"Content-Length": "3"}, framing="length"),
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        ),
        (Head(is_bare=True, framing="close"), b"HTTP/1.1 200 OK\r\n\r\nabc"),
        (Head(204), b"HTTP/1.1 204 No Content\r\n\r\n"),
        (Head(304), b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    ],
)
async def test_head_on_the_wire(head: Head, wire: bytes) -> None:
    """A head is sent as told, and decides how the body is framed and whether there is one."""
    assert await exchange([head, Send(b"abc")]) == wire


async def test_interim_head_comes_before_the_real_one() -> None:
    """A head of 1xx leaves the real head still to be sent."""
    wire = await exchange([Head(103, headers={"link": "</x>"}), Send(b"a")])

    assert wire == (
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + DEFAULT_HEAD + b"1\r\na\r\n0\r\n\r\n"
    )


async def test_answer_to_head_has_no_body() -> None:
    """HEAD is answered with the head that GET would get."""
    assert await exchange([Send(b"abc")], GET.replace(b"GET", b"HEAD")) == DEFAULT_HEAD


@pytest.mark.parametrize("length", [2, 4])
@pytest.mark.parametrize("is_bare", [False, True])
async def test_body_of_another_length_ends_with_its_connection(length: int, is_bare: bool) -> None:
    """A body that is not as long as declared leaves nobody waiting, and no answer follows it."""
    headers = {"Content-Length": str(length)}
    head = Head(headers=headers, framing="length", is_bare=is_bare)
    get = GET.replace(b"connection: close\r\n", b"")

    assert (await exchange([head, Send(b"abc")], get + get)).count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("rest", "length"),
    [
        ([Send(b"abc"), Pieces(b"de", size=1)], b"5"),
        ([Send(b"abc"), Truncate()], b"4"),
        ([Truncate(b"abc")], b"4"),
        ([Send(b"abc"), Reset()], b"4"),
        ([Send(b"abc"), Stall()], b"4"),
        ([], b"0"),
    ],
)
async def test_length_is_known_ahead(rest: list[Step], length: bytes) -> None:
    """The declared length is what the script will send, or more if the script is not to end."""
    plan = [Head(framing="length"), *rest]
    async with serve_memory(plan) as server, await server.connect() as client:
        await client.send_all(GET)
        assert b"content-length: " + length + b"\r\n" in await client.receive_some()


async def test_gzip_is_flushed_with_every_write() -> None:
    """What is sent compressed can be read at once, not only at the end of the body."""
    compressed = await body([Head(encoding="gzip", framing="close"), Event("one"), Event("two")])
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    first = decompressor.decompress(compressed[:-20])

    assert first.startswith(b"data: one\n\n")
    assert first + decompressor.decompress(compressed[-20:]) == b"data: one\n\ndata: two\n\n"
    assert decompressor.eof


async def test_gzip_with_a_length() -> None:
    """The declared length of a compressed body is that of the compressed bytes."""
    wire = await exchange([Head(encoding="gzip", framing="length"), Event("one"), Event("two")])
    head, _, compressed = wire.partition(b"\r\n\r\n")

    assert f"content-length: {len(compressed)}".encode() in head.split(b"\r\n")
    assert zlib.decompress(compressed, 16 + zlib.MAX_WBITS) == b"data: one\n\ndata: two\n\n"


async def test_cut_gzip_is_incomplete() -> None:
    """A cut leaves out the end of the compressed data too."""
    compressed = await body([Head(encoding="gzip", framing="close"), Event("one"), Truncate()])
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    assert decompressor.decompress(compressed) == b"data: one\n\n"
    assert not decompressor.eof


async def test_own_step() -> None:
    """A step of one's own has the answer to write to, and the request to look at."""

    class Echo(Step):
        async def play(self, answer: Answer) -> None:
            await answer.send(answer.request.method.encode())

    assert await body([Head(framing="close"), Echo()]) == b"GET"


async def test_body_after_its_end_is_an_error_of_the_script() -> None:
    """A script that sends after its own end is told so, where the server runs."""
    with pytest.RaisesGroup(
        pytest.RaisesExc(RuntimeError, match="after the end of the body"), flatten_subgroups=True
    ):
        await exchange([End(), Send(b"late")])
