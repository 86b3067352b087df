"""How long to wait before the next attempt: exponential backoff with full jitter.

Marc Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015), has the comparison:
of the ways to spread clients out, drawing the whole wait at random makes the fewest requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import attrs

__all__ = ["Backoff"]

# Clients that were all told to wait for the same time are spread over this much more.
_SPREAD = 1.1


@final
@attrs.frozen(kw_only=True)
class Backoff:
    """The waits of a policy.

    Attributes:
        initial: The longest wait before the first retry, in seconds,
        multiplier: and how many times longer it is before each further one,
        maximum: up to this.
        jitter: Whether waits are drawn at random; if not, each is the longest one.
    """

    initial: float
    multiplier: float
    maximum: float
    jitter: bool

    def spread(self, wait: float, random: Callable[[], float]) -> float:
        """A wait that the server has asked for, and with jitter up to a tenth more.

        Args:
            wait: Seconds.
            random: Numbers from 0 to 1.
        """
        return wait * (1 + (_SPREAD - 1) * random()) if self.jitter else wait

    def longest(self, failures: int) -> float:
        """The longest wait after so many failures in a row, which are at least 1."""
        if not self.initial:
            return 0.0  # times infinity would be no number
        try:
            return min(self.maximum, self.initial * self.multiplier ** (failures - 1))
        except OverflowError:
            return self.maximum

    def wait(self, failures: int, random: Callable[[], float], floor: float = 0.0) -> float:
        """How long to wait.

        Args:
            failures: How many attempts in a row have failed; at least 1.
            random: Numbers from 0 to 1.
            floor: The shortest wait, in seconds, as the server has asked for it. At most
                `maximum` counts.
        """
        floor = min(floor, self.maximum)
        longest = max(floor, self.longest(failures))
        if not self.jitter:
            return longest
        longest = min(max(longest, floor * _SPREAD), self.maximum)
        return min(longest, floor + (longest - floor) * random())  # sums are rounded
