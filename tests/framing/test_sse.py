"""Server-sent events, rule by rule: WHATWG HTML 9.2, and what naive readers get wrong in it.

Each example is read whole, byte by byte and in every two pieces, and by the reference.
"""

from __future__ import annotations

import json

import pytest

from tests.framing.cutting import check_sse, cut, every_cutting, read
from trio_stream.framing import (
    MAX_RETRY_MS,
    SSE,
    Comment,
    ServerSentEvent,
    SSEParser,
    select_framing,
)

E = ServerSentEvent
BOM = b"\xef\xbb\xbf"


# --- response ---------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", ["", ";", "; charset=utf-8", "; charset=latin-1;x"])
def test_content_type_parameters_are_irrelevant(parameters: str) -> None:
    """Whatever follows the media type, the body is an event stream, and it is UTF-8 (5, 9)."""
    framing = select_framing(f"text/event-stream{parameters}")

    assert framing == SSE()
    assert read(framing.parser(), ["data: é\n\n".encode()]) == [E(data="é")]


# --- decoding and lines -----------------------------------------------------------------------


def test_leading_bom_is_dropped() -> None:
    """One BOM at the very start is no part of the first line, also when it is split (9)."""
    check_sse(BOM + b"data: a\n\n", [E(data="a")])


def test_only_one_bom_is_dropped() -> None:
    """A second BOM is text, and so is one at the start of a later line (9)."""
    check_sse(BOM + BOM + b"data: a\n\ndata: b\n\n", [E(data="b")])
    check_sse(b"data: a\n\n" + BOM + b"data: b\n\n", [E(data="a")])
    check_sse(b"\n" + BOM + b"data: a\n\n", [])
    check_sse(b"data: " + BOM + b"a\n\n", [E(data="\ufeffa")])


@pytest.mark.parametrize("beginning", [BOM[:1], BOM[:2], b"\xef\xbb\n", b"\xefdata"])
def test_what_only_begins_like_a_bom_is_text(beginning: bytes) -> None:
    """A part of a BOM is not dropped: it is invalid UTF-8 (9)."""
    check_sse(beginning + b"data: a\n\ndata: b\n\n", _after_broken_start(beginning))


def _after_broken_start(beginning: bytes) -> list[ServerSentEvent | Comment]:
    first = E(data="a")
    second = E(data="b")
    return [first, second] if beginning.endswith(b"\n") else [second]


def test_nothing_but_a_bom_is_an_empty_body() -> None:
    """A BOM and then the end of the body: nothing came, and nothing is missing."""
    check_sse(BOM, [])
    check_sse(BOM[:2], [], truncated=True)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\xff", "\ufffd"),
        (b"\xc3", "\ufffd"),
        (b"\xe2\x80", "\ufffd"),
        (b"\xf0\x9f\x98", "\ufffd"),
        (b"\xc0\xaf", "\ufffd\ufffd"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"),
        (b"\x80\x80", "\ufffd\ufffd"),
        ("é€😀".encode(), "é€😀"),
    ],
)
def test_invalid_utf8_is_replaced(raw: bytes, text: str) -> None:
    """Invalid bytes become U+FFFD, never an error; a sequence ends with its line (9)."""
    check_sse(b"data: a" + raw + b"\ndata: " + raw + b"z\n\n", [E(data=f"a{text}\n{text}z")])
    check_sse(b"event: " + raw + b"\ndata: 1\n\n", [E(event=text, data="1")])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends(end: bytes) -> None:
    """LF, CRLF and CR end a line (10)."""
    lines = [b"event: a", b"id: 1", b"data: x", b"data: y", b"", b"data: z", b"", b""]
    check_sse(end.join(lines), [E("a", "x\ny", "1"), E(data="z", id="1")], last_event_id="1")


def test_line_ends_may_be_mixed() -> None:
    """Each line has its own end, the blank one too (10)."""
    check_sse(
        b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\n\ndata: e\n\rdata: f\r\r\n",
        [E(data="a\nb\nc"), E(data="d"), E(data="e"), E(data="f")],
    )


def test_lf_cr_is_two_line_ends() -> None:
    """LF CR is an end and a blank line; CR LF CR is one end and a blank line (10, 11)."""
    check_sse(b"data: a\n\rdata: b\n\n", [E(data="a"), E(data="b")])
    check_sse(b"data: a\r\n\rdata: b\r\r", [E(data="a"), E(data="b")])
    check_sse(b"data: a\r\n\r\n\r\n\rdata: b\n\n\r", [E(data="a"), E(data="b")])


