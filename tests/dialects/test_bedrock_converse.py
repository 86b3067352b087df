"""Amazon Bedrock's ConverseStream, on hand-written streams and a recorded one."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    CitationDelta,
    IncompleteToolCall,
    MediaDelta,
    MediaPart,
    Message,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    RedactedThinkingPart,
    ServerToolCall,
    ServerToolResult,
    SignatureDelta,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    ToolInputDelta,
    UnknownEvent,
    UnknownPart,
    Usage,
)
from trio_stream.dialects.bedrock_converse import BedrockConverse
from trio_stream.errors import (
    BadItemError,
    InBandError,
    StreamError,
    StreamErrorType,
    StreamTruncatedError,
)
from trio_stream.framing import (
    SSE,
    Comment,
    EventStreamMessage,
    ServerSentEvent,
    SSEParser,
    UnframedText,
)
from trio_stream.testing import check_dialect
from trio_stream.testing._tampering import tamper

Event = tuple[str, dict[str, Any]]
Frame = EventStreamMessage | ServerSentEvent | Comment | UnframedText

NO_ARGUMENTS = "no arguments came, and the model may have been cut off before them"

# --- words to write streams with -----------------------------------------------------------------


def frame(event: Event) -> EventStreamMessage:
    """As AWS sends it."""
    name, body = event
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return EventStreamMessage(dict(headers), json.dumps(body).encode())


def named(event: Event) -> ServerSentEvent:
    """As a proxy that has names for events hands it on."""
    return ServerSentEvent(event[0], json.dumps(event[1]))


def wrapped(event: Event) -> ServerSentEvent:
    """As a proxy that has none hands it on."""
    return ServerSentEvent(data=json.dumps(dict([event])))


def exception(kind: str, message: str = "no", **fields: Any) -> EventStreamMessage:
    headers = {":exception-type": kind, ":message-type": "exception"}
    return EventStreamMessage(dict(headers), json.dumps({"message": message} | fields).encode())


def block_start(index: int, **start: Any) -> Event:
    return "contentBlockStart", {"contentBlockIndex": index, "start": start}


def block_delta(index: int, **delta: Any) -> Event:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"}


def block_stop(index: int) -> Event:
    return "contentBlockStop", {"contentBlockIndex": index, "p": "abc"}


def text_block(index: int, *pieces: str) -> list[Event]:
    return [*(block_delta(index, text=piece) for piece in pieces), block_stop(index)]


def tool_block(index: int, *pieces: str, **fields: Any) -> list[Event]:
    call = {"toolUseId": f"tooluse_{index}", "name": "add"} | fields
    deltas = [block_delta(index, toolUse={"input": piece}) for piece in pieces]
    return [block_start(index, toolUse=call), *deltas, block_stop(index)]


def message_stop(reason: str | None = "end_turn", **fields: Any) -> Event:
    return "messageStop", {"stopReason": reason, "p": "ab"} | fields


def thinking(index: int, **reasoning: str) -> Event:
    return block_delta(index, reasoningContent=reasoning)


START: Event = ("messageStart", {"role": "assistant", "p": "abcd"})
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
METADATA: Event = ("metadata", {"usage": USAGE, "metrics": {"latencyMs": 7}, "p": "a"})


class Run:
    """A stream, decoded frame by frame and then closed, and its message."""

    def __init__(self, stream: Sequence[Frame], **settings: bool) -> None:
        dialect = BedrockConverse(**settings)
        self.decoder = dialect.decoder()
        self.assembler = dialect.assembler()
        self.items: list[MessageItem] = []
        self.error: StreamError | None = None
        try:
            for each in stream:
                self.decoder.decode([each], self.items)
            self.decoder.close()
        except StreamError as exc:
            self.error = exc
        for item in self.items:
            self.assembler.fold(item)

    @property
    def message(self) -> Message:
        return self.assembler.snapshot()


def run(*events: Event, **settings: bool) -> Run:
    return Run([frame(event) for event in events], **settings)


def whole(*events: Event, reason: str = "end_turn") -> Run:
    """Run a stream of these events between a start and an end."""
    result = run(START, *events, message_stop(reason), METADATA)
    assert result.error is None
    assert result.decoder.finished
    assert result.assembler.complete
    return result


def bad(*events: Event) -> BadItemError:
    """Run a stream whose last event is bad; nothing of that event is handed out."""
    result = run(*events)
    assert isinstance(result.error, BadItemError)
    assert result.items == run(*events[:-1]).items
    return result.error


TOOL_RESULT = [block_start(4, toolResult={"toolUseId": "tooluse_3", "type": "x"})]

# A stream with everything in it that is well-formed.
EVERYTHING: list[Event] = [
    START,
    thinking(0, text="Let me "),
    thinking(0, text="see."),
    thinking(0, signature="seal"),
    block_stop(0),
    thinking(1, redactedContent="eDE="),
    block_stop(1),
    block_delta(2, text="It is "),
    block_delta(2, citation={"title": "a", "sourceContent": [{"text": "b"}]}),
    block_delta(2, text="4."),
    block_stop(2),
    *tool_block(3, '{"q": ', '"x"}', type="server_tool_use", name="nova_grounding"),
    block_start(4, toolResult={"toolUseId": "tooluse_3", "type": "nova_grounding_result"}),
    block_delta(4, toolResult=[{"text": "fo"}]),
    block_delta(4, toolResult=[{"text": "und"}, {"json": {"n": 1}}]),
    block_stop(4),
    block_start(5, image={"format": "png"}),
    block_delta(5, image={"source": {"bytes": "QUJD"}}),
    block_delta(5, image={"source": {"bytes": "REVG"}}),
    block_stop(5),
    *tool_block(6, "", '{"x": 1', ', "y": [2]}'),
    *tool_block(7, ""),
    message_stop("tool_use", additionalModelResponseFields={"/stop_sequence": None}),
    METADATA,
]


# --- whole messages ------------------------------------------------------------------------------


def test_everything_becomes_one_message() -> None:
    """Each block becomes a part, in order, and the message has its reason and its cost."""
    result = run(*EVERYTHING)

    assert result.error is None
    assert result.decoder.unknown_events == 0
    assert result.message == Message(
        role="assistant",
        parts=(
            ThinkingPart("Let me see.", "seal"),
            RedactedThinkingPart("eDE="),
            TextPart("It is 4.", ({"title": "a", "sourceContent": [{"text": "b"}]},)),
            ServerToolCall("tooluse_3", "nova_grounding", {"q": "x"}, '{"q": "x"}'),
            ServerToolResult(
                "tooluse_3", "nova_grounding_result", [{"text": "found"}, {"json": {"n": 1}}]
            ),
            MediaPart("image/png", data=("QUJD", "REVG")),
            ToolCall("tooluse_6", "add", {"x": 1, "y": [2]}, '{"x": 1, "y": [2]}'),
            ToolCall("tooluse_7", "add", {}),
        ),
        stop_reason="tool_use",
        provider_stop_reason="tool_use",
        usage=Usage(10, 5),
        extra={
            "additionalModelResponseFields": {"/stop_sequence": None},
            "metrics": {"latencyMs": 7},
        },
    )


def test_items_tell_the_same_story() -> None:
    """The items follow the events one by one; a text begins with its first delta."""
    result = run(
        START,
        block_delta(0, text="Hi"),
        block_stop(0),
        thinking(1, text="hm"),
        thinking(1, signature="s"),
        block_stop(1),
        *tool_block(2, '{"x"', ": 1}"),
        block_start(3, image={"format": "gif"}),
        block_delta(3, image={"source": {"bytes": "QQ=="}}),
        block_stop(3),
        block_delta(4, citation={"title": "t"}),
        block_stop(4),
        message_stop("tool_use"),
        METADATA,
    )

    assert result.items == [
        MessageStarted(role="assistant"),
        BlockStarted(0, TextPart(finished=False)),
        TextDelta(0, "Hi"),
        BlockFinished(0, TextPart("Hi")),
        BlockStarted(1, ThinkingPart(finished=False)),
        ThinkingDelta(1, "hm"),
        SignatureDelta(1, "s"),
        BlockFinished(1, ThinkingPart("hm", "s")),
        BlockStarted(2, IncompleteToolCall("tooluse_2", "add")),
        ToolInputDelta(2, '{"x"'),
        ToolInputDelta(2, ": 1}"),
        BlockFinished(2, ToolCall("tooluse_2", "add", {"x": 1}, '{"x": 1}')),
        BlockStarted(3, MediaPart("image/gif", finished=False)),
        MediaDelta(3, "QQ=="),
        BlockFinished(3, MediaPart("image/gif", data=("QQ==",))),
        BlockStarted(4, TextPart(finished=False)),
        CitationDelta(4, {"title": "t"}),
        BlockFinished(4, TextPart("", ({"title": "t"},))),
        MessageDelta("tool_use", "tool_use"),
        MessageDelta(usage=Usage(10, 5)),
        MessageFinished({"metrics": {"latencyMs": 7}}),
    ]


def test_raw_is_what_the_provider_sent() -> None:
    """A call keeps its start as it came, an unfinished tool result its pieces."""
    start = {"toolUseId": "t", "type": "x", "status": "success"}
    piece = {"toolResult": [{"text": "a"}]}
    result = run(*tool_block(0, "{}"), block_start(1, toolResult=start), block_delta(1, **piece))
    call, tool_result = result.message.parts

    assert isinstance(call, ToolCall)
    assert call.raw == {"toolUseId": "tooluse_0", "name": "add"}
    assert tool_result == UnknownPart("toolResult", start, (piece,), finished=False)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("end_turn", "end_turn"),
        ("tool_use", "tool_use"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("guardrail_intervened", "refusal"),
        ("content_filtered", "refusal"),
        ("malformed_tool_use", "other"),
        ("of_tomorrow", "other"),
    ],
)
def test_stop_reasons(reason: str, word: str) -> None:
    """Each reason has a shared word, and Bedrock's own is kept."""
    message = whole(reason=reason).message

    assert (message.stop_reason, message.provider_stop_reason) == (word, reason)


