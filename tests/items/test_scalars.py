"""Types that are no containers: checked, never coerced."""

from __future__ import annotations

import enum
import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NewType
from uuid import UUID

import pytest

from tests.items.reading import fault_of, fault_of_text, read, read_text, why


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Mood(str, enum.Enum):  # noqa: UP042 - as it was written before StrEnum
    GOOD = "good"


class Grade(enum.StrEnum):
    TOP = "A"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Open(enum.Enum):
    KNOWN = "known"
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> Open:
        return cls.OTHER


class Mixed(enum.Enum):
    WORD = "word"
    NUMBER = 1
    PAIR = (1, 2)
    TABLE = {"a": 1}  # noqa: RUF012 - an odd member, not a default


class Broken(enum.Enum):
    KNOWN = "known"

    @classmethod
    def _missing_(cls, value: object) -> Broken:
        raise KeyError(value)


PetId = NewType("PetId", int)
UTC = timezone.utc  # noqa: UP017


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (str, "1"),
        (str, ""),
        (int, 1),
        (int, -(10**30)),
        (float, 1.5),
        (bool, True),
        (bool, False),
        (type(None), None),
        (Any, {"a": [1, None]}),
        (object, "x"),
        (PetId, 7),
        (Annotated[int, []], 7),
        (Final[int], 7),
        (Literal["a", 1], "a"),
        (Literal["a", 1], 1),
    ],
)
def test_a_fitting_value_is_taken_as_it_is(item: Any, value: object) -> None:
    """A JSON value of the type asked for is the item, of the very same class."""
    item_read = read(item, value)

    assert item_read == value
    assert type(item_read) is type(value)


@pytest.mark.parametrize(
    ("item", "value", "message"),
    [
        (int, "1", "$: expected int, got str '1'"),
        (int, True, "$: expected int, got bool True"),
        (int, 1.0, "$: expected int, got float 1.0"),
        (int, None, "$: expected int, got None"),
        (str, 1, "$: expected str, got int 1"),
        (str, [], "$: expected str, got list"),
        (str, {}, "$: expected str, got dict"),
        (bool, 1, "$: expected bool, got int 1"),
        (bool, "true", "$: expected bool, got str 'true'"),
        (float, "1.5", "$: expected float, got str '1.5'"),
        (float, True, "$: expected float, got bool True"),
        (type(None), 0, "$: expected None, got int 0"),
        (Literal["a", 1], "b", "$: expected one of 'a', 1, got str 'b'"),
        (Literal[1], True, "$: expected one of 1, got bool True"),
        (Literal[True], 1, "$: expected one of True, got int 1"),
        (Literal[1], 1.0, "$: expected one of 1, got float 1.0"),
        (Literal["a"], ["a"], "$: expected one of 'a', got list"),
        (str | None, 1, "$: expected str | None, got int 1"),
    ],
)
def test_nothing_is_coerced(item: Any, value: object, message: str) -> None:
    """A value of another class is refused, however much it looks like the right one."""
    assert why(item, value) == message


def test_an_integer_is_a_float() -> None:
    """JSON has one kind of number: `1` is a float where one is asked for, and becomes 1.0."""
    value = read(float, 1)

    assert value == 1.0
    assert type(value) is float


def test_an_integer_too_large_for_a_float_is_refused() -> None:
    """An integer that no float can hold is a misfit, not an overflow."""
    assert fault_of(float, 10**400).path == "$"


