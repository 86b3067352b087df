"""JSON texts as they may come, and where to cut them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tests.partial_json.reference import NOTHING
from trio_stream.partial_json import PartialJSON

CORPORA = Path(os.environ.get("TRIO_STREAM_CORPORA", "/nowhere"))

spaces = st.sampled_from(["", "", "", " ", "\n", "\t", "\r\n", " \n  "])
escapes = st.sampled_from(
    [
        *(r"\"", r"\\", r"\/", r"\b", r"\f", r"\n", r"\r", r"\t", r"\u0041", r"\u00e9", r"\uFFFF"),
        *(r"\ud83d\ude00", r"\uD83D\uDE00", r"\ud83d", r"\ude00", r"\ud83d\u0041", r"\ud83d\ud83d"),
        *(r"\ud83d\\", r"\\ud83d", r"\ud83d\n", r"\udbff\udfff", r"\u0000", r"\u2028", r"\\n"),
    ]
)
characters = st.characters(min_codepoint=32, exclude_characters='"\\')
strings = st.lists(characters | st.sampled_from("abc {}[],:") | escapes, max_size=6).map(
    lambda parts: f'"{"".join(parts)}"'
)
numbers = st.sampled_from(
    [
        "0",
        "-0",
        "1",
        "12",
        "-120",
        "0.5",
        "-0.50",
        "1e5",
        "1E+5",
        "2.5e-3",
        "0e0",
        "1e999",
        "9" * 30,
    ]
) | st.integers().map(str)
words = st.sampled_from(["true", "false", "null"])
scalars = strings | numbers | words


@st.composite
def _array(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
    elements = draw(st.lists(st.tuples(spaces, items, spaces).map("".join), max_size=4))
    return f"[{','.join(elements) or draw(spaces)}]"


def _object(keys: st.SearchStrategy[str]) -> Any:
    @st.composite
    def make(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
        member = st.tuples(spaces, keys, spaces, st.just(":"), spaces, items, spaces)
        members = draw(st.lists(member.map("".join), max_size=4))
        return f"{{{','.join(members) or draw(spaces)}}}"

    return make


def _texts(keys: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def containers(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return _array(items) | _object(keys)(items)

    values = scalars | st.recursive(scalars, containers, max_leaves=12)
    return st.tuples(spaces, values, spaces).map("".join)


texts = _texts(st.sampled_from(['"a"', '"b"', r'"\u0061"', '""']) | strings)
"""JSON texts; some have a key twice."""

places = st.lists(st.integers(min_value=0, max_value=2**32), max_size=12)


@st.composite
def _spoiled(draw: st.DrawFn) -> str:
    text = draw(texts)
    place = draw(st.integers(0, len(text)))
    bad = st.sampled_from([*'"\\/bu{}[],:-+.0eEtnN1 \n\x00\x1f\x7f\ufeff\xa0\ud83d', "", "NaN"])
    return text[:place] + draw(bad) + text[place + draw(st.integers(0, 2)) :]


spoiled = _spoiled()
"""JSON texts after a small accident; some are still valid."""


def cut(text: str, ends: Iterable[int]) -> list[str]:
    """The pieces of a text, cut at places taken modulo its length."""
    inside = sorted({end % (len(text) + 1) for end in ends} - {0, len(text)})
    return [text[start:end] for start, end in pairwise([0, *inside, len(text)])]


def pieces_of(text: str, size: int) -> list[str]:
    """The pieces of a text, each of one size but the last."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def value_of(parser: PartialJSON) -> Any:
    """A copy of the value so far, or `NOTHING`."""
    return parser.snapshot(copy=True) if parser.has_value else NOTHING


def parsed(pieces: Iterable[str], *, looking: bool = False, **limits: int) -> Any:
    """The final value of a text that comes in pieces."""
    parser = PartialJSON(**limits)
    for piece in pieces:
        parser.feed(piece)
        if looking:
            parser.snapshot()
    return parser.close()


def same(value: Any, text: str) -> bool:
    """Whether a value is what `json.loads` makes of a text: types and order included."""
    return repr(value) == repr(json.loads(text))
