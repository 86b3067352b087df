"""Parts while they grow.

Both faces of a dialect need them: the decoder, to hand out the finished part when its block ends,
and the assembler, to show the unfinished one. Additions are gathered in lists and joined only
when somebody looks, so the cost of a part is linear in its size however finely it was cut.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ._json import Json, JsonObject, parse_strict_json
from .items import (
    BlockDelta,
    CitationDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownDelta,
)
from .message import (
    IncompleteToolCall,
    ServerToolCall,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)

if TYPE_CHECKING:
    from .message import Part

__all__ = [
    "OpenPart",
    "OpenText",
    "OpenThinking",
    "OpenToolCall",
    "OpenUnknown",
    "WholePart",
    "open_part",
]


class OpenPart(ABC):
    """A part whose end has not been seen."""

    __slots__ = ()

    @abstractmethod
    def add(self, delta: BlockDelta) -> bool:
        """Take an addition; return whether it is of a kind that belongs to this part."""

    @abstractmethod
    def unfinished(self) -> Part:
        """Return the part as far as it came, marked as unfinished."""

    @abstractmethod
    def finished(self) -> Part:
        """Return the part, now that its end has been seen."""


def open_part(part: Part) -> OpenPart:
    """Let a part grow from what is known of it at its start."""
    match part:
        case TextPart():
            return OpenText(part)
        case ThinkingPart():
            return OpenThinking(part)
        case IncompleteToolCall():
            return OpenToolCall(part)
        case UnknownPart():
            return OpenUnknown(part)
        case _:
            return WholePart(part)


class _Pieces:
    """A string that grows. Joining forgets the cuts, so nothing is joined twice."""

    __slots__ = ("_pieces", "add")

    def __init__(self, start: str) -> None:
        self._pieces = [start]
        self.add = self._pieces.append

    def join(self) -> str:
        pieces = self._pieces
        if len(pieces) > 1:
            pieces[:] = ["".join(pieces)]
        return pieces[0]


class OpenText(OpenPart):
    """A `TextPart` that grows."""

    __slots__ = ("_citations", "_start", "_text")

    def __init__(self, start: TextPart) -> None:
        self._start = start
        self._text = _Pieces(start.text)
        self._citations = list(start.citations)

    def add(self, delta: BlockDelta) -> bool:
        if isinstance(delta, TextDelta):
            self._text.add(delta.text)
        elif isinstance(delta, CitationDelta):
            self._citations.append(delta.citation)
        else:
            return False
        return True

    def unfinished(self) -> TextPart:
        return self._part(finished=False)

    def finished(self) -> TextPart:
        return self._part(finished=True)

    def _part(self, *, finished: bool) -> TextPart:
        return TextPart(self._text.join(), tuple(self._citations), finished, raw=self._start.raw)


class OpenThinking(OpenPart):
    """A `ThinkingPart` that grows."""

    __slots__ = ("_signature", "_start", "_text")

    def __init__(self, start: ThinkingPart) -> None:
        self._start = start
        self._text = _Pieces(start.text)
        self._signature = start.signature

    def add(self, delta: BlockDelta) -> bool:
        if isinstance(delta, ThinkingDelta):
            self._text.add(delta.text)
        elif isinstance(delta, SignatureDelta):
            self._signature = delta.signature
        else:
            return False
        return True

    def unfinished(self) -> ThinkingPart:
        return self._part(finished=False)

    def finished(self) -> ThinkingPart:
        return self._part(finished=True)

    def _part(self, *, finished: bool) -> ThinkingPart:
        return ThinkingPart(self._text.join(), self._signature, finished, raw=self._start.raw)


class OpenToolCall(OpenPart):
    """A tool call whose arguments grow.

    Args:
        start: What is known of it.
        given: The arguments where the provider sends them as a value and not as text; they count
            if no text comes.
    """

    __slots__ = ("_arguments", "_given", "_start")

    def __init__(self, start: IncompleteToolCall, given: Json = None) -> None:
        self._start = start
        self._arguments = _Pieces(start.arguments)
        self._given = given

    @property
    def is_empty(self) -> bool:
        """Whether there is not one character of arguments, and no value in their place."""
        return not (self._arguments.join() or self._given)

    def add(self, delta: BlockDelta) -> bool:
        if isinstance(delta, ToolInputDelta):
            self._arguments.add(delta.arguments)
            return True
        return False

    def unfinished(self) -> IncompleteToolCall:
        return self.refused("")

    def refused(self, error: str) -> IncompleteToolCall:
        """Return the call as one that must not be made, and why."""
        start = self._start
        return IncompleteToolCall(
            start.id, start.name, self._arguments.join(), error, start.by_server, raw=start.raw
        )

    def finished(self) -> ToolCall | ServerToolCall | IncompleteToolCall:
        """Return the call: final if its arguments are JSON, refused if they are not.

        A model that is cut off by a limit ends its block properly in the middle of the arguments,
        so an end alone proves nothing.
        """
        arguments = self._arguments.join()
        value: Json
        if arguments:
            try:
                value = parse_strict_json(arguments)
            except ValueError as exc:
                return self.refused(f"the arguments are not JSON: {exc}")
        else:
            value = {} if self._given is None else self._given
        start = self._start
        kind = ServerToolCall if start.by_server else ToolCall
        return kind(start.id, start.name, value, arguments, raw=start.raw)


class OpenUnknown(OpenPart):
    """An `UnknownPart` that grows; it takes `UnknownDelta` only."""

    __slots__ = ("_deltas", "_start")

    def __init__(self, start: UnknownPart) -> None:
        self._start = start
        self._deltas: list[JsonObject] = list(start.deltas)

    def add(self, delta: BlockDelta) -> bool:
        if isinstance(delta, UnknownDelta):
            self._deltas.append(delta.delta)
            return True
        return False

    def unfinished(self) -> UnknownPart:
        return self._part(finished=False)

    def finished(self) -> UnknownPart:
        return self._part(finished=True)

    def _part(self, *, finished: bool) -> UnknownPart:
        return UnknownPart(self._start.type, self._start.raw, tuple(self._deltas), finished)


class WholePart(OpenPart):
    """A part that arrived whole with its start: nothing can be added, its end adds nothing."""

    __slots__ = ("_part",)

    def __init__(self, part: Part) -> None:
        self._part = part

    def add(self, delta: BlockDelta) -> bool:
        return False

    def unfinished(self) -> Part:
        return self._part

    def finished(self) -> Part:
        return self._part
