"""The laws of a dialect: batching must not matter, no ending may lie, no input may crash it."""

from __future__ import annotations

import random
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import Any, Final

import attrs

from ..dialects import Decoder, Dialect
from ..errors import StreamError, StreamTruncatedError
from ._assembler_laws import check_folding, fold_all
from ._cuts import Cutting, cuttings, sample, spell
from ._tampering import can_tamper, tamper

__all__ = ["check_dialect"]

_ANYTHING: Final[Any] = object()


def check_dialect(
    dialect: Dialect[Any, Any],
    frames: Sequence[Any],
    expected_result: Any = _ANYTHING,
    *,
    expected_items: Sequence[Any] | None = None,
    raises: type[StreamError] | None = None,
    hostile: bool = True,
    max_splits: int = 100,
    seed: int = 0,
) -> None:
    """Check that a dialect keeps its contract on one stream.

    The decoder, given the frames at once, one by one, in every two batches and in random ones:

    * gives the same items, each for the frame that completes it;
    * counts the same `skipped_items` and `unknown_events`, and does not disturb another decoder;
    * gives none for what follows the terminal event, in the same batch or later;
    * closed after any prefix, raises `StreamTruncatedError` or nothing; if the stream has a
      terminal event, nothing only where the decoder is finished or the assembler complete, which
      it is not before the first item.

    The assembler, given the items:

    * has the ``expected_result`` in the end;
    * gives snapshots that are values of their own, which later folding does not change;
    * has after n items the snapshot that a fresh assembler has after the same n;
    * takes what a broken stream may bring, items missing, repeated or out of order, and leaves
      the items as they are.

    Given frames whose payload was tampered with, the decoder raises nothing but `StreamError`,
    and the assembler nothing.

    Args:
        dialect: The dialect.
        frames: The frames of one stream, as the parser of its framing gives them.
        expected_result: The snapshot in the end. Left out: anything.
        expected_items: All the items. `None`: anything.
        raises: What `decode` must raise in the end, if the stream reports a failure.
        hostile: Whether to tamper with frames (such as have a ``data`` string).
        max_splits: How many splits in two, and how many prefixes, are tried; of a longer stream,
            a random sample.
        seed: Of everything random.

    Raises:
        AssertionError: A law is broken. Says which, and where.
    """
    rng = random.Random(seed)
    single = _decode(dialect, frames, range(1, len(frames) + 1))
    single.check_error(raises)
    if expected_items is not None and single.items != list(expected_items):
        raise AssertionError(f"the items are {single.items}, expected {list(expected_items)}")
    other = dialect.decoder()
    with suppress(StreamError):
        other.decode(frames[:-1], [])
    beside = _decode(dialect, frames, range(1, len(frames) + 1))
    beside.where += ", beside another decoder"
    beside.check_like(single)
    for cutting in cuttings(len(frames), max_splits=max_splits, seed=seed):
        _decode(dialect, frames, cutting).check_like(single)
    if single.finished:
        more = [*frames[: single.read], *frames]
        _decode(dialect, more, [len(more)]).check_like(single)
    for count in sample(range(single.read + 1), max_splits, rng):
        if single.error is None or count < single.read:
            _check_ending(dialect, frames[:count], has_terminal=single.finished)
    result = check_folding(dialect.assembler, single.items, rng)
    if expected_result is not _ANYTHING and result != expected_result:
        raise AssertionError(f"the result is {result!r}, expected {expected_result!r}")
    if hostile:
        for _ in range(max_splits):
            _check_tampered(dialect, frames, rng)


@contextmanager
def _nothing_but_stream_errors(what: str) -> Generator[None]:
    try:
        yield
    except Exception as exc:
        raise AssertionError(f"{what} raised {exc!r}, which is no StreamError") from exc