@pytest.mark.parametrize("code", [0x00, 0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x1F, 0x85, 0x2028, 0x2029])
def test_nothing_else_ends_a_line(code: int) -> None:
    """NUL, VT, FF, FS, GS, RS, US, NEL, U+2028 and U+2029 are text (10)."""
    character = chr(code)

    check_sse(f"data: a{character}b\n\n".encode(), [E(data=f"a{character}b")])


def test_crlf_is_one_end_when_it_is_split() -> None:
    """An LF that opens a piece belongs to the CR that closed the one before (11)."""
    parser = SSEParser()

    assert parser.feed(b"data: a\r") == []
    assert parser.feed(b"\n") == []
    assert parser.feed(b"\r") == [E(data="a")]
    assert parser.feed(b"\ndata: b\n\n") == [E(data="b")]


def test_empty_piece_between_cr_and_lf_changes_nothing() -> None:
    """An empty read between CR and LF does not make two line ends of them (11)."""
    parser = SSEParser()

    assert read(parser, [b"data: a\r", b"", b"\ndata: b\r", b"", b"", b"\n\r\n"]) == [
        E(data="a\nb")
    ]


def test_cr_ends_a_line_at_once() -> None:
    """An event that ends in CR CR does not wait for the byte after it (11)."""
    parser = SSEParser()

    assert parser.feed(b"data: a\r\r") == [E(data="a")]
    assert parser.feed(b"\n") == []
    assert parser.feed(b"data: b\r\n\r") == [E(data="b")]


def test_unterminated_line_at_the_end_is_no_line() -> None:
    """A last line without its end is dropped, and so is the event that it would have ended (12)."""
    check_sse(b"data: a\n\ndata: b", [E(data="a")], truncated=True)
    check_sse(b"data: a\n\ndata: b\ndata", [E(data="a")], truncated=True)
    check_sse(b"data: a\n\ndat", [E(data="a")], truncated=True)
    check_sse(b"data: a\n\n: comment", [E(data="a")])
    check_sse(b"data: a\n\n: comment", [E(data="a")], comments=True)


def test_end_of_body_dispatches_nothing() -> None:
    """Data, an event type or an ID that no blank line followed is dropped (12)."""
    check_sse(
        b"id: 1\ndata: a\n\nid: 2\ndata: b\n",
        [E(data="a", id="1")],
        last_event_id="1",
        truncated=True,
    )
    check_sse(b"data: a\n\nevent: x\n", [E(data="a")], truncated=True)
    check_sse(
        b"id: 1\ndata: a\n\nid: 2\n", [E(data="a", id="1")], last_event_id="1", truncated=True
    )


@pytest.mark.parametrize("rest", [b"", b"\n", b"\r", b": bye\n", b"retry: 5\n", b"nonsense\n"])
def test_end_of_body_between_events_is_clean(rest: bytes) -> None:
    """After a blank line, comments and what has acted already leave nothing to be dropped."""
    retry = 5 if b"retry" in rest else None

    check_sse(b"data: a\n\n" + rest, [E(data="a")], retry=retry)


# --- fields -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"data:a", "a"),
        (b"data: a", "a"),
        (b"data:  a", " a"),
        (b"data:\ta", "\ta"),
        (b"data: a ", "a "),
        (b"data: :a:", ":a:"),
        (b"data:a:b", "a:b"),
        (b"data:", ""),
        (b"data: ", ""),
        (b"data:  ", " "),
        (b"data", ""),
    ],
)
def test_field_value(line: bytes, value: str) -> None:
    """The value follows the first colon, without one leading space; no colon, no value (13, 22)."""
    check_sse(line + b"\n\n", [E(data=value)])
    check_sse(line + b"\n" + line + b"\n\n", [E(data=f"{value}\n{value}")])


@pytest.mark.parametrize(
    "line",
    [
        b"Data: b",
        b"data : b",
        b" data: b",
        b"data\0: b",
        b"DATA: b",
        b"datas: b",
        b"dat: b",
        b"\tdata: b",
        b"data\t: b",
        b"foo",
        b" ",
        b"  ",
        b"\0",
    ],
)
def test_unknown_fields_are_ignored(line: bytes) -> None:
    """A name is exact, and what has another name has no effect (14, 19)."""
    check_sse(b"data: a\n" + line + b"\n\n", [E(data="a")])
    check_sse(line + b"\n\n", [])


