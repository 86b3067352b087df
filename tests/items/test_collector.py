"""The newest items as the result of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.items import Collector


def test_all_items_are_kept_while_they_are_few() -> None:
    """Up to the limit nothing is dropped, and the result is all items in order."""
    collector: Collector[int] = Collector(3)
    assert collector.snapshot() == []

    for item in (1, 2, 3):
        collector.fold(item)

    assert collector.snapshot() == [1, 2, 3]
    assert collector.complete is False


@given(st.lists(st.integers()), st.integers(0, 10))
def test_the_newest_items_are_kept(items: list[int], limit: int) -> None:
    """Beyond the limit the oldest go."""
    collector: Collector[int] = Collector(limit)
    for item in items:
        collector.fold(item)

    assert collector.snapshot() == (items[-limit:] if limit else [])


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
    with pytest.raises(ValueError, match="maxlen must be non-negative"):
        Collector(-1)
