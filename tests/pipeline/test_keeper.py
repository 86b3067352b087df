"""Acknowledged positions, and the store that keeps them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.pipeline.worlds import Letters
from trio_stream.checkpoints import FileCheckpoints, MemoryCheckpoints
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError
from trio_stream.framing import SSE
from trio_stream.outcome import Ending
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Event,
    Feed,
    Head,
    Ping,
    Plan,
    Reset,
    Send,
    Stall,
    assert_no_leaks,
    memory_client,
    serve,
)

KEY = "http://memory.test"
CUT = [Event("a", id="1"), Reset()]


class Slow(MemoryCheckpoints):
    """Takes a second for each save, and tells of them."""

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[str] = []

    async def save(self, key: str, position: str) -> None:
        await trio.sleep(1)
        self.saved.append(position)
        await super().save(key, position)


class Broken(MemoryCheckpoints):
    """Cannot save."""

    async def save(self, key: str, position: str) -> None:
        await trio.lowlevel.checkpoint()
        raise OSError("disk full")


async def read(plan: Plan, store: Any, count: int = 1000, **options: Any) -> list[str]:
    """The data of so many items; the stream is left behind the last of them."""
    data: list[str] = []
    async with assert_no_leaks(), memory_client(plan) as (client, server):
        options.setdefault("checkpoints", store)
        async with open_stream("GET", server.url, client=client, **options) as rx:
            async for event in rx:
                data.append(event.data)
                if len(data) == count:
                    break
    return data


async def test_next_item_acknowledges_the_last(autojump_clock: MockClock) -> None:
    """An item counts as processed when the next one is asked for."""
    store = MemoryCheckpoints()
    feed = Feed(5)
    assert await read(feed, store, 3) == ["1", "2", "3"]
    assert await store.load(KEY) == "2", "who breaks has not said that he is done with the third"
    assert await read(feed, store) == ["3", "4", "5"]
    assert await store.load(KEY) == "5"
    assert feed.asked == [None, "2"]


async def test_ack(autojump_clock: MockClock) -> None:
    """Who is done before asking for the next says so, and finds it kept."""
    store = MemoryCheckpoints()
    async with memory_client(Feed(5, at_end="open")) as (client, server):
        async with open_stream("GET", server.url, client=client, checkpoints=store) as rx:
            await rx.receive()
            await rx.receive()
            rx.ack()
            rx.ack()
            await rx.flush()
            assert await store.load(KEY) == "2"
        assert rx.outcome.acknowledged_id == "2"
        assert rx.outcome.last_event_id == "5", "which was received, and not delivered"


async def test_nothing_is_acknowledged_by_itself(autojump_clock: MockClock) -> None:
    """With ``auto_ack`` off, only the consumer acknowledges."""
    store = MemoryCheckpoints()
    config = StreamConfig(auto_ack=False)
    assert len(await read(Feed(5), store, config=config)) == 5
    assert await store.load(KEY) is None


async def test_ack_behind_the_end(autojump_clock: MockClock) -> None:
    """What is acknowledged when the stream has ended counts, in the outcome, too."""
    store = MemoryCheckpoints()
    outcomes: list[Any] = []
    config = StreamConfig(auto_ack=False, on_outcome=outcomes.append)
    for script, ending in (([Event("a", id="1")], Ending.COMPLETED), (CUT, Ending.FAILED)):
        async with (
            memory_client(script) as (client, server),
            open_stream("GET", server.url, client=client, checkpoints=store, config=config) as rx,
        ):
            with suppress(StreamError):
                async for _ in rx:
                    pass
            rx.ack()
        assert outcomes[-1] is rx.outcome
        assert rx.outcome.ending is ending
        assert rx.outcome.acknowledged_id == "1"
        if isinstance(rx.outcome.error, StreamError):
            assert rx.outcome.error.outcome is rx.outcome
        assert await store.load(KEY) == "1"
        await store.delete(KEY)


async def test_exception_does_not_acknowledge(autojump_clock: MockClock) -> None:
    """An item at which its consumer has failed comes again."""
    store = MemoryCheckpoints()
    feed = Feed(5)
    async with memory_client(feed) as (client, server):
        with suppress(ZeroDivisionError):
            async with open_stream("GET", server.url, client=client, checkpoints=store) as rx:
                async for event in rx:
                    assert 1 / (int(event.data) - 3)
    assert await read(feed, store) == ["3", "4", "5"]


async def test_block_of_an_id_is_acknowledged(autojump_clock: MockClock) -> None:
    """A position behind the last item counts when everything before was processed."""
    store = MemoryCheckpoints()
    await read([Event("a", id="1"), Send(b"id: 7\n\n")], store)
    assert await store.load(KEY) == "7"


async def test_position_that_cannot_be_asked_for(autojump_clock: MockClock) -> None:
    """An event ID that no request can have is not kept: the next process could not begin."""
    store = MemoryCheckpoints()
    plan = [[Event("a", id="1"), Send(b"id: a\x01b\ndata: b\n\n")], [Event("b", id="2")]]
    assert await read(plan[:1], store) == ["a", "b"]
    assert await store.load(KEY) == "1"
    assert await read(plan[1:], store) == ["b"], "it comes again"
    assert await store.load(KEY) == "2"


async def test_events_of_one_id(autojump_clock: MockClock) -> None:
    """A position is reached behind the last event that has it."""
    store = MemoryCheckpoints()
    events = [Event("a", id="1"), Event("b", id="7"), Event("c", id="7"), Event("d", id="8")]
    plan = [Send(b"".join(piece for event in events for piece in event.pieces())), Stall()]
    await read(plan, store, 3)
    assert await store.load(KEY) == "1"
    assert await read(plan, store, 3) == ["b", "c", "d"]
    assert await store.load(KEY) == "7"


async def test_comments_do_not_stand_in_the_way(autojump_clock: MockClock) -> None:
    """A comment has no position, and is an item to be dealt with all the same."""
    store = MemoryCheckpoints()
    plan = [Event("a", id="1"), Ping(), Event("b", id="2"), Stall()]
    framing = SSE(comments=True)
    async with (
        memory_client(plan) as (client, server),
        open_stream("GET", server.url, client=client, checkpoints=store, framing=framing) as rx,
    ):
        for kept in (None, "1", "1"):
            await rx.receive()
            await rx.flush()
            assert await store.load(KEY) == kept
        rx.ack()
        await rx.flush()
        assert await store.load(KEY) == "2"


async def test_resume_in_one_process_and_another(autojump_clock: MockClock) -> None:
    """A connection goes on behind what was received, a process behind what was acknowledged."""
    store = MemoryCheckpoints()
    plan = [[Event("1", id="1"), Event("2", id="2"), Reset()], [Event("3", id="3"), Stall()]]
    async with (
        memory_client(plan) as (client, server),
        open_stream("GET", server.url, client=client, checkpoints=store, reconnect="resume") as rx,
    ):
        await rx.receive()
        await trio.sleep(10)
        assert [request.headers.get("last-event-id") for request in server.requests] == [
            None,
            "2",
        ]
        assert (await rx.receive()).data == "2"
    assert await store.load(KEY) == "1"


async def test_item_that_comes_again_after_a_restart(autojump_clock: MockClock) -> None:
    """A server that goes on with the acknowledged item itself does not make it come twice."""
    store = MemoryCheckpoints()
    feed = Feed(5, overlap=1)
    await read(feed, store, 3)
    assert await read(feed, store) == ["3", "4", "5"]


async def test_keys(autojump_clock: MockClock) -> None:
    """The key is that of the caller, or the URL without what is secret."""
    store = MemoryCheckpoints()
    async with memory_client(Feed(1)) as (client, server):
        for url, options in (
            (f"{server.url}/feed?topic=1", {"checkpoint_key": "mine"}),
            ("http://user:secret@memory.test/feed#x", {}),
        ):
            async with open_stream("GET", url, client=client, checkpoints=store, **options) as rx:
                await rx.result()
    assert dict(store.positions) == {"http://memory.test/feed": "1", "mine": "1"}


@pytest.mark.parametrize(
    ("url", "params"),
    [
        ("http://memory.test/feed?topic=1", None),
        ("http://memory.test/", {"topic": "1"}),
        ("/feed", None),
    ],
)
async def test_url_that_is_no_key(url: str, params: Any) -> None:
    """Streams that a URL does not tell apart must not share a position: the caller names them."""
    with pytest.raises(ValueError, match="checkpoint_key"):
        open_stream("GET", url, params=params, checkpoints=MemoryCheckpoints())
    with pytest.raises(ValueError, match="no checkpoints"):
        open_stream("GET", url, params=params, checkpoint_key="mine")


async def test_position_that_is_kept_goes_first(autojump_clock: MockClock) -> None:
    """The position of the caller is for the first time only."""
    store = MemoryCheckpoints()
    feed = Feed(5)
    for _ in range(2):
        await read(feed, store, last_event_id="2")
    assert feed.asked == ["2", "5"]


@pytest.mark.parametrize("kept", [0, 42, b"1"])
async def test_store_with_no_text(kept: Any, autojump_clock: MockClock) -> None:
    """A store that takes a number for a position is told so by its name, before any request."""

    class Numbers(MemoryCheckpoints):
        async def load(self, key: str) -> Any:
            return kept

    feed = Feed(5)
    with pytest.raises(TypeError, match=f"Numbers.load returned {kept!r}, which is neither"):
        await read(feed, Numbers())
    assert feed.asked == []


async def test_saving_takes_its_time(autojump_clock: MockClock) -> None:
    """The consumer does not wait for the store, and not each position is saved."""
    store = Slow()
    start = trio.current_time()
    async with memory_client(Feed(100)) as (client, server):
        async with open_stream("GET", server.url, client=client, checkpoints=store) as rx:
            assert len([event async for event in rx]) == 100
            assert trio.current_time() == start
        assert trio.current_time() - start <= 2
    assert store.saved[-1] == "100"
    assert len(store.saved) <= 2


async def test_store_that_is_stuck(autojump_clock: MockClock) -> None:
    """Leaving waits for the store, but not for ever, and says so."""

    class Stuck(MemoryCheckpoints):
        async def save(self, key: str, position: str) -> None:
            await trio.sleep_forever()

    start = trio.current_time()
    with pytest.raises(TimeoutError, match="saving the position"):
        await read(Feed(2), Stuck())
    assert trio.current_time() - start == 2


@pytest.mark.parametrize("count", [2, 1000])
async def test_store_that_fails(autojump_clock: MockClock, count: int) -> None:
    """What the store raises ends the stream, as it is: nobody goes on without being kept."""
    outcomes: list[Any] = []
    config = StreamConfig(on_outcome=outcomes.append)
    feed = Feed(None, every=1)
    with pytest.raises(OSError, match="disk full"):
        await read(feed, Broken(), count, config=config)
    [outcome] = outcomes
    assert outcome.ending in (Ending.FAILED, Ending.CLOSED)


async def test_store_that_cannot_be_read(autojump_clock: MockClock) -> None:
    """Without its position, a stream is not opened."""

    class Unreadable(MemoryCheckpoints):
        async def load(self, key: str) -> str | None:
            await trio.lowlevel.checkpoint()
            raise OSError("no such device")

    feed = Feed(5)
    with pytest.raises(OSError, match="no such device"):
        await read(feed, Unreadable())
    assert feed.asked == []


async def acknowledge_one(store: Any, then: Callable[[Any], Awaitable[object]]) -> None:
    """Acknowledge the first item of a stream, and do something more."""
    async with (
        memory_client([Event("a", id="1"), Stall()]) as (client, server),
        open_stream("GET", server.url, client=client, checkpoints=store) as rx,
    ):
        await rx.receive()
        rx.ack()
        await then(rx)


async def test_ctrl_c_while_saving(autojump_clock: MockClock) -> None:
    """Ctrl-C that comes while the last position is saved leaves, and the outcome is told first."""

    class Interrupted(MemoryCheckpoints):
        async def save(self, key: str, position: str) -> None:
            await super().save(key, position)
            if position == "2":
                raise KeyboardInterrupt

    outcomes: list[Any] = []
    config = StreamConfig(on_outcome=outcomes.append, auto_ack=False)
    options: dict[str, Any] = {"checkpoints": Interrupted(), "config": config}

    async def leave_behind_the_second(client: Any, url: str) -> None:
        async with open_stream("GET", url, client=client, **options) as rx:
            await rx.receive()
            await rx.receive()
            rx.ack()

    async with assert_no_leaks(), memory_client(Feed(3)) as (client, server):
        with pytest.raises(KeyboardInterrupt):
            await leave_behind_the_second(client, server.url)
    assert [each.ending for each in outcomes] == [Ending.CLOSED]


async def test_flush_that_fails(autojump_clock: MockClock) -> None:
    """Who asks for the position to be kept is told that it is not."""
    with pytest.raises(OSError, match="disk full"):
        await acknowledge_one(Broken(), lambda rx: rx.flush())


async def test_failing_store_does_not_hide_the_error(autojump_clock: MockClock) -> None:
    """An exception of the consumer leaves the block as it is; the store's is a note on it."""
    mistake = ValueError("mine")

    async def fail(rx: Any) -> None:
        raise mistake

    with pytest.raises(ValueError, match="mine") as caught:
        await acknowledge_one(Broken(), fail)
    assert caught.value is mistake
    assert mistake.__notes__ == ["checkpoints then raised OSError('disk full')"]


