"""The judgement: how long to wait."""

from __future__ import annotations

import math

import pytest

from tests.retry.lives import DAY, busy, cut, delay, empty_budget, life, refused
from trio_stream.retry import Action, Reconnect


def test_waits_grow_with_the_row() -> None:
    """Each failure in a row doubles the longest wait."""
    judged = life(max_retries=-1)
    waits = [delay(judged, refused(), began=100.0 * each) for each in range(8)]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 64]


@pytest.mark.parametrize(("retry", "least"), [(0, 0.0), (30, 0.03), (5000, 5.0), (86_400_000, 64)])
@pytest.mark.parametrize("mode", ["resume", "always", "event_source"])
def test_reconnection_time_of_the_stream_is_a_floor(
    mode: Reconnect, retry: int, least: float
) -> None:
    """`retry:` is the shortest wait, but no longer one than `max_backoff`."""
    assert delay(life(mode, draw=lambda: 0.0), cut(), retry=retry) == least


def test_event_source_has_a_reconnection_time_of_its_own() -> None:
    """Where the stream names none, `initial_backoff` is the reconnection time (WHATWG HTML 9.2)."""
    assert delay(life("event_source", draw=lambda: 0.0, initial_backoff=3.0), cut()) == 3
    assert delay(life("always", draw=lambda: 0.0, initial_backoff=3.0), cut()) == 0


@pytest.mark.parametrize(("lived", "least"), [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0), (30.0, 0.0)])
def test_good_connections_begin_some_time_apart(lived: float, least: float) -> None:
    """After progress, the next attempt begins `initial_backoff` after this one, or later."""
    judged = life("always", draw=lambda: 0.0)

    assert delay(judged, lived=lived, delivered=True) == least


def test_retry_after_is_waited_for() -> None:
    """What the server asks for is the shortest wait, and it may be longer than `max_backoff`."""
    for judged in (life(draw=lambda: 0.0), life(jitter=False)):
        assert delay(judged, busy(retry_after=90.0)) == 90
    assert delay(life(), busy(retry_after=0.0)) == 1
    assert delay(life(), busy(retry_after=0.25)) == 1


def test_retry_after_is_spread() -> None:
    """Clients that were told the same time come back over a tenth more, within the cap."""
    assert delay(life(), busy(retry_after=90.0)) == pytest.approx(99)
    assert delay(life(draw=lambda: 0.5), busy(retry_after=90.0)) == pytest.approx(94.5)
    assert delay(life(), busy(retry_after=119.5)) == 120
    assert delay(life(), busy(retry_after=120.0)) == 120


def test_retry_after_above_the_cap_is_an_error_that_says_so() -> None:
    """A day is not slept through: the error comes at once, with both figures."""
    verdict = life().attempt(busy(retry_after=DAY))

    assert verdict.action is Action.STOP
    assert verdict.why_not == (
        "the server asks to wait for 86400 s, longer than max_retry_after=120 s"
    )


def test_retry_after_can_be_clamped() -> None:
    """With "clamp", no more than the cap is waited for."""
    assert delay(life(retry_after_over_cap="clamp"), busy(retry_after=DAY)) == 120
    assert delay(life(retry_after_over_cap="clamp", max_retry_after=0), busy(retry_after=9.0)) == 1


def test_retry_after_can_be_waited_for_whatever_it_is() -> None:
    """Without a cap, it is waited for."""
    assert delay(life(max_retry_after=None, jitter=False), busy(retry_after=DAY)) == DAY


def test_no_patience() -> None:
    """A cap of 0 takes any wait that is asked for as a refusal."""
    assert life(max_retry_after=0.0).attempt(busy(retry_after=0.001)).action is Action.STOP
    assert life(max_retry_after=0.0).attempt(busy(retry_after=0.0)).action is Action.RETRY


@pytest.mark.parametrize("asked", [math.nan, -5.0, -math.inf])
def test_retry_after_that_makes_no_sense_is_none(asked: float) -> None:
    """A time that is no number, or is over, changes nothing."""
    assert delay(life(), busy(retry_after=asked)) == 1
    assert delay(life(max_retry_after=None), busy(retry_after=asked)) == 1


def test_nobody_waits_for_ever() -> None:
    """An infinite wait is no wait but an end."""
    verdict = life(max_retry_after=None).attempt(busy(retry_after=math.inf))

    assert verdict.why_not == "the wait would have no end"


def test_longest_of_all_waits_counts() -> None:
    """Of backoff, `retry:`, Retry-After and the budget, whichever is longest is waited for."""
    assert delay(life(), busy(retry_after=2.0), retry=3000) == pytest.approx(3.3)
    assert delay(life(), busy(retry_after=5.0), retry=3000) == pytest.approx(5.5)
    assert delay(life("always", budget=empty_budget(0.125)), busy(retry_after=5.0)) == 8
