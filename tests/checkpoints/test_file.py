"""Checkpoints in a JSON file."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from io import FileIO
from pathlib import Path

import pytest
import trio

from tests.checkpoints.crashes import survive
from trio_stream.checkpoints import FileCheckpoints
from trio_stream.testing import check_store

HEAD = '"format": "trio_stream checkpoints", "version": 1'


@pytest.fixture
def path(tmp_path: Path) -> trio.Path:
    return trio.Path(tmp_path / "state.json")


async def names_beside(path: trio.Path) -> list[str]:
    return sorted(each.name for each in await path.parent.iterdir())


async def positions_in(path: trio.Path) -> object:
    return json.loads(await path.read_text(encoding="utf-8"))["positions"]


@contextmanager
def locked(path: trio.Path) -> Generator[None]:
    """What another process would do; fails at once if the file is locked already."""
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(fd)


async def test_keeps_the_laws(path: trio.Path) -> None:
    """It is a durable checkpoint store."""
    await check_store(lambda: nullcontext(FileCheckpoints(path)))
    assert await names_beside(path) == [path.name]


async def test_format(path: trio.Path) -> None:
    """The file is what its documentation shows, UTF-8 as it reads."""
    store = FileCheckpoints(path)
    await store.save("orders", "1042")
    await store.save("Straße", "😀\n")

    assert await path.read_text(encoding="utf-8") == (
        "{\n"
        '  "format": "trio_stream checkpoints",\n'
        '  "version": 1,\n'
        '  "positions": {\n'
        '    "orders": "1042",\n'
        '    "Straße": "😀\\n"\n'
        "  }\n"
        "}\n"
    )


async def test_file_that_is_not_there(path: trio.Path) -> None:
    """No file is an empty store, and looking does not make one."""
    store = FileCheckpoints(path)

    assert await store.load("a") is None
    assert not await path.exists()


async def test_empty_file(path: trio.Path) -> None:
    """An empty file, such as mktemp makes, is an empty store."""
    await path.touch()
    store = FileCheckpoints(path)

    assert await store.load("a") is None
    await store.save("a", "1")
    assert await store.load("a") == "1"


async def test_written_by_hand(path: trio.Path) -> None:
    """A file that somebody has edited is read, whatever its layout and escapes."""
    await path.write_text(
        f'{{"positions": {{"\\u00e9": "\\ud83d\\ude00"}}, "note": "hello", {HEAD}}}'
    )

    assert await FileCheckpoints(path).load("é") == "😀"


@pytest.mark.parametrize(
    "content",
    [
        *(b"hello", b"{}", b"[]", b"null", b"1", b'"x"', b" ", b"\0", b"\xff\xfe{\0}\0"),
        *(b"{", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000),
        f'{{{HEAD}, "positions": {{"a": "1"'.encode(),
        *(
            f'{{{HEAD}, "positions": {positions}}}'.encode()
            for positions in ['["a"]', '{"a": 1}', '{"a": null}', '{"a": "\\ud800"}', '"a"']
        ),
        f"{{{HEAD}}}".encode(),
        b'{"format": "trio_stream checkpoints", "version": 2, "positions": {}}',
        b'{"format": "something else", "version": 1, "positions": {}}',
        f'\ufeff{{{HEAD}, "positions": {{}}}}'.encode(),
        f'{{{HEAD}, "positions": {{"a": "\xe9"}}}}'.encode("latin-1"),
    ],
    ids=lambda content: repr(content[:90]),
)
async def test_other_files_are_left_alone(path: trio.Path, content: bytes) -> None:
    """What is no checkpoint file is a `ValueError` that names it, and never overwritten."""
    await path.write_bytes(content)
    store = FileCheckpoints(path)

    with pytest.raises(ValueError, match=r"state\.json is no checkpoint file"):
        await store.load("a")
    with pytest.raises(ValueError, match=r"state\.json is no checkpoint file"):
        await store.save("a", "1")
    assert await path.read_bytes() == content
    assert await names_beside(path) == [path.name]

    await path.unlink()
    await store.save("a", "1")
    assert await store.load("a") == "1"


async def test_things_that_are_no_files(path: trio.Path) -> None:
    """A device, a FIFO and a folder are refused, at once, and stay what they are."""
    os.mkfifo(path)
    for odd in (path, os.devnull):
        store = FileCheckpoints(odd)
        with pytest.raises(ValueError, match="is no regular file"):
            await store.load("a")
        with pytest.raises(ValueError, match="is no regular file"):
            await store.save("a", "1")
    assert await path.is_fifo()
    assert await trio.Path(os.devnull).is_char_device()
    with pytest.raises(IsADirectoryError):
        await FileCheckpoints(path.parent).save("a", "1")


async def test_rights(path: trio.Path) -> None:
    """A new file is its owner's alone; the mode of one that exists is kept."""
    store = FileCheckpoints(path)
    await store.save("a", "1")
    assert stat.S_IMODE((await path.stat()).st_mode) == 0o600

    await path.chmod(0o664)
    await store.save("a", "2")
    assert stat.S_IMODE((await path.stat()).st_mode) == 0o664


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to somebody else")
async def test_owner_is_kept(path: trio.Path) -> None:
    """Root, saving for once, does not take the file from its owner."""
    store = FileCheckpoints(path)
    await store.save("a", "1")
    os.chown(path, 1234, 5678)

    await store.save("a", "2")

    assert [(await path.stat()).st_uid, (await path.stat()).st_gid] == [1234, 5678]


