"""Named type expressions, and what `typing_extensions` has of its own."""

from __future__ import annotations

import sys
from typing import Any, Literal, TypeVar

import attrs
import pytest

from tests.items.reading import read, why

typing_extensions = pytest.importorskip("typing_extensions")

T = TypeVar("T")

Names = typing_extensions.TypeAliasType("Names", list[str])
Kind = typing_extensions.TypeAliasType("Kind", Literal["a"])
IntOrNone = typing_extensions.TypeAliasType("IntOrNone", int | None)
Pair = typing_extensions.TypeAliasType("Pair", tuple[T, T], type_params=(T,))


class Later(typing_extensions.TypedDict):  # type: ignore[name-defined,misc]
    when: typing_extensions.ReadOnly[str]  # type: ignore[name-defined]


@attrs.define
class First:
    kind: Kind  # type: ignore[valid-type]
    pair: Pair[int]  # type: ignore[valid-type]


@attrs.define
class Second:
    kind: Literal["b"]


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        (Names, ["a"], ["a"]),
        (list[Names], [["a"]], [["a"]]),
        (IntOrNone | str, None, None),
        (Pair[int], [1, 2], (1, 2)),
        (First | Second, {"kind": "a", "pair": [1, 2]}, First("a", (1, 2))),
        (First | Second, {"kind": "b"}, Second("b")),
        (Later, {"when": "now"}, {"when": "now"}),
    ],
    ids=repr,
)
def test_an_alias_means_what_it_stands_for(item: Any, value: object, expected: object) -> None:
    """A named type expression is read as what it names, arguments filled in."""
    assert read(item, value) == expected


def test_a_fault_inside_an_alias_is_named() -> None:
    """The error in a value of a named type says where it is and what was expected."""
    assert why(Pair[int], [1, "2"]) == "$[1]: expected int, got str '2'"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the `type` statement came with 3.12")
def test_an_alias_may_contain_itself() -> None:
    """A `type` statement may name itself, as that of all JSON does."""
    names: dict[str, Any] = {}
    exec("type Json = dict[str, Json] | list[Json] | str | float | int | bool | None", names)
    json_type = names["Json"]
    value = {"a": [1, {"b": None}], "c": "d"}

    assert read(json_type, value) == value
    assert read(list[json_type], [value]) == [value]
