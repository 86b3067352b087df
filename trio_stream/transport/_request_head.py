"""The head of a request, as bytes: RFC 9112, 3 and 5.

What goes into it came from the caller. A line break in a value would end the field there, and what
follows it would be a field, or a request, that nobody wrote: so all of it is checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["BadRequestError", "Headers", "body_length", "request_head", "wants_close"]

_TOKEN = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")  # RFC 9110, 5.5, and what is sent all the same

Headers = Sequence[tuple[bytes, bytes]]


class BadRequestError(Exception):
    """The request cannot be written as HTTP/1.1."""


def request_head(method: str, target: bytes, headers: Headers) -> bytes:
    """Write the head of a request.

    Args:
        method: Such as ``GET``.
        target: What follows the method, in one of the four forms of RFC 9112, 3.2.
        headers: The fields, in their order and with their names as they are to be sent.

    Raises:
        BadRequestError: A part of it cannot be sent.
    """
    verb = method.encode("latin-1", "replace")
    if not _TOKEN.fullmatch(verb):
        raise BadRequestError(f"illegal method {method!r}")
    if not _TARGET.fullmatch(target):
        raise BadRequestError(f"illegal target {target!r}")
    if sum(name.lower() == b"host" for name, _ in headers) != 1:
        raise BadRequestError("a request must have one Host header")
    lines = [b"%b %b HTTP/1.1" % (verb, target)]
    for name, value in headers:
        if not _TOKEN.fullmatch(name):
            raise BadRequestError(f"illegal header name {name!r}")
        if not _VALUE.fullmatch(value):
            raise BadRequestError(f"illegal value of header {name.decode('latin-1')!r}")
        lines.append(b"%b: %b" % (name, value))
    lines += (b"", b"")
    return b"\r\n".join(lines)


def body_length(headers: Headers) -> int | None:
    """How many bytes the body has, by its head; `None`: it is sent in chunks (RFC 9112, 6).

    Raises:
        BadRequestError: The head says both, or nothing that can be understood.
    """
    lengths = {value.strip() for name, value in headers if name.lower() == b"content-length"}
    codings = [value.strip() for name, value in headers if name.lower() == b"transfer-encoding"]
    if codings:
        if lengths or [each.lower() for each in codings] != [b"chunked"]:
            raise BadRequestError("Transfer-Encoding must be 'chunked', without a Content-Length")
        return None
    if not lengths:
        return 0
    length = lengths.pop()
    if lengths or not length.isdigit() or len(length) > 18:
        raise BadRequestError("bad Content-Length")
    return int(length)


def wants_close(headers: Headers) -> bool:
    """Whether the request asks for the connection to be closed behind the response."""
    return any(
        name.lower() == b"connection" and b"close" in value.lower() for name, value in headers
    )
