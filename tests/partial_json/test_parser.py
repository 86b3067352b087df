"""The life of a parser: looking, waiting, ending, failing, limits."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.partial_json.texts import parsed, pieces_of, same
from trio_stream.partial_json import DEFAULT_MAX_DEPTH, PartialJSON, PartialJSONError

RECORD = {
    "id": 7,
    "name": 'a "name", {it\'s}',
    "tags": ["x", "y"],
    "more": {"ok": True, "no": None},
}


@contextmanager
def fault_at(position: int, match: str | None = None) -> Iterator[None]:
    """Expect an error at a position."""
    with pytest.raises(PartialJSONError, match=match) as caught:
        yield
    assert caught.value.position == position
    assert str(caught.value).endswith(f"at character {position}")


def parser_of(*pieces: str, **limits: int) -> PartialJSON:
    """A parser that was fed."""
    parser = PartialJSON(**limits)
    for piece in pieces:
        parser.feed(piece)
    return parser


def feed_often(parser: PartialJSON, text: Any) -> None:
    """Feed the same until an error comes, for longer than any batch waits."""
    for _ in range(5000):
        parser.feed(text)


def depth_of(value: Any) -> int:
    """How deep arrays of one element are nested."""
    depth = 0
    while isinstance(value, list):
        depth += 1
        value = value[0] if value else None
    return depth


# Looking.


def test_nothing_and_null_are_told_apart() -> None:
    """`snapshot` is `None` before the value has begun, and `has_value` tells that from null."""
    parser = parser_of(" ")
    assert (parser.snapshot(), parser.has_value) == (None, False)
    parser.feed("null")
    assert (parser.snapshot(), parser.has_value) == (None, True)


def test_document_is_complete_when_it_closes() -> None:
    """`is_complete` is true from the last bracket, quote or letter on; white space may follow."""
    for text in ('{"a": [1]}', '"a"', "true", "[]"):
        parser = PartialJSON()
        for character in text:
            assert not parser.is_complete
            parser.feed(character)
        assert parser.is_complete
        parser.feed(" \n")
        assert parser.is_complete


def test_number_is_complete_when_it_is_over() -> None:
    """A number that is the whole document closes with white space, or with `close`."""
    assert parser_of("12 ").is_complete
    parser = parser_of("12")
    assert (parser.is_complete, parser.has_value) == (False, False)
    assert parser.close() == 12
    assert (parser.is_complete, parser.snapshot()) == (True, 12)


def test_snapshot_is_live() -> None:
    """The open containers of a snapshot go on growing; it is the same object each time."""
    parser = parser_of('{"a": [1, ')
    value = parser.snapshot()
    parser.feed('{"b": 2}], "c": "')
    assert value == {"a": [1, {"b": 2}], "c": ""}
    assert parser.snapshot() is value


def test_copy_stays_as_it_is() -> None:
    """A copy does not grow; what was open is copied, what has closed is shared."""
    parser = parser_of('{"done": [1], "open": [[2], {"x": "y')
    copied = parser.snapshot(copy=True)
    live = parser.snapshot()
    parser.feed('z", "w": 1}, 3], "last": {}}')

    assert copied == {"done": [1], "open": [[2], {"x": "y"}]}
    assert live == {"done": [1], "open": [[2], {"x": "yz", "w": 1}, 3], "last": {}}
    assert copied["done"] is live["done"]
    assert copied["open"][0] is live["open"][0]


@pytest.mark.parametrize("text", ['"ab', "[", '{"a":{"b":[', '{"a":1,"b":{"a":[],"a":[[', "1 ", ""])
def test_copy_of_anything(text: str) -> None:
    """A copy is equal to the live value, whatever is open."""
    parser = parser_of(text)
    assert parser.snapshot(copy=True) == parser.snapshot()


# Ending.


def test_close_says_what_is_missing() -> None:
    """An unfinished text is an error at its end that says what was expected there."""
    for text, wanted in {
        "": "a value",
        "[": "a value or ']'",
        "[1 ": "',' or ']'",
        "[1,": "a value",
        "{": "a key or '}'",
        '{"a"': "':'",
        '{"a":': "a value",
        '{"a":[] ': "',' or '}'",
        '{"a":[],': "a key",
        '"a': "the rest of a string",
        r'"\ud83d\u': "the rest of a string",
        '{"a': "the rest of a key",
        "-": "the rest of a number",
        "[12": "the rest of a number",
        "tr": "the rest of true",
    }.items():
        parser = parser_of(text)
        with fault_at(len(text), f"^the text ends where {wanted}"):
            parser.close()


def test_close_keeps_what_was_certain() -> None:
    """After an unfinished text the value so far is still there, and nothing uncertain is added."""
    parser = parser_of('{"a": "x", "b": 12')
    with fault_at(18):
        parser.close()
    assert parser.snapshot() == {"a": "x"}
    assert not parser.is_complete


def test_close_is_idempotent_and_final() -> None:
    """`close` returns the same value again, and a fragment after it is the caller's mistake."""
    parser = parser_of("[1]")
    value = parser.close()
    assert parser.close() is value
    assert parser.snapshot() is value
    with pytest.raises(RuntimeError, match="after close"):
        parser.feed(" ")
    assert parser.is_complete


