"""Stages, links, watchdogs, and the session that makes one stream of many connections."""

from ._limiter import HostStatistics, LimiterStatistics, StreamLimiter
from ._modes import event_source, stream_with_retry
from ._open import StreamOptions, open_stream
from ._order import Attempt, RequestFactory, Restarted
from ._receiver import StreamReceiver, StreamStatistics
from ._schema import JSONSchema
from ._structured import Draft, StructuredAnswer

__all__ = [
    "Attempt",
    "Draft",
    "HostStatistics",
    "JSONSchema",
    "LimiterStatistics",
    "RequestFactory",
    "Restarted",
    "StreamLimiter",
    "StreamOptions",
    "StreamReceiver",
    "StreamStatistics",
    "StructuredAnswer",
    "event_source",
    "open_stream",
    "stream_with_retry",
]
