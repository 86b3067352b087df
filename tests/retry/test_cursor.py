"""Positions: read out of frames, and turned into the request for the rest."""

from __future__ import annotations

import json
import math
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.framing import Comment, Record, ServerSentEvent, SSEParser
from trio_stream.retry import BackfillMinutes, Cursor, LastEventID, StartingAfter

RECORDED = Path(os.environ.get("TRIO_STREAM_CORPORA", "/nowhere"), "recorded")
recorded = pytest.mark.skipif(not RECORDED.exists(), reason="TRIO_STREAM_CORPORA is not set")

RESPONSES = StartingAfter("https://api.openai.com/v1/responses")
FEED = BackfillMinutes()
CURSORS: list[Cursor] = [LastEventID(), LastEventID(consecutive=True), RESPONSES, FEED]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(
            st.sampled_from(["sequence_number", "response", "id", "data", "x"]), inside, max_size=3
        )
    ),
    max_leaves=8,
)


def position(cursor: Cursor, data: object, previous: str = "") -> str | None:
    text = data if isinstance(data, str) else json.dumps(data)
    return cursor.position(ServerSentEvent(data=text), previous)


def positions_of(cursor: Cursor, path: Path) -> list[str]:
    """The positions of a recorded stream, those of frames that have one."""
    parser, found = SSEParser(), [""]
    for frame in (*parser.feed(path.read_bytes()), *parser.close()):
        found.append(cursor.position(frame, found[-1]) or found[-1])
    return [after for before, after in pairwise(found) if after != before]


# ---- any cursor ----------------------------------------------------------------------------------

NO_POSITION: list[Any] = [
    *("", "[DONE]", "not json", "{", "null", "1", '"text"', "[]", "[[]]", "true", "1e400"),
    *('{"sequence_number": 1', "[" * 100_000, '{"data":' * 100_000, "9" * 5000, "\ud800"),
]


@pytest.mark.parametrize("data", NO_POSITION, ids=lambda data: f"{data[:20]!r}")
@pytest.mark.parametrize("cursor", [RESPONSES, FEED], ids=repr)
def test_strange_data_has_no_position(cursor: Cursor, data: str) -> None:
    """What is not an event with a position has none, and is no error: others judge it."""
    assert position(cursor, data, "resp_1:4") is None


@pytest.mark.parametrize("frame", [Comment("ping"), Record("{}"), None, b"bytes", 1, object()])
@pytest.mark.parametrize("cursor", CURSORS, ids=repr)
def test_other_frames_have_no_position(cursor: Cursor, frame: object) -> None:
    """Frames of another kind are passed over."""
    assert cursor.position(frame, "") is None


@given(json_values, st.sampled_from(["", "resp_1:4", "7", ":", "a/b:1"]))
def test_positions_can_be_resumed_from(value: Any, previous: str) -> None:
    """Whatever JSON comes: a position is text that is not empty, and leads to a request."""
    for cursor in (RESPONSES, FEED):
        where = position(cursor, value, previous)
        if where is not None:
            assert where
            assert cursor.resume(where, 0.0) is not None


def test_cursors_are_values() -> None:
    """A cursor has no state, so equal ones are equal, and one serves any number of streams."""
    assert LastEventID() == LastEventID(consecutive=False)
    assert hash(StartingAfter("a")) == hash(StartingAfter("a"))


def test_numbers_are_not_looked_for_unless_told() -> None:
    """A cursor of one's own has no gaps to find, unless it says how positions are numbered."""

    class Own(Cursor):
        def position(self, frame: Any, previous: str) -> str | None:
            return "7"

        def resume(self, position: str, silence: float) -> None:
            return None

    assert Own().sequence("7") is None


# ---- server-sent events --------------------------------------------------------------------------


def test_event_id_is_the_position() -> None:
    """The position is the last event ID at dispatch, whatever the data is."""
    assert LastEventID().position(ServerSentEvent(data="[DONE]", id="42"), "41") == "42"


def test_event_id_can_be_reset() -> None:
    """An empty ID takes the position back: the next request has none (WHATWG HTML 9.2)."""
    assert LastEventID().position(ServerSentEvent(id=""), "41") == ""


