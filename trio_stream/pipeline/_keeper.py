"""Keeping the acknowledged position of a stream in a store.

Saving takes longer than many an item, so it has a task of its own, and the consumer does not wait
for it: while one position is being saved, others come and go, and the newest is saved next. What is
kept is therefore never ahead of what was processed, and mostly not behind by more than one save.
Who must know calls `save`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, final

import trio

from ._position import Position

if TYPE_CHECKING:
    from ..checkpoints import CheckpointStore

__all__ = ["Keeper"]


@final
class Keeper:
    """Keeps the position of one stream.

    Args:
        store: Where.
        key: Under which name.
        fail: Called with what the store has raised in the background.
    """

    __slots__ = (
        "_fail",
        "_kept",
        "_key",
        "_news",
        "_position",
        "_saving",
        "_scope",
        "_store",
    )

    def __init__(
        self, store: CheckpointStore, key: str, fail: Callable[[Exception], object]
    ) -> None:
        self._store = store
        self._key = key
        self._fail = fail
        self._position: Position | None = None
        self._kept = ""
        self._news = trio.Event()
        self._saving = trio.Lock()
        self._scope = trio.CancelScope()

    async def load(self) -> str:
        """The position that was kept; ``""`` if there is none.

        Raises:
            Exception: What the store has raised.
            TypeError: It has returned what is no position.
        """
        kept = await self._store.load(self._key)
        if not isinstance(kept, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{type(self._store).__name__}.load returned {kept!r:.100}, "
                "which is neither a str nor None"
            )
        self._kept = kept or ""
        return self._kept

    def watch(self, position: Position) -> None:
        """Keep this position from now on."""
        self._position = position

    def wake(self) -> None:
        """The position has advanced."""
        self._news.set()

    async def run(self) -> None:
        """Save what is new, until `stop`."""
        with self._scope:
            while True:
                await self._news.wait()
                self._news = trio.Event()
                try:
                    await self.save()
                except Exception as error:  # noqa: BLE001 (it ends the stream)
                    self._fail(error)
                    return

    def stop(self) -> None:
        """Stop `run`. What is not saved then is for `save`."""
        self._scope.cancel(reason="the stream has ended")

    async def forget(self) -> None:
        """Forget the position: there is nothing to go on from.

        Raises:
            Exception: What the store has raised.
        """
        async with self._saving:
            await self._store.delete(self._key)

    async def save(self) -> None:
        """Save the position that was acknowledged last, unless it is kept already.

        Raises:
            Exception: What the store has raised.
        """
        async with self._saving:
            newest = "" if self._position is None else self._position.acknowledged
            if newest != self._kept:
                try:
                    await self._store.save(self._key, newest)
                except Exception as error:
                    error.add_note(f"while the position {newest!r} of {self._key!r} was saved")
                    raise
                self._kept = newest
