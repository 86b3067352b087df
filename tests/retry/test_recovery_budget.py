"""The judgement: what a retry costs, and who pays."""

from __future__ import annotations

import pytest

from tests.retry.lives import SUBSCRIPTIONS, busy, cut, delay, empty_budget, life, refused, silent
from trio_stream.errors import StreamError
from trio_stream.retry import Action, Reconnect, RetryBudget


def test_opening_fails_at_once_when_the_budget_is_empty() -> None:
    """A caller that is there to be told does not wait for tokens, though some would come."""
    verdict = life(budget=empty_budget(1.0)).attempt(refused())

    assert (verdict.action, verdict.why_not) == (Action.STOP, "the retry budget is empty")


@pytest.mark.parametrize("mode", SUBSCRIPTIONS)
def test_subscription_waits_for_its_token(mode: Reconnect) -> None:
    """A subscription does not die of an empty budget, not even while it is opened."""
    assert delay(life(mode, budget=empty_budget(0.1)), refused()) == 10


def test_open_stream_waits_for_its_token() -> None:
    """So does any stream that has brought something."""
    judged = life("resume", budget=empty_budget(0.1))

    assert delay(judged, cut(), delivered=True, can_resume=True) == 10


def test_stream_without_a_limit_waits_for_its_token() -> None:
    """And one that shall be tried for ever."""
    assert delay(life(max_retries=-1, budget=empty_budget(0.1)), refused()) == 10


def test_budget_without_a_refill_ends_even_a_subscription() -> None:
    """Tokens that never come are not waited for."""
    verdict = life("always", budget=empty_budget(), max_retries=-1).attempt(refused())

    assert (verdict.action, verdict.why_not) == (Action.STOP, "the retry budget is empty")


def test_wait_for_a_token_can_be_too_long() -> None:
    """If it is, the token is not taken, and the verdict has both reasons."""
    judged = life("always", budget=empty_budget(0.1), max_retry_time=9.0)
    verdict = judged.attempt(refused())

    assert verdict.why_not == "the retry budget is empty, and gave up after max_retry_time=9.0 s"
    assert judged.budget.tokens(0.0) == 0


@pytest.mark.parametrize(("error", "cost"), [(refused(), 1), (busy(), 1), (silent(), 2)])
def test_timeouts_cost_more(error: StreamError, cost: float) -> None:
    """A retry after a timeout takes two tokens."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    judged.attempt(error)

    assert judged.budget.tokens(0.0) == 9 - cost


def test_good_retry_is_paid_back() -> None:
    """A retry that brings an item costs nothing in the end; the failed ones before it do."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    for each in range(3):
        judged.attempt(refused(), began=9.0 * each)
    assert judged.budget.tokens(30.0) == 6

    judged.recovery.began(30.0)
    judged.recovery.accepted(30.0)
    judged.recovery.progressed(30.0)
    judged.recovery.progressed(30.0)  # said for each item
    assert judged.budget.tokens(30.0) == 6  # it may still be thrown away
    judged.recovery.committed()
    judged.recovery.progressed(30.0)
    assert judged.budget.tokens(30.0) == 7


def test_retry_whose_items_wait_is_paid_back_in_the_end() -> None:
    """It makes no difference that the stream was over before its consumer came."""
    for end in (None, cut()):
        judged = life("resume", budget=RetryBudget(9.0, 0.0))
        judged.attempt(refused())
        judged.attempt(end, began=9.0, item=True, can_resume=True)

        assert judged.budget.tokens(9.0) == (9 if end is None else 8)  # of the attempt that comes


