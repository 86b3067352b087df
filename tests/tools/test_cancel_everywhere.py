"""Cancellation at every checkpoint: no call outlives its block, and each stream has one outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.pipeline.test_cancel_everywhere import CancelAtStep
from tests.tools.streams import ANTHROPIC, Call
from trio_stream import Ending, StreamConfig, StreamError, open_stream
from trio_stream.testing import Event, Head, Step, Truncate, Wait, assert_no_leaks, memory_client
from trio_stream.tools import Tool, ToolRunner, run_tools, tool

CALLS: list[Call] = [(f"call_{n}", "work", {"n": n}) for n in range(4)]


@attrs.define
class World:
    """Where the calls are made, and what is known of them.

    Attributes:
        client: The client.
        outcomes: Those of the streams.
        running: The calls that were started and have not ended.
        cleaning: Whether calls take their time to clean up.
    """

    client: Any
    outcomes: list[Any] = attrs.field(factory=list)
    running: set[int] = attrs.field(factory=set)
    cleaning: bool = False

    @property
    def options(self) -> dict[str, Any]:
        return {
            "client": self.client,
            "config": StreamConfig(on_outcome=self.outcomes.append, connect_timeout=5),
        }

    @property
    def tools(self) -> list[Tool[..., Any]]:
        @tool
        async def work(n: int) -> int:
            self.running.add(n)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep, n)
                    await trio.sleep(1)
            finally:
                if self.cleaning:
                    with trio.CancelScope(shield=True):
                        await trio.sleep(1)
                self.running.remove(n)
            if n == 3:
                raise LookupError(n)
            return n

        return [work]


async def run_calls(world: World) -> None:
    request = ANTHROPIC.request()
    async with (
        open_stream(**request, **world.options) as rx,
        ToolRunner(world.tools, max_concurrency=2) as runner,
    ):
        async for _ in runner.watch(rx):
            pass
        assert len(await runner.results()) == 4


async def leave_calls(world: World) -> None:
    request = ANTHROPIC.request()
    async with (
        open_stream(**request, **world.options) as rx,
        ToolRunner(world.tools, max_concurrency=2) as runner,
    ):
        async for _ in runner.watch(rx):
            if world.running:
                break


async def fail_calls(world: World) -> None:
    request = ANTHROPIC.request()
    async with (
        open_stream(**request, **world.options) as rx,
        ToolRunner(world.tools, on_error="raise") as runner,
    ):
        async for _ in runner.watch(rx):
            pass
        await runner.results()


async def run_rounds(world: World) -> None:
    async with run_tools(ANTHROPIC.request(), world.tools, **world.options) as run:
        async for _ in run:
            pass
        assert len(run.messages) == 2


async def leave_rounds(world: World) -> None:
    async with run_tools(ANTHROPIC.request(), world.tools, **world.options) as run:
        async for _ in run:
            if world.running:
                break


CLOSE = Head(headers={"connection": "close"})
WHOLE = ANTHROPIC.answer(*CALLS, text="Hm")
SLOW = [step for each in WHOLE for step in (each, Wait(0.3))]
BROKEN = [CLOSE, *ANTHROPIC.answer(*CALLS, end=False)[:-1], Truncate()]
SHORT = ANTHROPIC.answer(*CALLS[:2])
LAST = ANTHROPIC.answer(text="Done")

SCENES: dict[str, tuple[Callable[[World], Awaitable[None]], Sequence[Sequence[Step]], bool]] = {
    "calls": (run_calls, [WHOLE], False),
    "calls that clean up": (run_calls, [SLOW], True),
    "calls of a stream that breaks off": (run_calls, [BROKEN], False),
    "calls that are left": (leave_calls, [[CLOSE, *SLOW]], True),
    "calls of which one fails": (fail_calls, [WHOLE], True),
    "rounds": (run_rounds, [SHORT, LAST], False),
    "rounds of which one breaks off": (run_rounds, [SHORT, BROKEN], False),
    "rounds that are left": (leave_rounds, [[CLOSE, *SLOW]], True),
}


async def play(world: World, scene: Callable[[World], Awaitable[None]], n: int) -> CancelAtStep:
    """Play a scene in a task of its own, and cancel it before its n-th step."""
    canceller = CancelAtStep(n)

    async def root() -> None:
        canceller.root = trio.lowlevel.current_task()
        raised: Exception | None = None
        with canceller.scope:
            try:
                await scene(world)
            except (StreamError, LookupError) as error:
                raised = error
        if isinstance(raised, StreamError):
            assert raised.outcome is world.outcomes[-1]
        elif raised is not None:
            assert raised.args == (3,)

    trio.lowlevel.add_instrument(canceller)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(root)
    trio.lowlevel.remove_instrument(canceller)
    return canceller


@pytest.mark.parametrize("name", SCENES)
def test_cancelled_at_every_step(name: str) -> None:
    """However far it got, a cancellation ends every call and gives each stream one outcome."""
    scene, scripts, cleaning = SCENES[name]

    async def main() -> None:
        request_count = 0

        def plan(request: Any) -> Sequence[Step]:
            nonlocal request_count
            if request.path == "/again":
                return [Event("again")]
            request_count += 1
            return scripts[min(request_count, len(scripts)) - 1]

        seen = set()
        async with assert_no_leaks(), memory_client(plan) as (client, server):
            for n in range(1, 2000):
                request_count = 0
                world = World(client, cleaning=cleaning)
                canceller = await play(world, scene, n)
                assert world.running == set()
                assert request_count <= len(world.outcomes) <= len(scripts)
                endings = [outcome.ending for outcome in world.outcomes]
                seen.update(endings)
                assert all(ending is not Ending.CANCELLED for ending in endings[:-1])
                if not canceller.has_fired:
                    break
            async with open_stream("GET", f"{server.url}/again", client=client) as rx:
                assert len(await rx.result()) == 1
            assert client._transport._pool._requests == []
        assert not canceller.has_fired, "it never came to its end"
        assert n > 30
        assert Ending.CANCELLED in seen

    trio.run(main, clock=MockClock(autojump_threshold=0))
