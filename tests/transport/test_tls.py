"""TLS: whom it trusts, what it says in the handshake, and how it ends (RFC 8446, RFC 9110, 4.3)."""

from __future__ import annotations

import datetime as dt
import ssl
from functools import cache
from importlib import import_module
from typing import Any

import pytest
import trio
import trio.testing

from tests.pipeline.test_cancel_everywhere import CancelAtStep
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

trustme = pytest.importorskip("trustme")


@cache
def authority() -> Any:
    return trustme.CA()


@cache
def stranger() -> Any:
    return trustme.CA()


def server_side(authority: Any, *names: str, **options: Any) -> ssl.SSLContext:
    """A server with a certificate of an authority for these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",)), **options).configure_cert(context)
    return context


@cache
def good_server() -> ssl.SSLContext:
    return server_side(authority())


@cache
def client_side() -> ssl.SSLContext:
    """A client that trusts the authority, and nobody else."""
    return ssl.create_default_context(cadata=authority().cert_pem.bytes().decode())


async def keep_answering(peer: Peer) -> None:
    while await peer.answer(OK):
        pass


def in_the_past() -> dict[str, Any]:
    now = dt.datetime.now(dt.UTC)
    return {"not_before": now - dt.timedelta(9), "not_after": now - dt.timedelta(2)}


# ---- whom it trusts ------------------------------------------------------------------------


@each_family
async def test_private_authority(family: str) -> None:
    """A server of a private authority is trusted through a context; connections are kept."""
    async with raw(family, keep_answering, tls=good_server(), verify=client_side()) as (
        client,
        server,
    ):
        for _ in range(3):
            assert (await client.get(server.url)).content == b"ok"
        assert len(server.peers) == 1
        assert server.failed_handshakes == []


BAD: dict[str, tuple[Any, str]] = {
    "wrong host name": (lambda: server_side(authority(), "other.test"), "not valid for|mismatch"),
    "expired": (lambda: server_side(authority(), "127.0.0.1", **in_the_past()), "expired"),
    "unknown authority": (
        lambda: server_side(stranger(), "127.0.0.1"),
        "unable to get local issuer|self.signed|unknown",
    ),
}


@each_family
@pytest.mark.parametrize("name", BAD)
async def test_certificate_is_refused(family: str, name: str) -> None:
    """A certificate that proves nothing is a ConnectError that says why; nothing was sent."""
    http = import_module(family)
    make_context, reason = BAD[name]
    asked = []

    async def talk(peer: Peer) -> None:
        asked.append(await peer.request())

    async with raw(family, talk, tls=make_context(), verify=client_side()) as (client, server):
        with pytest.raises(http.ConnectError, match=f"(?i)certificate.*({reason})"):
            await client.post(server.url, content=b"secret")
        assert statistics(client).connections == 0
    assert b"".join(asked) == b""


@each_family
async def test_default_trusts_no_private_authority(family: str) -> None:
    """Without a context, a private authority is nobody."""
    http = import_module(family)
    async with raw(family, keep_answering, tls=good_server(), verify=True) as (client, server):
        with pytest.raises(http.ConnectError, match=r"(?i)certificate.*verify failed"):
            await client.get(server.url)


@each_family
async def test_not_verified_when_told_so(family: str) -> None:
    """With `verify=False` any certificate will do."""
    context = server_side(stranger(), "other.test")
    async with raw(family, keep_answering, tls=context, verify=False) as (client, server):
        assert (await client.get(server.url)).content == b"ok"


# ---- what it says --------------------------------------------------------------------------


@each_family
async def test_server_name(family: str) -> None:
    """The name of the host is sent, or the one that `sni_hostname` gives, and is verified."""
    http = import_module(family)
    asked: list[str | None] = []
    context = server_side(authority(), "localhost", "other.test")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    async with raw(family, keep_answering, tls=context, verify=client_side()) as (client, server):
        url = server.url.replace("127.0.0.1", "localhost")
        await client.get(url)
        await client.get(server.url, extensions={"sni_hostname": "other.test"})
        with pytest.raises(http.ConnectError, match=r"(?i)certificate.*(not valid|mismatch)"):
            await client.get(url, extensions={"sni_hostname": "third.test"})
        assert asked == ["localhost", "other.test", "third.test"]


@each_family
async def test_connection_is_of_its_server_name(family: str) -> None:
    """A kept connection serves only the name that its certificate was verified for."""
    context = server_side(authority(), "localhost", "other.test")
    async with raw(family, keep_answering, tls=context, verify=client_side()) as (client, server):
        url = server.url.replace("127.0.0.1", "localhost")
        for _ in range(2):
            await client.get(url)
            await client.get(url, extensions={"sni_hostname": "other.test"})
        assert len(server.peers) == 2


@each_family
@pytest.mark.parametrize(
    ("spoken", "chosen"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)]
)
async def test_only_http_11_is_offered(family: str, spoken: list[str], chosen: str | None) -> None:
    """ALPN offers http/1.1 and nothing else (RFC 7301), whatever the server would rather speak."""
    context = server_side(authority())
    context.set_alpn_protocols(spoken)
    chose = []

    async def talk(peer: Peer) -> None:
        chose.append(peer.stream.selected_alpn_protocol())
        await keep_answering(peer)

    async with raw(family, talk, tls=context, verify=client_side()) as (client, server):
        assert (await client.get(server.url)).content == b"ok"
    assert chose == [chosen]


# ---- those who do not speak it -------------------------------------------------------------


@each_family
@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x15\x03\x01\x00\x02\x02\x46", b"\0" * 1000],
)
async def test_tls_to_a_server_without(family: str, answer: bytes) -> None:
    """A server that does not speak TLS is a ConnectError."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.read()
        await peer.send(answer)

    async with raw(family, talk, verify=client_side()) as (client, server):
        with pytest.raises(http.ConnectError):
            await client.get(server.url.replace("http:", "https:"))
        assert statistics(client).connections == 0


