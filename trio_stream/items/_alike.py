"""Which types msgspec reads as our hooks do.

A type is read alike if whatever JSON text msgspec accepts for it, the hook accepts too, with an
equal value. (What msgspec refuses may well be accepted by the hook, which is asked then.) This is a
list of what is known to be so, and not of what is known to differ: any doubt is a no. What is not
on it, and why:

* datetimes and times (a seventh digit of a second is rounded there and cut off here), decimals (of
  numbers), sets, flags, enums with ``_missing_``, type variables, aliases of types: rare, or known
  to differ;
* a union of which two members may be written as the same kind of JSON value;
* a record with a name that is not ASCII: such keys are not found;
* a type that contains itself: hooks come to the end of the stack at a third of the depth;
* a class that does more than to keep its arguments. msgspec calls neither ``__init__`` nor
  ``__new__``: it would know of no converter, ``on_setattr``, ``init=False``, alias or cached hash,
  and an exception would be made without the memory that belongs to it, and crash the process;
* a class with an attribute under the name of a field, as a dataclass has that is made without slots
  and gives the field a default value: msgspec finds that and leaves the field unset, so that
  ``vars`` does not show it, or the field is not missed at all.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from datetime import date
from types import FunctionType, MemberDescriptorType, NoneType
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeAlias,
    get_args,
    get_origin,
    get_type_hints,
)
from uuid import UUID

import attrs

from ._types import fields_of, is_record, is_typed_dict, is_union

__all__ = ["reads_alike"]

_Kinds: TypeAlias = frozenset[type]
"""Kinds of JSON values, by the classes that they have in Python."""

_NONE: _Kinds = frozenset()
_ARRAY: _Kinds = frozenset({list})
_OBJECT: _Kinds = frozenset({dict})
_SCALARS: dict[Any, _Kinds] = {
    **{class_: frozenset({class_}) for class_ in (str, int, float, bool, NoneType)},
    None: frozenset({NoneType}),
    date: frozenset({str}),
    UUID: frozenset({str}),
    Any: frozenset({str, int, float, bool, NoneType, list, dict}),
}
_ARRAYS = (list, Sequence, MutableSequence)
_MAPPINGS = (dict, Mapping, MutableMapping)

# Where msgspec refuses a payload in the end, a factory is called a second time, by the hook.
_PURE_FACTORIES = (list, dict, set, frozenset, tuple, str, int, float, bool)

_PLAIN_METHODS: tuple[Any, ...] = (
    object.__new__,
    object.__getattribute__,
    object.__setattr__,
    attrs.make_class("Frozen", [], frozen=True).__setattr__,  # all classes have the same one
)
_MISSING = inspect.getattr_static(enum.Enum, "_missing_")
_SPECIAL = (
    "__attrs_pre_init__",
    "__attrs_post_init__",
    "__post_init__",
    "__del__",  # msgspec would let it see an instance that lacks fields
)


def reads_alike(type_: Any) -> bool:
    """Whether what msgspec accepts for a type is accepted by its hook, and as the same value."""
    return bool(_Comparison().kinds(type_))


class _Comparison:
    """The comparison of one type, and of all that it is made of."""

    def __init__(self) -> None:
        self._records: dict[Any, _Kinds] = {}

    def kinds(self, type_: Any) -> _Kinds:
        """The kinds of JSON values that a type is written as; none if it is not read alike."""
        while isinstance(type_, NewType) or get_origin(type_) is Annotated:
            type_ = type_.__supertype__ if isinstance(type_, NewType) else get_args(type_)[0]
        origin, arguments = get_origin(type_) or type_, get_args(type_)
        if is_union(type_):
            return self._kinds_of_union(arguments)
        if origin is Literal:
            return _kinds_of_values(arguments)
        if origin in _SCALARS:
            return _SCALARS[origin]
        if origin in _ARRAYS:
            return _ARRAY if self._are_alike(arguments) else _NONE
        if origin is tuple:
            elements = arguments[:1] if arguments[1:] == (...,) else arguments
            whole = type_ is tuple or bool(elements)  # else it may be any tuple or the empty one
            return _ARRAY if whole and self._are_alike(elements) else _NONE
        if origin in _MAPPINGS:
            keys_alike = arguments[:1] in ((), (str,))
            return _OBJECT if keys_alike and self._are_alike(arguments[1:]) else _NONE
        if type(origin) is enum.EnumMeta:
            return _kinds_of_enum(origin)
        return self._kinds_of_record(type_)

    def _are_alike(self, types: Sequence[Any]) -> bool:
        return all(map(self.kinds, types))

    def _kinds_of_union(self, members: Sequence[Any]) -> _Kinds:
        kinds = [self.kinds(each) for each in members]
        together = _NONE.union(*kinds)
        return together if all(kinds) and len(together) == sum(map(len, kinds)) else _NONE

    def _kinds_of_record(self, class_: Any) -> _Kinds:
        if not is_record(class_) or get_origin(class_) is not None:
            return _NONE
        if class_ not in self._records:
            self._records[class_] = _NONE  # which is what it keeps if it contains itself
            hints = get_type_hints(class_, include_extras=True)
            if not "".join(hints).isascii():
                alike = False
            elif is_typed_dict(class_):
                alike = self._are_alike([_without_total(each) for each in hints.values()])
            else:
                alike = self._is_class_alike(class_, hints)
            self._records[class_] = _OBJECT if alike else _NONE
        return self._records[class_]

    def _is_class_alike(self, class_: Any, hints: Mapping[str, Any]) -> bool:
        fields_of(class_)  # replaces annotations that are strings
        of_attrs: bool = attrs.has(class_)
        fields: Any = attrs.fields(class_) if of_attrs else dataclasses.fields(class_)
        return (
            not (of_attrs and dataclasses.is_dataclass(class_))
            and _is_made_plainly(class_)
            # An attrs field may have no annotation.
            and all(each.name in hints and self.kinds(hints[each.name]) for each in fields)
            and all(map(self._is_set_plainly, fields))
            and _keeps_its_arguments(class_, [each.name for each in fields])
        )

    def _is_set_plainly(self, field: Any) -> bool:
        if any(getattr(field, each, None) is not None for each in ("converter", "validator")):
            return False
        # A `Factory` is how attrs writes down what dataclasses keep in an attribute of its own.
        of_data = getattr(field, "default_factory", dataclasses.MISSING)
        factory = getattr(field.default, "factory", of_data)
        if factory is dataclasses.MISSING or (get_origin(factory) or factory) in _PURE_FACTORIES:
            return True
        return bool(self._kinds_of_record(factory))


def _without_total(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) in (NotRequired, Required) else hint


def _kinds_of_values(values: Sequence[Any]) -> _Kinds:
    """As of the values of a `Literal`, or of the members of an enum."""
    classes = frozenset(each.__class__ for each in values)
    if not classes <= {str, int, NoneType}:
        return _NONE
    return classes | {float} if int in classes else classes  # in a union, no float goes with it


def _kinds_of_enum(type_: Any) -> _Kinds:
    if inspect.getattr_static(type_, "_missing_") is not _MISSING:  # flags have one, too
        return _NONE
    return _kinds_of_values([each.value for each in type_.__members__.values()])


def _is_made_plainly(class_: Any) -> bool:
    """Whether an instance is made by nothing but the ``__init__`` that was generated for it."""
    return (
        type(class_) is type
        and class_.__new__ in _PLAIN_METHODS
        and class_.__getattribute__ in _PLAIN_METHODS
        and (class_.__setattr__ in _PLAIN_METHODS or _is_generated(class_.__setattr__))
        and _is_generated(vars(class_).get("__init__"))
        and not any(hasattr(class_, each) for each in _SPECIAL)
    )


def _is_generated(function: object) -> bool:
    """Whether attrs or dataclasses have made it. Should they change how, it is taken for no."""
    if not isinstance(function, FunctionType):
        return False
    code = function.__code__
    by_attrs = code.co_filename.startswith("<attrs generated ")
    return by_attrs or code.co_qualname.startswith("__create_fn__.<locals>.")


def _keeps_its_arguments(class_: Any, names: Sequence[str]) -> bool:
    """Whether just its arguments are in an instance, and nothing in the class under their names."""
    arguments = {name: object() for name in names}  # equal only to themselves
    try:
        instance = class_(**arguments)
    except TypeError:  # an alias, `init=False` or an `InitVar`
        return False
    state = dict(getattr(instance, "__dict__", {}))
    ancestors: tuple[type, ...] = class_.__mro__
    for name, attribute in (each for ancestor in ancestors for each in vars(ancestor).items()):
        if isinstance(attribute, MemberDescriptorType):  # a slot
            if hasattr(instance, name):
                state[name] = getattr(instance, name)
        elif name in arguments:
            return False
    return state == arguments
