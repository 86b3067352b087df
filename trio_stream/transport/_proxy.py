"""Which proxy a request goes through, if any.

One kind is spoken: an HTTP proxy over a plain connection, the kind that ``HTTP_PROXY`` and
``HTTPS_PROXY`` mostly name. It forwards a request for ``http://`` that has the whole URL as its
target (RFC 9112, 3.2.2), and opens a tunnel for ``https://`` when it is sent a ``CONNECT``
(RFC 9110, 9.3.6).
"""

from __future__ import annotations

from base64 import b64encode
from typing import Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import attrs

from ._request_head import Headers

__all__ = ["Proxy", "environment_proxies", "goes_past_proxies"]


@attrs.frozen
class Proxy:
    """An HTTP proxy.

    Attributes:
        host: Its host.
        port: Its port.
        headers: What it is sent: the user and password of its URL (RFC 7617), if there are any.
    """

    host: str
    port: int
    headers: Headers = ()

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read the URL of a proxy, such as ``http://user:secret@proxy.test:3128``.

        Raises:
            ValueError: It is no URL of an HTTP proxy.
        """
        try:
            parts = urlsplit(url if "://" in url else f"http://{url}")
            port = parts.port or 80
        except ValueError:  # which would spell out the password
            raise ValueError("a proxy must be an http:// URL: this one cannot be read") from None
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(
                f"a proxy must be an http:// URL, got {parts.scheme}://{parts.hostname or ''}: "
                "use the stock transport of the HTTP library for other kinds"
            )
        headers: Headers = ()
        if parts.username is not None:
            userinfo = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers = ((b"Proxy-Authorization", b"Basic " + b64encode(userinfo.encode())),)
        return cls(parts.hostname, port, headers)


def environment_proxies() -> dict[str, Proxy]:
    """The proxies of the environment, by scheme.

    Raises:
        ValueError: One of them is of a kind that is not spoken here.
    """
    told = getproxies()
    urls = {scheme: told.get(scheme) or told.get("all") for scheme in ("http", "https")}
    return {scheme: Proxy.parse(url) for scheme, url in urls.items() if url}


def goes_past_proxies(host: str) -> bool:
    """Whether ``NO_PROXY`` names the host."""
    return bool(proxy_bypass(host))
