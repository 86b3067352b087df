"""What a request says: headers, event IDs, bodies."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from importlib import import_module
from operator import attrgetter
from typing import Any

import httpx
import httpx2
import pytest

from tests.connection.asking import HELLO, ask, fail, requests_in
from tests.pipeline.worlds import FAMILIES, MEMORY, World
from trio_stream.connection import RequestSpec
from trio_stream.errors import StreamErrorType
from trio_stream.framing import SSE
from trio_stream.testing import Head, Request, assert_no_leaks

# ---- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_headers_that_make_a_stream(world: World) -> None:
    """A request asks for a stream that nobody has stored or compressed."""
    plain, sse = requests_in(world, {}, {"framing": SSE()})
    assert plain.headers["accept"].split(", ")[0] == "text/event-stream"
    assert "application/x-ndjson" in plain.headers["accept"]
    assert sse.headers["accept"] == "text/event-stream"
    for request in (plain, sse):
        assert request.headers["cache-control"] == "no-cache"
        assert request.headers["accept-encoding"] == "identity"
        assert "last-event-id" not in request.headers


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
@pytest.mark.parametrize("form", ["mapping", "pairs", "bytes", "Headers", "iterator"])
def test_the_caller_s_headers_win(world: World, form: str) -> None:
    """A header of the caller's takes the place of ours, in any form and case, and none is lost."""
    mine = [("ACCEPT", "a/b"), ("cache-Control", "max-age=1"), ("Accept-Encoding", "gzip")]
    mine += [("X-Mine", "1")]
    forms: dict[str, Any] = {
        "mapping": dict(mine),
        "pairs": [*mine, ("X-Mine", "2")],
        "bytes": [(name.encode(), value.encode()) for name, value in mine],
        "Headers": world.family.Headers([*mine, ("x-mine", "2")]),
        "iterator": iter(mine),
    }
    [request] = requests_in(world, {"headers": forms[form]})
    assert request.headers["accept"] == "a/b"
    assert request.headers["cache-control"] == "max-age=1"
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["x-mine"] == ("1, 2" if form in ("pairs", "Headers") else "1")


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_headers_of_the_other_family(world: World) -> None:
    """The headers object of one library is good for a client of the other."""
    for headers in (httpx.Headers({"X": "1"}), httpx2.Headers({"X": "1"})):
        [request] = requests_in(world, {"headers": headers})
        assert request.headers["x"] == "1"


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_the_caller_s_headers_are_not_changed(world: World) -> None:
    """Headers may be used again: they are what they were."""
    mapping = {"Last-Event-ID": " 1", "X": "y"}
    pairs = [("Last-Event-ID", "…")]
    headers = world.family.Headers({"Last-Event-ID": "1"})
    before = (dict(mapping), list(pairs), list(headers.raw))
    requests_in(world, {"headers": mapping}, {"headers": pairs}, {"headers": headers})
    assert (mapping, pairs, headers.raw) == before


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X Y": "a"}},
        {"headers": {"X": "é"}},
        {"headers": {"é": "x"}},
        {"method": "GET\r\n"},
        {"method": "POST", "content": "\ud800"},
    ],
    ids=repr,
)
def test_request_that_cannot_be_sent(world: World, options: dict[str, Any]) -> None:
    """What no request can hold is a client error, and nothing of it is sent."""

    async def main() -> None:
        async with world.serve(HELLO) as (client, server):
            error = await fail(client, server.url, **options)
            assert error.error_type is StreamErrorType.CLIENT_ERROR
            assert not error.is_retryable
            assert server.requests == []

    world.run(main)


# ---- event IDs -------------------------------------------------------------------------------

IDS = {
    "7": b"7",
    "": None,
    " ": None,
    " a": b"a",
    "a \t ": b"a",
    "\ta\tb": b"a\tb",
    "a\x0b": None,
    "\x0ba": None,
    "a\0": None,
    "a\r\nX-Injected: 1": None,
    "a\nX-Injected: 1": None,
    "a\rb": None,
    "a\n": None,
    "a\x7f": None,
    "\x1f": None,
    "a\x85b": "a\x85b".encode(),
    "\u3000": "\u3000".encode(),
    "…": "…".encode(),
    "\ud800": b"?",
    "𝄞" * 2000: ("𝄞" * 2000).encode(),
}


def forms_of(event_id: str, family: Any) -> dict[str, dict[str, Any]]:
    """Every way to give an event ID to a request."""
    as_bytes = event_id.encode("utf-8", "replace")
    name = "last-EVENT-id"
    return {
        "argument": {"last_event_id": event_id},
        "mapping": {"headers": {name: event_id}},
        "mapping, bytes": {"headers": {name.encode(): as_bytes}},
        "pairs": {"headers": [(name, event_id)]},
        "pairs, mixed": {"headers": [(name.encode(), event_id), ("X", "y")]},
        "pairs, bytes": {"headers": [(name.encode(), as_bytes)]},
        "lists": {"headers": [[name, event_id]]},
        "Headers": {"headers": family.Headers([(name.encode(), as_bytes)])},
        "header before argument": {"headers": {name: event_id}, "last_event_id": "other"},
    }


