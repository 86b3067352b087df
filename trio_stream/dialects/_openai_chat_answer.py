"""One answer of an OpenAI-like chat stream while it is written: what its deltas add to it.

A delta is an object, and each of its fields adds to a part of its own kind. A block begins with
the first of its kind, and ends when one of another kind begins or the answer stops. One block is
open at a time, beside the tool calls (`_openai_chat_calls`): servers mix the deltas of several, and
text with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs

from ._json import (
    Json,
    JsonObject,
    get_object,
    get_objects,
    get_optional_list,
    get_optional_string,
    get_string,
)
from ._open_parts import (
    OpenMedia,
    OpenPart,
    OpenRefusal,
    OpenText,
    OpenThinking,
    OpenToolCall,
    WholePart,
)
from ._openai_chat_calls import Call, CallDelta, Calls, read_call_delta, read_function_call
from ._openai_chat_objects import (
    Details,
    Gathered,
    Stop,
    is_hollow,
    read_detail,
    read_image,
    read_texts,
)
from .items import (
    BlockDelta,
    BlockFinished,
    CitationDelta,
    MediaDelta,
    MessageItem,
    RefusalDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from .message import (
    MediaPart,
    Part,
    RefusalPart,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)

__all__ = ["Answer", "StartPart"]

StartPart: TypeAlias = Callable[[OpenPart, list[MessageItem], int], int]


class Answer:
    """One of the answers, while it is written.

    Args:
        index: Its number.
        start_part: Begins a part of this answer, and returns its place in the message.

    Attributes:
        index: Its number.
        is_blank: Whether no part has begun yet.
        stop: Why it stopped, if it has.
        gathered: Fields that come in pieces.
        aside: Fields of the deltas that add to no part, until somebody takes them.
        unknown_parts: How many parts were of a kind that nobody knows.
    """

    __slots__ = (
        "_calls",
        "_details",
        "_has_called",
        "_has_refused",
        "_kind",
        "_more",
        "_part",
        "_place",
        "_start_part",
        "_text",
        "aside",
        "gathered",
        "index",
        "is_blank",
        "stop",
        "unknown_parts",
    )

    def __init__(self, index: int, start_part: StartPart) -> None:
        self.index = index
        self.is_blank = True
        self.stop: Stop | None = None
        self.gathered = Gathered()
        self.aside: JsonObject = {}
        self.unknown_parts = 0
        self._start_part = start_part
        # The open block, if there is one that is no call: its kind, its place in the message, the
        # part that it becomes (and the same once more if it is text), and what else belongs into
        # the part's `raw`.
        self._kind = ""
        self._place = -1
        self._text = OpenText(TextPart())
        self._part: OpenPart = self._text
        self._details = Details()
        self._more: JsonObject = {}
        self._calls = Calls()
        self._has_refused = False
        self._has_called = False

    @property
    def has_open_block(self) -> bool:
        """Whether a block is open."""
        return bool(self._kind or self._calls.open)

    @property
    def word(self) -> StopReason | None:
        """Why it stopped, in the word that all providers share; `None` if that is not known."""
        word = None if self.stop is None else self.stop.word
        if word in {None, "end_turn"}:
            if self._has_refused:
                return "refusal"
            if self._has_called:
                return "tool_use"
        return word

    def name(self, field: str) -> str:
        """Return the name that a field of this answer has in `Message.extra`."""
        return f"choices[{self.index}].{field}" if self.index else field

    def gathered_fields(self) -> JsonObject:
        """Return what came in pieces, by the names that it has in `Message.extra`."""
        return {self.name(field): value for field, value in self.gathered.so_far().items()}

    def read(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        """Append the items of one delta."""
        fields = [field for field, value in delta.items() if value and field != "role"]
        if len(fields) > 1:
            fields.sort(key=_place_of)
        previous: _Reader | None = None
        for field in fields:
            reader = _READERS.get(field)
            if reader is None:
                if not is_hollow(delta[field]):
                    self.aside[field] = delta[field]
            elif reader is not previous:
                previous = reader
                reader(self, delta, path, out)

    def read_usual(self, delta: JsonObject, out: list[MessageItem]) -> bool:
        """Take what most deltas are, a piece of text or of the arguments of a call, if it is one.

        About these there is nothing to decide.
        """
        if len(delta) > 1:
            return False
        content: Json = delta.get("content")
        if type(content) is str and content:
            self.add_text(content, out)
            return True
        calls: list[JsonObject] | None = delta.get("tool_calls")
        if type(calls) is list and len(calls) == 1 and type(calls[0]) is dict:
            item = self._calls.grow(calls[0])
            if item is not None:
                out.append(item)
                return True
        return False

    def add_text(self, text: str, out: list[MessageItem]) -> None:
        """Append the items of more text."""
        if self._kind != "text":
            self._begin_text(out)
        self._text.grow(text)
        out.append(TextDelta(self._place, text))

    def settle(self, out: list[MessageItem], *, cut: bool) -> None:
        """End all blocks.

        Args:
            out: For the items.
            cut: Whether the model may have been cut off.
        """
        self._end_block(out)
        for call in self._calls.open.values():
            call.closed = True
            part = call.settled(cut=cut)
            self._has_called |= type(part) is ToolCall
            out.append(BlockFinished(call.place, part))
        self._calls.open.clear()

    # One method for each field, or for the fields that say the same.

    def content(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        content = delta["content"]
        if type(content) is str:
            self.add_text(content, out)
        else:
            for piece, where in get_objects(delta, "content", path):
                self._read_piece(piece, where, out)

    def thoughts(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        # Some servers say the same in several fields.
        told = ""
        for field in ("reasoning_content", "reasoning"):
            if not told and delta.get(field):
                told = field
                text = get_string(delta, field, path)
                self._add_thought(text, {field: text}, out)
        for field in ("reasoning_details", "thinking_blocks"):
            if delta.get(field):
                for detail, _ in get_objects(delta, field, path):
                    if self._add_detail(field, detail, out, is_told=told not in {"", field}):
                        told = told or field

    def refusal(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        text = get_string(delta, "refusal", path)
        self._has_refused = True
        if self._kind != "refusal":
            self._begin("refusal", OpenRefusal(RefusalPart(finished=False)), out)
        self._grow(RefusalDelta(self._place, text), out)

    def annotations(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        for citation in get_optional_list(delta, "annotations", path) or ():
            self._cite(citation, out)

    def audio(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        audio, path = get_object(delta, "audio", path), f"{path}.audio"
        data = get_optional_string(audio, "data", path) or ""
        transcript = get_optional_string(audio, "transcript", path) or ""
        audio_id = get_optional_string(audio, "id", path) or ""
        more = {key: value for key, value in audio.items() if key not in {"data", "transcript"}}
        if self._kind != "audio":
            part = MediaPart(id=audio_id, finished=False, raw=more)
            self._begin("audio", OpenMedia(part), out)
        else:
            self._more |= more
        if data or transcript:
            self._grow(MediaDelta(self._place, data, transcript), out)

    def images(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        for image, where in get_objects(delta, "images", path):
            self._add_whole(read_image(image, where), out)

    def executed_tools(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        # Groq's own tools have no ID, and come once as a call and once more with their result.
        for tool, _ in get_objects(delta, "executed_tools", path):
            self._add_whole(UnknownPart("executed_tools", tool), out)

    def tool_calls(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        for source, where in get_objects(delta, "tool_calls", path):
            call_delta = read_call_delta(source, where)
            if call_delta is None:
                self.unknown_parts += 1
                kind = source.get("type")
                part = UnknownPart(kind if type(kind) is str else "tool_call", source)
                self._add_whole(part, out)
            else:
                self._read_call(call_delta, out)

    def function_call(self, delta: JsonObject, path: str, out: list[MessageItem]) -> None:
        body = get_object(delta, "function_call", path)
        self._read_call(read_function_call(body, f"{path}.function_call"), out)

    # Blocks.

    def _cite(self, citation: Json, out: list[MessageItem]) -> None:
        if self._kind != "text":
            self._begin_text(out)
        self._grow(CitationDelta(self._place, citation), out)

    def _add_thought(self, text: str, raw: JsonObject, out: list[MessageItem]) -> None:
        if self._kind != "thoughts":
            part = ThinkingPart(finished=False, raw=raw)
            self._begin("thoughts", OpenThinking(part), out)
        if text:
            self._grow(ThinkingDelta(self._place, text), out)

    def _add_detail(
        self,
        field: str,
        detail: JsonObject,
        out: list[MessageItem],
        *,
        is_told: bool,
    ) -> bool:
        """Take a piece of the thoughts; return whether it has text."""
        text, signature = read_detail(detail)
        if not (text or signature or detail.get("data") or self._kind == "thoughts"):
            return False  # says nothing, as some do beside every piece of text
        self._add_thought("" if is_told else text, {}, out)
        self._details.add(field, detail, text)
        if signature:
            self._grow(SignatureDelta(self._place, signature), out)
        return bool(text)

    def _read_piece(self, piece: JsonObject, path: str, out: list[MessageItem]) -> None:
        """Read one element of a ``content`` that is a list, as Mistral has it."""
        has_type = "type" in piece or "text" not in piece
        kind = get_string(piece, "type", path) if has_type else "text"
        if kind == "text":
            text = get_optional_string(piece, "text", path)
            if text:
                self.add_text(text, out)
        elif kind == "thinking":
            text = read_texts(piece, path)
            if text:
                self._add_thought(text, piece, out)
        elif kind == "reference":
            self._cite(piece, out)
        elif kind == "image_url":
            self._add_whole(read_image(piece, path), out)
        else:
            self.unknown_parts += 1
            self._add_whole(UnknownPart(kind, piece), out)

    def _begin_text(self, out: list[MessageItem]) -> None:
        self._text = OpenText(TextPart(finished=False))
        self._begin("text", self._text, out)

    def _begin(self, kind: str, part: OpenPart, out: list[MessageItem]) -> None:
        """Begin a block; the one before has ended."""
        self._end_block(out)
        self._end_call(out)
        self._kind = kind
        self._part = part
        self._place = self._start(part, out)

    def _start(self, part: OpenPart, out: list[MessageItem]) -> int:
        self.is_blank = False
        return self._start_part(part, out, self.index)

    def _grow(self, delta: BlockDelta, out: list[MessageItem]) -> None:
        self._part.add(delta)
        out.append(delta)

    def _add_whole(self, part: Part, out: list[MessageItem]) -> None:
        self._end_block(out)
        self._end_call(out)
        place = self._start(WholePart(part), out)
        out.append(BlockFinished(place, part))

    def _read_call(self, delta: CallDelta, out: list[MessageItem]) -> None:
        calls = self._calls
        call = calls.find(delta)
        if call is not None and not call.is_other(delta):
            text = call.add(delta)
        elif delta.is_blank:
            return
        else:
            self._end_block(out)
            self._end_call(out)
            call = Call(delta)
            call.place = self._start(OpenToolCall(call.start()), out)
            calls.open[call.place] = call
            text = delta.arguments
        calls.note(call, delta)
        if text:
            out.append(ToolInputDelta(call.place, text))

    def _end_block(self, out: list[MessageItem]) -> None:
        """End the open block, if there is one that is no call."""
        if self._kind:
            self._kind = ""
            out.append(BlockFinished(self._place, self._finished_part()))

    def _finished_part(self) -> Part:
        """Return what the open block has become, with all that it needs to be sent back."""
        part = self._part.finished()
        more = self._details.take() | self._more
        self._more = {}
        if more and isinstance(part, ThinkingPart | MediaPart):
            return attrs.evolve(part, raw=part.raw | more)
        return part

    def _end_call(self, out: list[MessageItem]) -> None:
        """Hand out the last call, if it is whole."""
        call = self._calls.last
        part = None if call is None else call.early()
        if call is not None and part is not None:
            del self._calls.open[call.place]
            self._has_called = True
            out.append(BlockFinished(call.place, part))


_Reader: TypeAlias = Callable[[Answer, JsonObject, str, list[MessageItem]], None]

# In the order in which they are read: thoughts come before what they lead to, whatever the order
# in the object.
_READERS: Final[Mapping[str, _Reader]] = {
    "reasoning_content": Answer.thoughts,
    "reasoning": Answer.thoughts,
    "reasoning_details": Answer.thoughts,
    "thinking_blocks": Answer.thoughts,
    "content": Answer.content,
    "annotations": Answer.annotations,
    "refusal": Answer.refusal,
    "audio": Answer.audio,
    "images": Answer.images,
    "executed_tools": Answer.executed_tools,
    "tool_calls": Answer.tool_calls,
    "function_call": Answer.function_call,
}
_PLACES: Final[Mapping[str, int]] = {field: place for place, field in enumerate(_READERS)}


def _place_of(field: str) -> int:
    return _PLACES.get(field, len(_PLACES))