@pytest.mark.parametrize("value", ["1", "a b", " a", "é 漢", "x\ty", "0:0", "a" * 5000])
def test_event_id_is_sent_as_it_is(value: str) -> None:
    """The header has the ID, every character of it."""
    assert LastEventID().resume(value, 9.0) == {"add_headers": {"Last-Event-ID": value}}


@pytest.mark.parametrize("value", ["", " ", "\t ", "a\nb", "a\rb", "a\0", "\x1b[0m", "\x7f"])
def test_event_id_that_no_header_can_hold(value: str) -> None:
    """A control character, or nothing but blanks, cannot be sent: nothing is asked for."""
    assert LastEventID().resume(value, 0.0) is None


def test_event_ids_have_numbers_if_said_so() -> None:
    """Only IDs that are said to be consecutive are counted, and only whole numbers."""
    assert LastEventID().sequence("42") is None
    assert LastEventID(consecutive=True).sequence("42") == 42
    assert LastEventID(consecutive=True).sequence("007") == 7


@pytest.mark.parametrize("value", ["", "a", "-1", "+1", " 1", "1.0", "1_0", "²", "४", "9" * 19])
def test_other_event_ids_have_no_number(value: str) -> None:
    """Signs, fractions, blanks, digits of other scripts, and absurdly many digits do not count."""
    assert LastEventID(consecutive=True).sequence(value) is None


@recorded
def test_recorded_event_ids_are_positions() -> None:
    """A recorded stream with consecutive IDs: each event has its position and its number."""
    cursor = LastEventID(consecutive=True)
    found = positions_of(cursor, RECORDED / "watsonx-generation-1.sse")

    assert [cursor.sequence(each) for each in found] == list(range(1, 13))


@recorded
def test_recorded_event_ids_need_not_be_numbers() -> None:
    """IDs made of a time and a count are positions, but have no numbers to miss one of."""
    cursor = LastEventID(consecutive=True)
    found = positions_of(cursor, RECORDED / "replicate-predictions-1.sse")

    assert found[0] == "1707756341:0"
    assert len(set(found)) == len(found) == 25
    assert {cursor.sequence(each) for each in found} == {None}


# ---- the Responses API ---------------------------------------------------------------------------


