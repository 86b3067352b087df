"""One request and its response, over one connection.

The request is written as a whole before the response is read. But a server may refuse it early
(RFC 9112, 9.5). So when the other side is slow in taking a body, its answer is listened for
meanwhile, and a refusal ends the writing; and when writing fails, what has come is read all the
same.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, Self, final

import attrs
import trio

from ._connection import Connection
from ._dial import Trace
from ._errors import FAILURES, Phase, translated
from ._request_head import BadRequestError, Headers, body_length, request_head, wants_close
from ._response_parser import BadResponseError, ResponseParser

__all__ = ["Exchange", "Request", "Timeouts"]

# How much is read at once: what trio reads when it is not told.
_READ_SIZE = 65536
# A body that is no longer than this goes out together with the head.
_SENT_TOGETHER = 65536


_TIMEOUTS = ("connect", "read", "write", "pool")


@attrs.frozen
class Timeouts:
    """The ``timeout`` extension of a request: seconds, or `None` for as long as it takes.

    Attributes:
        connect: For making a connection, from the first packet to the end of the TLS handshake.
        read: For one call that receives.
        write: For one call that sends.
        pool: For the wait for a slot.
    """

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None


@attrs.frozen
class Request:
    """A request, ready to be written.

    Attributes:
        family: The HTTP library that it is of.
        method: Its method.
        head: Its head, as bytes.
        length: How long its body will be; `None`: it goes in chunks.
        stream: Its body.
        closes: Whether it asks for the connection to be closed.
        timeouts: Its timeouts.
        trace: Is told of each step.
    """

    family: ModuleType
    method: str
    head: bytes
    length: int | None
    stream: Any
    closes: bool
    timeouts: Timeouts
    trace: Trace

    @classmethod
    def of(
        cls,
        request: Any,
        family: ModuleType,
        trace: Trace,
        *,
        absolute: bytes = b"",
        more_headers: Headers = (),
    ) -> Self:
        """Make it of a request of either library.

        Args:
            request: The request.
            family: Its library.
            trace: Is told of each step.
            absolute: For a proxy that forwards, what the target begins with.
            more_headers: For such a proxy.

        Raises:
            BadRequestError: It cannot be written.
        """
        extensions = request.extensions
        headers = [*request.headers.raw, *more_headers]
        target = extensions.get("target", request.url.raw_path)
        if isinstance(target, str):
            target = target.encode("ascii")
        timeouts = extensions.get("timeout", {})
        return cls(
            family=family,
            method=request.method,
            head=request_head(request.method, absolute + target, headers),
            length=body_length(headers),
            stream=request.stream,
            closes=wants_close(headers),
            timeouts=Timeouts(*map(timeouts.get, _TIMEOUTS)),
            trace=trace,
        )


@final
class Exchange:
    """A request that is sent, and the response to it.

    What belongs to the request is forgotten when the head of the response is there, since the body
    may go on for long.

    Args:
        request: The request.
        connection: An idle one.
        parser: For the response.

    Attributes:
        parser: What was read of the response.
        was_sent: Whether any byte of the request may have left.
        was_answered: Whether any byte of an answer has come.
    """

    __slots__ = (
        "parser",
        "was_answered",
        "was_sent",
        "_body_bytes",
        "_closes",
        "_connection",
        "_content",
        "_family",
        "_is_cut",
        "_is_sent",
        "_length",
        "_timeouts",
        "_write_error",
    )

    def __init__(self, request: Request, connection: Connection, parser: ResponseParser) -> None:
        self._family = request.family
        self._timeouts = request.timeouts
        self._length = request.length
        self._closes = request.closes
        self._connection = connection
        self._write_error: Exception | None = None
        self._is_sent = False
        self._is_cut = False  # a refusal came in the middle of a piece
        self._body_bytes = 0
        self._content = b""
        self.parser = parser
        self.was_sent = False
        self.was_answered = False

    async def run(self, request: Request) -> bytes:
        """Send the request and read the head of the response.

        Returns:
            The content that came with the head. While the parser is not complete, there is more.

        Cancellation: the connection is in the middle of something then, as after any error.

        Raises:
            Exception: Of the client's library, or what reading the body of the request has raised.
        """
        trace = request.trace
        host = self._connection.origin.host
        await trace("http11.send_request_headers.started", {"host": host})
        try:
            await self._send(request)
        except self._family.WriteError as error:
            if error is not self._write_error:
                raise
        for step in ("headers.complete", "body.started", "body.complete"):
            await trace(f"http11.send_request_{step}", {})
        await trace("http11.receive_response_headers.started", {})
        try:
            while not self.parser.has_head:
                self._content = await self.receive()
        except self._family.TransportError as error:
            raise (self._write_error or error) from error.__cause__
        await trace("http11.receive_response_headers.complete", {})
        return self._content

    @property
    def is_reusable(self) -> bool:
        """Whether the connection can be used again."""
        return self.parser.is_reusable and self._is_sent and not self._closes

    async def receive(self) -> bytes:
        """Receive once; return the content that came, which may be none.

        Raises:
            Exception: Of the client's library.
        """
        timeout = self._timeouts.read
        try:
            if self.parser.problem:
                raise BadResponseError(self.parser.problem)
            if timeout is None:
                data = await self._connection.receive(_READ_SIZE)
            else:
                with trio.fail_after(timeout):
                    data = await self._connection.receive(_READ_SIZE)
            if data:
                self.was_answered = True
                return self.parser.feed(data)
            self.parser.feed_eof(is_cut=self._connection.was_cut)
        except FAILURES as error:
            raise self._translated(error, "Read") from error
        return b""

    async def _send(self, request: Request) -> None:
        pending = request.head
        if request.length is None:  # nobody knows when the first piece will be there
            await self._write(pending)
            pending = b""
        pieces = request.stream.__aiter__()
        try:
            async for piece in pieces:
                if await self._is_refused():
                    return
                framed = self._framed(piece)
                if pending and len(framed) > _SENT_TOGETHER:
                    await self._write(pending)
                    pending = b""
                if framed:
                    await self._write(pending + framed)
                    pending = b""
                if self._is_cut:
                    return
        finally:
            if hasattr(pieces, "aclose"):
                await pieces.aclose()
        if request.length is None:
            pending = b"0\r\n\r\n"
        elif self._body_bytes < request.length:
            # Better before the head is out than behind it, so an empty body is found in time.
            raise self._bad_request("Too little data for declared Content-Length")
        if pending:
            await self._write(pending)
        self._is_sent = not self._is_cut

    def _framed(self, piece: bytes) -> bytes:
        """A piece of the body, as it is sent."""
        length = self._length
        self._body_bytes += len(piece)
        if length is None:
            return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        if self._body_bytes > length:
            raise self._bad_request("Too much data for declared Content-Length")
        return piece

    def _bad_request(self, text: str) -> Exception:
        return self._translated(BadRequestError(text), "Write")

    async def _write(self, data: bytes) -> None:
        timeout = self._timeouts.write
        try:
            if timeout is None:
                await self._write_all(data)
            else:
                with trio.fail_after(timeout):
                    await self._write_all(data)
        except FAILURES as error:
            self._write_error = self._translated(error, "Write")
            raise self._write_error from error

    async def _write_all(self, data: bytes) -> None:
        connection = self._connection
        if connection.send is None:  # over TLS, that cannot be known
            is_first, self.was_sent = not self.was_sent, True
            if is_first and len(data) <= _SENT_TOGETHER:
                await connection.send_all(data)
            else:
                await self._write_and_listen(data)
        elif not self.was_sent or connection.is_writable:
            sent = await connection.send(data)  # if this fails, nothing of it has left
            self.was_sent = True
            if sent < len(data):
                await self._write_and_listen(data[sent:])
        else:
            await self._write_and_listen(data)

    async def _write_and_listen(self, data: bytes) -> None:
        """Write what the other side is slow to take, unless it refuses the request meanwhile."""
        failure: Exception | None = None
        is_written = False
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, nursery.cancel_scope)
            try:
                await self._connection.send_all(data)
                is_written = True
            except Exception as error:  # noqa: BLE001 (raised below: not in a group)
                failure = error
            nursery.cancel_scope.cancel()
        self._is_cut = self._is_cut or not is_written
        if failure is not None:
            raise failure

    async def _is_refused(self) -> bool:
        """Whether an answer has come already that says no."""
        if self.was_sent and not self.parser.has_head and self._connection.send is not None:
            # Over TLS what has come may be no content, and to read it would wait for some.
            while self._connection.is_readable and not self.parser.has_head:
                self._content = await self.receive()
        return self.parser.has_head and self.parser.status_code >= 300

    async def _listen(self, writing: trio.CancelScope) -> None:
        """Read the head of an answer; if it is a refusal, stop the writing."""
        try:
            while not self.parser.has_head:
                self._content = await self.receive()
        except self._family.TransportError:
            return  # whoever writes or reads next is told
        if self.parser.status_code >= 300:
            writing.cancel()

    def _translated(self, error: Exception, phase: Phase) -> Exception:
        return translated(error, self._family, phase)
