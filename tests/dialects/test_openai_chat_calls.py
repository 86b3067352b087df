"""Tool calls in OpenAI-like chat streams: which call a delta means, and when one can be made."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.chat_stream import DONE, Chunk, call, calls, run, says, stops, whole
from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    IncompleteToolCall,
    TextPart,
    ToolCall,
    ToolInputDelta,
)
from trio_stream.errors import BadItemError, StreamTruncatedError

ADD = {"x": 1}
TEXT = '{"x": 1}'
NO_ARGUMENTS = "no arguments came, and the model may have been cut off before them"
MAY_GO_ON = "the model may have been cut off inside the arguments"


def made_of(*stream: Chunk, reason: str | None = "tool_calls") -> list[tuple[str, str, Any]]:
    """The calls that are made of a whole stream."""
    return whole(*stream, reason=reason).made


# --- the quirks of servers ----------------------------------------------------------------------

# Each is one call of `add` and then one of `now`, or only the first of them.
TWO: dict[str, list[Chunk]] = {
    "as OpenAI has it": [
        calls(call(0, "", "a", "add")),
        calls(call(0, '{"x"')),
        calls(call(0, ": 1}")),
        calls(call(1, "", "b", "now")),
        calls(call(1, "{}")),
    ],
    "two in a chunk": [calls(call(0, TEXT, "a", "add"), call(1, "{}", "b", "now"))],
    "no index": [calls(call(None, TEXT, "a", "add"), call(None, "{}", "b", "now"))],
    "no index, in pieces": [
        calls(call(None, "", "a", "add")),
        calls(call(None, '{"x"')),
        calls(call(None, ": 1}")),
        calls(call(None, "", "b", "now")),
        calls(call(None, "{}")),
    ],
    "no index, mixed": [
        calls(call(None, '{"x"', "a", "add"), call(None, "{", "b", "now")),
        calls(call(None, ": 1}", "a"), call(None, "}", "b")),
    ],
    "index only from the second delta on": [
        calls(call(None, "", "a", "add")),
        calls(call(0, TEXT)),
        calls(call(1, "{}", "b", "now")),
    ],
    "null index": [
        calls(call(None, TEXT, "a", "add") | {"index": None}),
        calls(call(None, "{}", "b", "now") | {"index": None}),
    ],
    "index with a gap": [calls(call(3, TEXT, "a", "add")), calls(call(7, "{}", "b", "now"))],
    "index always 0": [calls(call(0, TEXT, "a", "add")), calls(call(0, "{}", "b", "now"))],
    "index always 0, in pieces": [
        calls(call(0, "", "a", "add")),
        calls(call(0, TEXT, "")),
        calls(call(0, "", "b", "now")),
        calls(call(0, "{}", "")),
    ],
    "index always 0, mixed": [
        calls(call(0, '{"x"', "a", "add"), call(0, "{", "b", "now")),
        calls(call(0, ": 1}", "a"), call(0, "}", "b")),
    ],
    "sent again, under another index": [
        calls(call(0, TEXT, "a", "add")),
        calls(call(0, "{}", "b", "now")),
        calls(call(0, TEXT, "a", "add"), call(1, "{}", "b", "now")),
    ],
    "sent again, now with an index": [
        calls(call(None, TEXT, "a", "add")),
        calls(call(None, "{}", "b", "now")),
        calls(call(0, TEXT, "a", "add"), call(1, "{}", "b", "now")),
    ],
    "index and ID always 0 and empty": [
        calls(call(0, TEXT, "", "add")),
        calls(call(0, "{}", "", "now")),
    ],
    "repeated ID and name": [
        calls(call(0, '{"x"', "a", "add")),
        calls(call(0, ": 1}", "a", "add")),
        calls(call(1, "{", "b", "now")),
        calls(call(1, "}", "b", "now")),
    ],
    "null ID, name and arguments": [
        calls({"index": 0, "id": "a", "function": {"name": "add", "arguments": None}}),
        calls(
            {"index": 0, "id": None, "type": None, "function": {"name": None, "arguments": TEXT}}
        ),
        calls({"index": 1, "id": "b", "function": {"name": "now", "arguments": None}}),
        calls(
            {"index": 1, "id": None, "type": None, "function": {"name": None, "arguments": "{}"}}
        ),
    ],
    "empty ID and name": [
        calls(call(0, '{"x"', "a", "add")),
        calls(call(0, ": 1}", "", "")),
        calls(call(1, "{}", "b", "now")),
    ],
    "a new ID for each delta": [
        calls(call(0, "", "a", "add")),
        calls(call(0, '{"x"', "a2")),
        calls(call(0, ": 1}", "a3")),
        calls(call(0, "", "a4")),
        calls(call(1, "{", "b", "now")),
        calls(call(1, "}", "b2")),
    ],
    "a new ID for each delta, and the name": [
        calls(call(0, '{"x"', "a", "add")),
        calls(call(0, ": 1}", "a2", "add")),
        calls(call(1, "", "b", "now")),
        calls(call(1, "{}", "b2", "now")),
    ],
    "mixed": [
        calls(call(0, "", "a", "add"), call(1, "", "b", "now")),
        calls(call(0, '{"x"'), call(1, "{")),
        calls(call(0, ": 1}"), call(1, "}")),
    ],
    "arguments as an object": [
        calls(call(0, ADD, "a", "add")),
        calls(call(1, {}, "b", "now")),
    ],
    "arguments as an object, later": [
        calls(call(0, None, "a", "add")),
        calls(call(0, ADD)),
        calls(call(1, {}, "b", "now"), call(1, {}, "b", "now")),
    ],
    "name or ID later": [
        calls(call(0, "", "a")),
        calls(call(0, TEXT, None, "add")),
        calls(call(1, "{", None, "now")),
        calls(call(1, "}", "b")),
    ],
    "sent a second time": [
        calls(call(0, '{"x"', "a", "add")),
        calls(call(0, ": 1}")),
        calls(call(1, "{}", "b", "now")),
        calls(call(0, TEXT, "a", "add"), call(1, "{}", "b", "now")),
    ],
    "repeated ID and name, and nothing more": [
        calls(call(0, TEXT, "a", "add"), call(0, "", "a", "add")),
        calls(call(0, " ", None, "add"), call(0, None, "a2", "")),
        calls(call(1, "{}", "b", "now"), call(1, None, None, "now")),
    ],
    "blanks after the end": [
        calls(call(0, TEXT, "a", "add")),
        calls(call(1, "{}", "b", "now")),
        calls(call(0, "\n"), call(0, ""), call(1, " ", "b", "now")),
    ],
    "no arguments, no text": [
        calls(call(0, TEXT, "a", "add")),
        calls(call(1, "", "b", "now")),
        calls(call(1, "")),
    ],
    "text between": [
        calls(call(0, '{"x"', "a", "add")),
        says(content="\n"),
        calls(call(0, ": 1}")),
        says(content="Now. "),
        calls(call(1, "{}", "b", "now")),
    ],
    "elements that say nothing": [
        calls({"index": 0}, {"index": 0, "type": "function"}, {}),
        calls(call(0, TEXT, "a", "add"), {"index": 0}),
        calls(call(1, "{}", "b", "now"), {"function": {}}),
    ],
}


@pytest.mark.parametrize("reason", ["tool_calls", "stop", "function_call"])
@pytest.mark.parametrize("name", TWO)
def test_quirks_are_understood(name: str, reason: str) -> None:
    """However a server spells two calls, they are these two, each made once."""
    result = whole(*TWO[name], reason=reason)

    ids = ("", "") if "empty" in name and "always 0" in name else ("a", "b")
    assert result.made == [(ids[0], "add", ADD), (ids[1], "now", {})]
    assert result.message.tool_calls == tuple(
        item.part
        for item in result.items
        if isinstance(item, BlockFinished)
        if isinstance(item.part, ToolCall)
    )
    assert result.message.stop_reason == "tool_use"
    assert result.message.provider_stop_reason == reason
    assert result.decoder.unknown_events == 0


@pytest.mark.parametrize("name", TWO)
def test_no_cut_makes_a_call(name: str) -> None:
    """Cut before the reason, the stream is truncated and has no call that the whole has not."""
    stream = TWO[name]
    honest = whole(*stream).made
    for count in range(1, len(stream) + 1):
        result = run(*stream[:count])

        assert isinstance(result.error, StreamTruncatedError)
        assert not result.assembler.complete
        assert all(made in honest for made in result.made)
        assert result.message.tool_calls == tuple(
            part for part in result.message.parts if isinstance(part, ToolCall)
        )


def test_one_id_for_all_calls() -> None:
    """Calls that all have one ID are told by their indexes and names, mixed or whole."""
    mixed = [
        calls(call(0, '{"x"', "a", "add"), call(1, "{", "a", "now")),
        calls(call(0, ": 1}", "a"), call(1, "}", "a")),
    ]
    at_once = [calls(call(0, TEXT, "a", "add")), calls(call(1, TEXT, "a", "now"))]

    assert made_of(*mixed) == [("a", "add", ADD), ("a", "now", {})]
    assert made_of(*at_once) == [("a", "add", ADD), ("a", "now", ADD)]


def test_whole_calls_in_the_chunk_that_finishes() -> None:
    """Mistral sends whole calls together with the reason, several at once."""
    result = run(
        stops(
            "tool_calls", tool_calls=[call(None, TEXT, "a", "add"), call(None, "{}", "b", "now")]
        ),
        DONE,
    )

    assert result.made == [("a", "add", ADD), ("b", "now", {})]


def test_id_decides_where_there_is_no_index() -> None:
    """Without an index, calls of the same tool may be mixed if each delta has its ID."""
    stream = [
        calls(call(None, '{"x"', "a", "f"), call(None, '{"x"', "b", "f")),
        calls(call(None, ": 2}", "b"), call(None, ": 1}", "a")),
    ]

    assert made_of(*stream) == [("a", "f", {"x": 1}), ("b", "f", {"x": 2})]


def test_null_spelled_as_a_string_is_no_id() -> None:
    """Mistral once gave every call the ID ``"null"``: they are different calls all the same."""
    stream = [calls(call(None, TEXT, "null", "add"), call(None, '{"x": 2}', "null", "add"))]

    assert made_of(*stream) == [("", "add", ADD), ("", "add", {"x": 2})]


def test_same_tool_twice_without_ids() -> None:
    """Whole calls of the same tool, with nothing to tell them apart but their text, are two."""
    stream = [calls(call(0, TEXT, None, "add")), calls(call(0, TEXT, None, "add"))]

    assert made_of(*stream) == [("", "add", ADD), ("", "add", ADD)]


def test_ids_are_never_made_up() -> None:
    """Calls without IDs have none, and are kept apart by their index."""
    stream = [calls(call(0, "{", None, "f"), call(1, "{", None, "f")), calls(call(0, "}"))]

    result = whole(*stream, calls(call(1, "}")))

    assert result.made == [("", "f", {}), ("", "f", {})]


def test_two_calls_are_never_glued() -> None:
    """What the official SDK reads as one call, ``ab`` of ``fg``, is two."""
    stream = [calls(call(0, '{"x":1}', "a", "f")), calls(call(0, '{"y":2}', "b", "g"))]

    assert made_of(*stream) == [("a", "f", {"x": 1}), ("b", "g", {"y": 2})]


def test_nothing_to_tell_two_calls_apart() -> None:
    """Two texts with no index, ID or name between them are no JSON, so nothing is called."""
    result = whole(calls(call(0, '{"x":1}', "a", "f")), calls(call(0, '{"y":2}')))

    assert result.made == []
    (part,) = result.message.parts
    assert isinstance(part, IncompleteToolCall)
    assert part.arguments == '{"x":1}{"y":2}'
    assert "not JSON" in part.error


def test_another_call_begins_inside_one() -> None:
    """A call that another one displaces before it is whole stays incomplete."""
    result = whole(
        calls(call(0, '{"x"', "a", "f")),
        calls(call(0, '{"y": 2}', "b", "g")),
    )

    assert result.made == [("b", "g", {"y": 2})]
    assert isinstance(result.message.parts[0], IncompleteToolCall)
    assert result.message.parts[0].arguments == '{"x"'


def test_call_without_a_name_is_none() -> None:
    """Arguments that no name ever comes for are kept, and no call."""
    result = whole(calls(call(0, "{}", "a")), calls(call(1, "{}")))

    assert result.made == []
    assert result.message.parts == (
        IncompleteToolCall("a", "", "{}", "the call has no name"),
        IncompleteToolCall("", "", "{}", "the call has no name"),
    )


def test_older_function_call() -> None:
    """``function_call``, which has no ID, is a call too."""
    stream = [
        says(content=None, function_call={"name": "add", "arguments": ""}),
        says(function_call={"arguments": '{"x"'}),
        says(function_call={"arguments": ": 1}"}),
    ]
    result = whole(*stream, reason="function_call")

    assert result.made == [("", "add", ADD)]
    (part,) = result.message.parts
    assert isinstance(part, ToolCall)
    assert part.raw == {"function_call": {"name": "add", "arguments": ""}}


def test_custom_tool_takes_text() -> None:
    """The input of a custom tool is text, JSON or not, and whole when the answer stops."""

    def custom(index: int, text: str, **more: Any) -> Chunk:
        body = {"input": text} | {k: v for k, v in more.items() if k == "name"}
        head = {"index": index, "type": "custom", "custom": body}
        return calls(head | {k: v for k, v in more.items() if k != "name"})

    stream = [
        custom(0, "print(", id="a", name="code"),
        custom(0, '"hi")'),
        custom(0, "", id="b", name="code"),
        custom(0, "{}", id="b"),
    ]
    result = whole(*stream, reason="tool_calls")

    assert result.message.parts == (
        ToolCall("a", "code", 'print("hi")', 'print("hi")', is_custom=True),
        ToolCall("b", "code", "{}", "{}", is_custom=True),
    )
    cut = run(*stream, stops("length"))
    assert cut.made == []
    first, _ = cut.message.parts
    assert first == IncompleteToolCall("a", "code", 'print("hi")', MAY_GO_ON, is_custom=True)


def test_what_a_call_needs_to_be_sent_back() -> None:
    """Fields of a provider's own, first or late, are in ``raw``."""
    seal = {"google": {"thought_signature": "s"}}
    result = whole(
        calls(call(0, "{}", "a", "f") | {"extra_content": seal}),
        calls(call(1, "{}", "b", "f")),
        calls(call(1, "") | {"extra_content": seal}),
    )

    assert [call.raw["extra_content"] for call in result.message.tool_calls] == [seal, seal]


