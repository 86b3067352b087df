"""The consumer's end: receiving, looking, leaving."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.pipeline.worlds import MEMORY, Letters
from trio_stream.config import StreamConfig
from trio_stream.errors import (
    LimitExceededError,
    StreamError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.outcome import Ending, Phase, StreamState
from trio_stream.pipeline import StreamReceiver, StreamStatistics, open_stream
from trio_stream.testing import Event, Head, Plan, Reset, Stall, Truncate, Wait, assert_no_leaks

WORLD = MEMORY[0]
ABC = [Event("a"), Event("b"), Event("c")]


@asynccontextmanager
async def receiving(plan: Plan, **options: Any) -> AsyncGenerator[StreamReceiver[Any, Any]]:
    """A stream of letters; the connection of its client is free again in the end."""
    settings = {name: options.pop(name) for name in list(options) if name in CONFIG}
    options.setdefault("dialect", Letters())
    async with assert_no_leaks(), WORLD.serve(plan) as (client, server):
        async with open_stream(
            "GET", server.url, client=client, config=StreamConfig(**settings), **options
        ) as rx:
            yield rx
        assert client._transport._pool._requests == []


CONFIG = {attribute.name for attribute in StreamConfig.__attrs_attrs__}


# ---- receiving -------------------------------------------------------------------------------


async def test_it_is_a_receive_channel(autojump_clock: MockClock) -> None:
    """A receiver stands wherever trio wants a channel to receive from."""
    async with receiving([*ABC, Event(".")]) as rx:
        assert isinstance(rx, trio.abc.ReceiveChannel)
        assert await rx.receive() == "a"
        assert [item async for item in rx] == ["b", "c", "."]
        with pytest.raises(trio.EndOfChannel):
            await rx.receive()
        with pytest.raises(trio.EndOfChannel):
            rx.receive_nowait()
        assert [item async for item in rx] == []


async def test_error_is_raised_again_and_again(autojump_clock: MockClock) -> None:
    """A stream that failed goes on to say so, with the same error."""
    async with receiving([*ABC, Reset()]) as rx:
        assert [await rx.receive() for _ in "abc"] == ["a", "b", "c"]
        errors = []
        for receive in (rx.receive, rx.receive, rx.result, rx.result):
            with pytest.raises(StreamError) as caught:
                await receive()
            errors.append(caught.value)
        with pytest.raises(StreamError) as caught:
            rx.receive_nowait()
        assert {id(error) for error in errors} == {id(caught.value)}
        assert rx.outcome.error is caught.value


async def test_receive_nowait(autojump_clock: MockClock) -> None:
    """What is here is given at once; what is not, is not waited for."""
    async with receiving([Event("a"), Event("b"), Wait(1), Event("c"), Truncate()]) as rx:
        await wait_all_tasks_blocked()
        assert [rx.receive_nowait(), rx.receive_nowait()] == ["a", "b"]
        with pytest.raises(trio.WouldBlock):
            rx.receive_nowait()
        await trio.sleep(2)
        assert rx.receive_nowait() == "c"
        with pytest.raises(StreamTruncatedError) as caught:
            rx.receive_nowait()
        assert caught.value.__context__ is caught.value.__cause__


async def test_cancelled_receive_loses_nothing(autojump_clock: MockClock) -> None:
    """An item that comes in the moment of a cancellation is the next one to be received."""
    script = [each for n in range(100) for each in (Event(str(n)), Wait(1))]
    got = []
    async with receiving([*script, Event(".")]) as rx:
        while not got or got[-1] != ".":
            with trio.move_on_after(0.4):
                got.append(await rx.receive())
    assert got == [*map(str, range(100)), "."]


async def test_cancelled_receive_with_items_in_hand_raises(autojump_clock: MockClock) -> None:
    """A consumer that always finds an item can be cancelled all the same."""
    async with receiving([*ABC, Stall()]) as rx:
        await wait_all_tasks_blocked()
        assert await rx.receive() == "a"
        with trio.CancelScope() as scope:
            scope.cancel()
            await rx.receive()
        assert scope.cancelled_caught
        assert await rx.receive() == "b"


async def test_one_task_at_a_time(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A second task that receives is told so, and the first one is not disturbed."""
    async with receiving([Head(), Wait(1), *ABC, Event(".")]) as rx:
        got = []

        @nursery.start_soon
        async def _() -> None:
            got.append(await rx.receive())

        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await rx.receive()
        with pytest.raises(trio.BusyResourceError):
            rx.receive_nowait()
        await trio.sleep(2)
        assert got == ["a"]
        assert await rx.result() == ["a", "b", "c", "."]


