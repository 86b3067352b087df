"""What to do when an attempt has ended: the judgement of one stream over all its connections.

Theory of operation
-------------------

`Recovery` is told what happens to the stream, at which time, and is asked one question: what now?
(`Recovery.judge`). The answer is a `Verdict`. The reasons to stop are asked for in this order, so
that the budget, which is shared, is touched by nothing that could be refused without it:

1. the end is a good one, or the mode allows no more;
2. another attempt would not help: the error says so;
3. items were delivered, and the stream can neither go on nor may begin anew;
4. the request cannot be sent again;
5. enough attempts have failed; the server asks to wait for too long; the next attempt would come
   too late for the stream's ``timeout``, or would fail for longer than ``max_retry_time``;
6. the budget is empty.

For a subscription, which no good end of a body ends, rules 4 to 6 make an error even of one.

Failures are counted in a row. The row ends with real progress: an attempt that has brought an item,
unless that was a greeting (a subscription, or a stream that goes on, is no farther than before, and
is closed again within ``initial_backoff``), or nobody was given it, and it is thrown away with the
attempt. A model that is overloaded behind the first event of each answer would be asked again
without end. It ends, too, when connections of the row have lived for a minute in all, if it is a
subscription, or items were delivered before; a request that never brings anything is not asked for
without end because pings come. That a connection was made is no progress, or a server that accepts
and hangs up would be asked again without end; nor is the silence that a watchdog has waited out.
And after an attempt of progress, the next one begins at least ``initial_backoff`` after its
beginning, so that a server that brings an item and hangs up is not asked again at once, while one
that lives for half a minute is asked again after a moment, however often.

How often a server is asked in ``t`` seconds, whatever it answers, without a limit of attempts:

* While it brings nothing: without jitter at most ``1 + n + t / max_backoff`` times, where ``n`` is
  ``ceil(log(max_backoff / initial_backoff, backoff_multiplier))``, the waits that are shorter than
  the longest. Waits with jitter are half as long on average. More than ``1 + n + k`` attempts, for
  ``k = 3 * t / max_backoff``, have a probability below ``(e / 3) ** k``, since ``k`` waits that are
  uniform up to ``max_backoff`` add up to less than ``t`` with one below ``(t / max_backoff) ** k /
  k!``. With the usual figures, an hour sees at most 63 attempts without jitter, and with it about
  120, and more than 175 in one of ten million cases.
* While each connection brings an item that is farther than the one before, and is closed at once:
  ``1 + t / initial_backoff`` times.
* And all streams together: see `RetryBudget`. It is for servers in trouble: where a connection has
  come to a good end after ``initial_backoff``, the next one is free, or quiet subscriptions that a
  server rotates would starve. So is one after a wait for a slot of the client's own pool, of which
  the server has seen nothing.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from typing import Literal, TypeAlias, final

import attrs

from ..config import StreamConfig
from ..errors import (
    NotAStreamError,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from ..outcome import Phase
from ._backoff import Backoff
from ._budget import RetryBudget
from ._phases import Signal, next_phase

__all__ = ["Action", "Facts", "Reconnect", "Recovery", "Verdict"]

Reconnect: TypeAlias = Literal["never", "before_first_item", "resume", "always", "event_source"]
"""When a stream is connected again:

* ``"never"``: one attempt;
* ``"before_first_item"``: as long as nothing was delivered, so that nobody notices;
* ``"resume"``: also later, if the server can go on where it stopped;
* ``"always"``: for subscriptions. Also after a good end of the body and, if the server cannot go
  on, from its beginning, with a `Restarted` among the items. It ends with 204, or by its consumer;
* ``"event_source"``: as WHATWG HTML 9.2 has it. Also after a good end of the body; any status but
  200, and any other content type, ends it.
