"""What a beginning of a JSON text shows, by the rules read literally: slow, recursive, obvious.

Nothing here is shared with the parser. It reads a whole text at once, so fragments, batches and
shortcuts do not exist for it.
"""

from __future__ import annotations

import json
import re
from typing import Any

import attrs

NOTHING = object()
"""There is no value yet."""

_SPACE = " \t\n\r"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}")
_LOW = re.compile(r"\\u[dD][c-fC-F][0-9a-fA-F]{2}")


@attrs.frozen
class Seen:
    """What a text shows.

    Attributes:
        value: The value so far, or `NOTHING`.
        is_complete: Whether the document has closed.
        fault: Where the first character is that no JSON text could have there.
    """

    value: Any
    is_complete: bool = False
    fault: int | None = None


class Fault(Exception):  # noqa: N818 - never leaves the file
    """No JSON text goes on like this. The argument is where."""


class End(Exception):  # noqa: N818 - never leaves the file
    """The text is over, but the value is not. What is visible of it has been shown."""


def look(text: str) -> Seen:
    """Say what a text shows."""
    root: list[Any] = []
    is_complete = False
    try:
        end = skip(text, _value(text, skip(text, 0), root.append, root.append))
        is_complete = True
        if end < len(text):
            return Seen(root[-1], fault=end)
    except Fault as fault:
        return Seen(root[-1] if root else NOTHING, fault=fault.args[0])
    except End:
        pass
    return Seen(root[-1] if root else NOTHING, is_complete)


def skip(text: str, pos: int) -> int:
    """Where the first character is that is not white space."""
    while pos < len(text) and text[pos] in _SPACE:
        pos += 1
    return pos


def _at(text: str, pos: int, allowed: str) -> str:
    """The character, which must be one of those allowed."""
    if pos == len(text):
        raise End
    if text[pos] not in allowed:
        raise Fault(pos)
    return text[pos]


def _value(text: str, pos: int, show: Any, show_again: Any) -> int:
    """Read a value; ``show`` it when it appears, ``show_again`` a string that has grown."""
    first = _at(text, pos, '"{[-0123456789tfn')
    if first == '"':
        show("")
        return _string(text, pos + 1, show_again)
    if first == "[":
        array: list[Any] = []
        show(array)
        return _array(text, pos + 1, array)
    if first == "{":
        members: dict[str, Any] = {}
        show(members)
        return _object(text, pos + 1, members)
    if first in "tfn":
        word = {"t": "true", "f": "false", "n": "null"}[first]
        for number, letter in enumerate(word):
            _at(text, pos + number, letter)
        show(json.loads(word))
        return pos + len(word)
    return _number(text, pos, show)


def _number(text: str, pos: int, show: Any) -> int:
    end = pos
    # What can become a number is one already, or is one with another digit.
    while any(_NUMBER.fullmatch(text[pos : end + 1] + digit) for digit in ("", "0")):
        if end == len(text):
            raise End
        end += 1
    if not _NUMBER.fullmatch(text[pos:end]):
        raise Fault(end)
    show(json.loads(text[pos:end]))
    return end


def _string(text: str, pos: int, show: Any) -> int:
    content = ""
    while True:
        show(content)
        if pos == len(text):
            raise End
        if text[pos] == '"':
            return pos + 1
        size = 1
        if text[pos] == "\\":
            size = _escape(text, pos)
        elif text[pos] < " ":
            raise Fault(pos)
        content += json.loads(f'"{text[pos : pos + size]}"')
        pos += size


def _escape(text: str, pos: int) -> int:
    """How long the escape is."""
    if _at(text, pos + 1, '"\\/bfnrtu') != "u":
        return 2
    for number in range(4):
        _at(text, pos + 2 + number, "0123456789abcdefABCDEF")
    if _HIGH.match(text, pos):
        after = text[pos + 6 : pos + 12]
        if _LOW.fullmatch(after):
            return 12
        if pos + 6 + len(after) == len(text) and _LOW.fullmatch(after + r"\udc00"[len(after) :]):
            raise End  # it may become one
    return 6


def _array(text: str, pos: int, array: list[Any]) -> int:
    def replace(value: Any) -> None:
        array[-1] = value

    pos = skip(text, pos)
    if text[pos : pos + 1] == "]":
        return pos + 1
    while True:
        pos = skip(text, _value(text, skip(text, pos), array.append, replace))
        if _at(text, pos, ",]") == "]":
            return pos + 1
        pos += 1


def _object(text: str, pos: int, members: dict[str, Any]) -> int:
    pos = skip(text, pos)
    if text[pos : pos + 1] == "}":
        return pos + 1
    while True:
        pos = skip(text, pos)
        _at(text, pos, '"')
        keys: list[str] = []
        pos = skip(text, _string(text, pos + 1, keys.append))
        _at(text, pos, ":")

        def show(value: Any, key: str = keys[-1]) -> None:
            members[key] = value

        pos = skip(text, _value(text, skip(text, pos + 1), show, show))
        if _at(text, pos, ",}") == "}":
            return pos + 1
        pos += 1


def is_truncation(part: Any, whole: Any) -> bool:
    """Whether the one may become the other by growing at its end, and only there."""
    if part is NOTHING:
        return True
    if type(part) is not type(whole):
        return False
    if isinstance(part, str):
        return bool(whole.startswith(part))
    if isinstance(part, list):
        if not part:
            return True
        count = len(part)
        closed = repr(part[:-1]) == repr(whole[: count - 1])
        return closed and count <= len(whole) and is_truncation(part[-1], whole[count - 1])
    if isinstance(part, dict):
        return list(part) == list(whole)[: len(part)] and is_truncation(
            list(part.values()), [*whole.values()][: len(part)]
        )
    return repr(part) == repr(whole)
