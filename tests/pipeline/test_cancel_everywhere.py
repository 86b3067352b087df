"""Cancellation at every checkpoint: one outcome each time, and nothing left behind."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import attrs
import pytest
import trio

from tests.pipeline.tls import contexts, needs_openssl, serve_tls
from tests.pipeline.worlds import SOCKETS, WORLDS, Letters, World, is_free
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Event,
    Head,
    Request,
    Send,
    Stall,
    Step,
    Truncate,
    assert_no_leaks,
)

LETTERS = [Event(letter) for letter in "abcdefgh"]
CLOSE = Head(headers={"connection": "close"})


async def generated() -> AsyncGenerator[bytes]:
    yield b"one"
    await trio.lowlevel.checkpoint()
    yield b"two"


@attrs.frozen
class Scene:
    """What the stream does while it is cancelled.

    Attributes:
        script: What the server sends.
        leave_after: After how many items the consumer leaves.
        options: Makes arguments for `open_stream`.
        reuse: Whether the connection stands already.
    """

    script: Sequence[Step]
    leave_after: int = 1000
    options: Callable[[], dict[str, Any]] = dict
    reuse: bool = False


SCENES = {
    "complete": Scene(LETTERS),
    "complete, on a connection that stands": Scene(LETTERS, reuse=True),
    "complete, in tiny pieces": Scene(
        [CLOSE, *LETTERS], options=lambda: {"config": StreamConfig(chunk_size=3)}
    ),
    "complete, with a terminal event": Scene(
        [*LETTERS, Event("."), Event("x")], options=lambda: {"dialect": Letters()}
    ),
    "terminal event, then silence": Scene(
        [CLOSE, *LETTERS, Event("."), Stall()], options=lambda: {"dialect": Letters()}
    ),
    "break": Scene([CLOSE, *LETTERS, Stall()], leave_after=2),
    "truncated": Scene([*LETTERS, Truncate()]),
    "bad item": Scene([CLOSE, Event("1"), Event("x"), Stall()], options=lambda: {"item": int}),
    "status 500": Scene([Head(500, headers={"connection": "close"}), Send(b"sorry")]),
    "not a stream": Scene([Head(content_type="text/html"), Send(b"<html>")]),
    "a body to send": Scene(
        [CLOSE, *LETTERS], options=lambda: {"method": "POST", "json": list(range(100))}
    ),
    "a generated body to send": Scene(
        [CLOSE, *LETTERS], options=lambda: {"method": "POST", "content": generated()}
    ),
    "redirect": Scene([Head(307, headers={"location": "/"}), Send(b"elsewhere")]),
}


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope right before the n-th step of a task or of one that it has started."""

    n: int
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    root: trio.lowlevel.Task | None = None
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        each: trio.lowlevel.Task | None = task
        while each is not None and each is not self.root:
            each = each.parent_nursery.parent_task if each.parent_nursery else None
        if each is not None:
            self.steps += 1
            if self.steps == self.n:
                self.scope.cancel()

    async def play(self, client: Any, url: str, scene: Scene) -> StreamOutcome[Any]:
        """Play a scene, and cancel it."""
        outcomes = []

        async def root() -> None:
            self.root = trio.lowlevel.current_task()
            outcomes.append(await play(client, url, scene, self.scope))

        trio.lowlevel.add_instrument(self)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root)
        trio.lowlevel.remove_instrument(self)
        [outcome] = outcomes
        return outcome

    @property
    def has_fired(self) -> bool:
        return self.steps >= self.n


async def play(client: Any, url: str, scene: Scene, scope: trio.CancelScope) -> StreamOutcome[Any]:
    """Play a scene in a scope; return its one outcome."""
    outcomes: list[StreamOutcome[Any]] = []
    options = {"method": "GET", **scene.options()}
    config = options.pop("config", StreamConfig())
    options["config"] = attrs.evolve(config, on_outcome=outcomes.append, connect_timeout=5)
    got = []
    error = None
    with scope:
        try:
            async with open_stream(url=url, client=client, **options) as rx:
                async for item in rx:
                    got.append(item)
                    if len(got) == scene.leave_after:
                        break
        except StreamError as raised:
            error = raised
    [outcome] = outcomes
    assert outcome.value[: len(got)] == got
    assert error is None or error.outcome is outcome
    if scope.cancelled_caught:
        assert outcome.ending in (Ending.CANCELLED, Ending.COMPLETED)
    else:
        assert outcome.ending is not Ending.CANCELLED
    return outcome


