"""From ``item``, as the user passed it, to the function that reads a payload."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from types import UnionType
from typing import Any, NoReturn, TypeAlias, TypeVar, get_origin

from ._converter import hook_of
from ._misfit import MisfitError, first_fault
from ._native import SURELY_NO_HUGE_INT, Decode, decode_of, may_hold_huge_int
from ._scalars import Hook
from ._types import unwrapped

__all__ = ["Read", "json_reader", "reader_of"]

Read: TypeAlias = Callable[[Any], Any]
"""From a frame to an item. Raises `MisfitError`, or any other `Exception`."""


def reader_of(item: Any) -> Read:
    """Make the reader of one item type, or of one function.

    A class, or any other type expression, is a type and JSON is read into it. Whatever else can
    be called takes the payload as bytes.

    Raises:
        TypeError: It is neither, or JSON cannot be read into it.
    """
    if _is_type(item):
        read, decode = json_reader(hook_of(item)), decode_of(item)
        return read if decode is None else _native_reader(decode, read)
    if not callable(item):
        raise TypeError(f"item must be a type or a function from bytes to an item, got {item!r}")
    if inspect.iscoroutinefunction(item):
        raise TypeError(f"item must be a type or a plain function; {_name(item)} is async")
    return _foreign_reader(item)


def _is_type(item: Any) -> bool:
    return (
        isinstance(item, type | UnionType | TypeVar)
        or get_origin(item) is not None
        or unwrapped(item) is not item
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)


def json_reader(hook: Hook) -> Read:
    """Make the reader of a type that has this hook."""
    # `json.loads` looks for white space with two regular expressions; a payload rarely has any.
    raw_decode = _JSON.raw_decode

    def read(frame: Any) -> Any:
        text = frame.data
        try:
            value, end = raw_decode(text)
        except ValueError:
            value = _load(text)
        else:
            if end != len(text):
                value = _load(text)
        return hook(value, None)

    return read


def _native_reader(decode: Decode, judge: Read) -> Read:
    def read(frame: Any) -> Any:
        text = frame.data
        # Not bytes: `decode` would take them, too.
        if text.__class__ is str and (
            len(text) <= SURELY_NO_HUGE_INT or not may_hold_huge_int(text)
        ):
            try:
                return decode(text)
            except Exception:  # noqa: BLE001 - whatever it has against it
                pass
        return judge(frame)

    return read


def _load(text: str) -> Any:
    """Read JSON that has white space around it, or is not JSON."""
    try:
        return _JSON.decode(text)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise MisfitError(f"not JSON: {what} at character {error.pos}") from error
    except ValueError as error:  # NaN; an int of so many digits that CPython refuses it
        raise MisfitError(f"not JSON that can be read: {error}") from error


def _foreign_reader(function: Callable[[bytes], Any]) -> Read:
    def read(frame: Any) -> Any:
        payload = frame.data.encode()
        try:
            return function(payload)
        except MisfitError:
            raise  # knows its place
        except Exception as error:
            raise first_fault(error, _name(function)) from error

    return read


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__name__)