# ---- the result ------------------------------------------------------------------------------


async def test_result_drains(autojump_clock: MockClock) -> None:
    """The result covers the whole stream, what was delivered before included; twice, too."""
    async with receiving([*ABC, Event(".")]) as rx:
        assert await rx.receive() == "a"
        assert await rx.result() == ["a", "b", "c", "."]
        assert await rx.result() == ["a", "b", "c", "."]
    assert await rx.result() == ["a", "b", "c", "."]


async def test_cancelled_result_can_be_taken_up(autojump_clock: MockClock) -> None:
    """What a cancelled `result` has received stays received."""
    async with receiving([Event("a"), Wait(2), Event("b"), Event(".")]) as rx:
        with trio.move_on_after(1) as scope:
            await rx.result()
        assert scope.cancelled_caught
        assert rx.snapshot() == ["a"]
        assert await rx.result() == ["a", "b", "."]


async def test_result_of_a_stream_that_was_left(autojump_clock: MockClock) -> None:
    """There is no result of a stream that was left before its end."""
    async with receiving([*ABC, Event("."), Stall()]) as rx:
        await rx.receive()
        await rx.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await rx.result()
    with pytest.raises(trio.ClosedResourceError):
        await rx.result()


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
async def test_result_is_whole_or_none(autojump_clock: MockClock, kept: int) -> None:
    """Without a dialect, items that were dropped are missed, and not passed over in silence."""
    async with receiving(ABC, dialect=None, max_kept_items=kept) as rx:
        if kept == 3:
            assert [item.data for item in await rx.result()] == ["a", "b", "c"]
        else:
            with pytest.raises(LimitExceededError, match=f"first {3 - kept} items") as caught:
                await rx.result()
            assert caught.value.limit == "max_kept_items"
    assert [item.data for item in rx.snapshot()] == ["a", "b", "c"][3 - kept :]
    assert rx.outcome.is_complete
    assert rx.outcome.items == 3


# ---- looking ---------------------------------------------------------------------------------


async def test_snapshot_is_what_was_delivered(autojump_clock: MockClock) -> None:
    """At each moment the snapshot is the items so far, and each is a value of its own."""
    letters = [*"abcdefgh", "."]
    async with receiving([Event(letter) for letter in letters]) as rx:
        got: list[str] = []
        snapshots = [rx.snapshot()]
        async for item in rx:
            got.append(item)
            snapshots.append(rx.snapshot())
            assert snapshots[-1] == got
        assert rx.snapshot() == rx.outcome.value == got
    assert [len(each) for each in snapshots] == list(range(len(letters) + 1))


async def test_snapshot_stays_when_the_stream_is_left(autojump_clock: MockClock) -> None:
    """After an early exit the snapshot is still what was delivered; the outcome has the rest."""
    async with receiving([*ABC, Stall()]) as rx:
        await rx.receive()
        await wait_all_tasks_blocked()
    assert rx.snapshot() == ["a"]
    assert rx.outcome.value == ["a", "b", "c"]


async def test_statistics(autojump_clock: MockClock) -> None:
    """Items are received, then buffered, then delivered."""
    async with receiving([*ABC, Event("."), Stall()]) as rx:
        assert rx.statistics() == StreamStatistics(0, 0, 0, 0)
        await wait_all_tasks_blocked()
        assert rx.statistics() == StreamStatistics(4, 0, 4, 36)
        await rx.receive()
        assert rx.statistics() == StreamStatistics(4, 1, 3, 36)
        await rx.aclose()
        assert rx.statistics() == StreamStatistics(4, 1, 0, 36)