# --- when a call is handed out ------------------------------------------------------------------


def test_call_is_handed_out_when_the_next_begins() -> None:
    """A whole call does not wait for the others: it is out when another block begins."""
    result = run(
        calls(call(0, TEXT, "a", "add")),
        calls(call(1, "", "b", "now")),
    )
    assert result.made == [("a", "add", ADD)]

    result = run(calls(call(0, TEXT, "a", "add")), says(content="Done."))
    assert result.made == [("a", "add", ADD)]


def test_call_that_may_go_on_waits() -> None:
    """A call without arguments, or whose arguments are no object, waits for the reason."""
    for arguments in ("", " ", "12", '"x"', "[]", '{"x"'):
        result = run(calls(call(0, arguments, "a", "f")), calls(call(1, "{}", "b", "g")))

        assert result.made == []


def test_mixed_calls_wait_for_the_reason() -> None:
    """Deltas of several calls may come in any order: nothing is closed before it is whole."""
    pieces = ['{"a', '": ', '{"b"', ": [1,", " 2]}", "}"]
    stream = [calls(call(n, "", f"id{n}", "f")) for n in range(3)]
    stream += [calls(call(n, piece)) for piece in pieces for n in (2, 0, 1)]

    expected = {"a": {"b": [1, 2]}}
    assert made_of(*stream) == [(f"id{n}", "f", expected) for n in range(3)]


