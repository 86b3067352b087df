"""The short way that most deltas take through their decoder leads where the long one leads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_stream.dialects import AnthropicMessages, MessageDialect, OpenAIChat
from trio_stream.dialects import anthropic_messages as anthropic
from trio_stream.dialects._openai_chat_answer import Answer
from trio_stream.errors import StreamError
from trio_stream.framing import ServerSentEvent

Event = dict[str, Any]


def tell(dialect: MessageDialect, events: Sequence[Event]) -> list[str]:
    """All that a consumer learns from a stream: its items, its error, its message."""
    decoder, assembler = dialect.decoder(), dialect.assembler()
    told: list[str] = []
    for event in events:
        items: list[Any] = []
        try:
            decoder.decode([ServerSentEvent("message", json.dumps(event))], items)
        except StreamError as error:
            told.append(repr(error))
        for item in items:
            assembler.fold(item)
        told += [f"{item!r} {getattr(getattr(item, 'part', None), 'raw', '')}" for item in items]
        told.append(repr(assembler.snapshot()))
    return told


def check(dialect: MessageDialect, events: Sequence[Event]) -> None:
    short = tell(dialect, events)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(anthropic, "usual_delta", lambda _part: None)
        monkeypatch.setattr(Answer, "read_usual", lambda _answer, _delta, _out: False)
        assert short == tell(dialect, events)


def either(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


# --- Anthropic Messages ---------------------------------------------------------------------------

MESSAGE_START: Event = {"type": "message_start", "message": {"id": "msg_1"}}
BLOCKS = either(
    {"type": "text", "text": ""},
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "new"},
)
INDEXES = either(0, 0, 0, 1, 1, True, 0.0, None, "0", [])
KINDS = either(
    *("text_delta", "text_delta", "thinking_delta", "input_json_delta", "signature_delta"),
    *("new", "", None, [], {}),
)
TEXTS = either("a", "{}", '"', "\ud800", "", None, 1, [])
DELTAS = st.fixed_dictionaries(
    {"type": KINDS, "text": TEXTS, "partial_json": TEXTS},
    optional={"thinking": TEXTS, "signature": TEXTS, "": TEXTS},
)


def block_starts(index: st.SearchStrategy[int]) -> st.SearchStrategy[Event]:
    return st.builds(
        lambda index, block: {
            "type": "content_block_start",
            "index": index,
            "content_block": block,
        },
        index,
        BLOCKS,
    )


BLOCK_DELTAS = st.builds(
    lambda index, delta: {"type": "content_block_delta", "index": index, "delta": delta},
    INDEXES,
    DELTAS | DELTAS | DELTAS | either(None, [], {}, "text_delta"),
)
BLOCK_STOPS = st.builds(lambda index: {"type": "content_block_stop", "index": index}, either(0, 1))


@settings(deadline=None, max_examples=200)
@given(
    block_starts(st.just(0)),
    block_starts(st.just(1)),
    st.lists(
        BLOCK_DELTAS | BLOCK_DELTAS | BLOCK_DELTAS | BLOCK_STOPS | block_starts(either(0, 1, 2)),
        max_size=8,
    ),
)
def test_anthropic_deltas(first: Event, second: Event, events: list[Event]) -> None:
    """What Anthropic's deltas say, and what is wrong with them, is the same on both ways."""
    check(AnthropicMessages(), [MESSAGE_START, first, second, *events])


