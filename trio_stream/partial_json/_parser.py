"""`PartialJSON`: when the machine runs, and what its user sees."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Final

from ._errors import PartialJSONError
from ._machine import Machine
from ._path import Json, Path

__all__ = ["DEFAULT_MAX_DEPTH", "DEFAULT_MAX_LENGTH", "PartialJSON"]

DEFAULT_MAX_DEPTH: Final = 200
"""About as deep as the parser of the official SDKs goes, and far deeper than tool calls do."""

DEFAULT_MAX_LENGTH: Final = 64 * 1024 * 1024
"""In characters. As much as an event may hold."""

_PROMPT: Final = 512  # characters
_LARGEST_BATCH: Final = 4096  # fragments
_NO_WAIT: Final = repeat(None, 0)


class PartialJSON:
    """Parse a JSON text that arrives in fragments, and look at the value so far at any time.

    `feed` costs amortised O(length of the fragment), whatever has come before and however small
    the fragments are.

    *When errors come.* `feed` raises in the very call that brings the first bad character, as
    long as somebody looks: while no more than 512 characters have come since the last `snapshot`,
    or since the start. Of more, it gathers batches, since whole batches cost a tenth of the time:
    each of as much again as has come unseen, but of 4096 fragments at most. An error then comes
    from the call that reads its batch: a `feed`, or at the latest the next `snapshot`,
    `is_complete`, `has_value` or `close`. Its position is exact in any case. With ``on_value``
    nothing waits.

    *After an error* the parser is spent: `feed` and `close` raise it again, and `snapshot` returns
    the value of what came before it.

    Args:
        max_depth: How deep objects and arrays may nest.
        max_length: How many characters may come, white space included.
        on_value: Called with the path and the value of each value that closes, those inside an
            object or array before it. An exception that it raises leaves `feed`, and what is left
            of the fragment is read by the next `feed` or `close`. It may look at the parser but
            not feed or close it.
    """

    __slots__ = (
        "_countdown",
        "_error",
        "_is_closed",
        "_is_seen",
        "_is_waiting",
        "_machine",
        "_patience",
        "_prompt",
        "_queue",
        "_root",
    )

    def __init__(
        self,
        *,
        max_depth: int = DEFAULT_MAX_DEPTH,
        max_length: int = DEFAULT_MAX_LENGTH,
        on_value: Callable[[Path, Json], object] | None = None,
    ) -> None:
        self._machine = Machine(max_depth, max_length, on_value)
        self._root = self._machine.root
        self._error: PartialJSONError | None = None
        self._is_closed = False
        # How much may be unseen until batches are gathered, the length of the text then, and
        # whether somebody has looked since that was set.
        self._prompt = _PROMPT if on_value is None else sys.maxsize
        self._patience = self._prompt
        self._is_seen = False
        # Whether batches are gathered; the batch, and how many fragments it is to wait for.
        self._is_waiting = False
        self._queue: list[str] = []
        self._countdown: Iterator[None] = _NO_WAIT

    def feed(self, text: str) -> None:
        """Take the next fragment of the text.

        Raises:
            PartialJSONError: It is not JSON, or outgrew a limit. The parser is spent.
            TypeError: It is not `str`.
            RuntimeError: After `close`.
        """
        # A countdown by iterator takes half the time of one by arithmetic, and waiting must cost
        # no more than reading will.
        for _ in self._countdown:
            self._queue.append(text)
            return
        if self._is_waiting:
            self._queue.append(text)
            self._run(is_lazy=True)
            return
        if type(text) is not str:
            text = _to_str(text)
        machine = self._machine
        length = machine.offset + len(text)
        if (
            machine.is_in_string
            and text.isprintable()
            and '"' not in text
            and "\\" not in text
            and length <= machine.max_length
            and not machine.held
        ):
            # Most of what models stream is the inside of long strings: `read`, without detours.
            machine.offset = length
            machine.grow_string(text)
        else:
            try:
                machine.read(text)
            except PartialJSONError as error:
                self._spend(error)
                raise
        if length > self._patience:
            if self._is_seen:
                self._is_seen = False
                self._patience = length + self._prompt
            else:
                self._is_waiting = True

    def snapshot(self, *, copy: bool = False) -> Json:
        """Return the value so far; `None` if there is none yet (see `has_value`).

        The value is live. Read it and do not keep it: its open objects and arrays go on growing,
        and to change them is undefined. What has closed does not change any more and may be kept.
        Whoever keeps an open string makes the next addition to it cost its whole length.

        Args:
            copy: Copy the open objects and arrays, so that the value stays as it is. Costs their
                lengths; what has closed is shared.
        """
        if self._is_waiting and self._error is None and not self._is_closed:
            self._run()
            self._is_waiting = False
            self._countdown = _NO_WAIT
            self._patience = self._machine.offset + self._prompt
        self._is_seen = True
        root = self._machine.copy() if copy else self._root
        return root[0] if root else None

    @property
    def has_value(self) -> bool:
        """Whether a value has appeared. Reads what waits, as `snapshot` does."""
        self.snapshot()
        return bool(self._machine.root)

    @property
    def is_complete(self) -> bool:
        """Whether the document has closed. Reads what waits, as `snapshot` does.

        A number that is the whole document closes with white space behind it, or with `close`.
        """
        self.snapshot()
        return self._error is None and self._machine.is_complete

    def close(self) -> Json:
        """The text is over; return its value, which is equal to `json.loads` of it. Idempotent.

        Raises:
            PartialJSONError: It is not JSON, not whole, or outgrew a limit. The parser is spent.
        """
        if not self._is_closed:
            if self._is_waiting:
                self._run()
            try:
                self._machine.finish()
            except PartialJSONError as error:
                self._spend(error)
                raise
            self._is_closed = True
            self._stop()
        return self._machine.root[0]

    def _run(self, *, is_lazy: bool = False) -> None:
        """Read the batch. ``is_lazy``: nobody will look before the next one."""
        if self._error is not None:
            self._queue.clear()
            raise PartialJSONError(self._error.msg, self._error.position)
        if self._is_closed:
            raise RuntimeError("feed() after close()")
        try:
            text = "".join(self._queue)
        except TypeError:
            self._queue = _only_strings(self._queue)
            raise TypeError("feed() takes str, not bytes or anything else") from None
        fragments = len(self._queue)
        self._queue.clear()
        self._machine.is_lazy = is_lazy
        try:
            length = self._machine.read(text)
        except PartialJSONError as error:
            self._spend(error)
            raise
        # As much again as has come unread, if the fragments go on like these.
        unread = length - self._patience + self._prompt
        due = unread * fragments // max(len(text), 1)
        self._countdown = repeat(None, min(due, _LARGEST_BATCH))

    def _spend(self, error: PartialJSONError) -> None:
        self._error = error
        self._stop()

    def _stop(self) -> None:
        """From now on, each `feed` ends in `_run`, which refuses."""
        self._is_waiting = True
        self._countdown = _NO_WAIT
        self._queue.clear()


def _to_str(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"feed() takes str, got {type(text).__name__}")
    return str.__str__(text)  # a subclass may behave differently


def _only_strings(texts: Iterable[object]) -> list[str]:
    return [each for each in texts if isinstance(each, str)]
