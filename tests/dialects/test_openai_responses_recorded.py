"""OpenAI's Responses API, on recorded streams, compared with what the official SDK makes of them.

Needs the recorded streams (``TRIO_STREAM_CORPORA``); the comparison needs `openai` besides.
"""

from __future__ import annotations

import json
import os
import random
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest

from trio_stream.dialects import (
    BlockFinished,
    IncompleteToolCall,
    MediaPart,
    Message,
    MessageItem,
    Part,
    ServerToolCall,
    ServerToolResult,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)
from trio_stream.dialects.openai_responses import OpenAIResponses
from trio_stream.errors import BadItemError, InBandError, StreamTruncatedError
from trio_stream.framing import ServerSentEvent, SSEParser

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")
RECORDED = Path(CORPORA or "/nowhere", "recorded")

# They end otherwise, and each says why in its own test.
FAILED = "openai-responses-249"
BROKEN = "openai-responses-266"


def read_streams() -> dict[str, bytes]:
    """The streams by name. One file holds the four answers of a conversation: they are four."""
    streams: dict[str, bytes] = {}
    for path in sorted(RECORDED.glob("*-responses-*.sse")):
        start = b"event: response.created\n"
        answers = path.read_bytes().split(start) if path.stem == "azure-responses-5" else []
        for number, answer in enumerate(answers[1:]):
            streams[f"{path.stem}.{number}"] = start + answer
        if not answers:
            streams[path.stem] = path.read_bytes()
    return streams


STREAMS = read_streams()
WHOLE = sorted(set(STREAMS) - {FAILED, BROKEN})

pytestmark = pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")

streams = pytest.mark.parametrize("name", WHOLE)

Frames = tuple[ServerSentEvent, ...]


@cache
def frames_of(name: str) -> Frames:
    parser = SSEParser()
    frames = [*parser.feed(STREAMS[name]), *parser.close()]
    return tuple(frame for frame in frames if isinstance(frame, ServerSentEvent))


def decoded(frames: Frames) -> tuple[list[MessageItem], int]:
    """The items of a whole stream, and how many events were unknown."""
    items: list[MessageItem] = []
    decoder = OpenAIResponses().decoder()
    decoder.decode(frames, items)
    assert decoder.finished
    decoder.close()
    return items, decoder.unknown_events


def folded(items: list[MessageItem]) -> Message:
    assembler = OpenAIResponses().assembler()
    for item in items:
        assembler.fold(item)
    return assembler.snapshot()


def answers_to_give(parts: list[Part]) -> list[Part]:
    return [part for part in parts if isinstance(part, ToolCall | ServerToolCall)]


def test_all_streams_are_there() -> None:
    """The corpora hold the streams that these tests are about."""
    assert len(STREAMS) == 34


@streams
def test_recorded_stream_is_complete(name: str) -> None:
    """Each stream is whole, and nothing in it is unknown."""
    items, unknown_events = decoded(frames_of(name))
    message = folded(items)

    assert unknown_events == 0
    assert message.is_complete
    assert message.id
    assert message.model
    assert message.parts
    assert message.usage.input_tokens
    assert not any(isinstance(part, IncompleteToolCall) for part in message.parts)
    assert len([item for item in items if isinstance(item, BlockFinished)]) == len(message.parts)


@streams
def test_every_cut_is_noticed(name: str) -> None:
    """Cut anywhere, the stream is truncated, and has no call that the whole one does not have."""
    frames = frames_of(name)
    last = next(n for n, frame in enumerate(frames) if is_terminal(frame))
    calls = answers_to_give(list(folded(decoded(frames)[0]).parts))
    cuts = range(last + 1)
    if len(cuts) > 100:
        cuts = sorted({*random.Random(0).sample(cuts, 40), *cuts[-20:]})  # type: ignore[assignment]

    for count in cuts:
        items: list[MessageItem] = []
        decoder = OpenAIResponses().decoder()
        decoder.decode(frames[:count], items)
        with pytest.raises(StreamTruncatedError):
            decoder.close()
        message = folded(items)
        assert message.stop_reason == "incomplete"
        finished = [item.part for item in items if isinstance(item, BlockFinished)]
        assert all(part in calls for part in answers_to_give([*message.parts, *finished]))


