"""What is sent: the request of each turn, in the provider's format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias, final
from urllib.parse import urlsplit

import attrs

from ...dialects import Message, TextPart
from ...providers import ProviderRequest, anthropic, gemini, openai, turns_for

__all__ = ["MOCK_MODEL", "Ask", "Conversation", "Provider", "as_text", "make_request"]

Provider: TypeAlias = Literal["anthropic", "openai", "openai-responses", "gemini"]

MOCK_MODEL: Final = "scripted-model"

# Anthropic's API wants a limit. This one leaves room for thoughts and a long answer.
_MAX_TOKENS: Final = 8192


@attrs.frozen(kw_only=True)
class Ask:
    """What goes into each request, in words that all providers share.

    Attributes:
        provider: Whose format it is.
        model: The model.
        system: The system prompt, if there is one.
        max_tokens: How long the answer may get; `None`: as the provider likes.
        thinking: Whether the model is asked to show its thoughts.
        body: Fields of the body that the user has written; they count more than ours.
        base_url: Where the service is; `None`: as the environment says.
        api_key: The key; `None`: that of the environment.
    """

    provider: Provider
    model: str
    system: str | None = None
    max_tokens: int | None = None
    thinking: bool = False
    body: dict[str, Any] = attrs.field(factory=dict[str, Any])
    base_url: str | None = None
    api_key: str | None = attrs.field(default=None, repr=False)


def make_request(ask: Ask, prompt: str) -> ProviderRequest:
    """Make the request for the first prompt of a conversation.

    Raises:
        ValueError: There is no key, or the base URL is none.
    """
    request = _REQUESTS[ask.provider](ask, prompt)
    request["json"] |= ask.body
    return request


def _anthropic(ask: Ask, prompt: str) -> ProviderRequest:
    more: dict[str, Any] = {}
    if ask.thinking:
        more["thinking"] = {"type": "adaptive", "display": "summarized"}
    return anthropic.messages(
        model=ask.model,
        messages=prompt,
        max_tokens=ask.max_tokens or _MAX_TOKENS,
        system=ask.system,
        api_key=ask.api_key,
        base_url=ask.base_url,
        **more,
    )


def _openai_chat(ask: Ask, prompt: str) -> ProviderRequest:
    request = openai.chat(
        model=ask.model,
        messages=prompt,
        system=ask.system,
        api_key=ask.api_key,
        base_url=ask.base_url,
    )
    if ask.max_tokens is not None:
        # OpenAI's newer models refuse the old name; most imitators know no other.
        is_openai = urlsplit(request["url"]).hostname == "api.openai.com"
        name = "max_completion_tokens" if is_openai else "max_tokens"
        request["json"][name] = ask.max_tokens
    return request


def _openai_responses(ask: Ask, prompt: str) -> ProviderRequest:
    more: dict[str, Any] = {}
    if ask.max_tokens is not None:
        more["max_output_tokens"] = ask.max_tokens
    if ask.thinking:
        more["reasoning"] = {"summary": "auto"}
    return openai.responses(
        model=ask.model,
        input=prompt,
        system=ask.system,
        api_key=ask.api_key,
        base_url=ask.base_url,
        **more,
    )


def _gemini(ask: Ask, prompt: str) -> ProviderRequest:
    config: dict[str, Any] = {}
    if ask.max_tokens is not None:
        config["maxOutputTokens"] = ask.max_tokens
    if ask.thinking:
        config["thinkingConfig"] = {"includeThoughts": True}
    more: dict[str, Any] = {"generationConfig": config} if config else {}
    return gemini.generate(
        model=ask.model,
        contents=prompt,
        system=ask.system,
        api_key=ask.api_key,
        base_url=ask.base_url,
        **more,
    )


_REQUESTS: Final[dict[Provider, Callable[[Ask, str], ProviderRequest]]] = {
    "anthropic": _anthropic,
    "openai": _openai_chat,
    "openai-responses": _openai_responses,
    "gemini": _gemini,
}


@final
class Conversation:
    """The turns so far, as the request that they have come to."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._so_far: ProviderRequest | None = None

    def ask(self, prompt: str) -> ProviderRequest:
        """Make the request that asks this next. It is forgotten if there is no `answered`."""
        prompt = as_text(prompt)
        if self._so_far is None:
            return make_request(self._ask, prompt)
        return turns_for(self._so_far["dialect"]).asked(self._so_far, prompt)

    def answered(self, request: ProviderRequest, message: Message) -> None:
        """Keep a turn, if the model has said anything.

        Of an answer that broke off, the text is kept: it is what the user has read. So it is with
        one that calls tools, for nobody here has the results, which the next request would need.
        """
        if not message.text.strip():
            return
        if message.tool_calls or not message.is_complete:
            message = attrs.evolve(message, parts=(TextPart(message.text),))
        self._so_far = turns_for(request["dialect"]).answered(request, message)


def as_text(typed: str) -> str:
    """What was typed, as text that can be sent: bytes that are no UTF-8 are replaced."""
    return typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
