"""Storms, in virtual time: what a server sees that closes at once, rotates, or is down."""

from __future__ import annotations

import heapq
import math
import random
from itertools import pairwise
from statistics import mean

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retry.lives import Life, busy, cut, draws, life, refused, seeds, silent, storm
from trio_stream.errors import StreamError
from trio_stream.retry import Action, Facts, Reconnect, RetryBudget

HOUR = 3600.0
STREAMS = 500
OUTAGE = 60.0


def ramp(initial: float, multiplier: float, maximum: float) -> int:
    """How many waits are shorter than the longest, by counting."""
    return next(n for n in range(10_000) if initial * multiplier**n >= maximum)


# ---- one stream ----------------------------------------------------------------------------------

# Whether a response is accepted, and what the attempts end with, in turn.
ENDS: dict[str, tuple[bool, list[StreamError | None]]] = {
    "refused": (False, [refused()]),
    "busy": (False, [busy()]),
    "cut": (True, [cut()]),
    "clean": (True, [None]),
    "by turns": (True, [None, cut()]),
}


def hour(judged: Life, accepted: bool, ends: list[StreamError | None]) -> list[float]:
    return storm(judged, HOUR, *ends, lived=0.0 if accepted else None)


@pytest.mark.parametrize(("accepted", "ends"), ENDS.values(), ids=ENDS)
def test_hour_of_nothing_without_jitter(accepted: bool, ends: list[StreamError | None]) -> None:
    """A server that closes at once for an hour is asked 62 times: below 1 + n + t / max_backoff."""
    times = hour(life("always", max_retries=-1, jitter=False), accepted, ends)

    assert len(times) == 62
    assert len(times) <= 1 + ramp(1, 2, 64) + HOUR / 64


@pytest.mark.parametrize(("accepted", "ends"), ENDS.values(), ids=ENDS)
def test_hour_of_nothing_with_jitter(accepted: bool, ends: list[StreamError | None]) -> None:
    """With jitter about 120 times, and no more than 175 = 1 + n + 3 t / max_backoff."""
    asks = [life("always", max_retries=-1, draw=draw) for draw in seeds(40)]
    counts = [len(hour(each, accepted, ends)) for each in asks]

    assert max(counts) <= 175
    assert mean(counts) == pytest.approx(120, rel=0.05)


@given(
    st.floats(min_value=0.01, max_value=10),
    st.floats(min_value=1.1, max_value=5),
    st.floats(min_value=10, max_value=300),
    st.booleans(),
)
def test_bound_holds_for_every_policy(
    initial: float, multiplier: float, maximum: float, clean: bool
) -> None:
    """Without jitter: 1 + n + t / max_backoff attempts, whatever the figures of the policy."""
    settings = {"initial_backoff": initial, "backoff_multiplier": multiplier}
    asks = life("always", max_retries=-1, jitter=False, max_backoff=maximum, **settings)
    times = hour(asks, clean, [None if clean else refused()])

    assert len(times) <= 1 + ramp(initial, multiplier, maximum) + HOUR / maximum


def test_first_seconds_are_no_burst() -> None:
    """In the first two seconds a server that closes at once is asked a few times."""
    counts = [len(storm(life("always", draw=draw), 2.0, None, lived=0.0)) for draw in seeds(300)]

    assert max(counts) <= 8
    assert mean(counts) < 4


def test_black_hole_is_asked_seldom() -> None:
    """A server that accepts and stays silent for five minutes is given up like any other."""
    times = storm(life("resume", max_retries=10), 24 * HOUR, silent(), lived=300.0)

    assert len(times) == 11


