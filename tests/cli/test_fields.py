"""The path of a field, and JSON that keeps its letters."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trio_stream.cli._fields import FieldPath, json_line, look_up, parse_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        (".a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ("[0][-1].x y", (0, -1, "x y")),
        ("ключ", ("ключ",)),
    ],
)
def test_path_is_read(text: str, path: FieldPath) -> None:
    """A path is names after dots and places in brackets."""
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", "a..b", "a[", "a[x]", "a[0]b", "[]", "a]"])
def test_no_path_is_refused(text: str) -> None:
    """What is no path is refused, and nothing of it is guessed."""
    with pytest.raises(ValueError, match="no path"):
        parse_path(text)


@pytest.mark.parametrize(
    ("path", "found"), [("a.b[1]", 2), ("a.b[-1]", 2), ("a.n", None), ("a.b", [1, 2])]
)
def test_field_is_found(path: str, found: object) -> None:
    """A field that is there is found, `null` included."""
    assert look_up({"a": {"b": [1, 2], "n": None}}, parse_path(path)) == found


@pytest.mark.parametrize(
    ("value", "path"),
    [({}, "a"), ({"a": 1}, "a.b"), ([1], "[1]"), ({"0": 1}, "[0]"), ("abc", "[0]"), (None, "a")],
)
def test_absent_field_is_told(value: Any, path: str) -> None:
    """A field that is not there is a `LookupError`, whatever stands in its place."""
    with pytest.raises(LookupError):
        look_up(value, parse_path(path))


@pytest.mark.parametrize(
    "text", ['{"a": 1.10}', "12345678901234567890.5", '"a\\ud800"', "null", '{"a":1,"a":2}']
)
def test_json_stays_as_it_came(text: str) -> None:
    """Data that is JSON is passed on to the letter: no number is rounded, no key lost."""
    assert json_line(text) == text


@pytest.mark.parametrize("text", ["", "plain", "{", "NaN", "-Infinity", "1e999", "[" * 100_000])
def test_other_data_becomes_a_string(text: str) -> None:
    """Data that is not JSON, or that readers of JSON would choke on, becomes a JSON string."""
    assert json.loads(json_line(text)) == text


def test_json_is_brought_to_one_line() -> None:
    """JSON that spans lines is one line afterwards and means the same."""
    text = '{"a":\r\n [1,\n 2], "b": "c\\nd"}'

    assert "\n" not in json_line(text)
    assert json.loads(json_line(text)) == json.loads(text)
