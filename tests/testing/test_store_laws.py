"""`check_store` passes what is right, and catches each way to be wrong."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from trio_stream.testing import check_store


class Store:
    """A right store, for the wrong ones below to differ from; a shared dictionary is its disk."""

    def __init__(self, disk: dict[str, str]) -> None:
        self.disk = disk

    async def load(self, key: str) -> str | None:
        await trio.lowlevel.checkpoint()
        return self.disk.get(key)

    async def save(self, key: str, position: str) -> None:
        await trio.lowlevel.checkpoint()
        self.disk[key] = position

    async def delete(self, key: str) -> None:
        await trio.lowlevel.checkpoint()
        self.disk.pop(key, None)


def opener_of(make: Callable[[dict[str, str]], Any]) -> Callable[[], Any]:
    disk: dict[str, str] = {}

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Any]:
        store = make(disk)
        yield store
        if hasattr(store, "aclose"):
            await store.aclose()

    return opened


async def test_right_store_passes() -> None:
    """A store that keeps the contract is let through."""
    await check_store(opener_of(Store))
    await check_store(opener_of(Store), durable=False)


async def test_whatever_else_is_right_passes() -> None:
    """So is one that refuses lone surrogates, has many steps, or helpers of its own."""

    class Refuses(Store):
        async def save(self, key: str, position: str) -> None:
            for text in (key, position):
                text.encode()
            await super().save(key, position)

    class Slow(Store):
        async def save(self, key: str, position: str) -> None:
            for _ in range(20):
                await trio.lowlevel.checkpoint()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(super().save, key, position)

    await check_store(opener_of(Refuses))
    await check_store(opener_of(ToItself))
    await check_store(opener_of(Slow))
    with pytest.raises(AssertionError, match="save has more than 10 steps"):
        await check_store(opener_of(Slow), max_steps=10)


async def test_store_that_cannot_be_opened_again() -> None:
    """A store that lives in its object is right only if it need not be durable."""

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Store]:
        yield Store({})

    await check_store(opened, durable=False)
    with pytest.raises(
        AssertionError, match="opened again, the position of 'reopened' is None, expected '2'"
    ):
        await check_store(opened)


class KnowsAll(Store):
    """Has a position for each key."""

    async def load(self, key: str) -> str | None:
        return await super().load(key) or ""


class RaisesForUnknown(Store):
    """Takes an unknown key for an error."""

    async def load(self, key: str) -> str | None:
        return self.disk[key]


class DeletesOnlyKnown(Store):
    """Takes the deletion of an unknown key for an error."""

    async def delete(self, key: str) -> None:
        del self.disk[key]


class FirstWins(Store):
    """Does not replace."""

    async def save(self, key: str, position: str) -> None:
        self.disk.setdefault(key, position)


class HighestWins(Store):
    """Takes positions for an order."""

    async def save(self, key: str, position: str) -> None:
        self.disk[key] = max(position, self.disk.get(key, ""))


class Delayed(Store):
    """Writes a save with the next one."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        self.pending: dict[str, str] = {}

    async def save(self, key: str, position: str) -> None:
        self.disk |= self.pending
        self.pending = {key: position}


class NeverDeletes(Store):
    """Keeps what it should forget."""

    async def delete(self, key: str) -> None:
        pass


class DeletesAll(Store):
    """Forgets what it should keep."""

    async def delete(self, key: str) -> None:
        self.disk.clear()


