"""Run `trio-stream` in a process of its own, as users do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

ROOT = Path(__file__).parents[2]
SOON = 60  # seconds; nothing here takes long, but machines may be busy


@attrs.frozen
class Done:
    """A command that has ended: its exit code and what it wrote."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def last_word(self) -> str:
        """The last line on stderr, without the time that it took."""
        *_, last = self.err.splitlines() or [""]
        return re.sub(r" · \d+\.\d\d s$", "", last)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "trio_stream", *arguments]


def environment(**changes: str) -> dict[str, str]:
    # COLUMNS and LINES would overrule the size of a terminal; test workers set them.
    ours = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    return {**ours, "PYTHONPATH": str(ROOT), "TERM": "xterm", **changes}


async def run(*arguments: str, stdin: bytes = b"", to: int | None = None) -> Done:
    """Run a command with its output in pipes, or ``to`` a file descriptor."""
    output: dict[str, Any] = {"capture_stdout": True} if to is None else {"stdout": to}
    with trio.fail_after(SOON):
        done = await trio.run_process(
            command(*arguments),
            **output,
            stdin=stdin,
            capture_stderr=True,
            check=False,
            env=environment(),
        )
    return Done(done.returncode, done.stdout or b"", done.stderr.decode())


@contextmanager
def nothing_ignored() -> Generator[None]:
    """What is ignored here, under `nohup` or in the background, is not in a new process."""
    known = [each for each in signal.Signals if each.name in {"SIGHUP", "SIGINT"}]
    ignored = [each for each in known if signal.getsignal(each) is signal.SIG_IGN]
    for each in ignored:
        signal.signal(each, signal.SIG_DFL)
    try:
        yield
    finally:
        for each in ignored:
            signal.signal(each, signal.SIG_IGN)


class Running:
    """A command that runs, with its output in pipes; stop it by its `process`."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.out = b""

    @classmethod
    async def start(cls, *arguments: str) -> Running:
        with nothing_ignored():
            process = await trio.lowlevel.open_process(
                command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment(),
            )
        return cls(process)

    async def read_until(self, text: bytes) -> None:
        """Read what it writes until it has written ``text``."""
        assert self.process.stdout is not None
        with trio.fail_after(SOON):
            while text not in self.out:
                more = await self.process.stdout.receive_some()
                assert more, f"it ended before it wrote {text!r}: {self.out!r}"
                self.out += more

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self) -> Done:
        """Wait for its end. What it wrote on stdout is not read any more."""
        assert self.process.stderr is not None
        try:
            with trio.fail_after(SOON):
                err = b""
                while more := await self.process.stderr.receive_some():
                    err += more
                code = await self.process.wait()
        except trio.TooSlowError:
            self.process.kill()
            raise
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            await stream.aclose()
        return Done(code, self.out, err.decode())
