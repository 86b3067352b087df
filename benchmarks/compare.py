"""What has changed between two runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from .report import Figure, Spread, Table, digits

__all__ = ["compare", "figures_in"]

Key: TypeAlias = tuple[str, str, str]

LEAST = 0.02
"""A change below this is never marked."""

ALONE = 0.10
"""Nor one below this, where a figure has no spread: it was measured once."""


def figures_in(path: Path) -> dict[Key, Figure]:
    """The figures of a JSON file: of one benchmark, or of all.

    Raises:
        ValueError: There are none in it.
    """
    text = path.read_text("utf-8")
    try:
        figures = [Figure.from_json(each) for each in json.loads(text)["figures"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} has no figures in it") from error
    return {(each.case, each.who, each.what): each for each in figures}


def compare(before: Mapping[Key, Figure], after: Mapping[Key, Figure]) -> Table:
    """A table of what is in both.

    Where both have the ratio to the same candidate, the ratios are compared: times depend on what
    else the machine did. A change is marked where it is beyond the spread: the quartiles of the one
    do not reach those of the other.
    """
    rows: list[list[str]] = []
    marked = 0
    for key, old in before.items():
        new = after.get(key)
        if new is None:
            continue
        base, first, second = _comparable(old, new)
        mark = _mark(first, second)
        marked += bool(mark)
        change = f"{second.median / first.median - 1:+.1%}" if first.median else "-"
        label = f"/ {base}" if base else old.unit
        rows.append([*key, label, digits(first.median), digits(second.median), change, mark])
    missing = len(before.keys() ^ after.keys())
    note = (
        f"{len(rows)} figures are in both, {missing} in one only; {marked} have changed by more"
        " than their spread. Less is better."
    )
    head = ["case", "candidate", "what", "in", "before", "after", "change", "mark"]
    return Table("Changes", note, head, rows)


def _comparable(old: Figure, new: Figure) -> tuple[str, Spread, Spread]:
    for base in old.ratios:
        if base in new.ratios and base != old.who:
            return base, old.ratios[base], new.ratios[base]
    return "", old.value, new.value


def _mark(old: Spread, new: Spread) -> str:
    is_alone = old.low == old.high and new.low == new.high
    if abs(new.median - old.median) <= (ALONE if is_alone else LEAST) * abs(old.median):
        return ""
    if new.low > old.high:
        return "worse"
    return "better" if new.high < old.low else ""
