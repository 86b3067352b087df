"""A stage: one task between two links, around one synchronous step.

A stage never raises into the nursery. A nursery that is cancelled by a network error loses what the
other stages hold, and the user's code is cancelled in the middle of an item. A stage that meets a
fault hangs up on both sides instead: downstream with the fault, behind everything that it has sent,
upstream without a word. Whoever comes to the end of a link passes its fault on, so the fault that
reaches the consumer is the first one in the order of the stream.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from ._link import Batch, Link

__all__ = ["Stage"]

In = TypeVar("In")
Out = TypeVar("Out")


class Stage(ABC, Generic[In, Out]):
    """Takes batches from ``source``, works on them, sends what comes of them to ``sink``."""

    def __init__(
        self, source: Link[In], sink: Link[Out], on_end: Callable[[], None]
    ) -> None:
        self.source = source
        self.sink = sink
        self.ended = False
        self._on_end = on_end

    @abstractmethod
    def work(self, items: list[In], out: list[Out]) -> None:
        """Append to ``out`` what comes of ``items``. If it raises, ``out`` still counts."""

    @abstractmethod
    def finish(self, out: list[Out]) -> None:
        """The source has ended cleanly: append what is left. May raise, like `work`."""

    @property
    def finished(self) -> bool:
        """Whether nothing more is wanted from the source."""
        return False

    async def run(self) -> None:
        """Work until the source ends, the sink hangs up, or `work` raises or has `finished`."""
        fault: Exception | None = None
        try:
            while not self.ended:
                batch = await self.source.take(self._lend_hands)
                out, fault = self._step(batch)
                if out:
                    await self.sink.send(out, batch.weight)
                if fault or self.finished:
                    break
        except trio.EndOfChannel:
            out = []
            fault = self.source.fault or self._attempt(self.finish, out)
            if out:
                await self._send_last(out)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the sink has hung up; or this stage has ended while it lent its hands
        finally:
            self.end(fault)

    def end(self, fault: Exception | None) -> None:
        """Hang up on both sides. Idempotent."""
        if not self.ended:
            self.ended = True
            self.sink.close_send(fault)
            self.source.close_receive()
            self._on_end()

    def _lend_hands(self, batch: Batch[In]) -> bool:
        """Work on a batch in the sender's task, while the own one waits for work.

        Only if what came before has been taken: in a burst it is better to let batches grow.
        """
        if not self.sink.is_empty:
            return False
        out, fault = self._step(batch)
        try:
            if out:
                self.sink.send_nowait(out, batch.weight)
        except trio.BrokenResourceError:
            self.end(None)
        else:
            if fault or self.finished:
                self.end(fault)
        return True

    def _step(self, batch: Batch[In]) -> tuple[list[Out], Exception | None]:
        out: list[Out] = []
        return out, self._attempt(self.work, batch.items, out)

    def _attempt(self, function: Callable[..., None], *arguments: object) -> Exception | None:
        try:
            function(*arguments)
        except Exception as fault:
            return fault
        return None

    async def _send_last(self, out: list[Out]) -> None:
        try:
            await self.sink.send(out, 0)
        except trio.BrokenResourceError:
            pass
