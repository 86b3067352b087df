"""`run_tools`: stream, tools, stream, until the model stops."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.tools.streams import ANTHROPIC, CHAT, FORMATS, GEMINI, RESPONSES, Call, Format, events
from trio_stream import (
    Ending,
    InBandError,
    LimitExceededError,
    StreamConfig,
    StreamStatusError,
    StreamTruncatedError,
)
from trio_stream.dialects import BlockFinished, MessageStarted, TextDelta, ToolCall, Usage
from trio_stream.framing import SSE
from trio_stream.providers import turns_for
from trio_stream.testing import Head, Send, Step, Truncate, Wait, assert_no_leaks, memory_client
from trio_stream.tools import RunItem, ToolFinished, ToolRun, ToolStarted, run_tools, tool


@tool
async def get_weather(city: str) -> str:
    """Tell the weather."""
    await trio.sleep(1)
    if city == "Nowhere":
        raise LookupError(city)
    return f"rain in {city}"


@tool
async def hang() -> None:
    """Never return."""
    await trio.sleep_forever()


TOOLS = [get_weather, hang]
OSLO: Call = ("call_1", "get_weather", {"city": "Oslo"})
ROME: Call = ("call_2", "get_weather", {"city": "Rome"})
NOWHERE: Call = ("call_3", "get_weather", {"city": "Nowhere"})
HANG: Call = ("call_4", "hang", {})


def bodies(server: Any) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in server.requests]


async def play(run: ToolRun) -> list[RunItem]:
    return [item async for item in run]


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
async def test_whole_loop(format_: Format, autojump_clock: Any) -> None:
    """The server gets each turn back in its own format, with the results in the calls' order."""
    words = {"text": "Let me see.", "thought": "Hm."}
    scripts = [
        format_.answer(OSLO, NOWHERE, ROME, **words),
        format_.answer(ROME),
        format_.answer(text="It rains."),
    ]
    request = format_.request()
    async with (
        assert_no_leaks(),
        memory_client(scripts) as (client, server),
        run_tools(request, TOOLS, client=client) as run,
    ):
        texts = [item.text async for item in run if isinstance(item, TextDelta)]
        message = await run.result()

    first, second, third = bodies(server)
    [asked] = first[format_.field]
    said = "LookupError: Nowhere"
    one = [
        *format_.model_turns(OSLO, NOWHERE, ROME, **words),
        *format_.result_turns(
            [(OSLO, "rain in Oslo", False), (NOWHERE, said, True), (ROME, "rain in Rome", False)]
        ),
    ]
    two = [*format_.model_turns(ROME), *format_.result_turns([(ROME, "rain in Rome", False)])]
    assert second == {**first, format_.field: [asked, *one]}
    assert third == {**first, format_.field: [asked, *one, *two]}
    assert "get_weather" in json.dumps(first["tools"])
    assert texts == ["Let me see.", "It rains."]
    assert message is run.messages[-1]
    assert message.text == "It rains."
    assert [each.text for each in run.messages] == ["Let me see.", "", "It rains."]
    assert run.usage == Usage(30, 15)
    assert [result.call.name for result in run.results] == ["get_weather"] * 4
    last = format_.model_turns(text="It rains.")
    assert run.request["json"] == {**third, format_.field: [asked, *one, *two, *last]}
    assert request["json"][format_.field] == [asked]
    assert server.connections == 1


async def test_items_of_all_rounds_and_events_of_the_calls(autojump_clock: Any) -> None:
    """Items and events come in the order in which they happen."""
    scripts = [ANTHROPIC.answer(OSLO, ROME), ANTHROPIC.answer(text="Rain.")]
    async with (
        memory_client(scripts) as (client, _),
        run_tools(ANTHROPIC.request(), TOOLS, client=client, max_concurrency=1) as run,
    ):
        seen = []
        async for item in run:
            match item:
                case ToolStarted(call):
                    seen.append(f"started {call.id}")
                case ToolFinished(result):
                    seen.append(f"finished {result.call.id}")
                case BlockFinished(part=ToolCall() as call):
                    seen.append(f"closed {call.id}")
                case MessageStarted() | TextDelta():
                    seen.append(type(item).__name__)
                case _:
                    pass

    assert seen.index("closed call_1") < seen.index("started call_1")
    seen.remove("closed call_2")  # at the same moment as the start of the first
    assert seen == [
        "MessageStarted",
        "closed call_1",
        "started call_1",
        "finished call_1",
        "started call_2",
        "finished call_2",
        "MessageStarted",
        "TextDelta",
    ]