def test_comments_are_ignored() -> None:
    """A line that starts with a colon is nothing, in and between events (13)."""
    check_sse(b": hi\n\n:\ndata: a\n:data: b\n: \n\n:\n\n", [E(data="a")])


def test_comments_are_handed_out_on_request() -> None:
    """With comments=True, comments are frames, at the end of their line, in their place."""
    check_sse(
        b": one\ndata: a\n:two\n\n:\n:  three\ndata",
        [Comment("one"), Comment("two"), E(data="a"), Comment(""), Comment(" three")],
        comments=True,
        truncated=True,
    )


def test_event_type_is_replaced_by_the_last() -> None:
    """Of two event fields the last counts, an empty one means "message" (15, 23)."""
    check_sse(b"event: a\nevent: b\ndata: 1\n\n", [E("b", "1")])
    check_sse(b"event: a\nevent\ndata: 1\n\n", [E("message", "1")])
    check_sse(b"event:\ndata: 1\n\n", [E("message", "1")])
    check_sse(b"event: message\ndata: 1\n\n", [E("message", "1")])


@pytest.mark.parametrize("name", ["a", " a", "a ", "é", "data: ", "a\0b", "\u2028", ":", "event: "])
def test_event_type_is_kept_as_sent(name: str) -> None:
    """An event type is any text, at its first use and when it comes again and again."""
    block = f"event: {name}\ndata: 1\n\n".encode()

    check_sse(3 * block, 3 * [E(name, "1")])


def test_data_lines_are_joined() -> None:
    """Data lines are joined with LF, also when other fields stand between them (16)."""
    check_sse(b"data: a\ndata: b\r\nevent: x\ndata:\ndata: c\n\n", [E("x", "a\nb\n\nc")])


def test_data_may_precede_the_event_type() -> None:
    """The order of the fields of a block does not matter (16)."""
    check_sse(2 * b"data: a\nevent: x\n\n", 2 * [E("x", "a")])


def test_id_with_nul_is_ignored() -> None:
    """An ID that holds NUL is ignored; the old one stays (17)."""
    check_sse(
        b"id: 1\ndata: a\n\nid: 2\x003\ndata: b\n\nid: \0\ndata: c\n\n",
        [E(data=data, id="1") for data in "abc"],
        last_event_id="1",
    )


@pytest.mark.parametrize("value", ["…", " x", "x ", "\v", "\x01", "é", "a:b", "\ufffd"])
def test_id_is_kept_as_sent(value: str) -> None:
    """An ID is any text without NUL, though it may be none that a header can carry (17)."""
    check_sse(f"id: {value}\ndata: a\n\n".encode(), [E(data="a", id=value)], last_event_id=value)


def test_empty_id_resets() -> None:
    """An empty ID is an ID: it replaces the old one (17)."""
    check_sse(
        b"id: 1\ndata: a\n\nid\ndata: b\n\nid: 2\ndata: c\n\nid:\n\n",
        [E(data="a", id="1"), E(data="b", id=""), E(data="c", id="2")],
    )


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        ("0", 0),
        ("3000", 3000),
        ("007", 7),
        ("86400000", MAX_RETRY_MS),
        ("86400001", MAX_RETRY_MS),
        ("9" * 20, MAX_RETRY_MS),
        ("9" * 5000, MAX_RETRY_MS),
        ("0" * 5000 + "12", 12),
        ("", None),
        (" 10", None),
        ("10 ", None),
        ("+5", None),
        ("-5", None),
        ("1_000", None),
        ("1.5", None),
        ("0x10", None),
        ("5s", None),
        ("٣", None),
        ("²", None),
        ("\uff11", None),
        ("1\0", None),
    ],
)
def test_retry_is_ascii_digits(value: str, retry: int | None) -> None:
    """Only ASCII digits are a reconnection time, read in base ten and at most a day (18)."""
    body = f"retry: {value}\ndata: a\n\n".encode()
    if len(body) < 100:
        check_sse(body, [E(data="a", retry=retry)], retry=retry)
    parser = SSEParser()
    assert read(parser, [body]) == [E(data="a", retry=retry)]
    assert parser.retry == retry