@pytest.mark.parametrize("kind", ["text", "thinking", "tool_use"])
def test_usual_anthropic_deltas_take_the_short_way(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, thoughts and arguments of a well-formed stream do not need the long way."""
    monkeypatch.setattr(anthropic, "read_delta", None)
    block = {"type": kind, "id": "a", "name": "f"}
    field = {"text": "text", "thinking": "thinking", "tool_use": "partial_json"}[kind]
    word = {"text": "text_delta", "thinking": "thinking_delta", "tool_use": "input_json_delta"}[
        kind
    ]
    events: list[Event] = [
        MESSAGE_START,
        {"type": "content_block_start", "index": 3, "content_block": block},
        {"type": "content_block_delta", "index": 3, "delta": {"type": word, field: "1"}},
        {"type": "content_block_delta", "index": 3, "delta": {"type": word, field: "2"}},
        {"type": "content_block_stop", "index": 3},
    ]

    assert "12" in tell(AnthropicMessages(), events)[-1]


# --- OpenAI Chat ----------------------------------------------------------------------------------


@st.composite
def calls(draw: st.DrawFn) -> Event:
    """A delta of a call: what most are, or that with a field more or with one that is odd."""
    function: Event = {"arguments": draw(either("{}", '{"a":', "1}", "", " "))}
    call: Event = {"index": draw(either(0, 1)), "function": function}
    match draw(st.integers(0, 14)):
        case 0 | 1 | 2 | 3:
            call |= {"id": draw(either("a", "b", "")), "type": "function"}
            function["name"] = draw(either("f", "g"))
        case 4:
            call["index"] = draw(either(True, False, -1, None, "0", 2))
        case 5:
            del call["index"]
        case 6:
            call["id"] = draw(either("a", "b", "", None))
        case 7:
            function["name"] = draw(either("f", "g", "", None))
        case 8:
            function["arguments"] = draw(either(None, 1, {"a": 1}))
        case 9:
            call["function"] = draw(either(None, "f", {}))
        case 10:
            call["type"] = draw(either("function", "custom", "new", None))
        case _:
            pass
    return call


CHAT_DELTAS = st.one_of(
    *4 * (st.builds(lambda call: {"tool_calls": [call]}, calls()),),
    st.builds(lambda each: {"tool_calls": each}, st.lists(calls(), max_size=2)),
    st.fixed_dictionaries(
        {},
        optional={
            "content": either("a", "b", "", None, 1, [], [{"type": "text", "text": "c"}]),
            "reasoning": either("t", "", None),
            "role": either("assistant"),
            "tool_calls": either(None, {}, [1]),
        },
    ),
)
CHUNKS = st.builds(
    lambda index, delta, reason: {
        "id": "c_1",
        "choices": [{"index": index, "delta": delta, "finish_reason": reason}],
    },
    either(0, 0, 0, 0, 1),
    CHAT_DELTAS,
    either(None, None, None, None, None, None, None, None, "stop", "length"),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(CHUNKS, min_size=3, max_size=10))
def test_chat_deltas(chunks: list[Event]) -> None:
    """What OpenAI's deltas say, and what is wrong with them, is the same on both ways."""
    check(OpenAIChat(), chunks)


def test_call_that_was_last_written_to() -> None:
    """A piece that names no call goes to the one that a usual piece was for."""

    def says(**call: Any) -> Event:
        return {"id": "c_1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    chunks = [
        says(index=0, id="a", function={"name": "f"}),
        says(index=1, id="b", function={"name": "f"}),
        says(index=0, function={"arguments": "{"}),
        says(function={"arguments": "}"}),
    ]

    check(OpenAIChat(), chunks)
    assert "ToolInputDelta(index=0, arguments='}') " in tell(OpenAIChat(), chunks)


def test_usual_chat_deltas_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text and arguments of a well-formed stream do not need the long way."""

    def says(**delta: Any) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
        return {"id": "c_1", "model": "m", "choices": [choice]}

    def piece(text: str) -> Event:
        return says(tool_calls=[{"index": 0, "function": {"arguments": text}}])

    decoder = OpenAIChat().decoder()
    first = {"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}
    frames = [
        ServerSentEvent("message", json.dumps(event))
        for event in (
            *(says(content="a"), says(tool_calls=[first])),
            *(piece("{"), piece("}"), says(content="b")),
        )
    ]
    items: list[Any] = []
    decoder.decode(frames[:2], items)
    monkeypatch.setattr(Answer, "read", None)
    decoder.decode(frames[2:], items)

    assert items[-1].text == "b"
    assert items[-3].part.input == {}
