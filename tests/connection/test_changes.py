"""Requests that differ from one attempt to the next."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any
from urllib.parse import parse_qsl

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.worlds import FAMILIES, MEMORY, NO_TLS, World
from trio_stream.config import StreamConfig
from trio_stream.connection import RequestSpec, connect
from trio_stream.retry import RequestChanges
from trio_stream.testing import Event, Request

each_family = pytest.mark.parametrize("name", FAMILIES)
in_memory = pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))

PLAIN = RequestSpec(method="GET", url="http://test/a")


def built(spec: RequestSpec, name: str, **client_options: Any) -> Any:
    """The request that a client of a family makes of it."""
    family = import_module(name)
    client = family.AsyncClient(trust_env=False, verify=NO_TLS, **client_options)
    return spec.build(client, family)


def sent(world: World, *specs: RequestSpec) -> list[Request]:
    """What a server saw of requests; their URLs are paths."""

    async def main() -> list[Request]:
        async with world.serve([Event("hello")]) as (client, server):
            for spec in specs:
                url = server.url + spec.url
                connection = await connect(attrs.evolve(spec, url=url), client, StreamConfig())
                await connection.aclose()
            return list(server.requests)

    requests: list[Request] = world.run(main)
    return requests


# ---- arguments that are replaced -------------------------------------------------------------


@each_family
def test_arguments_are_replaced(name: str) -> None:
    """What is given takes the place of what was; all else stays; the first request is untouched."""
    spec = RequestSpec(
        method="POST",
        url="http://test/a",
        params={"p": "1"},
        headers={"X-Mine": "1"},
        json={"n": 1},
        accept="text/event-stream",
        last_event_id="7",
        idempotency_key="k",
    )
    before = attrs.asdict(spec)
    changes: RequestChanges = {
        "method": "PUT",
        "url": "http://other/b",
        "params": [("q", "2")],
        "headers": {"X-Other": "2"},
        "json": [2],
    }
    request = built(spec.changed(changes), name)
    assert (request.method, str(request.url)) == ("PUT", "http://other/b?q=2")
    assert request.headers["x-other"] == "2"
    assert "x-mine" not in request.headers
    assert request.content == b"[2]"
    for header, value in (
        ("accept", "text/event-stream"),
        ("last-event-id", "7"),
        ("idempotency-key", "k"),
    ):
        assert request.headers[header] == value
    assert attrs.asdict(spec) == before
    assert spec.changed({}) == spec


BODIES: dict[str, Any] = {
    "json": {"a": 1},
    "content": b"bytes",
    "data": {"field": "value"},
    "files": {"f": b"of a file"},
}


@each_family
@pytest.mark.parametrize("old", BODIES)
@pytest.mark.parametrize("new", BODIES)
def test_new_body_takes_the_place_of_the_old(name: str, old: str, new: str) -> None:
    """Whatever the body was, the new one is the only one, and its length is its own."""
    spec = RequestSpec(
        method="POST", url="http://test/", headers={"Content-Length": "999"}, **{old: BODIES[old]}
    )
    request = built(spec.changed({new: BODIES[new]}), name)  # type: ignore[misc]
    fresh = built(RequestSpec(method="POST", url="http://test/", **{new: BODIES[new]}), name)
    assert len(b"".join(request.stream)) == int(request.headers["content-length"])
    if new != "files":  # its boundary is drawn anew
        assert request.content == fresh.content
        assert request.headers == fresh.headers


@each_family
def test_two_parts_of_a_new_body(name: str) -> None:
    """Fields and files make one body together, as they do for the client."""
    spec = attrs.evolve(PLAIN, method="POST", json=[1])
    request = built(spec.changed({"data": {"a": "b"}, "files": {"f": b"of a file"}}), name)
    body = b"".join(request.stream)
    assert b'name="a"' in body
    assert b"of a file" in body


@each_family
def test_body_is_taken_away(name: str) -> None:
    """A body that is given as none is none."""
    spec = attrs.evolve(PLAIN, method="POST", json=[1], headers={"Content-Length": "3"})
    request = built(spec.changed({"method": "GET", "json": None}), name)
    assert (request.method, request.content) == ("GET", b"")
    assert "content-length" not in request.headers


def test_unknown_change() -> None:
    """A change that there is not is a mistake in the program, and named."""
    for key in ("timeout", "Params", "one_shot", "last_event_id", "accept"):
        with pytest.raises(TypeError, match=key):
            PLAIN.changed({key: "x"})  # type: ignore[misc]


@pytest.mark.parametrize("changes", [True, "json", [("json", 1)], 1.5])
def test_changes_that_are_none(changes: Any) -> None:
    """What is no mapping is named by its type, and not shown: it may hold a key."""
    with pytest.raises(TypeError, match=rf"mapping, got {type(changes).__name__}$"):
        PLAIN.changed(changes)


# ---- parameters that are added ---------------------------------------------------------------

PARAMS: dict[str, Callable[[Any], Any]] = {
    "mapping": lambda family: {"a": "1", "page": "1"},
    "mapping of lists": lambda family: {"a": ["1"], "page": ["1", "1b"]},
    "numbers": lambda family: {"a": 1, "page": 1},
    "pairs": lambda family: [("a", "1"), ("page", "1"), ("page", "1b")],
    "tuples": lambda family: (("a", "1"), ("page", "1")),
    "text": lambda family: "a=1&page=1",
    "bytes": lambda family: b"a=1&page=1",
    "QueryParams": lambda family: family.QueryParams("a=1&page=1"),
}


@each_family
@pytest.mark.parametrize("form", PARAMS)
def test_params_are_added_to_params(name: str, form: str) -> None:
    """Added parameters replace those of their name and join the others, in any form."""
    spec = attrs.evolve(PLAIN, params=PARAMS[form](import_module(name)))
    request = built(spec.changed({"add_params": {"page": "2", "after": "x y&z"}}), name)
    assert request.url.params.multi_items() == [("a", "1"), ("page", "2"), ("after", "x y&z")]


@each_family
@pytest.mark.parametrize(
    ("url", "params", "client_params", "expected"),
    [
        ("http://test/a", None, {}, "page=2"),
        ("http://test/a?", None, {}, "page=2"),
        ("http://test/a?b=1&page=1", None, {}, "b=1&page=2"),
        ("http://test/a?p%61ge=1&page&b", None, {}, "b&page=2"),
        ("http://test/a?b=%2f+%20~;x&page=1&b=%e4#top", None, {}, "b=%2f+%20~;x&b=%e4&page=2"),
        ("http://test/a?b=1", {"c": "1"}, {}, "c=1&page=2"),
        ("http://test/a?b=1", {}, {}, "page=2"),
        ("http://test/a", None, {"key": "k", "page": "0"}, "key=k&page=2"),
        ("http://test/a", {"c": "1"}, {"key": "k"}, "key=k&c=1&page=2"),
    ],
)
def test_params_are_added_to_what_there_is(
    name: str, url: str, params: Any, client_params: Any, expected: str
) -> None:
    """Added parameters join what would be sent without them, which stays as it is spelled."""
    spec = attrs.evolve(PLAIN, url=url, params=params)
    without = built(spec, name, params=client_params)
    request = built(spec.changed({"add_params": {"page": "2"}}), name, params=client_params)
    assert request.url.query.decode() == expected
    assert request.url.copy_with(query=None) == without.url.copy_with(query=None)
    assert request.headers == without.headers


@each_family
def test_params_are_added_to_a_relative_url(name: str) -> None:
    """A URL that is relative to the client's takes parameters like any other."""
    spec = attrs.evolve(PLAIN, url="events?b=1").changed({"add_params": {"after": "9"}})
    request = built(spec, name, base_url="https://host:8443/v1")
    assert str(request.url) == "https://host:8443/v1/events?b=1&after=9"


