"""The judgement: every rule by itself, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.retry.lives import (
    MODES,
    SUBSCRIPTIONS,
    Life,
    busy,
    cut,
    empty_budget,
    life,
    refused,
    silent,
    wrong,
)
from trio_stream.errors import (
    BadItemError,
    CorruptFrameError,
    InBandError,
    LimitExceededError,
    NotAStreamError,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.retry import Action, Phase, Reconnect, RetryBudget, Verdict

NO_POSITION = "items were delivered, and the stream cannot go on from there"


# ---- the order of the reasons --------------------------------------------------------------------

# Each with what must hold besides for the ones behind it, and with the words of the verdict.
REASONS: list[tuple[str, dict[str, Any], str]] = [
    ("last", {"last": True}, ""),
    ("hopeless", {"error": wrong()}, ""),
    ("no way", {"delivered": True}, NO_POSITION),
    ("one shot", {"one_shot": "the body is a stream"}, "the body is a stream"),
    ("failures", {"max_retries": 0}, "gave up after max_retries=0"),
    (
        "Retry-After",
        {"max_retry_after": 4.0},
        "the server asks to wait for 5 s, longer than max_retry_after=4 s",
    ),
    ("timeout", {"total_end": 2.0, "timeout": 3.0}, "the next attempt would come after timeout="),
    ("elapsed", {"max_retry_time": 2.0}, "gave up after max_retry_time=2.0 s"),
    ("budget", {"budget": empty_budget()}, "the retry budget is empty"),
]


@pytest.mark.parametrize("first", range(len(REASONS)), ids=[name for name, _, _ in REASONS])
def test_reasons_are_asked_for_in_order(first: int) -> None:
    """Of all the reasons to stop that hold, the first one of the list is given."""
    budget = RetryBudget(9.0, 0.0)
    given: dict[str, Any] = {"error": busy(retry_after=5.0), "budget": budget}
    for _, facts, _ in REASONS[first:]:
        given |= facts
    if first <= 1:  # any error will do for the first reason
        given["error"] = wrong()
    error = given.pop("error")
    facts = {"last", "one_shot", "total_end"} & given.keys()
    attempt = {name: given.pop(name) for name in sorted(facts)}
    delivered = given.pop("delivered", False)

    verdict = life("resume", **given).attempt(error, delivered=delivered, **attempt)

    assert verdict.action is Action.STOP
    assert verdict.error is error
    assert verdict.why_not.startswith(REASONS[first][2])
    assert bool(verdict.why_not) is bool(REASONS[first][2])


@pytest.mark.parametrize("reason", REASONS[:-1], ids=[name for name, _, _ in REASONS[:-1]])
def test_refused_retry_costs_nothing(reason: tuple[str, dict[str, Any], str]) -> None:
    """The budget is untouched by an attempt that another reason has refused."""
    budget = RetryBudget(9.0, 0.0, success_credit=0.0)
    budget.spend(1.0, 0.0)
    given = {"error": busy(retry_after=5.0), **reason[1]}
    facts = {"error", "last", "delivered", "one_shot", "total_end"} & given.keys()
    attempt = {name: given.pop(name) for name in sorted(facts)}
    verdict = life("resume", budget=budget, **given).attempt(**attempt)

    assert verdict.action is Action.STOP
    assert budget.tokens(0.0) == 8


def test_nothing_against_it() -> None:
    """Where no reason holds, the attempt is repeated, and paid."""
    judged = life("resume", budget=RetryBudget(9.0, 0.0))
    error = busy(retry_after=5.0)

    assert judged.attempt(error) == Verdict(Action.RETRY, 5.5, error, 5.5)
    assert judged.recovery.phase is Phase.WAITING
    assert judged.budget.tokens(0.0) == 8


# ---- 1: the end is a good one, or the mode allows no more ----------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", [None, cut(), busy()], ids=repr)
def test_last_word_of_the_server_ends(mode: Reconnect, error: StreamError | None) -> None:
    """After a terminal event, or 204, nothing is asked for in any mode."""
    assert life(mode).attempt(error, lived=1.0, last=True) == Verdict(Action.STOP, error=error)


@pytest.mark.parametrize("mode", MODES)
def test_good_end_of_the_body_ends_what_is_no_subscription(mode: Reconnect) -> None:
    """A body that comes to a good end is the end of a stream, but not of a subscription."""
    verdict = life(mode).attempt(None, lived=1.0)

    assert (verdict.action is Action.STOP) is (mode not in SUBSCRIPTIONS)
    assert verdict.error is None
    assert life(mode).recovery.is_subscription is (mode in SUBSCRIPTIONS)


@pytest.mark.parametrize("error", [None, cut(), busy(), silent()], ids=repr)
def test_never_means_never(error: StreamError | None) -> None:
    """In the mode "never" there is one attempt, whatever it comes to."""
    assert life("never").attempt(error, can_resume=True) == Verdict(Action.STOP, error=error)


# ---- 2: another attempt would not help -----------------------------------------------------------

LASTING: list[StreamError] = [
    StreamStatusError("unauthorized", error_type=StreamErrorType.of_status(401), status_code=401),
    StreamStatusError("forbidden", error_type=StreamErrorType.of_status(403), status_code=403),
    StreamStatusError("not found", error_type=StreamErrorType.of_status(404), status_code=404),
    StreamStatusError("501", error_type=StreamErrorType.SERVER_ERROR, is_retryable=False),
    NotAStreamError("a page"),
    LimitExceededError("too long"),
    BadItemError("does not fit"),
    InBandError("refused", error_type=StreamErrorType.CLIENT_ERROR),
    StreamTimeoutError("over", layer="total"),
    StreamError("fatal"),
]
PASSING: list[StreamError] = [
    *(refused(), cut(), busy(), silent()),
    StreamStatusError("slow down", error_type=StreamErrorType.RATE_LIMITED, status_code=429),
    StreamStatusError("409", error_type=StreamErrorType.CLIENT_ERROR, is_retryable=True),
    InBandError("overloaded", status_code=529),
    CorruptFrameError("checksum"),
    StreamTruncatedError("cut short"),
    StreamTimeoutError("no connection", layer="connect"),
    StreamTimeoutError("no head", layer="headers"),
    StreamTimeoutError("no item", layer="stall"),
]
RETRYING = [mode for mode in MODES if mode != "never"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", LASTING, ids=str)
def test_lasting_errors_are_not_retried(mode: Reconnect, error: StreamError) -> None:
    """A wrong key stays wrong: such an error ends the stream as it is, before and after items."""
    assert life(mode).attempt(error) == Verdict(Action.STOP, error=error)
    assert life(mode).attempt(error, delivered=True, can_resume=True).action is Action.STOP


@pytest.mark.parametrize("mode", [mode for mode in RETRYING if mode != "event_source"])
@pytest.mark.parametrize("error", PASSING, ids=str)
def test_passing_errors_are_retried(mode: Reconnect, error: StreamError) -> None:
    """What may pass is tried again, the error kept as what is mended."""
    verdict = life(mode).attempt(error)

    assert (verdict.action, verdict.error) == (Action.RETRY, error)


@pytest.mark.parametrize("error", PASSING, ids=str)
def test_event_source_fails_at_any_status(error: StreamError) -> None:
    """WHATWG HTML 9.2.3: any status but 200 fails the connection; a network error does not."""
    fails = isinstance(error, StreamStatusError)

    assert (life("event_source").attempt(error).action is Action.STOP) is fails


# ---- 3: items were delivered ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", RETRYING)
@pytest.mark.parametrize("can_resume", [False, True])
def test_before_the_first_item_an_attempt_is_repeated(mode: Reconnect, can_resume: bool) -> None:
    """As long as nothing was received, the same is asked for again."""
    judged = life(mode)
    verdict = judged.attempt(refused(), can_resume=can_resume)

    assert verdict.action is Action.RETRY
    assert judged.recovery.phase is Phase.WAITING


@pytest.mark.parametrize("mode", RETRYING)
def test_response_may_have_moved_the_position(mode: Reconnect) -> None:
    """A response that was accepted may have brought an ID without an item: that is kept."""
    judged = life(mode)
    verdict = judged.attempt(cut(), lived=1.0, can_resume=True)

    resumes = mode != "before_first_item"
    assert verdict.action is (Action.RESUME if resumes else Action.RETRY)
    assert life(mode).attempt(cut(), lived=1.0).action is Action.RETRY


@pytest.mark.parametrize(
    ("mode", "can_resume", "action", "words"),
    [
        ("before_first_item", False, Action.STOP, "items were delivered"),
        ("before_first_item", True, Action.STOP, "items were delivered"),
        ("resume", False, Action.STOP, NO_POSITION),
        ("resume", True, Action.RESUME, ""),
        ("always", False, Action.RESTART, ""),
        ("always", True, Action.RESUME, ""),
        ("event_source", False, Action.RESTART, ""),
        ("event_source", True, Action.RESUME, ""),
    ],
)
def test_after_the_first_item(
    mode: Reconnect, can_resume: bool, action: Action, words: str
) -> None:
    """From the first item on, a stream goes on, begins anew if that is wanted, or ends."""
    judged = life(mode)
    verdict = judged.attempt(cut(), delivered=True, can_resume=can_resume)

    assert (verdict.action, verdict.why_not) == (action, words)
    assert judged.recovery.phase is (Phase.ENDED if action is Action.STOP else Phase.INTERRUPTED)


@pytest.mark.parametrize("mode", ["resume", "always", "event_source"])
def test_what_was_received_is_kept(mode: Reconnect) -> None:
    """Items that nobody took yet are not asked for again, if the stream can go on behind them."""
    judged = life(mode)
    verdict = judged.attempt(cut(), item=True, can_resume=True)

    assert verdict.action is Action.RESUME
    assert judged.recovery.phase is Phase.INTERRUPTED
    judged.recovery.began(1.0)
    assert judged.recovery.phase is Phase.RECONNECTING


@pytest.mark.parametrize(("mode", "can_resume"), [("resume", False), ("before_first_item", True)])
def test_what_was_received_is_dropped(mode: Reconnect, can_resume: bool) -> None:
    """Where it cannot go on, or is not to, an attempt whose items nobody took is repeated."""
    verdict = life(mode).attempt(cut(), item=True, can_resume=can_resume)

    assert verdict.action is Action.RETRY


def test_reconnecting_is_after_the_first_item() -> None:
    """A stream that failed to go on is not asked for from its beginning."""
    judged = life("resume")
    judged.attempt(cut(), delivered=True, can_resume=True)

    assert judged.attempt(refused(), began=1.0, can_resume=True).action is Action.RESUME
    assert judged.attempt(refused(), began=2.0, can_resume=False).why_not == NO_POSITION


# ---- 4: the request cannot be sent again ---------------------------------------------------------


@pytest.mark.parametrize("mode", RETRYING)
@pytest.mark.parametrize("delivered", [False, True])
def test_streamed_body_is_not_sent_again(mode: Reconnect, delivered: bool) -> None:
    """A body that is gone with the first attempt ends the stream, and the verdict says why."""
    verdict = life(mode).attempt(cut(), delivered=delivered, can_resume=True, one_shot="gone")

    assert verdict.action is Action.STOP
    assert verdict.why_not in {"gone", "items were delivered"}


# ---- the phases ----------------------------------------------------------------------------------


def test_phases_of_a_long_life() -> None:
    """A stream that is retried, opened, delivered, interrupted and ended says so at each step."""
    recovery = life("resume").recovery
    phases = [recovery.phase]

    def tell(step: Any, *args: Any) -> None:
        step(*args)
        phases.append(recovery.phase)

    judged = Life(recovery, RetryBudget())
    tell(judged.attempt, refused())
    tell(recovery.began, 1.0)
    tell(recovery.accepted, 1.0)
    tell(recovery.progressed, 1.0)
    tell(recovery.committed)
    tell(recovery.committed)
    recovery.ended()
    tell(recovery.ended)

    assert [phase.value for phase in phases] == [
        *("connecting", "waiting", "connecting", "open", "open"),
        *("streaming", "streaming", "ended"),
    ]
    assert recovery.attempts == 2


def test_item_that_is_delivered_while_waiting_changes_nothing() -> None:
    """What was kept may be taken at any time behind a break."""
    judged = life("resume")
    judged.attempt(cut(), item=True, can_resume=True)
    judged.recovery.committed()

    assert judged.recovery.phase is Phase.INTERRUPTED


def test_ended_stream_cannot_begin() -> None:
    """After the end nothing is accepted, and nothing judged but to stop."""
    judged = life()
    judged.attempt(wrong())

    with pytest.raises(ValueError, match="ended cannot be accepted"):
        judged.recovery.accepted(1.0)
