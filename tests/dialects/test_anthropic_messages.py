"""Anthropic's Messages API, on hand-written streams: one for each rule of its decoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.dialects import (
    AnthropicMessages,
    BlockFinished,
    BlockStarted,
    CitationDelta,
    IncompleteToolCall,
    Message,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    Ping,
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
    UnknownDelta,
    UnknownEvent,
    UnknownPart,
    Usage,
)
from trio_stream.errors import (
    BadItemError,
    InBandError,
    StreamError,
    StreamErrorType,
    StreamTruncatedError,
)
from trio_stream.framing import Comment, ServerSentEvent

Event = dict[str, Any]

# --- words to write streams with ----------------------------------------------------------------


def frame(event: Event, name: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(event["type"] if name is None else name, json.dumps(event))


def frames(*events: Event) -> list[ServerSentEvent]:
    return [frame(event) for event in events]


def message_start(**fields: Any) -> Event:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-1",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    }
    return {"type": "message_start", "message": message | fields}


def block_start(index: int, kind: str, **fields: Any) -> Event:
    block = {"type": kind, **fields}
    return {"type": "content_block_start", "index": index, "content_block": block}


def block_delta(index: int, kind: str, **fields: Any) -> Event:
    delta = {"type": kind, **fields}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def block_stop(index: int) -> Event:
    return {"type": "content_block_stop", "index": index}


def text_block(index: int, *pieces: str) -> list[Event]:
    deltas = [block_delta(index, "text_delta", text=piece) for piece in pieces]
    return [block_start(index, "text", text=""), *deltas, block_stop(index)]


def tool_block(index: int, *pieces: str, **fields: Any) -> list[Event]:
    call = {"id": f"toolu_{index}", "name": "add", "input": {}} | fields
    deltas = [block_delta(index, "input_json_delta", partial_json=piece) for piece in pieces]
    return [block_start(index, call.pop("type", "tool_use"), **call), *deltas, block_stop(index)]


def message_delta(stop_reason: str | None = "end_turn", **fields: Any) -> Event:
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5}} | fields


STOP: Event = {"type": "message_stop"}
NO_ARGUMENTS = "no arguments came, and the model may have been cut off before them"
PING: Event = {"type": "ping"}


class Run:
    """A stream, decoded frame by frame and then closed, and its message."""

    def __init__(self, stream: Sequence[ServerSentEvent | Comment]) -> None:
        dialect = AnthropicMessages()
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


def run(*events: Event) -> Run:
    return Run(frames(*events))


def whole(*events: Event, stop_reason: str = "end_turn") -> Run:
    """Run a stream of these events between a start and an end."""
    result = run(message_start(), *events, message_delta(stop_reason), STOP)
    assert result.error is None
    assert result.decoder.finished
    assert result.assembler.complete
    return result


# A stream with everything in it that is well-formed.
EVERYTHING: list[Event] = [
    message_start(container=None),
    PING,
    block_start(0, "thinking", thinking="", signature=""),
    block_delta(0, "thinking_delta", thinking="Let me "),
    block_delta(0, "thinking_delta", thinking="see."),
    block_delta(0, "signature_delta", signature="seal"),
    block_stop(0),
    block_start(1, "redacted_thinking", data="x1x2"),
    block_stop(1),
    block_start(2, "text", text="", citations=[]),
    block_delta(2, "citations_delta", citation={"cited_text": "a"}),
    block_delta(2, "text_delta", text="It is "),
    PING,
    block_delta(2, "text_delta", text="4."),
    block_stop(2),
    *tool_block(3, '{"q": ', '"x"}', type="server_tool_use", id="srv_1", name="web_search"),
    block_start(4, "web_search_tool_result", tool_use_id="srv_1", content=[{"url": "u"}]),
    block_stop(4),
    *tool_block(5, "", '{"x": 1', ', "y": [2]}'),
    *tool_block(6, ""),
    block_start(7, "compaction", content=None),
    block_delta(7, "compaction_delta", content="so far"),
    block_stop(7),
    message_delta("tool_use", context_management={"applied_edits": []}),
    STOP,
]


# --- whole messages -----------------------------------------------------------------------------


def test_everything_becomes_one_message() -> None:
    """Each block becomes a part, in order, and the message has its reason and its cost."""
    result = run(*EVERYTHING)

    assert result.error is None
    assert result.decoder.unknown_events == 0
    assert result.message == Message(
        id="msg_1",
        model="claude-1",
        role="assistant",
        parts=(
            ThinkingPart("Let me see.", "seal"),
            RedactedThinkingPart("x1x2"),
            TextPart("It is 4.", ({"cited_text": "a"},)),
            ServerToolCall("srv_1", "web_search", {"q": "x"}, '{"q": "x"}'),
            ServerToolResult("srv_1", "web_search_tool_result", [{"url": "u"}]),
            ToolCall("toolu_5", "add", {"x": 1, "y": [2]}, '{"x": 1, "y": [2]}'),
            ToolCall("toolu_6", "add", {}),
            UnknownPart(
                "compaction",
                {"type": "compaction", "content": None},
                ({"type": "compaction_delta", "content": "so far"},),
            ),
        ),
        stop_reason="tool_use",
        provider_stop_reason="tool_use",
        usage=Usage(10, 5),
        extra={"context_management": {"applied_edits": []}},
    )


def test_items_tell_the_same_story() -> None:
    """The items follow the events one by one, in words of our own."""
    result = run(
        message_start(),
        PING,
        block_start(0, "text", text=""),
        block_delta(0, "text_delta", text="Hi"),
        block_stop(0),
        block_start(1, "thinking", thinking=""),
        block_delta(1, "thinking_delta", thinking="hm"),
        block_delta(1, "signature_delta", signature="s"),
        block_stop(1),
        *tool_block(2, '{"x"', ": 1}"),
        message_delta("tool_use"),
        STOP,
    )

    assert result.items == [
        MessageStarted("msg_1", "claude-1", "assistant", Usage(10, 1)),
        Ping(),
        BlockStarted(0, TextPart(finished=False)),
        TextDelta(0, "Hi"),
        BlockFinished(0, TextPart("Hi")),
        BlockStarted(1, ThinkingPart(finished=False)),
        ThinkingDelta(1, "hm"),
        SignatureDelta(1, "s"),
        BlockFinished(1, ThinkingPart("hm", "s")),
        BlockStarted(2, IncompleteToolCall("toolu_2", "add")),
        ToolInputDelta(2, '{"x"'),
        ToolInputDelta(2, ": 1}"),
        BlockFinished(2, ToolCall("toolu_2", "add", {"x": 1}, '{"x": 1}')),
        MessageDelta("tool_use", "tool_use", None, Usage(None, 5)),
        MessageFinished(),
    ]


def test_batches_do_not_matter() -> None:
    """All frames at once give the items of one frame at a time."""
    decoder = AnthropicMessages().decoder()
    items: list[MessageItem] = []

    decoder.decode(frames(*EVERYTHING), items)

    assert items == run(*EVERYTHING).items


def test_nothing_is_read_after_the_terminal_event() -> None:
    """What follows ``message_stop``, in the same batch or a later one, is not read."""
    decoder = AnthropicMessages().decoder()
    items: list[MessageItem] = []
    garbage = [ServerSentEvent("message", "{broken"), *frames(message_start(id="msg_2"))]

    decoder.decode([*frames(message_start(), STOP), *garbage], items)
    decoder.decode(garbage, items)
    decoder.close()

    assert items == [MessageStarted("msg_1", "claude-1", usage=Usage(10, 1)), MessageFinished()]


def test_parts_are_numbered_by_their_order() -> None:
    """Items number the parts of the message, whatever the indexes of the provider are."""
    result = whole(*text_block(7, "a"), *text_block(3, "b"), *text_block(7, "c"))

    assert [part.text for part in result.message.parts if isinstance(part, TextPart)] == [
        "a",
        "b",
        "c",
    ]
    assert [item.index for item in result.items if isinstance(item, BlockStarted)] == [0, 1, 2]


def test_blocks_may_overlap() -> None:
    """Deltas of blocks that are open at the same time find their own part."""
    result = whole(
        block_start(0, "text", text="a"),
        block_start(1, "text", text="x"),
        block_delta(1, "text_delta", text="y"),
        block_delta(0, "text_delta", text="b"),
        block_stop(0),
        block_delta(1, "text_delta", text="z"),
        block_stop(1),
    )

    assert result.message.parts == (TextPart("ab"), TextPart("xyz"))


def test_content_of_the_start_event_is_kept() -> None:
    """A message that came whole inside ``message_start`` has its parts, its reason and its end."""
    result = run(
        message_start(
            content=[
                {"type": "code_execution_tool_result", "tool_use_id": "srv_1", "content": {}},
                {"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"x": 1}},
                {"type": "new"},
            ],
            stop_reason="tool_use",
        ),
        STOP,
    )

    assert result.error is None
    assert result.message.parts == (
        ServerToolResult("srv_1", "code_execution_tool_result", {}),
        ToolCall("toolu_1", "add", {"x": 1}),
        UnknownPart("new", {"type": "new"}),
    )
    assert result.message.stop_reason == "tool_use"
    assert result.decoder.unknown_events == 1


def test_input_of_the_start_event_is_final() -> None:
    """A call whose arguments came as a value, without any delta, has them as its input."""
    result = whole(*tool_block(0, input={"player": "1"}), stop_reason="tool_use")

    assert result.message.tool_calls == (ToolCall("toolu_0", "add", {"player": "1"}),)
    assert result.message.tool_calls[0].raw["input"] == {"player": "1"}


def test_input_of_the_start_event_cannot_be_cut() -> None:
    """A call whose arguments came as a value is final, whatever ended the message."""
    result = whole(*tool_block(0, input={"player": "1"}), stop_reason="max_tokens")

    assert result.message.tool_calls == (ToolCall("toolu_0", "add", {"player": "1"}),)


def test_raw_keeps_what_has_no_field() -> None:
    """The provider's own fields of a block are in ``raw``."""
    result = whole(*tool_block(0, "{}", type="mcp_tool_use", server_name="echo"))

    (call,) = result.message.parts
    assert isinstance(call, ServerToolCall)
    assert call.raw["server_name"] == "echo"


