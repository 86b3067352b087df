"""Run a server beside a block of code, without the block's exceptions turning into groups."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

__all__ = ["running"]


@asynccontextmanager
async def running(start: Callable[..., Awaitable[object]]) -> AsyncGenerator[None]:
    """Run ``start`` (which takes ``task_status``) in the background until the block is left.

    An exception of the block leaves it as the object that was raised. If the background task
    fails, the block is cancelled and the failure comes out in a group, as from a nursery.
    """
    raised: BaseException | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(start)
        try:
            yield
        except BaseException as exc:  # noqa: BLE001
            # Kept from the nursery, which would wrap it, and raised again below. If it is the
            # Cancelled of a nursery that failed, the failure is raised in its stead.
            raised = exc
        nursery.cancel_scope.cancel()
    if raised is not None:
        try:
            raise raised
        finally:
            del raised  # its traceback holds this frame
