"""Writing to stdout without holding up trio."""

from __future__ import annotations

import os
import select
from typing import final

import trio

__all__ = ["Output"]


@final
class Output:
    """A file descriptor that is written to in a thread.

    The other ways are worse: to make the descriptor non-blocking would change it for the shell and
    for everyone else who shares it, and to ask whether a pipe can be written to does not work for
    files and says little about terminals.

    One write is under way at a time and nothing is queued behind it, so a reader that is slow
    slows the stream down, in the end by TCP, and costs no memory.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """Write all of ``data``.

        Cancellation: takes effect at once, even if the reader takes nothing. The thread is then
        left behind, and what it was given may or may not be written before the process ends.

        Raises:
            BrokenPipeError: The reader has left.
            OSError: It cannot be written, as on a full disk.
        """
        await trio.to_thread.run_sync(_write_all, self._descriptor, data, abandon_on_cancel=True)


def _write_all(descriptor: int, data: bytes) -> None:
    # Past sys.stdout: its lock, held by a thread that was left behind, would be waited for when
    # the interpreter shuts down.
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # someone else has made it non-blocking
            select.select([], [descriptor], [])
