"""How programs use the package: for the type checkers (`python3 dev.py types`), and never run.

Each line of it stands in some user's program. If a type of ours grows wider, it fails here first.
"""

from __future__ import annotations

from typing import Any, assert_type

import attrs

from trio_stream import (
    Ending,
    Restarted,
    ServerSentEvent,
    StreamError,
    StreamReceiver,
    event_source,
    open_stream,
    stream_with_retry,
)
from trio_stream.dialects import AnthropicMessages, Message, MessageItem
from trio_stream.framing import NDJSON, SSE, Comment, RawBytes, SSEParser

URL = "https://example.org/events"


@attrs.define
class Tick:
    """An item."""

    price: float


async def events() -> None:
    """Events are events where the framing is said; otherwise the server says what they are."""
    async with event_source(URL) as rx:
        assert_type(rx, StreamReceiver[ServerSentEvent, list[ServerSentEvent]])
        async for event in rx:
            assert_type(event.data, str)
        assert_type(rx.outcome.value, list[ServerSentEvent])
    async with open_stream("GET", URL, framing=SSE()) as rx:
        assert_type(await rx.result(), list[ServerSentEvent])
    async with open_stream("GET", URL) as anything:
        assert_type(await anything.receive(), Any)


async def items() -> None:
    """An item type is the type of the items; other framings have frames of their own."""
    async with open_stream("GET", URL, item=Tick, framing=NDJSON()) as ticks:
        assert_type(await ticks.result(), list[Tick])
    async with open_stream("GET", URL, framing=RawBytes()) as chunks:
        assert_type(await chunks.receive(), bytes)
    async with open_stream("GET", URL, framing=SSE(comments=True)) as frames:
        frame = await frames.receive()
        assert_type("ping" if isinstance(frame, Comment) else frame.data, str)


async def messages() -> None:
    """A dialect says what its items build."""
    async with open_stream("POST", URL, dialect=AnthropicMessages()) as rx:
        assert_type(rx, StreamReceiver[MessageItem, Message])
        assert_type(await rx.result(), Message)


async def feed() -> None:
    """Where a stream may begin anew, its items say so."""
    async with open_stream("GET", URL, framing=SSE(), reconnect="always") as rx:
        async for event in rx:
            assert_type(event, ServerSentEvent | Restarted)
            if isinstance(event, Restarted):
                continue
            assert_type(event.id, str)
    async with open_stream("POST", URL, dialect=AnthropicMessages(), reconnect="always") as rx2:
        assert_type(rx2, StreamReceiver[MessageItem | Restarted, Message])
    async with open_stream("GET", URL, item=Tick, reconnect="always") as ticks:
        assert_type(await ticks.receive(), Tick | Restarted)
    async with stream_with_retry("GET", URL, item=Tick) as resumed:
        assert_type(await resumed.receive(), Tick)


async def forwarded(**options: Any) -> None:
    """Arguments that nobody knows make no `Restarted` of the items."""
    async with open_stream(**options) as rx:
        assert_type(await rx.receive(), Any)


async def endings() -> None:
    """An error that was caught has an outcome."""
    try:
        await events()
    except StreamError as error:
        assert_type(error.outcome.ending, Ending)
        assert_type(error.outcome.items, int)


def parsing(body: bytes) -> None:
    """A parser of events hands out events, and comments if it is asked for them."""
    parser = SSEParser()
    for event in parser.feed(body):
        assert_type(event.data, str)
    for frame in SSEParser(comments=True).feed(body):
        assert_type(frame, ServerSentEvent | Comment)
    again: SSEParser = parser  # without a parameter, of events
    again.close()
