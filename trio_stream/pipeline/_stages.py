"""The stages of one stream: connection, parser, assembler; the consumer is the fourth.

Each is a task around a synchronous object; only the connection waits on the network::

    connection ══bytes══▶ parser ══frames══▶ assembler ══items══▶ consumer

`Link` says how the double lines work, and `Stage` how errors travel along them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, final

import trio

from ..config import StreamConfig
from ..connection import Connection
from ..dialects import Decoder, Ping
from ..errors import LimitExceededError, StreamError, StreamTruncatedError
from ..framing import Comment, Parser
from ._link import Link
from ._stage import Stage
from ._watchdog import Watchdog

__all__ = ["Stages"]

T = TypeVar("T")

# How long to read on when the last item is out, so that the connection can be used again. The end
# of the body mostly comes with the terminal event.
_DRAIN_TIME = 0.05
# Items that say only that the other side is alive: they are no progress.
_PULSES = frozenset({Comment, Ping})


@final
class Stages(Generic[T]):
    """The three tasks that feed the consumer, and what they have seen.

    Attributes:
        connection, parser, decoder: What the tasks drive.
        items: The link to the consumer.
        first_byte: When it came, on trio's clock.
        is_connected: Whether the response is open.
        stopped: Set when all three have ended.
    """

    def __init__(
        self,
        connection: Connection,
        parser: Parser[Any],
        decoder: Decoder[T],
        config: StreamConfig,
        *,
        total_end: float,
    ) -> None:
        self.connection = connection
        self.parser = parser
        self.decoder = decoder
        self.items: Link[T] = Link(config.chunk_size)
        self._bytes: Link[bytes] = Link(config.chunk_size)
        frames: Link[Any] = Link(config.chunk_size)
        self._watchdog = Watchdog(config, total_end)
        self._parser_stage = _ParserStage(parser, self._bytes, frames, self._hang_up)
        self._assembler_stage = _AssemblerStage(
            decoder, frames, self.items, self._hang_up, self._watchdog
        )
        self._config = config
        self._scope = trio.CancelScope()
        self.stopped = trio.Event()
        self.first_byte: float | None = None
        self.is_connected = True

    @property
    def items_received(self) -> int:
        """How many items have been decoded, delivered or not."""
        return self._assembler_stage.items_received

    @property
    def first_item(self) -> float | None:
        """When the first item was decoded, on trio's clock."""
        return self._assembler_stage.first_item

    @property
    def last_item(self) -> float | None:
        """When the last item was decoded, on trio's clock."""
        return self._assembler_stage.last_item

    @property
    def is_over(self) -> bool:
        """Whether the last item is out and nothing went wrong."""
        return self._assembler_stage.ended and self.fault is None

    @property
    def fault(self) -> Exception | None:
        """The first fault in the order of the stream, if there is one yet."""
        return self.items.fault or self._assembler_stage.source.fault or self._bytes.fault

    async def run(self) -> None:
        """Run until the stream has ended or `stop` is called. The response is closed then."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._parser_stage.run)
                    nursery.start_soon(self._assembler_stage.run)
                    await self._read()
        finally:
            self.stopped.set()

    def stop(self) -> None:
        """Cancel the stages."""
        self._scope.cancel(reason="the consumer left the stream")

    def drain(self) -> list[T]:
        """Everything that was received and not delivered, when the stages have stopped."""
        items: list[T] = []
        frames = self._assembler_stage.source.drain()
        chunks = self._bytes.drain()
        # A fault has no receiver any more; what came before it counts.
        with suppress(Exception):
            self._parser_stage.work(chunks, frames)
        with suppress(Exception):
            self._assembler_stage.work(frames, items)
        return self.items.drain() + items

    async def _read(self) -> None:
        """The connection stage: bytes as they come."""
        watchdog = self._watchdog
        fault: Exception | None = None
        try:
            with watchdog.scope:
                watchdog.arm()
                await self._pump()
            if watchdog.scope.cancelled_caught:
                fault = watchdog.error()
        except Exception as error:
            fault = error
        finally:
            await self._close(fault)

    async def _pump(self) -> None:
        receive_some = self.connection.receive_some
        link, watchdog = self._bytes, self._watchdog
        try:
            while data := await receive_some():
                now = trio.current_time()
                if self.first_byte is None:
                    self.first_byte = now
                watchdog.byte_came(now)
                if not link.send_nowait([data], len(data)):
                    watchdog.disarm()
                    await link.send([data], len(data))
                    watchdog.arm()
        except trio.BrokenResourceError:
            # The parser has hung up, and `_hang_up` has said how long to read on. Nobody wants
            # what comes, but at the end of its body a connection can be used again.
            while await receive_some():
                pass

    async def _close(self, fault: Exception | None) -> None:
        await self.connection.aclose()
        self.is_connected = False
        if self._config.on_disconnect is not None:
            try:
                self._config.on_disconnect(fault if isinstance(fault, StreamError) else None)
            except Exception as error:
                fault = fault or error
        self._bytes.close_send(fault)

    def _hang_up(self) -> None:
        """A later stage has ended before the source has."""
        self._watchdog.hang_up(_DRAIN_TIME if self.decoder.finished else 0.0)


@final
class _ParserStage(Stage[bytes, Any]):
    def __init__(
        self,
        parser: Parser[Any],
        source: Link[bytes],
        sink: Link[Any],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(source, sink, on_end)
        self._parser = parser

    def work(self, items: list[bytes], out: list[Any]) -> None:
        try:
            out += self._parser.feed(items[0] if len(items) == 1 else b"".join(items))
        except LimitExceededError as error:
            out += error.frames
            raise

    def finish(self, out: list[Any]) -> None:
        out += self._parser.close()
        if self._parser.truncated:
            raise StreamTruncatedError("the body ended inside an event, which was dropped")


@final
class _AssemblerStage(Stage[Any, T]):
    def __init__(
        self,
        decoder: Decoder[T],
        source: Link[Any],
        sink: Link[T],
        on_end: Callable[[], None],
        watchdog: Watchdog,
    ) -> None:
        super().__init__(source, sink, on_end)
        self._decoder = decoder
        self._watchdog = watchdog
        self.items_received = 0
        self.first_item: float | None = None
        self.last_item: float | None = None

    @property
    def finished(self) -> bool:
        return self._decoder.finished

    def work(self, items: list[Any], out: list[T]) -> None:
        try:
            self._decoder.decode(items, out)
        finally:
            if out:
                self._count(out)

    def finish(self, out: list[T]) -> None:
        self._decoder.close()

    def _count(self, items: list[T]) -> None:
        self.items_received += len(items)
        if type(items[-1]) in _PULSES and all(type(item) in _PULSES for item in items):
            return
        now = trio.current_time()
        self._watchdog.item_came(now)
        if self.first_item is None:
            self.first_item = now
        self.last_item = now
