"""The command line: ``trio-stream tail URL``, ``record``, ``replay``, ``chat`` and ``demo``.

Exit codes:

====  ==========================================================================
   0  the stream was complete, or ``--max-items`` was reached
   1  it failed: no connection, a bad status, a reset, a bad event, nothing to write to
   2  the command line is wrong, a URL that cannot be one included
   3  it was truncated: the other side stopped sending before the end
   4  it timed out
 129  SIGHUP: the terminal has gone
 130  Ctrl-C
 141  the reader of our output has left, as in ``| head -1``; nothing is said about it
 143  SIGTERM
====  ==========================================================================

Results go to stdout, everything else to stderr.
"""

from ._main import main

__all__ = ["main"]
