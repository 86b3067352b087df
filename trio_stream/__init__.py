"""Streams over HTTP for Trio, every ending told truthfully."""

from .config import StreamConfig
from .connection import StreamResponse
from .errors import (
    BadItemError,
    CorruptFrameError,
    InBandError,
    LimitExceededError,
    NotAStreamError,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from .framing import Comment, Record, ServerSentEvent, UnknownEvent
from .outcome import Ending, StreamOutcome, StreamState, Timings
from .pipeline import (
    Draft,
    JSONSchema,
    StreamReceiver,
    StreamStatistics,
    StructuredAnswer,
    open_stream,
)

__all__ = [
    "BadItemError",
    "Comment",
    "CorruptFrameError",
    "Draft",
    "Ending",
    "InBandError",
    "JSONSchema",
    "LimitExceededError",
    "NotAStreamError",
    "Record",
    "ServerSentEvent",
    "StreamConfig",
    "StreamError",
    "StreamErrorType",
    "StreamOutcome",
    "StreamReceiver",
    "StreamResponse",
    "StreamState",
    "StreamStatistics",
    "StreamStatusError",
    "StreamTimeoutError",
    "StreamTruncatedError",
    "StructuredAnswer",
    "Timings",
    "UnknownEvent",
    "open_stream",
]
