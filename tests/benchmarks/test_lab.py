"""Candidates in processes of their own, a server in another, and what is made of their answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio

from benchmarks import reading, tasks
from benchmarks.answers import anthropic_answer, openai_chat_answer, text_of
from benchmarks.candidates import (
    CANDIDATES,
    MEMCPY,
    OURS_STOCK,
    RAW,
    Memcpy,
    Ours,
    RawTrio,
    stock,
)
from benchmarks.lab import Lab, Scale, WorkerError
from benchmarks.server import PER_SEND, STAMP, STAMPED, burst, event_of, in_chunk
from trio_stream.framing import SSEParser

NAMES = [RAW, OURS_STOCK]
READ = {"task": "read", "path": "burst/70", "count": 70, "kind": "events"}


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(Scale.SMOKE) as lab:
        lab.start(NAMES)
        yield lab


@pytest.mark.parametrize(
    "order",
    [
        READ,
        {**READ, "path": "burst/70/300"},
        {**READ, "path": "paced/3", "count": 3},
        {"task": "hold", "count": 3},
        {"task": "gather", "count": 3},
    ],
    ids=lambda order: order.get("path", order["task"]),
)
def test_candidates_are_asked_in_turns(lab: Lab, order: dict[str, object]) -> None:
    """Each candidate sees all events of each workload, and tells what it took for each round."""
    answers = lab.rounds(NAMES, order, 2, warm_up=False)

    assert list(answers) == NAMES
    for own in answers.values():
        assert len(own) == 2
        assert all(answer["cpu_ns"] > 0 and answer["peak"] > 1_000_000 for answer in own)


def test_delays_are_told(lab: Lab) -> None:
    """Latency and lateness are percentiles of what was seen, in order."""
    order = {"task": "latency", "streams": 3, "period_ms": 10, "seconds": 0.1}
    for answer in lab.rounds(NAMES, order, 1, warm_up=False).values():
        assert 0 < answer[0]["p50_ns"] <= answer[0]["p99_ns"]
        assert answer[0]["events"] >= 15
    order = {"task": "fairness", "path": "burst/640", "count": 640}
    for answer in lab.rounds(NAMES, order, 1, warm_up=False).values():
        assert 0 <= answer[0]["p50_ns"] <= answer[0]["p99_ns"] <= answer[0]["max_ns"]


def test_candidate_that_misses_events_is_no_candidate(lab: Lab) -> None:
    """A candidate that has not seen as many events as were asked for is told of."""
    for name in NAMES:
        with pytest.raises(WorkerError, match="70 events came of 71"):
            lab.rounds([name], {**READ, "count": 71}, 1, warm_up=False)


def test_candidate_that_is_not_installed_is_left_out(lab: Lab) -> None:
    """A candidate that is not here is noted with the reason, and the others are measured."""
    lab.notes["absent"] = "there is no absent"

    assert list(lab.rounds(["absent", RAW], READ, 1, warm_up=False)) == [RAW]


def test_report_has_all_candidates(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A benchmark makes a row and a figure of CPU time for each candidate."""
    small = reading.Reading("burst", "About.", "burst", "events", NAMES, (9, 9, 9), (1, 1, 1))

    report = small(lab)

    assert [row[0] for row in report.tables[0].rows] == NAMES
    assert [each.who for each in report.figures if each.unit == "µs"] == NAMES


@pytest.mark.parametrize("kind", ["events", "typed"])
async def test_events_are_not_lost_on_the_way(lab: Lab, kind: tasks.Kind) -> None:
    """Ours counts every event, and as typed items, too."""
    httpx = __import__("httpx")
    ours = Ours(lambda: stock(httpx))

    answer = await tasks.read(ours, lab.url, "burst/65", 65, kind)

    assert answer["cpu_ns"] > 0


@pytest.mark.parametrize("path", ["anthropic/20", "anthropic/20/tools", "openai/20/tools"])
async def test_messages_are_assembled(lab: Lab, path: str) -> None:
    """Ours makes the message of the stream that the server plays for the SDKs."""
    ours = Ours(lambda: stock(__import__("httpx")))

    assert await tasks.assemble(ours, lab.url, path, 20, 1)
    with pytest.raises(AssertionError, match="another text"):
        await tasks.assemble(ours, lab.url, path, 21, 1)


def test_sizes_are_exact() -> None:
    """An event has the size that was asked for, and a send holds no more than it should."""
    for size in (64, 1000, 500_000):
        event = event_of(size)
        assert len(event) == size
        assert len(SSEParser().feed(event)) == 1
        assert len(burst(1000, size)) in {len(in_chunk(event)) * n for n in range(1, PER_SEND + 1)}


def test_stamp_is_found() -> None:
    """The time that the server writes into an event is found there, in events and in raw bytes."""
    event = STAMPED % 1234567890123
    (parsed,) = SSEParser().feed(event)
    ours = Ours(lambda: stock(__import__("httpx")))

    assert int(parsed.data[STAMP]) == 1234567890123
    assert ours.stamp(parsed) == RawTrio().stamp(in_chunk(event)) == 1234567890123
    assert RawTrio().stamp(in_chunk(event)[:20]) == 0


def test_copy_is_a_copy() -> None:
    """The limit of memory copies as many bytes as the server would send."""
    url = "http://x/burst/1000/5000"

    assert trio.run(Memcpy().read, None, url, "events") == 1000
    assert MEMCPY in CANDIDATES


@pytest.mark.parametrize("answer", [anthropic_answer, openai_chat_answer])
def test_answers_have_their_text(answer: object) -> None:
    """What is expected of an answer is in it, with a tool call and without."""
    assert callable(answer)
    word = text_of(5).split(" ")[1]

    plain, called = answer(5, with_tools=False), answer(5, with_tools=True)

    assert word.encode() in plain
    assert b"call_1" in called
    assert b"call_1" not in plain
