"""What the dialects of LLM APIs have in common."""

from __future__ import annotations

import json

import pytest

from trio_stream import dialects
from trio_stream.dialects import AnthropicMessages, Completion, MessageDialect, MessageItem
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