def test_successor_model_is_named() -> None:
    """When another model takes over, the message names the one that answered."""
    result = whole(
        block_start(0, "fallback", **{"from": {"model": "claude-1"}, "to": {"model": "claude-2"}}),
        block_stop(0),
    )

    assert result.message.model == "claude-2"
    assert MessageDelta(model="claude-2") in result.items
    assert result.decoder.unknown_events == 0


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("end_turn", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_use"),
        ("pause_turn", "pause"),
        ("compaction", "pause"),
        ("refusal", "refusal"),
        ("brand_new", "other"),
    ],
)
def test_stop_reason_is_normalised(said: str, word: str) -> None:
    """Each reason of the provider has one of the shared words, and is kept as it was said."""
    message = whole(*text_block(0, "a"), stop_reason=said).message

    assert message.stop_reason == word
    assert message.provider_stop_reason == said


def test_stop_sequence_is_kept() -> None:
    """The sequence that stopped the model is told."""
    delta = {"stop_reason": "stop_sequence", "stop_sequence": "END"}

    message = run(message_start(), message_delta(delta=delta), STOP).message

    assert message.stop_sequence == "END"


def test_later_delta_takes_nothing_back() -> None:
    """A second ``message_delta`` without a reason leaves the first one's (python SDK #1940)."""
    container = {"stop_reason": None, "container": {"id": "c"}}

    result = run(
        message_start(), message_delta("refusal"), message_delta(delta=container, usage=None), STOP
    )

    assert result.message.stop_reason == "refusal"
    assert result.message.usage == Usage(10, 5)
    assert result.message.extra == {"container": {"id": "c"}}


