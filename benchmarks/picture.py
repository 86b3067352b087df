"""The results as pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .candidates import BASE, MEMCPY, RAW
from .report import Figure

__all__ = ["draw", "draw_results"]

# The first that a name begins with.
COLOURS = {
    "trio_stream on": "#e8a0a6",
    "trio_stream": "#d1495b",
    "httpx-sse on httpx2": "#8fb3cf",
    "httpx-sse": "#30638e",
    "httpx2": "#00798c",
    "anthropic": "#edae49",
    "openai": "#7d8491",
    "launchdarkly": "#574b90",
    "raw aiohttp": "#9b8fc4",
    "Node": "#5b8c5a",
    "raw": "#222222",
    "memcpy": "#aaaaaa",
}


def _colour(name: str) -> str:
    return next((each for start, each in COLOURS.items() if name.startswith(start)), "#888888")


def draw(folder: Path, name: str, figures: Sequence[Figure]) -> None:
    """Draw what a benchmark has to show, if anything, into ``NAME.svg``."""
    if name == "growth":
        panels = [
            ("events in the stream", _lines(figures, r"growth, ([\d,]+) events$", "CPU")),
            ("bytes of an event", _lines(figures, r"growth, events of ([\d,]+) B$", "CPU")),
        ]
        _draw_lines(folder / "growth.svg", panels, "client CPU, µs per event")
    elif name == "held":
        panels = [
            (title, _lines(figures, rf"{kind}, ([\d,]+) streams$", "CPU"))
            for kind, title in (
                ("held", "streams, left"),
                ("ended", "streams, ended by the server"),
            )
        ]
        _draw_lines(folder / "held.svg", panels, "client CPU, µs per stream")
    elif name == "parser":
        panels = [
            (
                "bytes in a piece",
                _lines(figures, r"anthropic_text, ([\d,]+) B$", "CPU", as_speed=True),
            )
        ]
        _draw_lines(folder / "parser.svg", panels, f"events per CPU second, {BASE.split()[0]} = 1")
    elif name in {"burst", "typed", "paced"}:
        rows = [each for each in figures if each.what.startswith("CPU")]
        _draw_bars(folder / f"{name}.svg", [(name, rows)])


def draw_results(folder: Path, figures: Sequence[Figure]) -> None:
    """Draw the most important ones into ``results.svg``."""
    cases = ["burst", "typed", "paced", "held, 1,000 streams"]
    parts = [
        (case, [each for each in figures if each.case == case and each.what.startswith("CPU")])
        for case in cases
    ]
    _draw_bars(folder / "results.svg", [part for part in parts if part[1]])


Lines = dict[str, list[tuple[float, float]]]


def _lines(figures: Sequence[Figure], case: str, what: str, *, as_speed: bool = False) -> Lines:
    lines: Lines = {}
    for each in figures:
        found = re.match(case, each.case)
        if found is None or not each.what.startswith(what):
            continue
        value = each.value.median
        if as_speed:
            ratio = next(iter(each.ratios.values()), None)
            if ratio is None:
                continue
            value = 1 / ratio.median
        lines.setdefault(each.who, []).append((float(found[1].replace(",", "")), value))
    return lines


def _draw_lines(path: Path, panels: Sequence[tuple[str, Lines]], label: str) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 (an extra, and slow to import)

    figure, all_axes = plt.subplots(
        1, len(panels), figsize=(1 + 5 * len(panels), 4.4), layout="constrained", squeeze=False
    )
    for axes, (title, lines) in zip(all_axes[0], panels, strict=True):
        for name, points in lines.items():
            width = 2.4 if name == "trio_stream" else 1.2
            style = "--" if name in (RAW, MEMCPY, "raw aiohttp") else "-"
            axes.plot(
                *zip(*points, strict=True),
                style,
                marker="o",
                markersize=4,
                color=_colour(name),
                linewidth=width,
                label=name,
            )
        axes.set(xscale="log", yscale="log", xlabel=title)
        axes.grid(alpha=0.3)
    all_axes[0][0].set_ylabel(label)
    all_axes[0][-1].legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _draw_bars(path: Path, parts: Sequence[tuple[str, Sequence[Figure]]]) -> None:
    from matplotlib import pyplot as plt  # noqa: PLC0415 (as above)

    columns = min(len(parts), 2)
    rows = -(-len(parts) // columns)
    figure, all_axes = plt.subplots(
        rows, columns, figsize=(5.5 * columns, 3.6 * rows), layout="constrained", squeeze=False
    )
    for axes in list(all_axes.flat)[len(parts) :]:
        axes.set_axis_off()
    for axes, (case, figures) in zip(all_axes.flat, parts, strict=False):
        _bars(axes, case, figures)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _bars(axes: Any, case: str, figures: Sequence[Figure]) -> None:
    values = [each.value for each in figures]
    bars = axes.barh(
        [each.who for each in figures],
        [value.median for value in values],
        xerr=[
            [value.median - value.low for value in values],
            [value.high - value.median for value in values],
        ],
        color=[_colour(each.who) for each in figures],
        error_kw={"elinewidth": 0.8},
    )
    axes.bar_label(bars, [str(value) for value in values], fontsize=7, padding=3)
    axes.set_title(
        f"{case}: client {figures[0].what}, {figures[0].unit} (less is better)", fontsize=9
    )
    axes.tick_params(labelsize=7)
    axes.invert_yaxis()
    axes.margins(x=0.15)
