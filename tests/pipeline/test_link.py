"""The edges of the pipeline: nothing is lost, nothing is reordered, little is held."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_stream.pipeline._link import MAX_ITEMS, Link

MAX_WEIGHT = 1000


@pytest.fixture
def link() -> Link[int]:
    return Link(MAX_WEIGHT)


async def take_all(link: Link[int]) -> list[list[int]]:
    """Every batch up to the end of the link."""
    batches = []
    while True:
        try:
            batches.append((await link.take()).items)
        except trio.EndOfChannel:
            return batches


async def test_batches_that_nobody_takes_grow(link: Link[int]) -> None:
    """What is sent before the receiver comes arrives as one batch, with its whole weight."""
    for n in range(5):
        await link.send([n, -n], 10)

    batch = await link.take()

    assert batch.items == [0, 0, 1, -1, 2, -2, 3, -3, 4, -4]
    assert batch.weight == 50


async def test_batch_that_is_taken_does_not_grow(link: Link[int]) -> None:
    """What a receiver has is not changed behind its back."""
    await link.send([1], 1)
    taken = await link.take()
    await link.send([2], 1)

    assert taken.items == [1]
    assert (await link.take()).items == [2]


async def test_batch_on_its_way_to_a_waiting_receiver_grows(
    link: Link[int], nursery: trio.Nursery
) -> None:
    """A receiver that has been woken but has not run yet gets what is sent until it does."""
    batches: list[list[int]] = []

    async def receive() -> None:
        batches.append((await link.take()).items)

    nursery.start_soon(receive)
    await wait_all_tasks_blocked()
    assert link.send_nowait([1], 1)
    assert link.send_nowait([2], 1)
    await wait_all_tasks_blocked()

    assert batches == [[1, 2]]


@pytest.mark.parametrize("weight", [1, MAX_WEIGHT // 4])
async def test_link_is_bounded(link: Link[int], weight: int) -> None:
    """A batch grows to 64 items or its weight, whichever comes first; then the sender waits."""
    sent = 0
    while link.send_nowait([sent], weight):
        sent += 1

    assert sent == (64 if weight == 1 else 4)
    assert not link.send_nowait([sent], weight)


async def test_sender_waits_for_room(link: Link[int], nursery: trio.Nursery) -> None:
    """A sender that found no room goes on when the receiver has taken a batch, and in order."""
    for n in range(64):
        await link.send([n], 1)

    @nursery.start_soon
    async def _() -> None:
        await link.send([64], 1)
        await link.send([65], 1)
        link.close_send()

    await wait_all_tasks_blocked()
    first, *more = await take_all(link)
    assert first == list(range(64))
    assert [item for batch in more for item in batch] == [64, 65]


@pytest.mark.parametrize("first", ["sender", "receiver"])
async def test_batch_that_waited_grows_until_it_is_taken(
    link: Link[int], nursery: trio.Nursery, first: str
) -> None:
    """A batch that had to wait may be extended, but never once the receiver has it."""
    await link.send(list(range(64)), 1)

    @nursery.start_soon
    async def _() -> None:
        await link.send([64], 1)
        if first == "sender":
            await link.send([65], 1)

    await wait_all_tasks_blocked()
    assert len(link.take_nowait().items) == 64
    if first == "receiver":
        assert link.take_nowait().items == [64]
    await wait_all_tasks_blocked()
    if first == "receiver":
        await link.send([65], 1)

    assert link.take_nowait().items == ([65] if first == "receiver" else [64, 65])


async def test_fault_comes_after_everything_that_was_sent(link: Link[int]) -> None:
    """A receiver learns why the sender hung up when it has taken all."""
    fault = ValueError()
    await link.send([1], 1)
    link.close_send(fault)
    link.close_send(KeyError())

    assert await take_all(link) == [[1]]
    assert link.fault is fault
    with pytest.raises(trio.EndOfChannel):
        link.take_nowait()


async def test_sender_learns_that_the_receiver_has_left(
    link: Link[int], nursery: trio.Nursery
) -> None:
    """A sender is told at once, also one that waits; nothing that it sends is lost."""
    told = []

    @nursery.start_soon
    async def _() -> None:
        await link.send(list(range(64)), 1)
        for n in (64, 65):
            try:
                await link.send([n], 1)
            except trio.BrokenResourceError:
                told.append(n)

    await wait_all_tasks_blocked()
    link.close_receive()
    link.close_receive()
    await wait_all_tasks_blocked()

    assert told == [64, 65]
    assert link.drain() == list(range(66))
    assert link.drain() == []


async def test_drain_includes_what_a_cancelled_sender_held(link: Link[int]) -> None:
    """A batch that waited for room when its sender was cancelled is drained, in its place."""
    with trio.move_on_after(0) as scope:
        for n in range(100):
            await link.send([n], 1)

    assert scope.cancelled_caught
    assert link.drain() == list(range(65))


async def test_receiver_that_leaves_right_after_taking_loses_nothing(
    link: Link[int], nursery: trio.Nursery
) -> None:
    """Taking lets a waiting batch into the channel before its sender knows: it counts once."""
    await link.send(list(range(64)), 1)

    @nursery.start_soon
    async def _() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await link.send([64], 1)

    await wait_all_tasks_blocked()
    assert len(link.take_nowait().items) == 64
    link.close_receive()
    await wait_all_tasks_blocked()

    assert link.drain() == [64]


@pytest.mark.parametrize("seed", range(200))
async def test_nothing_is_lost_or_reordered(seed: int) -> None:
    """Whatever the two sides do, cancelled at any moment: taken and drained is all."""
    play = RandomPlay(seed)
    async with trio.open_nursery() as nursery:
        for task in (play.send, play.receive, play.cancel):
            nursery.start_soon(task)
    rest = play.link.drain()

    # What was offered to a receiver that had left is not the link's.
    assert play.got + rest == play.sent[: len(play.got) + len(rest)]
    assert len(play.sent) - len(play.got) - len(rest) <= 70


class RandomPlay:
    """A sender and a receiver of changing pace, which may be cancelled."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.link: Link[int] = Link(self.rng.choice([1, 10, 10_000]))
        self.scopes = [trio.CancelScope(), trio.CancelScope()]
        self.sent: list[int] = []
        self.got: list[int] = []

    async def dawdle(self, most: int) -> None:
        for _ in range(self.rng.choice([0, 0, self.rng.randrange(most)])):
            await trio.lowlevel.checkpoint()

    async def send(self) -> None:
        with self.scopes[0]:
            for _ in range(self.rng.randrange(300)):
                first = len(self.sent)
                items = list(range(first, first + self.rng.choice([1, 1, 1, 2, 70])))
                self.sent += items
                try:
                    await self.link.send(items, self.rng.randrange(20))
                except trio.BrokenResourceError:
                    break
                await self.dawdle(5)
        self.link.close_send()

    async def receive(self) -> None:
        with self.scopes[1]:
            for _ in range(self.rng.randrange(300)):
                try:
                    self.got += (await self.link.take()).items
                except trio.EndOfChannel:
                    break
                await self.dawdle(5)
        self.link.close_receive()

    async def cancel(self) -> None:
        for scope in self.rng.sample(self.scopes, self.rng.randrange(3)):
            await self.dawdle(200)
            scope.cancel()


