"""Amazon Bedrock's ConverseStream, the grammar that it has for the models of all its providers.

Theory of operation
-------------------

A message of the binary event stream says in its headers which event it is; its payload is a JSON
object. A well-formed stream::

    messageStart
      contentBlockStart ─▶ contentBlockDelta * ─▶ contentBlockStop            once for each block
    messageStop                            the stop reason
    metadata                               the usage; nothing follows
                                           an exception anywhere, and nothing after it

Only blocks that have something to say at their start have a ``contentBlockStart``: calls, results
of the provider's own tools, images. A text and a thought begin with their first delta, which
tells what they are.

Proxies hand the same events on as server-sent events, named by their ``event`` field or by the
only key of their object, ``{"messageStop": {...}}``. The decoder reads both kinds of frame.

The decoder has two states. What it does with an event is in a table, one for each state (`_OPEN`
and `_STOPPED`, at the end of the file); a known event that is not in the table of its state is an
error::

    OPEN ──messageStop──▶ STOPPED ──metadata──▶ finished: nothing more is read

*Ends.* The content is whole with ``messageStop``, which names the stop reason and ends every block
that is still open (a gateway may forget their ends, maximhq/bifrost#4262). ``metadata`` adds what
it cost and is the terminal event; a stream that ends between the two has lost nothing of the
message, and is complete unless the dialect is strict. Where ``metadata`` came too early,
``messageStop`` is the end.

*Blocks* are known by their ``contentBlockIndex`` while they are open. Items number the parts of
the message instead, in the order in which they start.

*Tool calls.* A call whose block has ended is final if its arguments are JSON, and refused if not.
A block that ended without a single character of arguments stays in doubt, as it may have been cut
before the first: its `BlockFinished` waits for another block or for the stop reason
(`_Decoder._settle`).

*What is tolerated.* A missing ``messageStart``. What can be passed over without losing content is
kept as an `UnknownEvent` and counted: unknown events and deltas. A block of an unknown kind is an
`UnknownPart`, and counted. Content that has no place is a `BadItemError`: a broken object, a
missing field, a block that starts while it is open, a delta that does not belong to its block, a
second message inside the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

import attrs

from ..errors import StreamTruncatedError
from ..framing import (
    SSE,
    Comment,
    EventStream,
    EventStreamMessage,
    Framing,
    ServerSentEvent,
    UnframedText,
)
from ._bedrock_envelope import Payload, is_failure, read_failure, unwrap
from ._bedrock_objects import (
    WHOLE,
    open_block,
    open_for_delta,
    read_delta,
    read_rest,
    read_usage,
    stop_word,
)
from ._contract import Decoder
from ._json import (
    JsonObject,
    Misfit,
    get_int,
    get_object,
    get_optional_object,
    get_optional_string,
)
from ._message_dialect import Completion, MessageDialect, SSEMessageDecoder
from ._open_parts import OpenPart, OpenToolCall
from .items import (
    BlockFinished,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
)

__all__ = ["BedrockConverse"]


@attrs.frozen
class BedrockConverse(MessageDialect):
    """The dialect of Amazon Bedrock's ``POST /model/{modelId}/converse-stream``.

    The result is a `Message`. It has no ``id`` and no ``model``, since Bedrock tells neither.
    `Message.extra` has ``metrics``, ``trace`` and the model's ``additionalModelResponseFields``.
    A stream that ends before its message is whole raises `StreamTruncatedError`, with the partial
    message in its outcome; an exception in the stream raises `InBandError`, with the status that
    it amounts to (429 for ``throttlingException``).

    Args:
        sse: Whether a proxy has turned the stream into server-sent events.
        strict: Whether a stream is complete only with ``metadata``.

    Source: the API reference of Amazon Bedrock Runtime, "ConverseStream".
    """

    sse: bool = attrs.field(default=False, kw_only=True)

    completion: ClassVar[Completion] = Completion(
        terminal_markers=("metadata",),
        also="messageStop, which names the stop reason",
        quirks=(
            "messageStart missing",
            "contentBlockStart for a text or a thought: passed over",
            "contentBlockStop missing: messageStop ends the block",
            "null for the members that a union does not have",
            "metadata before messageStop: messageStop is the terminal marker then",
            "server-sent events instead of binary messages",
        ),
    )

    @property
    def framing(self) -> Framing[Any]:
        """AWS's binary event stream, or server-sent events."""
        return SSE() if self.sse else EventStream()

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder(strict=self.strict)


