"""The judgement: how many failures in a row, and for how long."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.retry.lives import DAY, Life, cut, empty_budget, life, refused, silent
from trio_stream.errors import (
    StreamError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.retry import Action, Phase, Reconnect


@pytest.mark.parametrize("limit", [0, 1, 10])
def test_so_many_retries_and_no_more(limit: int) -> None:
    """A request is made once, and `max_retries` times again; the last error ends the stream."""
    judged = life(max_retries=limit)
    verdicts = [judged.attempt(refused(), began=9.0 * each) for each in range(limit + 1)]

    assert [each.action for each in verdicts] == [*[Action.RETRY] * limit, Action.STOP]
    assert verdicts[-1].why_not == f"gave up after max_retries={limit}"
    assert judged.recovery.attempts == limit + 1


def test_no_limit() -> None:
    """With `max_retries=-1` nothing is too often."""
    judged = life(max_retries=-1)

    assert all(judged.attempt(refused(), began=64.0 * each).action for each in range(1000))
    assert judged.recovery.phase is Phase.WAITING


def failures_behind(judged: Life, error: StreamError | None, **attempt: Any) -> float:
    """How many failures in a row there are, after four and then this attempt."""
    for each in range(4):
        judged.attempt(refused(), began=64.0 * each)
    return math.log2(judged.attempt(error, began=500.0, **attempt).delay) + 1


@pytest.mark.parametrize("mode", ["resume", "always"])
@pytest.mark.parametrize("kept", ["item", "delivered"])
def test_item_ends_the_row(mode: Reconnect, kept: str) -> None:
    """An attempt that has brought an item was a good one: its end is the first failure of a row."""
    facts = {kept: True, "can_resume": True}
    assert failures_behind(life(mode), cut(), lived=2.0, **facts) == 1


@pytest.mark.parametrize("mode", ["before_first_item", "resume", "always"])
def test_item_that_is_thrown_away_ends_no_row(mode: Reconnect) -> None:
    """An item that nobody was given goes with its attempt, and is no progress of the stream."""
    assert failures_behind(life(mode), cut(), lived=2.0, item=True) == 5


@pytest.mark.parametrize("mode", ["resume", "always"])
def test_greeting_ends_no_row(mode: Reconnect) -> None:
    """Nor does an item by which the stream is no farther, on a connection that is soon closed."""
    judged = life(mode, max_retries=3)
    judged.attempt(cut(), delivered=True, can_resume=True)
    actions = [
        judged.attempt(cut(), began=9.0 * n, item=True, advanced=False, can_resume=True).action
        for n in range(1, 4)
    ]
    assert actions == [Action.RESUME, Action.RESUME, Action.STOP]


@pytest.mark.parametrize(("lived", "count"), [(0.0, 5), (59.9, 5), (60.0, 1), (DAY, 1)])
def test_minute_of_life_ends_the_row(lived: float, count: int) -> None:
    """So was one that lived for a minute, though it has brought nothing."""
    assert failures_behind(life("always"), cut(), lived=lived) == count
    assert failures_behind(life("always"), None, lived=lived) == count


@pytest.mark.parametrize(("lived", "count"), [(300.0, 5), (318.7, 5), (370.0, 5), (380.0, 1)])
def test_silence_is_no_life(lived: float, count: int) -> None:
    """What the idle watchdog has waited for in vain does not count, nor how late it was."""
    assert failures_behind(life("always", idle_timeout=300.0), silent(), lived=lived) == count


@pytest.mark.parametrize(("lived", "count"), [(90.0, 5), (95.6, 5), (160.0, 1)])
def test_pings_without_items_are_no_life_to_the_stall_watchdog(lived: float, count: int) -> None:
    """The same with the stall watchdog: pings alone are what it does not take for life."""
    error = StreamTimeoutError("no item", layer="stall")

    assert failures_behind(life("always", stall_timeout=90.0), error, lived=lived) == count


def test_server_that_accepts_and_says_nothing_is_given_up() -> None:
    """Answers that begin and stay silent for five minutes are failures in a row."""
    judged = life(max_retries=3)
    actions = [
        judged.attempt(silent(), began=400.0 * each, lived=300.0).action for each in range(4)
    ]

    assert actions == [*[Action.RETRY] * 3, Action.STOP]


def test_connection_alone_ends_no_row() -> None:
    """That a response was accepted is no progress."""
    assert failures_behind(life("always"), None, lived=0.0) == 5


def test_subscription_that_brings_nothing_is_given_up_with_an_error() -> None:
    """Good ends, one behind the other, are no good end of a subscription."""
    judged = life("always", max_retries=1)
    judged.attempt(None, lived=1.0)
    verdict = judged.attempt(None, began=2.0, lived=1.0)

    assert verdict.action is Action.STOP
    assert isinstance(verdict.error, StreamTruncatedError)
    assert "gave up after max_retries=1" in str(verdict.error)


@pytest.mark.parametrize(
    ("settings", "facts", "words"),
    [
        ({"max_retries": 0}, {}, "max_retries=0"),
        ({"max_retry_time": 0.5}, {}, "max_retry_time=0.5 s"),
        ({"timeout": 3.0}, {"total_end": 1.0}, "timeout=3.0 s"),
        ({"budget": empty_budget()}, {}, "the retry budget is empty"),
        ({}, {"one_shot": "the body is a stream"}, "the body is a stream"),
    ],
)
@pytest.mark.parametrize("delivered", [False, True])
def test_good_end_is_none_of_a_subscription_that_cannot_go_on(
    settings: dict[str, Any], facts: dict[str, Any], words: str, delivered: bool
) -> None:
    """Whatever keeps a subscription from going on behind a good end, it ends with an error."""
    verdict = life("always", **settings).attempt(None, lived=0.9, delivered=delivered, **facts)

    assert verdict.action is Action.STOP
    assert isinstance(verdict.error, StreamTruncatedError)
    assert words in str(verdict.error)


def test_time_of_the_row_is_limited() -> None:
    """`max_retry_time` counts from the beginning of the row, waits included."""
    judged = life(max_retry_time=10.0)

    assert judged.attempt(refused(), began=8.0).delay == 1.0
    assert judged.attempt(refused(), began=9.0).why_not == "gave up after max_retry_time=10.0 s"


def test_time_of_the_row_begins_with_the_row() -> None:
    """A stream may live for longer than `max_retry_time`: only failing is limited."""
    judged = life("always", max_retry_time=10.0)

    assert judged.attempt(cut(), lived=DAY, delivered=True).action is Action.RESTART
    assert judged.attempt(refused(), began=DAY + 5.0).action is Action.RESTART
    assert judged.attempt(refused(), began=DAY + 9.0).action is Action.STOP


@pytest.mark.parametrize(("end", "action"), [(5.0, Action.RETRY), (4.0, Action.STOP)])
def test_next_attempt_must_come_before_the_timeout(end: float, action: Action) -> None:
    """An attempt that would begin when the stream's time is over is not waited for."""
    verdict = life(timeout=end).attempt(refused(), began=3.0, total_end=end)

    assert verdict.action is action


def test_quiet_rotations_are_healthy() -> None:
    """Connections that live for half a minute each are no failures, though they bring nothing."""
    judged = life("always", jitter=False, max_retries=3)
    waits = []
    now = 0.0
    for _ in range(100):
        verdict = judged.attempt(None, began=now, lived=30.0, now=now + 30)
        assert verdict.action is not Action.STOP
        waits.append(verdict.delay)
        now += 30 + verdict.delay
    assert max(waits) <= 2


def test_pings_do_not_make_an_opening_request_endless() -> None:
    """A request that never brings anything is not repeated for ever because it lives long."""
    judged = life("before_first_item", jitter=False, max_retries=3)
    actions = [
        judged.attempt(cut(), began=1000.0 * n, lived=300.0, now=1000.0 * n + 300).action
        for n in range(4)
    ]
    assert actions == [Action.RETRY] * 3 + [Action.STOP]
