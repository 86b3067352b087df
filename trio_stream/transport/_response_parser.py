"""One HTTP/1.1 response, out of bytes, sans-IO.

Theory of operation
-------------------

llhttp, by way of ``httptools``, finds the borders of head, chunks and trailers, and is strict about
each byte of them: no line that ends in a bare LF, no folded header, no second length. What it does
not do is done here::

    HEAD ──end of head──▶ BODY ──end of body──▶ complete
     ▲  │
     └──┘ 1xx: the head of the answer is still to come

*The end of a body* (RFC 9112, 6.3). With chunks or a length the parser knows it. Without either the
body goes on until the connection closes, which then is a good end. The answer to ``HEAD``, and any
2xx to ``CONNECT``, ends with its head whatever the head promises.

*What is behind the end* belongs to nobody: the next request was not sent yet. It is not looked at,
and the connection is not used again.

*Limits.* A head has a limit. So has everything that is no content: extensions of chunks, trailers,
and interim answers may come without end, each in good order. What counts is the bytes since the
last byte of content, so that a body may be as long as it likes.
"""

from __future__ import annotations

import re
from typing import final

import httptools

__all__ = ["BadResponseError", "ResponseParser"]

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FRAMING = (b"content-length", b"transfer-encoding")
_NO_BODY = (204, 304)  # RFC 9110, 6.4.1; and all 1xx


class BadResponseError(Exception):
    """The bytes are no HTTP/1.1 response, or not a whole one."""


