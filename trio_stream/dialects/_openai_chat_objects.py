"""What the JSON objects inside OpenAI-like chat chunks mean: reasons, usage, media, details.

Tables first; below them the functions that read one object each. Those raise `Misfit` for an
object that does not have the shape it should have.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import attrs

from ..errors import InBandError
from ._json import (
    Json,
    JsonObject,
    Misfit,
    get_objects,
    get_optional_object,
    get_optional_string,
    parse_json,
)
from ._openai_errors import read_error
from .message import MediaPart, StopReason, Usage

__all__ = [
    "CHOICE_FIELDS",
    "CHUNK_FIELDS",
    "GATHERED",
    "MESSAGE_FIELDS",
    "Details",
    "Gathered",
    "Stop",
    "is_bare_error",
    "is_hollow",
    "is_news",
    "read_comment_error",
    "read_detail",
    "read_image",
    "read_index",
    "read_listed_error",
    "read_role",
    "read_texts",
    "read_usage",
]

# Fields that are read elsewhere, or say nothing: ``obfuscation`` and ``p`` are random padding, so
# that the size of a chunk does not betray its text.
CHUNK_FIELDS: Final = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "error", "obfuscation", "p"}
)
CHOICE_FIELDS: Final = frozenset(
    {"index", "delta", "message", "text", "finish_reason", "usage", "error"}
)

# Fields of a choice that come in pieces, one for each chunk.
GATHERED: Final = frozenset({"logprobs", "token_ids"})

# Fields of a delta that concern the message as a whole: Gemini's and LiteLLM's own, what Azure
# and Writer found before they answered, the channel of an open-weight model.
MESSAGE_FIELDS: Final = frozenset(
    {
        "channel",
        "context",
        "end_turn",
        "extra_content",
        "graph_data",
        "image_data",
        "llm_data",
        "provider_specific_fields",
        "translation_data",
        "web_search_data",
    }
)

_STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "stop": "end_turn",
    "end_turn": "end_turn",
    "eos": "end_turn",
    "eos_token": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "tool_use": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "safety": "refusal",
    "recitation": "refusal",
    "sensitive": "refusal",
}

# Words that give no reason to stop, but tell of a failure.
_FAILURES: Final = frozenset({"error", "network_error", "insufficient_system_resource"})

# After these the calls are whole. After any other the last may have been cut.
_WHOLE: Final[frozenset[StopReason]] = frozenset({"end_turn", "stop_sequence", "tool_use"})

# A comment that Replicate ends a stream with that took too long: ``408: 408 Request Timeout``.
_COMMENT_ERROR: Final = re.compile(r"([45]\d\d): \1 (\S.*)")

_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;[^;,]*)*;base64,")


@attrs.frozen
class Stop:
    """Why the model stopped.

    Attributes:
        reason: In the provider's word.
        word: In the word that all providers share.
    """

    reason: str
    word: StopReason

    @classmethod
    def read(cls, choice: JsonObject, path: str) -> Stop | None:
        """Read ``finish_reason``, if the choice has one."""
        reason = get_optional_string(choice, "finish_reason", path)
        if not reason or reason == "null":
            return None
        return cls(reason, _STOP_REASONS.get(reason.lower(), "other"))

    @property
    def is_failure(self) -> bool:
        """Whether it did not stop, but fail."""
        return self.reason in _FAILURES

    @property
    def is_whole(self) -> bool:
        """Whether the calls before it cannot have been cut."""
        return self.word in _WHOLE


def read_index(choice: JsonObject, path: str) -> int:
    """Read the number of a choice; the only one may have none."""
    index: Json = choice.get("index")
    if index is None:
        return 0
    if type(index) is int and index >= 0:
        return index
    raise Misfit(f"{path}.index", f"expected a number from 0 on, got {index!r:.80}")


def is_news(value: object, known: object) -> bool:
    """Whether a field says what it has not said before."""
    try:
        return value != known
    except RecursionError:  # nested as deeply as can be read; comparing takes one level more
        return True


def read_usage(source: JsonObject, path: str) -> Usage | None:
    """Read ``usage`` of ``source``, if it is there.

    ``prompt_tokens`` includes what was read from a cache, and what was written to it; `Usage`
    keeps the three apart. xAI alone does not count the thoughts among ``completion_tokens``: its
    sum shows it. A figure that is no whole number is passed over: the answer is worth more.
    """
    usage = get_optional_object(source, "usage", path)
    if not usage:
        return None
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    details = _object(usage, "prompt_tokens_details")
    read = _first(
        _count(details, "cached_tokens"),
        _count(usage, "prompt_cache_hit_tokens"),  # DeepSeek
        _count(usage, "cached_tokens"),  # Moonshot
        _count(usage, "cache_read_input_tokens"),  # gateways to Anthropic
    )
    written = _first(
        _count(details, "cache_write_tokens"),  # OpenRouter
        _count(details, "cache_creation_tokens"),  # LiteLLM
        _count(usage, "cache_creation_input_tokens"),
    )
    afresh = None if prompt is None else max(prompt - (read or 0) - (written or 0), 0)
    thoughts = _count(_object(usage, "completion_tokens_details"), "reasoning_tokens")
    if prompt is not None and completion is not None and thoughts:
        total = _count(usage, "total_tokens")
        completion += thoughts if total == prompt + completion + thoughts else 0
    return Usage(afresh, completion, read, written, raw=usage)


def _object(source: JsonObject, key: str) -> JsonObject:
    value: JsonObject | None = source.get(key)
    return value if type(value) is dict else {}


def _count(source: JsonObject, key: str) -> int | None:
    value: Json = source.get(key)
    return value if type(value) is int else None


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def read_texts(source: JsonObject, path: str) -> str:
    """Read Mistral's ``thinking``: a text, or a list of text pieces."""
    thinking = source.get("thinking")
    if type(thinking) is str:
        return thinking
    return "".join(
        get_optional_string(piece, "text", where) or ""
        for piece, where in get_objects(source, "thinking", path)
    )


