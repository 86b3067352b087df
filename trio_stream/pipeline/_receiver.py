"""`StreamReceiver`: the consumer's end of a stream."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, final

import attrs
import trio
from trio.lowlevel import checkpoint_if_cancelled

from ..dialects import MessageAssembler, MessageItem, ToolCall
from ..errors import LimitExceededError, StreamError
from ..outcome import Ending, StreamOutcome, StreamState
from ._ending import ending_of_exit, ending_of_fault, is_forgiven
from ._order import Restarted
from ._stage import Interrupted
from ._views import TextView, ToolCallView

if TYPE_CHECKING:
    from ..config import StreamConfig
    from ..connection import StreamResponse
    from ..dialects import Assembler
    from ._keeper import Keeper
    from ._link import Batch
    from ._order import Grammar
    from ._session import Session

__all__ = ["StreamReceiver", "StreamStatistics"]

T = TypeVar("T")
R = TypeVar("R")


@attrs.frozen
class StreamStatistics:
    """A stream in numbers, at one moment.

    Attributes:
        items_received: Decoded, delivered or not.
        items_delivered: Given to the consumer.
        items_buffered: Decoded and waiting for the consumer; none when the consumer has left.
        bytes_received: Of body, as sent.
    """

    items_received: int
    items_delivered: int
    items_buffered: int
    bytes_received: int


@final
class StreamReceiver(trio.abc.ReceiveChannel[T], Generic[T, R]):
    """The items of a stream, as a `trio.abc.ReceiveChannel`; made by `open_stream`.

    Iterate over it, or call `receive`. Each item that was received before a fault is delivered
    before the fault is raised; the fault comes as the bare exception. One task at a time.
    """

    __slots__ = (
        "__weakref__",
        "_assembler",
        "_auto_ack",
        "_batch",
        "_closed",
        "_config",
        "_delivered",
        "_fold",
        "_grammar",
        "_keeper",
        "_other_answers",
        "_outcome",
        "_restarts",
        "_session",
        "_started",
        "_taken",
        "_taking",
    )

    def __init__(
        self,
        session: Session[T],
        grammar: Grammar[T, R],
        config: StreamConfig,
        *,
        started: float,
        restarts: bool,
        keeper: Keeper | None,
    ) -> None:
        self._session = session
        self._grammar = grammar
        self._assembler: Assembler[T, R] = grammar.assembler()
        self._fold = self._fold_or_begin if restarts else self._assembler.fold
        self._restarts = restarts
        self._config = config
        self._started = started
        self._keeper = keeper
        self._auto_ack = session.tracks and config.auto_ack
        # The batch in hand, newest item first, so that `pop` is cheap.
        self._batch: list[T] = []
        self._taken = 0
        self._taking = False
        self._closed = False
        self._outcome: StreamOutcome[R] | None = None
        # Set when the rest is folded in at the end, so that `snapshot` stays what was delivered.
        self._delivered: tuple[R] | None = None
        self._other_answers: set[int] | None = None

    # ---- receiving -----------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    async def receive(self) -> T:
        """Wait for the next item.

        Cancellation: no item is lost.

        Raises:
            trio.EndOfChannel: The stream is complete.
            StreamError: It is not, and this is why. Its ``outcome`` holds the partial result.
            trio.ClosedResourceError: `aclose` was called.
            trio.BusyResourceError: Another task is receiving.
        """
        if self._auto_ack:
            self.ack()
        batch = self._batch
        if batch:
            await checkpoint_if_cancelled()
        else:
            if self._closed or self._taking:
                self._refuse()
            self._taking = True
            try:
                batch = self._take(await self._session.items.take())
            except trio.EndOfChannel:
                pass
            finally:
                self._taking = False
            if not batch:  # outside of the handler, whose exception would become the context
                self._end()
        item = batch.pop()
        self._fold(item)
        return item

    @trio.lowlevel.enable_ki_protection
    async def __anext__(self) -> T:
        batch = self._batch
        if batch and not self._auto_ack:  # `receive` for an item in hand, less a call
            await checkpoint_if_cancelled()
            item = batch.pop()
            self._fold(item)
            return item
        try:
            return await self.receive()
        except trio.EndOfChannel:
            raise StopAsyncIteration from None

    def receive_nowait(self) -> T:
        """Return the next item if it is here.

        Raises:
            trio.WouldBlock: It is not.
            trio.EndOfChannel, StreamError, trio.ClosedResourceError, trio.BusyResourceError: As
                for `receive`.
        """
        if self._auto_ack:
            self.ack()
        batch = self._batch
        if not batch:
            if self._closed or self._taking:
                self._refuse()
            try:
                batch = self._take(self._session.items.take_nowait())
            except trio.EndOfChannel:
                pass
            if not batch:
                self._end()
        item = batch.pop()
        self._fold(item)
        return item

    async def result(self) -> R:
        """Receive what is left and return the result.

        It covers the whole stream, items that were delivered before included.

        Cancellation: items that were received stay folded into `snapshot`.

        Raises:
            StreamError: The stream did not complete, or, without a dialect, it had more than
                ``StreamConfig.max_kept_items`` items, so that the result is not whole.
            trio.ClosedResourceError: The consumer had left before the end.
        """
        while self._outcome is None:
            try:
                await self.receive()
            except trio.EndOfChannel:
                break
        outcome = self.outcome
        if not outcome.is_complete:
            raise outcome.error or trio.ClosedResourceError
        kept: Any = outcome.value
        if not self._session.is_dialect and (missing := self._taken - len(kept)):
            error = LimitExceededError(
                f"the first {missing} items were dropped: the stream had more than "
                f"max_kept_items={self._config.max_kept_items}",
                limit="max_kept_items",
            )
            error.outcome = outcome
            raise error
        return outcome.value

    def text(self: StreamReceiver[MessageItem, Any]) -> AsyncIterator[str]:
        """Iterate over the text of a message, in the pieces in which it comes.

        ::

            async for piece in rx.text():
                print(piece, end="", flush=True)

        It receives from this receiver: items that are no text are received and passed over, and
        count as delivered. It ends, fails and is cancelled as the receiver is; whoever leaves it
        can go on with the receiver, or with another view.

        If more than one answer was asked for, only the first is shown. The pieces are never empty.
        Together they are `Message.text`, unless the model goes back to an earlier part, or its
        provider states in the end another text than it has sent.

        Raises:
            TypeError: The items are not those of a message: the stream has no dialect, or another.
        """
        return TextView(self, self._answers("text"))

    def tool_calls(self: StreamReceiver[MessageItem, Any]) -> AsyncIterator[ToolCall]:
        """Iterate over the tool calls of a message, each as soon as it is whole.

        Calls that cannot be made, since they were cut or their arguments are no JSON, are not
        shown; `Message.parts` has them. For the rest see `text`.

        Raises:
            TypeError: As for `text`.
        """
        return ToolCallView(self, self._answers("tool_calls"))

    # ---- going on after a break, of this process or of the connection ----------------------------

    def ack(self) -> None:
        """Say that all items that were delivered have been dealt with.

        Asking for the next item says so of the one before (``StreamConfig.auto_ack``). Call this
        when you leave, or do not ask in order.

        Only a stream that may resume or has checkpoints knows of positions; to another one this
        says nothing.
        """
        delivered = self._taken - len(self._batch)
        if self._session.position.acknowledge(delivered) and self._keeper is not None:
            self._keeper.wake()

    async def flush(self) -> None:
        """Wait until the position that was acknowledged last is saved.

        Without a store of checkpoints there is nothing to wait for. Leaving the stream flushes,
        too, for at most two seconds.

        Cancellation: the old position is kept, or the new one.

        Raises:
            Exception: What the store has raised.
        """
        await trio.lowlevel.checkpoint()
        if self._keeper is not None:
            await self._keeper.save()

    def finish(self) -> None:
        """Ask for no more: the stream ends when what has been received so far is delivered.

        It is a good end, `Ending.COMPLETED`, unless there was a message, and it is not whole; that
        is `Ending.CLOSED`. Idempotent. An event that has not come to its end is dropped.
        """
        self._session.finish()

    async def aclose(self) -> None:
        """Leave the stream: stop its tasks and close its response. Idempotent.

        Items that were received and not delivered are in ``outcome.value`` all the same.

        Cancellation: the stream is closed in any case; waiting for that takes at most a second.
        """
        await self._leave(None)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave(error)

    @trio.lowlevel.enable_ki_protection
    async def _leave(self, error: BaseException | None) -> None:
        self._closed = True
        cancelled = trio.current_effective_deadline() == -math.inf
        self._session.leave()
        with trio.CancelScope(shield=True):
            await self._session.wait_stopped()
        self.settle_left(error, cancelled=cancelled)
        await trio.lowlevel.checkpoint()

    # ---- looking -------------------------------------------------------------------------------

    @property
    def response(self) -> StreamResponse:
        """The head of the response, that of the newest one: status, headers."""
        return self._session.stages.connection.response

    @property
    def state(self) -> StreamState:
        """The stream at this moment."""
        session = self._session
        fault = session.fault
        return StreamState(
            phase=session.recovery.phase,
            retry_count=session.recovery.attempts - 1,
            current_backoff=session.backoff,
            is_connected=session.stages.is_connected,
            total_items_received=session.items_received,
            last_error=fault if isinstance(fault, StreamError) else None,
            last_event_id=session.last_event_id,
        )

    @property
    def outcome(self) -> StreamOutcome[R]:
        """How the stream ended.

        Raises:
            RuntimeError: It has not ended yet.
        """
        if self._outcome is None:
            raise RuntimeError("the stream has not ended yet: it has no outcome")
        return self._outcome

    def snapshot(self) -> R:
        """The result so far: exactly the items that were delivered. A value of its own."""
        return self._assembler.snapshot() if self._delivered is None else self._delivered[0]

    @property
    def may_restart(self) -> bool:
        """Whether a `Restarted` may be among the items."""
        return self._restarts

    def statistics(self) -> StreamStatistics:
        """The stream in numbers."""
        delivered = self._taken - len(self._batch)
        return StreamStatistics(
            items_received=self._session.items_received,
            items_delivered=delivered,
            items_buffered=0 if self._closed else self._session.items_received - delivered,
            bytes_received=self._session.totals.bytes_received,
        )

    # ---- ending --------------------------------------------------------------------------------

    def settle_left(self, error: BaseException | None, *, cancelled: bool = False) -> None:
        """The consumer has left, by ``error`` or on purpose, and the stages have stopped.

        Synchronous and idempotent, as settling always is: no cancellation can come between a
        stream and its outcome.
        """
        self._closed = True
        rest = self._batch[::-1] + self._session.drain()
        self._taken -= len(self._batch)
        self._batch = []
        if self._outcome is not None:
            self._settle_acknowledged(self._outcome)
            return
        ending, kept = ending_of_exit(
            error,
            complete=self._assembler.complete and not rest,
            cancelled=cancelled,
        )
        if ending is Ending.CLOSED and kept is None:
            kept = self._session.unmended  # nobody received it, but it happened
        if rest:
            self._delivered = (self._assembler.snapshot(),)
            for item in rest:
                self._fold(item)
        self._settle(ending, kept)

    def _settle_acknowledged(self, outcome: StreamOutcome[R]) -> None:
        """The last items may have been acknowledged after the end of the stream."""
        acknowledged = self._session.position.acknowledged
        if self._session.tracks and acknowledged != outcome.acknowledged_id:
            self._outcome = attrs.evolve(outcome, acknowledged_id=acknowledged)
            if isinstance(outcome.error, StreamError) and outcome.error.outcome is outcome:
                outcome.error.outcome = self._outcome

    def _end(self) -> NoReturn:
        """The consumer has come to the end of the items."""
        fault = self._session.items.fault
        if isinstance(fault, Interrupted):  # it has not: the stream is being left
            raise trio.ClosedResourceError
        if self._auto_ack:
            self.ack()  # the stream may have moved on behind its last item
        if self._outcome is None:
            if fault is not None and self._assembler.complete and is_forgiven(fault):
                fault = None
            ending = Ending.COMPLETED if fault is None else ending_of_fault(fault)
            if (
                fault is None
                and self._session.finishing
                and self._session.is_dialect
                and not self._assembler.complete
            ):
                ending = Ending.CLOSED  # a message is whole or it is not, whoever cut it
            self._settle(ending, fault)
        raise self.outcome.error or trio.EndOfChannel

    def _settle(self, ending: Ending, error: BaseException | None) -> None:
        session, totals = self._session, self._session.totals
        self._outcome = StreamOutcome(
            ending=ending,
            value=self._assembler.snapshot(),
            error=error,
            items=session.items_received,
            skipped_items=totals.skipped_items,
            unknown_events=totals.unknown_events,
            duplicate_items=totals.duplicates,
            missing_items=session.position.missing,
            bytes_received=totals.bytes_received,
            attempts=session.recovery.attempts,
            last_event_id=session.last_event_id,
            acknowledged_id=session.position.acknowledged if session.tracks else "",
            timings=totals.timings(self._started),
        )
        # The error of another stream that only passes through this one keeps its outcome.
        passes = ending is Ending.CLOSED and isinstance(error, StreamError) and error.has_outcome
        if isinstance(error, StreamError) and not passes:
            error.outcome = self._outcome
            if self._config.on_error is not None and error is not session.told:
                self._config.on_error(error)

    def _fold_or_begin(self, item: T) -> None:
        # With a dialect, what follows is another result; without, one more of the items.
        if type(item) is Restarted and self._session.is_dialect:
            self._assembler = self._grammar.assembler()
        else:
            self._assembler.fold(item)

    def _take(self, batch: Batch[T]) -> list[T]:
        items = batch.items
        self._taken += len(items)
        self._session.taken(items)
        items.reverse()
        self._batch = items
        return items

    def _answers(self, view: str) -> set[int]:
        if self._restarts:
            raise TypeError(
                f"{view}() cannot tell of a restart: iterate over the items of this stream"
            )
        assembler: object = self._assembler
        if not isinstance(assembler, MessageAssembler):
            raise TypeError(
                f"{view}() needs the items of a message: open the stream with the dialect of a "
                "language model, and without an item type"
            )
        if self._other_answers is None:
            self._other_answers = set()
        return self._other_answers

    def _refuse(self) -> NoReturn:
        if self._closed:
            raise trio.ClosedResourceError
        raise trio.BusyResourceError("another task is receiving from this stream")
