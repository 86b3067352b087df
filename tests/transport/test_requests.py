"""What goes on the wire, byte for byte: RFC 9112, 3 to 7, and the documentation of httpx."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from importlib import import_module
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.transport.raw_server import (
    OK,
    Peer,
    each_family,
    new_client,
    raw,
    serve_raw,
    statistics,
)
from trio_stream.testing import assert_no_leaks, closed_port


class Pieces:
    """A body of these pieces; what is called between them, is called before it goes on."""

    def __init__(self, *pieces: bytes | Callable[[], Any]) -> None:
        self._pieces = iter(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        for piece in self._pieces:
            if isinstance(piece, bytes):
                return piece
            await piece()
        raise StopAsyncIteration


class Endless:
    """A body that never ends."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return b"x" * 65536


async def wire(family: str, build: Callable[[Any, str], Any], **options: Any) -> bytes:
    """The bytes of a request, with ``HOST`` for the host and port."""
    received = []
    ended = trio.Event()

    async def talk(peer: Peer) -> None:
        received.append(await peer.answer(OK))
        received.append(await peer.until(b"never"))
        ended.set()

    async with raw(family, talk, **options) as (client, server):
        request = build(import_module(family), server.url)
        response = await client.send(request)
        assert response.status_code == 200
        await client.aclose()
        await ended.wait()
        host = server.url.removeprefix("http://").encode()
    assert received[1] == b"", "nothing follows a request"
    return received[0].replace(host, b"HOST")


# ---- heads ---------------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE", "TRACE", "PROPFIND"])
async def test_head_alone(family: str, method: str) -> None:
    """A request without a body is its request line, Host, and its fields as they were given."""

    def build(http: Any, url: str) -> Any:
        headers = [("X-CaSe", "kept"), ("a", "1"), ("X-case", "again"), ("A", ""), ("B", "x: y")]
        return http.Request(method, f"{url}/p/q?a=1&b=%20+c", headers=headers)

    assert await wire(family, build) == (
        b"%b /p/q?a=1&b=%%20+c HTTP/1.1\r\nHost: HOST\r\n"
        b"X-CaSe: kept\r\na: 1\r\nX-case: again\r\nA: \r\nB: x: y\r\n\r\n" % method.encode()
    )


@each_family
async def test_clients_own_headers(family: str) -> None:
    """The headers that the client adds by itself are sent in its order."""
    received = []

    async def talk(peer: Peer) -> None:
        received.append(await peer.answer(OK))

    async with raw(family, talk) as (client, server):
        request = client.build_request("GET", server.url, headers={"X-Mine": "1"})
        await client.send(request)
    lines = b"".join(b"%b: %b\r\n" % field for field in request.headers.raw)
    assert received == [b"GET / HTTP/1.1\r\n" + lines + b"\r\n"]
    assert b"X-Mine: 1\r\n" in lines


@each_family
async def test_host_that_was_given(family: str) -> None:
    """A Host that the caller gives is the one that is sent, once."""

    def build(http: Any, url: str) -> Any:
        return http.Request("GET", url, headers={"host": "other.test:8080"})

    assert await wire(family, build) == b"GET / HTTP/1.1\r\nhost: other.test:8080\r\n\r\n"


@each_family
@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", b"/"),
        ("/", b"/"),
        ("?q", b"/?q"),
        ("/a?", b"/a?"),
        ("/a?b#fragment", b"/a?b"),  # a fragment is never sent (RFC 9110, 4.2.5)
        ("//double", b"//double"),
        ("/%2F%20", b"/%2F%20"),
        ("/\xe4 \u20ac", b"/%C3%A4%20%E2%82%AC"),
        ("/?\xe4=b c", b"/?%C3%A4=b%20c"),
    ],
)
async def test_target(family: str, path: str, target: bytes) -> None:
    """The target is the path and the query, percent-encoded (RFC 9112, 3.2.1)."""
    sent = await wire(family, lambda http, url: http.Request("GET", url + path))
    assert sent == b"GET %b HTTP/1.1\r\nHost: HOST\r\n\r\n" % target


@each_family
async def test_asterisk_form(family: str) -> None:
    """The extension `target` takes the place of path and query (RFC 9112, 3.2.4)."""
    sent = await wire(
        family,
        lambda http, url: http.Request("OPTIONS", url, extensions={"target": b"*"}),
    )
    assert sent == b"OPTIONS * HTTP/1.1\r\nHost: HOST\r\n\r\n"


