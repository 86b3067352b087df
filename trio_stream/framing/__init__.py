"""Wire formats, sans-IO: bytes in, frames out."""

from ._contract import Framing, Parser
from ._eventstream import EventStream, EventStreamParser
from ._frames import (
    Comment,
    EventStreamHeader,
    EventStreamMessage,
    Record,
    ServerSentEvent,
    UnframedText,
    UnknownEvent,
)
from ._json_seq import JSONSequence, JSONSequenceParser
from ._ndjson import NDJSON, NDJSONParser
from ._raw import RawBytes, RawBytesParser
from ._select import accept_header, select_framing
from ._sse import MAX_RETRY_MS, SSE, SSEParser

__all__ = [
    "MAX_RETRY_MS",
    "NDJSON",
    "SSE",
    "Comment",
    "EventStream",
    "EventStreamHeader",
    "EventStreamMessage",
    "EventStreamParser",
    "Framing",
    "JSONSequence",
    "JSONSequenceParser",
    "NDJSONParser",
    "Parser",
    "RawBytes",
    "RawBytesParser",
    "Record",
    "SSEParser",
    "ServerSentEvent",
    "UnframedText",
    "UnknownEvent",
    "accept_header",
    "select_framing",
]
