"""Google's Gemini API, and Vertex AI, which speaks it too."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from ..dialects import (
    MediaPart,
    Message,
    Part,
    ServerToolCall,
    ServerToolResult,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)
from ..dialects._json import Json, JsonObject
from ..dialects.gemini import Gemini
from ._request import ProviderRequest, build_headers, build_url, from_environment, given
from ._turns import ToolDeclaration, ToolResult, ToolSpec, Turns, turns_for

__all__ = ["GeminiTurns", "generate"]

_BASE_URL: Final = "https://generativelanguage.googleapis.com"


def generate(
    *,
    model: str,
    contents: str | Sequence[Mapping[str, Json]],
    system: str | None = None,
    tools: Sequence[ToolDeclaration] | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    version: str = "v1beta",
    headers: Mapping[str, str] | None = None,
    **body: Json,
) -> ProviderRequest:
    """Make a request to the Gemini API (``streamGenerateContent``).

    ::

        gemini.generate(model="...", contents="Hello",
                        generationConfig={"thinkingConfig": {"includeThoughts": True}})

    Args:
        model: The model. A path, such as ``tunedModels/...`` or Vertex AI's
            ``projects/.../models/...``, is taken as it is.
        contents: The conversation; a string is one message of the user.
        system: The system prompt: becomes the ``systemInstruction``.
        tools: The tools that the model may call.
        api_key: The key; ``""`` for none. `None`: ``GOOGLE_API_KEY`` of the environment, else
            ``GEMINI_API_KEY``, now. (If both are set, Google's own library takes the first.)
        base_url: Where the service is. `None`: ``GOOGLE_GEMINI_BASE_URL`` of the environment,
            else Google's own. The key goes wherever that is.
        version: The version of the API, as it stands in the URL.
        headers: Further headers. Vertex AI wants a token as ``Authorization``.
        body: Further fields of the body, as they are; they are the server's to judge.

    Raises:
        ValueError: There is no key, and it is Google's own service that wants one.
    """
    base_url = base_url or from_environment("GOOGLE_GEMINI_BASE_URL") or _BASE_URL
    path = model if "/" in model else f"models/{model}"
    return ProviderRequest(
        method="POST",
        url=build_url(base_url, f"/{version}/{path}:streamGenerateContent", "alt=sse"),
        headers=build_headers(
            headers,
            {},
            key=api_key,
            key_header="x-goog-api-key",
            variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
            required=base_url == _BASE_URL,
        ),
        json={
            **given(
                systemInstruction=None if system is None else {"parts": [{"text": system}]},
                tools=_TURNS.declare(tools) if tools else None,
            ),
            "contents": _TURNS.turns(contents),
            **body,
        },
        dialect=Gemini(),
    )


class GeminiTurns(Turns):
    """How a conversation goes on in the Gemini API.

    Parts go back as they came, each with its ``thoughtSignature``; without it the newer models
    refuse the turn. The results of one message go back in one turn, in the order of the calls: by
    that and by the name the service knows them where a call has no ID.

    The schema of a tool goes into ``parametersJsonSchema``, which takes JSON Schema. The older
    ``parameters`` takes a dialect of its own, without ``additionalProperties`` and ``$ref``, and
    refuses a request for one field that it does not know.

    Source: the API reference, "Caching" (``FunctionDeclaration``, ``FunctionResponse``); the
    guides "Function calling", "Thought signatures".
    """

    field: ClassVar[str] = "contents"

    def user_turn(self, text: str) -> JsonObject:
        """Write down what the user says."""
        return {"role": "user", "parts": [{"text": text}]}

    def model_turns(self, message: Message) -> list[JsonObject]:
        """Write down what the model said."""
        parts = [written for part in message.parts if (written := _part(part)) is not None]
        return [{"role": "model", "parts": parts}] if parts else []

    def result_turns(self, results: Sequence[ToolResult]) -> list[JsonObject]:
        """Write down the results of tool calls."""
        parts: list[JsonObject] = [
            {
                "functionResponse": {
                    **given(id=result.call.id or None),
                    "name": result.call.name,
                    "response": {"error" if result.is_error else "output": result.content},
                }
            }
            for result in results
        ]
        return [{"role": "user", "parts": parts}] if parts else []

    def declaration(self, tool: ToolSpec) -> JsonObject:
        """Write down what the model is told about a tool."""
        return {
            "name": tool.name,
            **given(description=tool.description or None),
            "parametersJsonSchema": tool.schema,
        }

    def declare(self, tools: Sequence[ToolDeclaration]) -> list[JsonObject]:
        """Write down what the model is told about all of its tools: the functions in one place."""
        functions: list[JsonObject] = []
        others: list[JsonObject] = []
        for tool in tools:
            if not isinstance(tool, Mapping):
                functions.append(self.declaration(tool))
            elif "functionDeclarations" in tool:
                functions += tool["functionDeclarations"]
                others += [
                    {key: value for key, value in tool.items() if key != "functionDeclarations"}
                ]
            else:
                others.append({**tool})
        declarations = [{"functionDeclarations": functions}] if functions else []
        return declarations + [each for each in others if each]

    def declared_names(self, declarations: Sequence[JsonObject]) -> set[str]:
        """Return the names of the functions that are declared."""
        functions = [
            function for each in declarations for function in each.get("functionDeclarations") or ()
        ]
        return super().declared_names(functions)


def _part(part: Part) -> JsonObject | None:
    """The part as it is sent back; `None` if it cannot be."""
    raw = getattr(part, "raw", {})
    match part:
        case TextPart(text, finished=True) if text or "thoughtSignature" in raw:
            return {**raw, "text": text}
        case ThinkingPart(text, finished=True):
            return {"thought": True, **raw, "text": text}
        case ToolCall(call_id, name, arguments):
            # Written anew, since the arguments may have come in pieces.
            call = {**given(id=call_id or None), "name": name, "args": arguments}
            return {**raw, "functionCall": call}
        case MediaPart(data=data, finished=True) if data:
            content = data[0] if len(data) == 1 else _joined(data)
            return {**raw, "inlineData": {**raw.get("inlineData", {}), "data": content}}
        case (
            MediaPart(finished=True)
            | ServerToolCall()
            | ServerToolResult()
            | UnknownPart(deltas=(), finished=True)
        ) if raw:
            return raw
        case _:
            return None


def _joined(pieces: Sequence[str]) -> str:
    """Join pieces of Base64, each of which may be padded."""
    return b64encode(b"".join(map(b64decode, pieces))).decode()


_TURNS: Final = GeminiTurns()


@turns_for.register(Gemini)
def _(_dialect: Gemini) -> Turns:
    return _TURNS
