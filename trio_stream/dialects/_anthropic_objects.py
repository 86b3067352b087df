"""What the JSON objects inside Anthropic's events mean: blocks, deltas, usage, reasons, errors.

Tables first; below them the functions that read one object each. Those raise `Misfit` for an
object that does not have the shape it should have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from ._errors import in_band_error
from ._json import (
    JsonObject,
    Misfit,
    get_object,
    get_optional_int,
    get_optional_list,
    get_optional_object,
    get_optional_string,
    get_string,
)
from ._open_parts import OpenPart, OpenText, OpenThinking, OpenToolCall, OpenUnknown, WholePart
from .items import (
    BlockDelta,
    CitationDelta,
    MessageStarted,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownDelta,
)
from .message import (
    IncompleteToolCall,
    RedactedThinkingPart,
    ServerToolResult,
    StopReason,
    TextPart,
    ThinkingPart,
    UnknownPart,
    Usage,
)

if TYPE_CHECKING:
    from ..errors import InBandError

__all__ = [
    "Stop",
    "UsualDelta",
    "open_block",
    "read_delta",
    "read_error",
    "read_extra",
    "read_start",
    "read_successor",
    "read_usage",
    "usual_delta",
]

_STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "refusal": "refusal",
    "pause_turn": "pause",
    "compaction": "pause",
}

_STOP_FIELDS: Final = ("stop_reason", "stop_sequence")

# After these the last block is whole. After any other it may have been cut.
_WHOLE: Final[frozenset[StopReason]] = frozenset({"end_turn", "stop_sequence", "tool_use", "pause"})

# The status that an in-band error amounts to: the page "Errors" of the API reference has the pairs.
_ERRORS: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

# Deltas that add text: the item that they become, and the field that holds the text.
_DELTAS: Final[Mapping[str, tuple[Callable[[int, str], BlockDelta], str]]] = {
    "text_delta": (TextDelta, "text"),
    "input_json_delta": (ToolInputDelta, "partial_json"),
    "thinking_delta": (ThinkingDelta, "thinking"),
    "signature_delta": (SignatureDelta, "signature"),
}


def _open_text(block: JsonObject, path: str) -> OpenPart:
    text = get_optional_string(block, "text", path) or ""
    citations = get_optional_list(block, "citations", path) or []
    return OpenText(TextPart(text, tuple(citations), finished=False, raw=block))


def _open_thinking(block: JsonObject, path: str) -> OpenPart:
    text = get_optional_string(block, "thinking", path) or ""
    signature = get_optional_string(block, "signature", path) or ""
    return OpenThinking(ThinkingPart(text, signature, finished=False, raw=block))


def _open_redacted_thinking(block: JsonObject, path: str) -> OpenPart:
    return WholePart(RedactedThinkingPart(get_string(block, "data", path), raw=block))


def _open_tool_call(block: JsonObject, path: str) -> OpenPart:
    start = IncompleteToolCall(
        id=get_string(block, "id", path),
        name=get_string(block, "name", path),
        by_server=block["type"] != "tool_use",
        raw=block,
    )
    return OpenToolCall(start, given=block.get("input"))


def _open_tool_result(block: JsonObject) -> OpenPart:
    part = ServerToolResult(block["tool_use_id"], block["type"], block.get("content"), raw=block)
    return WholePart(part)


def _open_unknown(block: JsonObject, _path: str) -> OpenPart:
    return OpenUnknown(UnknownPart(block["type"], block, finished=False))


_BLOCKS: Final[Mapping[str, Callable[[JsonObject, str], OpenPart]]] = {
    "text": _open_text,
    "thinking": _open_thinking,
    "redacted_thinking": _open_redacted_thinking,
    "tool_use": _open_tool_call,
    "server_tool_use": _open_tool_call,
    "mcp_tool_use": _open_tool_call,
    # Known here, but no other provider has the like.
    "compaction": _open_unknown,
    "container_upload": _open_unknown,
    "fallback": _open_unknown,
    "mcp_tool_listing": _open_unknown,
}

# The results of the provider's own tools: ``web_search_tool_result`` and its growing family.
_RESULT_SUFFIX: Final = "_tool_result"


def open_block(block: JsonObject, path: str) -> tuple[OpenPart, bool]:
    """Read a content block as it is at its start; return its part, and whether its type is known.

    A block of an unknown type can have any shape.
    """
    kind = get_string(block, "type", path)
    opener = _BLOCKS.get(kind)
    if opener is not None:
        return opener(block, path), True
    if kind.endswith(_RESULT_SUFFIX) and type(block.get("tool_use_id")) is str:
        return _open_tool_result(block), True
    return _open_unknown(block, path), False


def read_successor(block: JsonObject, path: str) -> str | None:
    """Return the model that takes over with this block, if it is the block that says so."""
    if block["type"] != "fallback":
        return None
    successor = get_optional_object(block, "to", path) or {}
    return get_optional_string(successor, "model", f"{path}.to")


UsualDelta: TypeAlias = tuple[str, str, Callable[[int, str], BlockDelta], Callable[[str], None]]
"""The deltas that add text to an open part: their type, the field that holds the text, the item
that they become, and the method of the part that takes the text."""


def usual_delta(part: OpenPart) -> UsualDelta | None:
    """Return how the deltas are read that add text to an open part, if it takes text."""
    match part:
        case OpenText():
            kind = "text_delta"
        case OpenThinking():
            kind = "thinking_delta"
        case OpenToolCall():
            kind = "input_json_delta"
        case _:
            return None
    make, field = _DELTAS[kind]
    return kind, field, make, part.grow


def read_delta(delta: JsonObject, place: int, part: OpenPart) -> BlockDelta | None:
    """Read an addition to an open part, and add it; `None` if its type is unknown."""
    item: BlockDelta
    if type(part) is OpenUnknown:
        item = UnknownDelta(place, delta)
    else:
        kind = get_string(delta, "type", "$.delta")
        known = _DELTAS.get(kind)
        if known is not None:
            make, field = known
            item = make(place, get_string(delta, field, "$.delta"))
        elif kind == "citations_delta":
            item = CitationDelta(place, get_object(delta, "citation", "$.delta"))
        else:
            return None
    if not part.add(item):
        raise Misfit("$.delta.type", "a delta of this type does not belong to its block")
    return item


def read_start(message: JsonObject, path: str) -> MessageStarted:
    """Read the message of ``message_start``, but for its content and its stop reason."""
    return MessageStarted(
        id=get_optional_string(message, "id", path) or "",
        model=get_optional_string(message, "model", path) or "",
        role=get_optional_string(message, "role", path) or "assistant",
        usage=read_usage(message, path),
        extra=read_extra(message, "type", "id", "model", "role", "usage", "content", *_STOP_FIELDS),
    )


@attrs.define
class Stop:
    """Why the model stopped, as far as it was told."""

    reason: str | None = None
    sequence: str | None = None

    @classmethod
    def read(cls, source: JsonObject, path: str) -> Stop:
        """Read it from the object that has the fields."""
        return cls(
            get_optional_string(source, "stop_reason", path),
            get_optional_string(source, "stop_sequence", path),
        )

    @property
    def word(self) -> StopReason | None:
        """The reason in the word that all providers share."""
        return None if self.reason is None else _STOP_REASONS.get(self.reason, "other")

    @property
    def is_whole(self) -> bool:
        """Whether the last block before it cannot have been cut."""
        return self.word in _WHOLE


def read_usage(source: JsonObject, path: str) -> Usage | None:
    """Read ``usage`` of ``source``, if it is there."""
    usage = get_optional_object(source, "usage", path)
    if usage is None:
        return None
    path = f"{path}.usage"
    return Usage(
        input_tokens=get_optional_int(usage, "input_tokens", path),
        output_tokens=get_optional_int(usage, "output_tokens", path),
        cache_read_tokens=get_optional_int(usage, "cache_read_input_tokens", path),
        cache_write_tokens=get_optional_int(usage, "cache_creation_input_tokens", path),
        raw=usage,
    )


def read_extra(source: JsonObject, *known: str) -> JsonObject:
    """Return what ``source`` says beyond the fields that are read elsewhere."""
    return {key: value for key, value in source.items() if key not in known and value is not None}


def read_error(event: JsonObject, data: str) -> InBandError:
    """Make the exception for an ``error`` event."""
    error: JsonObject = event.get("error", event)
    if type(error) is not dict:
        error = {"message": error}
    kind = error.get("type")
    if type(kind) is not str or kind == "error":
        kind = ""
    return in_band_error(
        data,
        status=_ERRORS.get(kind, 500),
        kind=kind,
        message=error.get("message"),
        request_id=event.get("request_id"),
    )