def test_message_delta_may_be_bare() -> None:
    """A ``message_delta`` of a gateway may lack anything but its type."""
    result = run(message_start(), {"type": "message_delta"}, STOP)

    assert result.error is None
    assert result.message.stop_reason == "other"


def test_message_start_may_be_bare() -> None:
    """A ``message_start`` of a gateway may lack any field of its message, or have it null."""
    result = run(message_start(content=None, usage=None), STOP)
    bare = run({"type": "message_start", "message": {}}, STOP)

    assert result.error is None
    assert result.message.usage == Usage()
    assert bare.error is None
    assert bare.message == Message(stop_reason="other")


def test_usage_is_the_last_that_was_told() -> None:
    """Totals of ``message_delta`` replace those of the start, zero included, silence excluded."""
    start = {
        "input_tokens": 10,
        "cache_read_input_tokens": 7,
        "cache_creation_input_tokens": 0,
        "output_tokens": 1,
        "service_tier": "standard",
    }
    end = {"input_tokens": 12, "cache_read_input_tokens": 0, "output_tokens": 5, "geo": None}

    usage = run(message_start(usage=start), message_delta(usage=end), STOP).message.usage

    assert usage == Usage(12, 5, 0, 0)
    assert usage.raw == start | {
        "input_tokens": 12,
        "cache_read_input_tokens": 0,
        "output_tokens": 5,
    }


def test_untold_usage_is_none() -> None:
    """A figure that the provider never gave is `None`, not zero."""
    usage = whole().message.usage

    assert usage.cache_read_tokens is None
    assert usage.cache_write_tokens is None


def test_last_words_are_kept() -> None:
    """What ``message_stop`` brings (Bedrock's metrics) is in the message's ``extra``."""
    metrics = {"inputTokenCount": 288}

    result = run(message_start(), STOP | {"amazon-bedrock-invocationMetrics": metrics})

    assert result.message.extra == {"amazon-bedrock-invocationMetrics": metrics}


def test_framing_is_server_sent_events() -> None:
    """The dialect brings the framing that the provider uses."""
    assert AnthropicMessages().framing.media_types == ("text/event-stream",)


# --- names, comments, pings ---------------------------------------------------------------------


def test_event_names_are_not_needed() -> None:
    """The type inside the JSON is enough: a proxy may lose or change the names of the events."""
    expected = run(*EVERYTHING).message

    assert Run([frame(event, "message") for event in EVERYTHING]).message == expected
    assert Run([frame(event, "x") for event in EVERYTHING]).message == expected


def test_event_names_help_out() -> None:
    """The name of the event is used where the JSON has no type."""
    stream = [frame(event) for event in EVERYTHING]
    for each, event in zip(stream, EVERYTHING, strict=True):
        each.data = json.dumps({key: value for key, value in event.items() if key != "type"})

    assert Run(stream).message == run(*EVERYTHING).message


def test_comments_and_pings_change_nothing() -> None:
    """Comments are passed over; pings are items, and nothing of the message, wherever they are."""
    stream: list[ServerSentEvent | Comment] = []
    for event in EVERYTHING:
        stream += [Comment("ping"), frame(PING), ServerSentEvent("ping", ""), frame(event)]

    result = Run(stream)

    assert result.message == run(*EVERYTHING).message
    assert result.decoder.unknown_events == 0
    assert result.items.count(Ping()) == 2 * len(EVERYTHING) + EVERYTHING.count(PING)


