"""Nothing may be left behind: no task, no socket, no generator."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import trio

__all__ = ["assert_no_leaks", "no_older_garbage", "open_sockets", "resource_warnings"]


@asynccontextmanager
async def assert_no_leaks(*, settle: float = 1.0) -> AsyncGenerator[None]:
    """Assert that the block leaves no task, no socket and no ``ResourceWarning`` behind.

    Looks when the block ends without an exception, and first gives what was begun in it the time
    to end. Sockets are looked for where ``/proc/self/fd`` exists. Put servers and clients inside
    the block: what was there before it is none of its leaks.

    Args:
        settle: How long to wait for tasks and sockets to end, in seconds of real time, under a
            mock clock too.

    Raises:
        AssertionError: Something was left behind. Names all of it.
    """
    tasks, sockets = _tasks(), open_sockets()
    with no_older_garbage(), resource_warnings() as leaks:
        yield
        give_up = time.monotonic() + settle
        while (_tasks() - tasks or open_sockets() - sockets) and time.monotonic() < give_up:
            await trio.lowlevel.checkpoint()
        for _ in range(_COLLECTIONS):
            gc.collect()
            if not open_sockets() - sockets:
                break
            time.sleep(0.001)  # noqa: ASYNC251 (another thread is to run; the mock clock is not)
        await trio.lowlevel.checkpoint()  # for trio to report on the generators just collected
    leaks += [f"task {task.name}" for task in _tasks() - tasks]
    leaks += sorted(open_sockets() - sockets)
    if leaks:
        raise AssertionError("left behind: " + "; ".join(leaks))


def _tasks() -> set[trio.lowlevel.Task]:
    root = trio.lowlevel.current_root_task()
    return set() if root is None else set(_family(root))


def _family(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    yield task
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield from _family(child)


def open_sockets() -> set[str]:
    """The open sockets, by descriptor and by the kernel's name for what it refers to."""
    sockets: set[str] = set()
    with suppress(FileNotFoundError):  # not on this system
        for fd in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # the one that the directory was read through
                name = str(fd.readlink())
                if name.startswith("socket:"):
                    sockets.add(f"{name} as file descriptor {fd.name}")
    return sockets


# A collection does nothing while another thread is in the middle of one, and those of the garbage
# collector's own accord begin in any thread.
_COLLECTIONS = 10

_blocks = count(1)
_frozen = False  # what was there before is out of sight of `gc.collect`


@contextmanager
def no_older_garbage() -> Generator[None]:
    """Let `gc.collect` see only what is made in the block."""
    global _frozen  # noqa: PLW0603 - there is one garbage collector
    if _frozen:  # in a block of this kind already
        gc.collect()
        yield
        return
    gc.freeze()  # costs nothing, where to collect it all would cost more than most tests
    _frozen = True
    try:
        yield
    finally:
        _frozen = False
        gc.unfreeze()
        if next(_blocks) % 200 == 0:
            gc.collect()  # what was frozen and thawed counts as old, and is seldom looked at


@contextmanager
def resource_warnings() -> Generator[list[str]]:
    """Collect the texts of resource warnings; let all others through."""
    collected: list[str] = []

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, ResourceWarning):
            collected.append(f"ResourceWarning: {message}")
        else:
            show_others(message, category, *where, **more)

    with warnings.catch_warnings():
        show_others = warnings.showwarning
        warnings.simplefilter("always", ResourceWarning)
        warnings.showwarning = show
        yield collected
