"""OpenAI-like chat streams, written by hand: one for each rule of the decoder but for calls."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.chat_stream import (
    DONE,
    Chunk,
    Frame,
    Run,
    call,
    calls,
    choice,
    chunk,
    frame,
    run,
    says,
    stops,
    whole,
)
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
    MessageStarted,
    Ping,
    RefusalDelta,
    RefusalPart,
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
from trio_stream.dialects.openai_chat import OpenAIChat
from trio_stream.errors import (
    BadItemError,
    InBandError,
    StreamErrorType,
    StreamTruncatedError,
)
from trio_stream.framing import Comment, ServerSentEvent, UnframedText
from trio_stream.testing import check_dialect

USAGE = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}

# A stream with everything in it that is well-formed.
EVERYTHING: list[Chunk] = [
    says(role="assistant", content=""),
    says(reasoning_content="Let me "),
    says(reasoning_content="see."),
    says(content="It is "),
    says(content="4."),
    says(annotations=[{"type": "url_citation", "url_citation": {"url": "u"}}]),
    calls(call(0, "", "call_0", "add")),
    calls(call(0, '{"x": 1')),
    calls(call(0, ', "y": [2]}')),
    calls(call(1, "{}", "call_1", "now")),
    stops("tool_calls"),
    chunk(usage=USAGE),
]


# --- whole messages -----------------------------------------------------------------------------


def test_everything_becomes_one_message() -> None:
    """Text, thoughts and calls become parts, in order, and the message has its reason and cost."""
    result = run(*EVERYTHING, DONE)

    assert result.error is None
    assert result.decoder.unknown_events == 0
    assert result.decoder.skipped_items == 0
    assert result.message == Message(
        id="c_1",
        model="gpt-1",
        parts=(
            ThinkingPart("Let me see."),
            TextPart("It is 4.", ({"type": "url_citation", "url_citation": {"url": "u"}},)),
            ToolCall("call_0", "add", {"x": 1, "y": [2]}, '{"x": 1, "y": [2]}'),
            ToolCall("call_1", "now", {}, "{}"),
        ),
        stop_reason="tool_use",
        provider_stop_reason="tool_calls",
        usage=Usage(10, 4),
        extra={"created": 7},
    )


def test_items_tell_the_same_story() -> None:
    """The items follow the chunks one by one, in words of our own."""
    result = run(
        says(role="assistant", content=""),
        says(reasoning="hm"),
        says(content="Hi"),
        calls(call(0, '{"x"', "call_0", "add")),
        calls(call(0, ": 1}")),
        stops("tool_calls"),
        chunk(usage=USAGE),
        DONE,
    )

    assert result.items == [
        MessageStarted("c_1", "gpt-1", "assistant", extra={"created": 7}),
        BlockStarted(0, ThinkingPart(finished=False)),
        ThinkingDelta(0, "hm"),
        BlockFinished(0, ThinkingPart("hm")),
        BlockStarted(1, TextPart(finished=False)),
        TextDelta(1, "Hi"),
        BlockFinished(1, TextPart("Hi")),
        BlockStarted(2, IncompleteToolCall("call_0", "add")),
        ToolInputDelta(2, '{"x"'),
        ToolInputDelta(2, ": 1}"),
        BlockFinished(2, ToolCall("call_0", "add", {"x": 1}, '{"x": 1}')),
        MessageDelta("tool_use", "tool_calls"),
        MessageDelta(usage=Usage(10, 4)),
        MessageFinished(),
    ]


@pytest.mark.parametrize("ending", [[DONE], []])
def test_it_keeps_the_laws_of_a_dialect(ending: list[ServerSentEvent]) -> None:
    """Batching does not matter, no ending lies, and tampering raises nothing but our errors."""
    frames = [
        *(frame(each) for each in EVERYTHING),
        frame(chunk(choice(1, content="b"), choice(0, content="a"))),
        Comment("ping"),
        frame(chunk(choice(1, "stop", refusal="no"), choice(0, "length"))),
        *ending,
    ]

    check_dialect(OpenAIChat(), frames, max_splits=40)
    check_dialect(OpenAIChat(strict=True), frames, max_splits=20)


def test_nothing_is_read_after_the_marker() -> None:
    """What follows ``[DONE]``, in the same batch or a later one, is not read."""
    result = run(says(content="a"), stops(), DONE, says(content="b"), Comment("408: 408 x"))

    assert result.error is None
    assert result.message.text == "a"


def test_empty_deltas_are_no_news() -> None:
    """A delta that is null or empty, or repeats the role, begins no block and is no item."""
    result = whole(
        says(role="assistant", content=None, refusal=None, tool_calls=None),
        says(role="assistant", content="", reasoning_content="a"),
        says(role=None, content="", reasoning_content=None, function_call=None),
        says(role="assistant", content=None, reasoning_content="b", tool_calls=[]),
        chunk({"index": 0, "delta": None, "finish_reason": None}),
        chunk({"index": 0, "finish_reason": ""}),
        says(),
    )

    assert result.message.parts == (ThinkingPart("ab"),)
    assert [type(item) for item in result.items] == [
        MessageStarted,
        BlockStarted,
        ThinkingDelta,
        ThinkingDelta,
        BlockFinished,
        MessageDelta,
        MessageFinished,
    ]


def test_role_comes_from_the_first_chunk() -> None:
    """The role is that of the first delta, and ``assistant`` if it has none."""
    assert run(says(role="critic", content="a")).message.role == "critic"
    assert run(says(content="a")).message.role == "assistant"
    assert run(says(role="", content="a")).message.role == "assistant"


def test_id_may_come_late() -> None:
    """Azure's verdict on the prompt comes before the message has an ID, and is kept with it."""
    verdict = [{"prompt_index": 0, "content_filter_results": {}}]
    result = whole(
        {"choices": [], "id": "", "model": "", "object": "", "prompt_filter_results": verdict},
        says(content="a"),
    )

    assert result.message.id == "c_1"
    assert result.message.model == "gpt-1"
    assert result.message.extra == {"created": 7, "prompt_filter_results": verdict}