@pytest.mark.parametrize("family_name", FAMILIES)
@pytest.mark.parametrize("event_id", IDS, ids=lambda event_id: ascii(event_id)[:20])
def test_event_id_as_header(family_name: str, event_id: str) -> None:
    """An event ID goes back as its UTF-8 bytes or, if no header can hold it, not at all."""
    family = import_module(family_name)
    for form, options in forms_of(event_id, family).items():
        spec = RequestSpec(method="GET", url="http://x", **options)
        raw = [
            value
            for name, value in spec.build_headers(family).raw
            if name.lower() == b"last-event-id"
        ]
        assert raw == ([] if IDS[event_id] is None else [IDS[event_id]]), form


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_event_id_breaks_no_request(world: World) -> None:
    """Whatever the ID, and however it is given, the request has it, or there is no request."""
    asked: list[tuple[str, dict[str, Any]]] = []
    for event_id, sent in IDS.items():
        for options in forms_of(event_id, world.family).values():
            if sent is not None or not event_id:
                asked.append((event_id, options))
            else:
                with pytest.raises(ValueError, match="LastEventID cannot go on from"):
                    requests_in(world, options)
    requests = requests_in(world, *(options for _, options in asked))
    for (event_id, _), request in zip(asked, requests, strict=True):
        values = [value for name, value in request.raw_headers if name.lower() == b"last-event-id"]
        assert values == ([] if IDS[event_id] is None else [IDS[event_id]])
        assert "x-injected" not in request.headers


def test_event_id_of_another_type() -> None:
    """An event ID that is no text is a mistake in the program."""
    for options in ({"last_event_id": 7}, {"headers": {"Last-Event-ID": None}}):
        with pytest.raises(TypeError, match="event ID"):
            RequestSpec(method="GET", url="http://x", **options)  # type: ignore[arg-type]


# ---- bodies ----------------------------------------------------------------------------------


async def pieces(error: Exception | None = None) -> AsyncIterator[bytes]:
    yield b"one "
    if error is not None:
        raise error
    yield b"two"


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_bodies(world: World) -> None:
    """JSON, forms, files, text and generators arrive as the client would send them."""
    requests = requests_in(
        world,
        {"method": "POST", "json": {"a": "…"}},
        {"method": "POST", "data": {"a": "b c"}},
        {"method": "POST", "content": "…"},
        {"method": "POST", "content": pieces()},
        {"method": "POST", "files": {"f": ("name", b"content of a file")}},
    )
    assert [request.body for request in requests[:4]] == [
        '{"a":"…"}'.encode(),
        b"a=b+c",
        "…".encode(),
        b"one two",
    ]
    assert b"content of a file" in requests[4].body
    assert requests[3].headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
@pytest.mark.parametrize("length", ["3", "300"])
def test_body_of_another_length(world: World, length: str) -> None:
    """A body that is not as long as its header says is an error of the request."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            headers = {"Content-Length": length}
            for content in (pieces(), b"one two"):
                error = await fail(client, server.url, "POST", content=content, headers=headers)
                assert error.error_type is StreamErrorType.CLIENT_ERROR
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
@pytest.mark.parametrize(
    "name", ["ValueError", "FileNotFoundError", "UnicodeError", "ReadError", "ExceptionGroup"]
)
def test_body_that_raises(world: World, name: str) -> None:
    """What the generator of a body raises comes out as it is, also if it looks like ours."""
    mine = {
        "ValueError": ValueError("mine"),
        "FileNotFoundError": FileNotFoundError("mine"),
        "UnicodeError": UnicodeError("mine"),
        "ReadError": world.family.ReadError("of the response that is passed on"),
        "ExceptionGroup": ExceptionGroup("mine", [ValueError(), OSError()]),
    }[name]

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            with pytest.raises(type(mine)) as caught:
                await ask(client, server.url, "POST", content=pieces(mine))
            assert caught.value is mine
            assert await ask(client, server.url) == ["hello"]
            gc.collect()

    world.run(main)


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_body_that_cannot_be_sent_again(world: World) -> None:
    """A redirect that wants a generator's bytes once more is an error of the request."""

    def plan(request: Request) -> Any:
        return Head(307, headers={"location": "/there"}) if request.path == "/" else HELLO

    async def main() -> None:
        async with world.serve(plan) as (client, server):
            client.follow_redirects = True
            error = await fail(client, server.url, "POST", content=pieces())
            assert isinstance(error.__cause__, world.family.StreamConsumed)
            assert not error.is_retryable
            assert error.__notes__ == [
                "The request cannot be sent again: its body is an async generator"
            ]
            assert await ask(client, server.url, "POST", json=[1]) == ["hello"]
            assert server.requests[-1].body == b"[1]"

    world.run(main)
