"""What the JSON objects inside the Responses API's events mean: items, usage, reasons.

An *item* is one element of the response's ``output``. Tables first; below them the functions that
read one object each. Those raise `Misfit` for an object that does not have the shape it should
have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from ._json import (
    Json,
    JsonObject,
    get_objects,
    get_optional_int,
    get_optional_list,
    get_optional_object,
    get_optional_string,
    get_string,
    parse_strict_json,
)
from ._open_parts import OpenToolCall
from .items import MessageStarted
from .message import (
    IncompleteToolCall,
    MediaPart,
    Part,
    RefusalPart,
    ServerToolCall,
    ServerToolResult,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
    Usage,
)

__all__ = [
    "close_content",
    "close_item",
    "end_content",
    "needs_proof",
    "open_content",
    "open_item",
    "read_extra",
    "read_result",
    "read_start",
    "read_stop",
    "read_usage",
    "refused",
    "start_content",
    "string_of",
    "text_of",
]

_NO_PROOF: Final = "nothing shows that the call is whole, and the model may have been cut off"
_NO_END: Final = "the end of the call was not seen"
_MARKED: Final = "the provider marks the call as incomplete"
_NAMELESS: Final = "no name came with the call"

# Reasons in ``incomplete_details``; any other is `other`.
_REASONS: Final[Mapping[str, StopReason]] = {
    "max_output_tokens": "max_tokens",
    "max_tokens": "max_tokens",
    "content_filter": "refusal",
}

# Fields of the response that repeat the request, or are made from the others.
_ECHO: Final = frozenset(
    {
        "background",
        "frequency_penalty",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "object",
        "output_text",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "store",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    }
)
_READ: Final = frozenset({"id", "model", "role", "output", "usage", "error"})

# --- items -------------------------------------------------------------------------------------


def _by_server(_item: JsonObject) -> bool:
    return True


def _by_application(_item: JsonObject) -> bool:
    return False


def _is_hosted_shell(item: JsonObject) -> bool:
    environment: JsonObject | None = item.get("environment")
    return type(environment) is dict and string_of(environment, "type").startswith("container")


def _is_hosted_search(item: JsonObject) -> bool:
    return item.get("execution") == "server"


@attrs.frozen
class _Tool:
    """A tool that is the provider's, and has a type of item of its own.

    Attributes:
        name: What the call is called, where the item does not say.
        fields: Those that hold the input.
        by_server: Whether it is the provider who makes the call, told from the item.
        result: The field that holds the result, if it comes in the same item.
    """

    name: str
    fields: tuple[str, ...]
    by_server: Callable[[JsonObject], bool] = _by_server
    result: str = ""


_TOOLS: Final[Mapping[str, _Tool]] = {
    "web_search_call": _Tool("web_search", ("action",)),
    "file_search_call": _Tool("file_search", ("queries",), result="results"),
    "code_interpreter_call": _Tool("code_interpreter", ("code", "container_id"), result="outputs"),
    "program": _Tool("program", ("code",)),
    "tool_search_call": _Tool("tool_search", (), _is_hosted_search),
    "shell_call": _Tool("shell", ("action",), _is_hosted_shell),
    "local_shell_call": _Tool("local_shell", ("action",), _by_application),
    "computer_call": _Tool(
        "computer", ("action", "actions", "pending_safety_checks"), _by_application
    ),
    "apply_patch_call": _Tool("apply_patch", ("operation",), _by_application),
    # xAI's own.
    "x_search_call": _Tool("x_search", ("action",)),
    "code_execution_call": _Tool("code_execution", ("code",)),
    "view_image_call": _Tool("view_image", ()),
    "view_x_video_call": _Tool("view_x_video", ()),
}

# Items that hold the result of a call, and the field that it is in.
_RESULTS: Final[Mapping[str, str]] = {
    "apply_patch_call_output": "output",
    "computer_call_output": "output",
    "custom_tool_call_output": "output",
    "function_call_output": "output",
    "local_shell_call_output": "output",
    "program_output": "result",
    "shell_call_output": "output",
    "tool_search_output": "tools",
}

# Known here, but no other provider has the like.
_UNLIKE: Final = frozenset(
    {
        "additional_tools",
        "compaction",
        "configuration_update",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_list_tools",
    }
)

# The start of the IDs that xAI gives to the calls of its own tools. They come as custom calls, but
# there is nothing for the application to do.
_XAI_SEARCH: Final = "xs_call"


def _is_xai_search(item: JsonObject) -> bool:
    return string_of(item, "call_id").startswith(_XAI_SEARCH)


def string_of(source: JsonObject, key: str) -> str:
    """Return a string that servers leave out, at no loss; ``""`` if there is none."""
    value = source.get(key)
    return value if type(value) is str else ""


_CALLS: Final = frozenset({"function_call", "custom_tool_call", "mcp_call"})


def open_item(item: JsonObject, kind: str, path: str) -> tuple[Part, bool]:
    """Read an item, other than a message, as it is at its start.

    Returns:
        What is known of its part, and whether its type is known.
    """
    tool = _TOOLS.get(kind)
    if kind in _CALLS or tool is not None:
        start = _call(item, kind, tool, path)
        # Deltas of the provider's own tools are text: code, a command, a patch.
        return attrs.evolve(start, is_custom=True) if tool is not None else start, True
    if kind == "reasoning":
        return ThinkingPart(finished=False, raw=item), True
    if kind == "image_generation_call":
        return MediaPart(id=string_of(item, "id"), finished=False, raw=item), True
    is_known = kind in _RESULTS or kind in _UNLIKE
    return UnknownPart(kind, item, finished=False), is_known


def _call(item: JsonObject, kind: str, tool: _Tool | None, path: str) -> IncompleteToolCall:
    by_server = kind == "mcp_call"
    is_custom = kind == "custom_tool_call"
    call_id = string_of(item, "call_id")
    if tool is not None:
        by_server = tool.by_server(item)
    elif is_custom:
        by_server = _is_xai_search(item)
    if by_server:
        call_id = call_id or string_of(item, "id")
    name = get_optional_string(item, "name", path) or ("" if tool is None else tool.name)
    return IncompleteToolCall(call_id, name, by_server=by_server, is_custom=is_custom, raw=item)


def text_of(item: JsonObject, kind: str, path: str) -> str:
    """Return the text that an item holds as a whole, and that deltas may have brought already.

    For reasoning: its summaries, then its contents, with an empty line between each two. For
    calls: the arguments, or what the deltas of the provider's own tool tell of its input.
    """
    match kind:
        case "reasoning":
            sections = [*get_objects(item, "summary", path), *get_objects(item, "content", path)]
            texts = [get_optional_string(section, "text", where) for section, where in sections]
            return "\n\n".join(text for text in texts if text)
        case "function_call" | "mcp_call":
            arguments = item.get("arguments")
            return arguments if type(arguments) is str else ""
        case "custom_tool_call":
            return get_optional_string(item, "input", path) or ""
        case "code_interpreter_call":
            return get_optional_string(item, "code", path) or ""
        case "shell_call":
            action = get_optional_object(item, "action", path) or {}
            commands = get_optional_list(action, "commands", f"{path}.action") or []
            return "\n".join(command for command in commands if type(command) is str)
        case "apply_patch_call":
            operation = get_optional_object(item, "operation", path) or {}
            return get_optional_string(operation, "diff", f"{path}.operation") or ""
        case _:
            return ""


def close_item(item: JsonObject, kind: str, text: str, path: str, *, ended: bool) -> Part:
    """Read an item, other than a message, whose end has come.

    Args:
        item: The item as it is at its end, or at its start if its end was not seen.
        kind: Its type.
        text: The text of its part.
        path: Where it is.
        ended: Whether its end was seen.

    Returns:
        The part. A call is final only if nothing speaks against it.
    """
    tool = _TOOLS.get(kind)
    if tool is not None:
        return _close_tool_call(item, kind, tool, text, path, ended=ended)
    if kind in _CALLS:
        return _close_call(item, kind, text, path, ended=ended)
    if kind == "reasoning":
        seal = get_optional_string(item, "encrypted_content", path) if ended else None
        return ThinkingPart(text, seal or "", raw=item)
    if kind == "image_generation_call":
        return _read_image(item, path)
    if kind in _RESULTS and ended:
        return ServerToolResult(
            string_of(item, "call_id"), kind, item.get(_RESULTS[kind]), raw=item
        )
    return UnknownPart(kind, item)


def _close_call(item: JsonObject, kind: str, text: str, path: str, *, ended: bool) -> Part:
    """Close a call with a name and arguments: the application's, or one to an MCP server."""
    start = attrs.evolve(_call(item, kind, None, path), arguments=text)
    given = item.get("arguments") if kind != "custom_tool_call" else None
    call = OpenToolCall(start, given=None if type(given) is str else given)
    if item.get("status") == "incomplete":
        return call.refused(_MARKED)
    if not ended and (start.is_custom or call.is_empty):
        return call.refused(_NO_END)
    if start.is_custom and start.by_server:
        return ServerToolCall(start.id, start.name, _value_of(text), text, raw=item)
    if not start.name:
        return call.refused(_NAMELESS)
    return call.finished()


