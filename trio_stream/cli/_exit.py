"""The exit codes, and what ``--help`` says of them."""

from __future__ import annotations

import enum
import signal

__all__ = ["EXIT_CODES", "Exit"]


class Exit(enum.IntEnum):
    """How a command ended. Those above 128 are what a shell makes of a signal."""

    COMPLETE = 0
    FAILED = 1
    USAGE = 2
    TRUNCATED = 3
    TIMED_OUT = 4
    HUNG_UP = 129
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    TERMINATED = 143

    @property
    def word(self) -> str:
        """What is said of it, such as ``interrupted``."""
        return self.name.lower().replace("_", " ")

    @classmethod
    def of_signal(cls, number: signal.Signals) -> Exit:
        """Of a command that a signal has stopped."""
        return cls(128 + number)


EXIT_CODES = """\
exit codes:
  0    complete (of tail: or --max-items was reached)
  1    failed: no connection, a bad status, a reset, a bad event, a full disk
  2    the command line is wrong, or the URL
  3    truncated: the stream stopped before its end
  4    timed out
  129  SIGHUP: the terminal has gone
  130  Ctrl-C
  141  the reader of the output has left (| head -1)
  143  SIGTERM
"""
