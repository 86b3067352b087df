"""HTTP proxies: absolute form, CONNECT, and the environment (RFC 9112, 3.2; RFC 9110, 9.3.6)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import trio

from tests.transport.raw_server import (
    OK,
    Peer,
    each_family,
    new_client,
    raw,
    serve_raw,
    statistics,
)
from tests.transport.test_tls import client_side, good_server
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamTimeoutError
from trio_stream.pipeline import open_stream
from trio_stream.testing import assert_no_leaks

TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names no proxies."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


async def keep_answering(peer: Peer) -> None:
    while await peer.answer(OK):
        pass


class Asked(list[bytes]):
    """A proxy that answers by itself, and what it was asked."""

    async def talk(self, peer: Peer) -> None:
        while request := await peer.request():
            self.append(request)
            await peer.send(OK)


class Tunnels(list[bytes]):
    """A proxy that opens tunnels to one server, and what it was asked.

    Args:
        port: That of the server.
        pieces: The answer to CONNECT.
    """

    def __init__(self, port: int, *pieces: bytes) -> None:
        super().__init__()
        self._port = port
        self._pieces = pieces or (TUNNEL,)

    async def talk(self, peer: Peer) -> None:
        self.append(await peer.answer(*self._pieces))
        async with (
            await trio.open_tcp_stream("127.0.0.1", self._port) as onward,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._copy, onward, peer.stream, nursery.cancel_scope)
            await onward.send_all(peer.received)
            await self._copy(peer.stream, onward, nursery.cancel_scope)

    async def _copy(self, here: Any, there: Any, both: trio.CancelScope) -> None:
        try:
            async for data in here:
                await there.send_all(data)
        except trio.BrokenResourceError:
            pass
        both.cancel()


async def ask_through(family: str, proxy: Any, url: str, **options: Any) -> Any:
    async with new_client(family, proxy=proxy.url, **options) as client:
        return await client.send(import_module(family).Request("GET", url))


# ---- forwarding ----------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("http://far.test", b"http://far.test/", b"far.test"),
        ("http://far.test:81/a?b#c", b"http://far.test:81/a?b", b"far.test:81"),
        ("http://far.test:80/", b"http://far.test/", b"far.test"),
        ("http://[2001:db8::1]:81/", b"http://[2001:db8::1]:81/", b"[2001:db8::1]:81"),
        ("http://b\xfccher.test/", b"http://xn--bcher-kva.test/", b"xn--bcher-kva.test"),
        ("http://me:secret@far.test/", b"http://far.test/", b"far.test"),
    ],
)
async def test_absolute_form(family: str, url: str, target: bytes, host: bytes) -> None:
    """A proxy is asked for the whole URL, less userinfo and fragment (RFC 9112, 3.2.2)."""
    asked = Asked()
    async with assert_no_leaks(), serve_raw(asked.talk) as proxy:
        assert (await ask_through(family, proxy, url)).content == b"ok"
    head = b"GET %b HTTP/1.1\r\nHost: %b\r\n" % (target, host)
    assert [request[: len(head)] for request in asked] == [head]
    assert b"secret" not in asked[0]
    assert b"roxy" not in asked[0]


@each_family
@pytest.mark.parametrize(
    ("userinfo", "credentials"),
    [("me:secret", b"bWU6c2VjcmV0"), ("me", b"bWU6"), ("m%40e:s%3Acr%25t", b"bUBlOnM6Y3IldA==")],
)
async def test_proxy_authorization(family: str, userinfo: str, credentials: bytes) -> None:
    """The name and password in a proxy's URL are its credentials (RFC 9110, 11.7.2; RFC 7617)."""
    asked = Asked()
    async with serve_raw(asked.talk) as proxy:
        proxy.url = proxy.url.replace("//", f"//{userinfo}@")
        await ask_through(family, proxy, "http://far.test/")
    assert b"\r\nProxy-Authorization: Basic %b\r\n" % credentials in asked[0]


@each_family
async def test_status_of_a_forwarding_proxy(family: str) -> None:
    """What a forwarding proxy answers is the answer, 407 too."""
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"

    async def talk(peer: Peer) -> None:
        await peer.answer(answer)

    async with serve_raw(talk) as proxy:
        assert (await ask_through(family, proxy, "http://far.test/")).status_code == 407


@each_family
async def test_connections_to_a_proxy_are_kept(family: str) -> None:
    """A connection to a forwarding proxy is kept; that of one host serves it again."""
    asked = Asked()
    async with assert_no_leaks(), serve_raw(asked.talk) as proxy:
        async with new_client(family, proxy=proxy.url) as client:
            for _ in range(3):
                await client.get("http://far.test/")
        assert len(proxy.peers) == 1
        assert len(asked) == 3


