"""What the servers of four providers send: answers with text, thoughts and calls, as scripts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from trio_stream.providers import ProviderRequest, anthropic, gemini, openai
from trio_stream.testing import Event, Step

Call = tuple[str, str, dict[str, Any]]
"""A call: its ID, the tool, the arguments."""

SIGNATURE = "c2lnbmVk"


@attrs.frozen
class Format:
    """One provider's format.

    Attributes:
        name: How a test names it.
        request: Makes a request, from tools and further fields.
        answer: Makes a script of one answer.
        model_turns: What of the answer goes back to the server.
        result_turns: The turns that hold results, from triples of call, text, and failure.
    """

    name: str
    request: Callable[..., ProviderRequest]
    answer: Callable[..., list[Step]]
    model_turns: Callable[..., list[dict[str, Any]]]
    result_turns: Callable[[Sequence[tuple[Call, str, bool]]], list[dict[str, Any]]]

    @property
    def field(self) -> str:
        return {"responses": "input", "gemini": "contents"}.get(self.name, "messages")


def events(*objects: dict[str, Any]) -> list[Step]:
    return [Event(each, event=each.get("type")) for each in objects]


# --- Anthropic -----------------------------------------------------------------------------------


def ask_anthropic(**options: Any) -> ProviderRequest:
    options = {"messages": "Hello", "api_key": "key", "base_url": "http://memory.test", **options}
    return anthropic.messages(model="claude", max_tokens=100, **options)


def answer_anthropic(
    *calls: Call, text: str = "", thought: str = "", stop: str = "", end: bool = True
) -> list[Step]:
    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {"id": "msg_1", "model": "claude", "role": "assistant", "usage": usage}
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    if thought:
        start = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [
            {"type": "thinking_delta", "thinking": thought},
            {"type": "signature_delta", "signature": SIGNATURE},
        ]
        blocks.append((start, deltas))
    if text:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": text}]))
    for call_id, name, arguments in calls:
        start = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(arguments)}]
        blocks.append((start, deltas))
    script = events({"type": "message_start", "message": message})
    for index, (start, deltas) in enumerate(blocks):
        script += events(
            {"type": "content_block_start", "index": index, "content_block": start},
            *({"type": "content_block_delta", "index": index, "delta": each} for each in deltas),
            {"type": "content_block_stop", "index": index},
        )
    stop = stop or ("tool_use" if calls else "end_turn")
    delta = {"stop_reason": stop}
    script += events({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}})
    return script + events({"type": "message_stop"}) if end else script


def anthropic_model_turns(*calls: Call, text: str = "", thought: str = "") -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if thought:
        content.append({"type": "thinking", "thinking": thought, "signature": SIGNATURE})
    if text:
        content.append({"type": "text", "text": text})
    content += [
        {"type": "tool_use", "id": call_id, "name": name, "input": arguments}
        for call_id, name, arguments in calls
    ]
    return [{"role": "assistant", "content": content}]


def anthropic_result_turns(results: Sequence[tuple[Call, str, bool]]) -> list[dict[str, Any]]:
    content = [
        {"type": "tool_result", "tool_use_id": call[0], "content": text}
        | ({"is_error": True} if failed else {})
        for call, text, failed in results
    ]
    return [{"role": "user", "content": content}]


# --- OpenAI, Chat Completions --------------------------------------------------------------------


def ask_chat(**options: Any) -> ProviderRequest:
    options = {"messages": "Hello", "api_key": "key", "base_url": "http://memory.test", **options}
    return openai.chat(model="gpt", **options)


def answer_chat(
    *calls: Call, text: str = "", thought: str = "", stop: str = "", end: bool = True
) -> list[Step]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if thought:
        deltas.append({"reasoning_content": thought})
    if text:
        deltas.append({"content": text})
    for index, (call_id, name, arguments) in enumerate(calls):
        function = {"name": name, "arguments": ""}
        start = {"index": index, "id": call_id, "type": "function", "function": function}
        more = {"index": index, "function": {"arguments": json.dumps(arguments)}}
        deltas += [{"tool_calls": [start]}, {"tool_calls": [more]}]
    chunk = {"id": "chat_1", "object": "chat.completion.chunk", "model": "gpt"}
    script: list[Step] = [
        Event({**chunk, "choices": [{"index": 0, "delta": delta}]}) for delta in deltas
    ]
    reason = stop or ("tool_calls" if calls else "stop")
    last = {"index": 0, "delta": {}, "finish_reason": reason}
    script.append(Event({**chunk, "choices": [last]}))
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    script.append(Event({**chunk, "choices": [], "usage": usage}))
    return [*script, Event("[DONE]")] if end else script


def chat_model_turns(*calls: Call, text: str = "", thought: str = "") -> list[dict[str, Any]]:
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if thought and calls:
        message["reasoning_content"] = thought
    if calls:
        message["tool_calls"] = [
            {
                "id": call_id,
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for call_id, name, arguments in calls
        ]
    return [message]


def chat_result_turns(results: Sequence[tuple[Call, str, bool]]) -> list[dict[str, Any]]:
    return [{"role": "tool", "tool_call_id": call[0], "content": text} for call, text, _ in results]


# --- OpenAI, Responses ---------------------------------------------------------------------------


def ask_responses(**options: Any) -> ProviderRequest:
    options = {"input": "Hello", "api_key": "key", "base_url": "http://memory.test", **options}
    return openai.responses(model="gpt", **options)


def response_items(*calls: Call, text: str = "", thought: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if thought:
        summary = [{"type": "summary_text", "text": thought}]
        seal = {"encrypted_content": SIGNATURE}
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, **seal})
    if text:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        head = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        items.append({**head, "content": content})
    for call_id, name, arguments in calls:
        named = {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": name}
        items.append({**named, "arguments": json.dumps(arguments), "status": "completed"})
    return items


def answer_responses(
    *calls: Call, text: str = "", thought: str = "", stop: str = "", end: bool = True
) -> list[Step]:
    head = {"id": "resp_1", "object": "response", "model": "gpt", "status": "in_progress"}
    script = events({"type": "response.created", "response": {**head, "output": []}})
    items = response_items(*calls, text=text, thought=thought)
    for index, item in enumerate(items):
        empty = {"summary": [], "content": [], "arguments": ""}
        start = {key: empty.get(key, value) for key, value in item.items()}
        start.pop("encrypted_content", None)
        if "status" in start:
            start["status"] = "in_progress"
        where = {"output_index": index}
        script += events({"type": "response.output_item.added", **where, "item": start})
        if "arguments" in item:
            kind = "response.function_call_arguments"
            where = {**where, "item_id": item["id"]}
            script += events(
                {"type": f"{kind}.delta", **where, "delta": item["arguments"]},
                {"type": f"{kind}.done", **where, "arguments": item["arguments"]},
            )
            where = {"output_index": index}
        script += events({"type": "response.output_item.done", **where, "item": item})
    status = "incomplete" if stop else "completed"
    usage = {"input_tokens": 10, "output_tokens": 5}
    final = {**head, "status": status, "output": items, "usage": usage}
    if stop:
        final["incomplete_details"] = {"reason": stop}
    return script + events({"type": f"response.{status}", "response": final}) if end else script


def responses_result_turns(results: Sequence[tuple[Call, str, bool]]) -> list[dict[str, Any]]:
    return [
        {"type": "function_call_output", "call_id": call[0], "output": text}
        for call, text, _ in results
    ]


# --- Gemini --------------------------------------------------------------------------------------


def ask_gemini(**options: Any) -> ProviderRequest:
    options = {"contents": "Hello", "api_key": "key", "base_url": "http://memory.test", **options}
    return gemini.generate(model="gemini", **options)


def gemini_parts(*calls: Call, text: str = "", thought: str = "") -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    if thought:
        parts.append({"text": thought, "thought": True})
    if text:
        parts.append({"text": text})
    for index, (call_id, name, arguments) in enumerate(calls):
        named = {"name": name, "args": arguments} | ({"id": call_id} if call_id else {})
        # Of parallel calls only the first is signed.
        seal = {} if index else {"thoughtSignature": SIGNATURE}
        parts.append({"functionCall": named, **seal})
    return parts


def answer_gemini(
    *calls: Call, text: str = "", thought: str = "", stop: str = "STOP", end: bool = True
) -> list[Step]:
    script: list[Step] = [
        Event({"candidates": [{"content": {"role": "model", "parts": [part]}}]})
        for part in gemini_parts(*calls, text=text, thought=thought)
    ]
    if not end:
        return script
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5}
    last = {"content": {"role": "model", "parts": []}, "finishReason": stop}
    return [*script, Event({"candidates": [last], "usageMetadata": usage})]


def gemini_model_turns(*calls: Call, text: str = "", thought: str = "") -> list[dict[str, Any]]:
    return [{"role": "model", "parts": gemini_parts(*calls, text=text, thought=thought)}]


def gemini_result_turns(results: Sequence[tuple[Call, str, bool]]) -> list[dict[str, Any]]:
    parts = [
        {
            "functionResponse": {
                **({"id": call[0]} if call[0] else {}),
                "name": call[1],
                "response": {"error" if failed else "output": text},
            }
        }
        for call, text, failed in results
    ]
    return [{"role": "user", "parts": parts}]


FORMATS = [
    Format(
        "anthropic",
        ask_anthropic,
        answer_anthropic,
        anthropic_model_turns,
        anthropic_result_turns,
    ),
    Format("chat", ask_chat, answer_chat, chat_model_turns, chat_result_turns),
    Format("responses", ask_responses, answer_responses, response_items, responses_result_turns),
    Format("gemini", ask_gemini, answer_gemini, gemini_model_turns, gemini_result_turns),
]
ANTHROPIC, CHAT, RESPONSES, GEMINI = FORMATS