async def test_calls_run_while_the_stream_goes_on(autojump_clock: Any) -> None:
    """A call may be over before its stream is."""
    script = ANTHROPIC.answer(OSLO)
    scripts = [[*script[:-2], Wait(10), *script[-2:]], ANTHROPIC.answer(text="Rain.")]
    start = trio.current_time()
    finished = None
    async with (
        memory_client(scripts) as (client, _),
        run_tools(ANTHROPIC.request(), TOOLS, client=client) as run,
    ):
        async for item in run:
            if isinstance(item, ToolFinished):
                finished = trio.current_time() - start

    assert finished == 1
    assert trio.current_time() - start == 10


async def test_connection_is_free_while_calls_run(autojump_clock: Any) -> None:
    """A call that takes longer than its stream does not keep the connection of the stream."""
    checked = []

    @tool
    async def look() -> None:
        await trio.sleep(5)
        [connection] = client._transport._pool.connections
        checked.append(connection.is_idle())

    scripts = [ANTHROPIC.answer(("a", "look", {})), ANTHROPIC.answer()]
    async with (
        memory_client(scripts) as (client, _),
        run_tools(ANTHROPIC.request(), [look], client=client) as run,
    ):
        await run.result()

    assert checked == [True]


async def test_tools_that_the_request_declares(autojump_clock: Any) -> None:
    """A tool that the request declares already is not declared again."""
    mine = {"name": "get_weather", "input_schema": {"type": "object"}, "cache_control": {}}
    request = ANTHROPIC.request(tools=[mine, {"type": "web_search_20250305", "name": "web_search"}])
    async with (
        memory_client(ANTHROPIC.answer(text="Rain.")) as (client, server),
        run_tools(request, TOOLS, client=client) as run,
    ):
        await run.result()

    [body] = bodies(server)
    names = [declared["name"] for declared in body["tools"]]
    assert names == ["get_weather", "web_search", "hang"]
    assert body["tools"][0] == mine


# --- when it goes on ---------------------------------------------------------------------------


async def test_model_that_pauses(autojump_clock: Any) -> None:
    """A turn that the provider interrupted is sent back as it is, to be continued."""
    scripts = [ANTHROPIC.answer(text="Searching", stop="pause_turn"), ANTHROPIC.answer(text="Ok")]
    async with (
        memory_client(scripts) as (client, server),
        run_tools(ANTHROPIC.request(), TOOLS, client=client) as run,
    ):
        message = await run.result()

    assert bodies(server)[1]["messages"][1:] == ANTHROPIC.model_turns(text="Searching")
    assert message.text == "Ok"


async def test_calls_under_a_reason_that_does_not_tell(autojump_clock: Any) -> None:
    """Servers that end a turn with calls as if it had none are understood."""
    scripts = [CHAT.answer(OSLO, stop="stop"), CHAT.answer(text="Rain.")]
    async with (
        memory_client(scripts) as (client, _),
        run_tools(CHAT.request(), TOOLS, client=client) as run,
    ):
        assert (await run.result()).text == "Rain."


@pytest.mark.parametrize(
    ("format_", "stop"),
    [(ANTHROPIC, "max_tokens"), (ANTHROPIC, "refusal"), (RESPONSES, "max_output_tokens")],
    ids=lambda each: str(getattr(each, "name", each)),
)
async def test_model_that_was_cut_off(format_: Format, stop: str, autojump_clock: Any) -> None:
    """A model that was cut off or refused has stopped; the calls that were whole were made."""
    async with (
        memory_client(format_.answer(OSLO, stop=stop)) as (client, server),
        run_tools(format_.request(), TOOLS, client=client) as run,
    ):
        message = await run.result()

    assert message.stop_reason in ("max_tokens", "refusal")
    assert len(server.requests) == 1
    assert [result.content for result in run.results] == ["rain in Oslo"]
    # It could go on from here: each call has its result.
    assert run.request["json"][format_.field][1:] == [
        *format_.model_turns(OSLO),
        *format_.result_turns([(OSLO, "rain in Oslo", False)]),
    ]


async def test_too_many_rounds(autojump_clock: Any) -> None:
    """A model that does not stop is stopped; everything so far is there, to go on with."""
    async with (
        memory_client(ANTHROPIC.answer(OSLO)) as (client, server),
        run_tools(ANTHROPIC.request(), TOOLS, client=client, max_rounds=3) as run,
    ):
        with pytest.raises(LimitExceededError, match="after max_rounds=3 rounds") as caught:
            await run.result()
        with pytest.raises(LimitExceededError):
            await run.result()

    assert caught.value.limit == "max_rounds"
    assert caught.value.outcome is not None
    assert caught.value.outcome.value is run.messages[-1]
    assert len(server.requests) == len(run.messages) == len(run.results) == 3
    assert len(run.request["json"]["messages"]) == 7

    scripts = ANTHROPIC.answer(text="Rain.")
    async with (
        memory_client(scripts) as (client, server),
        run_tools(run.request, TOOLS, client=client) as more,
    ):
        assert (await more.result()).text == "Rain."
    assert bodies(server)[0]["messages"] == run.request["json"]["messages"]


