"""A link joins two stages: a trio memory channel that carries batches, coalesced and bounded.

A task switch costs as much as parsing ten events, so nothing travels alone. The channel holds one
batch. While its receiver has not come for it, the sender does not wait for room: it extends that
batch in place. So a fast stream has a hop for dozens of items, and a slow one has no added delay.

A batch may be extended only until it has been taken. `take` says so by forgetting it.

Errors travel in band: who hangs up says why (`close_send`), and the receiver learns of it when it
has taken everything that was sent before.
"""

from __future__ import annotations

from typing import Generic, TypeVar, final

import trio

__all__ = ["Batch", "Link"]

T = TypeVar("T")

# More saves nothing, and keeps other tasks waiting.
_MAX_ITEMS = 64


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
        is_empty: Whether nothing that was sent waits to be taken.
        is_awaited: Whether the receiver waits, and nothing is on its way to it.
        fault: Why the sender hung up before a clean end.

    Limits:
        Beside the batch that its receiver is working on, a link holds one batch, which is extended
        while it has fewer than 64 items and ``max_weight`` bytes, and the one that its sender is
        waiting to send.
    """

    def __init__(self, max_weight: int) -> None:
        self._send, self._receive = trio.open_memory_channel[Batch[T]](1)
        self._max_weight = max_weight
        # The batch in the channel, and the one that waits to get in.
        self._newest: Batch[T] | None = None
        self._waiting: Batch[T] | None = None
        self._last_taken: Batch[T] | None = None
        # How many batches have got into the channel, less those that the receiver has come to run
        # with: in the channel, or on their way out of it.
        self._under_way = 0
        self.is_empty = True
        self.is_awaited = False
        self.fault: Exception | None = None

    def send_nowait(self, items: list[T], weight: int) -> bool:
        """Send if that needs no waiting. The list is the link's from then on.

        Raises:
            trio.BrokenResourceError: The receiver has hung up; `drain` returns the items.
        """
        newest = self._newest
        if newest is not None:
            if len(newest.items) >= _MAX_ITEMS or newest.weight >= self._max_weight:
                return False
            newest.items += items
            newest.weight += weight
            return True
        batch = Batch(items, weight)
        try:
            self._send.send_nowait(batch)
        except trio.BrokenResourceError:
            # The sender had worked on it while the receiver hung up.
            if self._waiting is None:
                self._waiting = batch
            else:
                self._waiting.items += items
            raise
        self._under_way += 1
        self._newest = batch
        self.is_empty = self.is_awaited = False
        return True

    async def send(self, items: list[T], weight: int) -> None:
        """Send, waiting for room if need be. The list is the link's from then on.

        Cancellation: the items stay with the link; `drain` returns them.

        Raises:
            trio.BrokenResourceError: The receiver has hung up; `drain` returns the items.
        """
        if self.send_nowait(items, weight):
            return
        batch = self._waiting = Batch(items, weight)
        await self._send.send(batch)
        self._under_way += 1
        self._waiting = None
        if self._last_taken is not batch:
            self._newest = batch
        self.is_empty = self._newest is None

    async def take(self) -> Batch[T]:
        """Wait for a batch.

        Cancellation: nothing is lost.

        Raises:
            trio.EndOfChannel: The sender has hung up, and everything was taken; see `fault`.
            trio.ClosedResourceError: `close_receive` was called.
        """
        self.is_awaited = self.is_empty
        try:
            batch = await self._receive.receive()
        finally:
            self.is_awaited = False
        return self._taken(batch)

    def take_nowait(self) -> Batch[T]:
        """Like `take`, without waiting.

        Raises:
            trio.WouldBlock: Nothing is there.
            trio.EndOfChannel: As for `take`.
        """
        return self._taken(self._receive.receive_nowait())

    def take_back(self) -> list[T] | None:
        """Take back everything that was sent, when the sender does not wait.

        Returns `None`, and takes nothing, if the receiver has been given some of it and has not
        come to run yet: what is in flight cannot be stopped.
        """
        if self._under_way > self._send.statistics().current_buffer_used:
            return None
        try:
            return self.take_nowait().items
        except trio.WouldBlock:
            return []

    def _taken(self, batch: Batch[T]) -> Batch[T]:
        self._last_taken = batch
        self._under_way -= 1
        if self._newest is batch:  # a newer one may be in the channel already
            self._newest = None
        self.is_empty = self._newest is None and self._waiting is None
        return batch

    def close_send(self, fault: Exception | None = None) -> None:
        """Hang up on the receiver, saying why. Idempotent; the first reason stands."""
        self.fault = self.fault or fault
        self._send.close()

    def close_receive(self) -> None:
        """Hang up on the sender. What was not taken stays for `drain`. Idempotent."""
        left = [batch for batch in (self._newest, self._waiting) if batch is not None]
        if len(left) > 1:
            left[0].items += left[1].items
        self._newest, self._waiting = None, left[0] if left else None
        self.is_awaited = False
        self._receive.close()

    def drain(self) -> list[T]:
        """Everything that was sent and not taken, when both sides have stopped. Then hang up."""
        self.close_receive()
        left, self._waiting = self._waiting, None
        return left.items if left is not None else []
