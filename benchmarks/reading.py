"""From the socket to the consumer: CPU time of the client for an event or a message."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .answers import anthropic_answer, openai_chat_answer
from .candidates import (
    ANTHROPIC,
    BASE,
    CANDIDATES,
    MEMCPY,
    NODE,
    OPENAI,
    OURS,
    OURS_2,
    OURS_KEEPS_NONE,
    OURS_STOCK,
    OURS_STOCK_2,
    RAW,
    Kind,
)
from .lab import Lab
from .report import Figure, Report, Table
from .tables import cost_table, cpu_figures, left_out

__all__ = ["ALL", "READERS", "Reading", "assembled"]

_PARTIAL = (ANTHROPIC, OPENAI, OURS_KEEPS_NONE)
ALL = [name for name in [*CANDIDATES, NODE] if name not in _PARTIAL]
"""All that read streams, and the limits."""

READERS = [name for name in ALL if name not in (MEMCPY, RAW, "raw aiohttp")]
"""All that make events."""


@attrs.frozen
class Reading:
    """One stream, read to its end, again and again.

    Attributes:
        name: What the workload is called.
        about: What it is.
        path: What is asked of the server, without the count.
        kind: What the consumer is given.
        names: The candidates.
        counts: How many events, in a full, a quick and a smoke run.
        rounds: How many rounds, in the same.
    """

    name: str
    about: str
    path: str
    kind: Kind
    names: Sequence[str]
    counts: tuple[int, int, int]
    rounds: tuple[int, int, int]

    def __call__(self, lab: Lab) -> Report:
        """Measure."""
        count = lab.scale.pick(*self.counts)
        order = {
            "task": "read",
            "path": f"{self.path}/{count}",
            "count": count,
            "kind": self.kind,
        }
        rounds = lab.scale.pick(*self.rounds)
        answers = lab.rounds(self.names, order, rounds, warm_up=rounds > 1)
        bases = [RAW, BASE]
        figures = cpu_figures(answers, case=self.name, per="event", count=count, bases=bases)
        note = (
            f"{self.about} {count:,} events, {rounds} rounds. CPU time of the client for one event:"
            " the median, its quartiles, and the median of the ratios within a round: less is"
            f" better.{left_out(lab, self.names)}"
        )
        return Report([cost_table(self.name.capitalize(), note, figures, bases)], figures)


burst = Reading(
    "burst",
    "Events as fast as they go: 64 to a send, each in its own HTTP chunk. Only ours has a result,"
    " of the newest 10,000 events; `keeps none` is without it.",
    "burst",
    "events",
    [*ALL, OURS_KEEPS_NONE],
    (64 * 800, 64 * 100, 64),
    (9, 5, 1),
)

typed = Reading(
    "typed",
    "The same bytes as typed items: ours makes attrs classes of them, checked; the others call"
    " `json.loads` (Node: `JSON.parse`) and have whatever it is.",
    "burst",
    "typed",
    READERS,
    (64 * 200, 64 * 100, 64),
    (9, 5, 1),
)

paced = Reading(
    "paced",
    "One event to a read, as a language model sends them. Most of this is what the system and the"
    " event loop take to wait for a socket: see the raw ones.",
    "paced",
    "events",
    [name for name in ALL if name != MEMCPY],
    (1000, 500, 3),
    (7, 5, 1),
)


def assembled(lab: Lab) -> Report:
    """Measure whole messages over the wire, beside the official SDKs."""
    words, streams = lab.scale.pick((500, 2), (200, 2), (10, 1))
    rounds = lab.scale.pick(7, 5, 1)
    ours = [OURS, OURS_2, OURS_STOCK, OURS_STOCK_2]
    tables: list[Table] = []
    figures: list[Figure] = []
    for sdk in (ANTHROPIC, OPENAI):
        for kind, path in (("text", ""), ("text and a tool call", "/tools")):
            case = f"assembled, {sdk}, {kind}"
            order = {
                "task": "assemble",
                "path": f"{sdk}/{words}{path}",
                "words": words,
                "streams": streams,
            }
            answers = lab.rounds([*ours, sdk], order, rounds, warm_up=rounds > 1)
            events = _events(sdk, words, with_tools=bool(path)) * streams
            found = cpu_figures(answers, case=case, per="event", count=events, bases=[sdk])
            figures += found
            note = (
                f"Answers in the format of {sdk}'s API ({kind}), {events // streams:,} events"
                " each, 64 to a send, read item by item, and the message at the end. The SDK has"
                " the client that it makes itself and its helper that accumulates. CPU time of"
                f" the client for one event, {rounds} rounds: less is better."
                f"{left_out(lab, [sdk, *ours])}"
            )
            tables.append(cost_table(case.capitalize(), note, found, [sdk]))
    return Report(tables, figures)


def _events(sdk: str, words: int, *, with_tools: bool) -> int:
    answer = anthropic_answer if sdk == ANTHROPIC else openai_chat_answer
    return answer(words, with_tools=with_tools).count(b"\n\n")
