"""The scripted server behind TLS, with a certificate made for the occasion."""

from __future__ import annotations

import functools
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from trio_stream.testing import Plan, ScriptedServer
from trio_stream.testing._background import running
from trio_stream.testing._wire import Wire

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is missing")

_MAKE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
_NAME = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]


@functools.cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's side, and that of a client who trusts it."""
    with tempfile.TemporaryDirectory() as directory:
        key, certificate = Path(directory, "key.pem"), Path(directory, "certificate.pem")
        subprocess.run(
            [*_MAKE.split(), *_NAME, "-keyout", key, "-out", certificate],
            check=True,
            capture_output=True,
        )
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(certificate, key)
        return server, ssl.create_default_context(cafile=str(certificate))


class _TLSServer(ScriptedServer):
    async def _serve_socket(self, stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, contexts()[0], server_side=True, https_compatible=True)
        await self._serve(Wire(tls, close=stream.socket.close, reset=stream.socket.close))


@asynccontextmanager
async def serve_tls(plan: Plan) -> AsyncGenerator[ScriptedServer]:
    """Serve scripts over TLS, on a loopback port."""
    server = _TLSServer(plan)
    async with running(server.run):
        server.url = server.url.replace("http:", "https:")
        yield server
