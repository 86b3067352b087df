"""`TrioTransport`: how a client of httpx or httpx2 sends its requests over trio's own sockets."""

from __future__ import annotations

import math
import ssl
from types import ModuleType, TracebackType
from typing import Any, Self, final

import trio

from ._body import body_type
from ._connection import Connection, Origin
from ._dial import Dialer, Trace, no_trace
from ._errors import FAILURES, translated
from ._exchange import Exchange, Request
from ._family import BaseTransport, default_context, family_of_request, unverified_context
from ._pool import Lease, Pool, PoolStatistics
from ._proxy import Proxy, environment_proxies, goes_past_proxies
from ._request_head import BadRequestError, Headers
from ._response_parser import ResponseParser

__all__ = ["TrioTransport"]

_PORTS = {"http": 80, "https": 443}
# RFC 9110, 9.2.2.
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"})


@final
class TrioTransport(BaseTransport):
    """HTTP/1.1 over trio's sockets, for streams.

    ::

        async with httpx.AsyncClient(transport=TrioTransport()) as client:
            async with open_stream("GET", url, client=client) as rx:
                ...

    One class for the clients of httpx and of httpx2; all that they do around a transport stays:
    authentication, cookies, redirects, hooks, base URLs. It reads the extensions ``timeout``,
    ``trace``, ``sni_hostname`` and ``target`` of a request. ``llhttp`` parses the responses, by way
    of ``httptools``, and strictly: see the limits below and "Errors".

    It is of one trio run, that of its first request. HTTP/2 is not spoken; nor are WebSockets, or
    anything else that a connection can be switched to.

    Args:
        verify: How to verify servers: `True` by the certificates that the HTTP library trusts,
            `False` not at all, or a context. Of a context, the ALPN protocols are set.
        proxy: The URL of an HTTP proxy, ``http://user:secret@host:port``.
        trust_env: Whether the environment may name proxies (``HTTP_PROXY``, ``HTTPS_PROXY``,
            ``ALL_PROXY``, ``NO_PROXY``) and certificates (``SSL_CERT_FILE``, ``SSL_CERT_DIR``).
        max_connections: How many connections there may be; more requests wait for their turn, for
            as long as their pool timeout says. `None`: any number.
        max_per_host: The same for each host and port.
        max_keepalive: How many idle connections are kept.
        keepalive_expiry: For how long, in seconds.
        uds: The path of a Unix socket to connect to, whatever the URL is.
        local_address: The address to connect from.
        max_head_bytes: How long the head of a response may be; and how many bytes may come without
            any content: extensions of chunks, trailers, interim responses.
        max_headers: How many fields the head of a response may have.

    Raises:
        ValueError: A limit that admits nothing; a proxy beside a Unix socket; or a proxy of another
            kind (``https://``, ``socks5://``), also one that the environment names: use the HTTP
            library's own transport for these.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | bool = True,
        proxy: str | None = None,
        trust_env: bool = True,
        max_connections: int | None = None,
        max_per_host: int | None = None,
        max_keepalive: int = 100,
        keepalive_expiry: float = 30.0,
        uds: str | None = None,
        local_address: str | None = None,
        max_head_bytes: int = 65536,
        max_headers: int = 128,
    ) -> None:
        for name, value, least in (
            ("max_connections", max_connections, 1),
            ("max_per_host", max_per_host, 1),
            ("max_keepalive", max_keepalive, 0),
            ("keepalive_expiry", keepalive_expiry, 0),
            ("max_head_bytes", max_head_bytes, 1),
            ("max_headers", max_headers, 1),
        ):
            if value is not None and not value >= least:  # the negation also refuses NaN
                raise ValueError(f"{name} must be at least {least}, got {value!r}")
        if uds is not None and proxy is not None:
            raise ValueError("uds and proxy are two ways to go: give one of them")
        self._verify = verify
        self._trust_env = trust_env
        self._proxies: dict[str, Proxy] = {}
        self._by_environment = proxy is None and trust_env and uds is None
        if proxy is not None:
            self._proxies = dict.fromkeys(_PORTS, Proxy.parse(proxy))
        elif self._by_environment:
            self._proxies = environment_proxies()
        self._limits = {"max_head_bytes": max_head_bytes, "max_headers": max_headers}
        self._dialer = Dialer(local_address, uds, **self._limits)
        self._pool = Pool(
            max_connections=max_connections,
            max_per_host=max_per_host,
            max_keepalive=max_keepalive,
            keepalive_expiry=keepalive_expiry,
        )

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request; return its response, whose body is still to be read, and to be closed.

        The body is among the extensions of the response, too, as ``trio_stream.body``.

        Cancellation: the request is given up, and its connection is closed.

        Raises:
            Exception: Of the library that the request is of: ``UnsupportedProtocol``,
                ``LocalProtocolError`` (it cannot be written), ``PoolTimeout``, ``ConnectTimeout``,
                ``ConnectError``, ``ProxyError``, ``WriteTimeout``, ``WriteError``, ``ReadTimeout``,
                ``ReadError``, ``RemoteProtocolError``.
        """
        family = family_of_request(request.__class__)
        origin = _origin(request, family)
        proxy = self._proxy_for(origin)
        trace: Trace = request.extensions.get("trace") or no_trace
        absolute = b""
        headers: Headers = ()
        if proxy is not None and origin.scheme == "http":
            absolute, headers = b"http://" + request.url.netloc, proxy.headers
        try:
            ready = Request.of(request, family, trace, absolute=absolute, more_headers=headers)
        except BadRequestError as error:
            raise translated(error, family, "Write") from error
        lease = await self._take_slot(origin, ready)
        try:
            connection = self._pool.take_idle(origin)
            was_kept = connection is not None
            while True:
                if connection is None:
                    connection = await self._dial(origin, proxy, ready, lease)
                lease.connection = connection
                parser = ResponseParser(ready.method, **self._limits)
                exchange = Exchange(ready, connection, parser)
                try:
                    content = await exchange.run(ready)
                except (family.NetworkError, family.RemoteProtocolError):
                    # It may have been closed when the request was on its way: RFC 9112, 9.3.1.
                    if not (was_kept and lease.is_current) or exchange.was_answered:
                        raise
                    if not _may_repeat(ready, exchange):
                        raise
                else:
                    return _response(family, exchange, content, lease)
                lease.drop_connection()
                connection, was_kept = None, False
        except BaseException:
            lease.end()
            raise

    async def aclose(self) -> None:
        """Close all connections. A response that is being read gets an error."""
        self._pool.close()
        await trio.lowlevel.checkpoint()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._pool.close()

    def statistics(self) -> PoolStatistics:
        """How many connections there are, how many are idle, and how many requests wait."""
        return self._pool.statistics()

    def _proxy_for(self, origin: Origin) -> Proxy | None:
        proxy = self._proxies.get(origin.scheme)
        if proxy is not None and self._by_environment and goes_past_proxies(origin.host):
            return None
        return proxy

    async def _take_slot(self, origin: Origin, request: Request) -> Lease:
        timeout = request.timeouts.pool
        try:
            if timeout is None:
                return await self._pool.take_slot(origin)
            with trio.fail_after(timeout):
                return await self._pool.take_slot(origin)
        except FAILURES as error:
            raise translated(error, request.family, "Pool") from error

    async def _dial(
        self, origin: Origin, proxy: Proxy | None, request: Request, lease: Lease
    ) -> Connection:
        family, timeout = request.family, request.timeouts.connect

        def make_context() -> ssl.SSLContext:
            if isinstance(self._verify, ssl.SSLContext):
                return self._verify
            if not self._verify:
                return unverified_context()
            return default_context(family, trust_env=self._trust_env)

        try:
            with trio.fail_after(math.inf if timeout is None else timeout):
                connection = await self._dialer.dial(origin, proxy, make_context, request.trace)
            self._pool.add(connection, lease)
        except FAILURES as error:
            raise translated(error, family, "Connect") from error
        return connection


