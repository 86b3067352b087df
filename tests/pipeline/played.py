"""A dialect that plays messages: each event holds the number of an item, or of an error."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs

from tests.pipeline.worlds import MEMORY
from trio_stream.config import StreamConfig
from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    Completion,
    IncompleteToolCall,
    MessageAssembler,
    MessageDelta,
    MessageDialect,
    MessageFinished,
    MessageItem,
    MessageStarted,
    StopReason,
    TextDelta,
    TextPart,
    ToolCall,
    ToolInputDelta,
)
from trio_stream.errors import StreamTruncatedError
from trio_stream.framing import ServerSentEvent
from trio_stream.pipeline import StreamReceiver, open_stream
from trio_stream.testing import Event, Step, assert_no_leaks

WORLD = MEMORY[0]


@attrs.frozen
class Played(MessageDialect):
    """The dialect of ``items``."""

    items: Sequence[MessageItem | Exception]
    completion = Completion(("MessageFinished",), also="a stop reason, while no block is open")

    def decoder(self) -> PlayedDecoder:
        return PlayedDecoder(self)


class PlayedDecoder:
    skipped_items = unknown_events = 0

    def __init__(self, dialect: Played) -> None:
        self._dialect = dialect
        self._assembler = MessageAssembler(strict=dialect.strict)
        self.finished = False

    def decode(self, frames: Sequence[ServerSentEvent], out: list[MessageItem]) -> None:
        for frame in frames:
            if self.finished:
                return
            item = self._dialect.items[int(frame.data)]
            if isinstance(item, Exception):
                raise item
            self._assembler.fold(item)
            out.append(item)
            self.finished = isinstance(item, MessageFinished)

    def close(self) -> None:
        if not (self.finished or self._assembler.complete):
            raise StreamTruncatedError("no end")


def frames(items: Sequence[Any]) -> list[ServerSentEvent]:
    return [ServerSentEvent(data=str(number)) for number in range(len(items))]


def script(items: Sequence[Any]) -> list[Step]:
    """The script of items, with steps among them that stay what they are."""
    steps = iter(range(len(items)))
    return [each if isinstance(each, Step) else Event(str(next(steps))) for each in items]


@asynccontextmanager
async def playing(
    *items: MessageItem | Exception | Step, config: StreamConfig | None = None, **options: Any
) -> AsyncGenerator[StreamReceiver[Any, Any]]:
    """A stream of items, over memory, that leaves nothing behind."""
    dialect = Played([each for each in items if not isinstance(each, Step)])
    async with assert_no_leaks(), WORLD.serve(script(items)) as (client, server):
        async with open_stream(
            "GET",
            server.url,
            client=client,
            dialect=dialect,
            config=config or StreamConfig(),
            **options,
        ) as rx:
            yield rx
        assert client._transport._pool._requests == []


# ---- parts of a script ---------------------------------------------------------------------------

START = MessageStarted("msg_1", "a-model")


def text(index: int, *pieces: str, choice: int = 0) -> list[MessageItem]:
    return [
        BlockStarted(index, TextPart(finished=False), choice),
        *[TextDelta(index, piece) for piece in pieces],
        BlockFinished(index, TextPart("".join(pieces))),
    ]


def call(index: int, arguments: str, value: Any, *, choice: int = 0) -> list[MessageItem]:
    """A call whose arguments come in two pieces."""
    name = f"call_{index}"
    half = len(arguments) // 2
    return [
        BlockStarted(index, IncompleteToolCall(name, "tool"), choice),
        ToolInputDelta(index, arguments[:half]),
        ToolInputDelta(index, arguments[half:]),
        BlockFinished(index, ToolCall(name, "tool", value, arguments)),
    ]


def stop(reason: StopReason = "end_turn", choice: int = 0) -> list[MessageItem]:
    return [MessageDelta(reason, choice=choice), MessageFinished()]
