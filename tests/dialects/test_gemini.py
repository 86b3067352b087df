"""Gemini, on hand-written streams: one for each rule of its decoder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from trio_stream.dialects.gemini import Gemini
from trio_stream.dialects.items import (
    BlockFinished,
    BlockStarted,
    CitationDelta,
    MediaDelta,
    MessageDelta,
    MessageItem,
    MessageStarted,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownEvent,
)
from trio_stream.dialects.message import (
    IncompleteToolCall,
    MediaPart,
    Message,
    ServerToolCall,
    ServerToolResult,
    TextPart,
    ThinkingPart,
    ToolCall,
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
from trio_stream.framing import Comment, ServerSentEvent, UnframedText
from trio_stream.testing import check_dialect

Json = dict[str, Any]
Frame = ServerSentEvent | Comment | UnframedText

# --- words to write streams with ------------------------------------------------------------------


def frame(chunk: object, event: str = "message") -> ServerSentEvent:
    return ServerSentEvent(event, json.dumps(chunk))


def candidate(*parts: Json, reason: str | None = None, index: int = 0, **fields: Any) -> Json:
    content: Json = {"content": {"role": "model", "parts": list(parts)}} if parts else {}
    stop = {} if reason is None else {"finishReason": reason}
    return content | stop | ({"index": index} if index else {}) | fields


def chunk(*parts: Json, reason: str | None = None, index: int = 0, **fields: Any) -> Json:
    return {"candidates": [candidate(*parts, reason=reason, index=index)]} | fields


def text(words: str, **fields: Any) -> Json:
    return {"text": words} | fields


def thought(words: str, **fields: Any) -> Json:
    return {"text": words, "thought": True} | fields


def call(name: str, args: Json | None = None, **fields: Any) -> Json:
    given: Json = {"name": name} | ({} if args is None else {"args": args})
    return {"functionCall": given | fields}


def more(*leaves: Json, **fields: Any) -> Json:
    return {"functionCall": ({"partialArgs": list(leaves)} if leaves else {}) | fields}


def leaf(path: str, value: str, *, goes_on: bool = False) -> Json:
    piece: Json = {"jsonPath": path, "stringValue": value}
    return piece | {"willContinue": True} if goes_on else piece


def blob(media_type: str, data: str, **fields: Any) -> Json:
    return {"inlineData": {"mimeType": media_type, "data": data}} | fields


STOP = chunk(reason="STOP")


class Run:
    """A stream, decoded frame by frame and then closed, and its message."""

    def __init__(self, stream: Sequence[Frame]) -> None:
        dialect = Gemini()
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


def run(*chunks: Json) -> Run:
    return Run([frame(each) for each in chunks])


def whole(*chunks: Json) -> Message:
    """The message of a stream that must be complete."""
    done = run(*chunks)
    assert done.error is None
    assert done.message.is_complete
    return done.message


def cut(*chunks: Json) -> Message:
    """The message of a stream that must be truncated."""
    done = run(*chunks)
    assert isinstance(done.error, StreamTruncatedError)
    assert done.message.stop_reason == "incomplete"
    return done.message


def bad(*chunks: Json) -> BadItemError:
    """The error of a stream whose last chunk must be refused."""
    done = run(*chunks)
    assert isinstance(done.error, BadItemError)
    return done.error


# --- the laws of a dialect ------------------------------------------------------------------------

TYPICAL = [
    chunk(
        thought("Hm, "),
        usageMetadata={"promptTokenCount": 9, "thoughtsTokenCount": 3},
        modelVersion="gemini-3",
        responseId="r1",
    ),
    chunk(thought("let me see.", thoughtSignature="c2ln"), text("The "), text("answer")),
    chunk(text(" is"), modelVersion="gemini-3", responseId="r1"),
    {"candidates": [candidate(text(" 4."), citationMetadata={"citations": [{"uri": "u"}]})]},
    chunk({"executableCode": {"language": "PYTHON", "code": "1"}}),
    chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
    chunk(call("add", {"a": 1}, id="c1") | {"thoughtSignature": "c2ln"}, call("now")),
    chunk(call("find", willContinue=True)),
    chunk(more(leaf("$.q", "x", goes_on=True), willContinue=True)),
    chunk(more(leaf("$.q", "y"), willContinue=True)),
    chunk(more()),
    chunk(blob("image/png", "aGk="), {"fileData": {"fileUri": "gs://f"}}),
    chunk({"weird": {}}, text("", thoughtSignature="c2ln")),
    {
        "candidates": [candidate(reason="STOP", groundingMetadata={"chunks": [1]})],
        "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 7},
        "promptFeedback": {"safetyRatings": []},
    },
]
SEVERAL = [
    {"candidates": [candidate(text("a")), candidate(text("b"), index=1)]},
    {"candidates": [candidate(call("f", {"x": 1}), index=1), candidate(text("A"))]},
    {"candidates": [candidate(reason="STOP"), candidate(reason="STOP", index=1)]},
]


@pytest.mark.parametrize("chunks", [TYPICAL, SEVERAL], ids=["typical", "several"])
def test_laws(chunks: list[Json]) -> None:
    """The laws of a dialect hold: batching, prefixes, tampered frames."""
    check_dialect(Gemini(), [frame(each) for each in chunks], max_splits=150)


def test_typical_stream() -> None:
    """A stream of everything becomes the message that it tells."""
    message = whole(*TYPICAL)

    assert message == Message(
        id="r1",
        model="gemini-3",
        parts=(
            ThinkingPart("Hm, "),
            ThinkingPart("let me see.", "c2ln"),
            TextPart("The answer is 4.", ({"uri": "u"},)),
            ServerToolCall("", "code_execution", {"language": "PYTHON", "code": "1"}),
            ServerToolResult("", "codeExecutionResult", {"outcome": "OUTCOME_OK", "output": "1"}),
            ToolCall("c1", "add", {"a": 1}),
            ToolCall("", "now", {}),
            ToolCall("", "find", {"q": "xy"}, '{"q":"xy"}'),
            MediaPart("image/png", data=("aGk=",)),
            MediaPart(uri="gs://f"),
            UnknownPart("weird", {"weird": {}}),
            TextPart(""),
        ),
        stop_reason="tool_use",
        provider_stop_reason="STOP",
        usage=Usage(9, 10, None, None),
        extra={
            "groundingMetadata": {"chunks": [1]},
            "promptFeedback": {"safetyRatings": []},
        },
    )
    assert run(*TYPICAL).decoder.unknown_events == 1


# --- ends -----------------------------------------------------------------------------------------


def test_reason_makes_it_whole() -> None:
    """After its finishReason the answer is whole, and the usage that follows is still read."""
    message = whole(chunk(text("Hi"), reason="STOP"), {"usageMetadata": {"promptTokenCount": 3}})

    assert message.text == "Hi"
    assert message.usage.input_tokens == 3


def test_nothing_says_that_it_ends() -> None:
    """The decoder never says that the stream is finished: only its end does."""
    assert not run(chunk(text("Hi"), reason="STOP")).decoder.finished


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [{"usageMetadata": {"promptTokenCount": 3}}],
        [{"promptFeedback": {}}],
        [chunk(text("Hi"))],
        [chunk(text("Hi"), reason="FINISH_REASON_UNSPECIFIED")],
        [chunk(call("f", {"a": 1}))],
        [{"candidates": [candidate(reason="STOP"), candidate(text("b"), index=1)]}],
        [chunk(text("only the second"), reason="STOP", index=1)],
    ],
)
def test_without_reason_it_is_truncated(chunks: list[Json]) -> None:
    """A stream that ends before the finishReason of every answer is truncated."""
    cut(*chunks)


def test_strict_is_the_same() -> None:
    """There is no terminal event that `strict` could wait for."""
    frames = [frame(chunk(text("Hi"), reason="STOP"))]
    dialect = Gemini(strict=True)
    decoder, assembler = dialect.decoder(), dialect.assembler()
    items: list[MessageItem] = []
    decoder.decode(frames, items)
    decoder.close()
    for item in items:
        assembler.fold(item)

    assert assembler.complete
    assert assembler.snapshot().is_complete
    assert "finishReason" in Gemini.completion.terminal_markers


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("STOP", "end_turn"),
        ("MAX_TOKENS", "max_tokens"),
        ("SAFETY", "refusal"),
        ("RECITATION", "refusal"),
        ("BLOCKLIST", "refusal"),
        ("PROHIBITED_CONTENT", "refusal"),
        ("SPII", "refusal"),
        ("IMAGE_SAFETY", "refusal"),
        ("MALFORMED_FUNCTION_CALL", "other"),
        ("UNEXPECTED_TOOL_CALL", "other"),
        ("NEWER_THAN_THIS", "other"),
    ],
)
def test_reasons(reason: str, word: str) -> None:
    """Each finishReason has its word, and is kept beside it."""
    message = whole(chunk(text("Hi")), chunk(reason=reason))

    assert message.stop_reason == word
    assert message.provider_stop_reason == reason


def test_stop_with_a_call_is_tool_use() -> None:
    """Gemini has no reason of its own for calls, so STOP becomes tool_use where there is one."""
    assert whole(chunk(call("f", {"a": 1})), STOP).stop_reason == "tool_use"
    assert whole(chunk(call("f", {"a": 1})), chunk(reason="SAFETY")).stop_reason == "refusal"
    # Also where the call comes after it.
    assert whole(STOP, chunk(call("f", {"a": 1}))).stop_reason == "tool_use"


def test_reason_with_every_chunk() -> None:
    """Parts may follow a reason: the answer goes on, and the last reason counts."""
    message = whole(chunk(text("a"), reason="STOP"), chunk(text("b"), reason="MAX_TOKENS"))

    assert message.text == "ab"
    assert message.stop_reason == "max_tokens"
    # What follows a reason and has none of its own is not whole.
    assert cut(chunk(text("a"), reason="STOP"), chunk(text("b"))).text == "ab"


def test_reason_is_told_once() -> None:
    """Chunks after the reason that have no news about it do not repeat it."""
    items = run(chunk(text("a"), reason="STOP"), chunk(text("")), chunk(text(""))).items

    assert [type(item) for item in items].count(MessageDelta) == 1


def test_blocked_prompt() -> None:
    """A prompt that is blocked has no answer: that is a refusal, and whole."""
    message = whole({"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": [1]}})

    assert message.stop_reason == "refusal"
    assert message.provider_stop_reason == "SAFETY"
    assert message.parts == ()
    assert message.extra["promptFeedback"]["safetyRatings"] == [1]
    assert cut({"promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}}).parts == ()


def test_block_inside_an_answer() -> None:
    """If an answer has begun, a block reason ends it, and a call in doubt is refused."""
    message = whole(chunk(text("Hi"), call("f")), {"promptFeedback": {"blockReason": "OTHER"}})

    assert message.stop_reason == "refusal"
    assert [type(part) for part in message.parts] == [TextPart, IncompleteToolCall]


# --- parts ----------------------------------------------------------------------------------------


def test_items_of_text() -> None:
    """Text becomes a block that the chunks continue, and the reason ends."""
    done = run(
        chunk(text("He"), responseId="r", modelVersion="m"), chunk(text("llo"), reason="STOP")
    )

    assert done.items == [
        MessageStarted("r", "m"),
        BlockStarted(0, TextPart(finished=False)),
        TextDelta(0, "He"),
        TextDelta(0, "llo"),
        BlockFinished(0, TextPart("Hello")),
        MessageDelta("end_turn", "STOP"),
    ]


def test_kinds_alternate() -> None:
    """A new kind opens a new block."""
    message = whole(chunk(thought("a"), thought("b"), text("c")), chunk(thought("d")), STOP)

    assert message.parts == (ThinkingPart("ab"), TextPart("c"), ThinkingPart("d"))


def test_thought_false_is_text() -> None:
    """A part that says that it is no thought is text like any other."""
    assert whole(chunk(text("a", thought=False), text("b")), STOP).parts == (TextPart("ab"),)


@pytest.mark.parametrize(
    "part",
    [{}, {"text": ""}, {"text": None}, {"thought": True}, {"text": "", "thought": True}],
)
def test_empty_parts_say_nothing(part: Json) -> None:
    """Parts without content neither begin nor end a block."""
    assert whole(chunk(text("a")), chunk(part), chunk(text("b")), STOP).parts == (TextPart("ab"),)


def test_fields_that_are_null() -> None:
    """A field that is null is not there, as some gateways write all of them."""
    nulls = {"functionCall": None, "inlineData": None, "thoughtSignature": None}
    chunks = [chunk(text("a") | nulls), chunk({"text": None} | nulls), chunk(text("b") | nulls)]

    assert whole(*chunks, STOP).parts == (TextPart("ab"),)


def test_part_that_is_two_in_one() -> None:
    """If a part breaks the rule to be one thing only, all of it counts."""
    message = whole(chunk(text("a")), chunk(text("b") | call("f", {"x": 1})), STOP)

    assert message.parts == (TextPart("ab"), ToolCall("", "f", {"x": 1}))
    assert whole(chunk(text("") | call("f")), STOP).parts == (ToolCall("", "f", {}),)


def test_part_with_nothing_but_metadata() -> None:
    """What stands beside no content is kept in an empty part of its own."""
    (part,) = whole(chunk({"partMetadata": {"a": 1}}), STOP).parts

    assert part == TextPart("")
    assert isinstance(part, TextPart)
    assert part.raw == {"partMetadata": {"a": 1}}


@pytest.mark.parametrize("content", [{}, {"role": "model"}, {"parts": []}, {"parts": None}, None])
def test_empty_content(content: Json | None) -> None:
    """A candidate may have nothing in it."""
    assert whole({"candidates": [{"content": content}]}, STOP).parts == ()


def test_signed_parts_are_not_joined() -> None:
    """A part with a signature stands alone, with the signature in `raw`, even without text."""
    message = whole(
        chunk(text("a"), text("b", thoughtSignature="s1"), text("c")),
        chunk(text("", thoughtSignature="s2"), {"thoughtSignature": "s3"}),
        chunk(thought("d"), thought("", thoughtSignature="s4"), thought("e")),
        STOP,
    )

    assert message.parts == (
        TextPart("a"),
        TextPart("b"),
        TextPart("c"),
        TextPart(""),
        TextPart(""),
        ThinkingPart("d"),
        ThinkingPart("", "s4"),
        ThinkingPart("e"),
    )
    signatures = [part.raw.get("thoughtSignature") for part in message.parts]  # type: ignore[union-attr]
    assert signatures == [None, "s1", None, "s2", "s3", None, "s4", None]
    assert message.text == "abc"


def test_items_of_a_signed_part() -> None:
    """A signed part is told whole: start, text, end."""
    assert run(chunk(thought("x", thoughtSignature="s"))).items == [
        MessageStarted(),
        BlockStarted(0, ThinkingPart("", "s", finished=False)),
        ThinkingDelta(0, "x"),
        BlockFinished(0, ThinkingPart("x", "s")),
    ]


def test_media() -> None:
    """Each image is a part of its own, kept as it was sent and not twice."""
    data = "aGk="
    first, second, note = whole(
        chunk(blob("image/png", data, thoughtSignature="s"), blob("image/png", data), text("!")),
        STOP,
    ).parts

    assert first == second == MediaPart("image/png", data=(data,))
    assert isinstance(first, MediaPart)
    assert first.raw == {"inlineData": {"mimeType": "image/png"}, "thoughtSignature": "s"}
    assert note == TextPart("!")


def test_sound_goes_on() -> None:
    """Sound comes in pieces of one part; another type, or anything else, begins another."""
    pcm, mp3 = "audio/L16;rate=24000", "audio/mp3"
    done = run(chunk(blob(pcm, "MQ==")), chunk(blob(pcm, "Mg==")), chunk(blob(mp3, "Mw==")), STOP)

    assert done.message.parts == (
        MediaPart(pcm, data=("MQ==", "Mg==")),
        MediaPart(mp3, data=("Mw==",)),
    )
    assert [item for item in done.items if isinstance(item, MediaDelta)] == [
        MediaDelta(0, "MQ=="),
        MediaDelta(0, "Mg=="),
        MediaDelta(1, "Mw=="),
    ]


def test_code() -> None:
    """Code that the provider runs is its own call, and its result; IDs are kept if there are."""
    message = whole(
        chunk(
            {"executableCode": {"id": "e1", "language": "PYTHON", "code": "1"}},
            {"codeExecutionResult": {"id": "e1", "outcome": "OUTCOME_OK"}},
            {"toolCall": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"q": "x"}}},
            {"toolResponse": {"id": "t1", "toolType": "GOOGLE_SEARCH_WEB", "response": {"a": 1}}},
        ),
        STOP,
    )

    assert message.parts == (
        ServerToolCall("e1", "code_execution", {"language": "PYTHON", "code": "1"}),
        ServerToolResult("e1", "codeExecutionResult", {"id": "e1", "outcome": "OUTCOME_OK"}),
        ServerToolCall("t1", "GOOGLE_SEARCH_WEB", {"q": "x"}),
        ServerToolResult("t1", "GOOGLE_SEARCH_WEB", {"a": 1}),
    )
    assert message.stop_reason == "end_turn"
    assert message.tool_calls == ()


# --- function calls -------------------------------------------------------------------------------


def test_call_is_handed_out_at_once() -> None:
    """A call comes whole, and is final in the items of its chunk."""
    done = run(chunk(call("f", {"a": {"b": [1]}}, id="c1") | {"thoughtSignature": "s"}))

    start = IncompleteToolCall("c1", "f")
    final = ToolCall("c1", "f", {"a": {"b": [1]}})
    assert done.items == [MessageStarted(), BlockStarted(0, start), BlockFinished(0, final)]
    (part,) = done.message.parts
    assert isinstance(part, ToolCall)
    assert part.raw["thoughtSignature"] == "s"
    assert part.raw["functionCall"]["id"] == "c1"


def test_parallel_calls_without_ids() -> None:
    """Calls without an ID, even equal ones, stay apart, and no ID is made up."""
    message = whole(chunk(call("f", {"a": 1}), call("f", {"a": 1})), chunk(call("f")), STOP)

    assert message.parts == (
        ToolCall("", "f", {"a": 1}),
        ToolCall("", "f", {"a": 1}),
        ToolCall("", "f", {}),
    )


@pytest.mark.parametrize("args", [None, {}])
@pytest.mark.parametrize("late", [False, True])
def test_call_without_arguments(args: Json | None, *, late: bool) -> None:
    """It is a call if the model went on or stopped by itself, and none if it was cut there."""

    def after(reason: str) -> Message:
        chunks = [chunk(call("f", args)), chunk(reason=reason)]
        return whole(*chunks) if late else whole(chunk(call("f", args), reason=reason))

    assert after("STOP").parts == (ToolCall("", "f", {}),)
    for reason in ("MAX_TOKENS", "MALFORMED_FUNCTION_CALL", "SAFETY"):
        (part,) = after(reason).parts
        assert part == IncompleteToolCall(
            "", "f", error="no arguments came, and the model was cut off"
        )
    assert whole(chunk(call("f", args), text("!")), chunk(reason="MAX_TOKENS")).tool_calls == (
        ToolCall("", "f", {}),
    )
    assert cut(chunk(call("f", args))).tool_calls == ()


def test_arguments_before_a_limit_are_whole() -> None:
    """Arguments that came as a value cannot have been cut."""
    message = whole(chunk(call("f", {"a": 1}), reason="MAX_TOKENS"))

    assert message.tool_calls == (ToolCall("", "f", {"a": 1}),)
    assert message.stop_reason == "max_tokens"


STREAMED = [
    chunk(call("f", id="c1", willContinue=True) | {"thoughtSignature": "s"}),
    chunk(more(leaf("$.a", "x", goes_on=True), willContinue=True)),
    chunk(more(leaf("$.a", ""), willContinue=True)),
    chunk(more(willContinue=True)),
    chunk(more({"jsonPath": "$.b[0].c", "numberValue": 0.5}, willContinue=True)),
    chunk(more()),
]


def test_streamed_arguments() -> None:
    """Arguments in pieces become the text that they amount to, and a call at their end."""
    done = run(*STREAMED)

    arguments = '{"a":"x","b":[{"c":0.5}]}'
    assert done.items == [
        MessageStarted(),
        BlockStarted(0, IncompleteToolCall("c1", "f")),
        ToolInputDelta(0, '{"a":"x'),
        ToolInputDelta(0, '"'),
        ToolInputDelta(0, ',"b":[{"c":0.5'),
        ToolInputDelta(0, "}]}"),
        BlockFinished(0, ToolCall("c1", "f", {"a": "x", "b": [{"c": 0.5}]}, arguments)),
    ]
    (part,) = done.message.parts
    assert isinstance(part, ToolCall)
    assert part.raw["thoughtSignature"] == "s"


def test_preview_of_streamed_arguments() -> None:
    """While they come, the arguments can be looked at."""
    (part,) = cut(*STREAMED[:5]).parts

    assert isinstance(part, IncompleteToolCall)
    assert part.preview == {"a": "x", "b": [{}]}


def test_last_piece_may_end_the_call() -> None:
    """A piece that does not say willContinue is the last; an end told again adds nothing."""
    once = [
        chunk(call("f", willContinue=True)),
        chunk(more({"jsonPath": "$.a", "numberValue": 1})),
    ]
    for chunks in (
        [*once, STOP],
        [*once, chunk(more()), STOP],
        [*once, chunk(more(), reason="STOP")],
    ):
        assert whole(*chunks).parts == (ToolCall("", "f", {"a": 1}, '{"a":1}'),)


def test_streamed_calls_follow_each_other() -> None:
    """A name begins the next call, be it the same name."""
    message = whole(
        chunk(call("f", willContinue=True)),
        chunk(more(leaf("$.a", "1"), willContinue=True)),
        chunk(more()),
        chunk(call("f", willContinue=True)),
        chunk(more(leaf("$.a", "2"))),
        chunk(call("g", willContinue=True)),
        chunk(more()),
        STOP,
    )

    assert message.tool_calls == (
        ToolCall("", "f", {"a": "1"}, '{"a":"1"}'),
        ToolCall("", "f", {"a": "2"}, '{"a":"2"}'),
        ToolCall("", "g", {}),
    )


@pytest.mark.parametrize(
    "then",
    [
        [chunk(text("!")), STOP],
        [STOP],
        [chunk(call("f", willContinue=True)), chunk(more()), STOP],
        [chunk(reason="MAX_TOKENS")],
    ],
)
def test_call_that_is_not_continued(then: list[Json]) -> None:
    """A call whose rest does not come as announced is refused, and never glued to another."""
    message = whole(
        chunk(call("f", willContinue=True)),
        chunk(more(leaf("$.a", "1"), willContinue=True)),
        *then,
    )

    assert message.parts[0] == IncompleteToolCall(
        "", "f", '{"a":"1"', "the rest of the arguments did not come"
    )
    assert all(each.arguments == "" for each in message.tool_calls)


def test_string_that_has_no_end() -> None:
    """If the call ends inside a string, its arguments are no JSON: refused."""
    (part,) = whole(
        chunk(call("f", willContinue=True)), chunk(more(leaf("$.a", "1", goes_on=True))), STOP
    ).parts

    assert isinstance(part, IncompleteToolCall)
    assert part.error.startswith("the arguments are not JSON")


def test_name_and_id_repeated() -> None:
    """With the ID of the open call, a repeated name continues it."""
    message = whole(
        chunk(call("f", id="c1", willContinue=True)),
        chunk(call("f", id="c1", partialArgs=[leaf("$.a", "1")], willContinue=True)),
        chunk({"functionCall": {"id": "c1"}, "thoughtSignature": "late"}),
        STOP,
    )

    (part,) = message.parts
    assert part == ToolCall("c1", "f", {"a": "1"}, '{"a":"1"}')
    assert isinstance(part, ToolCall)
    assert part.raw["thoughtSignature"] == "late"


def test_arguments_at_the_end_of_a_streamed_call() -> None:
    """Arguments given as a value count, even after an announcement."""
    for pieces in ([], [chunk(more(leaf("$.a", "1"), willContinue=True))]):
        message = whole(
            chunk(call("f", willContinue=True)),
            *pieces,
            chunk({"functionCall": {"args": {"a": "1"}}}),
            STOP,
        )
        assert [each.input for each in message.tool_calls] == [{"a": "1"}]


# --- the message ----------------------------------------------------------------------------------


def test_usage_is_disjoint() -> None:
    """Cached tokens are taken out of the input, prompts of tools and thoughts are added."""
    report = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 30,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 7,
        "thoughtsTokenCount": 11,
        "totalTokenCount": 123,
    }

    usage = whole(STOP | {"usageMetadata": report}).usage

    assert usage == Usage(75, 18, 30, None)
    assert usage.raw == report


@pytest.mark.parametrize(
    ("report", "usage"),
    [
        ({}, Usage()),
        ({"trafficType": "ON_DEMAND"}, Usage()),
        ({"promptTokenCount": 0, "candidatesTokenCount": 0}, Usage(0, 0)),
        ({"thoughtsTokenCount": 4}, Usage(None, 4)),
        ({"toolUsePromptTokenCount": 4}, Usage(4)),
        ({"promptTokenCount": 1, "cachedContentTokenCount": 2}, Usage(0, None, 2)),
    ],
)
def test_usage_that_says_little(report: Json, usage: Usage) -> None:
    """What is absent stays unknown, zero stays zero, and nothing becomes negative."""
    assert whole(STOP | {"usageMetadata": report}).usage == usage


def test_usage_in_several_reports() -> None:
    """Reports are totals; where a newer one is silent, the older figure stands."""
    done = run(
        chunk(text("a"), usageMetadata={"promptTokenCount": 9, "thoughtsTokenCount": 3}),
        chunk(text("b"), usageMetadata={"promptTokenCount": 9, "thoughtsTokenCount": 3}),
        chunk(reason="STOP", usageMetadata={"candidatesTokenCount": 4}),
    )

    assert done.message.usage == Usage(9, 7)
    assert [item.usage for item in done.items if isinstance(item, MessageDelta)] == [
        None,
        Usage(9, 7),
    ]


def test_facts_that_come_late_or_change() -> None:
    """A model that changes is told; an ID that comes late is kept, as are unknown fields."""
    message = whole(
        {"modelVersion": "m1", "createTime": "t1"},
        chunk(text("a"), modelVersion="m2", responseId="r1", createTime="t1"),
        STOP | {"modelVersion": "m2", "responseId": "r1", "createTime": "t2", "new": None},
    )

    assert message.model == "m2"
    assert message.extra == {"responseId": "r1", "createTime": "t2"}


def test_metadata() -> None:
    """Of metadata that comes whole the newest counts; what comes in pieces is put together."""
    message = whole(
        {"candidates": [candidate(text("a"), safetyRatings=[1], avgLogprobs=-1)]},
        {
            "candidates": [
                candidate(
                    text("b"),
                    safetyRatings=[1],
                    groundingMetadata={"webSearchQueries": ["q"], "groundingChunks": [1]},
                    logprobsResult={"chosenCandidates": [1]},
                )
            ]
        },
        {
            "candidates": [
                candidate(
                    text("c"),
                    safetyRatings=[2],
                    groundingMetadata={"groundingChunks": [2], "imageSearchQueries": ["i"]},
                    logprobsResult={"chosenCandidates": [2, 3]},
                )
            ]
        },
        {
            "candidates": [
                candidate(
                    groundingMetadata={"groundingChunks": [1, 2, 3]},
                    urlContextMetadata=None,
                    reason="STOP",
                )
            ]
        },
    )

    assert message.text == "abc"
    assert message.extra == {
        "safetyRatings": [2],
        "avgLogprobs": -1,
        "groundingMetadata": {
            "webSearchQueries": ["q"],
            "groundingChunks": [1, 2, 3],
            "imageSearchQueries": ["i"],
        },
        "logprobsResult": {"chosenCandidates": [1, 2, 3]},
    }


def test_metadata_after_the_reason() -> None:
    """Metadata that comes after the reason is told when it comes."""
    message = whole(STOP, {"candidates": [candidate(groundingMetadata={"a": [1]})]})

    assert message.extra == {"groundingMetadata": {"a": [1]}}


def test_citations() -> None:
    """Citations go with the open text; where none is open, with the message."""
    done = run(
        {"candidates": [candidate(text("a"), citationMetadata={"citationSources": [1]})]},
        {"candidates": [candidate(citationMetadata={"citations": [2]})]},
        {"candidates": [candidate(call("f", {"a": 1}), citationMetadata={"citations": [3]})]},
        {"candidates": [candidate(reason="STOP", citationMetadata={"citations": [4]})]},
    )

    assert done.message.parts[0] == TextPart("a", (1, 2, 3))
    assert done.message.extra == {"citationMetadata": {"citations": [4]}}
    assert [item for item in done.items if isinstance(item, CitationDelta)] == [
        CitationDelta(0, 1),
        CitationDelta(0, 2),
        CitationDelta(0, 3),
    ]


def test_several_answers() -> None:
    """Each candidate is an answer of its own, with its parts, reason and metadata."""
    done = run(
        {"candidates": [candidate(text("a")), candidate(text("b"), index=1, tokenCount=3)]},
        {"candidates": [candidate(text("B"), index=1), candidate(call("f", {"x": 1}))]},
        {"candidates": [candidate(index=1, reason="MAX_TOKENS")], "modelVersion": "m"},
        STOP,
    )

    assert done.error is None
    assert done.message.parts == (TextPart("a"), ToolCall("", "f", {"x": 1}))
    assert done.message.stop_reason == "tool_use"
    (other,) = done.message.alternatives
    assert other.parts == (TextPart("bB"),)
    assert other.stop_reason == "max_tokens"
    assert done.message.extra == {"candidates[1].tokenCount": 3}


# --- what is tolerated, and what is not -----------------------------------------------------------


@pytest.mark.parametrize("data", ["[DONE]", "{}", '{"new": 1}', "null", "[]", "", "hello", "[1]"])
def test_unknown_frames_are_kept(data: str) -> None:
    """A frame with nothing known in it is kept and counted, and fails nothing."""
    done = Run([frame(chunk(text("a"))), ServerSentEvent("message", data), frame(STOP)])

    assert done.error is None
    assert UnknownEvent("message", data) in done.items
    assert done.decoder.unknown_events == 1
    assert done.message.text == "a"


@pytest.mark.parametrize(
    ("chunks", "path"),
    [
        ([{"candidates": {}}], "$.candidates"),
        ([{"candidates": [1]}], "$.candidates[0]"),
        ([{"candidates": [{"index": "0"}]}], "$.candidates[0].index"),
        ([{"candidates": [{"index": -1}]}], "$.candidates[0].index"),
        ([{"candidates": [{"content": []}]}], "$.candidates[0].content"),
        ([{"candidates": [{"content": {"parts": {}}}]}], "$.candidates[0].content.parts"),
        ([chunk({"text": 1})], "$.candidates[0].content.parts[0].text"),
        ([chunk({"functionCall": 1})], "$.candidates[0].content.parts[0].functionCall"),
        ([chunk(call("f", args=[]))], "$.candidates[0].content.parts[0].functionCall.args"),
        (
            [chunk({"functionCall": {"args": {"a": 1}}})],
            "$.candidates[0].content.parts[0].functionCall.name",
        ),
        (
            [chunk(call("f", id="1", willContinue=True)), chunk(more(id="2"))],
            "$.candidates[0].content.parts[0].functionCall.id",
        ),
        (
            [chunk(call("f", willContinue=True)), chunk(more(leaf("$.a", "1"), leaf("$.a", "2")))],
            "$.candidates[0].content.parts[0].functionCall.partialArgs[1].jsonPath",
        ),
        ([chunk({"inlineData": {}})], "$.candidates[0].content.parts[0].inlineData.data"),
        ([chunk({"fileData": {}})], "$.candidates[0].content.parts[0].fileData.fileUri"),
        ([chunk({"toolCall": {}})], "$.candidates[0].content.parts[0].toolCall.toolType"),
        ([{"candidates": [{"finishReason": 1}]}], "$.candidates[0].finishReason"),
        ([{"usageMetadata": {"promptTokenCount": "9"}}], "$.usageMetadata.promptTokenCount"),
    ],
)
def test_content_that_has_no_place(chunks: list[Json], path: str) -> None:
    """What is broken is never passed over: the error says where it is."""
    assert bad(*chunks).path == path


def test_broken_object() -> None:
    """Half an object is no unknown event: content would be lost."""
    done = Run([frame(chunk(text("a"))), ServerSentEvent("message", '{"candidates": [')])

    assert isinstance(done.error, BadItemError)
    assert done.message.text == "a"


def test_frame_is_read_whole_or_not_at_all() -> None:
    """Of a chunk that is broken at its end, no item is handed out."""
    done = run(chunk(text("a")), chunk(text("b"), {"text": 1}))

    assert isinstance(done.error, BadItemError)
    assert done.message.text == "a"


def test_deep_nesting() -> None:
    """However deep what is repeated is nested, it is read or refused: nothing else is raised."""
    for depth in (*range(700, 1000), 100_000):
        deep = ServerSentEvent("message", '{"createTime": ' + depth * "[" + depth * "]" + "}")
        done = Run([frame(chunk(text("a"))), deep, deep, frame(STOP)])

        assert done.error is None or isinstance(done.error, BadItemError)


# --- errors ---------------------------------------------------------------------------------------

ERROR: Json = {
    "error": {
        "code": 429,
        "message": "Slow down.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "req-1"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"},
            1,
        ],
    }
}


@pytest.mark.parametrize(
    "report",
    [
        frame(ERROR),
        frame(ERROR, "error"),
        frame([ERROR]),
        UnframedText(json.dumps(ERROR, indent=2)),
        UnframedText(json.dumps([ERROR])),
    ],
)
def test_error(report: Frame) -> None:
    """An error is reported with its status wherever it comes, and the partial is kept."""
    done = Run([frame(chunk(text("Hi"))), report])

    assert isinstance(done.error, InBandError)
    assert done.error.kind == "RESOURCE_EXHAUSTED"
    assert done.error.status_code == 429
    assert done.error.error_type is StreamErrorType.RATE_LIMITED
    assert done.error.is_retryable
    assert done.error.retry_after == 34.5
    assert done.error.request_id == "req-1"
    assert "Slow down." in str(done.error)
    assert done.message.text == "Hi"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"status": "UNAVAILABLE"}, 503),
        ({"status": "INVALID_ARGUMENT", "code": 3}, 400),
        ({"status": "NEW", "code": 200}, 500),
        ({"code": True, "status": 1, "message": 2, "details": {}}, 500),
        ({"code": 404, "details": [{"retryDelay": "1e9s"}]}, 404),
        ("out of order", 500),
        (["?"], 500),
    ],
)
def test_error_that_says_little(error: object, status: int) -> None:
    """A broken report is a report: the status is its own, that of its word, or 500."""
    done = run({"error": error})

    assert isinstance(done.error, InBandError)
    assert done.error.status_code == status
    assert done.error.retry_after is None


@pytest.mark.parametrize("data", ["", "oops", "null", "{}", "[]"])
def test_error_event(data: str) -> None:
    """An event that is called error is one, whatever it holds."""
    done = Run([ServerSentEvent("error", data)])

    assert isinstance(done.error, InBandError)


def test_error_after_the_reason() -> None:
    """An error that follows a whole answer is still an error."""
    assert isinstance(run(chunk(text("Hi"), reason="STOP"), ERROR).error, InBandError)


def test_comments_say_nothing() -> None:
    """Comments are passed over."""
    done = Run([Comment("ping"), frame(chunk(text("Hi"), reason="STOP"))])

    assert done.error is None
    assert done.message.text == "Hi"