@final
class ResponseParser:
    """Parses one response.

    Args:
        method: Of the request.
        max_head_bytes: How long the head may be; also how many bytes may come without a byte of
            content among them.
        max_headers: How many fields the head may have.

    Attributes:
        status_code: The status.
        reason: Its phrase; may be empty.
        headers: The fields of the head, names as they were sent.
        http_version: ``"1.0"`` or ``"1.1"``.
        has_head: Whether the head is there, all of it. The attributes above are true from then on.
        is_complete: Whether the response has ended.
        is_reusable: Whether the connection can be used again when the response has ended.
        problem: What is wrong with the body, behind the content that was returned; else ``""``.
    """

    # The names that begin with `on_` are those that httptools looks for. It keeps what it finds,
    # so the parser and this object keep each other alive until one of them lets go (`_parser`).

    __slots__ = (
        "has_head",
        "headers",
        "http_version",
        "is_complete",
        "is_reusable",
        "on_body",
        "problem",
        "reason",
        "status_code",
        "_begun",
        "_ends_with_connection",
        "_headless",
        "_is_chunked",
        "_max_head_bytes",
        "_max_headers",
        "_own_pieces",
        "_parser",
        "_pieces",
        "_without_content",
    )

    def __init__(self, method: str, *, max_head_bytes: int, max_headers: int) -> None:
        self._headless = method == "HEAD", method == "CONNECT"
        self._max_head_bytes = max_head_bytes
        self._max_headers = max_headers
        self._without_content = 0  # bytes since the last byte of content
        self._begun = False
        self._ends_with_connection = False
        self._is_chunked = False
        self._pieces: list[bytes] = []
        self._own_pieces: int | None = None  # when complete: how many of the pieces are content
        self.status_code = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.http_version = ""
        self.has_head = False
        self.is_complete = False
        self.is_reusable = False
        self.problem = ""
        self.on_body = self._pieces.append
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bytes:
        """Take what came; return the content in it.

        Raises:
            BadResponseError: The head breaks the rules, or a limit. If the body does, that is told
                by ``problem``, since content may have come before.
        """
        parser = self._parser
        if parser is None:
            self.is_reusable = False
            return b""
        if not self._begun:
            # llhttp also takes the two protocols that HTTP was the model of: RTSP and ICE.
            first = data.lstrip(b"\r\n")[:1]
            self._begun = bool(first)
            if first not in b"H":
                self.problem = "not HTTP/1.1"
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.problem = self.problem or "101 Switching Protocols, which nobody asked for"
        except httptools.HttpParserCallbackError as error:  # Ctrl-C, or no memory
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            self.is_reusable = False
            if not self.is_complete:
                self.problem = self.problem or _told(error)
        content = self._take()
        self._without_content = 0 if content else self._without_content + len(data)
        if self._without_content > self._max_head_bytes and not self.is_complete:
            what = "bytes without content" if self.has_head else "bytes of head"
            self.problem = self.problem or f"more than {self._max_head_bytes} {what}"
        if self.problem:
            self.close()
            if not self.has_head:
                raise BadResponseError(self.problem)
        return content

    def feed_eof(self, *, is_cut: bool = False) -> None:
        """Nothing more will come.

        Args:
            is_cut: TLS says that the connection did not end, but was cut. A body that ends with it
                is not whole then (RFC 9112, 9.8).

        Raises:
            BadResponseError: The response is not whole.
        """
        if self.is_complete:
            return
        if self.has_head and self._ends_with_connection and not is_cut:
            self.is_complete = True
            self.close()
            return
        self.close()
        if not self.has_head:
            raise BadResponseError("peer closed connection before the end of the response head")
        if self._ends_with_connection:
            how = "no close_notify of TLS"
        else:
            how = f"incomplete {'chunked read' if self._is_chunked else 'read of a known length'}"
        raise BadResponseError(
            f"peer closed connection without sending complete message body ({how})"
        )

    def take_headers(self) -> list[tuple[bytes, bytes]]:
        """Hand out the fields of the head, and keep them no longer: a body may go on for long."""
        headers, self.headers = self.headers, []
        return headers

    def close(self) -> None:
        """Read no more."""
        self._parser = None
        self.is_reusable = False

    def _take(self) -> bytes:
        pieces = self._pieces
        if not pieces:
            return b""
        if self._own_pieces is not None and len(pieces) > self._own_pieces:
            del pieces[self._own_pieces :]
            self.is_reusable = False
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return content

    # ---- called by httptools -------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A response begins: ours, or one behind it that nobody asked for."""
        if self.is_complete:
            self.is_reusable = False

    def on_status(self, part: bytes) -> None:
        """The reason phrase, in as many parts as reads."""
        if not self.has_head:
            self.reason += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or a trailer, which is dropped."""
        if self.has_head:
            return
        if len(self.headers) >= self._max_headers:
            self.problem = f"more than {self._max_headers} header fields"
        elif name.lower() == b"transfer-encoding" and value.rstrip(b" ").lower() != b"chunked":
            # By the letter: what this and llhttp understand must not differ by a tab.
            coding = value.decode("latin-1")
            self.problem = f"Transfer-Encoding {coding!r}, where only 'chunked' is understood"
        else:
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """The head is there: of the answer, or of an interim one."""
        if self.has_head or self._parser is None:
            return
        self.status_code = status = self._parser.get_status_code()
        self.http_version = self._parser.get_http_version()
        if self.http_version not in ("1.0", "1.1"):
            self.problem = f"HTTP/{self.http_version} in answer to HTTP/1.1"
        elif _CONTROL.search(self.reason):
            self.problem = "control characters in the status line"
        elif status < 100:
            self.problem = f"status {status:03}"
        elif 103 < status < 200 and any(name.lower() in _FRAMING for name, _ in self.headers):
            # RFC 9110, 8.6. llhttp would take what follows for its content.
            self.problem = f"an interim response, {status}, with content"
        elif status >= 200:
            self._read_framing()

    def on_message_complete(self) -> None:
        """The response has ended, or an interim one has."""
        if self.is_complete:
            return
        if self.has_head:
            self._end()
        else:
            self.headers.clear()
            self.reason = b""

    def _read_framing(self) -> None:
        """Read from the head how the body ends, and what happens to the connection then."""
        size = 0
        connection: list[bytes] = []
        codings = 0
        has_length = False
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            match name.lower():
                case b"connection":
                    connection += _listed(value)
                case b"transfer-encoding":
                    codings += 1
                case b"content-length":
                    has_length = True
                case _:
                    pass
        is_head, is_connect = self._headless
        no_body = self.status_code in _NO_BODY or is_head or (is_connect and self.status_code < 300)
        self._is_chunked = codings == 1
        self._ends_with_connection = not (has_length or codings or no_body)
        if size > self._max_head_bytes:
            self.problem = f"more than {self._max_head_bytes} bytes of head"
        elif codings > 1:
            self.problem = "more than one Transfer-Encoding"
        # HTTP/1.0 has no chunks: RFC 9112, 6.1, takes such a response for one of faulty framing.
        keeps = self.http_version == "1.1" or (b"keep-alive" in connection and not codings)
        # Of chunks in answer to HEAD, which must not have any, llhttp may have eaten a part.
        is_odd = self._ends_with_connection or (is_head and codings > 0)
        self.is_reusable = keeps and b"close" not in connection and not is_odd
        self.has_head = not self.problem
        if self.has_head and (is_head or (is_connect and no_body)):
            self._end()

    def _end(self) -> None:
        self.is_complete = True
        self._own_pieces = len(self._pieces)
        self._parser = None


def _listed(value: bytes) -> list[bytes]:
    """The elements of a field whose value is a list of tokens (RFC 9110, 5.6.1)."""
    return [part for each in value.lower().split(b",") if (part := each.strip(b" \t"))]


def _told(error: Exception) -> str:
    text = str(error)
    return f"not HTTP/1.1: {text[:1].lower()}{text[1:]}" if text else "not HTTP/1.1"
