"""Hooks for what holds nothing else: primitives, literals, enums, and formats inside strings."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import Any, TypeAlias, get_args
from uuid import UUID

from ._misfit import misfit
from ._types import name_of

__all__ = ["SCALARS", "Hook", "enum_hook", "literal_hook", "literal_values"]

Hook: TypeAlias = Callable[[Any, Any], Any]
"""From a JSON value and its type to a typed value. Those that we make ignore the type."""


def _exactly(class_: type) -> Hook:
    expected = name_of(class_)

    def hook(value: Any, _: Any) -> Any:
        if value.__class__ is class_:  # not isinstance: True is no int
            return value
        raise misfit(value, expected)

    return hook


def _written(parse: Callable[[Any], Any], expected: str, *classes: type) -> Hook:
    """Make the hook of a type that JSON writes as a value of one of these classes."""

    def hook(value: Any, _: Any) -> Any:
        if value.__class__ in classes:
            try:
                return parse(value)
            except (ValueError, ArithmeticError):
                pass
        raise misfit(value, expected)

    return hook


def _decimal(value: str | int) -> Decimal:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError
    return number


# In a union the first one that can read a value gets it: a date is a datetime, too.
SCALARS: dict[Any, Hook] = {
    date: _written(date.fromisoformat, "an ISO 8601 date", str),
    datetime: _written(datetime.fromisoformat, "an ISO 8601 datetime", str),
    time: _written(time.fromisoformat, "an ISO 8601 time", str),
    UUID: _written(UUID, "a UUID", str),
    # Not from a float: the digits that were sent are gone by then.
    Decimal: _written(_decimal, "a decimal number, as str or int", str, int),
    **{class_: _exactly(class_) for class_ in (str, int, bool)},
    # JSON has one kind of number. An int that is too large overflows.
    float: _written(float, "float", float, int),
    **dict.fromkeys((NoneType, None), _exactly(NoneType)),
    **dict.fromkeys((Any, object), lambda value, _: value),
}


def literal_values(literal: Any) -> dict[tuple[type, Any], Any]:
    """What a `Literal` accepts, by class and JSON value, as ``1 == True == 1.0``."""
    values = (
        (each.value if isinstance(each, enum.Enum) else each, each) for each in get_args(literal)
    )
    return {(written.__class__, written): each for written, each in values}


def literal_hook(literal: Any) -> Hook:
    """Make the hook of a `Literal`; an enum member in it is written as its value."""
    accepted = literal_values(literal)
    expected = f"one of {', '.join(map(repr, get_args(literal)))}"

    def hook(value: Any, _: Any) -> Any:
        try:
            return accepted[value.__class__, value]
        except (KeyError, TypeError):  # TypeError: it has no hash
            pass
        raise misfit(value, expected)

    return hook


def enum_hook(type_: type[enum.Enum]) -> Hook:
    """Make the hook of an enum: by value, whose class must be that of a member's value."""
    classes = {each.value.__class__ for each in type_.__members__.values()}

    def hook(value: Any, _: Any) -> enum.Enum:
        if value.__class__ in classes:
            try:
                return type_(value)
            except Exception as error:
                raise misfit(value, type_.__name__) from error
        raise misfit(value, type_.__name__)

    return hook
