"""How bytes become items: the stage of the parser, and that of the assembler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, final

import trio

from ..dialects import Decoder, MessageStarted, Ping
from ..errors import CorruptFrameError, LimitExceededError, StreamTruncatedError
from ..framing import Comment, Parser
from ._link import Link
from ._position import Position
from ._stage import Stage
from ._structured import Draft
from ._watchdog import Watchdog

__all__ = ["AssemblerStage", "Owner", "ParserStage", "commits"]

T = TypeVar("T")

# Items that say only that the other side is alive: they are no progress.
_PULSES = frozenset({Comment, Ping})


def commits(item: object) -> bool:
    """Whether an item that was delivered stands in the way of another attempt.

    A sign of life does not. Nor does the bare beginning of a message: that of the next one replaces
    it, and a model that was overloaded before its first word has said nothing.
    """
    what: object = item.item if type(item) is Draft else item
    return type(what) not in _PULSES and type(what) is not MessageStarted


class Owner(Protocol[T]):
    """What the stages report to: the stream that they belong to.

    Attributes:
        items: The link to the consumer.
        items_received: How many items have been decoded, since the stream began.
    """

    items: Link[T]
    items_received: int

    def made_progress(self, now: float) -> None:
        """An item came that is more than a sign of life."""
        ...

    def drops(self, fault: Exception) -> bool:
        """Whether the attempt is repeated because of ``fault``, as if it had never been.

        What it has brought at last is not to be sent then.
        """
        ...

    def ended(self, reason: Exception | None) -> None:
        """There are no more items, since ``reason``."""
        ...


@final
class ParserStage(Stage[bytes, Any]):
    """Pieces of a body in, frames out.

    Args:
        parser: What it drives.
        source, sink, on_end: See `Stage`.
    """

    __slots__ = ("_parser",)

    def __init__(
        self,
        parser: Parser[Any],
        source: Link[bytes],
        sink: Link[Any],
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(source, sink, on_end)
        self._parser = parser

    def work(self, items: list[bytes], out: list[Any]) -> None:
        try:
            out += self._parser.feed(items[0] if len(items) == 1 else b"".join(items))
        except (LimitExceededError, CorruptFrameError) as error:
            out += error.frames
            raise

    def finish(self, out: list[Any]) -> None:
        out += self._parser.close()
        if self._parser.truncated:
            raise StreamTruncatedError("the body ended inside an event, which was dropped")


@final
class AssemblerStage(Stage[Any, T]):
    """Frames in, items out, to the consumer. Keeps track of the position.

    Args:
        source, on_end: See `Stage`.
        decoder: What it drives.
        owner: The stream that the items belong to.
        position: Is told where the stream is; `None`: nobody wants to know.
        watchdog: Is told of items, and of waits for the consumer.
    """

    __slots__ = ("_decoder", "_owner", "_position", "_watchdog")

    def __init__(
        self,
        source: Link[Any],
        on_end: Callable[[], None],
        *,
        decoder: Decoder[T],
        owner: Owner[T],
        position: Position | None,
        watchdog: Watchdog,
    ) -> None:
        super().__init__(source, owner.items, on_end)
        self._decoder = decoder
        self._owner = owner
        self._position = position
        self._watchdog = watchdog

    @property
    def is_dropped(self) -> bool:
        """Whether the attempt is repeated, as if it had never been."""
        return self.fault is not None and self._owner.drops(self.fault)

    def work(self, items: list[Any], out: list[T]) -> None:
        decoder = self._decoder
        try:
            if self._position is None:
                decoder.decode(items, out)
            else:
                self._decode_each(items, out, self._position)
        finally:
            if out:
                self._owner.items_received += len(out)
                if type(out[-1]) not in _PULSES or any(type(it) not in _PULSES for it in out):
                    self._made_progress()
        self.is_spent = decoder.finished

    def _decode_each(self, frames: list[Any], out: list[T], position: Position) -> None:
        """Decode frame by frame, to know which items came of which."""
        decoder, before = self._decoder, self._owner.items_received
        for frame in frames:
            if decoder.finished:
                return
            place = position.read(frame)
            if not position.is_duplicate(place):
                decoder.decode((frame,), out)
                position.advance(place, before + len(out))

    def finish(self, out: list[T]) -> None:
        self._decoder.close()

    async def send(self, out: list[T], weight: int) -> None:
        if self.is_dropped:
            return
        if not self.sink.send_nowait(out, weight):
            self._watchdog.rest_stall()
            await self.sink.send(out, weight)
            self._watchdog.wake_stall()

    def hang_up(self, reason: Exception | None) -> None:
        self._owner.ended(reason)

    def _made_progress(self) -> None:
        now = trio.current_time()
        self._watchdog.item_came(now)
        self._owner.made_progress(now)
