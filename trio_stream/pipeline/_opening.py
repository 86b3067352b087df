"""From a request to a `StreamReceiver`, and from its end to one outcome.

The request is made in the caller's task, so its errors come bare out of ``async with``. The session
then runs in a nursery of its own, which never raises (see `Stage`) and is never told of an
exception in the body: that one leaves ``async with`` by itself, as the same object, with its own
context.
"""

from __future__ import annotations

import inspect
import math
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, cast, final

import trio

from ..config import StreamConfig
from ..connection import AsyncClient, own_client
from ..errors import StreamError
from ..outcome import Ending, StreamOutcome, Timings
from ._budgets import host_of
from ._ending import ending_of_exit, ending_of_fault
from ._keeper import Keeper
from ._order import Grammar, Order
from ._receiver import StreamReceiver
from ._session import Session

if TYPE_CHECKING:
    from ..checkpoints import CheckpointStore
    from ._limiter import StreamLimiter

__all__ = ["Opening"]

T = TypeVar("T")
R = TypeVar("R")

# How long an `on_outcome` hook may take, closing a client of our own, and saving a position.
_HOOK_TIME = 2.0
_CLOSE_TIME = 1.0
_SAVE_TIME = 2.0


@final
class Opening(Generic[T, R]):
    """The context manager behind `open_stream`."""

    __slots__ = (
        "_client",
        "_config",
        "_entered",
        "_grammar",
        "_host",
        "_keeper",
        "_keeping",
        "_limiter",
        "_nursery_manager",
        "_order",
        "_own_client",
        "_receiver",
        "_session",
        "_started",
        "_task",
    )

    def __init__(
        self,
        order: Order,
        client: AsyncClient | None,
        grammar: Grammar[T, R],
        config: StreamConfig,
        *,
        keeping: tuple[CheckpointStore | None, str],
        limiter: StreamLimiter | None,
    ) -> None:
        self._order = order
        self._client = client
        self._own_client: AsyncClient | None = None
        self._grammar = grammar
        self._config = config
        self._keeping = keeping
        self._limiter = limiter
        self._host: str | None = None
        self._session: Session[T] | None = None
        self._keeper: Keeper | None = None
        self._entered = False
        self._started = math.nan

    # Ctrl-C is welcome at a checkpoint in the caller's task, and nowhere else between a response
    # and the task that will close it.
    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> StreamReceiver[T, R]:
        if self._entered:
            raise RuntimeError("this stream was opened before: call open_stream again")
        self._entered = True
        self._started = trio.current_time()
        try:
            self._receiver = await self._open()
        except BaseException as error:
            await self._fail(error)
            raise
        self._task = trio.lowlevel.current_task()
        self._nursery_manager = trio.open_nursery()
        nursery = await self._nursery_manager.__aenter__()
        nursery.start_soon(self._running.run)
        if self._keeper is not None:
            nursery.start_soon(self._keeper.run)
        return self._receiver

    @property
    def _running(self) -> Session[T]:
        assert self._session is not None  # noqa: S101
        return self._session

    async def _open(self) -> StreamReceiver[T, R]:
        config, order = self._config, self._order
        if self._client is None:
            self._client = self._own_client = own_client()
        if self._limiter is not None:
            host = host_of(order.spec.url) or host_of(getattr(self._client, "base_url", ""))
            await self._limiter.acquire(host)
            self._host = host
            self._started = trio.current_time()
        session = self._session = Session(
            order,
            self._client,
            self._grammar,
            config,
            started=self._started,
            shared=self._own_client is None,
        )
        store, name = self._keeping
        start = ""
        if store is not None:
            self._keeper = Keeper(store, name, session.fail)
            with session.in_time():
                start = await self._keeper.load()
            self._keeper.watch(session.position)
        await session.open(start)
        return StreamReceiver(
            session,
            self._grammar,
            config,
            started=self._started,
            restarts=order.mode == "always",
            keeper=self._keeper,
        )

    async def _fail(self, error: BaseException) -> None:
        """Opening has failed: there is an outcome all the same."""
        ending, kept = ending_of_exit(error, complete=False)
        if ending is Ending.CLOSED:
            ending = ending_of_fault(error)
        session = self._session
        known = "" if session is None else session.position.received
        outcome: StreamOutcome[R] = StreamOutcome(
            ending=ending,
            value=self._grammar.assembler().snapshot(),
            error=kept,
            attempts=0 if session is None else session.recovery.attempts,
            last_event_id=known,
            acknowledged_id=known if session is not None and session.tracks else "",
            timings=Timings(total=trio.current_time() - self._started),
        )
        try:
            if isinstance(error, StreamError):
                error.outcome = outcome
                if self._config.on_error is not None:
                    self._config.on_error(error)
        finally:
            await self._finish(outcome, error)

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session = self._running
        session.leave()
        if self._keeper is not None:
            self._keeper.stop()
        interruption: BaseException | None = None
        try:
            await self._leave_nursery()
        except BaseException as nursery_error:  # noqa: BLE001 (raised below)
            # Only the outside can interrupt the wait: a cancellation, or Ctrl-C in a stage.
            interruption = _bare(nursery_error)
        if interruption is not None and (error is None or not _is_cancelled(interruption)):
            error = interruption
        else:
            interruption = None
        try:
            self._receiver.settle_left(error)
        finally:
            await self._finish(self._receiver.outcome, error, session.disconnect_error)
        if interruption is not None:
            raise interruption

    async def _leave_nursery(self) -> None:
        if trio.lowlevel.current_task() is not self._task:
            # Such as the one in which trio finalizes an async generator that was dropped. The end
            # of the nursery would wake the task that has opened it, whatever that waits for.
            raise RuntimeError(
                "a stream must be left in the task that has opened it; if that was in an async "
                "generator, iterate over it inside `async with contextlib.aclosing(...)`"
            )
        # The nursery is not told of an exception in the body, so it has nothing to wrap.
        await self._nursery_manager.__aexit__(None, None, None)

    async def _finish(
        self,
        outcome: StreamOutcome[R],
        error: BaseException | None,
        disconnect_error: Exception | None = None,
    ) -> None:
        """Close what is ours, tell the world, and let out what callbacks have raised."""
        try:
            if self._own_client is not None:
                with trio.CancelScope(shield=True, relative_deadline=_CLOSE_TIME):
                    await self._own_client.aclose()
        finally:  # Ctrl-C comes through a shield
            if self._limiter is not None and self._host is not None:
                self._limiter.release(self._host)
            try:
                whole = outcome.is_complete and self._grammar.is_dialect
                save_error = await self._save(forget=whole)
            finally:
                outcome_error = await self._tell(outcome)
        leaving = error
        for name, raised in (
            ("on_disconnect", disconnect_error),
            ("checkpoints", save_error),
            ("on_outcome", outcome_error),
        ):
            if raised is not None and leaving is not None and repr(raised) != repr(leaving):
                leaving.add_note(f"{name} then raised {raised!r}")
            leaving = leaving or raised
        if error is None and leaving is not None:
            raise leaving

    async def _save(self, *, forget: bool) -> Exception | None:
        """Save the position that was acknowledged last; return what the store raised.

        A message that is whole has no position to go on from.
        """
        if self._keeper is None:
            return None
        try:
            with trio.CancelScope(shield=True, relative_deadline=_SAVE_TIME) as bound:
                await (self._keeper.forget() if forget else self._keeper.save())
        except Exception as error:  # noqa: BLE001 (raised on leaving)
            return error
        if bound.cancelled_caught:
            return TimeoutError(f"saving the position took longer than {_SAVE_TIME} s")
        return None

    async def _tell(self, outcome: StreamOutcome[R]) -> Exception | None:
        """Call ``on_outcome``; return what it raised."""
        hook = self._config.on_outcome
        if hook is None:
            return None
        try:
            with trio.CancelScope(shield=True, relative_deadline=_HOOK_TIME) as bound:
                told = hook(outcome)
                if inspect.isawaitable(told):
                    await told
        except Exception as error:  # noqa: BLE001 (raised on leaving)
            return error
        if bound.cancelled_caught:
            return TimeoutError(f"on_outcome took longer than {_HOOK_TIME} s")
        return None


_Group: TypeAlias = "BaseExceptionGroup[BaseException]"


def _is_cancelled(error: BaseException) -> bool:
    return isinstance(error, trio.Cancelled) or _other_than_cancelled(error) is None


def _bare(error: BaseException) -> BaseException:
    """A KeyboardInterrupt or SystemExit out of the group that the nursery put around it."""
    inner = _other_than_cancelled(error)
    while isinstance(inner, BaseExceptionGroup):
        inner, *more = cast("_Group", inner).exceptions
        if more:
            return error
    return error if inner is None else inner


def _other_than_cancelled(error: BaseException) -> BaseException | None:
    if isinstance(error, BaseExceptionGroup):
        return cast("_Group", error).split(trio.Cancelled)[1]
    return error
