"""Newline-delimited JSON."""

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
from trio_stream.framing import NDJSON, NDJSONParser, Record
from trio_stream.testing import check_parser

MIB = 1024 * 1024

PIECES = [
    *(b"\n", b"\r\n", b"\r", b"\n\n", b" ", b"\t", b"\xef\xbb\xbf", b"\xff", b"\xe2\x80", b"\0"),
    *(b'{"a": 1}', b'{"a": 1}\n', b"1", b"[]\r\n", b"null\n", "é".encode(), "\u2028".encode()),
    *(b"\x1e", b"\x1c\n", "\xa0\n".encode(), b"not json\n", b'"\\n"\n', 500 * b"x", 300 * b"{}\n"),
]
bodies = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=25).map(b"".join)
places = st.lists(st.integers(min_value=0, max_value=2**32), max_size=12)


def lines_of(body: bytes) -> list[Record]:
    """The records of a body whose bytes are all here, read literally."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return [Record(line) for line in lines if line.strip(" \t\r") != ""]


def check(body: bytes, *records: str, at_close: int = 0) -> None:
    """Check that a body has these records under every cutting, each in time."""
    expected = [Record(record) for record in records]
    assert lines_of(body) == expected
    complete = [
        len(lines_of(body[: body.rfind(b"\n", 0, end) + 1])) for end in range(len(body) + 1)
    ]
    due = [end for end in range(1, len(body) + 1) if complete[end] > complete[end - 1]]
    check_parser(NDJSONParser, body, expected, ends=due, at_close=at_close, truncated=False)


def test_each_line_is_a_record() -> None:
    """A record is a line; it is out in the feed that brings its LF."""
    check(b'{"a": 1}\n[2]\n"three"\n', '{"a": 1}', "[2]", '"three"')


def test_last_line_needs_no_end() -> None:
    """The end of the body ends the last line, too: nothing is dropped."""
    check(b'{"a": 1}\n{"b": 2}', '{"a": 1}', '{"b": 2}', at_close=1)
    check(b'{"a": 1}', '{"a": 1}', at_close=1)
    check(b'{"a": 1}\r', '{"a": 1}', at_close=1)


def test_crlf_ends_a_line() -> None:
    """A CR before the LF is no part of the record, also when the two are split."""
    check(b'{"a": 1}\r\n{"b": 2}\r\n', '{"a": 1}', '{"b": 2}')


def test_lone_cr_is_text() -> None:
    """A CR in the middle of a line ends nothing."""
    check(b"1\r2\n3\r\r\n", "1\r2", "3\r")


@pytest.mark.parametrize("blank", [b"", b" ", b"\t", b" \t ", b"\r", b"  \r"])
def test_blank_lines_are_skipped(blank: bytes) -> None:
    """Lines of nothing but JSON's white space are no records; servers send them as pings."""
    check(blank + b"\n1\n" + blank + b"\n" + blank + b"\n2\n" + blank, "1", "2")


@pytest.mark.parametrize("character", ["\xa0", "\u2028", "\x1c", "\x1e", "\x85", "\v", "\f"])
def test_other_white_space_is_kept(character: str) -> None:
    """What is no white space to JSON is a record, for the decoder to refuse: nothing is lost."""
    check(f"1\n{character}\n2{character}3\n".encode(), "1", character, f"2{character}3")


def test_white_space_around_a_record_is_kept() -> None:
    """A record is the line as sent."""
    check(b"  1 \n", "  1 ")


def test_bom_before_the_first_line_is_dropped() -> None:
    """One BOM at the very start is dropped, later ones are text."""
    check(b"\xef\xbb\xbf1\n\xef\xbb\xbf2\n", "1", "\ufeff2")
    check(b"\xef\xbb\xbf\xef\xbb\xbf1\n", "\ufeff1")
    check(b"\xef\xbb\xbf1", "1", at_close=1)
    check(b"\xef\xbb\xbf")
    check(b"\n\xef\xbb\xbf1\n", "\ufeff1")


def test_invalid_utf8_is_replaced() -> None:
    """Invalid bytes become U+FFFD, and a sequence ends with its line."""
    check(
        b'"\xff"\n"\xe2\x80\n"\xe2\x80"\n"\xc3',
        '"\ufffd"',
        '"\ufffd',
        '"\ufffd"',
        '"\ufffd',
        at_close=1,
    )


def test_record_decodes_itself() -> None:
    """`json()` decodes the record, and says so if it is not JSON."""
    assert Record('{"a": [1]}').json() == {"a": [1]}
    with pytest.raises(json.JSONDecodeError):
        Record("{").json()