"""

_SUBSCRIPTIONS = frozenset({"always", "event_source"})
# Connections that live for so long are good ones, whatever they bring.
_HEALTHY = 60.0
# A watchdog fires at most 1/16 late.
_LATE = 17 / 16
_EMPTY = "the retry budget is empty"


class Action(enum.Enum):
    """What to do next."""

    STOP = Signal.STOP
    RETRY = Signal.RETRY
    RESUME = Signal.RESUME
    RESTART = Signal.RESTART


@final
@attrs.frozen(kw_only=True)
class Facts:
    """What an attempt has come to.

    Attributes:
        error: Why it ended; `None`: the body came to a good end.
        last: Whether the server has said that there is no more: by a terminal event, by 204.
        can_resume: Whether there is a position to go on from, and a way to say so.
        one_shot: Why the request cannot be sent again; ``""``: it can.
        was_asked: Whether the server may have seen the request. It has not if the client's pool
            was full.
        retry: Milliseconds, as the stream has asked for (``retry:``).
        total_end: The end of the whole stream's time.
    """

    error: StreamError | None
    last: bool = False
    can_resume: bool = False
    one_shot: str = ""
    was_asked: bool = True
    retry: int | None = None
    total_end: float = math.inf


@final
@attrs.frozen
class Verdict:
    """What to do now.

    Attributes:
        action: What.
        delay: In how many seconds. If that is for the budget's sake, it may be sooner:
        least: after this, `Recovery.due_in` tells.
        error: What the stream ends with, or what is mended; `None`: a good end.
        why_not: Why there is no other attempt, where that is not plain from the error.
    """

    action: Action
    delay: float = 0.0
    error: StreamError | None = None
    least: float = 0.0
    why_not: str = ""


@final
class Recovery:
    """The judgement of one stream. Sans-IO: times are arguments, in seconds on one clock.

    Args:
        mode: See `Reconnect`.
        config: The policy.
        budget: Shared with other streams.
        random: Numbers from 0 to 1.
        now: When the stream was asked for.

    Attributes:
        phase: Where the stream is in its life.
        attempts: How many requests were made.
        has_progressed: Whether the attempt that runs has proved its worth: `progressed` has no more
            to say.
    """

    __slots__ = (
        "_accepted",
        "_backoff",
        "_began",
        "_budget",
        "_config",
        "_failing_since",
        "_failures",
        "_has_item",
        "_lived",
        "_mode",
        "_pending_cost",
        "_place",
        "_random",
        "_rotated",
        "_settled",
        "_spent",
        "attempts",
        "has_progressed",
        "phase",
    )

    def __init__(
        self,
        mode: Reconnect,
        config: StreamConfig,
        *,
        budget: RetryBudget,
        random: Callable[[], float],
        now: float,
    ) -> None:
        self._mode: Reconnect = mode
        self._config = config
        self._budget = budget
        self._random = random
        self._backoff = Backoff(
            initial=config.initial_backoff,
            multiplier=config.backoff_multiplier,
            maximum=config.max_backoff,
            jitter=config.jitter,
        )
        self.phase = Phase.CONNECTING
        self.attempts = 0
        # The row of failures: how many, for how long their connections lived, and since when.
        self._failures = 0
        self._lived = 0.0
        self._failing_since = now
        # The attempt that is running, and the tokens that it and the next one took.
        self._began = now
        self._accepted: float | None = None
        self.has_progressed = self._has_item = False
        self._settled = False  # whether it is known what its price was for
        self._spent = 0.0
        self._pending_cost = 0.0
        self._place: float | None = None  # in the row of those who wait for tokens
        self._rotated = False

    @property
    def is_subscription(self) -> bool:
        """Whether a good end of the body is no end of the stream."""
        return self._mode in _SUBSCRIPTIONS

    # ---- what happens ------------------------------------------------------------------------

    def began(self, now: float) -> None:
        """An attempt begins, after the wait that the verdict asked for."""
        if self.phase in (Phase.WAITING, Phase.INTERRUPTED):
            self._signal(Signal.WAITED)
        self.attempts += 1
        self._spent = self._pending_cost
        self._pending_cost = 0.0
        self._place = None
        self._began = now
        self._accepted = None
        self.has_progressed = self._has_item = self._settled = False

    def accepted(self, now: float) -> None:
        """A response was accepted as a stream."""
        self._signal(Signal.ACCEPTED)
        self._accepted = now

    def progressed(self, now: float, *, advanced: bool = True) -> None:
        """An item came: the attempt was worth its price.

        Args:
            now: When.
            advanced: Whether the stream is farther than it ever was. An item of a subscription, or
                of a stream that goes on, that does not say may be a greeting, and counts only if
                it comes when the connection has lived for ``initial_backoff``, or that lives on.
        """
        self._has_item = True
        lives = now - self._began >= self._config.initial_backoff
        may_be_greeting = not lives and (self.is_subscription or self.phase is Phase.STREAMING)
        self.has_progressed = self.has_progressed or advanced or not may_be_greeting
        if self.phase is not Phase.OPEN:  # else it may have to be thrown away
            self._settle()

    def committed(self) -> None:
        """An item was delivered, or will be in any case."""
        if self.phase is Phase.OPEN:
            self._signal(Signal.COMMITTED)
            self._settle()

    def due_in(self, now: float) -> float:
        """In how many seconds the budget pays for the attempt that the verdict asked for."""
        return 0.0 if self._place is None else self._budget.due_in(self._place, now)

    def gave_up_waiting(self) -> None:
        """The attempt that the verdict asked for will not be made."""
        if self._place is None:
            self._budget.give_back(self._pending_cost)
        else:
            self._budget.give_up(self._place, self._pending_cost)
            self._place = None
        self._pending_cost = 0.0

    def ended(self) -> None:
        """The stream is over, for a reason that is not for judgement. Idempotent."""
        self.gave_up_waiting()
        self._settle()
        self._signal(Signal.STOP)

    def _settle(self) -> None:
        """What the attempt has brought is kept: if that is progress, it was worth its price."""
        if self.has_progressed and not self._settled:
            self._settled = True
            if self._spent:
                self._budget.give_back(self._spent)
                self._spent = 0.0
            elif self.attempts == 1:
                self._budget.credit_success()

    # ---- what now ----------------------------------------------------------------------------

    def judge(self, facts: Facts, now: float) -> Verdict:
        """Judge an attempt that has ended."""
        verdict = self._judge(facts, now)
        if verdict.action is Action.STOP and (facts.error is None or facts.last):
            self._settle()  # a good end; what a bad one leaves behind proves nothing
        self._settled = True  # `ended` pays nothing back any more
        self._signal(verdict.action.value)
        return verdict

    def _judge(self, facts: Facts, now: float) -> Verdict:
        error = facts.error
        if not self._may_help(facts):
            return Verdict(Action.STOP, error=error)
        action, why_not = self._way(facts)
        why_not = why_not or facts.one_shot
        if why_not:
            return self._give_up(error, why_not)
        floor = self._count(error, now, kept=action is not Action.RETRY)
        limit = self._config.max_retries
        if 0 <= limit < self._failures:
            return self._give_up(error, f"gave up after max_retries={limit}")
        delay, why_not = self._delay(facts, floor)
        why_not = why_not or self._too_late(now + delay, facts)
        if why_not:
            return self._give_up(error, why_not)
        return self._pay(Verdict(action, delay, error, delay), facts, now)

    def _may_help(self, facts: Facts) -> bool:
        error = facts.error
        if self._mode == "never" or facts.last:
            return False
        if error is None:
            return self.is_subscription
        if self._mode == "event_source" and isinstance(error, StreamStatusError | NotAStreamError):
            return False
        if isinstance(error, StreamTimeoutError) and error.layer == "total":
            return False
        return error.is_retryable

    def _way(self, facts: Facts) -> tuple[Action, str]:
        """How to go on, or why not."""
        committed = self.phase in (Phase.STREAMING, Phase.RECONNECTING)
        resumes = self._mode != "before_first_item" and facts.can_resume
        if resumes and (committed or self.phase is Phase.OPEN):
            return Action.RESUME, ""
        if not committed:
            return Action.RETRY, ""
        if self.is_subscription:
            return Action.RESTART, ""
        if self._mode == "resume":
            return Action.STOP, "items were delivered, and the stream cannot go on from there"
        return Action.STOP, "items were delivered"

    def _count(self, error: StreamError | None, now: float, *, kept: bool) -> float:
        """Count a failure; return the shortest wait before the next attempt.

        Args:
            error: Why the attempt ended.
            now: When it did.
            kept: Whether what it has brought is the consumer's, or will be.
        """
        life = self._life(error, now)
        if self._counts_life:
            self._lived += life
        no_greeting = self._has_item and life >= self._config.initial_backoff
        progress = kept and (self.has_progressed or no_greeting)
        healthy = progress or self._lived >= _HEALTHY
        self._rotated = error is None and life >= self._config.initial_backoff
        if healthy:
            self._failures = 0
            self._lived = 0.0
            self._failing_since = now
            self._budget.give_back(self._spent)
            self._spent = 0.0
        self._failures += 1
        return max(0.0, self._config.initial_backoff - (now - self._began)) if healthy else 0.0

    @property
    def _counts_life(self) -> bool:
        """Whether it is worth something that a connection lives, though it brings nothing."""
        return self.is_subscription or self.phase in (Phase.STREAMING, Phase.RECONNECTING)

    def _life(self, error: StreamError | None, now: float) -> float:
        """For how long the attempt has shown life, in seconds."""
        if self._accepted is None:
            return 0.0
        silence = 0.0
        if isinstance(error, StreamTimeoutError) and error.layer == "idle":
            silence = self._config.idle_timeout or 0.0
        elif isinstance(error, StreamTimeoutError) and error.layer == "stall":
            silence = self._config.stall_timeout or 0.0
        return max(0.0, now - self._accepted - silence * _LATE)

    def _give_up(self, error: StreamError | None, why_not: str) -> Verdict:
        if error is not None:
            return Verdict(Action.STOP, error=error, why_not=why_not)
        # A subscription ends when the server says so, and the end of a body does not.
        error = StreamTruncatedError(f"the body ended, and there is no other attempt: {why_not}")
        return Verdict(Action.STOP, error=error)

    def _delay(self, facts: Facts, floor: float) -> tuple[float, str]:
        """The wait, or why there is none."""
        config = self._config
        if facts.retry is not None:
            floor = max(floor, facts.retry / 1000)
        elif self._mode == "event_source":
            floor = max(floor, config.initial_backoff)
        delay = self._backoff.wait(self._failures, self._random, floor)
        asked = facts.error.retry_after if facts.error is not None else None
        if asked is None or not asked > 0:  # the negation also passes over NaN
            return delay, ""
        cap = math.inf if config.max_retry_after is None else config.max_retry_after
        if asked > cap:
            if config.retry_after_over_cap == "give_up":
                why_not = (
                    f"the server asks to wait for {asked:g} s, "
                    f"longer than max_retry_after={cap:g} s"
                )
                return 0.0, why_not
            asked = cap
        return max(delay, min(cap, self._backoff.spread(asked, self._random))), ""

    def _too_late(self, when: float, facts: Facts) -> str:
        """Why an attempt at that time would come too late; ``""`` if it would not."""
        if when == math.inf:
            return "the wait would have no end"
        if when >= facts.total_end:
            return f"the next attempt would come after timeout={self._config.timeout} s"
        limit = self._config.max_retry_time
        if limit is not None and when - self._failing_since > limit:
            return f"gave up after max_retry_time={limit} s"
        return ""

    def _pay(self, verdict: Verdict, facts: Facts, now: float) -> Verdict:
        """Take the price of an attempt from the budget; wait longer, or stop, if it is empty."""
        error = verdict.error
        if self._rotated:
            return verdict
        if not facts.was_asked:  # what this attempt has paid was for nothing: it pays the next
            self._pending_cost = self._spent
            return verdict
        timed_out = error is not None and error.error_type is StreamErrorType.TIMEOUT
        cost = self._budget.cost(timed_out=timed_out)
        opening = self.phase in (Phase.CONNECTING, Phase.OPEN) and not self.is_subscription
        if opening and self._config.max_retries >= 0:
            if not self._budget.spend(cost, now):
                return self._give_up(error, _EMPTY)
        else:
            wait = self._budget.reserve(cost, now)
            if wait == math.inf:
                return self._give_up(error, _EMPTY)
            self._place = self._budget.place
            if wait > verdict.delay:
                why_not = self._too_late(now + wait, facts)
                if why_not:
                    self._budget.give_up(self._place, cost)
                    self._place = None
                    return self._give_up(error, f"{_EMPTY}, and {why_not}")
                verdict = attrs.evolve(verdict, delay=wait)
        self._pending_cost = cost
        return verdict

    def _signal(self, signal: Signal) -> None:
        self.phase = next_phase(self.phase, signal)
