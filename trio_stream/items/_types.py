"""Reading type expressions: what is inside the wrapping, and what type variables stand for."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin

__all__ = [
    "bare",
    "bindings_of",
    "is_alias",
    "is_mapping",
    "is_named_tuple",
    "is_union",
    "name_of",
    "qualifiers_of",
    "substitute",
]

# By name, since those of `typing_extensions` are other objects on an older Python.
_QUALIFIERS = frozenset({"Final", "NotRequired", "ReadOnly", "Required"})
_MAPPINGS = frozenset({dict, Mapping, MutableMapping})


def name_of(type_: Any) -> str:
    """How a message names a type: as it is written, without its modules."""
    if type_ is None or type_ is NoneType:
        return "None"
    if is_union(type_):
        return " | ".join(map(name_of, get_args(type_)))
    arguments = get_args(type_)
    if get_origin(type_) is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if type_ is ...:
        return "..."
    plain = getattr(get_origin(type_) or type_, "__name__", str(type_))
    return f"{plain}[{', '.join(map(name_of, arguments))}]" if arguments else plain


def is_union(type_: Any) -> bool:
    """Whether it is a union, written either way."""
    return get_origin(type_) in (Union, UnionType)


def is_mapping(type_: Any) -> bool:
    """Whether it is a ``dict`` or an abstract mapping, with or without arguments."""
    return (get_origin(type_) or type_) in _MAPPINGS


def is_named_tuple(class_: Any) -> bool:
    """Whether it is a `NamedTuple`, of `typing` or of `collections`."""
    return isinstance(class_, type) and hasattr(class_, "_fields") and issubclass(class_, tuple)


def is_alias(type_: Any) -> bool:
    """Whether it was made by a ``type`` statement, with or without arguments."""
    return type(get_origin(type_) or type_).__name__ == "TypeAliasType"


def bare(type_: Any) -> Any:
    """Take off what does not change the JSON value: `Annotated`, `NewType`, `Final`, aliases."""
    while True:
        if _is_wrapped(type_):
            type_ = get_args(type_)[0]
        elif isinstance(type_, NewType):
            type_ = type_.__supertype__
        elif is_alias(type_):
            alias = get_origin(type_) or type_
            bindings = dict(zip(alias.__type_params__, get_args(type_), strict=False))
            type_ = substitute(alias.__value__, bindings)
        else:
            return type_


def qualifiers_of(type_: Any) -> set[str]:
    """The names of the qualifiers around a type, such as ``NotRequired``."""
    found: set[str] = set()
    while _is_wrapped(type_):
        found.add(_origin_name(type_))
        type_ = get_args(type_)[0]
    return found


def _is_wrapped(type_: Any) -> bool:
    return get_origin(type_) is Annotated or _origin_name(type_) in _QUALIFIERS


def _origin_name(type_: Any) -> str:
    return str(get_origin(type_)).rpartition(".")[2]


def bindings_of(type_: Any) -> dict[Any, Any]:
    """What the type variables of a generic class and of its bases stand for.

    ``Page[Pet]`` binds those of ``Page``, and ``class Pets(Page[Pet])`` does so too.
    """
    origin = get_origin(type_)
    bindings: dict[Any, Any] = {}
    if origin is not None:
        bindings.update(zip(getattr(origin, "__parameters__", ()), get_args(type_), strict=False))
    for base in getattr(origin or type_, "__orig_bases__", ()):
        for variable, bound in bindings_of(base).items():
            bindings.setdefault(variable, substitute(bound, bindings))
    return bindings


def substitute(type_: Any, bindings: Mapping[Any, Any]) -> Any:
    """Put what type variables stand for in their place; leave those that stand for nothing."""
    if isinstance(type_, TypeVar):
        return bindings.get(type_, type_)
    variables = getattr(type_, "__parameters__", ())
    if not bindings or not variables or get_origin(type_) is None:
        return type_
    return type_[tuple(bindings.get(each, each) for each in variables)]
