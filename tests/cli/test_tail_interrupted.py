"""`trio-stream tail`: signals, readers that leave, and readers that do not read."""

from __future__ import annotations

import signal
import sys
from array import array

import pytest
import trio

from tests.cli.commands import SOON, Running
from trio_stream.testing import Event, Head, Reset, Stall, Until, serve

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated"), ("SIGHUP", 129, "hung up")],
)
async def test_signal(number: str, code: int, word: str) -> None:
    """A signal that ends programs has its code, and the outcome is told, without a traceback."""
    async with serve([Event("one"), Stall()]) as server:
        tail = await Running.start("tail", server.url)
        await tail.read_until(b"\n")
        tail.signal(signal.Signals[number])
        done = await tail.end()
        with trio.fail_after(SOON):
            await server.wait_disconnected()

    assert done.code == code
    assert done.err.count("\n") == 1
    assert done.last_word == f"trio-stream: {word} · 1 item · 11 B"


async def test_signal_before_the_response() -> None:
    """Ctrl-C works while nothing has come yet."""
    async with serve(Stall()) as server:
        tail = await Running.start("tail", server.url)
        with trio.fail_after(SOON):
            await server.wait_requests()
        tail.signal(signal.SIGINT)
        done = await tail.end()

    assert (done.code, done.raw) == (130, b"")
    assert done.last_word == "trio-stream: interrupted · 0 items · 0 B"


async def test_items_arrive_at_once() -> None:
    """Each item is written when it arrives, though more is to come."""
    more = trio.Event()
    async with serve([Event("one"), Until(more), Event("two")]) as server:
        tail = await Running.start("tail", server.url)
        await tail.read_until(b'"one"}\n')
        more.set()
        await tail.read_until(b'"two"}\n')

        assert (await tail.end()).code == 0


async def test_reader_that_leaves() -> None:
    """When the reader of the output has left, the command ends, and says nothing at all."""
    more = trio.Event()
    async with serve([Event("one"), Until(more), Event("two"), Stall()]) as server:
        tail = await Running.start("tail", server.url)
        await tail.read_until(b"\n")
        assert tail.process.stdout is not None
        await tail.process.stdout.aclose()
        more.set()
        done = await tail.end()

    assert (done.code, done.err) == (141, "")


async def test_reader_that_leaves_a_silent_stream() -> None:
    """That the reader has left is noticed while there is nothing to write, too."""
    async with serve([Event("one"), Stall()]) as server:
        tail = await Running.start("tail", server.url)
        await tail.read_until(b"\n")
        assert tail.process.stdout is not None
        await tail.process.stdout.aclose()
        done = await tail.end()
        with trio.fail_after(SOON):
            await server.wait_disconnected()

    assert (done.code, done.err) == (141, "")


async def test_nobody_is_told() -> None:
    """Where stderr cannot be written, the stream is printed all the same, and the code is true."""
    more = trio.Event()
    plan = [[Event("one", id="1", retry=1), Until(more), Reset()], [Event("two")], [Head(204)]]
    async with serve(plan) as server:
        tail = await Running.start("tail", server.url, "--reconnect")
        await tail.read_until(b"\n")
        assert tail.process.stderr is not None
        await tail.process.stderr.aclose()
        more.set()
        await tail.read_until(b"two")
        with trio.fail_after(SOON):
            assert await tail.process.wait() == 0


async def test_reader_that_does_not_read() -> None:
    """A slow reader slows the stream down and fills no memory, and Ctrl-C works all the same."""
    fcntl, termios = pytest.importorskip("fcntl"), pytest.importorskip("termios")
    flood = [Event("x" * 1_000_000)] * 100
    async with serve(flood) as server:
        tail = await Running.start("tail", server.url)
        assert tail.process.stdout is not None
        waiting = array("i", [0])
        with trio.fail_after(SOON):
            while waiting[0] < 65536:  # what a pipe holds
                await trio.sleep(0.01)
                fcntl.ioctl(tail.process.stdout.fileno(), termios.FIONREAD, waiting)
        assert server.requests[0].client_left is None  # the server still wants to send
        tail.signal(signal.SIGINT)
        done = await tail.end()

    assert done.code == 130
    assert done.last_word.startswith("trio-stream: interrupted · ")
