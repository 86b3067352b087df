"""Random texts, valid and not, under random cuttings, against the reference."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.partial_json.reference import is_truncation, look
from tests.partial_json.texts import cut, parsed, pieces_of, places, same, spoiled, texts, value_of
from trio_stream.partial_json import PartialJSON, PartialJSONError


def fault_of(text: str, pieces: list[str], *, looking: bool) -> tuple[int, int] | None:
    """Where the fault is and how much had been fed when it was raised; `None` if there is none."""
    parser = PartialJSON()
    fed = 0
    try:
        for piece in pieces:
            fed += len(piece)
            parser.feed(piece)
            if looking:
                parser.snapshot()
        parser.close()
    except PartialJSONError as error:
        return error.position, fed
    return None


def has_equal_keys(text: str) -> bool:
    """Whether an object has a key twice."""
    found = []

    def note(pairs: list[tuple[str, object]]) -> None:
        found.append(len(dict(pairs)) < len(pairs))

    json.loads(text, object_pairs_hook=note)
    return any(found)


@given(text=texts, ends=places)
@example(text=r'"\ud83d\ude00"', ends=list(range(14)))
@example(text=r'["\ud83d\ud83d\u0041"]', ends=list(range(22)))
@example(text=r'{"a":1,"a":[2],"a":"3"}', ends=list(range(23)))
def test_value_after_each_piece(text: str, ends: list[int]) -> None:
    """After each piece, value, completeness and presence are the reference's for that text."""
    parser = PartialJSON()
    fed = ""
    for piece in cut(text, ends):
        parser.feed(piece)
        fed += piece
        seen = look(fed)
        assert seen.fault is None
        assert repr(value_of(parser)) == repr(seen.value)
        assert parser.is_complete is seen.is_complete
    assert same(parser.close(), text)
    assert parser.is_complete


@given(text=texts)
def test_value_after_each_character(text: str) -> None:
    """The same, character by character; and each value is a truncation of the next."""
    parser = PartialJSON()
    values = [value_of(parser)]
    for number, character in enumerate(text, 1):
        parser.feed(character)
        value = value_of(parser)
        assert repr(value) == repr(look(text[:number]).value)
        values.append(value)
    values.append(parser.close())
    assert same(values[-1], text)
    if not has_equal_keys(text):
        assert all(is_truncation(before, after) for before, after in pairwise(values))


@given(text=spoiled, ends=places)
@example(text=r'["\ud83d\u12G"]', ends=[])
@example(text="[1.e]", ends=[1, 2, 3])
def test_any_text_is_refused_where_it_goes_wrong(text: str, ends: list[int]) -> None:
    """A fault raises in the call that brings its character, with its position, however cut."""
    seen = look(text)
    pieces = cut(text, ends)
    if seen.fault is not None:
        reached = next(fed for fed in _lengths(pieces) if fed > seen.fault)
        expected = (seen.fault, reached)
    elif _is_whole(text):
        expected = None
    else:
        expected = (len(text), len(text))

    assert fault_of(text, pieces, looking=False) == expected
    assert fault_of(text, pieces, looking=True) == expected


def _lengths(pieces: list[str]) -> list[int]:
    return list(accumulate(map(len, pieces)))


def _is_whole(text: str) -> bool:
    return look(text + " ").is_complete


@given(text=spoiled)
def test_value_stays_as_it_was_before_the_fault(text: str) -> None:
    """After an error the value is still what the text showed up to the fault."""
    seen = look(text)
    parser = PartialJSON()
    try:
        parser.feed(text)
        parser.close()
    except PartialJSONError:
        assert repr(value_of(parser)) == repr(seen.value)
        assert not parser.is_complete
    else:
        assert seen.fault is None
        assert same(parser.snapshot(), text)


@st.composite
def _long(draw: st.DrawFn) -> str:
    """Arrays that are long enough for batches and for the scanner, of much the same."""
    parts = draw(st.lists(texts, min_size=1, max_size=4))
    separators = draw(st.sampled_from([",", ", ", ",\n  ", " , "]))
    before = draw(st.sampled_from(["", "[", '{"a": ']))
    after = {"": "", "[": "]", '{"a": ': "}"}[before]
    repeated = separators.join(parts * draw(st.integers(20, 80)))
    return f"{before}[{repeated}]{after}"


long_texts = _long()


@settings(max_examples=50)
@given(text=long_texts, size=st.sampled_from([3, 7, 50, 700, 10**6]), every=st.integers(1, 400))
def test_long_text_is_what_it_is(text: str, size: int, every: int) -> None:
    """A long text has its value however it is cut and however seldom somebody looks."""
    parser = PartialJSON()
    fed = 0
    for number, piece in enumerate(pieces_of(text, size), 1):
        parser.feed(piece)
        fed += len(piece)
        if number % every == 0:
            parser.snapshot()
            if fed < 1000:
                assert repr(value_of(parser)) == repr(look(text[:fed]).value)

    assert same(parser.close(), text)
    assert same(parsed([text]), text)


@settings(max_examples=50)
@given(
    text=long_texts, bad=spoiled, place=st.integers(0, 2**32), size=st.sampled_from([3, 40, 9999])
)
def test_fault_in_a_long_text(text: str, bad: str, place: int, size: int) -> None:
    """Far inside a long text a fault has the same position however it is cut."""
    place %= len(text)
    text = text[:place] + bad + text[place:]
    expected = fault_of(text, list(text), looking=True)

    for looking in (False, True):
        found = fault_of(text, pieces_of(text, size), looking=looking)
        assert (found and found[0]) == (expected and expected[0])
    if expected is not None:
        assert expected[1] == min(expected[0] + 1, len(text))
