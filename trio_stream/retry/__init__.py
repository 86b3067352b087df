"""Judgement: whether to connect again, when, and from where. Sans-IO; time is an argument."""

from ._backoff import Backoff
from ._budget import RetryBudget
from ._cursor import (
    MAX_POSITION,
    BackfillMinutes,
    Cursor,
    LastEventID,
    RequestChanges,
    StartingAfter,
)
from ._phases import TRANSITIONS, Phase, Signal, next_phase
from ._recovery import Action, Facts, Reconnect, Recovery, Verdict

__all__ = [
    "MAX_POSITION",
    "TRANSITIONS",
    "Action",
    "BackfillMinutes",
    "Backoff",
    "Cursor",
    "Facts",
    "LastEventID",
    "Phase",
    "Reconnect",
    "Recovery",
    "RequestChanges",
    "RetryBudget",
    "Signal",
    "StartingAfter",
    "Verdict",
    "next_phase",
]
