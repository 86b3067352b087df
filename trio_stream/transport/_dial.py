"""Connections are made here: TCP with happy eyeballs, Unix sockets, proxies, TLS.

Whatever goes wrong on the way, a cancellation included, closes what was opened so far.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, final

import attrs
import trio

from ._connection import Connection, Origin
from ._proxy import Proxy
from ._request_head import request_head
from ._response_parser import ResponseParser

__all__ = ["Dialer", "RefusedByProxyError", "Trace", "no_trace"]

Trace: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Is told of each step: its name in httpcore's terms, and what there is to tell of it."""

_READ_SIZE = 4096


async def no_trace(name: str, info: dict[str, Any]) -> None:
    """A `Trace` for which nobody has asked."""


class RefusedByProxyError(Exception):
    """The proxy makes no tunnel."""


@final
@attrs.frozen
class Dialer:
    """How connections are made.

    Attributes:
        local_address: Where from.
        uds: The path of a Unix socket to connect to instead of any host.
        max_head_bytes: How long the answer of a proxy may be.
        max_headers: How many fields it may have.
    """

    local_address: str | None
    uds: str | None
    max_head_bytes: int
    max_headers: int

    async def dial(
        self,
        origin: Origin,
        proxy: Proxy | None,
        make_context: Callable[[], ssl.SSLContext],
        trace: Trace,
    ) -> Connection:
        """Make a connection.

        Cancellation: what was opened is closed.

        Raises:
            OSError, trio.BrokenResourceError: There is none. The latter has an error of TLS as its
                cause.
            RefusedByProxyError, BadResponseError: The proxy does not take part.
        """
        step = "connection.connect_tcp" if self.uds is None else "connection.connect_unix_socket"
        target = origin if proxy is None else proxy
        await trace(f"{step}.started", {"host": target.host})
        stream = await self._connect(target)
        connection = Connection(origin, stream)
        try:
            await trace(f"{step}.complete", {"return_value": None})
            if origin.scheme == "http":
                return connection
            if proxy is not None:
                await trace("connection.open_tunnel.started", {})
                await self._open_tunnel(connection, proxy)
                await trace("connection.open_tunnel.complete", {})
            await trace("connection.start_tls.started", {"server_hostname": origin.server_name})
            context = make_context()
            # HTTP/2 is not spoken here, so it must not be agreed on. The context is the caller's,
            # and what others set on it counts for connections that they make.
            context.set_alpn_protocols(["http/1.1"])
            tls = trio.SSLStream(stream, context, server_hostname=origin.server_name)
            await tls.do_handshake()
            await trace("connection.start_tls.complete", {"return_value": None})
        except BaseException:
            connection.close()
            raise
        return Connection(origin, tls)

    async def _connect(self, address: Origin | Proxy) -> trio.SocketStream:
        if self.uds is not None:
            return await trio.open_unix_socket(self.uds)
        return await trio.open_tcp_stream(
            address.host, address.port, local_address=self.local_address
        )

    async def _open_tunnel(self, connection: Connection, proxy: Proxy) -> None:
        netloc = connection.origin.netloc.encode("ascii")
        headers = [(b"Host", netloc), (b"Accept", b"*/*"), *proxy.headers]
        await connection.send_all(request_head("CONNECT", netloc, headers))
        parser = ResponseParser(
            "CONNECT", max_head_bytes=self.max_head_bytes, max_headers=self.max_headers
        )
        while not parser.has_head:
            data = await connection.receive(_READ_SIZE)
            if data:
                parser.feed(data)
            else:
                parser.feed_eof()
        parser.close()
        if parser.status_code >= 300:
            reason = parser.reason.decode("latin-1")
            raise RefusedByProxyError(f"{parser.status_code} {reason}".rstrip())
