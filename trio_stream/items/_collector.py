"""The result of a stream without a dialect: its newest items."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

__all__ = ["Collector"]

T = TypeVar("T")


class Collector(Generic[T]):
    """Keeps the newest items of one stream.

    Args:
        max_kept_items: How many items to keep; 0 or more.
    """

    __slots__ = ("_append", "_folded", "_items")

    def __init__(self, max_kept_items: int) -> None:
        self._items: deque[T] = deque(maxlen=max_kept_items)
        self._append = self._items.append
        self._folded = 0

    @property
    def complete(self) -> bool:
        """Always `False`: a stream of plain items is complete when it ends."""
        return False

    @property
    def dropped(self) -> int:
        """How many older items were dropped: if any, `snapshot` is not the whole."""
        return self._folded - len(self._items)

    def fold(self, item: T, /) -> None:
        """Take the next item, and drop the oldest if there are too many. Never raises."""
        self._folded += 1
        self._append(item)

    def snapshot(self) -> list[T]:
        """The items that are kept, oldest first, as a list of its own."""
        return list(self._items)
