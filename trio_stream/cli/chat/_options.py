"""What `trio-stream chat` was asked to do."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, cast

import attrs

from ...config import StreamConfig
from .._terminal import is_terminal
from ._conversation import MOCK_MODEL, Ask, as_text, make_request

__all__ = ["ChatOptions", "chat_options"]


@attrs.frozen(kw_only=True)
class ChatOptions:
    """What to ask, whom, and what to show of the answer.

    Attributes:
        ask: What goes into each request.
        mock: Whether a scripted server is asked, and no provider.
        prompt: The question; `None`: talk with whoever sits at the terminal.
        json: Whether items are written as JSON Lines.
        show_thinking: Whether the thoughts of the model are shown.
        config: The settings of each stream.
    """

    ask: Ask
    mock: bool
    prompt: str | None
    json: bool
    show_thinking: bool
    config: StreamConfig


def chat_options(arguments: argparse.Namespace) -> ChatOptions:
    """Make sense of the arguments; read the prompt, if it comes from stdin.

    Raises:
        ValueError: They do not go together, something is missing, or stdin cannot be read.
    """
    if arguments.mock and arguments.base_url:
        raise ValueError("--mock brings a server of its own: it cannot go with --base-url")
    if not arguments.model and not arguments.mock:
        raise ValueError("--model says which model to ask (or --mock: none)")
    ask = Ask(
        provider=arguments.provider,
        model=arguments.model or MOCK_MODEL,
        system=None if arguments.system is None else as_text(arguments.system),
        max_tokens=arguments.max_tokens,
        thinking=arguments.thinking,
        body=_object(arguments.body) if arguments.body else {},
        base_url=arguments.base_url,
        api_key="" if arguments.mock else None,
    )
    if not arguments.mock:
        make_request(ask, "")  # what is missing is told before anything is typed
    return ChatOptions(
        ask=ask,
        mock=arguments.mock,
        prompt=_prompt(arguments.prompt),
        json=arguments.json,
        show_thinking=arguments.thinking,
        config=_config(arguments),
    )


def _config(arguments: argparse.Namespace) -> StreamConfig:
    layers = ("timeout", *(f"{layer}_timeout" for layer in ("connect", "headers", "idle", "stall")))
    given: dict[str, float | None] = {name: getattr(arguments, name) for name in layers}
    # 0: no limit.
    changes: dict[str, Any] = {
        name: value or None for name, value in given.items() if value is not None
    }
    return attrs.evolve(StreamConfig(), **changes)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--body is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError("--body is no JSON object")  # noqa: TRY004 - of a command line
    return cast("dict[str, Any]", value)


def _prompt(words: list[str]) -> str | None:
    if words:
        prompt = " ".join(words)
    elif is_terminal(sys.stdin):
        return None
    elif sys.stdin is None:
        prompt = ""
    else:
        try:
            prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
        except OSError as error:
            why = error.strerror or error
            raise ValueError(f"cannot read the prompt from stdin: {why}") from error
    if not prompt.strip():
        raise ValueError("there is no prompt, neither as an argument nor on stdin")
    return prompt