# ---- tunnels -------------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("userinfo", ["", "me:secret@"])
async def test_tunnel(family: str, userinfo: str, split: bool) -> None:
    """For https a tunnel is asked for, and TLS is spoken through it, with the server itself."""
    requests: list[bytes] = []

    async def talk(peer: Peer) -> None:
        while request := await peer.answer(OK):
            requests.append(request)

    async with assert_no_leaks(), serve_raw(talk, tls=good_server()) as server:
        pieces = [TUNNEL[at : at + 1] for at in range(len(TUNNEL))] if split else [TUNNEL]
        tunnels = Tunnels(server.port, *pieces)
        async with serve_raw(tunnels.talk) as proxy:
            url = proxy.url.replace("//", f"//{userinfo}")
            async with new_client(family, proxy=url, verify=client_side()) as client:
                for _ in range(2):
                    request = import_module(family).Request("GET", f"{server.url}/path")
                    assert (await client.send(request)).content == b"ok"
                assert len(server.peers) == 1
        authority = server.url.removeprefix("https://").encode()
    [connect] = tunnels
    assert connect.startswith(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (authority, authority))
    credentials = b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"
    assert (credentials in connect) == bool(userinfo)
    assert requests == [b"GET /path HTTP/1.1\r\nHost: %b\r\n\r\n" % authority] * 2


@each_family
@pytest.mark.parametrize("url", ["https://far.test", "https://far.test:443/"])
async def test_target_of_connect(family: str, url: str) -> None:
    """The target of CONNECT is host and port, the port always (RFC 9112, 3.2.3)."""
    http = import_module(family)
    asked = []

    async def talk(peer: Peer) -> None:
        asked.append(await peer.request())

    async with assert_no_leaks(), serve_raw(talk) as proxy:
        with pytest.raises(http.TransportError):
            await ask_through(family, proxy, url)
    assert asked[0].startswith(b"CONNECT far.test:443 HTTP/1.1\r\nHost: far.test:443\r\n")


@each_family
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403"),
        (b"HTTP/1.1 502 Bad Gateway\r\nTransfer-Encoding: chunked\r\n\r\n", "502"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\n\r\n", "302"),
    ],
)
async def test_tunnel_is_refused(family: str, answer: bytes, told: str) -> None:
    """A proxy that opens no tunnel is a ProxyError with its status, and its body is not read."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(answer)
        await peer.gone()

    async with assert_no_leaks(), serve_raw(talk) as proxy:
        with pytest.raises(http.ProxyError, match=told):
            await ask_through(family, proxy, "https://far.test/", max_connections=1)


@each_family
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 Conn",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
    ids=["nothing", "cut", "another protocol", "TLS", "HTTP/2", "oversize", "101"],
)
async def test_broken_proxy(family: str, answer: bytes) -> None:
    """A proxy that does not speak HTTP, or is cut, is an error of the transport's kind."""
    http = import_module(family)

    async def talk(peer: Peer) -> None:
        await peer.answer(answer)
        peer.end()
        await peer.gone()

    async with (
        assert_no_leaks(),
        serve_raw(talk) as proxy,
        new_client(family, proxy=proxy.url, verify=client_side()) as client,
    ):
        with pytest.raises((http.ProxyError, http.RemoteProtocolError, http.ConnectError)):
            await client.get("https://far.test/")
        assert statistics(client).connections == 0


@each_family
async def test_proxy_that_stalls(family: str) -> None:
    """A tunnel that is not opened in time is a connect timeout."""
    http = import_module(family)
    async with (
        assert_no_leaks(),
        serve_raw(Peer.gone) as proxy,
        new_client(family, proxy=proxy.url, verify=client_side()) as client,
    ):
        with pytest.raises(http.ConnectTimeout):
            await client.get("https://far.test/", timeout=http.Timeout(None, connect=0.05))
        assert statistics(client).connections == 0


@each_family
@pytest.mark.parametrize("ends", ["connect_timeout", "cancelled"])
async def test_stream_through_a_proxy_that_stalls(family: str, ends: str) -> None:
    """A stream is not kept by a proxy that never answers: it has its time, and can be cancelled."""

    async def talk(peer: Peer) -> None:
        await peer.gone()

    config = StreamConfig(connect_timeout=0.05 if ends == "connect_timeout" else None)
    async with (
        assert_no_leaks(),
        serve_raw(talk) as proxy,
        new_client(family, proxy=proxy.url) as client,
    ):
        stream = open_stream("GET", "https://no.such.test/", client=client, config=config)
        with trio.move_on_after(5 if ends == "connect_timeout" else 0.05):
            with pytest.raises((StreamTimeoutError, trio.Cancelled)) as caught:
                await stream.__aenter__()
        assert isinstance(caught.value, StreamTimeoutError) == (ends == "connect_timeout")
        assert getattr(caught.value, "layer", "connect") == "connect"
        assert statistics(client).connections == 0