def test_model_may_change() -> None:
    """The model is the last that was named."""
    result = whole(says(content="a"), says(content="b") | {"model": "gpt-2"}, says(content="c"))

    assert result.items[0] == MessageStarted("c_1", "gpt-1", extra={"created": 7})
    assert MessageDelta(model="gpt-2") in result.items
    # The last chunk names the first again.
    assert result.message.model == "gpt-1"


def test_kinds_take_turns() -> None:
    """A block ends when one of another kind begins, and a new one begins when its kind returns."""
    result = whole(
        says(content="a"),
        says(reasoning="b"),
        says(content="c", reasoning="d"),
        says(content="e"),
    )

    assert result.message.parts == (TextPart("a"), ThinkingPart("bd"), TextPart("ce"))


# --- thoughts -----------------------------------------------------------------------------------


def test_same_thoughts_are_told_once() -> None:
    """Thoughts that stand in several fields of a delta are told once."""
    detail = {"type": "reasoning.text", "text": "a", "index": 0}
    result = whole(says(reasoning="a", reasoning_content="a", reasoning_details=[detail]))

    assert result.message.thinking == "a"


def test_reasoning_details_can_be_sent_back() -> None:
    """The pieces of the thoughts are joined and kept for the next request, seals included."""

    def text(piece: str, **more: Any) -> Chunk:
        return {"type": "reasoning.text", "text": piece, "index": 0, "format": "f", **more}

    seal = {"type": "reasoning.encrypted", "data": "x1", "id": "r1", "index": 1}
    result = whole(
        says(reasoning="Let me ", reasoning_details=[text("Let me ")]),
        says(reasoning="see.", reasoning_details=[text("see.", signature=None)]),
        says(content="", reasoning_details=[text("", signature="sig")]),
        says(reasoning_details=[seal]),
        says(content="4", reasoning_details=[]),
    )

    thought, _ = result.message.parts
    assert thought == ThinkingPart("Let me see.", "sig")
    assert isinstance(thought, ThinkingPart)
    assert thought.raw["reasoning_details"] == [text("Let me see.", signature="sig"), seal]
    assert thought.raw["reasoning"] == "Let me "
    assert SignatureDelta(0, "sig") in result.items


