"""The demo on a terminal, drawn by rich."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import attrs
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ...dialects import ToolCall
from ...pipeline import StreamStatistics
from .._terminal import human_bytes
from ._view import LABEL_WIDTH, View, written

__all__ = ["LiveView"]

_LABELS = {
    "you": "bold",
    "model": "bold cyan",
    "call": "bold yellow",
    "tool": "bold magenta",
    "COMPLETED": "bold green",
    "TRUNCATED": "bold red",
    "TIMED_OUT": "bold red",
    "FAILED": "bold red",
    "CANCELLED": "bold yellow",
}
_TEXTS = {"call": "yellow", "why": "dim", "seconds": "dim"}


@attrs.define
class _Row:
    label: str
    text: str


class LiveView(View):
    """Draws the scene that runs over and over, and leaves it standing when it is over."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._rows: list[_Row] = []
        self._growing: _Row | None = None
        self._running: dict[str, _Row] = {}
        self._statistics: Callable[[], StreamStatistics] | None = None
        self._started = 0.0
        self._spinner = Spinner("dots", style="cyan")

    def say(self, text: str) -> None:
        """Say something between the scenes."""
        self._console.print(Text(text))

    @contextmanager
    def scene(self, title: str) -> Generator[None]:
        """Draw a scene for as long as the block runs."""
        self._console.print()
        self._console.print(Text(title, style="bold"))
        self._rows = []
        # Drawn in a thread of rich's, which only reads.
        with Live(get_renderable=self._draw, console=self._console, refresh_per_second=20):
            yield

    def watch(self, statistics: Callable[[], StreamStatistics]) -> None:
        """Show the progress of a stream, below the lines, until it is over."""
        self._statistics = statistics
        self._started = time.monotonic()

    def running(self, call: ToolCall) -> None:
        """Show that a tool runs."""
        self._running[call.id] = _Row("tool", f"{written(call)} …")
        self._rows.append(self._running[call.id])

    def result(self, call: ToolCall, result: str) -> None:
        """Show in the same place what it has returned."""
        self._running.pop(call.id).text = f"{written(call)} → {result}"

    def line(self, label: str, text: str) -> None:
        """Show a line, below one that grows."""
        if label.isupper():  # an ending
            self._statistics = None
        self._rows.append(_Row(label, text))

    def start(self, label: str, text: str) -> None:
        """Begin a line that grows."""
        self._growing = _Row(label, text)
        self._rows.append(self._growing)

    def grow(self, text: str) -> None:
        """Add to it."""
        if self._growing is not None:
            self._growing.text += text

    def stop(self) -> None:
        """It has ended."""
        self._growing = None

    def _draw(self) -> Group:
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(justify="right", min_width=LABEL_WIDTH, no_wrap=True)
        table.add_column(overflow="fold")
        growing = self._growing
        for row in self._rows.copy():
            text = Text(row.text, style=_TEXTS.get(row.label, ""))
            if row is growing:
                text.append("▌", style="bold")
            table.add_row(Text(row.label, style=_LABELS.get(row.label, "dim")), text)
        statistics = self._statistics
        if statistics is None:
            return Group(table)
        now, seconds = statistics(), time.monotonic() - self._started
        facts = f"{now.items_received} items · {human_bytes(now.bytes_received)} · {seconds:.1f} s"
        table.add_row(self._spinner, Text(facts, style="dim"))
        return Group(table)