async def test_statistics_of_a_long_queue(autojump_clock: MockClock) -> None:
    """Every item that was decoded is either delivered or buffered, however many there are."""
    script = [Event("x" * 100) for _ in range(1000)]
    async with receiving([*script, Event(".")], chunk_size=500) as rx:
        async for _ in rx:
            statistics = rx.statistics()
            delivered, buffered = statistics.items_delivered, statistics.items_buffered
            assert (
                statistics.items_received == delivered + buffered == len(rx.snapshot()) + buffered
            )


async def test_state(autojump_clock: MockClock) -> None:
    """The state follows the stream: connection, items, the last event ID, the last error."""
    script = [Event("a", id="7"), Wait(2), Event("b"), Wait(2), Reset()]
    async with receiving(script, dialect=None) as rx:
        await rx.receive()
        assert rx.state == StreamState(
            Phase.STREAMING, is_connected=True, total_items_received=1, last_event_id="7"
        )
        await trio.sleep(3)
        assert rx.state.total_items_received == 2
        await trio.sleep(3)
        assert not rx.state.is_connected
        assert await rx.receive()
        with pytest.raises(StreamError) as caught:
            await rx.receive()
        assert rx.state.last_error is caught.value
    assert rx.outcome.last_event_id == "7"


async def test_response(autojump_clock: MockClock) -> None:
    """The head of the response is there from the beginning, and stays."""
    async with receiving([*ABC, Event(".")]) as rx:
        assert rx.response.status_code == 200
        assert rx.response.headers["Content-Type"] == "text/event-stream"
        assert rx.response.url == "http://memory.test"
        assert rx.response.http_version == "HTTP/1.1"
    assert rx.response.content_type == "text/event-stream"


async def test_no_outcome_before_the_end(autojump_clock: MockClock) -> None:
    """A stream that has not ended has no outcome."""
    async with receiving([*ABC, Event(".")]) as rx:
        await rx.receive()
        with pytest.raises(RuntimeError, match="not ended"):
            _ = rx.outcome
        await rx.result()
        assert rx.outcome.is_complete  # at once, and not only after the block


async def test_timings(autojump_clock: MockClock) -> None:
    """Times are seconds from the request on, by trio's clock; items count when they are decoded."""
    script = [Wait(1), Event("a"), Wait(1), Event("b"), Wait(1), Event(".")]
    async with receiving(script) as rx:
        await trio.sleep(100)
        await rx.result()
    timings = rx.outcome.timings
    assert timings.headers == timings.first_byte == timings.first_item == pytest.approx(1)
    assert timings.last_item == pytest.approx(3)
    assert timings.total == pytest.approx(101)


# ---- leaving ---------------------------------------------------------------------------------


async def test_aclose_from_within_the_loop(autojump_clock: MockClock) -> None:
    """A loop whose body closes the stream ends as with any channel: nothing more is delivered."""
    got = []
    async with receiving([*ABC, Stall()]) as rx:
        await wait_all_tasks_blocked()
        told = False
        try:
            async for item in rx:
                got.append(item)
                await rx.aclose()
                assert rx.outcome.ending is Ending.CLOSED
                await rx.aclose()
        except trio.ClosedResourceError:
            told = True
    assert told
    assert got == ["a"]
    assert rx.snapshot() == ["a"]
    assert rx.outcome.value == ["a", "b", "c"]


async def test_use_after_exit(autojump_clock: MockClock) -> None:
    """A stream that was left gives nothing any more, and says so."""
    async with receiving([*ABC, Stall()]) as rx:
        await wait_all_tasks_blocked()
        assert await rx.receive() == "a"
    with pytest.raises(trio.ClosedResourceError):
        await rx.receive()
    with pytest.raises(trio.ClosedResourceError):
        rx.receive_nowait()
    await rx.aclose()
    assert rx.outcome.ending is Ending.CLOSED


async def test_aclose_is_a_checkpoint(autojump_clock: MockClock) -> None:
    """Closing in a cancelled scope closes, and then lets the cancellation through."""
    async with receiving([*ABC, Stall()]) as rx:
        with trio.CancelScope() as scope:
            scope.cancel()
            await rx.aclose()
        assert scope.cancelled_caught
        assert not rx.state.is_connected
        assert rx.outcome.ending is Ending.CANCELLED


