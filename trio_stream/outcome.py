"""How a stream ended: the one `StreamOutcome`, and the `StreamState` on the way there."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

if TYPE_CHECKING:
    from .errors import StreamError

__all__ = ["Ending", "Phase", "StreamOutcome", "StreamState", "Timings"]

R = TypeVar("R")


class Ending(enum.Enum):
    """Why a stream is over. Every stream has exactly one."""

    COMPLETED = "completed"
    """It arrived whole: the terminal event was seen or, where the format has none, a clean end."""
    TRUNCATED = "truncated"
    """The other side stopped sending before it was whole."""
    TIMED_OUT = "timed_out"
    """A watchdog fired; the error names the layer."""
    FAILED = "failed"
    """An error: no connection, a bad status, a reset, a bad frame or item, an in-band error."""
    CANCELLED = "cancelled"
    """A cancel scope around the stream was cancelled, or the program is being stopped."""
    CLOSED = "closed"
    """The consumer left before the end: by ``break``, `aclose`, or an exception of its own."""


class Phase(enum.Enum):
    """Where a stream is in its life. `trio_stream.retry.TRANSITIONS` says what leads where.

    The upper three come before the first item was delivered, when an attempt can be repeated
    without anybody noticing; the lower three come after it.
    """

    CONNECTING = "connecting"
    """The request is made, or the head of the response is awaited."""
    OPEN = "open"
    """A response was accepted as a stream."""
    WAITING = "waiting"
    """Before the next attempt."""

    STREAMING = "streaming"
    """An item was delivered, or will be in any case: a subscription throws nothing away."""
    INTERRUPTED = "interrupted"
    """Before the next attempt, which goes on or begins anew."""
    RECONNECTING = "reconnecting"
    """As `CONNECTING`."""

    ENDED = "ended"
    """No more items will come from the other side."""


@attrs.frozen
class Timings:
    """Seconds from the moment the stream was asked for, on trio's clock. `None`: never happened.

    Items are stamped when they have been decoded, not when the consumer took them. Pings and
    comments are not stamped.

    Attributes:
        headers: When the head of the response was there.
        first_byte: When the first piece of its body was.
        first_item: When the first item was.
        last_item: When the last one was.
        total: When the stream was over.
    """

    headers: float | None = None
    first_byte: float | None = None
    first_item: float | None = None
    last_item: float | None = None
    total: float = 0.0


@attrs.frozen(eq=False)
class StreamOutcome(Generic[R]):
    """The truth about a stream that is over.

    Attributes:
        ending: Why it is over.
        value: The result, whole or partial, from everything that was received, delivered or not.
            With a dialect its assembled message; else the list of items (the newest
            ``StreamConfig.max_kept_items``).
        error: What went wrong: the error that was raised, the consumer's own exception, or a
            failure that nobody received because the consumer had left. `None` if nothing did.
        items: How many items were received, pings and comments among them.
        skipped_items: How many payloads did not fit and were skipped (``on_bad_item``).
        unknown_events: How many events had a name that nobody knew; they are kept as items.
        bytes_received: How many bytes of body were received over all attempts, as sent (before
            decompression).
        duplicate_items: How many items came again after a resume, and were dropped.
        missing_items: How many never came, by the numbers that the `Cursor` knows.
        attempts: How many requests were made.
        last_event_id: The last position that was received: the last event ID that was committed, or
            what the `Cursor` takes for it; ``""`` if none.
        acknowledged_id: The position of the last item that was acknowledged; ``""`` if none was,
            or the stream neither resumes nor has checkpoints. Settled when the stream is left.
        timings: When things happened.
    """

    ending: Ending
    value: R
    error: BaseException | None = None
    items: int = 0
    skipped_items: int = 0
    unknown_events: int = 0
    duplicate_items: int = 0
    missing_items: int = 0
    bytes_received: int = 0
    attempts: int = 1
    last_event_id: str = ""
    acknowledged_id: str = ""
    timings: Timings = attrs.field(factory=Timings)

    @property
    def is_complete(self) -> bool:
        """Whether ``value`` is whole."""
        return self.ending is Ending.COMPLETED


@attrs.frozen
class StreamState:
    """A stream at one moment.

    Attributes:
        phase: Where it is in its life.
        retry_count: How many requests were made after the first one.
        current_backoff: Seconds of the wait that is running; 0.0 if none is.
        is_connected: Whether a response is open.
        total_items_received: How many items have been decoded so far, delivered or not.
        last_error: The newest error, if there was one.
        last_event_id: The last event ID that was committed; ``""`` if none.
    """

    phase: Phase = Phase.CONNECTING
    retry_count: int = 0
    current_backoff: float = 0.0
    is_connected: bool = False
    total_items_received: int = 0
    last_error: StreamError | None = None
    last_event_id: str = ""
