"""Which types msgspec is trusted with, and which are left to the hooks."""

from __future__ import annotations

import dataclasses
import enum
import functools
import itertools
import typing
from abc import ABC
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypedDict,
)
from uuid import UUID

import attrs
import pytest

from tests.items.forward import AttrsNode, DataNode, DictNode
from tests.items.plain import Color, Delta, Event, Level, Loose, Movie, outcome_of
from tests.spelling import spelled
from trio_stream.items._alike import reads_alike
from trio_stream.items._converter import hook_of
from trio_stream.items._native import decode_of
from trio_stream.items._reader import json_reader, reader_of

msgspec = pytest.importorskip("msgspec")

T = typing.TypeVar("T")
Id = NewType("Id", int)
SHARED: list[int] = []


# ---- read alike --------------------------------------------------------------------------------


class Named:
    """A mixin that has methods only."""

    name: str

    def shout(self) -> str:
        return self.name.upper()


@attrs.define
class Pet(Named):
    kind: ClassVar[str] = "pet"

    id: Id
    name: str = attrs.field(default="?", metadata={"a": 1}, repr=False, eq=str.lower, kw_only=True)
    tags: list[str] = attrs.field(factory=list)
    toys: dict[str, float] = attrs.field(factory=dict[str, float])
    shared: Any = attrs.field(default=SHARED)
    loose: Loose = attrs.field(factory=Loose)


@attrs.frozen
class Dog(Pet):
    """Frozen, though what it derives from is not."""

    age: int | None = None


class HasCache:
    __slots__ = ("cache",)


@attrs.define
class Caching(HasCache):
    """A slot that is no field is left unset by `__init__`, too."""

    a: int


@attrs.define(slots=False)
class Open:
    a: int
    b: list[int] = attrs.Factory(list)
    c: str = "c"


@dataclasses.dataclass
class Point:
    x: float
    y: float
    path: list[int] = dataclasses.field(default_factory=list)
    kind: ClassVar[str] = "point"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    start: Point
    end: Point | None = None
    width: int = 1


class Sequel(Movie, total=False):
    part: Required[int]
    rating: float


@pytest.mark.parametrize(
    ("type_", "texts"),
    [
        (str, ['"a"']),
        (int, ["1", str(10**30)]),
        (float, ["1", "1.5", str(10**30)]),
        (bool, ["true"]),
        (type(None), ["null"]),
        (Any, ['{"a": [1, 2.0, null, "\\u00e9"]}']),
        (date, ['"2024-02-29"', '"2024-02-30"', '"20240229"', '"2024-02-29T00:00:00Z"']),
        (UUID, [f'"{UUID(int=5)}"', f'"{UUID(int=5).hex}"', f'"{{{UUID(int=5)}}}"']),
        (Id, ["1", "true"]),
        (Annotated[int, []], ["1"]),
        (Annotated[int, msgspec.Meta(gt=0)], ["1", "0", "-1"]),
        (Final[int], ["1"]),
        (Literal["é", "日本"], ['"é"', '"\\u65e5\u672c"', '""']),
        (Literal["a", 1] | None, ['"a"', "1", "1.0", "null", "true"]),
        (Color, ['"red"', '"RED"', "1"]),
        (Level, ["1", "-2", "1.0", "true"]),
        (int | float, ["1", "1.0", str(10**30), "1e400"]),
        (int | str | bool | float | None, ["1", "1.0", "true", "null", '"a"', "[]"]),
        (Color | int | None, ['"red"', "1", "null"]),
        (Pet | list[Pet] | str | None, ['{"id": 1}', '[{"id": 1}]', '"a"', "null", "1"]),
        (list, ["[1]", "{}"]),
        (list[list[int]], ["[[1], []]", "[[true]]"]),
        (Sequence[int], ["[1]"]),
        (MutableSequence[int], ["[1]"]),
        (tuple, ["[1]"]),
        (tuple[int, ...], ["[1, 2]", "[]"]),
        (tuple[int, str], ['[1, "a"]', "[1]", "[1, 2]", '[1, "a", 3]']),
        (dict, ['{"a": 1}']),
        (dict[str, int], ['{"b": 1, "a": 2, "b": 3}']),
        (Mapping[str, int], ['{"a": 1}']),
        (MutableMapping[str, None], ['{"a": null}']),
        (Pet, ['{"id": 1}', '{"toys": {"a": 1}, "name": "R", "id": 1, "kind": 1}', "{}", "[]"]),
        (Dog, ['{"id": 1}', '{"age": null, "loose": {"a": 1, "b": 2}, "id": 2}']),
        (Caching, ['{"a": 1, "cache": 2}']),
        (Open, ['{"a": 1}', '{"c": "d", "b": [1], "a": 1}', '{"b": []}']),
        (Point, ['{"y": 1, "x": 2}', '{"x": 1}', '{"x": 1, "y": 2, "path": [1], "kind": 3}']),
        (Line, ['{"start": {"x": 1, "y": 2}}', '{"width": 1}']),
        (Movie, ['{"title": "Up"}', '{"z": 1, "a": [1], "title": "Up"}', "{}"]),
        (Sequel, ['{"rating": 1, "part": 2, "title": "Up"}', '{"title": "Up"}']),
        (list[Event], ['[{"type": "a", "index": 1, "delta": {"type": "text"}}]']),
    ],
    ids=lambda value: "" if isinstance(value, list) else spelled(value),
)
def test_a_plain_type_is_read_natively(type_: Any, texts: list[str]) -> None:
    """Types without meaning of their own go through msgspec, and become the same items."""
    assert decode_of(type_) is not None
    for text in texts:
        native, hooks = reader_of(type_), json_reader(hook_of(type_))
        assert outcome_of(native, text) == outcome_of(hooks, text)


