"""One answer to one request, written by hand so that it can misbehave."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, Protocol

import trio

from ._script import Head, Step

if TYPE_CHECKING:
    from ._request import Request
    from ._wire import Wire

__all__ = ["Answer"]

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_GZIP = 16 + zlib.MAX_WBITS  # how zlib spells: with the header and the trailer of gzip


class Answer:
    """Plays one script: keeps account of its head, its framing and its end.

    Attributes:
        request: What is answered.
        aftermath: What shall become of the connection when the script is over.
    """

    def __init__(self, wire: Wire, request: Request, script: Iterable[Step]) -> None:
        self.request = request
        self.aftermath: Literal["reuse", "close", "reset"] = (
            "reuse" if request.keep_alive else "close"
        )
        self._wire = wire
        self._rest = iter(script)  # which may have no end
        self._head: Head | None = None
        self._coder: _Coder = _Identity()
        self._missing = 0  # of the declared length
        self._wrote_raw = False
        self._ended = False
        self._stopped = False

    async def play(self) -> None:
        """Play the script to its end, or until the client leaves.

        What the client does raises nothing; `Request.client_left` tells of it.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            try:
                await self._play_steps()
                self.request.client_left = False
            except trio.BrokenResourceError:
                self.request.client_left = True
            nursery.cancel_scope.cancel()
        if self.request.client_left:
            self.aftermath = "close"

    async def _play_steps(self) -> None:
        while (step := next(self._rest, None)) is not None:
            await step.play(self)
            if self._stopped:
                return
        await self.end()

    async def _watch(self, playing: trio.CancelScope) -> None:
        await self._wire.wait_hung_up()
        self.request.client_left = True
        playing.cancel()

    async def start(self, head: Head) -> None:
        """Send a status line and headers.

        Raises:
            trio.BrokenResourceError: The client has left.
        """
        reason = _PHRASES.get(head.status, "") if head.reason is None else head.reason
        fields = list(head.headers)
        if head.status >= 200:  # else an interim answer, which says nothing of the body
            self._head = head
            self._coder = _coder(head)
            if head.framing == "close" and self._has_body:
                self.aftermath = "close"
            if not head.is_bare:
                given = {name.lower() for name, _ in fields}
                fields += [field for field in self._body_headers(head) if field[0] not in given]
            self._missing = self._declared(fields)
        if ("connection", "close") in {(name.lower(), value.lower()) for name, value in fields}:
            self.aftermath = "close"
        await self._write(_lines(f"HTTP/1.1 {head.status} {reason}", fields))

    def _declared(self, fields: Iterable[tuple[str, str]]) -> int:
        """The length that the client will wait for."""
        lengths = [text for name, text in fields if name.lower() == "content-length"]
        counts = self._has_body and self._head is not None and self._head.framing == "length"
        return int(lengths[0][:18]) if counts and lengths and lengths[0].isdecimal() else 0

    def _body_headers(self, head: Head) -> Iterable[tuple[str, str]]:
        if head.status in (204, 304):
            return
        if head.content_type is not None:
            yield "content-type", head.content_type
        if head.encoding is not None:
            yield "content-encoding", head.encoding
        if head.framing == "chunked":
            yield "transfer-encoding", "chunked"
        elif head.framing == "length":
            yield "content-length", str(self._length(head))
        else:
            yield "connection", "close"

    def _length(self, head: Head) -> int:
        if head.length is not None:
            return head.length
        # Coded ahead with a coder of its own: the length of compressed data is not known before.
        coder = _coder(head)
        rest = list(self._rest)
        self._rest = iter(rest)
        pieces = [piece for step in rest for piece in step.pieces()]
        length = sum(len(coder.code(piece)) for piece in pieces if piece) + len(coder.finish())
        return length + any(step.unfinished for step in rest)

    async def ensure_started(self) -> None:
        """Send the default `Head`, unless the script has sent a head or raw bytes."""
        if self._head is None and not self._wrote_raw:
            await self.start(Head())

    async def send(self, data: bytes, *, missing: int = 0) -> None:
        """Send body bytes in one write, coded and framed as the head says.

        Args:
            data: The bytes. Empty data sends nothing: an empty chunk would end the body.
            missing: By how many bytes the chunk is declared longer than it is.

        Raises:
            trio.BrokenResourceError: The client has left.
            RuntimeError: The script has ended the body before.
        """
        await self.ensure_started()
        if self._ended:
            raise RuntimeError("the script sends body bytes after the end of the body")
        if data:
            await self._write_body(self._coder.code(data), missing)

    async def end(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """End the body cleanly; does nothing the second time.

        A body that has not the length that was declared ends with its connection.

        Raises:
            trio.BrokenResourceError: The client has left.
        """
        if self._ended:
            return
        await self.ensure_started()
        await self._write_body(self._coder.finish())
        self._ended = True
        if self._has_body and self._chunked:
            await self._write(_lines("0", trailers))
        if self._missing:
            self.aftermath = "close"  # else the client would wait, or take it for the next answer

    async def raw(self, data: bytes) -> None:
        """Send bytes as they are. The connection is not used again.

        Raises:
            trio.BrokenResourceError: The client has left.
        """
        self._wrote_raw = True
        self.aftermath = "close"
        await self._write(data)

    async def drain(self) -> None:
        """Return when the client's system has what was sent: a reset would throw it away."""
        while self._wire.unsent():  # noqa: ASYNC110 - there is nothing to wait on
            await trio.sleep(0.001)

    def stop(self, aftermath: Literal["close", "reset"]) -> None:
        """End the script here, with the body as it stands."""
        self.aftermath = aftermath
        self._stopped = True

    @property
    def _chunked(self) -> bool:
        return self._head is not None and self._head.framing == "chunked"

    @property
    def _has_body(self) -> bool:
        return self.request.method != "HEAD" and not (
            self._head is not None and self._head.status in (204, 304)
        )

    async def _write_body(self, data: bytes, missing: int = 0) -> None:
        if not data or not self._has_body:
            return
        if self._chunked:
            data = b"%x\r\n%b" % (len(data) + missing, data) + (b"" if missing else b"\r\n")
        else:
            self._missing -= len(data)
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        await self._wire.stream.send_all(data)


class _Coder(Protocol):
    def code(self, data: bytes) -> bytes: ...

    def finish(self) -> bytes: ...


class _Identity:
    def code(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Gzip:
    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=_GZIP)

    def code(self, data: bytes) -> bytes:
        return self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._compressor.flush()


def _coder(head: Head) -> _Coder:
    return _Gzip() if head.encoding == "gzip" else _Identity()


def _lines(first: str, fields: Iterable[tuple[str, str]]) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")
