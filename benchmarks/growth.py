"""How the cost of an event grows: with the length of the stream, and with its own size."""

from __future__ import annotations

from .candidates import BASE, MEMCPY, OURS, OURS_STOCK, RAW
from .lab import Lab
from .report import Figure, Report, Table, digits
from .tables import cpu_figures, left_out

__all__ = ["growth"]

CANDIDATES = [MEMCPY, RAW, OURS, OURS_STOCK, BASE, "httpx2's sse", "launchdarkly", "Node fetch"]
KIB = 1024


def growth(lab: Lab) -> Report:
    """Measure streams of more and more events, and of larger and larger ones."""
    rounds = lab.scale.pick(5, 3, 1)
    lengths: list[int] = lab.scale.pick([64, 640, 6400, 64_000], [64, 640, 6400], [64])
    sizes: list[int] = lab.scale.pick(
        [128, KIB, 8 * KIB, 64 * KIB, 512 * KIB, 4096 * KIB], [128, 8 * KIB, 512 * KIB], [128]
    )
    of_lengths = [
        _measure(lab, f"growth, {length:,} events", f"burst/{length}", length, rounds)
        for length in lengths
    ]
    # About so many bytes in all: enough of the small ones, and not too many of the large.
    budget = lab.scale.pick(8_000_000, 4_000_000, 1000)
    of_sizes = []
    for size in sizes:
        count = max(budget // (size + 400), 2)
        case = f"growth, events of {size:,} B"
        of_sizes.append(_measure(lab, case, f"burst/{count}/{size}", count, rounds))
    note = "CPU microseconds of the client for one event, over loopback."
    return Report(
        [
            _table(
                "Longer streams",
                f"{note} The first columns have the opening of the stream in them."
                f"{left_out(lab, CANDIDATES)}",
                [f"{length:,} events" for length in lengths],
                of_lengths,
            ),
            _table(
                "Larger events",
                f"{note} Up to 64 of them are in a send, each in its own HTTP chunk.",
                [f"{size:,} B" for size in sizes],
                of_sizes,
            ),
        ],
        [figure for part in of_lengths + of_sizes for figure in part],
        {"lengths": lengths, "sizes": sizes},
    )


def _measure(lab: Lab, case: str, path: str, count: int, rounds: int) -> list[Figure]:
    order = {"task": "read", "path": path, "count": count, "kind": "events"}
    answers = lab.rounds(CANDIDATES, order, rounds, warm_up=rounds > 1)
    return cpu_figures(answers, case=case, per="event", count=count, bases=[BASE])


def _table(title: str, note: str, head: list[str], parts: list[list[Figure]]) -> Table:
    costs = [{each.who: each.value for each in part if each.unit == "µs"} for part in parts]
    names = [name for name in CANDIDATES if any(name in part for part in costs)]
    rows = [
        [name, *(digits(part[name].median) if name in part else "-" for part in costs)]
        for name in names
    ]
    return Table(title, note, ["", *head], rows)
