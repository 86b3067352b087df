"""The result of a stream without a dialect: its newest items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Collector"]

T = TypeVar("T")


class Collector(Generic[T]):
    """Keeps the newest items of one stream.

    Args:
        max_kept_items: How many items to keep; 0 or more.
    """

    __slots__ = ("_items",)

    def __init__(self, max_kept_items: int) -> None:
        self._items: deque[T] = deque(maxlen=max_kept_items)

    @property
    def fold(self) -> Callable[[T], object]:
        """Takes the next item, and drops the oldest if there are too many. Never raises.

        It is the method of the deque itself, since it is called for each item of a stream.
        """
        return self._items.append

    @property
    def complete(self) -> bool:
        """Always `False`: a stream of plain items is complete when it ends."""
        return False

    def snapshot(self) -> list[T]:
        """The items that are kept, oldest first, as a list of its own."""
        return list(self._items)
