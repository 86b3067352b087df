"""Slots, counted in all and by host, and a fair queue for them.

Theory of operation
-------------------

Who finds no slot free stands in the queue of its host, with a number. This holds whenever nobody
runs: nobody waits who could have a slot. So whoever comes may take what is free without passing
anybody by, and a release has exactly one candidate at most: the lowest number among the heads of
the queues of hosts that are not full. It is given the slot there and then, in the task that
releases, and cannot be cancelled any more when it wakes up to find that it has it. So no slot is
ever on its way, where it could be lost.

These heads are kept in a sorted list. To put one in or to take one out moves what is behind it: of
10,000 hosts 80 KB at most, some microseconds.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import OrderedDict
from typing import final

import trio

__all__ = ["Slots"]


@final
class Slots:
    """A limit on what is in use at once. For tasks of one trio run; it may be made before that.

    Whoever comes first is served first, except that one who waits for a host that is full keeps
    none from a host that is not.

    Args:
        limit: How many in all. `None`: any number.
        per_host: How many for each host. `None`: no limit but that of all.

    Attributes:
        in_use: How many are taken.
        in_use_by_host: The same by host; a host that has none is not there.
        waiting: How many wait.
    """

    def __init__(self, limit: int | None, per_host: int | None = None) -> None:
        self._limit = math.inf if limit is None else limit
        self._per_host = math.inf if per_host is None else per_host
        self.in_use = 0
        self.in_use_by_host: dict[str, int] = {}
        self.waiting = 0
        # By host: who waits, by number. Not a dict, whose first key is far away after many others.
        self._queues: dict[str, OrderedDict[int, trio.lowlevel.Task]] = {}
        # Of each host that is not full and that anybody waits for: the first number, and the host.
        self._heads: list[tuple[int, str]] = []
        self._next_number = 0
        self._turned_away: set[int] = set()

    def waiting_by_host(self) -> dict[str, int]:
        """How many wait for each host that anybody waits for."""
        return {host: len(queue) for host, queue in self._queues.items()}

    def take_nowait(self, host: str) -> bool:
        """Take a slot if one is free; whether there was one."""
        if not self._has_room(host):
            return False
        self._take(host)
        return True

    async def wait(self, host: str) -> None:
        """Wait for a slot and take it. To be asked when there is none (`take_nowait`).

        Cancellation: no slot is taken; the place in the queue is given up.

        Raises:
            trio.ClosedResourceError: `turn_away` was called meanwhile.
        """
        number = self._next_number
        self._next_number += 1
        self._unlist(host)
        self._queues.setdefault(host, OrderedDict())[number] = trio.lowlevel.current_task()
        self.waiting += 1
        self._list(host)

        def give_up(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._unlist(host)
            self._leave_queue(host, number)
            self._list(host)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)
        if number in self._turned_away:
            self._turned_away.remove(number)
            raise trio.ClosedResourceError("nobody is given a slot any more")

    def turn_away(self) -> None:
        """Send away all who wait. Who comes later may wait again."""
        for queue in self._queues.values():
            self._turned_away.update(queue)
            for task in queue.values():
                trio.lowlevel.reschedule(task)
        self._queues.clear()
        self._heads.clear()
        self.waiting = 0

    def release(self, host: str) -> None:
        """Give a slot back; the first that waits for it has it when this returns.

        Raises:
            KeyError: The host has none to give back.
        """
        count = self.in_use_by_host[host]
        self._unlist(host)
        if count == 1:
            del self.in_use_by_host[host]
        else:
            self.in_use_by_host[host] = count - 1
        self.in_use -= 1
        self._list(host)
        if self._heads and self.in_use < self._limit:
            number, name = self._heads[0]
            self._unlist(name)
            task = self._leave_queue(name, number)
            self._take(name)
            self._list(name)
            trio.lowlevel.reschedule(task)

    # What changes a queue, or the count of a host that anybody waits for, stands between these two.

    def _unlist(self, host: str) -> None:
        if host in self._queues and self._is_open(host):
            del self._heads[bisect_left(self._heads, self._head(host))]

    def _list(self, host: str) -> None:
        if host in self._queues and self._is_open(host):
            insort(self._heads, self._head(host))

    def _head(self, host: str) -> tuple[int, str]:
        return next(iter(self._queues[host])), host

    def _has_room(self, host: str) -> bool:
        return self.in_use < self._limit and self._is_open(host)

    def _is_open(self, host: str) -> bool:
        return self.in_use_by_host.get(host, 0) < self._per_host

    def _take(self, host: str) -> None:
        self.in_use += 1
        self.in_use_by_host[host] = self.in_use_by_host.get(host, 0) + 1

    def _leave_queue(self, host: str, number: int) -> trio.lowlevel.Task:
        queue = self._queues[host]
        task = queue.pop(number)
        if not queue:
            del self._queues[host]
        self.waiting -= 1
        return task
