"""Types that msgspec is trusted with, random ones too, and payloads for them."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from datetime import date
from types import MemberDescriptorType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    NotRequired,
    TypedDict,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

import attrs
from hypothesis import strategies as st

from trio_stream.framing import Record
from trio_stream.items import ItemDecoder


@attrs.define
class Delta:
    type: Literal["text", "json", "a"]
    text: str = ""


@attrs.define
class Event:
    type: str
    index: int
    delta: Delta
    usage: list[float | None] = attrs.field(factory=list)


@attrs.define
class Loose:
    a: Any = None


class Movie(TypedDict):
    title: str
    a: NotRequired[list[Any]]


# ---- random types ------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"
    CRIMSON = "red"  # an alias  # noqa: PIE796


class Level(enum.IntEnum):
    LOW = 1
    HIGH = -2


PetId = NewType("PetId", int)
DEFAULT = object()

SCALARS = st.sampled_from(
    [
        *(str, int, float, bool, NoneType, Any, date, UUID, Color, Level, PetId),
        *(Annotated[str, "documented"], Literal["a", "b"], Literal[1, "a"] | None, Literal[-1, 2]),
        *(int | float | str | bool | None, Color | int, date | None, Level | str),
        *(dict, list, tuple),
    ]
)
NAMES = st.sampled_from(["a", "b", "c", "_", "class_", "type", "converter", "a" * 40])
ODD_NAMES = st.sampled_from(["", " ", "a b", '"', "\\", "\n", "\x00", "\x7f", "content-type"])


def attrs_class(fields: Mapping[str, Any], optional: int, **options: bool) -> Any:
    """An attrs class whose last fields have defaults, a factory among them."""
    names = list(fields)
    body: dict[str, Any] = {"__annotations__": dict(fields)}
    for number, name in enumerate(names[len(names) - optional :] if optional else []):
        body[name] = attrs.field(factory=list) if number % 2 else attrs.field(default=DEFAULT)
    return attrs.define(type("Attrs", (), body), **options)


def data_class(fields: Mapping[str, Any], optional: int, **options: bool) -> Any:
    """A dataclass whose last fields have defaults."""
    slots = options.pop("slots")
    names = list(fields)
    made: list[Any] = []
    for number, name in enumerate(names):
        if number < len(names) - optional:
            made.append((name, fields[name]))
        elif slots:
            made.append((name, fields[name], dataclasses.field(default=DEFAULT)))
        else:
            made.append((name, fields[name], dataclasses.field(default_factory=list)))
    return dataclasses.make_dataclass("Data", made, slots=slots, **options)


def typed_dict(fields: Mapping[str, Any], optional: int, **options: bool) -> Any:
    """A TypedDict whose last keys may be missing."""
    names = list(fields)
    hints = {
        name: fields[name] if number < len(names) - optional else NotRequired[fields[name]]
        for number, name in enumerate(names)
    }
    make: Any = TypedDict
    return make("Typed", hints)


@st.composite
def records(draw: st.DrawFn, types: st.SearchStrategy[Any]) -> Any:
    """A record of any sort."""
    make = draw(st.sampled_from([attrs_class, data_class, typed_dict]))
    if make is typed_dict:
        names = NAMES | ODD_NAMES
    else:
        names = NAMES.filter(lambda name: make is data_class or not name.startswith("_"))
    fields = draw(st.dictionaries(names, types, max_size=4))
    flags = {each: draw(st.booleans()) for each in ("slots", "frozen", "kw_only")}
    return make(fields, draw(st.integers(0, len(fields))), **flags)


def _or_none(type_: Any) -> Any:
    spoken_for = type_ is Any or type_ is NoneType or NoneType in get_args(type_)
    return type_ if spoken_for or None in get_args(type_) else Union[type_, None]  # noqa: UP007


PLAIN_TYPES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda types: (
        st.builds(lambda each: list[each], types)  # type: ignore[valid-type]
        | st.builds(lambda each: Sequence[each], types)  # type: ignore[valid-type]
        | st.builds(lambda each: dict[str, each], types)  # type: ignore[valid-type]
        | st.builds(lambda each: Mapping[str, each], types)  # type: ignore[valid-type]
        | st.builds(lambda each: tuple[each, ...], types)  # type: ignore[valid-type]
        | st.builds(lambda *each: tuple[each], types, types)  # type: ignore[valid-type]
        | st.builds(lambda each: list[each] | str | None, types)  # type: ignore[valid-type]
        | st.builds(lambda each: Union[each, int, None], records(types))  # noqa: UP007
        | st.builds(_or_none, types)
        | records(types)
        | records(types)
    ),
    max_leaves=6,
)


# ---- payloads ----------------------------------------------------------------------------------

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
    | st.sampled_from(["a", "red", "2024-01-02", str(UUID(int=5)), 1, 1.0, -2, 10**30]),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from("abcd") | st.text(max_size=3), values, max_size=4)
    ),
    max_leaves=8,
)


def values_for(type_: Any) -> st.SearchStrategy[Any]:
    """JSON values that mostly fit a type."""
    origin, arguments = get_origin(type_) or type_, get_args(type_)
    if origin in _SIMPLE:
        return _SIMPLE[origin]
    if origin is Annotated:
        return values_for(arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if isinstance(type_, enum.EnumMeta):
        return st.sampled_from([each.value for each in type_.__members__.values()])  # type: ignore[var-annotated]
    if origin in (Union, UnionType):
        return st.one_of(map(values_for, arguments))
    if origin in (list, Sequence) or arguments[1:] == (...,):
        return st.lists(values_for(arguments[0]) if arguments else JSON, max_size=3)
    if origin is tuple:
        return st.tuples(*map(values_for, arguments)).map(list)
    if origin in (dict, Mapping):
        values = values_for(arguments[1]) if arguments else JSON
        return st.dictionaries(st.text(max_size=3), values, max_size=3)
    if isinstance(type_, type):
        hints = get_type_hints(type_)
        return st.fixed_dictionaries({}, optional={key: values_for(hints[key]) for key in hints})
    return JSON


_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=5),
    int: st.integers(),
    PetId: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(),
    bool: st.booleans(),
    NoneType: st.none(),
    date: st.dates().map(str),
    UUID: st.uuids().flatmap(lambda uuid: st.sampled_from([str(uuid), uuid.hex])),
    Any: JSON,
}


def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """Put something else in one place of a value, or something more."""
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        change = draw(st.integers(0, 2))
        if change == 0:
            return {each: value[each] for each in value if each != key}
        if change == 1:
            return {**value, draw(st.text(max_size=3)): draw(JSON)}
        return {**value, key: spoilt(draw, value[key])}
    if isinstance(value, list) and value:
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], spoilt(draw, value[index]), *value[index + 1 :]]
    return draw(JSON)


FRAGMENTS = st.sampled_from(
    [*'"\\{}[],:0-+.eE \n\x00\x7f\ufeffé', "null", "NaN", "1e400", "9" * 25, "\\ud800", "\ud800"]
)


def corrupted(draw: st.DrawFn, text: str) -> str:
    """Take out some characters of a text, and put something else there."""
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 3)))
    return text[:start] + draw(FRAGMENTS | st.just("")) + text[end:]


# ---- what came of them -------------------------------------------------------------------------


def outcome_of(read: Any, text: str) -> tuple[list[Any], list[Any]]:
    """What one payload becomes: all there is to know about the item, or about the error."""
    errors: list[Any] = []
    out: list[Any] = []
    ItemDecoder(read, errors.append).decode([Record(text)], out)
    return [facts_of(each) for each in out], [
        (str(each), each.path, each.raw, each.event, repr(each.original_exception))
        for each in errors
    ]


def facts_of(value: Any) -> Any:
    """The classes and contents of a value, down to the last leaf."""
    class_ = type(value)
    if class_ is dict:
        return class_, [(key, facts_of(each)) for key, each in value.items()]
    if class_ in (list, tuple):
        return class_, [facts_of(each) for each in value]
    if class_ is UUID:
        return class_, value.int, value.is_safe
    if not (attrs.has(class_) or dataclasses.is_dataclass(class_)):
        return class_, repr(value)  # tells -0.0 from 0.0
    slots = [key for key, each in vars(class_).items() if isinstance(each, MemberDescriptorType)]
    kept = {**{key: getattr(value, key) for key in slots}, **getattr(value, "__dict__", {})}
    return class_, {key: facts_of(each) for key, each in kept.items()}