@each_family
async def test_bytes_before_the_handshake(family: str) -> None:
    """Bytes that a proxy sends behind its answer are not taken for the server's."""
    http = import_module(family)
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL"
    async with assert_no_leaks(), serve_raw(keep_answering, tls=good_server()) as server:
        tunnels = Tunnels(server.port, TUNNEL + evil)
        async with serve_raw(tunnels.talk) as proxy:
            try:
                response = await ask_through(family, proxy, server.url, verify=client_side())
            except (http.ProxyError, http.RemoteProtocolError, http.ConnectError):
                pass
            else:  # dropped: in TLS, a server never speaks first
                assert response.content == b"ok"


@each_family
async def test_certificate_through_a_tunnel(family: str) -> None:
    """Who is verified is the server at the end of the tunnel, by its own name."""
    http = import_module(family)
    async with (
        assert_no_leaks(),
        serve_raw(keep_answering, tls=good_server()) as server,
        serve_raw(Tunnels(server.port).talk) as proxy,
    ):
        with pytest.raises(http.ConnectError, match=r"(?i)certificate"):
            await ask_through(family, proxy, "https://far.test/", verify=client_side())


@each_family
async def test_proxy_is_not_there(family: str) -> None:
    """A proxy that refuses connections is an error; the server is not asked directly."""
    http = import_module(family)
    async with raw(family, keep_answering) as (_, server):
        async with serve_raw(keep_answering) as proxy:
            pass
        with pytest.raises((http.ConnectError, http.ProxyError)):
            await ask_through(family, proxy, server.url)
        assert server.peers == []


# ---- which proxy ---------------------------------------------------------------------------


@each_family
@pytest.mark.parametrize(
    ("name", "no_proxy", "goes_through"),
    [
        ("HTTP_PROXY", "", True),
        ("http_proxy", "", True),
        ("ALL_PROXY", "", True),
        ("HTTPS_PROXY", "", False),
        ("HTTP_PROXY", "127.0.0.1", False),
        ("HTTP_PROXY", "*", False),
        ("HTTP_PROXY", "other.test, 127.0.0.1", False),
        ("HTTP_PROXY", "27.0.0.1", True),
        ("HTTP_PROXY", "other.test", True),
    ],
)
async def test_environment(
    family: str, name: str, no_proxy: str, goes_through: bool, environment: pytest.MonkeyPatch
) -> None:
    """The environment names proxies, and those who go past them."""
    asked = Asked()
    async with (
        assert_no_leaks(),
        serve_raw(asked.talk) as proxy,
        serve_raw(keep_answering) as server,
    ):
        environment.setenv(name, proxy.url)
        environment.setenv("NO_PROXY", no_proxy)
        async with new_client(family, trust_env=True) as client:
            assert (await client.get(server.url)).content == b"ok"
        assert (len(proxy.peers), len(server.peers)) == ((1, 0) if goes_through else (0, 1))


@each_family
async def test_environment_is_not_trusted(family: str, environment: pytest.MonkeyPatch) -> None:
    """Without `trust_env`, the environment names nothing; what is given goes before it."""
    asked = Asked()
    async with serve_raw(asked.talk) as proxy, serve_raw(keep_answering) as server:
        environment.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        async with new_client(family, trust_env=False) as client:
            await client.get(server.url)
        environment.setenv("NO_PROXY", "*")
        async with new_client(family, trust_env=True, proxy=proxy.url) as client:
            await client.get(server.url)
        assert (len(proxy.peers), len(server.peers)) == (1, 1)


@pytest.mark.parametrize(
    "url", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "ftp://x", "http://"]
)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_other_kinds_of_proxies(url: str, way: str, environment: pytest.MonkeyPatch) -> None:
    """A proxy of another kind is refused when the transport is made, and not passed by."""
    environment.setenv("ALL_PROXY", url if way == "environment" else "")
    options = {"proxy": url} if way == "argument" else {}
    with pytest.raises(ValueError, match="proxy"):
        new_client("httpx", trust_env=True, **options)


def test_secret_of_a_proxy_is_not_told(environment: pytest.MonkeyPatch) -> None:
    """The error about a proxy does not spell out its password."""
    with pytest.raises(ValueError, match="proxy") as caught:
        new_client("httpx", proxy="socks5://me:secret@proxy.test:1")
    assert "secret" not in str(caught.value)
