"""Compressed bodies: every form that servers send, and nothing that they could do with it."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.connection.asking import HELLO, ask, fail
from tests.pipeline.worlds import MEMORY, WORLDS, World
from trio_stream.config import StreamConfig
from trio_stream.connection import RequestSpec, connect
from trio_stream.connection._decoding import Decompressor, decompressor
from trio_stream.errors import LimitExceededError, StreamErrorType, StreamTruncatedError
from trio_stream.errors import StreamError as Error
from trio_stream.testing import Head, Pieces, Send, Truncate, assert_no_leaks

TEXT = "".join(f"data: event {number} naïve\n\n" for number in range(200)).encode()
DATA = [f"event {number} naïve" for number in range(200)]


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def members(data: bytes) -> bytes:
    return b"".join(gzip.compress(data[start : start + 99]) for start in range(0, len(data), 99))


FORMS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "gzip, upper case": (" GZIP ", gzip.compress),
    "gzip and identity": ("identity, gzip", gzip.compress),
    "gzip of members": ("gzip", members),
    "gzip with an empty member": ("gzip", lambda data: gzip.compress(b"") + gzip.compress(data)),
    "gzip, stored": ("gzip", lambda data: gzip.compress(data, 0)),
    "deflate": ("deflate", zlib.compress),
    "deflate, raw": ("deflate", raw_deflate),
    "identity": ("identity", bytes),
    "nothing": ("", bytes),
}


def decompressed(encoding: str, pieces: list[bytes], max_piece: int = 65536) -> bytes:
    decoder = decompressor(encoding, max_piece)
    assert decoder is not None
    got = [out for piece in pieces for out in decoder.feed(piece)]
    decoder.close()
    assert all(0 < len(out) <= max_piece for out in got)
    return b"".join(got)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


COMPRESSED = [name for name in FORMS if name not in ("identity", "nothing")]


@pytest.mark.parametrize("world", WORLDS, ids=attrgetter("name"))
@pytest.mark.parametrize("form", FORMS)
def test_compressed_stream(world: World, form: str) -> None:
    """A stream that is compressed though nobody asked is read all the same."""
    encoding, compress = FORMS[form]
    head = Head(headers={"Content-Encoding": encoding})

    async def main() -> None:
        async with assert_no_leaks(), world.serve([head, Send(compress(TEXT))]) as (client, server):
            assert await ask(client, server.url) == DATA
            assert await ask(client, server.url, config=StreamConfig(chunk_size=1)) == DATA

    world.run(main)


@pytest.mark.parametrize("form", COMPRESSED)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("max_piece", [1, 100])
def test_every_cut(form: str, size: int, max_piece: int) -> None:
    """However the compressed bytes are cut, and however small the pieces, the text is the same."""
    encoding, compress = FORMS[form]
    assert decompressed(encoding.strip(), cut(compress(TEXT), size), max_piece) == TEXT


@pytest.mark.parametrize("form", COMPRESSED)
def test_compressed_nothing(form: str) -> None:
    """The compressed form of nothing is nothing."""
    encoding, compress = FORMS[form]
    assert decompressed(encoding.strip(), cut(compress(b""), 1)) == b""


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_no_bytes_at_all(encoding: str) -> None:
    """An empty body is empty, whatever it says of its encoding."""
    assert decompressed(encoding, []) == decompressed(encoding, [b"", b""]) == b""


@pytest.mark.parametrize("form", COMPRESSED)
def test_truncated(form: str) -> None:
    """At every length short of the whole, compressed data is truncated; what came is delivered."""
    encoding, compress = FORMS[form]
    text = TEXT[:250]
    whole = compress(text)
    complete = {len(gzip.compress(b""))} if "empty" in form else set()
    if form == "gzip of members":
        complete = {len(members(text[:99])), len(members(text[:198]))}
    for length in range(1, len(whole)):
        if length in complete:
            continue
        decoder = Decompressor(encoding.strip().lower(), 65536)
        got = b"".join(decoder.feed(whole[:length]))
        assert text.startswith(got)
        with pytest.raises(StreamTruncatedError, match="compressed"):
            decoder.close()


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
@pytest.mark.parametrize("ends", ["cleanly", "by a cut"])
def test_truncated_stream(world: World, ends: str) -> None:
    """A stream that ends inside its compressed data says so, after all that could be read."""
    compressor = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    data = compressor.compress(TEXT) + compressor.flush(zlib.Z_SYNC_FLUSH)
    script = [Head(headers={"content-encoding": "gzip"}), Send(data)]
    script += [Truncate()] if ends == "by a cut" else []

    async def main() -> None:
        async with assert_no_leaks(), world.serve([script, HELLO]) as (client, server):
            error = await fail(client, server.url)
            assert isinstance(error, StreamTruncatedError)
            assert error.outcome is not None
            assert [event.data for event in error.outcome.value] == DATA
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


GARBAGE = {
    "plain text": b"data: x\n\n",
    "gzip with a wrong checksum": gzip.compress(TEXT)[:-8] + bytes(8),
    "gzip, then something else": gzip.compress(TEXT) + b"data: x\n\n",
    "gzip of a future method": b"\x1f\x8b\x09" + gzip.compress(TEXT)[3:],
    "gzip with a hole": gzip.compress(TEXT)[:40] + gzip.compress(TEXT)[90:],
}


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage(data: bytes, size: int) -> None:
    """What is not what its Content-Encoding says is an error, behind what could be read."""
    decoder = Decompressor("gzip", 100)
    got = b""
    with pytest.raises(Error) as caught:  # noqa: PT012
        for piece in cut(data, size):
            for out in decoder.feed(piece):
                got += out
        decoder.close()
    assert caught.value.error_type is StreamErrorType.STREAM_INTERRUPTED
    assert isinstance(caught.value.original_exception, zlib.error)
    assert "Content-Encoding" in str(caught.value)
    assert got in (b"", TEXT) or TEXT.startswith(got[:20])


@given(st.lists(st.binary(max_size=50), max_size=8), st.sampled_from(["gzip", "deflate"]))
def test_no_bytes_raise_anything_else(pieces: list[bytes], encoding: str) -> None:
    """Whatever the bytes, they are content or a `StreamError`."""
    prefix = gzip.compress(b"x") if encoding == "gzip" else zlib.compress(b"x" * 50)[:-8]
    for first in (b"", prefix):
        try:
            decompressed(encoding, [first, *pieces], 7)
        except Error:
            pass


@given(st.binary(max_size=400), st.data())
def test_what_goes_in_comes_out(content: bytes, data: st.DataObject) -> None:
    """Any content, compressed in any form and cut anywhere, is what it was."""
    encoding, compress = FORMS[data.draw(st.sampled_from(COMPRESSED))]
    body = compress(content)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=5)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    max_piece = data.draw(st.integers(1, 500))
    assert decompressed(encoding.strip(), pieces, max_piece) == content


# ---- bombs -----------------------------------------------------------------------------------

BOMB = gzip.compress(bytes(32 * 1024 * 1024))


def test_bomb_comes_in_pieces() -> None:
    """A thousandfold expansion is handed out in small pieces, as they are asked for."""
    decoder = Decompressor("gzip", 4096)
    tracemalloc.start()
    try:
        total = 0
        for piece in decoder.feed(BOMB):
            assert len(piece) <= 4096
            total += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 32 * 1024 * 1024
    assert peak < 500_000


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_bomb_in_a_stream(world: World) -> None:
    """A bomb costs a stream no more memory than its limits allow."""
    head = Head(headers={"content-encoding": "gzip"})
    config = StreamConfig(max_line_bytes=100_000, chunk_size=10_000)

    async def main() -> None:
        async with world.serve([[head, Send(BOMB)], HELLO]) as (client, server):
            tracemalloc.start()
            try:
                error = await fail(client, server.url, config=config)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert isinstance(error, LimitExceededError)
            assert peak < 3_000_000
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_bomb_in_an_error_answer(world: World) -> None:
    """A bomb in place of an explanation is read up to the cap."""
    head = Head(500, headers={"content-encoding": "gzip"})

    async def main() -> None:
        async with world.serve([[head, Send(BOMB)], HELLO]) as (client, server):
            tracemalloc.start()
            try:
                error = await fail(client, server.url)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert error.response_body == "\0" * 65536
            assert peak < 3_000_000
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=attrgetter("name"))
@pytest.mark.parametrize("encoding", ["", "gzip"])
@pytest.mark.parametrize("chunk_size", [1, 1000])
def test_pieces_are_no_larger_than_chunk_size(world: World, encoding: str, chunk_size: int) -> None:
    """No piece of a body is larger than was asked for, compressed or not, and no byte is lost."""
    body = gzip.compress(TEXT) if encoding else TEXT
    head = Head(headers={"content-encoding": encoding}, content_type="application/octet-stream")

    async def main() -> None:
        async with world.serve([head, Pieces(body, sizes=[1, 1, 1500])]) as (client, server):
            spec = RequestSpec(method="GET", url=server.url)
            connection = await connect(spec, client, StreamConfig(chunk_size=chunk_size))
            connection.decode()
            pieces = []
            while piece := await connection.receive_some():
                pieces.append(piece)
            await connection.aclose()
        assert connection.bytes_received == len(body)
        assert b"".join(pieces) == TEXT
        assert max(map(len, pieces)) <= chunk_size

    world.run(main)


@pytest.mark.parametrize(
    "encoding",
    ["br", "zstd", "compress", "gzip, br", "gzip, gzip", "deflate,gzip", "?", "gzip;q=1"],
)
def test_other_encodings_are_refused(encoding: str) -> None:
    """What is not undone is named."""
    with pytest.raises(ValueError, match="identity was asked for") as caught:
        decompressor(encoding, 100)
    assert repr(encoding) in str(caught.value)
