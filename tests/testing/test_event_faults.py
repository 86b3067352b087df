"""Faults of events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.testing.wires import exchange
from trio_stream.testing import (
    BadChunk,
    CutEvent,
    Duplicate,
    End,
    Event,
    Fault,
    Goodbye,
    Head,
    Insert,
    Instead,
    Late,
    Lose,
    Ping,
    Raw,
    Refuse,
    Reset,
    Script,
    Send,
    Shuffle,
    Step,
    Swap,
    Truncate,
    Wait,
    faulty,
    memory_client,
)

A, B, C, D = (Event(letter, id=letter) for letter in "abcd")
HEAD = Head(framing="close")
CLOSING = Head(headers={"connection": "close"})
ERROR = Event("overloaded", event="error")


@pytest.mark.parametrize(
    ("fault", "script", "worse"),
    [
        (Duplicate(1), [HEAD, A, B], [HEAD, A, A, B]),
        (Duplicate(1, later=2), [A, B, Ping(), C, D], [A, B, Ping(), C, A, D]),
        (Duplicate(3), [A, B], [A, B]),
        (Duplicate(2, later=1), [A, B], [A, B]),
        (Swap(1, 2), [HEAD, A, B, C], [HEAD, B, A, C]),
        (Swap(3, 1), [A, Wait(1), B, C, D], [C, Wait(1), B, A, D]),
        (Swap(2, 3), [A, B, Wait(1)], [A, B, Wait(1)]),
        (Swap(2, 2), [A, B, C], [A, B, C]),
        (Lose(2), [A, B, C], [A, C]),
        (Lose(4), [A, B, C], [A, B, C]),
        (CutEvent(2), [A, B, C], [A, Send(b"id: b\nd"), Reset()]),
        (CutEvent(2, "close"), [A, B, C], [A, Truncate(b"id: b\nd")]),
        (CutEvent(2, "end"), [A, B, C], [A, Send(b"id: b\nd"), End()]),
        (CutEvent(4), [A, B, C], [A, B, C]),
        (Insert(1, ERROR), [HEAD, A, B], [HEAD, A, ERROR, B]),
        (Insert(0, [Ping(), Wait(5)]), [HEAD, A, B], [HEAD, Ping(), Wait(5), A, B]),
        (Insert(0, Ping()), [], [Ping()]),
        (Insert(2, Ping()), [A, B], [A, B, Ping()]),
        (Insert(3, Ping()), [A, B], [A, B]),
        (Goodbye(1), [A, B], [CLOSING, A, End()]),
        (Goodbye(1), [HEAD, A, Wait(9), B],
         [Head(framing="close", headers={"connection": "close"}), A, End()]),
        (Goodbye(9), [A, B], [CLOSING, A, B, End()]),
        (Goodbye(), [A, B], [CLOSING, End()]),
        (Goodbye(), [Wait(1), Head(503), Wait(2), A],
         [Wait(1), Head(503, headers={"connection": "close"}), End()]),
        (Goodbye(1), [End({"x": "y"})], [CLOSING, End({"x": "y"}), End()]),
        (Goodbye(), [BadChunk()], [CLOSING, End()]),
        (Goodbye(1), [Raw(b"HTTP/1.1 200 OK\r\n\r\n"), A],
         [Raw(b"HTTP/1.1 200 OK\r\n\r\n"), A, End()]),
        (Goodbye(1), [Truncate(), A], [Truncate(), CLOSING, A, End()]),
        (Goodbye(), [Head(103), Head(), A], [Head(103), CLOSING, End()]),
        (Late(5), [A], [Wait(5), A]),
        (Instead(Refuse()), [A], [Refuse()]),
        (Instead([HEAD, B]), [A], [HEAD, B]),
    ],
)  # fmt: skip
def test_fault_makes_a_worse_script(fault: Fault, script: Script, worse: list[Step]) -> None:
    """A fault is a function from script to script, and does what it says to its event."""
    assert fault(script) == worse


def test_shuffle_changes_the_order_alone() -> None:
    """Shuffled events are all there, each in its window, and the rest of the script stands."""
    events = [Event(str(number)) for number in range(20)]
    script = [HEAD, *events[:5], Ping(), *events[5:]]
    shuffled = Shuffle(7, window=8)(script)

    assert [step for step in shuffled if not isinstance(step, Event)] == [HEAD, Ping()]
    assert [shuffled.index(HEAD), shuffled.index(Ping())] == [0, 6]
    order = [int(step.data) for step in shuffled if isinstance(step, Event)]
    assert order != sorted(order)
    assert [sorted(order[start : start + 8]) for start in (0, 8, 16)] == [
        [*range(8)], [*range(8, 16)], [*range(16, 20)]
    ]  # fmt: skip
    assert Shuffle(7)(script) == shuffled
    assert Shuffle(8)(script) != shuffled


def test_faults_compose_in_any_order() -> None:
    """Each fault works on what the one before it has made."""
    assert Lose(1)(Swap(1, 2)([A, B])) == [A]
    assert Swap(1, 2)(Lose(1)([A, B])) == [B]
    assert Lose(1)(Lose(1)([A, B, C])) == [C]
    assert Duplicate(1)(CutEvent(2)([A, B])) == [A, A, Send(b"id: b\nd"), Reset()]


def test_endless_scripts_are_worked_on() -> None:
    """A fault of events takes no more of a script than it needs."""

    def endless() -> Iterator[Step]:
        while True:
            yield A

    faults = [Duplicate(2), Swap(1, 4), Lose(3), Shuffle(), Insert(5, Ping()), Late(1), Goodbye(9)]
    steps: Iterator[Step] = endless()
    for fault in faults:
        steps = fault.apply(steps)
    assert sum(isinstance(step, Event) for step in steps) == 9


async def test_goodbye_closes_in_good_order() -> None:
    """The client is told that the connection will close, gets a clean end, and finds it closed."""
    async with memory_client(faulty([A, B], Goodbye(1))) as (client, server):
        texts = [(await client.get(server.url)).text for _ in range(2)]
        await server.wait_disconnected()

    assert texts == ["id: a\ndata: a\n\n"] * 2
    assert server.connections == 2
    assert (await exchange(faulty([A], Goodbye(1)))).endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("fault", "arguments"), [(Duplicate, [0]), (Insert, [-1, A]), (Swap, [0, 1]), (Lose, [0])]
)
def test_impossible_numbers_are_refused(fault: Any, arguments: list[Any]) -> None:
    """Events are counted from 1, and who counts from 0 is told so."""
    with pytest.raises(ValueError, match="must be >="):
        fault(*arguments)
