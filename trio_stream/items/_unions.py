"""Hooks for unions: which member a value belongs to.

cattrs tells attrs classes and dataclasses apart, but no TypedDicts; it looks for a tag under the
name of an attribute and not under its alias; and which one of several keys it goes by may differ
from run to run. So the choice is made here: by the JSON type of the value and the keys of an
object, so that no container is tried. The order of the members says nothing, since
``Union[A, B] == Union[B, A]``: where several can read a value the most special one gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from ._misfit import MisfitError, misfit
from ._scalars import SCALARS, Hook, literal_values
from ._types import Fields, RefusedTypeError, fields_of, is_record, is_union, name_of, unwrapped

__all__ = ["union_hook"]

_BY_GENERALITY = list(SCALARS)  # literals and enums come before
_PRIMITIVES = {str, int, bool, float, NoneType}


def union_hook(union: Any, hook_of: Callable[[Any], Hook]) -> Hook:
    """Make the hook of a union, given how to make that of a member.

    Raises:
        RefusedTypeError: Two of its members cannot be told apart.
    """
    members = sorted(_members(union), key=_generality)
    name = " | ".join(map(name_of, members))
    arrays = [each for each in members if _is_a(each, Sequence, AbstractSet)]
    objects = [each for each in members if is_record(each) or _is_a(each, Mapping)]
    scalars = [each for each in members if each not in arrays and each not in objects]
    containers: dict[type, Hook] = {}
    if arrays:
        containers[list] = _only(arrays, hook_of)
    if objects:
        objects += [each for each in scalars if each in (Any, object)]
        containers[dict] = _object_hook(objects, hook_of)
    hooks = [hook_of(each) for each in scalars]
    # Values of these classes need no trying, unless a more special member may take them.
    plain = _PRIMITIVES.intersection(scalars)
    if not plain.issuperset(scalars):
        plain &= {NoneType}

    def hook(value: Any, _: Any) -> Any:
        class_ = value.__class__
        if class_ in plain:
            return value
        if class_ in containers:
            return containers[class_](value, None)
        for each in hooks:
            try:
                return each(value, None)
            except MisfitError:
                pass
        raise misfit(value, name)

    return hook


def _members(union: Any) -> Iterator[Any]:
    for each in map(unwrapped, get_args(union)):
        if is_union(each):  # it had a name
            yield from _members(each)
        else:
            yield each


def _generality(member: Any) -> tuple[int, str]:
    rank = _BY_GENERALITY.index(member) if member in _BY_GENERALITY else -1
    return rank, name_of(member)


def _is_a(type_: Any, *classes: type) -> bool:
    class_ = get_origin(type_) or type_
    return isinstance(class_, type) and issubclass(class_, classes) and not issubclass(class_, str)


def _only(members: Sequence[Any], hook_of: Callable[[Any], Hook]) -> Hook:
    if len(members) > 1:
        raise RefusedTypeError(
            f"{' and '.join(map(name_of, members))} cannot be told apart: give records a field "
            "that each declares as a Literal of its own, or required fields of their own"
        )
    return hook_of(members[0])


def _object_hook(members: Sequence[Any], hook_of: Callable[[Any], Hook]) -> Hook:
    """Make the hook that finds the member for an object.

    By a tag, if all records have one: a field that each declares as a `Literal` with values of
    its own. Else by the required keys: of the members that have all of theirs in the object it is
    the one that requires most. What is no record requires none.
    """
    if len(members) == 1:
        return hook_of(members[0])
    records = {each: fields_of(each) for each in members if is_record(each)}
    others = [each for each in members if each not in records]
    for key in next(iter(records.values()), ()):
        tags = _tags(key, records)
        if tags is not None:
            hooks = {tag: hook_of(record) for tag, record in tags.items()}
            return _choosing_by_tag(key, hooks, _only(others, hook_of) if others else None)
    choices: dict[frozenset[str], list[Any]] = {}
    for record, fields in records.items():
        required = frozenset(key for key, (_, required) in fields.items() if required)
        choices.setdefault(required, []).append(record)
    if others:
        choices.setdefault(frozenset(), []).extend(others)
    in_order = sorted(choices, key=lambda keys: (-len(keys), sorted(keys)))
    hooks_by_keys = [(keys, _only(choices[keys], hook_of)) for keys in in_order]
    expected = " or ".join(" and ".join(map(repr, sorted(keys))) for keys in in_order)

    def hook(value: Any, _: Any) -> Any:
        for keys, chosen in hooks_by_keys:
            if keys <= value.keys():
                return chosen(value, None)
        raise misfit(value, f"an object with {expected}")

    return hook


def _tags(key: str, records: dict[Any, Fields]) -> dict[tuple[type, Any], Any] | None:
    """The record for each value of a tag; `None` if this key is no tag."""
    tags: dict[tuple[type, Any], Any] = {}
    for record, fields in records.items():
        type_ = unwrapped(fields[key][0]) if key in fields else None
        values = literal_values(type_) if get_origin(type_) is Literal else {}
        if not values or not tags.keys().isdisjoint(values):
            return None
        tags.update(dict.fromkeys(values, record))
    return tags


def _choosing_by_tag(key: str, hooks: dict[tuple[type, Any], Hook], otherwise: Hook | None) -> Hook:
    expected = f"one of {', '.join(repr(tag) for _, tag in hooks)}"

    def hook(value: Any, _: Any) -> Any:
        tag = value.get(key, ...)
        try:
            chosen = hooks.get((tag.__class__, tag), otherwise)
        except TypeError:  # it has no hash
            chosen = otherwise
        if chosen is not None:
            return chosen(value, None)
        if tag is ...:
            raise MisfitError(f"the field is missing, expected {expected}", key)
        raise misfit(tag, expected, key)

    return hook
