"""`open_stream`: from a request to a `StreamReceiver`, and from its end to one outcome.

The request is made in the caller's task, so its errors come bare out of ``async with``. The stages
then run in a nursery of their own, which never raises (see `Stages`) and is never told of an
exception in the body: that one leaves ``async with`` by itself, as the same object, with its own
context.
"""

from __future__ import annotations

import inspect
import math
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    final,
    get_args,
    overload,
)
from urllib.parse import urlsplit

import attrs
import trio

from ..config import StreamConfig
from ..connection import AsyncClient, RequestSpec, own_client
from ..dialects import Assembler, Decoder, Dialect, Message, MessageItem
from ..errors import StreamError
from ..framing import SSE, Framing, RawBytes, ServerSentEvent, accept_header
from ..items import Collector, item_decoder
from ..outcome import Ending, StreamOutcome, Timings
from ..retry import Cursor, LastEventID, Reconnect
from ._budgets import host_of
from ._ending import ending_of_exit, ending_of_fault
from ._keeper import Keeper
from ._order import Order, RequestFactory
from ._receiver import StreamReceiver
from ._session import Session
from ._structured import Draft, Structured, StructuredAnswer

if TYPE_CHECKING:
    from ..checkpoints import CheckpointStore
    from ._limiter import StreamLimiter

__all__ = ["StreamOptions", "event_source", "open_stream", "stream_with_retry"]

T = TypeVar("T")
R = TypeVar("R")

# How long an `on_outcome` hook may take, closing a client of our own, and saving a position.
_HOOK_TIME = 2.0
_CLOSE_TIME = 1.0
_SAVE_TIME = 2.0


class StreamOptions(TypedDict, total=False):
    """The arguments that `open_stream` has whatever the items are; it explains them."""

    client: AsyncClient | None
    params: Any
    headers: Any
    json: Any
    content: Any
    data: Any
    files: Any
    last_event_id: str
    config: StreamConfig
    reconnect: Reconnect
    cursor: Cursor | None
    request_factory: RequestFactory | None
    idempotency_key: str | bool
    checkpoints: CheckpointStore | None
    checkpoint_key: str | None
    limiter: StreamLimiter | None


