"""All recorded streams, through the whole pipeline: what is whole is complete, what is cut is not.

Needs the recorded streams (``TRIO_STREAM_CORPORA``).
"""

from __future__ import annotations

import json
import os
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from trio_stream import (
    BadItemError,
    Ending,
    InBandError,
    StreamConfig,
    StreamError,
    StreamOutcome,
    open_stream,
)
from trio_stream.dialects import (
    AnthropicMessages,
    BedrockConverse,
    BlockFinished,
    CohereV2,
    Gemini,
    Message,
    MessageDialect,
    OllamaChat,
    OpenAIChat,
    OpenAIResponses,
    ServerToolCall,
    ToolCall,
)
from trio_stream.testing import End, Head, Send, Truncate, memory_client

CORPORA = Path(os.environ.get("TRIO_STREAM_CORPORA", "/nowhere"))
pytestmark = pytest.mark.skipif(not CORPORA.exists(), reason="TRIO_STREAM_CORPORA is not set")
INDEX = json.loads((CORPORA / "index.json").read_text()) if CORPORA.exists() else []

DIALECTS: dict[str, MessageDialect] = {
    "messages": AnthropicMessages(),
    "anthropic-messages": AnthropicMessages(),
    "chat": OpenAIChat(),
    "v1chat": OpenAIChat(),
    "completions": OpenAIChat(),
    "responses": OpenAIResponses(),
    "gemini": Gemini(),
    "v2chat": CohereV2(),
    "converse": BedrockConverse(sse=True),  # recorded by its payloads
    "apichat": OllamaChat(),
    "apigenerate": OllamaChat(),
}
# No dialect of ours: read as events, complete at the end of the body.
PLAIN = {"assistants", "generation", "interactions", "mcp", "predictions", "transcriptions"}
ALSO_PLAIN = {"writer-completions-1"}
# The stream itself reports a failure.
REPORTS = {"groq-chat-7", "openai-responses-249", "openrouter-chat-19"}
# A hand-made fixture whose first event lacks its last brace; the official SDK refuses it, too.
BROKEN = {"openai-responses-266"}
# Each chunk has the finish reason of a whole answer: an older server, whose cuts cannot be seen.
TOO_EARLY = {"vertex-gemini-26"}

streams = pytest.mark.parametrize("entry", INDEX, ids=lambda entry: Path(entry["file"]).stem)


def dialect_of(entry: dict[str, Any]) -> MessageDialect | None:
    return None if Path(entry["file"]).stem in ALSO_PLAIN else DIALECTS.get(entry["api"])


async def received(
    entry: dict[str, Any], body: bytes, *, whole: bool
) -> tuple[StreamOutcome[Any], list[Any]]:
    """The outcome of the stream, and what was delivered."""
    ndjson = entry["file"].endswith(".ndjson")
    head = Head(content_type="application/x-ndjson" if ndjson else "text/event-stream")
    items: list[Any] = []
    outcomes: list[StreamOutcome[Any]] = []
    config = StreamConfig(on_outcome=outcomes.append)
    async with memory_client([head, Send(body), End() if whole else Truncate()]) as (
        client,
        server,
    ):
        with suppress(StreamError):
            async with open_stream(
                "POST", server.url, client=client, dialect=dialect_of(entry), config=config
            ) as rx:
                async for item in rx:
                    items.append(item)  # noqa: PERF401 - kept when the stream fails
    return outcomes[0], items


def calls_of(message: Message) -> list[ToolCall | ServerToolCall]:
    messages = (message, *message.alternatives)
    return [
        part
        for each in messages
        for part in each.parts
        if isinstance(part, ToolCall | ServerToolCall)
    ]


@streams
async def test_recorded_stream_assembles(entry: dict[str, Any]) -> None:
    """A recorded stream is complete, and nothing in it is unknown, unless it reports a failure."""
    body = (CORPORA / "recorded" / entry["file"]).read_bytes()

    outcome, items = await received(entry, body, whole=True)

    assert len(items) == outcome.items
    assert outcome.unknown_events == 0
    stem = Path(entry["file"]).stem
    if stem in REPORTS | BROKEN:
        assert outcome.ending is Ending.FAILED
        assert isinstance(outcome.error, InBandError if stem in REPORTS else BadItemError)
        return
    assert outcome.ending is Ending.COMPLETED
    if dialect_of(entry):
        assert isinstance(outcome.value, Message)
        assert outcome.value.is_complete
    else:
        assert entry["api"] in PLAIN or stem in ALSO_PLAIN
        assert outcome.value == items


@streams
async def test_recorded_stream_that_is_cut(entry: dict[str, Any]) -> None:
    """Cut at any byte, a stream is truncated and has no call that the whole one does not have.

    Where its contract says that it was complete, it has all its parts.
    """
    body = (CORPORA / "recorded" / entry["file"]).read_bytes()
    whole, _ = await received(entry, body, whole=True)
    rng = random.Random(entry["file"])

    for place in rng.sample(range(len(body)), 4):
        outcome, items = await received(entry, body[:place], whole=False)

        if outcome.ending is Ending.FAILED:
            assert Path(entry["file"]).stem in REPORTS | BROKEN
            continue
        assert outcome.ending in (Ending.TRUNCATED, Ending.COMPLETED)
        if dialect_of(entry) is None:
            assert outcome.ending is Ending.TRUNCATED
            assert outcome.value == whole.value[: len(items)]
            continue
        calls = calls_of(whole.value)
        handed_out = [item.part for item in items if isinstance(item, BlockFinished)]
        assert all(call in calls for call in calls_of(outcome.value))
        assert all(call in calls for call in handed_out if isinstance(call, ToolCall))
        if outcome.ending is Ending.COMPLETED:
            assert outcome.value.is_complete
            if Path(entry["file"]).stem not in TOO_EARLY:
                assert outcome.value.parts == whole.value.parts
        else:
            assert not outcome.value.is_complete
            assert not outcome.value.text or whole.value.text.startswith(outcome.value.text)