def test_stop_without_a_reason() -> None:
    """A message that stops without a reason is whole all the same."""
    result = run(START, *text_block(0, "Hi"), message_stop(None))

    assert result.error is None
    assert (result.message.stop_reason, result.message.provider_stop_reason) == ("other", None)


def test_usage_is_disjoint() -> None:
    """Cached tokens are not among the input tokens; zero is a figure, absent is none."""
    usage = {"inputTokens": 4, "outputTokens": 5, "totalTokens": 109}
    cached = usage | {"cacheReadInputTokens": 100, "cacheWriteInputTokens": 0}
    result = run(START, message_stop(), ("metadata", {"usage": cached}))

    assert result.message.usage == Usage(4, 5, 100, 0)
    assert result.message.usage.raw == cached
    assert run(START, message_stop(), ("metadata", {"usage": usage})).message.usage == Usage(4, 5)
    assert run(START, message_stop(), ("metadata", {})).message.usage == Usage()


def test_blocks_may_overlap() -> None:
    """Deltas find their block by its index; parts are numbered by their order."""
    result = whole(
        block_delta(5, text="a"),
        block_start(2, toolUse={"toolUseId": "t", "name": "add"}),
        block_delta(5, text="b"),
        block_delta(2, toolUse={"input": "{}"}),
        block_stop(2),
        block_stop(5),
        *text_block(5, "again"),
    )

    assert result.message.parts == (
        TextPart("ab"),
        ToolCall("t", "add", {}, "{}"),
        TextPart("again"),
    )


