"""The client: what an application writes to stream a model's turn and run its tool calls."""

from __future__ import annotations

from typing import Any

import trio

from ...config import StreamConfig
from ...dialects import AnthropicMessages, BlockFinished, Message, TextPart, ToolCall
from ...errors import StreamError
from ...outcome import StreamOutcome
from ...pipeline import open_stream
from ._streams import MODEL
from ._tools import Toolbox
from ._view import View

__all__ = ["answer_of", "stream_turn"]


async def stream_turn(
    url: str, messages: list[Any], tools: Toolbox, view: View, *, idle_timeout: float
) -> tuple[StreamOutcome[Message], dict[str, str]]:
    """Stream one turn of the model; return how it ended, and what its tool calls returned.

    A call runs beside the stream, from the moment in which it is whole.
    """
    outcomes: list[StreamOutcome[Message]] = []
    results: dict[str, str] = {}

    async def run(call: ToolCall) -> None:
        view.running(call)
        results[call.id] = await tools.run(call)
        view.result(call, results[call.id])

    try:
        async with trio.open_nursery() as nursery:
            try:
                async with open_stream(
                    "POST",
                    f"{url}/v1/messages",
                    json={"model": MODEL, "stream": True, "messages": messages},
                    dialect=AnthropicMessages(),
                    config=StreamConfig(idle_timeout=idle_timeout, on_outcome=outcomes.append),
                ) as rx:
                    view.watch(rx.statistics)
                    async for item in rx:
                        view.item(item)
                        if isinstance(item, BlockFinished) and isinstance(item.part, ToolCall):
                            nursery.start_soon(run, item.part)
            except StreamError:
                pass  # the outcome says it all
    finally:
        view.outcome(outcomes[0])
    return outcomes[0], results


def answer_of(message: Message, results: dict[str, str]) -> list[Any]:
    """What to add to the messages: the turn of the model, and the results of its tool calls."""
    said: list[Any] = []
    for part in message.parts:
        match part:
            case TextPart(text=text):
                said.append({"type": "text", "text": text})
            case ToolCall(id=call_id, name=name, input=arguments):
                said.append({"type": "tool_use", "id": call_id, "name": name, "input": arguments})
            case _:
                pass
    answers = [
        {"type": "tool_result", "tool_use_id": call_id, "content": result}
        for call_id, result in results.items()
    ]
    return [{"role": "assistant", "content": said}, {"role": "user", "content": answers}]