class DeletesForever(Store):
    """Does not take a deleted key again."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        self.deleted: set[str] = set()

    async def save(self, key: str, position: str) -> None:
        if key not in self.deleted:
            self.disk[key] = position

    async def delete(self, key: str) -> None:
        self.disk.pop(key, None)
        self.deleted = {*self.deleted, key}


CHANGES: dict[str, Callable[[str], str]] = {
    "stripped": str.strip,
    "cut at NUL": lambda text: text.split("\0")[0],
    "line ends": lambda text: text.replace("\r\n", "\n"),
    "without BOM": lambda text: text.removeprefix("\ufeff"),
    "normalized": lambda text: unicodedata.normalize("NFC", text),
    "cut at 255": lambda text: text[:255],
    "cut at 3000": lambda text: text[:3_000],
    "without astral planes": lambda text: "".join(each for each in text if each <= "\uffff"),
    "surrogates as question marks": lambda text: text.encode("utf-8", "replace").decode(),
    "surrogates as U+FFFD": lambda text: re.sub("[\ud800-\udfff]", "\ufffd", text),
    "in lower case": str.lower,
}


class TakesEmptyForNothing(Store):
    """Loses what is false in Python."""

    async def load(self, key: str) -> str | None:
        return await super().load(key) or None


class MakesNumbers(Store):
    """Gives back another type."""

    async def load(self, key: str) -> Any:
        position = await super().load(key)
        return int(position) if position and position.isdecimal() else position


class ForgetsOnBadText(Store):
    """Refuses lone surrogates when it is too late."""

    async def save(self, key: str, position: str) -> None:
        self.disk.pop(key, None)
        position.encode()
        self.disk[key] = position


class CrashesOnBadText(Store):
    """Refuses lone surrogates with an exception of its own."""

    async def save(self, key: str, position: str) -> None:
        try:
            position.encode()
        except ValueError as exc:
            raise RuntimeError("what is that?") from exc
        self.disk[key] = position


class LosesUpdates(Store):
    """Reads all, waits, and writes all."""

    async def save(self, key: str, position: str) -> None:
        everything = self.disk | {key: position}
        await trio.lowlevel.checkpoint()
        self.disk.clear()
        self.disk.update(everything)


class Breaks(Store):
    """Leaves nothing in between."""

    async def save(self, key: str, position: str) -> None:
        await trio.lowlevel.checkpoint()
        self.disk.pop(key, None)
        await trio.lowlevel.checkpoint()
        self.disk[key] = position


class TearsInTwo(Store):
    """Leaves half a position in between."""

    async def save(self, key: str, position: str) -> None:
        await trio.lowlevel.checkpoint()
        self.disk[key] = position[:1]
        await trio.lowlevel.checkpoint()
        self.disk[key] = position


class Late(Store):
    """Saves after the cancellation, with the next save."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        self.left: dict[str, str] = {}

    async def save(self, key: str, position: str) -> None:
        left, self.left = self.left, {key: position}
        await trio.lowlevel.checkpoint()
        self.disk |= left
        self.disk[key] = position
        self.left = {}


class LateOverTheNewest(Store):
    """Saves after the cancellation, once the same key is saved again."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        self.left: dict[str, str] = {}

    async def save(self, key: str, position: str) -> None:
        left = self.left.pop(key, None)
        self.left[key] = position
        await trio.lowlevel.checkpoint()
        self.disk[key] = position if left is None else left
        del self.left[key]


class LateDeletion(Store):
    """Deletes after the cancellation, with the next save of another key."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        self.left: set[str] = set()

    async def delete(self, key: str) -> None:
        self.left = {key}
        await trio.lowlevel.checkpoint()
        self.disk.pop(key, None)
        self.left = set()

    async def save(self, key: str, position: str) -> None:
        await super().save(key, position)
        for each in self.left - {key}:
            self.disk.pop(each, None)
        self.left -= {key}


class KeepsItsLock(Store):
    """Does not free its lock when it is cancelled."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        self.lock = trio.Semaphore(1)

    async def save(self, key: str, position: str) -> None:
        await self.lock.acquire()
        await super().save(key, position)
        self.lock.release()


class LeavesItsFollowers(Store):
    """Commits in groups, and forgets the group when the one who leads it is cancelled."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        self.batch: dict[str, str] = {}
        self.over = trio.Event()

    async def save(self, key: str, position: str) -> None:
        leads = not self.batch
        self.batch[key] = position
        if not leads:
            await self.over.wait()
            return
        try:
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            self.disk |= self.batch
        finally:
            self.batch = {}
            self.over.set()
            self.over = trio.Event()


class ForgetsWhenLoadIsCancelled(Store):
    """Takes a position out to look at it."""

    async def load(self, key: str) -> str | None:
        position = self.disk.pop(key, None)
        await trio.lowlevel.checkpoint()
        if position is not None:
            self.disk[key] = position
        return position


class WritesNoDeletions(Store):
    """A log of what was saved, without what was deleted."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(dict(disk))
        self.log = disk

    async def aclose(self) -> None:
        self.log |= self.disk


class WritesOnlyNewKeys(WritesNoDeletions):
    """A log that keeps the first of each key."""

    async def aclose(self) -> None:
        for key, position in self.disk.items():
            self.log.setdefault(key, position)


class Renaming(Store):
    """Escapes odd keys when it is closed, and reads them as they are."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__({key.replace("\0", "?"): value for key, value in disk.items()})
        self.original = disk

    async def aclose(self) -> None:
        self.original.clear()
        self.original |= self.disk


