"""What a checkpoint store is, and which strings it keeps."""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["LOCK_TIMEOUT", "CheckpointStore", "check_text"]

# How long a commit waits for another process, in seconds. It cannot be cancelled meanwhile, so
# this is also how long a cancelled stream may take to end. The usual wait is milliseconds.
LOCK_TIMEOUT: Final = 5.0


class CheckpointStore(Protocol):
    """Keeps one position for each key.

    Keys and positions are Unicode strings of any length, ``""`` and NUL included. What is no
    Unicode text, a string with lone surrogates, is kept as it is or refused with `ValueError`
    before anything changes.

    Different keys are saved concurrently. The saves of one key come from one stream: one at a
    time, the newest last.

    Cancellation: a method that was cancelled has happened or has not. It does not happen later,
    when a newer position may be there, and it harms no other key.
    """

    async def load(self, key: str) -> str | None:
        """Return the position that was saved last, `None` if there is none."""
        ...

    async def save(self, key: str, position: str) -> None:
        """Keep a position in the place of the last. On return it is as durable as it will be."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a position, as if there had been none. An unknown key is no error."""
        ...


def check_text(**texts: object) -> None:
    """Refuse what a store could not give back as it was.

    Raises:
        ValueError: A string has lone surrogates. Names it.
        TypeError: Something is no string. Names it, too.
    """
    for name, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"the {name} must be a str, got {text!r:.100}")
        try:
            text.encode()
        except UnicodeEncodeError as exc:
            raise ValueError(f"the {name} has lone surrogates: {text!r:.100}") from exc
