"""Reading type expressions and the fields of records."""

from __future__ import annotations

import dataclasses
import re
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    NewType,
    NotRequired,
    Required,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import attrs
from cattrs.errors import StructureHandlerNotFoundError

__all__ = [
    "Fields",
    "RefusedTypeError",
    "fields_of",
    "is_record",
    "is_union",
    "name_of",
    "unwrapped",
]

Fields: TypeAlias = dict[str, tuple[Any, bool]]
"""By their keys in a JSON object, the fields of a record: the type, and whether required."""

# By name, since those of `typing_extensions` are other objects on an older Python.
_WRAPPERS = ("Final", "NotRequired", "ReadOnly", "Required")


class RefusedTypeError(StructureHandlerNotFoundError, TypeError):
    """JSON cannot be read into a type. For a field with a converter of attrs, cattrs asks that."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type_=object)


def name_of(type_: Any) -> str:
    """How a message names a type: as it is written, without its modules."""
    if type_ is None or type_ is NoneType:
        return "None"
    if isinstance(type_, type) and not get_args(type_):
        return type_.__name__
    # What is quoted is a value of a `Literal`, and may have dots too.
    return re.sub(r"('[^']*')|[\w<>]+\.(?=[\w<])", r"\1", str(type_))


def unwrapped(type_: Any) -> Any:
    """Take off what does not change the JSON value: `Annotated`, `NewType`, `Final`, aliases."""
    while True:
        origin = get_origin(type_)
        if origin is Annotated or str(origin).rpartition(".")[2] in _WRAPPERS:
            type_ = get_args(type_)[0]
        elif isinstance(type_, NewType):
            type_ = type_.__supertype__
        elif type(origin or type_).__name__ == "TypeAliasType":
            alias = origin or type_
            meant = dict(zip(alias.__type_params__, get_args(type_), strict=False))
            type_ = alias.__value__
            if meant:
                type_ = type_[tuple(meant[each] for each in type_.__parameters__)]
        else:
            return type_


def is_union(type_: Any) -> bool:
    """Whether it is a union, written either way."""
    return get_origin(type_) in (Union, UnionType)


def is_typed_dict(class_: Any) -> bool:
    """Whether it is a TypedDict, of `typing` or of `typing_extensions`."""
    return hasattr(class_, "__required_keys__") and issubclass(class_, dict)


def is_record(type_: Any) -> bool:
    """Whether it is an attrs class, a dataclass or a TypedDict, with or without arguments."""
    class_ = get_origin(type_) or type_
    return isinstance(class_, type) and (
        attrs.has(class_) or dataclasses.is_dataclass(class_) or is_typed_dict(class_)
    )


def fields_of(record: Any) -> Fields:
    """List the fields of a record. The key of an attrs field is its alias, as in ``__init__``.

    Raises:
        RefusedTypeError: An annotation names something that does not exist.
    """
    class_ = get_origin(record) or record
    try:
        hints = get_type_hints(class_, include_extras=True)
    except (AttributeError, NameError) as error:
        name = name_of(class_)
        raise RefusedTypeError(f"an annotation of {name} leads nowhere: {error}") from error
    if attrs.has(class_):
        attrs.resolve_types(class_)  # cattrs does it only if a whole annotation is a string
        return {
            each.alias or each.name: (each.type or Any, each.default is attrs.NOTHING)
            for each in attrs.fields(class_)
            if each.init
        }
    if dataclasses.is_dataclass(class_):
        fields = [each for each in dataclasses.fields(class_) if each.init]
        for each in fields:
            each.type = hints[each.name]  # as attrs.resolve_types does
        # Only where there is no default they are the same: MISSING.
        return {each.name: (each.type, each.default is each.default_factory) for each in fields}
    # `__required_keys__` is wrong where annotations were strings when the class was made.
    stated = {NotRequired: False, Required: True}
    return {
        key: (unwrapped(hint), stated.get(get_origin(hint), key in class_.__required_keys__))
        for key, hint in hints.items()
    }
