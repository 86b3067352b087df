"""Items as lines: for people, for pipes, for programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from ..framing import Comment, Record, ServerSentEvent
from ..pipeline import Restarted
from ._fields import json_line, look_up, parse_json, to_json
from ._options import TailOptions
from ._terminal import Style, say, visible

__all__ = ["Lines"]


@final
class Lines:
    """Write items as the options say.

    Attributes:
        chosen: How many have been made into lines.
        beginnings: How often the stream has begun anew.
    """

    def __init__(
        self,
        options: TailOptions,
        *,
        style: Style,
        on_terminal: bool,
        elapsed: Callable[[], float],
    ) -> None:
        self.chosen = 0
        self.beginnings = 0
        self._options = options
        self._style = style
        self._on_terminal = on_terminal
        self._elapsed = elapsed
        self._end = "" if options.mode == "join" else "\n"

    def write(self, item: object) -> bytes:
        """The bytes of an item; empty if it is not asked for."""
        if isinstance(item, bytes):  # no framing: as they came
            self.chosen += 1
            return item
        if isinstance(item, Restarted):
            self.beginnings += 1
            say("trio-stream: what follows is a new beginning: items may be missing, or come again")
            return b""
        if not isinstance(item, ServerSentEvent | Record | Comment):
            raise TypeError(f"no item of a stream: {item!r}")
        write = self._json if self._options.mode == "json" else self._text
        line = write(item)
        if line is None:
            return b""
        self.chosen += 1
        # Half a surrogate pair, which JSON may hold, comes out as the escape that it came in as.
        return (line + self._end).encode("utf-8", "backslashreplace")

    @property
    def is_full(self) -> bool:
        """Whether as many have been chosen as were asked for."""
        limit = self._options.max_items
        return limit is not None and self.chosen >= limit

    def _json(self, item: ServerSentEvent | Record | Comment) -> str | None:
        members: dict[str, str] = {}
        if self._options.timing:
            members["time"] = f"{self._elapsed():.3f}"
        if isinstance(item, Comment):
            if self._options.field:
                return None
            members["comment"] = to_json(item.text)
        elif not self._is_wanted(item):
            return None
        elif self._options.field:
            try:
                members["data"] = to_json(self._field(item))
            except (LookupError, ValueError):
                return None
        else:
            if isinstance(item, ServerSentEvent):
                members["event"] = to_json(item.event)
            members["data"] = json_line(item.data)
            members |= _position(item)
        if list(members) == ["data"]:
            line = members["data"]
        else:
            line = "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
        return visible(line) if self._on_terminal else line

    def _text(self, item: ServerSentEvent | Record | Comment) -> str | None:
        options, style = self._options, self._style
        before = f"{self._elapsed():8.3f}  " if options.timing else ""
        if isinstance(item, Comment):
            if options.field:
                return None
            text = f": {item.text}"
        elif not self._is_wanted(item):
            return None
        elif options.field:
            try:
                value = self._field(item)
            except (LookupError, ValueError):
                return None
            text = value if isinstance(value, str) else to_json(value)
        else:
            text = item.data
            if options.mode == "show" and isinstance(item, ServerSentEvent):
                before += "" if item.event == "message" else f"{visible(item.event)}  "
        if self._on_terminal:
            text = visible(text)
        return style.dim(before) + text if before else text

    def _is_wanted(self, item: ServerSentEvent | Record) -> bool:
        events = self._options.events
        return not events or (isinstance(item, ServerSentEvent) and item.event in events)

    def _field(self, item: ServerSentEvent | Record) -> object:
        return look_up(parse_json(item.data), self._options.field)


def _position(item: ServerSentEvent | Record) -> dict[str, str]:
    """Where in the stream an event stands, if the stream says so."""
    position: dict[str, str] = {}
    if isinstance(item, ServerSentEvent):
        if item.id:
            position["id"] = to_json(item.id)
        if item.retry is not None:
            position["retry"] = str(item.retry)
    return position