@each_family
async def test_userinfo_is_not_sent(family: str) -> None:
    """A name and password in the URL make a field, and are in neither target nor Host."""
    received = []

    async def talk(peer: Peer) -> None:
        received.append(await peer.answer(OK))

    async with raw(family, talk) as (client, server):
        await client.get(server.url.replace("//", "//me:secret@"))
        host = server.url.removeprefix("http://").encode()
    assert received[0].startswith(b"GET / HTTP/1.1\r\nHost: %b\r\n" % host)
    assert b"Authorization: Basic bWU6c2VjcmV0\r\n" in received[0]
    assert b"secret" not in received[0]


@each_family
async def test_ipv6_literal(family: str) -> None:
    """An IPv6 address is dialled without its brackets, and is Host with them (RFC 9110, 7.2)."""
    received = []

    async def talk(peer: Peer) -> None:
        received.append(await peer.answer(OK))
        await peer.gone()

    try:
        listening = serve_raw(talk, where="::1")
        async with listening as server, new_client(family) as client:
            await client.send(import_module(family).Request("GET", server.url))
            host = server.url.removeprefix("http://").encode()
    except OSError:
        pytest.skip("no IPv6 here")
    assert host.startswith(b"[::1]:")
    assert received == [b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host]


# ---- what is refused -----------------------------------------------------------------------

INJECTIONS: dict[str, Callable[[Any, str], Any]] = {
    f"{what} {char!r}": build
    for char in ("\r\nEvil: 1", "\n", "\r", "\0")
    for what, build in {
        "value": lambda http, url, char=char: http.Request("GET", url, headers={"X": f"a{char}b"}),
        "value, at the end": lambda http, url, char=char: http.Request(
            "GET", url, headers={"X": f"a{char}"}
        ),
        "name": lambda http, url, char=char: http.Request("GET", url, headers={f"X{char}": "a"}),
        "method": lambda http, url, char=char: http.Request(f"GET{char}", url),
        "target": lambda http, url, char=char: http.Request(
            "GET", url, extensions={"target": f"/{char}".encode()}
        ),
        "host": lambda http, url, char=char: http.Request("GET", url, headers={"Host": f"a{char}"}),
    }.items()
}
INJECTIONS |= {
    "name with a space": lambda http, url: http.Request("GET", url, headers={"X Y": "a"}),
    "name with a colon": lambda http, url: http.Request("GET", url, headers={"X:": "a"}),
    "name that is empty": lambda http, url: http.Request("GET", url, headers={"": "a"}),
    "name beyond ASCII": lambda http, url: http.Request("GET", url, headers=[(b"X\xe4", b"a")]),
    "method with a space": lambda http, url: http.Request("GET /evil", url),
    "method that is empty": lambda http, url: http.Request("", url),
    "target with a space": lambda http, url: http.Request(
        "GET", url, extensions={"target": b"/ HTTP/1.1"}
    ),
    "target that is empty": lambda http, url: http.Request("GET", url, extensions={"target": b""}),
}


@each_family
@pytest.mark.parametrize("build", INJECTIONS.values(), ids=list(INJECTIONS))
async def test_injection(family: str, build: Callable[[Any, str], Any]) -> None:
    """What would make two lines of one, or another request, is refused and nothing is sent."""
    received = []

    async def talk(peer: Peer) -> None:
        received.append(await peer.request())

    async with raw(family, talk) as (client, server):
        with pytest.raises(import_module(family).LocalProtocolError):
            await client.send(build(import_module(family), server.url))
        assert statistics(client).connections == 0
    assert b"".join(received) == b""


@each_family
@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "/relative", "ws://127.0.0.1/", "http:///"])
async def test_other_schemes(family: str, url: str) -> None:
    """Only http and https are spoken."""
    http = import_module(family)
    async with new_client(family) as client:
        with pytest.raises((http.UnsupportedProtocol, http.LocalProtocolError)):
            await client._transport.handle_async_request(http.Request("GET", url))


# ---- bodies --------------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize("size", [0, 1, 5, 70_000, 300_000])
async def test_body_with_a_length(family: str, size: int) -> None:
    """A body of known length follows its head, nothing more."""
    body = bytes(n % 256 for n in range(size))
    sent = await wire(family, lambda http, url: http.Request("POST", url, content=body))
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: %d\r\n\r\n" % size
    assert sent == head + body


