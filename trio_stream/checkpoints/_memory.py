"""Checkpoints in memory: for tests, and for positions that may die with the process."""

from __future__ import annotations

from collections.abc import Mapping

import trio

from ._contract import check_text

__all__ = ["MemoryCheckpoints"]


class MemoryCheckpoints:
    """A `CheckpointStore` that lives as long as the object.

    Args:
        positions: What it holds at first, by key. Is copied.

    Attributes:
        positions: What it holds now.
    """

    def __init__(self, positions: Mapping[str, str] | None = None) -> None:
        self.positions: dict[str, str] = dict(positions or {})

    async def load(self, key: str) -> str | None:
        """Return the position, `None` if there is none."""
        check_text(key=key)
        await trio.lowlevel.checkpoint()
        return self.positions.get(key)

    async def save(self, key: str, position: str) -> None:
        """Keep a position.

        Raises:
            ValueError: The key or the position has lone surrogates.
        """
        check_text(key=key, position=position)
        await trio.lowlevel.checkpoint()
        self.positions[key] = position

    async def delete(self, key: str) -> None:
        """Forget a position."""
        check_text(key=key)
        await trio.lowlevel.checkpoint()
        self.positions.pop(key, None)
