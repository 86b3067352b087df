"""The laws of an assembler; `check_dialect` states them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ..dialects import Assembler
from ._cuts import sample

__all__ = ["check_folding", "fold_all"]

Make: TypeAlias = Callable[[], Assembler[Any, Any]]


def check_folding(make: Make, items: Sequence[Any], rng: random.Random) -> Any:
    """Check the laws that concern folding; return the snapshot of all items."""
    before = copy.deepcopy(items)
    last = _check_snapshots(make, items, rng)
    for _ in range(16):
        assembler = make()
        fold_all(assembler, _broken(items, rng))
    # repr: items may hold what does not compare equal to its copy, such as NaN.
    if repr(items) != repr(before):
        raise AssertionError("folding changed an item")
    return last


def fold_all(assembler: Assembler[Any, Any], items: Sequence[Any]) -> Any:
    """Fold ``items``; return the snapshot, which must be possible whatever they are."""
    for item in items:
        try:
            assembler.fold(item)
        except Exception as exc:
            raise AssertionError(f"fold({item!r}) raised {exc!r}") from exc
    try:
        return assembler.snapshot()
    except Exception as exc:
        raise AssertionError(f"snapshot() raised {exc!r} after {items!r}") from exc


def _check_snapshots(make: Make, items: Sequence[Any], rng: random.Random) -> Any:
    assembler = make()
    kept: list[tuple[int, Any, Any]] = []
    for count in sample(range(len(items) + 1), 32, rng):
        done = kept[-1][0] if kept else 0
        snapshot = fold_all(assembler, items[done:count])
        kept.append((count, snapshot, copy.deepcopy(snapshot)))
        if assembler.snapshot() != snapshot:
            raise AssertionError(f"after {count} items, two snapshots differ")
    for count, snapshot, at_the_time in kept:
        if snapshot != at_the_time:
            raise AssertionError(
                f"the snapshot after {count} items was {at_the_time!r}; later folding made it "
                f"{snapshot!r}"
            )
        fresh = fold_all(make(), items[:count])
        if fresh != snapshot:
            raise AssertionError(
                f"the snapshot after {count} items is {snapshot!r}, that of a fresh assembler "
                f"{fresh!r}"
            )
    return kept[-1][1]


def _broken(items: Sequence[Any], rng: random.Random) -> Sequence[Any]:
    """Some items missing, some repeated, and some out of order."""
    broken = [item for item in items for _ in range(rng.choices((0, 1, 2), (2, 7, 1))[0])]
    if broken and rng.random() < 0.5:
        broken.insert(rng.randrange(len(broken)), broken.pop(rng.randrange(len(broken))))
    return broken
