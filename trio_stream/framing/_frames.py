"""The frames that the text formats produce.

They are made once per event, hence slotted and not frozen: a frozen attrs class costs three times
as much to make.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

__all__ = ["Comment", "Record", "ServerSentEvent", "UnknownEvent"]


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


@attrs.define
class UnknownEvent:
    """An event whose name or type nobody here knows, kept as it came.

    Attributes:
        event: Its name.
        data: Its data.
    """

    event: str = ""
    data: str = ""
