"""`trio-stream tail` on a terminal."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo-terminals are of POSIX", allow_module_level=True)

from tests.cli.terminals import on_terminal
from trio_stream.testing import Event, Send, Stall, serve


async def test_text_is_for_people() -> None:
    """A terminal shows the names of events and their data, and the ending in colour."""
    script = [Event("hello"), Event({"n": 1}, event="delta"), Event("\x1b[2Jgone")]
    async with serve(script) as server, on_terminal("tail", server.url) as terminal:
        assert await terminal.end() == 0

    *shown, ending = terminal.text.splitlines()
    assert shown == ["hello", 'delta  {"n": 1}', "\\u001b[2Jgone"]
    assert ending.startswith("trio-stream: complete · 3 items · ")
    assert b"\x1b[32mcomplete\x1b[0m" in terminal.raw


async def test_no_colours_for_those_who_want_none() -> None:
    """NO_COLOR is heeded."""
    async with serve(Event("x")) as server, on_terminal("tail", server.url, NO_COLOR="1") as shown:
        assert await shown.end() == 0

    assert b"\x1b" not in shown.raw


async def test_json_on_request() -> None:
    """--json gives a terminal what a pipe gets, still without tricks."""
    script = [Send(b'data: {"a": "\x7f"}\n\n')]
    async with serve(script) as server, on_terminal("tail", server.url, "--json") as terminal:
        assert await terminal.end() == 0

    assert terminal.text.startswith('{"event":"message","data":{"a": "\\u007f"}}\n')


async def test_control_c() -> None:
    """Ctrl-C leaves a text as it stands and tells the outcome in a line of its own."""
    script = [Event("some "), Event("text"), Stall()]
    async with serve(script) as server, on_terminal("tail", server.url, "--join") as terminal:
        await terminal.read_until("some text")
        terminal.type(b"\x03")
        assert await terminal.end() == 130

    first, second = terminal.text.splitlines()
    assert first == "some text^C"
    assert second.startswith("trio-stream: interrupted · 2 items · ")
