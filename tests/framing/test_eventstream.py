"""AWS's binary event stream: the parser beside an encoder that shares nothing with it."""

from __future__ import annotations

import gc
import struct
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import repeat
from uuid import UUID
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.framing.cutting import cut, pieces_of, read
from trio_stream.config import DEFAULT_MAX_BYTES
from trio_stream.errors import CorruptFrameError, LimitExceededError, StreamError, StreamErrorType
from trio_stream.framing import (
    EventStream,
    EventStreamHeader,
    EventStreamMessage,
    EventStreamParser,
)
from trio_stream.testing import check_parser

MIB = 1024 * 1024
ID = UUID("01234567-89ab-cdef-0123-456789abcdef")

# --- the encoder ---------------------------------------------------------------------------------


def header(name: str | bytes, kind: int, value: bytes = b"") -> bytes:
    name = name.encode() if isinstance(name, str) else name
    return bytes([len(name)]) + name + bytes([kind]) + value


def prefixed(value: bytes) -> bytes:
    return struct.pack("!H", len(value)) + value


def text(name: str, value: str) -> bytes:
    return header(name, 7, prefixed(value.encode()))


def message(payload: bytes = b"", headers: bytes = b"") -> bytes:
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return frame + struct.pack("!I", crc32(frame))


def prelude(length: int, headers_length: int) -> bytes:
    lengths = struct.pack("!II", length, headers_length)
    return lengths + struct.pack("!I", crc32(lengths))


# Every type of header, at its ends: how it is sent, and what it means.
HEADERS: list[tuple[int, bytes, EventStreamHeader]] = [
    (0, b"", True),
    (1, b"", False),
    (2, b"\x7f", 127),
    (2, b"\x80", -128),
    (3, b"\x7f\xff", 32767),
    (3, b"\xff\xfe", -2),
    (4, b"\x7f\xff\xff\xff", 2**31 - 1),
    (4, b"\x80\x00\x00\x00", -(2**31)),
    (5, b"\x7f" + 7 * b"\xff", 2**63 - 1),
    (5, b"\x80" + 7 * b"\x00", -(2**63)),
    (6, b"\x00\x00", b""),
    (6, b"\x00\x03\x00\xff\x07", b"\x00\xff\x07"),
    (6, b"\xff\xff" + 65535 * b"x", 65535 * b"x"),
    (7, b"\x00\x00", ""),
    (7, b"\x00\x05\xc3\xa9\xe2\x82\xac", "é€"),
    (7, b"\x00\x02a\xff", "a\ufffd"),
    (8, 8 * b"\x00", datetime(1970, 1, 1, tzinfo=UTC)),
    (8, struct.pack("!q", 1_700_000_000_123), datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)),
    (8, struct.pack("!q", -1), datetime(1969, 12, 31, 23, 59, 59, 999000, UTC)),
    (8, b"\x7f" + 7 * b"\xff", 2**63 - 1),
    (8, b"\x80" + 7 * b"\x00", -(2**63)),
    (9, ID.bytes, ID),
]

EVENT = {":event-type": "contentBlockDelta", ":message-type": "event"}
EVENT_HEADERS = b"".join(text(name, value) for name, value in EVENT.items())
ALL_TYPES = b"".join(
    header(f"h{number}", kind, value)
    for number, (kind, value, _) in enumerate(HEADERS)
    if len(value) < 100
)


def refused(body: bytes, *, before: Sequence[EventStreamMessage] = ()) -> CorruptFrameError:
    """Check that a body is refused, with nothing but the messages before the fault."""
    parser = EventStreamParser()
    with pytest.raises(CorruptFrameError) as caught:
        parser.feed(body)
    assert caught.value.frames == list(before)
    assert parser.close() == []
    assert not parser.truncated
    return caught.value


# --- what is sent is what is read ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoded", "headers", "payload"),
    [
        ("000000100000000005c248eb7d98c8ff", {}, b""),
        ("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936", {}, b"{'foo':'bar'}"),
        (
            "0000002b0000000e348bec7b086576656e742d6964040000a00c7b27666f6f273a27626172277dd3890285",
            {"event-id": 40972},
            b"{'foo':'bar'}",
        ),
    ],
)
def test_published_vectors(
    encoded: str, headers: dict[str, EventStreamHeader], payload: bytes
) -> None:
    """The test vectors that the AWS SDKs share are read as they are meant."""
    body = bytes.fromhex(encoded)

    check_parser(EventStreamParser, body, [EventStreamMessage(headers, payload)], ends=[len(body)])


