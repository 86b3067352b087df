"""Requests to providers: URL, headers, key, body."""

from __future__ import annotations

import copy
import json
import pprint
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.tools.streams import FORMATS, Format
from trio_stream import open_stream
from trio_stream.dialects import AnthropicMessages
from trio_stream.dialects.gemini import Gemini
from trio_stream.dialects.openai_chat import OpenAIChat
from trio_stream.dialects.openai_responses import OpenAIResponses
from trio_stream.providers import ProviderRequest, Secret, anthropic, gemini, openai
from trio_stream.testing import memory_client

VARIABLES = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_GEMINI_BASE_URL",
]
KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def ask_anthropic(**options: Any) -> ProviderRequest:
    return anthropic.messages(model="m", max_tokens=5, messages="Hi", **options)


def ask_chat(**options: Any) -> ProviderRequest:
    return openai.chat(model="m", messages="Hi", **options)


def ask_responses(**options: Any) -> ProviderRequest:
    return openai.responses(model="m", input="Hi", **options)


def ask_gemini(**options: Any) -> ProviderRequest:
    return gemini.generate(model="m", contents="Hi", **options)


@attrs.frozen
class Provider:
    ask: Callable[..., ProviderRequest]
    url: str
    key_header: str
    key: str
    variables: tuple[str, ...]
    base_url_variable: str
    path: str


OPENAI = ("authorization", f"Bearer {KEY}", ("OPENAI_API_KEY",), "OPENAI_BASE_URL")
PROVIDERS = {
    "anthropic": Provider(
        ask_anthropic,
        "https://api.anthropic.com/v1/messages",
        "x-api-key",
        KEY,
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_BASE_URL",
        "/v1/messages",
    ),
    "chat": Provider(
        ask_chat, "https://api.openai.com/v1/chat/completions", *OPENAI, "/chat/completions"
    ),
    "responses": Provider(
        ask_responses, "https://api.openai.com/v1/responses", *OPENAI, "/responses"
    ),
    "gemini": Provider(
        ask_gemini,
        "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse",
        "x-goog-api-key",
        KEY,
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        "GOOGLE_GEMINI_BASE_URL",
        "/v1beta/models/m:streamGenerateContent",
    ),
}
each_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)


def test_anthropic_request() -> None:
    """A request to Anthropic, whole."""
    assert anthropic.messages(
        model="m",
        max_tokens=5,
        messages=[{"role": "user", "content": "Hi"}],
        system="Be brief.",
        tools=[{"type": "web_search_20250305", "name": "web_search"}],
        api_key=KEY,
        version="2099-01-01",
        headers={"anthropic-beta": "x"},
        temperature=0.5,
        top_k=None,
    ) == {
        "method": "POST",
        "url": "https://api.anthropic.com/v1/messages",
        "headers": {"anthropic-version": "2099-01-01", "anthropic-beta": "x", "x-api-key": KEY},
        "json": {
            "model": "m",
            "max_tokens": 5,
            "system": "Be brief.",
            "tools": [{"type": "web_search_20250305", "name": "web_search"}],
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "temperature": 0.5,
            "top_k": None,
        },
        "dialect": AnthropicMessages(),
    }


def test_chat_request() -> None:
    """A request to a chat API, whole."""
    assert openai.chat(model="m", messages="Hi", system="Be brief.", api_key=KEY, n=2) == {
        "method": "POST",
        "url": "https://api.openai.com/v1/chat/completions",
        "headers": {"authorization": f"Bearer {KEY}"},
        "json": {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "n": 2,
        },
        "dialect": OpenAIChat(),
    }


def test_usage_of_a_chat() -> None:
    """The usage is asked for, unless told otherwise."""
    assert "stream_options" not in ask_chat(api_key=KEY, include_usage=False)["json"]
    mine = {"include_usage": True, "include_obfuscation": False}
    assert ask_chat(api_key=KEY, stream_options=mine)["json"]["stream_options"] == mine


def test_responses_request() -> None:
    """A request to the Responses API, whole."""
    assert openai.responses(
        model="m", input="Hi", system="Be brief.", api_key=KEY, store=False
    ) == {
        "method": "POST",
        "url": "https://api.openai.com/v1/responses",
        "headers": {"authorization": f"Bearer {KEY}"},
        "json": {
            "model": "m",
            "instructions": "Be brief.",
            "input": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "store": False,
        },
        "dialect": OpenAIResponses(),
    }


def test_gemini_request() -> None:
    """A request to Gemini, whole."""
    assert gemini.generate(
        model="m",
        contents="Hi",
        system="Be brief.",
        tools=[{"googleSearch": {}}],
        api_key=KEY,
        generationConfig={"temperature": 0},
    ) == {
        "method": "POST",
        "url": PROVIDERS["gemini"].url,
        "headers": {"x-goog-api-key": KEY},
        "json": {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "tools": [{"googleSearch": {}}],
            "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"temperature": 0},
        },
        "dialect": Gemini(),
    }


def test_gemini_on_vertex() -> None:
    """A model that is a path is taken as it is, and a token may be given as a header."""
    model = "projects/p/locations/l/publishers/google/models/m"
    request = gemini.generate(
        model=model,
        contents="Hi",
        base_url="https://aiplatform.googleapis.com",
        version="v1",
        headers={"Authorization": "Bearer token"},
    )

    assert request["url"] == (
        f"https://aiplatform.googleapis.com/v1/{model}:streamGenerateContent?alt=sse"
    )
    assert request["headers"] == {"Authorization": "Bearer token"}


