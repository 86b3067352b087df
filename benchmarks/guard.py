"""Counts that do not depend on what else the machine does: they guard the hot paths.

For one event of each path: the functions called, of Python and of C (`sys.setprofile`); the blocks
of memory that are left (`sys.getallocatedblocks`); and, where there is valgrind, the instructions.
Each is the difference of two runs, one with twice the events, so that the start does not count.

For one delta of a short answer, and of a long one: the bytecodes that Python runs, which show what
goes through all that came before; and the instructions, which also show what copies it.
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
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

from .guarded import PATHS, Work, runs, sizes
from .lab import ROOT, Lab, Scale
from .lengths import LENGTHS, LONG, SHORT, Run
from .report import Report, Table, digits

__all__ = [
    "LINEAR",
    "STORED",
    "Counts",
    "at_two_lengths",
    "bytecodes",
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

LINEAR = 1.15
"""A delta of a long answer may take so many times what one of a short answer takes.

If the work is linear, the bytecodes are the same and the instructions within some hundredths: where
memory lies makes a difference. A search of all calls at each delta is at 1.4 in bytecodes, a copy
of the list of all deltas at 1.7 in instructions.
"""

TIMES = ", times"
"""Ends the name of a quantity that is a ratio: of a long answer to a short one."""

Counts: TypeAlias = dict[str, dict[str, float]]
"""Of each path, each quantity per event."""

LIBRARIES = ("attrs", "cattrs", "httpx", "msgspec", "trio")


def guard(lab: Lab) -> Report:
    """Count."""
    is_smoke = lab.scale is Scale.SMOKE
    paths, cases = (list(each)[: 1 if is_smoke else None] for each in (PATHS, LENGTHS))
    counts = cheap_counts(paths)
    grown = {name: at_two_lengths("bytecodes", bytecodes(name)) for name in cases}
    notes = "There is no valgrind here, and so no instructions."
    if not is_smoke and shutil.which("valgrind"):
        notes = "Instructions by `valgrind --tool=callgrind`."
        found = instructions([*paths, *cases])
        for name in paths:
            (counts[name]["instructions"],) = found[name]
        for name in cases:
            grown[name] |= at_two_lengths("instructions", found[name])
    note = (
        "For one event: functions called, blocks of memory that are left, instructions. These do"
        f" not depend on what else the machine does. {notes} `python -m benchmarks guard --check`"
        " fails when one of them has grown by more than 5 %."
    )
    lengths_note = (
        f"For one delta, from the {LONG}th to the {2 * LONG}th: bytecodes of Python and"
        f" instructions, and how many times those from the {SHORT}th to the {2 * SHORT}th they"
        " are; 1.00 is linear work. Bytecodes show what goes through all that came before,"
        f" instructions also what copies it. `--check` fails above {LINEAR}, too."
    )
    quantities = [each + end for each in ("bytecodes", "instructions") for end in ("", TIMES)]
    tables = [
        _table("Counts", note, counts, ["calls", "blocks", "instructions"]),
        _table("Counts at two lengths", lengths_note, grown, quantities),
    ]
    return Report(tables, (), {environment(): counts | grown})


def _table(title: str, note: str, counts: Counts, quantities: list[str]) -> Table:
    rows = [
        [name, *(digits(own[each]) if each in own else "-" for each in quantities)]
        for name, own in counts.items()
    ]
    return Table(title, note, ["", *(each.split(", ")[-1] for each in quantities)], rows)


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


def bytecodes(name: str) -> list[float]:
    """Bytecodes for a delta of a short answer, and of a long one."""
    prepared = list(runs(name))
    _bytecodes(prepared[0])  # since 3.12, what runs traced for the first time is not counted whole
    return _per_event(name, [_bytecodes(run) for run in prepared])


def _bytecodes(run: Run) -> int:
    seen = 0

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        return step

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal seen
        seen += event == "opcode"
        return step

    before = sys.gettrace()
    gc.disable()  # finalizers of others are not ours
    sys.settrace(enter)
    try:
        run()
    finally:
        sys.settrace(before)
        gc.enable()
    return seen


def instructions(names: list[str]) -> dict[str, list[float]]:
    """Instructions per event, by valgrind: of a path, and at both lengths of a case of `lengths`.

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


def instructions_in(totals: Sequence[int], names: Sequence[str]) -> dict[str, list[float]]:
    """Instructions per event, from what was counted up to each mark.

    Of each run there are two: what was before, and the run.
    """
    assert len(totals) == 2 * sum(len(sizes(name)) for name in names), len(totals)
    counted = iter(totals[1::2])
    return {name: _per_event(name, list(islice(counted, len(sizes(name))))) for name in names}


def _per_event(name: str, totals: Sequence[int]) -> list[float]:
    """What one event takes, from a count for each of the `sizes`."""
    parts = zip(sizes(name)[::2], totals[::2], totals[1::2], strict=True)
    return [(twice - once) / count for count, once, twice in parts]


def at_two_lengths(quantity: str, values: Sequence[float]) -> dict[str, float]:
    """A quantity for a delta of a long answer, and how many times that of a short one it is."""
    short, long = values
    return {quantity: long, quantity + TIMES: long / short}


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
    since = [
        f"{name}: {quantity} per event were {digits(before)} and are {digits(own[quantity])}"
        for name, own in counts.items()
        for quantity, before in base.get(name, {}).items()
        if quantity in own and not quantity.endswith(TIMES)
        if own[quantity] > max(before * GROWTH, before + SLACK)
    ]
    with_length = [
        f"{name}: {quantity.removesuffix(TIMES)} per delta of a long answer are {digits(value)}"
        f" times those of a short one, which is more than {LINEAR}"
        for name, own in counts.items()
        for quantity, value in own.items()
        if quantity.endswith(TIMES) and value > LINEAR
    ]
    return since + with_length
