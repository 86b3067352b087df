"""`ToolRunner`: calls are made while the stream goes on, each by itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.tools.streams import ANTHROPIC, CHAT, Call, events
from trio_stream import Ending, StreamReceiver, StreamTruncatedError, open_stream
from trio_stream.dialects import BlockFinished, Message, MessageItem, ToolCall
from trio_stream.testing import Event, Step, Truncate, Wait, memory_client
from trio_stream.tools import (
    ToolArgumentsError,
    ToolEvent,
    ToolFinished,
    ToolRunner,
    ToolStarted,
    UnknownToolError,
    tool,
)


@tool
async def sleep(seconds: float) -> float:
    """Sleep, and say when it was over."""
    await trio.sleep(seconds)
    return trio.current_time()


@tool
async def fail(word: str = "sorry") -> None:
    """Fail."""
    await trio.lowlevel.checkpoint()
    raise LookupError(word)


@tool
async def hang() -> None:
    """Never return."""
    await trio.sleep_forever()


TOOLS = [sleep, fail, hang]


def sleeps(*seconds: float) -> list[Call]:
    return [(f"call_{n}", "sleep", {"seconds": each}) for n, each in enumerate(seconds)]


def call(name: str, given: Any = None, call_id: str = "call_0") -> ToolCall:
    return ToolCall(call_id, name, {} if given is None else given)


@asynccontextmanager
async def stream(*script: Step) -> AsyncGenerator[StreamReceiver[MessageItem, Message]]:
    """A stream of the script, in memory."""
    async with (
        memory_client(script) as (client, _),
        open_stream(**ANTHROPIC.request(), client=client) as receiver,
    ):
        yield receiver


# --- what runs, and when -----------------------------------------------------------------------


async def test_results_keep_the_order_of_the_calls(autojump_clock: Any) -> None:
    """Calls run at once; their results come in the order of the calls."""
    start = trio.current_time()
    async with stream(*ANTHROPIC.answer(*sleeps(3, 1, 2))) as rx, ToolRunner(TOOLS) as runner:
        async for _ in runner.watch(rx):
            pass
        results = await runner.results()

    assert [result.value - start for result in results] == pytest.approx([3, 1, 2])
    assert [result.call for result in results] == [*rx.outcome.value.tool_calls]
    assert [result.content for result in results] == [str(result.value) for result in results]
    assert not any(result.is_error for result in results)


async def test_calls_overlap_the_stream(autojump_clock: Any) -> None:
    """A call starts when its block has closed, and may be over before the stream is."""
    script = ANTHROPIC.answer(*sleeps(2, 1))
    ends = [n for n, step in enumerate(script) if step.event == "content_block_stop"]
    timed = [*script[: ends[0] + 1], Wait(10), *script[ends[0] + 1 :]]
    seen: list[tuple[float, str]] = []
    start = trio.current_time()

    def note(event: ToolEvent) -> None:
        seen.append((trio.current_time() - start, type(event).__name__))

    async with stream(*timed) as rx, ToolRunner(TOOLS, on_event=note) as runner:
        async for item in runner.watch(rx):
            if isinstance(item, BlockFinished):
                seen.append((trio.current_time() - start, "closed"))  # noqa: PERF401
        await runner.results()

    assert seen == [
        (0, "closed"),
        (0, "ToolStarted"),
        (2, "ToolFinished"),
        (10, "closed"),
        (10, "ToolStarted"),
        (11, "ToolFinished"),
    ]


async def test_call_is_started_when_its_item_is_delivered(autojump_clock: Any) -> None:
    """A call runs while the consumer works on the item that completed it, and not before."""
    started: list[float] = []

    @tool
    async def look(n: int) -> None:
        started.append(trio.current_time())

    calls = [("a", "look", {"n": 1}), ("b", "look", {"n": 2})]
    start = trio.current_time()
    async with stream(*ANTHROPIC.answer(*calls)) as rx, ToolRunner([look]) as runner:
        async for item in runner.watch(rx):
            if isinstance(item, BlockFinished):
                assert item.part in rx.snapshot().parts
                await trio.sleep(5)

    assert [time - start for time in started] == [0, 5]


async def test_at_most_so_many_run_at_once(autojump_clock: Any) -> None:
    """Calls beyond the limit wait, and start in their order."""
    running, most = 0, 0
    started = []

    @tool
    async def work(n: int) -> None:
        nonlocal running, most
        started.append(n)
        running += 1
        most = max(most, running)
        await trio.sleep(1 + n % 3)
        running -= 1

    async with ToolRunner([work], max_concurrency=3) as runner:
        for n in range(20):
            runner.start(call("work", {"n": n}))
        await runner.results()

    assert most == 3
    # Tasks that are started in one step run in any order.
    assert set(started[:3]) == {0, 1, 2}
    for n, each in enumerate(started):
        assert abs(n - each) < 3
    assert sorted(started) == [*range(20)]


async def test_one_at_a_time(autojump_clock: Any) -> None:
    """With a limit of one, calls run strictly one after the other."""
    started = []

    @tool
    async def work(n: int) -> None:
        started.append(n)
        await trio.sleep(1)

    start = trio.current_time()
    async with ToolRunner([work], max_concurrency=1) as runner:
        for n in range(10):
            runner.start(call("work", {"n": n}))
        await runner.results()

    assert started == [*range(10)]
    assert trio.current_time() - start == 10


async def test_only_whole_calls_run(autojump_clock: Any) -> None:
    """A call whose arguments are no JSON is not made, and has no result."""
    head = {"id": "msg_1", "role": "assistant", "content": []}
    block = {"type": "tool_use", "id": "call_0", "name": "hang", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"a": '}
    script = events(
        {"type": "message_start", "message": head},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}},
        {"type": "message_stop"},
    )
    async with stream(*script) as rx, ToolRunner(TOOLS) as runner:
        async for _ in runner.watch(rx):
            pass
        assert await runner.results() == []


async def test_only_the_first_answer_is_acted_on(autojump_clock: Any) -> None:
    """Of several answers, the calls of the first are made."""

    def chunk(choice: int, call_id: str) -> Event:
        function = {"name": "sleep", "arguments": '{"seconds": 1}'}
        made = {"index": 0, "id": call_id, "type": "function", "function": function}
        delta = {"tool_calls": [made]}
        return Event({"choices": [{"index": choice, "delta": delta}]})

    def end(choice: int) -> Event:
        return Event({"choices": [{"index": choice, "delta": {}, "finish_reason": "tool_calls"}]})

    script = [chunk(1, "b"), chunk(0, "a"), end(0), end(1), Event("[DONE]")]
    async with memory_client(script) as (client, _):
        request = CHAT.request(n=2)
        async with open_stream(**request, client=client) as rx, ToolRunner(TOOLS) as runner:
            async for _ in runner.watch(rx):
                pass
            [result] = await runner.results()

    assert result.call.id == "a"
    assert [each.id for each in rx.outcome.value.alternatives[0].tool_calls] == ["b"]


async def test_results_so_far(autojump_clock: Any) -> None:
    """Results can be asked for at any time: for the calls that were started until then."""
    async with ToolRunner(TOOLS) as runner:
        assert await runner.results() == []
        runner.start(call("sleep", {"seconds": 1}))
        assert len(await runner.results()) == 1
        runner.start(call("sleep", {"seconds": 1}))
        assert len(await runner.results()) == 2


# --- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failing", "content", "error"),
    [
        (call("fail"), "LookupError: sorry", LookupError),
        (call("hang"), "the call took longer than 5 s", trio.TooSlowError),
        (
            call("nothing"),
            "there is no tool 'nothing'; there are: sleep, fail, hang, odd",
            UnknownToolError,
        ),
        (call("sleep", {}), "$.seconds: the argument is missing", ToolArgumentsError),
        (call("odd"), "TypeError: there is no JSON for object", TypeError),
    ],
    ids=["exception", "timeout", "unknown", "arguments", "result"],
)
@pytest.mark.parametrize("on_error", ["answer", "raise"])
async def test_failure(
    failing: ToolCall, content: str, error: type[Exception], on_error: Any, autojump_clock: Any
) -> None:
    """A call that fails becomes a result that says so; or, if asked, its exception leaves bare."""

    @tool
    async def odd() -> object:
        return object()

    cancelled = []

    @tool
    async def sleep(seconds: float) -> str:
        try:
            await trio.sleep(seconds)
        except trio.Cancelled:
            cancelled.append(seconds)
            raise
        return "slept"

    async def play() -> list[Any]:
        tools = [sleep, fail, hang, odd]
        async with ToolRunner(tools, timeout=5, on_error=on_error) as runner:
            runner.start(call("sleep", {"seconds": 4.5}))
            runner.start(failing)
            await wait_all_tasks_blocked()
            runner.start(call("sleep", {"seconds": 4.9}))
            return await runner.results()

    if on_error == "raise":
        with pytest.raises(error) as caught:
            await play()
        assert caught.value.__context__ is None
        assert bool(cancelled) == (error is not trio.TooSlowError)
        return
    before, result, after = await play()
    assert (before.content, after.content) == ("slept", "slept")
    assert result.call is failing
    assert result.is_error
    assert result.value is None
    assert result.content == content
    assert type(result.error) is error


async def test_failures_traceback() -> None:
    """The exception of a tool has the traceback of the tool."""
    async with ToolRunner([fail]) as runner:
        runner.start(call("fail"))
        [result] = await runner.results()

    traceback = result.error.__traceback__
    names = []
    while traceback:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names == ["run", "fail"]


async def test_exception_that_cannot_tell_what_it_is() -> None:
    """An exception that fails to describe itself is named by its class."""

    class SilentError(Exception):
        def __str__(self) -> str:
            raise ValueError

    @tool
    async def say() -> None:
        raise SilentError

    async with ToolRunner([say]) as runner:
        runner.start(call("say"))
        [result] = await runner.results()

    assert result.content == "SilentError"


async def test_timeout_of_the_tool(autojump_clock: Any) -> None:
    """A tool's own timeout counts more than the runner's; waiting for room does not count."""

    @tool(timeout=3)
    async def work(seconds: float) -> str:
        await trio.sleep(seconds)
        return "done"

    async with ToolRunner([work], timeout=1, max_concurrency=1) as runner:
        for seconds in (2, 2, 2, 4):
            runner.start(call("work", {"seconds": seconds}))
        results = await runner.results()

    assert [result.content for result in results] == [
        "done",
        "done",
        "done",
        "the call took longer than 3 s",
    ]


async def test_timeout_of_a_thread() -> None:
    """A blocking tool that asks is stopped in time; one that ends well, if late, has its result."""

    @tool(timeout=0.001)
    def patient() -> None:
        while True:
            trio.from_thread.check_cancelled()

    @tool(timeout=0.001)
    def deaf() -> str:
        while not is_cancelled():
            pass
        return "done"

    def is_cancelled() -> bool:
        try:
            trio.from_thread.check_cancelled()
        except trio.Cancelled:
            return True
        return False

    async with ToolRunner([patient, deaf]) as runner:
        runner.start(call("patient"))
        runner.start(call("deaf"))
        stopped, done = await runner.results()

    assert isinstance(stopped.error, trio.TooSlowError)
    assert (done.content, done.is_error) == ("done", False)


async def test_cancel_one_call(autojump_clock: Any) -> None:
    """One call can be cancelled by its ID, running or waiting; the others go on."""
    events: list[str] = []

    def note(event: ToolEvent) -> None:
        made = event.call if isinstance(event, ToolStarted) else event.result.call
        events.append(f"{type(event).__name__} {made.id}")

    async with ToolRunner(TOOLS, max_concurrency=2, on_error="raise", on_event=note) as runner:
        runner.start(call("hang", call_id="running"))
        runner.start(call("sleep", {"seconds": 1}, call_id="other"))
        runner.start(call("hang", call_id="waiting"))
        await wait_all_tasks_blocked()
        assert runner.cancel("running")
        assert runner.cancel("waiting")
        assert not runner.cancel("nobody")
        running, other, waiting = await runner.results()
        assert not runner.cancel("running")

    for result in (running, waiting):
        assert (result.content, result.is_error, result.error) == (
            "the call was cancelled",
            True,
            None,
        )
    assert not other.is_error
    assert sorted(events[:2]) == ["ToolStarted other", "ToolStarted running"]
    assert events[2:] == [
        "ToolFinished waiting",
        "ToolFinished running",
        "ToolFinished other",
    ]


async def test_cancel_before_the_first_step() -> None:
    """A call that is cancelled before its task has run does not begin."""
    began = []

    @tool
    async def begin() -> None:
        began.append(1)

    async with ToolRunner([begin]) as runner:
        runner.start(call("begin"))
        assert runner.cancel("call_0")
        [result] = await runner.results()

    assert began == []
    assert result.content == "the call was cancelled"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_what_is_no_exception_ends_the_block(error: type[BaseException]) -> None:
    """What is no `Exception` is no result: it leaves the block as it is."""

    @tool
    async def stop() -> None:
        raise error

    with pytest.raises(error):  # noqa: PT012
        async with ToolRunner([stop, hang]) as runner:
            runner.start(call("hang"))
            runner.start(call("stop"))
            await runner.results()


async def test_callback_that_fails() -> None:
    """What `on_event` raises leaves the block as it is."""
    error = ValueError("callback")

    def refuse(event: ToolEvent) -> None:
        raise error

    with pytest.raises(ValueError, match="callback") as caught:  # noqa: PT012
        async with ToolRunner([hang], on_event=refuse) as runner:
            runner.start(call("hang"))
            await runner.results()

    assert caught.value is error


# --- how it ends -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["end", "break", "exception", "cancel"])
async def test_leaving_cancels_what_runs(how: str, autojump_clock: Any) -> None:
    """Leaving the block cancels its calls, and waits for their clean-up before the stream ends."""
    cleaned = []

    @tool
    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            cleaned.append(how)

    mine = ValueError("mine")
    made = ANTHROPIC.answer(("call_0", "work", {}), end=False)
    script = [*made[:-1], Wait(5), made[-1], *events({"type": "message_stop"})]
    rx: Any = None
    caught: Exception | None = None
    with trio.CancelScope() as scope:
        try:
            async with stream(*script) as rx, ToolRunner([work], max_concurrency=1) as runner:
                async for item in runner.watch(rx):
                    if isinstance(item, BlockFinished):
                        runner.start(call("work"))  # has to wait, and will never run
                        await wait_all_tasks_blocked()
                        if how == "break":
                            break
                        if how == "exception":
                            raise mine
                        if how == "cancel":
                            scope.cancel()
        except ValueError as error:
            caught = error

    assert caught is (mine if how == "exception" else None)
    assert mine.__context__ is None
    assert cleaned == [how]
    assert scope.cancelled_caught == (how == "cancel")
    assert rx.outcome.ending is {
        "end": Ending.COMPLETED,
        "cancel": Ending.CANCELLED,
    }.get(how, Ending.CLOSED)
    with pytest.raises(trio.ClosedResourceError):
        await runner.results()
    with pytest.raises(RuntimeError, match="async with"):
        runner.start(call("work"))


async def test_stream_that_breaks_cancels_what_runs(autojump_clock: Any) -> None:
    """A stream that breaks off raises its error out of the block, and cancels its calls."""
    script = [*ANTHROPIC.answer(("call_0", "hang", {}), end=False)[:-1], Wait(1), Truncate()]

    with pytest.raises(StreamTruncatedError) as caught:  # noqa: PT012
        async with stream(*script) as rx, ToolRunner(TOOLS) as runner:
            async for _ in runner.watch(rx):
                pass

    assert caught.value.outcome is rx.outcome
    assert rx.outcome.ending is Ending.TRUNCATED


async def test_failure_ends_the_stream(autojump_clock: Any) -> None:
    """With ``on_error="raise"`` a failure leaves the stream's block too, and the stream is told."""
    script = [*ANTHROPIC.answer(("call_0", "fail", {}), end=False)[:-1], Wait(60)]
    start = trio.current_time()

    with pytest.raises(LookupError, match="sorry") as caught:  # noqa: PT012
        async with stream(*script) as rx, ToolRunner(TOOLS, on_error="raise") as runner:
            async for _ in runner.watch(rx):
                pass

    assert rx.outcome.ending is Ending.CLOSED
    assert rx.outcome.error is caught.value
    assert trio.current_time() == start


