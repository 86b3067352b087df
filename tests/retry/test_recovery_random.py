"""The judgement under random lives, against a simple model: no sequence leads it astray."""

from __future__ import annotations

import math
import random
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retry.lives import MODES, Life, busy, cut, life, refused, silent, wrong
from trio_stream.errors import StreamError, StreamTruncatedError
from trio_stream.retry import Action, Phase, Reconnect, RetryBudget, Verdict

HUGE = 10**9

makers = st.sampled_from([lambda: None, refused, cut, wrong, silent, busy])
times = st.sampled_from([0.0, 0.5, 1.0, 59.0, 61.0, 400.0, 1e6])


@st.composite
def attempts(draw: st.DrawFn) -> dict[str, Any]:
    """One attempt, as `Life.attempt` takes it."""
    error = draw(makers)()
    if error is not None and draw(st.booleans()):
        error.retry_after = draw(st.sampled_from([0.0, 7.0, 119.0, 1e5, math.inf, math.nan, -1.0]))
    item = draw(st.booleans())
    can_resume = draw(st.booleans())
    return {
        "error": error,
        "lived": draw(st.none() | times),
        "item": item,
        "delivered": item and draw(st.booleans()),
        "last": draw(st.integers(0, 9)) == 0,
        "can_resume": can_resume,
        "one_shot": draw(st.sampled_from(["", "", "", "", "gone"])),
        "retry": draw(st.none() | st.sampled_from([0, 1, 3000, 86_400_000])),
        "total_end": draw(st.sampled_from([math.inf, math.inf, 1e7, 100.0])),
    }


settings = st.fixed_dictionaries(
    {
        "max_retries": st.sampled_from([-1, 0, 1, 3, HUGE]),
        "max_retry_time": st.sampled_from([None, None, 5.0, 1e300]),
        "initial_backoff": st.sampled_from([0.0, 0.1, 1.0, 1e300]),
        "max_backoff": st.sampled_from([0.0, 1.0, 64.0, 1e300]),
        "backoff_multiplier": st.sampled_from([1.0, 2.0, 1e308, math.inf]),
        "jitter": st.booleans(),
        "max_retry_after": st.sampled_from([None, 0.0, 120.0]),
        "retry_after_over_cap": st.sampled_from(["give_up", "clamp"]),
        "idle_timeout": st.sampled_from([None, 300.0]),
    }
)
budgets = st.builds(
    RetryBudget,
    st.sampled_from([0.0, 1.0, 5.0, 100.0]),
    st.sampled_from([0.0, 0.1, 10.0]),
)


@attrs.define
class Model:
    """What must hold of a stream, whatever it is judged by."""

    mode: Reconnect
    max_retries: int
    committed: bool = False
    in_a_row: int = 0

    def ways(self, error: StreamError | None, attempt: dict[str, Any]) -> set[Action]:
        """How it may go on, if nothing speaks against it."""
        stop = self.mode == "never" or attempt["last"] or attempt["one_shot"]
        stop = stop or (error is None and self.mode not in {"always", "event_source"})
        stop = stop or (error is not None and not error.is_retryable)
        stop = stop or (
            self.mode == "event_source" and error is not None and bool(error.status_code)
        )
        if stop:
            return set()
        resumes = attempt["can_resume"] and self.mode != "before_first_item"
        if resumes and (self.committed or attempt["lived"] is not None or attempt["item"]):
            return {Action.RESUME}
        if not self.committed:
            return {Action.RETRY}
        return {Action.RESTART} if self.mode in {"always", "event_source"} else set()


def check(
    model: Model,
    judged: Life,
    attempt: dict[str, Any],
    verdict: Verdict,
    *,
    end: float,
    change: float,
) -> None:
    """Check one verdict.

    Args:
        end: When the attempt ended.
        change: How many tokens more there are behind it than before.
    """
    error, config = attempt["error"], judged.recovery._config
    ways = model.ways(error, attempt)
    if verdict.action is Action.STOP:
        assert judged.recovery.phase is Phase.ENDED
        assert verdict.error is error or isinstance(verdict.error, StreamTruncatedError)
        assert not ways or verdict.why_not or verdict.error is not error
        assert verdict.delay == 0
        assert change >= -1e-9
        return
    waiting = Phase.WAITING if verdict.action is Action.RETRY else Phase.INTERRUPTED
    assert judged.recovery.phase is waiting
    assert verdict.action in ways
    assert (verdict.error, verdict.why_not) == (error, "")
    assert config.max_retries < 0 or model.in_a_row <= config.max_retries
    assert 0 <= verdict.delay < math.inf
    assert end + verdict.delay < attempt["total_end"]
    assert verdict.delay >= min((attempt["retry"] or 0) / 1000, config.max_backoff)
    asked = 0.0 if error is None else error.retry_after or 0.0
    cap = math.inf if config.max_retry_after is None else config.max_retry_after
    if asked > 0:  # not if it is no number
        assert verdict.delay >= min(asked, cap)


@given(
    st.sampled_from(MODES),
    settings,
    budgets,
    st.lists(st.tuples(attempts(), st.sampled_from([0.0, 0.0, 0.0, 5.0, -50.0])), max_size=12),
    st.sampled_from(["least", "most", "random"]),
)
def test_no_life_leads_astray(
    mode: Reconnect,
    settings: dict[str, Any],
    budget: RetryBudget,
    story: list[tuple[dict[str, Any], float]],
    luck: str,
) -> None:
    """Phases keep to the table, waits are numbers, refused retries are free, rows have an end."""
    draw = {"least": lambda: 0.0, "most": lambda: 1.0, "random": random.Random(1).random}[luck]
    judged = life(mode, budget=budget, draw=draw, **settings)
    model = Model(mode, settings["max_retries"])
    now = 0.0
    for attempt, leap in story:
        now += leap  # also backwards
        end = now + (attempt["lived"] or 0.0)
        before = budget.tokens(end)
        model.committed = (
            model.committed
            or attempt["delivered"]
            or judged.recovery.phase is Phase.INTERRUPTED  # with items that were kept
        )
        good = attempt["item"] or end - now >= 60
        model.in_a_row = 1 if good else model.in_a_row + 1

        verdict = judged.attempt(**attempt, began=now)

        change = budget.tokens(end) - before
        check(model, judged, attempt, verdict, end=end, change=change)
        if verdict.action is Action.STOP:
            break
        now = end + verdict.delay


@given(settings, budgets, st.integers(1, 30), makers)
def test_giving_up_waiting_restores_the_budget(
    settings: dict[str, Any], budget: RetryBudget, failures: int, maker: Any
) -> None:
    """Whatever the figures, a stream that leaves while it waits has cost what its attempts did."""
    judged = life("always", budget=budget, **settings)
    for _ in range(failures):
        level = budget.tokens(0.0)
        verdict = judged.attempt(maker(), now=0.0)
        if verdict.action is Action.STOP:
            assert budget.tokens(0.0) == pytest.approx(level)
            return
    judged.recovery.gave_up_waiting()
    assert budget.tokens(0.0) == pytest.approx(level)
    judged.recovery.ended()
    assert judged.recovery.phase is Phase.ENDED
