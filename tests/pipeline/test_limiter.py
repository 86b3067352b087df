"""`StreamLimiter`: who gets a slot and when, and that none is lost."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_stream.errors import LimitExceededError, StreamErrorType
from trio_stream.pipeline._limiter import HostStatistics, StreamLimiter


def run(main: Callable[[], Awaitable[Any]]) -> None:
    """Run on a clock that stands still while anybody runs, with a limit that makes hangs fail."""

    async def limited() -> None:
        with trio.fail_after(1e6):
            await main()

    trio.run(limited, clock=MockClock(autojump_threshold=0))


@attrs.define(eq=False)
class Client:
    """A task that takes a slot, holds it until it is told, and gives it back."""

    limiter: StreamLimiter
    host: str
    log: list[str]
    name: str = ""
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    leave: trio.Event = attrs.Factory(trio.Event)
    holds: bool = False

    async def run(self) -> None:
        with self.scope:
            async with self.limiter.slot(self.host):
                self.holds = True
                self.log.append(self.name)
                try:
                    await self.leave.wait()
                finally:
                    self.holds = False


def clients(limiter: StreamLimiter, names: str) -> tuple[list[Client], list[str]]:
    """Clients "a1 b2": names whose first letter is the host; and the log of who has had a slot."""
    log: list[str] = []
    return [Client(limiter, name[0], log, name) for name in names.split()], log


async def start(nursery: trio.Nursery, *each: Client) -> None:
    """Start clients one after the other, and let each come as far as it can."""
    for client in each:
        nursery.start_soon(client.run)
        await wait_all_tasks_blocked()


# ---- who gets a slot -------------------------------------------------------------------------


def test_first_come_first_served() -> None:
    """Slots are given in the order of arrival, each as soon as one is free."""

    async def main() -> None:
        everyone, log = clients(StreamLimiter(2), "a b c a b c")
        async with trio.open_nursery() as nursery:
            await start(nursery, *everyone)
            assert log == ["a", "b"]
            for n, client in enumerate(everyone, start=3):
                client.leave.set()
                await wait_all_tasks_blocked()
                assert "".join(log) == "abcabc"[:n]

    run(main)


def test_full_host_blocks_no_other() -> None:
    """A stream for a host that has room passes those that wait for one that has none."""

    async def main() -> None:
        limiter = StreamLimiter(3, per_host=1)
        everyone, log = clients(limiter, "a1 a2 a3 b1 b2 c1 d1")
        a1, _, _, b1, *_ = everyone
        async with trio.open_nursery() as nursery:
            await start(nursery, *everyone)
            assert log == ["a1", "b1", "c1"]
            a1.leave.set()  # a2 was there before d1, and may have it now
            await wait_all_tasks_blocked()
            assert log[3:] == ["a2"]
            everyone[5].leave.set()  # c1: a3 and b2 still have no room
            await wait_all_tasks_blocked()
            assert log[4:] == ["d1"]
            b1.leave.set()
            await wait_all_tasks_blocked()
            assert log[5:] == ["b2"]
            nursery.cancel_scope.cancel()
        assert limiter.statistics().in_use == 0

    run(main)


def test_who_waits_is_not_passed_by() -> None:
    """A slot that is given back belongs to who waits for it, whoever asks in that moment."""

    async def main() -> None:
        limiter = StreamLimiter(1)
        [waiting], log = clients(limiter, "a")
        await limiter.acquire()
        async with trio.open_nursery() as nursery:
            await start(nursery, waiting)
            limiter.release()
            with trio.CancelScope() as scope, trio.fail_after(1):
                scope.cancel()
                await limiter.acquire()
            assert scope.cancelled_caught
            assert limiter.statistics().hosts == {"a": HostStatistics(1, 0)}
            await wait_all_tasks_blocked()
            assert log == ["a"]
            waiting.leave.set()

    run(main)


def test_statistics() -> None:
    """The statistics tell who has a slot and who waits, by host, and forget who has left."""

    async def main() -> None:
        limiter = StreamLimiter(2, per_host=1)
        everyone, _ = clients(limiter, "a a b c c")
        async with trio.open_nursery() as nursery:
            await start(nursery, *everyone)
            statistics = limiter.statistics()
            assert (statistics.in_use, statistics.waiting) == (2, 3)
            assert statistics.hosts == {
                "a": HostStatistics(in_use=1, waiting=1),
                "b": HostStatistics(in_use=1, waiting=0),
                "c": HostStatistics(in_use=0, waiting=2),
            }
            nursery.cancel_scope.cancel()
        statistics = limiter.statistics()
        assert (statistics.in_use, statistics.waiting, statistics.hosts) == (0, 0, {})

    run(main)


# ---- limits ----------------------------------------------------------------------------------


def test_too_many_wait() -> None:
    """Who would be one too many in the queue is told at once; a place that is given up is free."""

    async def main() -> None:
        limiter = StreamLimiter(1, max_waiting=1)
        await limiter.acquire("x:1")
        [waiting, next_one], log = clients(limiter, "a b")
        async with trio.open_nursery() as nursery:
            await start(nursery, waiting)
            with pytest.raises(LimitExceededError, match=r"for x:1.*max_waiting=1") as caught:
                await limiter.acquire("x:1")
            assert caught.value.limit == "max_waiting"
            assert caught.value.error_type is StreamErrorType.LIMIT_EXCEEDED
            assert not caught.value.is_retryable
            waiting.scope.cancel()
            await wait_all_tasks_blocked()
            await start(nursery, next_one)
            limiter.release("x:1")
            await wait_all_tasks_blocked()
            assert log == ["b"]
            next_one.leave.set()

    run(main)


def test_nobody_may_wait() -> None:
    """With no place in the queue a limiter still lets in whom it has room for."""

    async def main() -> None:
        for limiter in (StreamLimiter(1, max_waiting=0), StreamLimiter(1, max_wait=0)):
            async with limiter.slot():
                with pytest.raises(LimitExceededError):
                    await limiter.acquire()
            async with limiter.slot():
                pass
            assert limiter.statistics().in_use == 0

    run(main)


def test_wait_is_too_long() -> None:
    """Who waits longer than it may gets an error and gives up its place."""

    async def main() -> None:
        limiter = StreamLimiter(1, max_wait=30)
        await limiter.acquire()
        start = trio.current_time()
        with pytest.raises(LimitExceededError, match=r"max_wait=30 s") as caught:
            await limiter.acquire("x:1")
        assert trio.current_time() - start == pytest.approx(30)
        assert caught.value.limit == "max_wait"
        assert limiter.statistics().waiting == 0
        limiter.release()
        async with limiter.slot():
            pass

    run(main)


def test_slot_that_comes_in_the_last_moment() -> None:
    """A slot that is given in the very moment in which the wait is over is not lost."""

    async def main() -> None:
        limiter = StreamLimiter(1, max_wait=30)
        await limiter.acquire()
        got = []

        async def wait() -> None:
            try:
                await limiter.acquire()
                got.append("slot")
                limiter.release()
            except LimitExceededError:
                got.append("error")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.sleep(30)
            limiter.release()
        assert len(got) == 1
        assert limiter.statistics().in_use == 0

    run(main)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_streams": 0},
        {"max_streams": 1, "per_host": 0},
        {"max_streams": 1, "max_waiting": -1},
        {"max_streams": 1, "max_wait": -1},
        {"max_streams": 1, "max_wait": math.nan},
    ],
    ids=str,
)
def test_limits_that_make_no_sense(limits: dict[str, Any]) -> None:
    """A limit that would admit nobody is refused, and named."""
    with pytest.raises(ValueError, match=list(limits)[-1]):
        StreamLimiter(**limits)


def test_release_of_what_was_not_acquired() -> None:
    """A slot that nobody has cannot be given back, nor one of another host."""

    async def main() -> None:
        limiter = StreamLimiter(2)
        with pytest.raises(RuntimeError, match="no slot is in use"):
            limiter.release()
        await limiter.acquire("a")
        with pytest.raises(RuntimeError, match="no slot for b"):
            limiter.release("b")
        limiter.release("a")
        assert limiter.statistics().in_use == 0

    run(main)


# ---- cancellation ----------------------------------------------------------------------------


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a client right before the n-th step of it or of any other."""

    n: int
    victim: Client
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task.name.endswith("Client.run"):
            self.steps += 1
            if self.steps == self.n:
                self.victim.scope.cancel()


