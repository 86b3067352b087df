"""Cassettes: what a client and servers said to each other, to be kept and played again."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import attrs

from ._cassette_file import parse_exchanges, write_exchanges
from ._exchange import Exchange
from ._plan import Plan
from ._playing import CassettePlan

__all__ = ["Cassette"]


@attrs.frozen
class Cassette:
    """Recorded exchanges, made by a `Recorder` or read from a file.

    ::

        cassette = Cassette.load("tests/cassettes/outage.jsonl")
        async with memory_client(cassette.plan()) as (client, server):
            ...  # with MockClock(autojump_threshold=0), ten minutes of silence take no time

    Attributes:
        exchanges: In the order in which they began.
    """

    exchanges: tuple[Exchange, ...] = ()

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Cassette:
        """Read a cassette from a file.

        Raises:
            OSError: There is no such file, or it cannot be read.
            ValueError: It is no cassette, or one of a later version. Names file and line.
        """
        try:
            return cls.parse(Path(path).read_bytes().decode())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, in place of what was there.

        Raises:
            OSError: It cannot be written.
        """
        Path(path).write_bytes(self.text().encode())

    @classmethod
    def parse(cls, text: str) -> Cassette:
        """Read a cassette from the text of its file.

        Raises:
            ValueError: It is no cassette, or one of a later version. Names the line.
        """
        return cls(parse_exchanges(text))

    def plan(self, speed: float = 1.0, *, repeat: bool = False) -> Plan:
        """Make a plan that plays it, faults and all: for `serve`, `memory_client` and the like.

        The n-th request gets the n-th answer, whatever it asks for, with the recorded times, each
        counted from the request. A client that waits as long as the recorded one times out where
        that one did; after a recorded one has left, nothing more comes. What the connection did
        is played over HTTP/1.1, in plain text.

        Writes that follow each other within a microsecond, and those of more than 64 KiB, may
        reach the client in other pieces than the recorded ones.

        Args:
            speed: So many times as fast; infinity: without a pause.
            repeat: Begin again after the last exchange. Otherwise one more request is an error of
                the test: a `LookupError` where the server runs.
        """
        if not speed > 0:
            raise ValueError(f"speed must be above 0, got {speed}")
        return CassettePlan(self.exchanges, speed, repeat)

    def text(self) -> str:
        """The text of its file."""
        return write_exchanges(self.exchanges)
