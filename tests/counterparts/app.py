"""An application of sse-starlette, to be served by uvicorn in a process of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

left: list[str] = []


async def events(request: Request) -> Response:
    """Ten events: ids, names, several lines, text beyond ASCII; goes on after Last-Event-ID."""
    first = int(request.headers.get("last-event-id", "0")) + 1

    async def generate() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(comment="hello")
        for number in range(first, 11):
            yield ServerSentEvent(
                data=f"line {number}\nsecond line ✓", event="tick", id=str(number), retry=1500
            )

    return EventSourceResponse(generate())


async def endless(request: Request) -> Response:
    """One event, then pings for ever; notes when the client has left."""
    name = request.query_params["name"]

    async def generate() -> AsyncIterator[ServerSentEvent]:
        try:
            yield ServerSentEvent(data="first")
            await asyncio.sleep(3600)
        finally:
            left.append(name)

    return EventSourceResponse(generate(), ping=1)


async def lines(request: Request) -> Response:
    """NDJSON, the last line without an end."""

    async def generate() -> AsyncIterator[bytes]:
        for number in range(100):
            yield (b"\n" if number else b"") + json.dumps({"number": number}).encode()

    return StreamingResponse(generate(), media_type="application/x-ndjson")


async def failing(request: Request) -> Response:
    """Two events, then the application fails in the middle of the response."""

    async def generate() -> AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent(data="one")
        yield ServerSentEvent(data="two")
        raise RuntimeError("the application failed")

    return EventSourceResponse(generate())


async def refused(request: Request) -> Response:
    """An error with a body."""
    return JSONResponse({"detail": "slow down"}, 429, headers={"retry-after": "3"})


async def who_left(request: Request) -> Response:
    """The names of the clients of `endless` that have left."""
    return JSONResponse(left)


app = Starlette(
    routes=[
        Route("/events", events),
        Route("/endless", endless),
        Route("/lines", lines),
        Route("/failing", failing),
        Route("/refused", refused),
        Route("/left", who_left),
    ]
)
