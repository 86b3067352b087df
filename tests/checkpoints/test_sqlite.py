"""Checkpoints in an SQLite database."""

from __future__ import annotations

import gc
import sqlite3
import time
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.checkpoints.crashes import survive
from trio_stream.checkpoints import SQLiteCheckpoints
from trio_stream.testing import check_store

TABLE = "trio_stream_checkpoints_v1"


@pytest.fixture
def path(tmp_path: Path) -> trio.Path:
    return trio.Path(tmp_path / "state.db")


async def names_beside(path: trio.Path) -> list[str]:
    return sorted(each.name for each in await path.parent.iterdir())


def ask(path: trio.Path, *statements: str) -> list[tuple[object, ...]]:
    """Execute statements on a connection of our own; return the rows of the last."""
    rows: list[tuple[object, ...]] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            rows = connection.execute(statement).fetchall()
    return rows


async def test_keeps_the_laws(path: trio.Path) -> None:
    """It is a durable checkpoint store, closed or not."""

    @asynccontextmanager
    async def never_closed() -> AsyncGenerator[SQLiteCheckpoints]:
        yield SQLiteCheckpoints(path.with_name("never closed"))

    await check_store(lambda: SQLiteCheckpoints(path))
    await check_store(never_closed)
    gc.collect()
    assert await names_beside(path) == ["never closed", path.name]


async def test_schema(path: trio.Path) -> None:
    """The table is the one that is documented, in WAL mode, and flushed with each commit."""
    async with SQLiteCheckpoints(path) as store:
        await store.save("a\0b", "é")

        assert ask(path, "PRAGMA journal_mode") == [("wal",)]
        assert ask(path, f"SELECT key, position FROM {TABLE}") == [("a\0b", "é")]
        connection = store._connection
        assert connection is not None
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


async def test_database_of_an_application(path: trio.Path) -> None:
    """It lives beside other tables, and leaves them and the version of the database alone."""
    ask(path, "CREATE TABLE orders (id)", "INSERT INTO orders VALUES (7)", "PRAGMA user_version=5")
    async with SQLiteCheckpoints(path) as store:
        await store.save("a", "1")

    assert ask(path, "SELECT * FROM orders") == [(7,)]
    assert ask(path, "PRAGMA user_version") == [(5,)]
    assert ask(path, f"SELECT * FROM {TABLE}") == [("a", "1")]


@pytest.mark.parametrize("content", [b"hello" * 1000, b"xy", b"SQLite format 3\0" + 4080 * b"\xff"])
async def test_other_files_are_left_alone(path: trio.Path, content: bytes) -> None:
    """What is no database is a `ValueError` that names it, and never overwritten."""
    await path.write_bytes(content)
    async with SQLiteCheckpoints(path) as store:
        for _ in range(2):
            with pytest.raises(ValueError, match=r"state\.db is no checkpoint database"):
                await store.load("a")
            with pytest.raises(ValueError, match=r"state\.db is no checkpoint database"):
                await store.save("a", "1")
        assert await path.read_bytes() == content

        await path.unlink()
        await store.save("a", "1")
        assert await store.load("a") == "1"


async def test_damaged_database(path: trio.Path) -> None:
    """A page that is garbage is a `ValueError`, not a wrong position."""
    async with SQLiteCheckpoints(path) as store, trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(store.save, f"key {number}", f"position {number}")
    content = await path.read_bytes()
    damaged = content[:4096] + b"\xa5" * (len(content) - 4096)
    await path.write_bytes(damaged)

    async with SQLiteCheckpoints(path) as store:
        with pytest.raises(ValueError, match="or is damaged"):
            await store.load("key 500")
        with pytest.raises(ValueError, match="or is damaged"):
            await store.save("key 500", "1")
    assert await path.read_bytes() == damaged


async def test_table_of_somebody_else(path: trio.Path) -> None:
    """A table of the same name with other columns is not touched."""
    ask(path, f"CREATE TABLE {TABLE} (name)")
    async with SQLiteCheckpoints(path) as store:
        with pytest.raises(ValueError, match="no such column"):
            await store.load("a")
        with pytest.raises(ValueError, match="no column named"):
            await store.save("a", "1")


@pytest.mark.parametrize("value", ["x'ff'", "CAST(x'ff' AS TEXT)"])
async def test_position_that_is_no_text(path: trio.Path, value: str) -> None:
    """What somebody else has written into the table is not taken for a position."""
    async with SQLiteCheckpoints(path) as store:
        await store.save("a", "1")
        ask(path, f"UPDATE {TABLE} SET position = {value}")

        with pytest.raises(ValueError, match=r"state\.db"):
            await store.load("a")
        await store.save("a", "2")
        assert await store.load("a") == "2"


async def test_folder_that_is_not_there(path: trio.Path) -> None:
    """Without a folder, each call is a `FileNotFoundError`, until there is one."""
    async with SQLiteCheckpoints(path / "deeper") as store:
        with pytest.raises(FileNotFoundError, match="unable to open database file"):
            await store.load("a")
        with pytest.raises(FileNotFoundError, match=r"state\.db/deeper"):
            await store.save("a", "1")
        await path.mkdir()
        await store.save("a", "1")
        assert await store.load("a") == "1"


async def test_path_that_cannot_be_opened(path: trio.Path) -> None:
    """What SQLite may not open, such as a folder, is a `PermissionError`, and no broken disk."""
    with pytest.raises(PermissionError, match="unable to open database file"):
        await SQLiteCheckpoints(path.parent).save("a", "1")


