"""A stage: one task between two links, around one synchronous step.

A stage never raises into the nursery. A nursery that is cancelled by a network error loses what the
other stages hold, and the user's code is cancelled in the middle of an item. A stage that meets a
fault hangs up on both sides instead: downstream with the fault, behind everything that it has sent,
upstream without a word. Whoever comes to the end of a link passes its fault on, so the fault that
reaches the consumer is the first one in the order of the stream.

Ctrl-C is not for a stage: trio hands it to the main task, which is the application's.

That a stage ends says nothing about the stream: it may have been cancelled. Only a stage that has
come to the end of its work hangs up without a fault; one that was interrupted says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from ._link import Link

__all__ = ["Finished", "Interrupted", "Stage"]

In = TypeVar("In")
Out = TypeVar("Out")


class Interrupted(trio.ClosedResourceError):
    """The stages were stopped from outside. This tells nothing about the stream."""


class Finished(trio.ClosedResourceError):
    """The consumer wants what is there and no more: a good end, wherever the stream stood."""


def _nothing() -> None:
    pass


class Stage(ABC, Generic[In, Out]):
    """Takes batches from ``source``, works on them, sends what comes of them to ``sink``.

    Attributes:
        fault: What its own work has raised.
        is_spent: Whether there is no more work to do: a fault, or all that was wanted.
        ended: Whether it has hung up.
    """

    __slots__ = ("_on_end", "ended", "fault", "is_spent", "sink", "source")

    def __init__(self, source: Link[In], sink: Link[Out], on_end: Callable[[], None]) -> None:
        self.source = source
        self.sink = sink
        self.fault: Exception | None = None
        self.is_spent = False
        self.ended = False
        self._on_end = on_end

    @abstractmethod
    def work(self, items: list[In], out: list[Out]) -> None:
        """Append to ``out`` what comes of ``items``. If it raises, ``out`` still counts.

        Sets `is_spent` when nothing more is wanted.
        """

    @abstractmethod
    def finish(self, out: list[Out]) -> None:
        """The source has ended cleanly: append what is left. May raise, like `work`."""

    @trio.lowlevel.enable_ki_protection
    async def run(self) -> None:
        """Work until the source ends, the sink hangs up, or there is no more work to do."""
        reason: Exception | None = Interrupted()
        try:
            reason = await self._work_through()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the sink has hung up; or somebody else has ended this stage
        finally:
            self.end(reason)

    async def _work_through(self) -> Exception | None:
        """Work to the end; return why the stream is not whole, if it is not."""
        while not self.is_spent:
            try:
                batch = await self.source.take()
            except trio.EndOfChannel:
                break
            out: list[Out] = []
            self.attempt(batch.items, out)
            if out:
                await self.send(out, batch.weight)
        else:
            return self.fault
        if self.source.fault is not None:
            return self.source.fault
        out = []
        self.attempt_finish(out)
        if out:
            await self.send(out, 0)
        return self.fault

    async def send(self, out: list[Out], weight: int) -> None:
        """Send to the sink, waiting for room if need be."""
        await self.sink.send(out, weight)

    def hang_up(self, reason: Exception | None) -> None:
        """Hang up on the sink: there is no more to come."""
        self.sink.close_send(reason)

    def attempt(self, items: list[In], out: list[Out]) -> None:
        """Do some work. If it raises, this stage is spent, and `fault` says why."""
        try:
            self.work(items, out)
        except Exception as fault:  # noqa: BLE001 (errors travel in band)
            self.fault = fault
            self.is_spent = True

    def attempt_finish(self, out: list[Out]) -> None:
        """The same for `finish`."""
        try:
            self.finish(out)
        except Exception as fault:  # noqa: BLE001 (errors travel in band)
            self.fault = fault
            self.is_spent = True

    def end(self, reason: Exception | None) -> None:
        """Hang up on both sides. Idempotent."""
        if not self.ended:
            self.ended = True
            self.hang_up(reason)
            self.source.close_receive()
            on_end, self._on_end = self._on_end, _nothing  # it leads back to this stage: a cycle
            on_end()
