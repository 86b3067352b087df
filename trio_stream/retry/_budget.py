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

    __slots__ = ("_capacity", "_per_second", "_success_credit", "_timeout_cost", "_tokens", "_when")

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
        self._when = -math.inf

    def tokens(self, now: float) -> float:
        """How many tokens there are. Below 0: so many are owed to those who wait.

        Args:
            now: Seconds, on any clock that is always the same one.
        """
        if now > self._when:
            if self._when > -math.inf:
                self._add((now - self._when) * self._per_second)
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
            before; infinity, and nothing is taken, if they never will.
        """
        missing = cost - self.tokens(now)
        wait = 0.0
        if missing > 0:
            wait = missing / self._per_second if self._per_second else math.inf
        if wait < math.inf:
            self._tokens -= cost
        return wait

    def give_back(self, cost: float) -> None:
        """Put tokens back: of a retry that was not made, or was worth it."""
        self._add(cost)

    def credit_success(self) -> None:
        """A stream needed no retry."""
        self._add(self._success_credit)

    def _add(self, tokens: float) -> None:
        self._tokens = min(self._capacity, self._tokens + tokens)
