"""Checkpoints in an SQLite database.

The schema, version 1: the table ``trio_stream_checkpoints_v1``, with the columns ``key`` (the
primary key) and ``position``, both text. The version is in the name because everything else that
could hold it belongs to the whole database, which may be the application's own.

A commit is one transaction (`GroupCommit`). The database is in WAL mode, so that readers and a
writer do not wait for each other, and ``synchronous`` is ``FULL``: the log is flushed to the disk
with each commit. ``NORMAL`` would save that wait but promise less: after a power failure the last
positions could be older than those that a save had promised.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
import weakref
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import trio

from ._commits import GroupCommit
from ._contract import LOCK_TIMEOUT, check_text

__all__ = ["SQLiteCheckpoints"]

_POLL: Final = 0.002
_CREATE: Final = """
    CREATE TABLE IF NOT EXISTS trio_stream_checkpoints_v1
    (key TEXT NOT NULL PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID
"""
_LOAD: Final = "SELECT position FROM trio_stream_checkpoints_v1 WHERE key = ?"
_SAVE: Final = "INSERT OR REPLACE INTO trio_stream_checkpoints_v1 (key, position) VALUES (?, ?)"
_DELETE: Final = "DELETE FROM trio_stream_checkpoints_v1 WHERE key = ?"

# SQLITE_ERROR: our statements are wrong only where a table of this name has other columns.
# Without a code (0) it is Python's: a text is not UTF-8.
_NOT_OURS: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, 0}
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_ERRNO: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_READONLY: errno.EACCES,
}


class SQLiteCheckpoints:
    """A `CheckpointStore` in an SQLite database, for any number of keys.

    A position that was saved survives the death of the process and, if the disk keeps what it
    was told to flush, a power failure. Saves that come together share one transaction. Several
    processes may share the database, on a local file system.

    The database is made when it is first used, and may be one that has other tables; it is put
    into WAL mode. Use the store plainly, or close it with ``async with`` or `aclose`; otherwise
    it is closed when it is collected as garbage, or with the process.

    Args:
        path: The database file; its folder must exist.

    Raises:
        ValueError: From each method: the file is damaged, or no SQLite database, or its table is
            not ours, and it is left as it is; or an argument has lone surrogates.
        OSError: From each method: the file cannot be read or written; no position has changed.
            `TimeoutError`: another process has kept it locked for five seconds.
        trio.ClosedResourceError: From each method but `aclose`: the store was closed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()  # wherever the process goes
        self._commits = GroupCommit(self._write)
        self._is_closed = False
        self._connection: sqlite3.Connection | None = None
        self._disconnect: weakref.finalize[[], SQLiteCheckpoints] | None = None

    async def load(self, key: str) -> str | None:
        """Return the position, `None` if there is none."""
        check_text(key=key)
        return await self._commits.run(lambda: self._read(key))

    async def save(self, key: str, position: str) -> None:
        """Keep a position. On return it is on the disk.

        Cancellation: the position is the old one or the new one. A commit that has begun is
        waited for.
        """
        await self._commits.commit(key, position)

    async def delete(self, key: str) -> None:
        """Forget a position. Cancellation: as for `save`."""
        await self._commits.commit(key, None)

    async def aclose(self) -> None:
        """Close the database, after the commits that are on their way. Idempotent."""
        with trio.CancelScope(shield=True):
            await self._commits.run(self._close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # What follows runs in worker threads, one at a time.

    def _read(self, key: str) -> str | None:
        with self._connected() as connection:
            row: tuple[object] | None = connection.execute(_LOAD, (key,)).fetchone()
        position = None if row is None else row[0]
        if position is None or isinstance(position, str):
            return position
        raise ValueError(f"{self._path} has a position that is no text: {position!r:.100}")

    def _write(self, changes: Mapping[str, str | None]) -> None:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            for key, position in changes.items():
                if position is None:
                    connection.execute(_DELETE, (key,))
                else:
                    connection.execute(_SAVE, (key, position))
            connection.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        """Give the connection, made when need be; after an error, the next is a new one."""
        if self._is_closed:
            raise trio.ClosedResourceError("the checkpoint store was closed")
        try:
            if self._connection is None:
                self._connection = self._connect()
            yield self._connection
        except BaseException as exc:
            self._drop_connection()  # rolls back
            if isinstance(exc, sqlite3.Error):
                raise _translate(exc, self._path) from exc
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        self._disconnect = weakref.finalize(self, connection.close)
        _enter_wal_mode(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(_CREATE)
        return connection

    def _drop_connection(self) -> None:
        self._connection = None
        if self._disconnect is not None:
            self._disconnect()

    def _close(self) -> None:
        self._is_closed = True
        self._drop_connection()


def _enter_wal_mode(connection: sqlite3.Connection) -> None:
    # Where somebody else has the lock, as when several open a new database, SQLite may refuse this
    # at once and not wait as it does with all that follows.
    give_up = time.monotonic() + LOCK_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= give_up:
                raise
            time.sleep(_POLL)
        else:
            return


def _translate(error: sqlite3.Error, path: Path) -> Exception:
    """What the contract of a store has for an SQLite error."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # without what makes it an extended one
    if code in _NOT_OURS:
        return ValueError(f"{path} is no checkpoint database, or is damaged: {error}")
    if code in _BUSY:
        return TimeoutError(errno.ETIMEDOUT, "locked by another process", str(path))
    number = _ERRNO.get(code, errno.EIO)
    if code == sqlite3.SQLITE_CANTOPEN:
        number = errno.EACCES if path.parent.is_dir() else errno.ENOENT
    return OSError(number, str(error), str(path))
