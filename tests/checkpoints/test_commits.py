"""Group commit: what comes together is written together, and nothing is written too late."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_stream.checkpoints._commits import GroupCommit

Changes = dict[str, str | None]


@attrs.define
class Disk:
    """Writes into a list; waits at the gate if there is one, and fails when told to."""

    written: list[Changes] = attrs.Factory(list)
    gate: threading.Event | None = None
    error: Exception | None = None

    def write(self, changes: Mapping[str, str | None]) -> None:
        if self.gate is not None:
            assert self.gate.wait(10)
        if self.error is not None:
            raise self.error
        self.written.append(dict(changes))


async def test_alone_is_written_at_once() -> None:
    """A change that meets no other is written when `commit` returns."""
    disk = Disk()
    commits = GroupCommit(disk.write)

    await commits.commit("a", "1")
    assert disk.written == [{"a": "1"}]
    await commits.commit("a", None)
    assert disk.written == [{"a": "1"}, {"a": None}]


async def test_many_share_few_commits() -> None:
    """200 savers with five saves each, all at once, need hardly more commits than one."""
    disk = Disk()
    commits = GroupCommit(disk.write)

    async def save(key: str) -> None:
        for number in range(5):
            await commits.commit(key, str(number))
            assert {key: str(number)}.items() <= merged(disk.written).items()

    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(save, str(number))

    assert sum(map(len, disk.written)) == 1000
    assert len(disk.written) <= 50
    assert set(merged(disk.written).values()) == {"4"}


def merged(written: list[Changes]) -> Changes:
    positions: Changes = {}
    for changes in written:
        positions |= changes
    return positions


async def test_the_last_of_one_key_wins() -> None:
    """Of several changes of one key in one commit, the last that came is written."""
    disk = Disk(gate=threading.Event())
    commits = GroupCommit(disk.write)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commits.commit, "first", "1")
        await wait_all_tasks_blocked()
        for key, position in [("a", "1"), ("b", "1"), ("a", None), ("b", None), ("a", "2")]:
            nursery.start_soon(commits.commit, key, position)
            await wait_all_tasks_blocked()
        disk.gate.set()

    assert disk.written == [{"first": "1"}, {"a": "2", "b": None}]


async def test_cancelled_before_its_commit_is_taken_back() -> None:
    """Who is cancelled while waiting for its turn is not written, the others of its batch are."""
    disk = Disk(gate=threading.Event())
    commits = GroupCommit(disk.write)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commits.commit, "first", "1")
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:  # it would have led the next commit
            async with trio.open_nursery() as cancelled:
                cancelled.start_soon(commits.commit, "a", "too late")
                await wait_all_tasks_blocked()
                for key in "bc":
                    nursery.start_soon(commits.commit, key, "2")
                await wait_all_tasks_blocked()
                scope.cancel()
        assert disk.written == []
        disk.gate.set()
    await commits.commit("d", "3")

    assert disk.written == [{"first": "1"}, {"b": "2", "c": "2"}, {"d": "3"}]


async def test_taken_back_though_it_was_all_of_its_batch() -> None:
    """A batch that nobody is left in is not written."""
    disk = Disk(gate=threading.Event())
    commits = GroupCommit(disk.write)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commits.commit, "first", "1")
        await wait_all_tasks_blocked()
        with trio.move_on_after(0):
            await commits.commit("a", "too late")
        disk.gate.set()

    assert disk.written == [{"first": "1"}]


async def test_cancelled_in_its_commit_waits_for_the_end() -> None:
    """Whoever is being written returns when that is done, cancelled or not."""
    disk = Disk()
    commits = GroupCommit(disk.write)
    ended = []

    async def save(key: str) -> None:
        try:
            await commits.commit(key, "1")
        finally:
            ended.append((key, list(disk.written)))

    gate = disk.gate = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(save, "a")
        nursery.start_soon(save, "b")
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
            assert ended == []
        gate.set()

    assert [written for _, written in ended] == 2 * [[{"a": "1", "b": "1"}]]


async def test_failure_is_everybodys_own() -> None:
    """All who are in a commit that fails get its exception, each one of its own."""
    disk = Disk(error=OSError(28, "No space left on device", "state.json"))
    commits = GroupCommit(disk.write)
    errors = []

    async def save(key: str) -> None:
        with pytest.raises(OSError, match=r"No space left on device: 'state\.json'") as caught:
            await commits.commit(key, "1")
        errors.append(caught.value)

    async with trio.open_nursery() as nursery:
        for key in "abc":
            nursery.start_soon(save, key)

    assert len(set(map(id, errors))) == 3
    assert sum(error is disk.error for error in errors) == 1
    assert sum(error.__cause__ is disk.error for error in errors) == 2

    disk.error = None
    await commits.commit("d", "2")
    assert disk.written == [{"d": "2"}]


async def test_bad_text_harms_nobody_else() -> None:
    """What is refused never joins a batch."""
    disk = Disk(gate=threading.Event())
    commits = GroupCommit(disk.write)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commits.commit, "first", "1")
        await wait_all_tasks_blocked()
        nursery.start_soon(commits.commit, "a", "1")
        with pytest.raises(ValueError, match="the position has lone surrogates"):
            await commits.commit("b", "\ud800")
        disk.gate.set()

    assert disk.written == [{"first": "1"}, {"a": "1"}]


async def test_run_waits_for_its_turn() -> None:
    """A function that is run sees all that was asked for before, and nothing half done."""
    disk = Disk(gate=threading.Event())
    commits = GroupCommit(disk.write)
    seen = []

    async def look() -> None:
        seen.append(await commits.run(lambda: len(disk.written)))

    async with trio.open_nursery() as nursery:
        for call in [lambda: commits.commit("a", "1"), look, lambda: commits.commit("b", "1")]:
            nursery.start_soon(call)
            await wait_all_tasks_blocked()
        disk.gate.set()

    # "a" was being written when `look` came, and "b" came after it.
    assert seen == [1]
    assert disk.written == [{"a": "1"}, {"b": "1"}]


def test_made_outside_of_trio() -> None:
    """A store can be made before trio runs, and outlives the run."""
    disk = Disk()
    commits = GroupCommit(disk.write)

    trio.run(commits.commit, "a", "1")
    trio.run(commits.commit, "a", "2")

    assert disk.written == [{"a": "1"}, {"a": "2"}]
