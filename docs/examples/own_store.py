from contextlib import asynccontextmanager

import trio
from trio.testing import MockClock

from trio_stream.testing import check_store


class Database:
    """Stands in for a database over a network, which takes its time."""

    def __init__(self):
        self.rows = {}

    async def execute(self, change):
        await trio.sleep(0.01)  # here a cancellation still finds the old value
        change(self.rows)


class DatabaseCheckpoints:
    """A store of checkpoints: three methods."""

    def __init__(self, database):
        self._database = database

    async def load(self, key):
        await trio.lowlevel.checkpoint()
        return self._database.rows.get(key)

    async def save(self, key, position):
        await self._database.execute(lambda rows: rows.update({key: position}))

    async def delete(self, key):
        await self._database.execute(lambda rows: rows.pop(key, None))


class CarelessCheckpoints(DatabaseCheckpoints):
    """Takes "A" for "a", as some databases do."""

    async def load(self, key):
        return await super().load(key.lower())

    async def save(self, key, position):
        await super().save(key.lower(), position)

    async def delete(self, key):
        await super().delete(key.lower())


async def check(kind):
    database = Database()

    @asynccontextmanager
    async def open_store():
        yield kind(database)

    try:
        await check_store(open_store)
    except AssertionError as error:
        print(f"{kind.__name__}: {error}")
    else:
        print(f"{kind.__name__} keeps the contract")


async def main():
    await check(DatabaseCheckpoints)
    await check(CarelessCheckpoints)


trio.run(main, clock=MockClock(autojump_threshold=0))
