"""What the dialects of LLM APIs have in common: they all tell of one `Message`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import attrs

from ..errors import BadItemError
from ..framing import (
    SSE,
    Comment,
    EventStreamMessage,
    Framing,
    Record,
    ServerSentEvent,
    UnframedText,
    UnknownEvent,
)
from ._assembler import MessageAssembler
from ._contract import Decoder, Dialect
from ._json import JsonObject, Misfit, parse_json
from ._open_parts import OpenPart
from .items import BlockFinished, BlockStarted, MessageItem
from .message import Message

__all__ = ["Completion", "Frame", "MessageDecoder", "MessageDialect", "SSEMessageDecoder"]

Frame: TypeAlias = ServerSentEvent | Comment | UnframedText | Record | EventStreamMessage
F = TypeVar("F", bound=Frame)


@attrs.frozen
class Completion:
    """When a stream of a dialect is complete: the contract that decides what is truncated.

    Attributes:
        terminal_markers: What ends a message, in the provider's words. Nothing is read after it.
        also: What else makes a message whole, so that a stream that ends there is complete too,
            unless the dialect was made with ``strict=True``; ``""`` if nothing does.
        quirks: Deviations of servers that are understood, each named in a few words.
    """

    terminal_markers: tuple[str, ...]
    also: str = ""
    quirks: tuple[str, ...] = ()


@attrs.frozen
class MessageDialect(Dialect[MessageItem, Message]):
    """The root of the dialects whose result is a `Message`.

    Args:
        strict: Whether a stream is complete only with its terminal marker, even if the message
            was whole before it.
    """

    strict: bool = attrs.field(default=False, kw_only=True)

    completion: ClassVar[Completion]
    """When a stream counts as complete."""

    @property
    def framing(self) -> Framing[Any]:
        """Server-sent events."""
        return SSE(unframed=True)

    @abstractmethod
    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""

    def assembler(self) -> MessageAssembler:
        """Make an assembler for one stream."""
        return MessageAssembler(strict=self.strict)


class MessageDecoder(ABC, Generic[F]):
    """Frames in, items out: what every decoder does, around the grammar that is its own.

    It counts what is unknown, numbers the parts, stops after the terminal event, and says in
    which frame a payload did not fit.
    """

    __slots__ = ("_finished", "_parts", "_unknown_events")

    def __init__(self) -> None:
        self._finished = False
        self._parts = 0
        self._unknown_events = 0

    @property
    def finished(self) -> bool:
        """Whether the terminal event was seen."""
        return self._finished

    @property
    def skipped_items(self) -> int:
        """Always 0: an event may change what the later ones mean, so none can be skipped."""
        return 0

    @property
    def unknown_events(self) -> int:
        """How many events, deltas and blocks were of a kind that nobody knew."""
        return self._unknown_events

    def decode(self, frames: Sequence[F], out: list[MessageItem]) -> None:
        """Append the items of ``frames`` to ``out``."""
        for frame in frames:
            if self._finished:
                return
            try:
                self._read(frame, out)
            except Misfit as misfit:
                raise _bad_item(misfit, frame) from misfit.__cause__
            except RecursionError:
                # It was just not too deep to be parsed, but to be compared or shown.
                raise _bad_item(Misfit("$", "nested too deeply"), frame) from None

    @abstractmethod
    def close(self) -> None:
        """The frames have ended cleanly."""

    @abstractmethod
    def _read(self, frame: F, out: list[MessageItem]) -> None:
        """Append the items of one frame.

        Raises `Misfit` for content that has no place. What can go wrong goes wrong before ``out``
        is touched, so that it never holds half of what a frame said.
        """

    def _keep(self, event: str, data: str, out: list[MessageItem]) -> None:
        """Keep what nobody knows."""
        self._unknown_events += 1
        out.append(UnknownEvent(event, data))

    def _start_part(self, part: OpenPart, out: list[MessageItem], choice: int = 0) -> int:
        """Begin the next part of the message; return its place."""
        place = self._parts
        self._parts += 1
        out.append(BlockStarted(place, part.unfinished(), choice))
        return place

    def _add_part(self, part: OpenPart, out: list[MessageItem], choice: int = 0) -> None:
        """Begin and finish a part that came whole."""
        out.append(BlockFinished(self._start_part(part, out, choice), part.finished()))


class SSEMessageDecoder(MessageDecoder[ServerSentEvent | Comment | UnframedText]):
    """The same for event streams, with what may stand beside the events."""

    __slots__ = ()

    def _read(
        self, frame: ServerSentEvent | Comment | UnframedText, out: list[MessageItem]
    ) -> None:
        if type(frame) is ServerSentEvent:
            self._read_event(frame, out)
        elif type(frame) is UnframedText:
            self._read_unframed(frame.text, out)
        elif type(frame) is Comment:
            self._read_comment(frame.text, out)

    @abstractmethod
    def _read_event(self, event: ServerSentEvent, out: list[MessageItem], /) -> None:
        """Append the items of one event; see `_read`. The event ``error`` must raise."""

    def _read_comment(self, text: str, out: list[MessageItem]) -> None:
        """Look at a comment. Most providers say nothing with them."""

    def _read_unframed(self, text: str, out: list[MessageItem]) -> None:
        # What is not framed is the JSON of an error, or not part of the stream that was asked
        # for: an answer in one piece, a page of a proxy.
        try:
            value: JsonObject | list[JsonObject] = parse_json(text)  # if it is one
        except ValueError as exc:
            raise Misfit("$", f"text outside of any event, and not JSON: {exc}") from exc
        first = value[0] if type(value) is list and value else value
        if type(first) is dict and "error" in first:
            self._read_event(ServerSentEvent("error", text), out)
        raise Misfit("$", "JSON outside of any event")


def _bad_item(misfit: Misfit, frame: Frame) -> BadItemError:
    event, raw = "", b""
    match frame:
        case ServerSentEvent():
            event, raw = frame.event, frame.data.encode("utf-8", "surrogatepass")
        case Record():
            raw = frame.data.encode("utf-8", "surrogatepass")
        case EventStreamMessage():
            event, raw = frame.event, frame.payload
        case Comment() | UnframedText():
            raw = frame.text.encode("utf-8", "surrogatepass")
    where = f"of a {event!r} event" if event else "of a record"
    return BadItemError(
        f"{misfit} at {misfit.path} {where}",
        path=misfit.path,
        raw=raw,
        event=event,
        original_exception=misfit.__cause__,
    )
