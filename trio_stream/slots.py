"""Slots, counted in all and by host, and a fair queue for them.

Theory of operation
-------------------

Who finds no slot free stands in the queue of its host, with a number. This holds whenever nobody
runs: nobody waits who could have a slot. So whoever comes may take what is free without passing
anybody by, and a release has exactly one candidate at most: the lowest number among the heads of
the queues of hosts that are not full. It is given the slot there and then, in the task that
releases, and cannot be cancelled any more when it wakes up to find that it has it. So no slot is
ever on its way, where it could be lost.
"""

from __future__ import annotations

import math
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
        self.waiting += 1
        queue = self._queues.setdefault(host, OrderedDict())
        queue[number] = trio.lowlevel.current_task()

        def give_up(_: trio.lowlevel.RaiseCancelT) -> trio.lowlevel.Abort:
            self._leave_queue(host, number)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(give_up)
        if number in self._turned_away:
            self._turned_away.remove(number)
            raise trio.ClosedResourceError("nobody is given a slot any more")

    def turn_away(self) -> None:
        """Send away all who wait. Who comes later may wait again."""
        for host, queue in list(self._queues.items()):
            for number in list(queue):
                self._turned_away.add(number)
                trio.lowlevel.reschedule(self._leave_queue(host, number))

    def release(self, host: str) -> None:
        """Give a slot back; the first that waits for it has it when this returns.

        Raises:
            KeyError: The host has none to give back.
        """
        count = self.in_use_by_host[host]
        if count == 1:
            del self.in_use_by_host[host]
        else:
            self.in_use_by_host[host] = count - 1
        self.in_use -= 1
        if not self._queues:
            return
        heads = [(next(iter(queue)), name) for name, queue in self._queues.items()]
        open_heads = [(number, name) for number, name in heads if self._has_room(name)]
        if open_heads:
            number, name = min(open_heads)
            task = self._leave_queue(name, number)
            self._take(name)
            trio.lowlevel.reschedule(task)

    def _has_room(self, host: str) -> bool:
        return self.in_use < self._limit and self.in_use_by_host.get(host, 0) < self._per_host

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
