"""What the suite makes of its measurements."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from benchmarks.compare import compare, figures_in
from benchmarks.report import Figure, Report, Spread, Table, digits
from benchmarks.targets import targets


def figure(value: Spread, ratio: Spread | None = None) -> Figure:
    ratios = {} if ratio is None else {"base": ratio}
    return Figure("burst", "trio_stream", "CPU per event", "µs", value, ratios)


def marks(old: Figure, new: Figure) -> list[str]:
    key = ("burst", "trio_stream", "CPU per event")
    return [row[-1] for row in compare({key: old}, {key: new}).rows]


def test_spread_is_median_and_quartiles() -> None:
    """Of five values, a spread has the second, third and fourth."""
    assert Spread.of([5, 1, 3, 2, 4]) == Spread(3, 2, 4)


def test_spread_of_few_is_their_range() -> None:
    """Of one or two values, the quartiles are the least and the largest."""
    assert Spread.of([7]) == Spread(7, 7, 7)
    assert Spread.of([1, 2]) == Spread(1.5, 1, 2)


def test_ratios_are_taken_within_rounds() -> None:
    """When one round is twice as slow for everybody, the ratio does not show it."""
    assert Spread.of_ratios([2, 4, 2], [1, 2, 1]) == Spread(2, 2, 2)


@pytest.mark.parametrize(
    ("old", "new", "mark"),
    [
        (Spread(10, 9, 11), Spread(12, 11.5, 13), "worse"),
        (Spread(10, 9, 11), Spread(8, 7, 8.5), "better"),
        (Spread(10, 9, 11), Spread(12, 10.5, 13), ""),  # their quartiles meet
        (Spread(10, 9.99, 10.01), Spread(10.1, 10.09, 10.11), ""),  # 1 %
        (Spread(10, 10, 10), Spread(10.9, 10.9, 10.9), ""),  # measured once, and 9 %
        (Spread(10, 10, 10), Spread(11.1, 11.1, 11.1), "worse"),
    ],
)
def test_changes_beyond_the_spread_are_marked(old: Spread, new: Spread, mark: str) -> None:
    """A change is marked if the quartiles do not meet and it is not tiny."""
    assert marks(figure(old), figure(new)) == [mark]


def test_ratios_are_compared_before_times() -> None:
    """A machine that is half as fast is no change, if the ratio to the same peer is the same."""
    slow, fast = Spread(20, 19, 21), Spread(10, 9, 11)
    ratio = Spread(0.1, 0.09, 0.11)

    assert marks(figure(slow, ratio), figure(fast, ratio)) == [""]
    assert marks(figure(slow, ratio), figure(slow, Spread(0.2, 0.19, 0.21))) == ["worse"]


def test_figures_of_one_run_only_are_counted() -> None:
    """What is in one file only is left out of the table, and told of."""
    one = figure(Spread(1, 1, 1))
    other = attrs.evolve(one, who="somebody")
    table = compare({("a", "b", "c"): one}, {("a", "b", "d"): other})

    assert table.rows == []
    assert "2 in one only" in table.note


def test_report_is_read_back(tmp_path: Path) -> None:
    """The figures that a report writes are those that a comparison reads."""
    own = figure(Spread(1.5, 1, 2), Spread(0.5, 0.4, 0.6))

    Report([Table("T", "n", ["", "a"], [["x", "1"]])], [own]).write(tmp_path, "burst", "command")

    assert figures_in(tmp_path / "burst.json") == {("burst", "trio_stream", "CPU per event"): own}
    assert "| x | 1 |" in (tmp_path / "burst.md").read_text("utf-8")


@pytest.mark.parametrize("data", [[], {}, {"figures": 3}, {"figures": [{"who": "x"}]}])
def test_other_files_are_refused(tmp_path: Path, data: object) -> None:
    """A JSON file that has no figures in it is refused by its name."""
    path = tmp_path / "x.json"
    path.write_text(json.dumps(data), encoding="utf-8")

    with pytest.raises(ValueError, match=r"x\.json has no figures"):
        figures_in(path)


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (100, "100"), (12.34, "12.3"), (0.126, "0.13")]
)
def test_digits(value: float, text: str) -> None:
    """Numbers are written with as many digits as mean something."""
    assert digits(value) == text


def test_promises_are_judged() -> None:
    """A promise is kept, or not, or was not measured; how many times as fast is the inverse."""
    ratios = {"httpx-sse on httpx": Spread(0.05, 0.04, 0.1)}
    burst = attrs.evolve(figure(Spread(1, 1, 1)), ratios=ratios)
    paced = attrs.evolve(burst, case="paced", ratios={"raw trio socket": Spread(2, 1, 3)})

    rows = {row[0]: row[1:] for row in targets([burst, paced]).rows}

    assert rows["burst: times as fast as httpx-sse on httpx"] == [
        "at least 10",
        "20.0",
        "10.0 to 25.0",
        "yes",
    ]
    assert rows["paced: CPU time beside the raw trio socket"][-1] == "no"
    assert rows["paced: CPU time beside httpx-sse on httpx"][-1] == "not measured"
