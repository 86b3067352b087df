"""OpenAI-like chat streams, on recorded streams, compared with what the official SDK makes of them.

Needs the recorded streams (``TRIO_STREAM_CORPORA``); the comparison needs `openai` besides.
"""

from __future__ import annotations

import json
import os
import random
import warnings
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects import (
    BlockFinished,
    IncompleteToolCall,
    Message,
    MessageItem,
    ServerToolCall,
    TextPart,
    ThinkingPart,
    ToolCall,
)
from trio_stream.dialects.openai_chat import OpenAIChat
from trio_stream.errors import InBandError, StreamTruncatedError

CORPORA = Path(os.environ.get("TRIO_STREAM_CORPORA", "/nowhere"))
pytestmark = pytest.mark.skipif(not CORPORA.exists(), reason="TRIO_STREAM_CORPORA is not set")
INDEX = json.loads((CORPORA / "index.json").read_text()) if CORPORA.exists() else []

# Its chunks have no choices, no reason and no end: it is no stream of this kind.
FOREIGN = "writer-completions-1"
CHAT = sorted(each["file"] for each in INDEX if each["api"] in {"chat", "v1chat"})
RECORDED = sorted(
    [each["file"] for each in INDEX if each["api"] == "completions" and FOREIGN not in each["file"]]
    + CHAT
)

# The stream itself reports a failure: the status that it amounts to.
FAILED = {"groq-chat-7": 400, "openrouter-chat-19": 400}
# They end without the terminal marker, or lack the blank line behind it (WHATWG HTML 9.2.6).
WITHOUT_MARKER = {
    "anthropic-openai-compat-chat-1",
    "gpustack-chat-1",
    "perplexity-chat-2",
    "writer-v1chat-2",
    "writer-v1chat-3",
    "writer-v1chat-5",
}
# They end with the marker, and say nowhere why.
WITHOUT_REASON = {"snowflake-chat-1", "snowflake-chat-2"}
# Two answers, one after the other, in one file.
TWO_IN_ONE = {"cerebras-chat-1"}

streams = pytest.mark.parametrize("file", RECORDED, ids=lambda file: Path(file).stem)
chats = pytest.mark.parametrize("file", CHAT, ids=lambda file: Path(file).stem)


def frames_of(file: str) -> list[Any]:
    parser = OpenAIChat().framing.parser()
    return [*parser.feed((CORPORA / "recorded" / file).read_bytes()), *parser.close()]


class Decoded:
    """What was made of the first frames of a stream."""

    def __init__(self, frames: list[Any], *, strict: bool = False) -> None:
        dialect = OpenAIChat(strict=strict)
        self.decoder = dialect.decoder()
        self.assembler = dialect.assembler()
        self.items: list[MessageItem] = []
        self.error: Exception | None = None
        try:
            self.decoder.decode(frames, self.items)
            self.decoder.close()
        except (InBandError, StreamTruncatedError) as exc:
            self.error = exc
        for item in self.items:
            self.assembler.fold(item)
        self.message: Message = self.assembler.snapshot()

    @property
    def calls(self) -> list[ToolCall | ServerToolCall]:
        """All calls, those that were handed out and those in the message."""
        finished = [item.part for item in self.items if isinstance(item, BlockFinished)]
        parts = [part for each in self.answers for part in each.parts]
        return [part for part in finished + parts if isinstance(part, ToolCall | ServerToolCall)]

    @property
    def answers(self) -> tuple[Message, ...]:
        return self.message, *self.message.alternatives


def test_all_streams_are_there() -> None:
    """The corpora hold the streams that these tests are about."""
    assert len(RECORDED) == 47
    assert len(CHAT) == 43


@streams
def test_recorded_stream_is_complete(file: str) -> None:
    """Each stream is whole and nothing in it is unknown, unless it reports a failure."""
    name = Path(file).stem
    decoded = Decoded(frames_of(file))
    message = decoded.message

    assert decoded.decoder.unknown_events == 0
    assert message.parts
    if name in FAILED:
        assert isinstance(decoded.error, InBandError)
        assert decoded.error.status_code == FAILED[name]
        return
    assert decoded.error is None
    assert decoded.decoder.finished == (name not in WITHOUT_MARKER)
    for each in decoded.answers:
        assert each.is_complete
        assert (each.stop_reason == "other") == (name in WITHOUT_REASON)
        assert not any(isinstance(part, IncompleteToolCall) for part in each.parts)
    strict = Decoded(frames_of(file), strict=True)
    assert (strict.error is None) == (name not in WITHOUT_MARKER | WITHOUT_REASON)