def test_details_that_differ_stay_apart() -> None:
    """Only the text of one and the same piece is joined."""
    details = [
        {"type": "reasoning.text", "text": "a", "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 1},
        {"type": "reasoning.encrypted", "data": "x"},
        {"type": "reasoning.encrypted", "data": "y"},
        {"type": "reasoning.text", "text": "c", "id": "1"},
        {"type": "reasoning.text", "text": "d", "id": "2"},
    ]
    result = whole(*(says(reasoning_details=[each]) for each in details))

    (thought,) = result.message.parts
    assert isinstance(thought, ThinkingPart)
    assert thought.raw == {"reasoning_details": details}
    assert thought.text == "abcd"


def test_details_alone_are_thoughts() -> None:
    """A server that sends nothing but details is read all the same; summaries are text too."""
    result = whole(
        says(reasoning_details=[{"type": "reasoning.text", "text": ""}]),
        says(content="", reasoning_details=[{"type": "reasoning.text", "text": "a"}]),
        says(content="", reasoning_details=[{"type": "reasoning.summary", "summary": "b"}]),
        says(content="c"),
    )

    thought, text = result.message.parts
    assert (thought, text) == (ThinkingPart("ab"), TextPart("c"))
    assert isinstance(thought, ThinkingPart)
    assert [each["type"] for each in thought.raw["reasoning_details"]] == [
        "reasoning.text",
        "reasoning.summary",
    ]


def test_thinking_blocks_can_be_sent_back() -> None:
    """The blocks that LiteLLM passes on are kept whole, with their signature."""
    result = whole(
        says(reasoning_content="a", thinking_blocks=[{"type": "thinking", "thinking": "a"}]),
        says(thinking_blocks=[{"type": "thinking", "thinking": "", "signature": "s"}]),
        says(thinking_blocks=[{"type": "redacted_thinking", "data": "x"}]),
    )

    (thought,) = result.message.parts
    assert thought == ThinkingPart("a", "s")
    assert isinstance(thought, ThinkingPart)
    assert thought.raw["thinking_blocks"] == [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
    ]


def test_thoughts_in_tags_stay_text() -> None:
    """``<think>`` tags are text: nobody can tell them from an answer about tags."""
    result = whole(says(content="<think>a</think>"), says(content="b"))

    assert result.message.parts == (TextPart("<think>a</think>b"),)


def test_content_may_be_a_list() -> None:
    """Mistral's typed pieces become parts of their kind; an unknown one is kept and counted."""
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    strange = {"type": "hologram", "url": "h"}
    result = whole(
        says(content=[thinking]),
        says(content=[thinking, {"type": "text", "text": "see "}, {"text": "it"}]),
        says(content=[{"type": "reference", "reference_ids": [1]}]),
        says(content=[{"type": "text", "text": ""}, {"type": "thinking", "thinking": ""}]),
        says(content=[{"type": "image_url", "image_url": "https://i"}, strange]),
    )

    assert result.message.parts == (
        ThinkingPart("hmhm"),
        TextPart("see it", ({"type": "reference", "reference_ids": [1]},)),
        MediaPart(uri="https://i"),
        UnknownPart("hologram", strange),
    )
    assert result.decoder.unknown_events == 1


# --- refusals, media, citations -----------------------------------------------------------------


def test_refusal_is_a_part_and_a_reason() -> None:
    """A refusal is kept apart from text, and is why the answer stopped, though it says ``stop``."""
    result = whole(says(refusal="I'm "), says(refusal="sorry"))

    assert result.message.parts == (RefusalPart("I'm sorry"),)
    assert result.message.refusal == "I'm sorry"
    assert result.message.text == ""
    assert result.message.stop_reason == "refusal"
    assert result.message.provider_stop_reason == "stop"
    assert RefusalDelta(0, "sorry") in result.items


def test_audio_is_kept_as_it_comes() -> None:
    """Sound comes in pieces, with its transcript, its ID and when it expires."""
    result = whole(
        says(audio={"id": "audio_1", "transcript": "He"}),
        says(audio={"data": "AAA="}),
        says(audio={"transcript": "llo", "data": "BBB="}),
        says(audio={"expires_at": 99}),
    )

    (part,) = result.message.parts
    assert part == MediaPart(id="audio_1", data=("AAA=", "BBB="), transcript="Hello")
    assert isinstance(part, MediaPart)
    assert part.raw == {"id": "audio_1", "expires_at": 99}
    assert MediaDelta(0, "BBB=", "llo") in result.items


def test_images_come_whole() -> None:
    """An image is kept as its data or as its address."""
    result = whole(
        says(content="Look: "),
        says(
            images=[
                {
                    "type": "image_url",
                    "index": 0,
                    "image_url": {"url": "data:image/png;base64,QQ=="},
                },
                {"type": "image_url", "image_url": {"url": "https://example.org/i"}},
            ]
        ),
        says(content="nice"),
    )

    assert result.message.parts == (
        TextPart("Look: "),
        MediaPart("image/png", data=("QQ==",)),
        MediaPart(uri="https://example.org/i"),
        TextPart("nice"),
    )


def test_citations_belong_to_the_text() -> None:
    """A citation goes to the open text, and begins one if there is none."""
    result = whole(says(annotations=[{"n": 1}]), says(content="a", annotations=[{"n": 2}]))

    assert result.message.parts == (TextPart("a", ({"n": 1}, {"n": 2})),)
    assert CitationDelta(0, {"n": 2}) in result.items


def test_tools_of_the_server_are_kept() -> None:
    """What Groq's own tools did is kept in its place."""
    tool = {"index": 0, "type": "search", "arguments": "{}", "output": "found"}
    result = whole(says(reasoning="a"), says(executed_tools=[tool]), says(content="b"))

    assert result.message.parts == (
        ThinkingPart("a"),
        UnknownPart("executed_tools", tool),
        TextPart("b"),
    )
    assert result.decoder.unknown_events == 0


# --- several answers ----------------------------------------------------------------------------


def test_several_answers_do_not_mix() -> None:
    """With ``n`` greater than 1, each answer has its own parts and its own reason."""
    result = run(
        chunk(choice(0, role="assistant"), choice(1, role="assistant")),
        chunk(choice(1, content="B")),
        chunk(choice(0, content="A"), choice(2, content="C")),
        chunk(choice(1, content="b")),
        chunk(choice(0, content="a")),
        chunk(choice(1, "length")),
        chunk(choice(2, tool_calls=[call(0, "{}", "c", "f")])),
        chunk(choice(0, "stop"), choice(2, "tool_calls"), usage=USAGE),
    )

    assert result.error is None
    first, second, third = result.message, *result.message.alternatives
    assert (first.text, second.text, third.text) == ("Aa", "Bb", "C")
    assert first.stop_reason == "end_turn"
    assert second.stop_reason == "max_tokens"
    assert third.stop_reason == "tool_use"
    assert third.tool_calls == (ToolCall("c", "f", {}, "{}"),)
    assert first.usage == second.usage == Usage(10, 4)


def test_one_unfinished_answer_truncates_all() -> None:
    """A stream is truncated as long as one of the answers that have begun has not stopped."""
    cut = [chunk(choice(0, content="A"), choice(1, role="assistant")), chunk(choice(0, "stop"))]

    result = run(*cut)
    assert isinstance(result.error, StreamTruncatedError)
    assert not result.message.is_complete
    assert not result.assembler.complete
    assert run(*cut, chunk(choice(1, "stop"))).error is None


def test_fields_of_other_answers_are_told_apart() -> None:
    """What is said about another answer than the first stands in ``extra`` under its number."""
    result = run(
        chunk(choice(0, "stop", content="A") | {"native_finish_reason": "STOP"}),
        chunk(choice(1, "stop", content="B") | {"native_finish_reason": "END"}),
    )

    assert result.message.extra == {
        "created": 7,
        "native_finish_reason": "STOP",
        "choices[1].native_finish_reason": "END",
    }


# --- what else is said about the message --------------------------------------------------------


def test_unknown_fields_are_kept_once() -> None:
    """Fields without a place of their own are kept in ``extra``, and told only when they change."""
    result = whole(
        says(content="a") | {"system_fingerprint": "fp", "citations": ["u"], "obfuscation": "x"},
        says(content="b") | {"system_fingerprint": "fp", "citations": ["u"], "obfuscation": "yy"},
        says(content="c") | {"system_fingerprint": "fp", "citations": ["u", "v"], "p": "abc"},
        says(content="d") | {"system_fingerprint": "fp", "service_tier": None},
    )

    assert result.message.extra == {
        "created": 7,
        "system_fingerprint": "fp",
        "citations": ["u", "v"],
    }
    news = [item for item in result.items if isinstance(item, MessageDelta)]
    assert news[0] == MessageDelta(extra={"citations": ["u", "v"]})
    assert len(news) == 2


def test_fields_of_a_choice_are_kept() -> None:
    """So are those of a choice, and those of a delta that are known to concern the message."""
    found = {"sources": ["s"]}
    hollow = {"sources": None, "status": None}
    result = whole(
        chunk(choice(content="a", graph_data=hollow) | {"content_filter_results": {"hate": "no"}}),
        chunk(choice(content="b", graph_data=found) | {"content_filter_results": {"hate": "no"}}),
    )

    assert result.message.extra == {
        "created": 7,
        "graph_data": found,
        "content_filter_results": {"hate": "no"},
    }
    assert result.decoder.unknown_events == 0


def test_logprobs_are_gathered() -> None:
    """Log probabilities come in pieces, and whole when the answer stops."""

    def tokens(*words: str) -> Chunk:
        return {"logprobs": {"content": [{"token": word} for word in words], "refusal": None}}

    result = run(
        chunk(choice(content="a") | tokens("a")),
        chunk(choice(content="b") | tokens("b", "c") | {"token_ids": [1, 2]}),
        chunk(choice(reason="stop") | {"logprobs": {"content": None}, "token_ids": [3]}),
    )

    assert result.error is None
    assert result.message.extra == {
        "created": 7,
        "logprobs": {"content": [{"token": "a"}, {"token": "b"}, {"token": "c"}]},
        "token_ids": [1, 2, 3],
    }
    assert "logprobs" not in run(chunk(choice(content="a") | tokens("a"))).message.extra
    assert "logprobs" in run(chunk(choice(content="a") | tokens("a")), DONE).message.extra
    late = run(*(chunk(choice(reason="stop") | tokens(word)) for word in "ab"), DONE)
    assert late.message.extra["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, Usage(10, 4)),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 0}}, Usage(10, 4, 0)),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 8}}, Usage(2, 4, 8)),
        (
            USAGE | {"prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 5}},
            Usage(2, 4, 3, 5),
        ),
        (USAGE | {"prompt_cache_hit_tokens": 6, "prompt_cache_miss_tokens": 4}, Usage(4, 4, 6)),
        (USAGE | {"cached_tokens": 6}, Usage(4, 4, 6)),
        (
            USAGE | {"cache_read_input_tokens": 1, "cache_creation_input_tokens": 2},
            Usage(7, 4, 1, 2),
        ),
        # More from the cache than there was: no negative cost.
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 11}}, Usage(0, 4, 11)),
        # OpenAI counts the thoughts among the output, xAI does not.
        (USAGE | {"completion_tokens_details": {"reasoning_tokens": 3}}, Usage(10, 4)),
        (
            USAGE | {"completion_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 17},
            Usage(10, 7),
        ),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0)),
        ({"prompt_tokens": None, "completion_tokens": 1.5}, Usage()),
        ({"prompt_tokens_details": None, "completion_tokens_details": "?"}, Usage()),
    ],
)
def test_usage_is_disjoint(usage: Chunk, expected: Usage) -> None:
    """Cached tokens are no fresh ones, thoughts are output, zero is a figure, silence is none."""
    result = whole(says(content="a"), chunk(usage=usage))

    assert result.message.usage == expected
    assert result.message.usage.raw == {k: v for k, v in usage.items() if v is not None}