def _origin(request: Any, family: ModuleType) -> Origin:
    url = request.url
    if url.scheme not in _PORTS or not url.raw_host:
        raise family.UnsupportedProtocol(
            "Request URL is missing an 'http://' or 'https://' protocol."
            if not url.scheme
            else f"Request URL has an unsupported protocol '{url.scheme}://'."
        )
    host = url.raw_host.decode("ascii")
    server_name = request.extensions.get("sni_hostname") or host
    return Origin(url.scheme, host, url.port or _PORTS[url.scheme], server_name)


def _response(family: ModuleType, exchange: Exchange, content: bytes, lease: Lease) -> Any:
    parser = exchange.parser
    body = body_type(family)(exchange, content, lease)
    return family.Response(
        status_code=parser.status_code,
        headers=parser.take_headers(),
        stream=body,
        extensions={
            "http_version": f"HTTP/{parser.http_version}".encode(),
            "reason_phrase": parser.reason,
            "trio_stream.body": body,
        },
    )


def _may_repeat(request: Request, exchange: Exchange) -> bool:
    """Whether a request may be sent again that no answer has come to."""
    # Bytes can be sent again; so can those that `open_stream` has put a wrapper around.
    streams = (request.stream, getattr(request.stream, "_stream", None))
    is_kept = request.length == 0 or any(
        isinstance(each, request.family.ByteStream) for each in streams
    )
    return is_kept and (not exchange.was_sent or request.method in _IDEMPOTENT)
