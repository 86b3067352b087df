"""Checkpoints in one JSON file that people can read.

The format, version 1, UTF-8::

    {
      "format": "trio_stream checkpoints",
      "version": 1,
      "positions": {
        "orders": "1042"
      }
    }

Theory of operation
-------------------

The file is never written in place. A commit writes a new one beside it, ``.NAME.tmp``, and moves
it over the old one, which is atomic (POSIX, ``rename``): whoever reads sees the old file or the
new one, whatever dies when. Both the new file and the move are flushed to the disk before a save
returns.

*Several processes.* A commit takes a lock (``flock``), reads the file, changes what it was asked
to change and replaces the file, so that no process loses the keys of another. There is no second
file to lock: the lock is on the checkpoint file itself. As that is replaced, who has got the lock
looks whether the path still names the file that it has locked, and starts over if not. Nothing is
kept in memory between two commits. Reading needs no lock. The kernel drops the lock of a process
that dies.

*After a crash* the temporary file may be left. It holds nothing that was promised; the next commit
removes it.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, Final, cast

import trio

from ._commits import GroupCommit
from ._contract import LOCK_TIMEOUT, check_text

if sys.platform != "win32":
    import fcntl

__all__ = ["FileCheckpoints"]

_FORMAT: Final = "trio_stream checkpoints"
_VERSION: Final = 1
_POLL: Final = 0.002
_NEVER_WAIT: Final = getattr(os, "O_NONBLOCK", 0)  # for the other end of a FIFO


class FileCheckpoints:
    """A `CheckpointStore` in one JSON file, for up to some thousands of keys.

    A position that was saved survives the death of the process and, if the disk keeps what it
    was told to flush, a power failure. Saves that come together share one commit, and a commit
    writes the whole file: with more keys, take `SQLiteCheckpoints`.

    Several processes may share the file, on a local file system; on Windows, where nothing is
    locked, only one may. A new file can be read by its owner alone; of one that exists, the mode
    is kept, and the owner if the system lets us. A file that does not exist, or is empty, holds
    no positions. A symbolic link stays one.

    Args:
        path: The file; its folder must exist.

    Raises:
        ValueError: From each method: the file is no checkpoint file, and is left as it is; or an
            argument has lone surrogates.
        OSError: From each method: the file cannot be read or written; no position has changed.
            `TimeoutError`: another process has kept it locked for five seconds.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()  # wherever the process goes
        self._commits = GroupCommit(self._write)

    async def load(self, key: str) -> str | None:
        """Return the position, `None` if there is none."""
        check_text(key=key)
        return (await trio.to_thread.run_sync(self._read)).get(key)

    async def save(self, key: str, position: str) -> None:
        """Keep a position. On return it is on the disk.

        Cancellation: the position is the old one or the new one. A commit that has begun is
        waited for.
        """
        await self._commits.commit(key, position)

    async def delete(self, key: str) -> None:
        """Forget a position. Cancellation: as for `save`."""
        await self._commits.commit(key, None)

    def _read(self) -> dict[str, str]:
        try:
            with _open(self._path, "rb") as file:
                return _parse(file, self._path)
        except FileNotFoundError:
            return {}

    def _write(self, changes: Mapping[str, str | None]) -> None:
        path = Path(os.path.realpath(self._path))
        with _locked(path) as (positions, status):
            for key, position in changes.items():
                if position is None:
                    positions.pop(key, None)
                else:
                    positions[key] = position
            content = {"format": _FORMAT, "version": _VERSION, "positions": positions}
            text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
            try:
                _replace(path, text.encode(), status)
            except OSError as exc:
                exc.filename = exc.filename or str(path)  # a full disk does not say whose
                raise


def _open(path: Path, mode: str, flags: int = 0) -> FileIO:
    """Open a regular file.

    Raises:
        ValueError: It is something else, such as a device. Replacing that would destroy it.
    """
    flags |= _NEVER_WAIT
    file = FileIO(path, mode, opener=lambda name, more: os.open(name, more | flags, 0o600))
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ValueError(f"{path} is no regular file")
    return file


def _parse(file: FileIO, path: Path) -> dict[str, str]:
    content = file.readall()
    if not content:
        return {}
    try:
        document: Any = json.loads(content.decode())
        if document["format"] == _FORMAT and document["version"] == _VERSION:
            positions = cast("dict[str, str]", document["positions"])
            for key, position in positions.items():
                check_text(key=key, position=position)
            return positions
    except LookupError as exc:
        raise ValueError(f"{path} is no checkpoint file: it has no {exc}") from exc
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError(f"{path} is no checkpoint file: {exc}") from exc
    raise ValueError(
        f"{path} is no checkpoint file of version {_VERSION}:"
        f" format {document['format']!r:.100}, version {document['version']!r:.100}"
    )


@contextmanager
def _locked(path: Path) -> Generator[tuple[dict[str, str], os.stat_result]]:
    """Keep other processes from replacing the file; give its positions and its status."""
    give_up = time.monotonic() + LOCK_TIMEOUT
    while True:
        with _open(path, "r+b", os.O_CREAT) as file:
            if _lock(file, path):
                try:
                    found = _parse(file, path), os.fstat(file.fileno())
                    if sys.platform == "win32":
                        file.close()  # what is open cannot be replaced there
                    yield found
                    return
                finally:
                    _unlock(file)
        if time.monotonic() >= give_up:
            raise TimeoutError(errno.ETIMEDOUT, "locked by another process", str(path))
        time.sleep(_POLL)


if sys.platform == "win32":

    def _lock(file: FileIO, path: Path) -> bool:
        return True

    def _unlock(file: FileIO) -> None:
        pass

else:

    def _lock(file: FileIO, path: Path) -> bool:
        """Lock the file, if nobody else has and it is still the one that the path names."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return os.path.samestat(os.fstat(file.fileno()), path.stat())
        except (BlockingIOError, FileNotFoundError):
            return False

    def _unlock(file: FileIO) -> None:
        # Closing would not do it if the process has forked meanwhile.
        fcntl.flock(file, fcntl.LOCK_UN)


def _replace(path: Path, content: bytes, status: os.stat_result) -> None:
    """Put a new file in the place of an old one, durably, with the rights of the old one."""
    new = path.with_name(f".{path.name}.tmp")
    new.unlink(missing_ok=True)
    try:
        with open(new, "xb", opener=_open_private) as file:
            _keep_rights(file.fileno(), status)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _keep_rights(fd: int, status: os.stat_result) -> None:
    if sys.platform != "win32":
        with suppress(PermissionError):  # only root may give a file to somebody else
            os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, stat.S_IMODE(status.st_mode))


def _flush_folder(folder: Path) -> None:
    """Flush the move to the disk; Windows has no call for that."""
    if sys.platform != "win32":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
