"""`trio-stream chat`: one question, or a conversation at the terminal."""

from __future__ import annotations

import importlib
import sys
from contextlib import AsyncExitStack

import attrs

from .._exit import Exit
from .._terminal import is_terminal, say
from ._conversation import Conversation
from ._options import ChatOptions
from ._turn import take_turn

__all__ = ["chat"]

_PROMPT = "> "


async def chat(options: ChatOptions) -> Exit:
    """Ask what was asked; or talk, until the user has had enough."""
    async with AsyncExitStack() as stack:
        ask = options.ask
        if options.mock:
            # It brings a server, which needs an extra.
            from ._mock import mock_provider  # noqa: PLC0415

            ask = attrs.evolve(
                ask, base_url=await stack.enter_async_context(mock_provider(ask.provider))
            )
        conversation = Conversation(ask)
        if options.prompt is not None:
            return await take_turn(conversation, options.prompt, options)
        return await _talk(conversation, options)


async def _talk(conversation: Conversation, options: ChatOptions) -> Exit:
    """Take turns until the end of the input. Ctrl-C ends an answer, or at the prompt the talk."""
    _edit_lines()
    while True:
        try:
            prompt = _ask_user()
        except EOFError:
            say("")
            return Exit.COMPLETE
        except KeyboardInterrupt:
            say("")  # after "^C"
            return Exit.INTERRUPTED
        if prompt.strip():
            code = await take_turn(conversation, prompt, options)
            if code in {Exit.HUNG_UP, Exit.TERMINATED, Exit.OUTPUT_CLOSED, Exit.USAGE}:
                return code


def _ask_user() -> str:
    # This keeps the loop from running, and may: between two turns no stream is open.
    if is_terminal(sys.stdout):
        return input(_PROMPT)
    if sys.stderr is not None:
        sys.stderr.write(_PROMPT)
        sys.stderr.flush()
    return input()


def _edit_lines() -> None:
    """Let `input` edit lines and know the older ones, where Python can do that."""
    try:
        importlib.import_module("readline")
    except ImportError:
        pass
