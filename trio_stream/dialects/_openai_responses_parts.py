"""How the items of a response become parts of the message: their beginning and their end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Final

import attrs

from ._json import Json, JsonObject, Misfit, get_objects, get_string
from ._message_dialect import SSEMessageDecoder
from ._open_parts import WholePart
from ._openai_responses_flows import transcript_delta
from ._openai_responses_items import Block, Item, Items
from ._openai_responses_objects import (
    close_content,
    close_item,
    end_content,
    needs_proof,
    open_content,
    open_item,
    read_result,
    refused,
    start_content,
    string_of,
    text_of,
)
from .items import (
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
    IncompleteToolCall,
    MediaPart,
    Part,
    RefusalPart,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)

if TYPE_CHECKING:
    from ._openai_responses_flows import Adder, Flow

__all__ = ["ItemDecoder"]

_ADDERS: Final[Mapping[type[Part], Adder]] = {
    TextPart: TextDelta,
    RefusalPart: RefusalDelta,
    ThinkingPart: ThinkingDelta,
    IncompleteToolCall: ToolInputDelta,
}

# What separates the sections of a part.
_SEPARATORS: Final[Mapping[str, str]] = {"reasoning": "\n\n", "shell_call": "\n"}

# Reasons to stop that only the parts tell, the strongest first.
_REASONS: Final[tuple[StopReason, ...]] = ("tool_use", "other", "refusal")


class ItemDecoder(SSEMessageDecoder):
    """The half of the decoder that makes parts of items; the other half reads the events."""

    __slots__ = ("_in_doubt", "_items", "_seen")

    def __init__(self) -> None:
        super().__init__()
        self._items = Items()
        # The calls that have ended and may have been cut off, with their places.
        self._in_doubt: list[tuple[int, ToolCall]] = []
        # The stop reasons that the parts amount to.
        self._seen: set[StopReason] = set()

    # Beginnings.

    def _block_of(self, flow: Flow, event: JsonObject, out: list[MessageItem]) -> Block:
        """Return the part that an event adds to; begin it if it was never announced."""
        item = self._items.find_open(flow.kind, event, string_of(event, "item_id"))
        if item is None:
            item = self._imply(flow.kind, event, out)
        elif item.has_ended:
            raise Misfit("$", "more for an item that has ended")
        if flow.kind != "message":
            return item.blocks[0]
        key = event.get("content_index")
        block = item.block(key, flow.part)
        if block is None:
            block = self._open_block(item, start_content(flow.part, item.object), key, out)
        return block

    def _imply(self, kind: str, event: JsonObject, out: list[MessageItem]) -> Item:
        """Begin an item that was never announced."""
        object_: JsonObject = {"type": kind}
        name = string_of(event, "item_id")
        if name:
            object_["id"] = name
        self._settle(out, whole=True)
        return self._open_item(object_, kind, event, "$", out)

    def _open_item(
        self, object_: JsonObject, kind: str, event: JsonObject, path: str, out: list[MessageItem]
    ) -> Item:
        item = Item(kind, string_of(object_, "id"), object_)
        if kind != "message":
            part, is_known = open_item(object_, kind, path)
            self._note(is_known=is_known)
            self._open_block(item, part, 0, out)
        self._items.add(item, event.get("output_index"))
        return item

    def _open_block(self, item: Item, part: Part, key: Json, out: list[MessageItem]) -> Block:
        if type(key) is not int:
            key = item.blocks[-1].key + 1 if item.blocks else 0
        place = self._start_part(WholePart(part), out)
        block = Block(place, part, key, _SEPARATORS.get(item.kind, ""))
        item.add_block(block)
        return block

    def _note(self, *, is_known: bool) -> None:
        """Count an item or a content part, if its type is unknown."""
        if not is_known:
            self._unknown_events += 1

    # Ends.

    def _finish_all(self, output: list[tuple[JsonObject, str]], out: list[MessageItem]) -> None:
        """Finish what is unfinished, and take the items that only the terminal event knows."""
        matches = self._items.match([object_ for object_, _ in output])
        for (object_, path), item in zip(output, matches, strict=True):
            if item is None:
                kind = get_string(object_, "type", path)
                new = self._open_item(object_, kind, {}, path, out)
                self._finish(new, object_, path, out)
            elif not item.has_ended:
                self._finish(item, object_, path, out)
        for item in self._items.unfinished():
            self._finish(item, None, "$", out)

    def _finish(
        self, item: Item, final: JsonObject | None, path: str, out: list[MessageItem]
    ) -> None:
        """Finish an item.

        Args:
            item: The item.
            final: It as it ended; `None` if its end was not seen.
            path: Where ``final`` is.
            out: Where the items go.
        """
        item.has_ended = True
        if item.kind == "message":
            self._finish_message(item, final, path, out)
        else:
            self._finish_block(item, final, path, out)
        if final is not None:
            item.object = final
        for block in item.blocks:
            block.forget()

    def _finish_block(
        self, item: Item, final: JsonObject | None, path: str, out: list[MessageItem]
    ) -> None:
        block, object_ = item.blocks[0], final or item.object
        whole = text_of(object_, item.kind, path) if final or not block.text else ""
        self._complete_all(block, whole, out)
        part = close_item(object_, item.kind, block.text, path, ended=final is not None)
        if isinstance(part, ThinkingPart) and part.signature:
            out.append(SignatureDelta(block.place, part.signature))
        elif isinstance(part, MediaPart):
            out.extend(MediaDelta(block.place, data) for data in part.data)
        elif isinstance(part, UnknownPart):
            part = UnknownPart(part.type, part.raw, tuple(block.additions))
        self._close(block.place, part, out)
        result = None if final is None else read_result(final, item.kind)
        if result is not None:
            self._add_part(WholePart(result), out)

    def _finish_message(
        self, item: Item, final: JsonObject | None, path: str, out: list[MessageItem]
    ) -> None:
        contents = [] if final is None else get_objects(final, "content", path)
        blocks = sorted(item.blocks, key=lambda block: block.key)
        waiting: dict[type[Part], deque[Block]] = {}
        for block in blocks:
            waiting.setdefault(type(block.start), deque()).append(block)
        raw = final or item.object
        for content, where in contents:
            part = close_content(content, raw, where)
            queue = waiting.get(type(part))
            if queue:
                block = queue.popleft()
            else:
                start, is_known = open_content(content, raw, where)
                self._note(is_known=is_known)
                block = self._open_block(item, start, None, out)
            self._finish_content(block, part, out)
        for block in chain.from_iterable(waiting.values()):
            self._finish_content(block, end_content(block.start), out)

    def _finish_content(self, block: Block, part: Part, out: list[MessageItem]) -> None:
        match part:
            case TextPart():
                self._complete_all(block, part.text, out)
                known = len(block.additions)
                citations = part.citations or tuple(block.additions)
                if list(citations[:known]) == block.additions:
                    out.extend(CitationDelta(block.place, each) for each in citations[known:])
                part = TextPart(block.text, citations, raw=part.raw)
            case RefusalPart():
                self._complete_all(block, part.text, out)
                part = RefusalPart(block.text, raw=part.raw)
            case MediaPart():
                part = self._finish_audio(block, part, out)
            case _:
                pass
        self._close(block.place, part, out)

    def _finish_audio(self, block: Block, part: MediaPart, out: list[MessageItem]) -> MediaPart:
        data, transcript = block.pieces("data"), "".join(block.pieces("transcript"))
        if not data:
            data = part.data
            out.extend(MediaDelta(block.place, each) for each in data)
        rest = block.complete_section("transcript", part.transcript) if part.transcript else ""
        if rest:
            out.append(transcript_delta(block.place, rest))
        return attrs.evolve(part, data=data, transcript=part.transcript or transcript)

    def _complete_all(self, block: Block, whole: str, out: list[MessageItem]) -> None:
        rest = block.complete(whole) if whole else ""
        if rest:
            out.append(_ADDERS[type(block.start)](block.place, rest))

    def _close(self, place: int, part: Part, out: list[MessageItem]) -> None:
        """Finish a part, unless it is a call that is in doubt."""
        if isinstance(part, ToolCall):
            if needs_proof(part):
                self._in_doubt.append((place, part))
                return
            self._seen.add("tool_use")
        elif isinstance(part, RefusalPart):
            self._seen.add("refusal")
        elif isinstance(part, UnknownPart) and part.type == "mcp_approval_request":
            self._seen.add("other")
        out.append(BlockFinished(place, part))

    def _settle(self, out: list[MessageItem], *, whole: bool) -> None:
        """Finish the calls that are in doubt: now it is known whether they are whole."""
        for place, call in self._in_doubt:
            if whole:
                self._seen.add("tool_use")
            out.append(BlockFinished(place, call if whole else refused(call)))
        self._in_doubt.clear()

    def _reason(self) -> StopReason:
        """Return why a completed response ended, as its parts tell it."""
        for reason in _REASONS:
            if reason in self._seen:
                return reason
        return "end_turn"