# --- keys --------------------------------------------------------------------------------------


@each_provider
def test_key_of_the_environment(provider: Provider, environment: pytest.MonkeyPatch) -> None:
    """The key is read from the environment when the request is made; the first variable counts."""
    for variable in reversed(provider.variables):
        environment.setenv(variable, KEY)
        request = provider.ask()
        assert request["url"] == provider.url
        assert request["headers"][provider.key_header] == provider.key
        environment.setenv(variable, f"not {KEY}")
    assert provider.ask()["headers"][provider.key_header] != provider.key
    assert provider.ask(api_key=KEY)["headers"][provider.key_header] == provider.key


@each_provider
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_no_key(provider: Provider, value: str | None, environment: pytest.MonkeyPatch) -> None:
    """Without a key the provider's own service is not asked, and the error names the variable."""
    if value is not None:
        environment.setenv(provider.variables[0], value)
    variables = " or ".join(provider.variables)
    with pytest.raises(ValueError, match=f"no API key: pass api_key, or set {variables}"):
        provider.ask()


@each_provider
def test_no_key_is_needed(provider: Provider, environment: pytest.MonkeyPatch) -> None:
    """A server of one's own may want none, nor does who says so or brings a header for it."""
    name = provider.key_header
    assert name not in provider.ask(base_url="http://localhost:8000/v1")["headers"]
    environment.setenv(provider.variables[0], KEY)
    assert provider.ask(base_url="http://localhost:8000/v1")["headers"][name] == provider.key
    assert name not in provider.ask(api_key="")["headers"]
    environment.delenv(provider.variables[0])
    assert provider.ask(headers={"api-key": KEY})["headers"]["api-key"] == KEY


@each_provider
def test_header_of_the_caller_counts(provider: Provider) -> None:
    """A header of the caller replaces ours, in any case of its letters."""
    name = provider.key_header.title()
    headers = provider.ask(api_key=KEY, headers={name: "mine", "X-Trace": "1"})["headers"]

    assert headers[name] == "mine"
    assert headers["X-Trace"] == "1"
    assert provider.key_header not in headers


@each_provider
@pytest.mark.parametrize("show", [repr, pprint.pformat, "{}".format], ids=["repr", "pprint", "str"])
def test_printed_request_hides_the_key(provider: Provider, show: Callable[[object], str]) -> None:
    """Whoever prints a request, or a copy of it, does not see its keys."""
    request = provider.ask(api_key=KEY, headers={"Cookie": KEY, "api-key": KEY})

    for each in (request, copy.deepcopy(request), {**request}):
        shown = show(each)
        assert KEY not in shown
        assert "<secret>" in shown


def test_secret_is_the_string() -> None:
    """A secret is the string itself but for its representation."""
    secret = Secret(KEY)

    assert secret == KEY
    assert f"{secret}" == KEY
    assert secret.encode() == KEY.encode()
    assert repr(secret) == "<secret>"
    assert json.dumps(secret) == f'"{KEY}"'


# --- URLs --------------------------------------------------------------------------------------


@each_provider
@pytest.mark.parametrize("base_url", ["http://localhost:8000/x", "http://localhost:8000/x/"])
def test_base_url(provider: Provider, base_url: str, environment: pytest.MonkeyPatch) -> None:
    """The base URL is free, with or without a slash, as argument or from the environment."""
    expected = f"http://localhost:8000/x{provider.path}"
    assert provider.ask(base_url=base_url)["url"].removesuffix("?alt=sse") == expected
    environment.setenv(provider.base_url_variable, base_url)
    assert provider.ask()["url"].removesuffix("?alt=sse") == expected


def test_query_of_the_base_url() -> None:
    """A query of the base URL stays one, as Azure and proxies need it."""
    base_url = "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21"
    assert ask_chat(base_url=base_url)["url"] == (
        "https://r.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"
    )
    assert ask_gemini(base_url="https://proxy.test/g?team=a")["url"] == (
        "https://proxy.test/g/v1beta/models/m:streamGenerateContent?team=a&alt=sse"
    )


@pytest.mark.parametrize("base_url", ["api.openai.com/v1", "/v1", "localhost:8000"])
def test_base_url_that_is_none(base_url: str) -> None:
    """A base URL without a scheme or a host is refused."""
    with pytest.raises(ValueError, match="a base URL is absolute"):
        ask_chat(base_url=base_url)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
async def test_request_is_what_open_stream_takes(format_: Format, autojump_clock: Any) -> None:
    """A request opens a stream as it is, and the server gets it as it was written."""
    request = format_.request(seed=7)
    async with (
        memory_client(format_.answer(text="Hello!")) as (client, server),
        open_stream(**request, client=client) as rx,
    ):
        message = await rx.result()

    assert message.text == "Hello!"
    [received] = server.requests
    assert received.method == "POST"
    assert json.loads(received.body) == request["json"]
    assert received.headers["content-type"] == "application/json"
    assert received.headers["accept"] == "text/event-stream"
    for name, value in request["headers"].items():
        assert received.headers[name] == value
