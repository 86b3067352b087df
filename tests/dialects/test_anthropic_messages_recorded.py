"""Anthropic's Messages API, on recorded streams, compared with what the official SDK makes of them.

Needs the recorded streams (``TRIO_STREAM_CORPORA``); the comparison needs `anthropic` besides.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects import (
    AnthropicMessages,
    BlockFinished,
    IncompleteToolCall,
    Message,
    MessageItem,
    RedactedThinkingPart,
    ServerToolCall,
    ServerToolResult,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)
from trio_stream.errors import StreamTruncatedError
from trio_stream.framing import Comment, ServerSentEvent, SSEParser

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")
RECORDED = [
    *Path(CORPORA or "/nowhere", "recorded").glob("anthropic-messages-*.sse"),
    *Path(CORPORA or "/nowhere", "recorded").glob("vertex-anthropic-messages-*.sse"),
    *Path(CORPORA or "/nowhere", "recorded").glob("mirascope-router-messages-*.sse"),
]

# Two fixtures lack the last blank line, so their ``message_stop`` is no event (WHATWG HTML 9.2.6).
WITHOUT_END = {"anthropic-messages-231", "anthropic-messages-233"}

pytestmark = pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")

streams = pytest.mark.parametrize("path", sorted(RECORDED), ids=lambda path: path.stem)


def frames_of(path: Path) -> list[ServerSentEvent | Comment]:
    parser = SSEParser()
    return [*parser.feed(path.read_bytes()), *parser.close()]


def decoded(frames: list[ServerSentEvent | Comment]) -> tuple[list[MessageItem], bool, int]:
    """The items, whether the terminal event came, and how many events were unknown."""
    items: list[MessageItem] = []
    decoder = AnthropicMessages().decoder()
    decoder.decode(frames, items)
    finished = decoder.finished
    decoder.close()
    return items, finished, decoder.unknown_events


def folded(items: list[MessageItem]) -> Message:
    assembler = AnthropicMessages().assembler()
    for item in items:
        assembler.fold(item)
    return assembler.snapshot()


def test_all_streams_are_there() -> None:
    """The corpora hold the streams that these tests are about."""
    assert len(RECORDED) == 12


@streams
def test_recorded_stream_is_complete(path: Path) -> None:
    """Each stream is whole, and nothing in it is unknown."""
    items, finished, unknown_events = decoded(frames_of(path))
    message = folded(items)

    assert finished == (path.stem not in WITHOUT_END)
    assert unknown_events == 0
    assert message.is_complete
    assert message.id
    assert message.parts
    assert not any(isinstance(part, IncompleteToolCall) for part in message.parts)


@streams
def test_every_cut_is_noticed(path: Path) -> None:
    """Cut before the stop reason, the stream is truncated; cut anywhere, it has no half call."""
    frames = frames_of(path)
    whole = folded(decoded(frames)[0])
    calls = [part for part in whole.parts if isinstance(part, ToolCall | ServerToolCall)]

    for count in range(len(frames)):
        items: list[MessageItem] = []
        decoder = AnthropicMessages().decoder()
        decoder.decode(frames[:count], items)
        message = folded(items)
        stopped = any('"message_delta"' in frame.data for frame in frames[:count])  # type: ignore[union-attr]
        if stopped:
            decoder.close()
            assert message == whole or not decoder.finished
        else:
            with pytest.raises(StreamTruncatedError):
                decoder.close()
            assert message.stop_reason == "incomplete"
        finished = [item.part for item in items if isinstance(item, BlockFinished)]
        for part in (*message.parts, *finished):
            assert not isinstance(part, ToolCall | ServerToolCall) or part in calls


@streams
def test_snapshots_grow_consistently(path: Path) -> None:
    """After each item, the snapshot is that of a fresh assembler, and the text only grows."""
    items = decoded(frames_of(path))[0]
    assembler = AnthropicMessages().assembler()
    text = ""
    for count, item in enumerate(items, 1):
        assembler.fold(item)
        message = assembler.snapshot()

        assert message == folded(items[:count])
        assert message.text.startswith(text)
        text = message.text


# --- beside the official SDK --------------------------------------------------------------------


def sdk_message(data: bytes) -> Any:
    """What the SDK accumulates from the same bytes (`beta`: it knows all the blocks)."""
    anthropic = pytest.importorskip("anthropic")
    httpx2 = pytest.importorskip("httpx2")

    def answer(_request: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says about models is not our business
        http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
        client = anthropic.Anthropic(api_key="none", http_client=http_client, max_retries=0)
        question = [{"role": "user", "content": "?"}]
        with client.beta.messages.stream(model="m", max_tokens=1, messages=question) as stream:
            return stream.get_final_message()


def as_sdk_block(part: Any) -> dict[str, Any]:
    """A part as the SDK has it, without what only one of the two keeps."""
    match part:
        case TextPart():
            # The SDK has `None` for no citations, whatever the stream had.
            return {"type": "text", "text": part.text, "citations": list(part.citations) or None}
        case ThinkingPart():
            return {"type": "thinking", "thinking": part.text, "signature": part.signature}
        case RedactedThinkingPart():
            return {"type": "redacted_thinking", "data": part.data}
        case ToolCall() | ServerToolCall():
            call = {"id": part.id, "name": part.name, "input": part.input}
            return {"type": part.raw["type"], **call}
        case ServerToolResult():
            return {"type": part.type, "tool_use_id": part.call_id, "content": part.content}
        case UnknownPart():
            # The SDK folds the deltas of a compaction into its fields.
            block = dict(part.raw)
            for delta in part.deltas:
                block |= {key: value for key, value in delta.items() if key != "type"}
            return block
        case _:
            raise AssertionError(part)


@streams
def test_message_is_that_of_the_sdk(path: Path) -> None:
    """Parts, arguments, reason and usage are those that the official SDK accumulates."""
    theirs = sdk_message(path.read_bytes())
    ours = folded(decoded(frames_of(path))[0])

    assert ours.id == theirs.id
    assert ours.model == theirs.model
    assert ours.role == theirs.role
    assert ours.provider_stop_reason == theirs.stop_reason
    assert ours.stop_sequence == theirs.stop_sequence
    assert ours.usage.input_tokens == theirs.usage.input_tokens
    assert ours.usage.output_tokens == theirs.usage.output_tokens
    assert ours.usage.cache_read_tokens == theirs.usage.cache_read_input_tokens
    assert ours.usage.cache_write_tokens == theirs.usage.cache_creation_input_tokens
    for part, block in zip(ours.parts, theirs.content, strict=True):
        expected = block.to_dict()
        block_of_ours = as_sdk_block(part)
        for field, value in block_of_ours.items():
            assert value == expected.get(field)
