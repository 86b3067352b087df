"""The `Message` that all dialects share: its values, its assembler, its open parts."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    CitationDelta,
    IncompleteToolCall,
    MediaDelta,
    MediaPart,
    Message,
    MessageAssembler,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    Part,
    Ping,
    RedactedThinkingPart,
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
from trio_stream.dialects._open_parts import OpenToolCall, open_part

EVERY_PART: list[Part] = [
    TextPart("a"),
    RefusalPart("no"),
    MediaPart("image/png", data=("QQ==",)),
    ThinkingPart("b", "seal"),
    RedactedThinkingPart("c"),
    ToolCall("1", "f", {}),
    IncompleteToolCall("2", "g", "{"),
    ServerToolCall("3", "h", {}),
    ServerToolResult("3", "h_result", []),
    UnknownPart("new"),
]

CONVERSATION: list[MessageItem] = [
    MessageStarted("msg_1", "model-1", "assistant", Usage(input_tokens=7), {"tier": "a"}),
    Ping(),
    BlockStarted(0, ThinkingPart(finished=False)),
    ThinkingDelta(0, "hm"),
    SignatureDelta(0, "old"),
    SignatureDelta(0, "seal"),
    BlockFinished(0, ThinkingPart("hm", "seal")),
    BlockStarted(1, TextPart(finished=False)),
    TextDelta(1, "Hel"),
    CitationDelta(1, {"at": 1}),
    TextDelta(1, "lo"),
    UnknownEvent("news", "{}"),
    BlockFinished(1, TextPart("Hello", ({"at": 1},))),
    BlockStarted(2, IncompleteToolCall("call_1", "add")),
    BlockStarted(3, UnknownPart("new", {"type": "new"}, finished=False)),
    ToolInputDelta(2, '{"x"'),
    UnknownDelta(3, {"more": 1}),
    ToolInputDelta(2, ": 1}"),
    BlockFinished(2, ToolCall("call_1", "add", {"x": 1}, '{"x": 1}')),
    BlockFinished(3, UnknownPart("new", {"type": "new"}, ({"more": 1},))),
    MessageDelta("tool_use", "tool_calls", None, Usage(output_tokens=9), None, {"box": 1}),
    MessageFinished({"latency": 3}),
]

COMPLETE = Message(
    id="msg_1",
    model="model-1",
    parts=(
        ThinkingPart("hm", "seal"),
        TextPart("Hello", ({"at": 1},)),
        ToolCall("call_1", "add", {"x": 1}, '{"x": 1}'),
        UnknownPart("new", {"type": "new"}, ({"more": 1},)),
    ),
    stop_reason="tool_use",
    provider_stop_reason="tool_calls",
    usage=Usage(7, 9),
    extra={"tier": "a", "box": 1, "latency": 3},
)


def folded(items: Sequence[MessageItem]) -> MessageAssembler:
    assembler = MessageAssembler()
    for item in items:
        assembler.fold(item)
    return assembler


# --- the message --------------------------------------------------------------------------------


def test_empty_message_is_incomplete() -> None:
    """A message of which nothing came says that it is incomplete."""
    message = MessageAssembler().snapshot()

    assert message == Message()
    assert message.stop_reason == "incomplete"
    assert not message.is_complete


def test_text_and_thinking_join_their_parts() -> None:
    """`text` and `thinking` are all parts of their kind, finished or not, and no others."""
    message = Message(
        parts=(
            ThinkingPart("a"),
            TextPart("b"),
            ToolCall("1", "f", {}),
            ThinkingPart("c", finished=False),
            TextPart("d", finished=False),
        )
    )

    assert message.text == "bd"
    assert message.thinking == "ac"


def test_tool_calls_are_only_those_to_be_made() -> None:
    """Neither an incomplete call nor one that the provider makes is among `tool_calls`."""
    message = Message(parts=tuple(EVERY_PART))

    assert message.tool_calls == (ToolCall("1", "f", {}),)


def test_incomplete_call_cannot_be_mistaken_for_a_call() -> None:
    """An `IncompleteToolCall` is no `ToolCall` and has no ``input``."""
    call = IncompleteToolCall("1", "delete", '{"path": "/"')

    assert not isinstance(call, ToolCall)
    assert not hasattr(call, "input")


@pytest.mark.parametrize("part", EVERY_PART, ids=lambda part: type(part).__name__)
def test_parts_are_values(part: Part) -> None:
    """A part cannot be changed, and equals one that means the same."""
    field = attrs.fields(type(part))[0].name

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(part, field, "other")
    assert attrs.evolve(part) == part


def test_raw_is_not_compared() -> None:
    """What a part was made from does not make it another part."""
    assert TextPart("a", raw={"x": 1}) == TextPart("a")


# --- usage --------------------------------------------------------------------------------------


def test_usage_keeps_zero_apart_from_silence() -> None:
    """A newer zero replaces an older figure; a newer `None` does not."""
    older = Usage(5, 6, 7, None, {"input_tokens": 5, "tier": "a", "geo": "x"})
    newer = Usage(0, None, 0, 8, {"input_tokens": 0, "tier": None, "new": 1})

    updated = older.updated(newer)

    assert updated == Usage(0, 6, 0, 8)
    assert updated.raw == {"input_tokens": 0, "tier": "a", "geo": "x", "new": 1}
    assert older == Usage(5, 6, 7, None)


@given(st.lists(st.builds(Usage, *[st.none() | st.integers(0, 9)] * 4)))
def test_usage_is_the_newest_figure_of_each_kind(reports: list[Usage]) -> None:
    """After any reports, each figure is the last one that was told."""
    usage = Usage()
    for report in reports:
        usage = usage.updated(report)

    for field in ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"):
        told = [getattr(report, field) for report in reports if getattr(report, field) is not None]
        assert getattr(usage, field) == (told[-1] if told else None)


# --- the assembler ------------------------------------------------------------------------------


def test_assembler_folds_a_whole_message() -> None:
    """All items together make the complete message."""
    assembler = folded(CONVERSATION)

    assert assembler.complete
    assert assembler.snapshot() == COMPLETE


def test_deltas_alone_are_enough() -> None:
    """Without the finished parts, the deltas still rebuild all text, marked as unfinished."""
    items = [item for item in CONVERSATION if not isinstance(item, BlockFinished)]

    message = folded(items).snapshot()

    assert message.parts == (
        ThinkingPart("hm", "seal", finished=False),
        TextPart("Hello", ({"at": 1},), finished=False),
        IncompleteToolCall("call_1", "add", '{"x": 1}'),
        UnknownPart("new", {"type": "new"}, ({"more": 1},), finished=False),
    )


@pytest.mark.parametrize("count", range(len(CONVERSATION) + 1))
def test_snapshot_is_what_was_folded(count: int) -> None:
    """A snapshot on the way equals that of a fresh assembler, and later folding leaves it be."""
    looked_at = MessageAssembler()
    for item in CONVERSATION[:count]:
        looked_at.fold(item)
        looked_at.snapshot()  # looking must not matter
    before = looked_at.snapshot()
    fresh = folded(CONVERSATION[:count]).snapshot()

    assert before == fresh
    for item in CONVERSATION[count:]:
        looked_at.fold(item)
    assert before == fresh
    assert looked_at.snapshot() == COMPLETE


def test_snapshots_do_not_share_what_changes() -> None:
    """Changing the ``extra`` of a snapshot changes no other."""
    assembler = folded(CONVERSATION)

    assembler.snapshot().extra.clear()

    assert assembler.snapshot() == COMPLETE


def test_stop_reason_is_not_told_while_a_block_is_open() -> None:
    """A known stop reason makes a message complete only when no block is open."""
    start = [MessageStarted(), BlockStarted(0, TextPart(finished=False)), TextDelta(0, "a")]
    open_block = folded([*start, MessageDelta("end_turn", "stop")])
    no_block = folded([*start, MessageDelta("end_turn", "stop"), BlockFinished(0, TextPart("a"))])

    assert not open_block.complete
    assert open_block.snapshot().stop_reason == "incomplete"
    assert open_block.snapshot().provider_stop_reason == "stop"
    assert no_block.complete
    assert no_block.snapshot().stop_reason == "end_turn"


def test_terminal_item_completes_without_a_reason() -> None:
    """A message that finished without a word about why has stopped for another reason."""
    assembler = folded([MessageStarted(), MessageFinished()])

    assert assembler.complete
    assert assembler.snapshot().stop_reason == "other"


def test_silence_takes_nothing_back() -> None:
    """A later `MessageDelta` that is silent about the stop leaves it as it was."""
    told = MessageDelta("stop_sequence", "stop", "END", Usage(1), "model-2", {"a": 1})

    message = folded([MessageStarted(model="model-1"), told, MessageDelta()]).snapshot()

    assert message.stop_reason == "stop_sequence"
    assert message.provider_stop_reason == "stop"
    assert message.stop_sequence == "END"
    assert message.usage == Usage(1)
    assert message.model == "model-2"
    assert message.extra == {"a": 1}


def test_new_message_starts_over() -> None:
    """A second `MessageStarted` is the start of a message without the parts of the first."""
    message = folded([*CONVERSATION, MessageStarted("msg_2")]).snapshot()

    assert message == Message(id="msg_2")


@given(st.lists(st.sampled_from(CONVERSATION)))
def test_folding_never_raises(items: list[MessageItem]) -> None:
    """Whatever items come in whatever order, folding and looking raise nothing."""
    assembler = MessageAssembler()
    for item in items:
        assembler.fold(item)
        message = assembler.snapshot()

        assert message.is_complete == assembler.complete


@given(st.lists(st.text(), min_size=1))
def test_text_is_the_same_however_it_was_cut(pieces: list[str]) -> None:
    """A text in pieces is the text in one piece, at every moment."""
    assembler = folded([MessageStarted(), BlockStarted(0, TextPart(finished=False))])
    for count, piece in enumerate(pieces, 1):
        assembler.fold(TextDelta(0, piece))

        assert assembler.snapshot().text == "".join(pieces[:count])


# --- open parts ---------------------------------------------------------------------------------

DELTAS = [
    TextDelta(0, "x"),
    ThinkingDelta(0, "x"),
    SignatureDelta(0, "x"),
    ToolInputDelta(0, "x"),
    CitationDelta(0, "x"),
    RefusalDelta(0, "x"),
    MediaDelta(0, "x"),
    UnknownDelta(0, {}),
]


@pytest.mark.parametrize(
    ("part", "takes"),
    [
        (TextPart("a"), {TextDelta, CitationDelta}),
        (ThinkingPart("a"), {ThinkingDelta, SignatureDelta}),
        (IncompleteToolCall("1", "f"), {ToolInputDelta}),
        (RefusalPart("a"), {RefusalDelta}),
        (MediaPart("image/png"), {MediaDelta}),
        (UnknownPart("new"), {UnknownDelta}),
        (RedactedThinkingPart("a"), set()),
        (ServerToolResult("1", "r", []), set()),
        (ToolCall("1", "f", {}), set()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_part_takes_only_its_own_deltas(part: Part, takes: set[type]) -> None:
    """A part refuses a delta of another kind, and is not changed by it."""
    opened = open_part(part)
    before = opened.unfinished()

    for delta in DELTAS:
        if type(delta) not in takes:
            assert not opened.add(delta)
    assert opened.unfinished() == before
    for delta in DELTAS:
        if type(delta) in takes:
            assert opened.add(delta)


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ("", {}),
        ("{}", {}),
        (' {"a": [1, "\\u00e9", null]} ', {"a": [1, "é", None]}),
        ("[1]", [1]),
        ('"text"', "text"),
        ("null", None),
    ],
)
def test_call_with_json_arguments_is_final(arguments: str, value: object) -> None:
    """Arguments that are JSON are parsed; none at all are ``{}``. Their text is kept as it came."""
    call = OpenToolCall(IncompleteToolCall("1", "f", arguments))

    assert call.finished() == ToolCall("1", "f", value, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a": 1',
        '{"a": "x',
        '{"a": 1,}',
        '{"a": 1} x',
        '{"a": 1}{"b": 2}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 01}',
        '{"a": "line\nbreak"}',
        "\ufeff{}",
        "tru",
        " ",
        "[" * 100_000,
        '{"a": ' * 100_000,
        '{"a": ' + "9" * 5_000 + "}",
    ],
    ids=lambda arguments: arguments[:20],
)
def test_call_with_other_arguments_is_refused(arguments: str) -> None:
    """Arguments that are not strictly JSON never become a call; their text is kept."""
    call = OpenToolCall(IncompleteToolCall("1", "f", arguments)).finished()

    assert isinstance(call, IncompleteToolCall)
    assert call.arguments == arguments
    assert call.error


def test_given_arguments_count_only_without_text() -> None:
    """Arguments that came as a value are used if no text came, and only then."""
    start = IncompleteToolCall("1", "f")
    silent, spoken = OpenToolCall(start, {"a": 1}), OpenToolCall(start, {"a": 1})
    spoken.add(ToolInputDelta(0, '{"b": 2}'))

    assert silent.finished() == ToolCall("1", "f", {"a": 1})
    assert spoken.finished() == ToolCall("1", "f", {"b": 2}, '{"b": 2}')


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}, {"a": -float("inf")}])
def test_given_arguments_must_be_json(value: object) -> None:
    """Arguments that came as a value are held to the standard too: no ``NaN``, no ``Infinity``."""
    part = OpenToolCall(IncompleteToolCall("1", "f"), value).finished()

    assert isinstance(part, IncompleteToolCall)
    assert part.error.startswith("the arguments are not JSON")


def test_server_calls_stay_server_calls() -> None:
    """A call of the provider is a `ServerToolCall` when final, and says so when it is not."""
    start = IncompleteToolCall("1", "search", by_server=True)
    final, broken = OpenToolCall(start), OpenToolCall(start)
    broken.add(ToolInputDelta(0, '{"'))

    assert final.finished() == ServerToolCall("1", "search", {})
    refused = broken.finished()
    assert isinstance(refused, IncompleteToolCall)
    assert refused.by_server


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.data())
def test_a_cut_call_is_never_final(text: str, data: st.DataObject) -> None:
    """No proper prefix of an object is taken for the whole."""
    arguments = json.dumps({"path": text, "n": 12})
    cut = data.draw(st.integers(1, len(arguments) - 1))

    call = OpenToolCall(IncompleteToolCall("1", "f", arguments[:cut]))

    assert isinstance(call.finished(), IncompleteToolCall)
