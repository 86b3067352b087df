"""Cassettes as hypothesis makes them, and a client that asks again what a cassette was asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import trio
from hypothesis import strategies as st

from trio_stream.testing import (
    Cassette,
    Exchange,
    ExchangeEnd,
    MemoryServer,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
    RecordedRequest,
    Recorder,
    memory_transport,
)

US = 1e-6
_TEXT = st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"))
_VALUES = _TEXT.filter(lambda text: not any("\x80" <= each <= "\xa0" for each in text))
_HEADERS = st.lists(st.tuples(st.sampled_from(["x-a", "X-B", "accept"]), _VALUES), max_size=3)
_DATA = st.one_of(st.binary(min_size=1, max_size=60), st.just(b"data: \xe2\x98\x83\n\n"))
_GAPS = st.one_of(st.just(1), st.integers(1, 3_000_000), st.integers(1, 10**10))
_REASONS = st.sampled_from(["OK", "", "Strange One"])


@st.composite
def requests(draw: st.DrawFn) -> RecordedRequest:
    body = draw(st.binary(max_size=20))
    path = draw(st.sampled_from(["/", "/events?after=7", "/a%20b"]))
    headers = [("Host", "memory.test"), *draw(_HEADERS)]
    if body:
        headers.append(("Content-Length", str(len(body))))
    method = "POST" if body else "GET"
    return RecordedRequest(method, f"http://memory.test{path}", tuple(headers), body)


@st.composite
def exchanges(draw: st.DrawFn, start: int) -> Exchange:
    """An exchange as HTTP/1.1 allows it; one whose length is known ends with its last byte."""
    framing = draw(st.sampled_from(["none", "chunked", "length", "close", "no body"]))
    now = draw(st.one_of(st.just(0), _GAPS))
    gaps = [now]
    head, chunks = None, []
    ends: list[ExchangeEnd] = ["reset", "timed_out", "left"]
    if framing == "none":
        ends += ["refused", "cut", "garbled"]
    else:
        fields = draw(_HEADERS)
        head_at = now
        for data in draw(st.lists(_DATA, max_size=5)) if framing != "no body" else ():
            gaps.append(draw(_GAPS))
            now += gaps[-1]
            chunks.append(RecordedChunk(now / 1e6, data))
        ends.append("complete")
        if framing in ("chunked", "length"):
            ends.append("cut")
        if framing == "chunked":
            ends.append("garbled")
    end: ExchangeEnd = draw(st.sampled_from(ends))
    if framing == "no body":
        end = "complete"
    if framing != "none":
        length = sum(len(chunk.data) for chunk in chunks) + (end != "complete")
        framings = {"chunked": ("Transfer-Encoding", "chunked"), "close": ("connection", "close"),
                    "length": ("content-length", str(length))}  # fmt: skip
        fields += [framings[framing]] if framing in framings else []
        status = 204 if framing == "no body" else draw(st.sampled_from([200, 404, 599]))
        head = RecordedHead(head_at / 1e6, status, draw(_REASONS), "HTTP/1.1", tuple(fields))
    gap = draw(_GAPS)
    if end == "timed_out":  # a client's patience, which all that came before has not used up
        gap += max(gaps)
    elif end == "complete" and framing in ("length", "no body"):
        gap = 1
    elif end == "refused":
        now = gap = 0
    elif head is None and end != "left":
        gap = 0
    end_at = now + gap
    return Exchange(
        draw(requests()), start / 1e6, head, tuple(chunks), RecordedEnd(end_at / 1e6, end)
    )


@st.composite
def cassettes(draw: st.DrawFn) -> Cassette:
    made: list[Exchange] = []
    start = 0
    for _ in range(draw(st.integers(1, 4))):
        made.append(draw(exchanges(start)))
        start += round(made[-1].end.at * 1e6) + draw(st.integers(0, 10**9))
    return Cassette(tuple(made))


async def ask_again(cassette: Cassette, server: MemoryServer, family: str) -> Cassette:
    """Ask what a cassette was asked, with the same patience, and record the answers."""
    http: Any = import_module(family)
    recorder = Recorder()
    transport = recorder.transport(memory_transport(server.connect, family))
    began = trio.current_time()
    async with http.AsyncClient(transport=transport) as client:
        for exchange in cassette.exchanges:
            await trio.sleep_until(began + exchange.start)
            await _ask(client, http, exchange)
    return recorder.cassette


async def _ask(client: Any, http: Any, exchange: Exchange) -> None:
    asked, end = exchange.request, exchange.end
    leave = trio.current_time() + end.at if end.end == "left" else float("inf")
    times = [0.0, *([exchange.head.at] if exchange.head else ())]
    times += [chunk.at for chunk in exchange.chunks]
    patience = end.at - times[-1] if end.end == "timed_out" else None
    request = http.Request(
        asked.method,
        asked.url,
        headers=[(name.encode(), value.encode("latin-1")) for name, value in asked.headers],
        content=asked.body or None,
        extensions={"timeout": {"read": patience}},
    )
    with trio.move_on_at(leave):
        try:
            response = await client.send(request, stream=True)
            await response.aread()
        except http.TransportError:
            pass
