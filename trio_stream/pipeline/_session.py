"""One stream over all its connections.

A `Session` makes the connections of a stream, one after the other, and runs the `Stages` of each.
Between them stands the judgement of `Recovery`: when the last stage of a connection has come to its
end, with everything before the fault decoded and on its way, the session asks what now, and does
it. The link to the consumer stays the same, so the consumer sees one stream::

    connect ──▶ stages ──▶ judge ──stop──▶ hang up on the consumer
       ▲                     │
       └──── wait ◀──────────┘ retry, resume, restart

What passes from one connection to the next: where the stream is (`Position`), the reconnection time
that it has asked for and, if it goes on, the decoder. What does not: bytes. Each connection has a
fresh parser, and an event that was cut by the end of one is not part of the next.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, final

import trio

from ..config import StreamConfig
from ..connection import AsyncClient, lacked_a_slot
from ..dialects import Decoder
from ..errors import StreamError, StreamTimeoutError
from ..retry import Action, Facts, Phase, Recovery, Verdict
from ._attempts import Attempts
from ._budgets import budget_of
from ._ending import is_forgiven
from ._link import Link
from ._order import Grammar, Order, Restarted
from ._position import Position
from ._reading import commits
from ._stage import Finished, Interrupted
from ._stages import Stages
from ._totals import Totals

__all__ = ["Session"]

T = TypeVar("T")

# A stream that waits for tokens of the budget looks no more often than this, in seconds.
_LOOK_AGAIN = 1.0


@final
class Session(Generic[T]):
    """The connections of one stream.

    Args:
        order: What to ask for.
        client: Whom to ask; not closed here.
        grammar: How to read the answers.
        config: Timeouts, limits, callbacks, the retry policy.
        started: When the stream was asked for, on trio's clock.
        shared: Whether the client lives on when the stream is over.

    Attributes:
        items: The link to the consumer.
        items_received: How many items have been decoded, delivered or not.
        position: Where the stream is.
        totals: What else its connections have counted together, and when things happened.
        recovery: Its judgement.
        backoff: The wait that is running, in seconds; 0.0 if none is.
        told: The error of which ``on_error`` was told last.
        finishing: Whether the consumer wants only what is there.
    """

    __slots__ = (
        "_attempts",
        "_begun_at",
        "_config",
        "_decoder",
        "_grammar",
        "_has_stopped",
        "_is_closed",
        "_is_feed",
        "_last_error",
        "_order",
        "_pause",
        "_restarting",
        "_retry",
        "_scope",
        "_stages",
        "_start",
        "_stopped",
        "_taken",
        "_total_end",
        "_verdict",
        "backoff",
        "finishing",
        "items",
        "items_received",
        "position",
        "recovery",
        "told",
        "totals",
    )

    def __init__(
        self,
        order: Order,
        client: AsyncClient,
        grammar: Grammar[T, Any],
        config: StreamConfig,
        *,
        started: float,
        shared: bool,
    ) -> None:
        self._order = order
        self._grammar = grammar
        self._config = config
        self._total_end = math.inf if config.timeout is None else started + config.timeout
        self.recovery = Recovery(
            order.mode,
            config,
            budget=config.retry_budget or budget_of(client if shared else None, order.spec.url),
            random=random.random,
            now=started,
        )
        self.items: Link[T] = Link(config.chunk_size)
        self._start = order.start or order.spec.last_event_id
        # An event source drops nothing (WHATWG HTML 9.2.6).
        window = 0 if order.mode == "event_source" else config.dedup_window
        self._is_feed = self.recovery.is_subscription and not grammar.is_dialect
        self.position = Position(order.cursor, window, config.on_gap)
        self.totals = Totals(self.position)
        self._attempts = Attempts(
            order,
            self.position,
            self.recovery,
            client,
            config,
            total_end=self._total_end,
            reusable=shared,
        )
        self._decoder: Decoder[T] = grammar.decoder()
        self._retry: int | None = None
        self._restarting = False
        self._last_error: StreamError | None = None
        self._stages: Stages[T] | None = None
        self._verdict: Verdict | None = None
        self._is_closed = False
        self._scope = trio.CancelScope()
        self._pause: trio.CancelScope | None = None
        self.items_received = 0
        self.backoff = 0.0
        self.told: StreamError | None = None
        self.finishing = False
        self._has_stopped = False
        self._stopped: trio.Event | None = None
        self._taken = 0  # of the items, those that the consumer was given, in batches
        self._begun_at = 0  # the item at which the stream began, the last time that it did

    # ---- looking -----------------------------------------------------------------------------

    @property
    def stages(self) -> Stages[T]:
        """The stages of the newest connection; there are some once `open` has returned."""
        assert self._stages is not None  # noqa: S101
        return self._stages

    @property
    def tracks(self) -> bool:
        """Whether anybody wants to know the position."""
        return self._order.tracks

    @property
    def is_dialect(self) -> bool:
        """Whether there is an end that can be told from a cut."""
        return self._grammar.is_dialect

    @property
    def last_event_id(self) -> str:
        """The position behind what was received."""
        stages, position = self.stages, self.position
        committed = stages.parser.last_event_id
        if not self._order.tracks:
            return committed
        # What the parser knows more is a block of nothing but an ID, or of an event that it drops.
        knows_more = position.uses_event_ids and stages.is_connected
        return committed if knows_more and committed not in position.seen else position.received

    @property
    def fault(self) -> Exception | None:
        """What has gone wrong last, as far as it is known yet."""
        return self.unmended or self._last_error

    @property
    def unmended(self) -> Exception | None:
        """What has gone wrong and was not mended, as far as it is known yet."""
        reason = self.items.fault
        if reason is not None and not isinstance(reason, Interrupted):
            return reason
        # What a connection came to that was judged is older than what the next attempt has met.
        return self.stages.fault if self._verdict is None else self._last_error

    @property
    def disconnect_error(self) -> Exception | None:
        """What the ``on_disconnect`` callback raised first."""
        return self.stages.disconnect_error

    # ---- what the consumer does --------------------------------------------------------------

    def taken(self, items: list[T]) -> None:
        """The consumer was given these items."""
        self._taken += len(items)
        if self.recovery.phase is Phase.OPEN and any(map(commits, items)):
            self.recovery.committed()

    def finish(self) -> None:
        """The consumer wants what is there, and no more."""
        self.finishing = True
        if self._pause is not None:
            self._pause.cancel(reason="the consumer has finished the stream")
        elif self._stages is not None:
            self._stages.finish()

    def leave(self) -> None:
        """The consumer has left: stop, but for what a stream that ended well still has to do.

        It may be reading the end of its body, so that a client that lives on can use the
        connection again.
        """
        ended_well = self._is_closed and self.items.fault is None
        if not (ended_well and self.stages.needs_time):
            self._scope.cancel(reason="the consumer left the stream")

    def fail(self, error: Exception) -> None:
        """End the stream at once, for a reason of our own."""
        self.close(error)
        self._scope.cancel(reason="the stream has failed")

    async def wait_stopped(self) -> None:
        """Wait until nothing runs any more."""
        if not self._has_stopped:
            if self._stopped is None:
                self._stopped = trio.Event()
            await self._stopped.wait()

    def drain(self) -> list[T]:
        """Everything that was received and not delivered, when the session has stopped."""
        rest = self.stages.drain()
        return self.items.drain() + rest

    # ---- connecting --------------------------------------------------------------------------

    async def open(self, start: str = "") -> None:
        """Make the first connection.

        Args:
            start: Where to go on, if that is known better than from the request.

        Raises:
            StreamError: There is no response, or none that is a stream, and another attempt is
                not made.
        """
        self._start = start or self._start
        self.position.start(self._start)
        if self._start and not self.position.can_be_asked_for(self._start, math.inf):
            name = type(self.position.cursor).__name__
            raise ValueError(f"{name} cannot go on from {self._start!r:.100}")
        try:
            self._stages = await self._connect()
        except BaseException:
            self.close(Interrupted())
            raise

    async def _connect(self) -> Stages[T]:
        """Connect, and if need be connect again."""
        while True:
            self.recovery.began(trio.current_time())
            try:
                return await self._attempt()
            except StreamError as error:
                verdict = self._judge(error)
                if verdict.action is Action.STOP:
                    raise
            self._leave_behind(verdict)
            await self._wait(verdict)

    async def _wait(self, verdict: Verdict) -> None:
        """Wait for as long as the verdict says."""
        self.backoff = verdict.delay
        try:
            if self._config.on_reconnect is not None:
                self._config.on_reconnect(self.recovery.attempts, verdict.delay)
            await trio.sleep(verdict.least)
            # Others may give tokens back, so it is looked again and again: the budget is sans-IO.
            while (left := self.recovery.due_in(trio.current_time())) > 0:  # noqa: ASYNC110
                await trio.sleep(min(left, max(_LOOK_AGAIN, left / 4)))
        finally:
            self.backoff = 0.0

    async def _attempt(self) -> Stages[T]:
        """Make one attempt: a connection whose answer is a stream, or an error."""
        attempts = self._attempts
        with self.in_time():
            changes = attempts.changes()
            if changes is None:
                if self._last_error is not None and not self.recovery.is_subscription:
                    raise self._last_error  # it was too long in coming; as will be judged
                self._begin_anew()
            spec = await attempts.request(changes or {}, self._last_error)
        stages = await attempts.make(spec, self._grammar, self._decoder, self)
        self._verdict = None
        self.totals.connected(stages)
        return stages

    @contextmanager
    def in_time(self) -> Generator[None]:
        """The time of the whole stream counts for the block, too."""
        with trio.CancelScope(deadline=self._total_end) as scope:
            yield
        if scope.cancelled_caught:
            raise StreamTimeoutError(f"timeout={self._config.timeout} s was over", layer="total")

    # ---- running -----------------------------------------------------------------------------

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Run until the stream has ended or the consumer leaves. No response is open then."""
        try:
            with self._scope:
                while True:
                    if self.finishing:
                        self.stages.finish()
                    await self.stages.run()
                    if self._is_closed or not await self._go_on():
                        break
        finally:
            self.close(Interrupted())
            self._has_stopped = True
            if self._stopped is not None:
                self._stopped.set()

    async def _go_on(self) -> bool:
        """Do what the verdict says; whether there is a connection to run then."""
        verdict, before = self._verdict, self.stages
        assert verdict is not None  # noqa: S101
        if before.disconnect_error is not None:
            self.close(before.disconnect_error)
            return False
        with trio.CancelScope() as self._pause:
            try:
                if not self.finishing:
                    await self._wait(verdict)
                    self._stages = await self._connect()
            except Exception as error:  # noqa: BLE001 (errors travel in band)
                self.close(error)
                return False
        self._pause = None
        if self._stages is before:
            self.close(None)
            return False
        if self._restarting and not self._attempts.is_last and self._order.mode != "event_source":
            await self._announce_restart()
        return True

    async def _announce_restart(self) -> None:
        """Tell the consumer that what follows is a beginning."""
        self._restarting = False
        restarted: Any = Restarted(self.recovery.attempts, self.items_received - self._begun_at)
        self.items_received += 1
        self._begun_at = self.items_received
        try:
            await self.items.send([restarted], 0)
        except BaseException:
            await self.stages.abandon()
            raise

    def close(self, reason: Exception | None) -> None:
        """Hang up on the consumer: no more will come. Idempotent; the first reason stands."""
        if not self._is_closed:
            self._is_closed = True
            self.recovery.ended()
            self.items.close_send(reason)

    # ---- judging: called by the stages, from within ------------------------------------------

    def made_progress(self, now: float) -> None:
        """An item came that is more than a sign of life."""
        if not self.recovery.has_progressed:
            position = self.position.received
            self.recovery.progressed(
                now, advanced=not self.tracks or position != self._attempts.began_behind
            )
        if self._is_feed and self.recovery.phase is Phase.OPEN:
            self.recovery.committed()  # nobody brings it again
        totals = self.totals
        if totals.first_item is None:
            totals.first_item = now
        totals.last_item = now

    def drops(self, fault: Exception) -> bool:
        """Whether the attempt is repeated because of ``fault``, as if it had never been."""
        if not isinstance(fault, StreamError):
            return False
        try:
            return self._verdict_of(fault).action is Action.RETRY
        except Exception:  # noqa: BLE001 (of a cursor; `ended` will meet it again)
            return False

    def ended(self, reason: Exception | None) -> None:
        """The stages of a connection have come to their end, since ``reason``."""
        if isinstance(reason, Finished):
            reason = None
        elif reason is None or isinstance(reason, StreamError):
            try:
                verdict = self._verdict_of(reason)
                if verdict.action is not Action.STOP:
                    self._leave_behind(verdict)
                    return
                reason = verdict.error
            except Exception as error:  # noqa: BLE001 (of a callback)
                reason = error
        self.close(reason)

    def _verdict_of(self, error: StreamError | None) -> Verdict:
        """What now, after a connection has ended. Asked for once for each."""
        if self._verdict is None:
            stages, position = self.stages, self.position
            if stages.parser.retry is not None:
                self._retry = stages.parser.retry
            self._attempts.heard(stages.last_byte)
            if self.tracks and position.uses_event_ids and not stages.is_spoilt:
                position.advance(stages.parser.last_event_id, self.items_received)
            unsent: list[T] = []
            if self.recovery.phase is Phase.OPEN and self.items.is_promised:
                if any(map(commits, self.items.untaken)):  # on its way to the consumer
                    self.recovery.committed()
            elif self.recovery.phase is Phase.OPEN:
                unsent = self.items.take_back()
            self._verdict = self._judge(error)
            if unsent and self._verdict.action is not Action.RETRY:
                self.items.send_nowait(unsent, 0)
        return self._verdict

    def _judge(self, error: StreamError | None) -> Verdict:
        self._last_error = error
        facts = Facts(
            error=error,
            last=self._attempts.is_last
            or self._is_whole(error)
            or (error is None and not self._order.repeats),
            # A decoder that has failed has lost the thread.
            can_resume=self._attempts.can_resume and not (self.is_dialect and self._is_spoilt),
            one_shot=self._attempts.one_shot,
            was_asked=not lacked_a_slot(error),
            retry=self._retry,
            total_end=self._total_end,
        )
        verdict = self.recovery.judge(facts, trio.current_time())
        if verdict.error is not None and verdict.why_not:
            verdict.error.add_note(f"not retried: {verdict.why_not}")
        return verdict

    def _is_whole(self, error: StreamError | None) -> bool:
        """Whether nothing is missing, for the grammar says so."""
        if not self.is_dialect or self._stages is None or self._is_spoilt:
            return False
        if self._decoder.finished or error is None:
            return True
        if not is_forgiven(error):
            return False
        try:
            self._decoder.close()
        except StreamError:
            return False
        return True

    @property
    def _is_spoilt(self) -> bool:
        """Whether the decoder has failed."""
        return self._stages is not None and self._stages.is_spoilt

    def _leave_behind(self, verdict: Verdict) -> None:
        """Keep of a connection that is over what the next one needs."""
        if verdict.action is Action.RETRY:  # it has brought nothing that counts
            self.items_received = self._taken + len(self.items.untaken)
            self.totals.take_back(self.items_received)
            self.position.take_back(self._start)
            self._decoder = self._grammar.decoder()
        elif verdict.action is Action.RESTART:
            self._begin_anew()
        self._tell(verdict.error)

    def _begin_anew(self) -> None:
        """What follows is not the rest of what was."""
        self._restarting = True
        self.totals.begin_anew()
        self.position.start("")
        self._decoder = self._grammar.decoder()

    def _tell(self, error: StreamError | None) -> None:
        if error is not None:
            self.told = error
            if self._config.on_error is not None:
                self._config.on_error(error)
