"""Content-Type to framing."""

from __future__ import annotations

from typing import Any

from ._contract import Framing
from ._eventstream import EventStream
from ._json_seq import JSONSequence
from ._ndjson import NDJSON
from ._raw import RawBytes
from ._sse import SSE

__all__ = ["accept_header", "select_framing"]

_KNOWN: tuple[Framing[Any], ...] = (SSE(), NDJSON(), JSONSequence(), EventStream(), RawBytes())
_BY_MEDIA_TYPE = {name: framing for framing in _KNOWN for name in framing.media_types}


def accept_header(chosen: Framing[Any] | None) -> str:
    """The ``Accept`` header: the types of the chosen framing, else those of all text framings."""
    if chosen is not None:
        return ", ".join(chosen.media_types)
    return "text/event-stream, application/x-ndjson, application/jsonl, application/json-seq"


def select_framing(content_type: str, chosen: Framing[Any] | None = None) -> Framing[Any] | None:
    """The framing that a ``Content-Type`` means, or `None` if the body is not such a stream.

    Parameters such as ``charset`` are irrelevant (WHATWG HTML 9.2.2). A framing that the caller
    chose is also believed under the types that servers mislabel it with, but not under others: a
    captive portal's ``text/html`` is no event stream, whoever asked for one.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if chosen is None:
        return _BY_MEDIA_TYPE.get(media_type)
    accepted = (*chosen.media_types, *chosen.tolerated_types)
    return chosen if "*" in accepted or media_type in accepted else None
