"""Objects with named fields: attrs classes, dataclasses, TypedDicts."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Generic, NewType, NotRequired, Required, TypedDict

import attrs
import pytest
from cattrs.errors import IterableValidationNote

from tests.items.forward import AttrsNode, DataNode, DictNode
from tests.items.reading import fault_of, read, why
from trio_stream.items import item_decoder
from trio_stream.items._misfit import MisfitError

T = typing.TypeVar("T")
OwnerId = NewType("OwnerId", int)


@attrs.define
class Pet:
    id: int
    name: str
    tags: list[str] = attrs.field(factory=list)
    weight: float | None = None


@attrs.define
class Owner:
    name: str
    pets: list[Pet]
    best: Pet | None = None
    notes: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Frozen:
    id: OwnerId
    score: float = 0.5


@attrs.define
class Aliased:
    pet_id: int = attrs.field(alias="petId")
    _secret: str = "none"
    class_name: Annotated[str, ["documented"]] = attrs.field(alias="className", default="?")


@attrs.define
class Optionals:
    """All fields have defaults: an object, and only an object, is enough."""

    first: int = 1
    second: str = "two"
    doubled: int = attrs.field(default=attrs.Factory(lambda self: 2 * self.first, takes_self=True))
    last: str = "last"
    made: int = attrs.field(init=False, default=7)


@attrs.define
class Checked:
    age: int = attrs.field(validator=attrs.validators.ge(0))


@attrs.define
class Converted:
    name: str = attrs.field(converter=str.strip)


@attrs.define
class Stored:
    """JSON cannot be read into a path, but the converter can."""

    path: PurePosixPath = attrs.field(converter=PurePosixPath)
    backup: PurePosixPath | None = attrs.field(
        default=None, converter=attrs.converters.optional(PurePosixPath)
    )


@attrs.define
class Untyped:
    value = attrs.field()
    other = attrs.field(default=1)


@attrs.define
class Reserved:
    """Words that the making of hooks uses itself."""

    cl: int
    converter: int
    res: int
    o: int = 0


@attrs.define(init=False)
class Swapped:
    """Its arguments are in another order than its fields."""

    a: str
    b: str

    def __init__(self, b: str, a: str) -> None:
        self.a, self.b = a, b


@attrs.define
class Tree:
    name: str
    children: list[Tree] = attrs.field(factory=list)
    parent: Tree | None = None


@attrs.define
class Page(Generic[T]):
    items: list[T]
    next: T | None = None


@attrs.define
class PetPage(Page[Pet]):
    total: int = 0


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0
    path: list[int] = dataclasses.field(default_factory=list)
    made: bool = dataclasses.field(init=False, default=True)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    start: Point
    end: Point


@dataclasses.dataclass
class Positive:
    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError("n must not be negative")


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Sequel(Movie, total=False):
    part: Required[int]
    rating: float


class Folder(TypedDict):
    files: list[str]
    folders: list[Folder]


Headers = TypedDict("Headers", {"content-type": str, "class": NotRequired[str]})


class Slice(TypedDict, Generic[T]):
    items: list[T]
    more: T


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@attrs.define
class Refusing:
    x: int

    def __attrs_post_init__(self) -> None:
        raise UnspeakableError


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        (Pet, {"id": 1, "name": "Rex"}, Pet(1, "Rex")),
        (
            Pet,
            {"id": 1, "name": "Rex", "tags": ["a"], "weight": 2},
            Pet(1, "Rex", ["a"], 2.0),
        ),
        (Pet, {"weight": None, "name": "Rex", "id": 1}, Pet(1, "Rex")),
        (Pet, {"id": 1, "name": "Rex", "unknown": {"x": 1}}, Pet(1, "Rex")),
        (
            Owner,
            {
                "name": "Ann",
                "pets": [{"id": 1, "name": "Rex"}],
                "best": {"id": 2, "name": "Tom"},
                "notes": {"a": [1]},
            },
            Owner("Ann", [Pet(1, "Rex")], Pet(2, "Tom"), {"a": [1]}),
        ),
        (Frozen, {"id": 3}, Frozen(id=OwnerId(3))),
        (
            Aliased,
            {"petId": 1, "secret": "s", "className": "c"},
            Aliased(petId=1, secret="s", className="c"),
        ),
        (Optionals, {}, Optionals()),
        (Optionals, {"first": 4, "last": "end"}, Optionals(4, last="end")),
        (Optionals, {"doubled": 5, "made": 9}, Optionals(doubled=5)),
        (Checked, {"age": 0}, Checked(0)),
        (Converted, {"name": " Rex "}, Converted("Rex")),
        (Stored, {"path": "a/b"}, Stored("a/b")),
        (Stored, {"path": "a", "backup": "b"}, Stored("a", "b")),
        (Untyped, {"value": [1]}, Untyped([1])),
        (Reserved, {"cl": 1, "converter": 2, "res": 3, "o": 4}, Reserved(1, 2, 3, 4)),
        (Swapped, {"a": "A", "b": "B"}, Swapped("B", "A")),
        (
            Tree,
            {"name": "a", "children": [{"name": "b"}], "parent": {"name": "c"}},
            Tree("a", [Tree("b")], Tree("c")),
        ),
        (Page[int], {"items": [1], "next": 2}, Page([1], 2)),
        (Page[Pet], {"items": [{"id": 1, "name": "Rex"}]}, Page([Pet(1, "Rex")])),
        (PetPage, {"items": [{"id": 1, "name": "R"}], "total": 1}, PetPage([Pet(1, "R")], None, 1)),
        (Point, {"x": 1}, Point(1.0)),
        (Point, {"x": 1.5, "path": [1]}, Point(1.5, 0.0, [1])),
        (Line, {"start": {"x": 1}, "end": {"x": 2}}, Line(start=Point(1.0), end=Point(2.0))),
        (Movie, {"title": "Up"}, {"title": "Up"}),
        (Movie, {"title": "Up", "year": 2009, "more": 1}, {"title": "Up", "year": 2009}),
        (Sequel, {"title": "Up", "part": 2}, {"title": "Up", "part": 2}),
        (
            Folder,
            {"files": [], "folders": [{"files": ["a"], "folders": []}]},
            {"files": [], "folders": [{"files": ["a"], "folders": []}]},
        ),
        (Headers, {"content-type": "a", "class": "b"}, {"content-type": "a", "class": "b"}),
        (Slice[int], {"items": [1], "more": 2}, {"items": [1], "more": 2}),
        (
            AttrsNode,
            {"name": "a", "nodes": [{"name": "b"}]},
            AttrsNode("a", [AttrsNode("b")]),
        ),
        (
            DataNode,
            {"name": "a", "nodes": [{"name": "b"}], "next": {"name": "c"}},
            DataNode("a", [DataNode("b")], DataNode("c")),
        ),
        (
            DictNode,
            {"name": "a", "nodes": [{"name": "b", "nodes": []}]},
            {"name": "a", "nodes": [{"name": "b", "nodes": []}]},
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_record_is_read(item: Any, value: object, expected: object) -> None:
    """A record is made of the fields it knows, defaults for what is absent, and nothing else."""
    made = read(item, value)

    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        (Pet, {"id": "1", "name": "Rex"}, "$.id: expected int, got str '1'"),
        (Pet, {"id": 1}, "$.name: the field is missing, expected str"),
        (Pet, {}, "$.id: the field is missing, expected int"),
        (Pet, {"id": 1, "name": None}, "$.name: expected str, got None"),
        (Pet, {"id": 1, "name": "R", "tags": ["a", 2]}, "$.tags[1]: expected str, got int 2"),
        (Pet, {"id": 1, "name": "R", "tags": "abc"}, "$.tags: expected list, got str 'abc'"),
        (
            Pet,
            {"id": 1, "name": "R", "weight": "2"},
            "$.weight: expected float | None, got str '2'",
        ),
        (Pet, [1, "Rex"], "$: expected Pet, got list"),
        (Pet, "Rex", "$: expected Pet, got str 'Rex'"),
        (Pet, None, "$: expected Pet, got None"),
        (Optionals, [], "$: expected Optionals, got list"),
        (Optionals, "x", "$: expected Optionals, got str 'x'"),
        (Optionals, {"doubled": "x"}, "$.doubled: expected int, got str 'x'"),
        (Aliased, {"pet_id": 1}, "$.petId: the field is missing, expected int"),
        (Aliased, {"petId": True}, "$.petId: expected int, got bool True"),
        (Owner, {"name": "A", "pets": {}}, "$.pets: expected list, got dict"),
        (
            Owner,
            {"name": "A", "pets": [{"id": 1, "name": "R"}, {"id": 2, "name": 3}]},
            "$.pets[1].name: expected str, got int 3",
        ),
        (
            Owner,
            {"name": "A", "pets": [], "best": {"id": 1}},
            "$.best.name: the field is missing, expected str",
        ),
        (
            Tree,
            {"name": "a", "children": [{"name": "b", "children": [{}]}]},
            "$.children[0].children[0].name: the field is missing, expected str",
        ),
        (Page[Pet], {"items": [{}]}, "$.items[0].id: the field is missing, expected int"),
        (Page[int], {"items": ["1"]}, "$.items[0]: expected int, got str '1'"),
        (PetPage, {"items": [1]}, "$.items[0]: expected Pet, got int 1"),
        (Point, {"y": 1}, "$.x: the field is missing, expected float"),
        (Line, {"start": {"x": 1}, "end": {"x": "2"}}, "$.end.x: expected float, got str '2'"),
        (Movie, {}, "$.title: the field is missing, expected str"),
        (Movie, {"title": "Up", "year": "x"}, "$.year: expected int, got str 'x'"),
        (Sequel, {"title": "Up"}, "$.part: the field is missing, expected int"),
        (Sequel, [], "$: expected Sequel, got list"),
        (Headers, {"content-type": 1}, '$["content-type"]: expected str, got int 1'),
        (Slice[int], {"items": ["1"], "more": 2}, "$.items[0]: expected int, got str '1'"),
        (Untyped, {}, "$.value: the field is missing, expected Any"),
        (Reserved, {"cl": 1, "converter": "2", "res": 3}, "$.converter: expected int, got str '2'"),
        (
            DataNode,
            {"name": "a", "nodes": [{"name": 1}]},
            "$.nodes[0].name: expected str, got int 1",
        ),
        (
            DictNode,
            {"name": "a", "nodes": [{}]},
            "$.nodes[0].name: the field is missing, expected str",
        ),
    ],
    ids=repr,
)
def test_a_bad_field_is_named(item: Any, value: object, message: str) -> None:
    """The error says which field of the payload is bad, what was expected there and what came."""
    fault = fault_of(item, value)

    assert str(fault) == f"bad item at {message}"
    assert message.startswith(f"{fault.path}: ")


@pytest.mark.parametrize(
    ("item", "value", "message", "cause"),
    [
        (Checked, {"age": -1}, "$: Checked refused it: ValueError: ", ValueError),
        (
            list[Positive],
            [{"n": 1}, {"n": -1}],
            "$[1]: Positive refused it: ValueError: n must not be negative",
            ValueError,
        ),
        (Converted, {"name": 1}, "$.name: expected str, got int 1", type(None)),
        (Stored, {"path": 1}, "$: Stored refused it: TypeError: ", TypeError),
        (Refusing, {"x": 1}, "$: Refusing refused it: UnspeakableError", UnspeakableError),
    ],
)
def test_a_class_may_refuse(item: Any, value: object, message: str, cause: type) -> None:
    """What a validator raises is the cause of the error; converters see only checked values."""
    fault = fault_of(item, value)

    assert str(fault).startswith(f"bad item at {message}")
    assert type(fault.__cause__) is cause
    assert fault.original_exception is fault.__cause__


@pytest.mark.parametrize(
    "item",
    [
        Tree,
        Folder,
        list[Tree],
        dict[str, Tree],
        Annotated[Tree, []],
        Page[Tree],
        AttrsNode,
        DataNode,
        DictNode,
    ],
    ids=repr,
)
def test_a_type_may_contain_itself(item: Any) -> None:
    """A type that contains itself can be read, whichever way it is reached."""
    item_decoder(item)


def test_a_payload_nested_too_deeply_is_a_bad_item() -> None:
    """A payload that JSON can read but that is too deep to be built is a bad item, not a crash."""
    value: dict[str, Any] = {"name": "leaf"}
    for _ in range(700):
        value = {"name": "x", "parent": value}

    assert "nested too deeply" in why(Tree, value)


class Counted(enum.Enum):
    """Counts how often it is asked for what it does not have."""

    KNOWN = "known"

    @classmethod
    def _missing_(cls, value: object) -> None:
        asked.append(value)


asked: list[object] = []


@attrs.define
class Asking:
    first: Counted
    second: Counted
    more: list[Counted] = attrs.field(factory=list)
    nested: Asking | None = None


@pytest.mark.parametrize(
    ("value", "path", "what"),
    [
        ({"first": "a", "second": "b", "more": ["c"]}, "$.first", ["a"]),
        ({"first": "known", "second": "known", "more": ["c", "d"]}, "$.more[0]", ["c"]),
        ({"second": "b", "more": ["c"]}, "$.first", []),
        (
            {"first": "known", "second": "b", "nested": {"first": "c", "second": "d"}},
            "$.second",
            ["b"],
        ),
    ],
)
def test_the_first_fault_ends_the_reading(value: object, path: str, what: list[object]) -> None:
    """Whatever else is wrong with a payload is not looked at: it may be very much."""
    asked.clear()

    assert fault_of(Asking, value).path == path
    assert asked == what


@pytest.mark.parametrize(
    "note", [MisfitError.add_note, lambda error, step: setattr(error, "__notes__", [step])]
)
def test_a_fault_takes_the_step_and_goes_on(note: Any) -> None:
    """However cattrs may note the step that leads to a fault, the fault is not held up."""
    fault = MisfitError("expected more", "name")

    with pytest.raises(MisfitError) as caught:
        note(fault, IterableValidationNote("", 3, int))

    assert caught.value is fault
    assert fault.path == "$[3].name"


def test_the_class_of_json_objects_is_not_kept() -> None:
    """A TypedDict is a plain dict of its own, without the keys that it does not declare."""
    made: Mapping[str, object] = read(Movie, {"title": "Up", "stars": 5})

    assert type(made) is dict
    assert made == {"title": "Up"}


def test_the_keys_of_a_typed_dict_stay_in_order() -> None:
    """The keys of a TypedDict stand in the order of the payload, as in any other dict."""
    made: Mapping[str, object] = read(Slice[int], {"more": 1, "unknown": 2, "items": []})

    assert list(made) == ["more", "items"]
    assert list(read(Sequel, {"rating": 1, "part": 2, "title": "Up"})) == [
        "rating",
        "part",
        "title",
    ]


@attrs.define
class HasBytes:
    data: bytes


@attrs.define
class HasHasBytes:
    inner: list[HasBytes]


@attrs.define
class Dangling:
    pet: Pte  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (HasHasBytes, "HasHasBytes: HasBytes: JSON has no bytes: take a str"),
        (Dangling, "an annotation of Dangling leads nowhere: name 'Pte' is not defined"),
        (Page, "Page: Missing type for generic argument T"),
    ],
)
def test_a_record_that_cannot_be_read_is_refused_at_once(item: Any, message: str) -> None:
    """A field of a type that JSON cannot bring is an error when the decoder is made."""
    with pytest.raises(TypeError, match=message):
        item_decoder(item)


def test_a_refusal_is_not_remembered_as_good() -> None:
    """A type that is refused is refused each time, and so are the types on the way to it."""
    for _ in range(2):
        with pytest.raises(TypeError, match="JSON has no bytes"):
            item_decoder(HasHasBytes)
