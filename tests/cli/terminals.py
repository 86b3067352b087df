"""Run `trio-stream` on a terminal: a pseudo-terminal that we hold the other end of."""

from __future__ import annotations

import os
import re
import struct
import termios
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from fcntl import ioctl
from functools import partial

import trio

from tests.cli.commands import SOON, command, environment

ESCAPE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """What a command on a terminal shows, and the keys that are typed there."""

    def __init__(self, primary: int, process: trio.Process) -> None:
        self._primary = primary
        self._process = process
        self.raw = b""

    @property
    def text(self) -> str:
        """Everything that was written, without colours and movements of the cursor."""
        return ESCAPE.sub(b"", self.raw).decode().replace("\r\n", "\n")

    async def read_until(self, text: str) -> None:
        with trio.fail_after(SOON):
            while text not in self.text:
                assert await self._read(), f"it ended before it wrote {text!r}: {self.text}"

    async def end(self) -> int:
        """Read to the end; return the exit code."""
        with trio.fail_after(SOON):
            while await self._read():
                pass
            return await self._process.wait()

    def type(self, keys: bytes) -> None:
        os.write(self._primary, keys)

    async def _read(self) -> bool:
        await trio.lowlevel.wait_readable(self._primary)
        try:
            more = os.read(self._primary, 65536)
        except OSError:  # how Linux tells that nobody holds the other end any more
            return False
        self.raw += more
        return bool(more)


@asynccontextmanager
async def on_terminal(
    *arguments: str, columns: int = 80, **changes: str
) -> AsyncGenerator[Terminal]:
    """Run a command on a terminal of its own; kill it if it is left running."""
    primary, replica = os.openpty()
    try:
        ioctl(replica, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = await trio.lowlevel.open_process(
            command(*arguments),
            preexec_fn=partial(os.login_tty, replica),
            env=environment(**changes),
        )
        os.close(replica)
        try:
            yield Terminal(primary, process)
        finally:
            if process.returncode is None:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()
    finally:
        os.close(primary)