# Failing.


@pytest.mark.parametrize("text", ["[1, x", '["a\n', "[1] 2", "[01", '{"a" 1', "[" * 300])
def test_parser_is_spent_after_an_error(text: str) -> None:
    """After an error each `feed` and `close` raises it again; the value so far stays."""
    parser = PartialJSON()
    with pytest.raises(PartialJSONError) as caught:
        parser.feed(text)
    value = parser.snapshot(copy=True)
    for again in (lambda: parser.feed("]"), lambda: parser.feed(""), parser.close):
        with fault_at(caught.value.position):
            again()
    assert parser.snapshot() == value
    assert not parser.is_complete


def test_error_is_a_value_error_that_travels() -> None:
    """The error is a `ValueError` with message and position, and survives pickling."""
    with pytest.raises(ValueError, match=r"^expected a value, got '\]' at character 3$") as caught:
        parsed(["[1,]"])
    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.msg, error.position) == ("expected a value, got ']'", 3)
    assert str(error) == str(caught.value)


@pytest.mark.parametrize("wrong", [b"[1]", bytearray(b"1"), None, 1])
@pytest.mark.parametrize("fed", ["", "[" + 5000 * "1,"])
def test_only_str_is_fed(wrong: Any, fed: str) -> None:
    """Anything but `str` is a `TypeError`, and as if it had not come, also among what waits."""
    parser = PartialJSON()
    for piece in pieces_of(fed, 4):
        parser.feed(piece)
    with pytest.raises(TypeError, match=r"feed\(\) takes str"):
        feed_often(parser, wrong)
    parser.feed("[1]")
    parser.feed("]" if fed else "")
    assert same(parser.close(), f"{fed}[1]{']' if fed else ''}")


def test_what_waits_is_seen_after_a_wrong_type() -> None:
    """A wrong type among what waits does not keep the rest from being seen."""
    parser = parser_of("[", *(400 * ['{"a": 1}, ']), '{"b": [2, ')
    with pytest.raises(TypeError):
        feed_often(parser, None)
    assert parser.snapshot() == [*(400 * [{"a": 1}]), {"b": [2]}]


def test_subclass_of_str() -> None:
    """Of a subclass of `str` only its text counts."""

    class Odd(str):
        __slots__ = ()

        def __add__(self, _other: object) -> str:
            return "?"

        def __len__(self) -> int:
            return 1

        def isprintable(self) -> bool:
            return True

        def __str__(self) -> str:
            return "?"

    assert parsed([Odd('["a'), Odd("b\\n"), Odd('"]')]) == ["ab\n"]
    assert type(parser_of('"', Odd("a")).snapshot()) is str
    assert (
        parsed([Odd(piece) for piece in pieces_of(json.dumps([RECORD] * 40), 4)]) == [RECORD] * 40
    )