async def test_take_back(link: Link[int]) -> None:
    """What nobody has come for can be taken back, and others can be sent in its place."""
    assert link.take_back() == []
    await link.send([1], 1)
    await link.send([2], 1)

    assert link.take_back() == [1, 2]
    assert link.batch is None
    await link.send([3], 1)
    assert (await link.take()).items == [3]


async def test_what_is_on_its_way_can_be_taken_back(link: Link[int], nursery: trio.Nursery) -> None:
    """A receiver that was woken and has not run yet goes on waiting, and gets what comes next."""
    taken: list[list[int]] = []

    @nursery.start_soon
    async def _() -> None:
        taken.append((await link.take()).items)

    await wait_all_tasks_blocked()
    assert link.send_nowait([1], 1)
    assert link.take_back() == [1]
    await wait_all_tasks_blocked()
    assert taken == []
    assert link.send_nowait([2], 1)
    await wait_all_tasks_blocked()
    assert taken == [[2]]


async def test_receiver_that_is_woken_and_told_to_leave_takes_nothing(
    link: Link[int], nursery: trio.Nursery
) -> None:
    """What it was woken for is drained: it belongs to the link until the receiver runs with it."""
    told: list[type[BaseException]] = []

    @nursery.start_soon
    async def _() -> None:
        try:
            await link.take()
        except trio.ClosedResourceError as error:
            told.append(type(error))

    await wait_all_tasks_blocked()
    assert link.send_nowait([1], 1)
    assert link.drain() == [1]
    await wait_all_tasks_blocked()
    assert told == [trio.ClosedResourceError]


