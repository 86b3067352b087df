"""Group commit: saves that come together are written together.

Theory of operation
-------------------

To make something durable costs a wait for the disk, however little it is. So what comes during
one commit gathers in a batch, and the next commit writes all of it. There is no background task:
whoever saves adds a change to the batch, then waits for its turn. The first of a batch to have a
turn leads: it writes for all. The others find their batch written when their turns come::

    save a ─▶ turn, leads: writes {a}
    save b ─▶ ...waits.............. ─▶ turn, leads: writes {b, c}
    save c ─▶ ...waits.................................. ─▶ turn, finds it done

*Turns* are those of a `trio.Lock`, which is fair. One save that meets nobody waits for nobody.

*Cancellation.* Who is cancelled before its batch is begun takes its change back: it must not be
written later, over what somebody else has saved meanwhile. From then on it is as good as written,
so the wait for the end of the commit is shielded, for the leader and for the others. A commit must
therefore be bounded in time (`LOCK_TIMEOUT`).

*Errors.* A commit fails as a whole, for all who are in it. Each gets an exception of its own, as
one that is raised in several tasks would collect the traceback of each. The next commit starts
afresh.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs
import trio

from ._contract import check_text

__all__ = ["GroupCommit"]

T = TypeVar("T")


@attrs.define(eq=False)
class _Batch:
    """What one commit writes: keys and positions (`None`: delete), by who asked for it."""

    changes: dict[object, tuple[str, str | None]] = attrs.Factory(
        dict[object, tuple[str, "str | None"]]
    )
    begun: bool = False
    over: trio.Event = attrs.Factory(trio.Event)
    error: BaseException | None = None


class GroupCommit:
    """Gathers changes and writes them in a worker thread, one batch at a time.

    Args:
        write: Makes changes durable: the position of each key, `None` to delete it. Runs in a
            worker thread, never twice at once. All or nothing.
    """

    def __init__(self, write: Callable[[Mapping[str, str | None]], None]) -> None:
        self._write = write
        self._turn = trio.Lock()
        # One of our own, so that nobody waits, shielded, for the threads of the application.
        self._threads = trio.CapacityLimiter(1)
        self._gathering = _Batch()

    async def commit(self, key: str, position: str | None) -> None:
        """Make one change durable, together with those of others. `None`: delete.

        Raises:
            ValueError: The key or the position is no Unicode text.
            BaseException: What ``write`` has raised.
        """
        check_text(key=key)
        if position is not None:
            check_text(position=position)
        batch, me = self._gathering, object()
        batch.changes[me] = key, position
        try:
            async with self._turn:
                if not batch.begun:
                    await self._lead(batch)
        except trio.Cancelled:
            if batch.begun:
                with trio.CancelScope(shield=True):
                    await batch.over.wait()
            else:
                del batch.changes[me]
            raise
        if batch.error is not None:
            raise copy.copy(batch.error) from batch.error

    async def run(self, function: Callable[[], T]) -> T:
        """Run a function in a worker thread, between two commits.

        Cancellation: it runs to its end, or not at all.
        """
        async with self._turn:
            return await trio.to_thread.run_sync(function, limiter=self._threads)

    async def _lead(self, batch: _Batch) -> None:
        batch.begun = True
        self._gathering = _Batch()
        changes = dict(batch.changes.values())  # of several for one key, the last
        try:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._write, changes, limiter=self._threads)
        except BaseException as exc:
            batch.error = exc
            raise
        finally:
            batch.over.set()