def test_thinking_in_one_delta_with_its_signature() -> None:
    """Nothing is lost if a delta has two kinds at once; an empty signature replaces none."""
    result = whole(thinking(0, text="hm", signature="s"), thinking(0, signature=""), block_stop(0))

    assert result.message.parts == (ThinkingPart("hm", "s"),)


@pytest.mark.parametrize(
    ("pieces", "data"),
    [
        (["eDE="], "eDE="),
        (["eDE=", "eDI="], "eDF4Mg=="),
        (["?", "!"], "?!"),
        (["\ud800", "x"], "\ud800x"),
    ],
)
def test_redacted_thinking(pieces: list[str], data: str) -> None:
    """Encrypted thoughts come whole; pieces, each in Base64, are joined to what they encode."""
    result = whole(*(thinking(0, redactedContent=piece) for piece in pieces), block_stop(0))

    assert result.message.parts == (RedactedThinkingPart(data),)


# --- calls ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["max_tokens", "end_turn", "tool_use"])
def test_half_a_call_is_never_one(reason: str) -> None:
    """Arguments that are not JSON are refused, whatever the stop reason is."""
    (part,) = whole(*tool_block(0, '{"x": '), reason=reason).message.parts

    assert isinstance(part, IncompleteToolCall)
    assert part.arguments == '{"x": '
    assert "not JSON" in part.error