def read_image(image: JsonObject, path: str) -> MediaPart:
    """Read an image, which is sent in a ``data:`` URL or kept elsewhere."""
    source = image.get("image_url")
    if type(source) is not str:
        holder = get_optional_object(image, "image_url", path) or {}
        source = get_optional_string(holder, "url", f"{path}.image_url") or ""
    found = _DATA_URL.match(source)
    if found is None:
        return MediaPart(uri=source, raw=image)
    raw = {key: value for key, value in image.items() if key != "image_url"}
    return MediaPart(found[1], data=(source[found.end() :],), raw=raw)


def read_comment_error(text: str) -> InBandError | None:
    """Return the exception for a comment, if it is one that reports a failure."""
    found = _COMMENT_ERROR.fullmatch(text)
    if found is not None:
        return read_error({"code": found[1], "message": found[2]}, text)
    if not text.lstrip().startswith("{"):
        return None
    try:
        report: JsonObject = parse_json(text)
    except ValueError:
        return None
    if type(report) is dict and report.get("error"):
        return read_error(report["error"], text, request_id=report.get("request_id"))
    return None


def read_listed_error(value: Json) -> Json:
    """Return the error that stands in a list, as Gemini's compatible endpoint has it, if any."""
    values: list[Json] = value
    if type(values) is not list or not values:
        return None
    report: JsonObject = values[0]
    return report.get("error") if type(report) is dict else None


def is_bare_error(report: JsonObject) -> bool:
    """Whether an object is no chunk, but an error without a wrapper."""
    if report.get("object") == "error":
        return True
    return type(report.get("message")) is str and ("code" in report or "type" in report)


def read_role(choices: list[tuple[JsonObject, str]]) -> str:
    """Read who speaks, from the first chunk."""
    for choice, _ in choices:
        delta: JsonObject | None = choice.get("delta") or choice.get("message")
        role = delta.get("role") if type(delta) is dict else None
        if type(role) is str and role:
            return role
    return "assistant"


def is_hollow(value: Json) -> bool:
    """Whether a value that nobody knows says nothing: Writer sends objects of nulls."""
    fields: JsonObject = value
    return type(fields) is dict and not any(fields.values())


class Gathered:
    """Fields that come in pieces, joined to what they are in an answer that is not streamed.

    Attributes:
        has_more: Whether pieces came since somebody looked.
    """

    __slots__ = ("_pieces", "has_more")

    def __init__(self) -> None:
        self.has_more = False
        self._pieces: dict[tuple[str, str], list[Json]] = {}

    def add(self, field: str, value: Json) -> None:
        """Take a piece: a list, or an object of lists."""
        self.has_more = True
        fields: JsonObject = value
        if type(fields) is not dict:
            fields = {"": value}
        piece: list[Json] | None
        for name, piece in fields.items():
            if type(piece) is list:
                self._pieces.setdefault((field, name), []).extend(piece)
            elif piece is not None:
                self._pieces.setdefault((field, name), []).append(piece)

    def so_far(self) -> JsonObject:
        """Return the fields, as values that later pieces do not change."""
        self.has_more = False
        fields: JsonObject = {}
        for (field, name), pieces in self._pieces.items():
            if name and pieces:
                fields.setdefault(field, {})[name] = pieces.copy()
        for (field, name), pieces in self._pieces.items():
            if not name and pieces:
                fields[field] = pieces.copy()
        return fields


# The fields of a reasoning detail that hold text.
_DETAIL_TEXTS: Final = ("text", "summary", "thinking")


def read_detail(detail: JsonObject) -> tuple[str, str]:
    """Return the text and the signature in a detail; ``""`` if there is none."""
    name = _text_field(detail)
    text: str = detail[name] if name else ""
    signature = detail.get("signature")
    return text, signature if type(signature) is str else ""


def _text_field(detail: JsonObject) -> str:
    return next((name for name in _DETAIL_TEXTS if type(detail.get(name)) is str), "")


class Details:
    """Thoughts as a provider wants them back: typed pieces, the texts of one piece joined.

    OpenRouter's ``reasoning_details`` and LiteLLM's ``thinking_blocks``.
    """

    __slots__ = ("_entries", "_texts")

    def __init__(self) -> None:
        self._entries: list[tuple[str, JsonObject]] = []
        self._texts: list[str] = []

    def add(self, field: str, detail: JsonObject, text: str) -> None:
        """Take a piece, and the text in it."""
        if self._continues(field, detail):
            self._entries[-1][1].update(
                {key: value for key, value in detail.items() if value is not None}
            )
        else:
            self._join()
            self._entries.append((field, dict(detail)))
        self._texts.append(text)

    def take(self) -> JsonObject:
        """Return what came, by field, and begin anew."""
        self._join()
        fields: dict[str, list[JsonObject]] = {}
        for field, detail in self._entries:
            fields.setdefault(field, []).append(detail)
        self._entries = []
        return fields

    def _continues(self, field: str, detail: JsonObject) -> bool:
        if not self._entries or self._entries[-1][0] != field:
            return False
        last = self._entries[-1][1]
        return (
            detail.get("type") == last.get("type")
            and detail.get("index") == last.get("index")
            and detail.get("id") in (None, last.get("id"))
            and "data" not in detail
        )

    def _join(self) -> None:
        """Put the text of the last piece together."""
        if self._entries:
            last = self._entries[-1][1]
            name = _text_field(last)
            if name:
                last[name] = "".join(self._texts)
        self._texts.clear()
