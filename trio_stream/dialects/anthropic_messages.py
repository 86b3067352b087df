"""Anthropic's Messages API, as the provider, Vertex and compatible gateways stream it.

Theory of operation
-------------------

Each frame holds a JSON object whose ``type`` says which event it is. The event name of the frame
repeats it; some proxies lose the name, so it counts only where there is no ``type``. A
well-formed stream::

    message_start
      content_block_start ─▶ content_block_delta * ─▶ content_block_stop      once for each block
    message_delta                          the stop reason and the usage; may come more than once
    message_stop
                                           `ping` anywhere; `error` anywhere, and nothing after it

The decoder has three states. What it does with an event is in a table, one for each state
(`_BEFORE` and `_OPEN`, at the end of the file); a known event that is not in the table of its
state is an error::

    BEFORE ──message_start──▶ OPEN ──message_stop──▶ finished: nothing more is read

*Ends.* The terminal event is ``message_stop``. A stream that ends without it is truncated, unless
the stop reason has come and no block is open: then the message is whole, and all that was lost
is the frame that would have said so. A stop reason in ``message_start`` proves nothing, since it
stands before the content; it is believed only once ``message_stop`` has come.

*Blocks* are known by the provider's ``index`` while they are open. Items number the parts of the
message instead, in the order in which they start, so whatever a gateway does to the indexes, no
part is ever written into another.

*Tool calls.* A call whose block has ended is final if its arguments are JSON, and refused if not:
a model that runs into ``max_tokens`` in the middle of the arguments ends the block all the same.
One case stays in doubt, a block that ended without a single character of arguments. It is a call
without arguments, or it was cut before the first. Only what follows can tell, another block or
the stop reason, so its `BlockFinished` waits for that (`_Decoder._settle`).

*A second* ``message_start`` that has the ID of the open message is a gateway's duplicate; only its
usage is read (BerriAI/litellm#32478, maximhq/bifrost#4556). With another ID it is another
generation, which a proxy began when it had lost the first. The first is truncated, and the stream
ends there: two half messages do not make one (vercel/ai#18331).

*What is tolerated.* What can be passed over without losing content is kept as an `UnknownEvent`
and counted: unknown events, unknown deltas, the end of a block that is not open, a frame that is
no JSON object, such as a stray ``[DONE]``. An unknown block is kept as an `UnknownPart`, and
counted. Content that has no place is never dropped: a broken object, a missing field, a block that
starts while it is open, a delta for one that is not or that does not take its kind are each a
`BadItemError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Final, TypeAlias

import attrs

from ..errors import StreamTruncatedError
from ..framing import ServerSentEvent
from ._anthropic_objects import (
    Stop,
    UsualDelta,
    open_block,
    read_delta,
    read_error,
    read_extra,
    read_start,
    read_successor,
    read_usage,
    usual_delta,
)
from ._contract import Decoder
from ._json import (
    Json,
    JsonObject,
    Misfit,
    get_int,
    get_object,
    get_objects,
    get_optional_object,
    get_optional_string,
    kind_of,
    parse_json,
)
from ._message_dialect import Completion, MessageDialect, SSEMessageDecoder
from ._open_parts import OpenPart, OpenToolCall
from .items import BlockFinished, MessageDelta, MessageFinished, MessageItem, Ping

__all__ = ["AnthropicMessages"]


@attrs.frozen
class AnthropicMessages(MessageDialect):
    """The dialect of Anthropic's Messages API (``POST /v1/messages`` with ``"stream": true``).

    The result is a `Message`. A stream that ends before its message is whole raises
    `StreamTruncatedError`, with the partial message in its outcome; an ``error`` event raises
    `InBandError`, with the status that it amounts to (529 for an overloaded server).

    Source: the API reference, "Streaming messages" and "Errors".
    """

    completion: ClassVar[Completion] = Completion(
        terminal_markers=("message_stop",),
        also="a stop_reason in message_delta, while no content block is open",
        quirks=(
            "event name missing: the type of the object counts",
            "stop_reason in message_start only: believed at message_stop",
            "message_start repeated by a gateway: only its usage is read",
            "stray frames that hold no JSON object, such as [DONE]: kept as unknown",
        ),
    )

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder(strict=self.strict)


_NO_ARGUMENTS: Final = "no arguments came, and the model may have been cut off before them"


@attrs.define
class _Block:
    """An open block.

    Attributes:
        place: Its place in the message.
        part: The part that it becomes.
        usual: How the deltas are read that make it grow, if they are of one type.
    """

    place: int
    part: OpenPart
    usual: UsualDelta | None


class _Decoder(SSEMessageDecoder):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = ("_blocks", "_early_stop", "_events", "_id", "_in_doubt", "_stopped", "_strict")

    def __init__(self, *, strict: bool) -> None:
        super().__init__()
        self._strict = strict
        # The state, as the table of the events that it understands.
        self._events = _BEFORE
        # The message: its ID, the reason that was told too early, whether one came in time.
        self._id = ""
        self._early_stop = Stop()
        self._stopped = False
        # Its parts: the open ones by the provider's index, and the call without arguments whose
        # block has ended.
        self._blocks: dict[int, _Block] = {}
        self._in_doubt: tuple[int, OpenToolCall] | None = None

    def close(self) -> None:
        whole = self._stopped and not self._blocks and self._in_doubt is None
        if self._finished or (whole and not self._strict):
            return
        if self._events is _BEFORE:
            where = "before message_start"
        elif self._blocks:
            where = f"inside part {min(block.place for block in self._blocks.values())}"
        elif whole:
            where = "after its stop reason"
        else:
            where = "before a stop reason"
        raise StreamTruncatedError(f"the stream ended {where} and without message_stop")

    def _read_event(self, frame: ServerSentEvent, out: list[MessageItem]) -> None:
        try:
            event: JsonObject = parse_json(frame.data)  # if it is one
        except ValueError as exc:
            self._read_stray(frame, out, f"not JSON: {exc}", exc)
            return
        if type(event) is not dict:
            self._read_stray(frame, out, f"expected an object, got {kind_of(event)}", None)
            return
        kind = event.get("type")
        if type(kind) is not str:
            kind = frame.event
            if kind not in _OPEN and event.get("error"):
                kind = "error"
        handler = self._events.get(kind)
        if handler is not None:
            handler(self, event, frame, out)
        elif frame.event == "error":
            raise read_error(event, frame.data)
        elif kind in _OPEN:
            raise Misfit("$.type", f"{kind} before message_start")
        else:
            self._keep(kind, frame.data, out)

    def _read_stray(
        self,
        frame: ServerSentEvent,
        out: list[MessageItem],
        problem: str,
        cause: ValueError | None,
    ) -> None:
        """Read a frame that holds no JSON object."""
        if frame.event == "error":
            raise read_error({}, frame.data)
        if frame.event == "ping":
            out.append(Ping())
        elif frame.event in _OPEN or frame.data.lstrip().startswith("{"):
            raise Misfit("$", problem) from cause
        else:
            self._keep(frame.event, frame.data, out)

    # One method for each event.

    def message_start(
        self, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        message, path = get_object(event, "message", "$"), "$.message"
        start = read_start(message, path)
        early_stop = Stop.read(message, path)
        # The calls of a program that runs on at the provider come whole, inside the message.
        content = [
            open_block(block, where) for block, where in get_objects(message, "content", path)
        ]
        self._id = start.id
        self._early_stop = early_stop
        self._events = _OPEN
        out.append(start)
        for part, is_known in content:
            self._unknown_events += not is_known
            self._add_part(part, out)

    def message_start_again(
        self, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        message = get_object(event, "message", "$")
        message_id = get_optional_string(message, "id", "$.message") or ""
        usage = read_usage(message, "$.message")
        if message_id != self._id:
            raise StreamTruncatedError(
                f"message {self._id!r} was cut off: message {message_id!r} began inside it"
            )
        if usage is not None:
            out.append(MessageDelta(usage=usage))

    def content_block_start(
        self, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        index = get_int(event, "index", "$")
        if index in self._blocks:
            raise Misfit("$.index", f"content block {index} is open already")
        block = get_object(event, "content_block", "$")
        part, is_known = open_block(block, "$.content_block")
        successor = read_successor(block, "$.content_block")
        self._unknown_events += not is_known
        self._settle(out, whole=True)
        self._blocks[index] = _Block(self._start_part(part, out), part, usual_delta(part))
        if successor is not None:
            out.append(MessageDelta(model=successor))

    def content_block_delta(
        self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        index: Json = event.get("index")
        if type(index) is not int:
            index = get_int(event, "index", "$")
        block = self._blocks.get(index)
        if block is None:
            raise Misfit("$.index", f"content block {index} is not open")
        delta: JsonObject | None = event.get("delta")
        if type(delta) is not dict:
            delta = get_object(event, "delta", "$")
        if block.usual is not None:
            # Nearly every event of a stream comes this way, which was found when the block opened.
            kind, field, make, grow = block.usual
            text: Json = delta.get(field)
            if type(text) is str and delta.get("type") == kind:
                grow(text)
                out.append(make(block.place, text))
                return
        item = read_delta(delta, block.place, block.part)
        if item is None:
            self._keep("content_block_delta", frame.data, out)
        else:
            out.append(item)

    def content_block_stop(
        self, event: JsonObject, frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        block = self._blocks.pop(get_int(event, "index", "$"), None)
        if block is None:
            self._keep("content_block_stop", frame.data, out)
            return
        self._settle(out, whole=True)
        part = block.part
        if isinstance(part, OpenToolCall) and part.is_empty:
            self._in_doubt = block.place, part
        else:
            out.append(BlockFinished(block.place, part.finished()))

    def message_delta(
        self, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        delta = get_optional_object(event, "delta", "$") or {}
        stop = Stop.read(delta, "$.delta")
        usage = read_usage(event, "$")
        extra = read_extra(delta, "stop_reason", "stop_sequence")
        extra |= read_extra(event, "type", "delta", "usage")
        self._stop(stop, out)
        out.append(MessageDelta(stop.word, stop.reason, stop.sequence, usage, extra=extra))

    def message_stop(
        self, event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]
    ) -> None:
        early = self._early_stop
        if early.reason is not None and not self._stopped:
            self._stop(early, out)
            out.append(MessageDelta(early.word, early.reason, early.sequence))
        self._settle(out, whole=False)
        self._finished = True
        out.append(MessageFinished(read_extra(event, "type")))

    def ping(self, _event: JsonObject, _frame: ServerSentEvent, out: list[MessageItem]) -> None:
        out.append(Ping())

    def error(self, event: JsonObject, frame: ServerSentEvent, _out: list[MessageItem]) -> None:
        raise read_error(event, frame.data)

    def _stop(self, stop: Stop, out: list[MessageItem]) -> None:
        if stop.reason is not None:
            self._stopped = True
            self._settle(out, whole=stop.is_whole)

    def _settle(self, out: list[MessageItem], *, whole: bool) -> None:
        """Finish the call that is in doubt, if one is: now it is known whether it is whole."""
        if self._in_doubt is not None:
            place, call = self._in_doubt
            self._in_doubt = None
            part = call.finished() if whole else call.refused(_NO_ARGUMENTS)
            out.append(BlockFinished(place, part))


_Handler: TypeAlias = Callable[[_Decoder, JsonObject, ServerSentEvent, list[MessageItem]], None]

_BEFORE: Final[Mapping[str, _Handler]] = {
    "message_start": _Decoder.message_start,
    "ping": _Decoder.ping,
    "error": _Decoder.error,
}
_OPEN: Final[Mapping[str, _Handler]] = {
    "message_start": _Decoder.message_start_again,
    "content_block_start": _Decoder.content_block_start,
    "content_block_delta": _Decoder.content_block_delta,
    "content_block_stop": _Decoder.content_block_stop,
    "message_delta": _Decoder.message_delta,
    "message_stop": _Decoder.message_stop,
    "ping": _Decoder.ping,
    "error": _Decoder.error,
}