async def test_read_only_database(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing may be written, a save is a `PermissionError`, and a load works."""
    connect = sqlite3.connect

    def connect_to_read(path: trio.Path, **options: object) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", uri=True, **options)

    async with SQLiteCheckpoints(path) as store:
        await store.save("a", "1")
    monkeypatch.setattr(sqlite3, "connect", connect_to_read)
    async with SQLiteCheckpoints(path) as store:
        assert await store.load("a") == "1"
        with pytest.raises(PermissionError, match="readonly"):
            await store.save("a", "2")
        monkeypatch.undo()
        await store.save("a", "3")  # with a new connection
        assert await store.load("a") == "3"


async def test_locked_for_too_long(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the lock does not come free in time, it is a `TimeoutError`, and the next save works."""
    monkeypatch.setattr("trio_stream.checkpoints._sqlite.LOCK_TIMEOUT", 0)
    async with SQLiteCheckpoints(path) as store:
        await store.save("a", "1")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(TimeoutError, match=r"locked by another process: '.*state\.db'"):
                await store.save("a", "2")
            assert await store.load("a") == "1"

        await store.save("b", "3")
        assert [await store.load("a"), await store.load("b")] == ["1", "3"]


async def test_waits_to_enter_wal_mode(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is locked when it is opened is waited for, where SQLite would not wait."""
    waits = trio.Event()
    monkeypatch.setattr(time, "sleep", lambda _: trio.from_thread.run_sync(waits.set))
    ask(path, "CREATE TABLE orders (id)")
    async with SQLiteCheckpoints(path) as store, trio.open_nursery() as nursery:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            nursery.start_soon(store.save, "a", "1")
            await waits.wait()

    assert ask(path, f"SELECT * FROM {TABLE}") == [("a", "1")]


async def test_cannot_enter_wal_mode(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that stays locked when it is opened is a `TimeoutError`."""
    monkeypatch.setattr("trio_stream.checkpoints._sqlite.LOCK_TIMEOUT", 0)
    ask(path, "CREATE TABLE orders (id)")
    async with SQLiteCheckpoints(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(TimeoutError, match="locked by another process"):
                await store.save("a", "1")
        await store.save("a", "2")
        assert await store.load("a") == "2"


async def test_commit_is_all_or_nothing(path: trio.Path) -> None:
    """When one change of a commit fails, none is made, and the lock is free."""
    async with SQLiteCheckpoints(path) as store:
        await store.save("a", "1")
        ask(
            path,
            f"CREATE TRIGGER no BEFORE INSERT ON {TABLE} WHEN NEW.key = 'bad'"
            " BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        errors = []

        async def save(key: str) -> None:
            try:
                await store.save(key, "2")
            except OSError as exc:
                errors.append(str(exc))

        async with trio.open_nursery() as nursery:
            for key in ("a", "bad", "c"):
                nursery.start_soon(save, key)

        assert len(errors) == 3
        assert ask(path, "BEGIN IMMEDIATE", f"SELECT * FROM {TABLE}") == [("a", "1")]


async def test_many_saves_share_commits(path: trio.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 keys that are saved at once are few transactions."""
    statements: list[str] = []
    connect = sqlite3.connect

    def connect_traced(*args: object, **options: object) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.set_trace_callback(statements.append)
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_traced)
    async with SQLiteCheckpoints(path) as store, trio.open_nursery() as nursery:
        for number in range(200):
            nursery.start_soon(store.save, str(number), str(number))

    assert 1 <= statements.count("COMMIT") <= 10
    assert ask(path, f"SELECT count(*) FROM {TABLE}") == [(200,)]


async def test_closed(path: trio.Path) -> None:
    """A store that was closed refuses to work, and can be closed again."""
    async with SQLiteCheckpoints(path) as store:
        await store.save("a", "1")
    await store.aclose()
    assert await names_beside(path) == [path.name]

    for call in (store.load("a"), store.save("a", "2"), store.delete("a")):
        with pytest.raises(trio.ClosedResourceError):
            await call
    await SQLiteCheckpoints(path).aclose()


async def test_closed_though_cancelled(path: trio.Path) -> None:
    """A block that is cancelled closes the database all the same."""
    with trio.CancelScope() as scope:
        async with SQLiteCheckpoints(path) as store:
            await store.save("a", "1")
            scope.cancel()
            await trio.sleep_forever()

    assert store._connection is None
    assert await names_beside(path) == [path.name]


async def test_closing_waits_for_saves(path: trio.Path) -> None:
    """What is on its way when the store is closed is saved."""
    store = SQLiteCheckpoints(path)
    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(store.save, str(number), "1")
        await trio.testing.wait_all_tasks_blocked()
        await store.aclose()

    assert ask(path, f"SELECT count(*) FROM {TABLE}") == [(20,)]


async def test_collected_as_garbage(path: trio.Path) -> None:
    """A store that nobody closes is closed when it is collected."""
    store = SQLiteCheckpoints(path)
    await store.save("a", "1")
    gone = weakref.ref(store)
    assert len(await names_beside(path)) > 1

    del store
    gc.collect()

    assert gone() is None
    assert await names_beside(path) == [path.name]


def test_survives(path: trio.Path) -> None:
    """Killed at any time, shared by processes, or on a full disk: no position is lost."""
    survive("sqlite", path.parent)
