"""Telling the records of a union apart, by what is in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_origin

import attrs

from ._fields import Field, fields_of
from ._misfit import MisfitError, misfit
from ._scalars import Hook, literal_values
from ._types import name_of

__all__ = ["choice_of_record"]

Choose: TypeAlias = Callable[[dict[str, Any]], Hook]
"""Find the hook of the record that an object belongs to. Raises `MisfitError`: to none."""


@attrs.frozen(eq=False)
class _Member:
    name: str
    fields: dict[str, Field]
    hook: Hook


def choice_of_record(
    records: Sequence[Any], hook_of: Callable[[Any], Hook], *, others: Sequence[Any]
) -> Choose:
    """Find out how records can be told apart, from each other and from other objects.

    By a tag, if they have one: a field that each declares as a `Literal` with values of its own.
    Else by a required key that only one of them has; one record may be without such a key, if an
    object that is none of the records is nothing else.

    Nothing is tried: an object that has the tag or the key of a record is this record or bad, and
    a union that contains itself does not double the work with each level.

    Args:
        records: The records of the union.
        hook_of: Makes the hook of a type.
        others: The members of the union that take any object.

    Raises:
        TypeError: They cannot be told apart.
    """
    members = [
        _Member(name_of(record), {field.key: field for field in fields_of(record)}, hook_of(record))
        for record in records
    ]
    for key in members[0].fields:
        hooks = _hooks_by_tag(key, members)
        if hooks is not None:
            return _choose_by_tag(key, hooks)
    return _choose_by_key(members, [name_of(other) for other in others])


def _hooks_by_tag(key: str, members: Sequence[_Member]) -> dict[type, dict[Any, Hook]] | None:
    """The hook for each value of a tag, by class and value; `None` if this key is no tag."""
    hooks: dict[type, dict[Any, Hook]] = {}
    for member in members:
        field = member.fields.get(key)
        if field is None or get_origin(field.type) is not Literal:
            return None
        for class_, values in literal_values(field.type).items():
            taken = hooks.setdefault(class_, {})
            if not taken.keys().isdisjoint(values):
                return None
            taken.update(dict.fromkeys(values, member.hook))
    return hooks


def _choose_by_tag(key: str, hooks: dict[type, dict[Any, Hook]]) -> Choose:
    expected = f"one of {', '.join(repr(tag) for known in hooks.values() for tag in known)}"

    def choose(value: dict[str, Any]) -> Hook:
        try:
            tag = value[key]
        except KeyError:
            raise MisfitError(f"the field is missing, expected {expected}", key) from None
        known = hooks.get(tag.__class__)
        if known is None or tag not in known:
            raise misfit(tag, expected, key)
        return known[tag]

    return choose


def _choose_by_key(members: Sequence[_Member], others: Sequence[str]) -> Choose:
    # Whoever has a key of its own is found by it and leaves; that may leave another one with a key
    # of its own. So the order matters, here and in the search below.
    left = list(members)
    telling: list[tuple[str, Hook]] = []
    while (found := _with_own_key(left)) is not None:
        key, member = found
        telling.append((key, member.hook))
        left.remove(member)
    if len(left) + len(others) > 1 and left:
        names = " and ".join([*(member.name for member in left), *others])
        raise TypeError(
            f"{names} cannot be told apart: give them a field that each declares as a Literal of "
            "its own, or required fields that the others do not have"
        )
    expected = f"an object with {' or '.join(repr(key) for key, _ in telling)}"

    def choose(value: dict[str, Any]) -> Hook:
        for key, hook in telling:
            if key in value:
                return hook
        if left:
            return left[0].hook
        raise misfit(value, expected)

    return choose


def _with_own_key(members: Sequence[_Member]) -> tuple[str, _Member] | None:
    """The first member that requires a key which none of the others knows, and that key."""
    for member in members:
        others = {key for other in members if other is not member for key in other.fields}
        for key, field in member.fields.items():
            if field.required and key not in others:
                return key, member
    return None