def test_retry_acts_at_once() -> None:
    """The reconnection time needs no dispatch, and stays until the next (18)."""
    parser = SSEParser()

    assert parser.feed(b"retry: 10\n") == []
    assert parser.retry == 10
    assert parser.feed(b"\ndata: a\n\nretry: x\ndata: b\n\n") == [E(data="a"), E(data="b")]
    assert parser.retry == 10
    check_sse(
        b"retry: 1\nretry: 2\ndata: a\n\ndata: b\n\nretry: 3\n\ndata: c\n\n",
        [E(data="a", retry=2), E(data="b"), E(data="c")],
        retry=3,
    )


# --- dispatch ---------------------------------------------------------------------------------


def test_block_of_an_id_commits_it() -> None:
    """A block without data hands out nothing, but its ID is the last event ID (20)."""
    check_sse(b"id: 7\n\n", [], last_event_id="7")
    check_sse(b"id: 7\n\ndata: a\n\n", [E(data="a", id="7")], last_event_id="7")
    check_sse(b"data: a\n\nid: 7\nevent: x\n\n", [E(data="a")], last_event_id="7")


def test_id_is_committed_by_the_blank_line_only() -> None:
    """Until its block has ended, an ID is not the last event ID (20)."""
    parser = SSEParser()

    parser.feed(b"id: 1\n\nid: 2\ndata: a\n")
    assert parser.last_event_id == "1"
    parser.feed(b"\n")
    assert parser.last_event_id == "2"


def test_block_without_data_is_no_event() -> None:
    """Without a data field nothing is handed out, and the event type is forgotten (21)."""
    check_sse(b"event: x\n\ndata: a\n\n", [E(data="a")])
    check_sse(b"retry: 3000\n\n", [], retry=3000)
    check_sse(b"foo: bar\n\n\n\n", [])


@pytest.mark.parametrize(
    ("lines", "data"),
    [
        (b"data", ""),
        (b"data:", ""),
        (b"data\ndata", "\n"),
        (b"data:\ndata: ", "\n"),
        (b"data: a\ndata", "a\n"),
        (b"data\ndata: a", "\na"),
        (b"data\ndata\ndata", "\n\n"),
    ],
)
def test_one_trailing_lf_is_removed(lines: bytes, data: str) -> None:
    """Only the LF of the last data line goes, so an empty data field is an event (22)."""
    check_sse(lines + b"\n\n", [E(data=data)])


def test_type_does_not_persist_and_id_does() -> None:
    """The next event has the type "message" and the same ID (23, 24)."""
    check_sse(
        b"event: x\nid: 1\ndata: a\n\ndata: b\n\nevent: y\ndata: c\n\n",
        [E("x", "a", "1"), E("message", "b", "1"), E("y", "c", "1")],
        last_event_id="1",
    )


def test_new_connection_starts_from_the_committed_id() -> None:
    """A parser for the next connection knows the last event ID, and nothing else (25)."""
    first = SSEParser()
    read(first, [b"id: 1\ndata: a\n\nid: 2\nevent: x\ndata: cut"])

    check_sse(
        BOM + b"data: b\n\nid\n\ndata: c\n\n",
        [E(data="b", id="1"), E(data="c")],
        start_id=first.last_event_id,
    )
    check_sse(b": only a comment\n\n", [], start_id="1", last_event_id="1")


# --- pitfalls ---------------------------------------------------------------------------------


def test_comment_after_an_id_is_no_event() -> None:
    """A ping does not become an empty event because an ID was seen before it."""
    check_sse(b"id: 1\ndata: a\n\n: ping\n\n: ping\n\n", [E(data="a", id="1")], last_event_id="1")


def test_sentinel_is_data_like_any_other() -> None:
    """`[DONE]` means something to a dialect, nothing to the parser."""
    check_sse(
        b"data: {}\n\ndata: [DONE]\n\ndata: after\n\n",
        [E(data="{}"), E(data="[DONE]"), E(data="after")],
    )


def test_body_that_is_no_event_stream_has_no_events() -> None:
    """An unframed JSON body or a page of HTML is many unknown fields, not an error."""
    check_sse(b'{"error": {"code": 503}}\n', [])
    check_sse(b'{"error": {"code": 503}}', [], truncated=True)
    check_sse(b"<html>\n<p>data: a</p>\n\n</html>\n", [])


