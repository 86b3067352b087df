"""Servers in trouble: how often they are asked, and that everybody comes back."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError
from trio_stream.pipeline import open_stream
from trio_stream.retry import RetryBudget
from trio_stream.testing import (
    Busy,
    Event,
    Feed,
    Head,
    Plan,
    Refuse,
    Request,
    Reset,
    Send,
    Step,
    Truncate,
    Wait,
    assert_no_leaks,
    memory_client,
    memory_transport,
    serve_memory,
)

HOUR = 3600.0
# What `trio_stream.retry.Recovery` promises of an hour with the usual settings.
MOST, MOST_WITH_JITTER = 63, 175


def run(main: Callable[[], Awaitable[Any]]) -> None:
    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.fixture(autouse=True)
def same_dice() -> Iterator[None]:
    """Waits that are random are the same in each run."""
    state = random.getstate()
    random.seed(4)
    yield
    random.setstate(state)


async def times_asked(plan: Plan, seconds: float, **options: Any) -> int:
    """How often one subscription asks a server in so many seconds."""
    async with assert_no_leaks(), memory_client(plan) as (client, server):
        with trio.move_on_after(seconds) as scope:
            async with open_stream("GET", server.url, client=client, **options) as rx:
                async for _ in rx:
                    pass
        assert scope.cancelled_caught, "it came to an end"
        return len(server.requests) + server.refused


@pytest.mark.parametrize("jitter", [True, False], ids=["jitter", "no jitter"])
@pytest.mark.parametrize(
    ("mode", "answer"),
    [
        ("always", Refuse()),
        ("always", [Head(), Reset()]),
        ("always", Head()),
        ("always", Busy(503)),
        ("event_source", Truncate()),
        ("event_source", Reset()),
        ("event_source", Head()),
        ("event_source", [Send(b"retry: 1\n\n"), Truncate()]),
        ("event_source", [Send(b"id: 1\ndata: half"), Reset()]),
        ("resume", [Head(), Reset()]),
    ],
)
def test_server_that_brings_nothing(mode: Any, answer: Any, jitter: bool) -> None:
    """A server that hangs up at once, cleanly or not, is asked seldom in an hour."""
    config = StreamConfig(max_retries=-1, jitter=jitter, retry_budget=RetryBudget())

    async def main() -> None:
        asked = await times_asked(answer, HOUR, reconnect=mode, config=config)
        assert 40 < asked <= (MOST_WITH_JITTER if jitter else MOST)

    run(main)


@pytest.mark.parametrize("jitter", [True, False], ids=["jitter", "no jitter"])
@pytest.mark.parametrize("mode", ["always", "event_source"])
@pytest.mark.parametrize("has_ids", [True, False], ids=["ids", "no ids"])
def test_server_that_brings_one_item(mode: Any, jitter: bool, has_ids: bool) -> None:
    """A server that brings an item and hangs up is asked once in each `initial_backoff`.

    If the item does not say that the stream is farther, it may be a greeting: then less often.
    """
    feed = Feed(per_answer=1)
    plan: Plan = feed if has_ids else [Event("again")]
    config = StreamConfig(max_retries=-1, initial_backoff=30, jitter=jitter)

    async def main() -> None:
        asked = await times_asked(plan, HOUR, reconnect=mode, config=config)
        most = 1 + HOUR / 30 if has_ids else MOST_WITH_JITTER if jitter else MOST
        assert 40 < asked <= most

    run(main)


# ---- many streams --------------------------------------------------------------------------------

OUTAGE, BACK = 100.0, 160.0  # when the server goes away, and when it is there again
STREAMS = 500


def is_down() -> bool:
    return OUTAGE <= trio.current_time() < BACK


def feed_with_outage(request: Request) -> Iterator[Step]:
    """An event each 40 s, its number as ID; or 503 while the server is in trouble."""
    if is_down():
        yield Busy(503)
        return
    yield Head()
    number = int(request.headers.get("last-event-id", "0"))
    while True:
        number += 1
        yield Event(str(number), id=str(number))
        yield Wait(min(40.0, max(0.0, OUTAGE - trio.current_time()) or 40.0))
        if is_down():
            yield Reset()
            return


@attrs.define(eq=False)
class Crowd:
    """Subscriptions that share one client.

    Attributes:
        got: The numbers of the events that each has got.
        back: When each got its first event after the outage.
    """

    client: Any
    url: str
    config: StreamConfig
    got: dict[int, list[int]] = attrs.field(factory=dict)
    back: dict[int, float] = attrs.field(factory=dict)

    async def subscribe(self, number: int) -> None:
        """Go on until there was an event after the outage, and one more."""
        got = self.got[number] = []
        async with open_stream(
            "GET", self.url, client=self.client, reconnect="always", config=self.config
        ) as rx:
            async for event in rx:
                got.append(int(event.data))
                if trio.current_time() >= BACK:
                    if number in self.back:
                        return
                    self.back[number] = trio.current_time()


def test_outage_of_a_minute() -> None:
    """500 subscriptions come back from an outage, whose server is asked no more than it can bear.

    And a stream that is opened meanwhile fails at once when the budget is empty.
    """
    budget = RetryBudget()
    config = StreamConfig(max_retries=-1, retry_budget=budget)
    refused: list[StreamError] = []

    async def open_another(client: Any, url: str) -> None:
        await trio.sleep_until(BACK - 1)
        begun = trio.current_time()
        with pytest.raises(StreamError) as caught:
            async with open_stream(
                "GET",
                url,
                client=client,
                reconnect="resume",
                config=StreamConfig(retry_budget=budget),
            ):
                pass
        assert trio.current_time() == begun
        refused.append(caught.value)

    async def main() -> None:
        async with assert_no_leaks(), serve_memory(feed_with_outage) as server:
            transport: Any = memory_transport(server.connect, httpx)
            transport._pool._max_connections = 2 * STREAMS
            async with httpx.AsyncClient(transport=transport) as client:
                crowd = Crowd(client, server.url, config)
                async with trio.open_nursery() as nursery:
                    for number in range(STREAMS):
                        nursery.start_soon(crowd.subscribe, number)
                    nursery.start_soon(open_another, client, server.url)
        times = [request.time for request in server.requests if OUTAGE <= request.time < BACK]
        # One of them is the stream that was opened meanwhile.
        assert len(times) - 1 <= 100 + 10 * (BACK - OUTAGE)
        assert len(crowd.back) == STREAMS
        assert max(crowd.back.values()) <= BACK + STREAMS / 10 + config.max_backoff
        for got in crowd.got.values():
            assert got == list(range(1, len(got) + 1))
        [error] = refused
        assert "the retry budget is empty" in error.__notes__[0]
        assert error.outcome is not None
        assert error.outcome.attempts == 1
        assert error.status_code == 503

    run(main)