@attrs.define
class _Decoded:
    """What a fresh decoder made of one batching of the frames.

    Attributes:
        where: The batching, in words.
        items: All items.
        out_after: By the number of frames given, how many items were out.
        error: What `decode` raised.
        finished: Whether the terminal event was seen.
        counts: The payloads that were skipped, and the events that were unknown.
    """

    where: str
    items: list[Any] = attrs.field(factory=list[Any])
    out_after: dict[int, int] = attrs.Factory(lambda: {0: 0})
    error: StreamError | None = None
    finished: bool = False
    counts: tuple[int, int] = (0, 0)

    @property
    def read(self) -> int:
        """The number of frames given, those of a failed `decode` included."""
        return max(self.out_after)

    def check_error(self, raises: type[StreamError] | None) -> None:
        if raises is None and self.error is not None:
            raise AssertionError(f"{self.where}, decode raised {self.error!r}") from self.error
        if raises is not None and not isinstance(self.error, raises):
            raise AssertionError(
                f"{self.where}, decode raised {self.error!r}, not {raises.__name__}"
            )

    def check_like(self, single: _Decoded) -> None:
        if self.items != single.items:
            raise AssertionError(
                f"{self.where}, the items are {self.items}; one by one, they are {single.items}"
            )
        if repr(self.error) != repr(single.error) or self.finished != single.finished:
            raise AssertionError(
                f"{self.where}, it ends with error {self.error!r} and finished {self.finished}; "
                f"one by one, with {single.error!r} and {single.finished}"
            )
        if self.counts != single.counts:
            raise AssertionError(
                f"{self.where}, skipped_items and unknown_events are {self.counts}; one by one, "
                f"they are {single.counts}"
            )
        for given, out in self.out_after.items():
            due = single.out_after[min(given, single.read)]
            if out != due:
                raise AssertionError(
                    f"{self.where}, {out} items are out after {given} frames; one by one, {due} are"
                )


def _decode(dialect: Dialect[Any, Any], frames: Sequence[Any], cutting: Cutting) -> _Decoded:
    decoded = _Decoded(f"decoded {spell(cutting)}")
    decoder = dialect.decoder()
    for start, end in pairwise([0, *cutting]):
        if decoded.error is not None or decoder.finished:
            break  # whoever drives a decoder stops here
        with _nothing_but_stream_errors(f"{decoded.where}, frames {start} to {end}: decode"):
            try:
                decoder.decode(frames[start:end], decoded.items)
            except StreamError as exc:
                decoded.error = exc
        decoded.out_after[end] = len(decoded.items)
    decoded.finished = decoder.finished
    decoded.counts = decoder.skipped_items, decoder.unknown_events
    return decoded


def _check_ending(dialect: Dialect[Any, Any], frames: Sequence[Any], *, has_terminal: bool) -> None:
    where = f"after {len(frames)} frames"
    decoder, assembler = dialect.decoder(), dialect.assembler()
    if has_terminal and assembler.complete:
        raise AssertionError(f"{where}, the assembler is complete, though it was given no item")
    items: list[Any] = []
    decoder.decode(frames, items)
    fold_all(assembler, items)
    complaint = _close(decoder, where)
    if complaint is not None and not isinstance(complaint, StreamTruncatedError):
        raise AssertionError(f"{where}, close() raised {complaint!r}") from complaint
    if complaint is not None and decoder.finished:
        raise AssertionError(f"{where}, close() raised though the decoder is finished")
    if complaint is None and has_terminal and not (decoder.finished or assembler.complete):
        raise AssertionError(f"{where}, close() is silent, but the terminal event is missing")


def _close(decoder: Decoder[Any], where: str) -> StreamError | None:
    with _nothing_but_stream_errors(f"{where}, close()"):
        try:
            decoder.close()
        except StreamError as exc:
            return exc
    return None


def _check_tampered(dialect: Dialect[Any, Any], frames: Sequence[Any], rng: random.Random) -> None:
    """Decode and fold the frames, one in four of them tampered with, as far as that goes."""
    decoder, assembler = dialect.decoder(), dialect.assembler()
    start = rng.randrange(max(len(frames) - 64, 1))  # of a long stream, a stretch
    for original in [*frames[:1], *frames[start : start + 64]]:
        tampering = can_tamper(original) and rng.random() < 0.25
        frame = tamper(original, rng) if tampering else original
        items: list[Any] = []
        with _nothing_but_stream_errors(f"for the frame {frame!r:.2000}, decode"):
            try:
                decoder.decode([frame], items)
            except StreamError:
                decoder = dialect.decoder()  # the one that raised is spent
        fold_all(assembler, items)
        if decoder.finished:
            break
    _close(decoder, "after frames that were tampered with")