@each_family
def test_additions_add_up(name: str) -> None:
    """Each change builds on the one before; a new URL or query begins anew."""
    spec = PLAIN.changed({"add_params": {"a": "1"}}).changed({"add_params": {"b": "2"}})
    assert built(spec, name).url.query == b"a=1&b=2"
    assert built(spec.changed({"add_params": {"a": "3"}}), name).url.query == b"a=3&b=2"
    assert built(spec.changed({"url": "http://test/next?c=3"}), name).url.query == b"c=3"
    assert built(spec.changed({"params": None, "add_params": {"d": "4"}}), name).url.query == b"d=4"


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5), min_size=1, max_size=4))
def test_any_text_can_be_added(added: dict[str, str]) -> None:
    """Whatever characters a parameter has, it arrives, and those that were there stay."""
    spec = attrs.evolve(PLAIN, url="http://test/?kept=1%2B1")
    for name in FAMILIES:
        query = built(spec.changed({"add_params": added}), name).url.query.decode()
        kept = {} if "kept" in added else {"kept": "1+1"}
        assert dict(parse_qsl(query, keep_blank_values=True)) == {**kept, **added}


# ---- headers that are added ------------------------------------------------------------------


@each_family
@pytest.mark.parametrize("form", ["mapping", "pairs", "bytes", "Headers", "iterator", "none"])
def test_headers_are_added(name: str, form: str) -> None:
    """Added headers replace those of their name in any case and join the others, in any form."""
    pairs = [("x-mine", "1"), ("X-CURSOR", "0"), ("X-Mine", "2"), ("x-cursor", "1")]
    forms: dict[str, Any] = {
        "mapping": dict(pairs),
        "pairs": pairs,
        "bytes": [(key.encode(), value.encode()) for key, value in pairs],
        "Headers": import_module(name).Headers(pairs),
        "iterator": iter(pairs),
        "none": None,
    }
    spec = attrs.evolve(PLAIN, headers=forms[form])
    for _ in range(2):  # the second time from the same request, whose iterator is at its end
        changed = spec.changed({"add_headers": {"X-Cursor": "9", "ACCEPT": "a/b"}})
        headers = built(changed, name).headers
        assert headers.get_list("x-cursor") == ["9"]
        assert headers.get_list("accept") == ["a/b"]
        mine = {"mapping": ["1", "2"], "none": []}.get(form, ["1", "2"])
        assert headers.get_list("x-mine") == mine


