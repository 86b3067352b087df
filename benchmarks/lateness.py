"""How long an event takes to the consumer, and how long a flood keeps other tasks waiting."""

from __future__ import annotations

from .candidates import BASE, MEMCPY, NODE, OURS_STOCK_2, RAW
from .lab import Answers, Lab
from .reading import ALL
from .report import Figure, Report, Spread, Table
from .tables import figures_of, left_out, short

__all__ = ["fairness", "latency"]

# Those that others stand for are left out: opening so many streams takes its time.
CANDIDATES = [
    name for name in ALL if name not in (MEMCPY, NODE, OURS_STOCK_2, "httpx-sse on httpx2")
]


def latency(lab: Lab) -> Report:
    """Measure from the server's `send` to the consumer's hands, with many streams alive."""
    others, period_ms, seconds = lab.scale.pick((1000, 1000, 2.0), (1000, 1000, 2.0), (3, 20, 0.1))
    rounds = lab.scale.pick(3, 1, 1)
    order = {
        "task": "latency",
        "streams": others + 1,
        "period_ms": period_ms,
        "seconds": seconds,
    }
    answers = lab.rounds(CANDIDATES, order, rounds, warm_up=False)
    case = f"latency, {others:,} other streams"
    figures = _percentiles(answers, case, [RAW, BASE])
    added = _added(answers, case)
    figures += added.values()
    note = (
        f"{others + 1:,} streams, each with an event every {period_ms} ms. From just before the"
        " server's `send`, by the clock that all processes share, to the consumer's hands:"
        " microseconds, median and 99th percentile of all events, and how much longer the median"
        f" is than that of the raw socket in the same round. {rounds} rounds."
        f"{left_out(lab, CANDIDATES)}"
    )
    rows = [
        [
            name,
            *_cells(figures, name, "p50"),
            str(added[name].value) if name in added else "-",
            *_cells(figures, name, "p99"),
        ]
        for name in answers
    ]
    head = ["", "p50 µs", "quartiles", "added µs", "p99 µs", "quartiles"]
    return Report([Table("Latency", note, head, rows)], figures)


def fairness(lab: Lab) -> Report:
    """Measure how late a task is that sleeps for a millisecond while a stream floods."""
    count, rounds = lab.scale.pick((64 * 1000, 3), (64 * 300, 3), (64 * 20, 1))
    order = {"task": "fairness", "path": f"burst/{count}", "count": count}
    answers = lab.rounds(CANDIDATES, order, rounds, warm_up=rounds > 1)
    case = "fairness"
    figures = _percentiles(answers, case, [RAW, BASE], "max")
    note = (
        "One stream floods, and beside it a task sleeps for 1 ms again and again. How much later"
        f" than that it wakes, in microseconds; medians of {rounds} rounds."
        f"{left_out(lab, CANDIDATES)}"
    )
    rows = [
        [
            name,
            *_cells(figures, name, "p50"),
            *_cells(figures, name, "p99"),
            *_cells(figures, name, "max"),
        ]
        for name in answers
    ]
    head = ["", "p50 µs", "quartiles", "p99 µs", "quartiles", "max µs", "quartiles"]
    return Report([Table("Fairness", note, head, rows)], figures)


def _percentiles(answers: Answers, case: str, bases: list[str], *more: str) -> list[Figure]:
    return [
        figure
        for part in ("p50", "p99", *more)
        for figure in figures_of(
            answers,
            lambda answer, part=part: answer[f"{part}_ns"] / 1000,  # type: ignore[misc]
            case=case,
            what=part,
            unit="µs",
            bases=bases,
        )
    ]


def _cells(figures: list[Figure], name: str, part: str) -> list[str]:
    value = next(each.value for each in figures if (each.who, each.what) == (name, part))
    return [str(value), short(value)]


def _added(answers: Answers, case: str) -> dict[str, Figure]:
    """By how much the median of each is above that of the raw socket, in the same round."""
    added: dict[str, Figure] = {}
    for name, own in answers.items() if RAW in answers else ():
        rounds = zip(own, answers[RAW], strict=True)
        delays = [(each["p50_ns"] - raw["p50_ns"]) / 1000 for each, raw in rounds]
        added[name] = Figure(case, name, "added p50", "µs", Spread.of(delays))
    return added
