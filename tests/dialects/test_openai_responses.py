"""OpenAI's Responses API, on hand-written streams: one for each rule of its decoder."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    CitationDelta,
    IncompleteToolCall,
    MediaDelta,
    MediaPart,
    Message,
    MessageFinished,
    MessageItem,
    MessageStarted,
    Part,
    Ping,
    RefusalDelta,
    RefusalPart,
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
from trio_stream.dialects.openai_responses import OpenAIResponses
from trio_stream.errors import (
    BadItemError,
    InBandError,
    StreamError,
    StreamErrorType,
    StreamTruncatedError,
)
from trio_stream.framing import ServerSentEvent, UnframedText
from trio_stream.testing import check_dialect

Event = dict[str, Any]
Item = dict[str, Any]

# --- words to write streams with ----------------------------------------------------------------


def event(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", **fields}


def frame(payload: Event, name: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(payload["type"] if name is None else name, json.dumps(payload))


def frames(*events: Event) -> list[ServerSentEvent]:
    return [frame(each) for each in events]


def response(status: str, *output: Item, **fields: Any) -> Item:
    return {"id": "resp_1", "model": "gpt-1", "status": status, "output": list(output), **fields}


CREATED = event("created", response=response("in_progress"))


def completed(*output: Item, **fields: Any) -> Event:
    return event("completed", response=response("completed", *output, **fields))


def incomplete(*output: Item, reason: str = "max_output_tokens") -> Event:
    fields = {"incomplete_details": {"reason": reason}}
    return event("incomplete", response=response("incomplete", *output, **fields))


def added(item: Item, index: int | None = 0) -> Event:
    return event("output_item.added", item=item, **at(index))


def done(item: Item, index: int | None = 0) -> Event:
    return event("output_item.done", item=item, **at(index))


def at(index: int | None) -> Event:
    return {} if index is None else {"output_index": index}


def message(*contents: Item, **fields: Any) -> Item:
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
    return item | {"content": list(contents)} | fields


def output_text(text: str, *annotations: Any) -> Item:
    return {"type": "output_text", "text": text, "annotations": list(annotations)}


def text_delta(text: str, index: int = 0, item_id: str = "msg_1", content_index: int = 0) -> Event:
    where = {"output_index": index, "item_id": item_id, "content_index": content_index}
    return event("output_text.delta", delta=text, **where)


def call(arguments: str = "", call_id: str = "call_1", **fields: Any) -> Item:
    item = {"id": "fc_1", "type": "function_call", "name": "add", "status": "completed"}
    return item | {"call_id": call_id, "arguments": arguments} | fields


def input_delta(text: str, index: int = 0, item_id: str = "fc_1") -> Event:
    where = {"output_index": index, "item_id": item_id}
    return event("function_call_arguments.delta", delta=text, **where)


TEXT_STREAM = [
    CREATED,
    event("in_progress", response=response("in_progress")),
    added(message(status="in_progress")),
    event(
        "content_part.added", item_id="msg_1", output_index=0, content_index=0, part=output_text("")
    ),
    text_delta("Hel"),
    text_delta("lo"),
    event("output_text.done", item_id="msg_1", output_index=0, content_index=0, text="Hello"),
    event(
        "content_part.done",
        item_id="msg_1",
        output_index=0,
        content_index=0,
        part=output_text("Hello"),
    ),
    done(message(output_text("Hello"))),
    completed(message(output_text("Hello")), usage={"input_tokens": 9, "output_tokens": 2}),
]

CALL_STREAM = [
    CREATED,
    added(call(status="in_progress")),
    input_delta('{"a"'),
    input_delta(": 1}"),
    event("function_call_arguments.done", item_id="fc_1", output_index=0, arguments='{"a": 1}'),
    done(call('{"a": 1}')),
    completed(call('{"a": 1}')),
]


class Run:
    """A stream, decoded frame by frame and then closed, and its message."""

    def __init__(self, *events: Event | ServerSentEvent) -> None:
        self.decoder = OpenAIResponses().decoder()
        assembler = OpenAIResponses().assembler()
        self.items: list[MessageItem] = []
        self.error: StreamError | None = None
        try:
            for each in events:
                if not self.decoder.finished:
                    self.decoder.decode([frame(each) if type(each) is dict else each], self.items)
            self.decoder.close()
        except StreamError as exc:
            self.error = exc
        for item in self.items:
            assembler.fold(item)
        self.message: Message = assembler.snapshot()

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.message.parts

    def of(self, kind: type[Any]) -> list[Any]:
        return [item for item in self.items if isinstance(item, kind)]

    @property
    def finished(self) -> list[Part]:
        return [item.part for item in self.of(BlockFinished)]


def run(*events: Event | ServerSentEvent) -> Run:
    """A stream that must end well, with each part finished once."""
    result = Run(*events)
    assert result.error is None, result.error
    assert sorted(item.index for item in result.of(BlockStarted)) == list(range(len(result.parts)))
    assert sorted(item.index for item in result.of(BlockFinished)) == list(range(len(result.parts)))
    return result


# --- the ordinary stream ------------------------------------------------------------------------


def test_text_stream_items() -> None:
    """A message with one text gives the items that all dialects give for one."""
    result = run(*TEXT_STREAM)

    started, ping, *rest = result.items
    assert isinstance(started, MessageStarted)
    assert (started.id, started.model, started.role) == ("resp_1", "gpt-1", "assistant")
    assert ping == Ping()
    assert [type(item).__name__ for item in rest] == [
        "BlockStarted",
        "TextDelta",
        "TextDelta",
        "BlockFinished",
        "MessageDelta",
        "MessageFinished",
    ]
    assert result.parts == (TextPart("Hello"),)
    assert result.message.stop_reason == "end_turn"
    assert result.message.provider_stop_reason == "completed"
    assert result.decoder.unknown_events == 0


@pytest.mark.parametrize("stream", [TEXT_STREAM, CALL_STREAM], ids=["text", "call"])
def test_laws_of_dialects(stream: list[Event]) -> None:
    """Batching does not matter, no ending lies, and no tampering crashes the decoder."""
    check_dialect(OpenAIResponses(), frames(*stream))


def test_call_stream_items() -> None:
    """A function call shows its arguments as they come, and is a call when its item is done."""
    result = run(*CALL_STREAM)

    start = result.of(BlockStarted)[0]
    assert start.part == IncompleteToolCall("call_1", "add")
    assert [item.arguments for item in result.of(ToolInputDelta)] == ['{"a"', ": 1}"]
    assert result.parts == (ToolCall("call_1", "add", {"a": 1}, '{"a": 1}'),)
    assert result.message.stop_reason == "tool_use"
    assert result.message.tool_calls[0].raw == call('{"a": 1}')


def test_parallel_calls_may_interleave() -> None:
    """Deltas of two open calls go to the call that they name."""
    result = run(
        CREATED,
        added(call(id="fc_1", call_id="call_1"), 0),
        added(call(id="fc_2", call_id="call_2"), 1),
        input_delta('{"a"', 0, "fc_1"),
        input_delta('{"b"', 1, "fc_2"),
        input_delta(": 1}", 0, "fc_1"),
        input_delta(": 2}", 1, "fc_2"),
        completed(),
    )

    assert [part.input for part in result.message.tool_calls] == [{"a": 1}, {"b": 2}]
    assert [part.id for part in result.message.tool_calls] == ["call_1", "call_2"]


def test_nothing_after_the_terminal_event_is_read() -> None:
    """What follows the terminal event, such as ``[DONE]`` or another response, is not looked at."""
    result = run(*TEXT_STREAM, ServerSentEvent("message", "[DONE]"), *CALL_STREAM)

    assert result.parts == (TextPart("Hello"),)
    assert result.decoder.unknown_events == 0


def test_type_counts_more_than_event_name() -> None:
    """The type in the object counts; the event name only where the object has none."""
    wrong = [frame(each, "message") for each in TEXT_STREAM]
    bare = [
        ServerSentEvent(each["type"], json.dumps({k: v for k, v in each.items() if k != "type"}))
        for each in TEXT_STREAM
    ]

    assert run(*wrong).items == run(*bare).items == run(*TEXT_STREAM).items


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "where"),
    [
        (0, "before response.created"),
        (2, "between two items"),
        (5, "inside part 0"),
        (9, "between"),
    ],
)
def test_missing_terminal_event(count: int, where: str) -> None:
    """Without a terminal event a stream is truncated, whatever was finished before."""
    result = Run(*TEXT_STREAM[:count])

    assert isinstance(result.error, StreamTruncatedError)
    assert where in str(result.error)
    assert result.message.stop_reason == "incomplete"


def test_cut_call_is_no_call() -> None:
    """A call whose item is not done stays incomplete, though its arguments look whole."""
    result = Run(*CALL_STREAM[:5])

    assert isinstance(result.error, StreamTruncatedError)
    assert result.parts == (IncompleteToolCall("call_1", "add", '{"a": 1}'),)
    assert isinstance(result.parts[0], IncompleteToolCall)
    assert result.parts[0].preview == {"a": 1}
    assert result.message.tool_calls == ()


def test_done_marker_is_no_end() -> None:
    """``[DONE]`` without a terminal event does not make a stream whole."""
    result = Run(*TEXT_STREAM[:-1], ServerSentEvent("message", "[DONE]"))

    assert isinstance(result.error, StreamTruncatedError)
    assert result.of(UnknownEvent) == [UnknownEvent("message", "[DONE]")]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("max_output_tokens", "max_tokens"),
        ("content_filter", "refusal"),
        ("steered", "other"),
        (None, "other"),
    ],
)
def test_incomplete_response(reason: Any, expected: str) -> None:
    """``response.incomplete`` ends the message; its reason is kept in the provider's word."""
    item = message(output_text("Hel"), status="incomplete")
    result = run(
        CREATED, added(message()), text_delta("Hel"), done(item), incomplete(reason=reason)
    )

    assert result.message.stop_reason == expected
    assert result.message.provider_stop_reason == (reason or "incomplete")
    assert result.parts == (TextPart("Hel"),)