def test_headers_are_added_to_new_headers() -> None:
    """Headers may be replaced and added to at once."""
    spec = attrs.evolve(PLAIN, headers={"A": "1", "B": "1"})
    changed = spec.changed({"headers": {"b": "2", "C": "2"}, "add_headers": {"c": "3"}})
    assert changed.headers == [("b", "2"), ("c", "3")]


# ---- where to go on, and the name of the request ---------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"last-EVENT-id": "3"}, [(b"Last-Event-ID", b"3")]])
def test_event_id_of_a_later_attempt(headers: Any) -> None:
    """A later event ID takes the place of the first, also if that came as a header."""
    spec = attrs.evolve(PLAIN, headers=headers, last_event_id="" if headers else "3")
    assert spec.last_event_id == "3"
    for later in ("4", ""):
        headers = attrs.evolve(spec, last_event_id=later).build_headers(httpx)
        assert headers.get_list("last-event-id") == ([later] if later else [])
    assert spec.changed({"add_headers": {"LAST-EVENT-ID": "5"}}).last_event_id == "5"
    assert spec.changed({"headers": {}}).last_event_id == "3"


@in_memory
def test_idempotency_key(world: World) -> None:
    """The name of a request goes with each attempt; a header of the caller's goes before it."""
    spec = attrs.evolve(PLAIN, method="POST", url="/", idempotency_key="key-1")
    mine = spec.changed({"add_headers": {"idempotency-KEY": "mine"}})
    requests = sent(world, PLAIN.changed({"url": "/"}), spec, spec.changed({"json": [1]}), mine)
    keys = [request.headers.get("idempotency-key") for request in requests]
    assert keys == [None, "key-1", "key-1", "mine"]


@in_memory
def test_one_request_is_sent_several_times(world: World) -> None:
    """A request may be sent any number of times, with the same and with other words."""
    spec = attrs.evolve(
        PLAIN, method="POST", url="/events", headers=iter([("X", "1")]), json={"n": 1}
    )
    later = attrs.evolve(spec, last_event_id="12").changed({"add_params": {"after": "12"}})
    requests = sent(world, spec, spec, later, spec)
    assert [request.body for request in requests] == [b'{"n":1}'] * 4
    assert [request.headers["x"] for request in requests] == ["1"] * 4
    assert [request.headers.get("last-event-id") for request in requests] == [
        None,
        None,
        "12",
        None,
    ]
    assert [request.target for request in requests] == [
        "/events",
        "/events",
        "/events?after=12",
        "/events",
    ]