def test_white_space_around_the_json_is_allowed() -> None:
    """Payloads may be padded."""
    stream = [ServerSentEvent(event["type"], f" \n{json.dumps(event)}\t ") for event in EVERYTHING]

    assert Run(stream).message == run(*EVERYTHING).message


# --- what nobody knows --------------------------------------------------------------------------


def test_unknown_event_is_kept() -> None:
    """An event of an unknown type is an item as it came, is counted, and harms nothing."""
    news = {"type": "news", "n": 1}

    result = run(news, message_start(), *text_block(0, "a"), news, message_delta(), STOP)

    assert result.error is None
    assert result.message.text == "a"
    assert result.items.count(UnknownEvent("news", json.dumps(news))) == 2
    assert result.decoder.unknown_events == 2


@pytest.mark.parametrize("data", ["[DONE]", "", "OK", "[1]", "42", "null", '"x"', "{}", '{"a": 1}'])
def test_stray_frame_is_kept(data: str) -> None:
    """A nameless frame that is no object, or an object without a type, is kept and counted."""
    stray = ServerSentEvent("message", data)

    result = Run([*frames(message_start()), stray, *frames(message_delta(), STOP)])

    assert result.error is None
    assert UnknownEvent("message", data) in result.items
    assert result.decoder.unknown_events == 1


def test_unknown_block_is_kept() -> None:
    """A block of an unknown type is a part with all that came for it, and is counted once."""
    result = whole(
        block_start(0, "hologram", size=3),
        block_delta(0, "hologram_delta", layer="a"),
        block_delta(0, "text_delta", text="b"),
        block_stop(0),
        *text_block(1, "c"),
    )

    assert result.message.parts == (
        UnknownPart(
            "hologram",
            {"type": "hologram", "size": 3},
            ({"type": "hologram_delta", "layer": "a"}, {"type": "text_delta", "text": "b"}),
        ),
        TextPart("c"),
    )
    assert UnknownDelta(0, {"type": "hologram_delta", "layer": "a"}) in result.items
    assert result.decoder.unknown_events == 1


def test_unknown_delta_is_kept() -> None:
    """A delta of an unknown type for a known block is an `UnknownEvent`, and is counted."""
    delta = block_delta(0, "emphasis_delta", start=0)

    result = whole(block_start(0, "text", text="a"), delta, block_stop(0))

    assert result.message.parts == (TextPart("a"),)
    assert UnknownEvent("content_block_delta", json.dumps(delta)) in result.items
    assert result.decoder.unknown_events == 1


def test_new_kind_of_tool_result_is_a_result() -> None:
    """The results of tools that the provider will yet invent are read as results."""
    result = whole(
        block_start(0, "teleport_tool_result", tool_use_id="srv_1", content={"ok": True}),
        block_stop(0),
    )

    assert result.message.parts == (
        ServerToolResult("srv_1", "teleport_tool_result", {"ok": True}),
    )
    assert result.decoder.unknown_events == 0


def test_result_of_no_call_is_unknown() -> None:
    """A result that does not say of which call is kept as a part that nobody knows."""
    result = whole(block_start(0, "x_tool_result", tool_use_id=None), block_stop(0))

    assert result.message.parts == (
        UnknownPart("x_tool_result", {"type": "x_tool_result", "tool_use_id": None}),
    )
    assert result.decoder.unknown_events == 1


def test_end_of_a_closed_block_is_passed_over() -> None:
    """A block that ends twice, or never began, loses no content; the event is kept and counted."""
    result = whole(*text_block(0, "a"), block_stop(0), block_stop(9))

    assert result.message.parts == (TextPart("a"),)
    assert result.decoder.unknown_events == 2


# --- tool calls that must not be made -----------------------------------------------------------


def test_cut_arguments_are_no_call() -> None:
    """Arguments that a limit cut are refused though their block ended (``max_tokens``)."""
    result = whole(*tool_block(0, '{"path": "/etc/', "passwd"), stop_reason="max_tokens")

    (part,) = result.message.parts
    assert isinstance(part, IncompleteToolCall)
    assert part.arguments == '{"path": "/etc/passwd'
    assert part.error.startswith("the arguments are not JSON")
    assert result.message.tool_calls == ()


@pytest.mark.parametrize("stop_reason", ["max_tokens", "refusal", "brand_new"])
@pytest.mark.parametrize("pieces", [(), ("",)])
def test_call_cut_before_its_arguments_is_no_call(
    stop_reason: str, pieces: tuple[str, ...]
) -> None:
    """A call that a limit cut before its first argument is not taken for one without arguments."""
    result = whole(*tool_block(0, *pieces), stop_reason=stop_reason)

    (part,) = result.message.parts
    assert part == IncompleteToolCall("toolu_0", "add", "", NO_ARGUMENTS)
    assert not any(
        isinstance(item.part, ToolCall) for item in result.items if isinstance(item, BlockFinished)
    )


