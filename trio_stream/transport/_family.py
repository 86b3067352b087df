"""Which HTTP library a request belongs to, and what of it a transport needs.

Both libraries are built alike, and their classes have the same names. A transport serves clients of
both: it answers each request with the classes of the library that the request is of.
"""

from __future__ import annotations

import functools
import ssl
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

import httpx

__all__ = ["BaseTransport", "default_context", "family_of_request", "unverified_context"]

_NAMES = ("httpx", "httpx2")

if TYPE_CHECKING:
    import httpx2

    class BaseTransport(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):
        """What a client of either library takes for a transport."""

        async def handle_async_request(self, request: Any) -> Any: ...

elif find_spec("httpx2"):
    import httpx2

    class BaseTransport(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):
        """What a client of either library takes for a transport."""

else:
    BaseTransport = httpx.AsyncBaseTransport


@functools.lru_cache(maxsize=16)
def family_of_request(type_: type) -> ModuleType:
    """The library of a class of requests; subclasses count.

    Raises:
        TypeError: It is of neither.
    """
    for cls in type_.__mro__:
        root = cls.__module__.partition(".")[0]
        if root in _NAMES and cls.__name__ == "Request":
            return sys.modules[root]
    raise TypeError(f"not a request of httpx or httpx2: {type_!r}")


@functools.cache
def default_context(family: ModuleType, *, trust_env: bool) -> ssl.SSLContext:
    """The library's own. To load the certificates takes 24 ms, so that is done once."""
    context: ssl.SSLContext = family.create_ssl_context(trust_env=trust_env)
    return context


@functools.cache
def unverified_context() -> ssl.SSLContext:
    """For those who want encryption and do not care with whom."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
