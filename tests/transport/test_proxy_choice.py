"""What the URL of a proxy says, and which URLs are none."""

from __future__ import annotations

from base64 import b64decode

import pytest

pytest.importorskip("httptools", reason="the transport needs the extra [fast]")

from trio_stream.transport._proxy import Proxy


@pytest.mark.parametrize(
    ("url", "host", "port", "userinfo"),
    [
        ("http://proxy.test", "proxy.test", 80, None),
        ("http://proxy.test:3128/", "proxy.test", 3128, None),
        ("HTTP://PROXY.test:3128", "proxy.test", 3128, None),
        ("proxy.test:3128", "proxy.test", 3128, None),
        ("localhost", "localhost", 80, None),
        ("http://[::1]:3128", "::1", 3128, None),
        ("http://user:secret@proxy.test", "proxy.test", 80, "user:secret"),
        ("user:secret@proxy.test:3128", "proxy.test", 3128, "user:secret"),
        ("http://user@proxy.test", "proxy.test", 80, "user:"),
        ("http://u%40x:p%3A%2Fé@proxy.test", "proxy.test", 80, "u@x:p:/é"),
    ],
)
def test_url_of_a_proxy(url: str, host: str, port: int, userinfo: str | None) -> None:
    """A URL names host and port, and, percent-decoded, who we are to the proxy (RFC 7617)."""
    proxy = Proxy.parse(url)
    assert (proxy.host, proxy.port) == (host, port)
    told = [b64decode(value.removeprefix(b"Basic ")).decode() for _, value in proxy.headers]
    assert told == ([] if userinfo is None else [userinfo])


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://", "http://:3128", "http://user:secret@", "https://proxy.test"),
        *("socks5://user:secret@proxy.test", "http://user:secret@proxy.test:99999"),
        *("http://user:secret@proxy.test:x", "http://user:secret@[::1", "file:///secret"),
        "http://user:secret#1@proxy.test",  # who forgets to percent-encode a password
    ],
)
def test_no_url_of_a_proxy(url: str) -> None:
    """What is no URL of an HTTP proxy is refused, and its password is not spelled out."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (whatever it says, but the secret)
        Proxy.parse(url)
    assert "secret" not in str(caught.value)