def test_cancelled_response() -> None:
    """``response.cancelled`` ends the message for another reason, and proves no call."""
    end = event("cancelled", response=response("cancelled"))
    result = run(CREATED, added(call()), end)

    assert result.message.stop_reason == "other"
    assert result.message.provider_stop_reason == "cancelled"
    assert isinstance(result.parts[0], IncompleteToolCall)


@pytest.mark.parametrize("kind", ["completed", "done"])
def test_status_counts_more_than_the_terminal_event(kind: str) -> None:
    """The status of the response says how it ended, whatever the name of the event."""
    fields = {"incomplete_details": {"reason": "max_output_tokens"}}
    result = run(CREATED, event(kind, response=response("incomplete", **fields)))

    assert result.message.stop_reason == "max_tokens"


def test_terminal_event_without_response() -> None:
    """A terminal event that says nothing else ends the message, too."""
    result = run(*TEXT_STREAM[:-1], event("completed"))

    assert result.parts == (TextPart("Hello"),)
    assert result.message.stop_reason == "end_turn"
    assert result.message.usage == Usage()


def test_failed_response() -> None:
    """``response.failed`` is raised with its code, and the status that it amounts to."""
    error = {"code": "rate_limit_exceeded", "message": "Slow down."}
    result = Run(*TEXT_STREAM[:5], event("failed", response=response("failed", error=error)))

    assert isinstance(result.error, InBandError)
    assert result.error.kind == "rate_limit_exceeded"
    assert result.error.error_type is StreamErrorType.RATE_LIMITED
    assert result.error.is_retryable
    assert "Slow down." in str(result.error)
    assert result.message.text == "Hel"


@pytest.mark.parametrize(
    "payload",
    [
        {"type": "error", "code": "server_error", "message": "Oops.", "param": None},
        {"type": "error", "error": {"type": "server_error", "message": "Oops."}},
        {"error": {"type": "server_error", "message": "Oops."}},
        event("failed", response={"error": {"code": "server_error", "message": "Oops."}}),
        event("completed", response=response("failed", error={"code": "server_error"})),
        event("completed", response=response("completed", error={"code": "server_error"})),
    ],
)
@pytest.mark.parametrize("start", [[], [CREATED]], ids=["first", "later"])
def test_error_events(start: list[Event], payload: Event) -> None:
    """Errors are raised in every shape that they come in, at any place."""
    result = Run(*start, frame(payload, payload.get("type", "message")))

    assert isinstance(result.error, InBandError)
    assert result.error.kind == "server_error"
    assert result.error.status_code == 500
    assert result.error.payload == json.dumps(payload)


@pytest.mark.parametrize("data", ["overloaded", '{"detail": "no"}', "[]", ""])
def test_event_named_error(data: str) -> None:
    """An event named ``error`` is one, whatever it holds."""
    assert isinstance(Run(CREATED, ServerSentEvent("error", data)).error, InBandError)


def test_error_without_framing() -> None:
    """The JSON of an error that stands outside of any event is raised as one."""
    decoder = OpenAIResponses().decoder()
    text = '{"error": {"message": "No.", "code": "invalid_api_key"}}'
    with pytest.raises(InBandError) as caught:
        decoder.decode([UnframedText(text)], [])

    assert caught.value.status_code == 401


# --- the beginning ------------------------------------------------------------------------------


def test_queued_response() -> None:
    """A background response begins with the first event that tells of it; the others are pings."""
    queued = event("queued", response=response("queued"))
    result = run(queued, *TEXT_STREAM[1:])

    assert result.message.id == "resp_1"
    assert len(result.of(MessageStarted)) == 1
    assert len(result.of(Ping)) == 1


def test_lost_beginning() -> None:
    """A stream that begins in the middle is read; what names the response comes at its end."""
    result = run(*TEXT_STREAM[2:])

    assert result.items[0] == MessageStarted()
    assert result.parts == (TextPart("Hello"),)
    assert result.message.model == "gpt-1"
    assert result.message.extra["id"] == "resp_1"


def test_pings_begin_nothing() -> None:
    """Signs of life before the first event do not cost the message its ID."""
    result = run({"type": "keepalive", "sequence_number": 0}, *TEXT_STREAM)

    assert result.items[0] == Ping()
    assert result.message.id == "resp_1"


def test_repeated_beginning() -> None:
    """The same response may begin twice; another one in its place has cut it off."""
    again = Run(CREATED, CREATED, *TEXT_STREAM[1:])
    other = event("created", response=response("in_progress") | {"id": "resp_2"})
    cut = Run(*TEXT_STREAM[:5], other, *TEXT_STREAM[2:])

    assert again.parts == (TextPart("Hello"),)
    assert isinstance(cut.error, StreamTruncatedError)
    assert "'resp_2' began inside it" in str(cut.error)
    assert cut.message.text == "Hel"


