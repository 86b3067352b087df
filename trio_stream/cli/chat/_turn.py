"""One turn: a question is asked, the answer is shown as it comes, and judged in the end."""

from __future__ import annotations

import signal
import sys
from typing import Any

import attrs
import trio

from ...dialects import Message, MessageItem, Usage
from ...errors import StreamError
from ...outcome import StreamOutcome
from ...pipeline import StreamReceiver, open_stream
from .._exit import Exit
from .._output import Output
from .._signals import run_until_signal
from .._terminal import Style, is_terminal, say
from .._verdict import judge
from ._conversation import Conversation
from ._options import ChatOptions
from ._show import Show

__all__ = ["take_turn"]

# Items that are here already are written together, up to about this many bytes.
_BATCH = 65536


async def take_turn(conversation: Conversation, prompt: str, options: ChatOptions) -> Exit:
    """Ask, show the answer, tell how it ended, and keep the turn in the conversation."""
    request = conversation.ask(prompt)
    started = trio.current_time()
    style = Style.of(sys.stderr)
    show = Show(
        as_json=options.json,
        on_terminal=is_terminal(sys.stdout),
        thinking=options.show_thinking,
        style=style,
        elapsed=lambda: trio.current_time() - started,
    )
    output = Output(sys.stdout.fileno())
    outcomes: list[StreamOutcome[Message]] = []
    output_error: OSError | None = None

    async def work() -> None:
        nonlocal output_error
        config = attrs.evolve(options.config, on_outcome=outcomes.append)
        try:
            async with open_stream(**request, config=config) as rx:
                await _copy(rx, show, output)
        except (StreamError, ValueError):  # ValueError: a URL or a header that cannot be one
            pass  # the outcome tells of it
        except OSError as error:  # not of the network: those are mapped
            output_error = error

    stopped_by = await run_until_signal(work)
    outcome = outcomes[0]
    verdict = judge(
        outcome,
        printed=None,
        full="",
        format_chosen=True,
        stopped_by=stopped_by,
        failure=output_error,
        style=style,
    )
    if show.whispers or (stopped_by is signal.SIGINT and is_terminal(sys.stderr)):
        say("")  # after thoughts that broke off; after "^C"
    facts = style.dim("".join(f" · {fact}" for fact in _facts(outcome.value, show)))
    for number, line in enumerate(verdict.lines, 1):
        say(line + facts if number == len(verdict.lines) else line)
    conversation.answered(request, outcome.value)
    return verdict.code


async def _copy(rx: StreamReceiver[MessageItem, Message], show: Show, output: Output) -> None:
    """Write the items of an answer, each as soon as it is here, until the end."""
    ended: trio.EndOfChannel | StreamError | None = None
    while ended is None:
        batch = bytearray()
        try:
            item = await rx.receive()
            while True:
                if whisper := show.whisper(item):
                    await _write(batch, output)  # what was said before
                    _whisper(whisper)
                batch += show.write(item)
                if len(batch) >= _BATCH:
                    break
                item = rx.receive_nowait()
        except trio.WouldBlock:
            pass
        except (trio.EndOfChannel, StreamError) as error:
            ended = error  # after what came before it
            batch += show.end()
        await _write(batch, output)


async def _write(batch: bytearray, output: Output) -> None:
    if batch:
        await output.write(bytes(batch), items=0)
        batch.clear()


def _whisper(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _facts(message: Message, show: Show) -> list[str]:
    facts: list[str] = []
    if message.is_complete:
        reason, theirs = message.stop_reason, message.provider_stop_reason
        facts.append(reason if theirs in {None, reason} else f"{reason} ({theirs})")
    facts += _tokens(message.usage)
    if show.first_text is not None:
        facts.append(f"first text {show.first_text:.2f} s")
    return facts


def _tokens(usage: Usage) -> list[str]:
    parts: list[Any] = [usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens]
    read = [count for count in parts if count is not None]
    told: list[str] = []
    if read:
        told.append(f"{sum(read)} tokens in")
    if usage.output_tokens is not None:
        told.append(f"{usage.output_tokens} out")
    return [", ".join(told)] if told else []
