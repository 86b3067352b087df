"""The request of a stream, and the headers that make it one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import attrs

__all__ = ["RequestSpec", "event_id_bytes"]

_LAST_EVENT_ID = "last-event-id"

# RFC 9110, 5.5: a field value holds no control character but HTAB.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


@attrs.frozen(kw_only=True)
class RequestSpec:
    """What to ask for; the arguments are those of ``httpx.AsyncClient.build_request``.

    They are passed on untouched, hence `Any`: their types are the HTTP library's own.
    """

    method: str
    url: Any
    params: Any = None
    headers: Any = None
    json: Any = None
    content: Any = None
    data: Any = None
    files: Any = None
    last_event_id: str = ""
    accept: str = "*/*"

    def build_headers(self, family: ModuleType) -> Any:
        """The caller's headers, and ours where the caller has none of that name."""
        last_event_id: str | bytes = self.last_event_id
        others: list[tuple[Any, Any]] = []
        for name, value in _pairs(self.headers):
            if _is_last_event_id(name):
                last_event_id = value
            else:
                others.append((name, value))
        merged = family.Headers(others)
        merged.setdefault("accept", self.accept)
        merged.setdefault("cache-control", "no-store")
        # A compressed event stream is held back until the compressor has a block.
        merged.setdefault("accept-encoding", "identity")
        if id_bytes := event_id_bytes(last_event_id):
            merged = family.Headers([*merged.raw, (b"Last-Event-ID", id_bytes)])
        return merged


def _pairs(headers: Any) -> Iterator[tuple[Any, Any]]:
    """Headers in any of the forms that the HTTP libraries take."""
    if headers is None:
        return iter(())
    if hasattr(headers, "raw"):  # a `Headers` of either family: its items() join what is repeated
        headers = headers.raw
    return iter(headers.items() if hasattr(headers, "items") else headers)


def _is_last_event_id(name: object) -> bool:
    text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
    return text.lower() == _LAST_EVENT_ID


def event_id_bytes(last_event_id: str | bytes) -> bytes:
    """An event ID as the value of a ``Last-Event-ID`` header: its UTF-8 bytes (WHATWG HTML 9.2.4).

    White space around a field value is not part of it (RFC 9110, 5.5), so none is sent. An ID with
    a control character cannot be sent at all: the result is then empty, as for no ID.

    Raises:
        TypeError: It is neither `str` nor `bytes`.
    """
    if isinstance(last_event_id, str):
        last_event_id = last_event_id.encode("utf-8", "replace")
    elif not isinstance(last_event_id, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"an event ID must be str or bytes, got {last_event_id!r}")
    value = last_event_id.strip(b" \t")
    return b"" if _FORBIDDEN.search(value) else value
