"""CPU time of things that are compared, on a machine that has other things to do.

Wall-clock time measures the neighbours, and even CPU time doubles while they use the other half
of a core. So candidates take turns in thin slices, in an order that rotates, and what is reported
of them is a ratio: a block is some rounds of slices, in each block the mean time of the base is
divided by the mean of the candidate, and the ratio is the median over the blocks. Ratios repeat
within 5 to 10 %; times do not, and are given only for their order of magnitude.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

import attrs

from .report import Figure, Spread

__all__ = ["Effort", "Measured", "measure"]


@attrs.frozen
class Effort:
    """How hard to look.

    Attributes:
        blocks: Each gives one ratio.
        rounds: Slices of each candidate in a block.
        slice_ns: The least CPU time of a slice.
        patience_ns: A candidate whose single run takes longer than this has only that one.
    """

    blocks: int = 9
    rounds: int = 8
    slice_ns: int = 600_000
    patience_ns: int = 300_000_000


@attrs.frozen
class Measured:
    """What a candidate took.

    Attributes:
        seconds: CPU seconds of one run, the median over the blocks.
        ratio: How many times faster it is than the base, the median over the blocks.
        spread: The quartiles of that ratio.
    """

    seconds: float
    ratio: float
    spread: tuple[float, float]

    def figure(self, case: str, who: str, count: int, *, base: str) -> Figure:
        """CPU time for one of so many events; the ratio says how many times that of the base."""
        low, high = self.spread
        each = self.seconds / count * 1e6
        ratio = Spread(1 / self.ratio, 1 / high, 1 / low)
        ratios = {} if who == base else {base: ratio}
        return Figure(case, who, "CPU per event", "µs", Spread(each, each, each), ratios)


def measure(
    candidates: Mapping[str, Callable[[], object]], *, base: str, effort: Effort
) -> dict[str, Measured]:
    """Run all candidates in turns, and compare them with the one called ``base``."""
    once = {name: _time(run, 1) for name, run in candidates.items()}
    steady = [name for name in candidates if name == base or once[name] <= effort.patience_ns]
    runs = {name: -(-effort.slice_ns // max(once[name], 1)) for name in steady}
    blocks: list[dict[str, float]] = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(effort.blocks):
            spent = dict.fromkeys(steady, 0)
            for turn in range(effort.rounds):
                shift = turn % len(steady)
                for name in steady[shift:] + steady[:shift]:
                    spent[name] += _time(candidates[name], runs[name])
            blocks.append({name: spent[name] / runs[name] / effort.rounds for name in steady})
            gc.collect()
    finally:
        gc.enable()
    blocks_of = {name: [block.get(name, once[name]) for block in blocks] for name in candidates}
    return {
        name: _measured(
            times,
            [base_time / time for base_time, time in zip(blocks_of[base], times, strict=True)],
        )
        for name, times in blocks_of.items()
    }


def _time(run: Callable[[], object], times: int) -> int:
    start = time.process_time_ns()
    for _ in range(times):
        run()
    return time.process_time_ns() - start


def _measured(times: list[float], ratios: list[float]) -> Measured:
    low, ratio, high = statistics.quantiles(ratios, n=4)
    return Measured(statistics.median(times) / 1e9, ratio, (low, high))
