"""The endings matrix: whatever happens to a stream, it has one ending, the right one.

Each row of the table is played in all worlds: both HTTP families, over sockets, with our transport
and the stock one, and over memory.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal
from zlib import crc32

import attrs
import pytest
import trio

from tests.pipeline.worlds import WORLDS, Call, Letters, World, is_free
from trio_stream.config import StreamConfig
from trio_stream.dialects import AnthropicMessages
from trio_stream.errors import (
    BadItemError,
    CorruptFrameError,
    InBandError,
    LimitExceededError,
    NotAStreamError,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.framing import NDJSON, SSE, Comment, EventStreamMessage, Record, ServerSentEvent
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import StreamReceiver, open_stream
from trio_stream.testing import (
    BadChunk,
    Event,
    Head,
    Ping,
    Raw,
    Refuse,
    Reset,
    Send,
    Stall,
    Step,
    Truncate,
    Wait,
    assert_no_leaks,
    closed_port,
    memory_client,
)

AB = (Event("a"), Event("b"))
ABC = (*AB, Event("c"))

Leave = Literal["break", "aclose", "raise", "cancel", "never iterate", "stay"]


@attrs.frozen(kw_only=True)
class Case:
    """A stream and its end.

    Attributes:
        script: What the server does; the times in it are those of the world.
        ending: The right one.
        error: The type of what leaves ``async with``; `None`: nothing does.
        facts: Attributes of that error.
        got: What the consumer gets before.
        value: What the outcome holds; left out: what the consumer got.
        config: Settings of the stream; the times in it are those of the world.
        options: Further arguments for `open_stream`.
        target: Whom to connect to.
        leave: What the consumer does when it has got all of ``got``.
        raises: What it raises.
    """

    script: Callable[[World], Sequence[Step]] = lambda world: ABC
    ending: Ending
    error: type[BaseException] | None = None
    facts: dict[str, Any] = attrs.Factory(dict)
    got: Sequence[Any] = ()
    value: Sequence[Any] | None = None
    config: dict[str, Any] = attrs.Factory(dict)
    options: dict[str, Any] = attrs.Factory(dict)
    target: Literal["server", "closed port", "nobody accepts"] = "server"
    leave: Leave = "stay"
    raises: Callable[[], BaseException] = ValueError


def script(*steps: Step) -> Callable[[World], Sequence[Step]]:
    return lambda world: steps


def status(code: int, kind: StreamErrorType, **facts: Any) -> Case:
    """An answer with an error status and a body."""
    headers = {"x-request-id": "r-1", "retry-after": "7"}
    head = Head(code, content_type="application/json", headers=headers)
    return Case(
        script=script(head, Send(b'{"error": 1}')),
        ending=Ending.FAILED,
        error=StreamStatusError,
        facts={
            "status_code": code,
            "error_type": kind,
            "response_body": '{"error": 1}',
            "request_id": "r-1",
            "retry_after": 7.0,
            **facts,
        },
    )


def not_a_stream(*steps: Step, **options: Any) -> Case:
    return Case(
        script=script(*steps),
        ending=Ending.FAILED,
        error=NotAStreamError,
        facts={"error_type": StreamErrorType.FATAL_ERROR, "is_retryable": False},
        options=options,
    )


def raising(make: Callable[[], BaseException], ending: Ending = Ending.CLOSED) -> Case:
    """A consumer that raises something of its own at the second item."""
    return Case(
        script=script(*ABC, Stall()),
        ending=ending,
        error=type(make()),
        got=["a", "b"],
        value=["a", "b", "c"],
        leave="raise",
        raises=make,
    )


def timed_out(layer: str, **more: Any) -> Case:
    facts = {"layer": layer, "error_type": StreamErrorType.TIMEOUT, "is_retryable": True}
    return Case(ending=Ending.TIMED_OUT, error=StreamTimeoutError, facts=facts, **more)


def truncated(*steps: Step, **more: Any) -> Case:
    return Case(
        script=script(*steps),
        ending=Ending.TRUNCATED,
        error=StreamTruncatedError,
        facts={"error_type": StreamErrorType.STREAM_INTERRUPTED, "is_retryable": True},
        got=["a", "b"],
        **more,
    )


def interrupted(*steps: Step, **more: Any) -> Case:
    return Case(
        script=script(*steps),
        ending=Ending.FAILED,
        error=StreamError,
        facts={"error_type": StreamErrorType.STREAM_INTERRUPTED, "is_retryable": True},
        got=["a", "b"],
        **more,
    )


COMPLETE = {"got": ["a", "b", "c"], "ending": Ending.COMPLETED}
UNCONNECTED = {"error_type": StreamErrorType.CONNECTION_ERROR, "is_retryable": True}

CASES = {
    # ---- it arrives whole
    "complete": Case(**COMPLETE),
    "complete: by length": Case(script=script(Head(framing="length"), *ABC), **COMPLETE),
    "complete: by the end of the connection": Case(
        script=script(Head(framing="close"), *ABC), **COMPLETE
    ),
    "complete: gzip": Case(script=script(Head(encoding="gzip"), *ABC), **COMPLETE),
    "complete: nothing": Case(script=script(), ending=Ending.COMPLETED),
    "complete: unterminated record": Case(
        script=script(Head(content_type="application/x-ndjson"), Send(b'"a"\n"b"\n"c"')),
        ending=Ending.COMPLETED,
        got=['"a"', '"b"', '"c"'],
    ),
    "complete: terminal event, then silence": Case(
        script=script(*AB, Event("."), Stall()),
        ending=Ending.COMPLETED,
        got=["a", "b", "."],
        options={"dialect": Letters()},
    ),
    "complete: terminal event, then a reset": Case(
        script=script(*AB, Event("."), Wait(0.02), Reset()),
        ending=Ending.COMPLETED,
        got=["a", "b", "."],
        options={"dialect": Letters()},
    ),
    # ---- it does not
    "truncated: no terminal event": truncated(*AB, options={"dialect": Letters()}),
    "truncated: FIN between chunks": truncated(*AB, Truncate()),
    "truncated: FIN mid-chunk": truncated(*AB, Truncate(b"data: c\n")),
    "truncated: FIN before the length": truncated(Head(length=99), *AB, Truncate()),
    "truncated: inside an event": truncated(*AB, Send(b"data: c\n")),
    "truncated: inside gzip": truncated(Head(encoding="gzip", framing="close"), *AB, Truncate()),
    "reset": interrupted(*AB, Wait(0.02), Reset()),
    "bad chunk": interrupted(*AB, BadChunk()),
    "not gzip": attrs.evolve(
        interrupted(Head(headers={"content-encoding": "gzip"}), *AB, Stall()), got=[]
    ),
    # ---- the watchdogs
    "idle": timed_out(
        "idle", script=script(*AB, Stall()), got=["a", "b"], config={"idle_timeout": 16}
    ),
    "idle: from the head on": timed_out(
        "idle", script=script(Head(), Stall()), config={"idle_timeout": 16}
    ),
    "stall with pings": timed_out(
        "stall",
        script=lambda world: [*AB, *[Ping(), Wait(world.seconds(3))] * 99],
        got=["a", "b"],
        config={"stall_timeout": 16, "idle_timeout": 14},
    ),
    "stall with pings that are items": timed_out(
        "stall",
        script=lambda world: [*AB, *[Ping("p"), Wait(world.seconds(3))] * 99],
        got=["a", "b"],
        config={"stall_timeout": 16, "idle_timeout": 14},
        options={"framing": SSE(comments=True)},
    ),
    "total": timed_out(
        "total",
        script=lambda world: [*AB, *[Ping(), Wait(world.seconds(3))] * 99],
        got=["a", "b"],
        config={"timeout": 16},
    ),
    "total: before the head": timed_out("total", script=script(Stall()), config={"timeout": 8}),
    "headers": timed_out("headers", script=script(Stall()), config={"headers_timeout": 8}),
    "headers: interim answers do not count": timed_out(
        "headers",
        script=lambda world: [Head(103), Wait(world.seconds(3))] * 99,
        config={"headers_timeout": 8},
    ),
    "connect": timed_out("connect", target="nobody accepts", config={"connect_timeout": 8}),
    "total: while connecting": timed_out("total", target="nobody accepts", config={"timeout": 8}),
    # ---- no response, or no stream
    "refused": Case(
        target="closed port", ending=Ending.FAILED, error=StreamError, facts=UNCONNECTED
    ),
    "hung up before the head": Case(
        script=script(Truncate()), ending=Ending.FAILED, error=StreamError, facts=UNCONNECTED
    ),
    "reset before the head": Case(
        script=script(Reset()), ending=Ending.FAILED, error=StreamError, facts=UNCONNECTED
    ),
    "no HTTP": Case(
        script=script(Raw(b"SSH-2.0-OpenSSH_9.2\r\n")),
        ending=Ending.FAILED,
        error=StreamError,
        facts=UNCONNECTED,
    ),
    "400": status(400, StreamErrorType.CLIENT_ERROR, is_retryable=False),
    "401": status(401, StreamErrorType.AUTHENTICATION_ERROR, is_retryable=False),
    "404": status(404, StreamErrorType.CLIENT_ERROR, is_retryable=False),
    "408": status(408, StreamErrorType.CLIENT_ERROR, is_retryable=True),
    "429": status(429, StreamErrorType.RATE_LIMITED, is_retryable=True),
    "500": status(500, StreamErrorType.SERVER_ERROR, is_retryable=True),
    "501": status(501, StreamErrorType.SERVER_ERROR, is_retryable=False),
    "529": status(529, StreamErrorType.SERVER_ERROR, is_retryable=True),
    "wrong type": not_a_stream(Head(content_type="text/html"), Send(b"<html>")),
    "wrong type, whoever asks": not_a_stream(
        Head(content_type="text/html"), Send(b"<html>"), framing=NDJSON()
    ),
    "no type": not_a_stream(Head(content_type=None), *ABC),
    "204": not_a_stream(Head(204)),
    "redirect": not_a_stream(Head(302, headers={"location": "/elsewhere"}, content_type=None)),
    "brotli": not_a_stream(Head(headers={"content-encoding": "br"}), *ABC),
    # ---- what came is bad
    "bad frame": Case(
        script=script(*AB, Send(b"data: " + b"x" * 99)),
        ending=Ending.FAILED,
        error=LimitExceededError,
        facts={"limit": "max_line_bytes", "is_retryable": False},
        got=["a", "b"],
        config={"max_line_bytes": 50},
    ),
    "bad frame: in one piece with good ones": Case(
        script=script(Send(b"data: a\n\ndata: b\n\ndata: " + b"x" * 99)),
        ending=Ending.FAILED,
        error=LimitExceededError,
        got=["a", "b"],
        config={"max_line_bytes": 50},
    ),
    "bad item": Case(
        script=script(Event("1"), Event("2"), Event("x"), Event("4"), Stall()),
        ending=Ending.FAILED,
        error=BadItemError,
        facts={"raw": b"x", "path": "$"},
        got=[1, 2],
        options={"item": int},
    ),
    "bad item: in one piece with good ones": Case(
        script=script(Send(b"data: 1\n\ndata: 2\n\ndata: x\n\ndata: 4\n\n"), Stall()),
        ending=Ending.FAILED,
        error=BadItemError,
        got=[1, 2],
        options={"item": int},
    ),
    "bad item: skipped": Case(
        script=script(Event("1"), Event("x"), Event("4")),
        ending=Ending.COMPLETED,
        got=[1, 4],
        options={"item": int},
        config={"on_bad_item": "skip"},
    ),
    "the stream reports an error": Case(
        script=script(*AB, Event("!"), Event("c"), Stall()),
        ending=Ending.FAILED,
        error=InBandError,
        facts={"status_code": 529, "kind": "overloaded_error"},
        got=["a", "b"],
        options={"dialect": Letters()},
    ),
    # ---- the consumer leaves
    "break": Case(
        script=script(*ABC, Stall()),
        ending=Ending.CLOSED,
        got=["a", "b"],
        value=["a", "b", "c"],
        leave="break",
    ),
    "break at the terminal event": Case(
        script=script(*AB, Event("."), Stall()),
        ending=Ending.COMPLETED,
        got=["a", "b", "."],
        leave="break",
        options={"dialect": Letters()},
    ),
    "break before the terminal event": Case(
        script=script(*AB, Event("."), Stall()),
        ending=Ending.CLOSED,
        got=["a", "b"],
        value=["a", "b", "."],
        leave="break",
        options={"dialect": Letters()},
    ),
    "break before a fault": Case(
        script=script(*ABC, Truncate()),
        ending=Ending.CLOSED,
        got=["a", "b"],
        value=["a", "b", "c"],
        leave="break",
    ),
    "break before a bad item": Case(
        script=script(Send(b"data: 1\n\ndata: 2\n\ndata: x\n\ndata: 4\n\n"), Event("5"), Stall()),
        ending=Ending.CLOSED,
        got=[1],
        value=[1, 2],
        leave="break",
        options={"item": int},
    ),
    "aclose": Case(
        script=script(*ABC, Stall()),
        ending=Ending.CLOSED,
        got=["a", "b"],
        value=["a", "b", "c"],
        leave="aclose",
    ),
    "never iterated": Case(
        script=script(*ABC, Stall()),
        ending=Ending.CLOSED,
        value=["a", "b", "c"],
        leave="never iterate",
    ),
    "never iterated, though complete": Case(
        ending=Ending.CLOSED, value=["a", "b", "c"], leave="never iterate"
    ),
    "raise": raising(ValueError),
    "raise: a group of one": raising(lambda: ExceptionGroup("mine", [ValueError()])),
    "raise: a group of two": raising(lambda: ExceptionGroup("mine", [ValueError(), KeyError()])),
    "raise: a group in a group": raising(
        lambda: BaseExceptionGroup("mine", [ExceptionGroup("inner", [OSError()]), SystemExit(1)])
    ),
    "raise: StopIteration": raising(StopIteration),
    "raise: StopAsyncIteration": raising(StopAsyncIteration),
    "raise: GeneratorExit": raising(GeneratorExit),
    "raise: EndOfChannel": raising(trio.EndOfChannel),
    "raise: an error of our tree": raising(StreamTruncatedError),
    "raise: KeyboardInterrupt": raising(KeyboardInterrupt, Ending.CANCELLED),
    "raise: SystemExit": raising(SystemExit, Ending.CANCELLED),
    "raise at the terminal event": Case(
        script=script(*AB, Event("."), Stall()),
        ending=Ending.COMPLETED,
        error=ValueError,
        got=["a", "b", "."],
        leave="raise",
        options={"dialect": Letters()},
    ),
    # ---- the outside cancels
    "cancelled: idle": Case(
        script=script(*ABC, Stall()),
        ending=Ending.CANCELLED,
        error=trio.Cancelled,
        got=["a", "b", "c"],
        leave="cancel",
    ),
    "cancelled: behind the consumer": Case(
        script=script(*ABC, Stall()),
        ending=Ending.CANCELLED,
        error=trio.Cancelled,
        got=["a", "b"],
        value=["a", "b", "c"],
        leave="cancel",
    ),
    "cancelled: before the head": Case(
        script=script(Stall()), ending=Ending.CANCELLED, error=trio.Cancelled, leave="cancel"
    ),
    "cancelled: while connecting": Case(
        target="nobody accepts", ending=Ending.CANCELLED, error=trio.Cancelled, leave="cancel"
    ),
    "cancelled: in the error body": Case(
        script=script(Head(500), Send(b"x"), Stall()),
        ending=Ending.CANCELLED,
        error=trio.Cancelled,
        leave="cancel",
    ),
}


def label(item: Any) -> Any:
    """A short name for an item."""
    return item.data if isinstance(item, (ServerSentEvent, Record)) else item


def labels(items: Sequence[Any]) -> list[Any]:
    return [label(item) for item in items if not isinstance(item, Comment)]


class Played:
    """What a stream did, seen from outside."""

    def __init__(self, world: World, case: Case) -> None:
        self.world = world
        self.case = case
        self.got: list[Any] = []
        self.rx: StreamReceiver[Any, Any] | None = None
        self.raised: BaseException | None = None
        self.mine = case.raises()
        self.outcomes: list[StreamOutcome[Any]] = []
        settings = {
            name: world.seconds(value) if name.endswith("timeout") else value
            for name, value in case.config.items()
        }
        hook = self.on_outcome_async if world.in_memory else self.outcomes.append
        self.config = StreamConfig(**settings, on_outcome=hook)

    async def on_outcome_async(self, outcome: StreamOutcome[Any]) -> None:
        await trio.lowlevel.checkpoint()
        self.outcomes.append(outcome)

    async def play(self, client: Any, url: str) -> None:
        case = self.case
        try:
            async with open_stream(
                "GET", url, client=client, config=self.config, **case.options
            ) as self.rx:
                while case.leave == "stay" or len(self.got) < len(case.got):
                    try:
                        item = await self.rx.receive()
                    except trio.EndOfChannel:
                        break
                    self.got += labels([item])
                if case.leave != "stay":
                    await self.world.quiet()  # what is on its way arrives
                if case.leave == "raise":
                    raise self.mine  # noqa: TRY301
                if case.leave == "cancel":
                    await trio.sleep_forever()
                if case.leave == "aclose":
                    await self.rx.aclose()
        except BaseException as error:
            self.raised = error
            if case.leave == "cancel":
                raise


@asynccontextmanager
async def target_of(world: World, case: Case) -> AsyncGenerator[tuple[Any, str]]:
    if case.target == "nobody accepts":
        async with world.nobody_accepts() as (client, url):
            yield client, url
        return
    scripts: list[Sequence[Step]] = [[Event("again")]]
    if case.target == "server":
        scripts.insert(0, case.script(world))
    elif world.in_memory:
        scripts.insert(0, [Refuse()])
    async with world.serve(scripts) as (client, server):
        if case.target == "closed port" and not world.in_memory:
            with closed_port() as url:
                yield client, url
        else:
            yield client, server.url
        # Its one connection is free again.
        async with open_stream("GET", server.url, client=client) as rx:
            assert labels(await rx.result()) == ["again"]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_ending(case: Case, world: World) -> None:
    """Each end of a stream has its one ending, delivers first, raises bare, and leaves nothing."""

    async def main() -> None:
        async with assert_no_leaks(), target_of(world, case) as (client, url):
            played = Played(world, case)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(played.play, client, url)
                if case.leave == "cancel":
                    await world.quiet()
                    nursery.cancel_scope.cancel()
            check(played, case)
            assert is_free(client)

    world.run(main)


def check(played: Played, case: Case) -> None:
    rx, raised = played.rx, played.raised
    value = list(case.got if case.value is None else case.value)
    assert played.got == list(case.got)

    [outcome] = played.outcomes
    assert outcome.ending is case.ending
    assert outcome.is_complete == (case.ending is Ending.COMPLETED)
    assert labels(outcome.value) == value
    if rx is not None:
        assert rx.outcome is outcome
        assert labels(rx.snapshot()) == list(case.got)

    if case.error is trio.Cancelled:
        assert isinstance(raised, trio.Cancelled)  # and no group of it
        assert raised.__context__ is None
        return
    assert type(raised) is (case.error or type(None))
    for name, fact in case.facts.items():
        assert getattr(raised, name) == fact, name
    if case.leave == "raise":
        assert raised is played.mine
        assert outcome.error is (None if outcome.is_complete else raised)
    elif isinstance(raised, StreamError):
        assert raised.outcome is outcome
        assert outcome.error is raised
        assert raised.__context__ in (None, raised.__cause__)
    if case.leave == "raise":
        assert raised.__context__ is raised.__cause__ is None


ANTHROPIC = (
    Event({"type": "message_start", "message": {"id": "m", "role": "assistant", "content": []}}),
    Event({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
    Event(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}}
    ),
)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_cut_message_is_truncated(world: World) -> None:
    """A provider's stream that ends cleanly without its terminal event is no success."""

    async def main() -> None:
        async with world.serve(ANTHROPIC) as (client, server):
            with pytest.raises(StreamTruncatedError) as caught:
                async with open_stream(
                    "GET", server.url, client=client, dialect=AnthropicMessages()
                ) as rx:
                    await rx.result()
        outcome = caught.value.outcome
        assert outcome is not None
        assert outcome.ending is Ending.TRUNCATED
        assert (outcome.value.text, outcome.value.stop_reason) == ("hi", "incomplete")

    world.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_cancelled_under_backpressure(world: World) -> None:
    """A stream that is cancelled while all of it is blocked keeps what it received, in order."""
    wire = [Event(f"{n} " + "x" * 2000) for n in range(1000)]

    async def main() -> None:
        outcomes: list[StreamOutcome[Any]] = []
        config = StreamConfig(chunk_size=4096, on_outcome=outcomes.append)
        async with assert_no_leaks(), world.serve([wire, [Event("again")]]) as (client, server):
            async with trio.open_nursery() as nursery:

                @nursery.start_soon
                async def _() -> None:
                    async with open_stream("GET", server.url, client=client, config=config) as rx:
                        await rx.receive()
                        await trio.sleep_forever()

                await world.quiet()
                nursery.cancel_scope.cancel()
            [outcome] = outcomes
            assert outcome.ending is Ending.CANCELLED
            numbers = [int(event.data.split()[0]) for event in outcome.value]
            assert numbers == list(range(len(numbers)))
            assert 3 < len(numbers) < 200
            assert outcome.items == len(numbers)
            assert outcome.bytes_received >= len(numbers) * 2000
            async with open_stream("GET", server.url, client=client) as rx:
                assert labels(await rx.result()) == ["again"]

    world.run(main)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_faults_wait_for_a_slow_consumer(world: World) -> None:
    """However late the consumer comes, it gets everything that came before the fault."""
    # A kernel may throw away what was received before a reset.
    fault = Reset() if world.in_memory else Truncate()
    wire = [Event(str(n)) for n in range(500)]

    async def main() -> None:
        sent = trio.Event()
        async with (
            world.serve([*wire, Call(sent.set), fault]) as (client, server),
            open_stream("GET", server.url, client=client) as rx,
        ):
            await sent.wait()
            await world.quiet()
            with pytest.raises(StreamError) as caught:
                await rx.result()
            got = labels(rx.snapshot())
        assert caught.value.error_type is StreamErrorType.STREAM_INTERRUPTED
        assert got == [str(n) for n in range(500)]

    world.run(main)


async def test_what_came_before_damaged_bytes_is_delivered() -> None:
    """Bytes that a checksum proves damaged end the stream after all that was whole before them."""
    head = struct.pack("!III", 17, 0, crc32(struct.pack("!II", 17, 0)))
    message = b"".join([head, b"x", struct.pack("!I", crc32(head + b"x"))])
    body = message + message + message[:-1] + b"\0"
    script = [Head(content_type="application/vnd.amazon.eventstream"), Send(body), Stall()]

    async def read() -> None:
        async with (
            memory_client(script) as (client, server),
            open_stream("POST", server.url, client=client) as rx,
        ):
            async for item in rx:
                assert item == EventStreamMessage({}, b"x")

    with pytest.raises(CorruptFrameError) as caught:
        await read()

    outcome = caught.value.outcome
    assert outcome is not None
    assert (outcome.ending, outcome.items, len(outcome.value)) == (Ending.FAILED, 2, 2)
    assert caught.value.is_retryable
