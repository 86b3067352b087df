import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import trio

from trio_stream import StreamConfig, stream_with_retry
from trio_stream.checkpoints import FileCheckpoints, SQLiteCheckpoints
from trio_stream.testing import Feed, serve


async def work_off(url, store, *, leave_at=""):
    """Deal with each event; the store knows how far we are."""
    done = []
    async with stream_with_retry("GET", url, checkpoints=store, checkpoint_key="orders") as rx:
        async for event in rx:
            if event.id == leave_at:
                break  # with this event in hand: nothing was done about it
            done.append(event.data)
    print(done, "acknowledged:", rx.outcome.acknowledged_id)


async def take_one(url, store, *, acknowledge):
    """Leave with an item in hand."""
    async with stream_with_retry("GET", url, checkpoints=store, checkpoint_key="one") as rx:
        event = await rx.receive()
        if acknowledge:
            rx.ack()
    print(event.data, repr(rx.outcome.acknowledged_id))


async def work_in_batches(url, store):
    """Write items three at a time, and acknowledge what is written."""
    config = StreamConfig(auto_ack=False)
    batch = []

    async def write():
        print("written", batch)
        batch.clear()
        rx.ack()
        await rx.flush()

    async with stream_with_retry(
        "GET", url, config=config, checkpoints=store, checkpoint_key="batches"
    ) as rx:
        async for event in rx:
            batch.append(event.data)
            if len(batch) == 3:
                await write()
        await write()
    print(await store.load("batches"))


class OrdersAndPosition:
    """Results and the position, in one database and one transaction: nothing is done twice."""

    def __init__(self, path):
        self._path = path
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS orders (data TEXT)")
            database.execute("CREATE TABLE IF NOT EXISTS position (last_id TEXT)")

    def position(self):
        with closing(sqlite3.connect(self._path)) as database:
            row = database.execute("SELECT last_id FROM position").fetchone()
        return row[0] if row else ""

    def add(self, event):
        with closing(sqlite3.connect(self._path)) as database, database:
            database.execute("INSERT INTO orders VALUES (?)", (event.data,))
            database.execute("DELETE FROM position")
            database.execute("INSERT INTO position VALUES (?)", (event.id,))

    def orders(self):
        with closing(sqlite3.connect(self._path)) as database:
            return [data for (data,) in database.execute("SELECT data FROM orders")]


async def exactly_once(url, path, *, leave_at=""):
    orders = await trio.to_thread.run_sync(OrdersAndPosition, path)
    position = await trio.to_thread.run_sync(orders.position)
    async with stream_with_retry("GET", url, last_event_id=position) as rx:
        async for event in rx:
            await trio.to_thread.run_sync(orders.add, event)
            if event.id == leave_at:
                break
    print(await trio.to_thread.run_sync(orders.orders))


async def main():
    with tempfile.TemporaryDirectory() as folder:
        async with serve(Feed(7)) as server:
            print("-- work_off")
            store = FileCheckpoints(Path(folder, "orders.json"))
            await work_off(server.url, store, leave_at="4")
            await work_off(server.url, store)

            print("-- take_one")
            async with SQLiteCheckpoints(Path(folder, "positions.db")) as store:
                await take_one(server.url, store, acknowledge=False)
                await take_one(server.url, store, acknowledge=True)
                await take_one(server.url, store, acknowledge=True)

                print("-- work_in_batches")
                await work_in_batches(server.url, store)

            print("-- exactly_once")
            await exactly_once(server.url, Path(folder, "app.db"), leave_at="4")
            await exactly_once(server.url, Path(folder, "app.db"))


trio.run(main)
