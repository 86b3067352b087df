"""When a stream has been silent for too long.

One cancel scope lies around the loop that reads the source. Its deadline is the earliest of three:

* ``idle``: no byte at all, restarted by each piece of the body;
* ``stall``: no item, restarted by each batch of items, so pings do not feed it;
* ``total``: the whole stream, never restarted.

Time that the source cannot help is not counted: while the reader waits for the consumer to take
what it has, the deadline is lifted, and ``idle`` and ``stall`` start anew afterwards.

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
    """The watchdogs of one stream. Times are trio's clock."""

    __slots__ = (
        "_armed",
        "_config",
        "_hung_up",
        "_idle",
        "_last_byte",
        "_last_item",
        "_stall",
        "_total_end",
        "scope",
    )

    def __init__(self, config: StreamConfig, total_end: float) -> None:
        self.scope = trio.CancelScope()
        self._config = config
        self._idle = _Timer(config.idle_timeout)
        self._stall = _Timer(config.stall_timeout)
        self._total_end = total_end
        self._armed = False
        self._hung_up = False
        self._last_byte = self._last_item = trio.current_time()

    def arm(self) -> None:
        """The source is awaited (again)."""
        if self._hung_up:
            return
        now = trio.current_time()
        self._armed = True
        self._idle.restart(now)
        self._stall.restart(now)
        self._set_deadline()

    def disarm(self) -> None:
        """The consumer is awaited, not the source."""
        if self._armed:
            self._armed = False
            self.scope.deadline = math.inf

    def byte_came(self, now: float) -> None:
        """A piece of the body came."""
        self._last_byte = now
        if now >= self._idle.restart_at:
            self._idle.restart(now)
            self._set_deadline()

    def item_came(self, now: float) -> None:
        """Items came of it."""
        self._last_item = now
        if now >= self._stall.restart_at:
            self._stall.restart(now)
            self._set_deadline()

    def hang_up(self, grace: float) -> None:
        """Nobody needs the source any more; stop reading it after ``grace`` seconds.

        Idempotent; the first call counts.
        """
        if not self._hung_up:
            self._hung_up = True
            self._armed = False
            self.scope.deadline = trio.current_time() + grace

    def error(self) -> StreamTimeoutError | None:
        """Why the scope was cancelled; `None` if that was no failure (`hang_up`)."""
        if self._hung_up:
            return None
        now = trio.current_time()
        facts = f"(last byte {now - self._last_byte:.1f} s ago, last item {now - self._last_item:.1f} s ago)"
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
        if self._armed:
            self.scope.deadline = min(self._idle.end, self._stall.end, self._total_end)


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
