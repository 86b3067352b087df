"""A real counterpart: an sse-starlette application under uvicorn, in a process of its own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from trio_stream import (
    Ending,
    StreamConfig,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTruncatedError,
    open_stream,
)
from trio_stream.framing import SSE, Comment

pytest.importorskip("sse_starlette")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The base URL of the application."""
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--no-access-log"]
    process = subprocess.Popen(
        command,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "running on " in line:
                yield line.split("running on ")[1].split()[0]
                break
        else:
            pytest.fail("uvicorn did not start")
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture(params=["httpx", "httpx2"])
def family(request: pytest.FixtureRequest) -> Any:
    """Either HTTP library."""
    pytest.importorskip(request.param)
    return importlib.import_module(request.param)


async def test_every_event_arrives_whole(server: str, family: Any) -> None:
    """Names, ids, reconnection time, several lines and text beyond ASCII arrive as sent."""
    async with (
        family.AsyncClient() as client,
        open_stream("GET", f"{server}/events", client=client, framing=SSE(comments=True)) as rx,
    ):
        greeting, *events = [item async for item in rx]

    assert greeting == Comment("hello")
    assert [event.id for event in events] == [str(number) for number in range(1, 11)]
    assert {(event.event, event.retry) for event in events} == {("tick", 1500)}
    assert events[4].data == "line 5\nsecond line ✓"
    assert rx.outcome.ending is Ending.COMPLETED
    assert rx.outcome.last_event_id == "10"


async def test_a_stream_goes_on_after_an_event_id(server: str) -> None:
    """The last event id reaches the application."""
    async with open_stream("GET", f"{server}/events", last_event_id="7") as rx:
        assert [event.id async for event in rx] == ["8", "9", "10"]


async def test_leaving_reaches_the_application(server: str, family: Any) -> None:
    """When the consumer leaves, the application's generator is closed while others go on."""
    async with family.AsyncClient() as client:
        for how in ("break", "cancel"):
            name = f"{how} {family.__name__}"
            url = f"{server}/endless?name={name}"
            with trio.CancelScope() as scope:
                async with open_stream("GET", url, client=client) as rx:
                    async for event in rx:
                        assert event.data == "first"
                        if how == "break":
                            break
                        scope.cancel()
            ending = Ending.CLOSED if how == "break" else Ending.CANCELLED
            assert rx.outcome.ending is ending
            with trio.fail_after(10):
                while name not in (await client.get(f"{server}/left")).json():  # noqa: ASYNC110
                    await trio.sleep(0.01)


async def test_pings_are_no_progress(server: str) -> None:
    """A stream of nothing but pings is a stall, not idleness."""
    config = StreamConfig(idle_timeout=30, stall_timeout=1.5)
    async with open_stream("GET", f"{server}/endless?name=stall", config=config) as rx:
        assert (await rx.receive()).data == "first"
        with pytest.raises(StreamError) as caught:
            await rx.receive()

    assert rx.outcome.ending is Ending.TIMED_OUT
    assert caught.value.layer == "stall"  # type: ignore[attr-defined]


@attrs.define
class Line:
    """A line of the application's NDJSON."""

    number: int


async def test_an_unterminated_last_line_is_a_record(server: str) -> None:
    """NDJSON is read to its last line, which has no end."""
    async with open_stream("GET", f"{server}/lines", item=Line) as rx:
        assert await rx.result() == [Line(number) for number in range(100)]


async def test_a_failing_application_truncates(server: str, family: Any) -> None:
    """An application that fails in the middle leaves a truncated stream, never a complete one."""
    async with (
        family.AsyncClient() as client,
        open_stream("GET", f"{server}/failing", client=client) as rx,
    ):
        with pytest.raises(StreamTruncatedError):
            await rx.result()

    assert [event.data for event in rx.outcome.value] == ["one", "two"]


async def test_the_body_of_an_error_is_read(server: str) -> None:
    """A refusal comes with its body and the time to wait."""
    with pytest.raises(StreamStatusError) as caught:
        async with open_stream("GET", f"{server}/refused"):
            pass

    error = caught.value
    assert error.error_type is StreamErrorType.RATE_LIMITED
    assert (error.status_code, error.retry_after) == (429, 3.0)
    assert error.response_body == '{"detail":"slow down"}'
