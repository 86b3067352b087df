"""`open_stream`: its arguments, its callbacks, its clients, and many of it at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.pipeline.worlds import FAMILIES, MEMORY, SOCKETS, WORLDS, Letters, World
from trio_stream.config import StreamConfig
from trio_stream.errors import (
    BadItemError,
    StreamError,
    StreamStatusError,
    StreamTruncatedError,
)
from trio_stream.framing import NDJSON, SSE, RawBytes, Record, ServerSentEvent
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Event,
    Head,
    Ping,
    Send,
    Stall,
    Step,
    Truncate,
    Wait,
    assert_no_leaks,
    closed_port,
    serve,
)

WORLD = MEMORY[0]
ABC = [Event("a"), Event("b"), Event("c")]


# ---- arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{"item": int}, {"framing": SSE()}])
def test_dialect_excludes_item_and_framing(more: dict[str, Any]) -> None:
    """A dialect brings its own items and framing: to give both is refused at once."""
    with pytest.raises(ValueError, match="dialect"):
        open_stream("GET", "http://x/", dialect=Letters(), **more)


def test_raw_bytes_are_no_items() -> None:
    """An item type for pieces of raw bytes is refused before anything is sent."""
    with pytest.raises(ValueError, match="raw bytes are no items"):
        open_stream("GET", "http://example.org", item=int, framing=RawBytes())


def test_bad_item_type_is_refused_at_once() -> None:
    """What cannot be an item type is told where it is written, not when the stream runs."""
    with pytest.raises(TypeError):
        open_stream("GET", "http://x/", item=7)


async def test_stream_is_opened_once(autojump_clock: MockClock) -> None:
    """What `open_stream` returns can be entered once; calling it sends nothing."""
    async with WORLD.serve(ABC) as (client, server):
        stream = open_stream("GET", server.url, client=client)
        await wait_all_tasks_blocked()
        assert server.requests == []
        async with stream as rx:
            await rx.result()
        with pytest.raises(RuntimeError, match="opened before"):
            async with stream:
                pass


async def test_request_is_the_caller_s(autojump_clock: MockClock) -> None:
    """Method, URL, query, headers and body go out as the client would send them."""
    async with WORLD.serve(ABC) as (client, server):
        async with open_stream(
            "POST",
            f"{server.url}/path",
            client=client,
            params={"q": "1"},
            headers={"X-Mine": "yes"},
            json={"stream": True},
            last_event_id="42",
        ) as rx:
            await rx.result()
        [request] = server.requests
    assert (request.method, request.path, request.query) == ("POST", "/path", "q=1")
    assert request.headers["x-mine"] == "yes"
    assert request.headers["last-event-id"] == "42"
    assert request.headers["content-type"] == "application/json"
    assert request.body == b'{"stream":true}'


@pytest.mark.parametrize(
    ("content_type", "body", "framing", "items"),
    [
        ("text/event-stream; charset=latin-1", b"data: x\n\n", None, [ServerSentEvent(data="x")]),
        ("application/x-ndjson", b"1\n2\n", None, [Record("1"), Record("2")]),
        ("application/json-seq", b"\x1e1\n\x1e2\n", None, [Record("1"), Record("2")]),
        ("text/plain", b"1\n2\n", NDJSON(), [Record("1"), Record("2")]),
        ("image/png", b"\x89PNG", RawBytes(), [b"\x89PNG"]),
    ],
)
async def test_framing_follows_the_content_type(
    autojump_clock: MockClock, content_type: str, body: bytes, framing: Any, items: list[Any]
) -> None:
    """The wire format is what the response says, or what the caller says."""
    script = [Head(content_type=content_type), Send(body)]
    async with (
        WORLD.serve(script) as (client, server),
        open_stream("GET", server.url, client=client, framing=framing) as rx,
    ):
        assert await rx.result() == items


async def test_items_are_typed(autojump_clock: MockClock) -> None:
    """With an item type the items are of it, by the name of the event if there are several."""

    @attrs.define
    class Pet:
        name: str

    script = [Event({"name": "Rex"}, event="pet"), Event(7, event="count"), Event("?", event="x")]
    async with WORLD.serve([script[:1], script]) as (client, server):
        async with open_stream("GET", server.url, client=client, item=Pet) as rx:
            assert await rx.result() == [Pet("Rex")]
        async with open_stream(
            "GET", server.url, client=client, item={"pet": Pet, "count": int}
        ) as rx:
            assert (await rx.result())[:2] == [Pet("Rex"), 7]
        assert rx.outcome.unknown_events == 1


# ---- callbacks -------------------------------------------------------------------------------


@attrs.define
class Diary:
    """Notes what is called, and can be told to raise."""

    raises: dict[str, BaseException] = attrs.Factory(dict)
    pages: list[tuple[Any, ...]] = attrs.Factory(list)

    def note(self, name: str) -> Callable[..., None]:
        def callback(*arguments: Any) -> None:
            self.pages.append((name, *arguments))
            if name in self.raises:
                raise self.raises[name]

        return callback

    def config(self, **more: Any) -> StreamConfig:
        names = ("on_connect", "on_disconnect", "on_error", "on_outcome")
        return StreamConfig(**{name: self.note(name) for name in names}, **more)

    @property
    def names(self) -> list[str]:
        return [name for name, *_ in self.pages]


async def test_callbacks_of_a_good_stream(autojump_clock: MockClock) -> None:
    """Connected, disconnected, outcome: each once, in this order."""
    diary = Diary()
    async with (
        WORLD.serve(ABC) as (client, server),
        open_stream("GET", server.url, client=client, config=diary.config()) as rx,
    ):
        assert diary.names == ["on_connect"]
        await rx.result()
        assert "on_outcome" not in diary.names  # not before everything is closed
    assert diary.pages == [("on_connect",), ("on_disconnect", None), ("on_outcome", rx.outcome)]


async def test_callbacks_of_a_bad_stream(autojump_clock: MockClock) -> None:
    """The error is told, too: once when the response is closed, and once when the stream ends."""
    diary = Diary()
    async with WORLD.serve([*ABC, Truncate()]) as (client, server):
        with pytest.raises(StreamTruncatedError) as caught:
            async with open_stream("GET", server.url, client=client, config=diary.config()) as rx:
                await rx.result()
    error = caught.value
    assert diary.pages == [
        ("on_connect",),
        ("on_disconnect", error),
        ("on_error", error),
        ("on_outcome", error.outcome),
    ]


async def test_callbacks_of_a_stream_that_never_was(autojump_clock: MockClock) -> None:
    """What is no stream was never connected; its error and its outcome are told."""
    diary = Diary()
    async with WORLD.serve(Head(500)) as (client, server):
        with pytest.raises(StreamStatusError) as caught:
            async with open_stream("GET", server.url, client=client, config=diary.config()):
                pass
    error = caught.value
    assert diary.pages == [("on_error", error), ("on_outcome", error.outcome)]


@pytest.mark.parametrize("name", ["on_connect", "on_disconnect", "on_error", "on_outcome"])
@pytest.mark.parametrize("end", ["complete", "truncated", "status", "break", "raise", "cancel"])
@pytest.mark.parametrize("make", [ValueError, lambda: ExceptionGroup("", [ValueError()])])
async def test_callback_that_raises(
    autojump_clock: MockClock, end: str, name: str, make: Callable[[], Exception]
) -> None:
    """What a callback raises comes out as it is, or as a note on what comes out in its stead."""
    mine, mistake = KeyError("mine"), make()
    diary = Diary({name: mistake})
    scripts: dict[str, list[Step]] = {
        "complete": list(ABC),
        "truncated": [*ABC, Truncate()],
        "status": [Head(500), Send(b"sorry")],
    }
    script = scripts.get(end, [*ABC, Stall()])
    raised: BaseException | None = None
    async with assert_no_leaks(), WORLD.serve([script, [Event("again")]]) as (client, server):
        with trio.CancelScope() as scope:
            try:
                async with open_stream(
                    "GET", server.url, client=client, config=diary.config()
                ) as rx:
                    if end == "cancel":
                        scope.cancel()
                    async for _ in rx:
                        if end == "break":
                            break
                        if end == "raise":
                            raise mine  # noqa: TRY301
            except (Exception, trio.Cancelled) as error:  # noqa: BLE001
                raised = error
        async with open_stream("GET", server.url, client=client) as again:
            assert len(await again.result()) == 1

    if name in diary.names:
        assert diary.names.count(name) == 1
        assert raised is not None
        assert raised is mistake or repr(mistake) in raised.__notes__[0]
        if name in ("on_connect", "on_error") or end in ("complete", "break"):
            assert raised is mistake
    assert diary.names.count("on_outcome") == 1
    if name == "on_disconnect" and end == "complete":
        [outcome] = [page[1] for page in diary.pages if page[0] == "on_outcome"]
        assert outcome.ending is Ending.COMPLETED  # the mistake is the application's


async def test_on_bad_item_that_raises(autojump_clock: MockClock) -> None:
    """What the callback for bad items raises comes in its place in the stream."""
    mistake = ZeroDivisionError()

    def on_bad_item(error: BadItemError) -> None:
        raise mistake

    async with WORLD.serve([Event("1"), Event("x"), Event("2"), Stall()]) as (client, server):
        got = []
        with pytest.raises(ZeroDivisionError) as caught:  # noqa: PT012
            async with open_stream(
                "GET",
                server.url,
                client=client,
                item=int,
                config=StreamConfig(on_bad_item=on_bad_item),
            ) as rx:
                async for item in rx:
                    got.append(item)  # noqa: PERF401
    assert caught.value is mistake
    assert got == [1]
    assert (rx.outcome.ending, rx.outcome.error) == (Ending.FAILED, mistake)


async def test_stuck_on_outcome(autojump_clock: MockClock) -> None:
    """An ``on_outcome`` hook that never returns costs two seconds, cancelled or not."""

    async def stuck(outcome: StreamOutcome[Any]) -> None:
        await trio.sleep_forever()

    config = StreamConfig(on_outcome=stuck)
    async with WORLD.serve([*ABC, Stall()]) as (client, server):
        start = trio.current_time()
        with pytest.raises(TimeoutError, match="on_outcome"):
            async with open_stream("GET", server.url, client=client, config=config):
                pass
        assert trio.current_time() == pytest.approx(start + 2)
        with trio.move_on_after(1) as scope:
            async with open_stream("GET", server.url, client=client, config=config):
                await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(start + 5)


async def test_callback_may_look_at_the_stream(autojump_clock: MockClock) -> None:
    """When the outcome is told, the receiver tells the same."""
    seen = []
    config = StreamConfig(on_outcome=lambda outcome: seen.append(rx.outcome is outcome))
    async with (
        WORLD.serve(ABC) as (client, server),
        open_stream("GET", server.url, client=client, config=config) as rx,
    ):
        await rx.result()
    assert seen == [True]


# ---- clients ---------------------------------------------------------------------------------


async def test_own_client_is_closed() -> None:
    """Without a client there is one for this stream, whatever becomes of it."""
    async with assert_no_leaks(), serve([*ABC, Stall()]) as server:
        for leave_after in (0, 2):
            async with open_stream("GET", server.url) as rx:
                for _ in range(leave_after):
                    await rx.receive()

        async def stay() -> None:
            async with open_stream("GET", server.url):
                await trio.sleep_forever()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(stay)
            await server.wait_requests(3)
            nursery.cancel_scope.cancel()
        with closed_port() as url, pytest.raises(StreamError):
            async with open_stream("GET", url):
                pass
        await server.wait_disconnected()
        assert [request.connection for request in server.requests] == [1, 2, 3]


async def test_own_client_does_not_wait_for_the_end_of_the_body() -> None:
    """A connection that nobody will use again is not read to its end."""
    async with serve([Event("a"), Event("."), Stall()]) as server:
        async with open_stream("GET", server.url, dialect=Letters()) as rx:
            await rx.result()
            left_at = trio.current_time()
        # Nothing here but the time that the drain would take.
        assert trio.current_time() - left_at < 10
        assert not rx.state.is_connected


# ---- many at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_nested_streams(world: World) -> None:
    """A stream inside a stream, and inside that one a third: each has its own ending."""

    async def main() -> None:
        async with (
            assert_no_leaks(),
            world.serve([*ABC, Stall()], max_connections=10) as (client, server),
        ):
            async with open_stream("GET", server.url, client=client) as one:
                await one.receive()
                async with open_stream("GET", server.url, client=client) as two:
                    await two.receive()
                    with trio.CancelScope() as scope:
                        async with open_stream("GET", server.url, client=client) as three:
                            await three.receive()
                            scope.cancel()
                            await one.receive()
                    assert (await one.receive()).data == "b"
                assert (await one.receive()).data == "c"
            endings = [rx.outcome.ending for rx in (one, two, three)]
            assert endings == [Ending.CLOSED, Ending.CLOSED, Ending.CANCELLED]

    world.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_two_streams_in_one_nursery(world: World) -> None:
    """A stream that fails beside another one leaves that one alone, if the caller does."""

    async def main() -> None:
        got: dict[str, list[str]] = {}

        async def read(client: Any, url: str) -> None:
            got[url[-1]] = []
            try:
                async with open_stream("GET", url, client=client) as rx:
                    async for item in rx:
                        got[url[-1]].append(item.data)
            except StreamTruncatedError:
                got[url[-1]].append("cut")

        async with (
            world.serve(
                lambda request: ABC if request.path == "/1" else [*ABC[:1], Truncate()],
                max_connections=10,
            ) as (client, server),
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(read, client, f"{server.url}/1")
            nursery.start_soon(read, client, f"{server.url}/2")
        assert got == {"1": ["a", "b", "c"], "2": ["a", "cut"]}

    world.run(main)


async def test_tasks_of_the_caller_end_with_their_own_nursery(autojump_clock: MockClock) -> None:
    """Tasks that the body starts are cancelled by an error in the loop, as anywhere else."""
    async with WORLD.serve([*ABC, Truncate()]) as (client, server):
        left = []

        async def linger() -> None:
            try:
                await trio.sleep_forever()
            finally:
                left.append("linger")

        with pytest.RaisesGroup(StreamTruncatedError):
            async with (
                open_stream("GET", server.url, client=client) as rx,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(linger)
                await rx.result()
        assert left == ["linger"]
        assert rx.outcome.ending is Ending.TRUNCATED


async def test_stream_in_a_cancelled_scope(autojump_clock: MockClock) -> None:
    """A stream that is opened in a cancelled scope has an outcome, and sends nothing."""
    outcomes: list[StreamOutcome[Any]] = []
    async with assert_no_leaks(), WORLD.serve(ABC) as (client, server):
        with trio.CancelScope() as scope:
            scope.cancel()
            config = StreamConfig(on_outcome=outcomes.append)
            async with open_stream("GET", server.url, client=client, config=config):
                raise AssertionError("unreachable")
        assert server.requests == []
    assert [outcome.ending for outcome in outcomes] == [Ending.CANCELLED]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_thousand_streams(family: str) -> None:
    """A thousand streams at once, over memory: each complete, nothing mixed up, nothing left."""

    async def main() -> None:
        world = World(f"memory {family}")
        whole = []

        async def read(client: Any, server: Any, number: int) -> None:
            url = f"{server.url}/{number}"
            async with open_stream("GET", url, client=client, dialect=Letters()) as rx:
                assert await rx.result() == [str(number), "."]
                whole.append(number)

        async with (
            assert_no_leaks(),
            world.serve(
                lambda request: [Event(request.path[1:]), Wait(1), Ping(), Wait(1), Event(".")],
                max_connections=1000,
            ) as (client, server),
            trio.open_nursery() as nursery,
        ):
            for number in range(1000):
                nursery.start_soon(read, client, server, number)
        assert sorted(whole) == list(range(1000))

    WORLD.run(main)


@pytest.mark.parametrize("world", SOCKETS, ids=lambda world: world.name)
def test_many_streams_cancelled_at_once(world: World) -> None:
    """A hundred streams over sockets, cancelled in one moment: no connection is left."""

    async def main() -> None:
        endings = []
        config = StreamConfig(on_outcome=lambda outcome: endings.append(outcome.ending))

        async def read(client: Any, server: Any) -> None:
            async with open_stream("GET", server.url, client=client, config=config) as rx:
                await rx.result()

        async with (
            assert_no_leaks(),
            world.serve([*ABC, Stall()], max_connections=100) as (client, server),
        ):
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    nursery.start_soon(read, client, server)
                await server.wait_requests(100)
                nursery.cancel_scope.cancel()
            await server.wait_disconnected()
            if world.is_ours:
                assert client._transport.statistics().connections == 0
            else:
                assert client._transport._pool.connections == []
        assert endings == [Ending.CANCELLED] * 100

    world.run(main)


# ---- the program around it -------------------------------------------------------------------

CTRL_C = """
import os, signal, sys, threading, time
import httpx, trio
from trio_stream import StreamConfig, open_stream
from trio_stream.testing import assert_no_leaks

