"""How an answer looks: text for people, JSON Lines for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import attrs

from ...dialects import (
    BlockFinished,
    BlockStarted,
    MessageItem,
    RefusalDelta,
    RefusalPart,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    Usage,
)
from .._fields import to_json
from .._terminal import Style, visible

__all__ = ["Show", "item_line"]


@final
class Show:
    """Write the items of one answer.

    Args:
        as_json: Whether as JSON Lines.
        on_terminal: Whether stdout is one.
        thinking: Whether the thoughts of the model are whispered.
        style: Of what is whispered.
        elapsed: Seconds since the start.

    Attributes:
        first_text: When the first text came.
        whispers: Whether what was whispered last has not ended its line.
    """

    def __init__(
        self,
        *,
        as_json: bool,
        on_terminal: bool,
        thinking: bool,
        style: Style,
        elapsed: Callable[[], float],
    ) -> None:
        self.first_text: float | None = None
        self.whispers = False
        self._as_json = as_json
        self._on_terminal = on_terminal
        self._thinking = thinking and not as_json
        self._style = style
        self._elapsed = elapsed
        self._line_is_open = False
        self._others: set[int] = set()  # blocks of other answers than the first

    def write(self, item: MessageItem) -> bytes:
        """The bytes of an item for stdout; empty if there is nothing to show there."""
        said = self._said(item)
        if said and self.first_text is None:
            self.first_text = self._elapsed()
        if self._as_json:
            said = item_line(item)
        if not said:
            return b""
        if self._on_terminal:
            said = visible(said)
        self._line_is_open = not said.endswith("\n")
        return _encoded(said)

    def end(self) -> bytes:
        """What ends the last line, if it is open."""
        return b"\n" if self._line_is_open else b""

    def whisper(self, item: MessageItem) -> str:
        """What is to be said beside stdout: the thoughts, if they are wanted."""
        if not self._thinking:
            return ""
        match item:
            case ThinkingDelta(text=text) | BlockStarted(part=ThinkingPart(text=text)) if text:
                self.whispers = True
                return self._style.dim(visible(text))
            case BlockFinished(part=ThinkingPart()) if self.whispers:
                self.whispers = False
                return "\n"
            case _:
                return ""

    def _said(self, item: MessageItem) -> str:
        match item:
            case TextDelta(index=index, text=text) | RefusalDelta(index=index, text=text):
                return "" if index in self._others else text
            case BlockStarted(choice=0, part=TextPart(text=text) | RefusalPart(text=text)):
                return text
            case BlockStarted(index=index, choice=choice) if choice:
                self._others.add(index)
                return ""
            case _:
                return ""


def item_line(item: MessageItem) -> str:
    """An item as a line of JSON, such as ``{"TextDelta":{"index":0,"text":"Hel"}}``.

    Items and parts are told by the name of their class. What has its usual value is left out.
    """
    return to_json(_plain(item)) + "\n"


def _plain(value: Any) -> Any:
    if value.__class__ is tuple:
        return [_plain(each) for each in value]
    class_: Any = value.__class__
    if not attrs.has(class_):
        return value
    fields = {
        field.name: _plain(getattr(value, field.name))
        for field in attrs.fields(class_)
        if not _is_usual(field, getattr(value, field.name))
    }
    return fields if isinstance(value, Usage) else {class_.__name__: fields}


def _is_usual(field: attrs.Attribute[Any], value: object) -> bool:
    usual: Any = field.default
    return bool(value == (usual.factory() if hasattr(usual, "factory") else usual))


def _encoded(text: str) -> bytes:
    # Half a surrogate pair, which JSON may hold, comes out as the escape that it came in as.
    return text.encode("utf-8", "backslashreplace")
