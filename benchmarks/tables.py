"""From the answers of the candidates to figures and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .lab import Answers, Lab
from .report import Figure, Spread, Table, digits

__all__ = ["cost_table", "cpu_figures", "figures_of", "left_out", "short"]

CPU = "CPU per"
PEAK = "peak memory"


def figures_of(
    answers: Answers,
    measure: Callable[[Mapping[str, Any]], float],
    *,
    case: str,
    what: str,
    unit: str,
    bases: Sequence[str],
) -> list[Figure]:
    """A quantity of all candidates.

    Args:
        answers: What they answered.
        measure: The quantity in an answer.
        case: The workload.
        what: What the quantity is.
        unit: Its unit.
        bases: The candidates that all are compared with, if they were there.
    """
    values = {name: [measure(answer) for answer in own] for name, own in answers.items()}
    return [
        Figure(
            case,
            name,
            what,
            unit,
            Spread.of(own),
            {base: Spread.of_ratios(own, values[base]) for base in bases if base in values},
        )
        for name, own in values.items()
    ]


def cpu_figures(
    answers: Answers, *, case: str, per: str, count: int, bases: Sequence[str]
) -> list[Figure]:
    """CPU microseconds per event or stream, and the peak of memory."""
    cost = figures_of(
        answers,
        lambda answer: answer["cpu_ns"] / count / 1000,
        case=case,
        what=f"{CPU} {per}",
        unit="µs",
        bases=bases,
    )
    peak = figures_of(
        answers, lambda answer: answer["peak"] / 1e6, case=case, what=PEAK, unit="MB", bases=()
    )
    return cost + peak


def cost_table(title: str, note: str, figures: Sequence[Figure], bases: Sequence[str]) -> Table:
    """A table of the CPU time in `cpu_figures`, with its spread, ratios, and peak memory."""
    costs = [each for each in figures if each.what.startswith(CPU)]
    peaks = {each.who: each.value for each in figures if each.what == PEAK}
    bases = [base for base in bases if any(base in each.ratios for each in costs)]
    return Table(
        title,
        note,
        ["", "µs", "quartiles", *(f"/ {base}" for base in bases), "peak MB"],
        [
            [
                each.who,
                str(each.value),
                short(each.value),
                *(f"{each.ratios[base].median:.3g}" for base in bases),
                str(peaks.get(each.who, "")),
            ]
            for each in costs
        ],
    )


def short(spread: Spread) -> str:
    """The quartiles."""
    return f"{digits(spread.low)} to {digits(spread.high)}"


def left_out(lab: Lab, names: Sequence[str]) -> str:
    """Who of them is not in a table, and why."""
    notes = [f"{name} ({lab.notes[name]})" for name in names if name in lab.notes]
    return f" Not here: {', '.join(notes)}." if notes else ""
