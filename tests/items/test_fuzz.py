"""Random payloads against random types, with a simple reference to judge them."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import date
from types import NoneType, UnionType
from typing import Any, TypedDict, Union, get_args, get_origin

import attrs
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.errors import BadItemError
from trio_stream.framing import Record
from trio_stream.items import item_decoder

MISSING = object()


# ---- random types ------------------------------------------------------------------------------

PRIMITIVES = st.sampled_from([str, int, float, bool, NoneType])


def attrs_class(fields: dict[str, Any], *, optional: int) -> Any:
    return attrs.make_class(
        "Attrs",
        {
            name: attrs.field(type=type_, default=attrs.NOTHING if number >= optional else MISSING)
            for number, (name, type_) in enumerate(fields.items())
        },
        kw_only=True,
    )


def data_class(fields: dict[str, Any], *, optional: int) -> Any:
    return dataclasses.make_dataclass(
        "Data",
        [
            (name, type_, dataclasses.field(default=MISSING))
            if number < optional
            else (name, type_)
            for number, (name, type_) in enumerate(fields.items())
        ],
        kw_only=True,
    )


def records(types: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda make, fields, optional: make(fields, optional=optional),
        st.sampled_from([attrs_class, data_class]),
        st.dictionaries(st.sampled_from("abc"), types, max_size=3),
        st.integers(0, 3),
    )


TYPES: st.SearchStrategy[Any] = st.recursive(
    PRIMITIVES | st.just(Any),
    lambda types: (
        st.builds(lambda each: list[each], types)  # type: ignore[valid-type]
        | st.builds(lambda each: dict[str, each], types)  # type: ignore[valid-type]
        | st.builds(lambda each: tuple[each, ...], types)  # type: ignore[valid-type]
        | st.builds(lambda *each: tuple[each], types, types)  # type: ignore[valid-type]
        | st.builds(lambda *each: Union[each], PRIMITIVES, PRIMITIVES)  # noqa: UP007
        | st.builds(lambda each: each | None, types)
        | records(types)
    ),
    max_leaves=6,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from("abcd") | st.text(max_size=3), values, max_size=4)
    ),
    max_leaves=8,
)


def fields_of(type_: Any) -> dict[str, tuple[Any, bool]]:
    """The type of each field, and whether it is required."""
    if attrs.has(type_):
        return {
            each.name: (each.type, each.default is attrs.NOTHING) for each in attrs.fields(type_)
        }
    return {
        each.name: (each.type, each.default is dataclasses.MISSING)
        for each in dataclasses.fields(type_)
    }


def is_record(type_: Any) -> bool:
    return isinstance(type_, type) and (attrs.has(type_) or dataclasses.is_dataclass(type_))


def values_for(type_: Any) -> st.SearchStrategy[Any]:
    """JSON values that mostly fit a type."""
    origin, arguments = get_origin(type_), get_args(type_)
    if type_ is float:
        return st.floats(allow_nan=False, allow_infinity=False) | st.integers()
    if type_ in (str, int, bool):
        return st.from_type(type_)
    if type_ is NoneType:
        return st.none()
    if origin in (Union, UnionType):
        return st.one_of(map(values_for, arguments))
    if origin is list or arguments[1:] == (...,):
        return st.lists(values_for(arguments[0]), max_size=3)
    if origin is tuple:
        return st.tuples(*map(values_for, arguments)).map(list)
    if origin is dict:
        return st.dictionaries(st.text(max_size=3), values_for(arguments[1]), max_size=3)
    if is_record(type_):
        fields = {name: values_for(each) for name, (each, _) in fields_of(type_).items()}
        return st.fixed_dictionaries(fields)
    return JSON


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, Any]:
    """A type, and a value that fits it, nearly fits it or has nothing to do with it."""
    type_ = draw(TYPES)
    value = draw(values_for(type_) | JSON)
    if draw(st.booleans()):
        value = spoilt(draw, value)
    return type_, value


def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """Put something else in one place of a value."""
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        if draw(st.booleans()):
            return {each: value[each] for each in value if each != key}
        return {**value, key: spoilt(draw, value[key])}
    if isinstance(value, list) and value:
        index = draw(st.integers(0, len(value) - 1))
        return [*value[:index], spoilt(draw, value[index]), *value[index + 1 :]]
    return draw(JSON)


# ---- the reference -----------------------------------------------------------------------------


def fits(value: Any, type_: Any) -> bool:
    """Whether a JSON value fits a type."""
    origin, arguments = get_origin(type_), get_args(type_)
    if type_ is Any:
        return True
    if type_ is float:
        return type(value) is float or (type(value) is int and abs(value) < 1 << 1000)
    if type_ in (str, int, bool, NoneType):
        return type(value) is type_
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is list or arguments[1:] == (...,):
        return type(value) is list and all(fits(each, arguments[0]) for each in value)
    if origin is tuple:
        same_length = type(value) is list and len(value) == len(arguments)
        return same_length and all(map(fits, value, arguments))
    if type(value) is not dict:
        return False
    if origin is dict:
        return all(fits(each, arguments[1]) for each in value.values())
    return all(
        fits(value[name], each) if name in value else not required
        for name, (each, required) in fields_of(type_).items()
    )


def is_of(item: Any, type_: Any) -> bool:
    """Whether an item is of exactly the declared type, down to the last leaf."""
    origin, arguments = get_origin(type_), get_args(type_)
    if type_ is Any or item is MISSING:
        return True
    if origin in (Union, UnionType):
        return any(is_of(item, each) for each in arguments)
    if origin is list or arguments[1:] == (...,):
        return type(item) is origin and all(is_of(each, arguments[0]) for each in item)
    if origin is tuple:
        return type(item) is tuple and all(map(is_of, item, arguments))
    if origin is dict:
        return type(item) is dict and all(is_of(each, arguments[1]) for each in item.values())
    if is_record(type_):
        return type(item) is type_ and all(
            is_of(getattr(item, name), each) for name, (each, _) in fields_of(type_).items()
        )
    return type(item) is type_


STEP = re.compile(r'\.([^\W\d]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


def leads_somewhere(path: str, value: Any) -> bool:
    """Whether a path leads to a place in the payload, or to a key that is missing in it."""
    assert path.startswith("$")
    position = 1
    while position < len(path):
        match = STEP.match(path, position)
        if match is None:
            return False
        position = match.end()
        name, index, quoted = match.groups()
        if index is not None:
            value = value[int(index)]
            continue
        key = name if quoted is None else json.loads(quoted)
        if key not in value:
            return position == len(path)
        value = value[key]
    return True


# ---- the laws ----------------------------------------------------------------------------------


@given(cases())
def test_an_item_is_what_was_declared_or_a_bad_item(case: tuple[Any, Any]) -> None:
    """A payload that fits becomes an instance of exactly its type; any other is a bad item."""
    type_, value = case
    text = json.dumps(value)
    errors: list[BadItemError] = []
    out: list[Any] = []

    item_decoder(type_, on_bad_item=errors.append).decode([Record(text)], out)

    assert len(out) == fits(value, type_)
    assert len(errors) == 1 - len(out)
    assert all(is_of(item, type_) for item in out)
    assert all(error.raw == text.encode() for error in errors)
    assert all(leads_somewhere(error.path, value) for error in errors)


class Movie(TypedDict, total=False):
    title: str
    cast: list[dict[str, int | None]]


@attrs.define
class Show:
    movies: list[Movie]
    kind: int | str = 0
    next: Show | None = None


ANYTHING = (
    st.text()
    | st.text(st.sampled_from('{}[]",:0123456789.eE+-truefalsn \\u\ud800'))
    | st.binary().map(lambda data: data.decode("utf-8", "replace"))
    | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))
    | JSON.map(json.dumps).flatmap(lambda text: st.integers(0, len(text)).map(lambda n: text[:n]))
)


@given(
    st.lists(ANYTHING, max_size=5),
    st.sampled_from([Show, Any, int | list[Movie], Show | Movie | date | None, bytes.decode]),
)
def test_garbage_is_never_more_than_a_bad_item(payloads: list[str], item: Any) -> None:
    """Whatever the payloads are, each becomes an item or a bad item, and nothing else is raised."""
    errors: list[BadItemError] = []
    out: list[Any] = []
    decoder = item_decoder(item, on_bad_item=errors.append)

    decoder.decode([Record(payload) for payload in payloads], out)

    assert len(out) + len(errors) == len(payloads)
    assert decoder.skipped_items == len(errors)
    assert all(str(error) and error.path.startswith("$") for error in errors)
