"""Which script answers which request."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from trio_stream.testing import Event, Headers, Refuse, Request, Reset, Step
from trio_stream.testing._plan import Plan, start

ONE, TWO = Event("one"), Event("two")


def request(target: str = "/") -> Request:
    return Request("GET", target, Headers(), [], b"", time=0.0, connection=1)


def taken(plan: Plan, count: int) -> list[Sequence[Step]]:
    scripts = start(plan)
    return [list(scripts.take(request())) for _ in range(count)]


@pytest.mark.parametrize(
    ("plan", "scripts"),
    [
        ([ONE, TWO], [[ONE, TWO], [ONE, TWO]]),
        (ONE, [[ONE], [ONE]]),
        ([], [[], []]),
        ([[]], [[], []]),
        ([[ONE], [TWO]], [[ONE], [TWO], [TWO]]),
        ([Reset(), [ONE, TWO]], [[Reset()], [ONE, TWO], [ONE, TWO]]),
        (([ONE], (TWO,)), [[ONE], [TWO]]),
    ],
)
def test_scripts_are_taken_in_order(plan: Plan, scripts: list[list[Step]]) -> None:
    """One script serves every request; of several, the last one serves all that are left."""
    assert taken(plan, len(scripts)) == scripts


def test_callable_is_given_the_request() -> None:
    """A callable chooses by the request, and may return a single step."""
    scripts = start(lambda request: ONE if request.path == "/one" else [TWO])

    assert list(scripts.take(request("/one?x=1"))) == [ONE]
    assert list(scripts.take(request("/two"))) == [TWO]


def test_refusal_uses_up_its_script() -> None:
    """A refused connection counts as the answer that its script was meant for."""
    scripts = start([Refuse(), [ONE]])

    assert scripts.take_refusal()
    assert not scripts.take_refusal()
    assert list(scripts.take(request())) == [ONE]


def test_callable_refuses_no_connection() -> None:
    """A callable is asked about requests, and before a connection there is none."""
    assert not start(lambda request: Refuse()).take_refusal()


def test_empty_script_refuses_no_connection() -> None:
    """A script without steps answers with an empty body."""
    assert not start([]).take_refusal()


def test_class_in_place_of_a_step_is_refused() -> None:
    """Who forgets the parentheses is told at once."""
    with pytest.raises(TypeError, match=r"Reset\(\), not Reset"):
        start(Reset)  # type: ignore[arg-type]


@pytest.mark.parametrize("plan", [[ONE, "two"], [[ONE], ["two"]], [[ONE], 2], "text"])
def test_what_is_no_step_is_refused(plan: Plan) -> None:
    """A script that holds anything but steps is refused when it is given, not when it plays."""
    with pytest.raises(TypeError, match="a script is a list of steps"):
        start(plan)