@pytest.mark.parametrize(
    ("reason", "is_call"),
    [("tool_use", True), ("end_turn", True), ("max_tokens", False), ("malformed_tool_use", False)],
)
def test_call_without_arguments_waits_for_the_reason(reason: str, *, is_call: bool) -> None:
    """A call without a character of arguments is one only if nothing was cut off."""
    for block in (tool_block(0), tool_block(0, ""), tool_block(0, "", "")):
        waiting = run(START, *block)
        assert not any(isinstance(item, BlockFinished) for item in waiting.items)
        assert isinstance(waiting.error, StreamTruncatedError)
        (part,) = whole(*block, reason=reason).message.parts

        if is_call:
            assert part == ToolCall("tooluse_0", "add", {})
        else:
            assert part == IncompleteToolCall("tooluse_0", "add", "", NO_ARGUMENTS)


@pytest.mark.parametrize(
    "following",
    [
        block_delta(1, text="x"),
        block_start(1, toolUse={"toolUseId": "t", "name": "add"}),
        block_start(1, image={"format": "png"}),
        thinking(1, text="x"),
    ],
)
def test_another_block_settles_a_call_without_arguments(following: Event) -> None:
    """What follows a call shows that it was whole."""
    result = run(START, *tool_block(0), following)
    order = [item for item in result.items if isinstance(item, BlockStarted | BlockFinished)]

    assert order[1] == BlockFinished(0, ToolCall("tooluse_0", "add", {}))
    assert isinstance(order[2], BlockStarted)


def test_missing_block_ends() -> None:
    """A gateway that forgets the ends of blocks loses nothing: messageStop ends them all."""
    events = [event for event in EVERYTHING if event[0] != "contentBlockStop"]

    assert run(*events).message == run(*EVERYTHING).message
    (refused,) = run(START, *tool_block(0)[:1], message_stop("max_tokens"), METADATA).message.parts
    assert refused == IncompleteToolCall("tooluse_0", "add", "", NO_ARGUMENTS)


# --- ends ----------------------------------------------------------------------------------------


def test_every_cut_is_noticed() -> None:
    """Cut before messageStop, a stream is truncated and has no call but finished ones."""
    final = run(*EVERYTHING).message
    stop = len(EVERYTHING) - 2
    for count in range(len(EVERYTHING)):
        result = run(*EVERYTHING[:count])

        if count > stop:
            assert result.error is None
            assert result.message.parts == final.parts
            assert result.message.stop_reason == "tool_use"
        else:
            assert isinstance(result.error, StreamTruncatedError)
            assert result.message.stop_reason == "incomplete"
            assert all(call in final.tool_calls for call in result.message.tool_calls)
        assert final.text.startswith(result.message.text)


@pytest.mark.parametrize(
    ("events", "where"),
    [
        ([], "before the message began"),
        ([START], "without messageStop"),
        ([START, *text_block(0, "x")], "without messageStop"),
        ([START, *text_block(0, "x"), block_delta(1, text="y")], "inside part 1"),
    ],
)
def test_truncation_says_where(events: list[Event], where: str) -> None:
    """The error says where the stream was cut."""
    error = run(*events).error

    assert isinstance(error, StreamTruncatedError)
    assert where in str(error)


def test_strict_wants_the_metadata() -> None:
    """A strict dialect takes a stream without metadata for truncated."""
    events = [START, *text_block(0, "Hi"), message_stop()]

    assert run(*events).error is None
    assert run(*events).message.is_complete
    strict = run(*events, strict=True)
    assert isinstance(strict.error, StreamTruncatedError)
    assert not strict.message.is_complete
    assert run(*events, METADATA, strict=True).error is None


def test_nothing_is_read_after_the_metadata() -> None:
    """What follows the terminal event, in the same batch or a later one, is not read."""
    decoder = BedrockConverse().decoder()
    items: list[MessageItem] = []
    garbage = [EventStreamMessage({":event-type": "messageStop"}, b"{"), exception("x")]

    decoder.decode([*map(frame, [START, message_stop(), METADATA]), *garbage], items)
    decoder.decode(garbage, items)
    decoder.close()

    assert decoder.finished
    assert type(items[-1]) is MessageFinished


