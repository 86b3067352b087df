"""From typed functions to tools: what the model is told, what it may send, what it is answered."""

from __future__ import annotations

import dataclasses
import enum
import functools
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs
import pytest
import trio

from tests.spelling import spelled
from trio_stream.dialects import ToolCall
from trio_stream.tools import Tool, ToolArgumentsError, tool
from trio_stream.tools._tool import result_text


class Unit(enum.Enum):
    CELSIUS = "C"
    KELVIN = "K"


@attrs.frozen
class Place:
    lat: float
    lon: float = attrs.field(alias="long")
    _near: str = ""


@tool
async def get_weather(
    city: str,
    *,
    days: Annotated[int, "from 1 to 7"] = 1,
    unit: Unit = Unit.CELSIUS,
    place: Place | None = None,
) -> str:
    """Forecast the weather.

    It is never wrong.

    Args:
        city: The name of the city.
        days: how many
    """
    return f"{city} {days} {unit.name} {place}"


def call_of(called: Tool[..., Any], arguments: Any, *, is_custom: bool = False) -> ToolCall:
    return ToolCall("call_1", called.name, arguments, is_custom=is_custom)


# --- what the model is told --------------------------------------------------------------------


def test_declaration() -> None:
    """Name, description and schema come from the function, its docstring and its types."""
    place = {
        "type": "object",
        "properties": {
            "lat": {"type": "number"},
            "long": {"type": "number"},
            "near": {"type": "string"},
        },
        "required": ["lat", "long"],
        "additionalProperties": False,
    }

    assert get_weather.name == "get_weather"
    assert get_weather.description == "Forecast the weather."
    assert get_weather.timeout is None
    assert not get_weather.is_custom
    assert get_weather.schema == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The name of the city."},
            "days": {"type": "integer", "description": "from 1 to 7", "default": 1},
            "unit": {"type": "string", "enum": ["C", "K"], "default": "C"},
            "place": {"anyOf": [place, {"type": "null"}]},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_declared_otherwise() -> None:
    """What the docstring would say can be said in arguments."""

    @tool(name="sum", description="Add.", timeout=3)
    def add(left: int, right: int) -> int:
        """Add two numbers."""
        return left + right

    assert (add.name, add.description, add.timeout) == ("sum", "Add.", 3)
    assert add(1, right=2) == 3


async def test_tool_is_still_a_function() -> None:
    """A tool can be called as the function that it was made from."""
    assert await get_weather("Oslo", days=2) == "Oslo 2 CELSIUS None"


def test_tool_of_anything_that_can_be_called() -> None:
    """A method, a partial and an object with `__call__` make tools, too."""

    class Counter:
        """Counts."""

        def __call__(self, step: int) -> int:
            """Count on."""
            return step

        def back(self, step: int) -> int:
            """Count back."""
            return -step

    assert tool(Counter().back).schema["required"] == ["step"]
    assert tool(name="count")(Counter()).schema["required"] == ["step"]
    partial = tool(name="back")(functools.partial(Counter().back, step=1))
    assert partial.schema["required"] == []


@attrs.frozen
class Tree:
    children: list[Tree]


def test_recursive_parameter() -> None:
    """The definition of a class that contains itself stands at the top of the schema."""

    @tool
    def prune(tree: Tree, other: Tree = Tree([])) -> None:
        pass

    assert prune.schema["properties"] == {
        "tree": {"$ref": "#/$defs/Tree"},
        "other": {"$ref": "#/$defs/Tree"},
    }
    assert [*prune.schema["$defs"]] == ["Tree"]