async def test_thread_that_ends_while_the_block_is_left() -> None:
    """A call that ends well though it was cancelled does not start the next one."""
    started = []

    @tool
    def work(n: int) -> None:
        started.append(n)
        trio.from_thread.run_sync(reached.set)

    reached = trio.Event()
    async with ToolRunner([work], max_concurrency=1) as runner:
        runner.start(call("work", {"n": 1}))
        runner.start(call("work", {"n": 2}))
        await reached.wait()

    assert started == [1]


def test_wrong_arguments() -> None:
    """A runner's arguments are checked when it is made."""
    with pytest.raises(ValueError, match="two tools are called 'hang'"):
        ToolRunner([hang, hang])
    with pytest.raises(ValueError, match="max_concurrency must be at least 1"):
        ToolRunner([], max_concurrency=0)
    with pytest.raises(ValueError, match="timeout must be greater than 0"):
        ToolRunner([], timeout=0)
    with pytest.raises(ValueError, match="on_error must be"):
        ToolRunner([], on_error="ignore")  # type: ignore[arg-type]


async def test_events_tell_of_each_call(autojump_clock: Any) -> None:
    """Each call that runs is reported when it starts and when it has its result."""
    told: list[ToolEvent] = []
    async with ToolRunner(TOOLS, on_event=told.append) as runner:
        runner.start(call("sleep", {"seconds": 1}))
        [result] = await runner.results()

    assert told == [ToolStarted(result.call), ToolFinished(result)]