def test_usual_head_must_be_whole() -> None:
    """Blocks that look almost like the usual one are read by the rules, not by the guess."""
    usual = b"event: a\ndata: 1\n\n"
    check_sse(usual + b"event: a\n\ndata: 2\n\n" + usual, [E("a", "1"), E(data="2"), E("a", "1")])
    check_sse(
        usual + b"event: a\ndata:2\n\n" + b"event: ab\ndata: 3\n\n" + usual,
        [E("a", "1"), E("a", "2"), E("ab", "3"), E("a", "1")],
    )
    check_sse(
        usual + b"event: a\ndata: 2\nid: 5\n\n" + usual,
        [E("a", "1"), E("a", "2", "5"), E("a", "1", "5")],
        last_event_id="5",
    )
    check_sse(
        usual + b"event: a\ndata: 2\ndata: 3\n\n\n" + usual,
        [E("a", "1"), E("a", "2\n3"), E("a", "1")],
    )
    check_sse(
        usual + b"id: 1\nevent: a\ndata: 2\n\nretry: 5\nevent: a\ndata: 3\n\n" + usual,
        [E("a", "1"), E("a", "2", "1"), E("a", "3", "1", 5), E("a", "1", "1")],
        last_event_id="1",
        retry=5,
    )


@pytest.mark.parametrize("open_line", [b"id: 1", b"retry: 5", b"event: x", b"data: 0", b": c"])
def test_usual_block_does_not_end_an_open_one(open_line: bytes) -> None:
    """A piece that is the usual block, but continues an open one, is read as its continuation."""
    usual = b"event: a\ndata: 1\n\n"
    body = usual + open_line + b"\n" + usual
    expected = read(SSEParser(), [body])

    assert len(expected) == 2
    for place in range(len(body)):
        pieces = [usual, *cut(body[len(usual) :], [place])]
        assert read(SSEParser(), pieces) == expected


def test_many_blocks_in_one_piece() -> None:
    """A burst of usual and unusual blocks is read as block by block, wherever it is cut."""
    usual = b"event: a\ndata: 1\n\n"
    odd = [
        b"id: 1\n\n",
        b"data: x\ndata: y\n\n",
        b"event: b\n\n",
        b": c\n\n",
        b"\n",
        b"event: b\ndata: z\n\n",
        b"event: a\r\ndata: crlf\r\n\r\n",
        b"data: 1\n\n",
    ]
    blocks = [block for unusual in odd for block in [*[usual] * 40, unusual]]
    body = b"".join(blocks)
    expected = read(SSEParser(), blocks)

    assert len(expected) == 40 * len(odd) + 4
    for size in (1, 7, 64, 1000, 5000, len(body)):
        assert read(SSEParser(), cut(body, range(size, len(body), size))) == expected