def test_call_without_arguments_waits_for_what_follows() -> None:
    """Whether a call has no arguments or was cut is not told before it is known."""
    call = BlockFinished(0, ToolCall("toolu_0", "add", {}))
    start = [message_start(), *tool_block(0, "")]

    assert call not in run(*start).items
    assert call not in run(*start, PING, message_delta(None)).items
    assert call in run(*start, *text_block(1, "a")).items
    assert call in run(*start, message_delta("tool_use")).items
    assert call not in run(*start, STOP).items


def test_only_the_last_call_can_be_cut() -> None:
    """A limit that cuts the last call leaves the one before it as it is."""
    result = whole(*tool_block(0, ""), *tool_block(1, ""), stop_reason="max_tokens")

    assert result.message.parts == (
        ToolCall("toolu_0", "add", {}),
        IncompleteToolCall("toolu_1", "add", "", NO_ARGUMENTS),
    )


def test_calls_that_end_together_are_in_doubt_one_by_one() -> None:
    """Of two calls whose blocks end one after the other, only the last stays in doubt."""
    first, second = tool_block(0), tool_block(1)

    result = run(message_start(), first[0], second[0], first[1], second[1])

    assert BlockFinished(0, ToolCall("toolu_0", "add", {})) in result.items
    assert result.message.tool_calls == (ToolCall("toolu_0", "add", {}),)


def test_block_that_never_ended_is_no_call() -> None:
    """A call whose block is open at the end is incomplete, even if its text is JSON."""
    result = whole(*tool_block(0, '{"x": 1}')[:-1], stop_reason="tool_use")

    assert result.message.parts == (IncompleteToolCall("toolu_0", "add", '{"x": 1}'),)


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(len(EVERYTHING)))
def test_every_prefix_is_truncated(count: int) -> None:
    """Cut after any frame before the stop reason, a stream is truncated and holds no half call."""
    result = run(*EVERYTHING[:count])
    stopped = any(event["type"] == "message_delta" for event in EVERYTHING[:count])

    assert (result.error is None) == stopped == result.assembler.complete
    if not stopped:
        assert isinstance(result.error, StreamTruncatedError)
        assert result.error.is_retryable
        assert result.message.stop_reason == "incomplete"
    finished = [item.part for item in result.items if isinstance(item, BlockFinished)]
    for part in (*result.message.tool_calls, *finished):
        if isinstance(part, ToolCall):
            assert part in run(*EVERYTHING).message.tool_calls


@pytest.mark.parametrize(
    ("events", "where"),
    [
        ([], "before message_start"),
        ([PING], "before message_start"),
        ([message_start()], "before a stop reason"),
        ([message_start(), *text_block(0, "a")], "before a stop reason"),
        ([message_start(), *text_block(0, "a")[:-1]], "inside part 0"),
        ([message_start(), *text_block(0, "a"), *tool_block(1, "{")[:-1]], "inside part 1"),
    ],
)
def test_truncation_says_where(events: list[Event], where: str) -> None:
    """The error of a truncated stream names the place."""
    with pytest.raises(StreamTruncatedError, match=f"ended {where} and without message_stop"):
        raise run(*events).error or AssertionError


def test_unfinished_text_is_kept_and_marked() -> None:
    """What came of a text is there when the stream is cut."""
    result = run(message_start(), *text_block(0, "Once upon", " a ti")[:-1])

    assert result.message.parts == (TextPart("Once upon a ti", finished=False),)
    assert result.message.text == "Once upon a ti"


def test_unfinished_thinking_is_marked() -> None:
    """Thoughts that were cut before their signature say that they are unfinished."""
    result = run(
        message_start(),
        block_start(0, "thinking", thinking="", signature=""),
        block_delta(0, "thinking_delta", thinking="I thi"),
    )

    assert result.message.parts == (ThinkingPart("I thi", finished=False),)


def test_stop_reason_makes_the_message_whole() -> None:
    """A stream that loses only ``message_stop`` is complete, since its content is."""
    result = run(message_start(), *text_block(0, "a"), message_delta())

    assert result.error is None
    assert result.assembler.complete
    assert not result.decoder.finished
    assert result.message.stop_reason == "end_turn"


def test_stop_reason_beside_an_open_block_does_not() -> None:
    """A stop reason does not make a message whole while one of its blocks is open."""
    result = run(message_start(), *text_block(0, "a")[:-1], message_delta())

    assert isinstance(result.error, StreamTruncatedError)
    assert result.message.stop_reason == "incomplete"
    assert result.message.provider_stop_reason == "end_turn"


def test_stop_reason_before_a_call_in_doubt_does_not() -> None:
    """A stop reason does not make a message whole while a call after it is in doubt."""
    result = run(message_start(), message_delta("tool_use"), *tool_block(0, ""))

    assert isinstance(result.error, StreamTruncatedError)
    assert not result.assembler.complete


def test_early_stop_reason_proves_nothing() -> None:
    """A stop reason in ``message_start`` does not make a cut stream complete."""
    start = [message_start(stop_reason="end_turn"), *text_block(0, "a")]

    assert isinstance(run(*start).error, StreamTruncatedError)
    assert run(*start).message.stop_reason == "incomplete"
    assert run(*start, STOP).message.stop_reason == "end_turn"
    assert run(*start, message_delta("max_tokens"), STOP).message.stop_reason == "max_tokens"


