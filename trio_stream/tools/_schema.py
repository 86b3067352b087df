"""From a type to the JSON schema of the values that are read into it.

The schemas keep to what all providers take: ``type``, ``properties``, ``required``,
``additionalProperties``, ``items``, ``minItems``, ``maxItems``, ``enum``, ``anyOf``, ``format``,
``description``, ``default``, and ``$defs`` with ``$ref`` for classes that contain themselves.
What the types mean is said by `trio_stream.items`: values of this schema are read by its rules.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

from ..dialects._json import Json, JsonObject
from ..items._converter import hook_of
from ..items._scalars import literal_values
from ..items._types import fields_of, is_record, is_typed_dict, is_union, name_of, unwrapped
from ._docstring import entries, summary

__all__ = ["Schemas", "description_of", "schema_of"]

_SCALARS: Final[Mapping[Any, JsonObject]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    NoneType: {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    time: {"type": "string", "format": "time"},
    UUID: {"type": "string", "format": "uuid"},
    Decimal: {"type": "string", "description": "a decimal number"},
    Any: {},
    object: {},
}

_ARRAYS: Final = (list, set, frozenset, tuple, Sequence, MutableSequence, AbstractSet)
_MAPPINGS: Final = (dict, Mapping, MutableMapping)

_NAMES: Final[Mapping[type, str]] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    NoneType: "null",
}


def schema_of(type_: Any) -> JsonObject:
    """Make the JSON schema of a type.

    Args:
        type_: ``str``, ``int``, ``float``, ``bool``, ``None``, `Any`, a `Literal`, an enum, a
            union, ``list``, ``tuple``, ``set``, ``Sequence`` or ``dict[str, ...]`` of such, an
            attrs class, a dataclass, a TypedDict, a `NewType`, `datetime`, `date`, `time`,
            `UUID`, `Decimal`. ``Annotated[T, "..."]`` describes it. The docstring of a class, and
            its section ``Attributes``, describe the class and its fields.

    Raises:
        TypeError: JSON cannot be read into it.
    """
    schemas = Schemas()
    return schemas.finished(schemas.of(type_))


def description_of(type_: Any) -> str:
    """Return the text that a type is annotated with; ``""`` if there is none."""
    while True:
        origin = get_origin(type_)
        if origin is Annotated:
            texts = [each for each in get_args(type_)[1:] if isinstance(each, str)]
            if texts:
                return texts[0]
        if origin in (Annotated, Required, NotRequired):
            type_ = get_args(type_)[0]
        elif isinstance(type_, NewType):
            type_ = type_.__supertype__
        else:
            return ""


class Schemas:
    """The making of one schema. Classes that contain themselves are defined once, beside it."""

    def __init__(self) -> None:
        self._definitions: dict[str, JsonObject] = {}
        self._names: dict[Any, str] = {}
        # The records that are being made, outermost first.
        self._open: list[Any] = []

    def of(self, type_: Any, description: str = "") -> JsonObject:
        """Make the schema of a type that is a part of the whole.

        Raises:
            TypeError: JSON cannot be read into it.
        """
        hook_of(type_)
        try:
            schema = self._of(unwrapped(type_))
        except RecursionError:
            raise TypeError(f"{name_of(type_)} contains itself, and is no class") from None
        description = description_of(type_) or description
        if description and "$ref" not in schema:  # where Gemini wants nothing else
            schema = {**schema, "description": description}
        return schema

    def finished(self, schema: JsonObject) -> JsonObject:
        """Return the schema of the whole, with the definitions that it refers to."""
        return {**schema, "$defs": self._definitions} if self._definitions else schema

    def _of(self, type_: Any) -> JsonObject:
        origin, arguments = get_origin(type_) or type_, get_args(type_)
        if origin in _SCALARS:
            return dict(_SCALARS[origin])
        if origin is Literal:
            return _enumeration([value for _, value in literal_values(type_)], type_)
        if isinstance(origin, type) and issubclass(origin, enum.Enum):
            return _enumeration([member.value for member in origin], type_)
        if is_union(type_):
            return _any_of(map(self.of, arguments))
        if is_record(type_):
            return self._record(type_)
        if origin in _ARRAYS:
            return self._array(type_, origin, arguments)
        if origin in _MAPPINGS:
            return self._mapping(arguments)
        raise TypeError(f"there is no JSON schema for {name_of(type_)}")

    def _array(self, type_: Any, origin: Any, arguments: Sequence[Any]) -> JsonObject:
        if origin is not tuple or type_ is tuple or arguments[1:] == (...,):
            items = self.of(arguments[0]) if arguments else {}
            return {"type": "array", **({"items": items} if items else {})}
        # Not every provider knows how to number the items of an array.
        length = len(arguments)
        items = _any_of(map(self.of, arguments)) if arguments else {}
        return {
            "type": "array",
            **({"items": items} if items else {}),
            "minItems": length,
            "maxItems": length,
        }

    def _mapping(self, arguments: Sequence[Any]) -> JsonObject:
        key, value = arguments or (str, Any)
        if unwrapped(key) not in (str, Any):
            raise TypeError(f"the keys of a JSON object are str, not {name_of(key)}")
        return {"type": "object", "additionalProperties": self.of(value) or True}

    def _record(self, record: Any) -> JsonObject:
        if record in self._names:
            return {"$ref": f"#/$defs/{self._names[record]}"}
        if record in self._open:
            name = name_of(get_origin(record) or record)
            taken = [*self._names.values()]
            self._names[record] = name if name not in taken else f"{name}{len(taken)}"
            return self._record(record)
        self._open.append(record)
        try:
            schema = self._fields(record)
        finally:
            self._open.pop()
        if record not in self._names:
            return schema
        self._definitions[self._names[record]] = schema
        return self._record(record)

    def _fields(self, record: Any) -> JsonObject:
        class_ = get_origin(record) or record
        stand_for = dict(zip(getattr(class_, "__parameters__", ()), get_args(record), strict=False))
        docstring = _own_docstring(class_)
        described = entries(docstring, "Attributes", "Args")
        if is_typed_dict(class_):
            hints = get_type_hints(class_, include_extras=True)
            described |= {
                key: text for key, hint in hints.items() if (text := description_of(hint))
            }
        fields = fields_of(record)
        schema: JsonObject = {
            "type": "object",
            "properties": {
                key: self.of(_substituted(type_, stand_for), described.get(key, ""))
                for key, (type_, _) in fields.items()
            },
            "required": [key for key, (_, required) in fields.items() if required],
            "additionalProperties": False,
        }
        description = summary(docstring)
        return {**schema, "description": description} if description else schema


def _substituted(type_: Any, stand_for: Mapping[Any, Any]) -> Any:
    """Put in what the type variables of a generic class stand for."""
    if isinstance(type_, TypeVar):
        return stand_for.get(type_, type_)
    parameters = getattr(type_, "__parameters__", ()) if get_origin(type_) else ()
    if not parameters:
        return type_
    return type_[tuple(stand_for.get(each, each) for each in parameters)]


def _own_docstring(class_: Any) -> str:
    """The docstring that somebody wrote for this class; that of a dataclass may be made up."""
    docstring = class_.__dict__.get("__doc__") or ""
    if docstring.startswith(f"{class_.__name__}("):
        return ""
    return inspect.cleandoc(docstring)


def _any_of(schemas: Iterable[JsonObject]) -> JsonObject:
    """One of several schemas; what they have twice is said once."""
    members: list[JsonObject] = []
    for schema in schemas:
        inner: list[JsonObject] = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]
        members += [each for each in inner if each not in members]
    return members[0] if len(members) == 1 else {"anyOf": members}


def _enumeration(values: Sequence[Json], type_: Any) -> JsonObject:
    """One of several values, by their types: a schema names one type."""
    by_type: dict[str, list[Json]] = {}
    for value in values:
        if type(value) not in _NAMES:
            raise TypeError(f"{name_of(type_)} has the value {value!r}, which is not JSON")
        by_type.setdefault(_NAMES[type(value)], []).append(value)
    return _any_of(
        {"type": name} if name == "null" else {"type": name, "enum": each}
        for name, each in by_type.items()
    )
