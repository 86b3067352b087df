"""Ollama's chat and generation, on hand-written streams and recorded ones."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    IncompleteToolCall,
    MediaPart,
    Message,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    UnknownEvent,
    Usage,
)
from trio_stream.dialects.ollama import OllamaChat
from trio_stream.errors import BadItemError, InBandError, StreamError, StreamTruncatedError
from trio_stream.framing import NDJSON, NDJSONParser, Record
from trio_stream.testing import check_dialect

Line = dict[str, Any]

# --- words to write streams with -----------------------------------------------------------------

HEAD: Line = {"model": "qwen3", "created_at": "2025-05-19T09:26:59Z"}
COUNTS: Line = {"prompt_eval_count": 17, "eval_count": 5}


def chat(content: str = "", **message: Any) -> Line:
    return HEAD | {"message": {"role": "assistant", "content": content} | message, "done": False}


def generate(response: str = "", **fields: Any) -> Line:
    return HEAD | {"response": response, "done": False} | fields


def done(line: Line | None = None, reason: str | None = "stop", **fields: Any) -> Line:
    told = {} if reason is None else {"done_reason": reason}
    return (chat() if line is None else line) | {"done": True} | told | COUNTS | fields


def call(name: str = "add", arguments: Any = None, **fields: Any) -> Line:
    return {"function": {"name": name, "arguments": arguments}} | fields


def records(lines: Sequence[Line]) -> list[Record]:
    return [Record(json.dumps(line)) for line in lines]


class Run:
    """A stream, decoded frame by frame and then closed, and its message."""

    def __init__(self, stream: Sequence[Record]) -> None:
        dialect = OllamaChat()
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


def run(*lines: Line) -> Run:
    return Run(records(lines))


def whole(*lines: Line) -> Run:
    result = run(*lines)
    assert result.error is None
    assert result.decoder.finished
    assert result.assembler.complete
    return result


EVERYTHING: list[Line] = [
    chat(thinking="Let me "),
    chat(thinking="see."),
    chat("It is "),
    chat("4."),
    chat(tool_calls=[call("add", {"x": 1}), call("add", {"x": 2}, id="call_2")]),
    chat("And"),
    chat(images=["QUJD"]),
    done(total_duration=7, load_duration=1),
]

# --- whole messages ------------------------------------------------------------------------------


def test_everything_becomes_one_message() -> None:
    """Thoughts, texts, calls and images become parts in order, with the reason and the cost."""
    result = whole(*EVERYTHING)

    assert result.decoder.unknown_events == 0
    assert result.message == Message(
        model="qwen3",
        parts=(
            ThinkingPart("Let me see."),
            TextPart("It is 4."),
            ToolCall("", "add", {"x": 1}),
            ToolCall("call_2", "add", {"x": 2}),
            TextPart("And"),
            MediaPart(data=("QUJD",)),
        ),
        stop_reason="tool_use",
        provider_stop_reason="stop",
        usage=Usage(17, 5),
        extra={"created_at": "2025-05-19T09:26:59Z", "total_duration": 7, "load_duration": 1},
    )
    assert result.message.usage.raw == COUNTS


def test_items_tell_the_same_story() -> None:
    """Blocks begin with their first text, end when another thing comes, and calls come whole."""
    result = whole(
        chat(""),
        chat(thinking="hm"),
        chat("", thinking=""),
        chat("a", thinking="!"),
        chat("b", tool_calls=[call("add", {"x": 1})]),
        done(chat("c")),
    )

    assert result.items == [
        MessageStarted(model="qwen3", extra={"created_at": HEAD["created_at"]}),
        BlockStarted(0, ThinkingPart(finished=False)),
        ThinkingDelta(0, "hm"),
        ThinkingDelta(0, "!"),
        BlockFinished(0, ThinkingPart("hm!")),
        BlockStarted(1, TextPart(finished=False)),
        TextDelta(1, "a"),
        TextDelta(1, "b"),
        BlockFinished(1, TextPart("ab")),
        BlockStarted(2, IncompleteToolCall("", "add")),
        BlockFinished(2, ToolCall("", "add", {"x": 1})),
        BlockStarted(3, TextPart(finished=False)),
        TextDelta(3, "c"),
        BlockFinished(3, TextPart("c")),
        MessageDelta("tool_use", "stop", usage=Usage(17, 5)),
        MessageFinished(),
    ]


def test_generation() -> None:
    """A generation has its text in ``response``, its thoughts beside it, and a context."""
    result = whole(
        generate("", thinking="hm"),
        generate("It is "),
        generate("4."),
        done(generate(""), context=[1, 2], total_duration=7),
    )

    assert result.message == Message(
        model="qwen3",
        parts=(ThinkingPart("hm"), TextPart("It is 4.")),
        stop_reason="end_turn",
        provider_stop_reason="stop",
        usage=Usage(17, 5),
        extra={"created_at": HEAD["created_at"], "context": [1, 2], "total_duration": 7},
    )


@pytest.mark.parametrize("line", [chat("Hi"), generate("Hi")])
def test_answer_in_one_line(line: Line) -> None:
    """An answer that was not streamed is a stream of one line."""
    result = whole(done(line, total_duration=7))

    assert result.message.parts == (TextPart("Hi"),)
    assert result.message.extra == {"created_at": HEAD["created_at"], "total_duration": 7}
    assert result.items[-2:] == [
        MessageDelta("end_turn", "stop", usage=Usage(17, 5)),
        MessageFinished(),
    ]


def test_what_the_last_line_adds() -> None:
    """What the last line says of the whole message is told once, with its end."""
    result = whole(chat("Hi"), done(total_duration=7))

    assert result.items[2:] == [
        TextDelta(0, "Hi"),
        BlockFinished(0, TextPart("Hi")),
        MessageDelta("end_turn", "stop", usage=Usage(17, 5)),
        MessageFinished({"total_duration": 7}),
    ]


@pytest.mark.parametrize(
    ("reason", "word", "kept"),
    [
        ("stop", "end_turn", "stop"),
        ("length", "max_tokens", "length"),
        ("load", "other", "load"),
        ("", "other", None),
        (None, "other", None),
    ],
)
def test_stop_reasons(reason: str | None, word: str, kept: str | None) -> None:
    """Each reason has a shared word; an old server gives none, and the message is whole."""
    message = whole(chat("Hi"), done(reason=reason)).message

    assert (message.stop_reason, message.provider_stop_reason) == (word, kept)
    assert message.is_complete


def test_calls_make_the_stop_reason() -> None:
    """A turn that ends after calls waits for their results; one that was cut off was cut off."""
    with_calls = chat(tool_calls=[call("add", {})])

    assert whole(with_calls, done()).message.stop_reason == "tool_use"
    assert whole(with_calls, done(reason="length")).message.stop_reason == "max_tokens"
    assert whole(done(with_calls)).message.stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"x": [1]}, ToolCall("", "add", {"x": [1]})),
        ({}, ToolCall("", "add", {})),
        (None, ToolCall("", "add", {})),
        ('{"x": 1}', ToolCall("", "add", {"x": 1}, '{"x": 1}')),
        ("", ToolCall("", "add", {})),
    ],
)
def test_arguments(arguments: Any, part: ToolCall) -> None:
    """Arguments are a value; servers that send them as a text are understood."""
    result = whole(chat(tool_calls=[call("add", arguments)]), done())

    assert result.message.parts == (part,)
    raw = result.message.tool_calls[0].raw
    assert raw == call("add", arguments)


def test_half_a_call_is_never_one() -> None:
    """A text of arguments that is not JSON is refused."""
    (part,) = whole(chat(tool_calls=[call("add", '{"x": ')]), done()).message.parts

    assert isinstance(part, IncompleteToolCall)
    assert part.arguments == '{"x": '
    assert "not JSON" in part.error


def test_usage() -> None:
    """Zero is a figure, absent is none; without any figure there is no news of the cost."""
    assert whole(done(prompt_eval_count=0)).message.usage == Usage(0, 5)
    bare = chat("Hi") | {"done": True, "done_reason": "stop"}

    assert whole(bare | {"eval_count": 3}).message.usage == Usage(None, 3)
    assert whole(bare).message.usage == Usage()
    assert MessageDelta("end_turn", "stop") in whole(bare).items


def test_extras_are_told_once() -> None:
    """A field without a place is an extra; only a new value of it is news."""
    cloud = {"remote_model": "m"}
    first, second = {"logprobs": [1]}, {"logprobs": [2]}
    result = whole(
        chat("a") | cloud | first, chat("b") | cloud | second, chat("c") | cloud, done() | cloud
    )

    assert [item.extra for item in result.items if isinstance(item, MessageDelta)] == [second, {}]
    assert result.message.extra == {"created_at": HEAD["created_at"]} | cloud | second


def test_extras_of_the_message() -> None:
    """So is a field inside of ``message``."""
    assert whole(chat("a", tool_name="x"), done()).message.extra["tool_name"] == "x"


# --- ends ----------------------------------------------------------------------------------------


def test_every_cut_is_noticed() -> None:
    """Without its last line a stream is truncated; it has no call but whole ones."""
    final = whole(*EVERYTHING).message
    for count in range(len(EVERYTHING)):
        result = run(*EVERYTHING[:count])

        assert isinstance(result.error, StreamTruncatedError)
        assert result.message.stop_reason == "incomplete"
        assert final.text.startswith(result.message.text)
        assert all(each in final.tool_calls for each in result.message.tool_calls)
    assert "before the message began" in str(run().error)
    assert "without its last line" in str(run(*EVERYTHING[:1]).error)


def test_nothing_is_read_after_the_last_line() -> None:
    """What follows ``"done": true``, in the same batch or a later one, is not read."""
    decoder = OllamaChat().decoder()
    items: list[MessageItem] = []
    decoder.decode([*records([done()]), Record("{"), *records([{"error": "x"}])], items)
    decoder.decode([Record("{")], items)
    decoder.close()

    assert decoder.finished
    assert type(items[-1]) is MessageFinished


@pytest.mark.parametrize("value", [False, None, 1, "true"])
def test_only_true_is_done(value: object) -> None:
    """Nothing but ``true`` ends the stream."""
    assert isinstance(run(chat("Hi") | {"done": value}).error, StreamTruncatedError)


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["the runner has gone", {"message": "the runner has gone"}])
def test_error_line(error: object) -> None:
    """A line that reports an error is one of the server's, with the partial message."""
    result = run(chat("Hi"), {"error": error}, done())

    assert isinstance(result.error, InBandError)
    assert str(result.error) == "the runner has gone"
    assert result.error.status_code == 500
    assert result.error.is_retryable
    assert result.error.payload == json.dumps({"error": error})
    assert result.message.parts == (TextPart("Hi", finished=False),)


