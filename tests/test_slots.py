"""Slots against a model that is too plain to be wrong, under any order of events."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from trio_stream.slots import Slots

HOSTS = "abc"


@attrs.define(eq=False)
class Taker:
    """A task that wants a slot.

    Attributes:
        has_slot: What it says itself.
        was_cancelled: The same.
    """

    host: str
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    leave: trio.Event = attrs.Factory(trio.Event)
    has_slot: bool = False
    was_cancelled: bool = False

    async def run(self, slots: Slots) -> None:
        with self.scope:
            if not slots.take_nowait(self.host):
                await slots.wait(self.host)
            self.has_slot = True
            with trio.CancelScope(shield=True):
                await self.leave.wait()
        self.was_cancelled = not self.has_slot


@asynccontextmanager
async def ending() -> AsyncGenerator[list[Taker]]:
    """Collect takers, and end them with the block, so that a failure is no hang."""
    takers: list[Taker] = []
    try:
        yield takers
    finally:
        for taker in takers:
            taker.scope.cancel()
            taker.leave.set()


@attrs.define(eq=False)
class Model:
    """The rules, as one would tell them: whoever comes first, of those who may.

    Attributes:
        waiting: Who waits, in the order in which they came.
        using: Who has a slot.
    """

    limit: float
    per_host: float
    waiting: list[Taker] = attrs.Factory(list)
    using: list[Taker] = attrs.Factory(list)

    def settle(self) -> None:
        for taker in list(self.waiting):
            of_host = sum(other.host == taker.host for other in self.using)
            if len(self.using) < self.limit and of_host < self.per_host:
                self.waiting.remove(taker)
                self.using.append(taker)

    def check(self, slots: Slots) -> None:
        for taker in self.using:
            assert taker.has_slot
        for taker in self.waiting:
            assert not taker.has_slot
            assert not taker.was_cancelled
        assert slots.in_use == len(self.using)
        assert slots.in_use_by_host == Counter(taker.host for taker in self.using)
        assert slots.waiting == len(self.waiting)
        assert slots.waiting_by_host() == Counter(taker.host for taker in self.waiting)


limits = st.none() | st.integers(1, 4)
steps = st.lists(
    st.tuples(st.sampled_from(["come", "come", "leave", "cancel"]), st.integers(0, 99)),
    min_size=15,  # fewer are mostly too few for a queue
    max_size=60,
)


@given(limit=limits, per_host=limits, steps=steps)
def test_as_the_model_says(
    limit: int | None, per_host: int | None, steps: list[tuple[str, int]]
) -> None:
    """Whoever comes, leaves or is cancelled: those have slots who should, in their order."""

    async def main() -> None:
        slots = Slots(limit, per_host)
        model = Model(limit or 99, per_host or 99)
        async with trio.open_nursery() as nursery, ending() as takers:
            for step, number in steps:
                if step == "come":
                    taker = Taker(HOSTS[number % len(HOSTS)])
                    model.waiting.append(taker)
                    takers.append(taker)
                    nursery.start_soon(taker.run, slots)
                elif step == "leave" and model.using:
                    taker = model.using.pop(number % len(model.using))
                    slots.release(taker.host)
                    taker.leave.set()
                elif step == "cancel" and model.waiting:
                    taker = model.waiting.pop(number % len(model.waiting))
                    taker.scope.cancel()
                model.settle()
                await wait_all_tasks_blocked()
                model.check(slots)

    trio.run(main)


@given(limit=limits, per_host=limits, steps=steps)
def test_many_things_at_once(
    limit: int | None, per_host: int | None, steps: list[tuple[str, int]]
) -> None:
    """With no time between them, events leave no slot lost or doubled, and no wait in vain."""

    async def main() -> None:
        slots = Slots(limit, per_host)
        most = 0
        async with trio.open_nursery() as nursery, ending() as takers:

            async def use(taker: Taker) -> None:
                nonlocal most
                try:
                    await taker.run(slots)
                finally:
                    if taker.has_slot:
                        slots.release(taker.host)

            for step, number in steps:
                if step == "come":
                    takers.append(Taker(HOSTS[number % len(HOSTS)]))
                    nursery.start_soon(use, takers[-1])
                elif takers and step == "leave":
                    takers[number % len(takers)].leave.set()
                elif takers:  # perhaps in the very moment in which it is given its slot
                    takers[number % len(takers)].scope.cancel()
                if number % 3 == 0:
                    await trio.lowlevel.checkpoint()
                most = max(most, slots.in_use)
                assert most <= (limit or 99)
                assert all(n <= (per_host or 99) for n in slots.in_use_by_host.values())
            for taker in takers:
                taker.leave.set()
            await wait_all_tasks_blocked()
            assert all(taker.has_slot or taker.was_cancelled for taker in takers)
        assert (slots.in_use, slots.waiting) == (0, 0)
        assert (slots.in_use_by_host, slots.waiting_by_host()) == ({}, {})

    trio.run(main)


async def test_cancelled_when_the_slot_is_there() -> None:
    """Who is cancelled in the moment after it was given a slot has it, and has to give it back."""
    slots = Slots(1)
    assert slots.take_nowait("a")
    taker = Taker("a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(taker.run, slots)
        await wait_all_tasks_blocked()
        slots.release("a")
        taker.scope.cancel()
        assert (slots.in_use, slots.waiting) == (1, 0)
        await wait_all_tasks_blocked()
        assert taker.has_slot
        assert not taker.was_cancelled
        taker.leave.set()
    slots.release("a")


def test_release_of_none() -> None:
    """A slot that was not taken cannot be given back."""
    slots = Slots(2)
    assert slots.take_nowait("a")
    with pytest.raises(KeyError):
        slots.release("b")
    assert slots.in_use == 1
    slots.release("a")
    with pytest.raises(KeyError):
        slots.release("a")
    assert slots.in_use == 0


async def calls_of_release(hosts: int) -> int:
    """How many functions are called when a slot is released that so many hosts wait for."""
    slots = Slots(1, 2)
    assert slots.take_nowait("a")
    calls = 0

    def tell(_frame: object, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    async with trio.open_nursery() as nursery:
        for number in range(hosts):
            nursery.start_soon(slots.wait, f"host {number}")
        await wait_all_tasks_blocked()
        before = sys.getprofile()
        sys.setprofile(tell)
        try:
            slots.release("a")
        finally:
            sys.setprofile(before)
        assert (slots.in_use, slots.waiting) == (1, hosts - 1)
        nursery.cancel_scope.cancel()
    return calls


async def test_release_looks_at_one() -> None:
    """To release a slot is as much work where a thousand hosts wait for it as where ten do."""
    assert await calls_of_release(1000) == await calls_of_release(10)
