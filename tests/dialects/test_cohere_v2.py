"""Cohere's Chat API, on hand-written streams, one for each rule, and on recorded ones."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects.cohere_v2 import CohereV2
from trio_stream.dialects.items import (
    BlockFinished,
    BlockStarted,
    CitationDelta,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownEvent,
)
from trio_stream.dialects.message import (
    IncompleteToolCall,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
    Usage,
)
from trio_stream.errors import BadItemError, InBandError, StreamError, StreamTruncatedError
from trio_stream.framing import ServerSentEvent, UnframedText
from trio_stream.testing import check_dialect

Event = dict[str, Any]
Frame = ServerSentEvent | UnframedText

# --- words to write streams with ------------------------------------------------------------------


def frame(event: Event, name: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(event["type"] if name is None else name, json.dumps(event))


def event(kind: str, message: Event | None = None, **fields: Any) -> Event:
    delta = {} if message is None else {"delta": {"message": message}}
    return {"type": kind} | fields | delta


START = event("message-start", {"role": "assistant", "content": [], "tool_plan": ""}, id="m1")


def plan(words: str) -> Event:
    return event("tool-plan-delta", {"tool_plan": words})


def content_start(index: int, kind: str = "text", **fields: Any) -> Event:
    return event("content-start", {"content": {"type": kind} | fields}, index=index)


def content_delta(index: int, **content: Any) -> Event:
    return event("content-delta", {"content": content}, index=index)


def content(index: int, *pieces: str, kind: str = "text") -> list[Event]:
    deltas = [content_delta(index, **{kind: piece}) for piece in pieces]
    return [content_start(index, kind, **{kind: ""}), *deltas, event("content-end", index=index)]


def call_start(index: int, arguments: str | None = "") -> Event:
    function = {"name": "add", "arguments": arguments}
    call = {"id": f"add_{index}", "type": "function", "function": function}
    return event("tool-call-start", {"tool_calls": call}, index=index)


def call_delta(index: int, arguments: str) -> Event:
    call = {"function": {"arguments": arguments}}
    return event("tool-call-delta", {"tool_calls": call}, index=index)


def call(index: int, *pieces: str) -> list[Event]:
    deltas = [call_delta(index, piece) for piece in pieces]
    return [call_start(index), *deltas, event("tool-call-end", index=index)]


def citation(number: int, **fields: Any) -> list[Event]:
    cited = {"start": 0, "end": number, "text": "a", "sources": []} | fields
    return [
        event("citation-start", {"citations": cited}, index=number),
        event("citation-end", index=number),
    ]


def end(reason: str | None = "COMPLETE", **fields: Any) -> Event:
    return {"type": "message-end", "delta": {"finish_reason": reason} | fields}


USAGE = {
    "billed_units": {"input_tokens": 21, "output_tokens": 2},
    "tokens": {"input_tokens": 100.0, "output_tokens": 5},
    "cached_tokens": 64,
}
NO_ARGUMENTS = "no arguments came, and the model was cut off"


class Run:
    """A stream, decoded frame by frame and then closed, and its message."""

    def __init__(self, stream: Sequence[Frame], *, strict: bool = False) -> None:
        dialect = CohereV2(strict=strict)
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
    return Run([frame(each) for each in events])


def whole(*events: Event) -> Message:
    """The message of a stream that must be complete, which begins with a start."""
    done = run(START, *events)
    assert done.error is None
    assert done.decoder.finished
    assert done.message.is_complete
    return done.message


# --- the laws of a dialect ------------------------------------------------------------------------

TYPICAL = [
    START,
    plan("I will "),
    plan("add."),
    *content(0, "Hm", "!", kind="thinking"),
    content_start(1, text=""),
    content_delta(1, text="It is"),
    content_delta(1, text=" 4."),
    *citation(2),
    event("content-end", index=1),
    *call(0, '{"a"', ":1}"),
    *call(1),
    {"type": "debug", "prompt": "?"},
    end("TOOL_CALL", usage=USAGE),
]


@pytest.mark.parametrize("strict", [False, True])
def test_laws(*, strict: bool) -> None:
    """The laws of a dialect hold: batching, prefixes, tampered frames."""
    frames = [frame(each) for each in TYPICAL]
    check_dialect(CohereV2(strict=strict), frames, max_splits=150)


def test_typical_stream() -> None:
    """A stream of everything becomes the message that it tells."""
    done = run(*TYPICAL)

    cited = {"start": 0, "end": 2, "text": "a", "sources": []}
    assert done.message == Message(
        id="m1",
        parts=(
            ThinkingPart("I will add."),
            ThinkingPart("Hm!"),
            TextPart("It is 4.", (cited,)),
            ToolCall("add_0", "add", {"a": 1}, '{"a":1}'),
            ToolCall("add_1", "add", {}),
        ),
        stop_reason="tool_use",
        provider_stop_reason="TOOL_CALL",
        usage=Usage(36, 5, 64, None),
    )
    assert done.message.usage.raw == USAGE
    assert done.decoder.unknown_events == 1


def test_items() -> None:
    """Each event becomes its items, when it comes."""
    done = run(START, plan("p"), *content(0, "a"), *call(0, "{}"), end())

    assert done.items == [
        MessageStarted("m1"),
        BlockStarted(0, ThinkingPart(finished=False)),
        ThinkingDelta(0, "p"),
        BlockFinished(0, ThinkingPart("p")),
        BlockStarted(1, TextPart(finished=False)),
        TextDelta(1, "a"),
        BlockFinished(1, TextPart("a")),
        BlockStarted(2, IncompleteToolCall("add_0", "add")),
        ToolInputDelta(2, "{}"),
        BlockFinished(2, ToolCall("add_0", "add", {}, "{}")),
        MessageDelta("end_turn", "COMPLETE"),
        MessageFinished(),
    ]


# --- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("count", range(len(TYPICAL)))
def test_without_message_end_it_is_truncated(count: int, *, strict: bool) -> None:
    """Nothing but message-end makes a message whole, and what was cut is no call."""
    done = Run([frame(each) for each in TYPICAL[:count]], strict=strict)

    assert isinstance(done.error, StreamTruncatedError)
    assert done.message.stop_reason == "incomplete"
    assert all(each.arguments == '{"a":1}' for each in done.message.tool_calls)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("COMPLETE", "end_turn"),
        ("STOP_SEQUENCE", "stop_sequence"),
        ("MAX_TOKENS", "max_tokens"),
        ("ERROR_LIMIT", "max_tokens"),
        ("TOOL_CALL", "tool_use"),
        ("ERROR_TOXIC", "refusal"),
        ("NEWER_THAN_THIS", "other"),
        (None, "other"),
    ],
)
def test_reasons(reason: str | None, word: str) -> None:
    """Each finish_reason has its word, and is kept beside it."""
    message = whole(*content(0, "Hi"), end(reason))

    assert message.stop_reason == word
    assert message.provider_stop_reason == reason


def test_done_is_not_read() -> None:
    """After message-end nothing is read, be it [DONE] or anything else."""
    stop = Run([frame(START), frame(end()), ServerSentEvent("message", "[DONE]")])

    assert stop.error is None
    assert stop.decoder.unknown_events == 0
    # Nor does it end a message.
    early = Run([frame(START), ServerSentEvent("message", "[DONE]")])
    assert isinstance(early.error, StreamTruncatedError)
    assert early.decoder.unknown_events == 1


def test_message_that_begins_again() -> None:
    """The same start again is kept as unknown; another message cuts the first off."""
    assert whole(START, *content(0, "Hi"), end()).text == "Hi"
    done = run(START, *content(0, "Hi"), START | {"id": "m2"}, end())

    assert isinstance(done.error, StreamTruncatedError)
    assert done.message.text == "Hi"


# --- blocks ---------------------------------------------------------------------------------------


def test_plan_is_told_apart() -> None:
    """The plan is a thought that knows the field it came in; content that thinks is another."""
    tool_plan, thought = whole(plan("p"), *content(0, "t", kind="thinking"), end()).parts

    assert tool_plan == ThinkingPart("p")
    assert isinstance(tool_plan, ThinkingPart)
    assert tool_plan.raw == {"tool_plan": "p"}
    assert isinstance(thought, ThinkingPart)
    assert thought.raw["type"] == "thinking"


def test_text_at_the_start_of_a_block() -> None:
    """Text that comes with the start of its block is a delta like any other."""
    done = run(START, content_start(0, text="He"), content_delta(0, text="llo"), end())

    assert [item.text for item in done.items if isinstance(item, TextDelta)] == ["He", "llo"]
    assert done.message.parts == (TextPart("Hello"),)


def test_arguments_at_the_start_of_a_call() -> None:
    """So are arguments, which may also be null there."""
    message = whole(call_start(0, '{"a":'), call_delta(0, "1}"), call_start(1, None), end())

    assert [each.input for each in message.tool_calls] == [{"a": 1}, {}]


def test_calls_side_by_side() -> None:
    """Calls are known by their index: one may go on while another is open."""
    message = whole(
        call_start(0),
        call_start(1),
        call_delta(1, '{"b":'),
        call_delta(0, '{"a":1}'),
        call_delta(1, "2}"),
        event("tool-call-end", index=0),
        event("tool-call-end", index=1),
        end("TOOL_CALL"),
    )

    assert [each.input for each in message.tool_calls] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize("closed", [False, True])
def test_call_without_arguments(*, closed: bool) -> None:
    """It is a call if the model went on or stopped by itself, and none if it was cut there."""
    events = call(0) if closed else call(0)[:-1]

    assert whole(*events, end("TOOL_CALL")).parts == (ToolCall("add_0", "add", {}),)
    for reason in ("MAX_TOKENS", "ERROR_TOXIC", None):
        (part,) = whole(*events, end(reason)).parts
        assert part == IncompleteToolCall("add_0", "add", error=NO_ARGUMENTS)
    if closed:
        assert whole(*events, *content(0, "a"), end("MAX_TOKENS")).tool_calls
        assert whole(*events, *call(1, "{}"), end("MAX_TOKENS")).tool_calls == (
            ToolCall("add_0", "add", {}),
            ToolCall("add_1", "add", {}, "{}"),
        )


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("arguments", ['{"a":', "nonsense", "{}{}", '{"a": NaN}'])
def test_broken_arguments(arguments: str, *, closed: bool) -> None:
    """Arguments that are no JSON are refused, whether or not the end of the call came."""
    events = call(0, arguments) if closed else call(0, arguments)[:-1]
    (part,) = whole(*events, end("TOOL_CALL")).parts

    assert isinstance(part, IncompleteToolCall)
    assert part.arguments == arguments
    assert part.error


def test_field_of_the_other_kind_may_be_empty() -> None:
    """Servers that send both fields of a content say with the empty one nothing."""
    message = whole(
        content_start(0, "thinking", thinking="", text=""),
        content_delta(0, thinking="a", text=""),
        content_delta(0, thinking="", text=""),
        event("content-end", index=0),
        content_start(1),
        content_delta(1, text="b", thinking=""),
        content_delta(1, text="", thinking=""),
        event("content-end", index=1),
        end(),
    )

    assert (message.thinking, message.text) == ("a", "b")


def test_citations() -> None:
    """Citations go with the text that they name, or that is open; others with the message."""
    done = run(
        START,
        plan("p"),
        *citation(1, type="PLAN"),
        *content(0, "t", kind="thinking"),
        content_start(1, text=""),
        content_delta(1, text="a"),
        *citation(2),
        *citation(3, content_index=1),
        *citation(4, content_index=0),
        event("content-end", index=1),
        *citation(5, content_index=1),
        event("citation-start", {"citations": [{"end": 6}]}),
        end(),
    )

    assert done.error is None
    (text,) = [part for part in done.message.parts if isinstance(part, TextPart)]
    assert [each["end"] for each in text.citations] == [2, 3]
    assert [each["end"] for each in done.message.extra["citations"]] == [1, 4, 5, 6]
    assert [item.index for item in done.items if isinstance(item, CitationDelta)] == [2, 2]


def test_unknown_content() -> None:
    """A block of an unknown type is kept with what is added to it, and counted."""
    done = run(START, content_start(0, "image", url="u"), content_delta(0, more=1), end())

    assert done.message.parts == (
        UnknownPart("image", {"type": "image", "url": "u"}, ({"more": 1},)),
    )
    assert done.decoder.unknown_events == 1


# --- the message ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ({}, Usage()),
        ({"tokens": {"input_tokens": 0, "output_tokens": 0}}, Usage(0, 0)),
        ({"tokens": {"input_tokens": 1}, "cached_tokens": 2}, Usage(0, None, 2)),
        ({"billed_units": {"input_tokens": 3, "output_tokens": 4.0}}, Usage(3, 4)),
        ({"cached_tokens": 0}, Usage(None, None, 0)),
    ],
)
def test_usage(usage: Event | None, expected: Usage) -> None:
    """The tokens count, without the cached ones; those billed only where nothing else is told."""
    assert whole(end(usage=usage)).usage == expected


def test_what_has_no_field_is_kept() -> None:
    """Unknown fields of the message, and log probabilities, are in `extra`."""
    message = run(
        event("message-start", {"role": "assistant", "new": 1, "none": None}, id="m1"),
        content_start(0, text=""),
        content_delta(0, text="a") | {"logprobs": {"text": "a"}},
        content_delta(0, text="b") | {"logprobs": {"text": "b"}},
        end(newer=2, error=None),
    ).message

    assert message.extra == {"new": 1, "newer": 2, "logprobs": [{"text": "a"}, {"text": "b"}]}


# --- what is tolerated, and what is not -----------------------------------------------------------


def test_names_of_the_frames_do_not_matter() -> None:
    """The type of the object counts; the name of the frame where there is none."""
    unnamed = Run([frame(each, "message") for each in TYPICAL])
    untyped = Run(
        [
            ServerSentEvent(
                each["type"],
                json.dumps({key: value for key, value in each.items() if key != "type"}),
            )
            for each in TYPICAL
        ]
    )

    assert unnamed.error is untyped.error is None
    assert unnamed.message == untyped.message == run(*TYPICAL).message


@pytest.mark.parametrize(
    "stray",
    [
        ServerSentEvent("ping", ""),
        ServerSentEvent("message", "hello"),
        ServerSentEvent("message", "[1]"),
        ServerSentEvent("debug", '{"prompt": "?"}'),
        frame(event("content-end", index=7)),
        frame(event("tool-call-end", index=7)),
        frame(content_delta(0)),
    ],
)
def test_unknown_events_are_kept(stray: ServerSentEvent) -> None:
    """What can be passed over without losing content is kept and counted, and fails nothing."""
    before = [frame(START), frame(content_start(0))]
    done = Run([*before, stray, frame(content_delta(0, text="a")), frame(end())])

    assert done.error is None
    assert done.decoder.unknown_events == 1
    assert any(isinstance(item, UnknownEvent) and item.data == stray.data for item in done.items)
    assert done.message.text == "a"


@pytest.mark.parametrize(
    ("events", "path"),
    [
        ([content_start(0)], "$.type"),  # before the start
        ([START, content_delta(0, text="a")], "$.index"),
        ([START, call_delta(0, "{}")], "$.index"),
        ([START, content_start(0), content_start(0)], "$.index"),
        ([START, call_start(0), call_start(0)], "$.index"),
        ([START, content_start(0), content_delta(0, thinking="a")], "$.delta"),
        ([START, content_start(0), content_delta(0, text=1)], "$.delta.message.content.text"),
        ([START, content_start(0), content_delta(0, text="a", thinking="b")],
         "$.delta.message.content"),
        ([START, event("content-start", index=0)], "$.delta"),
        ([START, event("content-start", {}, index=0)], "$.delta.message.content"),
        ([START, event("tool-plan-delta", {})], "$.delta.message.tool_plan"),
        ([START, event("citation-start", {"citations": 1})], "$.delta.message.citations"),
        ([START, event("tool-call-start", {"tool_calls": {}}, index=0)],
         "$.delta.message.tool_calls.function"),
        ([START, end(usage={"tokens": {"input_tokens": 0.5}})],
         "$.delta.usage.tokens.input_tokens"),
        ([event("message-start")], "$.delta"),
    ],
)  # fmt: skip
def test_content_that_has_no_place(events: list[Event], path: str) -> None:
    """What is broken is never passed over: the error says where it is."""
    done = run(*events)

    assert isinstance(done.error, BadItemError)
    assert done.error.path == path


@pytest.mark.parametrize(
    "stray",
    [ServerSentEvent("message", '{"type": "con'), ServerSentEvent("content-delta", "a")],
)
def test_broken_objects(stray: ServerSentEvent) -> None:
    """Half an object is no unknown event: content would be lost."""
    assert isinstance(Run([frame(START), stray]).error, BadItemError)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "status", "message"),
    [
        (frame(end("ERROR")), 500, "ERROR"),
        (frame(end("ERROR", error="out of order")), 500, "out of order"),
        (frame(end("TIMEOUT")), 504, "TIMEOUT"),
        (frame(end("COMPLETE", error="but not quite")), 500, "but not quite"),
        (frame({"type": "error", "message": "oops"}), 500, "oops"),
        (frame({"type": "new", "error": {"message": "oops"}}), 500, "oops"),
        (ServerSentEvent("error", "oops"), 500, "oops"),
        (ServerSentEvent("error", '{"message": "oops"}'), 500, "oops"),
        (UnframedText('{"id": "r1", "message": "oops"}'), 500, "oops"),
        (UnframedText('{"error": "oops"}'), 500, "oops"),
    ],
)
def test_errors(report: Frame, status: int, message: str) -> None:
    """A failure is raised wherever it is reported, and the partial is kept."""
    done = Run([frame(START), *map(frame, content(0, "Hi")), report])

    assert isinstance(done.error, InBandError)
    assert done.error.status_code == status
    assert done.error.is_retryable
    assert message in str(done.error)
    assert done.message.text == "Hi"
    assert done.message.stop_reason == "incomplete"


@pytest.mark.parametrize("text", ['{"a": 1}', "[{}]", "{oops}"])
def test_other_unframed_text(text: str) -> None:
    """Unframed text that reports no failure is not passed over."""
    assert isinstance(Run([frame(START), UnframedText(text)]).error, BadItemError)


# --- recorded streams -----------------------------------------------------------------------------

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")
RECORDED = sorted(Path(CORPORA or "/nowhere", "recorded").glob("cohere-v2chat-*.sse"))

recorded = pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")
streams = pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)


def frames_of(body: bytes) -> list[Frame]:
    parser = CohereV2().framing.parser()
    return [*parser.feed(body), *parser.close()]


@recorded
def test_all_streams_are_there() -> None:
    """The corpora hold the streams that these tests are about."""
    assert len(RECORDED) == 2


@recorded
@streams
def test_message_is_the_sum_of_the_events(path: Path) -> None:
    """A recorded stream is whole, all of it is known, and it adds up to what its events say."""
    body = path.read_bytes()
    done = Run(frames_of(body))
    lines = [line for line in body.decode().splitlines() if line.startswith("data: {")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    pieces = [each.get("delta", {}).get("message", {}) for each in events]
    calls: dict[int, str] = {}
    for each, piece in zip(events, pieces, strict=True):
        if each["type"].startswith("tool-call-") and piece:
            arguments = piece["tool_calls"]["function"]["arguments"]
            calls[each["index"]] = calls.get(each["index"], "") + arguments

    assert done.error is None
    assert done.decoder.finished
    assert done.decoder.unknown_events == 0
    assert done.message.text == "".join(
        piece["content"]["text"] for piece in pieces if piece.get("content")
    )
    assert done.message.thinking == "".join(piece.get("tool_plan", "") for piece in pieces)
    assert [each.arguments for each in done.message.tool_calls] == list(calls.values())
    assert [each.input for each in done.message.tool_calls] == list(map(json.loads, calls.values()))
    assert done.message.provider_stop_reason == events[-1]["delta"]["finish_reason"]
    assert done.message.id == events[0]["id"]
    usage = events[-1]["delta"]["usage"]
    assert done.message.usage.output_tokens == usage["tokens"]["output_tokens"]
    assert (done.message.usage.input_tokens or 0) + (
        done.message.usage.cache_read_tokens or 0
    ) == usage["tokens"]["input_tokens"]


@recorded
@streams
def test_every_cut_is_noticed(path: Path) -> None:
    """Cut at any frame, or at any of many bytes, the stream is truncated and has no half call."""
    body = path.read_bytes()
    frames = frames_of(body)
    calls = Run(frames).message.tool_calls
    ended = body.index(b"event: message-end")
    cuts = [frames[:count] for count in range(len(frames) - 1)]
    cuts += [frames_of(body[:place]) for place in range(0, ended, ended // 50)]

    for cut in cuts:
        done = Run(cut)
        assert isinstance(done.error, StreamTruncatedError)
        assert done.message.stop_reason == "incomplete"
        finished = [item.part for item in done.items if isinstance(item, BlockFinished)]
        for part in (*done.message.parts, *finished):
            assert not isinstance(part, ToolCall) or part in calls