async def test_cancellation_comes_before_the_end(link: Link[int]) -> None:
    """A receiver that is cancelled is not told that there is no more, nor given anything."""
    await link.send([1], 1)
    for _ in range(2):
        with trio.move_on_after(0) as scope:
            await link.take()
        assert scope.cancelled_caught
        link.close_send()
    assert await take_all(link) == [[1]]
    with trio.move_on_after(0) as scope:
        await link.take()
    assert scope.cancelled_caught


@pytest.mark.parametrize("leave_after", [0, 1, 2, 3, 4])
async def test_large_batch_is_taken_in_parts(link: Link[int], leave_after: int) -> None:
    """However much came at once, little of it is taken at once, and the rest stays in the link."""
    await link.send(list(range(1000)), 1000)
    assert not link.send_nowait([1000], 1)
    parts = [await link.take() for _ in range(leave_after)]

    assert all(len(part.items) <= MAX_ITEMS for part in parts)
    assert all(part.weight == len(part.items) for part in parts[:3])
    taken = [item for part in parts for item in part.items]
    assert taken == list(range(len(taken)))
    assert (link.batch is None) == (leave_after == 4)
    assert link.send_nowait([1000], 1) == (leave_after == 4)
    left = link.drain()
    assert taken + left == list(range(1000 + (leave_after == 4)))


async def test_rest_of_a_large_batch_can_be_taken_back(link: Link[int]) -> None:
    """What was taken of it is not in the rest, and what is sent then is another batch."""
    await link.send(list(range(300)), 1)
    assert (await link.take()).items == list(range(MAX_ITEMS))
    assert link.take_back() == list(range(MAX_ITEMS, 300))
    await link.send([1], 1)
    assert (await link.take()).items == [1]


async def test_each_part_gives_others_a_turn(link: Link[int], nursery: trio.Nursery) -> None:
    """A receiver that finds a batch lets other tasks run before it works on it."""
    turns: list[str] = []
    await link.send(list(range(3 * MAX_ITEMS)), 1)

    @nursery.start_soon
    async def _() -> None:
        for _ in range(3):
            turns.append("other")
            await trio.lowlevel.checkpoint()

    for _ in range(3):
        await link.take()
        turns.append("part")
    assert turns.count("other") >= 2


async def test_link_that_was_left_is_not_idle(link: Link[int]) -> None:
    """A receiver that was told to leave while it worked is not to be worked for."""
    await link.send([1], 1)
    await link.take()
    link.close_receive()
    with pytest.raises(trio.ClosedResourceError):
        await link.take()
    assert not link.is_idle


async def test_idle_is_with_nothing_on_its_way(link: Link[int], nursery: trio.Nursery) -> None:
    """A link is idle when its receiver has dealt with everything, or was never needed."""
    assert link.is_idle
    taking = trio.Event()

    @nursery.start_soon
    async def _() -> None:
        assert (await link.take()).items == [1]
        assert not link.is_idle  # it works on it
        await taking.wait()
        with pytest.raises(trio.ClosedResourceError):
            await link.take()

    await wait_all_tasks_blocked()
    assert link.is_idle
    await link.send([1], 1)
    assert not link.is_idle
    await wait_all_tasks_blocked()
    taking.set()
    await wait_all_tasks_blocked()
    assert link.is_idle
    link.close_receive()
    assert not link.is_idle
    link.drain()
    assert not link.is_idle
