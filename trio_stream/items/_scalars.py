"""Hooks for what is not a container: primitives, literals, enums, and formats inside strings.

Nothing is coerced. ``"1"`` is no int, ``1`` is no str, ``True`` is no int and ``1.0`` is no int
either. The one exception follows from JSON itself, which has one kind of number: ``1`` is a float
where a float is asked for, and becomes ``1.0``.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias, get_args
from uuid import UUID

from ._misfit import misfit

__all__ = [
    "PRIMITIVES",
    "SCALARS",
    "Hook",
    "enum_hook",
    "exactly",
    "is_primitive",
    "literal_hook",
    "literal_values",
    "untouched",
]

Hook: TypeAlias = Callable[[Any], Any]
"""From a JSON value to a typed one. Raises `MisfitError`; `RecursionError` passes through."""

PRIMITIVES = frozenset({str, int, float, bool})
"""The types whose instances are JSON values already, and need only be recognized."""


def is_primitive(type_: Any) -> bool:
    """Whether a type is one of `PRIMITIVES`."""
    return isinstance(type_, type) and type_ in PRIMITIVES  # other types may have no hash


def untouched(value: Any) -> Any:
    """The hook of `Any`."""
    return value


def exactly(expected: type) -> Hook:
    """Make the hook of a type whose instances are JSON values already."""

    def hook(value: Any) -> Any:
        if value.__class__ is expected:
            return value
        raise misfit(value, expected.__name__)

    return hook


def _null(value: Any) -> None:
    if value is not None:
        raise misfit(value, "None")


def _float(value: Any) -> float:
    if value.__class__ is float:
        return value
    if value.__class__ is not int:
        raise misfit(value, "float")
    try:
        return float(value)
    except OverflowError as error:
        raise misfit(value, "float") from error


def _written(parse: Callable[[str], Any], expected: str) -> Hook:
    """Make the hook of a type that JSON writes as a string."""

    def hook(value: Any) -> Any:
        if value.__class__ is not str:
            raise misfit(value, expected)
        try:
            return parse(value)
        except ValueError as error:
            raise misfit(value, expected) from error

    return hook


def _decimal(value: Any) -> Decimal:
    # Not from a float: the digits that were sent are gone by then.
    if value.__class__ is int or value.__class__ is str:
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise misfit(value, "a decimal number") from error
        if number.is_finite():
            return number
    raise misfit(value, "a decimal number, as str or int")


SCALARS: dict[Any, Hook] = {
    Any: untouched,
    object: untouched,
    None: _null,
    type(None): _null,
    str: exactly(str),
    int: exactly(int),
    bool: exactly(bool),
    float: _float,
    datetime: _written(datetime.fromisoformat, "an ISO 8601 datetime"),
    date: _written(date.fromisoformat, "an ISO 8601 date"),
    time: _written(time.fromisoformat, "an ISO 8601 time"),
    UUID: _written(UUID, "a UUID"),
    Decimal: _decimal,
}


def literal_values(literal: Any) -> dict[type, dict[Any, Any]]:
    """What a `Literal` accepts: by class and then by JSON value, as ``1 == True == 1.0``.

    An enum member is accepted by its value.
    """
    accepted: dict[type, dict[Any, Any]] = {}
    for value in get_args(literal):
        written = value.value if isinstance(value, enum.Enum) else value
        accepted.setdefault(written.__class__, {})[written] = value
    return accepted


def literal_hook(literal: Any) -> Hook:
    """Make the hook of a `Literal`."""
    accepted = literal_values(literal)
    expected = f"one of {', '.join(map(repr, get_args(literal)))}"

    def hook(value: Any) -> Any:
        choices = accepted.get(value.__class__)
        if choices is None or value not in choices:
            raise misfit(value, expected)
        return choices[value]

    return hook


def enum_hook(type_: type[enum.Enum]) -> Hook:
    """Make the hook of an enum: by value, and of exactly the class that a member's value has.

    What no member has for its value is left to the enum, which may have a ``_missing_``.
    """
    members: dict[type, dict[Any, enum.Enum]] = {}
    for member in type_.__members__.values():
        if member.value.__class__ in PRIMITIVES:  # JSON cannot bring the others
            members.setdefault(member.value.__class__, {})[member.value] = member

    def hook(value: Any) -> enum.Enum:
        choices = members.get(value.__class__)
        if choices is not None:
            if value in choices:
                return choices[value]
            try:
                return type_(value)
            except Exception as error:
                raise misfit(value, type_.__name__) from error
        raise misfit(value, type_.__name__)

    return hook
