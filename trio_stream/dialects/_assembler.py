"""The assembler of every dialect that speaks the items of `items`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._open_parts import open_part
from .items import (
    BlockFinished,
    BlockStarted,
    CitationDelta,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownDelta,
)
from .message import Message, Usage

if TYPE_CHECKING:
    from ._json import JsonObject
    from ._open_parts import OpenPart
    from .items import BlockDelta, MessageItem
    from .message import Part, StopReason

__all__ = ["MessageAssembler"]


class MessageAssembler:
    """Fold items into a `Message`.

    Provider-neutral: whatever is one provider's own was settled by its decoder.

    The message is complete when its terminal item was folded. It is complete too when the stop
    reason is known and no block is open: the content is whole then, and a stream that loses
    nothing but its last frame has lost nothing.
    """

    __slots__ = (
        "_extra",
        "_finished",
        "_id",
        "_model",
        "_open",
        "_parts",
        "_provider_stop_reason",
        "_role",
        "_stop_reason",
        "_stop_sequence",
        "_usage",
    )

    def __init__(self) -> None:
        self._begin(MessageStarted())

    @property
    def complete(self) -> bool:
        """Whether the message is whole."""
        return self._finished or (self._stop_reason is not None and not self._open)

    def fold(self, item: MessageItem, /) -> None:
        """Take the next item into the message. Never raises: what has no place is passed over."""
        match item:
            case TextDelta() | ToolInputDelta() | ThinkingDelta():
                self._grow(item)
            case BlockStarted():
                self._open[item.index] = open_part(item.part)
                self._parts[item.index] = item.part
            case BlockFinished():
                self._open.pop(item.index, None)
                self._parts[item.index] = item.part
            case SignatureDelta() | CitationDelta() | UnknownDelta():
                self._grow(item)
            case MessageDelta():
                self._learn(item)
            case MessageStarted():
                self._begin(item)
            case MessageFinished():
                self._finished = True
                self._extra |= item.extra
            case _:  # Ping, UnknownEvent: nothing of the message
                pass

    def snapshot(self) -> Message:
        """Return the message so far, as a value that later folding does not change.

        The cost is that of joining what came since the last snapshot, and of copying the text of
        the open blocks.
        """
        return Message(
            id=self._id,
            model=self._model,
            role=self._role,
            parts=tuple(
                self._open[index].unfinished() if index in self._open else part
                for index, part in sorted(self._parts.items())
            ),
            stop_reason=(self._stop_reason or "other") if self.complete else "incomplete",
            provider_stop_reason=self._provider_stop_reason,
            stop_sequence=self._stop_sequence,
            usage=self._usage,
            extra=self._extra.copy(),
        )

    def _begin(self, item: MessageStarted) -> None:
        self._id = item.id
        self._model = item.model
        self._role = item.role
        self._parts: dict[int, Part] = {}
        self._open: dict[int, OpenPart] = {}
        self._stop_reason: StopReason | None = None
        self._provider_stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self._usage = item.usage or Usage()
        self._extra: JsonObject = item.extra.copy()
        self._finished = False

    def _grow(self, delta: BlockDelta) -> None:
        part = self._open.get(delta.index)
        if part is not None:
            part.add(delta)

    def _learn(self, item: MessageDelta) -> None:
        # News replaces, silence does not: a later report that omits the stop reason has not
        # taken it back.
        self._model = item.model or self._model
        self._stop_reason = item.stop_reason or self._stop_reason
        self._provider_stop_reason = item.provider_stop_reason or self._provider_stop_reason
        self._stop_sequence = item.stop_sequence or self._stop_sequence
        if item.usage is not None:
            self._usage = self._usage.updated(item.usage)
        self._extra |= item.extra