@each_family
@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b""],
        [b"", b"", b""],
        [b"one"],
        [b"one", b"", b"two", b""],
        [b"", b"0\r\n\r\n", b"", b"GET /evil HTTP/1.1\r\n\r\n"],
        [b"x" * 70_000, b"", b"y" * 300_000, b"z"],
    ],
)
async def test_body_in_chunks(family: str, pieces: list[bytes]) -> None:
    """A body of unknown length goes in chunks, which an empty piece does not end."""
    sent = await wire(family, lambda http, url: http.Request("POST", url, content=Pieces(*pieces)))
    head = b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert sent[: len(head)] == head
    body, rest = b"", sent[len(head) :]
    while True:
        size, _, rest = rest.partition(b"\r\n")
        body += rest[: int(size, 16)]
        assert rest[int(size, 16) :].startswith(b"\r\n")
        rest = rest[int(size, 16) + 2 :]
        if int(size, 16) == 0:
            break
    assert (body, rest) == (b"".join(pieces), b"")


@each_family
async def test_pieces_are_sent_as_they_come(family: str) -> None:
    """A piece of a body is on its way before the next one is asked for."""
    seen: list[bytes] = []
    here = trio.Event()

    async def talk(peer: Peer) -> None:
        await peer.until(b"one\r\n")
        here.set()
        await peer.until(b"0\r\n\r\n")
        await peer.send(OK)

    async def wait() -> None:
        await here.wait()
        seen.append(b"before two")

    async with raw(family, talk) as (client, server):
        await client.post(server.url, content=Pieces(b"one", wait, b"two"))
    assert seen == [b"before two"]


