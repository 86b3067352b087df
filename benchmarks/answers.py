"""Answers of language models as event streams: so many words, then a tool call."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

__all__ = ["anthropic_answer", "openai_chat_answer", "openai_responses_answer", "text_of"]


def _words(count: int) -> list[str]:
    rng = random.Random(count)
    return [
        rng.choice([" the", " stream", " of", " tokens", " ends", ",", "\n"]) for _ in range(count)
    ]


def _fragments(words: list[str]) -> list[str]:
    """The arguments of a call, with one field for each three words, in pieces of 4 characters."""
    arguments = json.dumps(
        {"notes": [{"id": n, "text": word} for n, word in enumerate(words[::3])]}
    )
    return [arguments[start : start + 4] for start in range(0, len(arguments), 4)]


def _events(events: Iterable[dict[str, Any]], *, named: bool = True) -> bytes:
    name = "event: {}\n" if named else ""
    return "".join(
        f"{name.format(event.get('type'))}data: {json.dumps(event)}\n\n" for event in events
    ).encode()


def text_of(count: int) -> str:
    """The text of an answer of so many words."""
    return "".join(_words(count))


def anthropic_answer(count: int, *, with_tools: bool = True) -> bytes:
    """The stream of an Anthropic message."""
    words = _words(count)

    def delta(index: int, **fields: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": fields}

    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 1},
    }
    text = {"type": "text", "text": ""}
    call = {"type": "tool_use", "id": "call_1", "name": "note", "input": {}}
    calls = [
        {"type": "content_block_start", "index": 1, "content_block": call},
        *(delta(1, type="input_json_delta", partial_json=each) for each in _fragments(words)),
        {"type": "content_block_stop", "index": 1},
    ]
    return _events(
        [
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": text},
            *(delta(0, type="text_delta", text=word) for word in words),
            {"type": "content_block_stop", "index": 0},
            *(calls if with_tools else ()),
            {
                "type": "message_delta",
                "delta": {
                    "stop_reason": "tool_use" if with_tools else "end_turn",
                    "stop_sequence": None,
                },
                "usage": {"output_tokens": 3 * count},
            },
            {"type": "message_stop"},
        ]
    )


def openai_chat_answer(count: int, *, with_tools: bool = True) -> bytes:
    """The stream of a chat completion."""
    words = _words(count)

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [choice],
        }

    def call(arguments: str, **fields: Any) -> dict[str, Any]:
        function = {"arguments": arguments, **fields.pop("function", {})}
        return chunk({"tool_calls": [{"index": 0, **fields, "function": function}]})

    calls = [
        call("", id="call_1", type="function", function={"name": "note"}),
        *(call(each) for each in _fragments(words)),
    ]
    return (
        _events(
            [
                chunk({"role": "assistant", "content": ""}),
                *(chunk({"content": word}) for word in words),
                *(calls if with_tools else ()),
                chunk({}, "tool_calls" if with_tools else "stop"),
            ],
            named=False,
        )
        + b"data: [DONE]\n\n"
    )


def openai_responses_answer(count: int) -> bytes:
    """The stream of a response."""
    words = _words(count)
    text, arguments = "".join(words), "".join(_fragments(words))
    part = {"type": "output_text", "text": text, "annotations": []}
    said = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    call = {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "note",
        "arguments": arguments,
        "status": "completed",
    }

    def response(**fields: Any) -> dict[str, Any]:
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "m",
            "status": "in_progress",
            "output": [],
            "tools": [],
            "tool_choice": "auto",
            "parallel_tool_calls": True,
            **fields,
        }

    def item(output: int, kind: str, **fields: Any) -> dict[str, Any]:
        name = "msg_1" if output == 0 else "fc_1"
        return {"type": f"response.{kind}", "item_id": name, "output_index": output, **fields}

    def started(output: int, whole: dict[str, Any], **fields: Any) -> dict[str, Any]:
        opened = {**whole, "status": "in_progress", **fields}
        return {"type": "response.output_item.added", "output_index": output, "item": opened}

    def done(output: int, whole: dict[str, Any]) -> dict[str, Any]:
        return {"type": "response.output_item.done", "output_index": output, "item": whole}

    usage = {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 3 * count,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 9 + 3 * count,
    }
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response()},
        started(0, said, content=[]),
        item(0, "content_part.added", content_index=0, part={**part, "text": ""}),
        *(item(0, "output_text.delta", content_index=0, delta=word, logprobs=[]) for word in words),
        item(0, "output_text.done", content_index=0, text=text, logprobs=[]),
        item(0, "content_part.done", content_index=0, part=part),
        done(0, said),
        started(1, call, arguments=""),
        *(item(1, "function_call_arguments.delta", delta=each) for each in _fragments(words)),
        item(1, "function_call_arguments.done", arguments=arguments),
        done(1, call),
        {
            "type": "response.completed",
            "response": response(status="completed", output=[said, call], usage=usage),
        },
    ]
    return _events([{**event, "sequence_number": n} for n, event in enumerate(events)])
