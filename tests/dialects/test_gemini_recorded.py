"""Gemini, on recorded streams, compared with a plain fold of the same JSON.

Needs the recorded streams (``TRIO_STREAM_CORPORA``).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects.gemini import Gemini
from trio_stream.dialects.items import BlockFinished, MessageItem
from trio_stream.dialects.message import (
    IncompleteToolCall,
    MediaPart,
    Message,
    ServerToolCall,
    ToolCall,
)
from trio_stream.errors import StreamTruncatedError
from trio_stream.framing import ServerSentEvent

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")
RECORDED = [
    *Path(CORPORA or "/nowhere", "recorded").glob("google-gemini-*.sse"),
    *Path(CORPORA or "/nowhere", "recorded").glob("vertex-gemini-*.sse"),
    *Path(CORPORA or "/nowhere", "recorded").glob("mirascope-router-gemini-*.sse"),
]

# A model of the first generation: a reason comes with every chunk.
REASON_WITH_EVERY_CHUNK = {"vertex-gemini-26"}

pytestmark = pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")

streams = pytest.mark.parametrize("path", sorted(RECORDED), ids=lambda path: path.stem)


def frames_of(body: bytes) -> list[ServerSentEvent]:
    parser = Gemini().framing.parser()
    return [*parser.feed(body), *parser.close()]


def decoded(frames: list[ServerSentEvent]) -> tuple[list[MessageItem], int]:
    """The items of a whole stream, and how many events were unknown."""
    items: list[MessageItem] = []
    decoder = Gemini().decoder()
    decoder.decode(frames, items)
    decoder.close()
    return items, decoder.unknown_events


def folded(items: list[MessageItem]) -> Message:
    assembler = Gemini().assembler()
    for item in items:
        assembler.fold(item)
    return assembler.snapshot()


def test_all_streams_are_there() -> None:
    """The corpora hold the streams that these tests are about."""
    assert len(RECORDED) == 12


@streams
def test_recorded_stream_is_complete(path: Path) -> None:
    """Each stream is whole, and nothing in it is unknown."""
    items, unknown_events = decoded(frames_of(path.read_bytes()))
    message = folded(items)

    assert unknown_events == 0
    assert message.is_complete
    assert message.parts or message.stop_reason == "refusal"
    assert not any(isinstance(part, IncompleteToolCall) for part in message.parts)


@streams
def test_every_cut_is_noticed(path: Path) -> None:
    """Cut before the reason, at a frame or inside one, the stream is truncated."""
    body = path.read_bytes()
    frames = frames_of(body)
    whole = folded(decoded(frames)[0])
    calls = [part for part in whole.parts if isinstance(part, ToolCall | ServerToolCall)]
    places = [0, *(len(body) * place // 40 for place in range(1, 40))]
    cuts = [frames[:count] for count in range(len(frames))]
    cuts += [frames_of(body[:place]) for place in places]

    for cut in cuts:
        items: list[MessageItem] = []
        decoder = Gemini().decoder()
        decoder.decode(cut, items)
        message = folded(items)
        if path.stem in REASON_WITH_EVERY_CHUNK and cut:
            decoder.close()
            assert message.stop_reason == "end_turn"
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
    items = decoded(frames_of(path.read_bytes()))[0]
    assembler = Gemini().assembler()
    text = ""
    for count, item in enumerate(items, 1):
        assembler.fold(item)
        message = assembler.snapshot()

        assert message == folded(items[:count])
        assert message.text.startswith(text)
        text = message.text


# --- beside a plain fold --------------------------------------------------------------------------


def plain_fold(body: bytes) -> dict[str, Any]:
    """What the chunks say in sum, read off the JSON lines without a parser or a state."""
    lines = [line for line in body.decode().splitlines() if line.startswith("data: ")]
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines]
    candidates = [each for chunk in chunks for each in chunk.get("candidates", [])]
    parts = [part for each in candidates for part in each.get("content", {}).get("parts", [])]
    reasons = [each["finishReason"] for each in candidates if "finishReason" in each]
    blocks = [chunk.get("promptFeedback", {}).get("blockReason") for chunk in chunks]
    usages = [chunk["usageMetadata"] for chunk in chunks if "usageMetadata" in chunk]
    usage = usages[-1] if usages else {}
    metadata = [each.get("citationMetadata", {}) for each in candidates]
    return {
        "text": "".join(part["text"] for part in parts if "text" in part and "thought" not in part),
        "thinking": "".join(part["text"] for part in parts if "thought" in part),
        "calls": [part["functionCall"] for part in parts if "functionCall" in part],
        "media": [part["inlineData"]["data"] for part in parts if "inlineData" in part],
        "signatures": [part["thoughtSignature"] for part in parts if "thoughtSignature" in part],
        "citations": [
            citation
            for each in metadata
            for citation in (*each.get("citationSources", []), *each.get("citations", []))
        ],
        "reason": reasons[-1] if reasons else blocks[-1],
        "model": next((chunk["modelVersion"] for chunk in chunks if "modelVersion" in chunk), ""),
        "id": next((chunk["responseId"] for chunk in chunks if "responseId" in chunk), ""),
        "input": usage.get("promptTokenCount"),
        "output": usage.get("totalTokenCount", 0) - usage.get("promptTokenCount", 0)
        if len(usage) > 1
        else None,
    }


@streams
def test_message_is_the_sum_of_the_chunks(path: Path) -> None:
    """Text, thoughts, calls, media, citations, reason and usage are what the chunks add up to."""
    body = path.read_bytes()
    sum_of_chunks = plain_fold(body)
    message = folded(decoded(frames_of(body))[0])
    raws = [getattr(part, "raw", {}) for part in message.parts]

    assert {
        "text": message.text,
        "thinking": message.thinking,
        "calls": [{"name": each.name, "args": each.input} for each in message.tool_calls],
        "media": [
            data for part in message.parts if isinstance(part, MediaPart) for data in part.data
        ],
        "signatures": [raw["thoughtSignature"] for raw in raws if "thoughtSignature" in raw],
        "citations": [
            citation for part in message.parts for citation in getattr(part, "citations", ())
        ],
        "reason": message.provider_stop_reason,
        "model": message.model,
        "id": message.id,
        "input": message.usage.input_tokens,
        "output": message.usage.output_tokens,
    } == sum_of_chunks
