"""`assert_no_leaks` sees what is left behind, and nothing else."""

from __future__ import annotations

import gc
import socket
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack

import pytest
import trio
import trio.testing

from trio_stream.testing import assert_no_leaks


async def check(
    leave: Callable[..., Awaitable[object] | object], *args: object, settle: float = 0.01
) -> None:
    """Look for what ``leave`` leaves behind."""
    async with assert_no_leaks(settle=settle):
        left = leave(*args)
        if isinstance(left, Awaitable):
            await left
        del left  # it would keep alive what was abandoned
        await trio.lowlevel.checkpoint()


def abandon_socket() -> None:
    cycle: list[object] = [socket.socket()]
    cycle.append(cycle)


async def test_tidy_block_passes() -> None:
    """What is closed in the block is no leak."""
    async with assert_no_leaks():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.lowlevel.checkpoint)
        with socket.socket():
            pass


async def test_task_is_a_leak(nursery: trio.Nursery) -> None:
    """A task that goes on after the block is named."""
    with pytest.raises(AssertionError, match=r"left behind: task trio\.sleep_forever"):
        await check(nursery.start_soon, trio.sleep_forever)
    nursery.cancel_scope.cancel()


async def test_task_that_is_ending_is_awaited(nursery: trio.Nursery) -> None:
    """A task that ends by itself soon after the block is no leak."""
    gate = trio.Event()

    async def linger() -> None:
        await gate.wait()
        for _ in range(20):
            await trio.lowlevel.checkpoint()

    async with assert_no_leaks():
        nursery.start_soon(linger)
        gate.set()


async def test_older_task_is_no_leak(nursery: trio.Nursery) -> None:
    """What was there before the block may stay."""
    nursery.start_soon(trio.sleep_forever)
    async with assert_no_leaks():
        await trio.lowlevel.checkpoint()
    nursery.cancel_scope.cancel()


async def test_leak_is_waited_for_in_real_time(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Waiting for leaks to end does not move a mock clock."""
    start = trio.current_time()
    with pytest.raises(AssertionError, match="task"):
        await check(nursery.start_soon, trio.sleep, 3600)

    assert trio.current_time() == start
    nursery.cancel_scope.cancel()


async def test_socket_is_a_leak() -> None:
    """A socket that is still open after the block is named."""
    with ExitStack() as stack:
        older = stack.enter_context(socket.socket())

        with pytest.raises(AssertionError, match=r"left behind: socket:\[\d+\] as .* \d+$"):
            await check(lambda: stack.enter_context(older.dup()))


async def test_abandoned_socket_is_a_leak() -> None:
    """A socket that only the garbage collector closes is reported, though it is closed."""
    with pytest.raises(AssertionError, match="ResourceWarning: unclosed <socket"):
        await check(abandon_socket)


async def test_abandoned_generator_is_a_leak() -> None:
    """An async generator that nobody closed is reported by its name."""

    async def generate() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            await trio.lowlevel.checkpoint()

    with pytest.raises(AssertionError, match=r"ResourceWarning: Async generator '.*generate'"):
        await check(lambda: anext(generate()))


async def test_other_warnings_come_through() -> None:
    """Warnings that are not about resources keep their filters."""
    with pytest.warns(UserWarning, match="mine"):
        async with assert_no_leaks():
            warnings.warn("mine", UserWarning, stacklevel=1)
    async with assert_no_leaks():
        with pytest.raises(DeprecationWarning):
            warnings.warn("old", DeprecationWarning, stacklevel=1)


async def test_garbage_from_before_is_no_leak() -> None:
    """What was abandoned before the block is not laid to its charge."""
    abandon_socket()
    async with assert_no_leaks():
        await trio.lowlevel.checkpoint()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def test_blocks_can_be_nested() -> None:
    """A leak of the inner block is one of the inner block, and known to the outer one no more."""
    async with assert_no_leaks():
        with pytest.raises(AssertionError, match="ResourceWarning"):
            await check(abandon_socket)
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


async def test_failing_block_is_not_searched(nursery: trio.Nursery) -> None:
    """An exception of the block is not replaced by what it left behind."""

    def fail() -> None:
        nursery.start_soon(trio.sleep_forever)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await check(fail)
    nursery.cancel_scope.cancel()
