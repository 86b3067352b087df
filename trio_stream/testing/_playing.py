"""How a cassette is played: each exchange as a script, one after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Literal

import attrs

from ._exchange import Exchange, RecordedHead
from ._plan import Scheme, Scripts
from ._request import Request
from ._script import At, BadChunk, End, Head, Raw, Refuse, Reset, Send, Stall, Step, Truncate

__all__ = ["CassettePlan", "script_of"]


@attrs.frozen
class CassettePlan(Scheme):
    """The exchanges of a cassette, for one request after the other."""

    exchanges: tuple[Exchange, ...]
    speed: float
    repeat: bool

    def start(self) -> Scripts:
        return _Exchanges(self)


class _Exchanges(Scripts):
    def __init__(self, plan: CassettePlan) -> None:
        self._plan = plan
        self._used = 0
        # A client with an idle connection makes no new one that could be refused.
        self._closes = any(exchange.end.end == "refused" for exchange in plan.exchanges)

    def take(self, request: Request) -> Iterable[Step]:
        exchange = self._next()
        if exchange is None:
            raise LookupError(
                f"the cassette has {self._used} exchanges, and no answer to one more request: "
                f"{request.method} {request.target}"
            )
        self._used += 1
        script = list(script_of(exchange, self._plan.speed))
        return [*script, Truncate()] if self._closes else script

    def take_refusal(self) -> bool:
        exchange = self._next()
        refuses = exchange is not None and exchange.end.end == "refused"
        self._used += refuses
        return refuses

    def _next(self) -> Exchange | None:
        exchanges = self._plan.exchanges
        if self._plan.repeat and exchanges:
            return exchanges[self._used % len(exchanges)]
        return exchanges[self._used] if self._used < len(exchanges) else None


def script_of(exchange: Exchange, speed: float = 1.0) -> Iterator[Step]:
    """The script of what the server did, at its times; ``speed``: so many times as fast."""
    head, end = exchange.head, exchange.end
    if end.end == "refused" and head is None:
        yield Refuse()
        return
    if head is not None:
        yield _at(head.at, speed)
        yield _head(head)
    for chunk in exchange.chunks:
        yield _at(chunk.at, speed)
        yield Send(chunk.data)
    if end.end in ("timed_out", "left", "open"):
        yield Stall()  # what would have come, nobody has seen
        return
    if end.end != "complete" or not _ends_by_itself(exchange):
        yield _at(end.at, speed)
    match end.end:
        case "complete":
            yield End()
        case "cut":
            yield Truncate()
        case "garbled" if head is None:
            yield Raw(b"garbled\r\n\r\n")
        case "garbled":
            yield BadChunk()
        case _:
            yield Reset()


def _ends_by_itself(exchange: Exchange) -> bool:
    """Whether the client knows the end without being told, and may ask again at once."""
    head = exchange.head
    return head is not None and (
        head.status in (204, 304)
        or exchange.request.method == "HEAD"
        or _head(head).framing == "length"
    )


def _at(seconds: float, speed: float) -> Step:
    return At(0.0 if speed == math.inf else seconds / speed)


def _head(head: RecordedHead) -> Head:
    """The recorded head, and no header more that is not needed."""
    fields = {name.lower(): value for name, value in head.headers}
    framing: Literal["chunked", "length", "close"] = "close"
    if "chunked" in fields.get("transfer-encoding", "").lower():
        framing = "chunked"
    elif fields.get("content-length", "").isdecimal():
        framing = "length"
    elif not head.http_version.startswith("HTTP/1."):
        # It had frames, in which a cut is seen, and so have chunks. They need a header more.
        return Head(head.status, headers=head.headers, reason=head.reason, content_type=None)
    return Head(
        head.status, headers=head.headers, reason=head.reason, framing=framing, is_bare=True
    )
