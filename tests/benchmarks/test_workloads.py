"""What the benchmarks measure is what they claim to measure."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks import workloads
from benchmarks.measure import Effort, measure
from benchmarks.peers import read_with_ours
from benchmarks.workloads import ChunkSize, Workload

WORKLOADS: dict[str, Callable[[], Workload]] = {
    "anthropic_text": workloads.anthropic_text,
    "openai_chat": workloads.openai_chat,
    "many_languages": workloads.many_languages,
    "files_of_8_kib": workloads.files_of_8_kib,
    "images_of_1_mib": workloads.images_of_1_mib,
    "mixed_line_ends": workloads.mixed_line_ends,
    "huge_line": lambda: workloads.huge_line(1_000_000),
    "data_lines": lambda: workloads.data_lines(10_000),
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_parser_finds_exactly_the_expected_events(name: str) -> None:
    """The parser yields the events that a workload claims to hold, however it is cut."""
    workload = WORKLOADS[name]()
    sizes: list[ChunkSize] = ["event", 64, 1400, 65_536]

    assert len(workload.expected) == len(workload.blocks) > 0
    for size in sizes:
        assert read_with_ours(workload.chunks(size)) == workload.expected


@pytest.mark.parametrize("name", WORKLOADS)
def test_workload_is_seeded(name: str) -> None:
    """Two runs read the same bytes, in pieces of the size that was asked for."""
    workload = WORKLOADS[name]()
    body = b"".join(workload.blocks)

    assert WORKLOADS[name]() == workload
    assert workload.size == len(body)
    for size in (1000, 65_536):
        chunks = workload.chunks(size)
        assert b"".join(chunks) == body
        assert {len(chunk) for chunk in chunks[:-1]} <= {size}


def test_measure_compares() -> None:
    """What does ten times the work takes several times as long, and is run as it is."""
    calls = []

    def work(amount: int) -> Callable[[], object]:
        return lambda: calls.append(sum(range(amount)))

    effort = Effort(blocks=3, rounds=2, slice_ns=100_000)
    result = measure({"base": work(2000), "slow": work(100_000)}, base="base", effort=effort)

    assert result["base"].ratio == 1
    assert result["slow"].ratio < 0.5
    assert result["slow"].seconds > 0
    assert set(calls) == {sum(range(2000)), sum(range(100_000))}


def test_measure_runs_what_takes_too_long_only_once() -> None:
    """A candidate beyond the patience is run once; the base always takes its turns."""
    calls = []
    effort = Effort(blocks=2, rounds=2, slice_ns=1, patience_ns=0)

    measure(
        {"base": lambda: calls.append("base"), "slow": lambda: calls.append("slow")},
        base="base",
        effort=effort,
    )

    assert calls.count("slow") == 1
    assert calls.count("base") > 1
