"""`run_tools`: stream, tools, stream, until the model stops.

Theory of operation
-------------------

A round is one stream and the calls in it. The rounds are driven by a task of the block of
`run_tools`, since a stream's block cannot stay open between two calls of an iterator. What it
receives goes into a channel, and with it what happens to the calls, in the order in which it
happens. Items of the stream may be up to 64 ahead of the consumer; then the task waits for it.
Events of calls never wait: a call does not stand still because nobody looks.

The tools stand around the stream and not inside it: if calls take longer than the stream they
belong to, its connection is free for others while they run. A stream that fails cancels them.

What ends the rounds travels in band: the consumer receives everything that came before a fault,
and then the fault as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Unpack, final

import trio

from ..config import StreamConfig
from ..dialects import Message, MessageItem, Usage
from ..errors import LimitExceededError
from ..pipeline import open_stream
from ..providers import ProviderRequest, ToolResult, turns_for
from ._events import ToolEvent, ToolFinished, ToolStarted
from ._nursery import BareNursery
from ._runner import ToolRunner
from ._tool import Tool

if TYPE_CHECKING:
    from ..connection import AsyncClient
    from ..outcome import StreamOutcome

__all__ = ["RunItem", "ToolRun", "run_tools"]

RunItem: TypeAlias = MessageItem | ToolEvent
"""An item of one of the streams, or an event of one of the calls."""

# How many items of a stream may wait for the consumer.
_MAX_AHEAD = 64

# After these the model does not go on: it was cut off, or refused.
_STOPPED = frozenset({"max_tokens", "refusal", "incomplete"})


def run_tools(
    request: ProviderRequest,
    tools: Sequence[Tool[..., Any]],
    *,
    max_rounds: int = 10,
    max_concurrency: int = 8,
    timeout: float | None = None,
    on_error: Literal["answer", "raise"] = "answer",
    client: AsyncClient | None = None,
    config: StreamConfig = StreamConfig(),  # noqa: B008 (frozen)
    reconnect: Literal["never", "before_first_item"] = "never",
) -> AbstractAsyncContextManager[ToolRun]:
    """Ask a model, make the calls that it asks for, send it the results, until it stops.

    ::

        request = anthropic.messages(model="...", max_tokens=4096, messages="Weather in Oslo?")
        async with run_tools(request, [get_weather]) as run:
            async for item in run:
                ...  # items of the streams, ToolStarted, ToolFinished
            message = await run.result()

    A call starts while its stream goes on. If a stream fails or is cut off, its `StreamError` is
    raised with its outcome, and nothing of that round is sent back; calls of that round may have
    been made. Leaving the block ends the stream and cancels the calls.

    Args:
        request: The request. Tools that it does not declare yet are added.
        tools: The tools.
        max_rounds: How many requests to make. If the model then still wants to go on, a
            `LimitExceededError` says so; ``run.request`` goes on where it stopped.
        max_concurrency, timeout, on_error: As for `ToolRunner`.
        client: As for `open_stream`. With one, the rounds share a connection.
        config: As for `open_stream`, for each stream.
        reconnect: As for `open_stream`, for each stream. From the first item on, calls may have
            been made, and none is made twice.

    Raises:
        TypeError: Nothing says how a conversation goes on in the dialect of the request.
        ValueError: As for `ToolRunner`, or ``max_rounds`` is less than 1.
    """
    return ToolRun(
        request,
        tools,
        max_rounds,
        client,
        config,
        reconnect=reconnect,
        max_concurrency=max_concurrency,
        timeout=timeout,
        on_error=on_error,
    )


class _RunnerOptions(TypedDict):
    max_concurrency: int
    timeout: float | None
    on_error: Literal["answer", "raise"]


@final
class ToolRun:
    """A conversation that goes on by itself; made by `run_tools`. Iterate over it.

    Attributes:
        request: The conversation so far, as a request: with it goes on whoever wants to go on.
        messages: What the model has said, one message for each finished round.
        results: The results of the calls in these messages, in their order.
    """

    def __init__(
        self,
        request: ProviderRequest,
        tools: Sequence[Tool[..., Any]],
        max_rounds: int,
        client: AsyncClient | None,
        config: StreamConfig,
        *,
        reconnect: Literal["never", "before_first_item"],
        **options: Unpack[_RunnerOptions],
    ) -> None:
        if max_rounds < 1:
            raise ValueError(f"max_rounds must be at least 1, got {max_rounds!r}")
        if reconnect not in ("never", "before_first_item"):
            raise ValueError(f"calls are not made twice: reconnect cannot be {reconnect!r}")
        self._turns = turns_for(request["dialect"])
        self._tools = tools
        self._options = options
        self._new_runner()  # so that wrong arguments are refused here
        self.request = self._turns.declared(request, tools)
        self.messages: list[Message] = []
        self.results: list[ToolResult] = []
        self._max_rounds = max_rounds
        self._client = client
        self._reconnect: Literal["never", "before_first_item"] = reconnect
        self._config = config
        self._nursery = BareNursery()
        # Unbounded, for the events. The items of the streams are held back by the semaphore.
        self._send, self._receive = trio.open_memory_channel[RunItem](math.inf)
        self._room = trio.Semaphore(_MAX_AHEAD)
        self._fault: Exception | None = None
        self._ended = False

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> ToolRun:
        await self._nursery.__aenter__()
        self._nursery.start_soon(self._drive)
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
            self._receive.close()

    def __aiter__(self) -> ToolRun:
        return self

    async def __anext__(self) -> RunItem:
        """Wait for the next item of a stream, or the next event of a call.

        Cancellation: nothing is lost.

        Raises:
            StreamError: A stream did not complete, and this is why; or there were too many rounds.
            Exception: That of a tool, with ``on_error="raise"``.
            trio.ClosedResourceError: The block was left before the end.
        """
        item = None
        if not self._ended:
            try:
                item = await self._receive.receive()
            except trio.EndOfChannel:
                self._ended = True
        if item is None:  # outside of the handler, whose exception would become the context
            raise self._fault or StopAsyncIteration
        if not isinstance(item, ToolStarted | ToolFinished):
            self._room.release()
        return item

    async def result(self) -> Message:
        """Receive what is left and return the last message.

        Raises:
            StreamError, Exception, trio.ClosedResourceError: As when iterating.
        """
        async for _ in self:
            pass
        return self.messages[-1]

    @property
    def usage(self) -> Usage:
        """What all messages have cost together. A figure that none of them told is `None`."""
        usages = [message.usage for message in self.messages]
        return Usage(
            input_tokens=_sum(usage.input_tokens for usage in usages),
            output_tokens=_sum(usage.output_tokens for usage in usages),
            cache_read_tokens=_sum(usage.cache_read_tokens for usage in usages),
            cache_write_tokens=_sum(usage.cache_write_tokens for usage in usages),
        )

    async def _drive(self) -> None:
        try:
            await self._play_rounds()
        except Exception as error:  # noqa: BLE001 (raised to the consumer)
            self._fault = error
        # Not when it was cancelled: then the block is left, and its end is not that of the rounds.
        self._send.close()

    async def _play_rounds(self) -> None:
        outcome: StreamOutcome[Message] | None = None
        for _ in range(self._max_rounds):
            outcome, results = await self._play_round()
            message = outcome.value
            self.request = self._turns.answered(self.request, message, results)
            self.messages.append(message)
            self.results += results
            if not _goes_on(message):
                return
        error = LimitExceededError(
            f"the model wants to go on after max_rounds={self._max_rounds} rounds",
            limit="max_rounds",
        )
        if outcome is not None:
            error.outcome = outcome
        raise error

    async def _play_round(self) -> tuple[StreamOutcome[Message], list[ToolResult]]:
        async with self._new_runner() as runner:
            stream = open_stream(
                **self.request,
                client=self._client,
                config=self._config,
                reconnect=self._reconnect,
            )
            async with stream as receiver:
                # Before an item is received, so that nothing comes between it and the channel:
                # a call is not reported as started before the item that completes it.
                await self._room.acquire()
                async for item in runner.watch(receiver):
                    self._send.send_nowait(item)
                    await self._room.acquire()
                self._room.release()
            return receiver.outcome, await runner.results()

    def _new_runner(self) -> ToolRunner:
        return ToolRunner(self._tools, on_event=self._tell, **self._options)

    def _tell(self, event: ToolEvent) -> None:
        self._send.send_nowait(event)


def _goes_on(message: Message) -> bool:
    """Whether the model waits for us.

    Not every server says so: many say that the turn has ended when it ended with calls.
    """
    if message.stop_reason == "pause":
        return True
    return bool(message.tool_calls) and message.stop_reason not in _STOPPED


def _sum(figures: Iterable[int | None]) -> int | None:
    told = [figure for figure in figures if figure is not None]
    return sum(told) if told else None
