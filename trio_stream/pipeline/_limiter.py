"""`StreamLimiter`: how many streams may be open at once, shared by all that are given it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import final

import attrs
import trio

from ..errors import LimitExceededError
from ..slots import Slots

__all__ = ["HostStatistics", "LimiterStatistics", "StreamLimiter"]


@attrs.frozen
class HostStatistics:
    """The streams of one host: how many have a slot, how many wait for one."""

    in_use: int
    waiting: int


@attrs.frozen
class LimiterStatistics:
    """A `StreamLimiter` at one moment.

    Attributes:
        in_use: How many streams have a slot.
        waiting: How many wait for one.
        hosts: The same by host; a host that has neither is not there.
    """

    in_use: int
    waiting: int
    hosts: Mapping[str, HostStatistics]


@final
class StreamLimiter:
    """A limit on the streams that are open at once: a bulkhead.

    ::

        limiter = StreamLimiter(20, per_host=5, max_waiting=100, max_wait=30)
        async with open_stream("GET", url, limiter=limiter) as rx:
            ...

    Whoever comes first is served first, except that a stream for a host that is full keeps none
    from a host that is not. For tasks of one trio run; it may be made before that.

    Args:
        max_streams: How many in all.
        per_host: How many for each host. `None`: no limit but that of all.
        max_waiting: How many may wait. One more gets an error at once. `None`: any number.
        max_wait: How long one may wait, in seconds on trio's clock. `None`: for ever.

    Raises:
        ValueError: A limit that admits nobody, or a negative one.
    """

    def __init__(
        self,
        max_streams: int,
        *,
        per_host: int | None = None,
        max_waiting: int | None = None,
        max_wait: float | None = None,
    ) -> None:
        for name, value, least in (
            ("max_streams", max_streams, 1),
            ("per_host", per_host, 1),
            ("max_waiting", max_waiting, 0),
            ("max_wait", max_wait, 0),
        ):
            if value is not None and not value >= least:  # the negation also refuses NaN
                raise ValueError(f"{name} must be at least {least}, got {value!r}")
        self._slots = Slots(max_streams, per_host)
        self._max_waiting = max_waiting
        self._max_wait = max_wait

    def slot(self, host: str = "") -> AbstractAsyncContextManager[None]:
        """A slot for the length of an ``async with`` block: `acquire`, and `release`."""
        return _Slot(self, host)

    @trio.lowlevel.enable_ki_protection
    async def acquire(self, host: str = "") -> None:
        """Wait for a slot. Each must be given back with `release`, with the same host.

        Args:
            host: What ``per_host`` counts by, such as ``"example.org:443"``.

        Cancellation: no slot is taken; the place in the queue is given up.

        Raises:
            LimitExceededError: Too many wait, or the wait was too long. ``limit`` is the name of
                the argument that says so.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._slots.take_nowait(host):
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        if self._max_waiting is not None and self._slots.waiting >= self._max_waiting:
            raise LimitExceededError(
                f"no slot is free{_of(host)}, and max_waiting={self._max_waiting} wait already",
                limit="max_waiting",
            )
        wait = math.inf if self._max_wait is None else self._max_wait
        with trio.move_on_after(wait) as scope:
            await self._slots.wait(host)
        if scope.cancelled_caught:
            raise LimitExceededError(
                f"no slot was free{_of(host)} within max_wait={self._max_wait} s", limit="max_wait"
            )

    @trio.lowlevel.enable_ki_protection
    def release(self, host: str = "") -> None:
        """Give a slot back; the first that waits for it has it when this returns.

        Raises:
            RuntimeError: There is none to give back.
        """
        if host not in self._slots.in_use_by_host:
            raise RuntimeError(f"no slot{_of(host)} is in use")
        self._slots.release(host)

    def statistics(self) -> LimiterStatistics:
        """How many streams there are, and how many would be."""
        in_use, waiting = self._slots.in_use_by_host, self._slots.waiting_by_host()
        return LimiterStatistics(
            in_use=self._slots.in_use,
            waiting=self._slots.waiting,
            hosts={
                host: HostStatistics(in_use.get(host, 0), waiting.get(host, 0))
                for host in {**in_use, **waiting}
            },
        )


@final
class _Slot:
    def __init__(self, limiter: StreamLimiter, host: str) -> None:
        self._limiter = limiter
        self._host = host

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> None:
        await self._limiter.acquire(self._host)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._limiter.release(self._host)


def _of(host: str) -> str:
    return f" for {host}" if host else ""
