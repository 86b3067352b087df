"""Cancellation at every checkpoint of a stream that waits, connects again, resumes, saves.

There is one outcome each time, nothing is left behind, the budget is right, and the store holds
what was acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
import trio

from tests.pipeline.test_cancel_everywhere import CancelAtStep
from tests.pipeline.worlds import MEMORY, SOCKETS, World, is_free
from trio_stream.checkpoints import MemoryCheckpoints
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import Restarted, StreamLimiter, open_stream
from trio_stream.retry import RetryBudget
from trio_stream.testing import (
    Busy,
    Event,
    Head,
    Refuse,
    Request,
    Reset,
    Step,
    Truncate,
    Wait,
    assert_no_leaks,
)

CLOSE = Head(headers={"connection": "close"})


def events(*numbers: int) -> list[Step]:
    return [Event(str(number), id=str(number)) for number in numbers]


class SlowCheckpoints(MemoryCheckpoints):
    """A store that takes some steps, and at each can be cancelled: then nothing has happened."""

    async def load(self, key: str) -> str | None:
        await trio.sleep(0.01)
        return await super().load(key)

    async def save(self, key: str, position: str) -> None:
        await trio.sleep(0.01)
        await trio.lowlevel.checkpoint()
        await super().save(key, position)


@attrs.frozen
class Scene:
    """What a stream does while it is cancelled.

    Attributes:
        answers: What the server sends to the first request, the second …; the last to all others.
        brings: How many items that are new each answer brings.
        options: More arguments for `open_stream`.
        config: Changes of its settings.
        finish: After how many items the consumer wants no more; 0: it does not.
        flushes: Whether the consumer acknowledges and flushes behind each item.
        pause: How long it works on each, in seconds.
        store: Whether there is a store of checkpoints.
        waits: Whether there is a limiter, with no place for some time.
    """

    answers: Sequence[Sequence[Step]]
    brings: Sequence[int]
    options: dict[str, Any] = attrs.field(factory=dict)
    config: dict[str, Any] = attrs.field(factory=dict)
    finish: int = 0
    flushes: bool = False
    pause: float = 0.0
    store: bool = False
    waits: bool = False


SCENES = {
    "backoff and resume": Scene(
        [[*events(1, 2), Reset()], [CLOSE, *events(3)]], [2, 1], {"reconnect": "resume"}
    ),
    "failures before the first item": Scene(
        [[Busy(503)], [Truncate()], [Head(), Reset()], [CLOSE, *events(1)]],
        [0, 0, 0, 1],
        {"reconnect": "before_first_item"},
    ),
    "failures while it resumes": Scene(
        [[*events(1), Reset()], [Refuse()], [Busy(429, retry_after=0.02)], [CLOSE, *events(1, 2)]],
        [1, 0, 0, 1],
        {"reconnect": "resume"},
    ),
    "restart": Scene(
        [[Event("1"), Event("2"), Reset()], [Event("1"), Event("2"), Truncate()], [Head(204)]],
        [2, 2, 0],
        {"reconnect": "always"},
        {"chunk_size": 1},
        pause=0.1,
    ),
    "event source": Scene(
        [[*events(1), Truncate()], [CLOSE, *events(2)], [Head(204)]],
        [1, 1, 0],
        {"reconnect": "event_source"},
    ),
    "checkpoints": Scene(
        [[*events(1, 2), Reset()], [CLOSE, *events(3, 4)]],
        [2, 2],
        {"reconnect": "resume"},
        store=True,
    ),
    "checkpoints that are flushed": Scene(
        [[*events(1, 2), Reset()], [CLOSE, *events(3)]],
        [2, 1],
        {"reconnect": "resume"},
        store=True,
        flushes=True,
        pause=0.005,
    ),
    "limiter": Scene(
        [[*events(1), Reset()], [CLOSE, *events(2)]], [1, 1], {"reconnect": "resume"}, waits=True
    ),
    "finish": Scene(
        [[*events(1, 2, 3), Reset()], [*events(4)]],
        [3, 1],
        {"reconnect": "resume"},
        finish=1,
        pause=0.1,
    ),
    "finish while it waits": Scene(
        [[*events(1, 2), Wait(0.05), Reset()], [*events(3)]],
        [2, 1],
        {"reconnect": "resume"},
        finish=2,
        pause=0.1,
    ),
}


@attrs.define
class Stage:
    """Where a scene is played again and again.

    Attributes:
        client: The client.
        url: Of the server.
        scene: What is played.
        played: How many playings there were.
    """

    client: Any
    url: str
    scene: Scene
    played: int = 0

    async def play(self, n: int) -> tuple[StreamOutcome[Any], bool]:
        """Play, and cancel at the n-th step; return the outcome, and whether it came to that."""
        self.played += 1
        canceller = CancelAtStep(n)
        play = Play(self, canceller.scope)

        async def root() -> None:
            canceller.root = trio.lowlevel.current_task()
            await play.run()

        trio.lowlevel.add_instrument(canceller)
        async with trio.open_nursery() as nursery:
            if self.scene.waits:
                await nursery.start(play.hold_place)
            nursery.start_soon(root)
        trio.lowlevel.remove_instrument(canceller)
        return play.check(), canceller.has_fired


@attrs.define
class Play:
    """One playing of a scene."""

    stage: Stage
    scope: trio.CancelScope
    budget: RetryBudget = attrs.field(factory=lambda: RetryBudget(per_second=0))
    store: SlowCheckpoints = attrs.field(factory=lambda: SlowCheckpoints({"feed": "0"}))
    limiter: StreamLimiter = attrs.field(factory=lambda: StreamLimiter(1))
    outcomes: list[StreamOutcome[Any]] = attrs.field(factory=list)
    got: list[Any] = attrs.field(factory=list)
    log: list[str] = attrs.field(factory=list)
    flushed: str = "0"
    error: StreamError | None = None

    async def hold_place(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with self.limiter.slot():
            task_status.started()
            await trio.sleep(0.01)

    async def run(self) -> None:
        scene, log = self.stage.scene, self.log.append
        config = StreamConfig(
            retry_budget=self.budget,
            initial_backoff=0.02,
            on_outcome=self.outcomes.append,
            on_connect=lambda: log("connect"),
            on_disconnect=lambda error: log("disconnect"),
            **scene.config,
        )
        options = dict(scene.options)
        if scene.store:
            options |= {"checkpoints": self.store, "checkpoint_key": "feed"}
        if scene.waits:
            options["limiter"] = self.limiter
        url = f"{self.stage.url}/{self.stage.played}"
        with self.scope:
            try:
                async with open_stream(
                    "GET", url, client=self.stage.client, config=config, **options
                ) as rx:
                    await self.consume(rx)
            except StreamError as error:
                self.error = error

    async def consume(self, rx: Any) -> None:
        scene = self.stage.scene
        async for item in rx:
            self.got.append(item)
            await trio.sleep(scene.pause)
            if scene.flushes:
                rx.ack()
                await rx.flush()
                self.flushed = item.id
            if len(self.got) == scene.finish:
                rx.finish()

    def check(self) -> StreamOutcome[Any]:
        """Check what is left of it."""
        [outcome] = self.outcomes
        assert self.error is None or self.error.outcome is outcome
        assert outcome.value[: len(self.got)] == self.got
        if self.scope.cancelled_caught:
            assert outcome.ending in (Ending.CANCELLED, Ending.COMPLETED)
        else:
            assert outcome.ending is Ending.COMPLETED
        assert self.log == ["connect", "disconnect"] * (len(self.log) // 2)
        self.check_budget(outcome)
        if self.stage.scene.store:
            self.check_store(outcome)
        assert self.limiter.statistics().in_use == 0
        assert self.limiter.statistics().waiting == 0
        return outcome

    def check_budget(self, outcome: StreamOutcome[Any]) -> None:
        """Each retry that was made and brought nothing has cost its token, and nothing else has."""
        left = sum(type(item) is not Restarted for item in outcome.value)
        vain = 0
        for number, brings in enumerate(self.stage.scene.brings):
            if 0 < number < outcome.attempts and (left <= 0 or brings == 0):
                vain += 1
            left -= brings
        # What is no farther than before is judged when the connection ends, if it does.
        unsure = sum(type(item) is Restarted for item in outcome.value)
        assert 0 <= 100 - vain - self.budget.tokens(trio.current_time()) <= unsure

    def check_store(self, outcome: StreamOutcome[Any]) -> None:
        kept = self.store.positions["feed"]
        assert kept == (outcome.acknowledged_id or "0")
        delivered = len(self.got)
        assert int(kept) in (delivered, delivered - 1)
        assert int(kept) >= int(self.flushed)


def plan_of(scene: Scene) -> Callable[[Request], Sequence[Step]]:
    """Each playing has a path of its own, and begins with the first answer."""
    asked: dict[str, int] = {}

    def plan(request: Request) -> Sequence[Step]:
        if request.path == "/again":
            return [CLOSE, Event("again")]
        number = asked[request.path] = asked.get(request.path, 0) + 1
        return scene.answers[min(number, len(scene.answers)) - 1]

    return plan


async def check_usable(client: Any, url: str) -> None:
    """The one connection that the client may have is free."""
    assert is_free(client)
    async with open_stream("GET", f"{url}/again", client=client) as rx:
        assert [event.data for event in await rx.result()] == ["again"]


@pytest.mark.parametrize("world", MEMORY, ids=lambda world: world.name)
@pytest.mark.parametrize("scene", SCENES.values(), ids=list(SCENES))
def test_cancelled_at_every_step(scene: Scene, world: World) -> None:
    """A stream that is cancelled at any step of its recovery has one outcome, and loses nothing."""

    async def main() -> None:
        seen = set()
        async with assert_no_leaks(), world.serve(plan_of(scene)) as (client, server):
            stage = Stage(client, server.url, scene)
            for n in range(1, 2000):
                outcome, was_cancelled = await stage.play(n)
                seen.add(outcome.ending)
                if n % 50 == 0:
                    await check_usable(client, server.url)
                if not was_cancelled:
                    break
            assert not was_cancelled, "it never came to its end"
            assert n > 30
            assert outcome.ending is Ending.COMPLETED
            await check_usable(client, server.url)
        assert Ending.CANCELLED in seen

    world.run(main)


@pytest.mark.parametrize("world", SOCKETS, ids=lambda world: world.name)
@pytest.mark.parametrize("name", ["failures while it resumes", "checkpoints"])
def test_cancelled_at_many_steps_over_sockets(name: str, world: World) -> None:
    """The same holds over sockets."""
    scene = SCENES[name]

    async def main() -> None:
        async with assert_no_leaks(), world.serve(plan_of(scene)) as (client, server):
            stage = Stage(client, server.url, scene)
            for n in range(1, 200, 13):
                await stage.play(n)
            await check_usable(client, server.url)

    world.run(main)
