"""Unions: which member a value belongs to."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, Literal, Optional, TypedDict, TypeVar, Union

import attrs
import pytest

from tests.items.reading import fault_of, read, why
from trio_stream.items import item_decoder

T = TypeVar("T")


class Kind(Enum):
    CIRCLE = "circle"
    SQUARE = "square"


@attrs.define
class Created:
    type: Literal["created"]
    id: int


@attrs.define
class Renamed:
    id: int
    type: Literal["renamed", "moved"] = "renamed"
    name: str = ""


@dataclass
class Deleted:
    id: int
    type: Literal["deleted"] = "deleted"


class Pinged(TypedDict):
    type: Literal[0, True]


Dotted = Literal["a.b", "c.d"]
Event = Created | Renamed | Deleted | Pinged


@attrs.define
class Circle:
    radius: float
    kind: Literal[Kind.CIRCLE] = attrs.field(alias="shape", default=Kind.CIRCLE)


@attrs.define
class Square:
    side: float
    kind: Literal[Kind.SQUARE] = attrs.field(alias="shape", default=Kind.SQUARE)


@attrs.define
class Text:
    text: str


@attrs.define
class Image:
    url: str
    alt: str = ""


@attrs.define
class Link:
    url: str
    href: str


@attrs.define
class Empty:
    note: str = ""


@attrs.define
class Draft:
    type: Literal["created"]
    text: str


@attrs.define
class Message:
    parts: list[Text | Image] = attrs.field(factory=list)
    content: str | list[Text | Image] | None = None


@attrs.define
class Leaf:
    value: int


@attrs.define
class Node:
    left: Leaf | Node
    right: Leaf | Node


@attrs.define
class Branch:
    left: Branch | dict[str, Branch | int]


@dataclass
class Box(Generic[T]):
    boxed: T


@dataclass
class Bag(Generic[T]):
    bagged: list[T] = field(default_factory=list)


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        (int | str, 1, 1),
        (int | str, "1", "1"),
        (int | float, 1, 1),
        (int | float, 1.0, 1.0),
        (float | int, 1, 1),
        (float | str, 1, 1.0),
        (Optional[int], None, None),  # noqa: UP045
        (None | int, 3, 3),
        (int | str | None, None, None),
        (Union[list[int], dict[str, int]], {"a": 1}, {"a": 1}),  # noqa: UP007
        (Literal["auto"] | int, "auto", "auto"),
        (Literal["auto"] | int, 7, 7),
        (Literal["a"] | str, "b", "b"),  # noqa: PYI051
        (str | Kind, "circle", Kind.CIRCLE),
        (str | Kind, "oval", "oval"),
        (str | date, "2024-01-02", date(2024, 1, 2)),
        (str | date, "soon", "soon"),
        (datetime | date, "2024-01-02", date(2024, 1, 2)),
        (datetime | date, "2024-01-02T03:04", datetime(2024, 1, 2, 3, 4)),  # noqa: DTZ001
        (float | Decimal, 1, Decimal(1)),
        (float | Decimal, 1.5, 1.5),
        (Any | None, [1], [1]),
        (Event, {"type": "created", "id": 1}, Created("created", 1)),
        (Event, {"type": "moved", "id": 1}, Renamed(1, "moved")),
        (Event, {"type": "deleted", "id": 1}, Deleted(1)),
        (Event, {"type": 0}, {"type": 0}),
        (Event, {"type": True}, {"type": True}),
        (Event | None, None, None),
        (Event | str, "x", "x"),
        (Circle | Square, {"shape": "square", "side": 1}, Square(1.0)),
        (Text | Image, {"text": "a"}, Text("a")),
        (Text | Image, {"url": "b"}, Image("b")),
        (Image | Link, {"url": "a", "href": "b"}, Link("a", "b")),
        (Image | Link, {"url": "a"}, Image("a")),
        (Text | Empty, {}, Empty()),
        (Created | Draft, {"type": "created", "text": "a"}, Draft("created", "a")),
        (Text | dict[str, Any], {"text": "a"}, Text("a")),
        (dict[str, Any] | Text, {"other": "a"}, {"other": "a"}),
        (Created | Deleted | dict[str, Any], {"type": "new"}, {"type": "new"}),
        (Created | dict[str, Any], {"type": "new"}, {"type": "new"}),
        (Created | Any, [{"type": "created"}], [{"type": "created"}]),
        (Branch, {"left": {"a": {"left": {}}, "b": 1}}, Branch({"a": Branch({}), "b": 1})),
        (Message, {"parts": [{"text": "a"}, {"url": "b"}]}, Message([Text("a"), Image("b")])),
        (Message, {"content": "hi"}, Message(content="hi")),
        (Message, {"content": [{"url": "b"}]}, Message(content=[Image("b")])),
        (
            Node,
            {"left": {"value": 1}, "right": {"left": {"value": 2}, "right": {"value": 3}}},
            Node(Leaf(1), Node(Leaf(2), Leaf(3))),
        ),
        (Box[int] | Bag[str], {"boxed": 1}, Box(1)),
        (Box[int] | Bag[str], {"bagged": ["a"]}, Bag(["a"])),
    ],
    ids=repr,
)
def test_a_value_finds_its_member(item: Any, value: object, expected: object) -> None:
    """A value becomes the member whose kind, tag or own key it has, the special one first."""
    made = read(item, value)

    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        (int | str, 1.5, "$: expected str | int, got float 1.5"),
        (int | str, True, "$: expected str | int, got bool True"),
        (int | str | None, [], "$: expected str | int | None, got list"),
        (Literal["auto"] | int, "x", "$: expected Literal['auto'] | int, got str 'x'"),
        (
            Event,
            {"id": 1},
            "$.type: the field is missing, expected one of 'created', 'deleted', 0, True, 'ren",
        ),
        (
            Created | Deleted,
            {"type": "new"},
            "$.type: expected one of 'created', 'deleted', got str 'new'",
        ),
        (Created | Deleted, {"type": []}, "$.type: expected one of 'created', 'deleted', got list"),
        (Created | Deleted, {"type": "created", "id": "1"}, "$.id: expected int, got str '1'"),
        (Created | Deleted, [], "$: expected Created | Deleted, got list"),
        (Event, {"type": 1}, "$.type: expected one of"),
        (Created | Deleted | dict[str, int], {"type": "created"}, "$.id: the field is missing"),
        (Text | dict[str, Any], {"text": 1}, "$.text: expected str, got int 1"),
        (Created | Any, {"type": "created"}, "$.id: the field is missing, expected int"),
        (Circle | Square, {"shape": "oval"}, "$.shape: expected one of 'circle', 'square'"),
        (Text | Image, {"x": 1}, "$: expected an object with 'text' or 'url', got dict"),
        (Text | Image, {"url": 1}, "$.url: expected str, got int 1"),
        (Message, {"parts": [{"text": "a"}, {}]}, "$.parts[1]: expected an object with"),
        (Image | Link, {}, "$: expected an object with 'href' and 'url' or 'url', got dict"),
        (Dotted | str, [], "$: expected Literal['a.b', 'c.d'] | str, got list"),
        (Message, {"content": [{"url": 2}]}, "$.content[0].url: expected str, got int 2"),
        (Message, {"content": 5}, "$.content: expected list[Text | Image] | str | None, got int 5"),
    ],
    ids=repr,
)
def test_a_value_without_a_member_is_refused(item: Any, value: object, message: str) -> None:
    """The error is that of the member which was meant, or says what all of them are."""
    assert why(item, value).startswith(message)


@pytest.mark.parametrize("order", list(itertools.permutations([date, str, int, Kind, type(None)])))
def test_the_order_of_the_members_says_nothing(order: tuple[Any, ...]) -> None:
    """However a union is written, a value becomes the same member."""
    item = Union[order]  # noqa: UP007

    assert read(item, "2024-01-02") == date(2024, 1, 2)
    assert read(item, "circle") is Kind.CIRCLE
    assert read(item, "oval") == "oval"
    assert read(item, 5) == 5
    assert read(item, None) is None
    assert fault_of(item, True).path == "$"


@attrs.define
class Twin:
    url: str
    alt: str = ""


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Image | Twin, "Image and Twin cannot be told apart: give records a field"),
        (Empty | Bag[int], r"Bag\[int\] and Empty cannot be told apart"),
        (list[Image | Twin], "cannot be told apart"),
        (Empty | dict[str, int], r"Empty and dict\[str, int\] cannot be told apart"),
        (Empty | Text | Any, "Empty and Any cannot be told apart"),
        (list[int] | tuple[str, ...] | None, "cannot be told apart"),
        (int | bytes, "JSON has no bytes"),
    ],
)
def test_a_union_that_cannot_be_decided_is_refused_at_once(item: Any, message: str) -> None:
    """Records that nothing tells apart are an error when the decoder is made."""
    with pytest.raises(TypeError, match=message):
        item_decoder(item)


def test_a_union_that_contains_itself_is_read_in_one_pass() -> None:
    """A fault deep inside a recursive union is found without trying each level twice."""
    value: dict[str, Any] = {"left": {"bad": "x"}}
    for _ in range(100):
        value = {"left": {"a": value}}

    assert fault_of(Branch, value).path == "$" + ".left.a" * 100 + ".left.bad"
