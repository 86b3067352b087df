"""From a type to its hook: the function that makes a JSON value an instance of the type.

cattrs makes the hooks. But it was made for data that is roughly right: it turns ``"1"`` into an
int, ``"abc"`` into a list, and would take ``[]`` for a record of defaults. What comes over the
wire is what was declared or else a fault. So every type that cattrs meets gets a hook that checks:
one of ours, or one of its own that sees only values of the JSON type that it is made for.
"""

from __future__ import annotations

import enum
import functools
import typing
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from types import NoneType
from typing import Any, Literal, NotRequired, Required, TypedDict, TypeVar, get_args, get_origin

from cattrs import Converter, cols
from cattrs.errors import StructureHandlerNotFoundError
from cattrs.gen import make_dict_structure_fn, typeddicts

from ._misfit import MisfitError, first_fault, misfit
from ._scalars import SCALARS, Hook, enum_hook, literal_hook
from ._types import (
    Fields,
    RefusedTypeError,
    fields_of,
    is_record,
    is_typed_dict,
    is_union,
    name_of,
    unwrapped,
)
from ._unions import union_hook

__all__ = ["hook_of"]

# What JSON writes as an array, and what makes it of a list.
_ARRAYS: dict[Any, Callable[[list[Any]], Any]] = {
    **dict.fromkeys((list, Sequence, MutableSequence), list),
    **dict.fromkeys((frozenset, AbstractSet), frozenset),
    set: set,
    tuple: tuple,
}
_MAPPINGS = (dict, Mapping, MutableMapping)
_ANY_TUPLES = (tuple, typing.Tuple)  # noqa: UP006 - to be told from `tuple[()]`

# Type checkers know only half of their types.
_cols: Any = cols
_typeddicts: Any = typeddicts
_typed_dict: Any = TypedDict


def hook_of(type_: Any) -> Hook:
    """Find or make the hook of a type.

    Raises:
        TypeError: JSON cannot be read into this type, or into one inside it.
    """
    return _kept_hook(unwrapped(type_))


# To make the hook of a class takes as long as to read a few hundred events, so it is kept for the
# next stream. A converter would keep it for ever, and a class may be made inside a function.
@functools.lru_cache(maxsize=256)
def _kept_hook(type_: Any) -> Hook:
    return _Checking().get_structure_hook(type_)