def test_number_of_too_many_digits() -> None:
    """An integer that Python refuses to convert is an error at its first digit."""
    digits = sys.get_int_max_str_digits()
    for size in (7, 10**6):
        assert parsed(pieces_of(f"[{'1' * digits}]", size)) == [int("1" * digits)]
        with fault_at(3, "^number: .*digits"):
            parsed(pieces_of(f"[1,{'1' * (digits + 1)}]", size))
        with fault_at(0, "^number: .*digits"):
            parsed(pieces_of("1" * (digits + 1), size))
        assert parsed(pieces_of(f"[0.{'1' * 20_000}, 1e{'0' * 9000}1]", size)) == [1 / 9, 10.0]


# Limits.


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":', '[1, {"b": 2, "a": '])
@pytest.mark.parametrize("looking", [False, True])
@pytest.mark.parametrize("size", [1, 3, 10**6])
def test_depth_is_bounded(opening: str, looking: bool, size: int) -> None:
    """One level more than ``max_depth`` is an error at its bracket; the limit is on by default."""
    levels = opening.count("[") + opening.count("{")
    for limits, limit in (
        ({}, DEFAULT_MAX_DEPTH),
        ({"max_depth": 20}, 20),
        ({"max_depth": 600}, 600),
    ):
        text = opening * (limit // levels)
        beginning = parser_of(*pieces_of(text, size), **limits)
        assert beginning.has_value
        with fault_at(len(text), f"max_depth={limit}"):
            parsed(
                pieces_of(f"{text}[] and nothing valid behind it", size), looking=looking, **limits
            )


def test_depth_is_exact_for_whole_containers() -> None:
    """The depth is the same for containers that are whole, one or many at once, and cut or not."""
    for depth in (5, 6):
        element = f'{{"k": {"[" * (depth - 2)}1{"]" * (depth - 2)}}}'
        text = f"[{', '.join([element] * 300)}]"
        for size in (7, 900, 10**6):
            if depth == 5:
                assert same(parsed(pieces_of(text, size), max_depth=5), text)
            else:
                with fault_at(text.index("[1"), "max_depth=5"):
                    parsed(pieces_of(text, size), max_depth=5)


@pytest.mark.parametrize("size", [2, 10**6])
def test_nothing_recurses(size: int) -> None:
    """With ``max_depth`` raised, 100,000 levels neither crash nor recurse."""
    depth = 100_000
    parser = parser_of(*pieces_of("[" * depth, size), max_depth=depth)
    assert depth_of(parser.snapshot(copy=True)) == depth
    for piece in pieces_of("]" * depth, size):
        parser.feed(piece)
    assert depth_of(parser.close()) == depth


def test_scanner_that_runs_out_of_stack() -> None:
    """Called with little of the stack left, the parser still does its work."""
    text = f"[{', '.join(['[' * 150 + ']' * 150] * 5)}]"

    def go_down(levels: int) -> Any:
        return go_down(levels - 1) if levels else parsed([text])

    levels = 1
    while True:
        try:
            value = go_down(levels)
        except RecursionError:
            break
        assert value[4][0][0]
        levels += 20
    assert levels > 100


@pytest.mark.parametrize("size", [1, 5, 10**6])
def test_length_is_bounded(size: int) -> None:
    """One character more than ``max_length`` is an error; a fault before it comes first."""
    text = '["' + 2000 * "a" + '"] '
    assert same(parsed(pieces_of(text, size), max_length=len(text)), text)
    for limit in (0, 1, 2, 700, len(text) - 1):
        with fault_at(limit, f"max_length={limit}"):
            parsed(pieces_of(text, size), max_length=limit)
    for text in ("[1 2" + 100 * " ", json.dumps([RECORD] * 40)[:-40] + "x" * 100):
        with pytest.raises(PartialJSONError, match=r"^expected") as caught:
            parsed(pieces_of(text, size))
        limit = caught.value.position
        with fault_at(limit, "^expected"):
            parsed(pieces_of(text, size), max_length=limit + 1)
        with fault_at(limit, f"max_length={limit}"):
            parsed(pieces_of(text, size), max_length=limit)


def test_number_may_be_as_long_as_the_limit() -> None:
    """The end of the text, which closes a number, is no character."""
    assert parser_of("1234", max_length=4).close() == 1234


def test_limit_keeps_what_came_before() -> None:
    """What came before the limit is still in the value, also if a high surrogate waited there."""
    parser = PartialJSON(max_length=9)
    with fault_at(9):
        parser.feed(r'["a\ud83d\ude00')
    assert parser.snapshot() == ["a"]


# Waiting.


@pytest.mark.parametrize(
    ("bad", "offset"),
    [("NaN", 0), ("-Infinity", 1), ("01", 1), ("[1,]", 3), ('"\n"', 1), ("[1 2]", 3), ("truth", 3)],
)
def test_whole_containers_are_read_as_strictly(bad: str, offset: int) -> None:
    """In a long text, much of which is read at once, a fault is found where it is, too."""
    text = json.dumps([RECORD] * 60)
    place = text.index("7", len(text) // 2)
    text = text[:place] + bad + text[place + 1 :]
    for size in (5, 500, 10**6):
        with fault_at(place + offset):
            parsed(pieces_of(text, size))


def test_error_comes_at_once_while_little_is_unread() -> None:
    """Of up to 512 characters since the last look, each fault raises in its own `feed`."""
    parser = parser_of("[" + 500 * "1,")
    parser.snapshot()
    for _ in range(255):
        parser.feed("1,")
    with fault_at(1511):
        parser.feed(",")


def test_error_comes_at_once_when_somebody_looks() -> None:
    """Whoever looks after each fragment has each fault in its own `feed`, however long the text."""
    parser = parser_of("[")
    for _ in range(5000):
        parser.feed("1,")
        parser.snapshot()
    with fault_at(10_001):
        parser.feed(",")


@pytest.mark.parametrize("call", ["snapshot", "close", "is_complete", "has_value"])
def test_error_that_waits_comes_with_the_next_look(call: str) -> None:
    """A fault in what waits raises from whatever reads it, with its exact position."""
    parser = parser_of("[", *(2000 * ["1,"]))
    parser.feed(",")
    with fault_at(4001):
        _ = getattr(parser, call)() if call in ("snapshot", "close") else getattr(parser, call)
    assert parser.snapshot() == 2000 * [1]
    with fault_at(4001):
        parser.feed("1")


def test_error_waits_for_no_more_than_has_come() -> None:
    """An error comes at the latest when as much again has come as before it."""
    for count in (1000, 2000, 4000):
        parser = parser_of("[", *(count * ["1,"]), ",")
        with fault_at(2 * count + 1):
            for _ in range(count):
                parser.feed("1,")


def test_error_waits_for_no_more_than_so_many_fragments() -> None:
    """However long the text is, an error comes within 4096 fragments."""
    parser = parser_of("[", *(40_000 * ["1,"]), ",")
    with fault_at(80_001):
        feed_often(parser, "1,")


@pytest.mark.parametrize("every", [1, 7, 300, 10**6])
@pytest.mark.parametrize("size", [1, 4, 100, 5000, 10**6])
def test_looking_changes_nothing(every: int, size: int) -> None:
    """How often somebody looks makes no difference to what is seen then, or in the end."""
    text = json.dumps(
        {"records": [RECORD] * 80, "text": 3000 * "long\n", "deep": [[[RECORD] * 20]]}
    )
    parser = PartialJSON()
    eager = PartialJSON(on_value=lambda _path, _value: None)
    for number, piece in enumerate(pieces_of(text, size), 1):
        parser.feed(piece)
        eager.feed(piece)
        if number % every == 0 and (every > 1 or number % 50 == 0):
            assert parser.snapshot() == eager.snapshot()
        elif every == 1:
            parser.snapshot()
    assert same(parser.close(), text)
    assert same(eager.close(), text)
