"""The budget: a token bucket that streams share, against a simple model."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.retry import RetryBudget

small = st.floats(min_value=0, max_value=20).map(lambda value: round(value, 2))
steps = st.lists(
    st.tuples(st.sampled_from(["wait", "spend", "reserve", "give_back", "credit"]), small),
    max_size=40,
)


def test_begins_full() -> None:
    """Whenever it is asked for the first time, all tokens are there."""
    assert RetryBudget(7.0).tokens(-1e9) == 7
    assert RetryBudget(7.0).tokens(1e9) == 7


def test_retry_takes_a_token_and_one_after_a_timeout_two() -> None:
    """A timeout costs more, since the server has worked for it."""
    budget = RetryBudget(timeout_cost=2.5)

    assert budget.cost(timed_out=False) == 1
    assert budget.cost(timed_out=True) == 2.5


def test_refuses_what_is_not_there() -> None:
    """Spending fails when there is not enough, and takes nothing then."""
    budget = RetryBudget(1.5, 0.0)

    assert budget.spend(1.0, 0.0)
    assert not budget.spend(1.0, 0.0)
    assert budget.tokens(0.0) == 0.5


def test_time_brings_tokens_up_to_the_capacity() -> None:
    """So many come by themselves each second, and those that do not fit are lost."""
    budget = RetryBudget(5.0, 2.0)
    for _ in range(5):
        budget.spend(1.0, 10.0)

    assert budget.tokens(11.0) == 2
    assert budget.tokens(100.0) == 5


def test_reserving_waits_in_line() -> None:
    """Whoever reserves waits behind all who have reserved before."""
    budget = RetryBudget(2.0, 4.0)

    assert [budget.reserve(1.0, 0.0) for _ in range(5)] == [0, 0, 0.25, 0.5, 0.75]
    assert budget.tokens(0.0) == -3
    assert budget.reserve(1.0, 0.5) == 0.5


def test_reserving_what_never_comes_takes_nothing() -> None:
    """Without a refill an empty bucket stays empty: the wait is infinite, and nobody owes."""
    budget = RetryBudget(1.0, 0.0)

    assert [budget.reserve(1.0, 0.0) for _ in range(3)] == [0, math.inf, math.inf]
    assert budget.tokens(0.0) == 0


def test_refill_too_slow_to_count_is_none() -> None:
    """A wait that no float can hold is an infinite one, and takes nothing either."""
    budget = RetryBudget(0.0, 5e-324)

    assert budget.reserve(1.0, 0.0) == math.inf
    assert budget.tokens(0.0) == 0


def test_cost_above_the_capacity_is_paid_in_time() -> None:
    """A bucket that is too small for a timeout refuses to spend, but lets wait for it."""
    budget = RetryBudget(1.0, 1.0)

    assert not budget.spend(2.0, 0.0)
    assert budget.reserve(2.0, 0.0) == 1


def test_bucket_for_nothing_paces() -> None:
    """Without capacity, nothing can be spent, and reservations come at the rate of the refill."""
    budget = RetryBudget(0.0, 2.0)

    assert not budget.spend(1.0, 0.0)
    assert [budget.reserve(1.0, 0.0) for _ in range(3)] == [0.5, 1.0, 1.5]


def test_given_back_is_there_again() -> None:
    """What is given back can be spent, but never fills more than the bucket."""
    budget = RetryBudget(2.0, 0.0)
    budget.spend(2.0, 0.0)

    budget.give_back(1.5)
    assert budget.tokens(0.0) == 1.5
    budget.give_back(1.5)
    assert budget.tokens(0.0) == 2


def test_five_good_streams_pay_for_a_retry() -> None:
    """A stream that needed no retry brings a fifth of a token."""
    budget = RetryBudget(1.0, 0.0)
    budget.spend(1.0, 0.0)
    for _ in range(5):
        budget.credit_success()

    assert budget.tokens(0.0) == pytest.approx(1)


def test_clock_that_goes_backwards_brings_nothing() -> None:
    """Time that comes again counts once, and takes nothing away."""
    budget = RetryBudget(10.0, 1.0)
    for _ in range(10):
        budget.spend(1.0, 100.0)

    assert budget.tokens(50.0) == 0
    assert budget.tokens(100.0) == 0
    assert budget.tokens(101.0) == 1


def test_another_clock_begins_anew() -> None:
    """A budget that outlives its run goes on by the clock of the next, wherever that begins."""
    budget = RetryBudget(10.0, 1.0)
    assert budget.spend(10.0, 200_000.0)

    assert budget.tokens(5_000.0) == 0
    assert budget.tokens(5_003.0) == 3


def test_tokens_that_come_back_are_for_who_waits() -> None:
    """A place in the row is due sooner if others need theirs no more, and never later."""
    budget = RetryBudget(1.0, 1.0)
    assert budget.reserve(1.0, 0.0) == 0
    places = []
    for _ in range(3):
        budget.reserve(1.0, 0.0)
        places.append(budget.place)

    assert [budget.due_in(place, 0.0) for place in places] == [1, 2, 3]
    budget.give_back(1.0)
    assert [budget.due_in(place, 0.0) for place in places] == [0, 1, 2]
    assert budget.reserve(1.0, 0.0) == 3
    assert [budget.due_in(place, 1.5) for place in places] == [0, 0, 0.5]


@pytest.mark.parametrize("value", [-1.0, -5e-324, math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("name", ["capacity", "per_second", "timeout_cost", "success_credit"])
def test_figures_are_checked(name: str, value: float) -> None:
    """A figure that is negative, infinite or no number is refused by its name."""
    with pytest.raises(ValueError, match=f"{name} must be at least 0 and finite"):
        RetryBudget(**{name: value})


@given(small, small, steps)
def test_does_as_the_model(
    capacity: float, per_second: float, steps: list[tuple[str, float]]
) -> None:
    """Any sequence of calls: the level is that of a plain sum, cut off at the capacity."""
    budget = RetryBudget(capacity, per_second)
    level, now, spent, brought = capacity, 0.0, 0.0, capacity
    budget.tokens(now)
    for step, amount in steps:
        come = 0.0
        if step == "wait":
            now += amount
            come = amount * per_second
        elif step == "give_back":
            budget.give_back(amount)
            come = amount
        elif step == "credit":
            budget.credit_success()
            come = 0.2
        elif step == "spend":
            enough = budget.tokens(now) >= amount
            assert budget.spend(amount, now) is enough
            spent += amount if enough else 0.0
            level -= amount if enough else 0.0
        else:
            missing = amount - budget.tokens(now)
            wait = budget.reserve(amount, now)
            assert wait == (0 if missing <= 0 else missing / per_second if per_second else math.inf)
            spent += amount if wait < math.inf else 0.0
            level -= amount if wait < math.inf else 0.0
        brought += come
        level = min(capacity, level + come)

        assert budget.tokens(now) == pytest.approx(level, abs=1e-6)
        assert budget.tokens(now) <= capacity
        assert spent <= brought - budget.tokens(now) + 1e-6


def test_who_leaves_the_row_lets_nobody_pass() -> None:
    """Those behind one who gives up are due sooner, those before are not."""
    budget = RetryBudget(0.0, 1.0)
    places = []
    for _ in range(4):
        budget.reserve(1.0, 0.0)
        places.append(budget.place)
    budget.give_up(places[1], 1.0)

    assert [budget.due_in(place, 0.0) for place in (places[0], *places[2:])] == [1, 2, 3]
    assert budget.reserve(1.0, 0.0) == 4
    budget.give_up(budget.place, 1.0)
    assert [budget.due_in(place, 0.5) for place in (places[0], *places[2:])] == [0.5, 1.5, 2.5]
    assert [budget.due_in(place, 3.0) for place in (places[0], *places[2:])] == [0, 0, 0]


@given(
    st.lists(
        st.tuples(st.sampled_from(["reserve", "leave", "wait", "give back"]), st.integers(0, 5)),
        max_size=40,
    )
)
def test_row_is_served_in_order(steps: list[tuple[str, int]]) -> None:
    """Whoever waits is due no later than those behind, and never before the tokens are there."""
    budget = RetryBudget(3.0, 1.0)
    row: list[float] = []
    now, income, taken = 0.0, 3.0, 0.0
    for step, number in steps:
        if step == "reserve":
            budget.reserve(1.0, now)
            row.append(budget.place)
        elif step == "leave" and row:
            place = row.pop(number % len(row))
            if budget.due_in(place, now):
                budget.give_up(place, 1.0)
            else:
                taken += 1
        elif step == "give back" and taken:
            budget.give_back(1.0)
            income += 1
        else:
            now += number
            income += number
        due = [budget.due_in(place, now) for place in row]
        assert due == sorted(due)
        assert taken + due.count(0.0) <= income
