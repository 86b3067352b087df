"""Types that msgspec reads: the same items and the same errors as without it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trio_stream.items
from tests.items.plain import (
    JSON,
    PLAIN_TYPES,
    Delta,
    Event,
    Loose,
    Movie,
    corrupted,
    outcome_of,
    spoilt,
    values_for,
)
from trio_stream.errors import BadItemError
from trio_stream.framing import Record
from trio_stream.items import ItemDecoder, _native, item_decoder
from trio_stream.items._converter import hook_of
from trio_stream.items._native import decode_of, is_known, may_hold_huge_int
from trio_stream.items._reader import json_reader, reader_of

pytest.importorskip("msgspec")


def assert_alike(type_: Any, text: str) -> None:
    """With msgspec and without it one payload gives the same item or the same error."""
    assert decode_of(type_) is not None
    assert outcome_of(reader_of(type_), text) == outcome_of(json_reader(hook_of(type_)), text)


# ---- random types and payloads -----------------------------------------------------------------


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, str]:
    """A type, and JSON that fits it, nearly fits it or was damaged."""
    type_ = draw(PLAIN_TYPES)
    value = draw(values_for(type_) | JSON)
    if draw(st.booleans()):
        value = spoilt(draw, value)
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1)))
    return type_, corrupted(draw, text) if draw(st.booleans()) else text


@given(cases())
def test_msgspec_makes_no_difference(case: tuple[Any, str]) -> None:
    """A type that msgspec is trusted with gives the same items and errors as without msgspec."""
    type_, text = case

    assert_alike(type_, text)


@given(
    st.sampled_from([int, float, Any, int | float, float | None, dict[str, float]]),
    st.from_regex(r"\A-?(0|[1-9][0-9]{0,45})(\.[0-9]{1,45})?([eE][+-]?[0-9]{1,3})?\Z")
    | st.floats().map(repr)
    | st.integers(-(2**70), 2**70).map(str)
    | st.text("0123456789+-.eE", max_size=8),
)
def test_numbers_make_no_difference(type_: Any, number: str) -> None:
    """However a number is written, it is read as the same number, or refused."""
    assert_alike(type_, f'{{"a": {number}}}' if type_ == dict[str, float] else number)


@given(
    st.sampled_from([str, Any, dict[str, int], UUID, Loose]),
    st.lists(
        st.sampled_from([*'"\\/bfnrtu{}:,', "\\u", "d83d", "\\ude00", "\\ud83d", "00e9", "\x7f"])
        | st.characters(),
        max_size=8,
    ).map("".join),
)
def test_strings_make_no_difference(type_: Any, inside: str) -> None:
    """Whatever stands between two quotes, be it a value or a key, is read as the same string."""
    for text in (f'"{inside}"', f'{{"{inside}": 1}}', f'{{"unknown": "{inside}"}}'):
        assert_alike(type_, text)


# ---- chosen payloads ---------------------------------------------------------------------------

WHOLE = (
    '{"type": "delta", "index": 1, "delta": {"type": "text", "text": "h\\u00e9\\"\\ud83d\\ude00"},'
    ' "usage": [1, -2.5e3, null], "unknown": {"a": [true, {}]}}'
)


def test_a_payload_that_is_cut_makes_no_difference() -> None:
    """A payload that ends too early gives the same error, wherever it ends."""
    for end in range(len(WHOLE) + 1):
        assert_alike(Event, WHOLE[:end])


def test_a_payload_with_a_wrong_character_makes_no_difference() -> None:
    """A payload in which one character is another one gives the same item or the same error."""
    for at in range(len(WHOLE)):
        for character in '"\\{}[],:0-e \ud800':
            assert_alike(Event, WHOLE[:at] + character + WHOLE[at + 1 :])


@pytest.mark.parametrize(
    "value",
    [
        *("1e400", "-1e400", "1e-400", "-0", "-0.0", "1.0", "01", "1.", "+1", "NaN", "-Infinity"),
        *("9" * 400, "9" * 4300, "9" * 4301, "9" * 4301 + ".5", "1e" + "9" * 4301),
        *("[" * 300 + "]" * 300, '{"a":' * 100_000, "[" * 100_000, '"\\ud800"', '"\ud800"'),
        *('"\x00"', '"\t"', "'a'", "tru", "nulll", "1 2", "1,", "/**/1", "\ufeff1", "\x0b1", "٣"),
        *('{"a": 1, "a": 2}', '{"a": "x", "a": 1}', '{"a": 1, "\\u0061": 2}', '{"a"}', "[1,]"),
    ],
    ids=lambda value: f"{ascii(value)[:20]}-{len(value)}",
)
def test_what_json_is_makes_no_difference(value: str) -> None:
    """What is JSON and what is not is the same, also in a field that is dropped."""
    assert_alike(Any, value)
    assert_alike(float, value)
    assert_alike(int | str | None, f" {value}\r\n")
    assert_alike(dict[str, int], value)
    for key in ("a", "unknown"):
        assert_alike(Loose, f'{{"{key}": {value}}}')
        assert_alike(Movie, f'{{"title": "Up", "{key}": [{value}]}}')


@given(st.integers(0, 3_000), st.integers(-1, 2), st.text("[]{} ,:a0", max_size=20))
def test_a_huge_integer_is_noticed(before: int, more: int, rest: str) -> None:
    """A text that has as many digits in a row as CPython refuses is never taken for harmless."""
    limit = sys.get_int_max_str_digits()
    text = "x" * before + "1" * (limit + more) + rest

    assert may_hold_huge_int(text)
    assert not may_hold_huge_int(text.replace("1", "1.") + "]")


def test_the_limit_of_integers_is_that_of_the_moment() -> None:
    """A program that sets how long an integer may be sets it for items, too."""
    payloads = [f'{{"a": 1, "unknown": {"1" * digits}}}' for digits in (630, 640, 641, 700, 5_000)]
    before = sys.get_int_max_str_digits()
    try:
        for limit, whole in ((640, 2), (690, 3), (0, 5)):
            sys.set_int_max_str_digits(limit)
            outcomes = [outcome_of(reader_of(Loose), text) for text in payloads]
            for text in payloads:
                assert_alike(Loose, text)
            assert [len(items) for items, _ in outcomes] == [1] * whole + [0] * (5 - whole)
    finally:
        sys.set_int_max_str_digits(before)


def test_the_name_of_the_event_chooses_the_decoder() -> None:
    """With a mapping each type is read natively, and the errors name the event."""
    decoder = item_decoder({"delta": Delta, "movie": Movie}, on_bad_item="skip")
    out: list[Any] = []

    decoder.decode(
        [
            trio_stream.framing.ServerSentEvent("delta", '{"type": "a", "text": "b"}'),
            trio_stream.framing.ServerSentEvent("movie", '{"title": "Up"}'),
            trio_stream.framing.ServerSentEvent("movie", '{"title": 5}'),
        ],
        out,
    )

    assert out == [Delta("a", "b"), {"title": "Up"}]
    assert decoder.skipped_items == 1


@attrs.define
class BytesFrame:
    """As a framing of the user's own may make."""

    data: bytes


