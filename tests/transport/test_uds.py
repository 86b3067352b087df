"""Unix sockets in the place of TCP."""

from __future__ import annotations

import socket
from importlib import import_module
from pathlib import Path

import pytest

from tests.transport.raw_server import (
    OK,
    Peer,
    each_family,
    new_client,
    serve_raw,
    statistics,
)
from trio_stream.testing import assert_no_leaks
from trio_stream.transport import TrioTransport

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


@each_family
@pytest.mark.parametrize(
    ("url", "head"),
    [
        ("http://docker/v1/events?a=b", b"GET /v1/events?a=b HTTP/1.1\r\nHost: docker\r\n\r\n"),
        ("http://no.such.host:81/", b"GET / HTTP/1.1\r\nHost: no.such.host:81\r\n\r\n"),
        ("http://[2001:db8::1]/", b"GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n"),
        ("http://b\xfccher.test/", b"GET / HTTP/1.1\r\nHost: xn--bcher-kva.test\r\n\r\n"),
    ],
)
async def test_unix_socket(family: str, url: str, head: bytes, tmp_path: Path) -> None:
    """All requests go to the socket, whatever the host; it is still what Host says."""
    asked = []

    async def talk(peer: Peer) -> None:
        while request := await peer.request():
            asked.append(request)
            await peer.send(OK)

    path = str(tmp_path / "s")
    async with (
        assert_no_leaks(),
        serve_raw(talk, where=path) as server,
        new_client(family, uds=path) as client,
    ):
        for _ in range(2):
            response = await client.send(import_module(family).Request("GET", url))
            assert response.content == b"ok"
        assert len(server.peers) == 1
        assert statistics(client).connections == 1
    assert asked == [head, head]


@each_family
async def test_no_unix_socket(family: str, tmp_path: Path) -> None:
    """A socket that is not there, or that nobody listens at, is a ConnectError."""
    http = import_module(family)
    path = tmp_path / "s"
    async with assert_no_leaks(), new_client(family, uds=str(path)) as client:
        with pytest.raises(http.ConnectError):
            await client.get("http://docker/")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
            with pytest.raises(http.ConnectError):
                await client.get("http://docker/")
        assert statistics(client).connections == 0


@each_family
async def test_unix_socket_goes_past_proxies(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment is for TCP: what goes to a Unix socket goes there."""
    asked = []

    async def talk(peer: Peer) -> None:
        asked.append(await peer.answer(OK))

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    path = str(tmp_path / "s")
    async with serve_raw(talk, where=path), new_client(family, uds=path, trust_env=True) as client:
        assert (await client.get("http://docker/x")).content == b"ok"
    assert asked[0].startswith(b"GET /x HTTP/1.1\r\n")


def test_unix_socket_and_a_proxy() -> None:
    """A Unix socket and a proxy are two ways to go, and one must be chosen."""
    with pytest.raises(ValueError, match="uds and proxy"):
        TrioTransport(uds="/run/x.sock", proxy="http://127.0.0.1:3128")
