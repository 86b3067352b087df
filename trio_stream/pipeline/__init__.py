"""Stages, links, watchdogs and the nursery that scopes them."""

from ._open import open_stream
from ._receiver import StreamReceiver, StreamStatistics
from ._schema import JSONSchema
from ._structured import Draft, StructuredAnswer

__all__ = [
    "Draft",
    "JSONSchema",
    "StreamReceiver",
    "StreamStatistics",
    "StructuredAnswer",
    "open_stream",
]