@pytest.mark.parametrize("data", ["", "x", "x" * 600, "x" * 10_000])
@pytest.mark.parametrize("more", ["", "\ndata: y", "\nid: 3", "\nevent: b"])
def test_long_and_short_lines_mean_the_same(data: str, more: str) -> None:
    """How long the lines of a piece are does not change what they mean."""
    body = f"event: a\ndata: {data}{more}\n\n".encode() * 3
    name = "b" if "event" in more else "a"
    event = E(name, data + ("\ny" if "data" in more else ""), "3" if "id" in more else "")

    for pieces in [body], cut(body, range(1000, len(body), 1000)), cut(body, [len(body) // 2]):
        assert read(SSEParser(), pieces) == 3 * [event]


# --- the parser as an object ------------------------------------------------------------------


def test_close_is_idempotent_and_dispatches_nothing() -> None:
    """Closing twice is closing once, before, between and inside events."""
    for body, truncated in [(b"", False), (b"data: a\n\n", False), (b"data: a\n", True)]:
        parser = SSEParser()
        parser.feed(body)

        assert [parser.close(), parser.close()] == [[], []]
        assert parser.truncated is truncated


def test_bytearray_is_taken_and_left_alone() -> None:
    """A piece may be a bytearray; it is not changed, and may be reused by the caller."""
    body = BOM + "event: é\r\ndata: a\rid: 1\ndata: b\n\ndata: c\n\n".encode()
    for pieces in every_cutting(body):
        parser = SSEParser()
        frames = []
        for piece in pieces:
            buffer = bytearray(piece)
            frames += parser.feed(buffer)
            assert buffer == piece
            buffer[:] = b"\xff" * len(buffer)
        assert frames == [E("é", "a\nb", "1"), E(data="c", id="1")]


def test_data_is_json_on_request() -> None:
    """`json()` decodes the data, and says so if it is not JSON."""
    assert E(data='{"a": [1]}').json() == {"a": [1]}
    with pytest.raises(json.JSONDecodeError):
        E(data="[DONE]").json()


def test_framing_makes_parsers_with_its_settings() -> None:
    """The framing passes on comments, the last event ID and the limits."""
    parser = SSE(comments=True).parser(last_event_id="1", max_line_bytes=9, max_event_bytes=9)

    assert parser.feed(b": a\ndata: b\n\n") == [Comment("a"), E(data="b", id="1")]
    assert SSE().parser().feed(b": a\n") == []


# --- the vectors that peers were measured with ------------------------------------------------

VECTORS: dict[str, tuple[bytes, list[ServerSentEvent | Comment], str, int | None]] = {
    "simple": (b"data: a\n\n", [E(data="a")], "", None),
    "BOM": (BOM + b"data: a\n\n", [E(data="a")], "", None),
    "BOM and CRLF": (BOM + b"\r\ndata: a\r\n\r\n", [E(data="a")], "", None),
    "retry only": (b"retry: 3000\n\n", [], "", 3000),
    "event only": (b"event: x\n\n", [], "", None),
    "id only": (b"id: 7\n\n", [], "7", None),
    "id only, then an event": (b"id: 7\n\ndata: a\n\n", [E(data="a", id="7")], "7", None),
    "ping after an id": (
        b"id: 7\ndata: a\n\n: ping\n\n",
        [E(data="a", id="7")],
        "7",
        None,
    ),
    "unterminated event": (b'data: a\n\ndata: {"cut', [E(data="a")], "", None),
    "unterminated block": (b"data: a\n\ndata: b\n", [E(data="a")], "", None),
    "id with NUL": (b"id: a\0b\ndata: a\n\n", [E(data="a")], "", None),
    "CR": (b"data: a\r\rdata: b\r\r", [E(data="a"), E(data="b")], "", None),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [E(data="a"), E(data="b")], "", None),
    "LF, then CRLF": (b"data: a\n\r\ndata: b\n\r\n", [E(data="a"), E(data="b")], "", None),
    "invalid UTF-8": (b"data: \xff\n\n", [E(data="\ufffd")], "", None),
    "U+2028": ("data: a\u2028b\n\n".encode(), [E(data="a\u2028b")], "", None),
    "VT": (b"data: a\vb\n\n", [E(data="a\vb")], "", None),
    "NEL": ("data: a\x85b\n\n".encode(), [E(data="a\x85b")], "", None),
    "one space": (b"data:  a\n\n", [E(data=" a")], "", None),
    "trailing empty data": (b"data: a\ndata:\n\n", [E(data="a\n")], "", None),
    "empty data": (b"data:\n\n", [E(data="")], "", None),
    "always UTF-8": ("data: é\n\n".encode(), [E(data="é")], "", None),
    "retry is digits": (
        "retry: -5\nretry: +5\nretry: 1_000\nretry: ٣\ndata: a\n\n".encode(),
        [E(data="a")],
        "",
        None,
    ),
    "id persists": (
        b"id: 1\ndata: a\n\ndata: b\n\n",
        [E(data="a", id="1"), E(data="b", id="1")],
        "1",
        None,
    ),
    "unknown field only": (b"foo: bar\n\ndata: a\n\n", [E(data="a")], "", None),
    "type does not persist": (
        b"event: x\ndata: a\n\ndata: b\n\n",
        [E("x", "a"), E(data="b")],
        "",
        None,
    ),
    "sequence split over pieces": ("data: 😀é\n\n".encode(), [E(data="😀é")], "", None),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vector(name: str) -> None:
    """The vectors that no peer passes all of are passed, under every cutting."""
    body, events, last_event_id, retry = VECTORS[name]

    check_sse(
        body,
        events,
        last_event_id=last_event_id,
        retry=retry,
        truncated=name.startswith("unterminated"),
    )