def test_a_default_is_the_very_object() -> None:
    """A default value is shared, and what a factory makes is not, as in `__init__`."""
    decode = decode_of(Pet)
    assert decode is not None

    first, second = decode('{"id": 1}'), decode('{"id": 1}')

    assert first.shared is second.shared is SHARED
    assert first.tags is not second.tags


def test_a_type_that_comes_up_often_is_compared_once() -> None:
    """Records that share the types of their fields take no exponential time to compare."""
    type_: Any = Delta
    for _ in range(60):
        type_ = attrs.make_class(
            "Both", {"a": attrs.field(type=type_), "b": attrs.field(type=type_)}
        )

    assert reads_alike(type_)


# ---- left to the hooks -------------------------------------------------------------------------


@attrs.define
class Failure(Exception):  # noqa: N818
    """To make one without its `__new__` crashes the process."""

    code: int


@attrs.frozen(cache_hash=True)
class CachedHash:
    a: int


@attrs.define(slots=False, unsafe_hash=True, cache_hash=True)
class CachedHashInDict:
    a: int


@attrs.define
class OwnInit:
    a: int

    def __init__(self, a: int) -> None:
        self.a = a + 1


@attrs.define(init=False)
class NoInit:
    a: int

    def __init__(self, a: int) -> None:
        self.__attrs_init__(a + 1)  # type: ignore[attr-defined]


@dataclasses.dataclass
class OwnDataInit:
    a: int

    def __init__(self, a: int) -> None:
        self.a = a + 1


@attrs.define
class Converted:
    a: str = attrs.field(converter=str.strip)


@attrs.define
class Validated:
    a: int = attrs.field(validator=attrs.validators.ge(0))


@attrs.frozen
class FrozenConverted:
    a: int | None = attrs.field(converter=attrs.converters.default_if_none(5))


@attrs.frozen
class FrozenValidated:
    a: int = attrs.field(validator=attrs.validators.not_(attrs.validators.in_([0])))


@attrs.define
class Aliased:
    a: int = attrs.field(alias="b")


@attrs.define
class Private:
    _a: int


@attrs.define
class NotAnArgument:
    a: int = attrs.field(init=False, default=1)


@dataclasses.dataclass
class NotADataArgument:
    a: list[int] = dataclasses.field(init=False, default_factory=list)


@attrs.define
class TakesSelf:
    a: int
    b: int = attrs.field(default=attrs.Factory(lambda self: self.a, takes_self=True))


@attrs.define
class Counting:
    a: int = attrs.field(factory=itertools.count().__next__)


@dataclasses.dataclass
class DataCounting:
    a: int = dataclasses.field(default_factory=itertools.count().__next__)


@attrs.define
class MakesCounting:
    a: Counting = attrs.field(factory=Counting)


@attrs.define
class MakesAnotherType:
    a: Any = attrs.field(factory=Counting)


@attrs.define
class Before:
    a: int

    def __attrs_pre_init__(self) -> None:
        pass


@attrs.define
class After:
    a: int

    def __attrs_post_init__(self) -> None:
        assert self.a != 0


@dataclasses.dataclass
class DataAfter:
    a: int

    def __post_init__(self) -> None:
        assert self.a != 0


@dataclasses.dataclass
class Derived:
    a: int
    b: dataclasses.InitVar[int]


@attrs.define(on_setattr=lambda instance, attribute, value: value + 1)
class Setting:
    a: int


@attrs.define(slots=False)
class OwnSetattr:
    a: int

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value + 1)


class Shouting:
    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value + 1)


@dataclasses.dataclass
class InheritedSetattr(Shouting):
    a: int


@attrs.define
class OwnNew:
    a: int

    def __new__(cls, *args: object, **kwargs: object) -> typing.Self:
        return super().__new__(cls)


