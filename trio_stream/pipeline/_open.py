"""`open_stream`: from a request to a `StreamReceiver`, and from its end to one outcome.

The request is made in the caller's task, so its errors come bare out of ``async with``. The stages
then run in a nursery of their own, which never raises (see `Stages`) and is never told of an
exception in the body: that one leaves ``async with`` by itself, as the same object, with its own
context.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeAlias, TypeVar, cast, final, overload

import attrs
import trio

from ..config import StreamConfig
from ..connection import AsyncClient, Connection, RequestSpec, connect, own_client, refuse
from ..dialects import Assembler, Decoder, Dialect, Message, MessageItem
from ..errors import StreamError
from ..framing import Framing, RawBytes, accept_header, select_framing
from ..items import Collector, item_decoder
from ..outcome import Ending, StreamOutcome, Timings
from ._ending import ending_of_exit, ending_of_fault
from ._receiver import StreamReceiver
from ._stages import Stages
from ._structured import Draft, Structured, StructuredAnswer

__all__ = ["open_stream"]

T = TypeVar("T")
R = TypeVar("R")

# How long an `on_outcome` hook may take, and closing a client of our own.
_HOOK_TIME = 2.0
_CLOSE_TIME = 1.0


@overload
def open_stream(
    method: str,
    url: str,
    *,
    dialect: Dialect[T, R],
    client: AsyncClient | None = None,
    params: Any = None,
    headers: Any = None,
    json: Any = None,
    content: Any = None,
    data: Any = None,
    files: Any = None,
    last_event_id: str = "",
    config: StreamConfig = ...,
) -> AbstractAsyncContextManager[StreamReceiver[T, R]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    dialect: Dialect[MessageItem, Message],
    item: type[T] | Callable[[bytes], T],
    client: AsyncClient | None = None,
    params: Any = None,
    headers: Any = None,
    json: Any = None,
    content: Any = None,
    data: Any = None,
    files: Any = None,
    last_event_id: str = "",
    config: StreamConfig = ...,
) -> AbstractAsyncContextManager[StreamReceiver[Draft, StructuredAnswer[T]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    dialect: Dialect[MessageItem, Message],
    item: Any,
    client: AsyncClient | None = None,
    params: Any = None,
    headers: Any = None,
    json: Any = None,
    content: Any = None,
    data: Any = None,
    files: Any = None,
    last_event_id: str = "",
    config: StreamConfig = ...,
) -> AbstractAsyncContextManager[StreamReceiver[Draft, StructuredAnswer[Any]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    item: type[T] | Callable[[bytes], T],
    client: AsyncClient | None = None,
    params: Any = None,
    headers: Any = None,
    json: Any = None,
    content: Any = None,
    data: Any = None,
    files: Any = None,
    framing: Framing[Any] | None = None,
    last_event_id: str = "",
    config: StreamConfig = ...,
) -> AbstractAsyncContextManager[StreamReceiver[T, list[T]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    framing: Framing[T],
    client: AsyncClient | None = None,
    params: Any = None,
    headers: Any = None,
    json: Any = None,
    content: Any = None,
    data: Any = None,
    files: Any = None,
    last_event_id: str = "",
    config: StreamConfig = ...,
) -> AbstractAsyncContextManager[StreamReceiver[T, list[T]]]: ...


@overload
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
    last_event_id: str = "",
    config: StreamConfig = ...,
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
        params, headers, json, content, data, files: As for ``AsyncClient.request``.
        item: What to decode the data of each frame into: a type (attrs class, dataclass,
            TypedDict, union, enum, …), a mapping of event names to types, or a callable that is
            given the data as `bytes`. `None`: the frames themselves.
        framing: The wire format. `None`: what the response's ``Content-Type`` says.
        dialect: A provider's grammar, in place of ``framing``. With an ``item`` beside it, the
            answer of the model is one JSON document of that type (or `JSONSchema`), which grows
            live: the items are `Draft`, the result is a `StructuredAnswer`. An answer that is not
            whole, does not fit, or is a refusal ends in a `BadItemError`.
        last_event_id: Where to go on; sent as ``Last-Event-ID``.
        config: Timeouts, limits, callbacks.

    Cancellation: entering gives the request up; in the body the consumer is cancelled, and leaving
    takes at most a second, the ``on_outcome`` hook two.

    Raises:
        StreamError: On entering: no response, a status of 400 or more (with its body), or a
            response that is not a stream.
        TypeError: ``item`` is nothing that JSON can be read into, or ``client`` is no client.
        ValueError: Arguments that do not go together.
    """
    if dialect is not None and framing is not None:
        raise ValueError("a dialect has its own framing: give either it or a framing")
    if item is not None and isinstance(framing, RawBytes):
        raise ValueError("pieces of raw bytes are no items: leave the item type or the framing out")
    grammar: _Grammar[Any, Any]
    if dialect is not None:
        if item is not None:
            dialect = Structured(dialect, item)
        framing = dialect.framing
        grammar = _Grammar(framing, dialect.decoder(), dialect.assembler())
    else:
        decoder: Decoder[Any] = item_decoder(item, on_bad_item=config.on_bad_item)
        grammar = _Grammar(framing, decoder, Collector(config.max_kept_items))
    spec = RequestSpec(
        method=method,
        url=url,
        params=params,
        headers=headers,
        json=json,
        content=content,
        data=data,
        files=files,
        last_event_id=last_event_id,
        accept=accept_header(framing),
    )
    return _Opening(spec, client, grammar, config)


