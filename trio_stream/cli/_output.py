"""Writing to stdout without holding up trio."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
from typing import final

import trio

__all__ = ["Output"]

# A write that is done, but whose thread has not come to say so yet, is waited for so many seconds.
_NEARLY = 0.05

# Whether the reader is still there, in seconds.
_LOOK_EVERY = 1.0


@final
class Output:
    """A file descriptor that is written to in a thread.

    The other ways are worse: to make the descriptor non-blocking would change it for the shell and
    for everyone else who shares it, and to ask whether a pipe can be written to does not work for
    files and says little about terminals.

    One write is under way at a time and nothing is queued behind it, so a reader that is slow
    slows the stream down, in the end by TCP, and costs no memory.

    Attributes:
        items: How many items have been written.
    """

    def __init__(self, descriptor: int) -> None:
        self.items = 0
        self._descriptor = descriptor
        self._written = threading.Event()

    async def write(self, data: bytes, *, items: int) -> None:
        """Write all of ``data``, which brings the number of ``items`` to that.

        Cancellation: takes effect at once, even if the reader takes nothing. The thread is then
        left behind; the process may end in the middle of what it writes.

        Raises:
            BrokenPipeError: The reader has left.
            OSError: It cannot be written, as on a full disk.
        """
        self._written.clear()
        try:
            await trio.to_thread.run_sync(self._write_all, data, items, abandon_on_cancel=True)
        except trio.Cancelled:
            self._written.wait(_NEARLY)
            raise

    async def reader_left(self) -> None:
        """Return when the reader of a pipe has left, also while there is nothing to write.

        A stream may be silent for hours. epoll tells of the end of a pipe only together with
        "can be written", which it nearly always can, so it is asked for now and then.
        """
        mode = os.fstat(self._descriptor).st_mode
        if sys.platform == "win32" or not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            await trio.sleep_forever()
        poll = select.poll()
        poll.register(self._descriptor, 0)  # for its end alone
        while not poll.poll(0):  # noqa: ASYNC110 - there is no event
            await trio.sleep(_LOOK_EVERY)

    def _write_all(self, data: bytes, items: int) -> None:
        # Past sys.stdout: its lock, held by a thread that was left behind, would be waited for
        # when the interpreter shuts down.
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # someone else has made it non-blocking
                select.select([], [self._descriptor], [])
        self.items = items
        self._written.set()
