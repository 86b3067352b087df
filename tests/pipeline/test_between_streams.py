"""What streams do to one another, and to a task that is not theirs."""

from __future__ import annotations

import gc
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.pipeline.worlds import MEMORY, World
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError, StreamStatusError
from trio_stream.framing import ServerSentEvent
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import Attempt, open_stream
from trio_stream.testing import Event, Head, Reset, Stall, Truncate, assert_no_leaks

FEED = [Event("a"), Event("b"), Event("c"), Stall()]

worlds = pytest.mark.parametrize("world", MEMORY, ids=lambda world: world.name)


@worlds
@pytest.mark.parametrize(
    ("answer", "ending", "items"),
    [([Event("x"), Truncate()], Ending.TRUNCATED, 1), ([Head(503)], Ending.FAILED, 0)],
    ids=["cut", "refused"],
)
def test_error_that_passes_through_another_stream(
    world: World, answer: Any, ending: Ending, items: int
) -> None:
    """An error keeps the outcome of its own stream, and the other one is not told of it."""
    passing: list[StreamError] = []
    told: list[StreamError] = []
    outcomes: list[StreamOutcome[Any]] = []
    outer = StreamConfig(on_error=passing.append, on_outcome=outcomes.append)
    inner = StreamConfig(on_error=told.append)

    async def ask_for_each(client: Any, url: str) -> None:
        async with open_stream("GET", url, client=client, config=outer) as feed:
            async for _ in feed:
                async with open_stream("GET", url, client=client, config=inner) as rx:
                    await rx.result()

    async def main() -> StreamError:
        async with (
            assert_no_leaks(),
            world.serve([FEED, answer], max_connections=2) as (client, server),
        ):
            with pytest.raises(StreamError) as caught:
                await ask_for_each(client, server.url)
            return caught.value

    error: StreamError = world.run(main)
    assert (error.outcome.ending, error.outcome.items) == (ending, items)
    assert (told, passing) == ([error], [])
    assert [(each.ending, each.error) for each in outcomes] == [(Ending.CLOSED, error)]


@worlds
@pytest.mark.parametrize("first", [True, False], ids=["first request", "second"])
def test_error_of_a_stream_that_makes_a_request(world: World, first: bool) -> None:
    """An error that ends a stream has the outcome of this one, wherever it comes from."""
    told: list[StreamError] = []
    config = StreamConfig(on_error=told.append, initial_backoff=0.0)

    async def main() -> StreamError:
        plan = [[Head(403)]] if first else [[Event("a", id="1"), Reset()], [Head(403)]]
        async with (
            assert_no_leaks(),
            world.serve(plan, max_connections=2) as (client, server),
        ):

            async def fetch_token(attempt: Attempt) -> None:
                if first or attempt.number == 2:
                    async with open_stream("GET", server.url, client=client) as rx:
                        await rx.result()

            async def read() -> None:
                async with open_stream(
                    "GET",
                    server.url,
                    client=client,
                    reconnect="resume",
                    request_factory=fetch_token,
                    config=config,
                ) as rx:
                    await rx.result()

            with pytest.raises(StreamStatusError) as caught:
                await read()
            return caught.value

    error: StreamError = world.run(main)
    assert error.outcome.items == (0 if first else 1)
    assert told[-1] is error


@worlds
def test_error_of_the_caller_s_own_making(world: World) -> None:
    """A `StreamError` that no stream has ended with is given the outcome of the one it leaves."""
    mine = StreamError("mine")

    async def read_and_raise(client: Any, url: str) -> None:
        async with open_stream("GET", url, client=client) as rx:
            await rx.receive()
            raise mine

    async def main() -> None:
        async with assert_no_leaks(), world.serve(FEED) as (client, server):
            with pytest.raises(StreamError):
                await read_and_raise(client, server.url)

    world.run(main)
    assert mine.has_outcome
    assert mine.outcome.ending is Ending.CLOSED


@worlds
def test_generator_that_is_dropped(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Trio finalizes it in a task of its own, where a stream cannot be left: told, not waited."""
    outcomes: list[StreamOutcome[Any]] = []
    config = StreamConfig(on_outcome=outcomes.append)

    async def events(client: Any, url: str) -> AsyncGenerator[ServerSentEvent]:
        async with open_stream("GET", url, client=client, config=config) as rx:
            async for event in rx:
                yield event

    async def main() -> None:
        async with world.serve(FEED) as (client, server):
            async for _ in events(client, server.url):
                break
            gc.collect()
            await wait_all_tasks_blocked()
            assert [each.ending for each in outcomes] == [Ending.CLOSED]
            assert "aclosing" in str(outcomes[0].error)
            await server.wait_disconnected()

    with (
        pytest.warns(ResourceWarning, match="aclosing"),
        pytest.raises(RuntimeError, match="Nursery stack corrupted"),  # trio's, when the run ends
    ):
        world.run(main)
    assert "a stream must be left in the task that has opened it" in caplog.text
