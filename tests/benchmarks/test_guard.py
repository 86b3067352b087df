"""The hot paths do no more for an event than they did, and no more in a long answer."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from benchmarks.guard import (
    Counts,
    at_two_lengths,
    bytecodes,
    cheap_counts,
    check,
    environment,
    instructions_in,
    libraries,
    stored,
)
from benchmarks.guarded import PATHS, sizes
from benchmarks.lengths import LENGTHS, Run

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


@pytest.mark.parametrize("name", LENGTHS)
def test_work_is_linear(name: str) -> None:
    """A delta of a long answer takes as many bytecodes as one of a short answer."""
    counts = {name: at_two_lengths("bytecodes", bytecodes(name))}

    assert check(counts, {}) == []


def test_all_paths_have_stored_counts() -> None:
    """Where counts are stored, they are those of what is guarded now."""
    for environment_, base in stored().items():
        assert set(base["counts"]) == {*PATHS, *LENGTHS}, environment_


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


def test_trace_of_others_is_kept() -> None:
    """Counting bytecodes leaves the trace function that was set before."""
    mine = sys.gettrace()

    bytecodes("MessageAssembler, one text")

    assert sys.gettrace() is mine


def test_going_through_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that looks at each delta that came before, for each delta, is told."""

    def search(count: int) -> Run:
        def run() -> object:
            seen: list[int] = []
            for delta in range(count):
                if all(each != delta for each in seen):
                    seen.append(delta)
            return seen

        return run

    monkeypatch.setitem(LENGTHS, "search", search)

    counts = {"search": at_two_lengths("bytecodes", bytecodes("search"))}

    assert counts["search"]["bytecodes, times"] > 4
    assert len(check(counts, {})) == 1


def test_copying_all_is_told() -> None:
    """Instructions that grow with the square of the deltas are told; with the deltas, not."""
    name = "OpenAIChat, one text"

    def told(cost_of: Callable[[int], int]) -> list[str]:
        totals = [count for size in sizes(name) for count in (10**9, cost_of(size))]
        values = instructions_in(totals, [name])[name]
        return check({name: at_two_lengths("instructions", values)}, {})

    assert told(lambda size: 5000 + 300 * size) == []
    (sentence,) = told(lambda size: 5000 + 300 * size + size**2)
    assert sentence.startswith(f"{name}: instructions per delta of a long answer are 2.40 times")


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
    path, case = "ItemDecoder", "PartialJSON, an array"
    once, twice = sizes(path)
    short, _, long, _ = sizes(case)

    runs = [5000 + 300 * once, 5000 + 300 * twice, 70, 70 + 2 * short, 90, 90 + 4 * long]
    totals = [count for run in runs for count in (10**9, run)]  # what is before a run is not ours

    assert instructions_in(totals, [path, case]) == {path: [300.0], case: [2.0, 4.0]}
