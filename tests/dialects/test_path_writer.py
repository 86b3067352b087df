"""JSON written from leaves that come one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.dialects._json import Misfit
from trio_stream.dialects._path_writer import PathWriter

Leaf = dict[str, Any]


def text(path: str, value: str, *, goes_on: bool = False) -> Leaf:
    leaf: Leaf = {"jsonPath": path, "stringValue": value}
    return leaf | {"willContinue": True} if goes_on else leaf


def number(path: str, value: float) -> Leaf:
    return {"jsonPath": path, "numberValue": value}


def written(*leaves: Leaf) -> list[str]:
    writer = PathWriter()
    return [*(writer.write(leaf, "$.leaf") for leaf in leaves), writer.end()]


def test_each_leaf_adds_its_text() -> None:
    """What a leaf adds comes at once: what it shares with the last stays open."""
    assert written(
        text("$.stops[0].city", "Os", goes_on=True),
        text("$.stops[0].city", "lo", goes_on=True),
        text("$.stops[0].city", ""),
        number("$.stops[0].days", 2),
        text("$.stops[1].city", "Bergen"),
        {"jsonPath": "$.fast", "boolValue": True},
        {"jsonPath": "$.via", "nullValue": "NULL_VALUE"},
    ) == [
        '{"stops":[{"city":"Os',
        "lo",
        '"',
        ',"days":2',
        '},{"city":"Bergen"',
        '}],"fast":true',
        ',"via":null',
        "}",
    ]


def test_nothing_written() -> None:
    """Without a leaf there is no text: a call without arguments."""
    assert written() == [""]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.a", {"a": 1}),
        ("$['a']", {"a": 1}),
        ('$["a"]', {"a": 1}),
        ("$.a.b", {"a": {"b": 1}}),
        ("$['a.b'][0]['c[0]']", {"a.b": [{"c[0]": 1}]}),
        ("$['it\\'s \"q\" \\\\ \\u00e9']", {'it\'s "q" \\ é': 1}),
        ('$["\\"\n"]', {'"\n': 1}),
        ("$.a[0][0][0]", {"a": [[[1]]]}),
        ("$.some key-1_é", {"some key-1_é": 1}),
    ],
)
def test_paths(path: str, expected: object) -> None:
    """Paths may be written with dots and with brackets, as RFC 9535 has it."""
    assert json.loads("".join(written(number(path, 1)))) == expected


@pytest.mark.parametrize(
    "path",
    ["", "a", "$", "$.", "$a", "$..a", "$.a[]", "$.a[-1]", "$.a['b", "$[*]", "$['\\x']", "$.a[١]"],
)
def test_what_is_no_path(path: str) -> None:
    """What is not the path of one value is refused."""
    with pytest.raises(Misfit):
        written(number(path, 1))


@pytest.mark.parametrize(
    "leaves",
    [
        [number("$.a", 1), number("$.a", 2)],  # again
        [number("$.a", 1), number("$.b", 1), number("$.a", 2)],
        [number("$.a.b", 1), number("$.c", 1), number("$.a.d", 1)],  # into what has closed
        [number("$.a", 1), number("$.a.b", 1)],  # a leaf inside a leaf, and the reverse
        [number("$.a.b", 1), number("$.a", 1)],
        [number("$.a[0]", 1), number("$.a.b", 1)],  # an array that is an object
        [number("$.a.b", 1), number("$.a[0]", 1)],
        [number("$.a[1]", 1)],  # items left out, and repeated
        [number("$.a[0]", 1), number("$.a[2]", 1)],
        [number("$.a[0]", 1), number("$.a[0]", 1)],
        [number("$[0]", 1)],  # arguments are an object
        [text("$.a", "x", goes_on=True), text("$.b", "y")],  # a string that has not ended
        [text("$.a", "x", goes_on=True), number("$.a", 1)],
        [text("$.a", "x"), text("$.a", "y")],
    ],
)
def test_order_of_a_document(leaves: list[Leaf]) -> None:
    """A leaf that would change what was written is refused, and never glued to anything."""
    with pytest.raises(Misfit):
        written(*leaves)


@pytest.mark.parametrize(
    "leaf",
    [
        {"numberValue": 1},
        {"jsonPath": 1, "numberValue": 1},
        {"jsonPath": "$.a", "numberValue": "1"},
        {"jsonPath": "$.a", "numberValue": True},
        {"jsonPath": "$.a", "boolValue": 1},
        {"jsonPath": "$.a", "stringValue": 1},
    ],
)
def test_values_have_their_types(leaf: Leaf) -> None:
    """A value of another type than its field promises is refused."""
    with pytest.raises(Misfit):
        written(leaf)


def test_end_told_twice() -> None:
    """An empty piece after the end of its string adds nothing."""
    assert "".join(written(text("$.a", "x"), text("$.a", ""))) == '{"a":"x"}'
    assert "".join(written(text("$.a", ""), {"jsonPath": "$.a"})) == '{"a":""}'


def test_string_without_end_leaves_the_text_open() -> None:
    """If a string was to go on and the call ends, the text is no JSON and cannot pass for it."""
    text_so_far = "".join(written(text("$.a", "half", goes_on=True)))

    assert text_so_far == '{"a":"half'


def test_depth_costs_its_length() -> None:
    """However deep a path is, its text is as long, and a long array is written item by item."""
    deep = "".join(written(number("$" + 20_000 * ".a", 1)))
    wide = "".join(written(*(number(f"$.a[{index}]", index) for index in range(5_000))))

    assert deep == 20_000 * '{"a":' + "1" + 20_000 * "}"
    assert json.loads(wide) == {"a": list(range(5_000))}


keys = st.text(min_size=1, max_size=4)
scalars = st.text(max_size=6) | st.integers(-5, 5) | st.booleans() | st.none()
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3)
        | st.dictionaries(keys, inner, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def leaves_of(value: Any, path: str) -> list[Leaf]:
    """The leaves of a value, in the order of the document, strings in pieces of two letters."""
    if isinstance(value, dict):
        parts = [(f"[{json.dumps(key)}]", inner) for key, inner in value.items()]
        return [leaf for key, inner in parts for leaf in leaves_of(inner, path + key)]
    if isinstance(value, list):
        parts = [(f"[{index}]", inner) for index, inner in enumerate(value)]
        return [leaf for key, inner in parts for leaf in leaves_of(inner, path + key)]
    if isinstance(value, str):
        pieces = [value[at : at + 2] for at in range(0, len(value), 2)]
        return [*(text(path, piece, goes_on=True) for piece in pieces), text(path, "")]
    if value is None:
        return [{"jsonPath": path, "nullValue": None}]
    if isinstance(value, bool):
        return [{"jsonPath": path, "boolValue": value}]
    return [number(path, value)]


@given(document=st.dictionaries(keys, values, min_size=1, max_size=4))
def test_any_document_comes_back(document: dict[str, Any]) -> None:
    """A document told leaf by leaf is written as itself."""
    assert json.loads("".join(written(*leaves_of(document, "$")))) == document
