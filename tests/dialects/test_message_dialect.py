"""What the dialects of LLM APIs have in common."""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import Any

import pytest

from trio_stream import dialects
from trio_stream.dialects import (
    AnthropicMessages,
    Completion,
    MessageDialect,
    MessageItem,
    OpenAIChat,
    _json,
)
from trio_stream.errors import BadItemError, InBandError, StreamTruncatedError
from trio_stream.framing import Comment, ServerSentEvent, UnframedText

WHOLE = [
    {"type": "message_start", "message": {"id": "msg_1"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    {"type": "message_stop"},
]
EVERY_DIALECT = [
    value
    for value in vars(dialects).values()
    if isinstance(value, type) and issubclass(value, MessageDialect) and value is not MessageDialect
]


def frames(count: int) -> list[ServerSentEvent]:
    return [ServerSentEvent(data=json.dumps(event)) for event in WHOLE[:count]]


@pytest.mark.parametrize("dialect", EVERY_DIALECT)
def test_every_dialect_declares_its_contract(dialect: type[MessageDialect]) -> None:
    """Each dialect says what ends its streams, and is a value: equal if it is the same."""
    assert isinstance(dialect.completion, Completion)
    assert dialect.completion.terminal_markers
    assert dialect() == dialect()
    assert dialect() != dialect(strict=True)


def test_strict_dialect_wants_the_terminal_event() -> None:
    """With ``strict``, a stream that lacks only its terminal event is truncated."""
    for strict, count, is_whole in ((False, 2, True), (True, 2, False), (True, 3, True)):
        dialect = AnthropicMessages(strict=strict)
        decoder, assembler = dialect.decoder(), dialect.assembler()
        items: list[MessageItem] = []
        decoder.decode(frames(count), items)
        for item in items:
            assembler.fold(item)

        assert assembler.complete is is_whole
        if is_whole:
            decoder.close()
        else:
            with pytest.raises(StreamTruncatedError, match="after its stop reason"):
                decoder.close()


def test_unframed_error_is_an_in_band_error() -> None:
    """The JSON of an error that a server wrote beside the events is the error that it reports."""
    text = '{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}'
    items: list[MessageItem] = []
    with pytest.raises(InBandError, match="overloaded_error: Overloaded") as caught:
        AnthropicMessages().decoder().decode([*frames(1), UnframedText(text)], items)

    assert caught.value.status_code == 529
    assert caught.value.payload == text
    assert len(items) == 1


def test_unframed_error_in_an_array() -> None:
    """Some servers put the error into an array."""
    text = '[{"error": {"message": "no"}}]'
    with pytest.raises(InBandError, match="no"):
        AnthropicMessages().decoder().decode([UnframedText(text)], [])


@pytest.mark.parametrize("text", ['{"id": "msg_1"}', "{", "[]", "[1]", '{"a": "\ud800"}'])
def test_other_unframed_text_is_a_bad_item(text: str) -> None:
    """What else stands outside of events is not dropped: it may be the answer."""
    with pytest.raises(BadItemError) as caught:
        AnthropicMessages().decoder().decode([UnframedText(text)], [])

    assert caught.value.raw == text.encode("utf-8", "surrogatepass")
    assert caught.value.path == "$"


def test_comments_say_nothing() -> None:
    """A comment is no item."""
    items: list[MessageItem] = []
    AnthropicMessages().decoder().decode([Comment("ping")], items)

    assert items == []


DEEP_CHUNKS = [
    {"choices": [{"index": "@"}]},
    {"choices": [{"delta": {"reasoning_details": [{"text": "a", "type": "@"}]}}]},
    {"choices": [{"delta": {"tool_calls": [{"id": "a", "function": {"arguments": "@"}}]}}]},
    {"choices": [{"delta": {"new": "@"}}], "new": "@", "usage": {"new": "@"}},
]


def can_read(opening: str) -> bool:
    """Whether so many brackets are not too deep to be parsed from here."""
    try:
        _json.parse_json(opening + "]" * len(opening))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("decode_fast", [_json._decode_fast, None], ids=["installed", "json"])
def test_deep_nesting_is_read_or_refused(decode_fast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is just not too deep to be parsed may be too deep to be compared: a bad item, too."""
    monkeypatch.setattr(_json, "_decode_fast", decode_fast)
    readable = bisect_left(range(100_000), True, key=lambda depth: not can_read("[" * depth))
    refused = 0
    for chunk in DEEP_CHUNKS:
        for depth in range(readable - 30, readable + 3):
            text = json.dumps(chunk).replace('"@"', "[" * depth + "]" * depth)
            frame = ServerSentEvent(data=text)
            try:
                OpenAIChat().decoder().decode([frame, frame], [])
            except BadItemError as error:
                refused += "nested too deeply" in str(error)

    assert 0 < refused < 33 * len(DEEP_CHUNKS)
