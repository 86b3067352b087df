"""What a terminal needs: colours where they are wanted, and no tricks from strangers."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

__all__ = ["Style", "human_bytes", "is_terminal", "say", "visible"]

# Everything that moves the cursor, changes colours or hides text; LF and TAB are welcome.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Style:
    """Colours by meaning; none where the reader is no terminal or does not want them."""

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours

    @classmethod
    def of(cls, stream: TextIO | None) -> Style:
        """The style for a stream."""
        wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(colours=wanted and is_terminal(stream))

    def dim(self, text: str) -> str:
        """What stands beside the matter."""
        return self._paint("2", text)

    def good(self, text: str) -> str:
        """What ended well."""
        return self._paint("32", text)

    def bad(self, text: str) -> str:
        """What did not."""
        return self._paint("31", text)

    def odd(self, text: str) -> str:
        """What is neither."""
        return self._paint("33", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text


def is_terminal(stream: TextIO | None) -> bool:
    """Whether someone is looking; a stream that was closed before we started is `None`."""
    return stream is not None and stream.isatty()


def say(text: str) -> None:
    """Tell something beside the output: on stderr, with stdout's order kept."""
    if sys.stderr is not None:
        try:
            print(text, file=sys.stderr, flush=True)
        except OSError:  # nobody is there to be told, which is no failure of the stream
            sys.stderr = None


def visible(text: str) -> str:
    """Write control characters as ``\\u001b``, which JSON reads as what they were.

    A server must not be able to move the reader's cursor.
    """
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def human_bytes(count: int) -> str:
    """``999 B``, ``1.2 kB``, ``3.4 MB``."""
    if count < 1000:
        return f"{count} B"
    size, units = count / 1000, ["kB", "MB", "GB"]
    while size >= 999.95 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.1f} {units[0]}"
