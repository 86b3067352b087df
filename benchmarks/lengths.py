"""What the guard counts at two lengths: for each delta, a long answer costs what a short one does.

Two ways lead to the square of a length: to copy again what came before, and to go again through
all that is open. So each case grows in one way: by the size of one part, in large deltas, since the
copies of a short text cannot be seen; or by the number of parts, of calls or of answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from trio_stream.dialects import (
    AnthropicMessages,
    BlockStarted,
    MessageAssembler,
    MessageStarted,
    OpenAIChat,
    OpenAIResponses,
    TextDelta,
    TextPart,
)
from trio_stream.framing import ServerSentEvent, SSEParser
from trio_stream.partial_json import PartialJSON

__all__ = ["LENGTHS", "LONG", "SHORT", "Run"]

Run: TypeAlias = Callable[[], object]
"""Does the work that is counted, and returns what is left of it."""

SHORT = 25
LONG = 200
"""Deltas: so many, and twice as many."""

TEXT = "word " * 200
"""A large delta."""

Event: TypeAlias = dict[str, Any]


def _frame(event: Event) -> ServerSentEvent:
    return ServerSentEvent(event.get("type", "message"), json.dumps(event))


def _read(dialect: Any, frames: list[ServerSentEvent]) -> Run:
    """Decode frame by frame, as they come from a model that is slow, and make the message."""

    def run() -> object:
        decoder, assembler = dialect.decoder(), dialect.assembler()
        items: list[Any] = []
        for frame in frames:
            decoder.decode([frame], items)
        for item in items:
            assembler.fold(item)
        return items, assembler.snapshot()

    return run


# --- Anthropic ----------------------------------------------------------------------------------


def anthropic(
    block: Event, kind: str, field: str, pieces: Callable[[int], list[str]]
) -> Callable[[int], Run]:
    """One block, and a delta of this kind for each piece."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
    start: list[Event] = [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
    ]
    end: list[Event] = [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    ]

    def make(count: int) -> Run:
        deltas = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: piece}}
            for piece in pieces(count)
        ]
        return _read(AnthropicMessages(), list(map(_frame, [*start, *deltas, *end])))

    return make


# --- OpenAI's chat completions ------------------------------------------------------------------


def chat(deltas: Callable[[int], list[Event]]) -> Callable[[int], Run]:
    """One answer: a chunk for each delta, and the end."""

    def make(count: int) -> Run:
        chunks = [_chunk(delta=delta) for delta in deltas(count)]
        end = _chunk(delta={}, finish_reason="tool_calls")
        return _read(OpenAIChat(), list(map(_frame, [*chunks, end])))

    return make


def choices(count: int) -> Run:
    """So many answers at the same time: a delta of each, and the end of each."""
    deltas = [_chunk(index, delta={"content": "a"}) for index in range(count)]
    ends = [_chunk(index, delta={}, finish_reason="stop") for index in range(count)]
    return _read(OpenAIChat(), list(map(_frame, [*deltas, *ends])))


def _chunk(index: int = 0, **choice: Any) -> Event:
    return {"id": "c", "model": "m", "choices": [{"index": index, **choice}]}


def _call(index: int | None, arguments: str, **fields: str) -> Event:
    where = {} if index is None else {"index": index}
    function = {"name": "f", "arguments": arguments}
    return {"tool_calls": [{**where, **fields, "function": function}]}


def _more(arguments: str) -> Event:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}


