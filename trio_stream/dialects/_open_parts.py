"""Parts while they grow.

Both faces of a dialect need them: the decoder, to hand out the finished part when its block ends,
and the assembler, to show the unfinished one. Additions are gathered in lists and joined only
when somebody looks, so the cost of a part is linear in its size however finely it was cut.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import attrs

from ..partial_json import PartialJSON
from ._json import Json, JsonObject, check_strict_json, parse_strict_json
from .items import (
    BlockDelta,
    CitationDelta,
    MediaDelta,
    RefusalDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownDelta,
)
from .message import (
    IncompleteToolCall,
    MediaPart,
    RefusalPart,
    ServerToolCall,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)

if TYPE_CHECKING:
    from .message import Part

__all__ = [
    "OpenMedia",
    "OpenPart",
    "OpenRefusal",
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
        case RefusalPart():
            return OpenRefusal(part)
        case MediaPart():
            return OpenMedia(part)
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
    """A `TextPart` that grows.

    Attributes:
        grow: Takes more text, as `add` does with a `TextDelta`.
    """

    __slots__ = ("_citations", "_start", "_text", "grow")

    def __init__(self, start: TextPart) -> None:
        self._start = start
        self._text = _Pieces(start.text)
        self.grow = self._text.add
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


class OpenRefusal(OpenPart):
    """A `RefusalPart` that grows."""

    __slots__ = ("_start", "_text")

    def __init__(self, start: RefusalPart) -> None:
        self._start = start
        self._text = _Pieces(start.text)

    def add(self, delta: BlockDelta) -> bool:
        if isinstance(delta, RefusalDelta):
            self._text.add(delta.text)
            return True
        return False

    def unfinished(self) -> RefusalPart:
        return RefusalPart(self._text.join(), finished=False, raw=self._start.raw)

    def finished(self) -> RefusalPart:
        return RefusalPart(self._text.join(), raw=self._start.raw)


class OpenMedia(OpenPart):
    """A `MediaPart` that grows."""

    __slots__ = ("_data", "_start", "_transcript")

    def __init__(self, start: MediaPart) -> None:
        self._start = start
        self._data = list(start.data)
        self._transcript = _Pieces(start.transcript)

    def add(self, delta: BlockDelta) -> bool:
        if isinstance(delta, MediaDelta):
            if delta.data:
                self._data.append(delta.data)
            self._transcript.add(delta.transcript)
            return True
        return False

    def unfinished(self) -> MediaPart:
        return self._part(finished=False)

    def finished(self) -> MediaPart:
        return self._part(finished=True)

    def _part(self, *, finished: bool) -> MediaPart:
        return attrs.evolve(
            self._start,
            data=tuple(self._data),
            transcript=self._transcript.join(),
            finished=finished,
        )


class OpenThinking(OpenPart):
    """A `ThinkingPart` that grows.

    Attributes:
        grow: Takes more text, as `add` does with a `ThinkingDelta`.
    """

    __slots__ = ("_signature", "_start", "_text", "grow")

    def __init__(self, start: ThinkingPart) -> None:
        self._start = start
        self._text = _Pieces(start.text)
        self.grow = self._text.add
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

    Attributes:
        grow: Takes more of the text of the arguments, as `add` does with a `ToolInputDelta`.
    """

    __slots__ = ("_arguments", "_given", "_preview", "_start", "grow")

    def __init__(self, start: IncompleteToolCall, given: Json = None) -> None:
        self._start = start
        self._arguments = _Pieces(start.arguments)
        self.grow = self._arguments.add
        self._given = given
        self._preview: _Preview | None = None

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
        start, arguments = self._start, self._arguments.join()
        if start.is_custom:
            preview: Json = arguments
        elif arguments:
            self._preview = self._preview or _Preview()
            preview = self._preview.of(arguments)
        else:
            preview = self._given
        return IncompleteToolCall(
            start.id,
            start.name,
            arguments,
            error,
            start.by_server,
            start.is_custom,
            preview=preview,
            raw=start.raw,
        )

    def finished(self) -> ToolCall | ServerToolCall | IncompleteToolCall:
        """Return the call: final if its arguments are JSON, refused if they are not.

        A model that is cut off by a limit ends its block properly in the middle of the arguments,
        so an end alone proves nothing.
        """
        start, arguments = self._start, self._arguments.join()
        value: Json
        if start.is_custom:
            value = arguments
        elif arguments:
            try:
                value = parse_strict_json(arguments)
            except ValueError as exc:
                return self.refused(f"the arguments are not JSON: {exc}")
        elif self._given is None:
            value = {}
        else:
            value = self._given
            try:
                check_strict_json(value)
            except ValueError as exc:
                return self.refused(f"the arguments are not JSON: {exc}")
        if start.by_server:
            return ServerToolCall(start.id, start.name, value, arguments, raw=start.raw)
        return ToolCall(start.id, start.name, value, arguments, start.is_custom, raw=start.raw)


class _Preview:
    """The value of arguments that grow. Made when somebody looks first, so nobody pays for more."""

    __slots__ = ("_parser", "_read")

    def __init__(self) -> None:
        self._parser = PartialJSON()
        self._read = 0

    def of(self, arguments: str) -> Json:
        """Return the value of ``arguments``, which is what was given before and perhaps more."""
        if self._read < len(arguments):
            try:
                self._parser.feed(arguments[self._read :])
            except ValueError:
                pass  # not JSON: what came before the fault can still be looked at
            self._read = len(arguments)
        return self._parser.snapshot(copy=True)


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
