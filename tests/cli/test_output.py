"""Writing to stdout without holding up trio."""

from __future__ import annotations

import os
import sys

import pytest
import trio

from trio_stream.cli._output import Output

DATA = b"x" * 1_000_000  # more than a pipe holds


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("blocking", [True, False])
async def test_everything_is_written(blocking: bool) -> None:
    """All bytes arrive though the pipe is full at times, also if someone made it non-blocking."""
    reading, writing = os.pipe()
    os.set_blocking(writing, blocking)
    received = bytearray()

    async def read() -> None:
        async with trio.lowlevel.FdStream(reading) as stream:
            while more := await stream.receive_some():
                received.extend(more)

    output = Output(writing)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await output.write(DATA, items=3)
            os.close(writing)

    assert received == DATA
    assert output.items == 3


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
async def test_reader_that_has_left() -> None:
    """A reader that has left is told as what it is."""
    reading, writing = os.pipe()
    os.close(reading)

    with pytest.raises(BrokenPipeError):
        await Output(writing).write(b"x", items=1)
    os.close(writing)