# --- a second message ---------------------------------------------------------------------------


def test_duplicate_start_is_not_a_second_message() -> None:
    """The same message started twice is one message, with the newest usage."""
    again = message_start(usage={"input_tokens": 99, "output_tokens": 1})
    silent = message_start(usage=None)

    result = run(
        message_start(),
        again,
        *text_block(0, "a")[:-1],
        silent,
        block_stop(0),
        message_delta(),
        STOP,
    )

    assert result.error is None
    assert result.message.text == "a"
    assert result.message.usage == Usage(99, 5)
    assert sum(isinstance(item, MessageStarted) for item in result.items) == 1


def test_spliced_message_is_not_mixed_in() -> None:
    """Another message inside the open one truncates the stream, and none of it is taken."""
    result = run(
        message_start(),
        *text_block(0, "first"),
        *tool_block(1, '{"value":"Spark')[:-1],
        message_start(id="msg_2"),
        *tool_block(0, '{"value":"complete"}', id="toolu_second"),
        message_delta("tool_use"),
        STOP,
    )

    assert isinstance(result.error, StreamTruncatedError)
    assert result.error.is_retryable
    assert "'msg_1' was cut off: message 'msg_2' began" in str(result.error)
    assert result.message.id == "msg_1"
    assert result.message.text == "first"
    assert result.message.tool_calls == ()
    assert result.message.stop_reason == "incomplete"


# --- errors in the stream -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status_code", "error_type", "is_retryable"),
    [
        ("invalid_request_error", 400, StreamErrorType.CLIENT_ERROR, False),
        ("authentication_error", 401, StreamErrorType.AUTHENTICATION_ERROR, False),
        ("billing_error", 402, StreamErrorType.CLIENT_ERROR, False),
        ("permission_error", 403, StreamErrorType.AUTHENTICATION_ERROR, False),
        ("not_found_error", 404, StreamErrorType.CLIENT_ERROR, False),
        ("request_too_large", 413, StreamErrorType.CLIENT_ERROR, False),
        ("rate_limit_error", 429, StreamErrorType.RATE_LIMITED, True),
        ("api_error", 500, StreamErrorType.SERVER_ERROR, True),
        ("timeout_error", 504, StreamErrorType.SERVER_ERROR, True),
        ("overloaded_error", 529, StreamErrorType.SERVER_ERROR, True),
        ("brand_new_error", 500, StreamErrorType.SERVER_ERROR, True),
    ],
)
def test_error_event_tells_the_truth(
    kind: str, status_code: int, error_type: StreamErrorType, is_retryable: bool
) -> None:
    """An ``error`` event becomes an error with the status that it amounts to, not 200."""
    payload = {
        "type": "error",
        "error": {"type": kind, "message": "Sorry"},
        "request_id": "req_1",
    }
    result = run(message_start(), *text_block(0, "a"), payload)

    error = result.error
    assert isinstance(error, InBandError)
    assert str(error) == f"{kind}: Sorry"
    assert error.kind == kind
    assert error.status_code == status_code
    assert error.error_type is error_type
    assert error.is_retryable is is_retryable
    assert error.request_id == "req_1"
    assert json.loads(error.payload) == payload
    assert result.message.text == "a"
    assert result.message.stop_reason == "incomplete"


def test_error_comes_after_all_before_it() -> None:
    """In a batch with an error, the items before it are delivered and those after it are not."""
    decoder = AnthropicMessages().decoder()
    items: list[MessageItem] = []
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    with pytest.raises(InBandError):
        decoder.decode(
            frames(message_start(), *text_block(0, "a")[:2], error, *text_block(1, "b")), items
        )

    assert items[-1] == TextDelta(0, "a")


@pytest.mark.parametrize(
    ("name", "data", "kind", "message"),
    [
        ("error", '{"error": {"type": "api_error", "message": "m"}}', "api_error", "api_error: m"),
        ("message", '{"error": {"type": "api_error"}}', "api_error", 'api_error: {"error": {'),
        ("message", '{"type": "error", "message": "m"}', "", "m"),
        ("message", '{"type": "error", "error": "m"}', "", "m"),
        ("message", '{"type": "error", "error": null}', "", '{"type": "error"'),
        ("message", '{"type": "error"}', "", '{"type": "error"}'),
        ("message", '{"error": {"message": "m", "code": 500}}', "", "m"),
        ("error", '{"type": "overloaded_error", "message": "m"}', "overloaded_error", "m"),
        ("error", "upstream reset", "", "upstream reset"),
        ("error", '{"type": "error", "err', "", '{"type": "error", "err'),
        ("error", "", "", "the stream reported an error"),
        ("error", "[]", "", "[]"),
        ("error", '{"error": {"type": [], "message": {}}}', "", '{"error"'),
        ("message", '{"type": "error", "error": {}, "request_id": 5}', "", '{"type"'),
    ],
)
def test_error_is_known_in_every_dress(name: str, data: str, kind: str, message: str) -> None:
    """However broken the report of a failure is, it is a report of a failure."""
    for before in ([], frames(message_start())):
        error = Run([*before, ServerSentEvent(name, data)]).error

        assert isinstance(error, InBandError)
        assert error.kind == kind
        assert message in str(error)
        assert error.payload == data