@attrs.frozen
class _Grammar(Generic[T, R]):
    """How to read the stream: made afresh for each."""

    framing: Framing[Any] | None
    decoder: Decoder[T]
    assembler: Assembler[T, R]


@final
class _Opening(Generic[T, R]):
    """The context manager behind `open_stream`."""

    def __init__(
        self,
        spec: RequestSpec,
        client: AsyncClient | None,
        grammar: _Grammar[T, R],
        config: StreamConfig,
    ) -> None:
        self._spec = spec
        self._client = client
        self._own_client: AsyncClient | None = None
        self._grammar = grammar
        self._config = config
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
            self._stages, self._receiver = await self._open()
        except BaseException as error:
            await self._fail(error)
            raise
        self._nursery_manager = trio.open_nursery()
        nursery = await self._nursery_manager.__aenter__()
        nursery.start_soon(self._stages.run)
        return self._receiver

    async def _open(self) -> tuple[Stages[T], StreamReceiver[T, R]]:
        config, grammar = self._config, self._grammar
        if self._client is None:
            self._client = self._own_client = own_client()
        total_end = math.inf if config.timeout is None else self._started + config.timeout
        connection = await connect(self._spec, self._client, config, deadline=total_end)
        try:
            framing = await self._accept(connection, total_end)
            parser = framing.parser(
                last_event_id=self._spec.last_event_id,
                max_line_bytes=config.max_line_bytes,
                max_event_bytes=config.max_event_bytes,
            )
            stages = Stages(
                connection,
                parser,
                grammar.decoder,
                config,
                total_end=total_end,
                reusable=self._own_client is None,
            )
            receiver = StreamReceiver(
                stages, grammar.assembler, config, self._started, trio.current_time()
            )
            if config.on_connect is not None:
                config.on_connect()
        except BaseException:
            await connection.aclose()
            raise
        return stages, receiver

    async def _accept(self, connection: Connection, total_end: float) -> Framing[Any]:
        """The framing of the response, or the error that it is not a stream."""
        response = connection.response
        chosen = self._grammar.framing
        framing = select_framing(response.content_type, chosen)
        if response.status_code >= 300 or response.status_code == 204:
            raise await refuse(connection, "the status brings no body to read", deadline=total_end)
        if framing is None:
            expected = f"expected {accept_header(chosen)}, " if chosen is not None else ""
            what = repr(response.content_type) if response.content_type else "none"
            why = f"{expected}Content-Type is {what}"
            raise await refuse(connection, why, deadline=total_end)
        try:
            connection.decode()
        except ValueError as error:
            raise await refuse(connection, str(error), deadline=total_end) from error
        return framing

    async def _fail(self, error: BaseException) -> None:
        """Opening has failed: there is an outcome all the same."""
        ending, kept = ending_of_exit(error, complete=False)
        if ending is Ending.CLOSED:
            ending = ending_of_fault(error)
        outcome: StreamOutcome[R] = StreamOutcome(
            ending=ending,
            value=self._grammar.assembler.snapshot(),
            error=kept,
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
        self._stages.leave()
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
            disconnect_error = self._stages.disconnect_error
            await self._finish(self._receiver.outcome, error, disconnect_error)
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
        outcome_error = await self._tell(outcome)
        leaving = error
        for name, raised in (("on_disconnect", disconnect_error), ("on_outcome", outcome_error)):
            if raised is not None and leaving is not None:
                leaving.add_note(f"{name} then raised {raised!r}")
            leaving = leaving or raised
        if error is None and leaving is not None:
            raise leaving

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
