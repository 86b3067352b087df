"""When a stream has been silent for too long.

A cancel scope lies around the loop that reads the source. Its deadline is the earliest of three:

* ``idle``: no byte at all, restarted by each piece of the body;
* ``stall``: no item, restarted by each batch of items, so pings do not feed it;
* ``total``: the whole stream, never restarted.

Time that the source cannot help is not counted. While the reader waits for the consumer to take
what it has, it is outside the scope, and both periods begin anew afterwards (`start`).
``stall`` rests while items wait for the consumer. And if the consumer kept the whole program from
running, bytes may have come before the deadline without being seen: such bytes win (`byte_came`).

Pushing a deadline costs as much as parsing an event, so it is pushed only when it has become
1/16 of its period old. Each deadline lies that much later than it should: it never fires early,
and at most 1/16 late.
"""

from __future__ import annotations

import math
from typing import final

import trio

from ..config import StreamConfig
from ..errors import StreamTimeoutError

__all__ = ["Watchdog"]


@final
class Watchdog:
    """The watchdogs of one stream. Times are trio's clock.

    Attributes:
        first_byte: When the first byte came.
        last_byte: When the last one did, or the watchdog was made.
        hung_up: When to stop reading although nothing is wrong (`hang_up`); infinity: not known.
    """

    __slots__ = (
        "_config",
        "_deadline",
        "_idle",
        "_last_item",
        "_scope",
        "_stall",
        "_stall_rests",
        "_total_end",
        "first_byte",
        "hung_up",
        "last_byte",
    )

    def __init__(self, config: StreamConfig, total_end: float) -> None:
        self._config = config
        self._idle = _Timer(config.idle_timeout)
        self._stall = _Timer(config.stall_timeout)
        self._stall_rests = False
        self._total_end = total_end
        self._scope = trio.CancelScope()
        self._deadline = math.inf
        self.last_byte = self._last_item = trio.current_time()
        self.first_byte: float | None = None
        self.hung_up = math.inf

    def start(self) -> None:
        """The source is awaited (again): all of its time is before it."""
        now = trio.current_time()
        self._idle.restart(now)
        if not self._stall_rests:
            self._stall.restart(now)

    def new_scope(self) -> trio.CancelScope:
        """A scope in which to await the source. See `error` when it was cancelled."""
        self._scope = trio.CancelScope()
        self._deadline = math.inf
        self._set_deadline()
        return self._scope

    def byte_came(self, now: float) -> bool:
        """A piece of the body came. Whether it came in time.

        If not, its source deserves another scope: this one has been cancelled in the same moment.
        """
        if self.first_byte is None:
            self.first_byte = now
        self.last_byte = now
        in_time = now < self._deadline
        if now >= self._idle.restart_at:
            self._idle.restart(now)
            self._set_deadline()
        return in_time

    def item_came(self, now: float) -> None:
        """Items came of it."""
        self._last_item = now
        if now >= self._stall.restart_at:
            self._stall.restart(now)
            self._set_deadline()

    def rest_stall(self) -> None:
        """Items wait for the consumer: no new ones can come."""
        self._stall_rests = True
        self._stall.rest()
        self._set_deadline()

    def wake_stall(self) -> None:
        """The consumer has taken them."""
        self._stall_rests = False
        self._stall.restart(trio.current_time())
        self._set_deadline()

    def hang_up(self, grace: float) -> None:
        """Nobody needs the source any more; stop reading it after ``grace`` seconds."""
        if self.hung_up == math.inf:
            self.hung_up = trio.current_time() + grace
            self._set_deadline()

    def error(self) -> StreamTimeoutError | None:
        """Why the scope was cancelled; `None` if that was no failure (`hang_up`)."""
        if self.hung_up < math.inf:
            return None
        now = trio.current_time()
        facts = (
            f"(last byte {now - self.last_byte:.1f} s ago, "
            f"last item {now - self._last_item:.1f} s ago)"
        )
        config = self._config
        if now >= self._total_end:
            return StreamTimeoutError(f"timeout={config.timeout} s was over {facts}", layer="total")
        if self._idle.end <= self._stall.end:
            return StreamTimeoutError(
                f"no byte for idle_timeout={config.idle_timeout} s {facts}", layer="idle"
            )
        return StreamTimeoutError(
            f"bytes, but no item for stall_timeout={config.stall_timeout} s {facts}", layer="stall"
        )

    def _set_deadline(self) -> None:
        if self.hung_up < math.inf:
            deadline = self.hung_up
        else:
            deadline = min(self._idle.end, self._stall.end, self._total_end)
        if deadline != self._deadline:  # to set the one that it has is half as dear as to push it
            self._deadline = self._scope.deadline = deadline


@final
class _Timer:
    """One period, pushed coarsely."""

    __slots__ = ("_period", "_slack", "end", "restart_at")

    def __init__(self, period: float | None) -> None:
        self._period = math.inf if period is None else period
        self._slack = self._period / 16
        self.end = math.inf
        self.restart_at = math.inf

    def restart(self, now: float) -> None:
        self.end = now + self._period + self._slack
        self.restart_at = now + self._slack

    def rest(self) -> None:
        self.end = self.restart_at = math.inf
