"""The notice of each value as it closes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.partial_json.texts import cut, pieces_of, places, texts
from trio_stream.partial_json import Json, PartialJSON, PartialJSONError, Path, format_path

EDITS = '{"path": "a.py", "edits": [{"old": "x", "new_string": "y"}, 12, []], "edits": null}'


class Notes:
    """What was noticed, and after how many characters."""

    def __init__(self, **limits: int) -> None:
        self.noted: list[tuple[Path, str]] = []
        self.parser = PartialJSON(on_value=self.note, **limits)

    def note(self, path: Path, value: Json) -> None:
        self.noted.append((path, repr(value)))


def all_values(text: str) -> list[tuple[Path, str]]:
    """The values of a text with their paths, in the order in which they close."""
    found: list[tuple[Path, str]] = []

    def visit(value: Any, path: Path) -> Any:
        if isinstance(value, Pairs):
            value = {key: visit(each, (*path, key)) for key, each in value.pairs}
        elif isinstance(value, list):
            value = [visit(each, (*path, index)) for index, each in enumerate(value)]
        found.append((path, repr(value)))
        return value

    visit(json.loads(text, object_pairs_hook=Pairs), ())
    return found


class Pairs:
    """The members of an object, equal keys included."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


@given(text=texts, ends=places)
def test_each_value_is_noticed_once(text: str, ends: list[int]) -> None:
    """Each value is told with its path, after those inside it, however the text is cut."""
    notes = Notes()
    for piece in cut(text, ends):
        notes.parser.feed(piece)
    notes.parser.close()

    assert notes.noted == all_values(text)


def test_value_is_noticed_in_the_feed_that_closes_it() -> None:
    """The notice comes with the last character of a value, or with what ends a number."""
    notes = Notes()
    seen = {}
    for number, character in enumerate(EDITS):
        notes.parser.feed(character)
        for path, _ in notes.noted:
            seen.setdefault(format_path(path), number)

    assert {path: EDITS[: end + 1][-4:] for path, end in seen.items()} == {
        "path": '.py"',
        "edits[0].old": ' "x"',
        "edits[0].new_string": ' "y"',
        "edits[0]": '"y"}',
        "edits[1]": " 12,",
        "edits[2]": ", []",
        "edits": "[]]" + ",",
        "": "ull}",
    } | {"edits": " []]"}


def test_number_that_is_the_document_is_noticed_by_close() -> None:
    """A number with nothing behind it closes with the document."""
    notes = Notes()
    notes.parser.feed("12")
    assert notes.noted == []
    assert notes.parser.close() == 12
    assert notes.noted == [((), "12")]


def test_nothing_waits_and_nothing_is_taken_at_once() -> None:
    """With notices each value is told in time, however long the text and though nobody looks."""
    notes = Notes()
    for number in range(3000):
        notes.parser.feed("[1,"[number > 0 :])
        assert len(notes.noted) == number + 1
    notes.parser.feed(json.dumps({"a": [1] * 100}) + "]")
    assert len(notes.noted) == 3000 + 100 + 3
    with pytest.raises(PartialJSONError):
        notes.parser.feed("x")


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_exception_of_the_callback_leaves_feed(size: int) -> None:
    """It passes through; each value is told once, and what is left is read by the next call."""
    noted: list[str] = []

    def refuse(path: Path, _value: Json) -> None:
        noted.append(format_path(path))
        raise KeyError(path)

    parser = PartialJSON(on_value=refuse)
    raised = 0
    pieces = [*pieces_of(EDITS, size), *(20 * [""])]
    for piece in pieces:
        try:
            parser.feed(piece)
        except KeyError:
            raised += 1

    assert noted == [format_path(path) for path, _ in all_values(EDITS)]
    assert raised == len(noted)
    assert parser.close() == json.loads(EDITS)


def test_close_reads_what_an_exception_left() -> None:
    """`close` reads what was left of the fragment, and finds what is wrong with it."""
    interrupts = iter([True, False, False])

    def refuse(_path: Path, _value: Json) -> None:
        if next(interrupts):
            raise KeyboardInterrupt

    parser = PartialJSON(on_value=refuse)
    with pytest.raises(KeyboardInterrupt):
        parser.feed("[1, 2, x")
    with pytest.raises(PartialJSONError) as caught:
        parser.close()
    assert caught.value.position == 7
    assert parser.snapshot() == [1, 2]


def test_callback_may_look() -> None:
    """Inside of a notice the value so far holds what has just closed."""
    seen: list[Json] = []
    parser = PartialJSON(on_value=lambda _path, _value: seen.append(parser.snapshot(copy=True)))
    parser.feed('[1, "a", {"b": 2}]')

    assert seen == [
        [1],
        [1, "a"],
        [1, "a", {"b": 2}],
        [1, "a", {"b": 2}],
        [1, "a", {"b": 2}],
    ]


@pytest.mark.parametrize("call", ["feed", "close"])
def test_callback_may_not_feed(call: str) -> None:
    """Feeding or closing the parser inside of a notice is refused, and does no harm."""
    refused: list[str] = []

    def meddle(_path: Path, _value: Json) -> None:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="on_value must not") as caught:
                parser.feed("9") if call == "feed" else parser.close()
            refused.append(str(caught.value))

    parser = PartialJSON(on_value=meddle)
    parser.feed("[1, 2")
    parser.feed("3]")
    assert parser.close() == [1, 23]
    assert len(refused) == 6


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("edits", 3, "new_string"), "edits[3].new_string"),
        ((0,), "[0]"),
        ((0, "a", "b"), "[0].a.b"),
        (("a.py",), '["a.py"]'),
        (("files", "a.py", 0), 'files["a.py"][0]'),
        (("", "1a", 'q"\n', "é", "_x1"), '[""]["1a"]["q\\"\\n"].é._x1'),
    ],
)
def test_path_is_written_as_code_would(path: Path, text: str) -> None:
    """Indexes stand in brackets, identifiers behind dots, and other keys quoted in brackets."""
    assert format_path(path) == text