# A shell that starts something in the background may have it ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
url, delay = sys.argv[1], float(sys.argv[2])
endings = []
caught = None

def interrupt():
    time.sleep(delay)
    os.kill(os.getpid(), signal.SIGINT)

async def read(client, config):
    async with open_stream("GET", url, client=client, config=config) as rx:
        async for event in rx:
            pass

async def main():
    global caught
    async with assert_no_leaks(), httpx.AsyncClient() as client:
        config = StreamConfig(on_outcome=lambda outcome: endings.append(outcome.ending.name))
        await read(client, config)  # connects, at which trio itself is not proof against Ctrl-C
        thread = threading.Thread(target=interrupt)
        try:
            thread.start()
            while True:
                await read(client, config)
        except KeyboardInterrupt as error:
            caught = error
        thread.join()

trio.run(main)
assert type(caught) is KeyboardInterrupt, caught
assert set(endings) <= {"COMPLETED", "CANCELLED"}, endings
print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT")
@pytest.mark.parametrize("delay", [0.01, 0.05, 0.1, 0.15, 0.2])
async def test_ctrl_c(delay: float) -> None:
    """Ctrl-C comes out bare, wherever it hits, and leaves nothing: also in a strict interpreter."""
    async with serve([each for _ in range(20) for each in (Event("x"), Wait(0.0001))]) as server:
        with trio.fail_after(60):
            answer = await trio.run_process(
                [sys.executable, "-c", CTRL_C, server.url, str(delay)],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**os.environ, "PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"},
            )
    assert (answer.stdout, answer.returncode) == (b"interrupted\n", 0), answer.stderr.decode()
