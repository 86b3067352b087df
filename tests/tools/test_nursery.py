"""A nursery that gives exceptions back as they were."""

from __future__ import annotations

import signal
from typing import NoReturn

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from trio_stream.tools._nursery import BareNursery, without_cancelled


async def fail(error: BaseException) -> NoReturn:
    raise error


async def fail_when_cancelled(error: BaseException) -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise error


async def test_failure_of_a_task_leaves_bare() -> None:
    """The exception of a task cancels the block and leaves it as the same object."""
    error = ValueError("task")

    with pytest.raises(ValueError, match="task") as caught:  # noqa: PT012
        async with BareNursery() as nursery:
            nursery.start_soon(fail, error)
            await trio.sleep_forever()

    assert caught.value is error
    assert error.__context__ is None


async def test_first_failure_counts() -> None:
    """Of two tasks that fail, the first one's exception leaves the block."""
    with pytest.raises(ValueError, match="first"):  # noqa: PT012
        async with BareNursery() as nursery:
            nursery.start_soon(fail_when_cancelled, KeyError("second"))
            await wait_all_tasks_blocked()
            nursery.start_soon(fail, ValueError("first"))
            await trio.sleep_forever()


@pytest.mark.parametrize(
    "error",
    [ValueError("body"), ExceptionGroup("body", [ValueError()]), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
async def test_exception_of_the_block_leaves_as_it_is(error: BaseException) -> None:
    """What the block raises leaves it as the same object, when its tasks have ended."""
    ended = trio.Event()

    async def task() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    caught = None
    try:
        async with BareNursery() as nursery:
            nursery.start_soon(task)
            await wait_all_tasks_blocked()
            raise error  # noqa: TRY301
    except BaseException as raised:  # noqa: BLE001
        caught = raised

    assert caught is error
    assert error.__context__ is None
    assert ended.is_set()


async def test_failure_in_the_clean_up_is_noted() -> None:
    """If a task fails because the block raised, the block's exception tells of it."""
    with pytest.raises(ValueError, match="body") as caught:  # noqa: PT012
        async with BareNursery() as nursery:
            nursery.start_soon(fail_when_cancelled, KeyError("task"))
            await wait_all_tasks_blocked()
            raise ValueError("body")

    assert caught.value.__notes__ == ["a task then raised KeyError('task')"]


async def test_failure_in_the_clean_up_of_a_good_end_is_raised() -> None:
    """If a task fails because the block has ended well, its exception leaves the block."""
    with pytest.raises(KeyError, match="task"):  # noqa: PT012
        async with BareNursery() as nursery:
            nursery.start_soon(fail_when_cancelled, KeyError("task"))
            await wait_all_tasks_blocked()


async def test_cancellation_from_outside_passes() -> None:
    """A cancellation around the block is seen by the scope that it belongs to, and no other."""
    with trio.CancelScope() as scope:
        async with BareNursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            scope.cancel()
            await trio.sleep_forever()

    assert scope.cancelled_caught


async def test_failure_and_cancelled_nursery_of_the_user() -> None:
    """The cancellation of a failure does not get out in a group that the block made of it."""
    with pytest.raises(BaseExceptionGroup) as caught:  # noqa: PT012
        async with BareNursery() as nursery, trio.open_nursery() as inner:
            inner.start_soon(fail_when_cancelled, KeyError("inner"))
            await wait_all_tasks_blocked()
            nursery.start_soon(fail, ValueError("task"))
            await trio.sleep_forever()

    assert caught.group_contains(KeyError)
    assert not caught.group_contains(trio.Cancelled)
    assert caught.value.__notes__ == ["a task then raised ValueError('task')"]


async def test_task_that_fails_in_a_group_while_cancelled() -> None:
    """Of a group that a cancelled task raises, the block raises what is not the cancellation."""

    async def task() -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(fail_when_cancelled, KeyError("inner"))
            await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012
        async with BareNursery() as nursery:
            nursery.start_soon(task)
            await wait_all_tasks_blocked()

    assert caught.group_contains(KeyError)


def test_interrupt_while_the_block_waits_for_its_tasks() -> None:
    """Ctrl-C while the block is being left comes out of it bare."""

    @trio.lowlevel.enable_ki_protection  # so that it is for the task that waits
    async def task() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await wait_all_tasks_blocked()
                signal.raise_signal(signal.SIGINT)
                await wait_all_tasks_blocked()

    async def main() -> None:
        async with BareNursery() as nursery:
            nursery.start_soon(task)
            await wait_all_tasks_blocked()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)


async def test_tasks_need_the_block() -> None:
    """Outside of its block the nursery takes no task, and says why."""
    nursery = BareNursery()
    with pytest.raises(RuntimeError, match="async with"):
        nursery.start_soon(trio.sleep_forever)
    async with nursery:
        pass
    with pytest.raises(RuntimeError, match="async with"):
        nursery.start_soon(trio.sleep_forever)
    assert not nursery.is_open
    with pytest.raises(RuntimeError, match="entered once"):
        await nursery.__aenter__()


def test_without_cancelled() -> None:
    """Taking out cancellations leaves an exception that has none of them as the same object."""
    group = ExceptionGroup("", [ValueError()])
    assert without_cancelled(group) is group

    cancelled = trio.Cancelled._create(source="unknown")
    left = without_cancelled(BaseExceptionGroup("", [cancelled, group]))

    assert isinstance(left, ExceptionGroup)
    assert without_cancelled(cancelled) is None
    assert without_cancelled(BaseExceptionGroup("", [cancelled])) is None