def is_terminal(frame: ServerSentEvent) -> bool:
    data = json.loads(frame.data)
    return data["type"] in OpenAIResponses.completion.terminal_markers


@streams
def test_snapshots_grow_consistently(name: str) -> None:
    """A finished part is what its deltas amount to, and the same parts make the same message."""
    items = decoded(frames_of(name))[0]
    assembler = OpenAIResponses().assembler()
    for count, item in enumerate(items, 1):
        before = assembler.snapshot() if isinstance(item, BlockFinished) else None
        assembler.fold(item)
        if before is not None and isinstance(item, BlockFinished):
            assert assembler.snapshot() == folded(items[:count])
            if name != SHORTENED and not isinstance(item.part, ServerToolCall):
                assert says(before.parts[item.index]) == says(item.part)


# Somebody shortened the deltas of this one: the ``done`` events have the whole text.
SHORTENED = "openai-responses-260"


def says(part: Part) -> str | None:
    match part:
        case TextPart() | ThinkingPart():
            return part.text
        case ToolCall() | IncompleteToolCall():
            return part.arguments
        case _:
            return None


def test_contradiction_is_settled() -> None:
    """Where the finished item contradicts the deltas, the message has what the item says."""
    message = folded(decoded(frames_of(SHORTENED))[0])

    assert message.text.startswith("The command ran successfully in the container.")


@streams
@pytest.mark.parametrize(
    "lost", [".delta", ".done", "_part.added", "output_item.added", "output_item.done"]
)
def test_events_may_be_lost(name: str, lost: str) -> None:
    """Without some kind of events, the message has the same parts: what is left tells them."""
    frames = [frame for frame in frames_of(name) if frame.data.startswith("{")]
    kept = [frame for frame in frames if not json.loads(frame.data)["type"].endswith(lost)]
    message = folded(decoded(tuple(kept))[0])

    assert same(message) == same(folded(decoded(tuple(frames))[0]))


@streams
def test_terminal_event_is_enough(name: str) -> None:
    """The terminal event alone tells the whole message."""
    whole = folded(decoded(frames_of(name))[0])
    terminal = next(frame for frame in frames_of(name) if is_terminal(frame))
    message = folded(decoded((terminal,))[0])

    assert same(message) == same(whole)
    assert message.stop_reason == whole.stop_reason
    assert message.usage == whole.usage


def same(message: Message) -> list[str]:
    """The parts, but for what the servers themselves change when they say it again.

    The same thoughts are encrypted anew in each event. And the result of a server's tool, which
    comes with the end of its item, comes last if that was lost.
    """
    parts = [
        attrs.evolve(p, signature="") if isinstance(p, ThinkingPart) else p for p in message.parts
    ]
    return sorted(repr(part) for part in parts)


# --- streams that do not end well ---------------------------------------------------------------


def test_failure_is_raised() -> None:
    """An ``error`` event is raised with the status that it amounts to; nothing more is read."""
    with pytest.raises(InBandError, match="You exceeded your current quota") as caught:
        decoded(frames_of(FAILED))

    assert caught.value.kind == "insufficient_quota"
    assert caught.value.status_code == 429


def test_broken_stream_is_noticed() -> None:
    """A stream whose first and last events lack a brace is broken, to the SDK as to us."""
    with pytest.raises(BadItemError, match="not JSON"):
        decoded(frames_of(BROKEN))
    with pytest.raises(json.JSONDecodeError):
        sdk_terminal(BROKEN)


# --- beside the official SDK --------------------------------------------------------------------

# What the SDK's accumulator refuses, and we do not. Each was read by other programs.
REFUSED_BY_SDK = {
    # Content is numbered from 1, where the second content is the first of the message.
    "bedrock-responses-1": "list index out of range",
    # A background response that waited begins with ``response.queued``.
    "openai-responses-189": "Expected to have received `response.created`",
    # Copilot gives the response a new ID in each event.
    "openai-responses-241": "Lifecycle response identity changed",
    # It has no final response for one that ended with ``response.incomplete``.
    "openai-responses-33": "Didn't receive a `response.completed` event",
}


