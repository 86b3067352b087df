"""`trio-stream bench`: the benchmarks of a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ._exit import Exit
from ._terminal import say

__all__ = ["bench"]

# Beside the package, in a checkout; an installed package has no such neighbour.
BESIDE = Path(__file__).parents[2]


def bench(arguments: Sequence[str], *, beside: Path = BESIDE) -> int:
    """Run the benchmarks, with the arguments that they take themselves.

    Theory of operation: they are no part of the package, since they bring its peers and many
    processes. They are found beside it, where it runs from a checkout, and run as a program of
    their own: so they measure what a program of this Python would, and not this command line.

    Args:
        arguments: See ``trio-stream bench --help``.
        beside: Where to look for the folder ``benchmarks``.

    Returns:
        The exit code of the program; 2 if it is not there.
    """
    if not (beside / "benchmarks" / "__main__.py").is_file():
        say(
            "trio-stream: the benchmarks are not here: they come with the source, not with the"
            " installed package. In a checkout of it: python3 dev.py bench"
        )
        return Exit.USAGE
    path = os.pathsep.join([str(beside), *filter(None, [os.environ.get("PYTHONPATH")])])
    # -P: a folder called benchmarks in the current directory is not the one that is meant.
    command = [sys.executable, "-P", "-m", "benchmarks", *arguments]
    code = subprocess.call(command, env={**os.environ, "PYTHONPATH": path})  # noqa: S603
    return code if code >= 0 else 128 - code  # as a shell tells of a signal
