"""Recovery through the whole pipeline: what is asked of the server, and what the consumer sees."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.pipeline.worlds import Letters
from trio_stream.config import StreamConfig
from trio_stream.dialects import OpenAIResponses
from trio_stream.errors import (
    InBandError,
    NotAStreamError,
    StreamError,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.framing import NDJSON, SSE, Comment
from trio_stream.outcome import Ending, Phase, StreamOutcome
from trio_stream.pipeline import (
    Attempt,
    Restarted,
    StreamReceiver,
    event_source,
    open_stream,
    stream_with_retry,
)
from trio_stream.pipeline._budgets import _of_clients, budget_of
from trio_stream.retry import BackfillMinutes, LastEventID, RetryBudget, StartingAfter
from trio_stream.testing import (
    Event,
    Head,
    Ping,
    Plan,
    Refuse,
    Reset,
    Send,
    Stall,
    Truncate,
    Wait,
    assert_no_leaks,
    memory_client,
)

QUICK = StreamConfig(jitter=False)
OLD = (Event("one", id="1"), Event("two", id="2"))
NEW = (Event("three", id="3"), Event("four", id="4"))


@attrs.define(eq=False)
class Seen:
    """What there is to see of a stream."""

    items: list[Any] = attrs.field(factory=list)
    error: BaseException | None = None
    outcome: StreamOutcome[Any] | None = None
    requests: list[Any] = attrs.field(factory=list)
    snapshot: Any = None

    @property
    def data(self) -> list[Any]:
        return [getattr(item, "data", item) for item in self.items]

    @property
    def last_event_ids(self) -> list[str | None]:
        return [request.headers.get("last-event-id") for request in self.requests]

    @property
    def notes(self) -> list[str]:
        return getattr(self.error, "__notes__", [])


async def see(
    plan: Plan,
    *,
    method: str = "GET",
    opener: Callable[..., Any] = open_stream,
    leave_after: int = 1000,
    work: Callable[[StreamReceiver[Any, Any]], Any] | None = None,
    **options: Any,
) -> Seen:
    """Play a stream to its end."""
    seen = Seen()
    outcomes: list[StreamOutcome[Any]] = []
    config = attrs.evolve(options.pop("config", QUICK), on_outcome=outcomes.append)
    async with assert_no_leaks(), memory_client(plan) as (client, server):
        arguments = (server.url,) if opener is event_source else (method, server.url)
        try:
            async with opener(*arguments, client=client, config=config, **options) as rx:
                async for item in rx:
                    seen.items.append(item)
                    if work is not None:
                        await work(rx)
                    if len(seen.items) == leave_after:
                        break
                seen.snapshot = rx.snapshot()
        except Exception as error:  # noqa: BLE001 (looked at by the test)
            seen.error = error
        seen.requests = list(server.requests)
    [seen.outcome] = outcomes
    if isinstance(seen.error, StreamError):
        assert seen.error.outcome is seen.outcome
    return seen


# ---- modes ---------------------------------------------------------------------------------------


async def test_never(autojump_clock: MockClock) -> None:
    """By default there is one attempt, and nothing is said of others."""
    seen = await see([[Head(503)], OLD])
    assert isinstance(seen.error, StreamStatusError)
    assert len(seen.requests) == 1
    assert seen.notes == []


@pytest.mark.parametrize(
    "failure",
    [
        [Head(503)],
        [Head(429)],
        [Reset()],
        [Truncate()],
        [Head(), Truncate()],
        [Head(), Ping(), Reset()],
        [Refuse()],
        [Head(), Stall()],
        [Stall()],
        [Send(b"data: half an event"), Reset()],
        [Send(b"data: half an event")],
    ],
    ids=str,
)
@pytest.mark.parametrize("mode", ["before_first_item", "resume", "always"])
async def test_before_first_item(autojump_clock: MockClock, failure: Any, mode: str) -> None:
    """As long as nothing was delivered, another attempt is made, and nobody notices."""
    plan = [failure, OLD, [Head(204)]]
    seen = await see(plan, reconnect=mode, leave_after=2)
    assert seen.data == ["one", "two"]
    assert seen.error is None
    assert seen.outcome is not None
    assert seen.outcome.attempts == 2
    assert seen.outcome.items == 2


async def test_after_first_item_without_a_position(autojump_clock: MockClock) -> None:
    """A stream without event IDs is not asked for again once an item was delivered."""
    plan = [[Event("a"), Event("b"), Reset()], [Event("a")]]
    for mode in ("before_first_item", "resume"):
        seen = await see(plan, reconnect=mode)
        assert seen.data == ["a", "b"]
        assert isinstance(seen.error, StreamError)
        assert seen.outcome is not None
        assert seen.outcome.ending is Ending.FAILED
        assert [each.data for each in seen.outcome.value] == ["a", "b"]
        assert "not retried: items were delivered" in seen.notes[0]
        assert len(seen.requests) == 1


async def test_resume(autojump_clock: MockClock) -> None:
    """A stream with event IDs goes on behind the last one, as one stream."""
    seen = await see([[*OLD, Reset()], NEW], reconnect="resume")
    assert seen.data == ["one", "two", "three", "four"]
    assert seen.last_event_ids == [None, "2"]
    assert seen.outcome is not None
    assert seen.outcome.ending is Ending.COMPLETED
    assert [each.data for each in seen.outcome.value] == seen.data
    assert (seen.outcome.attempts, seen.outcome.items) == (2, 4)
    assert seen.outcome.last_event_id == seen.outcome.acknowledged_id == "4"
    assert seen.outcome.bytes_received == sum(
        len(piece) for event in (*OLD, *NEW) for piece in event.pieces()
    )


async def test_stream_with_retry(autojump_clock: MockClock) -> None:
    """The familiar name is `open_stream` that resumes."""
    seen = await see([[*OLD, Reset()], NEW], opener=stream_with_retry)
    assert seen.data == ["one", "two", "three", "four"]


async def test_resume_ends_with_a_good_end(autojump_clock: MockClock) -> None:
    """A stream that resumes ends where the body ends well; a subscription does not."""
    plan = [OLD, NEW, [Head(204)]]
    assert (await see(plan, reconnect="resume")).data == ["one", "two"]
    seen = await see(plan, reconnect="always")
    assert seen.data == ["one", "two", "three", "four"]
    assert seen.last_event_ids == [None, "2", "4"]
    assert seen.outcome is not None
    assert seen.outcome.ending is Ending.COMPLETED


async def test_restart(autojump_clock: MockClock) -> None:
    """A subscription that cannot go on begins anew, and says so in its place."""
    plan = [[Event("a"), Event("b"), Reset()], [Event("a"), Event("c")], [Head(204)]]
    seen = await see(plan, reconnect="always")
    assert seen.data == ["a", "b", Restarted(2, 2), "a", "c"]
    assert seen.outcome is not None
    assert seen.outcome.value == seen.items
    assert seen.outcome.items == 5


async def test_restart_of_a_message(autojump_clock: MockClock) -> None:
    """With a dialect, the result is that of the last beginning."""
    plan = [[Event("a"), Event("b"), Reset()], [Event("c"), Event(".")]]
    seen = await see(plan, reconnect="always", dialect=Letters())
    assert seen.items == ["a", "b", Restarted(2, 2), "c", "."]
    assert seen.outcome is not None
    assert seen.outcome.value == seen.snapshot == ["c", "."]
    assert len(seen.requests) == 2, "a message that is whole is not asked for again"


async def test_post_is_not_resumed(autojump_clock: MockClock) -> None:
    """A POST is another answer when it is sent again, whatever IDs its events have."""
    seen = await see([[*OLD, Reset()], NEW], method="POST", json={}, reconnect="resume")
    assert seen.data == ["one", "two"]
    assert len(seen.requests) == 1
    seen = await see(
        [[*OLD, Reset()], NEW], method="POST", json={}, reconnect="resume", cursor=LastEventID()
    )
    assert seen.data == ["one", "two", "three", "four"], "unless a cursor says that it is not"


async def test_error_of_the_stream_before_its_first_item(autojump_clock: MockClock) -> None:
    """A failure that the stream itself reports is retried like any other."""
    plan = [[Event("!")], [Event("a"), Event(".")]]
    seen = await see(plan, method="POST", dialect=Letters(), reconnect="before_first_item")
    assert seen.items == ["a", "."]


async def test_error_in_the_same_piece_as_the_first_item(autojump_clock: MockClock) -> None:
    """An item that came together with the failure was not delivered, and never will be."""
    plan = [[Send(b"data: x\n\ndata: !\n\n")], [Event("a"), Event(".")]]
    seen = await see(plan, method="POST", dialect=Letters(), reconnect="before_first_item")
    assert seen.items == ["a", "."]
    assert seen.outcome is not None
    assert seen.outcome.items == 2


async def test_error_of_the_stream_after_its_first_item(autojump_clock: MockClock) -> None:
    """What was delivered stays, and the failure is raised."""
    plan = [[Event("a"), Wait(1), Event("!")], [Event("a"), Event(".")]]
    seen = await see(plan, method="POST", dialect=Letters(), reconnect="resume")
    assert seen.items == ["a"]
    assert isinstance(seen.error, InBandError)
    assert len(seen.requests) == 1


async def test_items_that_nobody_came_for(autojump_clock: MockClock) -> None:
    """Items that waited for the consumer when the stream broke are taken back, and come anew."""

    async def main(client: Any, url: str) -> list[str]:
        async with open_stream(
            "GET", url, client=client, reconnect="before_first_item", config=QUICK
        ) as rx:
            await trio.sleep(10)
            assert rx.state.total_items_received == 2
            return [event.data async for event in rx]

    plan = [[Event("lost"), Event("too"), Event("far"), Reset()], [Event("a"), Event("b")]]
    async with memory_client(plan) as (client, server):
        assert await main(client, server.url) == ["a", "b"]


async def test_items_that_nobody_came_for_are_kept(autojump_clock: MockClock) -> None:
    """If the stream can go on, they are kept instead."""
    async with memory_client([[*OLD, Reset()], NEW]) as (client, server):
        async with open_stream(
            "GET", server.url, client=client, reconnect="resume", config=QUICK
        ) as rx:
            await trio.sleep(10)
            assert rx.state.phase is Phase.ENDED
            assert [event.data async for event in rx] == ["one", "two", "three", "four"]
        assert server.requests[1].headers["Last-Event-ID"] == "2"


async def test_comments_are_no_first_item(autojump_clock: MockClock) -> None:
    """A sign of life that was delivered does not stand in the way of another attempt."""
    plan = [[Ping(), Wait(1), Reset()], [Event("a")]]
    seen = await see(plan, framing=SSE(comments=True), reconnect="before_first_item")
    assert [type(item) for item in seen.items] == [Comment, type(seen.items[1])]
    assert seen.data[1:] == ["a"]
    assert seen.outcome is not None
    assert seen.outcome.items == 2


async def test_message_that_is_whole_is_not_asked_for_again(autojump_clock: MockClock) -> None:
    """A connection that breaks behind the terminal event has taken nothing from anybody."""
    plan = [[Event("a"), Event("."), Reset()], [Event("b"), Event(".")]]
    for mode in ("resume", "always", "before_first_item"):
        seen = await see(plan, method="POST", dialect=Letters(), reconnect=mode)
        assert seen.items == ["a", "."]
        assert len(seen.requests) == 1


async def test_truncated_message(autojump_clock: MockClock) -> None:
    """A message that ends without its terminal event is not whole, and not continued either."""
    plan = [[Event("a"), Wait(1)], [Event(".")]]
    seen = await see(plan, dialect=Letters(), reconnect="resume")
    assert seen.items == ["a"]
    assert isinstance(seen.error, StreamTruncatedError)


# ---- what passes from one connection to the next -------------------------------------------------


async def test_half_an_event_is_dropped(autojump_clock: MockClock) -> None:
    """What was cut by the end of a connection is not part of what the next one brings."""
    plan = [[*OLD, Send(b"id: 3\ndata: hal"), Reset()], [Send(b"data: f\n\n"), *NEW]]
    seen = await see(plan, reconnect="resume")
    assert seen.data == ["one", "two", "f", "three", "four"]
    assert seen.last_event_ids == [None, "2"], "an ID that was not committed is none"


async def test_block_of_an_id_counts(autojump_clock: MockClock) -> None:
    """A block of nothing but an ID moves the position, though it is no event."""
    seen = await see([[*OLD, Send(b"id: 9\n\n"), Reset()], NEW], reconnect="resume")
    assert seen.last_event_ids == [None, "9"]


async def test_last_event_id_persists(autojump_clock: MockClock) -> None:
    """Events of a new connection have the ID of the one before until they set their own."""
    plan = [[*OLD, Reset()], [Event("x"), Reset()], NEW]
    seen = await see(plan, reconnect="resume")
    assert [item.id for item in seen.items] == ["1", "2", "2", "3", "4"]
    assert seen.last_event_ids == [None, "2", "2"]


async def test_id_that_was_reset(autojump_clock: MockClock) -> None:
    """An empty ID takes the position back: there is nothing to resume from."""
    plan = [[*OLD, Send(b"id\ndata: x\n\n"), Reset()], NEW]
    seen = await see(plan, reconnect="resume")
    assert seen.data == ["one", "two", "x"]
    assert len(seen.requests) == 1


async def test_id_that_cannot_be_sent(autojump_clock: MockClock) -> None:
    """A position that no header can hold is none: the stream is not asked for from its start."""
    plan = [[Event("a", id="a\x01"), Reset()], NEW]
    seen = await see(plan, reconnect="resume")
    assert seen.data == ["a"]
    assert len(seen.requests) == 1


async def test_id_beyond_ascii(autojump_clock: MockClock) -> None:
    """An ID is sent as its UTF-8 bytes."""
    seen = await see([[Event("a", id="…ü"), Reset()], NEW], reconnect="resume")
    assert seen.last_event_ids[1] == "…ü".encode().decode("latin-1")


async def test_reconnection_time_persists(autojump_clock: MockClock) -> None:
    """What the stream asked to wait holds until it asks for something else."""
    waits: list[float] = []
    config = attrs.evolve(QUICK, on_reconnect=lambda _, delay: waits.append(delay))
    plan = [[*OLD, Send(b"retry: 5000\n\n"), Reset()], [NEW[0], Reset()], [Refuse()], [NEW[1]]]
    await see(plan, reconnect="resume", config=config)
    assert waits == [5, 5, 5]


async def test_duplicates_after_a_resume(autojump_clock: MockClock) -> None:
    """Events that came before are dropped by their IDs, and counted."""
    plan = [[*OLD, Reset()], [*OLD, *NEW]]
    seen = await see(plan, reconnect="resume")
    assert seen.data == ["one", "two", "three", "four"]
    assert seen.outcome is not None
    assert seen.outcome.duplicate_items == 2


async def test_same_id_twice_on_one_connection(autojump_clock: MockClock) -> None:
    """An ID may be that of several events: on one connection, nothing is a duplicate."""
    seen = await see([[*OLD, *OLD, Reset()], [*NEW, *NEW]], reconnect="resume")
    assert seen.data == ["one", "two", "one", "two", "three", "four", "three", "four"]


async def test_event_without_an_id_is_no_duplicate(autojump_clock: MockClock) -> None:
    """An event that sets no ID is delivered, though it has one that came before."""
    plan = [[*OLD, Reset()], [Event("x"), *NEW]]
    assert "x" in (await see(plan, reconnect="resume")).data


async def test_window_of_duplicates(autojump_clock: MockClock) -> None:
    """Of a long stream, only so many IDs are remembered."""
    many = [Event(str(n), id=str(n)) for n in range(10)]
    config = attrs.evolve(QUICK, dedup_window=3)
    seen = await see([[*many, Reset()], many], reconnect="resume", config=config)
    assert seen.data == [str(n) for n in [*range(10), *range(7)]]
    config = attrs.evolve(QUICK, dedup_window=0)
    seen = await see([[*many, Reset()], many], reconnect="resume", config=config)
    assert len(seen.data) == 20


async def test_gaps(autojump_clock: MockClock) -> None:
    """Consecutive IDs tell what is missing, on a connection and between two."""
    gaps: list[tuple[int, int]] = []
    config = attrs.evolve(QUICK, on_gap=lambda expected, got: gaps.append((expected, got)))
    first = [Event("", id=str(n)) for n in (5, 6, 9)]
    then = [Event("", id=str(n)) for n in (10, 20)]
    cursor = LastEventID(consecutive=True)
    seen = await see([[*first, Reset()], then], reconnect="resume", cursor=cursor, config=config)
    assert gaps == [(7, 9), (11, 20)]
    assert seen.outcome is not None
    assert seen.outcome.missing_items == 2 + 9


# ---- requests ------------------------------------------------------------------------------------


async def body() -> AsyncGenerator[bytes]:
    yield b"one"
    yield b"two"


@pytest.mark.parametrize("failure", [[Head(503)], [Reset()]], ids=str)
async def test_streamed_body_is_sent_once(autojump_clock: MockClock, failure: Any) -> None:
    """A body that is a stream is not sent again, the error says why, and no budget is touched."""
    budget = RetryBudget(per_second=0)
    seen = await see(
        [failure, OLD],
        method="POST",
        content=body(),
        reconnect="always",
        config=attrs.evolve(QUICK, retry_budget=budget),
    )
    assert isinstance(seen.error, StreamError)
    assert len(seen.requests) == 1
    assert seen.notes == ["not retried: its body is an async generator"]
    assert budget.tokens(trio.current_time()) == 100


async def test_streamed_body_of_a_factory(autojump_clock: MockClock) -> None:
    """A factory can make a new body for each attempt."""
    made: list[int] = []

    def factory(attempt: Attempt) -> Any:
        made.append(attempt.number)
        return {"content": body()}

    seen = await see([[Head(503)], OLD], method="POST", request_factory=factory, reconnect="resume")
    assert made == [1, 2]
    assert [request.body for request in seen.requests] == [b"onetwo"] * 2
    assert seen.data == ["one", "two"]


async def test_factory_that_makes_no_new_body(autojump_clock: MockClock) -> None:
    """If it does not, the old one is not sent again."""
    seen = await see(
        [[Head(503)], OLD],
        method="POST",
        content=body(),
        request_factory=lambda attempt: None,
        reconnect="resume",
    )
    assert isinstance(seen.error, StreamStatusError)
    assert seen.notes == ["not retried: its body is an async generator"]
    assert len(seen.requests) == 1


async def test_request_factory(autojump_clock: MockClock) -> None:
    """Each request may differ; the factory is told which it is, from where, and why."""
    attempts: list[Attempt] = []

    async def factory(attempt: Attempt) -> Any:
        await trio.lowlevel.checkpoint()
        attempts.append(attempt)
        return {"add_headers": {"Authorization": f"Bearer {attempt.number}"}}

    seen = await see([[*OLD, Reset()], NEW], request_factory=factory, reconnect="resume")
    assert [request.headers["authorization"] for request in seen.requests] == [
        "Bearer 1",
        "Bearer 2",
    ]
    assert seen.last_event_ids == [None, "2"]
    assert [(each.number, each.position) for each in attempts] == [(1, ""), (2, "2")]
    assert attempts[0].error is None
    assert isinstance(attempts[1].error, StreamError)


async def test_factory_that_fails(autojump_clock: MockClock) -> None:
    """What it raises comes out as it is, at once or behind what was received."""
    mistake = LookupError("no token")

    def factory(attempt: Attempt) -> Any:
        if attempt.number > 1:
            raise mistake

    seen = await see([[*OLD, Reset()], NEW], request_factory=factory, reconnect="resume")
    assert seen.error is mistake
    assert seen.data == ["one", "two"]
    assert (await see([[Head(503)]], request_factory=factory, reconnect="resume")).error is mistake


async def test_idempotency_key(autojump_clock: MockClock) -> None:
    """All attempts of a stream carry one key; each stream has its own."""
    keys = []
    for _ in range(2):
        seen = await see(
            [[Head(503)], [Head(503)], OLD],
            method="POST",
            json={},
            idempotency_key=True,
            reconnect="before_first_item",
        )
        [key] = {request.headers["idempotency-key"] for request in seen.requests}
        keys.append(key)
        assert len(seen.requests) == 3
    assert len(set(keys)) == 2
    seen = await see([OLD], method="POST", idempotency_key="mine")
    assert seen.requests[0].headers["Idempotency-Key"] == "mine"
    seen = await see([OLD], method="POST")
    assert "idempotency-key" not in seen.requests[0].headers


async def test_start(autojump_clock: MockClock) -> None:
    """A stream that begins in the middle asks for the same again as long as nothing has come."""
    plan = [[Head(503)], [Event("x"), Reset()], NEW]
    seen = await see(plan, last_event_id="2", reconnect="resume")
    assert seen.last_event_ids == ["2", "2", "2"]
    assert seen.data == ["x", "three", "four"]
    seen = await see(plan, headers={"Last-Event-ID": "2"}, reconnect="resume")
    assert seen.last_event_ids == ["2", "2", "2"]


# ---- cursors -------------------------------------------------------------------------------------


async def test_backfill_minutes(autojump_clock: MockClock) -> None:
    """A feed of X is asked for the minutes of the silence, and brings nothing twice."""

    def line(number: int) -> Send:
        return Send(b'{"data":{"id":"%d"}}\r\n' % number)

    head = Head(content_type="application/json")
    plan = [[head, line(1), line(2), Wait(100), Reset()], [head, line(2), line(3)]]
    seen = await see(
        plan,
        framing=NDJSON(),
        reconnect="resume",
        cursor=BackfillMinutes(),
        params={"expansions": "author_id"},
    )
    assert [item.json()["data"]["id"] for item in seen.items] == ["1", "2", "3"]
    assert [request.target for request in seen.requests] == [
        "/?expansions=author_id",
        "/?expansions=author_id&backfill_minutes=2",
    ]


RESPONSE = [
    ("response.created", {"response": {"id": "resp_1", "status": "in_progress"}}),
    ("response.output_item.added", {"output_index": 0, "item": {"type": "message", "id": "m"}}),
    (
        "response.content_part.added",
        {"item_id": "m", "output_index": 0, "content_index": 0, "part": {"type": "output_text"}},
    ),
    *[
        (
            "response.output_text.delta",
            {"item_id": "m", "output_index": 0, "content_index": 0, "delta": text},
        )
        for text in ("Hel", "lo")
    ],
    (
        "response.completed",
        {
            "response": {
                "id": "resp_1",
                "status": "completed",
                "output": [
                    {
                        "type": "message",
                        "id": "m",
                        "role": "assistant",
                        "status": "completed",
                        "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
                    }
                ],
            }
        },
    ),
]
RESPONSE_EVENTS = [
    Event({"type": name, "sequence_number": number, **rest}, event=name)
    for number, (name, rest) in enumerate(RESPONSE)
]


@pytest.mark.parametrize("cut", range(1, len(RESPONSE_EVENTS)))
async def test_openai_responses_go_on(autojump_clock: MockClock, cut: int) -> None:
    """A response in the background goes on behind the last event, as one message."""
    plan = [[*RESPONSE_EVENTS[:cut], Reset()], RESPONSE_EVENTS[max(0, cut - 1) :]]
    seen = await see(
        plan,
        method="POST",
        json={"background": True, "stream": True},
        dialect=OpenAIResponses(),
        reconnect="resume",
        cursor=StartingAfter("http://memory.test/responses"),
    )
    assert seen.error is None
    assert seen.outcome is not None
    assert seen.outcome.value.text == "Hello"
    assert seen.outcome.is_complete
    assert seen.outcome.duplicate_items == 1
    assert [(request.method, request.target) for request in seen.requests] == [
        ("POST", "/"),
        ("GET", f"/responses/resp_1?stream=true&starting_after={cut - 1}"),
    ]
    assert seen.requests[1].body == b""


# ---- EventSource ---------------------------------------------------------------------------------


async def test_event_source(autojump_clock: MockClock) -> None:
    """It is connected again after each end of the body, until the server says that it is over."""
    plan = [OLD, [Reset()], [Refuse()], NEW, [Head(204)]]
    seen = await see(plan, opener=event_source)
    assert seen.data == ["one", "two", "three", "four"]
    assert seen.error is None
    assert seen.last_event_ids == [None, "2", "2", "4"]
    headers = seen.requests[0].headers
    assert headers["Accept"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ([Head(500)], StreamStatusError),
        ([Head(503, headers={"Retry-After": "1"})], StreamStatusError),
        ([Head(404)], StreamStatusError),
        ([Head(201), Event("x")], NotAStreamError),
        ([Head(206), Event("x")], NotAStreamError),
        ([Head(200, content_type="application/json"), Send(b"{}")], NotAStreamError),
        ([Head(200, content_type="text/plain"), Event("x")], NotAStreamError),
        ([Head(200, content_type=None), Event("x")], NotAStreamError),
    ],
    ids=str,
)
async def test_event_source_that_fails(
    autojump_clock: MockClock, answer: Any, error: type[StreamError]
) -> None:
    """Any status but 200 ends it for good, and any other content type: at first or later."""
    for plan in ([answer, NEW], [OLD, answer, NEW]):
        seen = await see(plan, opener=event_source)
        assert type(seen.error) is error
        assert len(seen.requests) == len(plan) - 1


@pytest.mark.parametrize(
    "content_type",
    ["text/event-stream;", "text/event-stream; charset=latin-1", "Text/Event-Stream"],
)
async def test_content_type_of_an_event_source(
    autojump_clock: MockClock, content_type: str
) -> None:
    """Parameters and the case of the type do not matter."""
    plan = [[Head(content_type=content_type), *OLD], [Head(204)]]
    assert (await see(plan, opener=event_source)).data == ["one", "two"]


async def test_event_source_waits_for_the_reconnection_time(autojump_clock: MockClock) -> None:
    """The time between two connections is what the stream has set, or a little more."""
    times: list[float] = []
    config = StreamConfig(max_retries=-1, on_connect=lambda: times.append(trio.current_time()))
    plan = [
        [Event("a", retry=20_000), Wait(2)],
        [Event("b"), Wait(2)],
        [Event("c", retry=1), Wait(2)],
        [Head(204)],
    ]
    await see(plan, opener=event_source, config=config)
    waits = [later - sooner - 2 for sooner, later in pairwise(times)]
    assert 20 <= waits[0] <= 22.1
    assert 20 <= waits[1] <= 22.1
    assert waits[2] <= 1.1


async def test_event_source_follows_redirects(autojump_clock: MockClock) -> None:
    """A redirect is followed, whatever the client does otherwise."""
    plan = [[Head(307, headers={"location": "/there"})], OLD, [Head(204)]]
    seen = await see(plan, opener=event_source)
    assert seen.data == ["one", "two"]
    assert [request.target for request in seen.requests] == ["/", "/there", "/"]


# ---- the consumer --------------------------------------------------------------------------------


async def test_finish(autojump_clock: MockClock) -> None:
    """What is there is delivered, and then the stream has come to a good end."""

    async def work(rx: StreamReceiver[Any, Any]) -> None:
        await trio.sleep(1)
        rx.finish()
        rx.finish()

    for mode in ("never", "resume", "always"):
        seen = await see([*OLD, *NEW, Stall()], reconnect=mode, work=work)
        assert seen.data == ["one", "two", "three", "four"]
        assert seen.outcome is not None
        assert seen.outcome.ending is Ending.COMPLETED


async def test_finish_while_waiting(autojump_clock: MockClock) -> None:
    """It is not connected again for what nobody wants."""
    async with memory_client([[*OLD, Reset()], NEW]) as (client, server):
        async with open_stream(
            "GET", server.url, client=client, reconnect="always", config=QUICK
        ) as rx:
            assert [(await rx.receive()).data for _ in range(2)] == ["one", "two"]
            await trio.sleep(0.5)
            assert rx.state.phase is Phase.INTERRUPTED
            assert rx.state.current_backoff > 0
            rx.finish()
            assert [item async for item in rx] == []
        assert rx.outcome.ending is Ending.COMPLETED
        assert len(server.requests) == 1


async def test_finish_of_a_message(autojump_clock: MockClock) -> None:
    """A message that is cut is not whole, though it was cut on purpose."""

    async def work(rx: StreamReceiver[Any, Any]) -> None:
        rx.finish()

    seen = await see([Event("a"), Stall()], dialect=Letters(), work=work)
    assert seen.items == ["a"]
    assert seen.error is None
    assert seen.outcome is not None
    assert seen.outcome.ending is Ending.CLOSED


async def test_three_ways_to_stop(autojump_clock: MockClock) -> None:
    """To finish, to close and to cancel are three different endings."""
    endings = []
    for way in ("finish", "aclose", "cancel"):
        async with memory_client([*OLD, Stall()]) as (client, server):
            with trio.CancelScope() as scope:
                async with open_stream("GET", server.url, client=client) as rx:
                    await rx.receive()
                    await trio.testing.wait_all_tasks_blocked()
                    match way:
                        case "finish":
                            rx.finish()
                            await rx.result()
                        case "aclose":
                            await rx.aclose()
                        case _:
                            scope.cancel()
                            await trio.lowlevel.checkpoint()
            endings.append(rx.outcome.ending)
            assert [event.data for event in rx.outcome.value] == ["one", "two"]
    assert endings == [Ending.COMPLETED, Ending.CLOSED, Ending.CANCELLED]


async def test_leaving_while_waiting(autojump_clock: MockClock) -> None:
    """A wait is over at once when the consumer leaves."""
    async with assert_no_leaks(), memory_client([[*OLD, Reset()]]) as (client, server):
        async with open_stream(
            "GET", server.url, client=client, reconnect="always", config=StreamConfig()
        ) as rx:
            await rx.receive()
            await rx.receive()
            await trio.sleep(0.01)
            start = trio.current_time()
        assert trio.current_time() == start
        assert rx.outcome.ending is Ending.CLOSED


async def test_total_timeout_covers_all_attempts(autojump_clock: MockClock) -> None:
    """The time of the whole stream is not that of one connection."""
    config = attrs.evolve(QUICK, timeout=10.0)
    plan = [[*OLD, Wait(8), Reset()], [NEW[0], Stall()]]
    seen = await see(plan, reconnect="always", config=config)
    assert seen.data == ["one", "two", "three"]
    assert isinstance(seen.error, StreamTimeoutError)
    assert seen.error.layer == "total"
    assert seen.outcome is not None
    assert seen.outcome.timings.total == 10


async def test_no_wait_beyond_the_total_timeout(autojump_clock: MockClock) -> None:
    """An attempt that would come too late is not waited for."""
    config = attrs.evolve(QUICK, timeout=10.0)
    plan = [[Head(503, headers={"Retry-After": "60"})], OLD]
    seen = await see(plan, reconnect="resume", config=config)
    assert isinstance(seen.error, StreamStatusError)
    assert seen.notes == ["not retried: the next attempt would come after timeout=10.0 s"]
    assert seen.outcome is not None
    assert seen.outcome.timings.total == 0


async def test_callbacks(autojump_clock: MockClock) -> None:
    """Each is called at its time, once."""
    told: list[Any] = []
    config = attrs.evolve(
        QUICK,
        on_connect=lambda: told.append("connect"),
        on_disconnect=lambda error: told.append(("disconnect", type(error).__name__)),
        on_error=lambda error: told.append(("error", error.error_type.value)),
        on_reconnect=lambda attempt, delay: told.append(("reconnect", attempt, delay)),
    )
    plan = [[*OLD, Reset()], [Head(503)], [NEW[0], Truncate()], [NEW[1]]]
    await see(plan, reconnect="resume", config=config)
    assert told == [
        "connect",
        ("disconnect", "StreamError"),
        ("error", "stream_interrupted"),
        ("reconnect", 1, 1.0),
        ("error", "server_error"),
        ("reconnect", 2, 2.0),
        "connect",
        ("disconnect", "StreamTruncatedError"),
        ("error", "stream_interrupted"),
        ("reconnect", 3, 1.0),
        "connect",
        ("disconnect", "NoneType"),
    ]


@pytest.mark.parametrize("end", [[], [Reset()]], ids=["good", "bad"])
@pytest.mark.parametrize("mode", ["always", "event_source"])
async def test_feed_before_its_consumer_comes(
    autojump_clock: MockClock, mode: Any, end: Any
) -> None:
    """What a subscription has brought is kept for a consumer that comes late: a feed goes on."""
    plan = [[Event("one"), Event("two"), *end], [Event("three")], [Head(204)]]
    async with (
        memory_client(plan) as (client, server),
        open_stream("GET", server.url, client=client, reconnect=mode) as rx,
    ):
        await trio.sleep(60)
        items = [item async for item in rx if not isinstance(item, Restarted)]
    assert [item.data for item in items] == ["one", "two", "three"]


@pytest.mark.parametrize(
    "name", ["on_connect", "on_disconnect", "on_error", "on_reconnect", "on_gap"]
)
async def test_callback_that_raises(autojump_clock: MockClock, name: str) -> None:
    """What a callback raises comes out as it is, behind what was received before."""
    mistake = ValueError(name)
    calls: list[Any] = []

    def callback(*args: Any) -> None:
        calls.append(args)
        if name != "on_connect" or len(calls) > 1:
            raise mistake

    config = attrs.evolve(QUICK, **{name: callback})
    plan = [[*OLD, Reset()], [Event("nine", id="9")]]
    cursor = LastEventID(consecutive=True)
    seen = await see(plan, reconnect="resume", cursor=cursor, config=config)
    assert seen.error is mistake
    assert seen.data[:2] == ["one", "two"]
    assert seen.outcome is not None
    assert seen.outcome.ending is Ending.FAILED


async def test_views_of_a_stream_that_may_restart(autojump_clock: MockClock) -> None:
    """A text cannot tell of a restart, so it is not shown as one."""
    async with (
        memory_client([[Event(".")]]) as (client, server),
        open_stream(
            "POST", server.url, client=client, dialect=OpenAIResponses(), reconnect="always"
        ) as rx,
    ):
        with pytest.raises(TypeError, match="restart"):
            rx.text()
        assert rx.may_restart


async def test_state_in_each_phase(autojump_clock: MockClock) -> None:
    """The state tells where the stream is."""
    phases: list[Phase] = []
    plan: Sequence[Any] = [
        [Head(), Wait(1), OLD[0], Wait(1), Reset()],
        [Wait(1), NEW[0], Wait(1), NEW[1]],
    ]

    async def look(rx: StreamReceiver[Any, Any]) -> None:
        await trio.sleep(0.5)
        while True:
            phases.append(rx.state.phase)
            assert rx.state.is_connected == (phases[-1] in (Phase.OPEN, Phase.STREAMING))
            await trio.sleep(1)

    async with (
        memory_client(plan) as (client, server),
        open_stream("GET", server.url, client=client, reconnect="resume", config=QUICK) as rx,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(look, rx)
        async for _ in rx:
            pass
        await trio.sleep(0.7)
        nursery.cancel_scope.cancel()
    assert phases == [
        Phase.OPEN,
        Phase.STREAMING,
        Phase.INTERRUPTED,
        Phase.RECONNECTING,
        Phase.STREAMING,
        Phase.ENDED,
    ]


async def test_budget_of_a_client(autojump_clock: MockClock) -> None:
    """The streams of a client share a budget, and it does not keep the client alive."""
    async with (
        memory_client([Event("x")]) as (client, _),
        memory_client([Event("x")]) as (other, _),
    ):
        assert budget_of(client, "http://a") is budget_of(client, "http://b")
        assert budget_of(client, "http://a") is not budget_of(other, "http://a")
        gc.collect()
        known = len(_of_clients)
    del other
    gc.collect()
    assert len(_of_clients) == known - 1
    assert budget_of(None, "http://u@A/x") is not budget_of(None, "http://b/x")
    assert budget_of(None, "http://a/x") is budget_of(None, "http://a/y")


async def test_empty_budget(autojump_clock: MockClock) -> None:
    """With an empty budget, a request that opens fails at once; a subscription waits its turn."""
    config = attrs.evolve(QUICK, retry_budget=RetryBudget(0, per_second=0.01))
    seen = await see([[Head(503)], OLD], reconnect="resume", config=config)
    assert isinstance(seen.error, StreamStatusError)
    assert seen.notes == ["not retried: the retry budget is empty"]
    assert len(seen.requests) == 1
    seen = await see([[*OLD, Reset()], NEW], reconnect="resume", config=config)
    assert seen.data == ["one", "two", "three", "four"]
    assert seen.outcome is not None
    assert seen.outcome.timings.total == pytest.approx(100)