def test_early_metadata() -> None:
    """Where the usage is told before the reason, the reason is the end."""
    result = run(START, METADATA, *text_block(0, "Hi"), message_stop(), message_stop("x"))

    assert result.error is None
    assert result.decoder.finished
    assert result.message.usage == Usage(10, 5)
    assert result.message.extra == {"metrics": {"latencyMs": 7}}
    assert result.message.stop_reason == "end_turn"
    assert isinstance(run(START, METADATA).error, StreamTruncatedError)


def test_second_message() -> None:
    """A message that begins inside another cuts it off; before any content it is a duplicate."""
    assert run(START, START, *text_block(0, "Hi"), message_stop()).error is None
    result = run(START, *text_block(0, "Hi"), START, *text_block(0, "Ho"), message_stop())

    assert isinstance(result.error, StreamTruncatedError)
    assert "another began inside it" in str(result.error)
    assert result.message.text == "Hi"


# --- what is tolerated ---------------------------------------------------------------------------


def test_missing_start() -> None:
    """A message without a start has one all the same; the content is what counts."""
    result = run(*text_block(0, "Hi"), message_stop(), METADATA)

    assert result.items[0] == MessageStarted()
    assert result.message == run(START, *text_block(0, "Hi"), message_stop(), METADATA).message


@pytest.mark.parametrize(
    "start", [{}, {"text": ""}, {"type": "text"}, {"reasoningContent": {}}, {"text": {}}]
)
def test_start_without_content(start: dict[str, Any]) -> None:
    """A start that says nothing opens nothing: the first delta tells what the block is."""
    result = whole(block_start(0, **start), thinking(0, text="hm"), block_stop(0))
    without = whole(("contentBlockStart", {"contentBlockIndex": 0}), *text_block(0, "Hi"))

    assert result.decoder.unknown_events == 0
    assert result.message.parts == (ThinkingPart("hm"),)
    assert without.message.parts == (TextPart("Hi"),)


def test_end_of_a_block_that_is_not_open() -> None:
    """An empty text is nothing but its end."""
    result = whole(block_start(0), block_stop(0), block_stop(7))

    assert result.message.parts == ()
    assert result.decoder.unknown_events == 0


def test_unknown_events_are_kept_and_counted() -> None:
    """An event that nobody knows is handed out as it came, anywhere in the stream."""
    news: Event = ("contentBlockNews", {"a": 1})
    result = run(news, START, news, *text_block(0, "Hi"), message_stop(), news, METADATA)

    assert result.error is None
    assert result.decoder.unknown_events == 3
    assert result.items.count(UnknownEvent("contentBlockNews", '{"a": 1}')) == 3
    assert result.message.text == "Hi"


def test_messages_that_are_no_events() -> None:
    """A message of another type, without a name or with a payload of another format is kept."""
    odd = [
        EventStreamMessage({":message-type": "event"}, b""),
        EventStreamMessage({":event-type": True}, b"\x00\xff"),
        EventStreamMessage({":message-type": "news", ":event-type": "x"}, b"[1]"),
        EventStreamMessage(),
    ]
    result = Run([frame(START), *odd, frame(message_stop())])

    assert result.error is None
    assert result.decoder.unknown_events == 4
    assert UnknownEvent("", "\x00\ufffd") in result.items


def test_end_told_again() -> None:
    """An end that is told again after messageStop is passed over, and counted."""
    result = whole(*text_block(0, "Hi"))
    again = run(
        START, *text_block(0, "Hi"), message_stop(), block_stop(0), message_stop(), METADATA
    )

    assert again.error is None
    assert again.decoder.unknown_events == 2
    assert again.message == result.message


def test_unknown_block() -> None:
    """A block of an unknown kind is kept with all that it brings, by its start or its delta."""
    result = whole(
        block_start(0, video={"format": "mp4"}),
        block_delta(0, video={"bytes": "QQ=="}),
        block_stop(0),
        block_delta(1, sound={"n": 1}),
        block_delta(1, sound={"n": 2}),
        block_stop(1),
    )

    assert result.decoder.unknown_events == 2
    assert result.message.parts == (
        UnknownPart("video", {"video": {"format": "mp4"}}, ({"video": {"bytes": "QQ=="}},)),
        UnknownPart("sound", {}, ({"sound": {"n": 1}}, {"sound": {"n": 2}})),
    )


