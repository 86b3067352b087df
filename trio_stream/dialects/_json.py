"""The JSON border: decoding, and taking typed fields out of what was decoded.

Everything that a provider sends is `Any` here and typed after. A value that does not fit raises
`Misfit`, which knows where but not in which frame; the decoder, which knows the frame, turns it
into a `BadItemError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

try:
    import msgspec
except ImportError:  # everything works without it, only slower
    _decode_fast: Callable[[str | bytes], Any] | None = None
else:
    _decode_fast = msgspec.json.Decoder().decode

__all__ = [
    "Json",
    "JsonObject",
    "Misfit",
    "check_strict_json",
    "empty_object",
    "get_int",
    "get_object",
    "get_objects",
    "get_optional_int",
    "get_optional_list",
    "get_optional_object",
    "get_optional_string",
    "get_string",
    "kind_of",
    "parse_json",
    "parse_strict_json",
]

Json: TypeAlias = Any
"""A JSON value: `dict`, `list`, `str`, `int`, `float`, `bool` or `None`."""

JsonObject: TypeAlias = dict[str, Any]
"""A JSON object."""


class Misfit(Exception):  # noqa: N818 - never leaves the room
    """A payload does not have the shape that its event promises.

    Attributes:
        path: Where, as in ``$.delta.text``.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder()
_strict_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_decode_prefix = _decoder.raw_decode


# What msgspec accepts, it decodes to what `json.loads` makes of it: tests/dialects/test_json.py
# looks for differences. (It has no Python frames of its own, so the stack lasts for two levels
# more.) But it refuses more: ``NaN``, numbers out of the range of a double, halves of surrogate
# pairs. So what it refuses is read once more, by the standard library, which has the last word.


def parse_json(text: str) -> Json:
    """Decode a frame's data, which may hold ``NaN`` and its like, as `json.loads` has it.

    Raises:
        ValueError: It is not JSON, or nested too deeply to be read.
    """
    if _decode_fast is not None:
        try:
            return _decode_fast(text)
        except (ValueError, RecursionError):
            pass
    # `decode` is `raw_decode` between two searches for white space, and those cost as much again.
    # Hardly anybody sends white space around an object.
    try:
        try:
            value, end = _decode_prefix(text)
        except ValueError:
            value, end = None, -1
        return value if end == len(text) else _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def parse_strict_json(text: str) -> Json:
    """Decode the finished arguments of a tool call, which RFC 8259 must allow: no ``NaN``.

    Raises:
        ValueError: It is not JSON, or nested too deeply to be read.
    """
    if _decode_fast is not None:
        try:
            # The bytes are thrown away. Given the text, msgspec would leave a copy of them in it
            # if it is not ASCII, for as long as the call that the text belongs to is kept.
            return _decode_fast(text.encode())
        except (ValueError, RecursionError):
            pass
    try:
        return _strict_decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def check_strict_json(value: Json) -> None:
    """Make sure that RFC 8259 allows a value that `parse_json` made: no ``NaN`` anywhere in it.

    Raises:
        ValueError: It does not, or it is nested too deeply to be looked at.
    """
    try:
        json.dumps(value, allow_nan=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def kind_of(value: Json) -> str:
    """Name the JSON type of a value, for messages."""
    return _KINDS[type(value)]


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null or nothing",
}


# `type(x) is T`, not `isinstance`: JSON decodes to exact types, and `True` is no number.
# Containers are annotated as what the check makes sure of, for want of a cast that costs nothing.


def empty_object() -> JsonObject:
    """Return `{}`, with its type."""
    return {}


def get_string(source: JsonObject, key: str, path: str) -> str:
    """Take a string that must be there."""
    value = source.get(key)
    if type(value) is str:
        return value
    raise _misfit("a string", value, key, path)


def get_int(source: JsonObject, key: str, path: str) -> int:
    """Take an integer that must be there."""
    value = source.get(key)
    if type(value) is int:
        return value
    raise _misfit("an integer", value, key, path)


def get_object(source: JsonObject, key: str, path: str) -> JsonObject:
    """Take an object that must be there."""
    value: JsonObject | None = source.get(key)
    if type(value) is dict:
        return value
    raise _misfit("an object", value, key, path)


# Absent and null are both `None`. Zero and the empty string are values.


def get_optional_string(source: JsonObject, key: str, path: str) -> str | None:
    """Take a string, if there is one."""
    value: str | None = source.get(key)
    if value is None or type(value) is str:
        return value
    raise _misfit("a string", value, key, path)


def get_optional_int(source: JsonObject, key: str, path: str) -> int | None:
    """Take an integer, if there is one."""
    value: int | None = source.get(key)
    if value is None or type(value) is int:
        return value
    raise _misfit("an integer", value, key, path)


def get_optional_object(source: JsonObject, key: str, path: str) -> JsonObject | None:
    """Take an object, if there is one."""
    value: JsonObject | None = source.get(key)
    if value is None or type(value) is dict:
        return value
    raise _misfit("an object", value, key, path)


def get_optional_list(source: JsonObject, key: str, path: str) -> list[Json] | None:
    """Take an array, if there is one."""
    value: list[Json] | None = source.get(key)
    if value is None or type(value) is list:
        return value
    raise _misfit("an array", value, key, path)


def get_objects(source: JsonObject, key: str, path: str) -> list[tuple[JsonObject, str]]:
    """Take the objects of an array, if there is one, each with its path."""
    objects: list[tuple[JsonObject, str]] = []
    value: JsonObject
    for index, value in enumerate(get_optional_list(source, key, path) or ()):
        where = f"{path}.{key}[{index}]"
        if type(value) is not dict:
            raise Misfit(where, f"expected an object, got {kind_of(value)}")
        objects.append((value, where))
    return objects


def _misfit(wanted: str, value: Json, key: str, path: str) -> Misfit:
    return Misfit(f"{path}.{key}", f"expected {wanted}, got {kind_of(value)}")
