"""JSON that comes leaf by leaf, each with its path, written as the text that it amounts to.

Theory of operation
-------------------

Vertex streams the arguments of a function call so::

    $.stops[0].city  "Os", to be continued    {"stops":[{"city":"Os
    $.stops[0].city  "lo"                     lo"
    $.stops[0].days  2                        ,"days":2
    $.stops[1].city  "Bergen"                 },{"city":"Bergen"
    the end of the call                       }]}

The leaves come in the order of a document, so each can be written as soon as it comes: what its
path shares with the one before stays open, the rest of that is closed, the rest of its own is
opened. A leaf that does not fit into this order would have to change what was written before, and
is refused: a path that comes again, an index left out, a leaf inside a leaf, or a leaf that comes
while a string has not ended.
"""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

from ._json import Json, JsonObject, Misfit, get_optional_string, get_string, kind_of

__all__ = ["PathWriter"]

_Path: TypeAlias = list[str | int]

_SEGMENT: Final = re.compile(
    r"""\.([^.\[]+) | \[([0-9]{1,9})\] | \['((?:[^'\\]|\\.)*)'\] | \["((?:[^"\\]|\\.)*)"\]""",
    re.VERBOSE | re.DOTALL,
)


class PathWriter:
    """Write leaves as JSON text: see "Theory of operation".

    Source: the API reference of Vertex AI, "PartialArg"; RFC 9535 for the paths.
    """

    __slots__ = ("_open", "_path", "_spelled", "_string")

    def __init__(self) -> None:
        # The path of the last leaf, and as it was spelled.
        self._spelled: str | None = None
        self._path: _Path = []
        # The keys that each open object has, or how many items each open array has; outermost
        # first. All but the last are open at the place that the path names.
        self._open: list[set[str] | int] = []
        # Whether the last leaf is a string that goes on.
        self._string = False

    def write(self, leaf: JsonObject, where: str) -> str:
        """Return the text that a leaf, or a piece of one, adds.

        Raises:
            Misfit: It is not what it should be, or has no place in the order of a document.
        """
        spelled = get_string(leaf, "jsonPath", where)
        text, is_string = _value(leaf, where)
        goes_on = is_string and leaf.get("willContinue") is True
        if self._string:
            if spelled != self._spelled or not is_string:
                raise Misfit(f"{where}.jsonPath", f"the string at {self._spelled} has not ended")
            self._string = goes_on
            return text if goes_on else f'{text}"'
        if is_string:
            if not text and spelled == self._spelled:
                return ""  # the end of a string, told twice
            text = f'"{text}' if goes_on else f'"{text}"'
        path = self._path if spelled == self._spelled else _parse(spelled, f"{where}.jsonPath")
        before = self._enter(path, f"{where}.jsonPath")
        self._spelled = spelled
        self._path = path
        self._string = goes_on
        return f"{before}{text}"

    def end(self) -> str:
        """Return the text that closes what is open; too little if a string has not ended."""
        return "" if self._string else self._close(0)

    def _enter(self, path: _Path, where: str) -> str:
        """Return the text that leads from the last leaf to a new one."""
        if not self._open:
            self._open.append(set())
            pieces = ["{"]
            depth = 0
        else:
            depth = self._shared(path)
            pieces = [self._close(depth + 1)]
        for key in path[depth:]:
            if depth == len(self._open):
                self._open.append(set() if type(key) is str else 0)
                pieces.append("{" if type(key) is str else "[")
            pieces.append(self._next(depth, key, where))
            depth += 1
        return "".join(pieces)

    def _shared(self, path: _Path) -> int:
        """Return how many of the open values, without the outermost, are on the path."""
        count = 0
        for ours, theirs in zip(path[:-1], self._path[: len(self._open) - 1], strict=False):
            if ours != theirs:
                break
            count += 1
        return count

    def _next(self, depth: int, key: str | int, where: str) -> str:
        """Return the text that begins an entry of the open value at ``depth``."""
        members = self._open[depth]
        if isinstance(members, set) and isinstance(key, str) and key not in members:
            comma = "," if members else ""
            members.add(key)
            return f"{comma}{json.dumps(key, ensure_ascii=False)}:"
        if isinstance(members, int) and key == members:
            self._open[depth] = members + 1
            return "," if members else ""
        raise Misfit(where, "this path has no place after the last")

    def _close(self, depth: int) -> str:
        """Close all open values but ``depth``, and return the text that does."""
        closing = ["}" if isinstance(members, set) else "]" for members in self._open[depth:]]
        del self._open[depth:]
        return "".join(reversed(closing))


def _value(leaf: JsonObject, where: str) -> tuple[str, bool]:
    """Return the text of a value, a string without its quotes, and whether it is a string."""
    value: Json
    if "numberValue" in leaf:
        value = leaf["numberValue"]
        if type(value) is not int and type(value) is not float:
            raise Misfit(f"{where}.numberValue", f"expected a number, got {kind_of(value)}")
        return repr(value) if type(value) is int else json.dumps(value), False
    if "boolValue" in leaf:
        value = leaf["boolValue"]
        if type(value) is not bool:
            raise Misfit(f"{where}.boolValue", f"expected a boolean, got {kind_of(value)}")
        return "true" if value else "false", False
    if "nullValue" in leaf:
        return "null", False
    # The last piece of a string may be nothing but the news that it is the last.
    text = get_optional_string(leaf, "stringValue", where) or ""
    return json.dumps(text, ensure_ascii=False)[1:-1], True


def _parse(spelled: str, where: str) -> _Path:
    """Return the keys and indexes of a path."""
    path: _Path = []
    at = 1
    while at < len(spelled) and (segment := _SEGMENT.match(spelled, at)):
        name, index, single, double = segment.groups()
        if index is not None:
            path.append(int(index))
        elif name is not None:
            path.append(name)
        else:
            path.append(_unquote(single, double, where))
        at = segment.end()
    if not spelled.startswith("$") or at < len(spelled) or not path:
        raise Misfit(where, "not the path of an argument")
    return path


def _unquote(single: str | None, double: str | None, where: str) -> str:
    if single is not None:
        double = single.replace("\\'", "'").replace('"', '\\"')
    try:
        name = json.loads(f'"{double}"', strict=False)
    except ValueError as exc:
        raise Misfit(where, f"not a path: {exc}") from exc
    return str(name)
