"""Words to write OpenAI-like chat streams with, for the tests of their dialect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from trio_stream.dialects import BlockFinished, Message, MessageItem, ToolCall
from trio_stream.dialects.openai_chat import OpenAIChat
from trio_stream.errors import StreamError
from trio_stream.framing import Comment, ServerSentEvent, UnframedText

Chunk = dict[str, Any]
Frame = ServerSentEvent | Comment | UnframedText

DONE = ServerSentEvent("message", "[DONE]")


def frame(chunk: Chunk) -> ServerSentEvent:
    return ServerSentEvent("message", json.dumps(chunk))


def chunk(*choices: Chunk, **fields: Any) -> Chunk:
    """A chunk with these choices."""
    head = {"id": "c_1", "object": "chat.completion.chunk", "created": 7, "model": "gpt-1"}
    return head | {"choices": list(choices)} | fields


def choice(index: int = 0, reason: str | None = None, **delta: Any) -> Chunk:
    return {"index": index, "delta": delta, "finish_reason": reason}


def says(**delta: Any) -> Chunk:
    """A chunk that adds this to the only answer."""
    return chunk(choice(**delta))


def stops(reason: str | None = "stop", **delta: Any) -> Chunk:
    """A chunk that adds this to the only answer and ends it."""
    return chunk(choice(reason=reason, **delta))


def calls(*elements: Chunk) -> Chunk:
    """A chunk with these deltas of tool calls."""
    return says(tool_calls=list(elements))


def call(
    index: int | None = 0,
    arguments: Any = None,
    call_id: str | None = None,
    name: str | None = None,
) -> Chunk:
    """A delta of a tool call; what is `None` is left out."""
    element: Chunk = {} if index is None else {"index": index}
    function = {"name": name, "arguments": arguments}
    if call_id is not None:
        element |= {"id": call_id, "type": "function"}
    return element | {"function": {k: v for k, v in function.items() if v is not None}}


class Run:
    """A stream, decoded frame by frame and then closed, and its message."""

    def __init__(self, stream: Sequence[Frame], *, strict: bool = False) -> None:
        dialect = OpenAIChat(strict=strict)
        self.decoder = dialect.decoder()
        self.assembler = dialect.assembler()
        self.items: list[MessageItem] = []
        self.error: StreamError | None = None
        try:
            for each in stream:
                self.decoder.decode([each], self.items)
            self.decoder.close()
        except StreamError as exc:
            self.error = exc
        for item in self.items:
            self.assembler.fold(item)

    @property
    def message(self) -> Message:
        return self.assembler.snapshot()

    @property
    def made(self) -> list[tuple[str, str, Any]]:
        """The calls that were handed out, in the order in which they were."""
        finished = [item.part for item in self.items if isinstance(item, BlockFinished)]
        return [(part.id, part.name, part.input) for part in finished if isinstance(part, ToolCall)]


def run(*stream: Chunk | Frame, strict: bool = False) -> Run:
    frames = [frame(each) if isinstance(each, dict) else each for each in stream]
    return Run(frames, strict=strict)


def whole(*stream: Chunk | Frame, reason: str | None = "stop") -> Run:
    """Run a stream with this end; it must be a good one."""
    result = run(*stream, stops(reason), DONE)
    assert result.error is None, result.error
    assert result.decoder.finished
    assert result.assembler.complete
    return result