@pytest.mark.parametrize(
    "delta", [{"sound": 1}, {}, {"image": {"error": {"message": "x"}}}, {"toolResult": None}]
)
def test_unknown_delta(delta: dict[str, Any]) -> None:
    """A delta of an unknown kind for a known block is kept as an event and counted."""
    result = whole(block_delta(0, text="a"), block_delta(0, **delta), *text_block(0, "b"))

    assert result.decoder.unknown_events == 1
    assert any(isinstance(item, UnknownEvent) for item in result.items)
    assert result.message.parts == (TextPart("ab"),)


def test_image_that_is_stored_elsewhere() -> None:
    """An image without bytes is a part, and what was said about it is kept."""
    where = {"s3Location": {"uri": "s3://a/b"}}
    result = whole(block_delta(0, image={"source": where}), block_stop(0))

    assert result.message.parts == (MediaPart(),)
    assert result.decoder.unknown_events == 1
    assert any("s3://a/b" in item.data for item in result.items if isinstance(item, UnknownEvent))


# --- what is not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "path"),
    [
        ([("contentBlockDelta", {"delta": {"text": "x"}})], "$.contentBlockIndex"),
        ([("contentBlockDelta", {"contentBlockIndex": "0", "delta": {}})], "$.contentBlockIndex"),
        ([("contentBlockDelta", {"contentBlockIndex": 0})], "$.delta"),
        ([block_delta(0, text=1)], "$.delta.text"),
        ([block_delta(0, text=None)], "$.delta.text"),
        ([block_delta(0, reasoningContent={"text": 1})], "$.delta.reasoningContent.text"),
        ([block_delta(0, toolUse={"input": "{}"})], "$.contentBlockIndex"),
        ([*tool_block(0)[:1], block_delta(0, toolUse={"input": {}})], "$.delta.toolUse.input"),
        ([*tool_block(0)[:1], block_delta(0, text="x")], "$.delta"),
        ([block_delta(0, text="x"), thinking(0, text="y")], "$.delta"),
        ([thinking(0, redactedContent="x"), thinking(0, text="y")], "$.delta"),
        ([thinking(0, redactedContent="x"), block_delta(0, toolResult=[])], "$.delta"),
        (
            [*TOOL_RESULT, block_delta(4, reasoningContent={"redactedContent": "x"})],
            "$.delta",
        ),
        ([*tool_block(0)[:1], *tool_block(0)[:1]], "$.contentBlockIndex"),
        ([block_start(0, toolUse={"name": "add"})], "$.start.toolUse.toolUseId"),
        ([block_start(0, toolUse={"toolUseId": "t"})], "$.start.toolUse.name"),
        ([block_start(0, toolUse=None)], "$.start.toolUse"),
        ([block_start(0, toolResult={})], "$.start.toolResult.toolUseId"),
        ([("contentBlockStart", {"contentBlockIndex": 0, "start": []})], "$.start"),
        ([START, message_stop(), block_delta(0, text="x")], "$"),
        ([START, message_stop(), block_start(0)], "$"),
        ([START, message_stop(), START], "$"),
        ([("messageStop", {"stopReason": 1})], "$.stopReason"),
        ([message_stop(), ("metadata", {"usage": {"inputTokens": "1"}})], "$.usage.inputTokens"),
        ([message_stop(), ("metadata", {"usage": []})], "$.usage"),
    ],
)
def test_content_without_a_place_is_an_error(events: list[Event], path: str) -> None:
    """A broken object, or content for a block that cannot take it, is never dropped."""
    assert bad(*events).path == path


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000])
def test_broken_payload(payload: bytes) -> None:
    """A known event whose payload is no JSON object is an error that carries it."""
    for name in ("messageStart", "contentBlockDelta", "metadata"):
        error = Run([EventStreamMessage({":event-type": name}, payload)]).error

        assert isinstance(error, BadItemError)
        assert (error.event, error.raw, error.path) == (name, payload, "$")


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "error_type", "is_retryable"),
    [
        ("throttlingException", 429, StreamErrorType.RATE_LIMITED, True),
        ("ThrottlingException", 429, StreamErrorType.RATE_LIMITED, True),
        ("modelStreamErrorException", 424, StreamErrorType.SERVER_ERROR, True),
        ("internalServerException", 500, StreamErrorType.SERVER_ERROR, True),
        ("validationException", 400, StreamErrorType.CLIENT_ERROR, False),
        ("accessDeniedException", 403, StreamErrorType.AUTHENTICATION_ERROR, False),
        ("serviceUnavailableException", 503, StreamErrorType.SERVER_ERROR, True),
        ("modelTimeoutException", 408, StreamErrorType.CLIENT_ERROR, True),
        ("exceptionOfTomorrow", 500, StreamErrorType.SERVER_ERROR, True),
    ],
)
def test_exceptions(
    kind: str, status: int, error_type: StreamErrorType, *, is_retryable: bool
) -> None:
    """An exception ends the stream as the error that it amounts to, with the partial message."""
    result = Run([frame(START), frame(block_delta(0, text="Hi")), exception(kind, "too much")])

    assert isinstance(result.error, InBandError)
    assert (result.error.kind, result.error.status_code) == (kind, status)
    assert (result.error.error_type, result.error.is_retryable) == (error_type, is_retryable)
    assert str(result.error) == f"{kind}: too much"
    assert result.error.payload == '{"message": "too much"}'
    assert result.message.parts == (TextPart("Hi", finished=False),)