class _Checking(Converter):
    """The making of one hook, and of all that it is made of: for each of these cattrs asks here."""

    def __init__(self) -> None:
        super().__init__()
        self._hooks: dict[Any, Hook] = {}

    def get_structure_hook(self, type: Any, cache_result: bool = True) -> Hook:  # noqa: A002, FBT001, FBT002
        """The hook of a type, made at most once."""
        type_ = unwrapped(type)
        if type_ not in self._hooks:
            # A type may contain itself: this stands for its hook while that is being made.
            self._hooks[type_] = lambda value, _: self._hooks[type_](value, None)
            try:
                self._hooks[type_] = self._make(type_)
            except RefusedTypeError:
                del self._hooks[type_]  # where the field has a converter, cattrs goes on without
                raise
        return self._hooks[type_]

    def _make(self, type_: Any) -> Hook:
        origin, arguments = get_origin(type_) or type_, get_args(type_)
        if origin in SCALARS:
            return SCALARS[origin]
        if origin is Literal:
            return literal_hook(type_)
        if isinstance(origin, type) and issubclass(origin, enum.Enum):
            return enum_hook(origin)
        if is_union(type_):
            return union_hook(type_, self.get_structure_hook)
        if is_record(type_):
            return self._make_record(type_)
        if origin is tuple and type_ not in _ANY_TUPLES and arguments[1:] != (...,):
            return self._make_tuple(arguments, name_of(type_))
        if origin in _ARRAYS:
            return self._make_array(_ARRAYS[origin], name_of(origin), *arguments[:1])
        if origin in _MAPPINGS:
            return self._make_mapping(*arguments)
        raise RefusedTypeError(_refusal(type_))

    def _make_record(self, record: Any) -> Hook:
        name, class_ = name_of(record), get_origin(record) or record
        fields = fields_of(record)
        structure: Hook
        try:
            if is_typed_dict(class_):
                structure = self._make_typed_dict(record, fields)
            else:
                # Without the cache of sources, which would keep them for ever.
                structure = make_dict_structure_fn(
                    record, self, _cattrs_use_linecache=False, _cattrs_use_alias=True
                )
        except StructureHandlerNotFoundError as error:
            raise RefusedTypeError(f"{name}: {error}") from error
        keys = {each.name: each.alias for each in getattr(class_, "__attrs_attrs__", ())}
        return _guarded(structure, dict, name, fields, keys)

    def _make_typed_dict(self, record: Any, fields: Fields) -> Hook:
        if get_origin(record) is None:  # else cattrs must see what the type variables stand for
            spelled_out: dict[str, Any] = {
                key: Required[type_] if required else NotRequired[type_]
                for key, (type_, required) in fields.items()
            }
            record = _typed_dict(record.__name__, spelled_out)
        hook: Hook = _typeddicts.make_dict_structure_fn(record, self, _cattrs_use_linecache=False)
        # It would keep the keys that it does not know.
        return lambda value, _: hook(
            {key: each for key, each in value.items() if key in fields}, None
        )

    def _make_array(self, make: Callable[[list[Any]], Any], name: str, element: Any = Any) -> Hook:
        array_of: Any = list
        structure: Hook = _cols.list_structure_factory(array_of[element], self)
        if make is list:
            return _guarded(structure, list, name)
        return _guarded(lambda value, _: make(structure(value, None)), list, name)

    def _make_tuple(self, types: Sequence[Any], name: str) -> Hook:
        hooks = [self.get_structure_hook(each) for each in types]

        def structure(value: Any, _: Any) -> tuple[Any, ...]:
            if len(value) != len(hooks):
                raise MisfitError(f"expected {name} with {len(hooks)} elements, got {len(value)}")
            elements: list[Any] = []
            try:
                for hook, element in zip(hooks, value, strict=True):
                    elements.append(hook(element, None))
            except MisfitError as error:
                error.steps.append(len(elements))
                raise
            return tuple(elements)

        return _guarded(structure, list, name)

    def _make_mapping(self, key: Any = Any, value: Any = Any) -> Hook:
        if unwrapped(key) in (int, float, bool, None, NoneType):
            raise RefusedTypeError(f"the keys of a JSON object are strings, not {name_of(key)}")
        mapping_of: Any = dict
        mapping = mapping_of[Any if unwrapped(key) is str else key, value]
        return _guarded(_cols.mapping_structure_factory(mapping, self), dict, "dict")


def _guarded(
    structure: Hook,
    class_: type[Any],
    name: str,
    fields: Fields | None = None,
    keys: Mapping[Any, str] | None = None,
) -> Hook:
    """Let a hook of cattrs see only what it is made for, and sum up what it raises.

    Args:
        structure: The hook.
        class_: That of the JSON values it is made for.
        name: What a message calls its type.
        fields: If that is a record, its fields.
        keys: The key of each field by its name, where there are two.
    """
    wanted = {key: name_of(type_) for key, (type_, required) in (fields or {}).items() if required}
    required_keys = frozenset(wanted)

    def hook(value: Any, _: Any) -> Any:
        if value.__class__ is not class_:
            raise misfit(value, name)
        if wanted and not required_keys <= value.keys():
            key = next(key for key in wanted if key not in value)
            raise MisfitError(f"the field is missing, expected {wanted[key]}", key)
        try:
            return structure(value, None)
        except MisfitError as error:
            if keys:  # cattrs goes by names
                error.steps[-1] = keys[error.steps[-1]]
            raise
        except Exception as error:  # noqa: BLE001 - whatever the class of a record may raise
            fault = first_fault(error, name)
        try:
            raise fault
        finally:
            del fault  # its traceback leads to this frame: a cycle

    return hook


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
    return f"{name} is no type that JSON can be read into: pass a function from bytes to it"