# --- texts, refusals, citations -----------------------------------------------------------------


def test_contents_of_a_message() -> None:
    """Each content part becomes a part; all share the finished item."""
    item = message(output_text("One."), {"type": "refusal", "refusal": "No."}, output_text("Two."))
    result = run(
        CREATED,
        added(message()),
        text_delta("One.", content_index=0),
        event("refusal.delta", output_index=0, item_id="msg_1", content_index=1, delta="No."),
        text_delta("Two.", content_index=2),
        done(item),
        completed(item),
    )

    assert result.parts == (TextPart("One."), RefusalPart("No."), TextPart("Two."))
    assert [item.text for item in result.of(RefusalDelta)] == ["No."]
    raws = [part.raw for part in result.parts]
    assert raws[0] is raws[1] is raws[2]
    assert raws[0] == item


def test_refusal_is_the_stop_reason() -> None:
    """A completed response with a refusal in it is one; its status is kept."""
    item = message({"type": "refusal", "refusal": "No."})
    result = run(CREATED, done(item), completed(item))

    assert result.message.refusal == "No."
    assert result.message.stop_reason == "refusal"
    assert result.message.provider_stop_reason == "completed"


def test_citations() -> None:
    """Annotations are citations, as they come; those that only the item has come with its end."""
    one, two = {"type": "url_citation", "url": "1"}, {"type": "url_citation", "url": "2"}
    where = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    result = run(
        CREATED,
        added(message()),
        text_delta("So."),
        event("output_text.annotation.added", annotation=one, annotation_index=0, **where),
        event("output_text.annotation.added", annotation=None, **where),
        done(message(output_text("So.", one, two))),
        completed(),
    )

    assert result.parts == (TextPart("So.", (one, two)),)
    assert [item.citation for item in result.of(CitationDelta)] == [one, two]


def test_citations_without_an_end() -> None:
    """Citations are kept where the finished item is silent about them."""
    one = {"type": "url_citation", "url": "1"}
    note = event("output_text.annotation.added", annotation=one, output_index=0)
    result = run(CREATED, added(message()), text_delta("So."), note, done(message()), completed())

    assert result.parts == (TextPart("So.", (one,)),)


def test_empty_deltas_are_no_items() -> None:
    """A delta without text begins its part and says nothing."""
    result = run(CREATED, added(message()), text_delta(""), completed())

    assert result.of(TextDelta) == []
    assert result.parts == (TextPart(""),)


def test_unknown_content() -> None:
    """Content of an unknown type is kept and counted."""
    content = {"type": "hologram", "beams": 3}
    part = event("content_part.added", output_index=0, content_index=0, part=content)
    item = message(content)
    result = run(CREATED, added(message()), part, done(item), completed())

    assert result.parts == (UnknownPart("hologram", item),)
    assert result.of(BlockStarted)[0].part == UnknownPart("hologram", content, finished=False)
    assert result.decoder.unknown_events == 1


def test_sound() -> None:
    """Sound and its transcript flow into one part; the Base64 stays as it came."""
    result = run(
        CREATED,
        added(message()),
        event("audio.delta", delta="UklG"),
        event("audio.transcript.delta", delta="Hel"),
        event("audio.delta", delta="AAAA"),
        event("audio.transcript.delta", delta="lo"),
        event("audio.transcript.done"),
        event("audio.done"),
        done(message({"type": "output_audio", "data": "UklGAAAA", "transcript": "Hello!"})),
        completed(),
    )

    assert result.parts == (MediaPart(data=("UklG", "AAAA"), transcript="Hello!"),)
    assert result.of(MediaDelta)[-1] == MediaDelta(0, transcript="!")
    assert result.decoder.unknown_events == 0


# --- thoughts -----------------------------------------------------------------------------------


def reasoning(*summaries: str, **fields: Any) -> Item:
    summary = [{"type": "summary_text", "text": text} for text in summaries]
    return {"id": "rs_1", "type": "reasoning", "summary": summary} | fields


def summary_delta(text: str, number: int) -> Event:
    where = {"item_id": "rs_1", "output_index": 0, "summary_index": number}
    return event("reasoning_summary_text.delta", delta=text, **where)


def test_summaries_are_joined() -> None:
    """The summaries of one item are one part, with an empty line between each two."""
    item = reasoning("One.", "Two.", encrypted_content="sealed", status="completed")
    result = run(
        CREATED,
        added(reasoning(encrypted_content="early")),
        event(
            "reasoning_summary_part.added",
            output_index=0,
            part={"type": "summary_text", "text": ""},
        ),
        summary_delta("One", 0),
        summary_delta(".", 0),
        summary_delta("Two.", 1),
        event("reasoning_summary_text.done", output_index=0, summary_index=1, text="Two."),
        done(item),
        completed(),
    )

    assert result.parts == (ThinkingPart("One.\n\nTwo.", "sealed"),)
    assert [item.text for item in result.of(ThinkingDelta)] == ["One", ".", "\n\nTwo."]
    assert result.of(SignatureDelta) == [SignatureDelta(0, "sealed")]
    assert result.parts[0].raw == item
    assert result.decoder.unknown_events == 0


def test_thoughts_in_the_open() -> None:
    """The contents of reasoning are thoughts like its summaries."""
    content = {"type": "reasoning_text", "text": "Hm."}
    where = {"item_id": "rs_1", "output_index": 0, "content_index": 0}
    result = run(
        CREATED,
        added(reasoning()),
        event("reasoning_part.added", part=content | {"text": ""}, **where),
        event("reasoning_text.delta", delta="Hm", **where),
        event("reasoning_part.done", part=content, **where),
        done(reasoning("Short.", content=[content])),
        completed(),
    )

    # The summary, which was not streamed, stands before the contents in the end.
    assert result.parts == (ThinkingPart("Short.\n\nHm."),)
    assert [item.text for item in result.of(ThinkingDelta)] == ["Hm", "."]


def test_thoughts_withheld() -> None:
    """Reasoning that nobody may read is a part without text, whose seal can be sent back."""
    item = reasoning(encrypted_content="sealed")
    result = run(CREATED, added(reasoning()), done(item), completed(item))

    assert result.parts == (ThinkingPart("", "sealed"),)


def test_thoughts_that_were_cut_have_no_seal() -> None:
    """The seal that comes with the beginning is not that of the thoughts."""
    result = Run(CREATED, added(reasoning(encrypted_content="early")), summary_delta("One", 0))

    assert result.parts == (ThinkingPart("One", finished=False),)
    unended = run(CREATED, added(reasoning(encrypted_content="early")), completed())
    assert unended.parts == (ThinkingPart(),)


# --- calls --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (call('{"a": 1', status="incomplete"), "marks the call as incomplete"),
        (call('{"a": 1}', status="incomplete"), "marks the call as incomplete"),
        (call('{"a": 1'), "not JSON"),
        (call('{"a": NaN}'), "not JSON"),
        (call("{}", name=None), "no name"),
        (call("{}", name=""), "no name"),
    ],
)
def test_refused_calls(item: Item, error: str) -> None:
    """What may be half a call is none, though its item is done."""
    result = run(CREATED, added(item), done(item), completed(item))

    part = result.parts[0]
    assert isinstance(part, IncompleteToolCall)
    assert error in part.error
    assert part.arguments == item["arguments"]
    assert result.message.stop_reason == "end_turn"