def test_response_and_number_are_the_position() -> None:
    """The position has the ID of the response and the number of the event."""
    data = {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1"}}

    assert position(RESPONSES, data) == "resp_1:0"


def test_response_is_remembered() -> None:
    """Most events do not name their response: it is that of the position before."""
    assert position(RESPONSES, {"sequence_number": 5}, "resp_1:4") == "resp_1:5"
    assert position(RESPONSES, {"sequence_number": 5, "response": None}, "a:4") == "a:5"
    assert position(RESPONSES, {"sequence_number": 5, "response": {}}, "a:b:4") == "a:b:5"


def test_event_before_any_response_has_no_position() -> None:
    """Without a response to ask for there is nothing to go on from."""
    assert position(RESPONSES, {"sequence_number": 5}) is None


@pytest.mark.parametrize("number", [True, False, None, 1.0, "1", -1, [1], {}, 10**18, math.nan])
def test_number_must_be_one(number: object) -> None:
    """A number is whole, not negative and not absurd; `true` is none, nor is text."""
    data = {"sequence_number": number, "response": {"id": "resp_1"}}

    assert position(RESPONSES, data) is None


@pytest.mark.parametrize(
    "name", ["../../files", "a/b", "a?b", "a#b", "..", "", "a b", "a\n", "é", "%2e", "a\\b"]
)
def test_response_must_have_a_name_for_a_path(name: str) -> None:
    """An ID that would lead the next request elsewhere is none."""
    data = {"sequence_number": 1, "response": {"id": name}}

    assert position(RESPONSES, data) is None
    assert RESPONSES.resume(f"{name}:1", 0.0) is None


@pytest.mark.parametrize("name", [1, True, 1.5, ["a"], {"a": 1}])
def test_name_of_a_response_is_text(name: object) -> None:
    """What is not text is no ID, though it could be written as some."""
    assert position(RESPONSES, {"sequence_number": 1, "response": {"id": name}}) is None


@pytest.mark.parametrize("response", [[], "text", 1, [{"id": "a"}], True])
def test_response_must_be_an_object(response: object) -> None:
    """What is no object has no ID."""
    assert position(RESPONSES, {"sequence_number": 1, "response": response}) is None


def test_rest_of_a_response_is_asked_for() -> None:
    """The rest comes from another address, by another method, without the body."""
    assert RESPONSES.resume("resp_1:42", 9.0) == {
        "method": "GET",
        "url": "https://api.openai.com/v1/responses/resp_1",
        "add_params": {"stream": "true", "starting_after": "42"},
        "json": None,
    }


def test_query_of_the_url_is_kept() -> None:
    """The version that some providers want in the query stays there, behind the new path."""
    cursor = StartingAfter("https://x.example/openai/responses?api-version=preview")
    changes = cursor.resume("resp_1:42", 9.0)

    assert changes is not None
    assert changes["url"] == "https://x.example/openai/responses/resp_1?api-version=preview"


@pytest.mark.parametrize(
    "where", ["", ":", "resp_1", "resp_1:", ":1", "resp_1:x", "../x:1", "a:-1"]
)
def test_foreign_position_is_not_asked_for(where: str) -> None:
    """A position that is none of this API, from a file or by hand, leads to no request."""
    assert RESPONSES.resume(where, 0.0) is None


def test_numbers_of_events_are_consecutive() -> None:
    """A gap shows, since the number of a position is that of the event."""
    assert RESPONSES.sequence("resp_1:42") == 42
    assert RESPONSES.sequence("resp_1:x") is None
    assert RESPONSES.sequence("") is None


@recorded
@pytest.mark.parametrize(
    "path", sorted(RECORDED.glob("*-responses-*.sse")), ids=lambda path: path.stem
)
def test_recorded_responses_have_positions_without_gaps(path: Path) -> None:
    """Every numbered event of a recorded response has a position, and none is missing between."""
    found = [RESPONSES.sequence(each) for each in positions_of(RESPONSES, path)]
    numbers = re.findall(rb'"sequence_number": ?(\d+)', path.read_bytes())

    assert found == [int(number) for number in numbers]
    # One recording has several answers behind one another, each counted from 0.
    assert all(other in {0, one + 1} for one, other in pairwise(found) if one is not None)


# ---- feeds of X ----------------------------------------------------------------------------------


def test_record_id_is_the_position() -> None:
    """The ID is where the path says; a number serves as well as text."""
    assert FEED.position(Record('{"data": {"id": "17"}, "matching_rules": []}'), "") == "17"
    assert FEED.position(Record('{"data": {"id": 17}}'), "") == "17"
    assert BackfillMinutes(path=["id"]).position(Record('{"id": "a"}'), "") == "a"


@pytest.mark.parametrize("value", ["", None, True, False, 1.5, [], {}, ["1"]])
def test_other_values_are_no_ids(value: object) -> None:
    """`true` is no number, and a fraction, a list or nothing at all is no ID."""
    assert FEED.position(Record(json.dumps({"data": {"id": value}})), "") is None


@pytest.mark.parametrize("text", ['{"errors": [{"title": "x"}]}', '{"data": []}', '{"data": null}'])
def test_record_without_an_item_has_no_position(text: str) -> None:
    """In-band errors and the like are passed over."""
    assert FEED.position(Record(text), "") is None


@pytest.mark.parametrize(
    ("silence", "minutes"),
    [(0, "1"), (49, "1"), (51, "2"), (60, "2"), (109, "2"), (111, "3"), (231, "5"), (86400, "5")],
)
def test_minutes_of_the_silence_are_asked_for(silence: float, minutes: str) -> None:
    """So many minutes as cover the silence and the time that the request takes, up to the most."""
    assert FEED.resume("17", silence) == {"add_params": {"backfill_minutes": minutes}}


@pytest.mark.parametrize("silence", [math.inf, -math.inf, math.nan, -5.0, 1e308])
def test_minutes_are_a_number_whatever_the_clock_says(silence: float) -> None:
    """No silence, however strange, asks for something that X refuses."""
    changes = FEED.resume("17", silence)

    assert changes is not None
    assert changes["add_params"]["backfill_minutes"] in {"1", "5"}


def test_most_minutes_can_be_less() -> None:
    """No more is asked for than is allowed."""
    assert BackfillMinutes(most=2).resume("17", 600.0) == {"add_params": {"backfill_minutes": "2"}}


def test_records_have_no_numbers() -> None:
    """IDs of items are not consecutive, so no gap is looked for."""
    assert FEED.sequence("17") is None