def _close_tool_call(
    item: JsonObject, kind: str, tool: _Tool, text: str, path: str, *, ended: bool
) -> Part:
    """Close a call of one of the provider's own tools. Its input is a value, and comes whole."""
    start = _call(item, kind, tool, path)
    error = _MARKED if item.get("status") == "incomplete" else "" if ended else _NO_END
    if error:
        return attrs.evolve(start, arguments=text, error=error, is_custom=True)
    arguments = string_of(item, "arguments")
    given: JsonObject | None = item.get("arguments")
    value: Json
    if arguments and not start.by_server:
        return OpenToolCall(attrs.evolve(start, arguments=arguments)).finished()
    if arguments:
        value = _value_of(arguments)
    elif type(given) is dict:
        value = given
    else:
        value = {key: item[key] for key in tool.fields if item.get(key) is not None}
    make = ServerToolCall if start.by_server else ToolCall
    return make(start.id, start.name, value, arguments, raw=item)


def _value_of(text: str) -> Json:
    """Return the value of a JSON text, or the text: a server's calls are only looked at."""
    try:
        return parse_strict_json(text)
    except ValueError:
        return text


def needs_proof(part: Part) -> bool:
    """Whether a call that has ended may have been cut off before its end all the same.

    So it is if there are no arguments at all, or if their end does not show in them and the
    provider does not say that the call is complete.
    """
    if type(part) is not ToolCall:
        return False
    if not (part.arguments or part.input):
        return True
    return part.raw.get("type") != "function_call" and part.raw.get("status") != "completed"


