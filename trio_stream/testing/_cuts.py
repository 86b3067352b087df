"""The ways to cut an input into pieces, all of them where that is affordable."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

__all__ = ["Cutting", "cuttings", "sample", "spell"]

Cutting: TypeAlias = Sequence[int]
"""Where the pieces end, in order; the last one ends with the input. Equal ends: an empty piece."""


def cuttings(length: int, *, max_splits: int, seed: int) -> Iterator[Cutting]:
    """Iterate over cuttings of ``length`` units: whole, in two, and at random.

    Every split in two is among them if there are no more than ``max_splits``, else a sample.
    """
    rng = random.Random(seed)
    yield [length]
    for split in sample(range(length + 1), max_splits, rng):
        yield [split, length]
    for _ in range(min(16, max_splits)):
        # With replacement: pieces may be empty, as reads that brought nothing are.
        yield [*sorted(rng.choices(range(length + 1), k=rng.randint(2, 12))), length]


def sample(population: range, size: int, rng: random.Random) -> Sequence[int]:
    """Return all of ``population``, or ``size`` of it in order; its ends are always among them."""
    if len(population) <= size:
        return population
    ends = {population[0], population[-1]}
    return sorted(ends.union(rng.sample(population, max(size - len(ends), 0))))


def spell(cutting: Cutting) -> str:
    """Say a cutting in words, short enough for an error message."""
    sizes = [end - start for start, end in pairwise([0, *cutting])]
    if len(sizes) > 16 and set(sizes) == {1}:
        return "in pieces of one"
    return f"in pieces of {', '.join(map(str, sizes))}"