def test_unmodelled_error() -> None:
    """An error that the headers report needs no payload."""
    headers = {":message-type": "error", ":error-code": "InternalError", ":error-message": "Oh"}
    error = Run([frame(START), EventStreamMessage(dict(headers), b"")]).error

    assert isinstance(error, InBandError)
    assert (str(error), error.status_code) == ("InternalError: Oh", 500)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"message": 7}', b'"down"', b"\xff"])
def test_broken_exception(payload: bytes) -> None:
    """A broken report of a failure is still one."""
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}
    error = Run([EventStreamMessage(dict(headers), payload)]).error

    assert isinstance(error, InBandError)
    assert error.status_code == 429


# --- as server-sent events -----------------------------------------------------------------------


def test_framing_is_binary_unless_told() -> None:
    """The framing is AWS's, or that of a proxy."""
    assert BedrockConverse().framing.media_types == ("application/vnd.amazon.eventstream",)
    assert BedrockConverse(sse=True).framing == SSE()
    assert BedrockConverse() == BedrockConverse() != BedrockConverse(strict=True)


@pytest.mark.parametrize("form", [named, wrapped])
def test_server_sent_events(form: Any) -> None:
    """The same events as server-sent events, named or wrapped, make the same items."""
    stream = [Comment("ping"), *map(form, EVERYTHING)]

    assert Run(stream).items == run(*EVERYTHING).items


def test_null_members_of_a_union() -> None:
    """What a proxy writes as null, as it does with typed objects, is not there: no failure."""
    others = {"messageStart": None, "internalServerException": None, "error": None}
    empty = {"text": None, "toolUse": None, "reasoningContent": None}
    reasoning = {"text": "a", "signature": None, "redactedContent": None}

    def with_nulls(event: Event) -> ServerSentEvent:
        return ServerSentEvent(data=json.dumps(others | dict([event])))

    def blocks(**nulls: Any) -> list[Event]:
        thought = reasoning if nulls else {"text": "a"}
        return [
            block_delta(0, **nulls | {"reasoningContent": thought}),
            block_stop(0),
            block_delta(1, **nulls | {"text": "b"}),
            block_stop(1),
            *tool_block(2),
            message_stop(),
        ]

    result = Run([with_nulls(each) for each in blocks(**empty)])

    assert result.error is None
    assert result.items == run(*blocks()).items


@pytest.mark.parametrize(
    "failure",
    [
        named(("throttlingException", {"message": "slow down"})),
        wrapped(("throttlingException", {"message": "slow down"})),
        wrapped(("throttlingException", {"Message": "slow down"})),
        ServerSentEvent("throttlingException", "slow down"),
    ],
)
def test_exceptions_as_server_sent_events(failure: ServerSentEvent) -> None:
    """An exception is one in each form."""
    error = Run([named(START), failure]).error

    assert isinstance(error, InBandError)
    assert (error.status_code, error.kind) == (429, "throttlingException")
    assert "slow down" in str(error)