def refused(call: ToolCall) -> IncompleteToolCall:
    """Return a call that could not be proved whole, as one that must not be made."""
    return IncompleteToolCall(
        call.id,
        call.name,
        call.arguments,
        _NO_PROOF,
        is_custom=call.is_custom,
        preview=call.input,
        raw=call.raw,
    )


def read_result(item: JsonObject, kind: str) -> ServerToolResult | None:
    """Read the result of a server's call, if it comes in the same item."""
    if kind == "mcp_call":
        error, output = item.get("error"), item.get("output")
        content = output if error is None else error
    else:
        tool = _TOOLS.get(kind)
        content = item.get(tool.result) if tool is not None and tool.result else None
    if content is None:
        return None
    call_id = string_of(item, "call_id") or string_of(item, "id")
    return ServerToolResult(call_id, kind, content, raw=item)


def _read_image(item: JsonObject, path: str) -> MediaPart:
    result = get_optional_string(item, "result", path) or ""
    form = get_optional_string(item, "output_format", path)
    is_uri = result.startswith(("data:", "https://", "http://"))
    return MediaPart(
        media_type=_IMAGE_TYPES.get(form, f"image/{form}") if form else "",
        uri=result if is_uri else "",
        data=(result,) if result and not is_uri else (),
        id=string_of(item, "id"),
        raw={key: value for key, value in item.items() if key != "result"},
    )


