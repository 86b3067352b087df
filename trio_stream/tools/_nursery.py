"""A nursery that gives exceptions back as they were."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVarTuple, cast, final

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["BareNursery", "without_cancelled"]

Ts = TypeVarTuple("Ts")

_Group: TypeAlias = "BaseExceptionGroup[BaseException]"


@final
class BareNursery:
    """A nursery around a block that leaves with its own exceptions, bare.

    A nursery of trio puts each exception into a group, that of its block included, and makes
    another object of a group that was raised in there. This one is told nothing of the block's
    exception, which leaves by itself. The first task that fails cancels the block and all other
    tasks, and its exception leaves the block as it is.

    When the block ends, by whatever, the tasks are cancelled and waited for.
    """

    def __init__(self) -> None:
        self._manager = trio.open_nursery()
        self._nursery: trio.Nursery | None = None
        self._failure: BaseException | None = None
        self._was_entered = False

    @property
    def is_entered(self) -> bool:
        """Whether the block has been entered and not been left."""
        return self._nursery is not None

    @property
    def is_open(self) -> bool:
        """Whether tasks can start: in the block, while nothing has failed."""
        return self.is_entered and self._failure is None

    def start_soon(self, function: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> None:
        """Start a task.

        Raises:
            RuntimeError: The block has not been entered, or has been left.
        """
        self.require_open().start_soon(self._run, function, args)

    def require_open(self) -> trio.Nursery:
        """Return the nursery.

        Raises:
            RuntimeError: The block has not been entered, or has been left.
        """
        if self._nursery is None:
            raise RuntimeError("this needs its `async with` block, and runs nothing outside of it")
        return self._nursery

    def fail(self, error: BaseException) -> None:
        """End the block with this exception. The first one counts."""
        if self._failure is None:
            self._failure = error
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel("a task failed")

    async def _run(self, function: Callable[[*Ts], Awaitable[object]], args: tuple[*Ts]) -> None:
        try:
            await function(*args)
        except BaseException as error:
            # No local variable for what is left: the traceback leads to this frame, a cycle.
            if without_cancelled(error) is None:
                raise
            self.fail(without_cancelled(error) or error)

    # Ctrl-C is welcome in the block and in its tasks, and not where one of them could be lost.
    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> BareNursery:
        if self._was_entered:
            raise RuntimeError("a block of this kind is entered once: make another")
        self._was_entered = True
        self._nursery = await self._manager.__aenter__()
        return self

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        nursery, self._nursery = self._nursery, None
        assert nursery is not None  # noqa: S101 - entered before it is left
        failed_inside = self._failure is not None
        nursery.cancel_scope.cancel("the block was left")
        leaving: BaseException | None = None
        try:
            await self._manager.__aexit__(None, None, None)
        except BaseException as interruption:  # noqa: BLE001 (raised below)
            # Tasks raise nothing but `trio.Cancelled`: it is Ctrl-C while this one waited.
            leaving = _bare(interruption)
        leaving = leaving or self._failure
        own = without_cancelled(error) if error is not None and failed_inside else error
        if leaving is None:
            return
        if own is not None and not isinstance(own, trio.Cancelled):
            own.add_note(f"a task then raised {leaving!r}")
            leaving = own
        if leaving is error:
            return
        try:
            _raise(leaving)
        finally:
            del leaving, own  # the traceback leads to this frame: a cycle


def _raise(error: BaseException) -> NoReturn:
    """Raise an exception with the context that it has, and not that of the block."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context  # the traceback leads to this frame: a cycle


def _bare(error: BaseException) -> BaseException | None:
    """What is left without `trio.Cancelled`, out of the groups that a nursery puts around it."""
    left = without_cancelled(error)
    while isinstance(left, BaseExceptionGroup):
        inner = cast("_Group", left).exceptions
        if len(inner) != 1:
            return cast("_Group", left)
        left = inner[0]
    return left


def without_cancelled(error: BaseException) -> BaseException | None:
    """What is left of an exception when every `trio.Cancelled` is taken out of it.

    If there is none in it, it is the same object.
    """
    if isinstance(error, trio.Cancelled):
        return None
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("_Group", error)
    cancelled, rest = group.split(trio.Cancelled)
    return group if cancelled is None else rest
