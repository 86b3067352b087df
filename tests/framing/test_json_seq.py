"""JSON text sequences, RFC 7464."""

from __future__ import annotations

import gc
import json
import tracemalloc
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.framing.cutting import cut, pieces_of, read, read_until_breach
from trio_stream.config import DEFAULT_MAX_BYTES
from trio_stream.errors import LimitExceededError
from trio_stream.framing import JSONSequence, JSONSequenceParser, Record
from trio_stream.testing import check_parser

MIB = 1024 * 1024

PIECES = [
    *(b"\x1e", b"\n", b"\r\n", b" ", b"\x1e\x1e", b"\x1e\n", b"\xff", b"\xe2\x80", b"\xef\xbb\xbf"),
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"1", b"true", b"\\", b'"a": 1', b"{\n}\n", b"[]"),
    *(b'\x1e{"a": 1}\n', b"\x1e12\n", b'\x1e{\n"a": [\n1\n]\n}\n', b"\x1etru", b"\x1e[\n]\n[\n]\n"),
]
bodies = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=25).map(b"".join)
places = st.lists(st.integers(min_value=0, max_value=2**32), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def check(
    body: bytes,
    *records: str,
    at_close: int = 0,
    truncated: bool = False,
    ends: list[int] | None = None,
) -> None:
    """Check that a body has these records under every cutting."""
    expected = [Record(record) for record in records]
    check_parser(
        JSONSequenceParser, body, expected, at_close=at_close, truncated=truncated, ends=ends
    )


def test_each_text_is_a_record() -> None:
    """A text between RS and LF is a record, out in the feed that brings its LF."""
    check(b'\x1e{"a": 1}\n\x1e[2]\n\x1e"three"\n', '{"a": 1}', "[2]", '"three"', ends=[10, 15, 24])


@pytest.mark.parametrize("text", ["0", "-1.5e3", "true", "null", '"a"', "[]", "{}", '["\\n}"]'])
def test_every_kind_of_text(text: str) -> None:
    """Numbers, literals, strings, arrays and objects are whole at their LF."""
    check(f"\x1e{text}\n".encode(), text, ends=[len(text) + 2])
    check(f"\x1e{text}\r\n".encode(), text, ends=[len(text) + 3])
    check(f"\x1e {text}\t \n".encode(), text, ends=[len(text) + 5])


def test_text_may_have_lines() -> None:
    """A text of several lines is one record, out at the LF where it is whole."""
    text = json.dumps({"a": {"b": [1, {"c": []}]}, "d": [[], {}]}, indent=2)
    end = len(text) + 2

    check(f"\x1e{text}\n\x1e{text}\n".encode(), text, text, ends=[end, 2 * end])


def test_text_without_lf_is_ended_by_the_next() -> None:
    """Where the LF is missing, the next RS ends the text."""
    check(b'\x1e{"a": 1}\x1e[2]\x1e3\n', '{"a": 1}', "[2]", "3", ends=[10, 14, 16])


def test_empty_texts_are_skipped() -> None:
    """RS after RS, and white space between, is nothing."""
    check(b"\x1e\x1e\x1e1\n\x1e\n\n\x1e \x1e2\n\n\n", "1", "2")
    check(b"")
    check(b"\x1e")
    check(b"\n \n")


def test_text_before_the_first_rs_is_a_text() -> None:
    """A missing first RS loses nothing."""
    check(b'{"a": 1}\n\x1e[2]\n', '{"a": 1}', "[2]", ends=[9, 14])


def test_text_after_a_whole_text_is_another() -> None:
    """Where RS is missing between two texts they are still two, however they arrive."""
    check(b'\x1e{"a": 1}\n{"b": 2}\n', '{"a": 1}', '{"b": 2}', ends=[10, 19])
    check(b"1\n2\n3\n", "1", "2", "3", ends=[2, 4, 6])


def test_what_is_not_json_is_handed_out() -> None:
    """A text that is not JSON is a record, for the decoder to refuse."""
    check(b"\x1eoops\n\x1e{'a': 1}\n\x1e}\n\x1e1\n", "oops", "{'a': 1}", "}", "1")
    check(b"\x1e{oops\n[\n\x1e1\n", "{oops\n[", "1", ends=[10, 12])
    check(b'\x1e"{\n\x1e"\\"[\n\x1e"{"}\n', '"{', '"\\"[', '"{"}', ends=[4, 10, 16])


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", '"a"', "{}"])
def test_self_delimited_text_may_end_the_body(text: str) -> None:
    """At the end of the body a whole object, array or string needs no LF."""
    check(f"\x1e1\n\x1e{text}".encode(), "1", text, at_close=1)


@pytest.mark.parametrize(
    "cut_text",
    ["12", "-", "true", "tru", '"a', '{"a": 1', "[1,", "[1,\n2,\n", '{"a": {\n}\n', "{\n"],
)
def test_cut_text_is_dropped_and_told(cut_text: str) -> None:
    """At the end of the body what may be the beginning of a longer text is dropped (2.4)."""
    check(f"\x1e1\n\x1e{cut_text}".encode(), "1", truncated=True)


def test_lf_ends_a_number_at_the_end_of_the_body() -> None:
    """The LF after a number or a literal is what proves it whole."""
    check(b"\x1e12\n", "12", ends=[4])
    check(b"\x1e12", truncated=True)


def test_invalid_utf8_is_replaced() -> None:
    """Invalid bytes become U+FFFD."""
    check(b'\x1e"\xff"\n\x1e"\xe2\x80"\n', '"\ufffd"', '"\ufffd"')


@pytest.mark.parametrize("text", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, "9" * 5000])
def test_extreme_texts_raise_nothing(text: str) -> None:
    """Deep nesting and long numbers are texts like others."""
    body = f"\x1e{text}\n\x1e1\n".encode()

    for pieces in ([body], pieces_of(body, 1000)):
        assert read(JSONSequenceParser(), pieces) == [Record(text), Record("1")]