@pytest.mark.parametrize("late", [call(0, "x"), call(0, '{"z": 1}', "a"), call(0, ADD)])
def test_more_for_a_call_that_is_out_is_refused(late: Chunk) -> None:
    """What cannot be taken back cannot be added to: the stream is refused, and nothing glued."""
    result = run(calls(call(0, TEXT, "a", "add")), calls(call(1, "{}", "b", "now")), calls(late))

    assert isinstance(result.error, BadItemError)
    assert result.error.path == "$.choices[0].delta.tool_calls[0]"
    assert result.made == [("a", "add", ADD)]


def test_arguments_do_not_come_twice() -> None:
    """Arguments as a value after arguments as text have no place."""
    result = run(calls(call(0, '{"x"', "a", "f")), calls(call(0, ADD)))

    assert isinstance(result.error, BadItemError)


def test_items_of_a_call() -> None:
    """A call begins incomplete, grows by the pieces that came, and ends as what it is."""
    result = whole(*TWO["mixed"])

    assert result.items[1:-2] == [
        BlockStarted(0, IncompleteToolCall("a", "add")),
        BlockStarted(1, IncompleteToolCall("b", "now")),
        ToolInputDelta(0, '{"x"'),
        ToolInputDelta(1, "{"),
        ToolInputDelta(0, ": 1}"),
        ToolInputDelta(1, "}"),
        BlockFinished(0, ToolCall("a", "add", ADD, TEXT)),
        BlockFinished(1, ToolCall("b", "now", {}, "{}")),
    ]


