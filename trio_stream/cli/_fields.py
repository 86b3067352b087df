"""JSON data, and the path of a field in it: ``choices[0].delta.content``."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeAlias

__all__ = ["FieldPath", "json_line", "look_up", "parse_json", "parse_path", "to_json"]

FieldPath: TypeAlias = tuple[str | int, ...]
"""Names of members and places in arrays, from the outside in."""

_CONTAINERS: dict[type, type] = {str: dict, int: list}
_FIRST = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]")
_NEXT = re.compile(r"\.([^.\[\]]+)|\[(-?\d+)\]")


def parse_path(text: str) -> FieldPath:
    """Parse a path such as ``a.b[0].c``; a dot in front does no harm.

    Raises:
        ValueError: It is not one.
    """
    path: list[str | int] = []
    step, position = _FIRST, 0
    while position < len(text) or not path:
        match = step.match(text, position)
        if match is None:
            raise ValueError(f"{text!r} is no path of a field, such as choices[0].delta.content")
        name, place = match.groups()
        path.append(name if place is None else int(place))
        step, position = _NEXT, match.end()
    return tuple(path)


def look_up(value: Any, path: FieldPath) -> Any:
    """Find the field of a JSON value.

    Raises:
        LookupError: It has no such field.
    """
    for step in path:
        container: Any = value if isinstance(value, _CONTAINERS[type(step)]) else {}
        value = container[step]
    return value


def parse_json(text: str) -> Any:
    """Parse JSON, strictly: no ``NaN``, and no number that a float cannot hold.

    Raises:
        ValueError: It is not JSON, or too deep to be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def to_json(value: Any) -> str:
    """Write a value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_line(text: str) -> str:
    """Data as JSON on one line: itself, to the letter, if it is JSON, else as a JSON string."""
    try:
        parse_json(text)
    except ValueError:
        return to_json(text)
    # In JSON a line break stands between tokens only: inside strings it is escaped.
    return text.replace("\r", " ").replace("\n", " ").strip()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return number
