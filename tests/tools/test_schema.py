"""From types to JSON schemas, and that values keep to them."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
)
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spelling import spelled
from trio_stream.items._converter import hook_of
from trio_stream.tools import schema_of
from trio_stream.tools._tool import result_text

T = TypeVar("T")
City = NewType("City", Annotated[str, "the name of a city"])


class Unit(enum.Enum):
    CELSIUS = "C"
    KELVIN = "K"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Odd(enum.Enum):
    PAIR = (1, 2)


@attrs.frozen
class Place:
    """A place on Earth.

    Attributes:
        lat: The latitude, in degrees.
    """

    lat: float
    lon: Annotated[float, "the longitude, in degrees"]
    name: str = ""


@dataclasses.dataclass
class Stop:
    place: Place
    at: datetime
    days: int = 1


class Trip(TypedDict):
    stops: Annotated[list[Stop], "in order"]
    note: NotRequired[str]


@attrs.frozen
class Tree:
    """A tree."""

    label: str
    children: list[Tree]


@attrs.frozen
class Left:
    right: Right | None = None


@attrs.frozen
class Right:
    left: Left


@attrs.frozen
class Page(Generic[T]):
    items: list[T]
    first: T
    next: T | None = None


PLACE = {
    "type": "object",
    "properties": {
        "lat": {"type": "number", "description": "The latitude, in degrees."},
        "lon": {"type": "number", "description": "the longitude, in degrees"},
        "name": {"type": "string"},
    },
    "required": ["lat", "lon"],
    "additionalProperties": False,
    "description": "A place on Earth.",
}
STOP = {
    "type": "object",
    "properties": {
        "place": PLACE,
        "at": {"type": "string", "format": "date-time"},
        "days": {"type": "integer"},
    },
    "required": ["place", "at"],
    "additionalProperties": False,
}


def record(required: Sequence[str], **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


NULL = {"type": "null"}
STRING = {"type": "string"}
INTEGER = {"type": "integer"}

TYPES: list[tuple[Any, dict[str, Any]]] = [
    (str, STRING),
    (int, INTEGER),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (None, NULL),
    (Any, {}),
    (datetime, {"type": "string", "format": "date-time"}),
    (date, {"type": "string", "format": "date"}),
    (time, {"type": "string", "format": "time"}),
    (UUID, {"type": "string", "format": "uuid"}),
    (Decimal, {"type": "string", "description": "a decimal number"}),
    (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
    (Annotated[int, object()], INTEGER),
    (City, {"type": "string", "description": "the name of a city"}),
    (Optional[int], {"anyOf": [INTEGER, NULL]}),  # noqa: UP045
    (int | str | None, {"anyOf": [INTEGER, STRING, NULL]}),
    (list[int] | int, {"anyOf": [{"type": "array", "items": INTEGER}, INTEGER]}),
    (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
    (Literal[1, 2], {"type": "integer", "enum": [1, 2]}),
    (Literal["a", None], {"anyOf": [{"type": "string", "enum": ["a"]}, NULL]}),  # noqa: PYI061
    (
        Literal[True, 1],
        {"anyOf": [{"type": "boolean", "enum": [True]}, {"type": "integer", "enum": [1]}]},
    ),
    (Literal[Unit.KELVIN], {"type": "string", "enum": ["K"]}),
    (Unit, {"type": "string", "enum": ["C", "K"]}),
    (Level, {"type": "integer", "enum": [1, 2]}),
    (
        Mixed,
        {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "string", "enum": ["two"]}]},
    ),
    (list, {"type": "array"}),
    (list[Any], {"type": "array"}),
    (list[str], {"type": "array", "items": STRING}),
    (set[str], {"type": "array", "items": STRING}),
    (frozenset[str], {"type": "array", "items": STRING}),
    (Sequence[str], {"type": "array", "items": STRING}),
    (tuple[str, ...], {"type": "array", "items": STRING}),
    (tuple, {"type": "array"}),
    (tuple[int, int], {"type": "array", "items": INTEGER, "minItems": 2, "maxItems": 2}),
    (
        tuple[int, str],
        {
            "type": "array",
            "items": {"anyOf": [INTEGER, STRING]},
            "minItems": 2,
            "maxItems": 2,
        },
    ),
    (dict, {"type": "object", "additionalProperties": True}),
    (dict[str, Any], {"type": "object", "additionalProperties": True}),
    (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (Mapping[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (Place, PLACE),
    (Stop, STOP),
    (
        Trip,
        record(
            ["stops"],
            stops={"type": "array", "items": STOP, "description": "in order"},
            note=STRING,
        ),
    ),
    (
        Page[int],
        record(
            ["items", "first"],
            items={"type": "array", "items": INTEGER},
            first=INTEGER,
            next={"anyOf": [INTEGER, NULL]},
        ),
    ),
    (
        Tree,
        {
            "$ref": "#/$defs/Tree",
            "$defs": {
                "Tree": record(
                    ["label", "children"],
                    label=STRING,
                    children={"type": "array", "items": {"$ref": "#/$defs/Tree"}},
                )
                | {"description": "A tree."}
            },
        },
    ),
    (
        Left,
        {
            "$ref": "#/$defs/Left",
            "$defs": {
                "Left": record(
                    [],
                    right={"anyOf": [record(["left"], left={"$ref": "#/$defs/Left"}), NULL]},
                )
            },
        },
    ),
]


@pytest.mark.parametrize(("type_", "schema"), TYPES, ids=lambda each: spelled(each)[:40])
def test_schema(type_: Any, schema: dict[str, Any]) -> None:
    """Each type has its schema."""
    assert schema_of(type_) == schema


def test_two_recursive_classes_of_one_name() -> None:
    """Classes that contain themselves are told apart though they have the same name."""

    def module(field: str) -> type:
        namespace: dict[str, Any] = {"attrs": attrs}
        code = f"@attrs.frozen\nclass Node:\n    {field}: 'list[Node]'\n"
        exec(code, namespace)
        node: type = namespace["Node"]
        node.__annotations__[field] = list[node]  # type: ignore[valid-type]
        attrs.resolve_types(node, namespace)
        return node

    one, other = module("left"), module("right")

    definitions = schema_of(tuple[one, other])["$defs"]  # type: ignore[valid-type]

    assert [[*each["properties"]] for each in definitions.values()] == [["left"], ["right"]]
    assert len(definitions) == 2


@pytest.mark.parametrize(
    ("type_", "problem"),
    [
        (bytes, "JSON has no bytes"),
        (object(), "no type that JSON can be read into"),
        (dict[int, str], "the keys of a JSON object are strings, not int"),
        (dict[Unit, str], "the keys of a JSON object are str, not Unit"),
        (list[complex], "complex"),
        (T, "type variable"),
        (Odd, r"the value \(1, 2\), which is not JSON"),
    ],
    ids=lambda each: spelled(each)[:30],
)
def test_type_without_a_schema(type_: Any, problem: str) -> None:
    """A type that JSON cannot be read into is refused, and the message says which."""
    with pytest.raises(TypeError, match=problem):
        schema_of(type_)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="has no `type` statement")
def test_alias_that_contains_itself() -> None:
    """A name for a type can contain itself without being a class; there is no schema for that."""
    namespace: dict[str, Any] = {}
    exec("type Nested = list[Nested]", namespace)

    with pytest.raises(TypeError, match="contains itself, and is no class"):
        schema_of(namespace["Nested"])


# --- values ------------------------------------------------------------------------------------


def fits(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> bool:
    """Whether a JSON value keeps to a schema: the few keywords that we use."""
    if "$ref" in schema:
        return fits(value, definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    if "anyOf" in schema:
        return any(fits(value, each, definitions) for each in schema["anyOf"])
    if "enum" in schema and value not in schema["enum"]:
        return False
    match schema.get("type"):
        case "object":
            properties, more = schema.get("properties", {}), schema["additionalProperties"]
            return (
                isinstance(value, dict)
                and set(schema.get("required", ())) <= value.keys()
                and all(
                    fits(each, properties[key], definitions)
                    if key in properties
                    else more is True or (more is not False and fits(each, more, definitions))
                    for key, each in value.items()
                )
            )
        case "array":
            return (
                isinstance(value, list)
                and schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 100)
                and all(fits(each, schema.get("items", {}), definitions) for each in value)
            )
        case "string":
            return isinstance(value, str)
        case "integer":
            return type(value) is int
        case "number":
            return type(value) in (int, float)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case _:
            return True


numbers = st.floats(allow_nan=False, allow_infinity=False)
places = st.builds(Place, numbers, numbers, st.text())
moments = st.datetimes(timezones=st.just(UTC))
stops = st.builds(Stop, places, moments, st.integers())
trees = st.deferred(lambda: st.builds(Tree, st.text(), st.lists(trees, max_size=2)))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)

TYPED_VALUES: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (str | None, st.none() | st.text()),
    (list[int], st.lists(st.integers(), max_size=5)),
    (set[str], st.sets(st.text(), max_size=5)),
    (tuple[int, str, bool], st.tuples(st.integers(), st.text(), st.booleans())),
    (dict[str, float], st.dictionaries(st.text(), numbers, max_size=5)),
    (Unit | Level, st.sampled_from([*Unit, *Level])),
    (datetime, moments),
    (date, st.dates()),
    (time, st.times()),
    (UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (Literal["a", 1] | None, st.sampled_from(["a", 1, None])),
    (Any, json_values),
    (Place, places),
    (Stop, stops),
    (
        Trip,
        st.fixed_dictionaries({"stops": st.lists(stops, max_size=2)}, optional={"note": st.text()}),
    ),
    (Tree, trees),
    (
        Page[int],
        st.builds(
            Page,
            st.lists(st.integers(), max_size=3),
            st.integers(),
            st.none() | st.integers(),
        ),
    ),
]


@given(st.data())
def test_values_keep_to_the_schema_and_survive(data: st.DataObject) -> None:
    """A value of a type, written as a result, fits the schema of the type and is read as itself."""
    type_, values = data.draw(st.sampled_from(TYPED_VALUES))
    value = data.draw(values)

    text = result_text([value])  # in a list, as bare strings are not written as JSON
    [written] = json.loads(text)

    schema = schema_of(type_)
    assert fits(written, schema, schema.get("$defs", {}))
    assert hook_of(type_)(written, None) == value


@given(st.sampled_from(TYPED_VALUES), json_values)
def test_what_is_read_fits_the_schema(typed: tuple[Any, Any], value: Any) -> None:
    """What the schema of a type forbids is not read into the type, but for fields too many."""
    type_, _ = typed
    schema = schema_of(type_)
    if not fits(value, schema, schema.get("$defs", {})) and not isinstance(value, dict):
        # Decimals may be numbers too.
        if type_ is Decimal and type(value) is int:
            return
        with pytest.raises(ValueError, match=r"expected|refused"):
            hook_of(type_)(value, None)
