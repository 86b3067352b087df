"""Faults over plans, and plans after one another."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import httpx
import pytest
import trio
import trio.testing

from tests.testing.wires import GET
from trio_stream.testing import (
    Busy,
    CutAt,
    CutEvent,
    Duplicate,
    End,
    Event,
    Fault,
    Goodbye,
    Head,
    Headers,
    Insert,
    Instead,
    Late,
    LineEnds,
    Lose,
    Pieces,
    Ping,
    Plan,
    Refuse,
    Request,
    Reset,
    Send,
    Shuffle,
    SplitAt,
    SplitCRLF,
    SplitEvery,
    Stall,
    StallAt,
    Step,
    Swap,
    Truncate,
    Wait,
    faulty,
    faulty_in_turn,
    first,
    memory_client,
    serve,
    serve_memory,
)
from trio_stream.testing._plan import start

ONE, TWO, THREE = Event("one"), Event("two"), Event("three")
BUSY_HEAD = Head(429, content_type="text/plain", length=4)


def request() -> Request:
    return Request("GET", "/", Headers(), [], b"", time=0.0, connection=1)


def taken(plan: Plan, count: int) -> list[list[Step]]:
    scripts = start(plan)
    return [list(scripts.take(request())) for _ in range(count)]


@pytest.mark.parametrize(
    ("plan", "scripts"),
    [
        (faulty([ONE, TWO], Lose(1)), [[TWO], [TWO]]),
        (faulty([ONE, TWO], Swap(1, 2), Lose(1)), [[ONE]]),
        (faulty([ONE, TWO], Lose(1), Swap(1, 2)), [[TWO]]),
        (faulty([ONE, TWO]), [[ONE, TWO]]),
        (faulty([[ONE, TWO], [THREE]], Lose(1)), [[TWO], [], []]),
        (faulty(lambda request: [ONE, TWO], Lose(1)), [[TWO], [TWO]]),
        (faulty(lambda request: iter([ONE, TWO]), Lose(1)), [[TWO], [TWO]]),
        (faulty(faulty([ONE, TWO], Lose(1)), Lose(1)), [[]]),
        (faulty_in_turn([ONE, TWO], [Lose(1), None, [Lose(1), Lose(1)]]),
         [[TWO], [ONE, TWO], [], [ONE, TWO]]),
        (faulty_in_turn([ONE, TWO], [None], then=Lose(2)), [[ONE, TWO], [ONE], [ONE]]),
        (faulty_in_turn([ONE, TWO], Lose), [[TWO], [ONE], [ONE, TWO]]),
        (faulty_in_turn([[ONE], [TWO]], [Instead(THREE)]), [[THREE], [TWO]]),
        (faulty_in_turn([[ONE], [TWO]], [Instead(Refuse())]), [[Refuse()], [ONE], [TWO]]),
        (first([Reset(), [ONE]], then=[TWO]), [[Reset()], [ONE], [TWO], [TWO]]),
        (first([ONE], then=[[TWO], [THREE]]), [[ONE], [TWO], [THREE], [THREE]]),
        (first([Refuse()] * 0, then=ONE), [[ONE]]),
        (first([THREE], then=first([[TWO]], then=ONE)), [[THREE], [TWO], [ONE], [ONE]]),
        (faulty(first([[ONE, TWO]], then=THREE), Lose(1)), [[TWO], [], []]),
    ],
)  # fmt: skip
def test_scripts_of_a_plan(plan: Plan, scripts: list[list[Step]]) -> None:
    """Plans of all kinds combine, and each server follows them from their start."""
    assert taken(plan, len(scripts)) == scripts
    assert taken(plan, len(scripts)) == scripts


def test_refusals_take_their_turn() -> None:
    """A refused connection is one turn, whoever refuses it, and takes nothing from the plan."""
    scripts = start(
        faulty_in_turn([Refuse(), [ONE], [TWO]], [Instead(Refuse()), None, Lose(1), None])
    )

    assert [scripts.take_refusal() for _ in range(3)] == [True, True, False]
    assert [list(scripts.take(request())) for _ in range(2)] == [[], [TWO]]


def test_refusals_come_first() -> None:
    """Refusals before a plan are followed by those of the plan."""
    scripts = start(first([Refuse()], then=[Refuse(), [ONE]]))

    assert [scripts.take_refusal() for _ in range(3)] == [True, True, False]
    assert list(scripts.take(request())) == [ONE]


def test_callable_is_asked_once_in_each_turn() -> None:
    """A callable may throw dice: what it has said holds for the connection and the answer."""
    numbers: list[int] = []

    def choose(number: int) -> Any:
        numbers.append(number)
        return Lose(1) if number == 2 else Instead(Refuse())

    scripts = start(faulty_in_turn([ONE, TWO], choose))

    assert [scripts.take_refusal() for _ in range(2)] == [True, False]
    assert list(scripts.take(request())) == [TWO]
    assert numbers == [1, 2]


@pytest.mark.parametrize("world", ["memory", "socket"])
async def test_faults_over_both_worlds(world: str) -> None:
    """A flaky server over sockets and in memory: refused, busy, cut, and then whole."""
    plan = first([Refuse(), Busy(503)], then=faulty_in_turn([ONE, TWO], [CutAt(15)]))
    seen: list[object] = []

    async def ask(client: Any, url: str) -> None:
        for _ in range(4):
            try:
                seen.append((await client.get(url)).status_code)
            except httpx.TransportError as exc:
                seen.append(type(exc).__name__)

    if world == "memory":
        async with memory_client(plan) as (client, server):
            await ask(client, server.url)
    else:
        async with (
            serve(plan) as socket_server,
            httpx.AsyncClient(trust_env=False, verify=False) as client,
        ):
            await ask(client, socket_server.url)

    refused = "ConnectError" if world == "memory" else "RemoteProtocolError"
    assert seen == [refused, 503, "RemoteProtocolError", 200]


async def test_iterator_is_played_as_it_comes() -> None:
    """A callable may return an iterator that never ends, and is played until the client leaves."""

    def endless() -> Iterator[Step]:
        while True:
            yield ONE

    async with serve_memory(lambda request: endless()) as server:
        async with await server.connect() as connection:
            await connection.send_all(GET)
            received = b""
            while received.count(b"data: one\n\n") < 9:
                received += await connection.receive_some()
        await server.wait_disconnected()


@pytest.mark.parametrize("plan", [lambda request: iter([ONE, "two"]), faulty(lambda r: 3, Lose(1))])
async def test_wrong_script_is_an_error_of_the_test(plan: Plan) -> None:
    """What is no step is told where the server runs, however late it shows."""
    with pytest.RaisesGroup(TypeError, flatten_subgroups=True):
        async with memory_client(plan) as (client, server):
            await client.get(server.url)


HOW = ("close", "reset", "end")
FAULTS: list[Callable[[random.Random], Fault]] = [
    lambda rng: CutAt(rng.randrange(120), rng.choice(HOW)),
    lambda rng: StallAt(rng.randrange(120), rng.choice([0, 5, math.inf])),
    lambda rng: SplitAt([rng.randrange(120), rng.randrange(120)], every=rng.randrange(2)),
    lambda rng: SplitEvery(rng.randrange(1, 9), every=rng.randrange(2)),
    lambda rng: SplitCRLF(every=rng.randrange(2)),
    lambda rng: LineEnds(rng.choice(["\r\n", "\r"])),
    lambda rng: Duplicate(rng.randrange(1, 9), rng.randrange(4)),
    lambda rng: Swap(rng.randrange(1, 9), rng.randrange(1, 9)),
    lambda rng: Shuffle(rng.randrange(9), rng.randrange(1, 9)),
    lambda rng: Lose(rng.randrange(1, 9)),
    lambda rng: CutEvent(rng.randrange(1, 9), rng.choice(HOW)),
    lambda rng: Insert(rng.randrange(9), rng.choice([Ping(), Reset(), Stall(), [Wait(3), ONE]])),
    lambda rng: Goodbye(rng.randrange(9)),
    lambda rng: Late(rng.randrange(9)),
    lambda rng: Instead(rng.choice([Refuse(), Reset(), Truncate(), Busy(), [Head(), ONE]])),
]


def test_all_faults_compose_on_all_answers() -> None:
    """Whatever is laid over whatever, requests end as requests can, and nothing else fails."""

    async def main(rng: random.Random) -> None:
        head = Head(
            framing=rng.choice(["chunked", "length", "close"]), encoding=rng.choice([None, "gzip"])
        )
        step = [Event("x", id="1"), Event("y"), Ping(), Wait(2), Pieces(b"a\r\nb", size=2, every=1)]
        script = [head, *(rng.choice(step) for _ in range(rng.randrange(9)))]
        faults = [rng.choice(FAULTS)(rng) for _ in range(rng.randrange(1, 5))]
        async with memory_client(faulty(script, *faults), timeout=100) as (client, server):
            for _ in range(2):
                try:
                    await client.get(server.url)
                except httpx.RequestError:  # TransportError, or DecodingError of cut gzip
                    pass
            assert server.connections + server.refused > 0

    for seed in range(100):
        trio.run(main, random.Random(seed), clock=trio.testing.MockClock(autojump_threshold=0))


@pytest.mark.parametrize(
    ("busy", "headers"),
    [
        (Busy(), {}),
        (Busy(retry_after=5), {"retry-after": "5"}),
        (Busy(retry_after=0.25), {"retry-after": "0.25"}),
        (Busy(retry_after=1234567), {"retry-after": "1234567"}),
        (Busy(retry_after="soon"), {"retry-after": "soon"}),
        (Busy(retry_after=0.25, form="milliseconds"), {"retry-after-ms": "250"}),
        (Busy(retry_after=9.2, form="date"), {"retry-after": "Thu, 01 Jan 1970 00:01:10 GMT"}),
    ],
)
def test_busy_says_when_to_come_back(busy: Busy, headers: dict[str, str]) -> None:
    """Retry-After has the form that was asked for; a date is rounded up to the second."""
    assert dict(busy.headers(60.5)) == headers


@pytest.mark.parametrize(
    ("fault", "script"),
    [
        (CutAt(0), [BUSY_HEAD, Truncate()]),
        (CutAt(2), [BUSY_HEAD, Truncate(b"bu")]),
        (SplitEvery(3), [BUSY_HEAD, Send(b"bus"), Send(b"y")]),
        (Insert(0, Ping()), [BUSY_HEAD, Ping(), Send(b"busy")]),
        (Goodbye(1),
         [attrs.evolve(BUSY_HEAD, headers={"connection": "close"}), Send(b"busy"), End()]),
        (Lose(1), [BUSY_HEAD, Send(b"busy")]),
    ],
)  # fmt: skip
def test_busy_is_worked_on_like_any_answer(fault: Fault, script: list[Step]) -> None:
    """An answer in one step has a head and a body, which faults find."""
    assert fault(Busy()) == script
    assert list(start(faulty(Busy(), fault)).take(request())) == script


async def test_busy_is_a_whole_answer() -> None:
    """A busy server answers with status, header and body, and keeps the connection."""
    plan = first([Busy(retry_after=5), Truncate()], then=ONE)
    async with memory_client(plan) as (client, server):
        response = await client.get(server.url)
        assert server.open_connections == 1

    assert (response.status_code, response.text) == (429, "busy")
    assert response.headers["retry-after"] == "5"
