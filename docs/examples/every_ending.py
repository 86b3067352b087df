"""Print a table: what happens to a stream, and what its outcome and its error then say."""

import csv
import sys

import attrs
import trio
from trio.testing import MockClock

from trio_stream import StreamConfig, StreamError, open_stream
from trio_stream.dialects import AnthropicMessages, MessageFinished
from trio_stream.testing import (
    BadChunk,
    Event,
    Head,
    Ping,
    Refuse,
    Reset,
    Send,
    Stall,
    Truncate,
    Wait,
    memory_client,
)


@attrs.define
class Item:
    n: int


ONE, TWO = Event({"n": 1}), Event({"n": 2})
PINGS = [step for _ in range(100) for step in (Wait(9), Ping())]


def say(*events):
    return [Event(event, event=event["type"]) for event in events]


MESSAGE = say({"type": "message_start", "message": {"id": "msg_1", "model": "m"}})
TEXT = say(
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
)
REASON = say({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
STOP = say({"type": "message_stop"})
OVERLOADED = say({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})
LLM = {"dialect": AnthropicMessages()}


# ---- what the consumer does ----------------------------------------------------------------------


async def read(rx):
    async for _ in rx:
        pass


async def leave(rx):
    async for _ in rx:
        break


async def fail(rx):
    async for _ in rx:
        raise KeyError("mine")


async def fail_afterwards(rx):
    async for _ in rx:
        pass
    raise KeyError("mine")


async def leave_with_the_last_item(rx):
    async for item in rx:
        if isinstance(item, MessageFinished):
            break


async def stop_the_program(rx):
    async for _ in rx:
        raise KeyboardInterrupt


async def never_look(rx):
    await trio.sleep(1)


# ---- what happens --------------------------------------------------------------------------------

CASES = [
    # Opening.
    ("a URL that cannot be one", [], {"url": "http://[::1"}, read),
    ("the connection is refused", Refuse(), {}, read),
    ("no head within headers_timeout", Stall(), {}, read),
    ("status 401, 403 or 407", Head(401), {}, read),
    ("status 404", Head(404), {}, read),
    ("status 408, 409 or 425", Head(409), {}, read),
    ("status 429", Head(429), {}, read),
    ("status 500", Head(500), {}, read),
    ("status 501 or 505", Head(501), {}, read),
    ("status 204, or a redirect not followed", Head(204), {}, read),
    ("HTML under status 200", [Head(content_type="text/html"), Send(b"<html>")], {}, read),
    ("an encoding nobody asked for", Head(headers={"Content-Encoding": "br"}), {}, read),
    # Reading.
    ("the body ends cleanly", [ONE, TWO], {}, read),
    ("the body ends inside an event", [ONE, TWO, Send(b"data: ha")], {}, read),
    ("the body is cut off", [ONE, TWO, Truncate()], {}, read),
    ("the connection is reset", [ONE, TWO, Reset()], {}, read),
    ("the HTTP framing is broken", [ONE, TWO, BadChunk()], {}, read),
    ("no byte within idle_timeout", [ONE, TWO, Stall()], {}, read),
    ("bytes, but no item within stall_timeout", [ONE, TWO, *PINGS], {}, read),
    ("timeout is over", [ONE, TWO, *PINGS], {"timeout": 30}, read),
    ("an event outgrows its limit", [ONE, TWO, Event("x" * 99)], {"max_event_bytes": 50}, read),
    ("a payload does not fit", [ONE, TWO, Event({"n": "x"})], {"item": Item}, read),
    # Reading with a dialect.
    ("dialect: the terminal event comes", [*MESSAGE, *TEXT, *REASON, *STOP], LLM, read),
    ("dialect: it is missing", [*MESSAGE, *TEXT], LLM, read),
    ("dialect: it is missing, but all else is there", [*MESSAGE, *TEXT, *REASON], LLM, read),
    ("dialect: the stream reports a failure", [*MESSAGE, *OVERLOADED], LLM, read),
    # The consumer.
    ("break, return, aclose()", [ONE, TWO, Stall()], {}, leave),
    ("an exception of yours", [ONE, TWO, Stall()], {}, fail),
    ("an exception of yours, after the end", [ONE, TWO], {}, fail_afterwards),
    (
        "dialect: break at the terminal item",
        [*MESSAGE, *TEXT, *REASON, *STOP],
        LLM,
        leave_with_the_last_item,
    ),
    ("Ctrl-C", [ONE, TWO, Stall()], {}, stop_the_program),
    ("a cancel scope around it", [ONE, TWO, Stall()], {"patience": 5}, read),
    ("the block ends, nothing was taken", [ONE, TWO, Reset()], {}, never_look),
]


async def run(script, settings, consume):
    """Open one stream; return its outcome, and what came out of it."""
    outcomes, raised = [], None
    settings = {"headers_timeout": 60, "idle_timeout": 16, "stall_timeout": 64, **settings}
    arguments = {key: settings.pop(key) for key in ("item", "dialect") if key in settings}
    url = settings.pop("url", None)
    patience = settings.pop("patience", 1000)
    config = StreamConfig(on_outcome=outcomes.append, **settings)
    async with memory_client(script) as (client, server):
        with trio.move_on_after(patience):
            try:
                async with open_stream(
                    "GET", url or server.url, client=client, config=config, **arguments
                ) as rx:
                    await consume(rx)
            except BaseException as error:
                raised = error
                if isinstance(error, trio.Cancelled):
                    raise
    return outcomes[0], raised


async def main():
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["what happens", "ending", "raised", "error_type", "retryable"])
    for name, script, settings, consume in CASES:
        outcome, raised = await run(script, settings, consume)
        facts = ["", ""]
        if isinstance(raised, StreamError):
            assert raised.outcome is outcome
            facts = [raised.error_type.name, "yes" if raised.is_retryable else "no"]
        what = "" if raised is None else type(raised).__name__
        table.writerow([name, outcome.ending.name, what, *facts])


trio.run(main, clock=MockClock(autojump_threshold=0))