@pytest.mark.parametrize("initial", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("end", [None, cut()], ids=["clean", "cut"])
def test_item_and_close_is_paced(initial: float, end: StreamError | None) -> None:
    """A server that brings one item and closes is asked at most once in each `initial_backoff`."""
    for draw in seeds(5):
        asks = life("always", draw=draw, initial_backoff=initial)
        times = storm(asks, HOUR / 12, end, delivered=True)

        assert len(times) <= 1 + HOUR / 12 / initial
        assert min(after - before for before, after in pairwise(times)) >= initial * (1 - 1e-9)


@pytest.mark.parametrize("lived", [1.0, 10.0, 30.0])
def test_healthy_rotation_is_not_punished(lived: float) -> None:
    """Connections that bring something and are rotated are replaced after a moment, always."""
    waits = [
        after - before - lived
        for draw in seeds(3)
        for before, after in pairwise(
            storm(life("always", draw=draw), HOUR, None, lived=lived, delivered=True)
        )
    ]

    assert max(waits) <= 1.0 + 1e-9
    assert mean(waits) == pytest.approx(0.5, abs=0.1)


def test_quiet_connections_of_a_minute_are_healthy() -> None:
    """So are those that bring nothing, but live for a minute."""
    times = storm(life("always"), HOUR, None, lived=60.0)

    assert len(times) == math.floor(HOUR / 61) + 1


# ---- many streams that share a budget ------------------------------------------------------------


@attrs.define
class Seen:
    """What a server has seen, and when the last stream was connected again."""

    attempts: int = 0
    in_vain: int = 0
    connected: int = 0
    given_up: list[str] = attrs.field(factory=list)
    last: float = 0.0


def outage(asks: list[Life], until: float, error: StreamError, *, takes: float = 0.0) -> Seen:
    """A server that fails all attempts that begin before ``until``, and is well from then on."""
    seen = Seen()
    due: list[tuple[float, int]] = []

    def ask(index: int, now: float) -> None:
        recovery = asks[index].recovery
        seen.attempts += 1
        recovery.began(now)
        if now < until:
            seen.in_vain += recovery.attempts > 1
            judge(index, error, now + takes)
            return
        recovery.accepted(now)
        recovery.progressed(now)
        seen.connected += 1
        seen.last = now

    def judge(index: int, error: StreamError, now: float) -> None:
        verdict = asks[index].recovery.judge(Facts(error=error, can_resume=True), now)
        if verdict.action is Action.STOP:
            seen.given_up.append(verdict.why_not)
        else:
            heapq.heappush(due, (now + verdict.delay, index))

    for index, each in enumerate(asks):
        if each.recovery.attempts:
            judge(index, cut(), 0.0)
        else:
            ask(index, 0.0)
    while due:
        when, index = heapq.heappop(due)
        ask(index, when)
    return seen


def streams(mode: Reconnect, budget: RetryBudget, seed: int, *, open_: bool) -> list[Life]:
    """Streams that share a budget; ``open_``: they were open and had items before."""
    many = [life(mode, budget=budget, draw=draws(seed + each)) for each in range(STREAMS)]
    for each in many if open_ else ():
        each.recovery.began(-HOUR)
        each.recovery.accepted(-HOUR)
        each.recovery.progressed(-HOUR)
        each.recovery.committed()
    return many


@pytest.mark.parametrize("mode", ["resume", "always"])
@pytest.mark.parametrize("seed", [1, 1000, 2000])
def test_all_subscriptions_come_back(mode: Reconnect, seed: int) -> None:
    """500 streams, 60 s without a server: 1200 attempts at most, and all are back after 124 s."""
    budget = RetryBudget(100.0, 10.0)
    seen = outage(streams(mode, budget, seed, open_=True), OUTAGE, refused())

    assert seen.given_up == []
    assert seen.connected == STREAMS
    assert seen.in_vain <= 100 + 10 * OUTAGE
    assert seen.attempts <= STREAMS + 100 + 10 * OUTAGE
    assert seen.last <= OUTAGE + max(STREAMS / 10, 64)


def test_all_subscriptions_come_back_from_timeouts() -> None:
    """If attempts time out, they cost double: half as many, and twice as long a line."""
    budget = RetryBudget(100.0, 10.0)
    asks = streams("always", budget, 5, open_=True)
    seen = outage(asks, OUTAGE, silent(), takes=10.0)

    assert seen.connected == STREAMS
    # The first break of each was none of a timeout.
    assert seen.in_vain <= 100 + 10 * OUTAGE
    assert seen.last <= OUTAGE + 10 + max(2 * STREAMS / 10, 64)


def test_openings_fail_at_once() -> None:
    """500 requests that are opened meanwhile: no more attempts, and whom they fail is told soon."""
    budget = RetryBudget(100.0, 10.0)
    seen = outage(streams("resume", budget, 7, open_=False), OUTAGE, refused())

    assert seen.attempts <= STREAMS + 100 + 10 * OUTAGE
    assert set(seen.given_up) == {"the retry budget is empty"}
    assert seen.connected + len(seen.given_up) == STREAMS


def test_server_that_mostly_fails_is_spared() -> None:
    """A success now and then does not pay for the failures before it: those are bounded, too."""
    budget, draw = RetryBudget(20.0, 1.0), random.Random(3)
    asks = [life("always", budget=budget, draw=draw.random, max_retries=-1) for _ in range(100)]
    due = [(0.0, index) for index in range(len(asks))]
    in_vain = 0
    while due[0][0] < 600.0:
        now, index = heapq.heappop(due)
        judged = asks[index]
        if draw.random() < 0.2:
            verdict = judged.attempt(cut(), began=now, lived=5.0, delivered=True)
            now += 5.0
        else:
            in_vain += judged.recovery.attempts > 0
            verdict = judged.attempt(busy(), began=now)
        heapq.heappush(due, (now + verdict.delay, index))

        # Streams that need no retry bring a fifth each.
        assert in_vain <= 20 + now + 0.2 * len(asks)
    assert in_vain > 400