@pytest.mark.parametrize("arguments", ["", None, {}])
@pytest.mark.parametrize("status", ["completed", None])
def test_call_without_arguments(arguments: Any, status: str | None) -> None:
    """No arguments are ``{}`` if the model went on or said that it is done, else no call."""
    item = call(arguments, status=status)
    start = [CREATED, added(item), done(item)]
    waiting = Run(*start)
    one = run(*start, completed(item))
    two = run(*start, added(message(), 1), incomplete(item))
    three = run(*start, text_delta("So.", 1), incomplete(item))
    cut = run(*start, incomplete(item))

    assert waiting.of(BlockFinished) == []
    assert isinstance(waiting.parts[0], IncompleteToolCall)
    assert one.parts == (ToolCall("call_1", "add", {}),)
    assert one.message.stop_reason == "tool_use"
    assert two.parts[0] == three.parts[0] == one.parts[0]
    assert isinstance(cut.parts[0], IncompleteToolCall)
    assert "may have been cut off" in cut.parts[0].error
    assert cut.message.stop_reason == "max_tokens"


def test_arguments_as_an_object() -> None:
    """Arguments that come as a value, and not as text, are taken as they are."""
    result = run(CREATED, done(call({"a": 1})), completed())  # type: ignore[arg-type]

    assert result.parts == (ToolCall("call_1", "add", {"a": 1}),)


@pytest.mark.parametrize(
    ("delta", "end", "expected"),
    [
        ('{"a": 1}', completed(), ToolCall("call_1", "add", {"a": 1}, '{"a": 1}')),
        ('{"a": 1}', incomplete(), ToolCall("call_1", "add", {"a": 1}, '{"a": 1}')),
        ('{"a": 1', completed(), None),
        ('{"a": 1', incomplete(), None),
        ("", completed(), None),
        ("", incomplete(), None),
    ],
)
def test_call_without_an_end(delta: str, end: Event, expected: Part | None) -> None:
    """If nothing tells the end of a call, only whole arguments make it one."""
    result = run(CREATED, added(call()), input_delta(delta), end)

    if expected is None:
        assert isinstance(result.parts[0], IncompleteToolCall)
        assert result.parts[0].error
    else:
        assert result.parts[0] == expected


def custom(text: str = "", **fields: Any) -> Item:
    item = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_1", "name": "sql"}
    return item | {"input": text} | fields


def test_custom_call_is_text() -> None:
    """The input of a custom tool is text, and no JSON is asked of it."""
    result = run(
        CREATED,
        added(custom()),
        event("custom_tool_call_input.delta", output_index=0, item_id="ctc_1", delta="SELECT "),
        event("custom_tool_call_input.done", output_index=0, item_id="ctc_1", input="SELECT 1"),
        done(custom("SELECT 1", status="completed")),
        completed(),
    )

    assert result.parts == (ToolCall("call_1", "sql", "SELECT 1", "SELECT 1", is_custom=True),)
    assert [item.arguments for item in result.of(ToolInputDelta)] == ["SELECT ", "1"]
    assert result.message.stop_reason == "tool_use"


def test_call_without_doubt() -> None:
    """Whole arguments, or text that is marked as completed, make a call when the item is done."""
    for item in (call('{"a": 1}', status=None), custom("SELECT 1", status="completed")):
        assert len(Run(CREATED, done(item)).finished) == 1


def test_custom_call_in_doubt() -> None:
    """Text does not show its end: without a status, what follows must prove it."""
    item = custom("DELETE FROM users WHERE")
    start = [CREATED, added(custom()), done(item)]

    assert Run(*start).of(BlockFinished) == []
    assert run(*start, completed(item)).message.tool_calls
    assert run(*start, added(message(), 1), incomplete()).message.tool_calls
    refused = run(*start, incomplete(item)).parts[0]
    assert isinstance(refused, IncompleteToolCall)
    assert refused.is_custom
    assert refused.preview == "DELETE FROM users WHERE"


def test_what_only_the_terminal_event_knows_proves_nothing() -> None:
    """An item that comes late stands before the end, and cannot tell that a call was whole."""
    item = custom("DELETE")
    result = run(CREATED, done(item, 1), incomplete(reasoning("Hm."), item))

    assert result.message.tool_calls == ()
    assert result.message.thinking == "Hm."


SHELL = {"type": "container_reference", "container_id": "c"}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"type": "computer_call", "call_id": "c", "action": {"type": "wait"}},
            ToolCall("c", "computer", {"action": {"type": "wait"}}),
        ),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"command": ["ls"]}},
            ToolCall("c", "local_shell", {"action": {"command": ["ls"]}}),
        ),
        (
            {"type": "shell_call", "call_id": "c", "action": {"commands": ["ls"]}},
            ToolCall("c", "shell", {"action": {"commands": ["ls"]}}),
        ),
        (
            {"type": "shell_call", "call_id": "c", "action": {}, "environment": {"type": "local"}},
            ToolCall("c", "shell", {"action": {}}),
        ),
        (
            {"type": "apply_patch_call", "call_id": "c", "operation": {"diff": "+1"}},
            ToolCall("c", "apply_patch", {"operation": {"diff": "+1"}}),
        ),
        (
            {
                "type": "tool_search_call",
                "call_id": "c",
                "execution": "client",
                "arguments": {"q": 1},
            },
            ToolCall("c", "tool_search", {"q": 1}),
        ),
        (
            {"type": "tool_search_call", "id": "t", "execution": "server", "arguments": {"q": 1}},
            ServerToolCall("t", "tool_search", {"q": 1}),
        ),
        (
            {"type": "shell_call", "call_id": "c", "action": {}, "environment": SHELL},
            ServerToolCall("c", "shell", {"action": {}}),
        ),
        (
            {"type": "web_search_call", "id": "ws", "action": {"query": "?"}},
            ServerToolCall("ws", "web_search", {"action": {"query": "?"}}),
        ),
        (
            {"type": "web_search_call", "id": "ws", "call_id": "", "arguments": '{"query": "?"}'},
            ServerToolCall("ws", "web_search", {"query": "?"}, '{"query": "?"}'),
        ),
        (
            {"type": "program", "id": "p", "call_id": "c", "code": "1", "fingerprint": "f"},
            ServerToolCall("c", "program", {"code": "1"}),
        ),
        (
            {"type": "x_search_call", "id": "x", "name": "x_user_search", "arguments": "who?"},
            ServerToolCall("x", "x_user_search", "who?", "who?"),
        ),
        (
            custom('{"query": "?"}', call_id="xs_call_1"),
            ServerToolCall("xs_call_1", "sql", {"query": "?"}, '{"query": "?"}'),
        ),
    ],
    ids=[
        "computer",
        "local shell",
        "shell",
        "shell, said to be local",
        "patch",
        "tool search",
        "hosted tool search",
        "hosted shell",
        "web search",
        "web search of xAI",
        "program",
        "X search",
        "X search as a custom call",
    ],
)
def test_who_makes_the_call(item: Item, expected: ToolCall | ServerToolCall) -> None:
    """What the application must answer is a `ToolCall`; what the provider runs is not."""
    item = {"status": "completed"} | item
    result = run(CREATED, added(item), done(item), completed(item))

    assert result.parts == (expected,)
    assert result.parts[0].raw == item
    start = result.of(BlockStarted)[0].part
    assert isinstance(start, IncompleteToolCall)
    assert start.by_server == isinstance(expected, ServerToolCall)
    is_ours = isinstance(expected, ToolCall)
    assert result.message.stop_reason == ("tool_use" if is_ours else "end_turn")


