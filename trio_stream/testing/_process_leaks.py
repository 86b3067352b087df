"""Nothing may be left behind by a test, whatever it runs on: no thread, no socket, no task."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeAlias, cast
from weakref import WeakSet

import trio

from ._leaks import (
    no_older_garbage,
    open_sockets,
    resource_warnings,
)

__all__ = ["watching_leaks"]

_KEPT_IDLE = ("Trio thread ", "asyncio_", "AnyIO worker thread")
"""How the names begin of threads that their libraries keep, to be used again. A worker of Trio
that has something to do is named after it, so that one is seen."""

_Task: TypeAlias = "trio.lowlevel.Task | asyncio.Task[object]"


@contextmanager
def watching_leaks(*, settle: float = 1.0) -> Generator[Callable[[], list[str]]]:
    """Give a function that says what the block has left behind, to be called at its end.

    `assert_no_leaks` for whoever is no task of Trio: the process is looked at from outside. A leak
    is a thread, a socket or a task of Trio or asyncio that was not there before and does not end,
    and a ``ResourceWarning``. Sockets are looked for where ``/proc/self/fd`` exists. Idle workers
    of Trio, AnyIO and asyncio are no leaks: their loops end them.

    Args:
        settle: How long to wait for what is about to end, in seconds of real time.
    """
    with no_older_garbage(), resource_warnings() as warned:
        threads, sockets, tasks = set(threading.enumerate()), open_sockets(), WeakSet(_tasks())

        def left() -> list[str]:
            return [
                *(f"thread {each.name}" for each in _threads() if each not in threads),
                *sorted(open_sockets() - sockets),
                *(f"task {_name(each)}" for each in _tasks() if each not in tasks),
            ]

        def find() -> list[str]:
            gc.collect()  # closes what was abandoned, which is then reported by its warning alone
            give_up = time.monotonic() + settle
            while (leaks := left()) and time.monotonic() < give_up:
                time.sleep(0.002)  # there is nothing to wait on: it ends in a thread of its own
            return leaks + warned

        yield find


def _threads() -> Iterable[threading.Thread]:
    return (each for each in threading.enumerate() if not each.name.startswith(_KEPT_IDLE))


def _tasks() -> list[_Task]:
    """The unfinished tasks of all loops, which only the garbage collector knows all of.

    It shows nothing from before a `gc.freeze`, so the list that is searched is short.
    """
    kinds = (trio.lowlevel.Task, asyncio.Task)
    # By type(): isinstance would ask each thing itself, and some things answer in strange ways.
    tasks = [cast("_Task", each) for each in gc.get_objects() if issubclass(type(each), kinds)]
    return [each for each in tasks if not _is_finished(each)]


def _is_finished(task: _Task) -> bool:
    if isinstance(task, trio.lowlevel.Task):
        return getattr(task.coro, "cr_frame", None) is None
    return task.done()


def _name(task: _Task) -> str:
    if isinstance(task, trio.lowlevel.Task):
        return task.name
    return getattr(task.get_coro(), "__qualname__", task.get_name())
