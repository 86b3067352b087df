"""The frames that the formats produce.

They are made once per event, hence slotted and not frozen: a frozen attrs class costs three times
as much to make.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

import attrs

__all__ = [
    "Comment",
    "EventStreamHeader",
    "EventStreamMessage",
    "Record",
    "ServerSentEvent",
    "UnframedText",
    "UnknownEvent",
]


@attrs.define
class ServerSentEvent:
    """One event of a ``text/event-stream`` (WHATWG HTML 9.2).

    Attributes:
        event: The event type; ``"message"`` where the stream names none.
        data: The data lines, joined with LF.
        id: The last event ID string at dispatch. It persists: events that carry no ``id`` field
            repeat the one before.
        retry: The reconnection time in milliseconds, if this block set it.
    """

    event: str = "message"
    data: str = ""
    id: str = ""
    retry: int | None = None

    def json(self) -> Any:
        """Decode `data` as JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self.data)


@attrs.define
class Comment:
    """A comment line of a ``text/event-stream``; often a ping.

    Attributes:
        text: What follows the colon and, as in a field, one space.
    """

    text: str = ""


@attrs.define
class UnframedText:
    """What a server wrote into a ``text/event-stream`` without framing it as an event.

    Some write the JSON of an error so, as the whole body or after the last event.

    Attributes:
        text: What was written.
    """

    text: str = ""


@attrs.define
class Record:
    """One record of NDJSON or of a JSON text sequence.

    Attributes:
        data: The JSON text, without its delimiters.
    """

    data: str = ""

    def json(self) -> Any:
        """Decode `data` as JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return json.loads(self.data)


EventStreamHeader: TypeAlias = bool | int | bytes | str | datetime | UUID
"""The value of a header of an `EventStreamMessage`."""


@attrs.define
class EventStreamMessage:
    """One message of ``application/vnd.amazon.eventstream``.

    Attributes:
        headers: By name, as in ``{":message-type": "event", ":event-type": "metadata"}``.
        payload: The payload, as it came.
    """

    headers: dict[str, EventStreamHeader] = attrs.field(factory=dict[str, EventStreamHeader])
    payload: bytes = b""

    @property
    def event(self) -> str:
        """What the message says it is: its event, exception or error; ``""`` if it does not."""
        for name in (":event-type", ":exception-type", ":error-code"):
            value = self.headers.get(name)
            if isinstance(value, str):
                return value
        return ""


@attrs.define
class UnknownEvent:
    """An event whose name or type nobody here knows, kept as it came.

    Attributes:
        event: Its name.
        data: Its data.
    """

    event: str = ""
    data: str = ""
