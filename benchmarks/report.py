"""What a benchmark has to say: tables to read, and figures to compute with."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

__all__ = ["Figure", "Report", "Spread", "Table", "digits", "head", "write_json"]


@attrs.frozen
class Spread:
    """Several measurements of one thing.

    Attributes:
        median: Their median.
        low: The lower quartile; of less than three measurements, the least.
        high: The upper quartile, or the largest.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one or more values."""
        if len(values) < 3:
            return cls(statistics.median(values), min(values), max(values))
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)

    @classmethod
    def of_ratios(cls, own: Sequence[float], base: Sequence[float]) -> Spread:
        """Of the ratios within each round."""
        return cls.of([a / b for a, b in zip(own, base, strict=True)])

    def __str__(self) -> str:
        """The median, with as many digits as mean something."""
        return digits(self.median)


def digits(value: float) -> str:
    """Three significant digits, as people write them."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


@attrs.frozen
class Figure:
    """What was measured of one candidate. Less is better, of all of them.

    Attributes:
        case: The workload, such as ``held, 1,000 streams``.
        who: The candidate.
        what: The quantity, such as ``CPU per event``.
        unit: Its unit.
        value: What it was.
        ratios: How many times that of another candidate of the same run it was, by its name.
    """

    case: str
    who: str
    what: str
    unit: str
    value: Spread
    ratios: Mapping[str, Spread] = attrs.field(factory=dict)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Figure:
        """Read what `attrs.asdict` made."""
        ratios = {name: Spread(**ratio) for name, ratio in data["ratios"].items()}
        return cls(**{**data, "value": Spread(**data["value"]), "ratios": ratios})


@attrs.frozen
class Table:
    """A table; the first column names the row.

    Attributes:
        title: What it shows.
        note: How to read it.
        head: The names of the columns.
        rows: The cells.
    """

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        """As markdown, aligned for a terminal."""
        cells = [list(self.head), *map(list, self.rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(self.head))]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines = [
            " | ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in [cells[0], rule, *cells[1:]]
        ]
        table = "\n".join(f"| {line} |" for line in lines)
        return f"## {self.title}\n\n{self.note}\n\n{table}\n"


@attrs.frozen
class Report:
    """The outcome of one benchmark.

    Attributes:
        tables: For people.
        figures: For programs, and for ``--compare``.
        facts: What is particular to this benchmark; what JSON can hold.
    """

    tables: Sequence[Table]
    figures: Sequence[Figure] = ()
    facts: object = None

    def __str__(self) -> str:
        """As markdown."""
        return "\n".join(map(str, self.tables))

    def write(self, folder: Path, name: str, command: str) -> None:
        """Write ``NAME.md`` and ``NAME.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.md").write_text(f"Made by `{command}`.\n\n{self}", encoding="utf-8")
        write_json(
            folder / f"{name}.json",
            {
                **head(command),
                "figures": [attrs.asdict(each) for each in self.figures],
                "facts": self.facts,
            },
        )


def head(command: str) -> dict[str, str]:
    """Where figures come from."""
    return {
        "command": command,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def write_json(path: Path, data: Mapping[str, object]) -> None:
    """Write a file for programs: a line for each figure, so that changes can be seen."""
    parts = [f" {json.dumps(name)}: {_lines(_rounded(value))}" for name, value in data.items()]
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _lines(value: object) -> str:
    if not isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        lines = [f"  {json.dumps(each, ensure_ascii=False)}" for each in value]
        return "[\n" + ",\n".join(lines) + "\n ]"
    lines = [
        f"  {json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}"
        for name, each in value.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n }"


def _rounded(data: object) -> object:
    """Floats with five significant digits: more is noise, and makes the files large."""
    if isinstance(data, float):
        return float(f"{data:.5g}")
    if isinstance(data, Mapping):
        return {name: _rounded(value) for name, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(each) for each in data]
    return data
