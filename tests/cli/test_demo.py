"""`trio-stream demo`."""

from __future__ import annotations

import re
import signal
import sys

import pytest

from tests.cli.commands import Running, run

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")

# What is to be seen, in this order, on whatever it is shown.
CONTENT = [
    "1  Text and tool calls arrive live",
    "model  Let me look at tomorrow's forecast for both cities.",
    'call  get_weather {"city": "Oslo", "day": "tomorrow"}',
    "tool  get_weather(Oslo, tomorrow) → 14 °C, dry",
    "tool  get_weather(Bergen, tomorrow) → 9 °C, 17 mm of rain",
    "COMPLETED  28 items · 3.8 kB · stop reason tool_use",
    "2  The next turn",
    "model  Take Oslo. It stays dry there",
    "COMPLETED  32 items · 4.1 kB · stop reason end_turn",
    "3  A stream is cut",
    'call  send_money {"to": "Ada", "amount": 1',
    "TRUNCATED  13 items · 1.8 kB",
    "why  the body was cut short",
    "kept  “I'll send it right away.” and, as an IncompleteToolCall, send_money",
    "safe  half a call has no input to run it with; money sent: 0",
    "4  A stream falls silent",
    "TIMED_OUT  11 items · 1.5 kB · layer idle",
    "why  no byte for idle_timeout=0.3 s",
    "kept  “Once upon a time there was a stream that”",
    "4 streams, 4 outcomes, 0 connections left open.",
]
TIMINGS = re.compile(
    r"seconds  headers \d.\d\d · first byte \d.\d\d · first item \d.\d\d · last item \d.\d\d "
    r"· total \d.\d\d"
)


def check_content(text: str) -> None:
    words = " ".join(text.split())
    place = 0
    for wanted in CONTENT:
        found = words.find(" ".join(wanted.split()), place)
        assert found >= place, f"{wanted!r} is missing in {text}"
        place = found
    assert len(TIMINGS.findall(words.replace("seconds ", "seconds  "))) == 4


async def test_demo_shows_everything() -> None:
    """Four streams: two arrive whole, one is cut, one falls silent; each is told, and timed."""
    done = await run("demo", "--fast")

    assert (done.code, done.err) == (0, "")
    check_content(done.out)
    assert max(map(len, done.lines)) <= 80


@POSIX
async def test_demo_on_a_terminal() -> None:
    """A terminal shows the same, drawn live, and has its cursor back afterwards."""
    from tests.cli.terminals import on_terminal  # noqa: PLC0415

    async with on_terminal("demo", "--fast") as terminal:
        assert await terminal.end() == 0

    check_content(terminal.text)
    assert terminal.raw.rindex(b"\x1b[?25h") > terminal.raw.rindex(b"\x1b[?25l")


@POSIX
async def test_demo_on_a_simple_terminal() -> None:
    """A terminal that cannot be drawn on shows plain text, wrapped between words."""
    from tests.cli.terminals import on_terminal  # noqa: PLC0415

    async with on_terminal("demo", "--fast", columns=40, TERM="dumb") as terminal:
        assert await terminal.end() == 0

    assert b"\x1b" not in terminal.raw
    assert "\n    model  Once upon a time there was a\n           stream that\n" in terminal.text
    assert max(map(len, terminal.text.splitlines())) <= 40


@POSIX
async def test_demo_interrupted() -> None:
    """Ctrl-C ends the demo with 130, and the stream that ran with its outcome."""
    demo = await Running.start("demo")
    await demo.read_until(b"Let me look")
    demo.signal(signal.SIGINT)
    assert demo.process.stdout is not None
    while more := await demo.process.stdout.receive_some():
        demo.out += more
    done = await demo.end()

    assert (done.code, done.err) == (130, "")
    assert "CANCELLED" in done.out


@POSIX
async def test_demo_without_a_reader() -> None:
    """When its reader has left, the demo ends quietly."""
    demo = await Running.start("demo", "--fast")
    assert demo.process.stdout is not None
    await demo.process.stdout.aclose()
    done = await demo.end()

    assert (done.code, done.err) == (141, "")
