"""From a type to its hook: the function that makes a JSON value an instance of the type.

The world is closed: a type that is not known here is refused when the stream is opened, and what
is known is checked to the last leaf. Nothing is looked up while events arrive.
"""

from __future__ import annotations

import collections.abc
import enum
from collections.abc import Callable
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from ._containers import list_hook, list_made_into, mapping_hook, tuple_hook
from ._fields import fields_of, is_record
from ._records import record_hook
from ._scalars import SCALARS, Hook, enum_hook, literal_hook, untouched
from ._types import (
    bare,
    bindings_of,
    is_alias,
    is_mapping,
    is_named_tuple,
    is_union,
    name_of,
    substitute,
)
from ._unions import union_hook

__all__ = ["hook_of"]

_LISTS = {list, collections.abc.Sequence, collections.abc.MutableSequence}
_SETS: dict[Any, Callable[[list[Any]], Any]] = {
    set: set,
    frozenset: frozenset,
    collections.abc.Set: frozenset,
    collections.abc.MutableSet: set,
}

# To make the hook of a class takes as long as to read a few hundred events, so it is kept for the
# next stream: but not without bound, since a class may be made inside a function.
_kept: dict[type, Hook] = {}
_MAX_KEPT = 1024


def hook_of(type_: Any) -> Hook:
    """Make the hook of a type.

    Raises:
        TypeError: JSON cannot be read into this type, or into one inside it.
    """
    making = _Making()
    hook = making.hook_of(type_)
    if len(_kept) + len(making.begun) > _MAX_KEPT:
        _kept.clear()
    _kept.update((known, late.hook) for known, late in making.begun if isinstance(known, type))
    return hook


class _Late:
    """Stands for the hook of a type that contains itself, while that hook is being made."""

    __slots__ = ("hook",)

    def __init__(self) -> None:
        self.hook: Hook = self

    def __call__(self, value: Any) -> Any:
        return self.hook(value)


class _Making:
    """The making of one hook, and of all that it is made of."""

    def __init__(self) -> None:
        # Compared, not hashed: ``Annotated[int, []]`` has no hash.
        self.begun: list[tuple[Any, _Late]] = []

    def hook_of(self, type_: Any) -> Hook:
        if not is_alias(type_):
            type_ = bare(type_)
            if not is_record(type_):
                return self._make(type_)
        # What follows has a name, and so it can contain itself.
        if isinstance(type_, type) and type_ in _kept:
            return _kept[type_]
        for known, late in self.begun:
            if known == type_:
                return late.hook
        late = _Late()
        self.begun.append((type_, late))
        late.hook = self._make(bare(type_))
        return late.hook

    def _make(self, type_: Any) -> Hook:
        origin = get_origin(type_) or type_
        arguments = get_args(type_)
        if origin is Literal:
            return literal_hook(type_)
        if is_union(type_):
            return union_hook(type_, self.hook_of)
        if is_record(type_):
            return self._make_record(type_)
        if origin in SCALARS:
            return SCALARS[origin]
        if origin in _LISTS:
            return self._make_list(arguments)
        if origin in _SETS:
            return list_made_into(_SETS[origin], name_of(type_), self._make_list(arguments))
        if is_mapping(type_):
            key, value = arguments or (Any, Any)
            return mapping_hook(self._hook_of_key(key), self.hook_of(value))
        if origin is tuple:
            return self._make_tuple(type_, arguments)
        if isinstance(origin, type) and issubclass(origin, enum.Enum):
            return enum_hook(origin)
        if is_named_tuple(origin):
            return self._make_named_tuple(type_, origin)
        raise TypeError(_refusal(type_))

    def _make_record(self, record: Any) -> Hook:
        fields = fields_of(record)
        hooks: list[Hook] = []
        for field in fields:
            try:
                hooks.append(self.hook_of(field.type))
            except TypeError as error:
                raise TypeError(f"{name_of(record)}.{field.name}: {error}") from error
        return record_hook(record, fields, hooks)

    def _make_list(self, arguments: tuple[Any, ...]) -> Hook:
        element = arguments[0] if arguments else Any
        return list_hook(bare(element), self.hook_of(element))

    def _make_tuple(self, type_: Any, arguments: tuple[Any, ...]) -> Hook:
        if type_ is tuple:
            return list_made_into(tuple, "tuple", self._make_list(()))
        if len(arguments) == 2 and arguments[1] is ...:
            return list_made_into(tuple, name_of(type_), self._make_list(arguments))
        hooks = [self.hook_of(each) for each in arguments]
        return tuple_hook(lambda *elements: elements, name_of(type_), hooks, least=len(hooks))

    def _make_named_tuple(self, type_: Any, class_: Any) -> Hook:
        hints = get_type_hints(class_)
        bindings = bindings_of(type_)
        types = [substitute(hints.get(name, Any), bindings) for name in class_._fields]
        hooks = [self.hook_of(each) for each in types]
        least = len(hooks) - len(class_._field_defaults)
        return tuple_hook(class_, name_of(type_), hooks, least)

    def _hook_of_key(self, key: Any) -> Hook:
        key = bare(key)
        if key in (str, Any, object):
            return untouched  # JSON has no other
        if key in (int, float, bool, None, NoneType):
            raise TypeError(f"the keys of a JSON object are strings, not {name_of(key)}")
        return self.hook_of(key)


def _refusal(type_: Any) -> str:
    name = name_of(type_)
    if isinstance(type_, TypeVar):
        return f"nothing says what the type variable {name} stands for"
    if hasattr(type_, "model_validate_json"):
        return f"{name} is a pydantic model: pass item={name}.model_validate_json"
    if hasattr(type_, "__struct_fields__"):
        return f"{name} is a msgspec Struct: pass item=msgspec.json.Decoder({name}).decode"
    if type_ in (bytes, bytearray):
        return f"JSON has no {name}: take a str and decode it"
    return (
        f"{name} is no type that JSON can be read into: attrs classes, dataclasses, TypedDicts, "
        "NamedTuples, enums, Literal, unions, list, tuple, set, dict, str, int, float, bool, None, "
        "datetime, date, time, UUID, Decimal and Any are; or pass a function from bytes to an item"
    )
