"""OpenAI's Responses API, as the provider, Azure, xAI, Bedrock and compatible gateways stream it.

Theory of operation
-------------------

Each frame holds a JSON object whose ``type`` says which event it is. The event name of the frame
repeats it; some gateways send none, so it counts only where there is no ``type``. A well-formed
stream::

    response.created ─▶ response.in_progress
      response.output_item.added                            once for each item
        response.content_part.added                         once for each part of a message
          response.output_text.delta * ─▶ response.output_text.done
        response.content_part.done
      response.output_item.done                             the item, whole
    response.completed                                      the response, whole

*Ends.* The terminal events are ``response.completed``, ``response.incomplete``,
``response.cancelled`` and ``response.failed``, which is raised as an `InBandError`, as an
``error`` event is. There is no stop reason before them, so nothing else makes a message whole.

*Items become parts.* Each content part of a message becomes one, every other item becomes one,
and a second one if it holds the result of a server's tool. The parts of reasoning, its summaries
and contents, are joined with an empty line between each two.

*Everything is told four times*: in deltas, in the ``done`` event of what they add to, in
``response.output_item.done``, and in the terminal event. A part is finished with its item, and the
later word counts: where it goes on from what was gathered, the rest is emitted as a delta; where it
contradicts that, `BlockFinished` has the later word, and the deltas stay as they were. An empty
word takes nothing back. Servers that leave out some of the four are understood, since what is
missing is made up from the next, and an item that only the terminal event knows is emitted then.
Which ones those are is told by the IDs; where IDs have changed on the way (OpenRouter, GitHub
Copilot), by the type, the call's ID and the order (`Items.match`).

*Which item an event belongs to* is told by ``output_index`` and ``item_id``. Gateways break the
one (every item is 0), or the other (a new ID in each event), or leave both out. So the item at the
index counts, unless its ID is another and the event's ID names an item; where neither is told, the
newest item of the type that takes the event (`Items.find`). Text and thoughts whose index points at
an item of another type go to the open item of their own; calls do not, since two half calls must
not become one. What belongs to none was never announced, and begins here.

*Tool calls.* A call is final when its item is done and its arguments are JSON. It is refused if
the provider marks it as incomplete. One case stays in doubt: a call without a single character of
arguments, or one whose input does not show its end (custom text, a shell command), unless it is
marked as completed. Only what follows can tell, so its `BlockFinished` waits for the next item or
the terminal event; after any other than ``response.completed`` it is refused.

*Who makes a call.* Calls that the application must answer are `ToolCall`, also those of tools that
the provider defines: ``computer_call``, ``local_shell_call``, ``apply_patch_call``, and
``shell_call`` and ``tool_search_call`` unless the provider runs them; the ``type`` in `raw` tells
which answer is due. What the provider runs is `ServerToolCall`. An ``mcp_approval_request`` is a
question to the application and not a call to make: it is an `UnknownPart`, and the stop reason is
``other`` and not ``end_turn``.

*To send the turn back*, take the ``raw`` of each part: it is the item as it was finished, with its
ID, its ``phase``, its encrypted content. Parts of one item share one object. Only that of a
`MediaPart` is incomplete: it lacks what is in ``data``.

*What is left out.* Log probabilities are not in the deltas; the finished item in ``raw`` has them.
Previews of an image are `UnknownDelta`, and do not become part of the `MediaPart`. The fields of
the response that repeat the request are not in `Message.extra`.

*What is tolerated.* What can be passed over without losing content is kept as an `UnknownEvent`
and counted: unknown events, a second announcement or a second end of an item, a frame that is no
JSON object, such as a stray ``[DONE]``. An item or content of an unknown type is kept as an
`UnknownPart`, and counted. Content that has no place is never dropped: a broken object, a field of
the wrong type, a delta for an item that has ended are each a `BadItemError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import attrs

from ..errors import StreamTruncatedError
from ..framing import ServerSentEvent
from ._contract import Decoder
from ._json import (
    JsonObject,
    Misfit,
    get_object,
    get_objects,
    get_optional_object,
    get_optional_string,
    get_string,
    kind_of,
    parse_json,
)
from ._message_dialect import Completion, MessageDialect
from ._openai_errors import read_error
from ._openai_responses_flows import CONTENTS, FLOWS, SECTIONS, TEXT, Flow
from ._openai_responses_objects import (
    open_content,
    read_extra,
    read_start,
    read_stop,
    read_usage,
    string_of,
)
from ._openai_responses_parts import ItemDecoder
from .items import (
    CitationDelta,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    Ping,
    UnknownDelta,
)
from .message import UnknownPart

if TYPE_CHECKING:
    from ..errors import InBandError

__all__ = ["OpenAIResponses"]


@attrs.frozen
class OpenAIResponses(MessageDialect):
    """The dialect of OpenAI's Responses API (``POST /v1/responses`` with ``"stream": true``).

    The result is a `Message`. A stream that ends without a terminal event raises
    `StreamTruncatedError`, with the partial message in its outcome; ``response.failed`` and
    ``error`` events raise `InBandError`, with the status that they amount to.

    Source: the API reference, "Responses" and "Streaming events".
    """

    completion: ClassVar[Completion] = Completion(
        terminal_markers=(
            "response.completed",
            "response.incomplete",
            "response.cancelled",
            "response.failed",
            "response.done",
        ),
        quirks=(
            "event name missing: the type of the object counts",
            "response.created missing: the message starts with what comes first",
            "output_index or item_id missing, repeated or changing: the other one counts",
            "items that were never announced: they begin with their first event",
            "deltas missing, or done events only: the text is taken from the later event",
            "output of the terminal event empty or absent: what was streamed counts",
            "output in the terminal event only: the parts are made from it",
            "server-side searches of xAI as custom_tool_call: calls of the server",
            "[DONE] after the terminal event: not read",
        ),
    )

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder()


# The status that a terminal event stands for, if the response in it has none of these.
_ENDS: Final = frozenset({"completed", "incomplete", "cancelled", "failed"})


class _Decoder(ItemDecoder):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = ("_events", "_id", "_model")

    def __init__(self) -> None:
        super().__init__()
        # The state, as the table of the events that it understands.
        self._events = _BEFORE
        # The response: its ID and its model.
        self._id = ""
        self._model = ""

    def close(self) -> None:
        if self._finished:
            return
        places = [block.place for item in self._items.unfinished() for block in item.blocks]
        if self._events is _BEFORE:
            where = "before response.created"
        elif places:
            where = f"inside part {min(places)}"
        else:
            where = "between two items"
        raise StreamTruncatedError(f"the stream ended {where} and without a terminal event")

    def _read_event(self, event: ServerSentEvent, out: list[MessageItem]) -> None:
        try:
            payload: JsonObject = parse_json(event.data)  # if it is an object
        except ValueError as exc:
            self._read_stray(event, out, f"not JSON: {exc}", exc)
            return
        if type(payload) is not dict:
            self._read_stray(event, out, f"expected an object, got {kind_of(payload)}", None)
            return
        kind = payload.get("type")
        if type(kind) is not str:
            kind = event.event
            if kind not in _OPEN and payload.get("error"):
                kind = "error"
        handler = self._events.get(kind)
        if handler is not None:
            handler(self, payload, event, out)
        elif event.event == "error":
            raise _read_error(payload, event)
        elif kind in _OPEN:
            # The beginning was lost, or was not asked for.
            items: list[MessageItem] = [MessageStarted()]
            _OPEN[kind](self, payload, event, items)
            self._events = _OPEN
            out.extend(items)
        else:
            self._keep(kind, event.data, out)

    def _read_stray(
        self,
        frame: ServerSentEvent,
        out: list[MessageItem],
        problem: str,
        cause: ValueError | None,
    ) -> None:
        """Read a frame that holds no JSON object."""
        if frame.event == "error":
            raise read_error(frame.data, frame.data)
        if frame.event in _PULSES:
            out.append(Ping())
        elif frame.event in _OPEN or frame.data.lstrip().startswith("{"):
            raise Misfit("$", problem) from cause
        else:
            self._keep(frame.event, frame.data, out)

    # The response.

    def begin(self, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]) -> None:
        response = get_optional_object(event, "response", "$") or {}
        self._begin(response, out)

    def _begin(self, response: JsonObject, out: list[MessageItem]) -> None:
        start = read_start(response, "$.response")
        self._id, self._model = start.id, start.model
        self._events = _OPEN
        out.append(start)

    def begin_again(
        self, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        response = get_optional_object(event, "response", "$") or {}
        name = string_of(response, "id")
        if self._id and name and name != self._id:
            raise StreamTruncatedError(
                f"response {self._id!r} was cut off: response {name!r} began inside it"
            )
        out.append(Ping())

    def ping(self, _event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]) -> None:
        out.append(Ping())

    def error(self, event: JsonObject, frame: ServerSentEvent, _out: list[MessageItem]) -> None:
        raise _read_error(event, frame)

    def completed(self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        self._end("completed", event, frame, out)

    def incomplete(self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        self._end("incomplete", event, frame, out)

    def cancelled(self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        self._end("cancelled", event, frame, out)

    def failed(self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        self._end("failed", event, frame, out)

    def _end(
        self, status: str, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        response, path = get_optional_object(event, "response", "$") or {}, "$.response"
        told = string_of(response, "status")
        if told in _ENDS:
            status = told
        if status == "failed" or response.get("error"):
            raise read_error(response.get("error"), frame.data)
        items: list[MessageItem] = []
        if self._events is _BEFORE:
            self._begin(response, items)
        self._finish_all(get_objects(response, "output", path), items)
        self._settle(items, whole=status == "completed")
        reason, word = read_stop(status, response, path)
        if reason == "end_turn":
            reason = self._reason()
        model = get_optional_string(response, "model", path)
        usage = read_usage(response, path)
        extra = read_extra(response) | {
            key: value for key, value in event.items() if key not in _ENVELOPE
        }
        name = string_of(response, "id")
        if name and name != self._id:
            extra["id"] = name
        items.append(
            MessageDelta(
                reason,
                word,
                usage=usage,
                model=model if model != self._model else None,
                extra=extra,
            )
        )
        items.append(MessageFinished())
        self._finished = True
        out.extend(items)

    # Items: their beginning, their contents, their end.

    def item_added(self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        if event.get("item") is None:
            self._keep_known(event, frame, out)  # openai/openai-python#3125
            return
        object_ = get_object(event, "item", "$")
        kind = get_string(object_, "type", "$.item")
        name = string_of(object_, "id")
        item = self._items.find(kind, event, name)
        if item is not None and item.id == name and (name or not item.has_ended):
            self._keep_known(event, frame, out)
        else:
            items: list[MessageItem] = []
            self._settle(items, whole=True)
            self._open_item(object_, kind, event, "$.item", items)
            out.extend(items)

    def item_done(self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        object_ = get_object(event, "item", "$")
        kind = get_string(object_, "type", "$.item")
        name = string_of(object_, "id")
        item = self._items.find_done(kind, event, object_)
        if item is not None and item.has_ended:
            call_id = string_of(object_, "call_id")
            if name or item.object == object_ or (call_id and item.call_id == call_id):
                self._keep_known(event, frame, out)
                return
            item = None
        items: list[MessageItem] = []
        if item is None:
            self._settle(items, whole=True)
            item = self._open_item(object_, kind, event, "$.item", items)
        self._finish(item, object_, "$.item", items)
        out.extend(items)

    def content_added(
        self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        content = get_object(event, "part", "$")
        if content.get("type") in SECTIONS:
            return  # a section of reasoning begins with its text
        item = self._items.find_open("message", event, string_of(event, "item_id"))
        if item is not None and item.has_ended:
            self._keep_known(event, frame, out)
            return
        part, is_known = open_content(content, {} if item is None else item.object, "$.part")
        key = event.get("content_index")
        if item is None:
            item = self._imply("message", event, out)
        elif item.block(key, type(part)) is not None and type(key) is int:
            return
        self._note(is_known=is_known)
        self._open_block(item, part, key, out)

    def content_done(
        self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        content = get_object(event, "part", "$")
        flow = CONTENTS.get(string_of(content, "type"))
        if flow is not None:
            self._complete(flow, content, event, frame, out)

    def annotation_added(
        self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        annotation = event.get("annotation")
        if annotation is None:
            self._keep_known(event, frame, out)
            return
        block = self._block_of(TEXT, event, out)
        block.additions.append(annotation)
        out.append(CitationDelta(block.place, annotation))

    def attach(self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        """Hand out an addition that does not become part of the finished part."""
        kind = _ATTACHED[string_of(event, "type") or frame.event]
        item = self._items.find(kind, event, string_of(event, "item_id"))
        if item is None or item.has_ended:
            self._keep_known(event, frame, out)
        else:
            block = item.blocks[0]
            delta = {key: value for key, value in event.items() if key not in _ENVELOPE}
            if isinstance(block.start, UnknownPart):
                block.additions.append(delta)
            out.append(UnknownDelta(block.place, delta))

    # Text that flows.

    def add(self, flow: Flow, event: JsonObject, out: list[MessageItem]) -> None:
        text = get_string(event, "delta", "$")
        block = self._block_of(flow, event, out)
        if text:
            out.append(flow.add(block.place, block.grow(flow.section_of(event), text)))

    def complete(
        self, flow: Flow, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        self._complete(flow, event, event, frame, out)

    def _complete(
        self,
        flow: Flow,
        source: JsonObject,
        event: JsonObject,
        frame: ServerSentEvent,
        out: list[MessageItem],
    ) -> None:
        """Take the whole text of a section from the field of ``source`` that has it."""
        whole = source.get(flow.whole)
        if type(whole) is not str or not whole:
            return  # silence takes nothing back
        item = self._items.find_open(flow.kind, event, string_of(event, "item_id"))
        if item is not None and item.has_ended:
            self._keep_known(event, frame, out)
            return
        block = self._block_of(flow, event, out)
        rest = block.complete_section(flow.section_of(event), whole)
        if rest:
            out.append(flow.add(block.place, rest))

    def _keep_known(
        self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        """Keep an event that is known, but says nothing that could be understood or is new."""
        self._keep(string_of(event, "type") or frame.event, frame.data, out)


# Fields of an event that say no more than where it belongs.
_ENVELOPE: Final = frozenset({"type", "response", "sequence_number", "item_id", "output_index"})


def _read_error(event: JsonObject, frame: ServerSentEvent) -> InBandError:
    return read_error(event.get("error") or event, frame.data, request_id=event.get("request_id"))


# Events with something to see that the finished part does not need, and the items they belong to.
_ATTACHED: Final[Mapping[str, str]] = {
    "response.image_generation_call.partial_image": "image_generation_call",
    "response.shell_call_output_content.delta": "shell_call_output",
}

# Signs of life. What they tell about an item, its end tells again.
_PULSES: Final = frozenset(
    {
        "keepalive",
        "ping",
        "response.code_interpreter_call.completed",
        "response.code_interpreter_call.in_progress",
        "response.code_interpreter_call.interpreting",
        "response.compaction.compacting",
        "response.file_search_call.completed",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.image_generation_call.completed",
        "response.image_generation_call.generating",
        "response.image_generation_call.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "response.mcp_call.in_progress",
        "response.mcp_list_tools.completed",
        "response.mcp_list_tools.failed",
        "response.mcp_list_tools.in_progress",
        "response.shell_call_command.added",
        "response.shell_call_output_content.done",
        "response.web_search_call.completed",
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
    }
)

_Handler: TypeAlias = Callable[[_Decoder, JsonObject, ServerSentEvent, list[MessageItem]], None]


def _adding(flow: Flow) -> _Handler:
    def handler(
        decoder: _Decoder, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        decoder.add(flow, event, out)

    return handler


def _completing(flow: Flow) -> _Handler:
    def handler(
        decoder: _Decoder, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        decoder.complete(flow, event, frame, out)

    return handler


_ALWAYS: Final[Mapping[str, _Handler]] = {
    "error": _Decoder.error,
    "response.cancelled": _Decoder.cancelled,
    "response.completed": _Decoder.completed,
    "response.done": _Decoder.completed,
    "response.failed": _Decoder.failed,
    "response.incomplete": _Decoder.incomplete,
    **dict.fromkeys(_PULSES, _Decoder.ping),
}
_BEFORE: Final[Mapping[str, _Handler]] = {
    "response.created": _Decoder.begin,
    "response.queued": _Decoder.begin,
    "response.in_progress": _Decoder.begin,
    **_ALWAYS,
}
_OPEN: Final[Mapping[str, _Handler]] = {
    "response.created": _Decoder.begin_again,
    "response.queued": _Decoder.ping,
    "response.in_progress": _Decoder.ping,
    "response.output_item.added": _Decoder.item_added,
    "response.output_item.done": _Decoder.item_done,
    "response.content_part.added": _Decoder.content_added,
    "response.content_part.done": _Decoder.content_done,
    "response.reasoning_part.added": _Decoder.content_added,
    "response.reasoning_part.done": _Decoder.content_done,
    "response.reasoning_summary_part.added": _Decoder.content_added,
    "response.reasoning_summary_part.done": _Decoder.content_done,
    "response.output_text.annotation.added": _Decoder.annotation_added,
    **dict.fromkeys(_ATTACHED, _Decoder.attach),
    **{f"{name}.delta": _adding(flow) for name, flow in FLOWS.items()},
    **{f"{name}.done": _completing(flow) for name, flow in FLOWS.items()},
    **_ALWAYS,
}
