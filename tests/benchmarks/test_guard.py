"""The hot paths do no more for an event than they did."""

from __future__ import annotations

import sys

import pytest

from benchmarks.guard import (
    Counts,
    cheap_counts,
    check,
    environment,
    instructions_in,
    libraries,
    stored,
)
from benchmarks.guarded import PATHS

OURS_ALONE = ["SSEParser, 1 event to a piece", "SSEParser, 100 events to a piece", "PartialJSON"]
"""What calls nobody else."""

WITH_LIBRARIES = ["ItemDecoder", "message, AnthropicMessages", "message, OpenAIChat"]


def test_no_count_has_grown() -> None:
    """Parsers and decoders call no more functions for an event, and leave no more, than stored."""
    base = stored().get(environment())
    if base is None:
        pytest.skip(f"no counts are stored for {environment()}")

    names = [*OURS_ALONE]
    if base["libraries"] == libraries():  # others, or none, are called in another way
        names += WITH_LIBRARIES

    assert check(cheap_counts(names), base["counts"]) == []


def test_all_paths_have_stored_counts() -> None:
    """Where counts are stored, they are those of the paths that are guarded now."""
    for environment_, base in stored().items():
        assert set(base["counts"]) == set(PATHS), environment_


def test_counts_do_not_depend_on_the_run() -> None:
    """Two countings of a parser find the same number of calls."""
    name = "SSEParser, 1 event to a piece"

    first, second = (cheap_counts([name])[name]["calls"] for _ in range(2))

    assert first == second > 1


def test_profile_of_others_is_kept() -> None:
    """Counting leaves the profile function that was set before."""
    mine = sys.getprofile()

    cheap_counts(["SSEParser, 100 events to a piece"])

    assert sys.getprofile() is mine


@pytest.mark.parametrize(
    ("before", "now", "is_grown"),
    [
        (100.0, 105.0, False),
        (100.0, 105.1, True),
        (100.0, 20.0, False),
        (2.0, 2.4, False),  # more than 5 %, but nothing
        (2.0, 2.6, True),
    ],
)
def test_growth_is_told(before: float, now: float, is_grown: bool) -> None:
    """Growth by more than 5 %, and by more than half a call, is told; less is not."""
    told = check({"path": {"calls": now}}, {"path": {"calls": before}})

    assert bool(told) == is_grown


def test_what_is_not_stored_is_not_compared() -> None:
    """A new path, or a quantity that cannot be counted here, is no failure."""
    counts: Counts = {"new": {"calls": 9.0}, "old": {"calls": 1.0}}

    assert check(counts, {"old": {"calls": 1.0, "instructions": 7.0}}) == []


def test_instructions_are_differences() -> None:
    """Of each path, what twice the events take more than once, for one of them; not the start."""
    name = "ItemDecoder"
    count = PATHS[name][1]

    totals = [10**9, 5000 + 300 * count, 5000 + 600 * count]

    assert instructions_in(totals, [name]) == {name: 300.0}
