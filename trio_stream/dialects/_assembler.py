"""The assembler of every dialect that speaks the items of `items`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from ._open_parts import open_part
from .items import (
    BlockFinished,
    BlockStarted,
    CitationDelta,
    MediaDelta,
    MessageDelta,
    MessageFinished,
    MessageStarted,
    RefusalDelta,
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
    nothing but its last frame has lost nothing. If there are several answers, that goes for each.

    Args:
        strict: Whether only the terminal item counts.
    """

    __slots__ = (
        "_answers",
        "_extra",
        "_finished",
        "_head",
        "_model",
        "_open",
        "_parts",
        "_strict",
        "_usage",
    )

    def __init__(self, *, strict: bool = False) -> None:
        self._strict = strict
        self._begin(MessageStarted())

    @property
    def complete(self) -> bool:
        """Whether the message is whole."""
        return self._finished or (
            not self._strict
            and not self._open
            and all(answer.stop_reason is not None for answer in self._answers.values())
        )

    def fold(self, item: MessageItem, /) -> None:
        """Take the next item into the message. Never raises: what has no place is passed over."""
        match item:
            case TextDelta() | ToolInputDelta() | ThinkingDelta():  # nearly every item
                part = self._open.get(item.index)
                if part is not None:
                    part.add(item)
            case BlockStarted():
                self._open[item.index] = open_part(item.part)
                self._parts[item.index] = item.choice, item.part
                self._answer(item.choice)
            case BlockFinished():
                self._open.pop(item.index, None)
                choice, _ = self._parts.get(item.index, (0, None))
                self._parts[item.index] = choice, item.part
            case (
                SignatureDelta() | CitationDelta() | UnknownDelta() | RefusalDelta() | MediaDelta()
            ):
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
        parts: dict[int, list[Part]] = {choice: [] for choice in sorted(self._answers)}
        for index, (choice, part) in sorted(self._parts.items()):
            parts[choice].append(self._open[index].unfinished() if index in self._open else part)
        complete = self.complete  # asks every answer
        messages = [
            self._message(choice, each, complete=complete) for choice, each in parts.items()
        ]
        return attrs.evolve(messages[0], extra=self._extra.copy(), alternatives=tuple(messages[1:]))

    def _message(self, choice: int, parts: list[Part], *, complete: bool) -> Message:
        answer = self._answers[choice]
        return Message(
            id=self._head.id,
            model=self._model,
            role=self._head.role,
            parts=tuple(parts),
            stop_reason=(answer.stop_reason or "other") if complete else "incomplete",
            provider_stop_reason=answer.provider_stop_reason,
            stop_sequence=answer.stop_sequence,
            usage=self._usage,
        )

    def _begin(self, item: MessageStarted) -> None:
        self._head = item
        self._model = item.model
        self._parts: dict[int, tuple[int, Part]] = {}
        self._open: dict[int, OpenPart] = {}
        self._answers = {0: _Answer()}
        self._usage = item.usage or Usage()
        self._extra: JsonObject = item.extra.copy()
        self._finished = False

    def _answer(self, choice: int) -> _Answer:
        answer = self._answers.get(choice)
        if answer is None:
            answer = self._answers[choice] = _Answer()
        return answer

    def _grow(self, delta: BlockDelta) -> None:
        part = self._open.get(delta.index)
        if part is not None:
            part.add(delta)

    def _learn(self, item: MessageDelta) -> None:
        self._answer(item.choice).learn(item)
        self._model = item.model or self._model
        if item.usage is not None:
            self._usage = self._usage.updated(item.usage)
        self._extra |= item.extra


@attrs.define
class _Answer:
    """Why one of the answers stopped, as far as it was told."""

    stop_reason: StopReason | None = None
    provider_stop_reason: str | None = None
    stop_sequence: str | None = None

    def learn(self, item: MessageDelta) -> None:
        # News replaces, silence does not: a later report that omits the stop reason has not
        # taken it back.
        self.stop_reason = item.stop_reason or self.stop_reason
        self.provider_stop_reason = item.provider_stop_reason or self.provider_stop_reason
        self.stop_sequence = item.stop_sequence or self.stop_sequence