def plan_of(scene: Scene) -> Callable[[Request], Sequence[Step]]:
    def plan(request: Request) -> Sequence[Step]:
        if request.path == "/again":
            return [Event("again")] if scene.reuse else [CLOSE, Event("again")]
        return scene.script

    return plan


async def check_usable(client: Any, url: str) -> None:
    """The one connection that the client may have is free."""
    async with open_stream("GET", f"{url}/again", client=client) as rx:
        assert [event.data for event in await rx.result()] == ["again"]
    assert is_free(client)


async def cancel_at_every_step(client: Any, url: str, scene: Scene) -> None:
    """Play a scene again and again, each time cancelled one step later, until it never is."""
    seen = set()
    for n in range(1, 1000):
        await check_usable(client, url)
        canceller = CancelAtStep(n)
        outcome = await canceller.play(client, url, scene)
        seen.add(outcome.ending)
        if not canceller.has_fired:
            break
    await check_usable(client, url)
    assert not canceller.has_fired, "it never came to its end"
    assert n > 5
    assert Ending.CANCELLED in seen


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
@pytest.mark.parametrize("scene", SCENES.values(), ids=list(SCENES))
def test_cancelled_at_every_step(scene: Scene, world: World) -> None:
    """A stream that is cancelled at any step of its tasks has one outcome, and leaves nothing."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve(plan_of(scene)) as (client, server):
            await cancel_at_every_step(client, server.url, scene)

    world.run(main)


@needs_openssl
@pytest.mark.parametrize("world", SOCKETS, ids=lambda world: world.name)
@pytest.mark.parametrize("name", ["complete", "break", "a body to send"])
def test_cancelled_at_every_step_over_tls(name: str, world: World) -> None:
    """The same holds over TLS, whose handshake has many steps."""
    scene = SCENES[name]

    async def main() -> None:
        limits = world.family.Limits(max_connections=1)
        async with (
            assert_no_leaks(),
            serve_tls(plan_of(scene)) as server,
            world.new_client(limits=limits, verify=contexts()[1]) as client,
        ):
            await cancel_at_every_step(client, server.url, scene)

    world.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_cancelled_at_every_step_with_a_slow_consumer(world: World) -> None:
    """Nothing that a stream received is lost when it is cancelled with all of its links full."""
    script = [CLOSE, *[Event(f"{n} {'x' * 100}") for n in range(400)]]
    scene = Scene(script, options=lambda: {"config": StreamConfig(chunk_size=500)})

    async def main() -> None:
        async with assert_no_leaks(), world.serve(plan_of(scene)) as (client, server):
            for n in [*range(1, 60), *range(60, 700, 17)]:
                canceller = CancelAtStep(n)
                outcome = await canceller.play(client, server.url, scene)
                numbers = [int(event.data.split()[0]) for event in outcome.value]
                assert numbers == list(range(len(numbers)))
                assert outcome.items == len(numbers)
                await check_usable(client, server.url)

    world.run(main)


@pytest.mark.parametrize("world", SOCKETS, ids=lambda world: world.name)
def test_cancelled_at_random_times(world: World) -> None:
    """Of a thousand streams that are cancelled at any time, none lies or leaves anything."""
    rng = random.Random(1)
    scenes = list(SCENES.values())

    def plan(request: Request) -> Sequence[Step]:
        if request.path == "/again":
            return [Event("again")]
        number = request.path.strip("/")
        return scenes[int(number)].script if number else LETTERS

    async def main() -> None:
        endings = []
        async with assert_no_leaks(), world.serve(plan) as (client, server):
            for n in range(1000):
                which = rng.randrange(len(scenes))
                scope = trio.CancelScope(relative_deadline=rng.uniform(0, 0.005))
                outcome = await play(client, f"{server.url}/{which}", scenes[which], scope)
                endings.append(outcome.ending)
                if n % 100 == 99:
                    await check_usable(client, server.url)
        assert len(endings) == 1000

    world.run(main)
