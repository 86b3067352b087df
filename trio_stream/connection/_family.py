"""Which HTTP library a client belongs to: httpx, or httpx2, its continuation.

The two share their surface but not their classes, so nothing here or elsewhere asks `isinstance`
across them. Both may be in use in one process.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import ssl
import sys
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import trio

if TYPE_CHECKING:
    import httpx2

    from ..transport import TrioTransport

__all__ = ["AsyncClient", "family_of", "own_client"]

AsyncClient: TypeAlias = "httpx.AsyncClient | httpx2.AsyncClient"

_NAMES = ("httpx", "httpx2")
_SHORT = 4  # digits of a length
_SHORT_TIME = 0.25  # seconds: mostly it is here with the head


def family_of(client: AsyncClient) -> ModuleType:
    """The library that ``client`` is an ``AsyncClient`` of; subclasses count.

    Raises:
        TypeError: It is not such a client.
    """
    for cls in type(client).__mro__:
        root = cls.__module__.partition(".")[0]
        if root in _NAMES and cls.__name__ == "AsyncClient":
            return sys.modules[root]
    raise TypeError(f"client must be an httpx.AsyncClient or httpx2.AsyncClient, got {client!r}")


def own_client() -> AsyncClient:
    """A client for one stream: httpx2's where it is installed, else httpx's.

    Over our own transport where it can be had: httptools is installed, and the environment names
    no proxy of a kind that only the library's own transport speaks to.
    """
    family = _preferred()
    options: dict[str, Any] = {
        "follow_redirects": True,
        "timeout": None,
        "event_hooks": {"response": [functools.partial(_drop_redirect_body, family)]},
    }
    transport = _own_transport()
    if transport is None:
        options["verify"] = _ssl_context(family)
    else:
        options["transport"] = transport
    client: AsyncClient = family.AsyncClient(**options)
    return client


async def _drop_redirect_body(family: ModuleType, response: Any) -> None:
    """A hook: the HTTP library reads the body of a redirect before it follows, however long.

    A short one is read here, in a short time: the connection can be used again then.
    """
    if not response.has_redirect_location:
        return
    headers, stream = response.headers, response.stream
    length = headers.get("content-length", "")
    # Beside a Transfer-Encoding, a length says nothing (RFC 9112, 6.3).
    if length.isdecimal() and len(length) <= _SHORT and "transfer-encoding" not in headers:
        with trio.move_on_after(_SHORT_TIME), suppress(family.TransportError):
            async for _ in stream:
                pass
    await stream.aclose()
    response.stream = family.ByteStream(b"")


def _own_transport() -> TrioTransport | None:
    if importlib.util.find_spec("httptools") is None:
        return None
    from ..transport import TrioTransport  # noqa: PLC0415 - not everybody has it

    try:
        return TrioTransport()
    except ValueError:  # a proxy of another kind
        return None


@functools.cache
def _preferred() -> ModuleType:
    return importlib.import_module("httpx2") if importlib.util.find_spec("httpx2") else httpx


@functools.cache
def _ssl_context(family: ModuleType) -> ssl.SSLContext:
    # Loading the certificates takes 24 ms, 99 % of the price of a client.
    context: ssl.SSLContext = family.create_ssl_context()
    return context
