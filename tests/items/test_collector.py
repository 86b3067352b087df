"""The newest items as the result of a stream."""

from __future__ import annotations

import weakref

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.items import Collector


@attrs.frozen(eq=False)
class Item:
    number: int


def test_all_items_are_kept_while_they_are_few() -> None:
    """Up to the limit nothing is dropped, and the result is all items in order."""
    collector: Collector[int] = Collector(3)
    assert collector.snapshot() == []

    for item in (1, 2, 3):
        collector.fold(item)

    assert collector.snapshot() == [1, 2, 3]
    assert collector.dropped == 0
    assert collector.complete is False


@given(st.lists(st.integers()), st.integers(0, 10))
def test_the_newest_items_are_kept(items: list[int], limit: int) -> None:
    """Beyond the limit the oldest go, and how many of them went is known."""
    collector: Collector[int] = Collector(limit)
    for item in items:
        collector.fold(item)

    assert collector.snapshot() == (items[-limit:] if limit else [])
    assert collector.dropped == max(0, len(items) - limit)


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 10, 100])
def test_what_is_dropped_is_let_go(limit: int) -> None:
    """At no time more items are held than a quarter above the limit; the newest are the result."""
    collector: Collector[Item] = Collector(limit)
    alive: weakref.WeakSet[Item] = weakref.WeakSet()
    for number in range(4 * limit + 10):
        item = Item(number)
        alive.add(item)
        collector.fold(item)
        del item

        assert len(alive) <= limit + limit // 4
        newest = [each.number for each in collector.snapshot()]
        assert newest == list(range(number + 1))[max(0, number + 1 - limit) :]
        assert collector.dropped == number + 1 - len(newest)


def test_a_snapshot_is_a_value_of_its_own() -> None:
    """Later folding does not change a snapshot, nor does changing it change the collector."""
    collector: Collector[int] = Collector(2)
    collector.fold(1)
    snapshot = collector.snapshot()

    collector.fold(2)
    snapshot.append(9)

    assert snapshot == [1, 9]
    assert collector.snapshot() == [1, 2]


def test_a_limit_below_zero_is_refused() -> None:
    """A collector cannot keep fewer than no items."""
    with pytest.raises(ValueError, match="max_kept_items must be at least 0"):
        Collector(-1)
