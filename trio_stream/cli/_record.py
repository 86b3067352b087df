"""`trio-stream record`: a stream into a cassette, with its times and whatever goes wrong."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import attrs
import trio

from ..errors import StreamError
from ..outcome import StreamOutcome
from ..pipeline import open_stream
from ..testing import Cassette, Recorder, Scrubber
from ._exit import Exit
from ._options import TailOptions, tail_options
from ._signals import run_until_signal
from ._terminal import Style, is_terminal, say, visible
from ._verdict import judge

__all__ = ["RecordOptions", "record", "record_options"]


@attrs.frozen
class RecordOptions:
    """What to ask for, and where to keep the answer.

    Attributes:
        request: What to ask for, as raw bytes.
        path: The file.
        max_seconds: When to leave, if the stream has not ended before.
        secrets: More names of headers and parameters that hold secrets.
    """

    request: TailOptions
    path: Path
    max_seconds: float | None
    secrets: list[str]


def record_options(arguments: argparse.Namespace) -> RecordOptions:
    """Make sense of the arguments.

    Raises:
        ValueError: The body of the request cannot be read.
    """
    return RecordOptions(
        request=tail_options(arguments, on_terminal=False),
        path=arguments.file,
        max_seconds=arguments.max_seconds,
        secrets=arguments.secrets,
    )


async def record(options: RecordOptions) -> Exit:
    """Record a stream until it ends, then tell what was recorded and how it ended."""
    request = options.request
    recorder = Recorder(Scrubber(names=options.secrets))
    outcomes: list[StreamOutcome[Any]] = []
    style = Style.of(sys.stderr)
    limit = trio.CancelScope()
    cassette = Cassette()
    output_error: OSError | None = None

    async def work() -> None:
        nonlocal cassette, output_error
        limit.relative_deadline = math.inf if options.max_seconds is None else options.max_seconds
        try:
            with limit:
                async with (
                    recorder.client(follow_redirects=True, timeout=None) as client,
                    open_stream(
                        request.method,
                        request.url,
                        client=client,
                        headers=request.headers,
                        content=request.body,
                        framing=request.framing,
                        config=attrs.evolve(request.config, on_outcome=outcomes.append),
                    ) as rx,
                ):
                    async for _ in rx:
                        pass
        except (StreamError, ValueError):  # ValueError: a URL or a header that cannot be one
            pass  # the outcome tells of it
        finally:  # here, where an impatient second Ctrl-C cannot come between
            cassette = recorder.cassette
            output_error = _save(cassette, options.path)

    unwritable = _save(cassette, options.path)  # now, and not when it is too late
    if unwritable is not None:
        say(f"trio-stream: cannot write {visible(str(options.path))}: {unwritable.strerror}")
        return Exit.FAILED
    stopped_by = await run_until_signal(work)
    verdict = judge(
        outcomes[0],
        printed=None,
        full=f"--max-seconds {options.max_seconds:g}" if limit.cancelled_caught else "",
        format_chosen=True,
        stopped_by=stopped_by,
        failure=output_error,
        style=style,
    )
    if stopped_by is not None and is_terminal(sys.stderr):
        say("")  # after "^C"
    lines = list(verdict.lines)
    if output_error is None:
        lines.insert(-1, f"trio-stream: {_summary(cassette, options.path)}")
    for line in lines:
        say(line)
    return verdict.code


def _save(cassette: Cassette, path: Path) -> OSError | None:
    try:
        cassette.save(path)
    except OSError as error:
        return error
    return None


def _summary(cassette: Cassette, path: Path) -> str:
    """What is in a cassette, in a few words."""
    exchanges = cassette.exchanges
    pieces = sum(len(exchange.chunks) for exchange in exchanges)
    counts = [(len(exchanges), "exchange"), (pieces, "piece")]
    words = [f"{count} {word}" if count == 1 else f"{count} {word}s" for count, word in counts]
    return visible(f"recorded {', '.join(words)} in {path}")
