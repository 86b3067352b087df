"""What is said of a stream on the way: that it broke, and when it is asked for again."""

from __future__ import annotations

from typing import final

from ..errors import StreamError
from ._terminal import Style, say, visible

__all__ = ["Notices"]


@final
class Notices:
    """Says on stderr why a stream waits. Its last error is told with its outcome instead."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._why = ""

    def failed(self, error: StreamError) -> None:
        """An error that ended the stream, or interrupted it."""
        self._why = visible(" ".join(str(error).split()))

    def waiting(self, attempt: int, delay: float) -> None:
        """The stream is asked for again in so many seconds."""
        why, self._why = self._why or "the body has ended", ""
        say(f"trio-stream: {why} {self._style.dim(f'· again in {delay:.1f} s')}")
