"""Amazon Bedrock's InvokeModelWithResponseStream: other dialects, in an envelope."""

from __future__ import annotations

import base64
import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects import (
    AnthropicMessages,
    Message,
    MessageFinished,
    MessageItem,
    TextPart,
    ToolCall,
    UnknownEvent,
)
from trio_stream.dialects.bedrock_converse import BedrockConverse
from trio_stream.dialects.bedrock_invoke import BedrockInvoke
from trio_stream.errors import BadItemError, InBandError, StreamError, StreamTruncatedError
from trio_stream.framing import EventStreamMessage, ServerSentEvent, SSEParser
from trio_stream.testing import check_dialect
from trio_stream.testing._tampering import tamper

METRICS = {"inputTokenCount": 10, "outputTokenCount": 5, "invocationLatency": 7}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {"id": "msg_bdrk_1", "model": "claude-1", "usage": {"input_tokens": 10}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi é"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": '{"x": 1}'},
    },
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 5},
    },
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": METRICS},
]


def message(name: str, body: object) -> EventStreamMessage:
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return EventStreamMessage(dict(headers), json.dumps(body).encode())


def chunk(text: str) -> EventStreamMessage:
    data = base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()
    return message("chunk", {"bytes": data, "p": "abcdef"})


def chunks(events: Sequence[dict[str, Any]] = EVENTS) -> list[EventStreamMessage]:
    return [chunk(json.dumps(event)) for event in events]


def plain(events: Sequence[dict[str, Any]] = EVENTS) -> list[ServerSentEvent]:
    return [ServerSentEvent(data=json.dumps(event)) for event in events]


def decoded(dialect: Any, frames: Sequence[Any]) -> tuple[list[MessageItem], Message]:
    items: list[MessageItem] = []
    decoder, assembler = dialect.decoder(), dialect.assembler()
    decoder.decode(frames, items)
    decoder.close()
    for item in items:
        assembler.fold(item)
    return items, assembler.snapshot()


def failed(*frames: EventStreamMessage) -> tuple[StreamError, list[MessageItem]]:
    items: list[MessageItem] = []
    decoder = BedrockInvoke().decoder()
    with pytest.raises(StreamError) as caught:
        decoder.decode([*chunks(EVENTS[:3]), *frames], items)
    assert len(items) == 3
    return caught.value, items


def test_envelope_changes_nothing() -> None:
    """The items are those of Anthropic's own stream."""
    items, result = decoded(BedrockInvoke(), chunks())

    assert (items, result) == decoded(AnthropicMessages(), plain())
    assert result.parts == (
        TextPart("Hi é"),
        ToolCall("toolu_1", "add", {"x": 1}, '{"x": 1}'),
    )
    assert result.is_complete


def test_metrics_are_kept() -> None:
    """What Bedrock adds to the last event is an extra of the message."""
    items, result = decoded(BedrockInvoke(), chunks())

    assert items[-1] == MessageFinished({"amazon-bedrock-invocationMetrics": METRICS})
    assert result.extra == {"amazon-bedrock-invocationMetrics": METRICS}


def test_laws() -> None:
    """Batches, prefixes and the terminal event are what a dialect promises."""
    items, result = decoded(AnthropicMessages(), plain())

    check_dialect(BedrockInvoke(), chunks(), result, expected_items=items)


def test_every_cut_is_noticed() -> None:
    """Cut before the stop reason, the stream is truncated; after it, strictness decides."""
    for count in range(len(EVENTS)):
        for strict in (False, True):
            dialect = BedrockInvoke(AnthropicMessages(strict=strict))
            if count == len(EVENTS) - 1 and not strict:
                assert decoded(dialect, chunks()[:count])[1].stop_reason == "tool_use"
            else:
                with pytest.raises(StreamTruncatedError):
                    decoded(dialect, chunks()[:count])


def test_nothing_is_read_after_the_terminal_event() -> None:
    """What follows the model's last event is not read."""
    decoder = BedrockInvoke().decoder()
    items: list[MessageItem] = []
    decoder.decode([*chunks(), chunk("{broken"), message("throttlingException", {})], items)
    decoder.decode([chunk("{broken")], items)

    assert decoder.finished
    assert items == decoded(BedrockInvoke(), chunks())[0]


def test_inner_dialect_may_be_another() -> None:
    """Amazon Nova's own events are those of ConverseStream, each under its name."""
    events: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 2}}},
    ]
    dialect = BedrockInvoke(BedrockConverse(sse=True))

    assert decoded(dialect, chunks(events))[1].text == "Hi"
    check_dialect(dialect, chunks(events))


