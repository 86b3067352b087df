"""`open_stream`: what a caller can ask for, and how it goes together."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeAlias,
    TypedDict,
    TypeVar,
    Unpack,
    get_args,
    overload,
)
from urllib.parse import urlsplit

from ..config import StreamConfig
from ..connection import AsyncClient, RequestSpec
from ..dialects import Dialect, Message, MessageItem
from ..framing import Framing, RawBytes, accept_header
from ..retry import Cursor, LastEventID, Reconnect
from ._grammars import DialectGrammar, ItemGrammar
from ._opening import Opening
from ._order import Grammar, Order, RequestFactory, Restarted
from ._receiver import StreamReceiver
from ._structured import Draft, Structured, StructuredAnswer

if TYPE_CHECKING:
    from ..checkpoints import CheckpointStore
    from ._limiter import StreamLimiter

__all__ = ["Options", "StreamOptions", "open_stream"]

T = TypeVar("T")
R = TypeVar("R")

# A stream that may begin anew says so among its items, and to the type checker.
_Always: TypeAlias = Literal["always"]
_NotAlways: TypeAlias = Literal["never", "before_first_item", "resume", "event_source"]


class Options(TypedDict, total=False):
    """The arguments that `open_stream` has whatever the items are, and whenever it reconnects."""

    client: AsyncClient | None
    params: Any
    headers: Any
    json: Any
    content: Any
    data: Any
    files: Any
    last_event_id: str
    config: StreamConfig
    cursor: Cursor | None
    request_factory: RequestFactory | None
    idempotency_key: str | bool
    checkpoints: CheckpointStore | None
    checkpoint_key: str | None
    limiter: StreamLimiter | None


class StreamOptions(Options, total=False):
    """The arguments that `open_stream` has whatever the items are; it explains them."""

    reconnect: Reconnect


# The first overloads are for those that know nothing of `Restarted`: where a checker cannot tell
# which one is meant, as of ``**options: Any``, pyright takes the first.
@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _NotAlways = "never",
    dialect: Dialect[T, R],
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[T, R]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _NotAlways = "never",
    framing: Framing[T],
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[T, list[T]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _Always,
    dialect: Dialect[T, R],
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[T | Restarted, R]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _Always,
    dialect: Dialect[MessageItem, Message],
    item: type[T] | Callable[[bytes], T],
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[Draft | Restarted, StructuredAnswer[T]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _Always,
    dialect: Dialect[MessageItem, Message],
    item: Any,
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[Draft | Restarted, StructuredAnswer[Any]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _Always,
    item: type[T] | Callable[[bytes], T],
    framing: Framing[Any] | None = None,
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[T | Restarted, list[T | Restarted]]]: ...


@overload
def open_stream(
    method: str, url: str, *, reconnect: _Always, framing: Framing[T], **options: Unpack[Options]
) -> AbstractAsyncContextManager[StreamReceiver[T | Restarted, list[T | Restarted]]]: ...


@overload
def open_stream(
    method: str, url: str, *, dialect: Dialect[T, R], **options: Unpack[StreamOptions]
) -> AbstractAsyncContextManager[StreamReceiver[T, R]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _NotAlways = "never",
    dialect: Dialect[MessageItem, Message],
    item: type[T] | Callable[[bytes], T],
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[Draft, StructuredAnswer[T]]]: ...


@overload
def open_stream(
    method: str,
    url: str,
    *,
    reconnect: _NotAlways = "never",
    dialect: Dialect[MessageItem, Message],
    item: Any,
    **options: Unpack[Options],
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
            end of the body (of a GET) and, with a `Restarted` among the items, where the server
            begins anew;
            ``"event_source"``, as browsers do it. All attempts together are one stream.
        cursor: How to find the position in a stream, and to go on from it. `None`: by event IDs,
            if this is a GET without a dialect; else not at all, since what came would be another
            answer.
        request_factory: Called before each request with an `Attempt`; returns, or is awaited for,
            what is different in this one (`RequestChanges`), such as a fresh token. What it raises
            ends the stream, but a `StreamError` is judged like a failed request.
        idempotency_key: Sent with each attempt as ``Idempotency-Key``. `True`: a random one.
        checkpoints: Where the position of the last acknowledged item is kept, and found when the
            stream is opened again; it goes before ``last_event_id``. What the store raises ends
            the stream, as it is.
        checkpoint_key: Its name there. `None`: the URL, if it is absolute and has no query. That of
            a message is forgotten when the message is whole.
        limiter: Shared by streams that must not be too many. The wait for a place is not part of
            ``config.timeout``; a stream keeps its place while it waits to connect again.

    Cancellation: entering gives the request up; in the body the consumer is cancelled, and leaving
    takes at most a second, saving a position two, the ``on_outcome`` hook two. Waits between
    attempts are given up at once.

    Raises:
        StreamError: On entering: no response, a status of 400 or more (with its body), or a
            response that is not a stream. That of the last attempt, if there were several, with
            a note (``__notes__``) why there was no other.
        TypeError: ``item`` is nothing that JSON can be read into, ``client`` is no client, or a
            file is one of text.
        ValueError: Arguments that do not go together.
    """
    _check(reconnect, cursor, idempotency_key, checkpoints, limiter)
    if dialect is not None and framing is not None:
        raise ValueError("a dialect has its own framing: give either it or a framing")
    if item is not None and isinstance(framing, RawBytes):
        raise ValueError("pieces of raw bytes are no items: leave the item type or the framing out")
    grammar: Grammar[Any, Any]
    if dialect is not None:
        grammar = DialectGrammar(dialect if item is None else Structured(dialect, item))
    else:
        grammar = ItemGrammar(item, framing, config)
    if cursor is None and dialect is not None and checkpoints is not None:
        raise ValueError("a dialect has no event IDs to go on from: give a cursor, too")
    may_resume = cursor is not None or (dialect is None and method.upper() in _SAFE)
    if cursor is None and dialect is None and (may_resume or checkpoints is not None):
        cursor = _EVENT_IDS
    key = str(uuid.uuid4()) if idempotency_key is True else idempotency_key or None
    has_own_way = type(cursor) not in _BY_EVENT_ID
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
            last_event_id="" if has_own_way else last_event_id,
            idempotency_key=key,
            accept=accept_header(grammar.framing),
            follow_redirects=True if reconnect == "event_source" else None,
        ),
        start=last_event_id if has_own_way else "",
        mode=reconnect,
        cursor=cursor,
        resumes=may_resume,
        repeats=may_resume or request_factory is not None,
        request_factory=request_factory,
        tracks=reconnect in _RESUMING or checkpoints is not None,
    )
    if checkpoints is None and checkpoint_key is not None:
        raise ValueError("there is a checkpoint_key, but there are no checkpoints")
    if checkpoints is not None and checkpoint_key is None:
        checkpoint_key = _key_of(url, params, of_message=dialect is not None)
    return Opening(
        order, client, grammar, config, keeping=(checkpoints, checkpoint_key or ""), limiter=limiter
    )


