"""`open_stream` under two familiar names, each with the mode that its name promises."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar, Unpack, overload

from ..config import StreamConfig
from ..connection import AsyncClient
from ..dialects import Dialect, Message, MessageItem
from ..framing import SSE, Framing, ServerSentEvent
from ..retry import Reconnect
from ._open import Options, open_stream
from ._receiver import StreamReceiver
from ._structured import Draft, StructuredAnswer

__all__ = ["event_source", "stream_with_retry"]

T = TypeVar("T")
R = TypeVar("R")


@overload
def stream_with_retry(
    method: str, url: str, *, dialect: Dialect[T, R], **options: Unpack[Options]
) -> AbstractAsyncContextManager[StreamReceiver[T, R]]: ...


@overload
def stream_with_retry(
    method: str,
    url: str,
    *,
    dialect: Dialect[MessageItem, Message],
    item: type[T] | Callable[[bytes], T],
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[Draft, StructuredAnswer[T]]]: ...


@overload
def stream_with_retry(
    method: str,
    url: str,
    *,
    item: type[T] | Callable[[bytes], T],
    framing: Framing[Any] | None = None,
    **options: Unpack[Options],
) -> AbstractAsyncContextManager[StreamReceiver[T, list[T]]]: ...


@overload
def stream_with_retry(
    method: str, url: str, *, framing: Framing[T], **options: Unpack[Options]
) -> AbstractAsyncContextManager[StreamReceiver[T, list[T]]]: ...


@overload
def stream_with_retry(
    method: str, url: str, *, reconnect: Reconnect = "resume", **options: Any
) -> AbstractAsyncContextManager[StreamReceiver[Any, Any]]: ...


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
    it has set (``retry:``; before, ``config.initial_backoff``; at most ``config.max_backoff``),
    and longer if that fails again and again. It ends for good with any status but 200, of which 204
    is the good end, with any content type but ``text/event-stream``, and with its consumer.
    Redirects are followed. Nothing is taken for a duplicate.

    More arguments are those of `open_stream`.
    """
    return open_stream(
        "GET",
        url,
        client=client,
        headers=headers,
        last_event_id=last_event_id,
        config=config,
        framing=SSE(),
        reconnect="event_source",
        **options,
    )