def refused() -> dict[str, tuple[Callable[..., Any], str]]:
    def unsupported(good: int, bad: bytes) -> None: ...
    def nested(bad: list[dict[int, str]]) -> None: ...
    def untyped(bad) -> None: ...  # type: ignore[no-untyped-def]
    def positional(bad: int, /) -> None: ...
    def variadic(*bad: int) -> None: ...
    def keywords(**bad: int) -> None: ...
    def missing(bad: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    return {
        "unsupported": (unsupported, "parameter 'bad' of tool 'unsupported': JSON has no bytes"),
        "nested": (nested, "parameter 'bad' of tool 'nested': the keys of a JSON object"),
        "untyped": (untyped, "parameter 'bad' of tool 'untyped' has no type"),
        "positional": (positional, "parameter 'bad' of tool 'positional' is positional-only"),
        "variadic": (variadic, "parameter 'bad' of tool 'variadic' is variadic positional"),
        "keywords": (keywords, "parameter 'bad' of tool 'keywords' is variadic keyword"),
        "missing": (missing, "an annotation of tool 'missing' leads nowhere: name 'Nowhere'"),
    }


@pytest.mark.parametrize(("function", "problem"), refused().values(), ids=refused())
def test_function_that_is_no_tool(function: Callable[..., Any], problem: str) -> None:
    """A function that a model could not call is refused at once, with the parameter's name."""
    with pytest.raises(TypeError, match=problem):
        tool(function)


def test_tool_without_a_name() -> None:
    """A function without a name needs one."""
    with pytest.raises(ValueError, match="pass name="):
        tool(lambda: None)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_timeout_that_is_none(timeout: float) -> None:
    """A timeout is greater than 0."""
    with pytest.raises(ValueError, match="greater than 0"):
        tool(timeout=timeout)(get_weather.function)


# --- what it may send --------------------------------------------------------------------------


def test_arguments_are_typed() -> None:
    """Arguments are read into the types of the parameters; what is left out stays out."""
    given = {"city": "Oslo", "unit": "K", "place": {"lat": 1, "long": 2.5}}

    assert get_weather.arguments(call_of(get_weather, given)) == {
        "city": "Oslo",
        "unit": Unit.KELVIN,
        "place": Place(1.0, 2.5),
    }


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"city": 5}, ["$.city: expected str, got int 5"]),
        ({"city": "Oslo", "days": "2"}, ["$.days: expected int, got str '2'"]),
        ({"city": "Oslo", "days": True}, ["$.days: expected int, got bool True"]),
        ({}, ["$.city: the argument is missing"]),
        ({"city": "Oslo", "when": 1}, ["$.when: there is no such argument"]),
        (
            {"days": None, "town": "Oslo"},
            [
                "$.city: the argument is missing",
                "$.days: expected int, got None",
                "$.town: there is no such argument",
            ],
        ),
        (
            {"city": "Oslo", "place": {"lat": 1, "long": "2"}},
            ["$.place.long: expected float, got str '2'"],
        ),
        ({"city": "Oslo", "unit": "F"}, ["$.unit: expected Unit, got str 'F'"]),
        (["Oslo"], ["$: expected an object, got an array"]),
        ("Oslo", ["$: expected an object, got a string"]),
        (None, ["$: expected an object, got null or nothing"]),
    ],
)
def test_wrong_arguments(given: Any, problems: list[str]) -> None:
    """Everything that is wrong with the arguments is told at once, with its place."""
    with pytest.raises(ToolArgumentsError) as caught:
        get_weather.arguments(call_of(get_weather, given))

    assert str(caught.value) == "; ".join(problems)


@tool(custom=True)
def write(text: str) -> int:
    """Write it down."""
    return len(text)


async def test_custom_tool() -> None:
    """A custom tool takes its text as it is, or as its one argument where that is not known."""
    assert write.is_custom
    assert await write.run(call_of(write, "abc", is_custom=True)) == 3
    assert await write.run(call_of(write, {"text": "abc"})) == 3


def test_text_for_a_tool_that_takes_none() -> None:
    """A custom call of a tool that is not custom has wrong arguments."""
    with pytest.raises(ToolArgumentsError, match="expected an object, got a string"):
        get_weather.arguments(call_of(get_weather, "Oslo", is_custom=True))


@pytest.mark.parametrize("custom", [lambda: None, get_weather.function], ids=["none", "several"])
def test_custom_tool_has_one_text(custom: Callable[..., Any]) -> None:
    """A custom tool has one parameter, a string."""
    with pytest.raises(TypeError, match="it has one parameter, a str"):
        tool(name="bad", custom=True)(custom)