def test_last_usage_counts() -> None:
    """Usage may come with every chunk, and after the reason; the last report counts."""
    early = {"prompt_tokens": 10, "completion_tokens": 1}
    result = run(
        says(content="a") | {"usage": early},
        says(content="b") | {"usage": early},
        says(content="b") | {"usage": early, "service_tier": "x"},
        says(content="c") | {"usage": None},
        stops() | {"usage": early | {"cost": 1}},
        {"usage": USAGE},
        DONE,
    )

    assert result.message.usage == Usage(10, 4)
    assert result.message.usage.raw == USAGE | {"cost": 1}
    news = [item for item in result.items if isinstance(item, MessageDelta)]
    assert [item.usage for item in news] == [Usage(10, 1), None, Usage(10, 1), Usage(10, 4)]
    assert news[2] == MessageDelta("end_turn", "stop", usage=Usage(10, 1))


def test_usage_may_hide() -> None:
    """Groq has it in ``x_groq``, Moonshot in the choice."""
    assert whole(says(content="a") | {"x_groq": {"usage": USAGE}}).message.usage == Usage(10, 4)
    assert whole(chunk(choice(content="a") | {"usage": USAGE})).message.usage == Usage(10, 4)


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "end_turn"),
        ("eos", "end_turn"),
        ("length", "max_tokens"),
        ("model_length", "max_tokens"),
        ("MAX_TOKENS", "max_tokens"),
        ("tool_calls", "tool_use"),
        ("function_call", "tool_use"),
        ("content_filter", "refusal"),
        ("sensitive", "refusal"),
        ("stop_sequence", "stop_sequence"),
        ("abort", "other"),
    ],
)
def test_reason_in_the_word_of_all(reason: str, word: str) -> None:
    """The provider's word is kept, and put into one that all providers share."""
    message = whole(says(content="a"), reason=reason).message

    assert message.stop_reason == word
    assert message.provider_stop_reason == reason