def test_arguments_of_the_provider_s_tools() -> None:
    """Broken arguments make no call for the application; a server's call is only looked at."""
    ours = {"type": "computer_call", "call_id": "c", "arguments": '{"x": 1', "status": "completed"}
    result = run(CREATED, done(ours), done(ours | {"type": "web_search_call"}, 1), completed())

    assert isinstance(result.parts[0], IncompleteToolCall)
    assert "not JSON" in result.parts[0].error
    assert result.parts[1] == ServerToolCall("c", "web_search", '{"x": 1', '{"x": 1')


@pytest.mark.parametrize(
    "kind", ["computer_call", "web_search_call", "code_interpreter_call", "mcp_call"]
)
def test_tool_of_the_provider_without_an_end(kind: str) -> None:
    """A call of the provider's own tools is none if its end was not told, or is not complete."""
    item = {"id": "i", "type": kind, "call_id": "c", "name": "n", "action": {"type": "wait"}}
    marked = item | {"status": "incomplete"}
    for result in (
        run(CREATED, added(item), completed()),
        run(CREATED, added(item), done(marked), completed()),
        Run(CREATED, added(item)),
    ):
        assert isinstance(result.parts[0], IncompleteToolCall)
        assert result.message.tool_calls == ()


def test_commands_flow() -> None:
    """The commands of a shell call are seen as they come, one to a line."""
    item = {"type": "shell_call", "id": "sh", "call_id": "c", "status": "completed"}
    result = run(
        CREATED,
        added(item | {"action": {"commands": []}}),
        event("shell_call_command.added", command="", command_index=0, output_index=0),
        event("shell_call_command.delta", delta="l", command_index=0, output_index=0),
        event("shell_call_command.done", command="ls", command_index=0, output_index=0),
        event("shell_call_command.delta", delta="pwd", command_index=1, output_index=0),
        done(item | {"action": {"commands": ["ls", "pwd"]}}),
        completed(),
    )

    assert [item.arguments for item in result.of(ToolInputDelta)] == ["l", "s", "\npwd"]
    assert result.parts == (ToolCall("c", "shell", {"action": {"commands": ["ls", "pwd"]}}),)


def test_patch_flows() -> None:
    """A patch is seen as it comes."""
    item = {"type": "apply_patch_call", "id": "ap", "call_id": "c", "status": "completed"}
    operation = {"type": "update_file", "path": "f", "diff": "+1"}
    result = Run(
        CREATED,
        added(item | {"operation": operation | {"diff": ""}}),
        event("apply_patch_call_operation_diff.delta", delta="+", output_index=0, item_id="ap"),
    )

    assert result.parts == (IncompleteToolCall("c", "apply_patch", "+", is_custom=True),)


def test_server_tool_with_its_result() -> None:
    """A server's call and the result that comes in its item are two parts with one item."""
    item = {"type": "mcp_call", "id": "mcp_1", "name": "roll", "server_label": "dice"}
    final = item | {"arguments": '{"n": 1}', "output": "4", "status": "completed"}
    result = run(
        CREATED,
        added(item | {"arguments": ""}),
        event("mcp_call.in_progress", output_index=0, item_id="mcp_1"),
        event("mcp_call_arguments.delta", output_index=0, item_id="mcp_1", delta='{"n"'),
        event("mcp_call_arguments.done", output_index=0, item_id="mcp_1", arguments='{"n": 1}'),
        event("mcp_call.completed", output_index=0, item_id="mcp_1"),
        done(final),
        completed(),
    )

    assert result.parts == (
        ServerToolCall("mcp_1", "roll", {"n": 1}, '{"n": 1}'),
        ServerToolResult("mcp_1", "mcp_call", "4"),
    )
    assert result.parts[0].raw is result.parts[1].raw
    assert result.message.stop_reason == "end_turn"
    assert len(result.of(Ping)) == 2


def test_failed_server_tool() -> None:
    """The error of a server's tool is its result."""
    error = {"type": "http_error", "code": 500}
    item = {"type": "mcp_call", "id": "m", "name": "roll", "arguments": "{}", "error": error}
    result = run(CREATED, done(item), completed())

    assert result.parts[1] == ServerToolResult("m", "mcp_call", error)


def test_code_flows() -> None:
    """The code of the code interpreter is seen as it comes; in the end it is a field."""
    item = {"type": "code_interpreter_call", "id": "ci", "container_id": "k", "code": ""}
    outputs = [{"type": "logs", "logs": "2"}]
    code = event("code_interpreter_call_code.delta", output_index=0, item_id="ci", delta="1 + 1")
    final = item | {"code": "1 + 1", "outputs": outputs, "status": "completed"}
    cut = Run(CREATED, added(item), code)
    result = run(CREATED, added(item), code, done(final), completed())

    start = IncompleteToolCall("ci", "code_interpreter", "1 + 1", by_server=True, is_custom=True)
    assert cut.parts == (start,)
    assert result.parts == (
        ServerToolCall("ci", "code_interpreter", {"code": "1 + 1", "container_id": "k"}),
        ServerToolResult("ci", "code_interpreter_call", outputs),
    )


def test_result_items() -> None:
    """An item that holds the result of a call is one, with what is streamed of it before."""
    item = {"type": "shell_call_output", "id": "o", "call_id": "c", "output": []}
    final = item | {"output": [{"stdout": "hi", "stderr": "", "outcome": {"type": "exit"}}]}
    piece = event(
        "shell_call_output_content.delta", output_index=0, command_index=0, delta={"stdout": "h"}
    )
    result = run(CREATED, added(item), piece, done(final), completed())

    assert result.parts == (ServerToolResult("c", "shell_call_output", final["output"]),)
    assert result.of(UnknownDelta) == [
        UnknownDelta(0, {"command_index": 0, "delta": {"stdout": "h"}})
    ]
    pieces = ({"command_index": 0, "delta": {"stdout": "h"}},)
    cut, unended = Run(CREATED, added(item), piece), run(CREATED, added(item), piece, completed())
    assert cut.parts == (UnknownPart("shell_call_output", item, pieces, finished=False),)
    assert unended.parts == (UnknownPart("shell_call_output", item, pieces),)


def test_approval_is_a_question() -> None:
    """A request for approval is no call that could be run, and no end of the turn either."""
    item = {"type": "mcp_approval_request", "id": "m", "name": "rm", "arguments": "{}"}
    result = run(CREATED, added(item), done(item), completed(item))

    assert result.parts == (UnknownPart("mcp_approval_request", item),)
    assert result.message.tool_calls == ()
    assert result.message.stop_reason == "other"
    assert result.decoder.unknown_events == 0


@pytest.mark.parametrize("kind", ["mcp_list_tools", "compaction", "hologram_call"])
def test_items_without_a_class(kind: str) -> None:
    """An item that has no class is kept as it ended; it is counted if nobody knows its type."""
    item = {"type": kind, "id": "i", "encrypted_content": "late"}
    result = run(CREATED, added({"type": kind, "id": "i"}), done(item), completed())

    assert result.parts == (UnknownPart(kind, item),)
    assert result.decoder.unknown_events == (kind == "hologram_call")


