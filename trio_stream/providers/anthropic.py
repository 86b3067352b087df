"""Anthropic's Messages API, and whatever speaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from ..dialects import (
    AnthropicMessages,
    Message,
    Part,
    RedactedThinkingPart,
    ServerToolCall,
    ServerToolResult,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)
from ..dialects._json import Json, JsonObject
from ._request import (
    ProviderRequest,
    build_headers,
    build_url,
    changed,
    from_environment,
    given,
)
from ._turns import ToolDeclaration, ToolResult, ToolSpec, Turns, turns_for

__all__ = ["AnthropicTurns", "messages"]

_BASE_URL: Final = "https://api.anthropic.com"


def messages(
    *,
    model: str,
    messages: str | Sequence[Mapping[str, Json]],
    max_tokens: int,
    system: str | Sequence[Mapping[str, Json]] | None = None,
    tools: Sequence[ToolDeclaration] | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    version: str = "2023-06-01",
    headers: Mapping[str, str] | None = None,
    **body: Json,
) -> ProviderRequest:
    """Make a request to Anthropic's Messages API.

    ::

        request = anthropic.messages(model="...", max_tokens=1024, messages="Hello")
        async with open_stream(**request) as rx:
            ...

    Args:
        model: The model.
        messages: The conversation; a string is one message of the user.
        max_tokens: How long the answer may get.
        system: The system prompt.
        tools: The tools that the model may call.
        api_key: The key; ``""`` for none. `None`: ``ANTHROPIC_API_KEY`` of the environment, now.
        base_url: Where the service is. `None`: ``ANTHROPIC_BASE_URL`` of the environment, else
            Anthropic's own. The key goes wherever that is.
        version: The version of the API (``anthropic-version``).
        headers: Further headers, such as ``anthropic-beta``.
        body: Further fields of the body, as they are; they are the server's to judge.

    Raises:
        ValueError: There is no key, and it is Anthropic's own service that wants one.
    """
    base_url = base_url or from_environment("ANTHROPIC_BASE_URL") or _BASE_URL
    return ProviderRequest(
        method="POST",
        url=build_url(base_url, "/v1/messages"),
        headers=build_headers(
            headers,
            {"anthropic-version": version},
            key=api_key,
            key_header="x-api-key",
            variables=("ANTHROPIC_API_KEY",),
            required=base_url == _BASE_URL,
        ),
        json={
            "model": model,
            "max_tokens": max_tokens,
            **given(system=system, tools=_TURNS.declare(tools) if tools else None),
            "messages": _TURNS.turns(messages),
            "stream": True,
            **body,
        },
        dialect=AnthropicMessages(),
    )


class AnthropicTurns(Turns):
    """How a conversation goes on in Anthropic's Messages API.

    All results of one message go back in one message of the user. Thoughts go back as they came,
    but only with their signature. Blocks of unknown kinds go back if they came whole.

    Source: the API reference, "Messages", "Tool use", "Extended thinking".
    """

    field: ClassVar[str] = "messages"

    def answered(
        self, request: ProviderRequest, message: Message, results: Sequence[ToolResult] = ()
    ) -> ProviderRequest:
        """Append what the model said, and the results of the calls that it made.

        If the provider runs programs of the model in a container, the next request names it.
        """
        container: Json = message.extra.get("container")
        if type(container) is dict and "id" in container:
            named: JsonObject = {"id": container["id"]}
            asked_for: Json = request["json"].get("container")
            if type(asked_for) is dict:
                request = changed(request, container=asked_for | named)
            else:
                request = changed(request, container=named["id"])
        return super().answered(request, message, results)

    def user_turn(self, text: str) -> JsonObject:
        """Write down what the user says."""
        return {"role": "user", "content": text}

    def model_turns(self, message: Message) -> list[JsonObject]:
        """Write down what the model said."""
        content = [block for part in message.parts if (block := _block(part)) is not None]
        return [{"role": "assistant", "content": content}] if content else []

    def result_turns(self, results: Sequence[ToolResult]) -> list[JsonObject]:
        """Write down the results of tool calls."""
        content: list[JsonObject] = [
            {
                "type": "tool_result",
                "tool_use_id": result.call.id,
                "content": result.content,
                **({"is_error": True} if result.is_error else {}),
            }
            for result in results
        ]
        return [{"role": "user", "content": content}] if content else []

    def declaration(self, tool: ToolSpec) -> JsonObject:
        """Write down what the model is told about a tool."""
        return {
            "name": tool.name,
            **given(description=tool.description or None),
            "input_schema": tool.schema,
        }


def _block(part: Part) -> JsonObject | None:
    """The content block of a part; `None` if it cannot be sent back."""
    match part:
        case TextPart(text, citations, finished=True) if text:
            # The API refuses a text without a character.
            cited = given(citations=[*citations] or None)
            return {**part.raw, "type": "text", "text": text, **cited}
        case ThinkingPart(text, signature, finished=True) if signature:
            return {**part.raw, "type": "thinking", "thinking": text, "signature": signature}
        case RedactedThinkingPart(data):
            return {**part.raw, "type": "redacted_thinking", "data": data}
        case ToolCall(id_, name, input_):
            return {**part.raw, "type": "tool_use", "id": id_, "name": name, "input": input_}
        case ServerToolCall(input=input_):
            return {**part.raw, "input": input_}
        case ServerToolResult():
            return part.raw
        case UnknownPart("compaction", raw, (delta,), finished=True):
            # All of its content comes in one delta.
            return {**raw, **delta, "type": "compaction"}
        case UnknownPart(raw=raw, deltas=(), finished=True):
            return raw
        case _:
            return None


_TURNS: Final = AnthropicTurns()


@turns_for.register(AnthropicMessages)
def _(_dialect: AnthropicMessages) -> Turns:
    return _TURNS