def test_retry_that_is_thrown_away_is_not_paid_back() -> None:
    """What it has brought was nobody's; else such retries would be free, and without a bound."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    for each in range(3):
        judged.attempt(cut(), began=9.0 * each, item=True)

    assert judged.budget.tokens(30.0) == 6
    judged.recovery.ended()
    assert judged.budget.tokens(30.0) == 7  # of the attempt that is not made


def test_stream_that_fails_is_not_paid_back() -> None:
    """What a stream that ends badly has brought, and nobody was given before, proves nothing."""
    budget = RetryBudget(9.0, 0.0)
    for _ in range(2):
        judged = life(budget=budget, max_retries=1)
        judged.attempt(cut(), item=True)
        assert judged.attempt(cut(), item=True).action is Action.STOP
        judged.recovery.ended()
    assert budget.tokens(0.0) == 7

    budget.spend(7.0, 0.0)
    judged = life(budget=budget)
    assert judged.attempt(cut(), item=True).action is Action.STOP
    assert budget.tokens(0.0) == 0


@pytest.mark.parametrize(("late", "left"), [(0.5, 8), (1.0, 9)])
def test_item_that_comes_late_is_no_greeting(late: float, left: float) -> None:
    """A subscription that does not say where it is proves its worth by an item of a live feed."""
    judged = life("always", budget=RetryBudget(9.0, 0.0))
    judged.attempt(refused())
    judged.recovery.began(9.0)
    judged.recovery.accepted(9.0)
    judged.recovery.progressed(9.0 + late, advanced=False)
    judged.recovery.committed()
    judged.recovery.ended()

    assert judged.budget.tokens(99.0) == left


def test_retry_of_a_stream_without_positions_is_paid_back() -> None:
    """Before its first item a stream cannot be farther than it was: any item is progress."""
    judged = life("resume", budget=RetryBudget(9.0, 0.0))
    judged.attempt(refused())
    judged.recovery.began(9.0)
    judged.recovery.accepted(9.0)
    judged.recovery.progressed(9.0, advanced=False)
    judged.recovery.committed()

    assert judged.budget.tokens(9.0) == 9


def test_retry_that_lived_is_paid_back() -> None:
    """So does one that lived for a minute."""
    judged = life("always", budget=RetryBudget(9.0, 0.0))
    judged.attempt(refused())
    judged.attempt(cut(), began=1.0, lived=60.0)

    assert judged.budget.tokens(61.0) == 8  # of the attempt that comes


@pytest.mark.parametrize(
    ("error", "lived", "left"), [(None, 0.9, 8), (None, 1.0, 9), (cut(), 30.0, 8)]
)
def test_rotation_is_free(error: StreamError | None, lived: float, left: float) -> None:
    """A connection that came to a good end after a while is no failure that anybody pays for."""
    judged = life("always", budget=RetryBudget(9.0, 0.0))
    judged.attempt(error, lived=lived)

    assert judged.budget.tokens(61.0) == left


def test_rotation_does_not_wait_for_others() -> None:
    """Nor does it stand behind those who wait for tokens."""
    budget = RetryBudget(0.0, 0.01)
    budget.reserve(100.0, 0.0)

    assert delay(life("always", budget=budget), None, lived=30.0) == 1


def test_full_pool_is_free() -> None:
    """A request that got no slot of its own client has asked nothing of the server."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    judged.attempt(silent(), was_asked=False)
    judged.attempt(silent(), was_asked=False, began=10.0)

    assert judged.budget.tokens(20.0) == 9


def test_full_pool_does_not_need_a_budget() -> None:
    """An empty bucket is no reason to give up what costs nothing; a limit of retries is one."""
    judged = life(budget=empty_budget(), max_retries=1)

    assert judged.attempt(silent(), was_asked=False).action is Action.RETRY
    assert (
        judged.attempt(silent(), was_asked=False, began=10.0).why_not
        == "gave up after max_retries=1"
    )


def test_full_pool_keeps_what_was_paid() -> None:
    """A retry that was paid for and got no slot has its price for the next one."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    judged.attempt(silent())
    judged.attempt(silent(), was_asked=False, began=10.0)
    judged.attempt(silent(), was_asked=False, began=20.0)
    assert judged.budget.tokens(30.0) == 7

    judged.recovery.gave_up_waiting()
    assert judged.budget.tokens(30.0) == 9


def test_stream_that_needs_no_retry_brings_a_fifth() -> None:
    """Once, however many items it has; and only the first attempt can be such a stream."""
    budget = RetryBudget(9.0, 0.0)
    budget.spend(5.0, 0.0)
    judged = life("always", budget=budget)
    judged.recovery.began(0.0)
    judged.recovery.accepted(0.0)
    judged.recovery.progressed(0.0)
    judged.recovery.committed()
    judged.recovery.progressed(0.0)
    judged.recovery.ended()

    assert budget.tokens(0.0) == pytest.approx(4.2)


def test_stream_that_needed_a_retry_brings_nothing() -> None:
    """Not even where retries of its kind are free."""
    budget = RetryBudget(9.0, 0.0, timeout_cost=0.0)
    budget.spend(5.0, 0.0)
    judged = life(budget=budget)
    judged.attempt(silent())
    judged.recovery.began(1.0)
    judged.recovery.accepted(1.0)
    judged.recovery.progressed(1.0)
    judged.recovery.committed()

    assert budget.tokens(1.0) == 4


def test_attempt_that_is_not_made_is_paid_back() -> None:
    """Who gives up waiting gets back what the attempt would have cost, once."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    judged.attempt(silent())
    assert judged.budget.tokens(0.0) == 7

    judged.recovery.gave_up_waiting()
    judged.recovery.gave_up_waiting()
    assert judged.budget.tokens(0.0) == 9


def test_stream_that_ends_while_it_waits_is_paid_back() -> None:
    """So does a stream that is over before the attempt, which can be said more than once."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    judged.attempt(silent())

    judged.recovery.ended()
    judged.recovery.ended()
    assert judged.budget.tokens(0.0) == 9


def test_attempt_that_is_made_is_not_paid_back() -> None:
    """Once it has begun, its price is paid, and giving up takes nothing back."""
    judged = life(budget=RetryBudget(9.0, 0.0))
    judged.attempt(refused())
    judged.recovery.began(1.0)
    judged.recovery.gave_up_waiting()

    assert judged.budget.tokens(1.0) == 8