_IMAGE_TYPES: Final = {"jpg": "image/jpeg", "svg": "image/svg+xml"}

# --- the contents of a message -------------------------------------------------------------------


def open_content(content: JsonObject, item: JsonObject, path: str) -> tuple[Part, bool]:
    """Read a content part of a message as it is at its start; return it, and if it is known."""
    kind = get_string(content, "type", path)
    match kind:
        case "output_text" | "text":
            return TextPart(finished=False, raw=item), True
        case "refusal":
            return RefusalPart(finished=False, raw=item), True
        case "output_audio":
            return MediaPart(finished=False, raw=item), True
        case _:
            return UnknownPart(kind, content, finished=False), False


def start_content(part: type[Part], item: JsonObject) -> Part:
    """Make a content part that was never announced, at its start."""
    if part is RefusalPart:
        return RefusalPart(finished=False, raw=item)
    if part is MediaPart:
        return MediaPart(finished=False, raw=item)
    return TextPart(finished=False, raw=item)


def end_content(start: Part) -> Part:
    """Return a content part whose end was not told, as one that has ended."""
    if isinstance(start, TextPart | RefusalPart | MediaPart | UnknownPart):
        return attrs.evolve(start, finished=True)
    return start


def close_content(content: JsonObject, item: JsonObject, path: str) -> Part:
    """Read a content part of a message whose end has come."""
    kind = get_string(content, "type", path)
    match kind:
        case "output_text" | "text":
            text = get_optional_string(content, "text", path) or ""
            annotations = get_optional_list(content, "annotations", path) or []
            return TextPart(text, tuple(annotations), raw=item)
        case "refusal":
            return RefusalPart(get_optional_string(content, "refusal", path) or "", raw=item)
        case "output_audio":
            data = get_optional_string(content, "data", path)
            transcript = get_optional_string(content, "transcript", path) or ""
            return MediaPart(
                data=(data,) if data else (),
                transcript=transcript,
                id=string_of(content, "id"),
                raw={key: value for key, value in item.items() if key != "content"},
            )
        case _:
            return UnknownPart(kind, item)


# --- the response ------------------------------------------------------------------------------


def read_start(response: JsonObject, path: str) -> MessageStarted:
    """Read the response as it is at its start."""
    return MessageStarted(
        id=string_of(response, "id"),
        model=get_optional_string(response, "model", path) or "",
        usage=read_usage(response, path),
        extra=read_extra(response),
    )


def read_extra(response: JsonObject) -> JsonObject:
    """Return what a response says beyond the request's own fields and those read elsewhere."""
    return {
        key: value
        for key, value in response.items()
        if value is not None and key not in _READ and key not in _ECHO
    }


def read_stop(status: str, response: JsonObject, path: str) -> tuple[StopReason, str]:
    """Return why the model stopped, in the shared word and the provider's own."""
    details = get_optional_object(response, "incomplete_details", path) or {}
    reason = get_optional_string(details, "reason", f"{path}.incomplete_details")
    if status == "completed":
        return "end_turn", reason or status
    return _REASONS.get(reason or "", "other"), reason or status


def read_usage(response: JsonObject, path: str) -> Usage | None:
    """Read ``usage`` of a response, if it is there.

    The provider's ``input_tokens`` include those that were read from and written to a cache.
    """
    usage = get_optional_object(response, "usage", path)
    if usage is None:
        return None
    path = f"{path}.usage"
    details = get_optional_object(usage, "input_tokens_details", path) or {}
    read = get_optional_int(details, "cached_tokens", f"{path}.input_tokens_details")
    written = get_optional_int(details, "cache_write_tokens", f"{path}.input_tokens_details")
    total = get_optional_int(usage, "input_tokens", path)
    return Usage(
        input_tokens=None if total is None else max(total - (read or 0) - (written or 0), 0),
        output_tokens=get_optional_int(usage, "output_tokens", path),
        cache_read_tokens=read,
        cache_write_tokens=written,
        raw=usage,
    )
