"""How long to wait: exponential, full jitter, a floor, a cap; whatever the numbers."""

from __future__ import annotations

import math
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.retry.lives import draws, longest
from trio_stream.retry import Backoff

times = st.floats(min_value=0, max_value=1e308) | st.sampled_from([0.0, 5e-324, 1.0, 64.0])
policies = st.builds(
    Backoff,
    initial=times,
    multiplier=st.floats(min_value=1, max_value=math.inf),
    maximum=times,
    jitter=st.booleans(),
)
failures = st.integers(min_value=1, max_value=10**6) | st.sampled_from([1, 2, 10**6, 10**9])
randoms = st.floats(min_value=0, max_value=1)


def usual(*, jitter: bool = True) -> Backoff:
    return Backoff(initial=1.0, multiplier=2.0, maximum=64.0, jitter=jitter)


def least() -> float:
    return 0.0


def test_longest_wait_doubles_up_to_the_cap() -> None:
    """The longest wait is multiplied for each failure in a row, up to the maximum."""
    waits = [usual().longest(failures) for failures in range(1, 10)]

    assert waits == [1, 2, 4, 8, 16, 32, 64, 64, 64]


def test_without_jitter_each_wait_is_the_longest() -> None:
    """Jitter off: no random number is asked for."""

    def never() -> float:
        raise AssertionError

    assert [usual(jitter=False).wait(failures, never) for failures in (1, 2, 9)] == [1, 2, 64]


def test_jitter_is_full() -> None:
    """A wait is drawn between nothing and the longest, not near the longest."""
    assert usual().wait(4, least) == 0
    assert usual().wait(4, lambda: 0.25) == 2
    assert usual().wait(4, longest) == 8


def test_mean_wait_is_half_of_the_longest() -> None:
    """Over many draws, a wait takes half as long as the longest one."""
    draw = draws(4)

    assert mean(usual().wait(7, draw) for _ in range(4000)) == pytest.approx(32, rel=0.05)


def test_floor_is_the_shortest_wait() -> None:
    """What the server asks for is waited for, whatever is drawn."""
    assert usual().wait(4, least, 3.0) == 3
    assert usual().wait(4, longest, 3.0) == 8
    assert usual(jitter=False).wait(1, longest, 3.0) == 3


def test_floor_above_the_longest_wait_is_spread() -> None:
    """Clients that were told to wait for the same time do not come back at the same moment."""
    assert usual().wait(1, least, 10.0) == 10
    assert usual().wait(1, longest, 10.0) == pytest.approx(11)


def test_floor_is_clamped() -> None:
    """No more than the maximum is waited for, though the server asks for it."""
    assert usual().wait(1, least, 86400.0) == 64
    assert usual().wait(1, longest, 86400.0) == 64
    assert usual(jitter=False).wait(1, longest, 86400.0) == 64


def test_no_first_wait_is_never_any_wait() -> None:
    """An initial backoff of 0 stays 0, however often and by whatever it is multiplied."""
    for multiplier in (1.0, 2.0, 1e308, math.inf):
        none = Backoff(initial=0.0, multiplier=multiplier, maximum=64.0, jitter=True)

        assert [none.longest(failures) for failures in (1, 2, 3, 10**6)] == [0, 0, 0, 0]


def test_cap_of_nothing_is_no_wait() -> None:
    """A maximum of 0 allows no wait at all, not even one that the server asks for."""
    none = Backoff(initial=1.0, multiplier=2.0, maximum=0.0, jitter=True)

    assert none.wait(5, longest, 30.0) == 0


@pytest.mark.parametrize("multiplier", [1e308, math.inf, 2.0])
def test_numbers_beyond_floats_are_the_cap(multiplier: float) -> None:
    """A power that no float can hold is more than the maximum, and no error."""
    huge = Backoff(initial=1.0, multiplier=multiplier, maximum=64.0, jitter=False)

    assert huge.wait(10**6, longest) == 64


@given(policies, failures, randoms, times)
def test_wait_is_between_floor_and_cap(
    policy: Backoff, failures: int, drawn: float, floor: float
) -> None:
    """Whatever the figures, a wait is a number from the floor (clamped) to the maximum."""
    wait = policy.wait(failures, lambda: drawn, floor)

    assert min(floor, policy.maximum) <= wait <= policy.maximum


@given(policies, st.integers(min_value=1, max_value=3000), randoms)
def test_waits_never_get_shorter(policy: Backoff, failures: int, drawn: float) -> None:
    """The same draw after one failure more is no shorter."""
    assert policy.wait(failures, lambda: drawn) <= policy.wait(failures + 1, lambda: drawn)
