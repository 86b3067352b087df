"""What a server may ask for, and what is never asked again: through the pipeline, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from itertools import pairwise
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.pipeline.played import START, Played, stop, text
from tests.pipeline.worlds import WORLDS, Letters, World
from trio_stream.config import StreamConfig
from trio_stream.errors import InBandError, StreamError, StreamTimeoutError
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import open_stream
from trio_stream.retry import RetryBudget
from trio_stream.testing import (
    Busy,
    Event,
    Head,
    MemoryServer,
    Plan,
    Reset,
    Send,
    Stall,
    Truncate,
    Wait,
    assert_no_leaks,
    memory_client,
)

FAMILIES = ["httpx", "httpx2"]
MODES = ["never", "before_first_item", "resume", "always", "event_source"]
ONE = Event("one", id="1")


async def waits(plan: Plan, *, family: str = "httpx", **options: Any) -> list[float]:
    """Read a stream to its end; return the seconds from each request to the next."""
    async with assert_no_leaks(), memory_client(plan, family=family) as (client, server):
        async with open_stream("GET", server.url, client=client, **options) as rx:
            await rx.result()
        return [after.time - before.time for before, after in pairwise(server.requests)]


async def failure(
    plan: Plan, *, method: str = "GET", family: str = "httpx", config: Any = None, **options: Any
) -> tuple[StreamError, MemoryServer]:
    """Open a stream that cannot be opened; return its error, and whom it asked."""
    outcomes: list[StreamOutcome[Any]] = []
    budget = RetryBudget(per_second=0)
    config = config or StreamConfig(retry_budget=budget, on_outcome=outcomes.append)
    async with assert_no_leaks(), memory_client(plan, family=family) as (client, server):
        with pytest.raises(StreamError) as caught:
            async with open_stream(method, server.url, client=client, config=config, **options):
                pass
    error = caught.value
    assert outcomes == [error.outcome]
    assert outcomes[0].ending is Ending.FAILED
    assert budget.tokens(trio.current_time()) == 100, "the budget was touched"
    return error, server


@pytest.mark.parametrize("mode", ["resume", "always", "event_source"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("asked", "waited"), [(5_000, 5.0), (30_000, 30.0), (10**12, 64.0)], ids=["5s", "30s", "a day"]
)
async def test_reconnection_time(
    autojump_clock: MockClock, asked: int, waited: float, family: str, mode: Any
) -> None:
    """`retry:` is the shortest wait from then on, up to `max_backoff`."""
    plan = [[Event("one", id="1", retry=asked), Reset()], [Reset()], [Head(204)]]
    for wait in await waits(plan, family=family, reconnect=mode):
        assert waited <= wait <= max(1.1 * waited, waited + 1)
        assert wait <= 64


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after(autojump_clock: MockClock, status: int, form: Any, family: str) -> None:
    """Retry-After is waited for in each of its forms, though it is longer than `max_backoff`."""
    plan = [[Busy(status, retry_after=100, form=form)], [ONE]]
    [wait] = await waits(plan, family=family, reconnect="resume", config=StreamConfig(jitter=False))
    # A date has whole seconds, and the clock of the world is not the one of this test.
    assert 98 <= wait <= 101 if form == "date" else wait == 100
    [wait] = await waits(plan, family=family, reconnect="resume")
    assert 98 <= wait <= 112, "spread by a tenth"


@pytest.mark.parametrize("form", ["seconds", "milliseconds", "date"])
@pytest.mark.parametrize("mode", MODES)
async def test_retry_after_of_a_day(autojump_clock: MockClock, mode: Any, form: Any) -> None:
    """Nobody sleeps for a day: the error comes at once, and says what was asked for."""
    error, server = await failure(Busy(retry_after=86_400, form=form), reconnect=mode)
    assert len(server.requests) == 1
    assert error.retry_after == pytest.approx(86_400, abs=60)
    notes = getattr(error, "__notes__", [])
    if mode in ("never", "event_source"):  # for which any error is the end
        assert notes == []
    else:
        assert "max_retry_after=120" in notes[0]
    assert trio.current_time() == 0


async def test_retry_after_is_clamped(autojump_clock: MockClock) -> None:
    """If that is wanted, the longest wait that is allowed stands in for it."""
    config = StreamConfig(retry_after_over_cap="clamp", max_retry_after=30, jitter=False)
    plan = [[Busy(retry_after=86_400)], [ONE]]
    assert await waits(plan, reconnect="resume", config=config) == [30]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mode", ["resume", "always", "event_source"])
@pytest.mark.parametrize("before", [0, 1])
async def test_no_content(autojump_clock: MockClock, before: int, mode: Any, family: str) -> None:
    """204 is the good end of a stream, at once or behind a break."""
    async with (
        assert_no_leaks(),
        memory_client([[ONE, Truncate()]] * before + [[Head(204)]], family=family) as (
            client,
            server,
        ),
    ):
        async with open_stream("GET", server.url, client=client, reconnect=mode) as rx:
            assert [event.data for event in await rx.result()] == ["one"] * before
        assert rx.outcome.ending is Ending.COMPLETED
        assert len(server.requests) == 1 + before


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 422])
@pytest.mark.parametrize("mode", MODES)
async def test_refused_for_good(
    autojump_clock: MockClock, mode: Any, status: int, family: str
) -> None:
    """What another attempt cannot mend is not tried again, not even as the server suggests."""
    error, server = await failure(Busy(status, retry_after=1), reconnect=mode, family=family)
    assert len(server.requests) == 1
    assert error.status_code == status


async def generated() -> AsyncGenerator[bytes]:
    yield b"one"
    yield b"two"


def iterated() -> Generator[bytes]:
    yield b"one"
    yield b"two"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("make", [generated, iterated])
@pytest.mark.parametrize("mode", ["before_first_item", "resume", "always", "event_source"])
@pytest.mark.parametrize("answer", [Busy(503), Busy(429, retry_after=1), Reset(), Truncate()])
async def test_streamed_body(
    autojump_clock: MockClock, answer: Any, mode: Any, make: Any, family: str
) -> None:
    """A body that is a stream is sent once; the error says why, and the budget is not touched."""
    error, server = await failure(
        answer, method="POST", content=make(), reconnect=mode, family=family
    )
    assert [request.body for request in server.requests] == [b"onetwo"]
    if mode == "event_source" and isinstance(answer, Busy):
        assert not hasattr(error, "__notes__")  # a status is its end, whatever the body
    else:
        [note] = error.__notes__
        assert "not retried" in note
        assert "stream" in note or "generator" in note


@pytest.mark.parametrize("family", FAMILIES)
async def test_streamed_body_and_a_break(autojump_clock: MockClock, family: str) -> None:
    """Nor is it sent again when the answer breaks off before its first item."""
    budget = RetryBudget(per_second=0)
    config = StreamConfig(retry_budget=budget)
    async with (
        assert_no_leaks(),
        memory_client([Head(), Reset()], family=family) as (client, server),
        open_stream(
            "POST",
            server.url,
            client=client,
            content=generated(),
            config=config,
            reconnect="resume",
        ) as rx,
    ):
        with pytest.raises(StreamError) as caught:
            await rx.receive()
        assert len(server.requests) == 1
    assert "not retried" in caught.value.__notes__[0]
    assert budget.tokens(trio.current_time()) == 100


# ---- what is thrown away, and what is no farther, does not count ---------------------------------


@pytest.mark.parametrize("mode", ["before_first_item", "resume", "always"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_item_that_nobody_was_given(
    autojump_clock: MockClock, method: str, mode: Any
) -> None:
    """An answer that fails with its first item is repeated so often, and no more, and is paid."""
    budget = RetryBudget(per_second=0)
    config = StreamConfig(retry_budget=budget, max_retries=3)
    async with memory_client([Send(b"data: a\n\ndata: !\n\n")]) as (client, server):
        with pytest.raises(InBandError) as caught:
            async with open_stream(
                method, server.url, client=client, dialect=Letters(), config=config, reconnect=mode
            ) as rx:
                await rx.result()
        assert len(server.requests) == 4
    assert "max_retries=3" in caught.value.__notes__[0]
    assert budget.tokens(trio.current_time()) <= 98


async def test_times_of_what_is_thrown_away(autojump_clock: MockClock) -> None:
    """The first item of the outcome is the first that counts, not one of an attempt in vain."""
    config = StreamConfig(initial_backoff=9.0, jitter=False)
    plan = [[Event("in vain"), Reset()], [Event("first")]]
    async with (
        memory_client(plan) as (client, server),
        open_stream(
            "GET", server.url, client=client, reconnect="before_first_item", config=config
        ) as rx,
    ):
        await trio.sleep(99)
        assert [event.data async for event in rx] == ["first"]
    assert (rx.outcome.timings.first_item, rx.outcome.timings.last_item) == (9.0, 9.0)


@pytest.mark.parametrize("item", [None, int])
@pytest.mark.parametrize("mode", ["before_first_item", "resume", "always"])
async def test_bare_beginning_of_a_message(
    autojump_clock: MockClock, mode: Any, item: type[int] | None
) -> None:
    """A model that fails before its first word is asked again; each attempt counts, and is paid."""
    budget = RetryBudget(per_second=0)
    config = StreamConfig(retry_budget=budget, max_retries=3)
    dialect = Played([START, InBandError("overloaded"), *text(0, "1", "2"), *stop()])
    options: dict[str, Any] = {} if item is None else {"item": item}
    overloaded = [Event("0"), Wait(1), Event("1")]
    whole = [Event(str(number)) for number in (0, 2, 3, 4, 5, 6, 7)]
    for failures in (3, 4):
        async with memory_client([*[overloaded] * failures, whole]) as (client, server):
            async with open_stream(
                *("POST", server.url),
                client=client,
                dialect=dialect,
                config=config,
                reconnect=mode,
                **options,
            ) as rx:
                if failures == 3:
                    await rx.result()
                else:
                    with pytest.raises(InBandError, match="overloaded"):
                        await rx.result()
            assert len(server.requests) == 4
            assert rx.outcome.items == (10 if failures == 3 else 4)
            assert rx.snapshot() == rx.outcome.value
    # Of 100, six were taken; the one that led to an answer is back, unless it was a greeting's.
    assert budget.tokens(trio.current_time()) == (94 if mode == "always" else 95)


@pytest.mark.parametrize("mode", ["resume", "always", "event_source"])
@pytest.mark.parametrize("item", [Event("hello"), Event("one", id="1")], ids=["no ID", "old"])
async def test_greeting_is_no_progress(autojump_clock: MockClock, item: Event, mode: Any) -> None:
    """A server that greets each connection and breaks it off is not asked again without end."""
    budget = RetryBudget(per_second=0)
    config = StreamConfig(retry_budget=budget, max_retries=3)
    async with memory_client([[ONE, Reset()], [item, Reset()]]) as (client, server):
        with pytest.raises(StreamError, match="broke off") as caught:
            async with open_stream(
                "GET", server.url, client=client, config=config, reconnect=mode
            ) as rx:
                await rx.result()
        assert len(server.requests) == 4
    assert "max_retries=3" in caught.value.__notes__[0]
    assert budget.tokens(trio.current_time()) == 97


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
@pytest.mark.parametrize("mode", ["before_first_item", "always"])
def test_full_pool(world: World, mode: Any) -> None:
    """A wait for a slot of the client's own pool costs the budget nothing: the server saw none."""
    budget = RetryBudget(0.0, 0.0)
    config = StreamConfig(
        retry_budget=budget,
        connect_timeout=world.seconds(5),
        initial_backoff=world.seconds(5) or 0,
        max_retries=2,
    )

    async def main() -> None:
        async with world.serve([[Head(), Stall()]]) as (client, server):
            async with open_stream("GET", server.url, client=client):
                with pytest.raises(StreamTimeoutError, match="no free slot") as caught:
                    async with open_stream(
                        "GET", server.url, client=client, config=config, reconnect=mode
                    ):
                        pass
            assert len(server.requests) == 1
        assert caught.value.outcome is not None
        assert caught.value.outcome.attempts == 3
        assert "max_retries=2" in caught.value.__notes__[0]

    world.run(main)
