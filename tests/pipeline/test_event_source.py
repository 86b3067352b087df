"""`event_source` against WHATWG HTML 9.2, as a black box, in the manner of the web platform tests.

What the parser makes of bytes is tested with the framing. Here is what is between a client and a
server: requests, responses, connections one behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from trio_stream.errors import StreamError
from trio_stream.framing import ServerSentEvent
from trio_stream.outcome import Ending
from trio_stream.pipeline import event_source
from trio_stream.testing import (
    Event,
    Head,
    Refuse,
    Request,
    Reset,
    Script,
    Send,
    Truncate,
    assert_no_leaks,
    memory_client,
)

NO_MORE = Head(204)
FAMILIES = ["httpx", "httpx2"]


@attrs.frozen
class Seen:
    """What was read, what it ended with, and what the server was asked."""

    events: list[Any]
    error: StreamError | None
    ending: Ending
    requests: Sequence[Request]

    @property
    def data(self) -> list[str]:
        return [event.data for event in self.events]

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]

    @property
    def last_event_ids(self) -> list[bytes | None]:
        """As they were sent."""
        return [
            next((value for name, value in request.raw_headers if name == b"Last-Event-ID"), None)
            for request in self.requests
        ]

    @property
    def waits(self) -> list[float]:
        return [after.time - before.time for before, after in pairwise(self.requests)]


async def see(*answers: Script | bytes, family: str = "httpx", **options: Any) -> Seen:
    """Subscribe until there is no more. Bytes are the body of an answer."""
    plan = [[Send(each)] if isinstance(each, bytes) else each for each in (*answers, NO_MORE)]
    events: list[ServerSentEvent] = []
    error: StreamError | None = None
    async with assert_no_leaks(), memory_client(plan, family=family) as (client, server):
        try:
            async with event_source(server.url, client=client, **options) as rx:
                async for event in rx:
                    events.append(event)  # noqa: PERF401 (kept also if it raises)
            outcome = rx.outcome
        except StreamError as raised:
            error, outcome = raised, raised.outcome
        assert outcome is not None
        return Seen(events, error, outcome.ending, list(server.requests))


# ---- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
async def test_request(autojump_clock: MockClock, family: str) -> None:
    """Each is a GET without a body that asks for events, past all caches."""
    seen = await see(b"data: x\n\n", [Reset()], family=family)
    assert len(seen.requests) == 3
    for request in seen.requests:
        assert (request.method, request.body) == ("GET", b"")
        assert request.headers["accept"] == "text/event-stream"
        assert request.headers["cache-control"] == "no-cache"
        assert "last-event-id" not in request.headers


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("event_id", ["0", "…", "\U0001f600", "a b", 'a"b\\', "x\t y", "é", "\x85"])
async def test_last_event_id(autojump_clock: MockClock, event_id: str, family: str) -> None:
    """The last event ID is sent as its UTF-8 bytes."""
    seen = await see(f"id: {event_id}\ndata: x\n\n".encode(), family=family)
    assert seen.ids == [event_id]
    assert seen.last_event_ids == [None, event_id.encode()]


async def test_last_event_id_persists_and_is_cleared(autojump_clock: MockClock) -> None:
    """It holds over connections until another one, or none, is committed."""
    seen = await see(b"id: 1\ndata: a\n\n", b"data: b\n\n", b"id\ndata: c\n\n", b"data: d\n\n")
    assert seen.ids == ["1", "1", "", ""]
    assert seen.last_event_ids == [None, b"1", b"1", None, None]


async def test_id_with_a_null_character(autojump_clock: MockClock) -> None:
    """It is ignored, and the one before stays."""
    seen = await see(b"id: 1\ndata: a\n\nid: 2\x003\ndata: b\n\n")
    assert seen.ids == ["1", "1"]
    assert seen.last_event_ids == [None, b"1"]


@pytest.mark.parametrize("break_off", [[], [Truncate()], [Reset()]], ids=["end", "cut", "reset"])
async def test_half_an_event(autojump_clock: MockClock, break_off: list[Any]) -> None:
    """Of an event without its empty line nothing is kept: no data, no ID."""
    half = [Send(b"id: 1\ndata: a\n\nid: 2\nevent: e\ndata: half\n"), *break_off]
    seen = await see(half, b"data: b\n\n")
    assert [(event.event, event.data, event.id) for event in seen.events] == [
        ("message", "a", "1"),
        ("message", "b", "1"),
    ]
    assert seen.last_event_ids == [None, b"1", b"1"]


async def test_block_of_nothing_but_an_id(autojump_clock: MockClock) -> None:
    """It is no event, and its ID is sent."""
    seen = await see(b"id: 7\n\n")
    assert (seen.events, seen.last_event_ids) == ([], [None, b"7"])


async def test_initial_id_can_be_cleared(autojump_clock: MockClock) -> None:
    """Where the caller began is the ID until the stream says otherwise."""
    seen = await see([], b"id\ndata: a\n\n", last_event_id="start")
    assert seen.last_event_ids == [b"start", b"start", None]


# ---- responses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize(
    "status",
    [201, 202, 203, 205, 206, 210, 226, 299, 300, 304, 305, 400, 401, 404, 410, 429, 500, 503, 599],
)
async def test_status(autojump_clock: MockClock, status: int, before: int) -> None:
    """Any status but 200 fails the connection for good, at first or later."""
    seen = await see(*[b"data: a\n\n"] * before, [Head(status)], b"data: never\n\n")
    assert seen.data == ["a"] * before
    assert seen.error is not None
    assert seen.error.status_code == status
    assert len(seen.requests) == before + 1


@pytest.mark.parametrize(
    "content_type",
    [
        "text/event-stream",
        "text/event-stream;",
        "text/event-stream; charset=utf-8",
        "text/event-stream;charset=windows-1252",
        'text/event-stream;x=",text/html"',
        "text/event-stream\t;x",
        "TEXT/Event-Stream",
    ],
)
async def test_content_type(autojump_clock: MockClock, content_type: str) -> None:
    """Case and parameters do not matter, and what comes is UTF-8 whatever they say."""
    seen = await see([Head(content_type=content_type), Send("data: ok…\n\n".encode())])
    assert (seen.data, seen.error) == (["ok…"], None)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/x-bogus",
        "text/event-stream bogus",
        "text/event-streams",
        "text /event-stream",
        "text/plain",
        "application/x-ndjson",
        "",
        None,
    ],
)
async def test_other_content_type(autojump_clock: MockClock, content_type: str | None) -> None:
    """Any other type fails the connection for good."""
    seen = await see([Head(content_type=content_type), Event("x")], b"data: never\n\n")
    assert (seen.data, len(seen.requests)) == ([], 1)
    assert seen.error is not None


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect(autojump_clock: MockClock, status: int, family: str) -> None:
    """A redirect is followed with all of the request, and the next one goes to the original URL."""
    seen = await see(
        [Head(status, headers={"location": "/there?q=1"})],
        b"id: 1\ndata: a\n\n",
        [Head(status, headers={"location": "http://other.test/elsewhere"})],
        [Reset()],
        b"data: b\n\n",
        family=family,
    )
    assert seen.data == ["a", "b"]
    assert [request.target for request in seen.requests] == [
        *("/", "/there?q=1"),
        *("/", "/elsewhere"),
        *("/", "/"),
    ]
    assert seen.last_event_ids == [None, None, b"1", b"1", b"1", b"1"]
    for request in seen.requests:
        assert (request.method, request.headers["accept"]) == ("GET", "text/event-stream")


@pytest.mark.parametrize("there", [None, Head(404), Head(content_type="text/html")])
async def test_redirect_to_no_stream(autojump_clock: MockClock, there: Head | None) -> None:
    """What a redirect leads to, or that it leads nowhere, is judged like any other answer."""
    where = {} if there is None else {"location": "/there"}
    rest: list[Any] = [] if there is None else [[there, Event("x")]]
    seen = await see([Head(302, headers=where)], *rest, b"data: never\n\n")
    assert seen.error is not None
    assert len(seen.requests) == 1 + len(rest)


# ---- connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
async def test_every_break_is_mended(autojump_clock: MockClock, family: str) -> None:
    """Refused, reset, cut, ended before or behind an event: it goes on until 204."""
    ends: list[Any] = [[Refuse()], [Reset()], [Truncate()], [], b": hello\n\n"]
    events: list[Any] = [[Event("a"), Reset()], [Event("b"), Truncate()], [Event("c")]]
    seen = await see(*ends, *events, family=family)
    assert (seen.data, seen.ending) == (["a", "b", "c"], Ending.COMPLETED)
    assert all(wait >= 1 for wait in seen.waits)


async def test_each_connection_is_decoded_anew(autojump_clock: MockClock) -> None:
    """One byte order mark is dropped on each; a CR at the end of one has no LF on the next."""
    mark = "\ufeff".encode()
    seen = await see(
        mark + b"data: a\n\n",
        [Send(mark[:1]), Send(mark[1:] + b"data: b\n\n")],
        mark * 2 + b"data: never\n\ndata: c\r\r",
        b"\ndata: d\n\n",
        b"event: e\ndata: half\r",
        b"\ndata: f\n\n",
    )
    assert seen.data == ["a", "b", "c", "d", "f"]
    assert {event.event for event in seen.events} == {"message"}


async def test_nothing_is_a_duplicate(autojump_clock: MockClock) -> None:
    """What comes twice is dispatched twice, whatever its ID."""
    assert (await see(b"id: 1\ndata: a\n\n", b"id: 1\ndata: a\n\n")).data == ["a", "a"]


@pytest.mark.parametrize(
    "bogus", ["1000x", "-1", "+1", "1.5", "1e3", "٣", " 7", "7 ", "0x7", "1_0", "", None]
)
async def test_bogus_reconnection_time(autojump_clock: MockClock, bogus: str | None) -> None:
    """Nothing but ASCII digits sets the reconnection time: what was set before holds."""
    field = "retry" if bogus is None else f"retry: {bogus}"
    seen = await see(f"retry: 3000\n{field}\ndata: a\n\n".encode())
    assert 3 <= seen.waits[0] <= 3.3


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ("retry: 3000\n", 3),
        ("retry:3000\n", 3),
        ("retry: 0003000\n", 3),
        ("retry: 5000\nretry: 3000\n", 3),
        ("retry: 3000", 1),  # its line has no end
        ("Retry: 3000\n", 1),
        (" retry: 3000\n", 1),
    ],
)
async def test_reconnection_time(autojump_clock: MockClock, fields: str, seconds: float) -> None:
    """It acts without an event, and persists over connections; before, it is `initial_backoff`."""
    seen = await see(f"data: a\n\n{fields}".encode(), b"data: b\n\n")
    assert seconds <= seen.waits[0] <= 1.1 * seconds
    assert seconds <= seen.waits[1]