def test_image() -> None:
    """A generated image is kept in Base64; its previews are seen and not kept."""
    item = {"type": "image_generation_call", "id": "ig", "status": "in_progress"}
    preview = event(
        "image_generation_call.partial_image",
        output_index=0,
        item_id="ig",
        partial_image_index=0,
        partial_image_b64="AAAA",
    )
    final = item | {"status": "completed", "result": "iVBO", "output_format": "png"}
    result = run(CREATED, added(item), preview, done(final), completed(final))

    expected = MediaPart("image/png", data=("iVBO",), id="ig")
    assert result.parts == (expected,)
    assert "result" not in result.parts[0].raw
    assert result.of(MediaDelta) == [MediaDelta(0, "iVBO")]
    assert result.of(UnknownDelta)[0].delta["partial_image_b64"] == "AAAA"
    assert result.decoder.unknown_events == 0


@pytest.mark.parametrize("uri", ["data:image/png;base64,iVBO", "https://example.org/i.png"])
def test_image_elsewhere(uri: str) -> None:
    """An image that is a link is not taken for Base64."""
    result = run(CREATED, done({"type": "image_generation_call", "result": uri}), completed())

    assert result.parts == (MediaPart(uri=uri),)


# --- what servers leave out, break and repeat ---------------------------------------------------


def test_done_events_only() -> None:
    """Text that comes only with a ``done`` event is emitted then, as one delta."""
    result = run(CREATED, added(message()), TEXT_STREAM[6], done(message()), completed())

    assert result.of(TextDelta) == [TextDelta(0, "Hello")]
    assert result.parts == (TextPart("Hello"),)


def test_lost_deltas_are_made_up() -> None:
    """What the deltas lack of the whole text is emitted as a delta, once."""
    result = run(CREATED, added(message()), text_delta("Hel"), *TEXT_STREAM[6:])

    assert [item.text for item in result.of(TextDelta)] == ["Hel", "lo"]
    assert result.parts == (TextPart("Hello"),)


def test_later_word_counts() -> None:
    """Where the later word contradicts the deltas, the part has it, and no delta repeats it."""
    result = run(CREATED, added(message()), text_delta("Hullo"), *TEXT_STREAM[6:])

    assert [item.text for item in result.of(TextDelta)] == ["Hullo"]
    assert result.parts == (TextPart("Hello"),)


def test_silence_takes_nothing_back() -> None:
    """Empty texts, arguments and outputs in later events do not wipe what was streamed."""
    text = run(
        CREATED,
        added(message()),
        text_delta("Hello"),
        event("output_text.done", output_index=0, content_index=0, text=""),
        done(message(output_text(""))),
        completed(),
    )
    tool = run(CREATED, added(call()), input_delta('{"a": 1}'), done(call("")), completed())

    assert text.parts == (TextPart("Hello"),)
    assert tool.parts == (ToolCall("call_1", "add", {"a": 1}, '{"a": 1}'),)


def test_arguments_told_at_the_start() -> None:
    """Arguments that the announcement has already do not come twice when deltas bring them."""
    item = call('{"a": 1}')
    streamed = run(CREATED, added(item), input_delta('{"a": 1}'), done(item), completed())
    alone = run(CREATED, added(item), completed())
    other = run(CREATED, added(item), input_delta('{"a": 2}'), completed())

    assert other.message.tool_calls[0].input == {"a": 2}
    assert streamed.parts == alone.parts == (ToolCall("call_1", "add", {"a": 1}, '{"a": 1}'),)


def test_terminal_event_knows_more() -> None:
    """Items that only the terminal event knows are emitted then, those that came are not."""
    known, new = message(output_text("Hello")), call("{}", id="fc_9")
    result = run(*TEXT_STREAM[:-1], completed(known, new))

    assert result.parts == (TextPart("Hello"), ToolCall("call_1", "add", {}, "{}"))
    assert result.message.stop_reason == "tool_use"


def test_terminal_event_with_new_ids() -> None:
    """Items whose IDs changed on the way are known by their type, call and order."""
    first, second = call('{"n": 1}', "call_1"), call('{"n": 2}', "call_2", id="fc_2")
    answer = message(output_text("Hello"))
    result = run(
        CREATED,
        *(added(first, 0), done(first, 0)),
        *(added(second, 1), input_delta('{"n"', 1, "fc_2")),
        *(added(answer, 2), text_delta("Hel", 2)),
        completed(second | {"id": "x"}, answer | {"id": "y"}, first | {"id": "z"}),
    )

    assert len(result.parts) == 3
    assert [part.input for part in result.message.tool_calls] == [{"n": 1}, {"n": 2}]
    assert result.message.text == "Hello"


def test_terminal_event_with_new_ids_and_call_ids() -> None:
    """A call that comes under new names in the terminal event is not handed out a second time."""
    first, second = call('{"n": 1}', "call_1"), call('{"n": 2}', "call_2", id="fc_2")
    renamed = [first | {"id": "x", "call_id": "y"}, second | {"id": "z", "call_id": "u"}]
    result = run(
        CREATED,
        *(added(first, 0), done(first, 0)),
        *(added(second, 1), done(second, 1)),
        completed(*renamed),
    )

    assert [each.id for each in result.message.tool_calls] == ["call_1", "call_2"]
    assert len(result.parts) == 2


@pytest.mark.parametrize("index", [None, 0])
@pytest.mark.parametrize("name", ["", "new"])
@pytest.mark.parametrize("output", [True, False])
def test_end_of_a_call_is_known_by_its_call_id(
    index: int | None, name: str, *, output: bool
) -> None:
    """Where neither index nor ID tells which call has ended, its ``call_id`` does: none twice."""
    calls = [call('{"n": 1}', "call_1"), call('{"n": 2}', "call_2")]
    starts = [added(each | {"arguments": "", "id": name and f"a{name}"}, index) for each in calls]
    ends = [done(each | {"id": name and f"b{name}"}, index) for each in calls]
    result = run(CREATED, *starts, *ends, completed(*(calls if output else [])))

    assert [each.id for each in result.message.tool_calls] == ["call_1", "call_2"]
    assert [each.input for each in result.message.tool_calls] == [{"n": 1}, {"n": 2}]
    assert len(result.parts) == 2


def test_no_output_in_the_terminal_event() -> None:
    """What was streamed counts if the terminal event's output is empty or missing."""
    empty = run(*TEXT_STREAM[:-1], completed())
    missing = run(*TEXT_STREAM[:6], event("completed", response={"status": "completed"}))

    assert empty.parts == missing.parts == (TextPart("Hello"),)


def test_items_that_were_never_announced() -> None:
    """Deltas, ends and done items begin what was never announced."""
    result = run(
        CREATED,
        summary_delta("Hm.", 0),
        text_delta("Hello", 1),
        input_delta('{"a": 1}', 2),
        done(call('{"a": 1}'), 2),
        done(call("{}", "call_2", id="fc_2"), 3),
        completed(),
    )

    assert [type(part).__name__ for part in result.parts] == [
        "ThinkingPart",
        "TextPart",
        "ToolCall",
        "ToolCall",
    ]
    assert [part.id for part in result.message.tool_calls] == ["call_1", "call_2"]


def test_call_that_is_named_at_the_end() -> None:
    """A call whose name and ID only the terminal event tells is made with these."""
    result = run(CREATED, input_delta('{"a": 1}'), completed(call('{"a": 1}', id="fc_9")))

    assert result.parts == (ToolCall("call_1", "add", {"a": 1}, '{"a": 1}'),)