def test_each_message_is_out_with_its_last_byte() -> None:
    """Messages follow each other without anything between, each out in the feed that ends it."""
    bodies = [
        message(b"{}", EVENT_HEADERS),
        message(),
        message(b"\x00\xff"),
        message(b"", text("a", "b")),
    ]
    ends = [sum(map(len, bodies[: count + 1])) for count in range(4)]

    check_parser(
        EventStreamParser,
        b"".join(bodies),
        [
            EventStreamMessage(dict(EVENT), b"{}"),
            EventStreamMessage(),
            EventStreamMessage({}, b"\x00\xff"),
            EventStreamMessage({"a": "b"}),
        ],
        ends=ends,
        truncated=False,
    )


@pytest.mark.parametrize(("kind", "value", "meaning"), HEADERS)
def test_every_type_of_header(kind: int, value: bytes, meaning: EventStreamHeader) -> None:
    """Each type of value is decoded, among other headers and to its exact type."""
    body = message(b"p", text("before", "b") + header("h", kind, value) + text("after", "a"))

    (read_back,) = EventStreamParser().feed(body)

    assert read_back == EventStreamMessage({"before": "b", "h": meaning, "after": "a"}, b"p")
    assert type(read_back.headers["h"]) is type(meaning)


def test_all_types_under_every_cutting() -> None:
    """A message with every type of header is the same however it is cut."""
    meant = {f"h{n}": meaning for n, (_, value, meaning) in enumerate(HEADERS) if len(value) < 100}

    check_parser(
        EventStreamParser, 2 * message(b"p", ALL_TYPES), 2 * [EventStreamMessage(meant, b"p")]
    )


def test_names_are_utf8() -> None:
    """A name is UTF-8, of at most 255 bytes, with U+FFFD for invalid ones."""
    long = 255 * "n"
    body = message(b"", header(long, 0) + header("é", 1) + header(b"\xff", 0))

    assert EventStreamParser().feed(body) == [
        EventStreamMessage({long: True, "é": False, "\ufffd": True})
    ]


def test_values_are_bytes_of_their_own() -> None:
    """Neither payload nor header changes when the buffer that was fed is used again."""
    buffer = bytearray(message(b"abc", header("h", 6, prefixed(b"xyz"))))
    frames = EventStreamParser().feed(buffer)
    buffer[:] = len(buffer) * b"\xff"

    assert frames == [EventStreamMessage({"h": b"xyz"}, b"abc")]
    assert type(frames[0].payload) is bytes


