"""What a store goes through with real processes: killed, shared, and with a full disk.

A program, run by `survive`: it forks before it has any thread.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn

import trio

from trio_stream.checkpoints import FileCheckpoints, SQLiteCheckpoints

ROOT = Path(__file__).parents[2]
STORES: dict[str, Any] = {"file": FileCheckpoints, "sqlite": SQLiteCheckpoints}


def survive(store: str, folder: trio.Path) -> None:
    """Put a store through all of it, in a process of its own; fail if it fails."""
    command = [sys.executable, "-m", "tests.checkpoints.crashes", store, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "survived: killed, shared, full\n"


def fork(main: Callable[[], Awaitable[object]]) -> int:
    """Run an async function in a child; return its process ID."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        trio.run(main)
        status = 0
    except BaseException:  # noqa: BLE001 - it leaves as the exit status
        traceback.print_exc()
    finally:
        os._exit(status)


def wait(pid: int) -> None:
    assert os.waitpid(pid, 0)[1] == 0


def killed(make_store: Any, path: str) -> None:
    """However often it is killed, a store has what was saved, or one position more."""
    rng = random.Random(1)
    saved = dict.fromkeys("abc", 0)
    for _ in range(15):
        reader, writer = os.pipe()
        pid = fork(lambda writer=writer: count_on(make_store(path), writer))
        os.close(writer)
        lines_left = rng.randrange(len(saved), 40)
        with os.fdopen(reader, encoding="ascii") as lines:
            for line in lines:
                lines_left -= 1
                if lines_left == 0:
                    os.kill(pid, signal.SIGKILL)
                what, key, position = line.split()
                if what == "loaded":
                    assert int(position) in (saved[key], saved[key] + 1), (line, saved)
                else:
                    assert int(position) > saved[key]
                saved[key] = int(position)
        assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert min(saved.values()) > 20


async def count_on(store: Any, writer: int) -> None:
    """Save higher and higher positions, telling of each."""

    def tell(what: str, key: str, number: int) -> None:
        os.write(writer, f"{what} {key} {number}\n".encode())

    async def count(key: str, number: int) -> NoReturn:
        while True:
            number += 1
            await store.save(key, str(number))
            tell("saved", key, number)

    numbers = {key: int(await store.load(key) or 0) for key in "abc"}
    for key, number in numbers.items():
        tell("loaded", key, number)
    async with trio.open_nursery() as nursery:
        for key, number in numbers.items():
            nursery.start_soon(count, key, number)


def shared(make_store: Any, path: str) -> None:
    """Processes that save different keys at once lose none of each other's."""

    async def save(name: str) -> None:
        store = make_store(path)
        for number in range(10):
            await store.save(f"{name}1", str(number))
            await store.save(f"{name}2", str(number))

    async def check() -> None:
        store = make_store(path)
        for name in "abc":
            assert await store.load(f"{name}1") == "9"
            assert await store.load(f"{name}2") == "9"

    for pid in [fork(lambda name=name: save(name)) for name in "abc"]:
        wait(pid)
    wait(fork(check))


def full(make_store: Any, path: str) -> None:
    """A file that cannot grow is an `OSError`; what was saved stays, and the next save works."""

    async def main() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        store = make_store(path)
        await store.save("a", "1")
        await store.save("b", "2")
        for _ in range(2):
            try:
                await store.save("a", 1_000_000 * "x")
            except OSError as exc:
                assert path.rpartition("/")[2] in str(exc)  # noqa: PT017 - no pytest here
            else:
                raise AssertionError("there was room")
            assert [await store.load("a"), await store.load("b")] == ["1", "2"]
        await store.save("a", "3")
        assert [await store.load("a"), await store.load("b")] == ["3", "2"]

    wait(fork(main))


if __name__ == "__main__":
    scenes = [killed, shared, full]
    for scene in scenes:
        scene(STORES[sys.argv[1]], f"{sys.argv[2]}/{scene.__name__}")
    sys.stdout.write(f"survived: {', '.join(scene.__name__ for scene in scenes)}\n")
