"""Ollama's own API: ``/api/chat`` and ``/api/generate``, newline-delimited JSON.

Theory of operation
-------------------

Each line is a JSON object that carries what comes next of the answer; the last one has
``"done": true`` besides, and with it the reason for stopping and what it cost. The two operations
differ in where the text is: ``message.content`` of a chat, ``response`` of a generation, each with
``thinking``, ``tool_calls`` and ``images`` beside it.

The stream has no blocks, so they are made here. At most one is open, a text or a thought: it
begins with the first text that is not empty, and ends when something else comes or the stream is
done. A tool call comes whole, its arguments as an object, and so does an image.

*Ends.* The terminal event is the line with ``"done": true``. Nothing before it shows that the
answer is whole, so a stream that ends without it is truncated. A line ``{"error": "..."}`` reports
a failure, in whatever state.

*Stop reasons.* The model's word for the end of a turn is ``stop``, whether it is done or waits for
the results of its calls; if there are calls it is ``tool_use`` here.

*What is tolerated.* A line that is no JSON object is kept as an `UnknownEvent` and counted, unless
it is a broken one. Fields that have no place here end up in `Message.extra`: of one that comes
again with another value, the message has the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from ..errors import StreamTruncatedError
from ..framing import NDJSON, Record
from ._contract import Decoder
from ._errors import in_band_error
from ._json import (
    Json,
    JsonObject,
    Misfit,
    get_object,
    get_objects,
    get_optional_int,
    get_optional_list,
    get_optional_object,
    get_optional_string,
    get_string,
    kind_of,
    parse_json,
)
from ._message_dialect import Completion, MessageDecoder, MessageDialect
from ._open_parts import OpenText, OpenThinking, OpenToolCall, WholePart
from .items import (
    BlockFinished,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    TextDelta,
    ThinkingDelta,
)
from .message import (
    IncompleteToolCall,
    MediaPart,
    StopReason,
    TextPart,
    ThinkingPart,
    Usage,
)

if TYPE_CHECKING:
    from ..errors import InBandError

__all__ = ["OllamaChat"]


@attrs.frozen
class OllamaChat(MessageDialect):
    """The dialect of Ollama's ``POST /api/chat`` and ``POST /api/generate``.

    The result is a `Message`. It has no ``id``; its tool calls have one only if the server is new
    enough to give them one, else ``""``: Ollama takes the results by the name of the tool, in
    order. `Message.extra` has the durations, in nanoseconds, and the ``context`` of a generation.
    A stream that ends before ``"done": true`` raises `StreamTruncatedError`, with the partial
    message in its outcome; a line ``{"error": "..."}`` raises `InBandError`.

    Args:
        strict: Changes nothing: there is only one sign that an answer is whole.

    Source: the API reference of Ollama, "Generate a chat message" and "Errors".
    """

    completion: ClassVar[Completion] = Completion(
        terminal_markers=('"done": true',),
        quirks=(
            "tool calls without ids",
            "arguments as a JSON text, as other servers with this API send them",
            "done_reason missing, as of old servers: the stop reason is other",
        ),
    )

    @property
    def framing(self) -> NDJSON:
        """Newline-delimited JSON."""
        return NDJSON()

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder()


_STOP_REASONS: Final[Mapping[str, StopReason]] = {"stop": "end_turn", "length": "max_tokens"}

# A line has at least one of these, or an error.
_NAMES: Final = frozenset({"message", "response", "done"})

# The fields that are read; whatever else a line has is an extra.
_FIELDS: Final = frozenset(
    {
        *("model", "created_at", "message", "done", "done_reason"),
        *("prompt_eval_count", "eval_count"),
        *("role", "content", "response", "thinking", "tool_calls", "images"),
    }
)


class _Decoder(MessageDecoder[Record]):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = ("_extra", "_has_calls", "_open", "_place", "_started")

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        # The open block, and its place in the message.
        self._open: OpenText | OpenThinking | None = None
        self._place = 0
        # What the message has besides: whether calls, and the fields without a place.
        self._has_calls = False
        self._extra: JsonObject = {}

    def close(self) -> None:
        if not self._finished:
            where = "without its last line" if self._started else "before the message began"
            raise StreamTruncatedError(f"the stream ended {where}")

    def _read(self, frame: Record, out: list[MessageItem]) -> None:
        try:
            line: JsonObject = parse_json(frame.data)  # if it is one
        except ValueError as exc:
            if frame.data.lstrip().startswith("{"):
                raise Misfit("$", f"not JSON: {exc}") from exc
            self._keep("", frame.data, out)
            return
        if type(line) is not dict:
            self._keep("", frame.data, out)
        elif line.get("error") is None and not _NAMES.isdisjoint(line):
            self._read_line(line, out)
        elif "error" in line:
            raise _failure(line["error"], frame.data)
        else:
            self._keep("", frame.data, out)

    def _read_line(self, line: JsonObject, out: list[MessageItem]) -> None:
        message = get_optional_object(line, "message", "$")
        path, text_field = "$.message", "content"
        if message is None:
            message, path, text_field = line, "$", "response"
        thinking = get_optional_string(message, "thinking", path)
        text = get_optional_string(message, text_field, path)
        calls = [_read_call(call, at) for call, at in get_objects(message, "tool_calls", path)]
        images = _read_images(message, path)
        start = None if self._started else _read_start(line, message, path)
        stop = _read_stop(line) if line.get("done") is True else None
        extra = self._news(line, message)

        # Whatever can go wrong has gone wrong.
        if start is not None:
            self._started = True
            start.extra |= extra
            out.append(start)
        elif extra and stop is None:
            out.append(MessageDelta(extra=extra))
        if thinking:
            self._add_thinking(thinking, out)
        if text:
            self._add_text(text, out)
        self._has_calls = self._has_calls or bool(calls)
        for part in (*images, *calls):
            self._end_block(out)
            self._add_part(part, out)
        if stop is not None:
            self._end_block(out)
            if stop.stop_reason == "end_turn" and self._has_calls:
                stop.stop_reason = "tool_use"
            out += (stop, MessageFinished({} if start is not None else extra))
            self._finished = True

    def _add_thinking(self, text: str, out: list[MessageItem]) -> None:
        part = self._open
        if not isinstance(part, OpenThinking):
            part = OpenThinking(ThinkingPart(finished=False))
            self._begin_block(part, out)
        delta = ThinkingDelta(self._place, text)
        part.add(delta)
        out.append(delta)

    def _add_text(self, text: str, out: list[MessageItem]) -> None:
        part = self._open
        if not isinstance(part, OpenText):
            part = OpenText(TextPart(finished=False))
            self._begin_block(part, out)
        delta = TextDelta(self._place, text)
        part.add(delta)
        out.append(delta)

    def _begin_block(self, part: OpenText | OpenThinking, out: list[MessageItem]) -> None:
        self._end_block(out)
        self._open = part
        self._place = self._start_part(part, out)

    def _end_block(self, out: list[MessageItem]) -> None:
        if self._open is not None:
            out.append(BlockFinished(self._place, self._open.finished()))
            self._open = None

    def _news(self, line: JsonObject, message: JsonObject) -> JsonObject:
        """Return the fields that have no place, and were not told before."""
        if line.keys() <= _FIELDS and message.keys() <= _FIELDS:
            return {}
        news = {
            key: value
            for source in (message, line)
            for key, value in source.items()
            if key not in _FIELDS and value is not None and self._extra.get(key) != value
        }
        self._extra |= news
        return news


def _failure(error: JsonObject, data: str) -> InBandError:
    # All that Ollama tells is a message, as a string. It has begun to answer, so the request was
    # right, and whatever has happened befell the server.
    message: Json = error.get("message") if type(error) is dict else error
    return in_band_error(data, status=500, message=message)


def _read_start(line: JsonObject, message: JsonObject, path: str) -> MessageStarted:
    return MessageStarted(
        model=get_optional_string(line, "model", "$") or "",
        role=get_optional_string(message, "role", path) or "assistant",
        extra={key: line[key] for key in ("created_at",) if line.get(key) is not None},
    )


def _read_call(call: JsonObject, path: str) -> OpenToolCall:
    function = get_object(call, "function", path)
    arguments: Json = function.get("arguments")
    is_text = type(arguments) is str
    start = IncompleteToolCall(
        id=get_optional_string(call, "id", path) or "",
        name=get_string(function, "name", f"{path}.function"),
        arguments=arguments if is_text else "",
        raw=call,
    )
    return OpenToolCall(start, given=None if is_text else arguments)


def _read_images(message: JsonObject, path: str) -> list[WholePart]:
    images = get_optional_list(message, "images", path) or []
    for index, image in enumerate(images):
        if type(image) is not str:
            raise Misfit(f"{path}.images[{index}]", f"expected a string, got {kind_of(image)}")
    return [WholePart(MediaPart(data=(image,))) for image in images]


def _read_stop(line: JsonObject) -> MessageDelta:
    reason = get_optional_string(line, "done_reason", "$")
    counts: JsonObject = {
        key: line[key] for key in ("prompt_eval_count", "eval_count") if key in line
    }
    usage = Usage(
        input_tokens=get_optional_int(line, "prompt_eval_count", "$"),
        output_tokens=get_optional_int(line, "eval_count", "$"),
        raw=counts,
    )
    return MessageDelta(
        _STOP_REASONS.get(reason or "", "other"), reason or None, usage=usage if counts else None
    )
