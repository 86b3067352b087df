"""`trio-stream tail` that connects again, and goes on where another process stopped."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import trio

from tests.cli.commands import Running, run
from trio_stream.testing import Busy, Event, Feed, Head, Reset, Stall, Truncate, Until, first, serve


def data(lines: list[str]) -> list[str]:
    return [json.loads(line)["data"] for line in lines]


async def test_reconnect() -> None:
    """A stream that breaks is asked for again, behind the last event, until there is no more."""
    feed = Feed(5, at_end="204")
    plan = first([[Event(1, id="1", retry=1), Event(2, id="2", retry=1), Reset()]], then=feed)
    async with serve(plan) as server:
        done = await run("tail", server.url, "--reconnect")
    assert data(done.lines) == [1, 2, 3, 4, 5]
    assert done.code == 0
    assert done.last_word.startswith("trio-stream: complete · 5 items · ")
    assert done.last_word.endswith(" · 3 requests")
    assert "again in" in done.err
    assert feed.asked == ["2", "5"]


async def test_without_reconnect() -> None:
    """If it is not asked to, it is not connected again."""
    async with serve([[Event("one", id="1"), Reset()], [Event("two", id="2")]]) as server:
        done = await run("tail", server.url)
        assert len(server.requests) == 1
    assert done.code == 1


async def test_last_event_id() -> None:
    """It goes on behind the event that it is told."""
    feed = Feed(5)
    async with serve(feed) as server:
        done = await run("tail", server.url, "--last-event-id", "3")
    assert data(done.lines) == [4, 5]


async def test_new_beginning() -> None:
    """A stream without event IDs begins anew, and stderr says so."""
    plan = [[Event("a", retry=1), Truncate()], [Event("b", retry=1), Truncate()], [Head(204)]]
    async with serve(plan) as server:
        done = await run("tail", server.url, "--reconnect")
    assert data(done.lines) == ["a", "b"]
    assert done.err.count("new beginning") == 1
    assert done.last_word.startswith("trio-stream: complete · 2 items · ")


async def test_post() -> None:
    """What may be done twice is not sent again after something has come of it."""
    plan = [Busy(503, retry_after=0.01), [Event("a", id="1"), Reset()], [Event("b", id="2")]]
    async with serve(plan) as server:
        done = await run("tail", server.url, "--reconnect", "-d", "{}")
        assert len(server.requests) == 2
    assert data(done.lines) == ["a"]
    assert done.code == 1
    assert "not retried: items were delivered" in done.err


async def test_max_retries() -> None:
    """After so many failures in a row it gives up, and says so."""
    async with serve([Busy(503, retry_after=0.01)]) as server:
        done = await run("tail", server.url, "--reconnect", "--max-retries", "2")
        assert len(server.requests) == 3
    assert done.code == 1
    assert "gave up after max_retries=2" in done.err


async def test_killed(tmp_path: Path) -> None:
    """A process that is killed between two events is followed by one that goes on behind them."""
    state = tmp_path / "state.json"
    gate = trio.Event()
    script = [*[Event(n, id=str(n)) for n in (1, 2, 3)], Until(gate)]
    feed = Feed(5)
    async with serve(first([script], then=feed)) as server:
        tail = await Running.start("tail", server.url, "--state", str(state))
        await tail.read_until(b'"data":3')
        with trio.fail_after(20):
            # The file is another process's: there is no event to wait for.
            while not state.exists() or '"3"' not in state.read_text():  # noqa: ASYNC110
                await trio.sleep(0.01)
        tail.signal(signal.SIGKILL)
        assert (await tail.end()).code == -signal.SIGKILL
        gate.set()
        done = await run("tail", server.url, "--state", str(state), "--last-event-id", "1")
    assert feed.asked == ["3"]
    assert data(done.lines) == [4, 5]


async def test_max_items_with_a_state(tmp_path: Path) -> None:
    """What was printed is done; what was only received is not."""
    state = str(tmp_path / "state.json")
    async with serve(Feed(5)) as server:
        lines = []
        for _ in range(3):
            done = await run("tail", server.url, "--state", state, "--max-items", "2")
            assert done.code == 0
            lines += done.lines
    assert data(lines) == [1, 2, 3, 4, 5]


async def test_state_of_a_stream_without_positions(tmp_path: Path) -> None:
    """If there was nothing to keep, that is said; if there was, it is not."""
    state = tmp_path / "state.json"
    for events, word in ((Feed(5), False), ([Event("one")], True)):
        async with serve(events) as server:
            done = await run("tail", server.url, "--text", "--state", str(state))
        assert done.code == 0
        assert ("no state to keep" in done.err) is word


@pytest.mark.parametrize("then", [[Stall()], []])
async def test_state_that_cannot_be_kept(then: list[Stall], tmp_path: Path) -> None:
    """A file that cannot be written is a failure, and told, also where the stream is complete."""
    async with serve([Event("one", id="1"), *then]) as server:
        done = await run("tail", server.url, "--state", str(tmp_path / "no" / "state.json"))
    assert done.code == 1
    assert "cannot keep the state in" in done.err
    assert "Traceback" not in done.err


async def test_state_of_requests_with_bodies(tmp_path: Path) -> None:
    """Another body asks for another stream, which has a position of its own."""
    state = str(tmp_path / "state.json")
    async with serve(Feed(2)) as server:
        for body, lines in (("one", 2), ("two", 2), ("one", 0)):
            done = await run("tail", server.url, "-d", body, "--state", state)
            assert (done.code, len(done.lines)) == (0, lines)


async def test_method_in_small_letters() -> None:
    """``-X get`` is a GET: it may be asked for again after something has come."""
    async with serve(Feed(2, per_answer=1, at_end="204")) as server:
        done = await run("tail", server.url, "--reconnect", "-X", "get")
    assert (done.code, data(done.lines)) == (0, [1, 2])


async def test_state_that_is_something_else(tmp_path: Path) -> None:
    """A file that is no state is left as it is."""
    file = tmp_path / "notes.txt"
    file.write_text("my notes")
    async with serve([Event("one", id="1")]) as server:
        done = await run("tail", server.url, "--state", str(file))
    assert done.code == 2
    assert "notes.txt" in done.err
    assert "Traceback" not in done.err
    assert file.read_text() == "my notes"


async def test_wrong_usage(tmp_path: Path) -> None:
    """Options that do not go together are refused."""
    for options in (
        ["--max-retries", "3"],
        ["--raw", "--state", str(tmp_path / "s")],
        ["--last-event-id", "1\n2"],
    ):
        done = await run("tail", "http://localhost", *options)
        assert done.code == 2
