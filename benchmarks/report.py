"""What a benchmark has to say: tables to read, and facts to compute with."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import attrs

__all__ = ["Report", "Table"]


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
        facts: For programs; what JSON can hold.
    """

    tables: Sequence[Table]
    facts: object

    def __str__(self) -> str:
        """As markdown."""
        return "\n".join(map(str, self.tables))

    def write(self, folder: Path, name: str) -> None:
        """Write ``NAME.md`` and ``NAME.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        where = {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
        }
        command = " ".join(["python -m benchmarks", *sys.argv[1:]])
        (folder / f"{name}.md").write_text(f"Made by `{command}`.\n\n{self}", encoding="utf-8")
        facts = json.dumps({"command": command, **where, "facts": self.facts}, indent=1)
        (folder / f"{name}.json").write_text(facts, encoding="utf-8")
