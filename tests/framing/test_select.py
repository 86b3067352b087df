"""Content-Type to framing, and the contract that all framings keep."""

from __future__ import annotations

from typing import Any

import pytest

from trio_stream.framing import (
    NDJSON,
    SSE,
    EventStream,
    Framing,
    JSONSequence,
    NDJSONParser,
    RawBytes,
    RawBytesParser,
    accept_header,
    select_framing,
)
from trio_stream.testing import check_parser

ALL = [SSE(), NDJSON(), JSONSequence(), EventStream(), RawBytes()]


@pytest.mark.parametrize(
    ("content_type", "framing"),
    [
        ("text/event-stream", SSE()),
        ("text/event-stream;charset=latin-1", SSE()),
        ("text/event-stream;", SSE()),
        ("Text/Event-Stream ; x=y", SSE()),
        ("  text/event-stream", SSE()),
        ("application/x-ndjson", NDJSON()),
        ("application/jsonl; charset=utf-8", NDJSON()),
        ("application/json-seq", JSONSequence()),
        ("application/octet-stream", RawBytes()),
    ],
)
def test_content_type_chooses(content_type: str, framing: Framing[Any]) -> None:
    """The media type chooses the framing, in any case and whatever its parameters are."""
    assert select_framing(content_type) == framing


@pytest.mark.parametrize(
    "content_type",
    ["", ";", "text/html", "application/json", "text/plain", "text/event-stream2", "text/*", "*"],
)
def test_other_content_types_are_no_stream(content_type: str) -> None:
    """A body of another type is no stream that we know, as long as nobody said what it is."""
    assert select_framing(content_type) is None


@pytest.mark.parametrize("framing", ALL, ids=lambda framing: type(framing).__name__)
def test_chosen_framing_is_believed_under_its_own_types(framing: Framing[Any]) -> None:
    """A framing reads what it is sent for, and what it asks for is what it reads."""
    for media_type in accept_header(framing).split(", "):
        assert select_framing(media_type, framing) is framing
        assert select_framing(media_type) == framing


@pytest.mark.parametrize("framing", ALL[:3], ids=lambda framing: type(framing).__name__)
def test_chosen_framing_is_believed_under_wrong_labels(framing: Framing[Any]) -> None:
    """A chosen framing also reads a body that is mislabelled, but not a page of HTML."""
    for content_type in ("text/plain; charset=utf-8", "application/octet-stream", ""):
        assert select_framing(content_type, framing) is framing
    for content_type in ("text/html", "image/png", "*"):
        assert select_framing(content_type, framing) is None


def test_lines_are_believed_under_json() -> None:
    """Streams of lines come as application/json, too; event streams do not."""
    assert select_framing("application/json", NDJSON()) == NDJSON()
    assert select_framing("application/json", SSE()) is None


def test_raw_bytes_take_any_type() -> None:
    """Who asks for bytes gets them, whatever they are."""
    for content_type in ("", "text/html", "application/json"):
        assert select_framing(content_type, RawBytes()) == RawBytes()


def test_choice_keeps_its_settings() -> None:
    """The framing that the caller made is the one that is used."""
    chosen = SSE(comments=True)

    assert select_framing("text/event-stream", chosen) is chosen


def test_accept_header_names_all_text_framings() -> None:
    """Without a choice we ask for each framing, by a type that chooses it."""
    chosen = {select_framing(media_type) for media_type in accept_header(None).split(", ")}

    assert chosen == {SSE(), NDJSON(), JSONSequence()}


@pytest.mark.parametrize("framing", ALL, ids=lambda framing: type(framing).__name__)
def test_parsers_are_fresh(framing: Framing[Any]) -> None:
    """Each connection has a parser of its own, that begins with nothing."""
    first, second = framing.parser(), framing.parser(last_event_id="1")
    first.feed(b"1")

    assert first is not second
    assert second.close() == []
    assert second.last_event_id in {"", "1"}
    assert not second.truncated


def test_raw_bytes_are_handed_out_as_they_come() -> None:
    """The pieces of a raw body are its frames; an empty read is none."""
    parser = RawBytesParser()

    assert parser.feed(b"a\r\n\xff") == [b"a\r\n\xff"]
    assert parser.feed(b"") == []
    assert parser.close() == []


def test_raw_bytes_are_copied_out_of_a_buffer() -> None:
    """A frame is bytes of its own, also when the piece was a buffer that is used again."""
    buffer = bytearray(b"abc")
    frames = RawBytesParser().feed(buffer)
    buffer[:] = b"xyz"

    assert frames == [b"abc"]
    assert type(frames[0]) is bytes


@pytest.mark.parametrize("framing", ALL[:3], ids=lambda framing: type(framing).__name__)
def test_nothing_is_nothing(framing: Framing[Any]) -> None:
    """An empty body has no frames, and nothing is missing."""
    check_parser(framing.parser, b"", [], truncated=False)


def test_framings_are_values() -> None:
    """Framings are equal by their settings and cannot be changed."""
    assert SSE() == SSE()
    assert SSE() != SSE(comments=True)
    assert len({SSE(), SSE(), NDJSON()}) == 2
    assert isinstance(NDJSON().parser(), NDJSONParser)
    with pytest.raises(AttributeError):
        SSE().comments = True  # type: ignore[misc]
