"""A process with one candidate in it: an order in JSON on each line of stdin, an answer on stdout.

Each candidate has its own, so that none pays for the modules, the heap or the garbage of another,
and so that peak memory is its own.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

from . import tasks
from .candidates import CANDIDATES
from .limits import allow_many_files, peak, reset_peak, set_alarm

PATIENCE = 180
"""Seconds after which a task that hangs takes its process with it."""


def main(name: str, scale: str) -> None:
    """Do what we are told until stdin ends."""
    allow_many_files()
    try:
        candidate: Any = CANDIDATES[name]()
    except ImportError as error:
        _say({"missing": str(error)})
        return
    if scale == "SMOKE":
        gc.freeze()  # nothing is measured: collections may be quick
    _say({})
    for line in sys.stdin:
        set_alarm(PATIENCE)
        _say(_do(candidate, json.loads(line)))
        set_alarm(0)


def _do(candidate: Any, order: dict[str, Any]) -> dict[str, Any]:
    task = getattr(tasks, order.pop("task"))
    gc.collect()
    reset_peak()
    try:
        answer: dict[str, Any] = candidate.runtime.run(_call, task, candidate, order)
    except Exception as error:  # noqa: BLE001 - it is told to those who ask
        return {"error": f"{type(error).__name__}: {error}"}
    return {**answer, "peak": peak()}


async def _call(task: Any, candidate: Any, order: dict[str, Any]) -> Any:
    return await task(candidate, **order)


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