async def test_dialect_needs_a_cursor() -> None:
    """The events of a dialect have no position unless somebody reads it."""
    with pytest.raises(ValueError, match="cursor"):
        open_stream(
            "POST", "http://memory.test", dialect=Letters(), checkpoints=MemoryCheckpoints()
        )


async def test_without_a_store(autojump_clock: MockClock) -> None:
    """There is nothing to flush, and what is acknowledged is in the outcome."""
    async with memory_client(Feed(3)) as (client, server):
        async with open_stream("GET", server.url, client=client, reconnect="resume") as rx:
            await rx.receive()
            await rx.receive()
            await rx.flush()
        assert rx.outcome.acknowledged_id == "1"
        async with open_stream("GET", server.url, client=client) as rx:
            await rx.result()
            rx.ack()
            await rx.flush()
        assert rx.outcome.acknowledged_id == ""
        assert rx.outcome.last_event_id == "3"


async def test_file(tmp_path: Any) -> None:
    """The same with a file, over a socket."""
    feed = Feed(5)
    data: list[str] = []
    async with serve(feed) as server:
        for _ in range(3):
            store = FileCheckpoints(tmp_path / "state.json")
            async with open_stream("GET", server.url, checkpoints=store) as rx:
                async for event in rx:
                    data.append(event.data)
                    rx.ack()
                    if len(data) % 2 == 0:
                        break
    assert data == ["1", "2", "3", "4", "5"]


async def test_kept_position_before_the_first_item(autojump_clock: MockClock) -> None:
    """An attempt that is repeated begins where the store says."""
    store = MemoryCheckpoints()
    await store.save(KEY, "2")
    plan = [[Head(503)], [Reset()], [Event("3", id="3")]]
    async with memory_client(plan) as (client, server):
        async with open_stream(
            "GET", server.url, client=client, checkpoints=store, reconnect="before_first_item"
        ) as rx:
            assert [event.data async for event in rx] == ["3"]
        asked = [request.headers["Last-Event-ID"] for request in server.requests]
    assert asked == ["2", "2", "2"]
    assert await store.load(KEY) == "3"