values = st.one_of(
    st.booleans().map(lambda value: (int(not value), b"", value)),
    st.integers(-(2**7), 2**7 - 1).map(lambda value: (2, struct.pack("!b", value), value)),
    st.integers(-(2**15), 2**15 - 1).map(lambda value: (3, struct.pack("!h", value), value)),
    st.integers(-(2**31), 2**31 - 1).map(lambda value: (4, struct.pack("!i", value), value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: (5, struct.pack("!q", value), value)),
    st.binary(max_size=40).map(lambda value: (6, prefixed(value), value)),
    st.text(max_size=20).map(lambda value: (7, prefixed(value.encode()), value)),
    st.uuids().map(lambda value: (9, value.bytes, value)),
)
names = st.text(min_size=1, max_size=12)
messages = st.lists(
    st.tuples(st.dictionaries(names, values, max_size=5), st.binary(max_size=60)), max_size=5
)
places = st.lists(st.integers(min_value=0, max_value=2**32), max_size=12)


@given(sent=messages, ends=places)
def test_round_trip_under_any_cutting(
    sent: list[tuple[dict[str, tuple[int, bytes, EventStreamHeader]], bytes]], ends: list[int]
) -> None:
    """Whatever is encoded is read as it was, however the body is cut."""
    bodies = [
        message(payload, b"".join(header(name, kind, raw) for name, (kind, raw, _) in each.items()))
        for each, payload in sent
    ]
    meant = [
        EventStreamMessage({name: value for name, (_, _, value) in each.items()}, payload)
        for each, payload in sent
    ]
    body = b"".join(bodies)
    parser = EventStreamParser()

    assert read(parser, cut(body, [end % (len(body) + 1) for end in ends])) == meant
    assert not parser.truncated


@given(body=st.binary(max_size=80) | st.binary(max_size=40).map(lambda end: message(b"{}") + end))
def test_any_bytes_are_messages_or_refused(body: bytes) -> None:
    """Bytes that are no messages raise nothing but `CorruptFrameError`."""
    parser = EventStreamParser()
    try:
        frames = read(parser, pieces_of(body, 7))
    except CorruptFrameError as error:
        frames = error.frames

    assert all(isinstance(frame, EventStreamMessage) for frame in frames)


# --- corruption ----------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_no_corrupt_byte_goes_unnoticed(flip: int) -> None:
    """A message with one byte changed is never handed out, whichever byte it is."""
    good = EventStreamMessage({"first": "1"}, b"1")
    first = message(b"1", text("first", "1"))
    second = message(b'{"a": 1}', EVENT_HEADERS)
    for place in range(len(second)):
        corrupt = bytearray(second)
        corrupt[place] ^= flip
        refused(first + corrupt + message(), before=[good])


@pytest.mark.parametrize("place", [0, 5, 11])
def test_corrupt_prelude_is_refused_at_once(place: int) -> None:
    """A prelude is refused with its twelfth byte, and nothing that it promises is waited for."""
    corrupt = bytearray(message(1000 * b"x"))
    corrupt[place] ^= 1

    check_parser(
        EventStreamParser,
        message() + corrupt[:12] + b"more",
        [EventStreamMessage()],
        raises=CorruptFrameError,
    )


def test_corrupt_payload_is_refused_at_its_end() -> None:
    """A payload that does not check is refused with the last byte of its message."""
    corrupt = bytearray(message(b"payload"))
    corrupt[-8] ^= 1

    check_parser(
        EventStreamParser,
        message(b"1") + corrupt + b"more",
        [EventStreamMessage({}, b"1")],
        raises=CorruptFrameError,
    )


@pytest.mark.parametrize(
    "lengths",
    [(0, 0), (15, 0), (12, 0), (16, 1), (20, 5), (100, 85), (16, 2**32 - 1), (1, 2**32 - 1)],
)
def test_impossible_lengths_are_refused(lengths: tuple[int, int]) -> None:
    """A message shorter than its own frame, or than its headers, is refused at its prelude."""
    check_parser(
        EventStreamParser,
        message() + prelude(*lengths) + 30 * b"x",
        [EventStreamMessage()],
        raises=CorruptFrameError,
    )


@pytest.mark.parametrize(
    "headers",
    [
        header("", 0),
        header("a", 0) + header("a", 1),
        header("a", 10),
        header("a", 255),
        text("a", "b")[:-1],
        text("a", "b")[:-2],
        b"\x05ab",
        b"\x01",
        b"\x01a",
        b"\xff",
        header("a", 2),
        header("a", 3, b"1"),
        header("a", 4, b"123"),
        header("a", 5, b"1234567"),
        header("a", 6, b"\x00"),
        header("a", 6, b"\xff\xff123"),
        header("a", 7),
        header("a", 8, b"1234567"),
        header("a", 9, 15 * b"x"),
        header("ok", 0) + b"\x00",
    ],
)
def test_broken_headers_are_refused(headers: bytes) -> None:
    """Headers that are not what the format says are refused, though both sums are right."""
    refused(message() + message(b"payload", headers), before=[EventStreamMessage()])


def test_cut_headers_never_borrow_from_the_payload() -> None:
    """A header that its headers cut off does not go on in the payload."""
    for size in range(1, len(EVENT_HEADERS)):
        if size == len(text(":event-type", "contentBlockDelta")):
            continue  # between the two
        cut_off, payload = EVENT_HEADERS[:size], EVENT_HEADERS[size:]
        refused(message(payload, cut_off))


def test_corruption_may_pass() -> None:
    """Corruption interrupts a stream, so that another attempt makes sense; a first byte tells."""
    error = refused(b"HTTP/1.1 400 Bad Request")

    assert isinstance(error, StreamError)
    assert error.error_type is StreamErrorType.STREAM_INTERRUPTED
    assert error.is_retryable
    assert "no event stream" in str(error)


# --- ends ----------------------------------------------------------------------------------------


def test_every_cut_is_told() -> None:
    """A body that ends inside a message is truncated, at whichever byte, and it is dropped."""
    body = message(b"1") + message(b'{"a": 1}', EVENT_HEADERS)
    first = len(message(b"1"))
    for end in range(1, len(body)):
        frames = [EventStreamMessage({}, b"1")] if end >= first else []
        check_parser(EventStreamParser, body[:end], frames, truncated=end != first, max_splits=5)


def test_close_is_idempotent() -> None:
    """Closing twice changes nothing; an empty body lacks nothing."""
    parser = EventStreamParser()
    assert [parser.close(), parser.close(), parser.truncated] == [[], [], False]
    parser = EventStreamParser()
    parser.feed(message()[:5])
    assert [parser.close(), parser.close(), parser.truncated] == [[], [], True]


# --- limits --------------------------------------------------------------------------------------


def test_limit_is_exact() -> None:
    """A message may be as long as the limit, everything counted, and not one byte more."""
    body = message(b"1") + message(b"12345", text("a", "b"))
    length = len(body) - len(message(b"1"))
    first, second = EventStreamMessage({}, b"1"), EventStreamMessage({"a": "b"}, b"12345")

    check_parser(lambda: EventStreamParser(max_event_bytes=length), body, [first, second])
    check_parser(
        lambda: EventStreamParser(max_event_bytes=length - 1),
        body,
        [first],
        raises=LimitExceededError,
    )


@pytest.mark.parametrize("length", [DEFAULT_MAX_BYTES + 1, 2**31, 2**32 - 1])
def test_limit_is_judged_by_the_prelude(length: int) -> None:
    """A message that would be too long is refused before its first byte; 64 MiB by default."""
    for parser in (EventStreamParser(), EventStream().parser()):
        with pytest.raises(LimitExceededError) as caught:
            parser.feed(message(b"1") + prelude(length, 10))
        assert caught.value.limit == "max_event_bytes"
        assert caught.value.frames == [EventStreamMessage({}, b"1")]
        assert parser.close() == []


def test_default_limit_allows_what_aws_sends() -> None:
    """The payload of 24 MiB and the 128 KiB of headers that the specification allows are read."""
    headers = b"".join(header(f"{n}", 6, prefixed(65_531 * b"h")) for n in range(2))
    assert len(headers) == 128 * 1024
    body = message(24 * MIB * b"p", headers)
    parser = EventStream().parser()

    (frame,) = read(parser, pieces_of(body, 65_536))

    assert len(frame.payload) == 24 * MIB
    assert frame.headers == {"0": 65_531 * b"h", "1": 65_531 * b"h"}


def test_headers_are_bounded() -> None:
    """Headers of up to 1 MiB are read; more are refused at the prelude: decoded, they are huge."""
    sixteen = b"".join(header(f"{n:04}", 6, prefixed(65_528 * b"h")) for n in range(16))
    assert len(sixteen) == MIB

    (frame,) = EventStreamParser().feed(message(b"p", sixteen))
    with pytest.raises(LimitExceededError) as caught:
        EventStreamParser().feed(message() + prelude(2 * MIB, MIB + 1))

    assert len(frame.headers) == 16
    assert caught.value.limit == "max_headers_bytes"
    assert caught.value.frames == [EventStreamMessage()]


@pytest.mark.parametrize("piece", [1, 1000, 65_536])
def test_promised_message_takes_what_came(piece: int) -> None:
    """Of a message that is only promised, nothing is reserved; of one that comes, little more."""
    size = 256 * 1024
    parser = EventStreamParser()
    gc.collect()
    tracemalloc.start()
    try:
        parser.feed(prelude(DEFAULT_MAX_BYTES, 0))
        promised = tracemalloc.get_traced_memory()[1]
        for data in repeat(bytes(piece), size // piece):
            parser.feed(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert promised < 10_000
    assert peak < 2 * size + 2 * piece
    parser.close()
    assert parser.truncated


@pytest.mark.parametrize("piece", [1, 4, 64])
def test_small_pieces(piece: int) -> None:
    """A message of 256 KiB in tiny pieces is one message, and so is what follows it."""
    body = message(256 * 1024 * b"x", EVENT_HEADERS) + message(b"end")

    frames = read(EventStreamParser(), pieces_of(body, piece))

    assert [len(frame.payload) for frame in frames] == [256 * 1024, 3]


def test_many_messages_in_one_piece() -> None:
    """A burst of messages in one piece is all of them."""
    body = 20_000 * message(b"{}", EVENT_HEADERS)

    assert EventStreamParser().feed(body) == 20_000 * [EventStreamMessage(dict(EVENT), b"{}")]


# --- the framing ---------------------------------------------------------------------------------


def test_framing() -> None:
    """The framing is asked for by its media type; the limit of its parsers can be set."""
    assert EventStream.media_types == ("application/vnd.amazon.eventstream",)
    assert EventStream() == EventStream()
    with pytest.raises(LimitExceededError):
        EventStream().parser(max_event_bytes=16).feed(message(b"1"))
    assert EventStream().parser(max_line_bytes=1).feed(message(b"1")) != []
    assert EventStream().parser(last_event_id="7").last_event_id == ""


def test_message_says_what_it_is() -> None:
    """The event of a message is its event type, exception type or error code."""
    for name in (":event-type", ":exception-type", ":error-code"):
        (frame,) = EventStreamParser().feed(message(b"", text(name, "word")))
        assert frame.event == "word"
    (frame,) = EventStreamParser().feed(message(b"", header(":event-type", 0)))
    assert frame.event == ""
