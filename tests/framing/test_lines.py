"""Pieces to whole lines: what the formats made of lines share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.framing.cutting import cut, every_cutting
from trio_stream.framing._lines import LineParser, has_long_lines, search_lines


class Lines(LineParser[str]):
    """The simplest format made of lines: each line is a frame."""

    def feed(self, data: bytes | bytearray) -> list[str]:
        """Return the lines that are complete."""
        text = self._take(data)
        lines = [] if text is None else text.split("\n")
        if self._overflow:
            raise self._refuse("max_line_bytes", lines)
        return lines

    def close(self) -> list[str]:
        """Drop what is left."""
        return []


def unlimited() -> Lines:
    return Lines(1 << 26)


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b"", []),
        (b"a", []),
        (b"\n", [""]),
        (b"a\n", ["a"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"\n\na", ["", ""]),
        ("é\n€\n".encode(), ["é", "€"]),
        (b"\xe2\x82\n\xac\n", ["\ufffd", "\ufffd"]),
        (b"a\r\nb\x0bc\xc2\x85d\n", ["a\r", "b\vc\x85d"]),
    ],
)
def test_lines_end_in_lf_only(body: bytes, lines: list[str]) -> None:
    """Every cutting of a body has the same lines; nothing but LF ends one."""
    for pieces in every_cutting(body) if body else [[body]]:
        parser = unlimited()
        assert [line for piece in pieces for line in parser.feed(piece)] == lines


@given(body=st.binary(max_size=60), limit=st.integers(0, 12), ends=st.lists(st.integers(0, 60)))
def test_lines_before_the_first_long_one_are_kept(body: bytes, limit: int, ends: list[int]) -> None:
    """A line that is too long, unfinished or not, is refused; the lines before it are not."""
    body = body.replace(b"a", b"\n").replace(b"\0", b"\n")
    *lines, rest = body.split(b"\n")
    fine = [len(line) <= limit for line in [*lines, rest]] + [False]
    parser = Lines(limit)
    found = []
    breached = False

    for piece in cut(body, ends):
        text = parser._take(piece)
        found += [] if text is None else text.split("\n")
        if breached := parser._overflow:
            break

    assert breached == (not all(fine[:-1]))
    assert found == [line.decode("utf-8", "replace") for line in lines[: fine.index(False)]]


def test_rest_is_freed_after_a_breach() -> None:
    """What was too long is not kept."""
    for pieces in ([b"1234567"], [b"123", b"4567"], [b"1\n123", b"4567\n8\n"], [b"1\n1234567"]):
        parser = Lines(5)
        for piece in pieces:
            parser._take(piece)
        assert parser._overflow
        assert not parser._rest


@given(lines=st.lists(st.text(alphabet="ab\r\u2028é😀", max_size=5), min_size=1))
def test_search_is_split(lines: list[str]) -> None:
    """Searching for the line ends finds the same lines as splitting."""
    text = "\n".join(lines)

    assert search_lines(text) == text.split("\n")


def test_length_of_lines_is_guessed() -> None:
    """Bodies of long lines are told from bodies of short ones."""
    assert has_long_lines("\n".join(10 * [5000 * "x"]))
    assert has_long_lines("event: x\ndata: " + 5000 * "x")
    assert not has_long_lines("\n".join(1000 * ["short"]))
    assert not has_long_lines("\n".join(100 * [300 * "x"]))
    assert not has_long_lines("\n" * 5000)
