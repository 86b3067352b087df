"""Counts that do not depend on what else the machine does: they guard the hot paths.

For one event of each path: the functions called, of Python and of C (`sys.setprofile`); the blocks
of memory that are left (`sys.getallocatedblocks`); and, where there is valgrind, the instructions.
Each is the difference of two runs, one with twice the events, so that the start does not count.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from .guarded import PATHS, Work
from .lab import ROOT, Lab, Scale
from .report import Report, Table, digits

__all__ = [
    "STORED",
    "Counts",
    "cheap_counts",
    "check",
    "guard",
    "instructions",
    "instructions_in",
    "libraries",
    "merged",
    "stored",
]

STORED = ROOT / "docs" / "benchmarks" / "guard.json"
GROWTH = 1.05
"""More than this many times what is stored is too much."""

SLACK = 0.5
"""And so much more, of a count: a path with 3 calls has not become slow with 3.2."""

Counts: TypeAlias = dict[str, dict[str, float]]
"""Of each path, each quantity per event."""

LIBRARIES = ("attrs", "cattrs", "httpx", "msgspec", "trio")


def guard(lab: Lab) -> Report:
    """Count."""
    names = list(PATHS)[:1] if lab.scale is Scale.SMOKE else list(PATHS)
    counts = cheap_counts(names)
    notes = "There is no valgrind here, and so no instructions."
    if lab.scale is not Scale.SMOKE and shutil.which("valgrind"):
        notes = "Instructions by `valgrind --tool=callgrind`."
        for name, count in instructions(names).items():
            counts[name]["instructions"] = count
    quantities = ["calls", "blocks", "instructions"]
    rows = [
        [name, *(digits(own[each]) if each in own else "-" for each in quantities)]
        for name, own in counts.items()
    ]
    note = (
        "For one event: functions called, blocks of memory that are left, instructions. These do"
        f" not depend on what else the machine does. {notes} `python -m benchmarks guard --check`"
        " fails when one of them has grown by more than 5 %."
    )
    head = ["", *quantities]
    return Report([Table("Counts", note, head, rows)], (), {environment(): counts})


def environment() -> str:
    """Counts are compared only in the same one: the minor version of Python, and our libraries'.

    Instructions also depend on the build, but less than by what is tolerated.
    """
    minor = "{}.{}".format(*sys.version_info)
    return f"{platform.python_implementation()} {minor} {platform.machine()}"


def libraries() -> dict[str, str]:
    """Whose versions may explain a change."""
    versions: dict[str, str] = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "-"
    return versions


# --- counting -----------------------------------------------------------------------------------


def cheap_counts(names: list[str]) -> Counts:
    """Calls and blocks per event."""
    counts: Counts = {}
    for name in names:
        make, count = PATHS[name]
        work = make()
        for times in (1, 2):  # caches are filled by then
            work(times * count)
        calls = _calls(work, 2 * count) - _calls(work, count)
        blocks = _blocks(work, 2 * count) - _blocks(work, count)
        counts[name] = {"calls": calls / count, "blocks": blocks / count}
    return counts


def _calls(work: Work, count: int) -> int:
    seen = 0

    def tell(frame: Any, event: str, argument: Any) -> None:
        nonlocal seen
        if event in ("call", "c_call"):
            seen += 1

    before = sys.getprofile()
    gc.collect()
    gc.disable()  # finalizers of others are not ours
    sys.setprofile(tell)
    try:
        work(count)
    finally:
        sys.setprofile(before)
        gc.enable()
    return seen


def _blocks(work: Work, count: int) -> int:
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        left = work(count)
        after = sys.getallocatedblocks()
    finally:
        gc.enable()
    del left
    return after - before


def instructions(names: list[str]) -> dict[str, float]:
    """Instructions per event, by valgrind.

    Raises:
        subprocess.CalledProcessError: Valgrind or the program failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [
            "valgrind",
            "--tool=callgrind",
            "--dump-before=getppid",
            f"--callgrind-out-file={folder}/counts",
            sys.executable,
            "-m",
            "benchmarks.guarded",
            *names,
        ]
        settings = {**os.environ, "PYTHONHASHSEED": "0"}
        subprocess.run(command, cwd=ROOT, env=settings, check=True, capture_output=True)
        dumps = sorted(Path(folder).glob("counts.*"), key=lambda path: int(path.suffix[1:]))
        totals = [
            int(re.findall(r"^totals: (\d+)", path.read_text("ascii"), re.MULTILINE)[-1])
            for path in dumps
        ]
    return instructions_in(totals, names)


def instructions_in(totals: Sequence[int], names: Sequence[str]) -> dict[str, float]:
    """Instructions per event, from what was counted up to each mark.

    Of each path there are three: what was before, the run, and the run with twice the events.
    """
    parts = zip(names, totals[1::3], totals[2::3], strict=True)
    return {name: (twice - once) / PATHS[name][1] for name, once, twice in parts}


# --- what is stored -----------------------------------------------------------------------------


def stored(path: Path = STORED) -> dict[str, Any]:
    """What is stored, by environment; nothing if there is no such file."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def merged(report: Report, path: Path) -> dict[str, Any]:
    """What is stored there, with the counts of a report in the place of the older ones."""
    facts: Any = report.facts
    ours = {name: {"libraries": libraries(), "counts": each} for name, each in facts.items()}
    return {**stored(path), **ours}


def check(counts: Counts, base: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What has grown too much, as sentences.

    Args:
        counts: As they are.
        base: As they are stored, of the same environment.
    """
    return [
        f"{name}: {quantity} per event were {digits(before)} and are {digits(own[quantity])}"
        for name, own in counts.items()
        for quantity, before in base.get(name, {}).items()
        if quantity in own
        if own[quantity] > max(before * GROWTH, before + SLACK)
    ]
