"""The stages of one connection: connection, parser, assembler; the consumer is the fourth.

Each is a synchronous object with a task around it, if need be; only the connection waits on the
network::

    connection ══bytes══▶ parser ══frames══▶ assembler ══items══▶ consumer

`Link` says how the double lines work, and `Stage` how errors travel along them.

The line to the consumer is that of the stream: it outlives a connection, if the stream does. So the
last stage does not hang up on the consumer. It reports its end to the `Session`, which judges.

While all stages are idle, as they are when a slow stream delivers event by event, the connection's
task does the work of the next two at once (`Stages._work_at_once`): one hop, to the consumer,
instead of three. As soon as one of them is behind, each works in its own task, and batches grow.

So a stream that never falls behind needs no task for its parser and its assembler, and most never
do: ten thousand streams that mostly wait are ten thousand tasks and not thirty. The two tasks are
started when a stage is behind for the first time, that is, when a piece comes and the consumer has
not taken the items of the one before. They live as long as the connection then. If there are none
when the body ends, the connection's task runs the two stages to their ends, one after the other:
the same code, since their links hold nothing but the end.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Generic, TypeVar, final

import trio

from ..config import StreamConfig
from ..connection import Connection
from ..dialects import Decoder
from ..errors import StreamError
from ..framing import Parser
from ._link import MAX_ITEMS, Link
from ._position import Position
from ._reading import AssemblerStage, Owner, ParserStage
from ._stage import Finished, Interrupted
from ._watchdog import Watchdog

__all__ = ["Stages"]

T = TypeVar("T")

# How long to read on when the last item is out, so that the connection can be used again. The end
# of the body mostly comes with the terminal event.
_DRAIN_TIME = 0.05
# How many pieces of the body are read before others have a turn. An HTTP library may have thousands
# in its buffer, if each is a chunk of one byte.
_PIECES = 64


@final
class Stages(Generic[T]):
    """The three stages that feed the consumer from one connection, and what they have seen.

    Args:
        connection, parser, decoder: What the stages drive.
        owner: The stream that they belong to.
        position: Is told where the stream is; `None`: nobody wants to know.
        config: Timeouts, limits, callbacks.
        total_end: The end of the whole stream's time, on trio's clock.
        reusable: Whether the connection can be of use when the stream is over.

    Attributes:
        is_connected: Whether the response is open.
        disconnect_error: What the ``on_disconnect`` callback raised.
    """

    __slots__ = (
        "_assembler_stage",
        "_body_is_whole",
        "_bytes",
        "_config",
        "_finishing",
        "_frames",
        "_has_tasks",
        "_items",
        "_parser_stage",
        "_reusable",
        "_was_behind",
        "_watchdog",
        "connection",
        "decoder",
        "disconnect_error",
        "is_connected",
        "parser",
    )

    def __init__(
        self,
        connection: Connection,
        parser: Parser[Any],
        decoder: Decoder[T],
        owner: Owner[T],
        *,
        position: Position | None,
        config: StreamConfig,
        total_end: float,
        reusable: bool,
    ) -> None:
        self.connection = connection
        self.parser = parser
        self.decoder = decoder
        self._items = owner.items
        self._bytes: Link[bytes] = Link(config.chunk_size)
        self._frames: Link[Any] = Link(config.chunk_size)
        self._watchdog = Watchdog(config, total_end)
        hang_up = self._hang_up
        self._parser_stage = ParserStage(parser, self._bytes, self._frames, hang_up)
        self._assembler_stage = AssemblerStage(
            self._frames,
            hang_up,
            decoder=decoder,
            owner=owner,
            position=position,
            watchdog=self._watchdog,
        )
        self._config = config
        self._reusable = reusable
        self._was_behind = self._has_tasks = False
        self._body_is_whole = False
        self._finishing = False
        self.is_connected = True
        self.disconnect_error: Exception | None = None

    @property
    def first_byte(self) -> float | None:
        """When the first byte of the body came, on trio's clock."""
        return self._watchdog.first_byte

    @property
    def last_byte(self) -> float:
        """When the last byte of the body came, or the stages were made, on trio's clock."""
        return self._watchdog.last_byte

    @property
    def fault(self) -> Exception | None:
        """The first fault in the order of the stream, if there is one yet."""
        faults = (self._assembler_stage.fault, self._parser_stage.fault, self._bytes.fault)
        stopped = (Interrupted, Finished)
        return next((each for each in faults if each and not isinstance(each, stopped)), None)

    @property
    def is_spoilt(self) -> bool:
        """Whether the decoder has failed."""
        return self._assembler_stage.fault is not None

    @property
    def needs_time(self) -> bool:
        """Whether there is something to do although the stream has ended well.

        The end of the body may be on its way, and then the connection can be used again.
        """
        ended_well = self._assembler_stage.ended and self.fault is None
        return ended_well and self._reusable

    async def run(self) -> None:
        """Run until the stream has ended. The response is closed then."""
        self._watchdog.start()
        if await self._read():
            await self._parser_stage.run()
            await self._assembler_stage.run()
            return
        self._has_tasks = True
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._parser_stage.run)
            nursery.start_soon(self._assembler_stage.run)
            await self._read()

    async def abandon(self) -> None:
        """Close the response of stages that will not run."""
        await self._close(Interrupted())

    def finish(self) -> None:
        """Read no more; what was read is delivered."""
        self._finishing = True
        self._watchdog.hang_up(0.0)

    def drain(self) -> list[T]:
        """What the stages hold that was not sent to the consumer, when they have stopped.

        A stage that was interrupted is continued here; one that has met a fault, or all that it
        wanted, is not. New faults have no receiver any more.
        """
        parser_stage, assembler_stage = self._parser_stage, self._assembler_stage
        items: list[T] = []
        frames = self._frames.drain()
        chunks = self._bytes.drain()
        if chunks and not parser_stage.is_spent:
            parser_stage.attempt(chunks, frames)
        if self._body_is_whole and not parser_stage.is_spent:
            parser_stage.attempt_finish(frames)
        if frames and not assembler_stage.is_spent:
            assembler_stage.attempt(frames, items)
        return items

    # ---- the connection's task -----------------------------------------------------------------

    async def _read(self) -> bool:
        """Read to the end, and close the response; or until a stage is behind and has no task.

        Returns whether it was the end.
        """
        watchdog = self._watchdog
        reason: Exception | None = Interrupted()
        try:
            unsent: bytes | None = b""
            while unsent is not None:
                with watchdog.new_scope() as scope:
                    unsent = await self._relay()
                if scope.cancelled_caught:
                    reason = Finished() if self._finishing else watchdog.error()
                    break
                if self._lacks_tasks:
                    break
                if unsent:  # waiting for the consumer is no silence of the source
                    await self._bytes.send([unsent], len(unsent))
                    watchdog.start()
            else:
                reason = None
                self._body_is_whole = True
        except trio.BrokenResourceError:
            # The parser has hung up, and `_hang_up` has said how long to read on. Nobody wants
            # what comes, but at the end of its body a connection can be used again.
            await self._discard()
            reason = None
        except Exception as error:  # noqa: BLE001 (errors travel in band)
            reason = error
        finally:
            if not self._lacks_tasks:
                await self._close(reason)
        return not self._lacks_tasks

    @property
    def _lacks_tasks(self) -> bool:
        """Whether a stage was behind, and there are no tasks yet."""
        return self._was_behind and not self._has_tasks

    async def _relay(self) -> bytes | None:
        """Send bytes on as they come, while that needs no waiting.

        Returns the piece that could not be sent, ``b""`` if only a new scope is due (see
        `Watchdog.byte_came`) or the stages need tasks, and `None` at the end of the body.
        """
        receive_some = self.connection.receive_some
        watchdog = self._watchdog
        link, frames, items = self._bytes, self._frames, self._items
        count = 0
        while data := await receive_some():
            in_time = watchdog.byte_came(trio.current_time())
            if items.batch is None and link.is_idle and frames.is_idle:
                self._work_at_once(data)
            elif not link.send_nowait([data], len(data)):
                return data
            else:
                self._was_behind = True
            if not in_time:
                if not (link.is_idle and frames.is_idle):
                    watchdog.start()  # the stages are behind: it was not the source that was silent
                return b""
            if self._was_behind and not self._has_tasks:
                return b""
            count += 1
            if count % _PIECES == 0:  # of which none may have had to be waited for
                await trio.lowlevel.cancel_shielded_checkpoint()
        return None

    def _work_at_once(self, data: bytes) -> None:
        """Do the work of the stages in place of their tasks."""
        parser_stage, assembler_stage = self._parser_stage, self._assembler_stage
        frames: list[Any] = []
        items: list[T] = []
        parser_stage.attempt([data], frames)
        if len(frames) > MAX_ITEMS:  # too much for one go
            self._was_behind = self._frames.send_nowait(frames, len(data))
        elif frames:
            assembler_stage.attempt(frames, items)
            if items and not assembler_stage.is_dropped:
                self._items.send_nowait(items, len(data))
        if assembler_stage.is_spent:
            assembler_stage.end(assembler_stage.fault)
            parser_stage.end(Interrupted())
        elif parser_stage.is_spent:
            parser_stage.end(parser_stage.fault)
            if self._frames.batch is None:
                assembler_stage.end(parser_stage.fault)

    async def _discard(self) -> None:
        with trio.CancelScope(deadline=self._watchdog.hung_up), suppress(Exception):
            while await self.connection.receive_some():
                await trio.lowlevel.checkpoint()

    async def _close(self, reason: Exception | None) -> None:
        await self.connection.aclose()
        self.is_connected = False
        self._bytes.close_send(reason)
        if self._config.on_disconnect is not None:
            try:
                self._config.on_disconnect(reason if isinstance(reason, StreamError) else None)
            except Exception as error:  # noqa: BLE001 (the caller's own; raised on leaving)
                self.disconnect_error = error

    def _hang_up(self) -> None:
        """A later stage has ended before the source has."""
        self._watchdog.hang_up(_DRAIN_TIME if self.decoder.finished else 0.0)