@attrs.define
class Deleting:
    a: int
    b: int

    def __del__(self) -> None:
        print(self.b)  # noqa: T201


@attrs.define
class Computing:
    a: int

    @functools.cached_property
    def b(self) -> int:
        return self.a


@dataclasses.dataclass
class OwnGetattribute:
    a: int

    def __getattribute__(self, name: str) -> Any:
        return super().__getattribute__(name)


@dataclasses.dataclass
class DefaultInClass:
    """`vars` of an instance would lack what is not in the payload."""

    a: int = 1


class HasName:
    name = "?"


@attrs.define(slots=False)
class Unmissed(HasName):
    """A missing name would be taken for found."""

    name: str


@dataclasses.dataclass
class Property:
    a: int
    a: int = property(lambda self: 1, lambda self, value: None)  # type: ignore # noqa: PGH003, PIE794


class Undecorated(Open):
    def shout(self) -> str:
        return self.c.upper()


@dataclasses.dataclass
@attrs.define(slots=False)
class Both:
    a: int


@attrs.define
class Untyped:
    a = attrs.field()


class AnyMeta(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(*args, **kwargs)


@attrs.define
class HasMeta(metaclass=AnyMeta):
    a: int


@attrs.define
class Abstract(ABC):
    a: int


@dataclasses.dataclass
class IsDict(dict[str, int]):
    a: int


Coffee: Any = attrs.make_class("Coffee", {"café": attrs.field(type=int, default=0)})


CoffeeDict: Any = TypedDict("CoffeeDict", dict.fromkeys(["café"], NotRequired[int]))  # type: ignore[misc]


@attrs.define
class Page(Generic[T]):
    items: list[T]


@attrs.define
class PetPage(Page[Pet]):
    total: int


class Slice(TypedDict, Generic[T]):
    items: list[T]


class Wrapped(TypedDict):
    a: Annotated[NotRequired[int], "documented"]


@attrs.define
class Tree:
    children: list[Tree]


@attrs.define
class Hen:
    egg: Egg | None


@attrs.define
class Egg:
    hen: Hen | None


class Guessing(enum.Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> Guessing:
        return cls.A


class Floating(enum.Enum):
    A = "a"
    B = 1.5


class Rights(enum.IntFlag):
    READ = 1


class Mixed(enum.Enum):
    A = "a"
    B = 1


class Large(enum.Enum):
    A = 2**64


class Tagged(TypedDict):
    type: Literal["a"]


class TaggedToo(TypedDict):
    type: Literal["b"]


@pytest.mark.parametrize(
    "type_",
    [
        *(Failure, CachedHash, CachedHashInDict, OwnInit, NoInit, OwnDataInit, Converted),
        *(Validated, FrozenConverted, FrozenValidated, Aliased, Private),
        *(NotAnArgument, NotADataArgument, TakesSelf, Counting),
        *(DataCounting, MakesCounting, MakesAnotherType, Before, After, DataAfter, Derived),
        *(Setting, OwnSetattr, InheritedSetattr, OwnNew, Deleting, Computing, OwnGetattribute),
        *(DefaultInClass, Unmissed, Property, Undecorated, Both, Untyped, HasMeta, Abstract),
        *(IsDict, Page[int], PetPage, Slice[int], Wrapped, Tree, Hen, AttrsNode, DataNode),
        *(Coffee, CoffeeDict),
        *(DictNode, Guessing, Floating, Rights, Mixed, Large, Literal[True], Literal[2**64]),
        *(Literal[Color.RED], datetime, time, Decimal, object, set[int], frozenset[str]),
        *(typing.Tuple, tuple[()], list[Final[int]], dict[Color, int], dict[Any, int]),  # noqa: UP006
        *(list[datetime], dict[str, Decimal], int | datetime, str | date, Any | None),
        *(Literal[1] | float, Level | float, Color | str, Literal["a"] | Color, int | Level),
        *(Tagged | TaggedToo, Pet | dict[str, int], Pet | Point, tuple[int, datetime]),
        *(tuple[datetime, ...], attrs.make_class("HasTime", {"at": attrs.field(type=time)})),
    ],
    ids=spelled,
)
def test_any_other_type_is_left_to_the_hooks(type_: Any) -> None:
    """Where msgspec might accept more, or make something else of it, it is not asked."""
    hook_of(type_)

    assert decode_of(type_) is None


def test_a_type_that_cannot_be_compared_is_left_to_the_hooks() -> None:
    """A factory that is a record of which nobody can tell the types is a doubt like any other."""

    @attrs.define
    class Dangling:
        a: Nothing  # type: ignore[name-defined]  # noqa: F821

    type_ = attrs.make_class("Uses", {"a": attrs.field(type=object, factory=Dangling)})

    assert decode_of(type_) is None
