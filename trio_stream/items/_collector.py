"""The result of a stream without a dialect: its newest items."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Collector"]

T = TypeVar("T")


class Collector(Generic[T]):
    """Keeps the newest items of one stream.

    Args:
        max_kept_items: How many items to keep; 0 or more.

    Limits:
        Holds at most a quarter more than that: the oldest are dropped many at a time. (A deque
        would drop them one by one, but takes most of a kilobyte to hold a single item.)

    Raises:
        ValueError: A negative limit.
    """

    __slots__ = ("_dropped", "_items", "_max_held", "_max_kept")

    def __init__(self, max_kept_items: int) -> None:
        if max_kept_items < 0:
            raise ValueError(f"max_kept_items must be at least 0, got {max_kept_items}")
        self._items: list[T] = []
        self._max_kept = max_kept_items
        self._max_held = max_kept_items + max_kept_items // 4
        self._dropped = 0

    @property
    def complete(self) -> bool:
        """Always `False`: a stream of plain items is complete when it ends."""
        return False

    @property
    def dropped(self) -> int:
        """How many older items were dropped: if any, `snapshot` is not the whole."""
        return self._dropped + self._surplus

    @property
    def _surplus(self) -> int:
        return max(0, len(self._items) - self._max_kept)

    def fold(self, item: T, /) -> None:
        """Take the next item, and drop the oldest if there are too many. Never raises."""
        items = self._items
        items.append(item)
        if len(items) > self._max_held:
            self._dropped += self._surplus
            del items[: self._surplus]

    def snapshot(self) -> list[T]:
        """The items that are kept, oldest first, as a list of its own."""
        return self._items[self._surplus :]
