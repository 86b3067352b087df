"""The provider that `--mock` asks: a scripted server that speaks each provider's format.

The answer is always the same: some thoughts, then a text, word by word. It looks at nothing but
the path of the request.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from ...testing import Event, Head, Request, Script, Send, Step, Wait, serve
from ._conversation import MOCK_MODEL, Provider

__all__ = ["ANSWER", "THOUGHTS", "mock_provider", "script_of"]

THOUGHTS: Final = "I am asked something. I shall tell what I am."
ANSWER: Final = (
    "Hello! I am no model but a scripted server on this machine. "
    "I speak as a provider would, word by word, and have read nothing of what you wrote."
)
_INPUT_TOKENS: Final = 12
_THINKING_TOKENS: Final = 10
_OUTPUT_TOKENS: Final = 38  # thoughts included
_CREATED: Final = 1_700_000_000

# Seconds between two words.
_PACE: Final = 0.02


@asynccontextmanager
async def mock_provider(provider: Provider) -> AsyncGenerator[str]:
    """Serve the answer for as long as the block runs; give the base URL."""

    def answer(request: Request) -> Script:
        if not re.fullmatch(_PATHS[provider], request.path):
            error = {"error": {"message": f"nothing is served at {request.path}"}}
            return [Head(404, content_type="application/json"), Send(json.dumps(error).encode())]
        return script_of(provider, _PACE)

    async with serve(answer) as server:
        yield server.url + ("/v1" if provider.startswith("openai") else "")


def script_of(provider: Provider, pace: float) -> Script:
    """The answer in a provider's format.

    Args:
        provider: The provider.
        pace: Seconds between two words; 0: no waiting at all.
    """
    steps: list[Step] = []
    for step in _SCRIPTS[provider]():
        if pace:
            steps.append(Wait(pace))
        steps.append(step)
    return steps


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*", text)


# ---- Anthropic -----------------------------------------------------------------------------------


def _anthropic() -> Iterable[Step]:
    def event(kind: str, **fields: Any) -> Step:
        return Event({"type": kind, **fields}, event=kind)

    def block(index: int, start: dict[str, Any], deltas: Iterable[dict[str, Any]]) -> list[Step]:
        return [
            event("content_block_start", index=index, content_block=start),
            *[event("content_block_delta", index=index, delta=delta) for delta in deltas],
            event("content_block_stop", index=index),
        ]

    message: dict[str, Any] = {
        "id": "msg_mock",
        "type": "message",
        "role": "assistant",
        "model": MOCK_MODEL,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": _INPUT_TOKENS, "output_tokens": 1},
    }
    thoughts = [{"type": "thinking_delta", "thinking": word} for word in _words(THOUGHTS)]
    seal = {"type": "signature_delta", "signature": "bW9jaw=="}
    text = [{"type": "text_delta", "text": word} for word in _words(ANSWER)]
    return [
        event("message_start", message=message),
        *block(0, {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, seal]),
        *block(1, {"type": "text", "text": ""}, text),
        event(
            "message_delta",
            delta={"stop_reason": "end_turn", "stop_sequence": None},
            usage={"output_tokens": _OUTPUT_TOKENS},
        ),
        event("message_stop"),
    ]


# ---- OpenAI --------------------------------------------------------------------------------------


def _openai_chat() -> Iterable[Step]:
    """Chat Completions, which tells of thoughts only how many tokens they took."""

    def chunk(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> Step:
        return Event(
            {
                "id": "chatcmpl-mock",
                "object": "chat.completion.chunk",
                "created": _CREATED,
                "model": MOCK_MODEL,
                "choices": choices,
                "usage": usage,
            }
        )

    def choice(delta: dict[str, Any], finish_reason: str | None = None) -> Step:
        return chunk([{"index": 0, "delta": delta, "finish_reason": finish_reason}])

    usage = {
        "prompt_tokens": _INPUT_TOKENS,
        "completion_tokens": _OUTPUT_TOKENS,
        "total_tokens": _INPUT_TOKENS + _OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": _THINKING_TOKENS},
    }
    return [
        choice({"role": "assistant", "content": "", "refusal": None}),
        *[choice({"content": word}) for word in _words(ANSWER)],
        choice({}, "stop"),
        chunk([], usage),
        Event("[DONE]"),
    ]


def _openai_responses() -> Iterable[Step]:
    numbers = iter(range(1_000_000))

    def event(kind: str, **fields: Any) -> Step:
        return Event({"type": kind, "sequence_number": next(numbers), **fields}, event=kind)

    def response(status: str, **fields: Any) -> dict[str, Any]:
        return {
            "id": "resp_mock",
            "object": "response",
            "created_at": _CREATED,
            "status": status,
            "model": MOCK_MODEL,
            "error": None,
            "incomplete_details": None,
            "output": [],
            "usage": None,
            **fields,
        }

    summary = {"type": "summary_text", "text": THOUGHTS}
    reasoning: dict[str, Any] = {"id": "rs_mock", "type": "reasoning", "summary": []}
    text: dict[str, Any] = {"type": "output_text", "annotations": [], "text": ""}
    message: dict[str, Any] = {
        "id": "msg_mock",
        "type": "message",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    whole_text = text | {"text": ANSWER}
    output = [
        reasoning | {"summary": [summary]},
        message | {"status": "completed", "content": [whole_text]},
    ]
    usage = {
        "input_tokens": _INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": _OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": _THINKING_TOKENS},
        "total_tokens": _INPUT_TOKENS + _OUTPUT_TOKENS,
    }
    thought = {"item_id": "rs_mock", "output_index": 0, "summary_index": 0}
    said = {"item_id": "msg_mock", "output_index": 1, "content_index": 0}
    return [
        event("response.created", response=response("in_progress")),
        event("response.in_progress", response=response("in_progress")),
        event("response.output_item.added", output_index=0, item=reasoning),
        event("response.reasoning_summary_part.added", **thought, part=summary | {"text": ""}),
        *[
            event("response.reasoning_summary_text.delta", **thought, delta=word)
            for word in _words(THOUGHTS)
        ],
        event("response.reasoning_summary_text.done", **thought, text=THOUGHTS),
        event("response.reasoning_summary_part.done", **thought, part=summary),
        event("response.output_item.done", output_index=0, item=output[0]),
        event("response.output_item.added", output_index=1, item=message),
        event("response.content_part.added", **said, part=text),
        *[event("response.output_text.delta", **said, delta=word) for word in _words(ANSWER)],
        event("response.output_text.done", **said, text=ANSWER),
        event("response.content_part.done", **said, part=whole_text),
        event("response.output_item.done", output_index=1, item=output[1]),
        event("response.completed", response=response("completed", output=output, usage=usage)),
    ]


# ---- Gemini --------------------------------------------------------------------------------------


def _gemini() -> Iterable[Step]:
    def chunk(part: dict[str, Any], **candidate: Any) -> Step:
        answer: dict[str, Any] = {
            "candidates": [
                {"content": {"parts": [part], "role": "model"}, "index": 0, **candidate}
            ],
            "usageMetadata": {
                "promptTokenCount": _INPUT_TOKENS,
                "candidatesTokenCount": _OUTPUT_TOKENS - _THINKING_TOKENS,
                "thoughtsTokenCount": _THINKING_TOKENS,
                "totalTokenCount": _INPUT_TOKENS + _OUTPUT_TOKENS,
            },
            "modelVersion": MOCK_MODEL,
            "responseId": "mock",
        }
        return Send(f"data: {json.dumps(answer)}\r\n\r\n".encode())

    *words, last = _words(ANSWER)
    return [
        *[chunk({"text": word, "thought": True}) for word in _words(THOUGHTS)],
        *[chunk({"text": word}) for word in words],
        chunk({"text": last}, finishReason="STOP"),
    ]


_SCRIPTS: Final[dict[Provider, Callable[[], Iterable[Step]]]] = {
    "anthropic": _anthropic,
    "openai": _openai_chat,
    "openai-responses": _openai_responses,
    "gemini": _gemini,
}
_PATHS: Final[dict[Provider, str]] = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "gemini": r"/v1beta/.+:streamGenerateContent",
}
