"""`trio-stream replay`: a cassette as if it happened again, to be watched or to be asked for."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import attrs
import trio

from ..config import StreamConfig
from ..testing import Cassette, Exchange, RecordedHead, ScriptedServer, memory_client, serve
from ._exit import Exit
from ._options import TailOptions, tail_options
from ._signals import run_until_signal
from ._tail import tail
from ._terminal import Style, say, visible

__all__ = ["ReplayOptions", "replay", "replay_options"]

# A silence that is not to be waited for is still one.
_SHORTEST = 0.05


@attrs.frozen
class ReplayOptions:
    """What to play, and how.

    Attributes:
        cassette: What to play.
        show: What to show of each exchange; whom it asks is in the cassette.
        speed: So many times as fast; infinity: without a pause.
        port: Where to serve it, if it is to be served; 0: a free port.
    """

    cassette: Cassette
    show: TailOptions
    speed: float
    port: int | None


def replay_options(arguments: argparse.Namespace, *, on_terminal: bool) -> ReplayOptions:
    """Make sense of the arguments.

    Raises:
        ValueError: They do not go together, or the file cannot be read, is no cassette or is an
            empty one.
    """
    path: Path = arguments.file
    try:
        cassette = Cassette.load(path)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error
    if not cassette.exchanges:
        raise ValueError(f"{path}: there is nothing in this cassette")
    show = tail_options(arguments, on_terminal=on_terminal)
    return ReplayOptions(cassette, show, arguments.speed, arguments.serve)


async def replay(options: ReplayOptions) -> Exit:
    """Print the items of a cassette at their times, or serve it.

    Each exchange is a stream, but for redirects. The last one decides on the exit code.
    """
    if options.port is not None:
        return await _serve(options, options.port)
    shown = [each for each in options.cassette.exchanges if not _is_redirect(each)]
    if not shown:
        say("trio-stream: there are only redirects in this cassette")
        return Exit.FAILED
    code = Exit.COMPLETE
    ended = 0.0
    for number, exchange in enumerate(shown, 1):
        await trio.sleep(max(0.0, exchange.start - ended) / options.speed)
        ended = exchange.start + exchange.end.at
        if len(shown) > 1:
            request = f"{exchange.request.method} {exchange.request.url}"
            say(visible(f"trio-stream: exchange {number} of {len(shown)}: {request}"))
        code = await _replay_one(exchange, options)
        if code > 128:  # by a signal, or nobody reads what is printed
            break
    return code


async def _replay_one(exchange: Exchange, options: ReplayOptions) -> Exit:
    end = ""
    if exchange.end.end in ("left", "open"):
        if exchange.head is None:
            say("trio-stream: the recording ends before an answer")
            return Exit.COMPLETE
        exchange, end = _ended(exchange, exchange.head), "the end of the recording"
    show = attrs.evolve(
        options.show,
        method=exchange.request.method,
        url="http://memory.test",
        config=_patience(exchange, options),
    )
    async with memory_client(Cassette((exchange,)).plan(options.speed)) as (client, _):
        return await tail(show, client=client, end=end)


async def _serve(options: ReplayOptions, port: int) -> Exit:
    """Serve a cassette on a local port until a signal, from its start again after its end."""
    plan = options.cassette.plan(options.speed, repeat=True)
    servers: list[ScriptedServer] = []

    async def work() -> None:
        async with serve(plan, port=port) as server:
            servers.append(server)
            print(server.url, flush=True)
            await trio.sleep_forever()

    failed: list[str] = []
    stopped_by: signal.Signals | None = None
    try:
        stopped_by = await run_until_signal(work)
    except* OSError as group:
        failed = [error.strerror or str(error) for error in _leaves(group)]
    style = Style.of(sys.stderr)
    if stopped_by is None:
        say(f"trio-stream: cannot serve at port {port}: {'; '.join(failed)}")
        return Exit.FAILED
    code = Exit.of_signal(stopped_by)
    asked = sum(len(server.requests) for server in servers)
    requests = "1 request" if asked == 1 else f"{asked} requests"
    say(f"trio-stream: {style.odd(code.word)} {style.dim('· ' + requests)}")
    return code


def _leaves(group: BaseExceptionGroup[OSError]) -> Iterator[OSError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _is_redirect(exchange: Exchange) -> bool:
    head = exchange.head
    if head is None or not 300 <= head.status < 400:
        return False
    return any(name.lower() == "location" for name, _ in head.headers)


def _ended(exchange: Exchange, head: RecordedHead) -> Exchange:
    """An exchange that was left, as one that ends there in good order."""
    framing = ("content-length", "transfer-encoding")
    headers = tuple(each for each in head.headers if each[0].lower() not in framing)
    head = attrs.evolve(head, headers=headers, http_version="HTTP/1.1")
    return attrs.evolve(exchange, head=head, end=attrs.evolve(exchange.end, end="complete"))


def _patience(exchange: Exchange, options: ReplayOptions) -> StreamConfig:
    """The timeouts of the recorded client, as far as they can be known."""
    config = attrs.evolve(
        options.show.config,
        timeout=None,
        headers_timeout=None,
        idle_timeout=None,
        stall_timeout=None,
    )
    if exchange.end.end != "timed_out":
        return config
    times = [0.0, *([exchange.head.at] if exchange.head else [])]
    times += [chunk.at for chunk in exchange.chunks]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    silence = exchange.end.at - times[-1]
    if exchange.head is None:
        return attrs.evolve(config, headers_timeout=_seconds(exchange.end.at, options))
    if silence > max(gaps, default=0.0) or options.speed == math.inf:
        return attrs.evolve(config, idle_timeout=_seconds(silence, options))
    return attrs.evolve(config, timeout=_seconds(exchange.end.at, options))


def _seconds(seconds: float, options: ReplayOptions) -> float:
    return max(_SHORTEST, 0.0 if options.speed == math.inf else seconds / options.speed)