def test_repeated_reason_is_told_once() -> None:
    """A reason that comes again says nothing new; another one replaces it."""
    result = run(says(content="a"), stops(), stops(), stops("length"), DONE)

    assert [item for item in result.items if isinstance(item, MessageDelta)] == [
        MessageDelta("end_turn", "stop"),
        MessageDelta("max_tokens", "length"),
    ]


def test_reason_in_every_chunk() -> None:
    """A server that repeats its reason with every chunk is read to the end."""
    result = run(stops(content="a"), stops(content="b"))

    assert result.error is None
    assert result.message.text == "ab"


# --- older and other shapes ---------------------------------------------------------------------


def test_older_completions_are_text() -> None:
    """The chunks of ``/v1/completions`` have ``text`` in place of a delta."""

    def text(piece: str, reason: str | None = None) -> Chunk:
        part = {"index": 0, "text": piece, "logprobs": None, "finish_reason": reason}
        return {"id": "cmpl_1", "object": "text_completion", "model": "m", "choices": [part]}

    result = run(text("a"), text("b"), text("b"), text("", "length"), DONE)

    assert result.error is None
    assert result.message.parts == (TextPart("abb"),)
    assert result.message.stop_reason == "max_tokens"


def test_message_is_read_only_if_no_delta_came() -> None:
    """Some servers repeat the whole message at the end, others send nothing else."""
    last = {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": "Hi",
            "tool_calls": [call(None, "{}", "c", "f")],
        },
        "finish_reason": "stop",
    }
    only = run(chunk(last), DONE)
    again = run(says(content="Hi"), chunk(last), DONE)
    beside = run(says(content="Hi"), chunk(last | {"delta": {"content": "!"}}), DONE)

    assert only.message.text == "Hi"
    assert only.made == [("c", "f", {})]
    assert again.message.text == "Hi"
    assert beside.message.text == "Hi!"