@pytest.mark.parametrize(
    ("type_", "value", "member"),
    [
        (Color, "red", Color.RED),
        (Mood, "good", Mood.GOOD),
        (Grade, "A", Grade.TOP),
        (Level, 2, Level.HIGH),
        (Rights, 3, Rights.READ | Rights.WRITE),
        (Mixed, 1, Mixed.NUMBER),
        (Open, "known", Open.KNOWN),
        (Open, "whatever", Open.OTHER),
        (Literal[Color.RED], "red", Color.RED),
    ],
)
def test_an_enum_is_read_by_value(type_: Any, value: object, member: enum.Enum) -> None:
    """A member is found by its value, also where the enum derives from str or int."""
    item = read(type_, value)

    assert item is member or item == member
    assert type(item) is type(member)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Color, "green"),
        (Color, "RED"),
        (Color, ["red"]),
        (Mood, "bad"),
        (Level, True),
        (Level, 1.0),
        (Level, "1"),
        (Level, 3),
        (Rights, True),
        (Mixed, [1, 2]),
        (Open, 1),
        (Broken, "unknown"),
        (Literal[Color.RED], "blue"),
    ],
)
def test_an_enum_refuses_what_is_no_value(type_: Any, value: object) -> None:
    """Names are no values, nor are equal values of another class."""
    assert "expected" in why(type_, value)


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        (datetime, "2024-05-06T07:08:09Z", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),
        (
            datetime,
            "2024-05-06T07:08:09.5+02:00",
            datetime(2024, 5, 6, 7, 8, 9, 500000, timezone(timedelta(hours=2))),
        ),
        (date, "2024-05-06", date(2024, 5, 6)),
        (time, "07:08", time(7, 8)),
        (
            UUID,
            "12345678-1234-5678-1234-567812345678",
            UUID(int=0x12345678123456781234567812345678),
        ),
        (Decimal, "1.10", Decimal("1.10")),
        (Decimal, 12, Decimal(12)),
    ],
)
def test_formats_inside_strings_are_read(item: Any, value: object, expected: object) -> None:
    """Datetimes, dates, times, UUIDs and decimals are read from how JSON writes them."""
    assert read(item, value) == expected


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (datetime, "yesterday"),
        (datetime, 1715000000),
        (date, "2024-05-06T07:08:09Z"),
        (date, "2024-02-30"),
        (time, "25:00"),
        (UUID, "1234"),
        (UUID, 4321),
        (Decimal, "1,1"),
        (Decimal, "NaN"),
        (Decimal, 1.1),
        (Decimal, True),
    ],
)
def test_malformed_formats_are_refused(item: Any, value: object) -> None:
    """What is not written as the format demands is a misfit; no float becomes a decimal."""
    assert why(item, value).startswith("$: expected a")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON: expecting value at character 0"),
        ("nope", "not JSON: expecting value at character 0"),
        ('{"a": 1', "not JSON: expecting ',' delimiter at character 7"),
        ("1 2", "not JSON: extra data at character 2"),
        ("[1,]", "not JSON: "),
        ("\ufeff1", "not JSON: "),
        ("'a'", "not JSON: "),
        ('"\n"', "not JSON: invalid control character at character 1"),
        ("NaN", "not JSON that can be read: NaN is not JSON"),
        ("[-Infinity]", "not JSON that can be read: -Infinity is not JSON"),
        ("1" * 5000, "not JSON that can be read: "),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_a_bad_item(text: str, message: str) -> None:
    """A payload that is not JSON is a bad item as a whole, and the error says where it stops."""
    fault = fault_of_text(Any, text)

    assert str(fault).startswith(f"bad item at $: {message}")
    assert fault.path == "$"
    assert fault.raw == text.encode()
    assert isinstance(fault.__cause__, ValueError | RecursionError)
    assert fault.original_exception is fault.__cause__


@pytest.mark.parametrize("text", [" 1", "1 ", "\t\r\n1\n"])
def test_white_space_around_json_is_allowed(text: str) -> None:
    """White space before and after the value means nothing."""
    assert read_text(int, text) == 1


def test_the_rest_is_read_as_json_loads_reads_it() -> None:
    """The last of two equal keys wins, and a number beyond all floats is infinite."""
    assert read_text(Any, '{"a": 1, "a": 2}') == {"a": 2}
    assert read_text(float, "1e999") == math.inf


def test_a_long_value_is_shortened_in_the_message() -> None:
    """A message shows the beginning of a long string and not a huge integer at all."""
    assert why(int, "x" * 1000) == f"$: expected int, got str '{'x' * 40}'..."
    assert why(str, 10**100) == "$: expected str, got int"