# --- running -----------------------------------------------------------------------------------


async def test_blocking_tool_runs_in_a_thread() -> None:
    """A function that is not async may block: it does not run in trio's thread."""

    @tool
    def which() -> int:
        return threading.get_ident()

    assert await which.run(call_of(which, {})) != threading.get_ident()


async def test_cancelled_thread() -> None:
    """A function in a thread can ask whether it is cancelled, and is waited for in any case."""
    steps = []

    @tool
    def work() -> None:
        trio.from_thread.run_sync(scope.cancel)
        steps.append("cancelled")
        trio.from_thread.check_cancelled()

    with trio.CancelScope() as scope:
        await work.run(call_of(work, {}))

    assert steps == ["cancelled"]
    assert scope.cancelled_caught


async def test_object_that_is_called_asynchronously() -> None:
    """An object with an async `__call__` is an async tool, also inside a partial."""

    class Double:
        async def __call__(self, n: int) -> int:
            await trio.lowlevel.checkpoint()
            return 2 * n

    made = tool(name="double")(functools.partial(functools.partial(Double())))
    assert await made.run(call_of(made, {"n": 2})) == 4


# --- what it is answered -----------------------------------------------------------------------


@dataclasses.dataclass
class Forecast:
    at: datetime
    unit: Unit
    more: object = None


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


class Word(enum.StrEnum):
    YES = "yes"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Grüße", "Grüße"),
        ("", ""),
        (None, ""),
        (3, "3"),
        (True, "true"),
        (1.5, "1.5"),
        (["Grüße", None], '["Grüße", null]'),
        ({"a": (1, 2), 3: "b"}, '{"a": [1, 2], "3": "b"}'),
        ({1}, "[1]"),
        (frozenset(["a"]), '["a"]'),
        (MappingProxyType({"a": {1}}), '{"a": [1]}'),
        (Unit.KELVIN, '"K"'),
        (Word.YES, '"yes"'),
        (NOON, '"2026-01-02T12:00:00+00:00"'),
        (NOON.date(), '"2026-01-02"'),
        (NOON.time(), '"12:00:00"'),
        (Decimal("1.50"), '"1.50"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (PurePosixPath("/tmp"), '"/tmp"'),
        (Place(1, 2), '{"lat": 1, "long": 2, "near": ""}'),
        (
            [Forecast(NOON, Unit.KELVIN, {"then": Forecast(NOON, Unit.CELSIUS)})],
            (
                '[{"at": "2026-01-02T12:00:00+00:00", "unit": "K", "more": {"then": '
                '{"at": "2026-01-02T12:00:00+00:00", "unit": "C", "more": null}}}]'
            ),
        ),
    ],
    ids=lambda each: spelled(each)[:40],
)
def test_result_text(value: object, text: str) -> None:
    """What a tool returns is written as JSON, but for text."""
    assert result_text(value) == text


def circle() -> list[object]:
    inner: list[object] = []
    inner.append(inner)
    return inner


@pytest.mark.parametrize(
    ("value", "error", "problem"),
    [
        (object(), TypeError, "no JSON for object"),
        ([b"x"], TypeError, "no JSON for bytes"),
        ({(1, 2): 3}, TypeError, "unhashable"),
        (circle(), (ValueError, RecursionError), "Circular|recursion"),
    ],
    ids=["object", "bytes", "keys", "circle"],
)
def test_result_that_is_no_json(value: object, error: type[Exception], problem: str) -> None:
    """What JSON cannot say is refused."""
    with pytest.raises(error, match=problem):
        result_text(value)


def test_literal_parameter() -> None:
    """A literal is one of its values, in the schema and in a call."""

    @tool
    def turn(way: Literal["left", "right"]) -> str:
        return way

    assert turn.schema["properties"]["way"] == {"type": "string", "enum": ["left", "right"]}
    with pytest.raises(ToolArgumentsError, match=r"\$\.way: expected one of 'left', 'right'"):
        turn.arguments(call_of(turn, {"way": "up"}))
