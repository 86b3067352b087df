"""A budget for retries that streams share.

Backoff bounds what one stream does to a server in trouble; a thousand streams that all back off are
still a thousand retries at once. So the streams of a client share a token bucket: a retry takes
tokens out, a retry that was worth it brings its own back, and time brings some. When it is empty,
a request that opens a stream fails at once, since its caller is there to be told, while a stream
that was open, a subscription, and one whose retries have no limit wait for their tokens: in a long
outage every one of them recovers, and the server sees no more than the bucket and its refill.

The numbers are those of the AWS SDKs (a bucket for 100 retries, a timeout costs two, a success
without a retry brings a fifth) and of tower (ten a second come by themselves).
"""

from __future__ import annotations

import math
from typing import final

__all__ = ["RetryBudget"]

_ANOTHER_CLOCK = 60.0
_NOTHING = 1e-6  # of a token: what is left of one by rounding


@final
class RetryBudget:
    """A token bucket. A token pays for one retry.

    Pass it to the streams that share it: ``StreamConfig(retry_budget=budget)``.

    Until ``t`` seconds after the first, the streams that share it have made at most ``capacity +
    per_second * t`` retries that led to nothing, and ``success_credit`` more for each stream that
    needed none. In any ``t`` seconds it is ``capacity + per_second * (t + w)``, where ``w`` is
    their longest wait: they pay when they begin to wait. When the server is well again, whoever
    waits has its tokens within ``streams / per_second`` seconds (times ``timeout_cost``, if all
    had timed out).

    Args:
        capacity: How many tokens it holds, and has in the beginning.
        per_second: How many come by themselves. 0: none.
        timeout_cost: What a retry after a timeout takes: the server has worked for it.
        success_credit: What a stream that needed no retry brings.
    """

    __slots__ = (
        "_capacity",
        "_gone",
        "_per_second",
        "_reserved",
        "_served",
        "_success_credit",
        "_timeout_cost",
        "_tokens",
        "_when",
        "__weakref__",
    )

    def __init__(
        self,
        capacity: float = 100.0,
        per_second: float = 10.0,
        *,
        timeout_cost: float = 2.0,
        success_credit: float = 0.2,
    ) -> None:
        for name, value in (
            ("capacity", capacity),
            ("per_second", per_second),
            ("timeout_cost", timeout_cost),
            ("success_credit", success_credit),
        ):
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be at least 0 and finite, got {value!r}")
        self._capacity = float(capacity)
        self._per_second = float(per_second)
        self._timeout_cost = float(timeout_cost)
        self._success_credit = float(success_credit)
        self._tokens = self._capacity
        # All that was ever reserved: who reserves stands at this place. Those who have left the row
        # since it was last empty, and the place up to which nobody waits.
        self._reserved = self._served = 0.0
        self._gone: list[tuple[float, float]] = []
        self._when = -math.inf

    def tokens(self, now: float) -> float:
        """How many tokens there are. Below 0: so many are owed to those who wait.

        Args:
            now: Seconds, on any clock. If it is a minute before the last one, it is another clock:
                each run of trio has its own.
        """
        if now > self._when > -math.inf:
            self._add((now - self._when) * self._per_second)
        if now > self._when or now < self._when - _ANOTHER_CLOCK:
            self._when = now
        return self._tokens

    def cost(self, *, timed_out: bool) -> float:
        """How many tokens a retry takes."""
        return self._timeout_cost if timed_out else 1.0

    def spend(self, cost: float, now: float) -> bool:
        """Take ``cost`` tokens if they are there; whether they were."""
        if self.tokens(now) < cost:
            return False
        self._tokens -= cost
        return True

    def reserve(self, cost: float, now: float) -> float:
        """Take ``cost`` tokens, also those that are yet to come.

        Returns:
            In how many seconds they will be there, behind those of everybody who has asked
            before; infinity, and nothing is taken, if they never will. It may be sooner, if others
            give theirs back: see `place` and `due_in`.
        """
        missing = cost - self.tokens(now)
        wait = 0.0
        if missing > 0:
            wait = missing / self._per_second if self._per_second else math.inf
        if wait < math.inf:
            self._tokens -= cost
            self._reserved += cost
        return wait

    @property
    def place(self) -> float:
        """The place in the row of the one who has reserved last."""
        return self._reserved

    def due_in(self, place: float, now: float) -> float:
        """In how many seconds the tokens of a place will be there; 0.0 if they are."""
        tokens = self.tokens(now)
        if tokens >= 0:  # nobody waits any more
            self._served = self._reserved
            self._gone.clear()
        if place <= self._served:
            return 0.0
        behind = self._reserved - place - sum(cost for where, cost in self._gone if where > place)
        missing = -tokens - behind
        if missing < _NOTHING or not self._per_second:
            return 0.0
        return missing / self._per_second

    def give_up(self, place: float, cost: float) -> None:
        """Put back the tokens of a place that is not wanted any more.

        Those behind it are due sooner, those before it are not.
        """
        self._add(cost)
        if place > self._served:
            self._gone.append((place, cost))

    def give_back(self, cost: float) -> None:
        """Put tokens back: of a retry that was not made, or was worth it."""
        self._add(cost)

    def credit_success(self) -> None:
        """A stream needed no retry."""
        self._add(self._success_credit)

    def _add(self, tokens: float) -> None:
        self._tokens = min(self._capacity, self._tokens + tokens)