@overload
def open_stream(
    method: str, url: str, *, dialect: Dialect[T, R], **options: Unpack[StreamOptions]
) -> AbstractAsyncContextManager[StreamReceiver[T, R]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    dialect: Dialect[MessageItem, Message],
    item: type[T] | Callable[[bytes], T],
    **options: Unpack[StreamOptions],
) -> AbstractAsyncContextManager[StreamReceiver[Draft, StructuredAnswer[T]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    dialect: Dialect[MessageItem, Message],
    item: Any,
    **options: Unpack[StreamOptions],
) -> AbstractAsyncContextManager[StreamReceiver[Draft, StructuredAnswer[Any]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    item: type[T] | Callable[[bytes], T],
    framing: Framing[Any] | None = None,
    **options: Unpack[StreamOptions],
) -> AbstractAsyncContextManager[StreamReceiver[T, list[T]]]: ...


@overload
def open_stream(
    method: str, url: str, *, framing: Framing[T], **options: Unpack[StreamOptions]
) -> AbstractAsyncContextManager[StreamReceiver[T, list[T]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    item: Any = None,
    framing: Framing[Any] | None = None,
    **options: Unpack[StreamOptions],
) -> AbstractAsyncContextManager[StreamReceiver[Any, list[Any]]]: ...


def open_stream(
    method: str,
    url: str,
    *,
    client: AsyncClient | None = None,
    params: Any = None,
    headers: Any = None,
    json: Any = None,
    content: Any = None,
    data: Any = None,
    files: Any = None,
    item: Any = None,
    framing: Framing[Any] | None = None,
    dialect: Dialect[Any, Any] | None = None,
    last_event_id: str = "",
    config: StreamConfig = StreamConfig(),  # noqa: B008 (frozen)
    reconnect: Reconnect = "never",
    cursor: Cursor | None = None,
    request_factory: RequestFactory | None = None,
    idempotency_key: str | bool = False,
    checkpoints: CheckpointStore | None = None,
    checkpoint_key: str | None = None,
    limiter: StreamLimiter | None = None,
) -> AbstractAsyncContextManager[StreamReceiver[Any, Any]]:
    """Open a stream over HTTP.

    ::

        async with open_stream("GET", "https://example.org/events") as rx:
            async for event in rx:
                print(event.event, event.data)

    Every stream ends in exactly one `StreamOutcome`: ``rx.outcome`` when it is over, also in the
    ``outcome`` of a `StreamError` and through ``config.on_outcome``. Leaving the block ends the
    stream, closes its response and leaves no task behind.

    Args:
        method: The HTTP method.
        url: The URL; relative if ``client`` has a base URL.
        client: An ``httpx.AsyncClient`` or ``httpx2.AsyncClient``; it is neither changed nor
            closed, and its timeouts do not apply. `None`: one of our own, for this stream.
        params, headers, json, content, data, files: As for ``AsyncClient.request``; ``content``
            may also be a binary file, or any iterable of bytes.
        item: What to decode the data of each frame into: a type (attrs class, dataclass,
            TypedDict, union, enum, …), a mapping of event names to types, or a callable that is
            given the data as `bytes`. `None`: the frames themselves.
        framing: The wire format. `None`: what the response's ``Content-Type`` says.
        dialect: A provider's grammar, in place of ``framing``. With an ``item`` beside it, the
            answer of the model is one JSON document of that type (or `JSONSchema`), which grows
            live: the items are `Draft`, the result is a `StructuredAnswer`. An answer that is not
            whole, does not fit, or is a refusal ends in a `BadItemError`.
        last_event_id: Where to go on: a position that a stream had before. An event ID is sent as
            ``Last-Event-ID``; with a ``cursor``, it knows.
        config: Timeouts, limits, callbacks, the retry policy.
        reconnect: When another request is made for the same stream: ``"never"``;
            ``"before_first_item"``, while nobody can notice; ``"resume"``, also later, if the
            server can go on where it stopped; ``"always"``, for subscriptions, also after a good
            end of the body and, with a `Restarted` among the items, where the server begins anew;
            ``"event_source"``, as browsers do it. All attempts together are one stream.
        cursor: How to find the position in a stream, and to go on from it. `None`: by event IDs,
            if this is a GET without a dialect; else not at all, since it would be another answer.
        request_factory: Called before each request with an `Attempt`; returns, or is awaited for,
            what is different in this one (`RequestChanges`), such as a fresh token.
        idempotency_key: Sent with each attempt as ``Idempotency-Key``. `True`: a random one.
        checkpoints: Where the position of the last acknowledged item is kept, and found when the
            stream is opened again; it goes before ``last_event_id``.
        checkpoint_key: Its name there. `None`: the URL, without its query.
        limiter: Shared by streams that must not be too many. The wait for a place is not part of
            ``config.timeout``.

    Cancellation: entering gives the request up; in the body the consumer is cancelled, and leaving
    takes at most a second, the ``on_outcome`` hook two.

    Raises:
        StreamError: On entering: no response, a status of 400 or more (with its body), or a
            response that is not a stream. That of the last attempt, if there were several, with
            a note (``__notes__``) why there was no other.
        TypeError: ``item`` is nothing that JSON can be read into, ``client`` is no client, or a
            file is one of text.
        ValueError: Arguments that do not go together.
    """
    if reconnect not in get_args(Reconnect):
        raise ValueError(f"reconnect must be one of {get_args(Reconnect)}, got {reconnect!r}")
    if dialect is not None and framing is not None:
        raise ValueError("a dialect has its own framing: give either it or a framing")
    if item is not None and isinstance(framing, RawBytes):
        raise ValueError("pieces of raw bytes are no items: leave the item type or the framing out")
    if dialect is not None:
        grammar = _dialect_grammar(dialect if item is None else Structured(dialect, item))
    else:
        grammar = _item_grammar(item, framing, config)
    if cursor is None and dialect is not None and checkpoints is not None:
        raise ValueError("a dialect has no event IDs to go on from: give a cursor, too")
    if cursor is None and dialect is None:
        may_resume = reconnect == "event_source" or method.upper() in _SAFE
        cursor = LastEventID() if may_resume or checkpoints is not None else None
    order = Order(
        spec=RequestSpec(
            method=method,
            url=url,
            params=params,
            headers=headers,
            json=json,
            content=content,
            data=data,
            files=files,
            last_event_id=last_event_id,
            idempotency_key=str(uuid.uuid4())
            if idempotency_key is True
            else idempotency_key or None,
            accept=accept_header(grammar.framing),
            follow_redirects=True if reconnect == "event_source" else None,
        ),
        mode=reconnect,
        cursor=cursor,
        request_factory=request_factory,
        tracks=reconnect in _RESUMING or checkpoints is not None,
    )
    name = "" if checkpoints is None else checkpoint_key or _without_query(url)
    return _Opening(order, client, grammar, config, keeping=(checkpoints, name), limiter=limiter)


def stream_with_retry(
    method: str, url: str, *, reconnect: Reconnect = "resume", **options: Any
) -> AbstractAsyncContextManager[StreamReceiver[Any, Any]]:
    """Do what `open_stream` does, with ``reconnect="resume"``.

    ::

        config = StreamConfig(max_retries=-1, max_backoff=30)
        async with stream_with_retry("GET", "https://example.org/events", config=config) as rx:
            async for event in rx:
                print(event.id, event.data)

    The arguments are those of `open_stream`.
    """
    return open_stream(method, url, reconnect=reconnect, **options)


def event_source(
    url: str,
    *,
    client: AsyncClient | None = None,
    headers: Any = None,
    last_event_id: str = "",
    config: StreamConfig = StreamConfig(max_retries=-1),  # noqa: B008 (frozen)
    **options: Any,
) -> AbstractAsyncContextManager[StreamReceiver[ServerSentEvent, list[ServerSentEvent]]]:
    """Subscribe to server-sent events as a browser's ``EventSource`` does (WHATWG HTML 9.2).

    The stream is connected again when the body ends, well or not, after the reconnection time that
    it has set (``retry:``; before, ``config.initial_backoff``), and longer if that fails again
    and again. It ends for good with any status but 200, of which 204 is the good end, with any
    content type but ``text/event-stream``, and with its consumer. Redirects are followed.

    More arguments are those of `open_stream`.
    """
    return open_stream(
        "GET",
        url,
        client=client,
        headers=headers,
        last_event_id=last_event_id,
        config=config,
        framing=cast("Framing[ServerSentEvent]", SSE()),
        reconnect="event_source",
        **options,
    )


_RESUMING = frozenset({"resume", "always", "event_source"})
_SAFE = frozenset({"GET", "HEAD"})


def _without_query(url: object) -> str:
    parts = urlsplit(str(url))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


@attrs.frozen
class _Grammar(Generic[T, R]):
    """How to read the stream. A restart makes its parts afresh."""

    framing: Framing[Any] | None
    is_dialect: bool
    decoder: Callable[[], Decoder[T]]
    assembler: Callable[[], Assembler[T, R]]


def _dialect_grammar(dialect: Dialect[T, R]) -> _Grammar[T, R]:
    return _Grammar(dialect.framing, True, dialect.decoder, dialect.assembler)  # noqa: FBT003


def _item_grammar(
    item: Any, framing: Framing[Any] | None, config: StreamConfig
) -> _Grammar[Any, list[Any]]:
    def decoder() -> Decoder[Any]:
        made: Decoder[Any] = item_decoder(item, on_bad_item=config.on_bad_item)
        return made

    decoder()  # here, where a wrong type is the caller's mistake
    return _Grammar(framing, False, decoder, lambda: Collector(config.max_kept_items))  # noqa: FBT003


@final
class _Opening(Generic[T, R]):
    """The context manager behind `open_stream`."""

    def __init__(
        self,
        order: Order,
        client: AsyncClient | None,
        grammar: _Grammar[T, R],
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
        outcome: StreamOutcome[R] = StreamOutcome(
            ending=ending,
            value=self._grammar.assembler().snapshot(),
            error=kept,
            attempts=0 if self._session is None else self._session.recovery.attempts,
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
            # The nursery is not told of an exception in the body, so it has nothing to wrap.
            await self._nursery_manager.__aexit__(None, None, None)
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

    async def _finish(
        self,
        outcome: StreamOutcome[R],
        error: BaseException | None,
        disconnect_error: Exception | None = None,
    ) -> None:
        """Close what is ours, tell the world, and let out what callbacks have raised."""
        if self._own_client is not None:
            with trio.CancelScope(shield=True, relative_deadline=_CLOSE_TIME):
                await self._own_client.aclose()
        if self._limiter is not None and self._host is not None:
            self._limiter.release(self._host)
        save_error = await self._save()
        outcome_error = await self._tell(outcome)
        leaving = error
        for name, raised in (
            ("on_disconnect", disconnect_error),
            ("checkpoints", save_error),
            ("on_outcome", outcome_error),
        ):
            if raised is not None and leaving is not None:
                leaving.add_note(f"{name} then raised {raised!r}")
            leaving = leaving or raised
        if error is None and leaving is not None:
            raise leaving

    async def _save(self) -> Exception | None:
        """Save the position that was acknowledged last; return what the store raised."""
        if self._keeper is None:
            return None
        try:
            with trio.CancelScope(shield=True, relative_deadline=_SAVE_TIME) as bound:
                await self._keeper.save()
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
