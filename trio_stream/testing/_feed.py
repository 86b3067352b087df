"""A model of a server that can be resumed: numbered events, served from where one left off."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import attrs

from ._plan import Scheme, Scripts
from ._request import Request
from ._script import Event, Head, Stall, Step, Wait

__all__ = ["Feed"]


def _last_event_id(request: Request) -> str | None:
    # Sent as UTF-8 (WHATWG HTML, 9.2.3), which our headers show as Latin-1.
    value = request.headers.get("last-event-id")
    return None if value is None else value.encode("latin-1").decode("utf-8", "replace")


def _numbered_event(number: int) -> Event:
    return Event(str(number), id=str(number))


@attrs.define(slots=False)
class Feed(Scheme):
    """A plan that serves the events of one feed, to each request from where it asks.

    ::

        feed = Feed(100)  # the events 1 … 100, each its number as data and as ID
        plan = faulty_in_turn(feed, [CutAt(333, "reset"), Instead(Refuse())])

        async with memory_client(plan) as (client, server):
            ...
        assert feed.asked == [None, "26"]

    A request that names no event, or one that there is not, is served from the start.

    Attributes:
        events: How many events there are; or the events themselves, each with an ID of its own;
            `None`: a feed without an end.
        make: Makes the n-th event, from 1, if ``events`` is not a list. Its ID is n, or nothing.
            Any step will do, such as a `Send` of one line.
        head: The head of each answer.
        every: Seconds before each event but the first of an answer. A feed without an end that
            takes no time fills a connection in memory as fast as it goes.
        per_answer: An answer ends cleanly after so many events, though there are more.
        overlap: How many of the events that the client has are sent again: 0 goes on behind the
            event that was named, 1 with it, and so on.
        at_end: What follows the last event: a clean end (``"end"``), for each request anew; the
            same, and 204 for a request that has everything (``"204"``); or nothing, with the
            connection open (``"open"``).
        position: Finds in a request the ID that it asks to go on from; default: the value of
            ``Last-Event-ID``.
        asked: What the requests have asked for so far, from all servers.
    """

    events: int | Sequence[Event] | None = None
    make: Callable[[int], Step] = attrs.field(default=_numbered_event, kw_only=True)
    head: Head = attrs.field(default=Head(), kw_only=True)
    every: float = attrs.field(default=0.0, kw_only=True)
    per_answer: int | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(attrs.validators.ge(1))
    )
    overlap: int = attrs.field(default=0, kw_only=True, validator=attrs.validators.ge(0))
    at_end: Literal["end", "204", "open"] = attrs.field(
        default="end", kw_only=True, validator=attrs.validators.in_(("end", "204", "open"))
    )
    position: Callable[[Request], str | None] = attrs.field(default=_last_event_id, kw_only=True)
    asked: list[str | None] = attrs.field(factory=list[str | None], init=False)

    def __attrs_post_init__(self) -> None:
        if self.per_answer is not None and self.per_answer <= self.overlap:
            raise ValueError("per_answer must be more than overlap, or nobody ever gets farther")

    def start(self) -> Scripts:
        return _FeedScripts(self)

    def answer(self, position: str | None) -> Iterator[Step]:
        """The script for a request that goes on from ``position``; it may have no end."""
        behind = self._number_of(position)
        if self.at_end == "204" and behind == self._count():
            yield Head(204)
            return
        yield self.head
        start = max(0, behind - self.overlap)
        stop = None if self.per_answer is None else start + self.per_answer
        for number, event in self._events(start):
            if number == stop:
                return
            if number > start and self.every:
                yield Wait(self.every)
            yield event
        if self.at_end == "open":
            yield Stall()

    def _events(self, start: int) -> Iterable[tuple[int, Step]]:
        """The events behind the first ``start`` ones, and the number of those before each."""
        if isinstance(self.events, Sequence):
            return enumerate(self.events[start:], start)
        numbers = itertools.count(start) if self.events is None else range(start, self.events)
        return ((number, self.make(number + 1)) for number in numbers)

    def _count(self) -> int | None:
        return len(self.events) if isinstance(self.events, Sequence) else self.events

    def _number_of(self, position: str | None) -> int:
        """Which event has that ID, from 1; 0: none."""
        if position is None:
            return 0
        if isinstance(self.events, Sequence):
            ids = [event.id for event in self.events]
            return ids.index(position) + 1 if position in ids else 0
        number = int(position) if len(position) < 19 and position.isdecimal() else 0
        exists = position == str(number) and (self.events is None or number <= self.events)
        return number if exists else 0


class _FeedScripts(Scripts):
    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def take(self, request: Request) -> Iterable[Step]:
        position = self._feed.position(request)
        self._feed.asked.append(position)
        return self._feed.answer(position)