@each_family
async def test_no_tls_to_a_server_with(family: str) -> None:
    """A server that speaks only TLS gives no answer in HTTP."""
    http = import_module(family)
    async with raw(family, keep_answering, tls=good_server()) as (client, server):
        with pytest.raises((http.RemoteProtocolError, http.ReadError)):
            await client.get(server.url.replace("https:", "http:"))
        assert statistics(client).connections == 0


@each_family
async def test_handshake_that_stalls(family: str) -> None:
    """A handshake that never ends is a connect timeout, and its socket is closed."""
    http = import_module(family)

    async with raw(family, Peer.gone, verify=client_side()) as (client, server):
        url = server.url.replace("http:", "https:")
        with pytest.raises(http.ConnectTimeout):
            await client.get(url, timeout=http.Timeout(None, connect=0.05))
        assert statistics(client).connections == 0
        await trio.testing.wait_all_tasks_blocked()
        assert server.open == 0


@each_family
async def test_cancelled_at_every_step(family: str) -> None:
    """Cancelled at any step of handshake, request and response, nothing is left."""
    async with raw(
        family, keep_answering, tls=good_server(), verify=client_side(), max_connections=1
    ) as (client, server):
        for n in range(1, 100):
            canceller = CancelAtStep(n)

            async def play(canceller: CancelAtStep = canceller) -> None:
                canceller.root = trio.lowlevel.current_task()
                with canceller.scope:
                    await client.get(server.url, headers={"Connection": "close"})

            trio.lowlevel.add_instrument(canceller)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(play)
            trio.lowlevel.remove_instrument(canceller)
            now = statistics(client)
            assert (now.connections, now.idle, now.waiting) == (0, 0, 0)
            if not canceller.has_fired:
                break
        assert n > 5
        assert not canceller.has_fired, "it never came to its end"
        assert (await client.get(server.url)).content == b"ok"


# ---- how it ends ---------------------------------------------------------------------------

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\n"


@each_family
@pytest.mark.parametrize("politely", [True, False])
@pytest.mark.parametrize(
    ("answer", "content", "is_whole"),
    [
        (LENGTH + b"hello", b"hello", True),
        (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"hello", True),
        (LENGTH + b"hell", b"hell", False),
        (CHUNKED + b"5\r\nhello\r\n", b"hello", False),
        (CHUNKED + b"5\r\nhello\r\n0\r\n", b"hello", False),
        (CHUNKED, b"", False),
    ],
)
async def test_end_of_the_connection(
    family: str, answer: bytes, content: bytes, is_whole: bool, politely: bool
) -> None:
    """A whole body needs no close_notify, and a cut one is cut with it (RFC 9112, 9.8)."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(answer)
        if politely:
            await peer.stream.aclose()  # sends close_notify, and waits for nothing
        else:
            peer.end()
            await peer.gone()

    async with raw(family, talk, tls=good_server(), verify=client_side()) as (client, server):
        got, error = await stream_until_error(client, server.url)
        assert got == content
        if is_whole:
            assert error is None
        else:
            assert isinstance(error, http.RemoteProtocolError)
            assert CUT in str(error)
        assert len(server.peers) == 1


@each_family
async def test_body_until_close_notify(family: str) -> None:
    """A body that the connection delimits is whole at close_notify."""

    async def talk(peer: Peer) -> None:
        await peer.answer(TO_THE_END + b"hello")
        await peer.stream.aclose()

    async with raw(family, talk, tls=good_server(), verify=client_side()) as (client, server):
        assert await stream_until_error(client, server.url) == (b"hello", None)


@each_family
async def test_body_until_the_end_without_close_notify(family: str) -> None:
    """Such a body that ends without close_notify may have been cut by anyone (RFC 9112, 9.8)."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(TO_THE_END + b"hello")
        peer.end()
        await peer.gone()

    async with raw(family, talk, tls=good_server(), verify=client_side()) as (client, server):
        got, error = await stream_until_error(client, server.url)
        assert got == b"hello"
        assert isinstance(error, http.RemoteProtocolError)
        assert CUT in str(error)


@each_family
@pytest.mark.parametrize("politely", [True, False])
async def test_kept_connection_that_ends(family: str, politely: bool) -> None:
    """A kept connection that the server has closed is found out before it is used."""
    closed = trio.Event()

    async def talk(peer: Peer) -> None:
        await peer.answer(OK)
        if peer.number == 1:
            await peer.stream.aclose() if politely else peer.end()
            closed.set()
        if peer.number == 2 or not politely:
            await peer.gone()

    async with raw(family, talk, tls=good_server(), verify=client_side()) as (client, server):
        await client.get(server.url)
        await closed.wait()
        assert (await client.post(server.url, content=b"once")).content == b"ok"
        assert len(server.peers) == 2