def test_cancelled_at_every_step() -> None:
    """Whoever is cancelled, and when: all others get their turn, and all slots come back."""

    async def play(n: int, victim: int) -> int:
        limiter = StreamLimiter(2, per_host=1, max_wait=1000)
        everyone, log = clients(limiter, "a1 a2 b1 c1 a3 b2")
        instrument = CancelAtStep(n, everyone[victim])
        trio.lowlevel.add_instrument(instrument)
        async with trio.open_nursery() as nursery:
            await start(nursery, *everyone)
            for client in everyone:
                client.leave.set()
        trio.lowlevel.remove_instrument(instrument)
        cancelled = [each.name for each in everyone if each.scope.cancelled_caught]
        assert len(cancelled) <= 1
        assert set(log) | set(cancelled) == {each.name for each in everyone}
        assert limiter.statistics().hosts == {}
        return instrument.steps

    async def main() -> None:
        for victim in range(6):
            n = 1
            while await play(n, victim) >= n:
                n += 1
            assert n > 15

    run(main)


def test_cancelled_before_it_asks() -> None:
    """A cancelled task gets no slot, though one is free; else `acquire` is a checkpoint."""

    async def main() -> None:
        limiter = StreamLimiter(1)
        with trio.CancelScope() as scope:
            scope.cancel()
            await limiter.acquire()
        assert scope.cancelled_caught
        assert limiter.statistics().in_use == 0
        with trio.testing.assert_checkpoints():
            await limiter.acquire()
        limiter.release()

    run(main)


