"""Trio and asyncio, as far as the tasks of a benchmark need them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

import trio

__all__ = ["ASYNCIO", "TRIO", "Group", "Runtime"]

T = TypeVar("T")


class Group(Protocol):
    """Tasks that the block of a group waits for."""

    def start_soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Start a task."""

    def cancel(self) -> None:
        """Cancel all of them."""


class Runtime(Protocol):
    """What runs tasks."""

    def run(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run the first task."""

    def event(self) -> Any:
        """Something to wait for, with ``set()`` and ``wait()``."""

    async def sleep(self, seconds: float) -> None:
        """Sleep."""

    def group(self) -> AbstractAsyncContextManager[Group]:
        """A nursery."""


class _OnTrio:
    event = staticmethod(trio.Event)
    sleep = staticmethod(trio.sleep)
    run: Any = staticmethod(trio.run)

    @asynccontextmanager
    async def group(self) -> AsyncGenerator[Any]:
        async with trio.open_nursery() as nursery:
            yield _TrioGroup(nursery)


class _TrioGroup:
    def __init__(self, nursery: trio.Nursery) -> None:
        self.start_soon = nursery.start_soon
        self.cancel = nursery.cancel_scope.cancel


class _OnAsyncio:
    event = staticmethod(asyncio.Event)
    sleep = staticmethod(asyncio.sleep)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return asyncio.run(function(*arguments))

    @asynccontextmanager
    async def group(self) -> AsyncGenerator[Any]:
        async with asyncio.TaskGroup() as group:
            yield _AsyncioGroup(group)


class _AsyncioGroup:
    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: list[asyncio.Task[Any]] = []

    def start_soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._tasks.append(self._group.create_task(function(*arguments)))

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()


TRIO: Runtime = _OnTrio()
ASYNCIO: Runtime = _OnAsyncio()
