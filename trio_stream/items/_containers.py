"""Hooks for arrays, and for objects whose values are all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._misfit import MisfitError, misfit
from ._scalars import Hook, exactly, is_primitive, untouched

__all__ = ["list_hook", "list_made_into", "mapping_hook", "tuple_hook"]


def list_hook(element_type: Any, element_hook: Hook) -> Hook:
    """Make the hook of a ``list``."""
    if element_hook is untouched:
        return exactly(list)
    # A list of primitives, such as an embedding, is checked in C and kept as it came.
    pure = frozenset([element_type]) if is_primitive(element_type) else None

    def hook(value: Any) -> list[Any]:
        if value.__class__ is not list:
            raise misfit(value, "list")
        if pure and pure.issuperset(map(type, value)):
            return value
        elements: list[Any] = []
        append = elements.append
        try:
            for element in value:
                append(element_hook(element))
        except MisfitError as error:
            error.steps.append(len(elements))
            raise
        return elements

    return hook


def list_made_into(make: Callable[[list[Any]], Any], name: str, hook_of_list: Hook) -> Hook:
    """Make the hook of another collection that JSON writes as an array."""

    def hook(value: Any) -> Any:
        elements = hook_of_list(value)
        try:
            return make(elements)
        except TypeError as error:  # a set of what cannot be hashed
            raise MisfitError(f"expected {name}: {error}") from error

    return hook


def tuple_hook(make: Callable[..., Any], name: str, hooks: Sequence[Hook], least: int) -> Hook:
    """Make the hook of a tuple whose elements have a type each.

    Args:
        make: Called with the elements.
        name: What a message calls it.
        hooks: The hook of each element.
        least: How many elements there must be; the others have defaults.
    """

    def hook(value: Any) -> Any:
        if value.__class__ is not list:
            raise misfit(value, name)
        if not least <= len(value) <= len(hooks):
            wanted = len(hooks) if least == len(hooks) else f"{least} to {len(hooks)}"
            raise MisfitError(f"expected {name} with {wanted} elements, got {len(value)}")
        elements: list[Any] = []
        append = elements.append
        try:
            # A tuple with defaults may be shorter than its hooks.
            for element_hook, element in zip(hooks, value, strict=False):
                append(element_hook(element))
        except MisfitError as error:
            error.steps.append(len(elements))
            raise
        return make(*elements)

    return hook


def mapping_hook(key_hook: Hook, value_hook: Hook) -> Hook:
    """Make the hook of a ``dict``."""
    if key_hook is untouched and value_hook is untouched:
        return exactly(dict)

    def hook(value: Any) -> dict[Any, Any]:
        if value.__class__ is not dict:
            raise misfit(value, "dict")
        entries: dict[Any, Any] = {}
        key = ""
        try:
            for key, entry in value.items():
                entries[key_hook(key)] = value_hook(entry)
        except MisfitError as error:
            error.steps.append(key)
            raise
        return entries

    return hook