async def test_symbolic_link_stays(path: trio.Path) -> None:
    """Where the path is a symbolic link, the file that it names is replaced."""
    link = path.with_name("link")
    await link.symlink_to(path.name)

    await FileCheckpoints(link).save("a", "1")

    assert await link.is_symlink()
    assert await FileCheckpoints(path).load("a") == "1"
    assert await positions_in(path) == {"a": "1"}


async def test_relative_path(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stays the same when the process changes its folder."""
    monkeypatch.chdir(path.parent)
    store = FileCheckpoints(path.name)
    monkeypatch.chdir("/")

    await store.save("a", "1")

    assert await path.exists()


async def test_left_over_from_a_crash(path: trio.Path) -> None:
    """A temporary file that a crash has left is not read, and gone after the next save."""
    left = path.with_name(".state.json.tmp")
    await left.write_text('{"form')
    store = FileCheckpoints(path)

    assert await store.load("a") is None
    await store.save("a", "1")
    assert await store.load("a") == "1"
    assert not await left.exists()


async def test_folder_that_is_not_there(path: trio.Path) -> None:
    """Without a folder, there is nothing to load and a save is an `OSError`, until there is one."""
    store = FileCheckpoints(path / "deeper")

    assert await store.load("a") is None
    with pytest.raises(FileNotFoundError, match=r"state\.json/deeper"):
        await store.save("a", "1")
    await path.mkdir()
    await store.save("a", "1")
    assert await store.load("a") == "1"


async def test_disk_that_fails(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails at the last moment, the error names the file, and the old one stays."""

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    store = FileCheckpoints(path)
    await store.save("a", "1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=r"Input/output error: '.*state\.json'"):
            await store.save("a", "2")

    assert await store.load("a") == "1"
    assert await names_beside(path) == [path.name]
    await store.save("a", "3")
    assert await store.load("a") == "3"


async def test_many_saves_share_commits(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 keys that are saved at once are flushed together, the file and the folder each time."""
    flushed = []
    flush = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(os.fstat(fd).st_mode), flush(fd)))
    store = FileCheckpoints(path)

    async with trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(store.save, str(number), str(number))

    kinds = [stat.S_ISDIR(mode) for mode in flushed]
    assert kinds == len(kinds) // 2 * [False, True]
    assert len(kinds) <= 20
    assert len(await positions_in(path)) == 200


async def test_waits_for_the_lock(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process has the file locked, a save waits, and a load does not."""
    waits = trio.Event()
    monkeypatch.setattr(time, "sleep", lambda _: trio.from_thread.run_sync(waits.set))
    store = FileCheckpoints(path)
    await store.save("a", "1")
    async with trio.open_nursery() as nursery:
        with locked(path):
            nursery.start_soon(store.save, "a", "2")
            await waits.wait()
            assert await store.load("a") == "1"

    assert await store.load("a") == "2"


async def test_locked_for_too_long(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lock does not come free in time, it is a `TimeoutError`, and the next save works."""
    monkeypatch.setattr("trio_stream.checkpoints._file.LOCK_TIMEOUT", 0)
    store = FileCheckpoints(path)
    await store.save("a", "1")
    message = r"locked by another process: '.*state\.json'"
    with locked(path), pytest.raises(TimeoutError, match=message):
        await store.save("a", "2")

    await store.save("b", "3")
    assert [await store.load("a"), await store.load("b")] == ["1", "3"]


async def test_replaced_while_it_locks(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that has locked a file which was replaced meanwhile starts over with the new one."""
    store = FileCheckpoints(path)
    await store.save("a", "1")
    new = path.with_name("new")
    await new.write_text(f'{{{HEAD}, "positions": {{"a": "1", "b": "2"}}}}')
    flock = fcntl.flock

    def replace_and_lock(file: FileIO, operation: int) -> None:
        if os.path.exists(new):  # noqa: PTH110 - in a worker thread
            os.replace(new, path)  # noqa: PTH105
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", replace_and_lock)
    await store.save("a", "3")

    assert await positions_in(path) == {"a": "3", "b": "2"}


async def test_removed_while_it_locks(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save that has locked a file which was removed meanwhile makes a new one."""
    store = FileCheckpoints(path)
    await store.save("a", "1")
    flock = fcntl.flock
    removed = []

    def remove_and_lock(file: FileIO, operation: int) -> None:
        if not removed:
            removed.append(file)
            os.unlink(path)  # noqa: PTH108 - in a worker thread
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", remove_and_lock)
    await store.save("b", "2")

    assert await positions_in(path) == {"b": "2"}


async def test_lock_does_not_outlive_the_save(path: trio.Path) -> None:
    """After a save, whether it went well or not, the file is free."""
    store = FileCheckpoints(path)
    await store.save("a", "1")
    for content in (await path.read_bytes(), b"something else"):
        await path.write_bytes(content)
        with locked(path):
            pass
        if content == b"something else":
            with pytest.raises(ValueError, match="no checkpoint file"):
                await store.save("a", "2")
        else:
            await store.save("a", "2")
        with locked(path):
            pass


async def test_child_does_not_keep_the_lock(
    path: trio.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that was forked during a commit that failed does not keep the file locked."""
    await path.write_bytes(b"something else")
    flock = fcntl.flock
    children: list[int] = []

    def lock_and_fork(file: FileIO, operation: int) -> None:
        flock(file, operation)
        if not children:
            children.append(os.dup(file.fileno()))  # all that the lock sees of a fork

    monkeypatch.setattr(fcntl, "flock", lock_and_fork)
    try:
        with pytest.raises(ValueError, match="no checkpoint file"):
            await FileCheckpoints(path).save("a", "1")
        with locked(path):
            pass
    finally:
        os.close(*children)


def test_survives(path: trio.Path) -> None:
    """Killed at any time, shared by processes, or on a full disk: no position is lost."""
    survive("file", path.parent)