# --- calls that were cut ------------------------------------------------------------------------


@pytest.mark.parametrize("end", [[stops("length")], [stops("content_filter"), DONE], [DONE]])
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("", NO_ARGUMENTS),
        ('{"x": 1', "the arguments are not JSON"),
        ("12", MAY_GO_ON),
        ("1.5", MAY_GO_ON),
    ],
)
def test_call_that_was_cut_is_not_made(arguments: str, error: str, end: list[Any]) -> None:
    """Where the model may have been cut off, arguments that may go on make no call."""
    result = run(calls(call(0, arguments, "a", "f")), *end)

    assert result.error is None
    assert result.made == []
    (part,) = result.message.parts
    assert isinstance(part, IncompleteToolCall)
    assert part.error.startswith(error)
    assert part.arguments == arguments


@pytest.mark.parametrize("end", [[stops("length")], [stops("content_filter"), DONE], [DONE]])
@pytest.mark.parametrize("arguments", [TEXT, "{}", ADD, {}, '["x"]', '"x"'])
def test_call_that_was_whole_before_the_cut_is_made(arguments: Any, end: list[Any]) -> None:
    """Arguments that cannot go on make a call, wherever the model was cut off."""
    result = run(calls(call(0, arguments, "a", "f")), *end)

    value = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert result.made == [("a", "f", value)]