def test_missing_choice_index_is_zero() -> None:
    """The only choice needs no number."""
    result = run(chunk({"delta": {"content": "a"}}), chunk({"finish_reason": "stop"}))

    assert result.error is None
    assert result.message.text == "a"


# --- endings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(len(EVERYTHING)))
def test_every_cut_is_noticed(count: int) -> None:
    """Cut before the reason, the stream is truncated; after it, it is complete unless strict."""
    stopped = count > EVERYTHING.index(stops("tool_calls"))
    result = run(*EVERYTHING[:count])

    assert (result.error is None) == stopped
    assert result.assembler.complete == stopped
    assert result.message.is_complete == stopped
    for made in result.made:
        assert made in run(*EVERYTHING).made
    strict = run(*EVERYTHING[:count], strict=True)
    assert isinstance(strict.error, StreamTruncatedError)
    assert not strict.assembler.complete


def test_marker_without_a_reason() -> None:
    """``[DONE]`` makes a message whole though no reason came, unless the dialect is strict."""
    stream: list[Chunk | Frame] = [says(content="4"), chunk(usage=USAGE), DONE]
    result = run(*stream)

    assert result.error is None
    assert result.decoder.finished
    assert result.message.parts == (TextPart("4"),)
    assert result.message.stop_reason == "other"
    assert result.message.provider_stop_reason is None
    strict = run(*stream, strict=True)
    assert isinstance(strict.error, StreamTruncatedError)
    assert not strict.assembler.complete


def test_what_is_known_without_a_reason() -> None:
    """A refusal and a call say themselves why the answer stopped."""
    assert run(says(refusal="no"), DONE).message.stop_reason == "refusal"
    assert run(calls(call(0, "{}", "c", "f")), DONE).message.stop_reason == "tool_use"


def test_marker_alone_is_no_answer() -> None:
    """``[DONE]`` before any chunk is the end of nothing."""
    assert isinstance(run(DONE).error, StreamTruncatedError)
    assert isinstance(run(Comment("ping"), DONE).error, StreamTruncatedError)
    assert isinstance(run().error, StreamTruncatedError)


@pytest.mark.parametrize("data", ["[DONE]", " [DONE]", "[DONE] ", "[DONE]\n"])
def test_marker_may_have_space_around_it(data: str) -> None:
    """The marker is the whole data, but for white space."""
    assert run(says(content="a"), ServerSentEvent("message", data)).decoder.finished


@pytest.mark.parametrize("data", ["[DONE]x", "x[DONE]", "DONE", '"[DONE]"', "[DONE][DONE]"])
def test_marker_is_the_whole_data(data: str) -> None:
    """Data that only contains the marker is unknown, and ends nothing."""
    result = run(says(content="a"), ServerSentEvent("message", data))

    assert not result.decoder.finished
    assert isinstance(result.error, StreamTruncatedError)
    assert UnknownEvent("message", data) in result.items
    says_it = whole(says(content="[DONE]"), says(content="!"))
    assert says_it.message.text == "[DONE]!"


def test_content_after_the_reason() -> None:
    """What comes after a reason is content too, and must be whole again."""
    stream = [says(content="a"), stops(), says(content="b")]

    assert isinstance(run(*stream).error, StreamTruncatedError)
    assert run(*stream, stops("length")).message.parts == (TextPart("a"), TextPart("b"))
    assert run(*stream, DONE).message.stop_reason == "end_turn"


