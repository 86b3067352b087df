"""Connections that end too early, and bytes behind the end: RFC 9112, 8 and 9."""

from __future__ import annotations

from importlib import import_module

import pytest
import trio
import trio.testing

from tests.transport.raw_server import (
    CHUNKED,
    CUT,
    OK,
    Peer,
    each_family,
    raw,
    statistics,
    stream_until_error,
)

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
CHUNKS = CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\nA: b\r\n\r\n"


# ---- too early -----------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize("answer", [LENGTH, CHUNKS], ids=["length", "chunks"])
async def test_hang_up_at_any_byte(family: str, answer: bytes) -> None:
    """A response that is cut is an error wherever it is cut; what came is delivered (9112, 8)."""
    http = import_module(family)
    end_of_head = answer.index(b"\r\n\r\n") + 4

    async def talk(peer: Peer) -> None:
        await peer.answer(answer[: peer.number - 1])
        peer.end()
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for at in range(len(answer)):
            got, error = await stream_until_error(client, server.url)
            assert isinstance(error, http.RemoteProtocolError)
            assert b"hello world".startswith(got)
            if at >= end_of_head:
                assert CUT in str(error)
            if answer is LENGTH:
                assert got == answer[end_of_head : max(at, end_of_head)]
            elif at >= end_of_head + 8:
                assert got.startswith(b"hello")
            assert statistics(client).connections == 0


@each_family
@pytest.mark.parametrize("answer", [LENGTH, CHUNKS], ids=["length", "chunks"])
async def test_reset_at_any_byte(family: str, answer: bytes) -> None:
    """A connection that is reset in the middle is an error, behind what came before."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(answer[: peer.number - 1], b"")
        peer.reset()

    async with raw(family, talk) as (client, server):
        for at in range(len(answer)):
            got, error = await stream_until_error(client, server.url)
            assert isinstance(error, http.ReadError)
            assert b"hello world".startswith(got)
            assert at < len(answer) - 4 or got == b"hello world"[: len(got)] != b""
            assert statistics(client).connections == 0


@each_family
async def test_hang_up_on_accept(family: str) -> None:
    """A server that hangs up without a word has not answered."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        if peer.number == 2:
            peer.reset()

    async with raw(family, talk) as (client, server):
        for _ in range(2):
            with pytest.raises((http.RemoteProtocolError, http.ReadError, http.WriteError)):
                await client.get(server.url)
        assert len(server.peers) == 2


# ---- behind the end ------------------------------------------------------------------------

EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
FIRST = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst",
    "chunks": CHUNKED + b"5\r\nfirst\r\n0\r\n\r\n",
    "no content": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
}
BEHIND = {
    "a response": EVIL,
    "a bit of one": b"HTTP/1.1 200 OK\r\n",
    "garbage": b"garbage",
    "a byte": b"x",
    "NUL": b"\0",
    "an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
    "408": b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n",
}


async def check_first_only(family: str, first: bytes, *pieces: bytes, method: str = "GET") -> None:
    """Of what the first connection brings, only the first answer is one."""
    sent = trio.Event()

    async def talk(peer: Peer) -> None:
        if peer.number == 1:
            await peer.answer(*pieces)
            sent.set()
        await peer.answer(OK)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        response = await client.request(method, server.url)
        assert response.status_code == int(first[9:12])
        assert response.content == (b"first" if b"first" in first and method == "GET" else b"")
        await sent.wait()
        again = await client.get(server.url)
        assert (again.status_code, again.content) == (200, b"ok")
        assert len(server.peers) == 2
        assert statistics(client).connections == 1


@each_family
@pytest.mark.parametrize("behind", BEHIND.values(), ids=list(BEHIND))
@pytest.mark.parametrize("first", FIRST.values(), ids=list(FIRST))
async def test_bytes_behind_a_response(family: str, first: bytes, behind: bytes) -> None:
    """Bytes behind a response answer nothing: it stays whole, and the connection is closed."""
    await check_first_only(family, first, first + behind)


@each_family
@pytest.mark.parametrize("behind", [b"\r", b"\n", b"\r\n", b"\r\n\r\n"])
@pytest.mark.parametrize("first", FIRST.values(), ids=list(FIRST))
async def test_empty_line_behind_a_response(family: str, first: bytes, behind: bytes) -> None:
    """Line ends behind a response are bytes too many, but do no harm if they are skipped."""

    async def talk(peer: Peer) -> None:
        await peer.answer(first + behind)
        await peer.answer(OK)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        assert (await client.get(server.url)).status_code == int(first[9:12])
        again = await client.get(server.url)
        if len(server.peers) == 1:  # skipped; a new connection begins at the beginning
            assert (again.status_code, again.content) == (200, b"ok")


@each_family
@pytest.mark.parametrize("behind", BEHIND.values(), ids=list(BEHIND))
@pytest.mark.parametrize("first", [FIRST["length"], FIRST["chunks"]], ids=["length", "chunks"])
async def test_bytes_on_an_idle_connection(family: str, first: bytes, behind: bytes) -> None:
    """Whatever comes while nothing is asked answers nothing (RFC 9112, 9.2): a new connection."""
    await check_first_only(family, first, first, behind)


@each_family
@pytest.mark.parametrize("came_with_head", [0, 1, 4, 5])
@pytest.mark.parametrize("behind", [b"", EVIL])
async def test_body_behind_the_answer_to_head(
    family: str, came_with_head: int, behind: bytes
) -> None:
    """A body in answer to HEAD is none, and is no answer to the next request either."""
    answer = FIRST["length"]
    head = answer[: -len(b"first")]
    at = len(head) + came_with_head
    pieces = [piece for piece in (answer[:at], answer[at:] + behind) if piece]
    await check_first_only(family, head, *pieces, method="HEAD")


@each_family
async def test_response_before_the_request(family: str) -> None:
    """A response that is sent at once, unasked, is not given to two requests."""

    async def talk(peer: Peer) -> None:
        await peer.send(EVIL + EVIL)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in range(2):
            await client.get(server.url)
        assert len(server.peers) == 2


@each_family
async def test_bytes_behind_a_response_that_came_in_tatters(family: str) -> None:
    """The end of a chunked body is where it is, whatever read brings what is behind it."""
    first = FIRST["chunks"]

    async def talk(peer: Peer) -> None:
        if peer.number % 2:
            at = len(first) - 1 - peer.number // 2
            await peer.answer(first[:at], first[at:] + EVIL)
        else:
            await peer.answer(OK)
            peer.end()
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in range(len(first) - 1):
            assert (await client.get(server.url)).content == b"first"
            assert (await client.get(server.url)).content == b"ok"
        assert len(server.peers) == 2 * (len(first) - 1)
