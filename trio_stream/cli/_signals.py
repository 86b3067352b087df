"""Ctrl-C, SIGTERM and SIGHUP as cancellations, so that every stream comes to its outcome."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable

import trio

__all__ = ["run_until_signal"]


async def run_until_signal(work: Callable[[], Awaitable[object]]) -> signal.Signals | None:
    """Run ``work``; cancel it at the first signal that ends programs and return which that was."""
    ends = {signal.SIGINT, signal.SIGTERM}
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # no nohup
        ends.add(signal.SIGHUP)
    caught: list[signal.Signals] = []
    scope = trio.CancelScope()

    async def listen() -> None:
        # To the end: those that nobody takes here are raised again afterwards.
        async for number in signals:
            caught.append(signal.Signals(number))
            scope.cancel()

    with trio.open_signal_receiver(*ends) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            with scope:
                await work()
            nursery.cancel_scope.cancel()
    return caught[0] if scope.cancelled_caught else None
