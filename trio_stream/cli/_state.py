"""Where `trio-stream tail --state` has got to, in a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import final
from urllib.parse import urlsplit

from ..checkpoints import FileCheckpoints

__all__ = ["State", "StateError", "key_of"]


def key_of(url: str, body: bytes | None = None) -> str:
    """The name of a stream in the file: its URL without secrets, and what tells query and body."""
    try:
        parts = urlsplit(url)
    except ValueError:  # as will be said when it is asked for
        return url
    name = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    asked = parts.query.encode("utf-8", "surrogateescape")
    if body is not None:
        asked += b"\n" + body  # a query has no line end
    return f"{name}?{hashlib.blake2b(asked, digest_size=8).hexdigest()}" if asked else name


class StateError(Exception):
    """The file cannot be read or written."""


@final
class State:
    """A store of checkpoints whose failures cannot be taken for those of the output."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = FileCheckpoints(path)

    async def load(self, key: str) -> str | None:
        """Return the position."""
        try:
            return await self._store.load(key)
        except OSError as error:
            raise self._failure("read", error) from error

    async def save(self, key: str, position: str) -> None:
        """Keep a position."""
        try:
            await self._store.save(key, position)
        except (OSError, ValueError) as error:  # ValueError: it has become something else
            raise self._failure("keep", error) from error

    async def delete(self, key: str) -> None:
        """Forget a position."""
        await self._store.delete(key)

    def _failure(self, verb: str, error: OSError | ValueError) -> StateError:
        why = getattr(error, "strerror", None) or error
        return StateError(f"cannot {verb} the state in {self._path}: {why}")
