"""`JSONSchema`: a schema in the place of an item type."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from trio.testing import MockClock

from tests.pipeline.played import START, WORLD, playing, stop, text
from trio_stream.errors import BadItemError
from trio_stream.pipeline import JSONSchema, open_stream
from trio_stream.testing import Event

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "none"},
        "steps": {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
    },
    "required": ["steps"],
}


async def test_answer_that_fits(autojump_clock: MockClock) -> None:
    """The live value and the final one are plain JSON, and nothing is filled in."""
    document = '{"steps": [1, null, 2]}'
    async with playing(START, *text(0, *document), *stop(), item=JSONSchema(SCHEMA)) as rx:
        answer = await rx.result()
    assert answer.value == answer.draft == json.loads(document)


@pytest.mark.parametrize(
    ("document", "path", "why"),
    [
        ('{"steps": [1, "x"]}', "$.steps[1]", "'x' is not valid under any of the given schemas"),
        ('{"name": 1, "steps": 1}', "$.name", "1 is not of type 'string'"),
        ("{}", "$", "'steps' is a required property"),
        ('{"steps": [1', "$", "not JSON: Expecting ',' delimiter"),
        ('{"steps": [NaN]}', "$", "not JSON: NaN is not JSON"),
    ],
)
async def test_answer_that_does_not_fit(
    autojump_clock: MockClock, document: str, path: str, why: str
) -> None:
    """A misfit is told as for any other type: where, what was wrong, and the document."""
    async with playing(START, *text(0, *document), *stop(), item=JSONSchema(SCHEMA)) as rx:
        with pytest.raises(BadItemError) as caught:
            await rx.result()
    assert (caught.value.path, caught.value.raw) == (path, document.encode())
    assert f"the answer does not fit: bad item at {path}: {why}" in str(caught.value)


async def test_items_of_a_stream(autojump_clock: MockClock) -> None:
    """It is the item type of a stream without a dialect, too."""
    script = [Event({"steps": [1]}), Event({"steps": 1})]
    async with (
        WORLD.serve(script) as (client, server),
        open_stream("GET", server.url, client=client, item=JSONSchema(SCHEMA)) as rx,
    ):
        assert await rx.receive() == {"steps": [1]}
        with pytest.raises(BadItemError, match=r"1 is not of type 'array'"):
            await rx.receive()


def test_wrong_schema() -> None:
    """What is no schema is refused when it is made, with the place of the fault."""
    with pytest.raises(ValueError, match=r"no JSON schema: .* at \$\.properties\.a\.type"):
        JSONSchema({"properties": {"a": {"type": "text"}}})


def test_schema_is_kept() -> None:
    """The schema can be sent with the request, as it was given."""
    assert JSONSchema(SCHEMA).schema is SCHEMA
    assert repr(JSONSchema({"type": "null"})) == "JSONSchema({'type': 'null'})"


def test_reference_out_of_the_schema() -> None:
    """A reference to elsewhere is not followed: no answer of a model makes us fetch anything."""
    schema = JSONSchema({"$ref": "http://127.0.0.1:1/schema.json"})
    with pytest.raises(ValueError, match="cannot be applied: Unresolvable"):
        schema("1")


@pytest.mark.parametrize("levels", [900, 100_000])
def test_deep_value(levels: int) -> None:
    """A value that is too deep, for JSON or for the schema, does not fit."""
    schema = JSONSchema({"type": "array", "items": {"$ref": "#"}})
    with pytest.raises(ValueError, match="nested too deeply"):
        schema("[" * levels + "]" * levels)


def test_long_value() -> None:
    """What does not fit is shown in a few characters, however long it is."""
    with pytest.raises(ValueError, match=r"^'xxx") as caught:
        JSONSchema({"type": "integer"})(json.dumps("x" * 100_000))
    assert len(str(caught.value)) < 300


def test_without_jsonschema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error names it."""
    monkeypatch.setitem(sys.modules, "jsonschema.validators", None)
    with pytest.raises(ImportError, match=r"pip install 'trio-stream\[schema\]'"):
        JSONSchema(SCHEMA)


async def test_events_of_a_schema_tell_where_they_do_not_fit(autojump_clock: MockClock) -> None:
    """Without a dialect, each event is such a document, and a misfit says where it is."""

    async def read() -> None:
        async with (
            WORLD.serve([Event({"steps": [1]}), Event({"steps": [1, "x"]})]) as (client, server),
            open_stream("GET", server.url, client=client, item=JSONSchema(SCHEMA)) as rx,
        ):
            async for item in rx:
                assert item == {"steps": [1]}

    with pytest.raises(BadItemError, match=r"'x' is not valid under any") as caught:
        await read()
    assert caught.value.path == "$.steps[1]"
