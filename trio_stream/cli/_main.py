"""The door: from the command line to a command, and from its end to an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from ._arguments import argument_parser
from ._exit import Exit
from ._options import tail_options
from ._tail import tail
from ._terminal import is_terminal, say

__all__ = ["main"]

T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks.

    Args:
        arguments: What follows the name of the program; default: that of this process.

    Returns:
        The exit code: see `trio_stream.cli`.

    Raises:
        SystemExit: The command line is wrong (2), or asks for help (0).
    """
    code: int = Exit.FAILED
    try:
        try:
            code = _run(arguments)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where a reader that has left is no traceback
    except* BrokenPipeError:
        code = Exit.OUTPUT_CLOSED
        _forget_output()
    except* KeyboardInterrupt:  # outside of the commands, which have their own way
        code = Exit.INTERRUPTED
    return code


def _run(arguments: Sequence[str] | None) -> int:
    if sys.stdout is None:  # it was closed, and by now its descriptor may be another file's
        say("trio-stream: there is no stdout to write to")
        return Exit.FAILED
    parser = argument_parser()
    parsed, rest = parser.parse_known_args(arguments)
    if parsed.command == "bench":
        # It brings a process that may never be needed.
        from ._bench import bench  # noqa: PLC0415

        return bench(rest)
    if rest:
        parsed = parser.parse_args(arguments)  # exits
    on_terminal = is_terminal(sys.stdout)
    if parsed.command == "tail":
        return trio.run(tail, _understood(parsed, partial(tail_options, on_terminal=on_terminal)))
    if parsed.command == "record":
        # These two bring a server and a recorder.
        from ._record import record, record_options  # noqa: PLC0415

        return trio.run(record, _understood(parsed, record_options))
    if parsed.command == "replay":
        from ._replay import replay, replay_options  # noqa: PLC0415

        understand = partial(replay_options, on_terminal=on_terminal)
        return trio.run(replay, _understood(parsed, understand))
    if parsed.command == "chat":
        # It brings the formats of all providers.
        from .chat import chat, chat_options  # noqa: PLC0415

        return trio.run(chat, _understood(parsed, chat_options))
    if parsed.command == "demo":
        # It brings a server and, where it is installed, rich.
        from .demo import demo  # noqa: PLC0415

        return trio.run(partial(demo, fast=parsed.fast))
    parser.print_help(sys.stderr)
    return Exit.USAGE


def _understood(parsed: argparse.Namespace, understand: Callable[[argparse.Namespace], T]) -> T:
    """What the arguments ask for; ends the program if they make no sense."""
    try:
        return understand(parsed)
    except ValueError as error:
        parsed.fail(str(error))  # exits
        raise


def _forget_output() -> None:
    """What could not be written must not be tried again when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