# --- errors that the stream reports -------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (frame(says(content="") | {"error": {"code": 502, "message": "down"}}), 502),
        (frame({"error": {"type": "rate_limit_error", "message": "slow down"}}), 429),
        (frame({"error": "it broke"}), 500),
        (frame({"object": "error", "message": "no", "code": 400}), 400),
        (frame({"message": "no", "type": "invalid_request_error"}), 400),
        (frame({"code": "Throttling", "message": "m", "request_id": "r"}), 429),
        (frame(chunk({"index": 0, "error": {"code": 503}})), 503),
        (frame(chunk(x_groq={"id": "req_1", "error": "over capacity"})), 500),
        (frame(stops("error")), 500),
        (frame(stops("insufficient_system_resource")), 503),
        (ServerSentEvent("error", '{"error": {"message": "m", "status_code": 400}}'), 400),
        (ServerSentEvent("error", '{"message": "m", "code": "429"}'), 429),
        (ServerSentEvent("error", "it broke"), 500),
        (ServerSentEvent("error", "[]"), 500),
        (ServerSentEvent("error", ""), 500),
        (ServerSentEvent("message", '[{"error": {"code": 429, "message": "m"}}]'), 429),
        (UnframedText('{"error": {"code": 503, "message": "m"}}'), 503),
        (Comment('{"error": {"code": 504, "message": "m"}}'), 504),
        (Comment("408: 408 Request Timeout"), 408),
    ],
)
def test_reported_failure(report: Any, status: int) -> None:
    """A failure is raised wherever the stream reports it, and what came before is kept."""
    result = run(says(content="a"), report, stops(), DONE)

    assert isinstance(result.error, InBandError)
    assert result.error.status_code == status
    assert result.error.error_type is StreamErrorType.of_status(status)
    assert result.error.payload in (getattr(report, "data", None), getattr(report, "text", None))
    assert result.message.text == "a"
    assert not result.message.is_complete


def test_failure_outranks_a_reason() -> None:
    """An error after the reason is an error, as it was recorded at OpenRouter."""
    result = run(says(reasoning="a"), stops("length"), says() | {"error": {"code": 400}}, DONE)

    assert isinstance(result.error, InBandError)
    assert result.error.error_type is StreamErrorType.CLIENT_ERROR


def test_error_that_is_null_is_none() -> None:
    """``error: null`` is no error."""
    result = whole(
        says(content="a") | {"error": None}, chunk(choice(content="b") | {"error": None})
    )

    assert result.message.text == "ab"


@pytest.mark.parametrize(
    "text", ["OPENROUTER PROCESSING", "ping - 12:00", "408 Request Timeout", "408: 409 x", "{", ""]
)
def test_comments_are_signs_of_life(text: str) -> None:
    """A comment is a ping, unless it reports a failure in one of the known forms."""
    assert whole(Comment(text), says(content="a")).items[0] == Ping()


def test_other_signs_of_life() -> None:
    """Empty data and ping objects are pings too."""
    result = whole(ServerSentEvent("message", ""), {"type": "ping"}, says(content="a"))

    assert result.items[:2] == [Ping(), Ping()]
    assert result.decoder.unknown_events == 0


def test_framing_hands_out_what_may_report_an_error() -> None:
    """Comments and unframed JSON reach the decoder."""
    parser = OpenAIChat().framing.parser()

    assert parser.feed(b': hi\n\ndata: x\n\n{"error": {}}\n\n') == [
        Comment("hi"),
        ServerSentEvent("message", "x"),
        UnframedText('{"error": {}}'),
    ]


# --- what is tolerated, and what is not ---------------------------------------------------------


@pytest.mark.parametrize(
    "data", ["hello", "[]", "[1]", "null", "3", '"x"', '{"value": "x"}', '{"detail": "x"}', "{}"]
)
def test_what_is_no_chunk_is_kept(data: str) -> None:
    """Data that is no chunk is kept and counted."""
    result = whole(says(content="a"), ServerSentEvent("note", data))

    assert UnknownEvent("note", data) in result.items
    assert result.decoder.unknown_events == 1


def test_unknown_fields_of_a_delta_are_kept() -> None:
    """A field of a delta that nobody knows is kept with its chunk, and what is known is read."""
    strange = says(content="a", mood="happy", shoe={"size": 4}, hat={"size": None}, sock="")
    result = whole(strange)

    assert result.message.text == "a"
    assert UnknownEvent("message", json.dumps(strange)) in result.items
    assert result.decoder.unknown_events == 1
    assert whole(says(content="a", hat={"size": None}, sock=[])).decoder.unknown_events == 0


