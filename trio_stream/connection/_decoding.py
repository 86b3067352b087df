"""Compressed bodies, in pieces of bounded size.

We ask for ``identity``, so this is for servers and proxies that compress all the same. A
decompressor of an HTTP library turns one piece of the wire into one piece of output, a thousand
times larger if the sender means harm. This one hands its output out in pieces of ``max_piece``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ..errors import StreamError, StreamErrorType, StreamTruncatedError

__all__ = ["Decompressor", "decompressor"]

# Both begin with two bytes that tell what they are; one byte could be either.
_HEAD_SIZE = 2
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class Decompressor:
    """Undo ``gzip`` or ``deflate`` (RFC 9110, 8.4.1)."""

    def __init__(self, encoding: str, max_piece: int) -> None:
        self._wbits = _GZIP if "gzip" in encoding else _ZLIB
        self._max_piece = max_piece
        self._zlib = zlib.decompressobj(self._wbits)
        self._head = b""
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take a piece of the body; the pieces of its content come as they are asked for.

        Raises:
            StreamError: It is not what its Content-Encoding says.
        """
        if not self._begun:
            data = self._head + data
            self._head = data[:_HEAD_SIZE]
            if len(data) < _HEAD_SIZE:
                return
        while True:
            if data and self._zlib.eof:  # another gzip member follows (RFC 1952, 2.2)
                self._zlib = zlib.decompressobj(self._wbits)
            piece = self._decompress(data)
            if piece:
                yield piece
            data = self._zlib.unconsumed_tail or self._zlib.unused_data
            if not data and len(piece) < self._max_piece:  # a full piece may have left some inside
                return

    def close(self) -> None:
        """The body has ended.

        Raises:
            StreamTruncatedError: It ended inside the compressed data.
        """
        if self._head and not self._zlib.eof:
            raise StreamTruncatedError("the body ended inside its compressed data")

    def _decompress(self, data: bytes) -> bytes:
        try:
            piece = self._zlib.decompress(data, self._max_piece)
        except zlib.error as error:
            if self._begun or self._wbits != _ZLIB:
                raise StreamError(
                    f"the body is not what its Content-Encoding says: {error}",
                    error_type=StreamErrorType.STREAM_INTERRUPTED,
                    original_exception=error,
                ) from error
            # Many servers send "deflate" without the zlib wrapper that the standard asks for.
            self._wbits = _RAW
            self._zlib = zlib.decompressobj(_RAW)
            return self._decompress(data)
        self._begun = True
        return piece


def decompressor(content_encoding: str, max_piece: int) -> Decompressor | None:
    """What undoes ``content_encoding``; `None` if there is nothing to undo.

    Raises:
        ValueError: An encoding that we do not undo.
    """
    encodings = [name.strip().lower() for name in content_encoding.split(",")]
    match [name for name in encodings if name not in ("", "identity")]:
        case []:
            return None
        case ["gzip" | "x-gzip" | "deflate" as encoding]:
            return Decompressor(encoding, max_piece)
        case _:
            raise ValueError(
                f"content encoding {content_encoding!r}, though identity was asked for"
            )
