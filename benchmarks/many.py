"""Many streams at the same time: what one costs, in CPU time and in memory, when there are more."""

from __future__ import annotations

from typing import TypeAlias

from .candidates import BASE, NODE, OURS, RAW
from .lab import Answers, Lab
from .limits import most_streams
from .reading import ALL
from .report import Figure, Report, Spread, Table, digits
from .tables import cpu_figures, figures_of, left_out

__all__ = ["held", "memory"]

CANDIDATES = [name for name in ALL if name != "memcpy"]
LINEAR = 1.5
"""Who takes at most so many times as long for a stream of 1,000 as for one of 100 goes on."""


Steps: TypeAlias = list[tuple[int, int]]
"""How many streams, and in how many rounds."""


def held(lab: Lab) -> Report:
    """Measure streams that are opened, held together, and closed: by us, or by the server."""
    by_us: Steps = lab.scale.pick(
        [(100, 5), (300, 3), (1000, 2), (10_000, 1)], [(100, 3), (300, 1), (1000, 1)], [(3, 1)]
    )
    by_server: Steps = lab.scale.pick(
        [(100, 3), (300, 3), (1000, 1), (10_000, 1)], [(100, 1), (300, 1)], [(3, 1)]
    )
    left = _held(
        lab,
        by_us,
        "held",
        "So many streams: opened, one event read from each, held open together, and left.",
    )
    ended = _held(
        lab,
        by_server,
        "ended",
        "The same, but that the server ends them all at the same time, in a way that allows to use"
        " the connections again.",
    )
    return Report([*left.tables, *ended.tables], [*left.figures, *ended.figures])


def _held(lab: Lab, steps: Steps, kind: str, about: str) -> Report:
    figures: list[Figure] = []
    costs: dict[str, dict[int, Spread]] = {}
    ratios: dict[str, dict[int, Spread]] = {}
    skipped: list[str] = []
    for count, rounds in steps:
        if count > most_streams():
            skipped.append(f"{count:,} streams: no more than {most_streams():,} files may be open")
            continue
        names = CANDIDATES if count <= 1000 else _linear(costs)
        order = {"task": "hold", "count": count}
        if kind == "ended":
            order = {"task": "gather", "count": count}
        warm_up = rounds > 1 and count <= 300
        answers = lab.rounds(names, order, rounds, warm_up=warm_up)
        case = f"{kind}, {count:,} streams"
        found = cpu_figures(answers, case=case, per="stream", count=count, bases=[RAW, BASE])
        figures += found
        for each in found:
            if each.unit == "µs":
                costs.setdefault(each.who, {})[count] = each.value
                if BASE in each.ratios:
                    ratios.setdefault(each.who, {})[count] = each.ratios[BASE]
    counts = [count for count, _ in steps if any(count in own for own in costs.values())]
    note = (
        f"{about} CPU microseconds of the client for one stream: a column that is like the one"
        " before means that the cost is linear. Those whose cost for one of 1,000 is more than"
        f" {LINEAR} times that for one of 100 are not run with 10,000. In parentheses, how many"
        f" times that of {BASE}.{_because(skipped)}{left_out(lab, CANDIDATES)}"
    )
    rows = [
        [name, *(_cell(own.get(count), ratios.get(name, {}).get(count)) for count in counts)]
        for name, own in costs.items()
    ]
    head = ["", *(f"{count:,}" for count in counts)]
    return Report([Table(kind.capitalize(), note, head, rows)], figures)


def _linear(costs: dict[str, dict[int, Spread]]) -> list[str]:
    return [
        name
        for name, own in costs.items()
        if 1000 in own and 100 in own and own[1000].median <= LINEAR * own[100].median
    ]


def _cell(cost: Spread | None, ratio: Spread | None) -> str:
    if cost is None:
        return "-"
    return f"{cost} ({digits(ratio.median)})" if ratio else str(cost)


def _because(skipped: list[str]) -> str:
    return f" Left out: {'; '.join(skipped)}." if skipped else ""


def memory(lab: Lab) -> Report:
    """Measure what an idle stream holds."""
    count, rounds = lab.scale.pick((1000, 2), (1000, 1), (3, 1))
    tables: list[Table] = []
    figures: list[Figure] = []
    cases = [(count, CANDIDATES)]
    if lab.scale.pick(10_000, 0, 0) in range(1, most_streams()):
        cases.append((10_000, [RAW, OURS]))
    for streams, names in cases:
        case = f"memory, {streams:,} streams"
        by_system = _weigh(lab, names, streams, rounds if streams <= 1000 else 1, is_traced=False)
        resident = figures_of(
            by_system,
            lambda answer: answer["bytes"] / 1024,
            case=case,
            what="resident memory per stream",
            unit="KiB",
            bases=[BASE],
        )
        python = [name for name in names if name != NODE]
        # That is exact, and slow: it need not be done again for more streams.
        by_python = _weigh(lab, python, streams, 1, is_traced=True) if streams <= 1000 else {}
        traced = figures_of(
            by_python,
            lambda answer: answer["bytes"] / 1024,
            case=case,
            what="Python's memory per stream",
            unit="KiB",
            bases=[BASE],
        )
        figures += resident + traced
        note = (
            f"{streams:,} streams, opened one after another, and idle, in a fresh process for each"
            " figure: what the process has grown by (RSS), and what Python has allocated"
            f" (tracemalloc), in KiB for one stream; and how many times that of {BASE}. What the"
            f" kernel holds for a socket is not in it.{left_out(lab, names)}"
        )
        of_python = {each.who: each for each in traced}
        rows = [
            [
                each.who,
                str(each.value),
                _ratio(each),
                str(of_python[each.who].value) if each.who in of_python else "-",
                _ratio(of_python.get(each.who)),
            ]
            for each in resident
        ]
        head = ["", "RSS", "ratio", "tracemalloc", "ratio"]
        tables.append(Table(case.capitalize(), note, head, rows))
    return Report(tables, figures)


def _weigh(lab: Lab, names: list[str], streams: int, rounds: int, *, is_traced: bool) -> Answers:
    answers: Answers = {}
    order = {"task": "memory", "count": streams, "is_traced": is_traced}
    for _ in range(rounds):
        for name in names:
            answer = lab.fresh(name, order)
            if answer is not None:
                answers.setdefault(name, []).append(answer)
    return {name: own for name, own in answers.items() if len(own) == rounds}


def _ratio(figure: Figure | None) -> str:
    if figure is None or BASE not in figure.ratios:
        return "-"
    return digits(figure.ratios[BASE].median)
