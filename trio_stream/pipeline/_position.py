"""Where a stream is: how far it was received, and how far its items have been dealt with.

The first is where the next connection goes on: what was received waits here, and is delivered. The
second is where another process would have to go on, and what a `CheckpointStore` keeps. It follows
the first by *marks*: each says which position is reached when so many items were processed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, final

from ..retry import MAX_POSITION, Cursor, LastEventID

__all__ = ["Position"]


@final
class Position:
    """The position of one stream, over all its connections.

    Args:
        cursor: How positions are read; `None`: the stream has none.
        window: How many positions are remembered, to tell what comes again.
        on_gap: Called with a number that was expected and the one that came.

    Attributes:
        received: The position behind the last frame.
        acknowledged: The position behind the last item that was processed, if it has one that can
            be asked for.
        duplicates: How many frames came again, and were dropped.
        missing: How many never came.
    """

    __slots__ = (
        "_marks",
        "_new",
        "_number",
        "_on_gap",
        "_own_ids",
        "_window",
        "acknowledged",
        "cursor",
        "duplicates",
        "missing",
        "received",
        "seen",
    )

    def __init__(
        self,
        cursor: Cursor | None,
        window: int,
        on_gap: Callable[[int, int], object] | None,
    ) -> None:
        self.cursor = cursor
        self.received = self.acknowledged = ""
        self.duplicates = 0
        self.missing = 0
        self._on_gap = on_gap
        self._number: int | None = None
        # Positions of this connection, and those of the ones before, the newest last.
        self._new: deque[str] | None = None  # an empty one takes half a kilobyte
        self._window = window
        self.seen: dict[str, None] = {}
        self._marks: deque[tuple[int, str]] | None = None
        self._own_ids = type(cursor) is LastEventID  # a subclass has its own way

    @property
    def uses_event_ids(self) -> bool:
        """Whether positions are those of the parser: event IDs, which it also drops by."""
        return self._own_ids

    def reconnect(self) -> None:
        """Another connection begins. What was seen on the ones before is a duplicate there."""
        for position in self._new or ():
            self.seen.pop(position, None)
            self.seen[position] = None
        self._new = None
        for position in list(self.seen)[: max(0, len(self.seen) - self._window)]:
            del self.seen[position]

    def start(self, position: str) -> None:
        """The stream begins, at its beginning (``""``) or elsewhere: for the first time, or again.

        What was received since is forgotten: it will come again. What was acknowledged is not.
        """
        self.received = position
        self.acknowledged = self.acknowledged or position
        # A server may go on with the item itself, and not with the one behind it.
        self.seen = {position: None} if position and self._window else {}
        self._new = self._marks = None
        # Of a gap before the first frame nothing is known, unless the stream goes on from before.
        known = self.cursor is not None and position
        self._number = self.cursor.sequence(position) if self.cursor and known else None

    def take_back(self, position: str) -> None:
        """The stream begins there again, and nothing that it has brought counts."""
        self.start(position)
        self.acknowledged = position
        self.missing = 0

    def can_be_asked_for(self, position: str, silence: float = 0.0) -> bool:
        """Whether a request could go on from there, so many seconds later."""
        return self.cursor is None or self.cursor.resume(position, silence) is not None

    def read(self, frame: Any) -> str | None:
        """The position of a frame; `None` if it has none."""
        if self.cursor is None:
            return None
        position = self.cursor.position(frame, self.received)
        if not isinstance(position, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(self.cursor).__name__}.position returned {position!r}, "
                "which is neither a str nor None"
            )
        return position

    def is_duplicate(self, position: str | None) -> bool:
        """Whether a frame of this position came on an earlier connection; counts it then."""
        if self._own_ids or position not in self.seen:
            return False
        self.duplicates += 1
        return True

    def advance(self, position: str | None, items: int) -> None:
        """A frame was decoded.

        Args:
            position: Its position.
            items: How many items there have been with it, since the beginning of the stream.

        Raises:
            Exception: What ``on_gap`` has raised.
        """
        if position is None or position in self.seen:
            return  # none, or that of an event that came before: there is no way back
        if position != self.received:
            self.received = position
            if self._marks is None:
                self._marks = deque()
            if 0 < len(position) <= MAX_POSITION:
                if self._new is None:
                    self._new = deque(maxlen=self._window)
                self._new.append(position)
            # Another process could not begin at one that no request can have, such as an event ID
            # with a control character. It begins at the one before, and what is behind comes again.
            if not position or self.can_be_asked_for(position):
                if self._marks and self._marks[-1][0] == items:
                    self._marks.pop()
                self._marks.append((items, position))
            self._count(position)
        elif self._marks and self._marks[-1][1] == self.received:
            # One of several frames with one position: it is reached behind the last of them.
            self._marks[-1] = (items, self.received)

    def acknowledge(self, items: int) -> bool:
        """So many items were processed, since the beginning of the stream; whether that is news."""
        marks = self._marks
        news = False
        while marks and marks[0][0] <= items:
            _, self.acknowledged = marks.popleft()
            news = True
        return news

    def _count(self, position: str) -> None:
        number = None if self.cursor is None else self.cursor.sequence(position)
        if number is None:
            return
        expected = None if self._number is None else self._number + 1
        self._number = number
        if expected is not None and number > expected:
            self.missing += number - expected
            if self._on_gap is not None:
                self._on_gap(expected, number)
