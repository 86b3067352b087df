"""What a stream shows of its HTTP response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import attrs

__all__ = ["StreamResponse", "request_id"]

_REQUEST_ID_HEADERS = (
    "request-id",
    "x-request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-goog-request-id",
    "cf-ray",
)


@attrs.frozen
class StreamResponse:
    """The head of the response.

    Attributes:
        status_code: The HTTP status.
        headers: The headers; names are case-insensitive.
        url: The URL that answered, after redirects; without user and password.
        http_version: Such as ``HTTP/1.1``.
    """

    status_code: int
    headers: Mapping[str, str]
    url: str
    http_version: str = "HTTP/1.1"

    @classmethod
    def of(cls, response: Any) -> Self:
        """The head of a response of either family."""
        url = response.url
        return cls(
            status_code=response.status_code,
            headers=response.headers,
            url=str(url.copy_with(userinfo=b"") if url.userinfo else url),
            http_version=response.http_version,
        )

    @property
    def content_type(self) -> str:
        """The ``Content-Type``, with its parameters; ``""`` if there is none."""
        return self.headers.get("content-type", "")

    @property
    def request_id(self) -> str | None:
        """The server's name for the request, from the headers in use for it."""
        return request_id(self.headers)


def request_id(headers: Mapping[str, str]) -> str | None:
    """The first of the headers in which servers name the request."""
    for name in _REQUEST_ID_HEADERS:
        if value := headers.get(name):
            return value
    return None