def test_close_is_idempotent() -> None:
    """The last text is handed out once."""
    parser = JSONSequenceParser()
    parser.feed(b"\x1e1\n\x1e[2]")

    assert [parser.close(), parser.close()] == [[Record("[2]")], []]
    assert not parser.truncated


@given(sequence=st.lists(values), indent=st.none() | st.integers(0, 2), ends=places)
def test_sequence_under_any_cutting(
    sequence: list[object], indent: int | None, ends: list[int]
) -> None:
    """What was written as a sequence is read as it, each text out with its LF."""
    texts = [json.dumps(value, indent=indent) for value in sequence]
    body = "".join(f"\x1e{text}\n" for text in texts).encode()
    parser = JSONSequenceParser()
    records = []
    fed = 0

    for piece in cut(body, [end % (len(body) + 1) for end in ends]):
        records += parser.feed(piece)
        fed += len(piece)
        if body[fed - 1 : fed + 1] == b"\n\x1e":
            assert len(records) == body[:fed].count(b"\x1e")
    assert [*records, *parser.close()] == [Record(text) for text in texts]
    assert [record.json() for record in records] == sequence
    assert not parser.truncated


@given(body=bodies, ends=places, limit=st.integers(1, 20) | st.just(MIB))
def test_any_body_under_any_cutting(body: bytes, ends: list[int], limit: int) -> None:
    """Any bytes give the same records, breach and truth about the end however they are cut."""
    results = []
    for pieces in ([body], pieces_of(body, 1), cut(body, [end % (len(body) + 1) for end in ends])):
        parser = JSONSequenceParser(max_event_bytes=limit)
        frames, breach = read_until_breach(parser, pieces)
        results.append((frames, breach is None, breach is None and parser.truncated))

    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("text", [b"[1234567]", '"é😀"'.encode(), b"123456789", b"oops oops"])
@pytest.mark.parametrize("end", [b"\n", b"\n\x1e2\n", b"\x1e2\n"])
def test_limit_is_exact(text: bytes, end: bytes) -> None:
    """A text may have as many bytes as the limit, its RS and LF not counted, and not one more."""
    body = b"\x1e1\n\x1e" + text + end
    after = [Record("2")] if b"2" in end else []

    check_parser(
        lambda: JSONSequenceParser(max_event_bytes=len(text)),
        body,
        [Record("1"), Record(text.decode()), *after],
    )
    check_parser(
        lambda: JSONSequenceParser(max_event_bytes=len(text) - 1),
        body,
        [Record("1")],
        raises=LimitExceededError,
    )


def test_error_tells_what_was_completed_before() -> None:
    """The error names the limit and carries the records that the failing feed had completed."""
    parser = JSONSequence().parser(max_event_bytes=5)
    with pytest.raises(LimitExceededError) as caught:
        parser.feed(b"\x1e1\n\x1e2\n\x1e123456")

    assert caught.value.limit == "max_event_bytes"
    assert caught.value.frames == [Record("1"), Record("2")]
    assert parser.close() == []


def test_limit_is_on_by_default() -> None:
    """Nobody has to ask for the limit: 64 MiB a text, and white space between does not count."""
    for parser in (JSONSequenceParser(), JSONSequence().parser()):
        for _ in range(DEFAULT_MAX_BYTES // MIB):
            assert parser.feed(MIB * b"1") == []
        with pytest.raises(LimitExceededError):
            parser.feed(b"1")
    parser = JSONSequenceParser(max_event_bytes=10)
    assert parser.feed(b"\n" * 100 + b"1\n" + b"\n" * 100) == [Record("1")]


@pytest.mark.parametrize("piece", [b"x", b"xx", b"[1]\n,", b"[\n]\n,", b"\n[\n"])
def test_endless_text_is_bounded(piece: bytes) -> None:
    """However an endless text arrives, it takes a small multiple of the limit."""
    limit = 128 * 1024
    parser = JSONSequenceParser(max_event_bytes=limit)
    parser.feed(b"\x1e[")
    gc.collect()
    tracemalloc.start()
    try:
        _, breach = read_until_breach(parser, repeat(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert breach is not None
    assert peak < 2 * limit


@pytest.mark.parametrize("size", [64, 65_536, 8 * MIB])
@pytest.mark.parametrize("indent", [None, 0])
def test_large_text(size: int, indent: int | None) -> None:
    """A text of 1 MiB and 200,000 lines is one record, in small pieces and in large ones."""
    text = json.dumps([[number] for number in range(100_000)], indent=indent)
    body = f"\x1e{text}\n\x1e1\n".encode()

    assert read(JSONSequenceParser(), pieces_of(body, size)) == [Record(text), Record("1")]


@pytest.mark.parametrize(
    "line", ['"' + 200_000 * '\\"', 400_000 * "\\", 200_000 * '"\\', 400_000 * "["]
)
def test_hostile_line(line: str) -> None:
    """Quotes, backslashes and brackets without end take no more than the length of the line."""
    for pieces in (
        [f"\x1e{line}\n\x1e1\n".encode()],
        pieces_of(f"\x1e{line}\n\x1e1\n".encode(), 999),
    ):
        assert read(JSONSequenceParser(), pieces) == [Record(line), Record("1")]
