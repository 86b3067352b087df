"""Structured output: an answer that is one JSON document, live and in the end."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.pipeline.played import START, Played, call, frames, playing, stop, text
from tests.pipeline.worlds import Letters
from tests.spelling import spelled
from trio_stream.config import StreamConfig
from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    IncompleteToolCall,
    MessageDelta,
    MessageFinished,
    Ping,
    RefusalDelta,
    RefusalPart,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    Usage,
)
from trio_stream.errors import (
    BadItemError,
    InBandError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.outcome import Ending
from trio_stream.pipeline import Draft, StructuredAnswer, open_stream
from trio_stream.pipeline._structured import Structured
from trio_stream.testing import Reset, Stall, Wait, check_dialect


@attrs.frozen
class Step:
    text: str
    minutes: int


@attrs.frozen
class Recipe:
    name: str
    steps: list[Step]


RECIPE = Recipe("Soup", [Step("boil", 20), Step("stir", 1)])
DOCUMENT = json.dumps(attrs.asdict(RECIPE))
THINKING = [
    BlockStarted(0, ThinkingPart(finished=False)),
    ThinkingDelta(0, "hm"),
    BlockFinished(0, ThinkingPart("hm")),
]


def cut(document: str, size: int = 3) -> list[str]:
    return [document[start : start + size] for start in range(0, len(document), size)]


async def fault_of(*items: Any, item: Any = Recipe) -> tuple[BadItemError, StructuredAnswer[Any]]:
    """The error that an answer ends in, and what there is of it."""
    async with playing(START, *items, item=item) as rx:
        with pytest.raises(BadItemError) as caught:
            await rx.result()
        with pytest.raises(BadItemError):
            await rx.receive()
    assert rx.outcome.ending is Ending.FAILED
    assert rx.outcome.error is caught.value
    assert caught.value.outcome is rx.outcome
    assert not rx.outcome.value.is_complete
    with pytest.raises(RuntimeError, match="not whole"):
        _ = rx.outcome.value.value
    assert rx.snapshot() == rx.outcome.value
    return caught.value, rx.outcome.value


# ---- while it grows ------------------------------------------------------------------------------


async def test_live_value_and_result(autojump_clock: MockClock) -> None:
    """Each piece of text shows the document so far; in the end there is the validated value."""
    pieces = ['{"name": "So', 'up", "steps": [{"te', 'xt": "boil", "minutes": 2', "0}]}"]
    async with playing(START, *text(0, *pieces), *stop(), item=Recipe) as rx:
        seen = [json.dumps(draft.value) async for draft in rx if isinstance(draft.item, TextDelta)]
        answer = await rx.result()
    assert seen == [
        '{"name": "So"}',
        '{"name": "Soup", "steps": [{}]}',
        '{"name": "Soup", "steps": [{"text": "boil"}]}',
        '{"name": "Soup", "steps": [{"text": "boil", "minutes": 20}]}',
    ]
    assert answer.value == Recipe("Soup", [Step("boil", 20)])
    assert answer.draft == json.loads("".join(pieces))
    assert answer.is_complete
    assert answer.message.text == "".join(pieces)
    assert rx.outcome.ending is Ending.COMPLETED


async def test_every_item_is_a_draft(autojump_clock: MockClock) -> None:
    """What is no text is a draft, too, with a value as it was; pings alone are left out."""
    items = [START, *THINKING, *text(1, "[1,", " 2]"), *stop()]
    async with playing(*items[:2], Ping(), *items[2:], Ping(), item=list[int]) as rx:
        drafts = [draft async for draft in rx]
    assert drafts == [Draft(item) for item in items]
    assert rx.outcome.value.message.thinking == "hm"
    assert rx.outcome.items == len(items)


async def test_draft_shows_what_was_delivered(autojump_clock: MockClock) -> None:
    """Items that were received and not delivered do not show through in the live value."""
    pieces = cut(DOCUMENT)
    async with playing(START, *text(0, *pieces), *stop(), item=Recipe) as rx:
        await wait_all_tasks_blocked()
        assert rx.statistics().items_buffered > len(pieces)
        seen = ""
        async for draft in rx:
            if isinstance(draft.item, TextDelta):
                seen += draft.item.text
            assert len(json.dumps(draft.value)) <= len(seen) + len('"}]}') + len("null")
            assert rx.snapshot().draft == draft.value
    assert rx.outcome.value.draft == json.loads(DOCUMENT)


async def test_live_value_is_live_and_a_snapshot_is_not(autojump_clock: MockClock) -> None:
    """A draft shows the same growing objects; a snapshot stays what it was."""
    async with playing(START, *text(0, "[1, ", "[2, ", "3]]"), *stop(), item=Any) as rx:
        drafts = [await rx.receive() for _ in range(4)]
        live, snapshot = drafts[-1].value, rx.snapshot()
        assert live == snapshot.draft == [1, [2]]
        before = json.dumps(snapshot.draft)
        await rx.result()
        assert live is drafts[0].value
        assert live == [1, [2, 3]]
        assert json.dumps(snapshot.draft) == before


async def test_draft_before_its_delivery() -> None:
    """A draft that nobody has delivered shows nothing, and prints as its item does."""
    draft = Draft(TextDelta(0, "1"))
    assert draft.value is None
    assert repr(draft) == "Draft(item=TextDelta(index=0, text='1'))"


async def test_stall_sees_thoughts_and_no_pings(autojump_clock: MockClock) -> None:
    """A model that thinks makes progress, although no text comes; pings are none."""
    config = StreamConfig(stall_timeout=10)
    thoughts = [each for _ in range(9) for each in (Wait(8), ThinkingDelta(0, "hm"))]
    pings = [each for _ in range(9) for each in (Wait(8), Ping())]
    async with playing(START, THINKING[0], *thoughts, *pings, config=config, item=Recipe) as rx:
        with pytest.raises(StreamTimeoutError) as caught:
            await rx.result()
    assert caught.value.layer == "stall"
    assert rx.outcome.value.message.thinking == "hm" * 9


# ---- what the document is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "document", "value"),
    [
        (Recipe, DOCUMENT, RECIPE),
        (list[Step], '[{"text": "a", "minutes": 1}]', [Step("a", 1)]),
        (int, " 42\n", 42),
        (int, "42", 42),
        (str, '"a\\ud83d\\ude00"', "a\U0001f600"),
        (int | str, '"a"', "a"),
        (None | int, "null", None),
        (Any, '{"a": NULL}'.replace("NULL", "null"), {"a": None}),
        (json.loads, "[1.5]", [1.5]),
    ],
    ids=spelled,
)
async def test_types(autojump_clock: MockClock, item: Any, document: str, value: Any) -> None:
    """Whatever can be an item can be the type of an answer, scalars and functions included."""
    async with playing(START, *text(0, *cut(document)), *stop(), item=item) as rx:
        answer = await rx.result()
    assert answer.value == value
    assert answer.draft == json.loads(document)


async def test_function_is_called_once(autojump_clock: MockClock) -> None:
    """A function that reads the document is called once for it, with its bytes."""
    given_to: list[bytes] = []
    async with playing(START, *text(0, *cut("[1, 2]")), *stop(), item=given_to.append) as rx:
        for _ in range(2):
            assert (await rx.result()).value is None
        rx.snapshot()
    assert given_to == [b"[1, 2]"]


async def test_document_of_several_parts(autojump_clock: MockClock) -> None:
    """A text that comes in several parts is one document."""
    async with playing(
        START, *text(0, "[1"), *THINKING_AT_1, *text(2, ", 2]"), *stop(), item=list[int]
    ) as rx:
        assert (await rx.result()).value == [1, 2]


THINKING_AT_1 = [attrs.evolve(each, index=1) for each in THINKING]


async def test_first_of_several_answers(autojump_clock: MockClock) -> None:
    """Of several answers the first is read, and the others are in the message."""
    items = [
        START,
        BlockStarted(0, TextPart("["), choice=1),
        BlockStarted(1, TextPart("[")),
        *[TextDelta(0, "7"), TextDelta(1, "1"), TextDelta(1, "]")],
        *[BlockFinished(0, TextPart("[7")), BlockFinished(1, TextPart("[1]"))],
        *[MessageDelta("max_tokens", choice=1), *stop()],
    ]
    async with playing(*items, item=list[int]) as rx:
        answer = await rx.result()
    assert (answer.value, answer.draft) == ([1], [1])
    assert answer.message.alternatives[0].text == "[7"


@pytest.mark.parametrize("arguments", [DOCUMENT, ""])
async def test_forced_tool_call(autojump_clock: MockClock, arguments: str) -> None:
    """Of an answer that is one tool call and no text, the arguments are the document."""
    value = json.loads(DOCUMENT)
    made = call(1, arguments, value)
    async with playing(START, *text(0, "\n"), *made, *stop("tool_use"), item=Recipe) as rx:
        seen = [draft.value async for draft in rx]
        answer = await rx.result()
    assert answer.value == RECIPE
    assert answer.message.tool_calls == (ToolCall("call_1", "tool", value, arguments),)
    assert seen[-1] == (value if arguments else None)


async def test_tool_call_of_another_answer(autojump_clock: MockClock) -> None:
    """The calls of other answers are not looked at."""
    items = [*call(0, "[7]", [7], choice=1), *call(1, "[1]", [1]), MessageDelta("end_turn")]
    async with playing(START, *items, *stop("tool_use", choice=1), item=list[int]) as rx:
        answer = await rx.result()
    assert (answer.value, answer.draft) == ([1], [1])


# ---- answers that do not fit ---------------------------------------------------------------------


async def test_misfit_says_where(autojump_clock: MockClock) -> None:
    """A value that does not fit is told with its path, the document, and what there is of it."""
    document = '{"name": "Soup", "steps": [{"text": "boil", "minutes": "long"}]}'
    error, answer = await fault_of(*text(0, *cut(document)), *stop())
    assert error.path == "$.steps[0].minutes"
    assert error.raw == document.encode()
    assert "does not fit: bad item at $.steps[0].minutes: expected int, got str 'long'" in str(
        error
    )
    assert answer.draft == json.loads(document)
    assert answer.message.stop_reason == "end_turn"


async def test_misfit_comes_after_everything(autojump_clock: MockClock) -> None:
    """The error is in order: all items before it, also those that came after the text."""
    usage = MessageDelta(usage=Usage(output_tokens=7))
    items = [START, *text(0, "[", "1]"), MessageDelta("end_turn"), usage, MessageFinished()]
    async with playing(*items, item=Recipe) as rx:
        drafts = [await rx.receive() for _ in items]
        with pytest.raises(BadItemError):
            await rx.receive()
    assert [draft.item for draft in drafts] == items
    assert rx.outcome.value.message.usage.output_tokens == 7


@pytest.mark.parametrize(
    "document", ["Sure! Here it is: {}", '{"name": "So', "{} {}", "NaN", "'a'"]
)
async def test_no_json(autojump_clock: MockClock, document: str) -> None:
    """Text that is not JSON, or not one whole document, does not fit; the draft is what was."""
    error, answer = await fault_of(*text(0, *cut(document)), *stop(), item=Any)
    assert "does not fit: bad item at $: not JSON" in str(error)
    assert answer.message.text == document
    assert answer.draft in (None, {"name": "So"}, {})


async def test_no_json_that_nobody_looked_at(autojump_clock: MockClock) -> None:
    """A fault in a text that was gathered unread leaves the draft that was before it."""
    pieces = ["[1, 2", *[" " * 99] * 99, "x", *[" " * 99] * 99]
    async with playing(START, *text(0, *pieces), *stop(), item=Any) as rx:
        drafts = [await rx.receive() for _ in range(150)]
        for _ in range(2):
            assert drafts[-1].value == [1, 2]
        with pytest.raises(BadItemError):
            await rx.result()
    assert rx.outcome.value.draft == [1, 2]


async def test_deep_document(autojump_clock: MockClock) -> None:
    """A document that is too deep to be read is an error like others."""
    error, _ = await fault_of(*text(0, *["[" * 10_000] * 10), *stop(), item=Any)
    assert "nested too deeply" in str(error)


async def test_limit_within_the_document(autojump_clock: MockClock) -> None:
    """A model that ran into its limit is told as that, and the draft is kept."""
    error, answer = await fault_of(*text(0, '{"name": "Soup", "ste'), *stop("max_tokens"))
    assert str(error).startswith("the model stopped (max_tokens) within the document: bad item")
    assert answer.draft == {"name": "Soup"}


async def test_limit_after_the_document(autojump_clock: MockClock) -> None:
    """A document that is whole is whole, though the limit was reached right behind it."""
    async with playing(START, *text(0, DOCUMENT), *stop("max_tokens"), item=Recipe) as rx:
        assert (await rx.result()).value == RECIPE


async def test_end_of_a_number(autojump_clock: MockClock) -> None:
    """A number has no end of its own: it is whole if the model said that it was done."""
    async with playing(START, *text(0, "12"), *stop("end_turn"), item=int) as rx:
        assert (await rx.result()).value == 12


@pytest.mark.parametrize("reason", ["max_tokens", "pause", "other"])
async def test_limit_within_a_number(reason: StopReason, autojump_clock: MockClock) -> None:
    """At a limit, or where nobody knows why the model stopped, it may be half a number."""
    error, answer = await fault_of(*text(0, "12"), *stop(reason), item=int)
    assert "perhaps within a number" in str(error)
    assert answer.draft is None


@pytest.mark.parametrize("words", ["I can't do that.", ""])
async def test_refusal(autojump_clock: MockClock, words: str) -> None:
    """A refusal is told as one, in the words of the model."""
    refusal = [
        BlockStarted(0, RefusalPart(finished=False)),
        RefusalDelta(0, words),
        BlockFinished(0, RefusalPart(words)),
    ]
    error, answer = await fault_of(*refusal, *stop("end_turn" if words else "refusal"))
    assert "refused to answer" in str(error)
    assert words in str(error)
    assert answer.message.refusal == words


async def test_refusal_in_the_middle(autojump_clock: MockClock) -> None:
    """A refusal counts even if what stands before it would fit."""
    error, answer = await fault_of(*text(0, DOCUMENT), *stop("refusal"))
    assert "refused" in str(error)
    assert answer.draft == json.loads(DOCUMENT)


@pytest.mark.parametrize(
    "items",
    [
        [],
        text(0, " \n"),
        THINKING,
        [*call(0, DOCUMENT, json.loads(DOCUMENT)), *call(1, "{}", {})],
        [
            BlockStarted(0, IncompleteToolCall("call_0", "tool")),
            BlockFinished(0, IncompleteToolCall("call_0", "tool", "{", "not JSON")),
        ],
    ],
    ids=["nothing", "white space", "thoughts", "two calls", "half a call"],
)
async def test_no_document(autojump_clock: MockClock, items: list[Any]) -> None:
    """An answer without text, and with no or several calls, has no document."""
    error, _ = await fault_of(*items, *stop("tool_use"))
    assert str(error) == "no document: no text and no single tool call (tool_use)"


# ---- streams that break --------------------------------------------------------------------------


async def test_truncated(autojump_clock: MockClock) -> None:
    """A stream that was cut ends as truncated and has the draft, whatever the text was."""
    for document in (DOCUMENT[:20], DOCUMENT, "no JSON"):
        async with playing(START, *text(0, document), item=Recipe) as rx:
            with pytest.raises(StreamTruncatedError):
                await rx.result()
        assert rx.outcome.ending is Ending.TRUNCATED
        assert not rx.outcome.value.is_complete
        assert not rx.outcome.value.message.is_complete


@pytest.mark.parametrize("end", [[], [Reset()], [Stall()]], ids=["end", "reset", "silence"])
async def test_complete_without_the_terminal_event(
    autojump_clock: MockClock, end: list[Any]
) -> None:
    """A document is whole once the stop reason is known, whatever happens to the last event."""
    config = StreamConfig(idle_timeout=5)
    items = [*text(0, DOCUMENT), MessageDelta("end_turn"), *end]
    async with playing(START, *items, config=config, item=Recipe) as rx:
        assert (await rx.result()).value == RECIPE
    assert rx.outcome.ending is Ending.COMPLETED


async def test_misfit_without_the_terminal_event(autojump_clock: MockClock) -> None:
    """A document that does not fit is an error, also if the last event is missing."""
    error, _ = await fault_of(*text(0, "[]"), MessageDelta("end_turn"))
    assert error.path == "$"


async def test_error_of_the_stream(autojump_clock: MockClock) -> None:
    """A failure that the stream reports comes as it is, and the draft is kept."""
    async with playing(START, *text(0, "[1, 2"), InBandError("overloaded"), item=Any) as rx:
        with pytest.raises(InBandError):
            await rx.result()
    assert rx.outcome.value.draft == [1]


async def test_left_in_the_middle(autojump_clock: MockClock) -> None:
    """Who leaves has the draft of what was delivered, and in the outcome of what was received."""
    async with playing(START, *text(0, "[1, ", "2, ", "3, "), Stall(), item=Any) as rx:
        await wait_all_tasks_blocked()
        async for draft in rx:
            if draft.value == [1]:
                break
    assert rx.snapshot().draft == [1]
    assert rx.outcome.value.draft == [1, 2, 3]
    assert rx.outcome.ending is Ending.CLOSED


async def test_left_after_the_terminal_item(autojump_clock: MockClock) -> None:
    """Who has been given everything has a complete stream, but not if the document is bad."""
    for document, ending in ((DOCUMENT, Ending.COMPLETED), ("[]", Ending.CLOSED)):
        async with playing(START, *text(0, document), *stop(), item=Recipe) as rx:
            async for draft in rx:
                if isinstance(draft.item, MessageFinished):
                    break
        assert rx.outcome.ending is ending
        assert isinstance(rx.outcome.error, BadItemError) == (ending is Ending.CLOSED)


async def test_cancelled(autojump_clock: MockClock) -> None:
    """A cancelled stream has its draft."""
    with trio.move_on_after(1):
        async with playing(START, *text(0, '{"name": "So'), Stall(), item=Recipe) as rx:
            async for _ in rx:
                pass
    assert rx.outcome.ending is Ending.CANCELLED
    assert rx.outcome.value.draft == {"name": "So"}


# ---- laws ----------------------------------------------------------------------------------------

STREAMS = {
    "text": [START, *THINKING, *text(1, *cut(DOCUMENT, 7)), *stop()],
    "call": [START, *call(0, DOCUMENT, json.loads(DOCUMENT)), *stop("tool_use")],
    "number": [START, *text(0, "1", "2"), *stop()],
}


@pytest.mark.parametrize("name", STREAMS)
def test_it_keeps_the_law_of_dialects(name: str) -> None:
    """Batching does not matter, no ending lies, and snapshots are values of their own."""
    items = STREAMS[name]
    item = int if name == "number" else Recipe
    dialect = Structured(Played(items), item)
    check_dialect(
        dialect,
        frames(items),
        expected_items=[Draft(each) for each in items],
        hostile=False,  # the frames are numbers of our own
    )


def test_law_with_a_misfit() -> None:
    """Batching does not matter for the error, either."""
    items = [START, *text(0, "[", "]"), *stop()]
    dialect = Structured(Played(items, strict=True), Recipe)
    check_dialect(dialect, frames(items), raises=BadItemError, hostile=False)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(JSON, st.integers(1, 9), st.randoms(use_true_random=False))
def test_any_document_in_any_pieces(value: Any, size: int, random: Any) -> None:
    """Whatever the document and its pieces: the value is that of `json.loads`, as is the draft."""
    document = json.dumps(value, ensure_ascii=random.random() < 0.5)
    items = [START, *text(0, *cut(document, size)), *stop()]
    dialect = Structured(Played(items), Any)
    decoder, assembler = dialect.decoder(), dialect.assembler()
    out: list[Draft] = []
    decoder.decode(frames(items), out)
    looks = random.random() < 0.5
    for draft in out:
        assembler.fold(draft)
        if looks:
            _ = draft.value
    answer = assembler.snapshot()

    assert answer.value == json.loads(document)
    assert answer.draft == answer.value
    assert assembler.complete


@settings(max_examples=60, deadline=None)
@given(st.text('{}[]",:1e-\\ntrue ', max_size=20), st.integers(1, 5))
def test_any_text_in_any_pieces(document: str, size: int) -> None:
    """Whatever the text: a value that `json.loads` agrees with, or a `BadItemError`."""
    items = [START, *text(0, *cut(document, size)), *stop()]
    dialect = Structured(Played(items), Any)
    decoder, assembler = dialect.decoder(), dialect.assembler()
    out: list[Draft] = []
    try:
        expected = [json.loads(document)]
    except ValueError:
        expected = []
    try:
        decoder.decode(frames(items), out)
        assert expected
    except BadItemError:
        assert not expected
    for draft in out:
        assembler.fold(draft)
        _ = draft.value
    answer = assembler.snapshot()
    assert [answer.value] == expected if answer.is_complete else not expected


# ---- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"dialect": Letters(), "item": int}, ValueError, "only one of messages"),
        ({"dialect": Played([]), "item": {"type": "object"}}, TypeError, "JSONSchema"),
        ({"dialect": Played([]), "item": complex}, TypeError, "complex"),
        ({"dialect": Played([]), "item": "Recipe"}, TypeError, "item must be a type"),
    ],
    ids=spelled,
)
def test_refused_at_once(options: dict[str, Any], error: type[Exception], match: str) -> None:
    """What cannot be an answer is refused before anything is sent."""
    with pytest.raises(error, match=match):
        open_stream("GET", "http://x/", **options)
