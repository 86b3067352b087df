"""Where a stream is: received, acknowledged, seen before."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_stream.framing import Record, ServerSentEvent
from trio_stream.pipeline._position import Position
from trio_stream.retry import BackfillMinutes, Cursor, LastEventID

EVENT_IDS = LastEventID()


def position(cursor: Cursor | None = EVENT_IDS, *, window: int = 100, start: str = "") -> Position:
    made = Position(cursor, window, None)
    made.start(start)
    return made


def event(id_: str) -> ServerSentEvent:
    return ServerSentEvent("message", "", id_)


def receive(where: Position, ids: Sequence[str], before: int = 0) -> None:
    """Receive events, each of which becomes one item."""
    for number, id_ in enumerate(ids, before + 1):
        where.advance(where.read(event(id_)), number)


def test_acknowledged_follows_received() -> None:
    """The acknowledged position is that of the last item that was processed."""
    where = position()
    receive(where, ["a", "b", "c"])
    assert (where.received, where.acknowledged) == ("c", "")
    assert where.acknowledge(2)
    assert where.acknowledged == "b"
    assert not where.acknowledge(2)
    assert where.acknowledge(3)
    assert where.acknowledged == "c"


@pytest.mark.parametrize("more", [[], ["d"]])
def test_acknowledging_what_came_on_the_connection_before(more: list[str]) -> None:
    """What waits for the consumer while the stream connects again can be acknowledged after."""
    where = position()
    receive(where, ["a", "b", "c"])
    assert where.acknowledge(1)
    where.reconnect()
    receive(where, more, before=3)
    assert where.acknowledge(2)
    assert where.acknowledged == "b"
    assert where.acknowledge(4)
    assert where.acknowledged == where.received


def test_frame_of_several_items() -> None:
    """A position is reached when all items of its frame were processed."""
    where = position()
    where.advance("a", 3)
    where.advance("b", 3)  # a frame of no item
    where.advance("c", 5)
    assert not where.acknowledge(2)
    assert where.acknowledge(3)
    assert where.acknowledged == "b"


def test_frames_of_one_position() -> None:
    """A position that several frames have is reached behind the last of them."""
    where = position()
    receive(where, ["a", "b", "b", "b", "c"])
    where.acknowledge(3)
    assert where.acknowledged == "a"
    where.acknowledge(4)
    assert where.acknowledged == "b"


def test_frame_without_a_position_moves_nothing() -> None:
    """A frame that has none, such as a comment, is passed over."""
    where = position()
    receive(where, ["a"])
    where.advance(where.read(Record("{}")), 2)
    where.acknowledge(1)
    assert where.acknowledged == "a"


def test_reset() -> None:
    """An empty event ID takes the position back to none."""
    where = position()
    receive(where, ["a", ""])
    where.acknowledge(2)
    assert (where.received, where.acknowledged) == ("", "")


def test_no_way_back() -> None:
    """What comes again after a reconnect does not take the position back."""
    where = position()
    receive(where, ["a", "b", "c"])
    where.reconnect()
    receive(where, ["a", "b"], before=3)
    assert where.received == "c"
    receive(where, ["d"], before=5)
    where.acknowledge(6)
    assert where.acknowledged == "d"


def test_duplicates() -> None:
    """Frames of other connections are duplicates, those of this one are not."""
    where = position(BackfillMinutes())
    for number in (1, 2):
        where.advance(str(number), number)
    assert not where.is_duplicate("1")
    where.reconnect()
    assert where.is_duplicate("1")
    assert not where.is_duplicate("3")
    assert not where.is_duplicate(None)
    assert where.duplicates == 1


@pytest.mark.parametrize("window", [0, 1, 5])
def test_window(window: int) -> None:
    """Only the newest positions are remembered, those of earlier connections included."""
    where = position(BackfillMinutes(), window=window)
    for number in range(1, 11):
        where.advance(str(number), number)
        if number % 3 == 0:
            where.reconnect()
    where.reconnect()
    assert list(where.seen) == [str(number) for number in range(11 - window, 11)]


def test_start_is_known() -> None:
    """What the stream goes on from came before, if duplicates are looked for at all."""
    assert position(BackfillMinutes(), start="7").is_duplicate("7")
    assert not position(BackfillMinutes(), window=0, start="7").is_duplicate("7")


def test_start_again() -> None:
    """What was received in vain is forgotten, what was acknowledged stays."""
    where = position(start="1")
    receive(where, ["2", "3"])
    where.acknowledge(1)
    where.start("1")
    assert (where.received, where.acknowledged) == ("1", "2")
    assert not where.acknowledge(10)
    where.reconnect()
    assert list(where.seen) == ["1"]


def test_gaps() -> None:
    """A number that is not the next one is a gap; one that is smaller is none."""
    gaps: list[tuple[int, int]] = []
    where = Position(
        LastEventID(consecutive=True), 100, lambda expected, got: gaps.append((expected, got))
    )
    where.start("4")
    receive(where, ["5", "8", "x", "9", "7", "8", "20"])
    assert gaps == [(6, 8), (9, 20)]
    assert where.missing == 2 + 11


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.data())
def test_never_ahead_of_what_was_processed(ids: list[str], data: st.DataObject) -> None:
    """Whatever the positions, the acknowledged one is behind no item that was not processed."""
    where = position()
    receive(where, ids)
    done = data.draw(st.integers(0, len(ids)))
    where.acknowledge(done)
    if where.acknowledged:
        # Somewhere among what was processed this position was reached, and the next frame has
        # another one.
        assert any(
            ids[n - 1] == where.acknowledged and (n == len(ids) or ids[n] != ids[n - 1])
            for n in range(1, done + 1)
        )
    elif done == len(ids):
        assert not ids
