"""A link joins two stages: an edge that carries batches, coalesced and bounded.

A task switch costs as much as parsing ten events, so nothing travels alone. A link holds one batch.
While its receiver has not come for it, the sender does not wait for room: it extends that batch in
place. So a fast stream has a hop for dozens of items, and a slow one has no added delay.

A batch belongs to the link until its receiver runs with it. A receiver that is being woken has
nothing yet: the batch still grows, and stays if the receiver is told to leave. But it is promised
(`is_promised`): whether a batch is taken back must not be a matter of who runs first.
What one piece of the source has brought may be thousands of items; they are taken in parts, so that
no task works on them for long.

Errors travel in band: who hangs up says why (`close_send`), and the receiver learns of it when it
has taken everything that was sent before.

It is made of trio's two calls for those who wait (`trio.lowlevel`), and not of a memory channel:
that one has no batch that grows, so it would be beside this one, and for one sender and one
receiver it costs ten times the memory and twice the time (docs/project/decisions.md).
"""

from __future__ import annotations

from typing import Generic, TypeVar, final

import trio

__all__ = ["MAX_ITEMS", "Batch", "Link"]

T = TypeVar("T")

# A batch that has so many is extended no more: that would save nothing.
_ENOUGH = 64
MAX_ITEMS = 256
"""How many items are taken at once: more would keep other tasks waiting."""


@final
class Batch(Generic[T]):
    """Items that travel together, and their weight in bytes."""

    __slots__ = ("items", "weight")

    def __init__(self, items: list[T], weight: int) -> None:
        self.items = items
        self.weight = weight


@final
class Link(Generic[T]):
    """One edge of the pipeline, from one task to one task.

    Attributes:
        batch: What was sent and not taken, for those who want to know whether there is anything.
        fault: Why the sender hung up before a clean end.
        is_promised: Whether the receiver has waited for the batch, and is on its way to take it.

    Limits:
        Beside what its receiver is working on, a link holds one batch, which is extended while it
        has fewer than 64 items and no more than ``max_weight`` bytes with them, and the one that
        its sender is waiting to send. At most 256 items are taken at once.
    """

    __slots__ = (
        "_is_free",
        "_left",
        "_max_weight",
        "_no_more",
        "_receiver",
        "_sender",
        "_taken",
        "_waiting",
        "batch",
        "fault",
        "is_promised",
    )

    def __init__(self, max_weight: int) -> None:
        self._max_weight = max_weight
        self.batch: Batch[T] | None = None
        self._taken = 0  # how many of its items were, if it is taken in parts
        # What its sender waits to send.
        self._waiting: Batch[T] | None = None
        # Who sleeps here.
        self._sender: trio.lowlevel.Task | None = None
        self._receiver: trio.lowlevel.Task | None = None
        self._is_free = True  # the receiver has dealt with all that it has taken
        self._no_more = False  # the sender has hung up
        self._left = False  # the receiver has
        self.fault: Exception | None = None
        self.is_promised = False

    @property
    def is_idle(self) -> bool:
        """Whether all that was sent has been dealt with: the receiver waits, or has yet to come."""
        return self._is_free and self.batch is None

    # ---- sending ---------------------------------------------------------------------------------

    def send_nowait(self, items: list[T], weight: int) -> bool:
        """Send if that needs no waiting. The list is the link's from then on.

        Raises:
            trio.BrokenResourceError: The receiver has hung up; `drain` returns the items.
        """
        batch = self.batch
        if self._left:
            # The sender had worked on it while the receiver hung up.
            self.batch = _joined(batch, Batch(items, weight))
            raise trio.BrokenResourceError
        if batch is None:
            self.batch = Batch(items, weight)
            if self._receiver is not None:
                self.is_promised = True
                self._wake_receiver()
        elif len(batch.items) >= _ENOUGH or batch.weight + weight > self._max_weight:
            return False
        else:
            batch.items += items
            batch.weight += weight
        return True

    async def send(self, items: list[T], weight: int) -> None:
        """Send, waiting for room if need be. The list is the link's from then on.

        Cancellation: the items stay with the link; `drain` returns them.

        Raises:
            trio.BrokenResourceError: The receiver has hung up; `drain` returns the items.
        """
        if self.send_nowait(items, weight):
            return
        self._waiting = Batch(items, weight)
        self._sender = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._forget_sender)
        if self._left:
            raise trio.BrokenResourceError

    def close_send(self, fault: Exception | None = None) -> None:
        """Hang up on the receiver, saying why. Idempotent; the first reason stands."""
        self.fault = self.fault or fault
        self._no_more = True
        self._wake_receiver()

    # ---- receiving -------------------------------------------------------------------------------

    async def take(self) -> Batch[T]:
        """Wait for a batch, or a part of one.

        Cancellation: nothing is lost.

        Raises:
            trio.EndOfChannel: The sender has hung up, and everything was taken; see `fault`.
            trio.ClosedResourceError: `close_receive` was called.
        """
        self._is_free = not self._left
        if self.batch is not None:
            await trio.lowlevel.checkpoint()  # it may grow meanwhile
        elif self._no_more:
            await trio.lowlevel.checkpoint_if_cancelled()
        while self.batch is None and not self._no_more and not self._left:
            self._receiver = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._forget_receiver)
        return self.take_nowait()

    def take_nowait(self) -> Batch[T]:
        """Like `take`, without waiting.

        Raises:
            trio.WouldBlock: Nothing is there.
            trio.EndOfChannel, trio.ClosedResourceError: As for `take`.
        """
        batch = self.batch
        if self._left:
            raise trio.ClosedResourceError
        if batch is None:
            raise trio.EndOfChannel if self._no_more else trio.WouldBlock
        self._is_free = self.is_promised = False
        if len(batch.items) > MAX_ITEMS:
            size, start = len(batch.items), self._taken
            self._taken += MAX_ITEMS
            batch = Batch(batch.items[start : self._taken], batch.weight * MAX_ITEMS // size)
            if self._taken < size:
                return batch
        self._taken = 0
        self.batch = self._waiting
        if self._waiting is not None:
            self._waiting = None
            self._wake_sender()
        return batch

    @property
    def untaken(self) -> list[T]:
        """What was sent and not taken, when the sender does not wait."""
        if self.batch is None:
            return []
        return self.batch.items[self._taken :] if self._taken else self.batch.items

    def take_back(self) -> list[T]:
        """Take back what is `untaken`."""
        items = self.untaken
        self.batch, self._taken = None, 0
        return items

    def close_receive(self) -> None:
        """Hang up on the sender. What was not taken stays for `drain`. Idempotent."""
        self._left = True
        self._is_free = False
        self.batch, self._waiting = _joined(self.batch, self._waiting), None
        self._wake_receiver()
        self._wake_sender()

    def drain(self) -> list[T]:
        """Everything that was sent and not taken, when both sides have stopped. Then hang up."""
        self.close_receive()
        return self.take_back()

    # ---- sleeping --------------------------------------------------------------------------------

    def _wake_receiver(self) -> None:
        task, self._receiver = self._receiver, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _wake_sender(self) -> None:
        task, self._sender = self._sender, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    def _forget_receiver(self, _: object) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED

    def _forget_sender(self, _: object) -> trio.lowlevel.Abort:
        self._sender = None
        return trio.lowlevel.Abort.SUCCEEDED


def _joined(first: Batch[T] | None, second: Batch[T] | None) -> Batch[T] | None:
    """Two batches in one."""
    if first is None or second is None:
        return first or second
    first.items += second.items
    return first