_NO_ARGUMENTS: Final = "no arguments came, and the model may have been cut off before them"

_Frame: TypeAlias = EventStreamMessage | ServerSentEvent | Comment | UnframedText


@attrs.define
class _Block:
    """An open block: its place in the message, and the part that it becomes."""

    place: int
    part: OpenPart


class _Decoder(SSEMessageDecoder):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = ("_blocks", "_events", "_in_doubt", "_metered", "_started", "_strict")

    def __init__(self, *, strict: bool) -> None:
        super().__init__()
        self._strict = strict
        # The state, as the table of the events that it understands; and whether the message has
        # begun, and what it cost is known.
        self._events = _OPEN
        self._started = False
        self._metered = False
        # Its parts: the open ones by the provider's index, and the call without arguments whose
        # block has ended.
        self._blocks: dict[int, _Block] = {}
        self._in_doubt: tuple[int, OpenToolCall] | None = None

    def close(self) -> None:
        stopped = self._events is _STOPPED
        if self._finished or (stopped and not self._strict):
            return
        if stopped:
            where = "after its stop reason and without metadata"
        elif self._blocks:
            first = min(block.place for block in self._blocks.values())
            where = f"inside part {first} and without messageStop"
        elif self._started:
            where = "without messageStop"
        else:
            where = "before the message began"
        raise StreamTruncatedError(f"the stream ended {where}")

    def _read(self, frame: _Frame, out: list[MessageItem]) -> None:
        if isinstance(frame, EventStreamMessage):
            self._read_named(*unwrap(frame), out)
        else:
            super()._read(frame, out)

    def _read_event(self, event: ServerSentEvent, out: list[MessageItem]) -> None:
        name, payload = event.event, Payload(event.data)
        value: JsonObject = payload.value
        if type(value) is dict:
            # The name may be the only key of the object, and what it names the value.
            for key, member in value.items():
                if member is not None and (key in _OPEN or is_failure(key)):
                    name, payload.value = key, member
        if is_failure(name):
            raise read_failure("" if name == "error" else name, payload.text, payload.value)
        if payload.is_broken:
            payload.object()  # raises
        self._read_named(name, payload, out)

    def _read_named(self, name: str, payload: Payload, out: list[MessageItem]) -> None:
        handler = self._events.get(name)
        if handler is None:
            if name in _CONTENT:
                raise Misfit("$", f"{name} after messageStop")
            self._keep(name, payload.text, out)
        elif self._started:
            handler(self, payload.object(), payload.text, out)
        else:
            start = len(out)
            handler(self, payload.object(), payload.text, out)
            if not self._started:
                self._started = True
                out.insert(start, MessageStarted())

    # One method for each event.

    def message_start(self, body: JsonObject, _data: str, out: list[MessageItem]) -> None:
        if self._parts:
            raise StreamTruncatedError("the message was cut off: another began inside it")
        role = get_optional_string(body, "role", "$") or "assistant"
        if not self._started:
            out.append(MessageStarted(role=role, extra=read_rest(body, "role")))
            self._started = True

    def content_block_start(self, body: JsonObject, _data: str, out: list[MessageItem]) -> None:
        index = get_int(body, "contentBlockIndex", "$")
        if index in self._blocks:
            raise Misfit("$.contentBlockIndex", f"content block {index} is open already")
        part, is_known = open_block(get_optional_object(body, "start", "$") or {}, "$.start")
        self._settle(out, whole=True)
        if part is not None:
            self._unknown_events += not is_known
            self._blocks[index] = _Block(self._start_part(part, out), part)

    def content_block_delta(self, body: JsonObject, data: str, out: list[MessageItem]) -> None:
        index = get_int(body, "contentBlockIndex", "$")
        delta = get_object(body, "delta", "$")
        block = self._blocks.get(index)
        if block is None:
            self._open_with(index, delta, data, out)
            return
        items = read_delta(delta, block.place, block.part)
        if items is None:
            self._keep("contentBlockDelta", data, out)
        else:
            out += items

    def content_block_stop(self, body: JsonObject, _data: str, out: list[MessageItem]) -> None:
        # An empty text has neither start nor delta, so an end may stand alone.
        block = self._blocks.pop(get_int(body, "contentBlockIndex", "$"), None)
        if block is None:
            return
        self._settle(out, whole=True)
        part = block.part
        if isinstance(part, OpenToolCall) and part.is_empty:
            self._in_doubt = block.place, part
        else:
            out.append(BlockFinished(block.place, part.finished()))

    def message_stop(self, body: JsonObject, _data: str, out: list[MessageItem]) -> None:
        reason = get_optional_string(body, "stopReason", "$")
        word = stop_word(reason)
        for index in list(self._blocks):
            self.content_block_stop({"contentBlockIndex": index}, "", out)
        self._settle(out, whole=word in WHOLE)
        out.append(MessageDelta(word, reason, extra=read_rest(body, "stopReason")))
        self._events = _STOPPED
        if self._metered:
            self._finished = True
            out.append(MessageFinished())

    def early_metadata(self, body: JsonObject, _data: str, out: list[MessageItem]) -> None:
        usage = read_usage(body, "$")
        out.append(MessageDelta(usage=usage, extra=read_rest(body, "usage")))
        self._metered = True

    def metadata(self, body: JsonObject, _data: str, out: list[MessageItem]) -> None:
        usage = read_usage(body, "$")
        if usage is not None:
            out.append(MessageDelta(usage=usage))
        self._finished = True
        out.append(MessageFinished(read_rest(body, "usage")))

    def _open_with(self, index: int, delta: JsonObject, data: str, out: list[MessageItem]) -> None:
        """Open the block whose first delta this is."""
        part, is_known = open_for_delta(delta)
        start: list[MessageItem] = []
        place = self._start_part(part, start)
        items = read_delta(delta, place, part)
        self._unknown_events += not is_known
        self._settle(out, whole=True)
        self._blocks[index] = _Block(place, part)
        out += start
        if items is None:
            self._keep("contentBlockDelta", data, out)
        else:
            out += items

    def _settle(self, out: list[MessageItem], *, whole: bool) -> None:
        """Finish the call that is in doubt, if one is: now it is known whether it is whole."""
        if self._in_doubt is not None:
            place, call = self._in_doubt
            self._in_doubt = None
            part = call.finished() if whole else call.refused(_NO_ARGUMENTS)
            out.append(BlockFinished(place, part))


_Handler: TypeAlias = Callable[[_Decoder, JsonObject, str, list[MessageItem]], None]

_OPEN: Final[Mapping[str, _Handler]] = {
    "messageStart": _Decoder.message_start,
    "contentBlockStart": _Decoder.content_block_start,
    "contentBlockDelta": _Decoder.content_block_delta,
    "contentBlockStop": _Decoder.content_block_stop,
    "messageStop": _Decoder.message_stop,
    "metadata": _Decoder.early_metadata,
}
_STOPPED: Final[Mapping[str, _Handler]] = {"metadata": _Decoder.metadata}

# What cannot follow the end of the content. An end that is told again can be passed over.
_CONTENT: Final = frozenset({"messageStart", "contentBlockStart", "contentBlockDelta"})