def test_call_that_never_got_a_name() -> None:
    """Arguments without a call to belong to are kept, and are no call."""
    result = run(CREATED, input_delta('{"a": 1}'), completed())

    assert isinstance(result.parts[0], IncompleteToolCall)
    assert result.parts[0].arguments == '{"a": 1}'


def test_one_index_for_all_items() -> None:
    """If every item has the same index, the IDs tell them apart."""
    first, second = call("{}", "call_1"), call('{"b": 2}', "call_2", id="fc_2")
    result = run(
        CREATED,
        added(reasoning()),
        added(message()),
        added(first),
        added(second),
        text_delta("Hello"),
        input_delta("{}", 0, "fc_1"),
        summary_delta("Hm.", 0),
        input_delta('{"b": 2}', 0, "fc_2"),
        done(second),
        done(first),
        completed(),
    )

    assert result.message.text == "Hello"
    assert result.message.thinking == "Hm."
    assert [part.input for part in result.message.tool_calls] == [{}, {"b": 2}]


def test_new_ids_in_each_event() -> None:
    """If each event has an ID of its own, the indexes tell the items apart."""
    first, second = call("{}", "call_1"), call('{"b": 2}', "call_2")
    result = run(
        CREATED,
        added(first | {"id": "1"}, 0),
        added(second | {"id": "2"}, 1),
        input_delta("{}", 0, "3"),
        input_delta('{"b": 2}', 1, "4"),
        done(first | {"id": "5"}, 0),
        done(second | {"id": "6"}, 1),
        completed(first | {"id": "7"}, second | {"id": "8"}),
    )

    assert [part.input for part in result.message.tool_calls] == [{}, {"b": 2}]


def test_no_coordinates_at_all() -> None:
    """Events that say nothing of where they belong go to the newest item that takes them."""
    stream = [
        {key: value for key, value in each.items() if not key.endswith(("_index", "item_id"))}
        for each in [
            CREATED,
            *(added(reasoning()), summary_delta("Hm.", 0), done(reasoning("Hm."))),
            *(added(message()), text_delta("Hello"), done(message(output_text("Hello")))),
            *(added(call()), input_delta("{}"), done(call("{}"))),
            completed(),
        ]
    ]
    result = run(*stream)

    assert result.parts == (
        ThinkingPart("Hm."),
        TextPart("Hello"),
        ToolCall("call_1", "add", {}, "{}"),
    )


def test_thoughts_at_the_index_of_a_message() -> None:
    """Thoughts that point at a message, each with an ID of its own, are one part all the same."""
    thoughts = [summary_delta(text, 0) | {"item_id": text} for text in ("I ", "think.")]
    result = run(
        CREATED,
        added(message()),
        text_delta("Hel"),
        *thoughts,
        text_delta("lo", item_id="other"),
        completed(),
    )

    assert result.message.thinking == "I think."
    assert result.message.text == "Hello"
    assert len(result.parts) == 2


@pytest.mark.parametrize("index", [0, 7])
def test_half_calls_are_never_joined(index: int) -> None:
    """Arguments whose index or ID nobody knows do not go to a call that is open."""
    half, other = input_delta('{"a', 1), input_delta('": 1}', index, "fc_9")
    result = run(CREATED, added(reasoning(), 0), added(call(), 1), half, other, completed())

    assert [type(part) for part in result.parts[1:]] == [IncompleteToolCall, IncompleteToolCall]


def test_two_texts_that_never_ended() -> None:
    """Texts at two indexes are two, though nothing tells that the first has ended."""
    result = run(CREATED, text_delta("One."), text_delta("Two.", 1, "msg_2"), completed())

    assert result.parts == (TextPart("One."), TextPart("Two."))


@pytest.mark.parametrize("between", [[], [added(reasoning())]], ids=["same", "other"])
def test_text_behind_an_end(between: list[Event]) -> None:
    """A text whose ID is new does not belong to an item at its index that has ended."""
    start = [CREATED, added(message()), done(message(output_text("One."))), *between]
    result = run(*start, text_delta("Two.", item_id="msg_2"), completed())

    assert result.message.text == "One.Two."
    assert result.parts[-1] == TextPart("Two.")


def test_one_id_for_all_items() -> None:
    """If every item has the same ID, the indexes and types tell them apart."""
    thoughts, answer = reasoning("Hm.", id="x"), message(output_text("Hello"), id="x")
    result = run(
        CREATED,
        *(added(reasoning(id="x"), 0), added(message(id="x"), 1)),
        text_delta("Hel", 1, "x"),
        summary_delta("H", 0) | {"item_id": "x"},
        completed(thoughts, answer),
    )

    assert result.parts == (ThinkingPart("Hm."), TextPart("Hello"))


def test_contents_out_of_order() -> None:
    """Contents that come in another order keep their own text; parts stand as they began."""
    result = run(
        CREATED,
        added(message()),
        text_delta("Two", content_index=1),
        text_delta("One", content_index=0),
        done(message(output_text("One."), output_text("Two."))),
        completed(),
    )

    assert result.parts == (TextPart("Two."), TextPart("One."))
    assert [item.text for item in result.of(TextDelta)] == ["Two", "One", ".", "."]


def test_repeated_announcement() -> None:
    """A call that is announced twice is one call."""
    result = run(CREATED, added(call()), added(call()), input_delta("{}"), completed())

    assert result.parts == (ToolCall("call_1", "add", {}, "{}"),)
    assert result.decoder.unknown_events == 1


@pytest.mark.parametrize("repeated", [2, 3, 8], ids=["announcement", "content", "end"])
def test_repeated_events(repeated: int) -> None:
    """What is announced or ended a second time is not there a second time."""
    stream = TEXT_STREAM[: repeated + 1] + TEXT_STREAM[repeated:]

    assert run(*stream).parts == (TextPart("Hello"),)


def test_repeated_end_of_a_call() -> None:
    """A call is handed out once, however often its end is told."""
    nameless = {key: value for key, value in call("{}").items() if key != "id"}
    for item in (call("{}"), nameless):
        result = run(CREATED, added(item), done(item), done(item), completed(item))

        assert result.finished == [ToolCall("call_1", "add", {}, "{}")]


def test_second_item_without_id() -> None:
    """Of items without IDs at one index, only an equal one is a repetition."""
    first = {key: value for key, value in call('{"n": 1}').items() if key != "id"}
    second = first | {"call_id": "call_2", "arguments": '{"n": 2}'}
    result = run(CREATED, done(first), done(second), completed())

    assert [part.id for part in result.message.tool_calls] == ["call_1", "call_2"]


def test_late_events() -> None:
    """After the end of an item, its done events say nothing new, and a delta has no place."""
    late = Run(*TEXT_STREAM[:9], TEXT_STREAM[6], TEXT_STREAM[3], TEXT_STREAM[-1])
    error = Run(*TEXT_STREAM[:9], text_delta("!")).error

    assert late.error is None
    assert late.parts == (TextPart("Hello"),)
    assert late.decoder.unknown_events == 2
    assert isinstance(error, BadItemError)


def test_empty_announcement() -> None:
    """An announcement of nothing is kept as unknown, and leaves a gap in the indexes."""
    empty = event("output_item.added", output_index=0, item=None)
    result = run(CREATED, empty, added(message(), 1), text_delta("Hello", 1), completed())

    assert result.parts == (TextPart("Hello"),)
    assert result.decoder.unknown_events == 1


