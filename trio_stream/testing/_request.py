"""A request as the server saw it, and how it is read off the wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs
import h11
import trio

from ._wire import Wire

__all__ = ["Headers", "Request", "read_request"]


class Headers(Mapping[str, str]):
    """Headers by name in any case. A repeated header has its values joined with ``", "``."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in raw:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._values[key] = f"{self._values[key]}, {text}" if key in self._values else text

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values})"


@attrs.define
class Request:
    """One request, recorded when it was read to its end.

    Attributes:
        method: ``"GET"``, ``"POST"`` …
        target: Path and query, as sent.
        headers: The headers, by name in any case.
        raw_headers: The headers as sent: order, case and repetition.
        body: The whole body.
        time: When it was complete, in seconds on trio's clock.
        connection: The number of its connection, from 1: equal numbers shared a connection.
        keep_alive: Whether the client would use the connection again.
        client_left: Whether the client hung up before the script was over; `None` while it plays.
    """

    method: str
    target: str
    headers: Headers
    raw_headers: list[tuple[bytes, bytes]] = attrs.field(repr=False)
    body: bytes
    time: float
    connection: int
    keep_alive: bool = True
    client_left: bool | None = None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the ``?`` of the target, undecoded."""
        return self.target.partition("?")[2]


async def read_request(wire: Wire, connection: int) -> Request | None:
    """Read the next request; `None` if the client hung up instead.

    Raises:
        h11.RemoteProtocolError: It is not HTTP/1.1, or breaks off.
        trio.BrokenResourceError: The client aborted the connection.
    """
    # A connection of h11 wants to write the answer too. We write it past h11, so each request
    # gets a fresh one, and what this one has read too much of goes back to the wire.
    http = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if http.they_are_waiting_for_100_continue:  # RFC 9110, 10.1.1: or they wait for ever
                proceed = h11.InformationalResponse(status_code=100, headers=[])
                await wire.stream.send_all(http.send(proceed) or b"")
            http.receive_data(await wire.receive())
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            break
    wire.unread, _ = http.trailing_data
    if head is None:
        return None
    headers = Headers(head.headers)
    return Request(
        method=head.method.decode("ascii"),
        target=head.target.decode("ascii"),
        headers=headers,
        raw_headers=list(head.headers.raw_items()),
        body=bytes(body),
        time=trio.current_time(),
        connection=connection,
        keep_alive=http.their_state is not h11.MUST_CLOSE,
    )