@each_family
@pytest.mark.parametrize("pieces", [[], [b"1234"], [b"12", b"", b"34"]])
async def test_body_that_is_too_short(family: str, pieces: list[bytes]) -> None:
    """A body shorter than its Content-Length is an error, and so is the connection after it."""

    async def talk(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in range(2):
            with pytest.raises(import_module(family).LocalProtocolError):
                await client.post(
                    server.url, headers={"Content-Length": "5"}, content=Pieces(*pieces)
                )
            assert statistics(client).connections == 0
        assert (await client.get(server.url)).content == b"ok"


@each_family
@pytest.mark.parametrize("length", [0, 3])
@pytest.mark.parametrize("pieces", [[b"1234"], [b"123", b"4"], [b"123", b"GET /evil HTTP/1.1"]])
async def test_body_that_is_too_long(family: str, length: int, pieces: list[bytes]) -> None:
    """A body longer than its Content-Length is an error, and what is too much is not sent."""
    received = []

    async def talk(peer: Peer) -> None:
        received.append(await peer.until(b"never"))

    async with raw(family, talk) as (client, server):
        with pytest.raises(import_module(family).LocalProtocolError):
            await client.post(
                server.url, headers={"Content-Length": str(length)}, content=Pieces(*pieces)
            )
        assert statistics(client).connections == 0
    body = b"".join(received).partition(b"\r\n\r\n")[2]
    assert b"123"[:length].startswith(body)


@each_family
@pytest.mark.parametrize("length", ["x", "-1", "+5", "5, 5", "5_0", "", " "])
async def test_bad_length_of_a_request(family: str, length: str) -> None:
    """A Content-Length that is no number is not sent."""
    async with raw(family, Peer.request) as (client, server):
        with pytest.raises(import_module(family).LocalProtocolError):
            await client.post(server.url, headers={"Content-Length": length}, content=b"12345")


@each_family
async def test_two_framings_of_a_request(family: str) -> None:
    """A request never has both Content-Length and Transfer-Encoding (RFC 9112, 6.1)."""
    received = []

    async def talk(peer: Peer) -> None:
        received.append(await peer.answer(OK))

    async with raw(family, talk) as (client, server):
        headers = {"Content-Length": "3", "Transfer-Encoding": "chunked"}
        try:
            await client.post(server.url, headers=headers, content=Pieces(b"one"))
        except import_module(family).LocalProtocolError:
            assert b"".join(received) == b""
        else:
            [head] = [each.partition(b"\r\n\r\n")[0].lower() for each in received]
            assert (b"content-length:" in head) != (b"transfer-encoding:" in head)


@each_family
async def test_body_that_raises(family: str) -> None:
    """An exception of the body comes out as it is, and its connection is not used again."""

    class OurError(Exception):
        pass

    async def fail() -> None:
        raise OurError

    async def talk(peer: Peer) -> None:
        await peer.answer(OK)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        await client.get(server.url)
        with pytest.raises(OurError):
            await client.post(server.url, content=Pieces(b"one", fail))
        assert statistics(client).connections == 0


# ---- servers that do not wait, or not read -------------------------------------------------

EARLY = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n%b\r\nbig"


@each_family
@pytest.mark.parametrize("close", [b"Connection: close\r\n", b""])
@pytest.mark.parametrize("reads", [True, False])
async def test_answer_during_the_upload(family: str, close: bytes, reads: bool) -> None:
    """An answer that comes early is returned, and its connection not used again (9112, 9.5)."""

    async def talk(peer: Peer) -> None:
        await peer.until(b"\r\n\r\n")
        await peer.send(EARLY % close)
        if reads:
            await peer.gone()
        else:
            await trio.sleep_forever()

    async with raw(family, talk) as (client, server):
        response = await client.post(server.url, content=Endless())
        assert (response.status_code, response.content) == (413, b"big")
        assert statistics(client).connections == 0


@each_family
async def test_answer_and_hang_up_during_the_upload(family: str) -> None:
    """The answer of a server that hangs up on an upload is still read, if the network kept it."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.until(b"\r\n\r\n")
        await peer.send(EARLY % b"Connection: close\r\n")

    async with raw(family, talk) as (client, server):
        # Closing with bytes unread is an RST, which may overtake the answer.
        try:
            response = await client.post(server.url, content=Endless())
        except (http.WriteError, http.ReadError):
            pass
        else:
            assert (response.status_code, response.content) == (413, b"big")
        assert statistics(client).connections == 0


@each_family
async def test_server_that_does_not_read(family: str) -> None:
    """A server that never reads is a write timeout, and its connection is closed."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await trio.sleep_forever()

    async with raw(family, talk) as (client, server):
        with pytest.raises(http.WriteTimeout):
            await client.post(server.url, content=Endless(), timeout=http.Timeout(None, write=0.05))
        assert statistics(client).connections == 0


@each_family
async def test_server_that_does_not_answer(family: str) -> None:
    """A server that never answers is a read timeout, before the head and behind it."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe" * (peer.number - 1))
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in range(2):
            with pytest.raises(http.ReadTimeout):
                await client.get(server.url, timeout=http.Timeout(None, read=0.02))
            assert statistics(client).connections == 0
        assert len(server.peers) == 2


@each_family
async def test_nobody_listens(family: str) -> None:
    """A port that refuses is a ConnectError."""
    http = import_module(family)
    with closed_port() as url:
        async with assert_no_leaks(), new_client(family) as client:
            with pytest.raises(http.ConnectError):
                await client.get(url)
            assert statistics(client).connections == 0


# ---- extensions ----------------------------------------------------------------------------


@each_family
async def test_trace(family: str) -> None:
    """The extension `trace` is told each step under the names that httpcore gives them."""
    told: list[str] = []

    async def trace(name: str, info: dict[str, Any]) -> None:
        told.append(name)

    async def talk(peer: Peer) -> None:
        while await peer.answer(OK):
            pass

    async with raw(family, talk) as (client, server):
        await client.get(server.url, extensions={"trace": trace})
        assert told[:2] == ["connection.connect_tcp.started", "connection.connect_tcp.complete"]
        first = told[2:]
        for step in ("send_request_headers", "receive_response_headers"):
            assert f"http11.{step}.started" in first
            assert f"http11.{step}.complete" in first
        told.clear()
        await client.get(server.url, extensions={"trace": trace})
        assert told == first


@each_family
@pytest.mark.parametrize("chunked", [True, False])
async def test_refusal_in_the_middle_of_the_only_piece(family: str, chunked: bool) -> None:
    """A body that was cut by a refusal leaves a connection in the middle of it: it is not kept."""

    async def talk(peer: Peer) -> None:
        await peer.until(b"\r\n\r\n")
        await wait_all_tasks_blocked(0.05)  # the client, too, until there is room again
        await peer.send(EARLY % b"")
        await peer.gone()

    piece = b"x" * 16_000_000
    async with raw(family, talk) as (client, server):
        response = await client.post(server.url, content=Pieces(piece) if chunked else piece)
        assert (response.status_code, response.content) == (413, b"big")
        assert statistics(client).connections == 0
