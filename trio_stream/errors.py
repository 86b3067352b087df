"""Every exception of the package, carrying facts and never policy.

The tree::

    StreamError
    ├── StreamTimeoutError    a watchdog fired; ``layer`` says which one
    ├── StreamTruncatedError  the bytes ended before the stream was complete
    ├── StreamStatusError     the server answered 400 or more; the body has been read
    ├── NotAStreamError       a good status, but what came is not the stream that was asked for
    ├── LimitExceededError    our guard: a line or an event grew past its limit
    ├── CorruptFrameError     a checksum does not match, a length is impossible
    ├── BadItemError          a payload does not fit the type that was asked for
    └── InBandError           the stream itself reported a failure (``event: error``)

Connection failures, resets and broken HTTP framing have no class of their own: they are plain
`StreamError`, told apart by `StreamError.error_type`.

A `StreamError` that ends a stream carries the whole truth about it in `StreamError.outcome`,
the partial result included. Exceptions of the HTTP library never escape: they are mapped to this
tree and kept as ``__cause__`` and `StreamError.original_exception`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .outcome import StreamOutcome

__all__ = [
    "BadItemError",
    "CorruptFrameError",
    "InBandError",
    "LimitExceededError",
    "NotAStreamError",
    "StreamError",
    "StreamErrorType",
    "StreamStatusError",
    "StreamTimeoutError",
    "StreamTruncatedError",
    "TimeoutLayer",
]

TimeoutLayer = Literal["connect", "headers", "idle", "stall", "total"]


class StreamErrorType(enum.Enum):
    """What kind of failure it was. `is_retryable` says whether another attempt could help."""

    CONNECTION_ERROR = "connection_error"
    """No connection could be made: refused, DNS, TLS, proxy."""
    TIMEOUT = "timeout"
    """One of the watchdogs fired."""
    SERVER_ERROR = "server_error"
    """Status 5xx, or an in-band error that means the same."""
    RATE_LIMITED = "rate_limited"
    """Status 429, or an in-band error that means the same."""
    STREAM_INTERRUPTED = "stream_interrupted"
    """The stream began and then broke off: reset, cut, broken HTTP framing."""
    AUTHENTICATION_ERROR = "authentication_error"
    """Status 401, 403 or 407."""
    CLIENT_ERROR = "client_error"
    """The request is wrong: another 4xx, an invalid URL, arguments that do not go together."""
    FATAL_ERROR = "fatal_error"
    """Everything else that another attempt cannot mend, such as a body that is not a stream."""
    BAD_ITEM = "bad_item"
    """A payload does not fit the type that was asked for."""
    LIMIT_EXCEEDED = "limit_exceeded"
    """A line or an event grew past its limit."""

    @property
    def is_retryable(self) -> bool:
        """Whether a failure of this type may pass when the request is made again."""
        return self in _RETRYABLE

    @classmethod
    def of_status(cls, status: int) -> StreamErrorType:
        """Return what an HTTP status of 400 or more means."""
        match status:
            case 401 | 403 | 407:
                return cls.AUTHENTICATION_ERROR
            case 429:
                return cls.RATE_LIMITED
            case _ if status >= 500:
                return cls.SERVER_ERROR
            case _:
                return cls.CLIENT_ERROR


_RETRYABLE = frozenset(
    {
        StreamErrorType.CONNECTION_ERROR,
        StreamErrorType.TIMEOUT,
        StreamErrorType.SERVER_ERROR,
        StreamErrorType.RATE_LIMITED,
        StreamErrorType.STREAM_INTERRUPTED,
    }
)


class StreamError(Exception):
    """The root of the tree: a stream could not be opened, or did not end well.

    Attributes:
        error_type: What kind of failure it was.
        is_retryable: Whether another attempt could help. Follows from ``error_type``, unless the
            server said better.
        status_code: The HTTP status, or the one that an in-band error amounts to.
        response_body: The body of an error answer, read before raising: at most
            ``StreamConfig.max_error_body_bytes`` of it, as UTF-8 with replacement.
        response_headers: The headers of an error answer.
        retry_after: Seconds that the server asked to wait (``Retry-After``), if it did.
        request_id: The server's name for the request, from the usual headers.
        original_exception: The exception of the HTTP library or decoder (also ``__cause__``).
        outcome: The outcome of the stream that this error ended; ``outcome.value`` holds the
            partial result.
        has_outcome: Whether there is one. An error that was mended by another attempt has none, nor
            has one that ``on_error`` is told of on the way; `outcome` is a `RuntimeError` then.
    """

    def __init__(
        self,
        message: str = "",
        *,
        error_type: StreamErrorType = StreamErrorType.FATAL_ERROR,
        is_retryable: bool | None = None,
        status_code: int | None = None,
        response_body: str | None = None,
        response_headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        original_exception: BaseException | None = None,
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.is_retryable = error_type.is_retryable if is_retryable is None else is_retryable
        self.status_code = status_code
        self.response_body = response_body
        self.response_headers = response_headers
        self.retry_after = retry_after
        self.request_id = request_id
        self.original_exception = original_exception
        self._outcome: StreamOutcome[Any] | None = None

    @property
    def has_outcome(self) -> bool:
        """Whether a stream has ended with this error."""
        return self._outcome is not None

    @property
    def outcome(self) -> StreamOutcome[Any]:
        """The outcome of the stream that this error ended; raises `RuntimeError` before."""
        # The result type of the stream is known to whoever opened it, not to the error.
        if self._outcome is None:
            raise RuntimeError("no stream has ended with this error: it has no outcome")
        return self._outcome

    @outcome.setter
    def outcome(self, outcome: StreamOutcome[Any]) -> None:
        self._outcome = outcome


class StreamTimeoutError(StreamError):
    """A watchdog fired.

    Attributes:
        layer: Which one: ``connect`` (making the connection), ``headers`` (waiting for the
            response head), ``idle`` (no byte at all), ``stall`` (bytes, but no item), ``total``.
    """

    def __init__(self, message: str = "", *, layer: TimeoutLayer = "total") -> None:
        super().__init__(message, error_type=StreamErrorType.TIMEOUT)
        self.layer: TimeoutLayer = layer


class StreamTruncatedError(StreamError):
    """The bytes ended before the stream was complete.

    Raised when the body was cut short, when it ended inside a frame, or when it ended without the
    terminal event that its dialect promises.
    """

    def __init__(
        self, message: str = "", *, original_exception: BaseException | None = None
    ) -> None:
        super().__init__(
            message,
            error_type=StreamErrorType.STREAM_INTERRUPTED,
            original_exception=original_exception,
        )


class StreamStatusError(StreamError):
    """The server answered with a status of 400 or more; the body has been read (capped).

    ``error_type`` follows from the status. ``is_retryable`` goes beyond it: 408, 409 and 425 may
    pass, 501 and 505 will not.
    """


class NotAStreamError(StreamError):
    """A status below 400, but not the stream that was asked for.

    A captive portal's HTML, a JSON error under status 200, a redirect that nobody followed, an
    encoding that nobody asked for. ``response_body`` holds the first KiB of the body.
    """


class LimitExceededError(StreamError):
    """A line or an event grew past its limit.

    Attributes:
        limit: Its name, such as ``max_line_bytes`` or ``max_event_bytes``.
        frames: The frames that the failing `feed` had completed before the breach, in order;
            a parser hands them out here since it cannot both return and raise.
    """

    def __init__(
        self, message: str = "", *, limit: str = "", frames: Sequence[object] = ()
    ) -> None:
        super().__init__(message, error_type=StreamErrorType.LIMIT_EXCEEDED)
        self.limit = limit
        self.frames = list(frames)


class CorruptFrameError(StreamError):
    """The bytes are not those that were sent: a checksum does not match, a length is impossible.

    Another attempt may bring them whole, so it is retryable.

    Attributes:
        frames: The frames that the failing `feed` had completed before the fault, in order.
    """

    def __init__(self, message: str = "", *, frames: Sequence[object] = ()) -> None:
        super().__init__(message, error_type=StreamErrorType.STREAM_INTERRUPTED)
        self.frames = list(frames)


class BadItemError(StreamError):
    """A payload does not fit the type that was asked for.

    Attributes:
        path: Where in the payload, as in ``$.owner.pets[2].name``; ``$`` is the whole payload.
        raw: The payload as it came, UTF-8.
        event: The name of the event that carried it; ``""`` where the framing has no names.
    """

    def __init__(
        self,
        message: str = "",
        *,
        path: str = "$",
        raw: bytes = b"",
        event: str = "",
        original_exception: BaseException | None = None,
    ) -> None:
        super().__init__(
            message,
            error_type=StreamErrorType.BAD_ITEM,
            original_exception=original_exception,
        )
        self.path = path
        self.raw = raw
        self.event = event


class InBandError(StreamError):
    """The stream itself reported a failure, under a status of 200.

    ``status_code`` is the status that the failure amounts to (529 for an overloaded server, not
    the 200 of the response).

    Attributes:
        kind: The provider's own word for it, such as ``overloaded_error``.
        payload: The payload as it came.
    """

    def __init__(
        self,
        message: str = "",
        *,
        kind: str = "",
        payload: str = "",
        error_type: StreamErrorType = StreamErrorType.SERVER_ERROR,
        is_retryable: bool | None = None,
        status_code: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(
            message,
            error_type=error_type,
            is_retryable=is_retryable,
            status_code=status_code,
            request_id=request_id,
        )
        self.kind = kind
        self.payload = payload
