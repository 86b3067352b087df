"""`ToolRunner`: makes the calls of a stream while the stream goes on.

Theory of operation
-------------------

The runner is a block inside the stream's block, with a nursery of its own::

    async with open_stream(**request) as rx, ToolRunner(tools) as runner:
        async for item in runner.watch(rx):
            ...
        results = await runner.results()

The nursery of the stream itself belongs to its stages, and an exception there would be one of the
stream. This one stands between the stream and the user's code, and that gives what "in the
stream's nursery" promises: a call cannot outlive the stream, and leaving the block for whatever
reason, be it a fault of the stream, a ``break`` or a cancellation, cancels what runs and waits for
its clean-up, before the stream is closed.

*When a call starts.* `ToolRunner.watch` receives from the stream in the task of its consumer, and
starts a call when the `BlockFinished` that completes it is delivered, before the consumer is given
it. So ``rx.snapshot()`` stays what it is, exactly what the consumer has seen, and no item is
buffered twice. A consumer that takes its time over an item delays the calls in the items after
it, and only those; one that is slow by nature belongs into a task of its own.

*What runs.* Calls wait in a queue, first in, first out; at most ``max_concurrency`` have a task.
Each has a cancel scope, and its time counts from the moment it runs. A call that never became
whole, an `IncompleteToolCall`, is not a call.

*What comes of it.* One `ToolResult` for each call, in the order of the calls. Whatever goes wrong
with one is told in its result, and concerns no other: that is an exception, a timeout, an unknown
tool, wrong arguments, a value that is no JSON. With ``on_error="raise"`` it ends the block
instead. A cancellation from outside is no result: it passes through. So does what is no
`Exception`, such as a `KeyboardInterrupt`: it ends the block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Literal, final

import attrs
import trio

from ..dialects import BlockFinished, BlockStarted, MessageItem, MessageStarted, ToolCall
from ..providers import ToolResult
from ._events import ToolEvent, ToolFinished, ToolStarted
from ._nursery import BareNursery
from ._tool import Tool, ToolArgumentsError, result_text

__all__ = ["ToolRunner", "UnknownToolError", "WatchedStream"]

_CANCELLED: Final = "the call was cancelled"


class UnknownToolError(LookupError):
    """The model called a tool that there is not."""


@attrs.define(eq=False)
class _Job:
    """A call, and how far it got.

    Attributes:
        call: The call.
        scope: What cancels it, once it has a task.
        cancelled: Whether `ToolRunner.cancel` was called for it.
        result: Its result, when there is one.
    """

    call: ToolCall
    scope: trio.CancelScope | None = None
    cancelled: bool = False
    result: ToolResult | None = None


@final
class ToolRunner:
    """Makes the calls of a stream as they complete, while the stream goes on.

    ::

        async with open_stream(**request) as rx, ToolRunner([get_weather]) as runner:
            async for item in runner.watch(rx):
                ...
            results = await runner.results()

    Leaving the block cancels the calls that still run, and waits for their clean-up.

    Args:
        tools: The tools, each with a name of its own.
        max_concurrency: How many calls may run at once. The others wait, first in, first out.
        timeout: Seconds that a call may take, unless its tool says otherwise. `None`: no limit.
        on_error: What happens when a call fails: ``"answer"``: its result says so. ``"raise"``:
            the exception leaves the block as it is, and all other calls are cancelled.
        on_event: Called when a call starts and when it has a result. It must not block. What it
            raises leaves the block.

    Raises:
        ValueError: Two tools have the same name, or an argument is not one of its values.
    """

    def __init__(
        self,
        tools: Iterable[Tool[..., Any]],
        *,
        max_concurrency: int = 8,
        timeout: float | None = None,
        on_error: Literal["answer", "raise"] = "answer",
        on_event: Callable[[ToolEvent], object] | None = None,
    ) -> None:
        self._tools: dict[str, Tool[..., Any]] = {}
        for each in tools:
            if each.name in self._tools:
                raise ValueError(f"two tools are called {each.name!r}")
            self._tools[each.name] = each
        if max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, got {max_concurrency!r}")
        if timeout is not None and not timeout > 0:
            raise ValueError(f"timeout must be greater than 0 (or None), got {timeout!r}")
        if on_error not in ("answer", "raise"):
            raise ValueError(f"on_error must be 'answer' or 'raise', got {on_error!r}")
        self._max_concurrency = max_concurrency
        self._timeout = timeout
        self._raises = on_error == "raise"
        self._on_event = on_event
        self._nursery = BareNursery()
        self._jobs: list[_Job] = []
        self._waiting: deque[_Job] = deque()
        self._running = 0
        self._unfinished = 0
        self._changed = trio.Event()

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> ToolRunner:
        await self._nursery.__aenter__()
        return self

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._nursery.__aexit__(exc_type, error, traceback)
        finally:
            self._changed.set()

    def watch(self, receiver: trio.abc.ReceiveChannel[MessageItem]) -> WatchedStream:
        """Iterate over a stream, and start each of its calls when it is delivered.

        Of several answers it is the first whose calls are made.

        Args:
            receiver: The stream, as `open_stream` gives it with a provider's dialect.

        Raises:
            TypeError: The stream may begin anew (``reconnect="always"``), and then make its calls
                twice.
        """
        if getattr(receiver, "may_restart", False):  # of a StreamReceiver; other channels have none
            raise TypeError("a stream with calls must not begin anew: its calls were made")
        return WatchedStream(self, receiver)

    def start(self, call: ToolCall) -> None:
        """Make a call as soon as there is room for it. `watch` does that by itself.

        Raises:
            RuntimeError: Outside of the block.
        """
        self._nursery.require_open()
        job = _Job(call)
        self._jobs.append(job)
        self._unfinished += 1
        self._waiting.append(job)
        self._fill()

    def cancel(self, call_id: str) -> bool:
        """Cancel a call, whether it runs or waits.

        Its result says so, unless it ends well in spite of that, as a thread may. It is no
        failure, so ``on_error="raise"`` does not concern it.

        Returns:
            Whether there was a call with this ID that had no result yet.
        """
        found = [job for job in self._jobs if job.call.id == call_id and job.result is None]
        for job in found:
            job.cancelled = True
            if job.scope is not None:
                job.scope.cancel("ToolRunner.cancel")
            else:
                self._waiting.remove(job)
                self._finish(job, _failure(job.call, _CANCELLED))
        return bool(found)

    async def results(self) -> list[ToolResult]:
        """Wait for all calls that were started so far; return their results, in their order.

        Cancellation: the calls go on.

        Raises:
            trio.ClosedResourceError: The block was left before they were finished.
        """
        await trio.lowlevel.checkpoint()
        while self._unfinished:
            if not self._nursery.is_entered:
                raise trio.ClosedResourceError("the block was left before the calls were finished")
            await self._changed.wait()
        return [job.result for job in self._jobs if job.result is not None]

    def _fill(self) -> None:
        while self._waiting and self._running < self._max_concurrency and self._nursery.is_open:
            job = self._waiting.popleft()
            job.scope = trio.CancelScope()
            self._running += 1
            self._nursery.start_soon(self._run, job, job.scope)

    async def _run(self, job: _Job, scope: trio.CancelScope) -> None:
        """Make a call, and give it a result. The task of the call."""
        if job.cancelled:  # before it began
            result = _failure(job.call, _CANCELLED)
        else:
            self._tell(ToolStarted(job.call))
            result = await self._attempt(job, scope)
        self._running -= 1
        self._finish(job, result)
        if self._raises and result.error is not None:
            self._nursery.fail(result.error)
        self._fill()

    async def _attempt(self, job: _Job, scope: trio.CancelScope) -> ToolResult:
        call = job.call
        called = self._tools.get(call.name)
        if called is None:
            names = ", ".join(self._tools) or "none"
            unknown = UnknownToolError(f"there is no tool {call.name!r}; there are: {names}")
            return _failure(call, str(unknown), unknown)
        timeout = self._timeout if called.timeout is None else called.timeout
        if timeout is not None:
            scope.deadline = trio.current_time() + timeout
        try:
            with scope:
                value = await called.run(call)
                return ToolResult(call, result_text(value), value)
        except Exception as error:  # noqa: BLE001 - whatever a tool may raise
            # Without the frame of this method, which leads back to the error: a cycle.
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            return _failure(call, _said(error), error)
        if job.cancelled:
            return _failure(call, _CANCELLED)
        slow = trio.TooSlowError(f"the call took longer than {timeout} s")
        return _failure(call, str(slow), slow)

    def _finish(self, job: _Job, result: ToolResult) -> None:
        job.result = result
        self._unfinished -= 1
        self._changed.set()
        self._changed = trio.Event()
        self._tell(ToolFinished(result))

    def _tell(self, event: ToolEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)


@final
class WatchedStream:
    """The items of a stream, whose calls are started as they are delivered."""

    def __init__(self, runner: ToolRunner, receiver: trio.abc.ReceiveChannel[MessageItem]) -> None:
        self._start = runner.start
        self._receiver = receiver
        # The places of the parts that belong to another answer than the first.
        self._others: set[int] = set()

    def __aiter__(self) -> WatchedStream:
        return self

    async def __anext__(self) -> MessageItem:
        item = await self._receiver.__anext__()
        match item:
            case BlockFinished(index, ToolCall() as call) if index not in self._others:
                self._start(call)
            case BlockStarted(index, choice=choice) if choice:
                self._others.add(index)
            case MessageStarted():
                self._others.clear()
            case _:
                pass
        return item


def _failure(call: ToolCall, content: str, error: Exception | None = None) -> ToolResult:
    return ToolResult(call, content, is_error=True, error=error)


def _said(error: Exception) -> str:
    """What a model is told of a failure."""
    if isinstance(error, ToolArgumentsError):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the user's own exception may fail to describe itself
        return type(error).__name__
