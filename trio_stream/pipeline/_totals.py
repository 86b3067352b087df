"""The figures of one stream, over all its connections."""

from __future__ import annotations

from typing import Any, final

import trio

from ..dialects import Decoder
from ..outcome import Timings
from ._position import Position
from ._stages import Stages

__all__ = ["Totals"]


@final
class Totals:
    """What the connections of one stream have counted together, and when things happened.

    Theory of operation: A connection counts its bytes, a parser what it drops, a decoder what it
    skips and what it does not know. A total is what those before have left behind, and what the
    newest has counted so far: it is true at any moment, and nothing is summed while items come.

    The two parts change at different times. Each connection is new, but a stream that goes on takes
    its decoder along; and a decoder may be done with before there is another connection.

    Args:
        position: Where the stream is, and how many of its frames came again.

    Attributes:
        first_item: When the first item was, on trio's clock.
        last_item: When the last one was.
    """

    __slots__ = (
        "_bytes",
        "_decoder",
        "_dropped",
        "_first_byte",
        "_headers",
        "_position",
        "_skipped",
        "_stages",
        "_unknown",
        "first_item",
        "last_item",
    )

    def __init__(self, position: Position) -> None:
        self._position = position
        self._stages: Stages[Any] | None = None
        self._decoder: Decoder[Any] | None = None
        # Of those before these two:
        self._bytes = self._dropped = self._skipped = self._unknown = 0
        self._headers: float | None = None
        self._first_byte: float | None = None
        self.first_item: float | None = None
        self.last_item: float | None = None

    # ---- what happens to the stream ------------------------------------------------------------

    def connected(self, stages: Stages[Any]) -> None:
        """There is another connection; the one before is over."""
        if self._stages is None:
            self._headers = trio.current_time()
        self._bytes = self.bytes_received
        self._dropped = self._dropped_so_far
        self._first_byte = self._first_byte_so_far
        self._stages, self._decoder = stages, stages.decoder

    def take_back(self, items: int) -> None:
        """What the newest decoder has read counts for nothing; so many items are left."""
        self._decoder = None
        if not items:
            self.first_item = self.last_item = None

    def begin_anew(self) -> None:
        """The newest decoder is done with, and what it has counted stands."""
        self._skipped, self._unknown = self.skipped_items, self.unknown_events
        self._decoder = None

    # ---- the figures ---------------------------------------------------------------------------

    @property
    def bytes_received(self) -> int:
        """How many bytes of body have come."""
        newest = self._stages
        return self._bytes + (0 if newest is None else newest.connection.bytes_received)

    @property
    def skipped_items(self) -> int:
        """How many payloads did not fit and were skipped."""
        newest = self._decoder
        return self._skipped + (0 if newest is None else newest.skipped_items)

    @property
    def unknown_events(self) -> int:
        """How many events were of a kind that nobody knew."""
        newest = self._decoder
        return self._unknown + (0 if newest is None else newest.unknown_events)

    @property
    def duplicates(self) -> int:
        """How many items came again and were dropped."""
        return self._position.duplicates + self._dropped_so_far

    def timings(self, started: float) -> Timings:
        """When things happened, in a stream that was asked for at ``started`` and is over now."""

        def since_start(time: float | None) -> float | None:
            return None if time is None else time - started

        return Timings(
            headers=since_start(self._headers),
            first_byte=since_start(self._first_byte_so_far),
            first_item=since_start(self.first_item),
            last_item=since_start(self.last_item),
            total=trio.current_time() - started,
        )

    @property
    def _dropped_so_far(self) -> int:
        """How many events the parsers have dropped, since their IDs had come before."""
        newest = self._stages
        return self._dropped + (0 if newest is None else newest.parser.skipped)

    @property
    def _first_byte_so_far(self) -> float | None:
        newest = self._stages
        if self._first_byte is None and newest is not None:
            return newest.first_byte
        return self._first_byte
