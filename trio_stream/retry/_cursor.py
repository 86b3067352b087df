"""Where a stream is, and how to ask for what follows.

A *position* is a string: what the server calls the place in the stream behind an item. A `Cursor`
reads positions out of frames, and turns one into the request for the rest. It keeps no state of its
own, so one serves any number of streams.
"""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypedDict, cast

import attrs

__all__ = [
    "MAX_POSITION",
    "BackfillMinutes",
    "Cursor",
    "LastEventID",
    "RequestChanges",
    "StartingAfter",
]

MAX_POSITION = 8192
"""No longer position is remembered or sent, in characters: servers refuse longer headers."""

# RFC 9110, 5.5: a field value holds no control character but HTAB.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# The ID of a response becomes a part of a path, so it is nothing that could lead elsewhere.
_NAME = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9_~.:-]*")
# What has so many digits is no number that a server has counted to.
_DIGITS = 18
_TOO_LARGE = 10**_DIGITS
# Of X: the request takes its time, and an item comes up to 7 s late.
_MARGIN = 10.0


class RequestChanges(TypedDict, total=False):
    """What is different in another attempt at a request.

    Each key but the last two replaces the argument of that name. A ``json``, ``content``, ``data``
    or ``files`` is a new body: those of the four that are not given go.

    Attributes:
        method: The HTTP method.
        url: The URL, relative as in the first attempt or not.
        params: The query, in any form that the client takes.
        headers: The headers, in any form that the client takes.
        json: A body.
        content: A body.
        data: A body, or with ``files`` its fields.
        files: A body.
        add_params: Merged over the query that would be sent without them, wherever it comes from:
            the URL, ``params``, the client. Each takes the place of all of its name.
        add_headers: Merged over the headers; each takes the place of all of its name, in any case.
    """

    method: str
    url: Any
    params: Any
    headers: Any
    json: Any
    content: Any
    data: Any
    files: Any
    add_params: Mapping[str, str]
    add_headers: Mapping[str, str]


class Cursor(ABC):
    """How a stream is resumed. Subclass it for a protocol of your own."""

    __slots__ = ()

    brings_old: ClassVar[bool] = False
    """Whether a connection that was resumed begins with what is old. What comes in its first ten
    seconds then does not show that the stream is live."""

    @abstractmethod
    def position(self, frame: Any, previous: str) -> str | None:
        """The position behind a frame; `None` if the frame has none.

        It also tells a frame that comes again: two frames of one stream with the same position are
        the same.

        Args:
            frame: A `ServerSentEvent`, `Record`, …, as the framing has it.
            previous: The position before it; ``""`` if there is none.
        """

    def sequence(self, position: str) -> int | None:
        """The number of a position, where numbers are consecutive. Others have no gaps to find."""
        return None

    @abstractmethod
    def resume(self, position: str, silence: float) -> RequestChanges | None:
        """The request for what follows a position; `None` if that cannot be asked for.

        Args:
            position: The last one that was received.
            silence: Seconds since the last byte, or since the stream was last live, see
                `brings_old`; infinity if there was none in this process.
        """


@attrs.frozen
class LastEventID(Cursor):
    """Server-sent events: the last event ID, and the header of that name (WHATWG HTML 9.2.4).

    Args:
        consecutive: Whether the IDs are consecutive whole numbers, so that a gap shows.
    """

    consecutive: bool = False

    def position(self, frame: Any, previous: str) -> str | None:
        """The last event ID when the event was dispatched; ``""`` if it was reset."""
        position: str | None = getattr(frame, "id", None)
        return position

    def sequence(self, position: str) -> int | None:
        """The ID, if it is a number and the IDs are consecutive."""
        return int(position) if self.consecutive and _is_number(position) else None

    def resume(self, position: str, silence: float) -> RequestChanges | None:
        """The header. An ID with a control character, or of more than 8192, cannot be sent."""
        if len(position) > MAX_POSITION or _FORBIDDEN.search(position) or not position.strip(" \t"):
            return None
        return {"add_headers": {"Last-Event-ID": position}}


@attrs.frozen
class StartingAfter(Cursor):
    """The Responses API of OpenAI: ``GET /responses/{id}?stream=true&starting_after=N``.

    It can do so for responses that were asked for with ``background`` and ``store`` only. Ask with
    them, or the attempt to resume is refused. The query of the request, such as ``api-version``, is
    kept.

    Args:
        url: Where responses are, without a slash at the end: the URL of the request.
    """

    url: str

    def position(self, frame: Any, previous: str) -> str | None:
        """The ID of the response and the ``sequence_number`` of the event, as in ``resp_1:42``."""
        try:
            event = json.loads(frame.data)
            number = event["sequence_number"]
            response = cast("Mapping[str, Any]", event.get("response") or {})
            name = response.get("id") or previous.rpartition(":")[0]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            return None  # not an event of this API; the dialect will have its say
        if type(number) is not int or not 0 <= number < _TOO_LARGE:
            return None
        return f"{name}:{number}" if type(name) is str and _NAME.fullmatch(name) else None

    def sequence(self, position: str) -> int | None:
        """The number of the event."""
        number = position.rpartition(":")[2]
        return int(number) if _is_number(number) else None

    def resume(self, position: str, silence: float) -> RequestChanges | None:
        """The request for the events after that number."""
        name, _, number = position.rpartition(":")
        if not _NAME.fullmatch(name) or not _is_number(number):
            return None
        url, mark, query = self.url.partition("?")
        return {
            "method": "GET",
            "url": f"{url}/{name}{mark}{query}",
            "add_params": {"stream": "true", "starting_after": number},
            "json": None,
        }


@attrs.frozen
class BackfillMinutes(Cursor):
    """Feeds of X: the items of the last minutes come again, ``backfill_minutes`` of them.

    Those that had come before are dropped by their IDs. X grants this to enterprise customers; its
    documentation: "Recovery and redundancy".

    Args:
        path: Where in a record its ID is.
        most: The most minutes that can be asked for. What is missing behind them is lost.
    """

    brings_old: ClassVar[bool] = True

    path: Sequence[str] = ("data", "id")
    most: int = 5

    def position(self, frame: Any, previous: str) -> str | None:
        """The ID of the record."""
        try:
            value = json.loads(frame.data)
            for name in self.path:
                value = value[name]
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
            return None
        # True and False are numbers to Python.
        return str(value) or None if type(value) in (str, int) else None

    def resume(self, position: str, silence: float) -> RequestChanges | None:
        """The request for the minutes of the silence and what follows."""
        minutes = math.ceil((min(60.0 * self.most, max(0.0, silence)) + _MARGIN) / 60)
        return {"add_params": {"backfill_minutes": str(min(self.most, minutes))}}


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS
