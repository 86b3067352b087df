"""Views of a message stream: `StreamReceiver.text` and `StreamReceiver.tool_calls`."""

from __future__ import annotations

import gc
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.pipeline.played import START, WORLD, call, playing, stop, text
from tests.pipeline.worlds import Letters
from tests.spelling import spelled
from trio_stream.dialects import (
    AnthropicMessages,
    BlockFinished,
    BlockStarted,
    IncompleteToolCall,
    MessageDelta,
    MessageFinished,
    Ping,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    UnknownEvent,
)
from trio_stream.errors import InBandError, StreamTruncatedError
from trio_stream.outcome import Ending
from trio_stream.pipeline import open_stream
from trio_stream.testing import Event, Send, Stall, Wait, assert_no_leaks

THINKING = [
    BlockStarted(0, ThinkingPart(finished=False)),
    ThinkingDelta(0, "hm"),
    BlockFinished(0, ThinkingPart("hm")),
]
OSLO = {"city": "Oslo"}


# ---- what is shown -------------------------------------------------------------------------------


async def test_text_alone(autojump_clock: MockClock) -> None:
    """Only text is shown, in its pieces and with none of them empty; all else is passed over."""
    items = [
        START,
        Ping(),
        *THINKING,
        *text(1, "Hel", "", "lo"),
        *call(2, '{"city": "Oslo"}', OSLO),
        UnknownEvent("new"),
        BlockStarted(3, TextPart(" wor")),
        TextDelta(3, "ld"),
        BlockFinished(3, TextPart(" world")),
        *stop(),
    ]
    async with playing(*items) as rx:
        assert [piece async for piece in rx.text()] == ["Hel", "lo", " wor", "ld"]
        assert (await rx.result()).text == "Hello world"
    assert rx.outcome.ending is Ending.COMPLETED
    assert rx.outcome.items == len(items)


async def test_text_of_the_first_answer(autojump_clock: MockClock) -> None:
    """Of several answers the first is shown, also where one view goes on after another."""
    items = [
        START,
        BlockStarted(0, TextPart("B"), choice=1),
        BlockStarted(1, TextPart("a"), choice=0),
        TextDelta(1, "b"),
        TextDelta(0, "C"),
        TextDelta(1, "c"),
        *[BlockFinished(1, TextPart("abc")), BlockFinished(0, TextPart("BC"))],
        *call(2, "{}", {}, choice=1),
        *[MessageDelta("end_turn"), MessageDelta("tool_use", choice=1), MessageFinished()],
    ]
    async with playing(*items) as rx:
        assert await anext(rx.text()) == "a"
        assert await anext(rx.text()) == "b"
        assert [piece async for piece in rx.text()] == ["c"]
    assert rx.outcome.value.text == "abc"
    async with playing(*items) as rx:
        assert [each async for each in rx.tool_calls()] == []
    assert rx.outcome.value.alternatives[0].tool_calls


async def test_tool_calls_as_they_close(autojump_clock: MockClock) -> None:
    """Each call comes in the moment in which it is whole, and one that is none never comes."""
    broken = IncompleteToolCall("call_2", "tool", '{"ci', "the arguments are not JSON")
    items = [
        START,
        *text(0, "Let me see"),
        *call(1, '{"city": "Oslo"}', OSLO),
        Wait(1),
        *[BlockStarted(2, IncompleteToolCall("call_2", "tool")), BlockFinished(2, broken)],
        Wait(1),
        *call(3, "", {}),
        Wait(1),
        *stop("tool_use"),
    ]
    async with playing(*items) as rx:
        start = trio.current_time()
        came = [(each.id, trio.current_time() - start) async for each in rx.tool_calls()]
    assert came == [("call_1", 0), ("call_3", 2)]
    assert rx.outcome.value.parts[2] == broken


async def test_passed_over_items_are_delivered(autojump_clock: MockClock) -> None:
    """What a view passes over has been delivered: the snapshot and the statistics have it."""
    items = [START, *THINKING, *text(1, "one", "two"), *call(2, "{}", {}), *stop()]
    async with playing(*items) as rx:
        assert await anext(rx.text()) == "one"
        assert rx.snapshot().thinking == "hm"
        assert rx.snapshot().text == "one"
        assert rx.statistics().items_delivered == 6
        assert isinstance(await anext(rx.tool_calls()), ToolCall)
        assert rx.snapshot().text == "onetwo"
        assert type(await rx.receive()) is MessageDelta


# ---- how they end --------------------------------------------------------------------------------


async def test_error_comes_after_what_came_before(autojump_clock: MockClock) -> None:
    """A view raises what its receiver would, after everything before it; and again."""
    fault = InBandError("overloaded")
    async with playing(START, *text(0, "one"), fault) as rx:
        view = rx.text()
        assert await anext(view) == "one"
        for _ in range(2):
            with pytest.raises(InBandError) as caught:
                await anext(view)
            assert caught.value is fault
        with pytest.raises(InBandError):
            await anext(rx.tool_calls())
    assert rx.outcome.ending is Ending.FAILED