def test_null_is_no_error() -> None:
    """A line of an answer that says that there is no error reports none."""
    result = whole(chat("Hi") | {"error": None}, done(error=None))

    assert result.message.text == "Hi"
    assert "error" not in result.message.extra


@pytest.mark.parametrize("error", [None, "", 7, [], {}, {"message": 7}])
def test_broken_error_line(error: object) -> None:
    """A broken report of a failure is still one."""
    result = run({"error": error})

    assert isinstance(result.error, InBandError)
    assert str(result.error) == json.dumps({"error": error})


# --- what is tolerated, and what is not ----------------------------------------------------------


@pytest.mark.parametrize("text", ["[DONE]", "[1]", "null", '"x"', "oops", "{}", '{"a": 1}'])
def test_stray_lines(text: str) -> None:
    """A line that is no line of an answer is kept and counted."""
    result = Run([*records([chat("a")]), Record(text), *records([chat("b"), done()])])

    assert result.error is None
    assert result.decoder.unknown_events == 1
    assert UnknownEvent("", text) in result.items
    assert result.message.parts == (TextPart("ab"),)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ({"message": []}, "$.message"),
        (chat() | {"message": {"content": 1}}, "$.message.content"),
        (chat(thinking=1), "$.message.thinking"),
        (generate() | {"response": []}, "$.response"),
        (chat(tool_calls={}), "$.message.tool_calls"),
        (chat(tool_calls=[1]), "$.message.tool_calls[0]"),
        (chat(tool_calls=[{}]), "$.message.tool_calls[0].function"),
        (chat(tool_calls=[call("a", {}), call(7, {})]), "$.message.tool_calls[1].function.name"),  # type: ignore[arg-type]
        (chat(tool_calls=[call("a", {}, id=7)]), "$.message.tool_calls[0].id"),
        (chat(images=[7]), "$.message.images[0]"),
        (done(reason=7), "$.done_reason"),  # type: ignore[arg-type]
        (done(eval_count="7"), "$.eval_count"),
    ],
)
def test_content_without_a_place_is_an_error(line: Line, path: str) -> None:
    """A field of the wrong kind is never dropped, and nothing of its line is handed out."""
    result = run(chat("Hi"), line)

    assert isinstance(result.error, BadItemError)
    assert result.error.path == path
    assert result.items == run(chat("Hi")).items


