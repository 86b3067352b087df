"""`check_parser` passes what is right, and catches each way to be wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trio_stream.errors import LimitExceededError, StreamError, StreamTruncatedError
from trio_stream.framing import NDJSONParser, Parser, Record, ServerSentEvent, SSEParser
from trio_stream.testing import check_parser

DATA = b"one\ntwo\n\nthree\nfour"
LINES = [b"one", b"two", b"", b"three"]
ENDS = [4, 8, 9, 15]


class Lines(Parser[bytes]):
    """A right parser, for the wrong ones below to differ from: lines, the open one dropped."""

    def __init__(self) -> None:
        self.open = b""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        *lines, self.open = (self.open + data).split(b"\n")
        return lines

    def close(self) -> list[bytes]:
        return []

    @property
    def truncated(self) -> bool:
        return self.open != b""


def check_lines(make: Callable[[], Parser[bytes]], **options: Any) -> None:
    check_parser(make, DATA, LINES, **options)


def test_right_parser_passes() -> None:
    """A parser that keeps the contract is let through, whatever is asked about it."""
    check_lines(Lines)
    check_lines(Lines, ends=ENDS, truncated=True, max_splits=3, seed=7)
    check_parser(Lines, b"", [], truncated=False, ends=[])


def test_parsers_of_the_package_pass() -> None:
    """The law fits formats with and without frames at the end of the body."""
    check_parser(
        SSEParser,
        b"\xef\xbb\xbfdata: a\r\n\r\n: x\r\rid: 7\ndata: \xe2\x98\x83\n\ndata: cut",
        [ServerSentEvent(data="a"), ServerSentEvent(data="☃", id="7")],
        truncated=True,
    )
    check_parser(NDJSONParser, b"1\n2\r\n3", [Record(c) for c in "123"], at_close=1)


def test_long_body_is_sampled() -> None:
    """A body with more splits than asked for is checked on some of them."""
    feeds = 0

    class Counting(Lines):
        def feed(self, data: bytes | bytearray) -> list[bytes]:
            nonlocal feeds
            feeds += 1
            return super().feed(data)

    check_parser(Counting, b"x\n" * 5_000, [b"x"] * 5_000, max_splits=10)

    assert feeds < 25_000


class Lossy(Lines):
    def feed(self, data: bytes | bytearray) -> list[bytes]:
        return [line for line in super().feed(data) if line]


class Forgetful(Lines):
    """Takes every piece for a beginning."""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        self.open = b""
        return super().feed(data)


class Late(Lines):
    """Hands each line out with the next piece."""

    held: list[bytes] | None = None

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        lines, self.held = self.held or [], super().feed(data)
        return lines

    def close(self) -> list[bytes]:
        lines, self.held = self.held or [], []
        return lines


class LateByOne(Lines):
    """Waits for the byte after the terminator, however the bytes come."""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        text = self.open + data
        *lines, rest = text[:-1].split(b"\n")
        self.open = rest + text[-1:]
        return lines


class Waiting(Lines):
    """Goes through what it has when it has a lot."""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        self.open += data
        if len(self.open) < 6:
            return []
        return super().feed(b"")

    def close(self) -> list[bytes]:
        lines = super().feed(b"")
        self.open = b""
        return lines


class Scribbling(Lines):
    def feed(self, data: bytes | bytearray) -> list[bytes]:
        lines = super().feed(bytes(data))
        if isinstance(data, bytearray):
            data[:1] = b"?"
        return lines


class Borrowing(Lines):
    """Keeps a buffer that it was lent."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes | bytearray] = []

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        self.pieces.append(data)
        if b"\n" not in data:
            return []
        self.open, self.pieces = b"".join(self.pieces), []
        *lines, rest = self.open.split(b"\n")
        self.pieces.append(rest)
        return lines


class Tireless(Lines):
    def close(self) -> list[bytes]:
        return [b"end"]


class Wavering(Lines):
    """Changes its mind about the end."""

    closes = 0

    def close(self) -> list[bytes]:
        self.closes += 1
        return []

    @property
    def truncated(self) -> bool:
        return self.closes < 2


class Reusing(Lines):
    """Hands out the same list each time."""

    def __init__(self) -> None:
        super().__init__()
        self.out: list[bytes] = []

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        self.out[:] = super().feed(data)
        return self.out


