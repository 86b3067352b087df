"""`trio-stream tail`: what it asks for, and what arrives in a pipe."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import run
from trio_stream.testing import Event, Head, Ping, Send, serve


async def test_events_arrive_as_json_lines() -> None:
    """A pipe gets JSON Lines, of the events that were chosen."""
    script = [Event("one"), Ping(), Event({"a": [1]}, event="x", id="7")]
    async with serve(script) as server:
        done = await run("tail", server.url, "--comments")
        chosen = await run("tail", server.url, "--event", "x", "--field", "a[0]")

    assert done.lines == [
        '{"event":"message","data":"one"}',
        '{"comment":"ping"}',
        '{"event":"x","data":{"a": [1]},"id":"7"}',
    ]
    assert (chosen.code, chosen.out) == (0, "1\n")
    assert chosen.last_word.startswith("trio-stream: complete · 2 items, 1 printed · ")


async def test_framing_is_found_or_given() -> None:
    """The Content-Type says what a stream is, unless --framing does."""
    body = Send(b'{"n": 1}\n\n[2]')
    async with serve(
        [
            [Head(content_type="application/x-ndjson"), body],
            [Head(content_type="application/json"), body],
        ]
    ) as server:
        found = await run("tail", server.url)
        given = await run("tail", server.url, "--framing", "ndjson")

    assert found.lines == given.lines == ['{"n": 1}', "[2]"]


async def test_raw_bytes_are_untouched() -> None:
    """--raw prints the body to the byte, whatever its type is, and asks for it as always."""
    body = b"\xff\x00 : no stream\r\n\r\n at all"
    async with serve([Head(content_type="text/html"), Send(body)]) as server:
        done = await run("tail", server.url, "--raw")

    assert (done.code, done.raw) == (0, body)
    assert done.last_word == f"trio-stream: complete · {len(body)} B"
    assert server.requests[0].headers["accept"].startswith("text/event-stream, ")


async def test_request_is_what_was_asked_for(tmp_path: Path) -> None:
    """Method, headers and body go out as given; a body means POST, and a JSON body says so."""
    file = tmp_path / "body"
    file.write_bytes(b"from a file")
    async with serve(Event("x")) as server:
        await run("tail", server.url)
        await run("tail", server.url, "-d", '{"a": 1}', "-H", "X-Key:  ü ", "-H", "x-key: 2")
        await run("tail", server.url, "-d", f"@{file}", "-X", "PUT", "-H", "Accept: a/b")
        await run("tail", server.url, "-d", "@-", stdin=b"from stdin")

    plain, json_body, file_body, stdin_body = server.requests
    assert (plain.method, plain.body) == ("GET", b"")
    assert "content-type" not in plain.headers
    assert (json_body.method, json_body.body) == ("POST", b'{"a": 1}')
    assert json_body.headers["content-type"] == "application/json"
    keys = [value for name, value in json_body.raw_headers if name.lower() == b"x-key"]
    assert keys == ["ü".encode(), b"2"]
    assert (file_body.method, file_body.body) == ("PUT", b"from a file")
    assert file_body.headers["accept"] == "a/b"
    assert (stdin_body.method, stdin_body.body) == ("POST", b"from stdin")
