"""Cohere's Chat API, version 2, as the platform and compatible servers stream it.

Theory of operation
-------------------

Each frame holds a JSON object whose ``type`` says which event it is; the event name of the frame
repeats it, and counts only where there is no ``type``. A well-formed stream::

    message-start
      tool-plan-delta *                                                  at most one plan
      content-start ─▶ content-delta * ─▶ content-end                    once for each block
        citation-start ─▶ citation-end                                   inside it, or after it
      tool-call-start ─▶ tool-call-delta * ─▶ tool-call-end              once for each call
    message-end                                              the reason and the usage, once
    [DONE]                                                   sometimes; not read

*Ends.* The terminal event is ``message-end``. It is also the only one with a reason, so a stream
that ends without it is truncated, whatever came before. A reason that is a failure, ``ERROR`` or
``TIMEOUT``, is raised as one.

*Blocks.* Content and calls are numbered apart, each by the ``index`` of the event. The plan, what
the model means to do with its tools, is a thought: it has no number, begins with its first words,
and ends with the next block.

*Tool calls.* A call whose block has ended is final if its arguments are JSON, and refused if not. A
call that ended without a single character of arguments may have been cut before them; what follows
decides, another block or the reason. Blocks that ``message-end`` finds open end there.

*Citations* go with the block that they name by ``content_index``, or with the open text. What
cannot be cited there, a plan or text that has ended, has its citations in `Message.extra`.

*What is tolerated.* Unknown events and deltas, the end of what is not open, and frames that hold no
JSON object are kept as `UnknownEvent` and counted; an unknown block as an `UnknownPart`. Content
without a place is a `BadItemError`: a broken object, a missing field, a delta for what is not open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, TypeAlias

import attrs

from ..errors import StreamTruncatedError
from ..framing import ServerSentEvent
from ._cohere_objects import FAILURES, STOP_REASONS, WHOLE, read_error, read_usage
from ._contract import Decoder
from ._json import (
    Json,
    JsonObject,
    Misfit,
    empty_object,
    get_int,
    get_object,
    get_optional_object,
    get_optional_string,
    get_string,
    kind_of,
    parse_json,
)
from ._message_dialect import Completion, MessageDialect, SSEMessageDecoder
from ._open_parts import OpenPart, OpenText, OpenThinking, OpenToolCall, OpenUnknown
from .items import (
    BlockDelta,
    BlockFinished,
    CitationDelta,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownDelta,
)
from .message import IncompleteToolCall, TextPart, ThinkingPart, UnknownPart

__all__ = ["CohereV2"]


@attrs.frozen
class CohereV2(MessageDialect):
    """The dialect of Cohere's Chat API (``POST /v2/chat`` with ``"stream": true``).

    The result is a `Message`, without a model: the stream does not name it. A stream that ends
    before its ``message-end`` raises `StreamTruncatedError`, with the partial message in its
    outcome; one that fails raises `InBandError`. As nothing but ``message-end`` makes a message
    whole, ``strict`` changes nothing.

    The plan for tool calls is a `ThinkingPart` with ``tool_plan`` in its ``raw``; in the next
    request it is the field of that name, and not a part of the content.

    Source: the API reference, "Chat with Streaming".
    """

    completion: ClassVar[Completion] = Completion(
        terminal_markers=("message-end",),
        quirks=(
            "event name missing: the type of the object counts",
            "[DONE] after message-end: not read",
        ),
    )

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder()


_NO_ARGUMENTS: Final = "no arguments came, and the model was cut off"
_DELTA: Final = "$.delta.message"


@attrs.define
class _Block:
    """An open block: its place in the message, and the part that it becomes."""

    place: int
    part: OpenPart


_PLAN: Final = ("plan", 0)


class _Decoder(SSEMessageDecoder):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = ("_blocks", "_citations", "_events", "_id", "_in_doubt", "_logprobs", "_text")

    def __init__(self) -> None:
        super().__init__()
        # The state, as the table of the events that it understands.
        self._events = _BEFORE
        self._id = ""
        # The open blocks, by kind and index, the newest text if that is open, and the call without
        # arguments that has ended.
        self._blocks: dict[tuple[str, int], _Block] = {}
        self._text: _Block | None = None
        self._in_doubt: _Block | None = None
        # What is told at the end: citations without a place, and log probabilities.
        self._citations: list[Json] = []
        self._logprobs: list[Json] = []

    def close(self) -> None:
        if self._finished:
            return
        if self._events is _BEFORE:
            where = "before message-start"
        elif self._blocks:
            where = f"inside part {min(block.place for block in self._blocks.values())}"
        else:
            where = "before message-end"
        raise StreamTruncatedError(f"the stream ended {where}")

    def _read_event(self, event: ServerSentEvent, out: list[MessageItem]) -> None:
        try:
            value: JsonObject = parse_json(event.data)  # if it is an object
        except ValueError as exc:
            self._read_stray(event, out, f"not JSON: {exc}", exc)
            return
        if type(value) is not dict:
            self._read_stray(event, out, f"expected an object, got {kind_of(value)}", None)
            return
        kind = value.get("type")
        if type(kind) is not str:
            kind = event.event
        handler = self._events.get(kind)
        if handler is not None:
            handler(self, value, event, out)
        elif "error" in (kind, event.event) or value.get("error") is not None:
            raise read_error(value, event.data)
        elif kind in _OPEN:
            raise Misfit("$.type", f"{kind} before message-start")
        else:
            self._keep(kind, event.data, out)

    def _read_stray(
        self,
        event: ServerSentEvent,
        out: list[MessageItem],
        problem: str,
        cause: ValueError | None,
    ) -> None:
        """Read a frame that holds no JSON object."""
        if event.event == "error":
            raise read_error({}, event.data)
        if event.event in _OPEN or event.data.lstrip().startswith("{"):
            raise Misfit("$", problem) from cause
        self._keep(event.event, event.data, out)

    def _read_unframed(self, text: str, out: list[MessageItem]) -> None:
        # The body of an error answer has a message, and no field that is called error.
        try:
            value: JsonObject = parse_json(text)
        except ValueError:
            value = empty_object()
        if type(value) is dict and type(value.get("message")) is str:
            raise read_error(value, text)
        super()._read_unframed(text, out)

    # One method for each event.

    def message_start(
        self, value: JsonObject, _event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        message = get_object(get_object(value, "delta", "$"), "message", "$.delta")
        self._id = get_optional_string(value, "id", "$") or ""
        role = get_optional_string(message, "role", _DELTA) or "assistant"
        extra = {
            key: each
            for key, each in message.items()
            if key not in ("role", "content", "tool_plan", "tool_calls", "citations")
            and each is not None
        }
        self._events = _OPEN
        out.append(MessageStarted(self._id, role=role, extra=extra))

    def message_start_again(
        self, value: JsonObject, event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        message_id = get_optional_string(value, "id", "$") or ""
        if message_id != self._id:
            raise StreamTruncatedError(
                f"message {self._id!r} was cut off: message {message_id!r} began inside it"
            )
        self._keep("message-start", event.data, out)

    def tool_plan_delta(
        self, value: JsonObject, _event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        message = _message_of(value)
        words = get_string(message, "tool_plan", _DELTA)
        block = self._blocks.get(_PLAN)
        if block is None:
            part = OpenThinking(ThinkingPart(finished=False, raw=message))
            block = self._open(_PLAN, part, out)
        _grow(block, ThinkingDelta(block.place, words), out)

    def content_start(
        self, value: JsonObject, _event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        key = "content", get_int(value, "index", "$")
        content, path = get_object(_message_of(value), "content", _DELTA), f"{_DELTA}.content"
        kind = get_string(content, "type", path)
        part: OpenPart
        words = ""
        match kind:
            case "text":
                words = get_optional_string(content, "text", path) or ""
                part = OpenText(TextPart(finished=False, raw=content))
            case "thinking":
                words = get_optional_string(content, "thinking", path) or ""
                part = OpenThinking(ThinkingPart(finished=False, raw=content))
            case _:
                self._unknown_events += 1
                part = OpenUnknown(UnknownPart(kind, content, finished=False))
        block = self._open(key, part, out)
        if words:
            delta = TextDelta if kind == "text" else ThinkingDelta
            _grow(block, delta(block.place, words), out)

    def content_delta(
        self, value: JsonObject, event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        block = self._get("content", value)
        content, path = get_object(_message_of(value), "content", _DELTA), f"{_DELTA}.content"
        delta = _read_content(content, block, path)
        if delta is None:
            self._keep("content-delta", event.data, out)
            return
        if value.get("logprobs") is not None:
            self._logprobs.append(value["logprobs"])
        _grow(block, delta, out)

    def content_end(
        self, value: JsonObject, event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        block = self._blocks.pop(("content", get_int(value, "index", "$")), None)
        if block is None:
            self._keep("content-end", event.data, out)
            return
        if block is self._text:
            self._text = None
        self._end(block, out, whole=True)

    def tool_call_start(
        self, value: JsonObject, _event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        key = "call", get_int(value, "index", "$")
        call, path = get_object(_message_of(value), "tool_calls", _DELTA), f"{_DELTA}.tool_calls"
        function = get_object(call, "function", path)
        start = IncompleteToolCall(
            get_string(call, "id", path),
            get_string(function, "name", f"{path}.function"),
            raw=call,
        )
        arguments = get_optional_string(function, "arguments", f"{path}.function")
        block = self._open(key, OpenToolCall(start), out)
        if arguments:
            _grow(block, ToolInputDelta(block.place, arguments), out)

    def tool_call_delta(
        self, value: JsonObject, _event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        block = self._get("call", value)
        call, path = get_object(_message_of(value), "tool_calls", _DELTA), f"{_DELTA}.tool_calls"
        function = get_object(call, "function", path)
        arguments = get_string(function, "arguments", f"{path}.function")
        _grow(block, ToolInputDelta(block.place, arguments), out)

    def tool_call_end(
        self, value: JsonObject, event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        block = self._blocks.pop(("call", get_int(value, "index", "$")), None)
        if block is None:
            self._keep("tool-call-end", event.data, out)
            return
        self._settle(out, whole=True)
        if isinstance(block.part, OpenToolCall) and block.part.is_empty:
            self._in_doubt = block
        else:
            self._end(block, out, whole=True)

    def citation_start(
        self, value: JsonObject, _event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        message = _message_of(value)
        # It is one, though the field has the name of many.
        citations: list[Json] = message.get("citations", [])
        if type(citations) is not list:
            citations = [get_object(message, "citations", _DELTA)]
        for citation in citations:
            block = self._cited(citation)
            if block is None:
                self._citations.append(citation)
            else:
                _grow(block, CitationDelta(block.place, citation), out)

    def citation_end(
        self, _value: JsonObject, _event: ServerSentEvent, _out: list[MessageItem]
    ) -> None:
        """Says nothing: the citation came whole."""

    def message_end(
        self, value: JsonObject, event: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        delta = get_optional_object(value, "delta", "$") or {}
        reason = get_optional_string(delta, "finish_reason", "$.delta")
        if reason in FAILURES or delta.get("error") is not None:
            raise read_error(delta, event.data)
        word = None if reason is None else STOP_REASONS.get(reason, "other")
        is_whole = word in WHOLE
        usage = read_usage(delta, "$.delta")
        extra: JsonObject = {
            field: each
            for field, each in delta.items()
            if field not in ("finish_reason", "usage") and each is not None
        }
        if self._citations:
            extra["citations"] = self._citations
        if self._logprobs:
            extra["logprobs"] = self._logprobs
        self._settle(out, whole=is_whole)
        for block in self._blocks.values():
            self._end(block, out, whole=is_whole)
        self._blocks = {}
        out.append(MessageDelta(word, reason, usage=usage, extra=extra))
        self._finished = True
        out.append(MessageFinished())

    # The blocks.

    def _open(self, key: tuple[str, int], part: OpenPart, out: list[MessageItem]) -> _Block:
        if key in self._blocks:
            raise Misfit("$.index", f"{key[0]} {key[1]} is open already")
        self._settle(out, whole=True)
        plan = self._blocks.pop(_PLAN, None)
        if plan is not None:
            self._end(plan, out, whole=True)
        block = self._blocks[key] = _Block(self._start_part(part, out), part)
        if type(part) is OpenText:
            self._text = block
        return block

    def _get(self, kind: str, value: JsonObject) -> _Block:
        index = get_int(value, "index", "$")
        block = self._blocks.get((kind, index))
        if block is None:
            raise Misfit("$.index", f"{kind} {index} is not open")
        return block

    def _cited(self, citation: Json) -> _Block | None:
        """Return the open text that a citation belongs to."""
        facts: JsonObject = citation
        index: Json = facts.get("content_index") if type(facts) is dict else None
        if type(index) is int:
            block = self._blocks.get(("content", index))
            return block if block is not None and type(block.part) is OpenText else None
        return self._text

    def _settle(self, out: list[MessageItem], *, whole: bool) -> None:
        """Finish the call that is in doubt, if one is: now it is known whether it is whole."""
        if self._in_doubt is not None:
            block, self._in_doubt = self._in_doubt, None
            self._end(block, out, whole=whole)

    def _end(self, block: _Block, out: list[MessageItem], *, whole: bool) -> None:
        part = block.part
        if isinstance(part, OpenToolCall) and part.is_empty and not whole:
            out.append(BlockFinished(block.place, part.refused(_NO_ARGUMENTS)))
        else:
            out.append(BlockFinished(block.place, part.finished()))


_Handler: TypeAlias = Callable[[_Decoder, JsonObject, ServerSentEvent, list[MessageItem]], None]

_BEFORE: Final[Mapping[str, _Handler]] = {"message-start": _Decoder.message_start}
_OPEN: Final[Mapping[str, _Handler]] = {
    "message-start": _Decoder.message_start_again,
    "tool-plan-delta": _Decoder.tool_plan_delta,
    "content-start": _Decoder.content_start,
    "content-delta": _Decoder.content_delta,
    "content-end": _Decoder.content_end,
    "tool-call-start": _Decoder.tool_call_start,
    "tool-call-delta": _Decoder.tool_call_delta,
    "tool-call-end": _Decoder.tool_call_end,
    "citation-start": _Decoder.citation_start,
    "citation-end": _Decoder.citation_end,
    "message-end": _Decoder.message_end,
}


def _message_of(value: JsonObject) -> JsonObject:
    """Return the piece of a message that an event brings."""
    return get_object(get_object(value, "delta", "$"), "message", "$.delta")


def _read_content(content: JsonObject, block: _Block, path: str) -> BlockDelta | None:
    """Read an addition to a content block; `None` if it is of a kind that nobody knows."""
    if type(block.part) is OpenUnknown:
        return UnknownDelta(block.place, content)
    text = get_optional_string(content, "text", path)
    thinking = get_optional_string(content, "thinking", path)
    if text and thinking:
        raise Misfit(path, "text and thinking in one")
    if text is None and thinking is None:
        return None
    if thinking or (not text and type(block.part) is OpenThinking):
        return ThinkingDelta(block.place, thinking or "")
    return TextDelta(block.place, text or "")


def _grow(block: _Block, delta: BlockDelta, out: list[MessageItem]) -> None:
    if not block.part.add(delta):
        raise Misfit("$.delta", "a delta of this kind does not belong to its block")
    out.append(delta)
