"""What the fields of a record type are: of an attrs class, a dataclass or a TypedDict."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, get_origin, get_type_hints

import attrs

from ._types import bare, bindings_of, name_of, qualifiers_of, substitute

__all__ = ["Field", "fields_of", "is_record", "is_typed_dict"]

_FACTORY: Any = attrs.Factory  # a class, which type checkers are told is a function


@attrs.frozen
class Field:
    """One field of a record.

    Attributes:
        key: Its key in the JSON object.
        name: The argument of the class that takes it.
        type: What its value must be, `bare`.
        required: Whether the key must be there.
        default: Makes the value of an absent key. `None` where there is no such value, or where
            only the class itself can make it.
    """

    key: str
    name: str
    type: Any
    required: bool
    default: Callable[[], Any] | None = None

    @property
    def stays_absent(self) -> bool:
        """Whether nothing is passed for an absent key."""
        return not self.required and self.default is None


def is_typed_dict(type_: Any) -> bool:
    """Whether a type is a `TypedDict`, of `typing` or of `typing_extensions`."""
    class_: Any = get_origin(type_) or type_
    return isinstance(class_, type) and hasattr(class_, "__total__") and issubclass(class_, dict)


def is_record(type_: Any) -> bool:
    """Whether a type is an attrs class, a dataclass or a TypedDict, with or without arguments."""
    class_ = get_origin(type_) or type_
    return isinstance(class_, type) and (
        attrs.has(class_) or dataclasses.is_dataclass(class_) or is_typed_dict(class_)
    )


def fields_of(record: Any) -> list[Field]:
    """List the fields of a record, in order.

    Left out are those that the class fills in by itself (``init=False``).

    Raises:
        TypeError: An annotation names something that does not exist where the class was made.
    """
    class_ = get_origin(record) or record
    try:
        hints = get_type_hints(class_, include_extras=True)
    except (AttributeError, NameError) as error:
        raise TypeError(f"an annotation of {name_of(record)} leads nowhere: {error}") from error
    if attrs.has(class_):
        fields = [_attrs_field(each, hints) for each in attrs.fields(class_) if each.init]
    elif dataclasses.is_dataclass(class_):
        fields = [_dataclass_field(each, hints) for each in dataclasses.fields(class_) if each.init]
    else:
        fields = [
            Field(key, key, declared, required=_must_be_there(class_, key, declared))
            for key, declared in hints.items()
        ]
    bindings = bindings_of(record)
    return [
        attrs.evolve(field, type=bare(substitute(bare(field.type), bindings))) for field in fields
    ]


def _attrs_field(field: attrs.Attribute[Any], hints: dict[str, Any]) -> Field:
    declared = hints.get(field.name, Any if field.type is None else field.type)
    name = field.alias or field.name
    if field.default is attrs.NOTHING:
        return Field(name, name, declared, required=True)
    default: Any = field.default
    if not isinstance(default, _FACTORY):
        return Field(name, name, declared, required=False, default=_always(default))
    if default.takes_self:
        return Field(name, name, declared, required=False)
    return Field(name, name, declared, required=False, default=default.factory)


def _dataclass_field(field: dataclasses.Field[Any], hints: dict[str, Any]) -> Field:
    name, declared = field.name, hints[field.name]
    if field.default is not dataclasses.MISSING:
        return Field(name, name, declared, required=False, default=_always(field.default))
    if field.default_factory is not dataclasses.MISSING:
        return Field(name, name, declared, required=False, default=field.default_factory)
    return Field(name, name, declared, required=True)


def _always(value: Any) -> Callable[[], Any]:
    return lambda: value


def _must_be_there(class_: Any, key: str, declared: Any) -> bool:
    # `__required_keys__` alone is wrong under `from __future__ import annotations`: it was made
    # when ``NotRequired[...]`` was still a string.
    qualifiers = qualifiers_of(declared)
    if qualifiers & {"Required", "NotRequired"}:
        return "Required" in qualifiers
    return key in class_.__required_keys__