async def test_many_rounds(autojump_clock: Any) -> None:
    """However many rounds there are, a stream can get as far ahead as in the first."""
    scripts = [ANTHROPIC.answer(OSLO)] * 70 + [ANTHROPIC.answer(text="Rain.")]
    async with (
        memory_client(scripts) as (client, _),
        run_tools(ANTHROPIC.request(), TOOLS, client=client, max_rounds=100) as run,
    ):
        assert (await run.result()).text == "Rain."

    assert len(run.messages) == 71
    assert run._room.value == 64


# --- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "error", "ending"),
    [
        (
            [*ANTHROPIC.answer(OSLO, HANG, end=False)[:-1], Wait(5), Truncate()],
            StreamTruncatedError,
            Ending.TRUNCATED,
        ),
        (
            [
                *ANTHROPIC.answer(OSLO, HANG, end=False)[:-1],
                *events({"type": "error", "error": {"type": "overloaded_error"}}),
            ],
            InBandError,
            Ending.FAILED,
        ),
        ([Head(529), Send(b"overloaded")], StreamStatusError, Ending.FAILED),
    ],
    ids=["truncated", "error", "status"],
)
async def test_stream_that_fails(
    script: list[Step], error: type[Exception], ending: Ending, autojump_clock: Any
) -> None:
    """A stream that fails raises its error, after all that came before; nothing is sent back."""
    scripts = [ANTHROPIC.answer(ROME), script]
    items: list[RunItem] = []
    async with (
        assert_no_leaks(),
        memory_client(scripts) as (client, server),
        run_tools(ANTHROPIC.request(), TOOLS, client=client) as run,
    ):
        with pytest.raises(error) as caught:  # noqa: PT012
            async for item in run:
                items.append(item)  # noqa: PERF401

    assert caught.value.outcome.ending is ending
    assert len(run.messages) == len(run.results) == 1
    assert len(server.requests) == 2
    assert run.request["json"] == bodies(server)[1]
    closed = [item.part.id for item in items if isinstance(item, BlockFinished)]
    assert closed == ["call_2", "call_1", "call_4"][: len(closed)]
    assert len(closed) == (1 if error is StreamStatusError else 3)


async def test_tool_that_fails_if_asked(autojump_clock: Any) -> None:
    """With ``on_error="raise"`` the exception of a tool reaches the consumer as it is."""
    async with memory_client(ANTHROPIC.answer(HANG, NOWHERE)) as (client, server):
        run = run_tools(ANTHROPIC.request(), TOOLS, client=client, on_error="raise")
        async with run as items:
            with pytest.raises(LookupError, match="Nowhere") as caught:
                await play(items)
        assert len(server.requests) == 1

    assert caught.value.__context__ is None
    assert items.messages == []


async def test_tool_that_is_slow(autojump_clock: Any) -> None:
    """A call that takes too long is told to the model as such."""
    scripts = [ANTHROPIC.answer(HANG), ANTHROPIC.answer(text="Sorry.")]
    async with (
        memory_client(scripts) as (client, _),
        run_tools(ANTHROPIC.request(), TOOLS, client=client, timeout=5) as run,
    ):
        await run.result()

    assert [result.content for result in run.results] == ["the call took longer than 5 s"]


async def test_interrupt_in_a_tool() -> None:
    """A `KeyboardInterrupt` in a tool ends the block as it is."""

    @tool
    async def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        async with (
            memory_client(ANTHROPIC.answer(("a", "stop", {}))) as (client, _),
            run_tools(ANTHROPIC.request(), [stop], client=client) as run,
        ):
            await run.result()


@pytest.mark.parametrize("how", ["break", "exception", "cancel"])
async def test_leaving_in_the_middle(how: str, autojump_clock: Any) -> None:
    """Leaving the block ends the stream and the calls, whatever the reason."""
    cleaned = []
    mine = ValueError("mine")
    caught: Exception | None = None

    @tool
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            cleaned.append(1)

    script = [*ANTHROPIC.answer(("a", "work", {}), end=False)[:-1], Wait(60)]
    start = trio.current_time()
    async with assert_no_leaks(), memory_client(script) as (client, _):
        with trio.CancelScope() as scope:
            try:
                async with run_tools(ANTHROPIC.request(), [work], client=client) as run:
                    async for item in run:
                        if isinstance(item, ToolStarted):
                            if how == "break":
                                break
                            if how == "exception":
                                raise mine
                            scope.cancel()
            except ValueError as error:
                caught = error

    assert caught is (mine if how == "exception" else None)
    assert scope.cancelled_caught == (how == "cancel")
    assert cleaned == [1]
    assert trio.current_time() == start
    assert run.messages == []
    with pytest.raises(trio.ClosedResourceError):
        await run.result()