# --- bad payloads -------------------------------------------------------------------------------

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"type": "message_start"}, "$.message"),
        (message_start(id=7), "$.message.id"),
        (message_start(content={}), "$.message.content"),
        (message_start(content=[{"type": "new"}, 1]), "$.message.content[1]"),
        (message_start(content=[{"text": "a"}]), "$.message.content[0].type"),
        (message_start(usage=[]), "$.message.usage"),
        (message_start(usage={"input_tokens": "1"}), "$.message.usage.input_tokens"),
        (message_start(usage={"input_tokens": True}), "$.message.usage.input_tokens"),
        (message_start(usage={"output_tokens": 1.5}), "$.message.usage.output_tokens"),
        (message_start(stop_reason=1), "$.message.stop_reason"),
        (STOP, "$.type"),
        (message_delta(), "$.type"),
        (block_start(0, "text"), "$.type"),
        (block_delta(0, "text_delta", text="a"), "$.type"),
        (block_stop(0), "$.type"),
    ],
)
def test_bad_first_event(event: Event, path: str) -> None:
    """A stream that begins with a bad event, or with the wrong one, says where it is bad."""
    result = run(event)

    assert isinstance(result.error, BadItemError)
    assert result.error.path == path
    assert result.error.raw == json.dumps(event).encode()
    assert result.error.event == event["type"]
    assert result.items == []


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({"type": "message_start", "message": None}, "$.message"),
        (message_start(id=[]), "$.message.id"),
        ({"type": "content_block_start", "index": 1}, "$.content_block"),
        ({"type": "content_block_start", "content_block": {"type": "text"}}, "$.index"),
        (block_start(0, "text"), "$.index"),
        (block_start(1, "text") | {"index": True}, "$.index"),
        (block_start(1, "text") | {"index": "1"}, "$.index"),
        (block_start(1, "text", text=7), "$.content_block.text"),
        (block_start(1, "text", citations="a"), "$.content_block.citations"),
        (block_start(1, None), "$.content_block.type"),  # type: ignore[arg-type]
        (block_start(1, "thinking", signature=1), "$.content_block.signature"),
        (block_start(1, "redacted_thinking"), "$.content_block.data"),
        (block_start(1, "tool_use", name="f"), "$.content_block.id"),
        (block_start(1, "tool_use", id="1", name=None), "$.content_block.name"),
        (block_start(1, "fallback", to=5), "$.content_block.to"),
        (block_start(1, "fallback", to={"model": 5}), "$.content_block.to.model"),
        ({"type": "content_block_delta", "index": 0}, "$.delta"),
        ({"type": "content_block_delta", "index": [0]}, "$.index"),
        (block_delta(1, "text_delta", text="a"), "$.index"),
        (block_delta(-1, "text_delta", text="a"), "$.index"),
        (block_delta(0, "text_delta"), "$.delta.text"),
        (block_delta(0, "text_delta", text=["a"]), "$.delta.text"),
        (block_delta(0, ["text_delta"], text="a"), "$.delta.type"),  # type: ignore[arg-type]
        (block_delta(0, "input_json_delta", partial_json="{}"), "$.delta.type"),
        (block_delta(0, "thinking_delta", thinking="a"), "$.delta.type"),
        (block_delta(0, "citations_delta", citation="a"), "$.delta.citation"),
        ({"type": "content_block_stop"}, "$.index"),
        ({"type": "message_delta", "delta": 1}, "$.delta"),
        (message_delta(1), "$.delta.stop_reason"),  # type: ignore[arg-type]
        (message_delta(usage="a"), "$.usage"),
        (message_delta(usage={"output_tokens": {}}), "$.usage.output_tokens"),
    ],
)
def test_bad_event(event: Event, path: str) -> None:
    """A bad event inside a stream says where it is bad, and what was read before it stays."""
    good = [message_start(), block_start(0, "text", text="a")]

    result = run(*good, event)

    assert isinstance(result.error, BadItemError)
    assert result.error.path == path
    assert result.error.raw == json.dumps(event).encode()
    assert not result.error.is_retryable
    assert result.items == run(*good).items


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("content_block_delta", '{"type": "content_block_delta", "in'),
        ("message", '{"type": "content_block_delta", "in'),
        ("message", ' {"type'),
        ("message_stop", "[DONE]"),
        ("message_delta", "[]"),
        ("message_delta", "null"),
        ("message_delta", ""),
        ("message_delta", DEEP),
        ("message", '{"type": ' + DEEP + "}"),
        ("message", ' {"type": ' + DEEP + "}"),
        ("message", '{"type": "ping", "n": ' + "9" * 5000 + "}"),
        ("message", '{"type": "ping"} {"type": "ping"}'),
        ("message_delta", '{"lone": "\ud800'),
    ],
    ids=lambda value: value[:20].replace("\ud800", "surrogate"),
)
def test_broken_json_is_a_bad_item(name: str, data: str) -> None:
    """A known event, or what must have been an object, that is not JSON is never passed over."""
    result = Run([*frames(message_start()), ServerSentEvent(name, data)])

    assert isinstance(result.error, BadItemError)
    assert result.error.path == "$"
    assert result.error.raw == data.encode("utf-8", "surrogatepass")
    assert result.error.original_exception is result.error.__cause__