def _check(
    reconnect: object, cursor: object, key: object, checkpoints: object, limiter: object
) -> None:
    """Refuse at once what would be noticed late."""
    if reconnect not in get_args(Reconnect):
        raise ValueError(f"reconnect must be one of {get_args(Reconnect)}, got {reconnect!r}")
    if not isinstance(cursor, Cursor | None):
        raise TypeError(f"cursor must be a Cursor, got {cursor!r}")
    if not isinstance(key, str | bool):
        raise TypeError(f"idempotency_key must be a str or a bool, got {key!r}")
    if checkpoints is not None and not (
        hasattr(checkpoints, "load") and hasattr(checkpoints, "save")
    ):
        raise TypeError(f"checkpoints must be a CheckpointStore, got {checkpoints!r}")
    if limiter is not None and not hasattr(limiter, "acquire"):
        raise TypeError(f"limiter must be a StreamLimiter, got {limiter!r}")


_RESUMING = frozenset({"resume", "always", "event_source"})
_EVENT_IDS = LastEventID()
_SAFE = frozenset({"GET", "HEAD"})
_BY_EVENT_ID = (LastEventID, type(None))


def _key_of(url: object, params: object, *, of_message: bool) -> str:
    """The name of a stream among checkpoints: its URL, if that tells it from all others."""
    if of_message:
        raise ValueError("give a checkpoint_key: the URL of a model names none of its answers")
    parts = urlsplit(str(url))
    if not parts.netloc or parts.query or params:
        raise ValueError(
            "give a checkpoint_key: two streams must not share a position, and this URL is not "
            "the whole address, or has a query that may be secret or change"
        )
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