def sdk_client(data: bytes) -> Any:
    openai = pytest.importorskip("openai")
    httpx2 = pytest.importorskip("httpx2")

    def answer(_request: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="none", http_client=http_client, max_retries=0)


def sdk_accumulated(name: str) -> Any:
    """What the SDK accumulates from the same bytes."""
    with sdk_client(STREAMS[name]).responses.stream(model="m", input="?") as stream:
        return stream.get_final_response()


def sdk_terminal(name: str) -> Any:
    """The response in the terminal event, as the SDK reads it."""
    with sdk_client(STREAMS[name]).responses.create(model="m", input="?", stream=True) as stream:
        return list(stream)[-1].response


@streams
def test_message_is_that_of_the_sdk(name: str) -> None:
    """Text, thoughts, calls, usage and status are those that the official SDK accumulates."""
    pytest.importorskip("openai")
    if name in REFUSED_BY_SDK:
        with pytest.raises((RuntimeError, IndexError), match=REFUSED_BY_SDK[name]):
            sdk_accumulated(name)
        theirs = sdk_terminal(name)
    else:
        theirs = sdk_accumulated(name)
    ours = folded(decoded(frames_of(name))[0])

    assert theirs.id == ours.extra.get("id", ours.id)
    assert theirs.model == ours.model
    assert theirs.status == ours.extra["status"]
    assert theirs.output_text == ours.text
    usage, details = theirs.usage, theirs.usage.input_tokens_details
    written = getattr(details, "cache_write_tokens", None)
    assert details.cached_tokens == ours.usage.cache_read_tokens
    assert written == ours.usage.cache_write_tokens
    total = ours.usage.input_tokens + ours.usage.cache_read_tokens + (written or 0)  # type: ignore[operator]
    assert usage.input_tokens == total
    assert usage.output_tokens == ours.usage.output_tokens
    assert [as_ours(item.to_dict()) for item in theirs.output] == as_items(ours)


def as_items(message: Message) -> list[dict[str, Any]]:
    """The output that our parts stand for."""
    return [as_item(part) for part in message.parts if not is_second(part)]


def is_second(part: Part) -> bool:
    """Whether it is a result that came in the item of its call."""
    return isinstance(part, ServerToolResult) and part.type.endswith("_call")


def as_item(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            content = {"text": part.text, "annotations": list(part.citations)}
            return {"type": "message", "content": [content]}
        case ThinkingPart():
            return {"type": "reasoning", "text": part.text, "sealed": bool(part.signature)}
        case ToolCall(is_custom=True):
            call = {"call_id": part.id, "name": part.name, "input": part.input}
            return {"type": "custom_tool_call", **call}
        case ToolCall() if part.raw["type"] == "function_call":
            call = {"call_id": part.id, "name": part.name, "arguments": part.arguments}
            return {"type": "function_call", **call}
        case MediaPart():
            return part.raw | {"result": part.data[0]}
        case UnknownPart() | ToolCall() | ServerToolCall() | ServerToolResult():
            return part.raw
        case _:
            raise AssertionError(part)


def as_ours(item: dict[str, Any]) -> dict[str, Any]:
    """An item of the SDK without what is not compared: IDs, states, the seal of thoughts."""
    match item["type"]:
        case "message":
            contents = [{key: c[key] for key in ("text", "annotations")} for c in item["content"]]
            return {"type": "message", "content": contents}
        case "reasoning":
            sections = [*item["summary"], *item.get("content", ())]
            text = "\n\n".join(section["text"] for section in sections)
            sealed = bool(item.get("encrypted_content"))
            return {"type": "reasoning", "text": text, "sealed": sealed}
        case "function_call":
            return {key: item[key] for key in ("type", "call_id", "name", "arguments")}
        case "custom_tool_call":
            return {key: item[key] for key in ("type", "call_id", "name", "input")}
        case _:
            return item
