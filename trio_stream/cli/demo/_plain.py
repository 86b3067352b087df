"""The demo as plain text: for pipes, and for terminals without rich."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from shutil import get_terminal_size

from ...dialects import ToolCall
from ...pipeline import StreamStatistics
from ._view import LABEL_WIDTH, View

__all__ = ["PlainView"]

_INDENT = LABEL_WIDTH + 2


class PlainView(View):
    """Writes to stdout as things happen, and never takes anything back."""

    def __init__(self) -> None:
        self._width = get_terminal_size().columns
        self._column = 0
        self._indent = 0
        self._gap = ""  # between the last word and the next, if that is in the same line
        self._grows = False
        self._waiting: list[tuple[str, str]] = []

    def say(self, text: str) -> None:
        """Say something between the scenes."""
        self._begin("")
        self._write(text)
        self._end()

    @contextmanager
    def scene(self, title: str) -> Generator[None]:
        """Show a scene for as long as the block runs."""
        self._end()
        self.say(title)
        yield

    def line(self, label: str, text: str) -> None:
        """Show a line; while another one grows, it has to wait."""
        if self._grows:
            self._waiting.append((label, text))
            return
        self._begin(label)
        self._write(text)
        self._end()

    def start(self, label: str, text: str) -> None:
        """Begin a line that grows."""
        self._grows = True
        self._begin(label)
        self._write(text)

    def grow(self, text: str) -> None:
        """Add to it."""
        self._write(text)

    def stop(self) -> None:
        """It has ended."""
        if self._grows:
            self._grows = False
            self._end()
            waiting, self._waiting = self._waiting, []
            for label, text in waiting:
                self.line(label, text)

    def watch(self, statistics: Callable[[], StreamStatistics]) -> None:
        """Progress could not be taken back; the lines that grow are enough of it."""

    def running(self, call: ToolCall) -> None:
        """That it runs could not be taken back; what it returned will be shown."""

    def _begin(self, label: str) -> None:
        self._indent = _INDENT if label else 0
        self._put(f"{label:>{LABEL_WIDTH}}  " if label else "")

    def _write(self, text: str) -> None:
        """Write, and wrap between words."""
        for piece in re.findall(r"\s+|\S+", text):
            if piece.isspace():
                self._gap = piece
                continue
            end = self._column + len(self._gap) + len(piece)
            if end > self._width and self._column > self._indent:
                self._end()
                self._put(" " * self._indent)
            self._put(self._gap + piece)
            self._gap = ""
        sys.stdout.flush()

    def _put(self, text: str) -> None:
        sys.stdout.write(text)
        self._column += len(text)

    def _end(self) -> None:
        self._put("\n")
        sys.stdout.flush()
        self._column = 0
        self._gap = ""
