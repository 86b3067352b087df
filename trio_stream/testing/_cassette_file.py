"""The file of a cassette: one JSON object a line.

It is text in UTF-8, made to be read and to be compared. The first line is the version::

    {"cassette":1}

Each exchange is a line for the request, one for the head of the response if there was any, one for
each piece of body that the client received, and one for the end::

    {"start":0.000000,"request":"GET","url":"https://example.org/","headers":[["accept","*/*"]],"data":""}
    {"at":0.120931,"status":200,"reason":"OK","http":"HTTP/1.1","headers":[["server","x"]]}
    {"at":0.314159,"data":"data: one\\n\\n"}
    {"at":5.000271,"base64":"/w=="}
    {"at":600.100001,"end":"timed_out","error":"ReadTimeout"}

``start`` is in seconds since the first request, ``at`` in seconds since this one, in microseconds.
Bytes are ``data`` where they are UTF-8, else ``base64``. Headers are Latin-1, in the order, case
and number in which they came. Exchanges are in the order in which they began, those that overlap
one after the other.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast, get_args

from ._exchange import (
    Exchange,
    ExchangeEnd,
    HeaderPairs,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
    RecordedRequest,
)

__all__ = ["parse_exchanges", "write_exchanges"]

_VERSION = 1


def write_exchanges(exchanges: Iterable[Exchange]) -> str:
    """Make the text of a file."""
    lines = [_line({"cassette": _VERSION})]
    for exchange in exchanges:
        lines.extend(_lines(exchange))
    return "".join(f"{line}\n" for line in lines)


def parse_exchanges(text: str) -> tuple[Exchange, ...]:
    """Read the text of a file.

    Raises:
        ValueError: It is no cassette, or one of a later version. Names the line.
    """
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                reader.read(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ValueError(f"line {number}: no line of a cassette: {_why(error)}") from error
    return reader.close()


# ---- writing -------------------------------------------------------------------------------------


def _lines(exchange: Exchange) -> Iterator[str]:
    request, head, end = exchange.request, exchange.head, exchange.end
    members: dict[str, object] = {
        "request": request.method,
        "url": request.url,
        "headers": request.headers,
    }
    yield _line({**members, **_content(request.body)}, "start", exchange.start)
    if head is not None:
        members = {"status": head.status, "reason": head.reason, "http": head.http_version}
        yield _line({**members, "headers": head.headers}, "at", head.at)
    for chunk in exchange.chunks:
        yield _line(_content(chunk.data), "at", chunk.at)
    members = {"end": end.end, "error": end.error} if end.error else {"end": end.end}
    yield _line(members, "at", end.at)


def _line(members: Mapping[str, object], clock: str = "", time: float = 0.0) -> str:
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    if clock:
        text = f'{{"{clock}":{time:.6f},{text[1:]}'
    # Readable text stays readable; what an editor would hide or take for a line end does not.
    return re.sub(r"[^\x20-\x7e]", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


def _content(data: bytes) -> dict[str, object]:
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


# ---- reading -------------------------------------------------------------------------------------


class _Reader:
    """The lines of a file, taken one by one."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._has_version = False
        self._request: RecordedRequest | None = None
        self._start = 0.0
        self._head: RecordedHead | None = None
        self._chunks: list[RecordedChunk] = []

    def read(self, line: object) -> None:
        if not isinstance(line, dict):
            raise TypeError("it is no JSON object")
        members = cast("dict[str, Any]", line)
        if not self._has_version:
            version = members.get("cassette")
            if version != _VERSION:
                what = (
                    "does not begin with"
                    if version is None
                    else f"has version {version!r:.20}, not"
                )
                raise ValueError(f"it {what} {{'cassette': {_VERSION}}}")
            self._has_version = True
        elif "request" in members:
            self._read_request(members)
        elif self._request is None:
            raise ValueError("it belongs to no request")
        elif "status" in members:
            self._read_head(members)
        elif "end" in members:
            self._read_end(self._request, members)
        elif self._head is None:
            raise ValueError("a body without a head")
        else:
            self._chunks.append(RecordedChunk(_time(members["at"]), _bytes(members)))

    def close(self) -> tuple[Exchange, ...]:
        if not self._has_version:
            raise ValueError("no cassette: it is empty")
        if self._request is not None:
            raise ValueError("the last exchange has no end")
        return tuple(self._exchanges)

    def _read_request(self, members: dict[str, Any]) -> None:
        if self._request is not None:
            raise ValueError("the exchange before it has no end")
        self._start = _time(members["start"])
        self._request = RecordedRequest(
            method=_str(members["request"]),
            url=_str(members["url"]),
            headers=_pairs(members["headers"]),
            body=_bytes(members),
        )

    def _read_head(self, members: dict[str, Any]) -> None:
        if self._head is not None:
            raise ValueError("a second head")
        status: object = members["status"]
        if type(status) is not int or not 200 <= status <= 999:
            raise ValueError(f"{status!r} is no status")
        self._head = RecordedHead(
            at=_time(members["at"]),
            status=status,
            reason=_str(members["reason"]),
            http_version=_str(members["http"]),
            headers=_pairs(members["headers"]),
        )

    def _read_end(self, request: RecordedRequest, members: dict[str, Any]) -> None:
        kind: object = members["end"]
        if kind not in get_args(ExchangeEnd):
            raise ValueError(f"{kind!r} is no end")
        end = RecordedEnd(
            _time(members["at"]), cast("ExchangeEnd", kind), error=_str(members.get("error", ""))
        )
        if self._head is None and end.end == "complete":
            raise ValueError("complete without a head")
        chunks = tuple(self._chunks)
        self._exchanges.append(Exchange(request, self._start, self._head, chunks, end))
        self._request, self._head = None, None
        self._chunks.clear()


def _time(value: object) -> float:
    if type(value) not in (int, float) or not 0 <= cast("float", value) < 1e9:
        raise ValueError(f"{value!r:.40} is no time in seconds")
    return round(float(cast("float", value)), 6)


def _str(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no string")
    return value


def _bytes(members: dict[str, Any]) -> bytes:
    if "base64" not in members:
        return _str(members["data"]).encode()
    try:
        return base64.b64decode(_str(members["base64"]), validate=True)
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error


def _pairs(value: object) -> HeaderPairs:
    pairs = cast("list[list[object]]", value)
    if not isinstance(value, list) or any(
        type(each) is not list or len(each) != 2 for each in pairs
    ):
        raise TypeError("headers are a list of pairs")
    headers = tuple((_str(name), _str(text)) for name, text in pairs)
    if any("\r" in part or "\n" in part for pair in headers for part in pair):
        raise ValueError("a line end in a header")
    return headers


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):  # whose own line is always the first
        return f"no JSON, column {error.colno}: {error.msg}"
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)