async def test_truncated_stream(autojump_clock: MockClock) -> None:
    """Text that was cut is no whole text: the view says so, and shows no call that was cut."""
    async with playing(START, *text(0, "one"), *call(1, "{}", {})[:-1]) as rx:
        with pytest.raises(StreamTruncatedError):
            await anext(rx.tool_calls())
    assert rx.outcome.value.text == "one"


async def test_end_and_again(autojump_clock: MockClock) -> None:
    """A view that has come to the end stays there; so does every other one."""
    async with playing(START, *text(0, "one"), *stop()) as rx:
        view = rx.text()
        assert [piece async for piece in view] == ["one"]
        assert [piece async for piece in view] == []
        assert [piece async for piece in rx.tool_calls()] == []


async def test_cancelled_view_loses_nothing(autojump_clock: MockClock) -> None:
    """A view that is cancelled while it waits can be asked again."""
    items: list[Any] = [START, *text(0, "one", "two", "three"), *stop()]
    for place in range(len(items), 0, -1):
        items.insert(place, Wait(1))
    async with playing(*items) as rx:
        view, got = rx.text(), []
        while len(got) < 3:
            with trio.move_on_after(0.3):
                got.append(await anext(view))
    assert got == ["one", "two", "three"]


async def test_cancelled_among_items_in_hand(autojump_clock: MockClock) -> None:
    """A view that passes over items that are all here can be cancelled on the way."""
    async with playing(START, *THINKING, *text(1, "one"), *stop()) as rx:
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            scope.cancel()
            await anext(rx.text())
        assert scope.cancelled_caught
        assert await anext(rx.text()) == "one"


async def test_left_in_the_middle(autojump_clock: MockClock) -> None:
    """A loop that is left leaves nothing to clean up: no generator, no task, no connection."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with playing(START, *text(0, "one", "two"), Stall()) as rx:
            await wait_all_tasks_blocked()
            async for _ in rx.text():
                break
        gc.collect()
    assert rx.outcome.ending is Ending.CLOSED
    assert rx.outcome.value.text == "onetwo"


async def test_closed_receiver(autojump_clock: MockClock) -> None:
    """A view of a receiver that was closed is closed, too."""
    async with playing(START, *text(0, "one"), Stall()) as rx:
        view = rx.text()
        await rx.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await anext(view)


async def test_two_tasks(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Two views at once are two tasks that receive: the second is told so."""
    async with playing(START, *text(0, "one"), Wait(1), *stop()) as rx:

        @nursery.start_soon
        async def _() -> None:
            assert [piece async for piece in rx.text()] == ["one"]

        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(rx.tool_calls())
        await trio.sleep(2)


# ---- what has no text ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"dialect": Letters()}, {"item": int}], ids=spelled)
@pytest.mark.parametrize("view", ["text", "tool_calls"])
async def test_no_message(autojump_clock: MockClock, view: str, options: dict[str, Any]) -> None:
    """A stream whose items are not those of a message has no views, and says so at the call."""
    script = [Event("1"), Event(".")]
    async with (
        assert_no_leaks(),
        WORLD.serve(script) as (client, server),
        open_stream("GET", server.url, client=client, **options) as rx,
    ):
        with pytest.raises(TypeError, match=rf"{view}\(\) needs the items of a message"):
            getattr(rx, view)()


async def test_no_views_of_drafts(autojump_clock: MockClock) -> None:
    """Drafts are no items of a message, either."""
    async with playing(START, *text(0, "1"), *stop(), item=int) as rx:
        with pytest.raises(TypeError, match="without an item type"):
            rx.text()
        assert (await rx.result()).value == 1


# ---- recorded streams ----------------------------------------------------------------------------

RECORDED = sorted(
    Path(os.environ.get("TRIO_STREAM_CORPORA", "/nowhere"), "recorded").glob(
        "anthropic-messages-*.sse"
    )
)


@pytest.mark.skipif(not RECORDED, reason="TRIO_STREAM_CORPORA is not set")
async def test_recorded_streams(autojump_clock: MockClock) -> None:
    """The pieces make up the text of the message, and the calls are those of the message."""
    for path in RECORDED:
        body = path.read_bytes()
        for view in ("text", "tool_calls"):
            async with (
                WORLD.serve([Send(body)]) as (client, server),
                open_stream("GET", server.url, client=client, dialect=AnthropicMessages()) as rx,
            ):
                shown: list[Any] = [each async for each in getattr(rx, view)()]
                message = await rx.result()
            if view == "text":
                assert "".join(shown) == message.text
                assert "" not in shown
            else:
                assert tuple(shown) == message.tool_calls
