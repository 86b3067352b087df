"""The connections of a transport: those in use are counted, those that are idle are kept.

Theory of operation
-------------------

A request takes a slot, uses a connection in it, and gives both back at once when its response has
ended or was given up, in one synchronous step (`Pool.give_back`). So whatever a cancellation hits,
each slot is in exactly one hand: free, or of one request. A connection is in the pool only while it
is idle. ::

    slot ──▶ idle connection ──or──▶ a new one is made ──▶ request, response ──▶ idle, or closed
                                                                              └─▶ slot is free

Who gives back puts the idle connection aside before the slot becomes free, so that whoever waits
for the slot finds it.

The limit on connections is one on slots; an idle connection has none. So that the sum of both keeps
to the limit, an idle connection to another origin is closed where a new one is made.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from typing import final

import attrs
import trio

from ..slots import Slots
from ._connection import Connection, Origin

__all__ = ["Lease", "Pool", "PoolStatistics"]


@attrs.frozen
class PoolStatistics:
    """The connections of a transport at one moment.

    Attributes:
        connections: How many there are: in use, idle, and being made.
        idle: How many of them are idle.
        waiting: How many requests wait for a slot.
    """

    connections: int
    idle: int
    waiting: int


@final
class Pool:
    """The connections of one transport.

    Args:
        max_connections: How many there may be. `None`: any number.
        max_per_host: How many for each host and port. `None`: no limit but that of all.
        max_keepalive: How many idle ones are kept.
        keepalive_expiry: For how long, in seconds.
    """

    def __init__(
        self,
        *,
        max_connections: int | None,
        max_per_host: int | None,
        max_keepalive: int,
        keepalive_expiry: float,
    ) -> None:
        self._slots = Slots(max_connections, max_per_host)
        self._closings = 0  # how many times it was closed
        self._token: trio.lowlevel.TrioToken | None = None  # of the run that uses it
        self._max_connections = max_connections
        self._max_keepalive = max_keepalive
        self._keepalive_expiry = keepalive_expiry
        # The one that has been idle for longest comes first.
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._idle_by_origin: dict[Origin, OrderedDict[Connection, None]] = {}
        # Not owned: a response that nobody closes is found by the garbage collector.
        self._in_use: weakref.WeakSet[Connection] = weakref.WeakSet()

    def give_back_later(self, lease: Lease) -> None:
        """Give a lease back from wherever the garbage collector runs.

        That may be another thread, or the middle of any method here.
        """
        try:
            if self._token is not None:
                self._token.run_sync_soon(lease.end)
        except trio.RunFinishedError:  # nobody waits for it; the socket is collected by itself
            lease.connection = None
            lease.end()

    async def take_slot(self, origin: Origin) -> Lease:
        """Wait for a slot, in turn.

        Cancellation: no slot is taken.

        Raises:
            trio.ClosedResourceError: The pool was closed meanwhile.
        """
        closings = self._closings
        self._token = trio.lowlevel.current_trio_token()
        if not self._slots.take_nowait(origin.netloc):
            await self._slots.wait(origin.netloc)
        if closings != self._closings:
            self._slots.release(origin.netloc)
            raise trio.ClosedResourceError("the transport was closed")
        return Lease(self, origin, closings)

    def take_idle(self, origin: Origin) -> Connection | None:
        """An idle connection that is alive, for one who has a slot; `None`: make a new one."""
        self._drop_expired()
        connections = self._idle_by_origin.get(origin)
        while connections:
            connection = next(reversed(connections))  # the freshest
            self._forget(connection)
            if not connection.is_readable:
                self._in_use.add(connection)
                return connection
            connection.close()
        limit = self._max_connections
        while limit is not None and self._idle and self._slots.in_use + len(self._idle) > limit:
            self._close_oldest()
        return None

    def is_current(self, lease: Lease) -> bool:
        """Whether the pool was not closed since this was taken."""
        return lease.closings == self._closings

    def add(self, connection: Connection, lease: Lease) -> None:
        """A new connection is in use, for one who has a slot.

        Raises:
            trio.ClosedResourceError: The pool was closed meanwhile; so is the connection.
        """
        if not self.is_current(lease):
            connection.close()
            raise trio.ClosedResourceError("the transport was closed")
        self._in_use.add(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection that is in use."""
        self._in_use.discard(connection)
        connection.close()

    def give_back(self, origin: Origin, connection: Connection | None, *, reusable: bool) -> None:
        """Give back a slot, and what was used in it."""
        if connection is not None:
            if reusable and self._max_keepalive:
                self._in_use.discard(connection)
                self._put_aside(connection)
            else:
                self.drop(connection)
        self._slots.release(origin.netloc)

    def close(self) -> None:
        """Close all connections. Who uses one, makes one or waits for one gets an error.

        For who comes later, there will be new ones.
        """
        self._closings += 1
        self._slots.turn_away()
        while self._idle:
            self._close_oldest()
        for connection in list(self._in_use):
            connection.close()

    def statistics(self) -> PoolStatistics:
        """How many connections there are."""
        return PoolStatistics(
            connections=self._slots.in_use + len(self._idle),
            idle=len(self._idle),
            waiting=self._slots.waiting,
        )

    def _put_aside(self, connection: Connection) -> None:
        self._drop_expired()
        while len(self._idle) >= self._max_keepalive:
            self._close_oldest()
        connection.idle_since = trio.current_time()
        self._idle[connection] = None
        self._idle_by_origin.setdefault(connection.origin, OrderedDict())[connection] = None

    def _drop_expired(self) -> None:
        if not self._idle:
            return
        oldest_allowed = trio.current_time() - self._keepalive_expiry
        while self._idle and next(iter(self._idle)).idle_since < oldest_allowed:
            self._close_oldest()

    def _close_oldest(self) -> None:
        connection = next(iter(self._idle))
        self._forget(connection)
        connection.close()

    def _forget(self, connection: Connection) -> None:
        del self._idle[connection]
        same = self._idle_by_origin[connection.origin]
        del same[connection]
        if not same:
            del self._idle_by_origin[connection.origin]


@final
class Lease:
    """A slot, and the connection that is used in it, to be given back once.

    Attributes:
        connection: The connection, once there is one.
        closings: How many times the pool had been closed when it was made.
    """

    __slots__ = ("closings", "connection", "_origin", "_pool")

    def __init__(self, pool: Pool, origin: Origin, closings: int) -> None:
        self.connection: Connection | None = None
        self.closings = closings
        self._origin = origin
        self._pool: Pool | None = pool

    def drop_connection(self) -> None:
        """Close the connection, and keep the slot for another one."""
        if self.connection is not None and self._pool is not None:
            self._pool.drop(self.connection)
            self.connection = None

    @property
    def is_current(self) -> bool:
        """Whether the pool was not closed meanwhile."""
        return self._pool is not None and self._pool.is_current(self)

    def abandon(self) -> bool:
        """Give it back from a finalizer. Whether that was still to be done."""
        pool = self._pool
        if pool is not None:
            pool.give_back_later(self)
        return pool is not None

    @trio.lowlevel.enable_ki_protection
    def end(self, *, reusable: bool = False) -> None:
        """Give it back. Idempotent.

        Args:
            reusable: Whether the connection can be used again; else it is closed.
        """
        pool, self._pool = self._pool, None
        connection, self.connection = self.connection, None
        if pool is not None:
            pool.give_back(self._origin, connection, reusable=reusable)
