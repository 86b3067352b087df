"""The figures of a stream of several connections: what counts, how often, and from when on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_stream.config import StreamConfig
from trio_stream.outcome import Timings
from trio_stream.pipeline import StreamReceiver, open_stream
from trio_stream.retry import LastEventID
from trio_stream.testing import Event, Head, Plan, Refuse, Reset, Step, Wait, memory_client

# What follows a cut does so 9, 18, 36, ... seconds later.
CONFIG = StreamConfig(initial_backoff=9.0, max_backoff=99.0, jitter=False, on_bad_item="skip")
NUMBERS = {"number": int}


def number(data: str, id_: str | None = None) -> Event:
    return Event(data, event="number", id=id_)


def unknown(id_: str | None = None) -> Event:
    return Event("0", event="letter", id=id_)


def size(*scripts: Sequence[Step]) -> int:
    """How many bytes of body the events of some scripts are."""
    events = [step for script in scripts for step in script if isinstance(step, Event)]
    return sum(len(piece) for event in events for piece in event.pieces())


async def play(plan: Plan, *, pause: float = 0.0, **options: Any) -> StreamReceiver[Any, Any]:
    """Receive all of a stream, ``pause`` seconds after it was opened."""
    async with (
        memory_client(plan) as (client, server),
        open_stream("GET", server.url, client=client, config=CONFIG, **options) as rx,
    ):
        await trio.sleep(pause)
        await rx.result()
    return rx


@pytest.mark.parametrize("between", [[], [[Refuse()]], [[Head(503)], [Refuse()]]], ids=str)
async def test_figures_of_a_stream_that_goes_on(autojump_clock: MockClock, between: Any) -> None:
    """All connections count, each once, though the decoder that counts passes from one to the next.

    Attempts without an answer are no connections.
    """
    first = [number("1", "a"), number("bad", "b"), unknown("c"), Reset()]
    second = [number("2", "d"), number("bad", "e"), Reset()]
    third = [unknown("f"), number("bad", "g"), number("3", "h")]
    rx = await play([first, *between, second, third], item=NUMBERS, reconnect="resume")
    outcome = rx.outcome
    assert (outcome.items, outcome.skipped_items, outcome.unknown_events) == (5, 3, 2)
    assert outcome.bytes_received == rx.statistics().bytes_received == size(first, second, third)
    assert outcome.duplicate_items == 0


class OwnIDs(LastEventID):
    """A cursor of the user's: the parser knows nothing of it, and drops nothing."""


@pytest.mark.parametrize("cursor", [LastEventID(), OwnIDs()], ids=["parser", "position"])
async def test_duplicates_of_several_connections(
    autojump_clock: MockClock, cursor: LastEventID
) -> None:
    """What came again is counted on each connection, whoever has dropped it."""
    old = [number("1", "a"), number("2", "b")]
    plan = [[*old, Reset()], [*old, number("3", "c"), Reset()], [*old, number("4", "d")]]
    rx = await play(plan, reconnect="resume", cursor=cursor)
    assert [event.data for event in rx.outcome.value] == ["1", "2", "3", "4"]
    assert rx.outcome.duplicate_items == 4
    assert rx.outcome.bytes_received == size(*plan)


async def test_figures_of_a_stream_that_begins_anew(autojump_clock: MockClock) -> None:
    """A restart has a decoder of its own; what the one before has counted stands."""
    once = [number("1"), number("bad"), unknown()]
    plan = [[*once, Reset()], [Refuse()], [*once, *once, Reset()], [Head(204)]]
    rx = await play(plan, item=NUMBERS, reconnect="always")
    assert (rx.outcome.skipped_items, rx.outcome.unknown_events) == (3, 3)
    assert rx.outcome.bytes_received == 3 * size(once)


async def test_figures_of_attempts_in_vain(autojump_clock: MockClock) -> None:
    """Of what was thrown away, only the bytes are counted, and the first of them is stamped."""
    vain = [Wait(1), number("1"), number("bad"), unknown(), Reset()]
    last = [Wait(1), number("bad"), Wait(1), number("2"), Wait(1), unknown()]
    rx = await play([vain, vain, last], pause=99, item=NUMBERS, reconnect="before_first_item")
    outcome = rx.outcome
    assert (outcome.attempts, outcome.items) == (3, 2)
    assert (outcome.skipped_items, outcome.unknown_events) == (1, 1)
    assert outcome.bytes_received == size(vain, vain, last)
    began = 1 + 9 + 1 + 18
    assert outcome.timings == Timings(
        headers=1, first_byte=1, first_item=began + 2, last_item=began + 3, total=1 + 99
    )


async def test_times_of_a_stream_that_goes_on(autojump_clock: MockClock) -> None:
    """The head and the first byte are those of the first connection, the last item of the last.

    A body that brings nothing has no first byte.
    """
    empty = [Head(200), Wait(2), Reset()]
    plan = [empty, [Head(200), Wait(3), number("1", "a"), Reset()], [number("2", "b")]]
    rx = await play(plan, reconnect="resume")
    began = 2 + 9
    assert rx.outcome.timings == Timings(
        headers=0,
        first_byte=began + 3,
        first_item=began + 3,
        last_item=began + 12,
        total=began + 12,
    )


async def test_bytes_at_any_moment(autojump_clock: MockClock) -> None:
    """The bytes of a live stream are all that have come, also while there is no connection."""
    first, second = [number("1", "a"), Reset()], [number("2", "b"), Wait(5), number("3", "c")]
    async with (
        memory_client([first, second]) as (client, server),
        open_stream("GET", server.url, client=client, config=CONFIG, reconnect="resume") as rx,
    ):
        seen = []
        for _ in range(5):
            await trio.sleep(4)
            if rx.statistics().items_buffered:
                rx.receive_nowait()
            seen.append(rx.statistics().bytes_received)
        await rx.result()
    assert seen == [size(first)] * 2 + [size(first, second[:1])] + [size(first, second)] * 2