def test_contents_counted_from_one() -> None:
    """Contents are matched with those of the finished item by their class and order."""
    item = message(output_text("Hello"))
    result = run(
        CREATED, added(message()), text_delta("Hel", content_index=1), done(item), completed()
    )

    assert result.parts == (TextPart("Hello"),)


def test_content_of_another_class_at_one_index() -> None:
    """A refusal at the index of a text is a part of its own."""
    refusal = event("refusal.delta", output_index=0, item_id="msg_1", content_index=0, delta="No.")
    result = run(CREATED, added(message()), text_delta("Hm."), refusal, completed())

    assert result.parts == (TextPart("Hm."), RefusalPart("No."))


def test_unknown_events_are_kept() -> None:
    """Unknown events are kept and counted, wherever they stand."""
    odd = event("dream.delta", delta="zzz")
    result = run(odd, CREATED, odd, ServerSentEvent("message", "hello"), *TEXT_STREAM[1:])

    assert [item.event for item in result.of(UnknownEvent)] == [odd["type"], odd["type"], "message"]
    assert result.decoder.unknown_events == 3
    assert result.parts == (TextPart("Hello"),)


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        (ServerSentEvent("response.output_text.delta", '{"delta": '), "$"),
        (ServerSentEvent("message", '{"type": "response.comp'), "$"),
        (ServerSentEvent("response.output_item.added", "[]"), "$"),
        (event("output_text.delta", output_index=0), "$.delta"),
        (event("output_text.delta", output_index=0, delta=7), "$.delta"),
        (event("output_item.added", item=7), "$.item"),
        (event("output_item.added", item={}), "$.item.type"),
        (event("output_item.done"), "$.item"),
        (event("content_part.added", output_index=0, part={"type": None}), "$.part.type"),
        (done(message(output_text(7))), "$.item.content[0].text"),  # type: ignore[arg-type]
        (done(message(content="Hello")), "$.item.content"),
        (done(reasoning(encrypted_content=7)), "$.item.encrypted_content"),
        (done(call(name=7)), "$.item.name"),
        (completed(7), "$.response.output[0]"),  # type: ignore[arg-type]
        (completed({"id": "x"}), "$.response.output[0].type"),
        (completed(usage={"input_tokens": "9"}), "$.response.usage.input_tokens"),
        (event("completed", response=[]), "$.response"),
    ],
)
def test_bad_events(bad: Event | ServerSentEvent, path: str) -> None:
    """Content that has no place is an error that says where; what came before is kept."""
    result = Run(CREATED, added(message()), text_delta("Hel"), bad)

    assert isinstance(result.error, BadItemError)
    assert result.error.path == path
    assert result.parts == (TextPart("Hel", finished=False),)
    assert len(result.items) == 3


# --- the response -------------------------------------------------------------------------------


def test_usage_is_disjoint() -> None:
    """Cached tokens are taken out of the input tokens; the provider's own figures are kept."""
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 70, "cache_write_tokens": 20},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 105,
    }
    result = run(CREATED, completed(usage=usage))

    assert result.message.usage == Usage(10, 5, 70, 20)
    assert result.message.usage.raw == usage


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ({}, Usage()),
        ({"input_tokens": 0, "output_tokens": 0}, Usage(0, 0)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 0}}, Usage(5, None, 0)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 9}}, Usage(0, None, 9)),
        ({"input_tokens": 5, "input_tokens_details": None}, Usage(5)),
    ],
)
def test_usage_corners(usage: Any, expected: Usage) -> None:
    """Zero is a figure, absent is none, and nothing falls below zero."""
    assert run(CREATED, completed(usage=usage)).message.usage == expected


def test_extra() -> None:
    """What the response says is kept; what repeats the request, or is null, is not."""
    end = completed(
        service_tier="default",
        previous_response_id="resp_0",
        conversation=None,
        tools=[{"type": "web_search"}],
        instructions="Be brief.",
        temperature=1.0,
    )
    result = run(CREATED, end | {"copilot_usage": {"total": 1}, "sequence_number": 9})

    assert result.message.extra == {
        "status": "completed",
        "service_tier": "default",
        "previous_response_id": "resp_0",
        "copilot_usage": {"total": 1},
    }


def test_model_that_really_answers() -> None:
    """The model of the terminal event is the one that answered."""
    assert run(CREATED, completed(model="gpt-2")).message.model == "gpt-2"


@pytest.mark.parametrize("strict", [False, True])
def test_contract_is_declared(strict: bool) -> None:
    """The contract says what ends a stream, and that nothing else does."""
    dialect = OpenAIResponses(strict=strict)

    assert dialect.completion.also == ""
    assert "response.completed" in dialect.completion.terminal_markers
    decoder = dialect.decoder()
    decoder.decode(frames(*TEXT_STREAM[:-1]), [])
    with pytest.raises(StreamTruncatedError):
        decoder.close()


# --- hostile input ------------------------------------------------------------------------------

COORDINATES: st.SearchStrategy[Event] = st.fixed_dictionaries(
    {},
    optional={
        "output_index": st.sampled_from([0, 1, -1, None, "0", [], {}]),
        "item_id": st.sampled_from(["a", "b", "", None, 7, []]),
        "content_index": st.sampled_from([0, 1, None, "x", []]),
        "summary_index": st.sampled_from([0, 1, None, {}]),
    },
)
ITEMS = st.sampled_from(
    [
        message(output_text("ab")),
        message(id="a"),
        reasoning("ab", id="b"),
        call("{}", id="a"),
        call("", id="b", status=None),
        custom("ab", id="a"),
        {"type": "mcp_call", "id": "a", "name": "n", "arguments": "{}", "output": "1"},
        {"type": "shell_call", "action": {"commands": ["ab"]}},
        {"type": "hologram"},
    ]
)
KINDS = st.sampled_from(
    [
        "output_text",
        "refusal",
        "reasoning_text",
        "reasoning_summary_text",
        "function_call_arguments",
        "custom_tool_call_input",
        "shell_call_command",
        "audio",
    ]
)
EVENTS = st.one_of(
    st.builds(lambda kind, at: event(f"{kind}.delta", delta="a", **at), KINDS, COORDINATES),
    st.builds(
        lambda kind, at: event(f"{kind}.done", text="ab", arguments="{}", **at), KINDS, COORDINATES
    ),
    st.builds(lambda item, at: event("output_item.added", item=item, **at), ITEMS, COORDINATES),
    st.builds(lambda item, at: event("output_item.done", item=item, **at), ITEMS, COORDINATES),
)


@given(st.lists(EVENTS, max_size=12), st.lists(ITEMS, max_size=3), st.booleans())
@settings(max_examples=300)
def test_any_order_of_events(events: list[Event], output: list[Item], whole: bool) -> None:
    """Whatever comes in whatever order, each part is begun and finished once, and none is lost."""
    end = completed(*output) if whole else incomplete(*output)
    result = Run(CREATED, *events, end)

    started = [item.index for item in result.of(BlockStarted)]
    finished = [item.index for item in result.of(BlockFinished)]
    assert started == list(range(len(started)))
    assert len(set(finished)) == len(finished)
    if result.error is None:
        assert sorted(finished) == started
        assert isinstance(result.items[-1], MessageFinished)
        assert result.message.parts == tuple(
            item.part for item in sorted(result.of(BlockFinished), key=lambda item: item.index)
        )
    else:
        assert isinstance(result.error, BadItemError)