class Sharing(Lines):
    """Has one buffer for all parsers."""

    shared = [b""]  # noqa: RUF012 - this is the mistake

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        self.open = self.shared[0]
        lines = super().feed(data)
        self.shared[0] = self.open
        return lines

    def close(self) -> list[bytes]:
        self.shared[0] = b""
        return []


class Remembering(Lines):
    """Has a position that depends on the cuts."""

    last = b""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        lines = super().feed(data)
        self.last = lines[0] if lines else self.last
        return lines

    @property
    def last_event_id(self) -> str:
        return self.last.decode()


class Raising(Lines):
    def feed(self, data: bytes | bytearray) -> list[bytes]:
        raise StreamTruncatedError("no")


@pytest.mark.parametrize(
    ("make", "options", "complaint"),
    [
        (Lossy, {}, "frame 2 is b'three', expected b''"),
        (Forgetful, {}, "in pieces of one, frame 0 is b'', expected b'one'"),
        (Late, {}, "expected 0 frames there|frames are out after"),
        (LateByOne, {"ends": ENDS}, r"out after \[5, 9, 10, 16\] bytes, expected after \[4, 8"),
        (Waiting, {}, "frames are out after"),
        (Scribbling, {}, "changed a buffer"),
        (Borrowing, {}, "of bytearray, frame 0 is"),
        (Reusing, {}, r"\[b'one'\] became \[.*\] after it was handed out"),
        (Sharing, {}, "in pieces of 19, beside another parser, frame 0 is"),
        (Remembering, {}, r"last_event_id and retry are \('one', None\); byte by byte"),
        (Tireless, {"expected": [*LINES, b"end"], "at_close": 1}, "a second close"),
        (Wavering, {}, "a second close"),
        (Lines, {"truncated": False}, "truncated is True"),
        (Lines, {"at_close": 1}, "expected 1 frames there"),
        (Lines, {"expected": [*LINES, b"more"]}, "there are 4 frames, expected 5"),
        (Lines, {"raises": StreamError}, "feed raised None, not StreamError"),
        (Raising, {}, "feed raised StreamTruncatedError"),
        (Raising, {"raises": LimitExceededError}, "not LimitExceededError"),
    ],
)
def test_wrong_parser_is_caught(
    make: Callable[[], Parser[bytes]], options: dict[str, Any], complaint: str
) -> None:
    """A parser that breaks the contract is caught, and the message says where."""
    data, expected = options.pop("data", DATA), options.pop("expected", LINES)

    with pytest.raises(AssertionError, match=complaint):
        check_parser(make, data, expected, **options)


class Limited(Lines):
    """Lines of at most four bytes; what came before a longer one is not lost."""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        lines = super().feed(data)
        for index, line in enumerate([*lines, self.open]):
            if len(line) > 4:
                raise LimitExceededError("too long", frames=lines[:index])
        return lines


class LimitedLater(Limited):
    """Notices a line that is too long only at its end."""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        lines = Lines.feed(self, data)
        for index, line in enumerate(lines):
            if len(line) > 4:
                raise LimitExceededError("too long", frames=lines[:index])
        return lines


class LimitedLossy(Limited):
    def feed(self, data: bytes | bytearray) -> list[bytes]:
        try:
            return super().feed(data)
        except LimitExceededError as exc:
            exc.frames = []
            raise


class LimitedByPiece(Limited):
    """Looks at the open line only if the piece is small."""

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        return super().feed(data) if len(data) == 1 else LimitedLater.feed(self, data)


def test_limit_is_checked_under_every_cutting() -> None:
    """A breach is raised in the piece that brings it, with the frames that came before."""
    data, before = b"one\ntwo\nthree\nfour\n", [b"one", b"two"]

    check_parser(Limited, data, before, raises=LimitExceededError)
    check_parser(LimitedLater, data, before, raises=LimitExceededError)
    with pytest.raises(AssertionError, match="there are 0 frames, expected 2"):
        check_parser(LimitedLossy, data, before, raises=LimitExceededError)
    with pytest.raises(AssertionError, match=r"raised after \d+ bytes; byte by byte"):
        check_parser(LimitedByPiece, data, before, raises=LimitExceededError)