async def test_channel_idiom_tells_the_ending_too(autojump_clock: MockClock) -> None:
    """``async with rx:`` in the body, as is usual with channels, hides no exception."""
    error = ValueError()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        async with receiving([*ABC, Stall()]) as rx, rx:
            raise error
    assert caught.value is error
    assert (rx.outcome.ending, rx.outcome.error) == (Ending.CLOSED, error)

    with trio.move_on_after(1):
        async with receiving([*ABC, Stall()]) as rx, rx:
            await trio.sleep_forever()
    assert rx.outcome.ending is Ending.CANCELLED


async def test_aclose_by_another_task(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A receiver that waits while the stream is closed learns just that: no end, no success."""
    told: list[object] = []
    async with receiving([*ABC, Stall()]) as rx:

        @nursery.start_soon
        async def _() -> None:
            try:
                told.extend([item async for item in rx])
            except trio.ClosedResourceError:
                told.append("closed")

        await wait_all_tasks_blocked()
        await rx.aclose()
        assert rx.outcome.ending is Ending.CLOSED
    await wait_all_tasks_blocked()
    assert told == ["closed"]
    assert rx.snapshot() == ["a", "b", "c"]


async def test_exit_while_another_task_receives(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """A task that outlives the block learns that the stream was left."""
    told: list[object] = []
    async with receiving([*ABC, Stall()]) as rx:

        @nursery.start_soon
        async def _() -> None:
            try:
                await rx.result()
            except trio.ClosedResourceError:
                told.append("closed")

        await wait_all_tasks_blocked()
    await wait_all_tasks_blocked()
    assert told == ["closed"]
    assert rx.outcome.ending is Ending.CLOSED


async def test_two_tasks_close(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Whoever calls `aclose` returns when the stream is closed, also if another one was first."""
    async with receiving([*ABC, Stall()]) as rx:
        endings = []

        async def close() -> None:
            await rx.aclose()
            endings.append(rx.outcome.ending)

        nursery.start_soon(close)
        nursery.start_soon(close)
        await wait_all_tasks_blocked()
        assert endings == [Ending.CLOSED] * 2


async def test_cancelled_behind_a_shield(autojump_clock: MockClock) -> None:
    """A consumer that goes on behind a shield is not told that a cancelled stream is complete."""
    told = []
    with trio.CancelScope() as scope:
        async with receiving([*ABC, Stall()]) as rx:
            await rx.receive()
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
            with trio.CancelScope(shield=True):
                try:
                    await rx.result()
                except trio.ClosedResourceError:
                    told.append("closed")
            assert told == ["closed"]
    assert scope.cancelled_caught
    assert rx.outcome.ending is Ending.CANCELLED
    assert rx.outcome.value == ["a", "b", "c"]


async def test_terminal_item_makes_it_complete(autojump_clock: MockClock) -> None:
    """Who has been given the terminal item was there at the end, whatever happens next."""
    script = [Event("a"), Event("."), Stall()]
    with pytest.raises(KeyError):  # noqa: PT012
        async with receiving(script) as rx:
            assert [await rx.receive(), await rx.receive()] == ["a", "."]
            raise KeyError
    assert rx.outcome.ending is Ending.COMPLETED

    with trio.CancelScope() as scope:
        async with receiving(script) as rx:
            assert [await rx.receive(), await rx.receive()] == ["a", "."]
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert rx.outcome.ending is Ending.COMPLETED


async def test_errors_have_their_own_context(autojump_clock: MockClock) -> None:
    """No exception of the machinery stands behind an error in its traceback."""
    async with receiving([*ABC, Stall()], idle_timeout=1) as rx:
        for receive in (rx.result, rx.receive):
            with pytest.raises(StreamTimeoutError) as caught:
                await receive()
        assert caught.value.__context__ is None
    async with receiving(ABC) as rx:
        with pytest.raises(StreamTruncatedError) as truncated:
            await rx.result()
        assert truncated.value.__context__ is None
