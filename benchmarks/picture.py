"""The results as one picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["draw"]

PEERS = {
    "trio_stream": "#d1495b",
    "httpx-sse": "#30638e",
    "httpx2": "#00798c",
    "anthropic": "#edae49",
    "openai": "#7d8491",
    "launchdarkly": "#574b90",
}


def draw(folder: Path) -> None:
    """Draw ``parser.json`` and ``endtoend.json`` of a folder into its ``results.svg``."""
    from matplotlib import pyplot as plt  # noqa: PLC0415 (an extra, and slow to import)

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    _parser(left, json.loads((folder / "parser.json").read_text("utf-8"))["facts"])
    _endtoend(right, json.loads((folder / "endtoend.json").read_text("utf-8"))["facts"])
    figure.savefig(folder / "results.svg", metadata={"Date": None})
    plt.close(figure)


def _parser(axes: Any, facts: Any) -> None:
    rows = [row for row in facts["speed"] if row["workload"] == "anthropic_text"]
    names = [str(row["chunk"]) for row in rows]
    for peer, colour in PEERS.items():
        if all(peer in row["results"] for row in rows):
            ratios = [row["results"][peer]["ratio"] for row in rows]
            width = 2.4 if peer == "trio_stream" else 1.2
            axes.plot(names, ratios, marker="o", color=colour, linewidth=width, label=peer)
    axes.set_title("Parser: events per CPU second, httpx-sse = 1")
    axes.set_xlabel("size of a piece (bytes; event: one event each)")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def _endtoend(axes: Any, facts: Any) -> None:
    names = [name for name in facts["paced"] if not name.startswith("raw")]
    height = 0.8 / len(names)
    for number, name in enumerate(names):
        places = [place + number * height for place in range(len(facts))]
        values = [workload[name]["ratio"] for workload in facts.values()]
        colour = PEERS["trio_stream"] if name.startswith("trio_stream") else PEERS["httpx-sse"]
        alpha = 1.0 if name.endswith("on httpx") else 0.6
        bars = axes.barh(places, values, height * 0.9, color=colour, alpha=alpha)
        axes.bar_label(bars, [f"{value:.2f}  {name}" for value in values], fontsize=7, padding=2)
    axes.set_yticks([place + 0.4 - height / 2 for place in range(len(facts))], list(facts))
    axes.set_title("End to end: client CPU, httpx-sse = 1 (less is better)")
    axes.invert_yaxis()
    axes.set_xlim(0, 2.5)