# ---- against a model -------------------------------------------------------------------------


@attrs.define
class Model:
    """The rules, written down without a thought for anything else."""

    max_streams: int
    per_host: int | None
    holding: list[tuple[int, str]] = attrs.field(factory=list[tuple[int, str]])
    waiting: list[tuple[int, str]] = attrs.field(factory=list[tuple[int, str]])

    def settle(self) -> None:
        for number, host in list(self.waiting):
            held = [each for _, each in self.holding]
            host_has_room = self.per_host is None or held.count(host) < self.per_host
            if len(held) < self.max_streams and host_has_room:
                self.waiting.remove((number, host))
                self.holding.append((number, host))

    def leave(self, number: int) -> None:
        self.holding = [each for each in self.holding if each[0] != number]
        self.waiting = [each for each in self.waiting if each[0] != number]


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(st.just("come"), st.integers(0, 3)) | st.tuples(st.just("go"), st.integers(0, 30)),
    max_size=30,
)


@given(STEPS, st.integers(1, 4), st.none() | st.integers(1, 3), st.booleans())
def test_limiter_is_like_its_model(
    steps: list[Step], max_streams: int, per_host: int | None, one_by_one: bool
) -> None:
    """Whoever comes, leaves and gives up in any order: the same have slots as by the rules."""

    async def main() -> None:
        limiter = StreamLimiter(max_streams, per_host=per_host)
        model = Model(max_streams, per_host)
        everyone: list[Client] = []
        async with trio.open_nursery() as nursery:
            for kind, value in steps:
                if kind == "come":
                    everyone.append(Client(limiter, "abcd"[value], []))
                    model.waiting.append((len(everyone) - 1, everyone[-1].host))
                    await start(nursery, everyone[-1])
                elif everyone:
                    number = value % len(everyone)
                    if one_by_one:
                        everyone[number].leave.set()
                        if not everyone[number].holds:
                            everyone[number].scope.cancel()
                    else:
                        everyone[number].scope.cancel()
                    model.leave(number)
                    await wait_all_tasks_blocked()
                model.settle()
                assert [n for n, each in enumerate(everyone) if each.holds] == sorted(
                    number for number, _ in model.holding
                )
                statistics = limiter.statistics()
                assert statistics.in_use == len(model.holding)
                assert statistics.waiting == len(model.waiting)
            nursery.cancel_scope.cancel()
        assert limiter.statistics().hosts == {}

    run(main)
