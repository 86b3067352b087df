"""A link joins two stages: a trio memory channel that carries batches, coalesced and bounded.

A task switch costs as much as parsing ten events, so nothing travels alone. The channel holds one
batch. While its receiver has not come for it, the sender does not wait for room: it extends that
batch in place. A slow stream thus has one hop for each network read and no added delay, and a fast
one has a hop for every 64 items.

A batch may be extended only while it is certain that nobody has taken it. That is so from a
`send_nowait` that was accepted until the next `take`; it is not so after a `send` that had to wait,
since the receiver may have the batch already.

Errors travel in band: who hangs up says why (`close_send`), and the receiver learns of it when it
has taken everything that was sent before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar, final

import trio

__all__ = ["Batch", "Link"]

T = TypeVar("T")

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
    """One edge of the pipeline.

    Attributes:
        fault: Why the sender hung up before a clean end.

    Limits:
        Beside the batch that its receiver is working on, a link holds one batch, extended to at
        most 64 items and ``max_weight`` bytes, and the one that its sender is waiting to send.
    """

    def __init__(self, max_weight: int) -> None:
        self._send, self._receive = trio.open_memory_channel[Batch[T]](1)
        self._max_weight = max_weight
        self._newest: Batch[T] | None = None
        self._waiting: Batch[T] | None = None
        self.fault: Exception | None = None

    def send_nowait(self, items: list[T], weight: int) -> bool:
        """Send if that needs no waiting. The list is the link's from then on.

        Raises:
            trio.BrokenResourceError: The receiver has hung up.
        """
        newest = self._newest
        if newest is not None:
            if (
                len(newest.items) + len(items) > _MAX_ITEMS
                or newest.weight + weight > self._max_weight
            ):
                return False
            newest.items += items
            newest.weight += weight
            return True
        batch = Batch(items, weight)
        try:
            self._send.send_nowait(batch)
        except trio.WouldBlock:
            return False
        self._newest = batch
        return True

    async def send(self, items: list[T], weight: int) -> None:
        """Send, waiting for room if need be. The list is the link's from then on.

        Cancellation: the items stay with the link; `drain` returns them.

        Raises:
            trio.BrokenResourceError: The receiver has hung up.
        """
        if not self.send_nowait(items, weight):
            self._newest = None
            self._waiting = Batch(items, weight)
            await self._send.send(self._waiting)
            self._waiting = None

    async def take(self) -> Batch[T]:
        """Wait for a batch.

        Cancellation: nothing is lost.

        Raises:
            trio.EndOfChannel: The sender has hung up, and everything was taken; see `fault`.
        """
        batch = await self._receive.receive()
        self._newest = None
        return batch

    def take_nowait(self) -> Batch[T]:
        """Like `take`, without waiting.

        Raises:
            trio.WouldBlock: Nothing is there.
            trio.EndOfChannel: As for `take`.
        """
        batch = self._receive.receive_nowait()
        self._newest = None
        return batch

    def close_send(self, fault: Exception | None = None) -> None:
        """Hang up on the receiver, saying why. Idempotent; the first reason stands."""
        self.fault = self.fault or fault
        self._send.close()

    def close_receive(self) -> None:
        """Hang up on the sender. What it had sent stays for `drain`."""
        for batch in self._buffered():
            self._waiting = batch if self._waiting is None else _join(batch, self._waiting)
        self._newest = None
        self._receive.close()

    def drain(self) -> list[T]:
        """Everything that was sent and not taken, when both sides have stopped. Then hang up."""
        self.close_receive()
        rest, self._waiting = self._waiting, None
        return rest.items if rest is not None else []

    def __len__(self) -> int:
        """How many items wait to be taken."""
        newest = len(self._newest.items) if self._newest is not None else 0
        return newest + (len(self._waiting.items) if self._waiting is not None else 0)

    def _buffered(self) -> Iterator[Batch[T]]:
        try:
            while True:
                yield self._receive.receive_nowait()
        except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
            return


def _join(first: Batch[T], second: Batch[T]) -> Batch[T]:
    return Batch(first.items + second.items, first.weight + second.weight)