def test_dialect_is_a_value() -> None:
    """It reads AWS's framing, is complete when its inner dialect says so, and is equal by it."""
    dialect = BedrockInvoke()

    assert dialect.framing.media_types == ("application/vnd.amazon.eventstream",)
    assert dialect.completion == AnthropicMessages.completion
    assert dialect == BedrockInvoke(AnthropicMessages()) != BedrockInvoke(BedrockConverse())


def test_unknown_events_are_kept_and_counted() -> None:
    """Events beside the chunks, chunks of nothing, and what the model's dialect does not know."""
    odd = [
        message("news", {"a": 1}),
        message("chunk", {}),
        message("chunk", {"bytes": ""}),
        EventStreamMessage({}, b"\xff"),
        chunk('{"type": "news"}'),
    ]
    decoder = BedrockInvoke().decoder()
    items: list[MessageItem] = []
    decoder.decode([*chunks(EVENTS[:1]), *odd, *chunks(EVENTS[1:])], items)
    decoder.close()

    assert decoder.unknown_events == 5
    assert [item for item in items if isinstance(item, UnknownEvent)] == [
        UnknownEvent("news", '{"a": 1}'),
        UnknownEvent("chunk", "{}"),
        UnknownEvent("chunk", '{"bytes": ""}'),
        UnknownEvent("", "\ufffd"),
        UnknownEvent("news", '{"type": "news"}'),
    ]


@pytest.mark.parametrize(
    ("frame", "path"),
    [
        (EventStreamMessage({":event-type": "chunk"}, b"{"), "$"),
        (message("chunk", []), "$"),
        (message("chunk", {"bytes": 1}), "$.bytes"),
        (message("chunk", {"bytes": "%%%%"}), "$.bytes"),
        (message("chunk", {"bytes": "QUJ"}), "$.bytes"),
        (message("chunk", {"bytes": "\ud800"}), "$.bytes"),
        (chunk("{broken"), "$"),
        (chunk('{"type": "content_block_delta", "index": 7, "delta": {}}'), "$.index"),
    ],
)
def test_broken_chunks(frame: EventStreamMessage, path: str) -> None:
    """A chunk that is no event is never dropped; what came before it is handed out."""
    error, _ = failed(frame)

    assert isinstance(error, BadItemError)
    assert error.path == path


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (message("throttlingException", {"message": "no"}), 429),
        (
            EventStreamMessage(
                {":message-type": "exception", ":exception-type": "modelTimeoutException"}, b""
            ),
            408,
        ),
        (
            EventStreamMessage(
                {":message-type": "error", ":error-code": "x", ":error-message": "no"}, b""
            ),
            500,
        ),
        (chunk('{"type": "error", "error": {"type": "overloaded_error", "message": "no"}}'), 529),
    ],
)
def test_failures(frame: EventStreamMessage, status: int) -> None:
    """Bedrock's exceptions and the model's own errors are in-band errors."""
    error, _ = failed(frame)

    assert isinstance(error, InBandError)
    assert error.status_code == status


def test_hostile_chunks() -> None:
    """Whatever is in an envelope, nothing but a `StreamError` comes of it."""
    rng = random.Random(0)
    for _ in range(200):
        decoder = BedrockInvoke().decoder()
        items: list[MessageItem] = []
        for event in plain():
            each = tamper(event, rng) if rng.random() < 0.15 else event
            frame = chunk(each.data)
            if rng.random() < 0.1:
                frame.payload = tamper(
                    ServerSentEvent(data=frame.payload.decode()), rng
                ).data.encode("utf-8", "surrogatepass")
            try:
                decoder.decode([frame], items)
            except StreamError:
                break


RECORDED = sorted(
    Path(os.environ.get("TRIO_STREAM_CORPORA", "/nowhere"), "recorded").glob(
        "anthropic-messages-*.sse"
    )
)


@pytest.mark.skipif(not RECORDED, reason="TRIO_STREAM_CORPORA is not set")
@pytest.mark.parametrize("path", RECORDED[:3], ids=lambda path: path.stem)
def test_recorded_streams(path: Path) -> None:
    """A recorded stream of Claude's is the same message with and without the envelope."""
    frames = [*SSEParser().feed(path.read_bytes())]
    enveloped = [chunk(frame.data) for frame in frames if isinstance(frame, ServerSentEvent)]

    assert decoded(BedrockInvoke(), enveloped) == decoded(AnthropicMessages(), frames)