@streams
def test_every_cut_is_noticed(file: str) -> None:
    """Cut before the last reason, a stream is truncated; cut anywhere, it has no half call."""
    name = Path(file).stem
    frames = frames_of(file)
    whole = Decoded(frames)
    answers = len(whole.answers)
    cuts = set(range(len(frames)))
    if len(frames) > 60:
        cuts = {*random.Random(file).sample(range(len(frames)), 30), *list(cuts)[-20:]}

    for count in sorted(cuts):
        cut = Decoded(frames[:count])
        texts = [getattr(frame, "data", "") for frame in frames[:count]]
        reasons = sum('"finish_reason":"' in text for text in texts)
        if isinstance(cut.error, InBandError):
            assert name in FAILED
        elif cut.error is None:
            assert reasons >= answers
            assert cut.message.is_complete
            assert cut.message.parts == whole.message.parts or name in TWO_IN_ONE
        else:
            assert not cut.message.is_complete
            assert not cut.assembler.complete
            assert reasons < answers or name in TWO_IN_ONE
        assert all(call in whole.calls for call in cut.calls)
        assert whole.message.text.startswith(cut.message.text)


@streams
def test_snapshots_grow_consistently(file: str) -> None:
    """After each item, the text has only grown, and in the end it is that of all deltas."""
    decoded = Decoded(frames_of(file))
    assembler = OpenAIChat().assembler()
    text = thinking = ""
    message = assembler.snapshot()
    rng = random.Random(file)
    for item in decoded.items:
        assembler.fold(item)
        if rng.random() < 0.1 or item is decoded.items[-1]:
            message = assembler.snapshot()
            assert message.text.startswith(text)
            assert message.thinking.startswith(thinking)
            text, thinking = message.text, message.thinking
    assert message == decoded.message
    assert not any(
        isinstance(part, TextPart | ThinkingPart) and not part.text for part in message.parts
    )


# --- beside the official SDK --------------------------------------------------------------------

# What of the SDK's differs from ours, and why. The fault is theirs in all cases.
DIFFERENCES: dict[str, set[str]] = {
    # A call with index 1 and none with index 0: IndexError.
    "anthropic-openai-compat-chat-1": {"all"},
    # A call without index: TypeError.
    "mistral-chat-5": {"all"},
    # A call with a null name: AssertionError.
    "writer-v1chat-3": {"all"},
    # Chunks without ``object``: AssertionError.
    "moonshot-chat-1": {"all"},
    # Two calls under one index become one: ID, name and arguments are glued.
    "cerebras-chat-1": {"calls"},
    # ``x_groq`` is not read.
    "groq-chat-3": {"usage"},
    # The last chunk, whose ``object`` is ``chat.completion.done``, is not read.
    "perplexity-chat-2": {"reason", "usage"},
    "perplexity-chat-5": {"reason"},
}


def sdk_completion(data: bytes) -> Any:
    """What the SDK accumulates from the same bytes."""
    openai = pytest.importorskip("openai")
    httpx2 = pytest.importorskip("httpx2")

    def answer(_request: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it says about its own types is not our business
        http_client = httpx2.Client(transport=httpx2.MockTransport(answer))
        client = openai.OpenAI(api_key="none", http_client=http_client, max_retries=0)
        question = [{"role": "user", "content": "?"}]
        with client.chat.completions.stream(model="m", messages=question) as stream:
            try:
                return stream.get_final_completion()
            except openai.LengthFinishReasonError as exc:
                return exc.completion  # it refuses to parse what it has accumulated


def without_nulls(value: Any) -> Any:
    """Absent and null are the same to us."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return value


def compared(message: Message, theirs: Any, theirs_choice: Any) -> dict[str, tuple[Any, Any]]:
    """What the two say, ours first, in the SDK's words."""
    reply = theirs_choice.message
    calls = [(each.id, each.name, each.arguments) for each in message.tool_calls]
    their_calls = [
        (each.id, each.function.name, each.function.arguments) for each in reply.tool_calls or ()
    ]
    usage = theirs.usage.to_dict() if theirs.usage else {}
    return {
        "id": (message.id, theirs.id),
        "model": (message.model, theirs.model),
        "text": (message.text, reply.content or ""),
        "refusal": (message.refusal, reply.refusal or ""),
        "calls": (calls, their_calls),
        "reason": (message.provider_stop_reason, theirs_choice.finish_reason),
        "usage": (without_nulls(message.usage.raw), without_nulls(usage)),
    }


@chats
def test_message_is_that_of_the_sdk(file: str) -> None:
    """Text, refusal, calls, reason and usage are those of the SDK, but for the known faults."""
    openai = pytest.importorskip("openai")
    name = Path(file).stem
    ours = Decoded(frames_of(file))
    known = DIFFERENCES.get(name, set())
    data = (CORPORA / "recorded" / file).read_bytes()
    if name in FAILED or "all" in known:
        faults = openai.APIError if name in FAILED else (IndexError, TypeError, AssertionError)
        with pytest.raises(faults):
            sdk_completion(data)
        return
    theirs = sdk_completion(data)

    for message, their_choice in zip(ours.answers, theirs.choices, strict=True):
        pairs = compared(message, theirs, their_choice)
        assert {each for each, (our, their) in pairs.items() if our != their} == known
