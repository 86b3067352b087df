"""The steps of a script, as values."""

from __future__ import annotations

import attrs
import pytest

from trio_stream.testing import End, Event, Head, Pieces, Ping, Send, Truncate, Wait


@pytest.mark.parametrize(
    ("event", "wire"),
    [
        (Event("hi"), b"data: hi\n\n"),
        (Event(), b"data: \n\n"),
        (Event("one\ntwo"), b"data: one\ndata: two\n\n"),
        (Event({"a": [1]}), b'data: {"a": [1]}\n\n'),
        (Event("☃"), "data: ☃\n\n".encode()),
        (
            Event("x", event="ping", id="7", retry=100),
            b"event: ping\nid: 7\nretry: 100\ndata: x\n\n",
        ),
        (Event("x", id=""), b"id: \ndata: x\n\n"),
    ],
)
def test_event_is_encoded(event: Event, wire: bytes) -> None:
    """An event is sent in one write, as WHATWG has it: strings as they are, all else as JSON."""
    assert list(event.pieces()) == [wire]


def test_ping_is_a_comment() -> None:
    """A ping is a comment line, which dispatches nothing."""
    assert list(Ping("still here").pieces()) == [b": still here\n\n"]


@pytest.mark.parametrize(
    ("pieces", "writes"),
    [
        (Pieces(b"abcde"), [b"abcde"]),
        (Pieces(b"abcde", size=2), [b"ab", b"cd", b"e"]),
        (Pieces(b"abcde", size=9), [b"abcde"]),
        (Pieces(b"abcde", sizes=[1, 3]), [b"a", b"bcd", b"e"]),
        (Pieces(b"abcde", sizes=[1], size=2), [b"a", b"bc", b"de"]),
        (Pieces(b"abcde", sizes=[2, 9]), [b"ab", b"cde"]),
        (Pieces(b"", size=1), []),
        (Pieces(b""), []),
    ],
)
def test_pieces_cut_as_told(pieces: Pieces, writes: list[bytes]) -> None:
    """Pieces have the sizes that were asked for, and lose nothing."""
    assert list(pieces.pieces()) == writes


def test_pieces_refuse_empty_pieces() -> None:
    """A piece of no bytes is refused where it is written: it could not be seen."""
    with pytest.raises(ValueError, match="size"):
        Pieces(b"x", size=0)
    with pytest.raises(ValueError, match="size"):
        Pieces(b"x", sizes=[1, 0])


def test_headers_are_given_as_mapping_or_pairs() -> None:
    """Headers and trailers are kept as pairs, in order and with repetitions."""
    pairs = (("a", "1"), ("a", "2"))

    assert Head(headers=pairs).headers == pairs
    assert Head(headers=list(pairs)).headers == pairs
    assert Head(headers={"b": "3"}).headers == (("b", "3"),)
    assert End({"c": "4"}).trailers == (("c", "4"),)


def test_declared_length_chooses_the_framing() -> None:
    """Who declares a length gets the framing that declares one."""
    assert Head().framing == "chunked"
    assert Head(length=3).framing == "length"


def test_steps_are_values() -> None:
    """Steps compare by value and cannot be changed, so scripts can be shared by tests."""
    step = Wait(3)

    assert step == Wait(3)
    assert [Send(b"x"), Truncate()] == [Send(b"x"), Truncate()]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        step.seconds = 4  # type: ignore[misc]
