"""The life of a stream over all its connections, as a table.

Theory of operation
-------------------

A stream is in one `Phase`, and a `Signal` leads it to the next. There are two rows of phases, for
there are two kinds of failure: as long as nothing was delivered, an attempt can be repeated and
nobody knows; from the first item on, a stream can only go on, begin anew with a word about it,
or end::

       ┌───────────────────── retry ─────────────────────┐
       ▼       ── waited ─▶                              │
    WAITING                  CONNECTING ── accepted ──▶ OPEN
               ◀─ retry ───                  ┌─ resume ──┤
                                             │           │ committed
                                             ▼           ▼
               ◀─ waited ──             resume,
  RECONNECTING             INTERRUPTED ◀─ restart ── STREAMING
       │       ─ resume, ─▶                              ▲
       │         restart                                 │
       └──────────────────── accepted ───────────────────┘

From everywhere ``stop`` leads to ENDED, from where nothing leads anywhere else. What is not in the
table is a mistake of ours, and raises.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

from ..outcome import Phase

__all__ = ["TRANSITIONS", "Phase", "Signal", "next_phase"]


class Signal(enum.Enum):
    """What happens to a stream."""

    ACCEPTED = "accepted"
    """A response was accepted as a stream."""
    COMMITTED = "committed"
    """An item was delivered, or will be in any case: from here on nothing can be taken back."""
    RETRY = "retry"
    """An attempt failed, and is repeated as if it had never been."""
    RESUME = "resume"
    """A connection ended, and the next one goes on where it stopped."""
    RESTART = "restart"
    """A connection ended, and the next one begins anew."""
    WAITED = "waited"
    """The wait before the next attempt is over."""
    STOP = "stop"
    """It is over, whatever the reason."""


_WAIT = {Signal.RESUME: Phase.INTERRUPTED, Signal.RESTART: Phase.INTERRUPTED}
_STOP = {Signal.STOP: Phase.ENDED}

TRANSITIONS: Mapping[Phase, Mapping[Signal, Phase]] = MappingProxyType(
    {
        Phase.CONNECTING: {Signal.ACCEPTED: Phase.OPEN, Signal.RETRY: Phase.WAITING} | _STOP,
        # Resumed from here: nothing was delivered yet, but what was received is kept.
        Phase.OPEN: {
            Signal.COMMITTED: Phase.STREAMING,
            Signal.RETRY: Phase.WAITING,
            Signal.RESUME: Phase.INTERRUPTED,
        }
        | _STOP,
        Phase.WAITING: {Signal.WAITED: Phase.CONNECTING} | _STOP,
        Phase.STREAMING: _WAIT | _STOP,
        Phase.INTERRUPTED: {Signal.WAITED: Phase.RECONNECTING} | _STOP,
        Phase.RECONNECTING: {Signal.ACCEPTED: Phase.STREAMING} | _WAIT | _STOP,
        Phase.ENDED: _STOP,
    }
)
"""Which signal leads from which phase to which."""


def next_phase(phase: Phase, signal: Signal) -> Phase:
    """Return the phase that ``signal`` leads to.

    Raises:
        ValueError: It leads nowhere.
    """
    try:
        return TRANSITIONS[phase][signal]
    except KeyError:
        raise ValueError(f"a stream that is {phase.value} cannot be {signal.value}") from None
