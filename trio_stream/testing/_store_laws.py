"""The laws of a checkpoint store: what was saved is there, whatever was cancelled or closed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final, Literal, TypeAlias, TypeVar

import attrs
import trio

from ..checkpoints import CheckpointStore

__all__ = ["check_store"]

T = TypeVar("T")
OpenStore: TypeAlias = Callable[[], AbstractAsyncContextManager[CheckpointStore]]

# What a naive store confuses, cuts short, changes or takes for nothing.
_ODD_STRINGS: Final = (
    *("", " ", "\0", "a", "A", " a", "a ", "a\n", "a\r\n", "a\0", "a\0b", "a\tb", "\ufeffa"),
    *("0", "00", "0.0", "null", "None", "false", '"', "'", "\\", "\\u0061", '{"a": 1}', "a'--"),
    *("a/b", "../a", "a:b", "a*", "a%", "a_", "é", "e\u0301", "😀", "\u2028", "\x7f", "\U0010ffff"),
    *("?", "a?", "??", "\ufffd", "a\ufffd", "\ufffd\ufffd"),
    *(300 * "k" + "1", 300 * "k" + "2", 3_000 * "é", 3_000 * "é" + "1"),
)
_LONG_POSITIONS: Final = (100_000 * "a", 99_999 * "a" + "b", 50_000 * "é")
# Where a store gathers saves, whoever comes first may have to write for the others.
_Company: TypeAlias = Literal["alone", "before others", "after others"]
_COMPANIES: Final[tuple[_Company, ...]] = ("alone", "before others", "after others")

_SURROGATES: Final = ("\ud800", "a\udc80", "\ude00\ud83d")


@asynccontextmanager
async def _opened(open_store: OpenStore, limit: float) -> AsyncGenerator[_Store]:
    async with open_store() as store:
        yield _Store(store, limit)


async def check_store(
    open_store: OpenStore, *, durable: bool = True, limit: float = 30.0, max_steps: int = 1000
) -> None:
    """Check that a checkpoint store keeps its contract.

    * An unknown key has no position, and can be deleted.
    * A position is there as soon as `save` returns, in the place of the last; a deleted one is
      gone.
    * Keys and positions are any Unicode strings, however odd or long, and no key is taken for
      another. A string with lone surrogates is kept as it is, or `ValueError` refuses it and the
      position stays as it was.
    * What was saved and deleted stays so when the store is closed and opened again. It does not
      wait for the closing: where the storage can be opened twice, it is there before.
    * Saves of many keys at once do not disturb one another.
    * A call that is cancelled at the n-th step of its task, for each n, alone or among the saves
      of other keys, leaves the old position or the new one, and still does when the store is
      opened again; if it returns all the same, it has happened. It does not happen later, the
      other saves do happen, and the store works on.

    Needs a storage of its own, and leaves keys in it. Takes some hundred saves. With a store that
    really waits, such as for a disk, do not use a mock clock that jumps.

    Args:
        open_store: Opens the store, on the same storage each time, as an async context manager.
        durable: Whether the positions survive that the store is closed.
        limit: How long one call may take, in seconds on trio's clock.
        max_steps: The number of steps that a save may have, for the cancellation to come to its
            end.

    Raises:
        AssertionError: A law is broken. Says which.
    """
    opened = partial(_opened, open_store, limit)
    async with opened() as store:
        await _check_unknown(store)
        await _check_last_wins(store)
        await _check_delete(store)
        await _check_many_savers(store)
        for company in _COMPANIES:
            await _check_cancelled(store, company, max_steps)
        await _check_odd_keys(store)
        await _check_odd_positions(store)
        await _check_surrogates(store)
    if durable:
        await _check_reopened(opened)
        await _check_reopened_after_cancelling(opened, max_steps)
        await _check_opened_twice(opened)


@attrs.frozen
class _Store:
    """The store under test; what it raises, and that it hangs, is a broken law."""

    store: CheckpointStore
    limit: float

    async def load(self, key: str) -> str | None:
        return await self._timed(f"load({key!r:.100})", self.store.load(key))

    async def save(self, key: str, position: str) -> None:
        await self._timed(f"save({key!r:.100}, {position!r:.100})", self.store.save(key, position))

    async def delete(self, key: str) -> None:
        await self._timed(f"delete({key!r:.100})", self.store.delete(key))

    async def check(self, where: str, key: str, *expected: str | None) -> str | None:
        """Check that the position is an expected one; return it."""
        found = await self.load(key)
        if found not in expected:
            raise AssertionError(
                f"{where}, the position of {key!r:.100} is {found!r:.100},"
                f" expected {' or '.join(f'{each!r:.100}' for each in expected)}"
            )
        return found

    async def _timed(self, what: str, call: Awaitable[T]) -> T:
        with trio.move_on_after(self.limit):
            try:
                return await call
            except Exception as exc:
                raise AssertionError(f"{what} raised {exc!r:.200}") from exc
        raise AssertionError(f"{what} took more than {self.limit} seconds")


async def _check_unknown(store: _Store) -> None:
    await store.check("before anything was saved", "unknown", None)
    await store.delete("unknown")
    await store.check("deleted though it was unknown", "unknown", None)


async def _check_last_wins(store: _Store) -> None:
    for position in ("1", "2", "3", "2", "10", "9", "9"):
        await store.save("last", position)
        await store.check(f"after save({position!r})", "last", position)


async def _check_delete(store: _Store) -> None:
    await store.save("deleted", "1")
    await store.save("kept", "2")
    await store.delete("deleted")
    await store.check("deleted", "deleted", None)
    await store.check("when another key was deleted", "kept", "2")
    await store.delete("deleted")
    await store.save("deleted", "3")
    await store.check("saved after it was deleted", "deleted", "3")


async def _check_odd_keys(store: _Store) -> None:
    for number, key in enumerate(_ODD_STRINGS):
        await store.save(key, str(number))
    for number, key in enumerate(_ODD_STRINGS):
        await store.check("with odd keys", key, str(number))


async def _check_odd_positions(store: _Store) -> None:
    for position in (*_LONG_POSITIONS, *_ODD_STRINGS):
        await store.save("odd", position)
        await store.check("with an odd position", "odd", position)


async def _check_surrogates(store: _Store) -> None:
    for odd in _SURROGATES:
        await store.save("position", "before")
        await store.check(
            "saved a position with lone surrogates",
            "position",
            odd if await _accepts(store, "position", odd) else "before",
        )
        if await _accepts(store, odd, "odd"):
            await store.check("saved a key with lone surrogates", odd, "odd")
    for number, key in enumerate(_ODD_STRINGS):
        await store.check("after strings with lone surrogates", key, str(number))


async def _accepts(store: _Store, key: str, position: str) -> bool:
    try:
        await store.save(key, position)
    except AssertionError as exc:
        if isinstance(exc.__cause__, ValueError):
            return False
        raise
    return True


async def _check_many_savers(store: _Store) -> None:
    async def save_some(key: str) -> None:
        for number in range(3):
            await store.save(key, f"{number} of {key}")
            await store.check("among many savers", key, f"{number} of {key}")

    keys = [f"saver {number}" for number in range(40)]
    await _run_together([partial(save_some, key) for key in keys])
    for key in keys:
        await store.check("after many savers", key, f"2 of {key}")


async def _run_together(*rounds: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """Make calls at once, each round one step ahead of the next; raise the first error plainly."""
    errors: list[AssertionError] = []

    async def run(call: Callable[[], Awaitable[object]]) -> None:
        try:
            await call()
        except AssertionError as exc:
            errors.append(exc)

    async with trio.open_nursery() as nursery:
        for calls in rounds:
            for call in calls:
                nursery.start_soon(run, call)
            await trio.lowlevel.checkpoint()
    if errors:
        raise errors[0]


async def _check_cancelled(store: _Store, company: _Company, max_steps: int) -> None:
    calls: list[tuple[str, Callable[[], Awaitable[object]], str | None]] = [
        ("save", partial(store.save, "cancelled", "new"), "new"),
        ("delete", partial(store.delete, "cancelled"), None),
        ("load", partial(store.load, "cancelled"), "old"),
    ]
    for name, call, result in calls:
        for n in range(1, max_steps + 1):
            canceller = _CancelAtStep(n, call)
            where = f"after {name} was cancelled at step {n}, {company}"
            await _check_one_cancelled(store, canceller, company, where, result)
            if not canceller.has_fired:
                break
        else:
            raise AssertionError(f"{name} has more than {max_steps} steps")


async def _check_one_cancelled(
    store: _Store, canceller: _CancelAtStep, company: _Company, where: str, result: str | None
) -> None:
    number = 0 if company == "alone" else 3
    others = {f"other {each}": f"{canceller.n} of {each}" for each in range(number)}
    saves = [partial(store.save, key, position) for key, position in others.items()]
    await store.save("cancelled", "old")
    if company == "before others":
        await _run_together([canceller.run], saves)
    else:
        await _run_together(saves, [canceller.run])
    if canceller.has_returned:
        where = where.replace("was cancelled", "was to be cancelled, and returned,")
        found = await store.check(where, "cancelled", result)
    else:
        found = await store.check(where, "cancelled", "old", result)
    for key, position in others.items():
        await store.check(where, key, position)
    await store.save("next", str(canceller.n))  # may bring to light what was left undone
    await store.check(f"{where}, and another was saved", "cancelled", found)
    await store.save("cancelled", "newest")
    await store.check(f"{where}, and it was saved again", "cancelled", "newest")


@attrs.define(eq=False)
class _CancelAtStep(trio.abc.Instrument):
    """Cancels a call right before the n-th step of its task or of one that it has started."""

    n: int
    call: Callable[[], Awaitable[object]]
    steps: int = 0
    has_returned: bool = False
    task: trio.lowlevel.Task | None = None
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)

    @property
    def has_fired(self) -> bool:
        return self.steps >= self.n

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        each: trio.lowlevel.Task | None = task
        while each is not None and each is not self.task:
            each = each.parent_nursery.parent_task if each.parent_nursery else None
        if each is not None:
            self._step()

    async def run(self) -> None:
        self.task = trio.lowlevel.current_task()
        trio.lowlevel.add_instrument(self)
        try:
            with self.scope:
                self._step()  # the first is under way
                await self.call()
                self.has_returned = True
        finally:
            trio.lowlevel.remove_instrument(self)

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.n:
            self.scope.cancel()


async def _check_reopened(opened: Callable[[], AbstractAsyncContextManager[_Store]]) -> None:
    async with opened() as store:
        await store.save("reopened", "1")
        await store.save("reopened", "2")
        await store.save("gone", "3")
        for number, position in enumerate(_ODD_STRINGS):
            await store.save(f"reopened {number}", position)
    async with opened() as store:
        await store.check("opened again", "reopened", "2")
        await store.check("opened again", "gone", "3")
        for number, key in enumerate(_ODD_STRINGS):
            await store.check("with odd keys, opened again", key, str(number))
        for number, position in enumerate(_ODD_STRINGS):
            await store.check("with odd positions, opened again", f"reopened {number}", position)
        await store.save("reopened", "4")
        await store.delete("gone")
    async with opened() as store:
        await store.check("saved when opened again, and opened once more", "reopened", "4")
        await store.check("deleted when opened again, and opened once more", "gone", None)


async def _check_reopened_after_cancelling(
    opened: Callable[[], AbstractAsyncContextManager[_Store]], max_steps: int
) -> None:
    found: dict[str, str | None] = {}
    async with opened() as store:
        for n in range(1, max_steps + 1):
            key = f"cancelled at step {n}"
            await store.save(key, "old")
            canceller = _CancelAtStep(n, partial(store.save, key, "new"))
            await canceller.run()
            found[key] = await store.load(key)
            if not canceller.has_fired:
                break
    async with opened() as store:
        for key, position in found.items():
            await store.check("opened again after a save was cancelled", key, position)


async def _check_opened_twice(
    opened: Callable[[], AbstractAsyncContextManager[_Store]],
) -> None:
    async with opened() as store:
        await store.save("reopened", "5")
        with trio.move_on_after(store.limit):
            try:
                async with opened() as other:
                    found = await other.store.load("reopened")
            except Exception:  # noqa: BLE001
                return  # it has its storage to itself
            if found != "5":
                raise AssertionError(
                    f"not closed, as after a crash, the position of 'reopened' is {found!r:.100},"
                    " expected '5'"
                )
