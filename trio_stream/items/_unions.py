"""Hooks for unions: which member a value belongs to.

The order in which the members are declared says nothing, since ``Union[A, B] == Union[B, A]`` and
`typing` may hand out the one for the other. So objects are given to a record by what is in them
(see `_choice`), and of the other members that would take a value the most special one gets it:
``date | str`` is a date where it can be.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from types import NoneType
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

from ._choice import choice_of_record
from ._fields import is_record
from ._misfit import MisfitError, misfit
from ._scalars import Hook, is_primitive
from ._types import bare, is_mapping, is_union, name_of

__all__ = ["union_hook"]


def union_hook(union: Any, hook_of: Callable[[Any], Hook]) -> Hook:
    """Make the hook of a union, given how to make that of a member.

    Raises:
        TypeError: Its records cannot be told apart.
    """
    members = sorted(_members(union), key=_generality)
    if len(members) == 2 and members[0] is NoneType:
        return _optional(hook_of(members[1]))

    records = [each for each in members if is_record(each)]
    open_members = [each for each in members if is_mapping(each) or each in (Any, object)]
    choose = None
    if len(records) > 1 or (records and open_members):
        choose = choice_of_record(records, hook_of, others=open_members)
    hooks = [hook_of(each) for each in members if choose is None or not is_record(each)]
    # Values of these classes need no trying, as no member that is more special takes them.
    at_once = {each for each in members if each is NoneType or is_primitive(each)}
    if any(_LITERAL <= _generality(each) < _RECORD for each in members):
        at_once &= {NoneType}
    name = name_of(union)

    def hook(value: Any) -> Any:
        if value.__class__ in at_once:
            return value
        fault: MisfitError | None = None
        if choose is not None and value.__class__ is dict:
            try:
                chosen = choose(value)
            except MisfitError as error:
                fault = error
            else:
                return chosen(value)
        for each in hooks:
            try:
                return each(value)
            except MisfitError as error:
                # The member that could be followed furthest is the one that was meant.
                if len(error.steps) > (len(fault.steps) if fault else 0):
                    fault = error
        try:
            raise fault or misfit(value, name)
        finally:
            del fault  # its traceback leads back to this frame: a cycle

    return hook


def _optional(hook: Hook) -> Hook:
    return lambda value: None if value is None else hook(value)


def _members(union: Any) -> Iterator[Any]:
    for each in map(bare, get_args(union)):
        if is_union(each):  # it had a name
            yield from _members(each)
        else:
            yield each


_LITERAL, _ENUM, _RECORD, _CONTAINER = 1, 2, 8, 9
_GENERALITY: dict[Any, int] = {
    NoneType: 0,
    # A literal, an enum.
    date: 3,
    datetime: 4,
    time: 5,
    UUID: 6,
    Decimal: 7,
    # A record, a container.
    bool: 10,
    int: 10,
    str: 10,
    float: 11,
    Any: 12,
    object: 12,
}


def _generality(type_: Any) -> int:
    """How general a type is: of the members that take a value, the least general one gets it."""
    if get_origin(type_) is Literal:
        return _LITERAL
    if is_record(type_):
        return _RECORD
    if not isinstance(type_, type):
        return _CONTAINER
    return _ENUM if issubclass(type_, enum.Enum) else _GENERALITY.get(type_, _CONTAINER)
