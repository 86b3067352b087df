"""`trio-stream tail`: the items of one stream, as they arrive."""

from __future__ import annotations

import signal
import sys
from typing import Any

import attrs
import trio

from ..errors import StreamError
from ..outcome import StreamOutcome
from ..pipeline import StreamReceiver, open_stream
from ._exit import Exit
from ._lines import Lines
from ._options import TailOptions
from ._output import Output
from ._signals import run_until_signal
from ._terminal import Style, is_terminal, say
from ._verdict import judge

__all__ = ["tail"]

# Items that are here already are written together, up to about this many bytes.
_BATCH = 65536


async def tail(options: TailOptions) -> Exit:
    """Print a stream and tell how it ended."""
    started = trio.current_time()
    lines = Lines(
        options,
        style=Style.of(sys.stdout),
        on_terminal=is_terminal(sys.stdout),
        elapsed=lambda: trio.current_time() - started,
    )
    output = Output(sys.stdout.fileno())
    outcomes: list[StreamOutcome[Any]] = []
    output_error: OSError | None = None

    async def work() -> None:
        nonlocal output_error
        try:
            async with open_stream(
                options.method,
                options.url,
                headers=options.headers,
                content=options.body,
                framing=options.framing,
                config=attrs.evolve(options.config, on_outcome=outcomes.append),
            ) as rx:
                await _copy(rx, lines, output)
        except (StreamError, ValueError):  # ValueError: a URL or a header that cannot be one
            pass  # the outcome tells of it
        except OSError as error:  # not of the network: those are mapped
            output_error = error

    stopped_by = await run_until_signal(work)
    verdict = judge(
        outcomes[0],
        options,
        printed=output.items,
        is_full=lines.is_full,
        stopped_by=stopped_by,
        output_error=output_error,
        style=Style.of(sys.stderr),
    )
    in_a_line = stopped_by is signal.SIGINT or (options.mode in {"join", "raw"} and output.items)
    if in_a_line and verdict.lines and is_terminal(sys.stderr):
        say("")  # after "^C", or after output that does not end its line
    for line in verdict.lines:
        say(line)
    return verdict.code


async def _copy(rx: StreamReceiver[Any, Any], lines: Lines, output: Output) -> None:
    """Write the items of a stream, each as soon as it is here, until the end or the limit."""
    ended: trio.EndOfChannel | StreamError | None = None
    while ended is None and not lines.is_full:
        batch = bytearray()
        try:
            batch += lines.write(await rx.receive())
            while len(batch) < _BATCH and not lines.is_full:
                batch += lines.write(rx.receive_nowait())
        except trio.WouldBlock:
            pass
        except (trio.EndOfChannel, StreamError) as error:
            ended = error  # after what came before it
        if batch:
            await output.write(bytes(batch), items=lines.chosen)