class WritesWhenClosed(Store):
    """Keeps everything in memory until it is closed."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(dict(disk))
        self.file = disk

    async def aclose(self) -> None:
        self.file.clear()
        self.file |= self.disk


class Cached(Store):
    """Has everything in memory, too."""

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(dict(disk))
        self.file = disk

    async def delete(self, key: str) -> None:
        await super().delete(key)
        self.file.pop(key, None)


class CachesFirst(Cached):
    """Has a position in memory while it is not yet on the disk."""

    async def save(self, key: str, position: str) -> None:
        self.disk[key] = position
        await trio.lowlevel.checkpoint()
        self.file[key] = position


class CachesLast(Cached):
    """Has a position on the disk while it is not yet in memory."""

    async def save(self, key: str, position: str) -> None:
        self.file[key] = position
        await trio.lowlevel.checkpoint()
        self.disk[key] = position


class WritesLines(Cached):
    """Writes each position into a line."""

    async def save(self, key: str, position: str) -> None:
        await super().save(key, position)
        self.file[key] = position.rstrip("\n")


class HidesCancellation(Store):
    """Takes what it could not do for done."""

    async def save(self, key: str, position: str) -> None:
        with suppress(trio.Cancelled):
            await super().save(key, position)


class ToItself(Store):
    """Cannot be opened twice, which is its right."""

    opened = 0

    def __init__(self, disk: dict[str, str]) -> None:
        super().__init__(disk)
        if ToItself.opened:
            raise BlockingIOError("locked")
        ToItself.opened += 1

    async def aclose(self) -> None:
        ToItself.opened -= 1


WRONG = [
    (KnowsAll, "before anything was saved, the position of 'unknown' is '', expected None"),
    (RaisesForUnknown, r"load\('unknown'\) raised KeyError"),
    (DeletesOnlyKnown, r"delete\('unknown'\) raised KeyError"),
    (FirstWins, r"after save\('2'\), the position of 'last' is '1', expected '2'"),
    (HighestWins, r"after save\('2'\), the position of 'last' is '3'"),
    (Delayed, r"after save\('1'\), the position of 'last' is None"),
    (NeverDeletes, "deleted, the position of 'deleted' is '1', expected None"),
    (DeletesAll, "when another key was deleted, the position of 'kept' is None"),
    (DeletesForever, "saved after it was deleted"),
    (TakesEmptyForNothing, "with an odd position, the position of 'odd' is None"),
    (MakesNumbers, r"after save\('1'\), the position of 'last' is 1, expected '1'"),
    (ForgetsOnBadText, "saved a position with lone surrogates, .* is None, expected 'before'"),
    (CrashesOnBadText, "raised RuntimeError"),
    (LosesUpdates, "among many savers"),
    (Breaks, "after save was cancelled at step 3, alone, .* is None, expected 'old' or 'new'"),
    (TearsInTwo, "after save was cancelled .* is 'n', expected 'old' or 'new'"),
    (Late, "after save was cancelled .* and another was saved, .* is 'new', expected 'old'"),
    (LateOverTheNewest, "and it was saved again, .* is 'new', expected 'newest'"),
    (LateDeletion, "after delete was cancelled .* and another was saved, .* is None"),
    (KeepsItsLock, r"save\('next', '2'\) took more than 30\.0 seconds"),
    (LeavesItsFollowers, "after save was cancelled at step ., before others, .* of 'other .' is"),
    (ForgetsWhenLoadIsCancelled, "after load was cancelled .* is None, expected 'old' or 'old'"),
    (WritesNoDeletions, "deleted when opened again, .* the position of 'gone' is '3'"),
    (WritesOnlyNewKeys, "saved when opened again, .* is '2', expected '4'"),
    (Renaming, "with odd keys, opened again"),
    (WritesWhenClosed, "not closed, as after a crash, .* is '4', expected '5'"),
    (CachesFirst, "opened again after a save was cancelled, .* is 'old', expected 'new'"),
    (CachesLast, "opened again after a save was cancelled, .* is 'new', expected 'old'"),
    (WritesLines, "with odd positions, opened again"),
    (
        HidesCancellation,
        "after save was to be cancelled, and returned, .* is 'old', expected 'new'",
    ),
]


def check_in_virtual_time(make: Callable[[dict[str, str]], Any]) -> None:
    opened: Callable[[], AbstractAsyncContextManager[Any]] = opener_of(make)
    trio.run(lambda: check_store(opened), clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize(("store", "complaint"), WRONG, ids=[each.__name__ for each, _ in WRONG])
def test_wrong_store_is_caught(store: type[Store], complaint: str) -> None:
    """Each way to break a law is found, and said."""
    with pytest.raises(AssertionError, match=complaint):
        check_in_virtual_time(store)


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_changed_key_is_caught(change: Callable[[str], str]) -> None:
    """A store that takes one key for another is found."""

    class Renames(Store):
        async def load(self, key: str) -> str | None:
            return await super().load(change(key))

        async def save(self, key: str, position: str) -> None:
            await super().save(change(key), position)

    with pytest.raises(AssertionError, match=r"with odd keys|after strings with lone surrogates"):
        check_in_virtual_time(Renames)


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_changed_position_is_caught(change: Callable[[str], str]) -> None:
    """A store that gives back something else than it was given is found."""

    class Rewrites(Store):
        async def save(self, key: str, position: str) -> None:
            await super().save(key, change(position))

    with pytest.raises(
        AssertionError, match=r"with an odd position|saved a position with lone surrogates"
    ):
        check_in_virtual_time(Rewrites)
