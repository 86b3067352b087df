"""Recovery at its edges: what a reviewer would try."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.pipeline.test_reconnect import NEW, OLD, QUICK, body, see
from tests.pipeline.worlds import Letters
from trio_stream.checkpoints import MemoryCheckpoints
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError, StreamErrorType, StreamStatusError, StreamTimeoutError
from trio_stream.framing import NDJSON, SSE, Record
from trio_stream.outcome import Ending
from trio_stream.pipeline import Attempt, Restarted, event_source, open_stream
from trio_stream.retry import BackfillMinutes, Cursor, LastEventID, RequestChanges, RetryBudget
from trio_stream.testing import (
    Event,
    Head,
    Refuse,
    Reset,
    Send,
    Stall,
    Wait,
    memory_client,
)

DONE = [Head(204)]

# ---- the letter of EventSource -------------------------------------------------------------------


async def test_event_source_takes_nothing_for_a_duplicate(autojump_clock: MockClock) -> None:
    """A block with data is dispatched, whatever its ID and wherever it came before."""
    plan = [OLD, [*OLD, Reset()], [Event("zero", id="0")], [Event("zero", id="0")], DONE]
    seen = await see(plan, opener=event_source)
    assert seen.data == ["one", "two", "one", "two", "zero", "zero"]
    assert seen.outcome is not None
    assert seen.outcome.duplicate_items == 0


async def test_event_source_follows_the_id_back(autojump_clock: MockClock) -> None:
    """The ID that is sent is the one that was committed last, also if it was there before."""
    plan = [OLD, [Event("one again", id="1")], [Send(b"id: 7\n\n")], [Send(b"id\n\n")], DONE]
    seen = await see(plan, opener=event_source)
    assert seen.last_event_ids == [None, "2", "1", "7", None]


async def test_id_without_an_event_is_kept(autojump_clock: MockClock) -> None:
    """A block that commits an ID without data counts, also on the first connection."""
    for opener in (event_source, open_stream):
        mode = {"reconnect": "resume"} if opener is open_stream else {}
        seen = await see([[Send(b"id: 7\n\n"), Reset()], OLD, DONE], opener=opener, **mode)
        assert seen.last_event_ids[:2] == [None, "7"]
        assert seen.data == ["one", "two"]


# ---- what costs money ----------------------------------------------------------------------------


async def test_good_end_of_a_post_is_its_end(autojump_clock: MockClock) -> None:
    """What may be done twice is not asked for again because it went well."""
    plan = [[Event("a")], [Event("b")]]
    seen = await see(plan, method="POST", json={}, framing=SSE(), reconnect="always")
    assert seen.data == ["a"]
    assert seen.outcome is not None
    assert seen.outcome.ending is Ending.COMPLETED
    assert len(seen.requests) == 1


async def test_factory_that_brings_no_body_for_a_stream(autojump_clock: MockClock) -> None:
    """A one-shot body is not waited for: the budget, the clock and the factory are not touched."""
    budget = RetryBudget(per_second=0)
    told: list[Any] = []
    config = attrs.evolve(
        QUICK,
        retry_budget=budget,
        on_error=told.append,
        on_reconnect=lambda *args: told.append(args),
    )
    asked: list[Attempt] = []

    def factory(attempt: Attempt) -> RequestChanges:
        asked.append(attempt)
        return {"add_headers": {"authorization": "fresh"}}

    seen = await see(
        [[Head(503)], OLD],
        method="POST",
        content=body(),
        request_factory=factory,
        reconnect="resume",
        config=config,
    )
    assert seen.notes == ["not retried: its body is an async generator"]
    assert seen.outcome is not None
    assert (seen.outcome.attempts, seen.outcome.timings.total) == (1, 0)
    assert len(asked) == 1
    assert told == [seen.error]
    assert budget.tokens(trio.current_time()) == 100


async def test_message_that_is_whole_has_no_position(autojump_clock: MockClock) -> None:
    """The position of a message is forgotten when it is whole: the next one is another."""
    store = MemoryCheckpoints()

    @attrs.frozen
    class Numbered(Cursor):
        def position(self, frame: Any, previous: str) -> str | None:
            return str(int(previous or 0) + 1)

        def resume(self, position: str, silence: float) -> RequestChanges | None:
            return {"add_params": {"after": position}}

    plan = [[Event("a"), Stall()], [Event("b"), Event(".")], [Event("c"), Event(".")]]
    options = {
        "dialect": Letters(),
        "cursor": Numbered(),
        "checkpoints": store,
        "checkpoint_key": "answer",
    }
    async with memory_client(plan) as (client, server):
        async with open_stream("POST", server.url, client=client, **options) as rx:
            await rx.receive()
            rx.ack()
        assert await store.load("answer") == "1"
        for _ in range(2):
            async with open_stream("POST", server.url, client=client, **options) as rx:
                assert await rx.result()
            assert await store.load("answer") is None
        targets = [request.target for request in server.requests]
    assert targets == ["/", "/?after=1", "/"]


async def test_answers_need_a_name(autojump_clock: MockClock) -> None:
    """The URL of a model is that of all its answers."""
    with pytest.raises(ValueError, match="checkpoint_key"):
        open_stream(
            "POST",
            "http://memory.test",
            dialect=Letters(),
            cursor=LastEventID(),
            checkpoints=MemoryCheckpoints(),
        )


# ---- time ----------------------------------------------------------------------------------------


async def test_timeout_covers_the_factory(autojump_clock: MockClock) -> None:
    """A factory that hangs does not hang the stream beyond its time."""

    async def factory(attempt: Attempt) -> None:
        if attempt.number > 1:
            await trio.sleep_forever()

    config = attrs.evolve(QUICK, timeout=10.0)
    plan = [[*OLD, Reset()], NEW]
    seen = await see(plan, request_factory=factory, reconnect="resume", config=config)
    assert seen.data == ["one", "two"]
    assert isinstance(seen.error, StreamTimeoutError)
    assert seen.error.layer == "total"


async def test_timeout_covers_the_store(autojump_clock: MockClock) -> None:
    """Nor does a store that hangs."""

    class Hung(MemoryCheckpoints):
        async def load(self, key: str) -> str | None:
            await trio.sleep_forever()
            return None

    config = attrs.evolve(QUICK, timeout=10.0)
    seen = await see([OLD], checkpoints=Hung(), config=config)
    assert isinstance(seen.error, StreamTimeoutError)
    assert seen.requests == []


async def test_factory_that_asks_for_another_attempt(autojump_clock: MockClock) -> None:
    """A StreamError of a factory is judged like that of a request."""

    def factory(attempt: Attempt) -> None:
        if attempt.number < 3:
            raise StreamError("no token", error_type=StreamErrorType.CONNECTION_ERROR)

    seen = await see([OLD], request_factory=factory, reconnect="resume")
    assert seen.data == ["one", "two"]
    assert seen.outcome is not None
    assert seen.outcome.attempts == 3


# ---- positions -----------------------------------------------------------------------------------


async def test_cursor_that_gives_up_while_reconnecting(autojump_clock: MockClock) -> None:
    """If the way back is lost in an outage, the stream begins anew, and says so."""

    @attrs.frozen
    class Patient(Cursor):
        def position(self, frame: Any, previous: str) -> str | None:
            return str(frame.data)

        def resume(self, position: str, silence: float) -> RequestChanges | None:
            return {} if silence < 2 else None

    plan = [[Event("a"), Event("b"), Reset()], [Head(503)], [Event("a"), Event("c")], DONE]
    seen = await see(plan, reconnect="always", cursor=Patient())
    assert seen.data == ["a", "b", Restarted(3, 2), "a", "c"]


async def test_subclass_of_last_event_id(autojump_clock: MockClock) -> None:
    """Whoever changes how a stream goes on is asked how it goes on."""

    class Since(LastEventID):
        def resume(self, position: str, silence: float) -> RequestChanges | None:
            return {"add_params": {"since": position}}

    seen = await see([[*OLD, Reset()], [OLD[1], *NEW]], reconnect="resume", cursor=Since())
    assert seen.data == ["one", "two", "three", "four"]
    assert [request.target for request in seen.requests] == ["/", "/?since=2"]
    assert seen.last_event_ids == [None, None]


async def test_position_that_is_no_string(autojump_clock: MockClock) -> None:
    """A cursor that takes a number for a position is told so by its name."""

    class Numbers(LastEventID):
        def position(self, frame: Any, previous: str) -> Any:
            return int(frame.id)

    seen = await see([OLD], reconnect="resume", cursor=Numbers())
    assert isinstance(seen.error, TypeError)
    assert str(seen.error).startswith("Numbers.position returned 1")


async def test_start_that_cannot_be_asked_for(autojump_clock: MockClock) -> None:
    """A cursor that cannot go on from where it is told to does not begin elsewhere."""

    class Numbers(BackfillMinutes):
        def resume(self, position: str, silence: float) -> RequestChanges | None:
            return super().resume(position, silence) if position.isdigit() else None

    options = {"framing": NDJSON(), "cursor": Numbers(), "last_event_id": "x"}
    seen = await see([OLD], **options)
    assert isinstance(seen.error, ValueError)
    assert seen.requests == []


async def test_nothing_is_read_behind_the_end(autojump_clock: MockClock) -> None:
    """What a piece brings behind the terminal event is not read, also where positions are."""
    piece = Send(b"".join(b"id: %d\ndata: %c\n\n" % each for each in enumerate(b"ab.!", 1)))
    cursor: Cursor | None
    for cursor in (None, LastEventID()):
        seen = await see([[piece]], reconnect="resume", dialect=Letters(), cursor=cursor)
        assert seen.items == ["a", "b", "."]
        assert seen.error is None


@pytest.mark.parametrize("start", ["a\x01b", " ", "x" * 8193], ids=["control", "blank", "long"])
async def test_event_id_that_cannot_be_sent(start: str, autojump_clock: MockClock) -> None:
    """An event ID that no request can have, given or kept, is no reason to begin elsewhere."""
    for options in (
        {"last_event_id": start},
        {"checkpoints": MemoryCheckpoints({"k": start}), "checkpoint_key": "k"},
    ):
        seen = await see([OLD], **options)
        assert isinstance(seen.error, ValueError)
        assert str(seen.error).startswith("LastEventID cannot go on from ")
        assert len(str(seen.error)) < 150
        assert seen.requests == []


async def test_backfill_is_not_taken_for_life(autojump_clock: MockClock) -> None:
    """An attempt that breaks in its backfill has not shortened what is to be filled."""

    def line(number: int) -> Send:
        return Send(b'{"data":{"id":"%d"}}\n' % number)

    head = Head(content_type="application/json")
    plan = [
        [head, line(1), Reset()],
        *[[Refuse()]] * 7,
        [head, line(1), Reset()],
        [head, line(1), line(2), Wait(60), line(3)],
    ]
    config = attrs.evolve(QUICK, max_backoff=20.0)
    seen = await see(
        plan, framing=NDJSON(), reconnect="resume", cursor=BackfillMinutes(), config=config
    )
    assert [item.json()["data"]["id"] for item in seen.items if type(item) is Record] == [
        *("1", "2", "3")
    ]
    first, *later = [request.target.partition("backfill_minutes=")[2] for request in seen.requests]
    assert first == ""
    assert later == sorted(later)
    assert later[0] >= "2"


async def test_position_after_a_restart_of_the_process(autojump_clock: MockClock) -> None:
    """A process that has seen nothing yet asks for as much as it can get."""
    seen = await see(
        [[Head(content_type="application/json")]],
        framing=NDJSON(),
        cursor=BackfillMinutes(),
        last_event_id="7",
    )
    assert seen.requests[0].target == "/?backfill_minutes=5"
    assert seen.last_event_ids == [None]


async def test_huge_ids_are_not_kept(autojump_clock: MockClock) -> None:
    """An ID that no header can carry is no position, and takes no memory."""
    huge = "x" * 10_000
    async with memory_client([[Event("a", id=huge), Wait(1), Reset()], NEW]) as (client, server):
        async with open_stream(
            "GET", server.url, client=client, reconnect="resume", config=QUICK
        ) as rx:
            with pytest.raises(StreamError) as caught:
                await rx.result()
            assert not rx._session.position._new
        assert "cannot go on" in caught.value.__notes__[0]
        assert len(server.requests) == 1


# ---- what is told --------------------------------------------------------------------------------


async def test_failed_opening_tells_its_position(autojump_clock: MockClock) -> None:
    """Who keeps the position of outcomes does not lose it because a server was away."""
    seen = await see([[Head(404)]], last_event_id="41", reconnect="resume")
    assert seen.outcome is not None
    assert seen.outcome.last_event_id == seen.outcome.acknowledged_id == "41"


async def test_acknowledged_only_where_it_is_known(autojump_clock: MockClock) -> None:
    """A stream that keeps no account of positions does not claim one."""
    seen = await see([OLD], last_event_id="41", reconnect="before_first_item")
    assert seen.outcome is not None
    assert seen.outcome.last_event_id == "2"
    assert seen.outcome.acknowledged_id == ""


async def test_error_is_told_once(autojump_clock: MockClock) -> None:
    """An interruption that the consumer leaves in is no second error."""
    told: list[StreamError] = []
    config = StreamConfig(jitter=False, on_error=told.append)
    async with memory_client([[*OLD, Reset()]]) as (client, server):
        async with open_stream(
            "GET", server.url, client=client, reconnect="resume", config=config
        ) as rx:
            await rx.receive()
            await rx.receive()
            await trio.sleep(0.5)
        assert rx.outcome.error is told[0]
    assert len(told) == 1


async def test_nothing_is_left_of_an_attempt_in_vain(autojump_clock: MockClock) -> None:
    """Gaps and positions of an attempt that is thrown away are not those of the stream."""
    plan = [[Event("a", id="1"), Event("b", id="5"), Reset()], [Event("c", id="1")]]
    store = MemoryCheckpoints()
    async with (
        memory_client(plan) as (client, server),
        open_stream(
            "GET",
            server.url,
            client=client,
            reconnect="before_first_item",
            cursor=LastEventID(consecutive=True),
            checkpoints=store,
            checkpoint_key="k",
        ) as rx,
    ):
        await trio.sleep(50)
        assert [event.data for event in await rx.result()] == ["c"]
    assert rx.outcome.missing_items == 0
    assert await store.load("k") == "1"


async def test_newest_error_while_connecting_fails(autojump_clock: MockClock) -> None:
    """What the next attempt has met is the news; what it was to mend is not told again."""
    told: list[StreamError] = []
    config = StreamConfig(on_error=told.append, initial_backoff=60, jitter=False)
    async with (
        memory_client([[*OLD, Reset()], [Head(503)]]) as (client, server),
        open_stream("GET", server.url, client=client, reconnect="resume", config=config) as rx,
    ):
        await rx.receive()
        await trio.sleep(100)
        assert rx.state.last_error is told[-1]
    assert [error.status_code for error in told] == [None, 503]
    assert rx.outcome.error is told[-1]


async def test_wrong_key_is_never_retried(autojump_clock: MockClock) -> None:
    """Whatever the server hopes."""
    for status in (401, 403, 407):
        plan = [[Head(status, headers={"x-should-retry": "true"})], OLD]
        seen = await see(plan, reconnect="always")
        assert isinstance(seen.error, StreamStatusError)
        assert len(seen.requests) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"reconnect": "sometimes"}, ValueError),
        ({"cursor": 3}, TypeError),
        ({"idempotency_key": 5}, TypeError),
        ({"checkpoints": 3}, TypeError),
        ({"limiter": 3}, TypeError),
    ],
    ids=str,
)
def test_wrong_arguments(options: dict[str, Any], error: type[Exception]) -> None:
    """They are refused where they are given."""
    [name] = options
    with pytest.raises(error, match=name):
        open_stream("GET", "http://memory.test", **options)
