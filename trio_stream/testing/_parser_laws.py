"""The laws of a parser: how a body was cut on its way must not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, TypeVar

import attrs

from ..errors import StreamError
from ..framing import Parser
from ._cuts import Cutting, cuttings, spell

__all__ = ["check_parser"]

F = TypeVar("F")


def check_parser(
    make_parser: Callable[[], Parser[F]],
    data: bytes,
    expected_frames: Sequence[F],
    *,
    at_close: int = 0,
    ends: Sequence[int] | None = None,
    truncated: bool | None = None,
    raises: type[StreamError] | None = None,
    max_splits: int = 400,
    seed: int = 0,
) -> None:
    """Check that a parser keeps its contract on one body.

    Whole, byte by byte, in every two pieces, and in random ones with empty ones among them:

    * the frames are ``expected_frames``;
    * each is out in the very `feed` that brings the last byte of its terminator, whatever else
      that piece brings;
    * pieces are `bytes` or `bytearray`, are left as they were, and are not needed afterwards;
    * what was handed out is left as it was, and another parser is not disturbed;
    * `last_event_id` and `retry` are the same in the end;
    * `close` hands out the last ``at_close`` frames, and nothing the second time.

    How long it takes is not looked at: feed a long frame byte by byte to see that.

    Args:
        make_parser: Makes a fresh parser.
        data: The body.
        expected_frames: All the frames in it.
        at_close: How many of them only the end of the body completes.
        ends: For each frame that `feed` hands out, the number of bytes after which it must be
            out. Without it, a parser that is late in the same way under every cutting goes
            unnoticed, unless it is late at the end.
        truncated: What `Parser.truncated` must be in the end. `None`: anything.
        raises: What `feed` must raise, in the piece that brings the offending byte. The frames
            that the error carries count as handed out.
        max_splits: How many splits in two are tried; of a longer body, a random sample.
        seed: Of everything random.

    Raises:
        AssertionError: A law is broken. Says which, and under which cutting.
    """

    def check(cutting: Cutting, *, reuse_buffer: bool = False, note: str = "") -> _Run:
        run = _Run(f"{spell(cutting)}{' of bytearray' if reuse_buffer else ''}{note}")
        _feed(run, make_parser(), data, cutting, reuse_buffer=reuse_buffer)
        _check_result(
            run, list(expected_frames), at_close=at_close, truncated=truncated, raises=raises
        )
        return run

    bytewise = check(range(1, len(data) + 1))
    if ends is not None:
        _check_ends(bytewise, list(ends))
    other = make_parser()
    with suppress(StreamError):
        other.feed(data[:-1])
    check([len(data)], note=", beside another parser")
    check(range(1, len(data) + 1), reuse_buffer=True)
    for cutting in cuttings(len(data), max_splits=max_splits, seed=seed):
        _check_like(check(cutting), bytewise)
        if len(cutting) != 2:  # to try each split twice would find little more
            _check_like(check(cutting, reuse_buffer=True), bytewise)


@attrs.define
class _Run:
    """What came of one parser that was fed with one cutting.

    Attributes:
        where: The cutting, in words.
        frames: The frames of `feed`.
        at_close: The frames of `close`.
        out_after: By the number of bytes fed, how many frames were out.
        position: The last event ID and the reconnection time in the end.
        error: What `feed` raised; the parser was not closed then.
    """

    where: str
    frames: list[Any] = attrs.field(factory=list[Any])
    at_close: list[Any] = attrs.field(factory=list[Any])
    out_after: dict[int, int] = attrs.Factory(lambda: {0: 0})
    truncated: bool = False
    position: tuple[str, int | None] = ("", None)
    error: StreamError | None = None

    @property
    def fed(self) -> int:
        """The number of bytes fed, those of a failed `feed` included."""
        return max(self.out_after)


def _feed(
    run: _Run, parser: Parser[Any], data: bytes, cutting: Cutting, *, reuse_buffer: bool
) -> None:
    batches: list[tuple[list[Any], list[Any]]] = []  # as they were handed out, and as they are
    for start, end in pairwise([0, *cutting]):
        piece = data[start:end]
        buffer = bytearray(piece) if reuse_buffer else piece
        try:
            if frames := parser.feed(buffer):
                batches.append((list(frames), frames))
                run.frames += frames
        except StreamError as exc:
            run.error = exc
            run.frames += getattr(exc, "frames", ())
        run.out_after[end] = len(run.frames)
        if buffer != piece:
            raise AssertionError(f"fed {run.where}, the parser changed a buffer it was given")
        if isinstance(buffer, bytearray):
            # What a receive buffer is for: the next read overwrites it.
            buffer[:] = b"\xff" * len(buffer)
        if run.error is not None:
            return
    run.at_close = list(parser.close())
    run.truncated = parser.truncated
    run.position = parser.last_event_id, parser.retry
    again = parser.close()
    if again or parser.truncated != run.truncated:
        raise AssertionError(f"fed {run.where}, a second close() changed something: {again}")
    for before, after in batches:
        if before != after:
            raise AssertionError(
                f"fed {run.where}, {before} became {after} after it was handed out"
            )


def _check_result(
    run: _Run,
    expected: list[Any],
    *,
    at_close: int,
    truncated: bool | None,
    raises: type[StreamError] | None,
) -> None:
    if raises is None and run.error is not None:
        raise AssertionError(f"fed {run.where}, feed raised {run.error!r}") from run.error
    if raises is not None and not isinstance(run.error, raises):
        raise AssertionError(f"fed {run.where}, feed raised {run.error!r}, not {raises.__name__}")
    frames = [*run.frames, *run.at_close]
    if frames != expected:
        raise AssertionError(f"fed {run.where}, {_difference(frames, expected)}")
    if raises is None and len(run.at_close) != at_close:
        raise AssertionError(
            f"fed {run.where}, close() handed out {run.at_close}: expected {at_close} frames there"
        )
    if raises is None and truncated not in (None, run.truncated):
        raise AssertionError(f"fed {run.where}, truncated is {run.truncated}")


def _difference(frames: list[Any], expected: list[Any]) -> str:
    for index, (frame, wanted) in enumerate(zip(frames, expected, strict=False)):
        if frame != wanted:
            return f"frame {index} is {frame!r}, expected {wanted!r}"
    return (
        f"there are {len(frames)} frames, expected {len(expected)}; "
        f"the first {min(len(frames), len(expected))} are right"
    )


def _check_ends(bytewise: _Run, expected: list[int]) -> None:
    ends = [
        after
        for before, after in pairwise(sorted(bytewise.out_after))
        for _ in range(bytewise.out_after[after] - bytewise.out_after[before])
    ]
    if ends != expected:
        raise AssertionError(f"frames are out after {ends} bytes, expected after {expected}")


def _check_like(run: _Run, bytewise: _Run) -> None:
    if run.error is None and run.position != bytewise.position:
        raise AssertionError(
            f"fed {run.where}, last_event_id and retry are {run.position}; byte by byte, they are"
            f" {bytewise.position}"
        )
    for fed, out in run.out_after.items():
        # Byte by byte, nothing is fed after the offending byte; other pieces may bring more.
        due = bytewise.out_after[min(fed, bytewise.fed)]
        if out != due:
            raise AssertionError(
                f"fed {run.where}, {out} frames are out after {fed} bytes; byte by byte, {due} are"
            )
        if bytewise.error is not None and (fed >= bytewise.fed) != (
            run.error is not None and fed == run.fed
        ):
            raise AssertionError(
                f"fed {run.where}, feed raised after {run.fed} bytes; byte by byte, it raises after"
                f" {bytewise.fed}"
            )