@pytest.mark.parametrize("text", ["{", '{"message": {"content": "Hi', '{"a":' * 100_000])
def test_broken_line(text: str) -> None:
    """A line that looks like an object and is not JSON is an error that carries it."""
    result = Run([Record(text)])

    assert isinstance(result.error, BadItemError)
    assert result.error.raw == text.encode()


def test_deep_extras() -> None:
    """Extras as deep as JSON can be read are compared without harm."""
    for depth in range(100, 1000, 20):
        text = json.dumps(chat("a"))[:-1] + ', "x": ' + depth * "[" + depth * "]" + "}"
        assert isinstance(Run([Record(text), Record(text)]).error, StreamError)


# --- laws ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [EVERYTHING, [generate("a", thinking="b"), generate("c"), done(generate("d"))]],
    ids=["chat", "generate"],
)
def test_laws(lines: list[Line]) -> None:
    """Batches, prefixes and the end are what a dialect promises; nothing crashes it."""
    expected = whole(*lines)

    check_dialect(
        OllamaChat(),
        records(lines),
        expected.message,
        expected_items=expected.items,
        max_splits=300,
    )
    check_dialect(OllamaChat(), records([chat("a"), {"error": "x"}]), raises=InBandError)


def test_framing() -> None:
    """The framing is newline-delimited JSON."""
    assert OllamaChat().framing == NDJSON()