def test_broken_arguments_are_no_call_after_any_reason() -> None:
    """A reason that says that all is well does not make JSON of what is none."""
    for reason in ("stop", "tool_calls"):
        for arguments in ('{"x"', "{'x': 1}", '{"x": NaN}', "nonsense"):
            assert made_of(calls(call(0, arguments, "a", "f")), reason=reason) == []


def test_preview_of_a_call() -> None:
    """While a call grows, its arguments can be looked at."""
    result = run(calls(call(0, '{"city": "Os', "a", "f")))

    (part,) = result.message.parts
    assert isinstance(part, IncompleteToolCall)
    assert part.preview == {"city": "Os"}


# --- laws ---------------------------------------------------------------------------------------


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=1, max_size=4),
    st.lists(st.integers(0, 40)),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_calls_are_the_same_however_they_came(
    texts: list[str], cuts: list[int], random: Any, repeat: bool
) -> None:
    """Cut anywhere and mixed in any way, calls with an index are what they are."""
    queues = []
    for n, text in enumerate(texts):
        arguments = json.dumps({"text": text, "n": [n, {"deep": "}{"}]})
        ends = sorted({min(cut, len(arguments)) for cut in cuts} | {0, len(arguments)})
        head = [call(n, "", f"id{n}", "f")]
        more = (f"id{n}", "f") if repeat else (None, None)
        queues.append(head + [call(n, arguments[a:b], *more) for a, b in pairwise(ends)])
    heads = [queue.pop(0) for queue in queues]
    stream = [calls(*heads)]
    while any(queues):
        stream.append(calls(random.choice([queue for queue in queues if queue]).pop(0)))

    made = made_of(*stream)

    expected = {f"id{n}": {"text": text, "n": [n, {"deep": "}{"}]} for n, text in enumerate(texts)}
    assert {call_id: value for call_id, _, value in made} == expected
    assert len(made) == len(texts)


DELTAS = st.builds(
    call,
    st.sampled_from([None, 0, 1]),
    st.sampled_from(["", " ", "{}", '{"x"', ": 1}", "1", '"', {}, {"y": 2}, None]),
    st.sampled_from([None, "", "a", "b", "null"]),
    st.sampled_from([None, "", "f", "g"]),
)


@given(st.lists(DELTAS, max_size=8), st.sampled_from(["tool_calls", "length", None]))
def test_any_deltas_end_well(deltas: list[Chunk], reason: str | None) -> None:
    """Whatever comes, each call that is handed out has a name, is handed out once, and stays."""
    result = run(*(calls(delta) for delta in deltas), stops(reason), DONE)

    assert result.error is None or isinstance(result.error, BadItemError)
    finished = [item for item in result.items if isinstance(item, BlockFinished)]
    assert len({item.index for item in finished}) == len(finished)
    for item in finished:
        if isinstance(item.part, ToolCall):
            assert item.part.name
            assert result.message.parts[item.index] == item.part


def test_text_beside_calls_stays_in_order() -> None:
    """Text before, between and after calls becomes parts in the order in which they began."""
    result = whole(
        says(content="a"),
        calls(call(0, "{}", "x", "f")),
        says(content="b"),
        calls(call(1, "{}", "y", "f")),
        says(content="c"),
    )

    assert [type(part) for part in result.message.parts] == [
        TextPart,
        ToolCall,
        TextPart,
        ToolCall,
        TextPart,
    ]
