"""A stream that is opened and read to its end: what the tests of connections do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio

from tests.pipeline.worlds import World
from trio_stream.errors import StreamError
from trio_stream.pipeline import open_stream
from trio_stream.testing import Event, Plan, Request, assert_no_leaks

HELLO = [Event("hello")]


async def ask(client: Any, url: Any, method: str = "GET", **options: Any) -> list[str]:
    """The data of the events that a request brings."""
    async with open_stream(method, url, client=client, **options) as rx:
        return [event.data for event in await rx.result()]


async def fail(client: Any, url: Any, method: str = "GET", **options: Any) -> StreamError:
    """The error that a request ends with."""
    with pytest.raises(StreamError) as caught:
        await ask(client, url, method, **options)
    error = caught.value
    if error.original_exception is not None:
        assert error.original_exception is error.__cause__
    assert error.outcome is not None
    return error


def failure_in(world: World, plan: Plan, **options: Any) -> StreamError:
    """The error that a plan leads to. Its connection is free again, and nothing is left behind."""

    async def main() -> StreamError:
        async with assert_no_leaks(), world.serve(plan) as (client, server):
            error = await fail(client, server.url, **options)
            # There is one slot in the pool: either it is free, or this never returns.
            await client.get(server.url)
            return error

    error: StreamError = world.run(main)
    return error


def requests_in(world: World, *asked: dict[str, Any]) -> list[Request]:
    """What the server saw of requests that all went well."""

    async def main() -> list[Request]:
        async with world.serve(HELLO) as (client, server):
            for options in asked:
                assert await ask(client, server.url, **options) == ["hello"]
            return list(server.requests)

    requests: list[Request] = world.run(main)
    return requests


async def seconds(function: Callable[[], Any]) -> float:
    """How long something takes, on trio's clock."""
    start = trio.current_time()
    await function()
    return trio.current_time() - start
