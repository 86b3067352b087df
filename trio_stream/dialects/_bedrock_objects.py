"""What the JSON objects inside ConverseStream's events mean: blocks, deltas, usage, reasons.

Tables first; below them the functions that read one object each. Those raise `Misfit` for an
object that does not have the shape it should have.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, groupby
from typing import TYPE_CHECKING, Final, TypeAlias

from ._json import (
    Json,
    JsonObject,
    Misfit,
    get_object,
    get_optional_int,
    get_optional_list,
    get_optional_object,
    get_optional_string,
    get_string,
)
from ._open_parts import (
    OpenMedia,
    OpenPart,
    OpenText,
    OpenThinking,
    OpenToolCall,
    OpenUnknown,
)
from .items import (
    BlockDelta,
    CitationDelta,
    MediaDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownDelta,
)
from .message import (
    IncompleteToolCall,
    MediaPart,
    RedactedThinkingPart,
    ServerToolResult,
    StopReason,
    TextPart,
    ThinkingPart,
    UnknownPart,
    Usage,
)

if TYPE_CHECKING:
    from .message import Part

__all__ = [
    "WHOLE",
    "open_block",
    "open_for_delta",
    "read_delta",
    "read_rest",
    "read_usage",
    "stop_word",
]

_STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "refusal",
    "content_filtered": "refusal",
    "malformed_model_output": "other",
    "malformed_tool_use": "other",
}

# After these the last block is whole. After any other it may have been cut.
WHOLE: Final[frozenset[StopReason]] = frozenset({"end_turn", "tool_use", "stop_sequence"})

# Random letters that hide the length of a payload from those who watch the connection.
_PADDING: Final = "p"


class _Gathered(OpenPart):
    """A part that comes in pieces for which `items` has no word: an `UnknownPart` until its end.

    Args:
        kind: The only key of each piece.
        raw: The provider's own object, as the part began.
        become: What makes the part of the pieces.
    """

    __slots__ = ("_become", "_kind", "_pieces")

    def __init__(self, kind: str, raw: JsonObject, become: Callable[[list[Json]], Part]) -> None:
        self._kind = kind
        self._pieces = OpenUnknown(UnknownPart(kind, raw, finished=False))
        self._become = become

    def add(self, delta: BlockDelta) -> bool:
        belongs = isinstance(delta, UnknownDelta) and self._kind in delta.delta
        return belongs and self._pieces.add(delta)

    def unfinished(self) -> UnknownPart:
        return self._pieces.unfinished()

    def finished(self) -> Part:
        return self._become([delta[self._kind] for delta in self._pieces.finished().deltas])


def _without_nulls(union: JsonObject) -> JsonObject:
    """Return a union without what it is not, if it is anything.

    Proxies that write typed objects send the other members as null.
    """
    if None not in union.values():
        return union
    return {kind: value for kind, value in union.items() if value is not None} or union


# --- blocks: what their start says ---------------------------------------------------------------


def _open_tool_call(start: JsonObject, path: str) -> OpenPart:
    path, start = f"{path}.toolUse", get_object(start, "toolUse", path)
    call = IncompleteToolCall(
        id=get_string(start, "toolUseId", path),
        name=get_string(start, "name", path),
        by_server=get_optional_string(start, "type", path) is not None,
        raw=start,
    )
    return OpenToolCall(call)


def _open_tool_result(start: JsonObject, path: str) -> OpenPart:
    path, start = f"{path}.toolResult", get_object(start, "toolResult", path)
    call_id = get_string(start, "toolUseId", path)
    kind = get_optional_string(start, "type", path) or "toolResult"

    def become(pieces: list[list[Json]]) -> ServerToolResult:
        return ServerToolResult(call_id, kind, _join_texts(chain.from_iterable(pieces)), raw=start)

    return _Gathered("toolResult", start, become)


def _open_image(start: JsonObject, path: str) -> OpenPart:
    path, start = f"{path}.image", get_object(start, "image", path)
    name = get_optional_string(start, "format", path)
    return OpenMedia(MediaPart(f"image/{name}" if name else "", finished=False, raw=start))


_STARTS: Final[Mapping[str, Callable[[JsonObject, str], OpenPart]]] = {
    "toolUse": _open_tool_call,
    "toolResult": _open_tool_result,
    "image": _open_image,
}

# Bedrock sends no start for these. Gateways do, with nothing in it that is not in the deltas.
_SILENT_STARTS: Final = frozenset({"text", "reasoningContent", "type"})


def open_block(start: JsonObject, path: str) -> tuple[OpenPart | None, bool]:
    """Read the start of a block; return its part, and whether its kind is known.

    No part: the first delta will tell what the block is.
    """
    unknown = ""
    for kind in _without_nulls(start):
        opener = _STARTS.get(kind)
        if opener is not None:
            return opener(start, path), True
        if kind not in _SILENT_STARTS:
            unknown = kind
    if unknown:
        return OpenUnknown(UnknownPart(unknown, start, finished=False)), False
    return None, True


# --- blocks: what their deltas say ---------------------------------------------------------------


# One function for each kind; no list: it has what its kind does not usually have.
_Items: TypeAlias = list[BlockDelta] | None


def _read_text(delta: JsonObject, place: int) -> _Items:
    return [TextDelta(place, get_string(delta, "text", "$.delta"))]


def _read_tool_input(delta: JsonObject, place: int) -> _Items:
    call = get_object(delta, "toolUse", "$.delta")
    arguments = get_optional_string(call, "input", "$.delta.toolUse")
    return [ToolInputDelta(place, arguments or "")]


def _read_reasoning(delta: JsonObject, place: int) -> _Items:
    reasoning = get_object(delta, "reasoningContent", "$.delta")
    path = "$.delta.reasoningContent"
    text = get_optional_string(reasoning, "text", path)
    signature = get_optional_string(reasoning, "signature", path)
    redacted = get_optional_string(reasoning, "redactedContent", path)
    items: list[BlockDelta] = []
    if text is not None:
        items.append(ThinkingDelta(place, text))
    if signature:  # an empty one replaces none
        items.append(SignatureDelta(place, signature))
    if redacted is not None:
        items.append(UnknownDelta(place, {"redactedContent": redacted}))
    return items


def _read_citation(delta: JsonObject, place: int) -> _Items:
    return [CitationDelta(place, get_object(delta, "citation", "$.delta"))]


def _read_image(delta: JsonObject, place: int) -> _Items:
    image = get_object(delta, "image", "$.delta")
    source = get_optional_object(image, "source", "$.delta.image") or {}
    data = get_optional_string(source, "bytes", "$.delta.image.source")
    return None if data is None else [MediaDelta(place, data)]


def _read_tool_result(delta: JsonObject, place: int) -> _Items:
    pieces = get_optional_list(delta, "toolResult", "$.delta")
    return None if pieces is None else [UnknownDelta(place, {"toolResult": pieces})]


_DELTAS: Final[Mapping[str, Callable[[JsonObject, int], _Items]]] = {
    "text": _read_text,
    "toolUse": _read_tool_input,
    "reasoningContent": _read_reasoning,
    "citation": _read_citation,
    "image": _read_image,
    "toolResult": _read_tool_result,
}


def read_delta(delta: JsonObject, place: int, part: OpenPart) -> _Items:
    """Read an addition to an open part, and add it; `None` if its kind is unknown."""
    items: _Items = None
    delta = _without_nulls(delta)
    if type(part) is OpenUnknown:
        items = [UnknownDelta(place, delta)]
    else:
        # It is a union, one kind at a time; but nothing is lost if a gateway sends two.
        for kind in delta:
            reader = _DELTAS.get(kind)
            more = None if reader is None else reader(delta, place)
            if more is not None:
                items = more if items is None else items + more
    for item in items or ():
        if not part.add(item):
            raise Misfit("$.delta", "a delta of this kind does not belong to its block")
    return items


def open_for_delta(delta: JsonObject) -> tuple[OpenPart, bool]:
    """Open the block whose first delta this is; return its part, and whether its kind is known."""
    for kind in _without_nulls(delta):
        match kind:
            case "text" | "citation":
                return OpenText(TextPart(finished=False)), True
            case "reasoningContent":
                return _open_reasoning(delta), True
            case "image":
                return OpenMedia(MediaPart(finished=False)), True
            case "toolUse":
                raise Misfit("$.contentBlockIndex", "the call has not started: it has no name")
            case _:
                pass
    return OpenUnknown(UnknownPart(next(iter(delta), ""), finished=False)), False


def _open_reasoning(delta: JsonObject) -> OpenPart:
    reasoning = get_object(delta, "reasoningContent", "$.delta")
    if reasoning.get("redactedContent") is not None:
        return _Gathered("redactedContent", {}, _redacted)
    return OpenThinking(ThinkingPart(finished=False))


def _redacted(pieces: list[str]) -> RedactedThinkingPart:
    if len(pieces) == 1:
        return RedactedThinkingPart(pieces[0])
    try:
        # Each piece is a text of its own in Base64, which may end in padding.
        whole = b"".join(b64decode(piece, validate=True) for piece in pieces)
    except ValueError:
        return RedactedThinkingPart("".join(pieces))
    return RedactedThinkingPart(b64encode(whole).decode())


def _join_texts(content: Iterable[Json]) -> list[Json]:
    """Join the texts that follow each other: they are pieces of one."""
    joined: list[Json] = []
    for is_text, pieces in groupby(content, key=_is_text):
        if is_text:
            joined.append({"text": "".join(piece["text"] for piece in pieces)})
        else:
            joined += pieces
    return joined


def _is_text(piece: JsonObject) -> bool:
    return type(piece) is dict and type(piece.get("text")) is str


# --- the message ---------------------------------------------------------------------------------


def stop_word(reason: str | None) -> StopReason:
    """Return the reason in the word that all providers share."""
    return _STOP_REASONS.get(reason or "", "other")


def read_usage(source: JsonObject, path: str) -> Usage | None:
    """Read ``usage`` of ``source``, if it is there.

    ``inputTokens`` are those that no cache had or got: user guide, "Prompt caching".
    """
    usage = get_optional_object(source, "usage", path)
    if usage is None:
        return None
    path = f"{path}.usage"
    return Usage(
        input_tokens=get_optional_int(usage, "inputTokens", path),
        output_tokens=get_optional_int(usage, "outputTokens", path),
        cache_read_tokens=get_optional_int(usage, "cacheReadInputTokens", path),
        cache_write_tokens=get_optional_int(usage, "cacheWriteInputTokens", path),
        raw=usage,
    )


def read_rest(source: JsonObject, *known: str) -> JsonObject:
    """Return what ``source`` says beyond the fields that are read elsewhere."""
    return {
        key: value
        for key, value in source.items()
        if key not in known and key != _PADDING and value is not None
    }