def test_bytes_are_no_text() -> None:
    """Msgspec would take bytes, and does not get them: a frame of bytes is refused as ever."""
    with pytest.raises(trio_stream.errors.StreamError, match="the frames of this stream are Bytes"):
        item_decoder(Loose).decode([BytesFrame(b'{"a": 1}')], [])


# ---- without msgspec ---------------------------------------------------------------------------


def test_without_msgspec_hooks_read_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where msgspec is missing no type is read natively, and the items are the same."""
    item, [] = outcome_of(reader_of(Event), WHOLE)
    monkeypatch.setattr(_native, "_decoder_class", None)

    assert decode_of(Event) is None
    assert outcome_of(reader_of(Event), WHOLE) == (item, [])


def test_msgspec_need_not_be_installed() -> None:
    """The package works in a process that cannot import msgspec."""
    program = (
        "import sys; sys.modules['msgspec'] = None\n"
        "from trio_stream.framing import Record\n"
        "from trio_stream.items import item_decoder\n"
        "out = []; item_decoder(dict[str, int]).decode([Record('{\"a\": 1}')], out); print(out)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[{'a': 1}]\n"


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("0.22.0", True),
        ("0.22.1.dev3", True),
        ("0.30", True),
        ("1.0.0", True),
        ("0.21.1", False),
        ("0.9.9", False),
        ("0+unknown", False),
    ],
)
def test_an_older_msgspec_is_not_used(version: str, known: bool) -> None:
    """Only versions that were compared, and those that follow, are trusted."""
    assert is_known(version) is known


def test_msgspec_is_imported_in_one_place() -> None:
    """One module of the room knows msgspec; the others run the same without it."""
    room = Path(trio_stream.items.__file__).parent
    imports = re.compile(r"^\s*(import|from) msgspec", re.MULTILINE)

    assert [each.name for each in room.glob("*.py") if imports.search(each.read_text())] == [
        "_native.py"
    ]


def test_a_fault_is_judged_by_the_hook_alone() -> None:
    """An error shows nothing of msgspec: no cause, no context, and the words of the hook."""
    errors: list[BadItemError] = []

    ItemDecoder(reader_of(Delta), errors.append).decode([Record('{"type": "a", "text": 1}')], [])

    [error] = errors
    assert str(error) == "bad item at $.text: expected str, got int 1"
    assert error.__cause__ is error.__context__ is error.original_exception is None
