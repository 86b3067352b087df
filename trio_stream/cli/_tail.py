"""`trio-stream tail`: the items of one stream, as they arrive."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

import attrs
import trio

from ..connection import AsyncClient
from ..errors import StreamError
from ..outcome import Ending, StreamOutcome
from ..pipeline import StreamReceiver, open_stream
from ._exit import Exit
from ._lines import Lines
from ._notices import Notices
from ._options import TailOptions
from ._output import Output
from ._signals import run_until_signal
from ._state import State, StateError, key_of
from ._terminal import Style, is_terminal, say
from ._verdict import judge

__all__ = ["tail"]

# Items that are here already are written together, up to about this many bytes.
_BATCH = 65536


async def tail(options: TailOptions, *, client: AsyncClient | None = None, end: str = "") -> Exit:
    """Print a stream and tell how it ended.

    Args:
        options: What to ask for, and what to show of it.
        client: Who asks; default: a client of its own.
        end: What a clean end is the end of, if not of the stream.
    """
    started = trio.current_time()
    lines = Lines(
        options,
        style=Style.of(sys.stdout),
        on_terminal=is_terminal(sys.stdout),
        elapsed=lambda: trio.current_time() - started,
    )
    output = Output(sys.stdout.fileno())
    outcomes: list[StreamOutcome[Any]] = []
    failure: OSError | StateError | None = None
    notices = Notices(Style.of(sys.stderr))

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_the_reader, nursery.cancel_scope)
            await print_it()
            nursery.cancel_scope.cancel()

    async def watch_the_reader(scope: trio.CancelScope) -> None:
        nonlocal failure
        await output.reader_left()
        failure = BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        scope.cancel()

    async def print_it() -> None:
        nonlocal failure
        try:
            async with open_stream(
                options.method,
                options.url,
                client=client,
                headers=options.headers,
                content=options.body,
                framing=options.framing,
                config=attrs.evolve(
                    options.config,
                    on_outcome=outcomes.append,
                    on_reconnect=notices.waiting,
                    on_error=notices.failed,
                ),
                reconnect=options.reconnect,
                last_event_id=options.last_event_id,
                checkpoints=None if options.state is None else State(options.state),
                checkpoint_key=None if options.state is None else key_of(options.url, options.body),
            ) as rx:
                await _copy(rx, lines, output)
        except (StreamError, ValueError):  # ValueError: of a URL, a header, a state
            pass  # the outcome tells of it
        except (StateError, OSError) as error:  # not of the network: those are mapped
            failure = error

    stopped_by = await run_until_signal(work)
    outcome = outcomes[0]
    full = end if outcome.ending is Ending.COMPLETED else ""
    verdict = judge(
        outcome,
        printed=None if options.mode == "raw" else output.items,
        beginnings=lines.beginnings,
        full=f"--max-items {options.max_items}" if lines.is_full else full,
        format_chosen=options.framing is not None,
        unkept=bool(options.state and outcomes[0].items and not outcomes[0].acknowledged_id),
        stopped_by=stopped_by,
        failure=failure,
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
        rx.ack()
        await rx.flush()
