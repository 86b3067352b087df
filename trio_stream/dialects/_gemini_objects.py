"""What the JSON objects of Gemini's chunks mean: parts, usage, reasons, metadata, errors.

Tables first; below them the functions that read one object each. Those raise `Misfit` for an
object that does not have the shape it should have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from ._errors import in_band_error
from ._json import (
    Json,
    JsonObject,
    empty_object,
    get_object,
    get_optional_int,
    get_optional_object,
    get_optional_string,
    get_string,
)
from ._open_parts import OpenPart, OpenUnknown, WholePart
from .message import (
    MediaPart,
    ServerToolCall,
    ServerToolResult,
    StopReason,
    UnknownPart,
    Usage,
)

if TYPE_CHECKING:
    from ..errors import InBandError

__all__ = [
    "data_field",
    "merge_metadata",
    "open_other_part",
    "read_error",
    "read_media",
    "read_usage",
    "stop_word",
]

_REFUSALS: Final = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)

# The HTTP status of each google.rpc.Code, for errors that do not bring their own.
_STATUSES: Final[Mapping[str, int]] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "DATA_LOSS": 500,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

# What a part that is more than text has beside the one field that says what it is.
_BESIDES: Final = frozenset(
    {"text", "thought", "thoughtSignature", "partMetadata", "videoMetadata", "mediaResolution"}
)


def stop_word(reason: str, *, called: bool) -> StopReason:
    """Return a ``finishReason`` in the word that all providers share.

    Args:
        reason: The reason.
        called: Whether the model has called a function. It has no reason of its own.
    """
    if reason == "STOP":
        return "tool_use" if called else "end_turn"
    if reason == "MAX_TOKENS":
        return "max_tokens"
    return "refusal" if reason in _REFUSALS else "other"


def data_field(part: JsonObject) -> str:
    """Return the name of the field that says what a part is; ``""`` if it is text or nothing."""
    return next((name for name in part if name not in _BESIDES), "")


def _open_code(part: JsonObject, path: str) -> OpenPart:
    code = get_object(part, "executableCode", path)
    call_id = get_optional_string(code, "id", f"{path}.executableCode") or ""
    given = {name: value for name, value in code.items() if name != "id"}
    return WholePart(ServerToolCall(call_id, "code_execution", given, raw=part))


def _open_code_result(part: JsonObject, path: str) -> OpenPart:
    result = get_object(part, "codeExecutionResult", path)
    call_id = get_optional_string(result, "id", f"{path}.codeExecutionResult") or ""
    return WholePart(ServerToolResult(call_id, "codeExecutionResult", result, raw=part))


def _open_server_call(part: JsonObject, path: str) -> OpenPart:
    call, path = get_object(part, "toolCall", path), f"{path}.toolCall"
    call_id = get_optional_string(call, "id", path) or ""
    given = get_optional_object(call, "args", path) or {}
    return WholePart(ServerToolCall(call_id, get_string(call, "toolType", path), given, raw=part))


def _open_server_result(part: JsonObject, path: str) -> OpenPart:
    result, path = get_object(part, "toolResponse", path), f"{path}.toolResponse"
    call_id = get_optional_string(result, "id", path) or ""
    kind = get_optional_string(result, "toolType", path) or "toolResponse"
    return WholePart(ServerToolResult(call_id, kind, result.get("response"), raw=part))


def _open_file(part: JsonObject, path: str) -> OpenPart:
    file, path = get_object(part, "fileData", path), f"{path}.fileData"
    media_type = get_optional_string(file, "mimeType", path) or ""
    return WholePart(MediaPart(media_type, get_string(file, "fileUri", path), raw=part))


_PARTS: Final[Mapping[str, Callable[[JsonObject, str], OpenPart]]] = {
    "executableCode": _open_code,
    "codeExecutionResult": _open_code_result,
    "toolCall": _open_server_call,
    "toolResponse": _open_server_result,
    "fileData": _open_file,
}


def open_other_part(part: JsonObject, name: str, path: str) -> tuple[OpenPart, bool]:
    """Read a part that comes whole; return it, and whether its kind is known.

    Args:
        part: The part: no text, no function call, no inline data.
        name: Its `data_field`.
        path: Where it is.
    """
    opener = _PARTS.get(name)
    if opener is not None:
        return opener(part, path), True
    return OpenUnknown(UnknownPart(name, part, finished=False)), False


def read_media(part: JsonObject, path: str) -> tuple[MediaPart, str]:
    """Read a part of inline data; return how it begins, and its data."""
    blob, path = get_object(part, "inlineData", path), f"{path}.inlineData"
    rest = {name: value for name, value in blob.items() if name != "data"}
    media_type = get_optional_string(blob, "mimeType", path) or ""
    raw = part | {"inlineData": rest}
    return MediaPart(media_type, finished=False, raw=raw), get_string(blob, "data", path)


def read_usage(figures: JsonObject, latest: JsonObject, path: str) -> Usage:
    """Read the usage.

    ``promptTokenCount`` has the cached tokens in it; what tools have put into the prompt, and
    thoughts, are counted apart.

    Args:
        figures: All figures so far, the newest of each.
        latest: Those of the last report.
        path: Where that is.
    """
    prompt = get_optional_int(figures, "promptTokenCount", path)
    cached = get_optional_int(figures, "cachedContentTokenCount", path)
    by_tools = get_optional_int(figures, "toolUsePromptTokenCount", path)
    fresh = None if prompt is None else max(prompt - (cached or 0), 0)
    return Usage(
        input_tokens=_sum(fresh, by_tools),
        output_tokens=_sum(
            get_optional_int(figures, "candidatesTokenCount", path),
            get_optional_int(figures, "thoughtsTokenCount", path),
        ),
        cache_read_tokens=cached,
        raw=latest,
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one + (other or 0)


def merge_metadata(gathered: JsonObject, name: str, report: Json) -> None:
    """Add a report to the metadata that may come in pieces, or again and longer.

    Lists go on, unless the new one begins with the whole of the old one; of anything else the
    newest counts.
    """
    before: JsonObject | None = gathered.get(name)
    newer: JsonObject = report
    if type(before) is not dict or type(newer) is not dict:
        gathered[name] = report
        return
    for key, value in newer.items():
        old: list[Json] | None = before.get(key)
        if type(old) is list and type(value) is list and value[: len(old)] != old:
            old += value
        else:
            before[key] = value


def read_error(chunk: JsonObject, data: str) -> InBandError:
    """Make the exception for a chunk that reports an error."""
    error: JsonObject = chunk.get("error", {})
    if type(error) is not dict:
        error = {"message": error}
    code: Json = error.get("code")
    kind: Json = error.get("status")
    if type(code) is not int or not 400 <= code <= 599:
        code = _STATUSES.get(kind, 500) if type(kind) is str else 500
    facts = empty_object()
    details: list[Json] = error.get("details", [])
    for detail in details if type(details) is list else ():
        if type(detail) is dict:
            facts |= detail
    exception = in_band_error(
        data,
        status=code,
        kind=kind,
        message=error.get("message"),
        request_id=facts.get("requestId"),
    )
    exception.retry_after = _seconds(facts.get("retryDelay"))
    return exception


def _seconds(duration: Json) -> float | None:
    """Return a duration such as ``"34.5s"``, google.rpc.RetryInfo's, in seconds."""
    if type(duration) is not str or not duration.endswith("s"):
        return None
    number = duration[:-1]
    if not number.replace(".", "", 1).isdecimal() or not number.isascii() or len(number) > 16:
        return None
    return float(number)
