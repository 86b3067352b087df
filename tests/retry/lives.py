"""Streams that live in a moment: `Recovery` told of attempts, and servers that answer it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError, StreamErrorType, StreamStatusError, StreamTimeoutError
from trio_stream.retry import Action, Facts, Reconnect, Recovery, RetryBudget, Verdict

MODES: list[Reconnect] = ["never", "before_first_item", "resume", "always", "event_source"]
SUBSCRIPTIONS: list[Reconnect] = ["always", "event_source"]
DAY = 86400.0


def longest() -> float:
    """A random number that makes every wait the longest one."""
    return 1.0


def refused() -> StreamError:
    return StreamError("refused", error_type=StreamErrorType.CONNECTION_ERROR)


def cut() -> StreamError:
    return StreamError("cut", error_type=StreamErrorType.STREAM_INTERRUPTED)


def wrong() -> StreamError:
    return StreamError("wrong", error_type=StreamErrorType.CLIENT_ERROR)


def busy(retry_after: float | None = None) -> StreamError:
    kind = StreamErrorType.SERVER_ERROR
    return StreamStatusError("busy", error_type=kind, status_code=503, retry_after=retry_after)


def silent() -> StreamError:
    return StreamTimeoutError("silent", layer="idle")


@attrs.frozen
class Life:
    """One stream: its judge, and the budget that it pays from."""

    recovery: Recovery
    budget: RetryBudget

    def attempt(
        self,
        error: StreamError | None,
        *,
        began: float = 0.0,
        lived: float | None = None,
        item: bool = False,
        delivered: bool = False,
        advanced: bool = True,
        now: float | None = None,
        **facts: Any,
    ) -> Verdict:
        """An attempt that begins, brings what it brings, and ends.

        Args:
            error: What it ends with.
            began: When it begins.
            lived: For how long its response was open; `None`: none was accepted, unless it brought
                something.
            item, delivered: Whether it brought an item, and whether that was delivered.
            advanced: Whether the stream is farther by it.
            now: When it is judged; `None`: when it ends.
            facts: What else `Facts` has.
        """
        recovery = self.recovery
        recovery.began(began)
        if lived is not None or item or delivered:
            recovery.accepted(began)
        if item or delivered:
            recovery.progressed(began, advanced=advanced)
        if delivered:
            recovery.committed()
        end = began + (lived or 0.0)
        return recovery.judge(Facts(error=error, **facts), end if now is None else now)


def life(
    mode: Reconnect = "before_first_item",
    *,
    budget: RetryBudget | None = None,
    draw: Callable[[], float] = longest,
    now: float = 0.0,
    **settings: Any,
) -> Life:
    budget = RetryBudget() if budget is None else budget
    config = StreamConfig(**settings)
    return Life(Recovery(mode, config, budget=budget, random=draw, now=now), budget)


def delay(judged: Life, error: StreamError | None = None, **attempt: Any) -> float:
    """The wait behind one attempt."""
    return judged.attempt(error, **attempt).delay


def empty_budget(per_second: float = 0.0) -> RetryBudget:
    """A budget that never has a token ahead."""
    return RetryBudget(0.0, per_second)


def storm(life: Life, until: float, *ends: StreamError | None, **attempt: Any) -> list[float]:
    """When a server is asked that treats every attempt alike.

    Args:
        life: Who asks.
        until: For how long, in seconds.
        ends: What its answers end with, in turn.
        attempt: What else `Life.attempt` takes.
    """
    times: list[float] = []
    now = 0.0
    while now <= until:
        end = ends[len(times) % len(ends)]
        times.append(now)
        verdict = life.attempt(end, began=now, **attempt)
        if verdict.action is Action.STOP:
            break
        now += (attempt.get("lived") or 0.0) + verdict.delay
    return times


def draws(seed: int) -> Callable[[], float]:
    return random.Random(seed).random


def seeds(count: int) -> Iterator[Callable[[], float]]:
    return map(draws, range(count))
