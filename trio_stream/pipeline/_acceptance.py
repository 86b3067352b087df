"""Which responses are streams, and how to read them."""

from __future__ import annotations

from typing import Any

from ..connection import Connection, place_of, refuse
from ..framing import SSE, Framing, accept_header, select_framing
from ..retry import Reconnect

__all__ = ["framing_of", "says_no_more"]


# RFC 9110, 15.4: those that lead somewhere by themselves.
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def says_no_more(connection: Connection, mode: Reconnect) -> bool:
    """Whether the response is a good end: "No Content", there is no more of a subscription."""
    status = connection.response.status_code
    return status == 204 and mode not in ("never", "before_first_item")


async def framing_of(
    connection: Connection, chosen: Framing[Any] | None, mode: Reconnect, *, deadline: float
) -> Framing[Any]:
    """The framing of the response, which is decoded from here on.

    Args:
        connection: An open response.
        chosen: The caller's framing; `None`: what the response says.
        mode: When to connect again; an event source is strict.
        deadline: The end of the whole stream's time, on trio's clock.

    Raises:
        StreamError: It is not a stream. It is closed then.
    """
    response = connection.response
    framing = select_framing(response.content_type, chosen)
    if mode == "event_source":
        if response.status_code != 200:
            raise await refuse(connection, "an event source has status 200", deadline=deadline)
        if not isinstance(select_framing(response.content_type), SSE):
            framing = None
    if response.status_code >= 300 or response.status_code == 204:
        why = "the status brings no body to read"
        target = place_of(response.headers.get("location", ""))
        if target and response.status_code in _REDIRECTS:
            why = f"a redirect to {target!r}, and the client has no follow_redirects=True"
        raise await refuse(connection, why, deadline=deadline)
    if framing is None:
        expected = f"expected {accept_header(chosen)}, " if chosen is not None else ""
        what = repr(response.content_type) if response.content_type else "none"
        raise await refuse(connection, f"{expected}Content-Type is {what}", deadline=deadline)
    try:
        connection.decode()
    except ValueError as error:
        raise await refuse(connection, str(error), deadline=deadline) from error
    return framing