def test_unknown_kind_of_call_is_kept() -> None:
    """A kind of call that nobody knows becomes a part, and is counted."""
    element = {"index": 0, "id": "x", "type": "teleport", "teleport": {"to": "Oslo"}}
    result = whole(calls(element))

    assert result.message.parts == (UnknownPart("teleport", element),)
    assert result.decoder.unknown_events == 1


def test_chunks_without_choices_are_chunks() -> None:
    """``choices`` may be empty, null or missing."""
    bare = {"id": "c_1", "object": "chat.completion.chunk", "system_fingerprint": "fp"}
    result = whole(bare, bare | {"choices": None}, bare | {"choices": []}, says(content="a"))

    assert result.decoder.unknown_events == 0
    assert result.message.extra["system_fingerprint"] == "fp"


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ('{"choices": [{"delta"', "$"),
        ('{"choices": 3}', "$.choices"),
        ('{"choices": [3]}', "$.choices[0]"),
        ('{"choices": [{"index": "0"}]}', "$.choices[0].index"),
        ('{"choices": [{"index": -1}]}', "$.choices[0].index"),
        ('{"choices": [{"delta": "a"}]}', "$.choices[0].delta"),
        ('{"choices": [{"text": 3}]}', "$.choices[0].text"),
        ('{"choices": [{"finish_reason": 3}]}', "$.choices[0].finish_reason"),
        ('{"choices": [{"delta": {"content": 3}}]}', "$.choices[0].delta.content"),
        ('{"choices": [{"delta": {"content": [3]}}]}', "$.choices[0].delta.content[0]"),
        ('{"choices": [{"delta": {"content": [{}]}}]}', "$.choices[0].delta.content[0].type"),
        ('{"choices": [{"delta": {"reasoning": {"a": 1}}}]}', "$.choices[0].delta.reasoning"),
        ('{"choices": [{"delta": {"refusal": [1]}}]}', "$.choices[0].delta.refusal"),
        ('{"choices": [{"delta": {"audio": "a"}}]}', "$.choices[0].delta.audio"),
        ('{"choices": [{"delta": {"images": ["a"]}}]}', "$.choices[0].delta.images[0]"),
        ('{"choices": [{"delta": {"tool_calls": {"a": 1}}}]}', "$.choices[0].delta.tool_calls"),
        (
            '{"choices": [{"delta": {"tool_calls": [{"index": "0"}]}}]}',
            "$.choices[0].delta.tool_calls[0].index",
        ),
        ('{"choices": [], "usage": 3}', "$.usage"),
        ('{"choices": [], "model": 3}', "$.model"),
    ],
)
def test_misfits_are_refused(data: str, path: str) -> None:
    """Content that has no place raises, and says where."""
    result = run(says(content="a"), ServerSentEvent("message", data))

    assert isinstance(result.error, BadItemError)
    assert result.error.path == path
    assert result.error.raw == data.encode()
    assert result.message.text == "a"


def test_half_a_chunk_is_not_told() -> None:
    """If one part of a chunk is bad, nothing of the chunk is told."""
    result = run(says(content="a"), chunk(choice(content="b"), choice(content=3)))

    assert isinstance(result.error, BadItemError)
    assert result.message.text == "a"


def test_unframed_answer_is_refused() -> None:
    """JSON that is no event and no error, such as an answer in one piece, is refused."""
    assert isinstance(run(UnframedText('{"choices": []}')).error, BadItemError)


def test_deep_nesting_is_survived() -> None:
    """Fields that are nested as deeply as can be read do no harm when they come twice."""
    deep = "[" * 900 + "]" * 900
    data = json.dumps(chunk(x=0)).replace('"x": 0', f'"x": {deep}')
    result = run(*[ServerSentEvent("message", data)] * 3)

    assert isinstance(result.error, StreamTruncatedError)
    assert result.message.extra["x"]


# --- laws ---------------------------------------------------------------------------------------


@given(st.permutations(EVERYTHING))
def test_shuffled_chunks_never_lie(chunks: list[Chunk]) -> None:
    """In any order, no call is made of arguments that are not those of the call."""
    honest = run(*EVERYTHING).made
    for made in run(*chunks).made:
        assert made in honest or made[2] == {}


@given(st.lists(st.integers(0, len(EVERYTHING) - 1), unique=True))
def test_lost_chunks_never_lie(lost: list[int]) -> None:
    """Whichever chunks get lost, decoder and assembler agree on whether the message is whole."""
    result: Run = run(*(each for n, each in enumerate(EVERYTHING) if n not in lost))

    if result.error is None:
        assert result.assembler.complete
    elif isinstance(result.error, StreamTruncatedError):
        assert not result.assembler.complete