@pytest.mark.parametrize(
    "failure",
    [
        ServerSentEvent("error", '{"message": "down"}'),
        ServerSentEvent("error", "down"),
        ServerSentEvent(data='{"error": {"message": "down"}}'),
        ServerSentEvent(data='{"error": "down"}'),
        UnframedText('{"error": {"message": "down"}}'),
    ],
)
def test_errors_of_proxies(failure: Frame) -> None:
    """An error in a proxy's own form is an error of the server."""
    error = Run([wrapped(START), failure]).error

    assert isinstance(error, InBandError)
    assert (error.status_code, error.kind) == (500, "")
    assert "down" in str(error)


@pytest.mark.parametrize(
    ("event", "is_bad"),
    [
        (ServerSentEvent(data="[DONE]"), False),
        (ServerSentEvent(data="[1]"), False),
        (ServerSentEvent("ping", "{}"), False),
        (ServerSentEvent(data='{"a": 1}'), False),
        (ServerSentEvent(data='{"messageStop": {'), True),
        (ServerSentEvent("messageStop", "[]"), True),
        (ServerSentEvent(data='{"messageStop": []}'), True),
        (UnframedText("<html>"), True),
    ],
)
def test_stray_server_sent_events(event: Frame, *, is_bad: bool) -> None:
    """What is no event is kept and counted, unless it may be a broken one."""
    result = Run([wrapped(START), event, wrapped(message_stop())])

    assert isinstance(result.error, BadItemError) is is_bad
    assert result.decoder.unknown_events == (not is_bad)


# --- laws ----------------------------------------------------------------------------------------


def test_laws_on_messages() -> None:
    """Batches, prefixes and the terminal event are what a dialect promises."""
    expected = run(*EVERYTHING)

    check_dialect(
        BedrockConverse(),
        [frame(event) for event in EVERYTHING],
        expected.message,
        expected_items=expected.items,
    )
    check_dialect(
        BedrockConverse(), [frame(START), exception("x")], raises=InBandError, hostile=False
    )


@pytest.mark.parametrize("form", [named, wrapped])
def test_laws_on_server_sent_events(form: Any) -> None:
    """The same goes for server-sent events, and tampered payloads crash nothing."""
    check_dialect(BedrockConverse(sse=True), [form(event) for event in EVERYTHING], max_splits=400)


def test_hostile_messages() -> None:
    """Whatever the payload of a message is, nothing but a `StreamError` comes of it."""
    rng = random.Random(0)
    for _ in range(400):
        decoder = BedrockConverse().decoder()
        assembler = BedrockConverse().assembler()
        items: list[MessageItem] = []
        for event in EVERYTHING:
            each = named(event)
            if rng.random() < 0.1:
                each = tamper(each, rng)
            payload = each.data.encode("utf-8", "surrogatepass")
            try:
                decoder.decode([EventStreamMessage({":event-type": event[0]}, payload)], items)
            except StreamError:
                break
        for item in items:
            assembler.fold(item)
        calls = assembler.snapshot().tool_calls
        finished = [item.part for item in items if isinstance(item, BlockFinished)]
        assert all(call in finished for call in calls)


def test_finely_cut_arguments() -> None:
    """Arguments and texts of 20,000 characters, one at a time, are as good as in one piece."""
    arguments = json.dumps({"x": 20_000 * "y"})
    pieces = list(arguments)
    result = whole(*tool_block(0, *pieces), *text_block(1, *pieces))

    assert result.message.tool_calls[0].input == {"x": 20_000 * "y"}
    assert result.message.text == arguments


# --- a recorded stream ---------------------------------------------------------------------------

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")


@pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")
def test_recorded_stream() -> None:
    """A recorded stream, whose payloads are framed as server-sent events, is a whole call."""
    body = Path(CORPORA or "", "recorded", "bedrock-converse-4.sse").read_bytes()
    frames = SSEParser().feed(body)
    result = Run(frames)

    assert result.error is None
    assert result.decoder.unknown_events == 0
    assert result.message.stop_reason == "tool_use"
    assert result.message.tool_calls == (
        ToolCall("json-tool-id", "json", {"value": "test"}, '{"value":"test"}'),
    )
    for count in range(len(frames)):
        cut_off = Run(frames[:count])
        assert isinstance(cut_off.error, StreamTruncatedError)
        assert cut_off.message.tool_calls == (result.message.tool_calls if count == 3 else ())
    check_dialect(BedrockConverse(sse=True), frames, result.message)
