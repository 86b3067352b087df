"""What a dialect is: the grammar of one provider's streams.

A dialect is a `Framing` and the two faces of its assembler, kept apart because they run in
different tasks at different times:

* a `Decoder` turns frames into items. It runs in the assembler stage, ahead of the consumer;
* an `Assembler` folds items into the result. It is given each item as the consumer receives it,
  so its value is exactly what the consumer has seen; at the end it is given the rest.

Both are made afresh for each stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from ..framing import Framing

__all__ = ["Assembler", "Decoder", "Dialect"]

T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)


class Decoder(Protocol[T]):
    """Frames in, items out. Synchronous; one decoder reads one stream."""

    @property
    def finished(self) -> bool:
        """Whether the terminal event was seen: what follows is not read."""
        ...

    @property
    def skipped_items(self) -> int:
        """How many payloads did not fit and were skipped."""
        ...

    @property
    def unknown_events(self) -> int:
        """How many events had a name or type that nobody knew."""
        ...

    def decode(self, frames: Sequence[Any], out: list[T]) -> None:
        """Append the items of ``frames`` to ``out``.

        Raises:
            StreamError: A frame is bad, or reports a failure. ``out`` then holds the items of the
                frames before it. The decoder is spent.
        """
        ...

    def close(self) -> None:
        """The frames have ended cleanly.

        Raises:
            StreamTruncatedError: The terminal event that the dialect promises is missing.
        """
        ...


class Assembler(Protocol[T_contra, R_co]):
    """Items in, one result out. Synchronous; one assembler serves one stream."""

    def fold(self, item: T_contra, /) -> object:
        """Take the next item into the result. Never raises."""
        ...

    def snapshot(self) -> R_co:
        """The result so far, as a value of its own that later folding does not change."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the result is known to be whole: from the terminal item, or without it.

        `False` for formats that have none: they are complete when they end.
        """
        ...


class Dialect(Protocol[T, R_co]):
    """A provider's grammar: its framing, items, assembly and completion contract."""

    @property
    def framing(self) -> Framing[Any]:
        """The wire format."""
        ...

    def decoder(self) -> Decoder[T]:
        """A fresh decoder."""
        ...

    def assembler(self) -> Assembler[T, R_co]:
        """A fresh assembler."""
        ...
