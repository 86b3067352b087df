"""`trio-stream tail`: how a stream ended, as an exit code and in the last line on stderr."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.commands import Done, run
from trio_stream.testing import (
    Event,
    Head,
    Ping,
    Reset,
    Script,
    Send,
    Stall,
    Truncate,
    closed_port,
    serve,
)


async def tail(script: Script, *options: str) -> Done:
    async with serve(script) as server:
        done = await run("tail", server.url, *options)
    assert "Traceback" not in done.err
    return done


async def test_complete() -> None:
    """A stream that arrived whole ends with 0, and one line says so."""
    done = await tail([Event("one"), Event("two")])

    assert done.code == 0
    assert done.err.count("\n") == 1
    assert done.last_word == "trio-stream: complete · 2 items · 22 B"


async def test_max_items() -> None:
    """Leaving at --max-items is success, though the stream goes on."""
    done = await tail([Event("one"), Event("two"), Stall()], "--max-items", "1")

    assert (done.code, len(done.lines)) == (0, 1)
    assert done.last_word.startswith("trio-stream: stopped at --max-items 1 · ")


async def test_truncated() -> None:
    """A body that was cut ends with 3, after everything that came before."""
    done = await tail([Event("one"), Truncate(b"data: tw")])

    assert (done.code, done.lines) == (3, ['{"event":"message","data":"one"}'])
    assert "cut short" in done.err
    assert done.last_word.startswith("trio-stream: truncated · 1 item · ")


@pytest.mark.parametrize(
    ("script", "option", "layer"),
    [
        (Stall(), "--headers-timeout", "headers"),
        ([Event("one"), Stall()], "--idle-timeout", "idle"),
        ([Event("one"), *[Ping()] * 9, Stall()], "--stall-timeout", "stall"),
        ([Event("one"), Stall()], "--timeout", "total"),
    ],
)
async def test_timed_out(script: Script, option: str, layer: str) -> None:
    """A silence that is too long ends with 4 and names the layer and the option that sets it."""
    done = await tail(script, option, "0.2")

    assert done.code == 4
    assert f"trio-stream: {option} sets this limit\n" in done.err
    assert done.last_word.startswith(f"trio-stream: timed out ({layer}) · ")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ([Event("one"), Reset()], "reset"),
        (
            [Head(401, content_type="application/json"), Send(b'{"error": "no such key"}')],
            '{"error": "no such key"}',
        ),
        (
            [Head(429, headers={"retry-after": "3"}), Send(b"slow down")],
            "the server asks to wait for 3 s",
        ),
        ([Head(content_type="text/html"), Send(b"<p>log in\x1b[2J")], "<p>log in\ufffd[2J"),
        ([Head(content_type="application/json"), Send(b"{}")], "--framing names its format"),
    ],
)
async def test_failed(script: Script, reason: str) -> None:
    """A failure ends with 1 and says why, with what the server said, made harmless."""
    done = await tail(script)

    assert done.code == 1
    assert reason in done.err
    assert done.last_word.startswith("trio-stream: failed · ")


async def test_refused() -> None:
    """Where nobody listens, one line says so."""
    with closed_port() as url:
        done = await run("tail", url)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("trio-stream: no response from 127.0.0.1: ")
    assert done.err.count("\n") == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
async def test_full_disk() -> None:
    """Output that cannot be written is a failure, and nothing is said to be printed."""
    full = os.open("/dev/full", os.O_WRONLY)
    async with serve(Event("one")) as server:
        done = await run("tail", server.url, to=full)
    os.close(full)

    assert done.code == 1
    assert "cannot write the output: No space left on device" in done.err
    assert done.last_word.startswith("trio-stream: failed · 1 item, 0 printed · ")