CALLS: Mapping[str, Callable[[int], list[Event]]] = {
    "one call": lambda n: [_call(0, '{"x": "', id="a"), *[_more(TEXT)] * n, _more('"}')],
    "name repeated": lambda n: [_call(0, '{"x": "'), *[_call(0, "{}")] * n],
    "new IDs": lambda n: [_call(0, '{"x": "'), *(_call(0, "{}", id=f"{i}") for i in range(n))],
    "broken": lambda n: [_call(0, "}{", id="a"), *(_call(0, "{}", id=f"{i}") for i in range(n))],
    "calls that stay open": lambda n: [_call(i, "{", id=f"{i}") for i in range(n)],
    "calls that end": lambda n: [
        _call(i // 2, "{" if i % 2 else "{}", id=f"{i}") for i in range(n)
    ],
    "no index": lambda n: [_call(None, "{}", id=f"{i}") for i in range(n)],
    # What has come of the call must not be read again with every block beside it.
    "blocks beside a call": lambda n: [
        _call(0, '{"x": "' + TEXT * n, id="a"),
        *(each for _ in range(n) for each in ({"content": "a"}, {"reasoning": "b"})),
    ],
}
"""What tool calls may look like; not all are OpenAI's: gateways send what they like."""


# --- OpenAI's responses -------------------------------------------------------------------------


def responses(events: Callable[[int], list[Event]]) -> Callable[[int], Run]:
    """Events of a response."""

    def make(count: int) -> Run:
        response = {"id": "r", "model": "m", "status": "in_progress", "output": []}
        start = {"type": "response.created", "response": response}
        return _read(OpenAIResponses(), [_frame(start), *map(_frame, events(count))])

    return make


def _response(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", "output_index": 0, **fields}


def _item(kind: str, **fields: Any) -> Event:
    return {"id": "i", "type": kind, "status": "completed", **fields}


def _said(*contents: str) -> Event:
    listed = [{"type": "output_text", "text": text, "annotations": []} for text in contents]
    return _item("message", role="assistant", content=listed)


def _thought(*sections: str) -> Event:
    listed = [{"type": "summary_text", "text": text} for text in sections]
    return _item("reasoning", summary=listed)


def _add(item: Event, **fields: Any) -> Event:
    return _response("output_item.added", item=item, **fields)


def _done(item: Event) -> Event:
    return _response("output_item.done", item=item)


def _text(text: str, content: int = 0) -> Event:
    return _response("output_text.delta", item_id="i", content_index=content, delta=text)


def _summary(section: int) -> Event:
    kind = "reasoning_summary_text.delta"
    return _response(kind, item_id="i", summary_index=section, delta="a")


def _calls(count: int) -> list[Event]:
    calls = [
        _item("function_call", id=f"f{n}", call_id=f"c{n}", name="f", arguments="{}")
        for n in range(count)
    ]
    response = {"id": "r", "model": "m", "status": "completed", "output": calls}
    added = [_add(call, output_index=n) for n, call in enumerate(calls)]
    return [*added, {"type": "response.completed", "response": response}]


OUTPUTS: Mapping[str, Callable[[int], list[Event]]] = {
    "one text": lambda n: [_add(_said()), *[_text(TEXT)] * n, _done(_said(TEXT * n))],
    "calls": _calls,
    "sections of thoughts": lambda n: [
        _add(_thought()),
        *map(_summary, range(n)),
        _done(_thought(*"a" * n)),
    ],
    "contents of a message": lambda n: [
        _add(_said()),
        *(_text("a", index) for index in range(n)),
        _done(_said(*"a" * n)),
    ],
}
"""What a response may consist of."""


# --- what lies below ----------------------------------------------------------------------------


def fold(count: int) -> Run:
    """A message of one text, folded from its items."""
    start = [MessageStarted(), BlockStarted(0, TextPart(finished=False))]
    items: list[Any] = [*start, *[TextDelta(0, TEXT)] * count]

    def run() -> object:
        assembler = MessageAssembler()
        for item in items:
            assembler.fold(item)
        return assembler.snapshot()

    return run


def fragments(start: str, more: str) -> Callable[[int], Run]:
    """JSON in so many fragments, looked at after each."""

    def make(count: int) -> Run:
        def run() -> object:
            parser = PartialJSON()
            parser.feed(start)
            for _ in range(count):
                parser.feed(more)
                parser.snapshot()
            return parser

        return run

    return make


def one_line(count: int) -> Run:
    """A line of 4 times so many pieces of 64 bytes."""

    def run() -> object:
        parser = SSEParser()
        parser.feed(b"data: ")
        for _ in range(4 * count):
            parser.feed(b"x" * 64)
        return parser.feed(b"\n\n")

    return run


LENGTHS: Mapping[str, Callable[[int], Run]] = {
    "SSEParser, one line": one_line,
    "PartialJSON, one string": fragments('"', TEXT),
    "PartialJSON, an array": fragments("[", '{"a": [1, "b"]}, '),
    "MessageAssembler, one text": fold,
    "AnthropicMessages, one text": anthropic(
        {"type": "text", "text": ""}, "text_delta", "text", lambda n: [TEXT] * n
    ),
    "AnthropicMessages, one call": anthropic(
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
        "input_json_delta",
        "partial_json",
        lambda n: ['{"x": "', *[TEXT] * n, '"}'],
    ),
    "OpenAIChat, one text": chat(lambda n: [{"content": TEXT}] * n),
    "OpenAIChat, choices": choices,
    **{f"OpenAIChat, {name}": chat(deltas) for name, deltas in CALLS.items()},
    **{f"OpenAIResponses, {name}": responses(events) for name, events in OUTPUTS.items()},
}
"""What makes the work of each case, for a number of deltas."""
