"""What the demo shows, whatever it is shown on: lines with a label, one of which may grow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import cast, final

from ...dialects import (
    BlockFinished,
    BlockStarted,
    IncompleteToolCall,
    Message,
    MessageItem,
    TextDelta,
    ToolCall,
    ToolInputDelta,
)
from ...errors import StreamTimeoutError
from ...outcome import Ending, StreamOutcome
from ...pipeline import StreamStatistics
from .._terminal import human_bytes

__all__ = ["LABEL_WIDTH", "View", "written"]

LABEL_WIDTH = 9
"""Of the longest label, an `Ending`."""


class View(ABC):
    """Shows the scenes of the demo.

    What is drawn, and where, is up to the subclass: see the abstract methods.
    """

    @abstractmethod
    def say(self, text: str) -> None:
        """Say something between the scenes."""

    @abstractmethod
    def scene(self, title: str) -> AbstractContextManager[object]:
        """Show a scene for as long as the block runs."""

    @abstractmethod
    def line(self, label: str, text: str) -> None:
        """Show a line of the scene. It does not come into the middle of one that grows."""

    @abstractmethod
    def start(self, label: str, text: str) -> None:
        """Begin a line that grows."""

    @abstractmethod
    def grow(self, text: str) -> None:
        """Add to it."""

    @abstractmethod
    def stop(self) -> None:
        """It has ended, as far as it came. Does nothing if there is none."""

    @abstractmethod
    def watch(self, statistics: Callable[[], StreamStatistics]) -> None:
        """Show the progress of a stream, where that can be taken back."""

    @final
    def item(self, item: MessageItem) -> None:
        """Show an item of the stream."""
        match item:
            case BlockStarted(part=IncompleteToolCall(name=name)):
                self.start("call", f"{name} ")
            case BlockStarted():
                self.start("model", "")
            case TextDelta(text=more) | ToolInputDelta(arguments=more):
                self.grow(more)
            case BlockFinished():
                self.stop()
            case _:
                pass

    @abstractmethod
    def running(self, call: ToolCall) -> None:
        """Show that a tool runs, where that can be taken back."""

    def result(self, call: ToolCall, result: str) -> None:
        """Show what a tool has returned."""
        self.line("tool", f"{written(call)} → {result}")

    @final
    def outcome(self, outcome: StreamOutcome[Message]) -> None:
        """Show how the stream ended."""
        self.stop()
        message, error = outcome.value, outcome.error
        facts = [f"{outcome.items} items", human_bytes(outcome.bytes_received)]
        if outcome.ending is Ending.COMPLETED:
            facts.append(f"stop reason {message.stop_reason}")
        if isinstance(error, StreamTimeoutError):
            facts.append(f"layer {error.layer}")
        self.line(outcome.ending.name, " · ".join(facts))
        if error is not None:
            self.line("why", str(error))
        self.line("seconds", _timings(outcome))


def written(call: ToolCall) -> str:
    """A call, as a program would write it."""
    arguments = cast("dict[str, object]", call.input)
    return f"{call.name}({', '.join(map(str, arguments.values()))})"


def _timings(outcome: StreamOutcome[Message]) -> str:
    timings = outcome.timings
    points = {
        "headers": timings.headers,
        "first byte": timings.first_byte,
        "first item": timings.first_item,
        "last item": timings.last_item,
        "total": timings.total,
    }
    return " · ".join(
        f"{name} {seconds:.2f}" for name, seconds in points.items() if seconds is not None
    )
