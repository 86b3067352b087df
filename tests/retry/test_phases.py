"""The table of phases: what leads where, and what does not."""

from __future__ import annotations

import itertools

import pytest

from trio_stream.retry import TRANSITIONS, Phase, Signal, next_phase

BEFORE = {Phase.CONNECTING, Phase.OPEN, Phase.WAITING}
AFTER = {Phase.STREAMING, Phase.INTERRUPTED, Phase.RECONNECTING}
PAIRS = list(itertools.product(Phase, Signal))


def reachable(start: Phase) -> set[Phase]:
    found = {start}
    while True:
        more = {after for phase in found for after in TRANSITIONS[phase].values()}
        if more <= found:
            return found
        found |= more


def names(pair: tuple[Phase, Signal]) -> str:
    return f"{pair[0].value}-{pair[1].value}"


@pytest.mark.parametrize("pair", PAIRS, ids=names)
def test_signal_leads_where_the_table_says(pair: tuple[Phase, Signal]) -> None:
    """A signal leads to the phase of the table; one that is not there raises and names both."""
    phase, signal = pair

    if signal in TRANSITIONS[phase]:
        assert next_phase(phase, signal) is TRANSITIONS[phase][signal]
    else:
        with pytest.raises(ValueError, match=f"{phase.value} cannot be {signal.value}"):
            next_phase(phase, signal)


def test_every_phase_is_in_the_table() -> None:
    """The table has a row for each phase, and a stream can come to each."""
    assert set(TRANSITIONS) == set(Phase)
    assert reachable(Phase.CONNECTING) == set(Phase)


def test_every_signal_is_in_the_table() -> None:
    """There is no signal that leads nowhere from everywhere."""
    assert {signal for row in TRANSITIONS.values() for signal in row} == set(Signal)


def test_everything_can_be_stopped() -> None:
    """From every phase `STOP` leads to the end."""
    assert {row[Signal.STOP] for row in TRANSITIONS.values()} == {Phase.ENDED}


def test_end_is_the_end() -> None:
    """Nothing leads out of the end."""
    assert reachable(Phase.ENDED) == {Phase.ENDED}


def test_first_item_cannot_be_taken_back() -> None:
    """No way leads from the phases after the first item to those before it."""
    for phase in AFTER:
        assert reachable(phase) == AFTER | {Phase.ENDED}


def test_repeating_and_going_on_are_kept_apart() -> None:
    """An attempt is repeated before the first item only; a stream begins anew after it only."""
    can = {
        signal: {phase for phase in Phase if signal in TRANSITIONS[phase]}
        for signal in (Signal.RETRY, Signal.RESTART, Signal.RESUME)
    }

    assert can[Signal.RETRY] == {Phase.CONNECTING, Phase.OPEN}
    assert can[Signal.RESTART] == {Phase.STREAMING, Phase.RECONNECTING}
    assert can[Signal.RESUME] == {Phase.OPEN, Phase.STREAMING, Phase.RECONNECTING}


def test_committed_is_said_once() -> None:
    """Of all items, only the first one changes the phase."""
    assert [phase for phase in Phase if Signal.COMMITTED in TRANSITIONS[phase]] == [Phase.OPEN]


def test_table_is_read_only() -> None:
    """Nobody can add a row."""
    with pytest.raises(TypeError):
        TRANSITIONS[Phase.ENDED] = {}  # type: ignore[index]
