"""The model of a server that can be resumed."""

from __future__ import annotations

import itertools
import random
from typing import Any

import httpx
import pytest
import trio
import trio.testing

from trio_stream.framing import SSEParser
from trio_stream.testing import (
    CutAt,
    CutEvent,
    Duplicate,
    Event,
    Fault,
    Feed,
    Goodbye,
    Head,
    Instead,
    Plan,
    Refuse,
    Reset,
    Send,
    SplitEvery,
    Stall,
    Step,
    Truncate,
    Wait,
    faulty_in_turn,
    memory_client,
)

HEAD = Head()


def event(number: int) -> Event:
    return Event(str(number), id=str(number))


def events(*numbers: int) -> list[Step]:
    return [HEAD, *(event(number) for number in numbers)]


@pytest.mark.parametrize(
    ("feed", "position", "script"),
    [
        (Feed(3), None, events(1, 2, 3)),
        (Feed(3), "1", events(2, 3)),
        (Feed(3), "3", events()),
        (Feed(3), "4", events(1, 2, 3)),
        (Feed(3), "01", events(1, 2, 3)),
        (Feed(3), "x", events(1, 2, 3)),
        (Feed(3), "9" * 5000, events(1, 2, 3)),
        (Feed(3), "", events(1, 2, 3)),
        (Feed(3, overlap=1), "2", events(2, 3)),
        (Feed(3, overlap=2), "1", events(1, 2, 3)),
        (Feed(3, per_answer=2), None, events(1, 2)),
        (Feed(3, per_answer=2), "2", events(3)),
        (Feed(3, per_answer=2, overlap=1), "2", events(2, 3)),
        (Feed(3, at_end="204"), "2", events(3)),
        (Feed(3, at_end="204", overlap=1), "3", [Head(204)]),
        (Feed(3, at_end="open"), "2", [*events(3), Stall()]),
        (Feed(3, at_end="open", per_answer=1), "1", events(2)),
        (Feed(3, every=5), "1", [HEAD, event(2), Wait(5), event(3)]),
        (Feed([Event("a", id="x"), Event("b", id="y")]), "x", [HEAD, Event("b", id="y")]),
        (Feed([Event("a", id="x"), Event("b", id="y")]), "1",
         [HEAD, Event("a", id="x"), Event("b", id="y")]),
        (Feed([Event("a", id="x")], at_end="204"), "x", [Head(204)]),
        (Feed(2, make=lambda n: Send(b"%d\n" % n), head=Head(content_type="x/y")), "1",
         [Head(content_type="x/y"), Send(b"2\n")]),
        (Feed(0), None, events()),
    ],
)  # fmt: skip
def test_answer_to_a_position(feed: Feed, position: str | None, script: list[Step]) -> None:
    """A request is served what follows the event that it names, or everything."""
    assert list(feed.answer(position)) == script


def test_feed_without_an_end() -> None:
    """A feed of which no one says how long it is goes on from anywhere, for ever."""
    assert list(itertools.islice(Feed().answer("1000"), 3)) == events(1001, 1002)


async def test_requests_are_answered_and_recorded() -> None:
    """The position is the Last-Event-ID, in UTF-8, or what the caller finds in the request."""
    feed = Feed([Event("a", id="☃"), Event("b", id="y")])
    async with memory_client(feed) as (client, server):
        await client.get(server.url)
        response = await client.get(server.url, headers={"Last-Event-ID": "☃".encode()})
    assert response.text == "id: y\ndata: b\n\n"
    assert feed.asked == [None, "☃"]

    feed = Feed(2, position=lambda request: request.query.partition("=")[2])
    async with memory_client(feed) as (client, server):
        assert (await client.get(f"{server.url}?after=1")).text == "id: 2\ndata: 2\n\n"
    assert feed.asked == ["1"]


async def collect(client: Any, url: str, count: int) -> list[int]:
    """The simplest client that resumes, without any judgement."""
    numbers: list[int] = []
    position = ""
    while len(numbers) < count:
        parser = SSEParser()
        try:
            async with client.stream("GET", url, headers={"Last-Event-ID": position}) as response:
                async for data in response.aiter_bytes():
                    for each in parser.feed(data):
                        if int(each.data) not in numbers:
                            numbers.append(int(each.data))
                            position = each.id
        except httpx.TransportError:
            pass
    return numbers


FAULTS = [
    lambda rng: CutAt(rng.randrange(200), rng.choice(["close", "reset", "end"])),
    lambda rng: CutEvent(rng.randrange(1, 9), rng.choice(["close", "reset", "end"])),
    lambda rng: Duplicate(rng.randrange(1, 9), rng.randrange(3)),
    lambda rng: Goodbye(rng.randrange(9)),
    lambda rng: SplitEvery(rng.randrange(1, 5), every=rng.choice([0, 1])),
    lambda rng: Instead(rng.choice([Refuse(), Reset(), Truncate()])),
]


@pytest.mark.parametrize("seed", range(20))
def test_random_faults_lose_nothing(seed: int) -> None:
    """Whatever goes wrong on the way, who resumes gets every event, once and in order."""
    rng = random.Random(seed)

    def faults(_number: int) -> list[Fault]:
        return [rng.choice(FAULTS)(rng) for _ in range(rng.randrange(3))]

    async def main() -> None:
        framing: Any = rng.choice(["chunked", "close"])
        feed = Feed(30, head=Head(framing=framing), overlap=rng.randrange(3), per_answer=9)
        plan: Plan = faulty_in_turn(feed, faults)
        async with memory_client(plan) as (client, server):
            assert await collect(client, server.url, 30) == [*range(1, 31)]
        assert len(feed.asked) > 3

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_feed_that_never_gets_farther_is_refused() -> None:
    """An overlap that eats up each answer is a mistake, and is told where it is made."""
    with pytest.raises(ValueError, match="per_answer must be more than overlap"):
        Feed(9, per_answer=2, overlap=2)
