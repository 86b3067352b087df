"""The stages of one stream: connection, parser, assembler; the consumer is the fourth.

Each stage is a task around a synchronous object; only the connection waits on the network::

    connection ══bytes══▶ parser ══frames══▶ assembler ══items══▶ consumer

No stage raises into the nursery. A nursery that is cancelled by a network error loses what the
other stages hold, and the user's code is cancelled in the middle of an item. Here a stage that
meets a fault hangs up on both sides: downstream with the fault, behind everything that it has sent
(`Link.close_send`), upstream without a word. Whoever comes to the end of a link passes its fault
on, so the fault that reaches the consumer is the first one in the order of the stream.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, final

import trio

from ..config import StreamConfig
from ..connection import Connection
from ..dialects import Decoder
from ..errors import LimitExceededError, StreamError, StreamTruncatedError
from ..framing import Parser
from ._link import Link
from ._watchdog import Watchdog

__all__ = ["Stages"]

T = TypeVar("T")

# How long to read on when the last item is out, so that the connection can be used again. The end
# of the body mostly comes with the terminal event.
_DRAIN_TIME = 0.05


@final
class Stages(Generic[T]):
    """The three tasks that feed the consumer, and what they have seen.

    Attributes:
        items: The link to the consumer.
        items_received: How many items have been decoded.
        first_byte, first_item, last_item: When, on trio's clock.
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
        self._config = config
        self._watchdog = Watchdog(config, total_end)
        self._bytes: Link[bytes] = Link(config.chunk_size)
        self._frames: Link[Any] = Link(config.chunk_size)
        self.items: Link[T] = Link(config.chunk_size)
        self._scope = trio.CancelScope()
        self.stopped = trio.Event()
        self.items_received = 0
        self.first_byte: float | None = None
        self.first_item: float | None = None
        self.last_item: float | None = None
        self.is_connected = True
        self._assembled = False

    async def run(self) -> None:
        """Run until the stream has ended or `stop` is called. The response is closed then."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._parse)
                    nursery.start_soon(self._assemble)
                    await self._read()
        finally:
            self.stopped.set()

    def stop(self) -> None:
        """Cancel the stages."""
        self._scope.cancel(reason="the consumer left the stream")

    @property
    def is_over(self) -> bool:
        """Whether the last item is out and nothing went wrong."""
        return self._assembled and self.fault is None

    @property
    def fault(self) -> Exception | None:
        """The first fault in the order of the stream, if there is one yet."""
        return self.items.fault or self._frames.fault or self._bytes.fault

    def drain(self) -> list[T]:
        """Everything that was received and not delivered, when the stages have stopped."""
        items = self.items.drain()
        received = len(items)
        chunks = b"".join(self._bytes.drain())
        try:
            self.decoder.decode(self._frames.drain(), items)
            self.decoder.decode(self.parser.feed(chunks), items)
        except LimitExceededError as error:
            self._decode_quietly(error.frames, items)
        except Exception:  # it has no consumer any more: what came before it is what there is
            pass
        self.items_received += len(items) - received
        return items

    def _decode_quietly(self, frames: list[Any], items: list[T]) -> None:
        try:
            self.decoder.decode(frames, items)
        except StreamError:
            pass

    # ---- the tasks -----------------------------------------------------------------------------

    async def _read(self) -> None:
        """The connection stage: bytes as they come."""
        receive_some = self.connection.receive_some
        link = self._bytes
        watchdog = self._watchdog
        fault: Exception | None = None
        try:
            with watchdog.scope:
                watchdog.arm()
                while data := await receive_some():
                    now = trio.current_time()
                    if self.first_byte is None:
                        self.first_byte = now
                    watchdog.byte_came(now)
                    if not link.send_nowait([data], len(data)):
                        watchdog.disarm()
                        await link.send([data], len(data))
                        watchdog.arm()
            if watchdog.scope.cancelled_caught:
                fault = watchdog.error()
        except trio.BrokenResourceError:
            pass  # the parser has hung up
        except Exception as error:
            fault = error
        finally:
            await self._close(fault)

    async def _close(self, fault: Exception | None) -> None:
        await self.connection.aclose()
        self.is_connected = False
        if self._config.on_disconnect is not None:
            try:
                self._config.on_disconnect(fault if isinstance(fault, StreamError) else None)
            except Exception as error:
                fault = fault or error
        self._bytes.close_send(fault)

    async def _parse(self) -> None:
        """The parser stage: bytes to frames."""
        source, sink = self._bytes, self._frames
        fault: Exception | None = None
        try:
            while True:
                batch = await source.take()
                chunks = batch.items
                data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                if frames := self.parser.feed(data):
                    await sink.send(frames, batch.weight)
        except trio.EndOfChannel:
            fault = source.fault or await self._finish_parsing()
        except trio.BrokenResourceError:
            pass  # the assembler has hung up
        except LimitExceededError as error:
            fault = error
            await self._send_last(sink, error.frames)
        except Exception as error:
            fault = error
        finally:
            sink.close_send(fault)
            self._hang_up(source)

    async def _finish_parsing(self) -> Exception | None:
        await self._send_last(self._frames, self.parser.close())
        if self.parser.truncated:
            return StreamTruncatedError("the body ended inside an event, which was dropped")
        return None

    async def _send_last(self, sink: Link[Any], frames: list[Any]) -> None:
        if frames:
            try:
                await sink.send(frames, 0)
            except trio.BrokenResourceError:
                pass

    async def _assemble(self) -> None:
        """The assembler stage: frames to items."""
        source, sink, decoder = self._frames, self.items, self.decoder
        fault: Exception | None = None
        try:
            while not (fault or decoder.finished):
                batch = await source.take()
                items: list[T] = []
                try:
                    decoder.decode(batch.items, items)
                except Exception as error:
                    fault = error
                if items:
                    self._count(items)
                    await sink.send(items, batch.weight)
        except trio.EndOfChannel:
            fault = source.fault or self._finish_decoding()
        except trio.BrokenResourceError:
            pass  # the consumer has hung up
        finally:
            self._assembled = True
            sink.close_send(fault)
            self._hang_up(source, grace=_DRAIN_TIME if decoder.finished else 0.0)

    def _count(self, items: list[T]) -> None:
        now = trio.current_time()
        self._watchdog.item_came(now)
        if self.first_item is None:
            self.first_item = now
        self.last_item = now
        self.items_received += len(items)

    def _finish_decoding(self) -> Exception | None:
        try:
            self.decoder.close()
        except StreamError as error:
            return error
        return None

    def _hang_up(self, source: Link[Any], grace: float = 0.0) -> None:
        source.close_receive()
        if self.is_connected:
            self._watchdog.hang_up(grace)
