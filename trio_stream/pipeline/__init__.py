"""Stages, links, watchdogs and the nursery that scopes them."""

from ._open import open_stream
from ._receiver import StreamReceiver, StreamStatistics

__all__ = ["StreamReceiver", "StreamStatistics", "open_stream"]
