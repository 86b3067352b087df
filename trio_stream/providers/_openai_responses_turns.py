"""How a conversation goes on in OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..dialects import (
    IncompleteToolCall,
    MediaPart,
    Message,
    Part,
    RefusalPart,
    TextPart,
    ToolCall,
)
from ..dialects._json import JsonObject
from ._request import ProviderRequest, given
from ._turns import ToolResult, ToolSpec, Turns, arguments_of

__all__ = ["OpenAIResponsesTurns"]


class OpenAIResponsesTurns(Turns):
    """How a conversation goes on in OpenAI's Responses API.

    The items of the answer go back as they came, reasoning with its encrypted content, and after
    them one item for each result. That works whether the service stores its responses or not. If
    the request names a ``conversation``, the service has the answer in there already, and only
    the results are sent.

    There is no mark for a failure: it has to be said in the text of the result.

    Source: the API reference, "Responses"; the guides "Conversation state", "Function calling".
    """

    field: ClassVar[str] = "input"

    def answered(
        self, request: ProviderRequest, message: Message, results: Sequence[ToolResult] = ()
    ) -> ProviderRequest:
        """Append what the model said, and the results of the calls that it made."""
        body = request["json"]
        if body.get("conversation") is not None:
            # It holds what was sent before as well.
            sent: ProviderRequest = {**request, "json": {**body, self.field: []}}
            return self.extended(sent, self.result_turns(results))
        items = self.model_turns(message)
        if body.get("store") is False:
            # Reasoning that is neither here nor there: the service would look for it in vain.
            items = [
                item
                for item in items
                if item.get("type") != "reasoning" or item.get("encrypted_content")
            ]
        return self.extended(request, [*items, *self.result_turns(results)])

    def user_turn(self, text: str) -> JsonObject:
        """Write down what the user says."""
        return {"role": "user", "content": text}

    def model_turns(self, message: Message) -> list[JsonObject]:
        """Write down what the model said: the items of the answer."""
        # The parts of one item share one object.
        parts: dict[int, list[Part]] = {}
        for part in message.parts:
            parts.setdefault(id(part.raw), []).append(part)
        return [_item(each) for each in parts.values() if all(map(_is_whole, each))]

    def result_turns(self, results: Sequence[ToolResult]) -> list[JsonObject]:
        """Write down the results of tool calls."""
        return [
            {
                "type": f"{_kind(result.call)}_output",
                "call_id": result.call.id,
                "output": result.content,
            }
            for result in results
        ]

    def declaration(self, tool: ToolSpec) -> JsonObject:
        """Write down what the model is told about a tool."""
        description = given(description=tool.description or None)
        if tool.is_custom:
            return {"type": "custom", "name": tool.name, **description}
        # Where nothing is said of it the service makes the schema strict, and then an argument
        # that has a default cannot be left out.
        return {
            "type": "function",
            "name": tool.name,
            **description,
            "parameters": tool.schema,
            "strict": False,
        }


def _kind(call: ToolCall) -> str:
    kind = call.raw.get("type")
    if isinstance(kind, str):
        return kind
    return "custom_tool_call" if call.is_custom else "function_call"


def _is_whole(part: Part) -> bool:
    return not isinstance(part, IncompleteToolCall) and getattr(part, "finished", True)


def _item(parts: Sequence[Part]) -> JsonObject:
    """The item that some parts came in."""
    raw = parts[0].raw
    match parts[0]:
        case ToolCall() as call:
            return raw | _call(call)
        case TextPart() | RefusalPart() if not raw.get("content"):
            content = [each for part in parts if (each := _content(part))]
            return {"type": "message", "role": "assistant", **raw, "content": content}
        case MediaPart(uri=uri, data=data) if raw.get("type") == "image_generation_call":
            return raw | {"result": uri or "".join(data)}
        case _:
            return raw


def _call(call: ToolCall) -> JsonObject:
    kind = _kind(call)
    written: JsonObject = {"type": kind, "call_id": call.id}
    if kind == "function_call":
        written |= {"name": call.name, "arguments": arguments_of(call)}
    elif kind == "custom_tool_call":
        written |= {"name": call.name, "input": call.input}
    return written


def _content(part: Part) -> JsonObject | None:
    match part:
        case TextPart(text, citations):
            return {"type": "output_text", "text": text, "annotations": [*citations]}
        case RefusalPart(text):
            return {"type": "refusal", "refusal": text}
        case _:
            return None
