"""How a conversation goes on in OpenAI's Chat Completions API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from ..dialects import MediaPart, Message, RefusalPart, TextPart, ThinkingPart, ToolCall
from ..dialects._json import Json, JsonObject
from ._request import given
from ._turns import ToolResult, ToolSpec, Turns, arguments_of

__all__ = ["OpenAIChatTurns"]

# What is made from the fields of the call, and what says where it stood in the stream.
_CALL_FIELDS: Final = frozenset({"index", "id", "type", "function", "custom", "function_call"})


class OpenAIChatTurns(Turns):
    """How a conversation goes on in OpenAI's Chat Completions API, and in its imitations.

    An answer becomes one message, and each result becomes one. There is no mark for a failure: it
    has to be said in the text of the result.

    Thoughts go back under the name that they came by. Typed ones (OpenRouter's
    ``reasoning_details``, LiteLLM's ``thinking_blocks``, Mistral's ``thinking``) always do. Bare
    text (``reasoning_content``, ``reasoning``) goes back only with calls: while results are due,
    DeepSeek insists on it, and else its first reasoning models refuse it. Of sound, the ID goes
    back; images and citations do not.

    Source: OpenAI's API reference, "Chat Completions"; OpenRouter's "Reasoning tokens";
    DeepSeek's "Thinking mode"; Mistral's "Reasoning".
    """

    field: ClassVar[str] = "messages"

    def user_turn(self, text: str) -> JsonObject:
        """Write down what the user says."""
        return {"role": "user", "content": text}

    def model_turns(self, message: Message) -> list[JsonObject]:
        """Write down what the model said."""
        texts: list[str] = []
        pieces: list[JsonObject] = []
        fields: JsonObject = {}
        for part in message.parts:
            match part:
                case TextPart(text, finished=True) if text:
                    texts.append(text)
                    pieces.append({"type": "text", "text": text})
                case ThinkingPart(text, finished=True) if part.raw.get("type") == "thinking":
                    thought = {"type": "text", "text": text}
                    pieces.append({"type": "thinking", "thinking": [thought]})
                case ThinkingPart(finished=True):
                    _add_thoughts(part, fields, is_due=bool(message.tool_calls))
                case RefusalPart(text, finished=True):
                    fields["refusal"] = fields.get("refusal", "") + text
                case MediaPart(id=media_id, finished=True) if media_id:
                    fields["audio"] = {"id": media_id}
                case ToolCall():
                    _add_call(part, fields)
                case _:
                    pass
        content = pieces if len(pieces) > len(texts) else "".join(texts) or None
        if content is None and not fields:
            return []
        return [{"role": "assistant", "content": content, **fields}]

    def result_turns(self, results: Sequence[ToolResult]) -> list[JsonObject]:
        """Write down the results of tool calls."""
        return [
            {"role": "function", "name": result.call.name, "content": result.content}
            if _is_old(result.call)
            else {
                "role": "tool",
                **given(tool_call_id=result.call.id or None),
                "content": result.content,
            }
            for result in results
        ]

    def declaration(self, tool: ToolSpec) -> JsonObject:
        """Write down what the model is told about a tool."""
        told = {"name": tool.name, **given(description=tool.description or None)}
        if tool.is_custom:
            return {"type": "custom", "custom": told}
        return {"type": "function", "function": {**told, "parameters": tool.schema}}

    def declared_names(self, declarations: Sequence[JsonObject]) -> set[str]:
        """Return the names of the tools that are declared."""
        return super().declared_names(
            [each.get("function") or each.get("custom") or each for each in declarations]
        )


def _add_thoughts(part: ThinkingPart, fields: JsonObject, *, is_due: bool) -> None:
    typed = [name for name in ("reasoning_details", "thinking_blocks") if part.raw.get(name)]
    for name in typed:
        details: list[Json] = part.raw[name]
        fields[name] = [*fields.get(name, ()), *details]
    if is_due and not typed:
        for name in ("reasoning_content", "reasoning"):
            if name in part.raw:
                fields[name] = fields.get(name, "") + part.text


def _add_call(call: ToolCall, fields: JsonObject) -> None:
    function = {"name": call.name, "arguments": arguments_of(call)}
    if _is_old(call):
        fields["function_call"] = function
        return
    written = {key: value for key, value in call.raw.items() if key not in _CALL_FIELDS}
    written |= given(id=call.id or None)
    if call.is_custom:
        written |= {"type": "custom", "custom": {"name": call.name, "input": call.input}}
    else:
        written |= {"type": "function", "function": function}
    fields["tool_calls"] = [*fields.get("tool_calls", ()), written]


def _is_old(call: ToolCall) -> bool:
    """Whether it came as a ``function_call``, which has no ID and is answered by its name."""
    return "function_call" in call.raw and not call.id
