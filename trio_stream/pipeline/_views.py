"""Views of a message stream: only its text, only its tool calls.

They are iterators without a state of their own to clean up: each asks the receiver for its next
item and passes over what it does not show. So a view can be left at any time, and the receiver,
or another view, goes on where it stopped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, final

from ..dialects import BlockFinished, BlockStarted, MessageItem, TextDelta, TextPart, ToolCall

if TYPE_CHECKING:
    from ._receiver import StreamReceiver

__all__ = ["TextView", "ToolCallView"]

V = TypeVar("V")


class _View(AsyncIterator[V], ABC, Generic[V]):
    """What is shown of some items of a receiver, all of which it receives.

    Args:
        rx: The receiver.
        others: The blocks that do not belong to the first answer, by their indexes. The views of
            a receiver share it, since one may go on where another has stopped.
    """

    __slots__ = ("_others", "_rx")

    def __init__(self, rx: StreamReceiver[MessageItem, Any], others: set[int]) -> None:
        self._rx = rx
        self._others = others

    async def __anext__(self) -> V:
        while True:
            item = await self._rx.__anext__()
            if isinstance(item, BlockStarted) and item.choice:
                self._others.add(item.index)
            shown = self._show(item)
            if shown is not None:
                return shown

    @abstractmethod
    def _show(self, item: MessageItem) -> V | None:
        """What is shown of an item; `None` for nothing."""


@final
class TextView(_View[str]):
    """The text of the first answer, in the pieces in which it comes; see `StreamReceiver.text`."""

    __slots__ = ()

    def _show(self, item: MessageItem) -> str | None:
        match item:
            case TextDelta(index=index, text=text) if index not in self._others:
                return text or None
            case BlockStarted(choice=0, part=TextPart(text=text)):
                return text or None
            case _:
                return None


@final
class ToolCallView(_View[ToolCall]):
    """The whole calls of the first answer; see `StreamReceiver.tool_calls`."""

    __slots__ = ()

    def _show(self, item: MessageItem) -> ToolCall | None:
        match item:
            case BlockFinished(index=index, part=ToolCall() as call) if index not in self._others:
                return call
            case _:
                return None