# --- laws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(len(run(*EVERYTHING).items) + 1))
def test_snapshot_is_what_was_folded(count: int) -> None:
    """After n items the snapshot is that of a fresh assembler with the same n, and stays so."""
    items = run(*EVERYTHING).items
    assembler, fresh = AnthropicMessages().assembler(), AnthropicMessages().assembler()
    for item in items[:count]:
        assembler.fold(item)
        assembler.snapshot()
        fresh.fold(item)
    snapshot, expected = assembler.snapshot(), fresh.snapshot()

    assert snapshot == expected
    for item in items[count:]:
        assembler.fold(item)
    assert snapshot == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["text_delta", "input_json_delta", "text", "tool_use", "end_turn", "error", "ping", "{}"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text()
            | st.sampled_from(["type", "index", "delta", "content_block", "message", "id", "text"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)

EVENT_NAMES = [*sorted({event["type"] for event in EVERYTHING}), "error", "message", "news"]


@st.composite
def tampered(draw: st.DrawFn) -> Event:
    """A good event with one value changed, somewhere inside."""
    event: Any = json.loads(json.dumps(draw(st.sampled_from(EVERYTHING))))
    target = event
    while True:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        key = draw(st.sampled_from(keys))
        if isinstance(target[key], dict | list) and target[key] and draw(st.booleans()):
            target = target[key]
            continue
        if isinstance(target, dict) and draw(st.booleans()):
            del target[key]
        else:
            target[key] = draw(json_values)
        return dict(event)


any_frame = st.one_of(
    st.builds(ServerSentEvent, st.sampled_from(EVENT_NAMES), st.text()),
    st.builds(ServerSentEvent, st.sampled_from(EVENT_NAMES), json_values.map(json.dumps)),
    st.builds(
        ServerSentEvent,
        st.sampled_from(EVENT_NAMES),
        st.tuples(tampered(), st.integers(0, 200)).map(lambda cut: json.dumps(cut[0])[: cut[1]]),
    ),
    st.builds(ServerSentEvent, st.sampled_from(EVENT_NAMES), tampered().map(json.dumps)),
    st.sampled_from(EVERYTHING).map(frame),
    st.builds(Comment, st.text()),
)


@given(st.lists(any_frame, max_size=12), st.booleans())
def test_garbage_raises_nothing_but_stream_errors(
    garbage: list[ServerSentEvent | Comment], started: bool
) -> None:
    """Whatever comes, the decoder raises only `StreamError`, and never says that half is whole."""
    result = Run([*(frames(message_start()) if started else []), *garbage])

    message = result.message
    assert message.is_complete == result.assembler.complete
    if isinstance(result.error, StreamTruncatedError):
        assert not message.is_complete
    if result.error is None:
        assert message.is_complete
    assert result.decoder.skipped_items == 0


@given(st.permutations(EVERYTHING[1:]))
def test_shuffled_events_never_lie(events: list[Event]) -> None:
    """In any order, no call is made of a part of its arguments."""
    result = run(EVERYTHING[0], *events)

    honest = run(*EVERYTHING).message.tool_calls
    for call in result.message.tool_calls:
        assert call in honest or (call.arguments, call.input) == ("", {})


@given(st.lists(st.integers(0, len(EVERYTHING) - 1), unique=True))
def test_lost_events_never_lie(lost: list[int]) -> None:
    """Whichever events get lost, decoder and assembler agree on whether the message is whole."""
    result = run(*(event for n, event in enumerate(EVERYTHING) if n not in lost))

    if result.error is None:
        assert result.assembler.complete
    elif isinstance(result.error, StreamTruncatedError):
        assert not result.assembler.complete


@given(st.text(st.characters(exclude_categories=["Cs"])), st.lists(st.integers(0, 60)))
def test_arguments_are_the_same_however_they_were_cut(text: str, cuts: list[int]) -> None:
    """A call is the same, however its arguments were cut into deltas."""
    arguments = json.dumps({"text": text, "n": [1, {"deep": None}]}, ensure_ascii=False)
    ends = sorted({min(cut, len(arguments)) for cut in cuts} | {0, len(arguments)})
    pieces = [arguments[start:end] for start, end in pairwise(ends)]

    result = whole(*tool_block(0, *pieces), stop_reason="tool_use")

    assert result.message.tool_calls == (
        ToolCall("toolu_0", "add", {"text": text, "n": [1, {"deep": None}]}, arguments),
    )


def test_citation_delta_is_an_item() -> None:
    """A citation reaches the consumer as the provider describes it."""
    result = whole(
        block_start(0, "text", text=""),
        block_delta(0, "citations_delta", citation={"url": "u"}),
        block_stop(0),
    )

    assert CitationDelta(0, {"url": "u"}) in result.items
    assert result.message.parts == (TextPart("", ({"url": "u"},)),)
