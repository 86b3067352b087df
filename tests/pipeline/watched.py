"""A stream that is watched at every step: that its state is true, and its callbacks balance."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio

from trio_stream.config import StreamConfig
from trio_stream.outcome import Phase, StreamOutcome, StreamState
from trio_stream.pipeline import open_stream
from trio_stream.retry import TRANSITIONS

# Which phases may be seen after which, whatever lies between two looks.
_REACHED: dict[Phase, set[Phase]] = {phase: {phase} for phase in Phase}
for _ in Phase:
    for _reached in _REACHED.values():
        for _next in list(_reached):
            _reached.update(TRANSITIONS[_next].values())

_BEFORE = {Phase.CONNECTING, Phase.OPEN, Phase.WAITING}
_WAITS = {Phase.WAITING, Phase.INTERRUPTED}
_CONNECTS = {Phase.CONNECTING, Phase.RECONNECTING}


@attrs.define(eq=False)
class Watched(trio.abc.Instrument):
    """Opens a stream and looks at it after every step of every task.

    Attributes:
        config: The settings of the stream; its callbacks are ours.
        log: The callbacks, in order.
        outcomes: What ``on_outcome`` was given.
        wrong: What was seen that must not be.
    """

    config: StreamConfig
    log: list[tuple[Any, ...]] = attrs.field(factory=list)
    outcomes: list[StreamOutcome[Any]] = attrs.field(factory=list)
    wrong: list[str] = attrs.field(factory=list)
    _rx: Any = None
    _last: StreamState | None = None

    @asynccontextmanager
    async def open(self, method: str, url: str, **options: Any) -> AsyncGenerator[Any]:
        """Open the stream."""
        log = self.log.append
        config = attrs.evolve(
            self.config,
            on_connect=lambda: log(("connect",)),
            on_disconnect=lambda error: log(("disconnect", error)),
            on_error=lambda error: log(("error", error)),
            on_reconnect=lambda attempt, delay: log(("reconnect", attempt, delay)),
            on_outcome=self.outcomes.append,
        )
        trio.lowlevel.add_instrument(self)
        try:
            async with open_stream(method, url, config=config, **options) as rx:
                self._rx = rx
                yield rx
        finally:
            trio.lowlevel.remove_instrument(self)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._rx is None or self.wrong:
            return
        state, last = self._rx.state, self._last
        if state == last:
            return
        self._last = state
        try:
            _check(state, last, self._rx.statistics().items_delivered)
        except AssertionError as error:
            self.wrong.append(f"{error}: {last} -> {state}")

    def check(self, outcome: StreamOutcome[Any], *, asked: int) -> None:
        """Check what was seen, when the stream is over.

        Args:
            outcome: Its outcome.
            asked: How many requests the server has seen, or refused to see.
        """
        assert self.wrong == []
        assert self.outcomes == [outcome]
        assert outcome.attempts == asked
        names = [call[0] for call in self.log]
        connections = [name for name in names if name.endswith("connect") and name != "reconnect"]
        assert connections == ["connect", "disconnect"] * (len(connections) // 2)
        numbers = [call[1] for call in self.log if call[0] == "reconnect"]
        assert numbers == list(range(1, len(numbers) + 1))
        # One more, if it was left while it waited.
        assert len(numbers) - (outcome.attempts - 1) in (0, 1)


def _check(state: StreamState, last: StreamState | None, delivered: int) -> None:
    if state.current_backoff:
        assert state.phase in _WAITS, "a wait in a phase that has none"
        assert not state.is_connected, "connected while it waits"
    if state.phase in _CONNECTS:
        assert not state.is_connected, "connected while it connects"
    assert delivered == 0 or state.phase not in _BEFORE, "delivered, and in a phase before"
    if state.is_connected:
        assert state.phase in (Phase.OPEN, Phase.STREAMING, Phase.ENDED, *_WAITS)
    if last is None:
        return
    assert state.phase in _REACHED[last.phase], "a phase that does not follow"
    assert state.retry_count >= last.retry_count, "fewer retries than before"
    if last.phase not in _BEFORE:
        assert state.total_items_received >= last.total_items_received, "fewer items than before"
