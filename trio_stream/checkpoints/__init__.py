"""Where a stream goes on after a restart: stores for the position of the last processed item.

A *position* is a string that the server understands, such as the last event ID. Streams are told
apart by a *key* of the user's choice. `SQLiteCheckpoints` is for many streams or processes,
`FileCheckpoints` for a file that people can read, `MemoryCheckpoints` for tests. A store of your
own needs the three methods of `CheckpointStore`; `trio_stream.testing.check_store` checks it.

Never imported by ``import trio_stream``.
"""

from ._contract import CheckpointStore
from ._file import FileCheckpoints
from ._memory import MemoryCheckpoints
from ._sqlite import SQLiteCheckpoints

__all__ = ["CheckpointStore", "FileCheckpoints", "MemoryCheckpoints", "SQLiteCheckpoints"]
