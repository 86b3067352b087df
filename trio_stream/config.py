"""`StreamConfig`: the settings of a stream, checked when they are made."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .errors import BadItemError, StreamError
from .outcome import StreamOutcome

if TYPE_CHECKING:
    from .retry import RetryBudget

__all__ = ["DEFAULT_MAX_BYTES", "StreamConfig"]

# OpenAI's SDK had smaller caps and removed them after image events outgrew them; httpx2's 1 MiB
# is a common complaint. 64 MiB holds every event seen in the wild and still bounds an attack.
DEFAULT_MAX_BYTES = 64 * 1024 * 1024


def _positive(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not (value > 0 and not math.isnan(value)):
        raise ValueError(f"{attribute.name} must be greater than 0 (or None), got {value!r}")


def _at_least(minimum: float) -> Callable[[object, attrs.Attribute[Any], float], None]:
    def check(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
        if not value >= minimum:  # the negation also refuses NaN
            raise ValueError(f"{attribute.name} must be at least {minimum}, got {value!r}")

    return check


def _finite(instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{attribute.name} must be at least 0 and finite, got {value!r}")


def _not_negative(instance: object, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not value >= 0:
        raise ValueError(f"{attribute.name} must be at least 0 (or None), got {value!r}")


def _plain_function(instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
    # It would be called, and what it returns never run: a callback that is silently none.
    called = getattr(type(value), "__call__", None)  # noqa: B004 (what a call of an object runs)
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(called):
        raise TypeError(f"{attribute.name} must be a plain function, got the async {value!r}")


def _raise_skip_or_callable(
    instance: object, attribute: attrs.Attribute[Any], value: object
) -> None:
    if value not in ("raise", "skip") and not callable(value):
        raise ValueError(f"{attribute.name} must be 'raise', 'skip' or a callable, got {value!r}")
    _plain_function(instance, attribute, value)


@attrs.frozen(kw_only=True)
class StreamConfig:
    """The settings of a stream. All times are seconds on trio's clock.

    Attributes:
        timeout: The whole stream, from the request to the last item. `None`: no limit.
        connect_timeout: Making the connection: DNS, TCP, TLS, and the wait for a free slot of the
            client's pool. `None`: no limit.
        headers_timeout: From the connection to the response head, sending the body included.
        idle_timeout: No byte at all, not even a ping. Fires at most 1/16 late, never early.
        stall_timeout: Bytes, such as pings, but no item. `None`: no limit, since a model that
            thinks is silent but alive.
        chunk_size: The connection hands out the body in pieces of at most this many bytes, and
            between two stages about as many wait.
        max_line_bytes: The longest line that a parser takes.
        max_event_bytes: The largest event that a parser takes.
        max_error_body_bytes: How much of an error answer is read.
        max_kept_items: Without a dialect, `snapshot` and the outcome hold the newest so many
            items, so that a feed that runs for months costs no more than one that runs for a day.
        on_bad_item: Without a dialect, what to do with a payload that does not fit the item type:
            ``"raise"``, ``"skip"``, or a callable that is given the `BadItemError` (the item is
            then skipped). A dialect always raises: its events build on one another.
        on_connect: Called when a response was accepted as a stream.
        on_disconnect: Called when that response is closed, with the error or `None`.
        on_error: Called with each `StreamError` that ends or interrupts the stream.
        on_reconnect: Called before each wait for another attempt: ``(attempt, delay)``, the number
            of the retry in the whole stream (from 1 on) and the seconds.
        on_gap: Called when items are missing by their numbers, as far as the `Cursor` knows
            numbers: ``(expected, received)``.
        on_outcome: Called exactly once for each stream, with its `StreamOutcome`, when everything
            is closed; may be async. It runs even if the stream was cancelled, and then has
            two seconds.
        max_retries: How many attempts in a row may be repeated; 0: none, -1: no limit. The
            count begins anew when an attempt has brought an item that was kept; one that was
            thrown away with its attempt does not count. It does, too, when connections
            have lived for 60 seconds in all, not counting the silence that a watchdog has waited
            out, if it is a subscription or items were delivered before.
        max_retry_time: For how long that may go on, waits included. `None`: no limit.
        initial_backoff: The wait before an attempt is repeated: a random time up to this, and for
            each further failure in a row up to
        backoff_multiplier: times as long, but never more than
        max_backoff.
        jitter: Whether waits are random ("full jitter"); if not, they are the longest ones.
        max_retry_after: The longest ``Retry-After`` that is waited for. `None`: no limit.
        retry_after_over_cap: What to do with a longer one: ``"give_up"``, or ``"clamp"`` it.
        retry_budget: Shared by streams, to bound what all of them add to the load of a server that
            is in trouble. `None`: the streams of each client share one of the usual size.
        dedup_window: After a resume, an item is dropped if it has the ID of one of so many before
            the break. 0: none is dropped.
        auto_ack: Whether asking for the next item acknowledges the one before. If not, only
            `StreamReceiver.ack` does.

    Callbacks must not block, and are plain functions; ``on_outcome`` alone may be async. An
    exception that one of them raises comes out of the stream as it is.

    Raises:
        ValueError: A setting makes no sense.
        TypeError: An async function was given where nobody would await it.
    """

    timeout: float | None = attrs.field(default=None, validator=_positive)
    connect_timeout: float | None = attrs.field(default=10.0, validator=_positive)
    headers_timeout: float | None = attrs.field(default=120.0, validator=_positive)
    idle_timeout: float | None = attrs.field(default=300.0, validator=_positive)
    stall_timeout: float | None = attrs.field(default=None, validator=_positive)

    chunk_size: int = attrs.field(default=65536, validator=_at_least(1))
    max_line_bytes: int = attrs.field(default=DEFAULT_MAX_BYTES, validator=_at_least(1))
    max_event_bytes: int = attrs.field(default=DEFAULT_MAX_BYTES, validator=_at_least(1))
    max_error_body_bytes: int = attrs.field(default=65536, validator=_at_least(0))
    max_kept_items: int = attrs.field(default=10_000, validator=_at_least(0))

    on_bad_item: Literal["raise", "skip"] | Callable[[BadItemError], object] = attrs.field(
        default="raise", validator=_raise_skip_or_callable
    )

    on_connect: Callable[[], object] | None = attrs.field(default=None, validator=_plain_function)
    on_disconnect: Callable[[StreamError | None], object] | None = attrs.field(
        default=None, validator=_plain_function
    )
    on_error: Callable[[StreamError], object] | None = attrs.field(
        default=None, validator=_plain_function
    )
    on_reconnect: Callable[[int, float], object] | None = attrs.field(
        default=None, validator=_plain_function
    )
    on_gap: Callable[[int, int], object] | None = attrs.field(
        default=None, validator=_plain_function
    )
    on_outcome: Callable[[StreamOutcome[Any]], Awaitable[object] | object] | None = None

    max_retries: int = attrs.field(default=10, validator=_at_least(-1))
    max_retry_time: float | None = attrs.field(default=None, validator=_positive)
    initial_backoff: float = attrs.field(default=1.0, validator=_finite)
    max_backoff: float = attrs.field(default=64.0, validator=_finite)
    backoff_multiplier: float = attrs.field(default=2.0, validator=_at_least(1))
    jitter: bool = True
    max_retry_after: float | None = attrs.field(default=120.0, validator=_not_negative)
    retry_after_over_cap: Literal["give_up", "clamp"] = attrs.field(
        default="give_up", validator=attrs.validators.in_(("give_up", "clamp"))
    )
    retry_budget: RetryBudget | None = None
    dedup_window: int = attrs.field(default=1024, validator=_at_least(0))
    auto_ack: bool = True
