"""The parser of server-sent events alone: bytes in, events out, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import attrs

from .lab import Lab, Scale
from .measure import Effort, Measured, measure
from .peers import BASE, OURS, Reader, readers, search_bytes, split_lines
from .report import Report, Table
from .workloads import (
    ChunkSize,
    Workload,
    anthropic_text,
    data_lines,
    files_of_8_kib,
    huge_line,
    images_of_1_mib,
    many_languages,
    mixed_line_ends,
    openai_chat,
)

__all__ = ["run"]

EVENT_AND_UP: tuple[ChunkSize, ...] = ("event", 1, 64, 1400, 16_384, 65_536)
MIB = 1024 * 1024

# A workload, the pieces it is cut into, and how many events of it are read in one run.
ROWS: tuple[tuple[Callable[[int], Workload], tuple[ChunkSize, ...], int], ...] = (
    (anthropic_text, EVENT_AND_UP, 300),
    (openai_chat, EVENT_AND_UP, 300),
    (many_languages, EVENT_AND_UP, 300),
    (files_of_8_kib, (64, 1400, 16_384, 65_536), 24),
    (images_of_1_mib, (64, 1400, 16_384, 65_536), 2),
    (mixed_line_ends, EVENT_AND_UP, 200),
)

LARGE_EVENTS: dict[str, Callable[[int], Workload]] = {
    "line of 4 MiB": lambda part: huge_line(4 * MIB // part),
    "100,000 data lines": lambda part: data_lines(100_000 // part),
}


@attrs.frozen
class Case:
    """One row: a workload under one cutting.

    Attributes:
        workload: What is read.
        chunk: The size of its pieces.
    """

    workload: Workload
    chunk: ChunkSize

    @property
    def name(self) -> str:
        """What the row is called."""
        chunk = "one event" if self.chunk == "event" else f"{self.chunk:,} B"
        return f"{self.workload.name}, {chunk}"


def run(lab: Lab) -> Report:
    """Measure; or, for a smoke test, only check that everybody finds the same events."""
    smoke = lab.scale is Scale.SMOKE
    found = readers()
    cases = [
        Case(make(_events(count, chunk, smoke=smoke)), chunk)
        for make, chunks, count in ROWS
        for chunk in chunks
    ]
    for case in cases:
        for name, read in found.items():
            _check(case, name, read)
    if smoke:
        return Report([])

    candidates = {**found, "split": split_lines, "memchr": search_bytes}
    effort = lab.scale.pick(Effort(), Effort(blocks=3, rounds=3), None)
    speeds = [(case, _measure(case, candidates, effort)) for case in cases]
    growths = [
        (name, chunk, _growth(make, chunk, found))
        for name, make in LARGE_EVENTS.items()
        for chunk in lab.scale.pick((64, 65_536), (65_536,), ())
    ]
    return Report(
        [_speed_table(speeds), _linearity_table(growths)],
        [
            measured.figure(case.name, name, len(case.workload.blocks), base=_base(result))
            for case, result in speeds
            for name, measured in result.items()
        ],
        {
            "speed": [_speed_facts(case, result) for case, result in speeds],
            "linearity": [
                {"event": name, "chunk": chunk, "ns_per_byte": costs}
                for name, chunk, costs in growths
            ],
        },
    )


def _events(count: int, chunk: ChunkSize, *, smoke: bool) -> int:
    if smoke:
        return min(count, 10)
    return max(count // 10, 1) if chunk == 1 else count


def _check(case: Case, name: str, read: Reader) -> None:
    events = read(case.workload.chunks(case.chunk))
    if name == OURS:
        assert events == case.workload.expected, case.name
    found = [
        # The peers call the default event type "", None or "message".
        (event.event or "message", event.data)
        for event in events
        if hasattr(event, "data")  # or it is a comment
    ]
    expected = [(event.event, event.data) for event in case.workload.expected]
    assert found == expected, f"{case.name}: {name} finds other events"


def _base(found: Mapping[str, object]) -> str:
    return BASE if BASE in found else OURS


def _measure(case: Case, found: Mapping[str, Reader], effort: Effort) -> dict[str, Measured]:
    chunks = case.workload.chunks(case.chunk)
    candidates = {name: partial(read, chunks) for name, read in found.items()}
    return measure(candidates, base=_base(found), effort=effort)


def _growth(
    make: Callable[[int], Workload], chunk: ChunkSize, found: Mapping[str, Reader]
) -> dict[str, tuple[float, float]]:
    """Nanoseconds a byte: of an event a sixteenth as large, and of the whole."""
    costs: dict[str, list[float]] = {name: [] for name in found}
    for part in (16, 1):
        case = Case(make(part), chunk)
        for name, result in _measure(case, found, Effort(blocks=5, rounds=2)).items():
            costs[name].append(result.seconds / case.workload.size * 1e9)
    return {name: (small, large) for name, (small, large) in costs.items()}


def _speed_facts(case: Case, result: Mapping[str, Measured]) -> dict[str, object]:
    return {
        "workload": case.workload.name,
        "chunk": case.chunk,
        "events": len(case.workload.blocks),
        "bytes": case.workload.size,
        "base": _base(result),
        "results": {name: attrs.asdict(measured) for name, measured in result.items()},
    }


def _speed_table(speeds: Sequence[tuple[Case, Mapping[str, Measured]]]) -> Table:
    base = _base(speeds[0][1])
    names = [name for name in speeds[0][1] if name != base]
    return Table(
        "The parser beside its peers",
        f"How many times faster than {base} (of httpx-sse: its decoders, without I/O). CPU time,"
        " medians of ratios. The first column of figures is what an event takes the base, in"
        " microseconds. The last two are floors: splitting the pieces at LF, and one search"
        " through their bytes.",
        ["workload, piece", f"{base}, us", *names],
        [
            [case.name, f"{result[base].seconds / len(case.workload.blocks) * 1e6:,.2f}"]
            + [f"{result[name].ratio:.2f}" for name in names]
            for case, result in speeds
        ],
    )


def _linearity_table(
    growths: Sequence[tuple[str, ChunkSize, Mapping[str, tuple[float, float]]]],
) -> Table:
    names = list(growths[0][2])
    return Table(
        "One large event",
        "Nanoseconds of CPU time for a byte and, in parentheses, how many times those for a byte of"
        " an event a sixteenth as large: 16 would be quadratic. (In large pieces, what is small is"
        " cheap because it stays in the cache; compare with the others.)",
        ["event, piece", *names],
        [
            [f"{event}, {chunk:,} B"]
            + [
                f"{large:,.2f} ({large / small:.1f})"
                for small, large in (costs[name] for name in names)
            ]
            for event, chunk, costs in growths
        ],
    )
