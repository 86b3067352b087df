"""The items of a response while they are streamed: their text, and which event is whose."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Final

import attrs

from ._json import Json, JsonObject
from ._openai_responses_objects import string_of
from .message import Part

__all__ = ["Block", "Item", "Items"]


@attrs.define(eq=False)
class Block:
    """A part that grows.

    Its text is gathered by sections, such as the summaries of one reasoning item.

    Attributes:
        place: Its place in the message.
        start: The part at its start.
        key: The provider's index, where the item can have several parts.
        separator: What stands between two sections.
        additions: What was added beside the text: citations, or pieces of a result.
    """

    place: int
    start: Part
    key: int = 0
    separator: str = ""
    additions: list[Json] = attrs.field(factory=list[Json])
    _sections: dict[Hashable, list[str]] = attrs.field(factory=dict[Hashable, list[str]])

    @property
    def text(self) -> str:
        """The text so far."""
        return self.separator.join("".join(pieces) for pieces in self._sections.values())

    def pieces(self, section: Hashable) -> tuple[str, ...]:
        """Return the text of a section in the pieces in which it came."""
        return tuple(self._sections.get(section, ()))

    def grow(self, section: Hashable, text: str) -> str:
        """Take more text, not ``""``; return what it adds to the text of the part."""
        pieces = self._sections.get(section)
        if pieces is not None:
            pieces.append(text)
            return text
        lead = self.separator if self._sections else ""
        self._sections[section] = [text]
        return lead + text

    def complete_section(self, section: Hashable, whole: str) -> str:
        """Take the whole text of a section, not ``""``; return what it adds."""
        pieces = self._sections.get(section)
        if pieces is None:
            return self.grow(section, whole)
        rest = _rest(whole, "".join(pieces))
        pieces[:] = [whole]
        return rest

    def complete(self, whole: str) -> str:
        """Take the whole text, not ``""``; return what it adds."""
        rest = _rest(whole, self.text)
        self._sections = {None: [whole]}
        return rest

    def forget(self) -> None:
        """Let go of the text: the finished part has it."""
        self._sections.clear()
        self.additions.clear()


def _rest(whole: str, start: str) -> str:
    # What contradicts the deltas adds nothing to them: they cannot be taken back.
    return whole[len(start) :] if whole.startswith(start) else ""


@attrs.define(eq=False)
class Item:
    """An item of the output.

    Attributes:
        kind: Its type.
        id: Its ID; ``""`` if it has none.
        object: The provider's object: as it began, then as it ended.
        blocks: Its parts, in the order in which they began.
        has_ended: Whether its end was seen.
    """

    kind: str
    id: str
    object: JsonObject
    blocks: list[Block] = attrs.field(factory=list[Block])
    has_ended: bool = False
    _by_key: dict[int, Block] = attrs.field(factory=dict[int, Block])

    @property
    def call_id(self) -> str:
        """The call's ID; ``""`` if it has none."""
        return string_of(self.object, "call_id")

    def add_block(self, block: Block) -> None:
        """Add a part."""
        self.blocks.append(block)
        self._by_key[block.key] = block

    def block(self, key: Json, part: type[Part]) -> Block | None:
        """Return the part of this class at an index; the last one if there is no index."""
        if type(key) is int:
            block = self._by_key.get(key)
        else:
            block = self.blocks[-1] if self.blocks else None
        return block if block is not None and type(block.start) is part else None


# Items that hardly ever come two at a time: of these, a wrong name means the one that is there.
_JOINED: Final = ("message", "reasoning")


class Items:
    """All items of a response, and the rules that tell which one an event belongs to."""

    __slots__ = ("_all", "_by_call", "_by_id", "_by_index", "_newest")

    def __init__(self) -> None:
        self._all: list[Item] = []
        self._by_id: dict[str, Item] = {}
        self._by_index: dict[int, Item] = {}
        self._by_call: dict[tuple[str, str], Item] = {}
        self._newest: dict[str, Item] = {}

    def add(self, item: Item, index: Json) -> None:
        """Add an item that begins; it takes the place of an older one with its ID or index."""
        self._all.append(item)
        self._newest[item.kind] = item
        if item.id:
            self._by_id[item.id] = item
        if type(index) is int:
            self._by_index[index] = item
        if item.call_id:
            self._by_call[item.kind, item.call_id] = item

    def find(self, kind: str, event: JsonObject, name: str) -> Item | None:
        """Return the item of this type that an event names.

        Told by ``output_index`` and the item's ID; if it has neither, it means the newest item.
        An item that has ended is returned only if it is meant beyond doubt.

        Args:
            kind: The type of the item.
            event: The event, for its ``output_index``.
            name: The item's ID in the event; ``""`` if it has none.
        """
        index: Json = event.get("output_index")
        has_index = type(index) is int
        item = self._by_index.get(index) if has_index else None
        if name:
            if item is None or item.id != name:
                item = self._by_id.get(name, item)
        elif not has_index:
            item = self._newest.get(kind)
        if item is None or item.kind != kind:
            return None
        if item.has_ended and (item.id != name if name else not has_index):
            return None
        return item

    def find_open(self, kind: str, event: JsonObject, name: str) -> Item | None:
        """Return the item of this type that an event belongs to.

        The one that the event names. If it names none, though it says where the item is, then it
        names it wrongly: the newest one that is open, but never a call. `None` if there is none:
        the item was never announced.
        """
        item = self.find(kind, event, name)
        if item is not None or kind not in _JOINED:
            return item
        index: Json = event.get("output_index")
        if type(index) is int and index not in self._by_index:
            return None
        item = self._newest.get(kind)
        return None if item is None or item.has_ended else item

    def find_done(self, kind: str, event: JsonObject, object_: JsonObject) -> Item | None:
        """Return the item of this type whose end an event tells: ``object_``.

        The one that the event belongs to, unless only its index says so and another one is open
        that is the same call: a call must not be handed out twice.
        """
        name, call_id = string_of(object_, "id"), string_of(object_, "call_id")
        item = self.find_open(kind, event, name)
        if item is not None and (
            (name and item.id == name) or (item.call_id == call_id and not item.has_ended)
        ):
            return item
        call = self._by_call.get((kind, call_id))
        return item if call is None or call.has_ended else call

    def unfinished(self) -> list[Item]:
        """Return the items whose end was not seen."""
        return [item for item in self._all if not item.has_ended]

    def match(self, output: list[JsonObject]) -> list[Item | None]:
        """Return which item each element of a response's ``output`` is; `None`: a new one.

        Told by the ID; where that has changed, by the type, the call's ID and the order; where
        that has changed too (vllm-project/vllm#47916), by the type, the name and the order.
        """
        matches: list[Item | None] = [None] * len(output)
        taken: set[int] = set()
        for place, element in enumerate(output):
            item = self._by_id.get(string_of(element, "id"))
            if item is not None and item.kind == element.get("type") and id(item) not in taken:
                matches[place] = item
                taken.add(id(item))
        for field in ("call_id", "name"):
            free: dict[tuple[str, str], deque[Item]] = {}
            for item in self._all:
                if id(item) not in taken:
                    key = item.kind, string_of(item.object, field)
                    free.setdefault(key, deque()).append(item)
            for place, element in enumerate(output):
                if matches[place] is None:
                    kind = string_of(element, "type")
                    queue = free.get((kind, string_of(element, field))) or free.get((kind, ""))
                    if queue:
                        item = matches[place] = queue.popleft()
                        taken.add(id(item))
        return matches