async def test_result_after_the_block(autojump_clock: Any) -> None:
    """What has come to its end can be asked for its result at any time."""
    async with (
        memory_client(ANTHROPIC.answer(text="Ok")) as (client, _),
        run_tools(ANTHROPIC.request(), TOOLS, client=client) as run,
    ):
        await play(run)

    assert (await run.result()).text == "Ok"
    assert await play(run) == []


async def test_consumer_that_is_slow(autojump_clock: Any) -> None:
    """The stream gets at most 64 items ahead of its consumer; calls go on in any case."""
    texts = [
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "x"}}
    ] * 300
    script = ANTHROPIC.answer(OSLO, end=False)[:-1]
    script += events(
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "text", "text": ""},
        },
        *texts,
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    )
    scripts = [script, ANTHROPIC.answer(text="Rain.")]
    async with (
        memory_client(scripts) as (client, _),
        run_tools(ANTHROPIC.request(), TOOLS, client=client) as run,
    ):
        first = await anext(run)
        await trio.sleep(10)
        waiting = run._receive.statistics().current_buffer_used
        rest = await play(run)

    assert isinstance(first, MessageStarted)
    assert waiting == 64 + 2  # and the two events of the call
    assert sum(isinstance(item, TextDelta) for item in rest) == 301


async def test_cancelled_receive_loses_nothing(autojump_clock: Any) -> None:
    """A consumer that gives up waiting for an item finds it later."""
    script = ANTHROPIC.answer(text="Ok")
    timed = [step for each in script for step in (Wait(3), each)]
    got: list[RunItem] = []
    async with memory_client([timed, timed]) as (client, _):
        async with run_tools(ANTHROPIC.request(), TOOLS, client=client) as run:
            whole = await play(run)
        async with run_tools(ANTHROPIC.request(), TOOLS, client=client) as run:
            while True:
                with trio.move_on_after(2):
                    try:
                        got.append(await anext(run))
                    except StopAsyncIteration:
                        break

    assert got == whole


async def test_config_is_for_each_stream(autojump_clock: Any) -> None:
    """The configuration goes to each of the streams."""
    outcomes: list[Any] = []
    config = StreamConfig(on_outcome=outcomes.append)
    scripts = [ANTHROPIC.answer(OSLO), ANTHROPIC.answer(text="Rain.")]
    async with (
        memory_client(scripts) as (client, _),
        run_tools(ANTHROPIC.request(), TOOLS, client=client, config=config) as run,
    ):
        await run.result()

    assert [outcome.value for outcome in outcomes] == run.messages


async def test_calls_without_ids(autojump_clock: Any) -> None:
    """Calls that have no ID are answered in their order, under their names."""
    oslo, rome = ("", *OSLO[1:]), ("", *ROME[1:])
    scripts = [GEMINI.answer(oslo, rome), GEMINI.answer(text="Rain.")]
    async with (
        memory_client(scripts) as (client, server),
        run_tools(GEMINI.request(), TOOLS, client=client) as run,
    ):
        await run.result()

    assert bodies(server)[1]["contents"][1:] == [
        *GEMINI.model_turns(oslo, rome),
        *GEMINI.result_turns([(oslo, "rain in Oslo", False), (rome, "rain in Rome", False)]),
    ]


class Unheard:
    """A dialect that nobody has told how a conversation goes on in."""

    framing = SSE()


def test_wrong_arguments() -> None:
    """Arguments are checked when the run is made."""
    request = ANTHROPIC.request()
    with pytest.raises(ValueError, match="max_rounds must be at least 1"):
        run_tools(request, TOOLS, max_rounds=0)
    with pytest.raises(ValueError, match="two tools are called 'hang'"):
        run_tools(request, [hang, hang])
    unheard: Any = Unheard()
    with pytest.raises(TypeError, match="how a conversation goes on in Unheard"):
        run_tools({**request, "dialect": unheard}, TOOLS)
    with pytest.raises(TypeError, match=r"turns_for\.register"):
        turns_for(unheard)


async def test_waits_for_nothing_when_nobody_asks(autojump_clock: Any) -> None:
    """A run that is left at once ends its stream at once."""
    async with assert_no_leaks(), memory_client([Wait(60)]) as (client, server):
        async with run_tools(ANTHROPIC.request(), TOOLS, client=client):
            await wait_all_tasks_blocked()
        await server.wait_disconnected()
