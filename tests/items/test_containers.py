"""Arrays, and objects whose values are all alike."""

from __future__ import annotations

import collections
import tracemalloc
import typing
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pytest

from tests.items.reading import read, why
from trio_stream.items import item_decoder


class Side(Enum):
    LEFT = "left"
    RIGHT = "right"


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        (list, [1, "a", None], [1, "a", None]),
        (list[Any], [1, [2]], [1, [2]]),
        (list[int], [], []),
        (list[int], [1, 2], [1, 2]),
        (list[float], [1, 2.5], [1.0, 2.5]),
        (list[list[int]], [[1], []], [[1], []]),
        (typing.List[str], ["a"], ["a"]),  # noqa: UP006
        (Sequence[int], [1], [1]),
        (MutableSequence[int], [1], [1]),
        (tuple, [1, "a"], (1, "a")),
        (typing.Tuple, [1, "a"], (1, "a")),  # noqa: UP006
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[()], [], ()),
        (set[int], [1, 2, 1], {1, 2}),
        (frozenset[str], ["a"], frozenset("a")),
        (AbstractSet[int], [1], frozenset({1})),
        (dict, {"a": 1}, {"a": 1}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (dict[str, Any], {"a": [1]}, {"a": [1]}),
        (dict[Side, int], {"left": 1}, {Side.LEFT: 1}),
        (dict[Literal["a"], float], {"a": 1}, {"a": 1.0}),
        (dict[str, dict[str, list[int]]], {"a": {"b": [1]}}, {"a": {"b": [1]}}),
        (Mapping[str, int], {"a": 1}, {"a": 1}),
        (MutableMapping[str, int], {"a": 1}, {"a": 1}),
    ],
    ids=repr,
)
def test_a_container_is_read(item: Any, value: object, expected: object) -> None:
    """A container is made of its elements, each read as its type says."""
    made = read(item, value)

    assert made == expected
    assert type(made) is type(expected)


def test_an_integer_in_a_list_of_floats_becomes_a_float() -> None:
    """A list of floats holds floats, though JSON wrote some of them as integers."""
    assert [type(each) for each in read(list[float], [1, 2.5, 3])] == [float, float, float]


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        (list[str], "abc", "$: expected list, got str 'abc'"),
        (list[str], {"a": 1}, "$: expected list, got dict"),
        (list, "abc", "$: expected list, got str 'abc'"),
        (list[str], ["a", 1], "$[1]: expected str, got int 1"),
        (list[float], [1.5, "x"], "$[1]: expected float, got str 'x'"),
        (list[bool], [True, 1], "$[1]: expected bool, got int 1"),
        (list[list[int]], [[1], [2, "x"]], "$[1][1]: expected int, got str 'x'"),
        (tuple[int, ...], [1, None], "$[1]: expected int, got None"),
        (tuple[int, str], [1, 2], "$[1]: expected str, got int 2"),
        (tuple[int, str], [1], "$: expected tuple[int, str] with 2 elements, got 1"),
        (tuple[int, str], "ab", "$: expected tuple[int, str], got str 'ab'"),
        (tuple[()], [1], "$: expected tuple[()] with 0 elements, got 1"),
        (set[int], ["1"], "$[0]: expected int, got str '1'"),
        (set[Any], [[1]], "$: set refused it: TypeError: unhashable type: 'list'"),
        (dict[str, int], [["a", 1]], "$: expected dict, got list"),
        (dict[str, int], {"a": 1, "b c": "2"}, "$[\"b c\"]: expected int, got str '2'"),
        (dict[str, list[int]], {"a": [1, 2.0]}, "$.a[1]: expected int, got float 2.0"),
        (dict[Side, int], {"up": 1}, "$.up: expected Side, got str 'up'"),
        (dict[UUID, int], {"x": 1}, "$.x: expected a UUID, got str 'x'"),
    ],
    ids=repr,
)
def test_a_bad_element_is_named(item: Any, value: object, message: str) -> None:
    """The error names the index or the key of the bad element; a string is no list."""
    assert why(item, value) == message


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (dict[int, str], "the keys of a JSON object are strings, not int"),
        (dict[None, str], "the keys of a JSON object are strings, not None"),
        (list[bytes], "JSON has no bytes"),
        (dict[str, complex], "complex is no type that JSON can be read into"),
        (collections.deque[int], r"deque\[int\] is no type that JSON"),
        (collections.Counter, "Counter is no type that JSON"),
    ],
    ids=repr,
)
def test_a_container_that_json_does_not_have_is_refused_at_once(item: Any, message: str) -> None:
    """A container that no JSON value can fill is an error when the decoder is made."""
    with pytest.raises(TypeError, match=message):
        item_decoder(item)


def test_the_first_fault_ends_the_search() -> None:
    """An array of a great many bad elements costs no more memory than one bad element."""
    value = [1] * 100_000
    tracemalloc.start()
    try:
        assert why(list[str], value) == "$[0]: expected str, got int 1"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 4_000_000
