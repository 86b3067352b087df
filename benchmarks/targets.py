"""What this library promises of its speed, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

import attrs

from .candidates import ANTHROPIC, BASE, OPENAI, OURS, OURS_KEEPS_NONE, RAW
from .report import Figure, Spread, Table, digits

__all__ = ["targets"]

Find: TypeAlias = Callable[[str, str, str], Figure | None]
EVENT, STREAM = "CPU per event", "CPU per stream"


@attrs.frozen
class Target:
    """One promise.

    Attributes:
        text: What is promised.
        bound: Which limit it is: "at least", where more is better, or "at most".
        limit: Of the figure, in its unit.
        value: The figure; `None`: it was not measured.
    """

    text: str
    bound: Literal["at least", "at most"]
    limit: float
    value: Callable[[Find], Spread | None]

    def row(self, find: Find) -> list[str]:
        """A row of the table."""
        value = self.value(find)
        if value is None:
            return [self.text, f"{self.bound} {self.limit:g}", "-", "-", "not measured"]
        is_met = (
            value.median >= self.limit if self.bound == "at least" else value.median <= self.limit
        )
        spread = f"{digits(value.low)} to {digits(value.high)}"
        answer = "yes" if is_met else "no"
        return [self.text, f"{self.bound} {self.limit:g}", digits(value.median), spread, answer]


def _ratio(case: str, what: str, base: str, who: str = OURS) -> Callable[[Find], Spread | None]:
    def value(find: Find) -> Spread | None:
        figure = find(case, who, what)
        return figure.ratios.get(base) if figure else None

    return value


def _times(case: str, what: str, base: str, who: str = OURS) -> Callable[[Find], Spread | None]:
    """How many times as fast as the base."""

    def value(find: Find) -> Spread | None:
        spread = _ratio(case, what, base, who)(find)
        return Spread(1 / spread.median, 1 / spread.high, 1 / spread.low) if spread else None

    return value


def _growth(many: str, few: str) -> Callable[[Find], Spread | None]:
    def value(find: Find) -> Spread | None:
        large, small = find(many, OURS, STREAM), find(few, OURS, STREAM)
        if large is None or small is None:
            return None
        base = small.value.median
        return Spread(large.value.median / base, large.value.low / base, large.value.high / base)

    return value


def _figure(case: str, what: str) -> Callable[[Find], Spread | None]:
    def value(find: Find) -> Spread | None:
        figure = find(case, OURS, what)
        return figure.value if figure else None

    return value


_LATENCY = "latency, 1,000 other streams"

TARGETS: Sequence[Target] = (
    Target(f"burst: times as fast as {BASE}", "at least", 10, _times("burst", EVENT, BASE)),
    Target(
        f"burst, keeping no events, as {BASE} does",
        "at least",
        10,
        _times("burst", EVENT, BASE, OURS_KEEPS_NONE),
    ),
    Target(
        f"typed items: times as fast as {BASE} and `json.loads`",
        "at least",
        5,
        _times("typed", EVENT, BASE),
    ),
    *(
        Target(
            f"messages, {kind}: times as fast as the {sdk} SDK",
            "at least",
            limit,
            _times(f"assembled, {sdk}, {kind}", EVENT, sdk),
        )
        for sdk, limit in ((ANTHROPIC, 6), (OPENAI, 20))
        for kind in ("text", "text and a tool call")
    ),
    Target(f"paced: CPU time beside the {RAW}", "at most", 1.5, _ratio("paced", EVENT, RAW)),
    Target(f"paced: CPU time beside {BASE}", "at most", 0.65, _ratio("paced", EVENT, BASE)),
    *(
        Target(
            f"1,000 streams held, {text}: times as fast as {BASE}",
            "at least",
            10,
            _times(f"{kind}, 1,000 streams", STREAM, BASE),
        )
        for kind, text in (("held", "then left"), ("ended", "then ended by the server"))
    ),
    Target(
        "10,000 streams held: CPU time of one, beside one of 1,000",
        "at most",
        1.5,
        _growth("held, 10,000 streams", "held, 1,000 streams"),
    ),
    Target(
        f"memory of an idle stream: beside {BASE}",
        "at most",
        0.5,
        _ratio("memory, 1,000 streams", "resident memory per stream", BASE),
    ),
    Target(
        f"latency, 1,000 other streams: µs more than the {RAW}, p50",
        "at most",
        100,
        _figure(_LATENCY, "added p50"),
    ),
)


def targets(figures: Iterable[Figure]) -> Table:
    """The table."""
    found = {(each.case, each.who, each.what): each for each in figures}

    def find(case: str, who: str, what: str) -> Figure | None:
        return found.get((case, who, what))

    note = (
        f"The medians of one run, of `{OURS}`: on its own transport, with an httpx client. The"
        " spread is that of the quartiles."
    )
    rows = [target.row(find) for target in TARGETS]
    return Table("What is promised", note, ["", "", "measured", "spread", "kept"], rows)