def test_close_is_idempotent() -> None:
    """The last line is handed out once."""
    parser = NDJSONParser()
    parser.feed(b"1\n2")

    assert [parser.close(), parser.close()] == [[Record("2")], []]
    assert parser.last_event_id == ""


@given(body=bodies, ends=places)
def test_any_body_under_any_cutting(body: bytes, ends: list[int]) -> None:
    """Any bytes, cut anywhere, are the lines that they are as a whole."""
    pieces = cut(body, [end % (len(body) + 1) for end in ends])
    parser = NDJSONParser()
    records = []
    fed = b""

    for piece in pieces:
        records += parser.feed(piece)
        fed += piece
        assert records == lines_of(fed[: fed.rfind(b"\n") + 1])
    assert records + parser.close() == lines_of(body)


@given(body=bodies, ends=places, limit=st.integers(1, 30) | st.integers(400, 700))
def test_limit_does_not_depend_on_the_cutting(body: bytes, ends: list[int], limit: int) -> None:
    """A breach and the records before it are the same however the body is cut."""
    whole, in_pieces = (
        read_until_breach(NDJSONParser(max_line_bytes=limit), pieces)
        for pieces in ([body], cut(body, [end % (len(body) + 1) for end in ends]))
    )

    assert whole[0] == in_pieces[0]
    assert (whole[1] is None) == (in_pieces[1] is None)
    assert (whole[1] is None) == all(len(line) <= limit for line in body.split(b"\n"))


@pytest.mark.parametrize("line", [b"[1234567]", '"é😀"'.encode(), b"12345678\r"])
@pytest.mark.parametrize("end", [b"\n", b"", b"\n2\n"])
def test_limit_is_exact(line: bytes, end: bytes) -> None:
    """A line may have as many bytes as the limit, its LF not counted, and not one more."""
    body = b"1\n" + line + end
    record = Record(line.decode().removesuffix("\r"))
    after = [Record("2")] if b"2" in end else []

    check_parser(
        lambda: NDJSONParser(max_line_bytes=len(line)),
        body,
        [Record("1"), record, *after],
        at_close=0 if end else 1,
    )
    check_parser(
        lambda: NDJSONParser(max_line_bytes=len(line) - 1),
        body,
        [Record("1")],
        raises=LimitExceededError,
    )


def test_smaller_limit_counts_and_is_named() -> None:
    """A record is a line and an event: the smaller limit holds, and the error names it."""
    for limits, name in [
        ({"max_line_bytes": 5}, "max_line_bytes"),
        ({"max_event_bytes": 5}, "max_event_bytes"),
        ({"max_line_bytes": 5, "max_event_bytes": 5}, "max_line_bytes"),
        ({"max_line_bytes": 5, "max_event_bytes": 4}, "max_event_bytes"),
    ]:
        parser = NDJSON().parser(**limits)
        with pytest.raises(LimitExceededError) as caught:
            parser.feed(b"1\n123456")
        assert caught.value.limit == name
        assert caught.value.frames == [Record("1")]
        assert parser.close() == []


def test_limit_is_on_by_default() -> None:
    """Nobody has to ask for the limit: 64 MiB a line."""
    for parser in (NDJSONParser(), NDJSON().parser()):
        for _ in range(DEFAULT_MAX_BYTES // MIB):
            assert parser.feed(MIB * b"x") == []
        with pytest.raises(LimitExceededError):
            parser.feed(b"x")


@pytest.mark.parametrize("size", [1, 2, 64])
def test_dripped_endless_line_is_bounded(size: int) -> None:
    """However small the pieces of an endless line are, it takes little more than the limit."""
    limit = 256 * 1024
    parser = NDJSONParser(max_line_bytes=limit)
    gc.collect()
    tracemalloc.start()
    try:
        _, breach = read_until_breach(parser, repeat(size * b"x"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert breach is not None
    assert peak < 1.5 * limit


@pytest.mark.parametrize("size", [64, 65_536, 8 * MIB])
def test_long_and_many_lines(size: int) -> None:
    """A line of 4 MiB and 100,000 short ones are read, in small pieces and in large ones."""
    body = b"[" + 4 * MIB * b"1" + b"]\n" + 100_000 * b"[1]\n"

    records = read(NDJSONParser(), pieces_of(body, size))

    assert len(records) == 100_001
    assert len(records[0].data) == 4 * MIB + 2
    assert set(map(str, records[1:])) == {str(Record("[1]"))}
