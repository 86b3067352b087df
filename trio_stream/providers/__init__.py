"""Requests to providers of models, as arguments for `open_stream`; sans-IO and thin.

::

    from trio_stream.providers import anthropic

    request = anthropic.messages(model="claude-...", max_tokens=1024, messages="Hello")
    async with open_stream(**request) as rx:
        async for text in rx.text():
            print(text, end="")

One module for each provider: `anthropic.messages`, `openai.chat`, `openai.responses`,
`gemini.generate`. A request is a dictionary, with nothing hidden but the key when it is printed.

How a conversation goes on, with the results of tools or with another question, is a provider's
`Turns`: `turns_for` finds them by the dialect of a request.
"""

from . import anthropic, gemini, openai
from ._request import ProviderRequest, Secret
from ._turns import ToolDeclaration, ToolResult, ToolSpec, Turns, turns_for

__all__ = [
    "ProviderRequest",
    "Secret",
    "ToolDeclaration",
    "ToolResult",
    "ToolSpec",
    "Turns",
    "anthropic",
    "gemini",
    "openai",
    "turns_for",
]