def test_many_small_texts() -> None:
    """A text of 20,000 pieces is as good as one in one piece."""
    result = whole(*(chat("x") for _ in range(20_000)), done())

    assert result.message.text == 20_000 * "x"


# --- recorded streams ----------------------------------------------------------------------------

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")


@pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")
@pytest.mark.parametrize("name", ["ollama-apichat-2", "ollama-apigenerate-3"])
def test_recorded_stream(name: str) -> None:
    """A recorded stream is whole, nothing in it is unknown, and every cut is noticed."""
    parser = NDJSONParser()
    body = Path(CORPORA or "", "recorded", f"{name}.ndjson").read_bytes()
    frames = [*parser.feed(body), *parser.close()]
    lines = [frame.json() for frame in frames]
    result = Run(frames)

    assert result.error is None
    assert result.decoder.unknown_events == 0
    assert result.message.text == "".join(
        line["message"]["content"] if "message" in line else line["response"] for line in lines
    )
    assert result.message.stop_reason == "end_turn"
    assert result.message.usage == Usage(lines[-1]["prompt_eval_count"], lines[-1]["eval_count"])
    for count in range(len(frames)):
        assert isinstance(Run(frames[:count]).error, StreamTruncatedError)
    check_dialect(OllamaChat(), frames, result.message)
