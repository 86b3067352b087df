"""Tests of a program that is not written for Trio, and of one that is."""

import urllib.request

import pytest
import trio

from trio_stream import open_stream
from trio_stream.testing import Event, Stall, Truncate

# In a project with several files this line is in the conftest.py at its top.
pytest_plugins = ["trio_stream.testing.pytest_plugin"]


def first_line(url):
    """A reader of the old school: it blocks."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        return response.readline()


def test_plain_function(stream_server, no_stream_leaks):
    """It runs on nothing, and the server in a thread."""
    server = stream_server([Event("one"), Stall()])

    assert first_line(server.url) == b"data: one\n"
    server.wait_disconnected()
    assert server.requests[0].client_left


def test_server_that_hangs_up(stream_server):
    """Several servers are no trouble."""
    good, bad = stream_server([Event("one")]), stream_server(Truncate())

    assert first_line(good.url) == b"data: one\n"
    with pytest.raises(ConnectionError):
        first_line(bad.url)


async def test_on_trio(stream_server):
    """The same fixture in an async test; what blocks goes into a thread."""
    server = stream_server([Event("one"), Event("two")])
    async with open_stream("GET", server.url) as rx:
        assert [event.data async for event in rx] == ["one", "two"]

    await trio.to_thread.run_sync(server.wait_disconnected)


def test_recorded(stream_server, cassette):
    """What was recorded once is played by a server, ten thousand times as fast."""
    server = stream_server(cassette("outage").plan(speed=10_000))

    assert first_line(server.url) == b"data: one\n"
