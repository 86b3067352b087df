"""OpenAI's two APIs, Chat Completions and Responses, and whatever speaks one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..dialects._json import Json
from ..dialects.openai_chat import OpenAIChat
from ..dialects.openai_responses import OpenAIResponses
from ._openai_chat_turns import OpenAIChatTurns
from ._openai_responses_turns import OpenAIResponsesTurns
from ._request import ProviderRequest, build_headers, build_url, from_environment, given
from ._turns import ToolDeclaration, Turns, turns_for

__all__ = ["OpenAIChatTurns", "OpenAIResponsesTurns", "chat", "responses"]

_BASE_URL: Final = "https://api.openai.com/v1"

_CHAT_TURNS: Final = OpenAIChatTurns()
_RESPONSES_TURNS: Final = OpenAIResponsesTurns()


def chat(
    *,
    model: str,
    messages: str | Sequence[Mapping[str, Json]],
    system: str | None = None,
    tools: Sequence[ToolDeclaration] | None = None,
    include_usage: bool = True,
    api_key: str | None = None,
    base_url: str | None = None,
    headers: Mapping[str, str] | None = None,
    **body: Json,
) -> ProviderRequest:
    """Make a request to the Chat Completions API of OpenAI, or of another that speaks it.

    ::

        openai.chat(model="...", messages="Hello")
        openai.chat(model="...", messages="Hello", base_url="https://openrouter.ai/api/v1",
                    api_key=os.environ["OPENROUTER_API_KEY"])
        openai.chat(model="...", messages="Hello", base_url="http://localhost:11434/v1",
                    api_key="")

    Args:
        model: The model.
        messages: The conversation; a string is one message of the user.
        system: The system prompt: becomes the first message.
        tools: The tools that the model may call.
        include_usage: Whether to ask for the usage (``stream_options``), which is not sent
            otherwise. A few imitators refuse a field that they do not know.
        api_key: The key; ``""`` for none. `None`: ``OPENAI_API_KEY`` of the environment, now.
        base_url: Where the service is, with the version. `None`: ``OPENAI_BASE_URL`` of the
            environment, else OpenAI's own. The key goes wherever that is.
        headers: Further headers. Azure takes its key as ``api-key``, too.
        body: Further fields of the body, as they are; they are the server's to judge.

    Raises:
        ValueError: There is no key, and it is OpenAI's own service that wants one.
    """
    base_url = base_url or from_environment("OPENAI_BASE_URL") or _BASE_URL
    turns = _CHAT_TURNS.turns(messages)
    if system is not None:
        turns = [{"role": "system", "content": system}, *turns]
    return ProviderRequest(
        method="POST",
        url=build_url(base_url, "/chat/completions"),
        headers=_headers(headers, api_key, base_url),
        json={
            "model": model,
            "messages": turns,
            **given(tools=_CHAT_TURNS.declare(tools) if tools else None),
            "stream": True,
            **({"stream_options": {"include_usage": True}} if include_usage else {}),
            **body,
        },
        dialect=OpenAIChat(),
    )


def responses(
    *,
    model: str,
    input: str | Sequence[Mapping[str, Json]],  # noqa: A002 - the field is called so
    system: str | None = None,
    tools: Sequence[ToolDeclaration] | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    headers: Mapping[str, str] | None = None,
    **body: Json,
) -> ProviderRequest:
    """Make a request to the Responses API of OpenAI, or of another that speaks it.

    ::

        openai.responses(model="...", input="Hello")

    Args:
        model: The model.
        input: The conversation; a string is one message of the user.
        system: The system prompt: becomes the ``instructions``.
        tools: The tools that the model may call.
        api_key: The key; ``""`` for none. `None`: ``OPENAI_API_KEY`` of the environment, now.
        base_url: Where the service is, with the version. `None`: ``OPENAI_BASE_URL`` of the
            environment, else OpenAI's own. The key goes wherever that is.
        headers: Further headers.
        body: Further fields of the body, as they are; they are the server's to judge.

    Raises:
        ValueError: There is no key, and it is OpenAI's own service that wants one.
    """
    base_url = base_url or from_environment("OPENAI_BASE_URL") or _BASE_URL
    return ProviderRequest(
        method="POST",
        url=build_url(base_url, "/responses"),
        headers=_headers(headers, api_key, base_url),
        json={
            "model": model,
            **given(instructions=system, tools=_RESPONSES_TURNS.declare(tools) if tools else None),
            "input": _RESPONSES_TURNS.turns(input),
            "stream": True,
            **body,
        },
        dialect=OpenAIResponses(),
    )


def _headers(extra: Mapping[str, str] | None, key: str | None, base_url: str) -> dict[str, str]:
    return build_headers(
        extra,
        {},
        key=key,
        key_header="authorization",
        variables=("OPENAI_API_KEY",),
        required=base_url == _BASE_URL,
    )


@turns_for.register(OpenAIChat)
def _(_dialect: OpenAIChat) -> Turns:
    return _CHAT_TURNS


@turns_for.register(OpenAIResponses)
def _(_dialect: OpenAIResponses) -> Turns:
    return _RESPONSES_TURNS
