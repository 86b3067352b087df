"""Events that an earlier connection has brought are dropped, and nothing else is."""

from __future__ import annotations

import random

import pytest

from tests.framing.cutting import every_cutting, read
from trio_stream.framing import NDJSON, SSE, Comment, Record, ServerSentEvent, SSEParser

E = ServerSentEvent


def skipping(pieces: list[bytes], *ids: str, last: str = "", **options: bool) -> list[object]:
    parser = SSE(**options).parser(last_event_id=last)
    parser.skip(frozenset(ids))
    return [*read(parser, pieces)]


@pytest.mark.parametrize("unframed", [False, True])
def test_event_that_sets_a_known_id_is_dropped(unframed: bool) -> None:
    """An event that came before is dropped by the ID that it sets, however the body is cut."""
    body = b"id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n"
    for pieces in every_cutting(body):
        assert skipping(pieces, "1", "2", last="2", unframed=unframed) == [E("message", "c", "3")]


def test_event_that_sets_no_id_is_kept() -> None:
    """An event without an ID of its own has the last one, which says nothing of whether it came."""
    body = b"data: a\n\nid: 2\ndata: b\n\ndata: c\n\nevent: ping\ndata: d\n\n"
    for pieces in every_cutting(body):
        assert skipping(pieces, "1", "2", last="1") == [
            E("message", "a", "1"),
            E("message", "c", "2"),
            E("ping", "d", "2"),
        ]


def test_id_with_nul_is_none() -> None:
    """An ID that the standard ignores is not set, so its event is kept."""
    assert skipping([b"id: 1\0\ndata: a\n\n"], "1", last="1") == [E("message", "a", "1")]


def test_known_id_in_a_block_without_data() -> None:
    """A block that is no event commits its ID, and the next one does not set it."""
    assert skipping([b"id: 1\n\ndata: a\n\n"], "1") == [E("message", "a", "1")]


def test_what_is_dropped_is_counted() -> None:
    """The count is of events, and the last event ID is that of what was dropped, too."""
    parser = SSEParser(comments=True)
    parser.skip({"1"})
    frames = parser.feed(b": x\nid: 1\nretry: 9\ndata: a\n\nid: 1\ndata: b\n\n")
    assert frames == [Comment("x")]
    assert parser.skipped == 2
    assert parser.last_event_id == "1"
    assert parser.retry == 9


def test_burst() -> None:
    """In a long piece of many events, where there are shortcuts, nothing else is dropped."""
    rng = random.Random(1)
    numbers = [rng.randrange(50) for _ in range(2000)]
    blocks = [
        f"id: {n}\ndata: {n}\n\n" if rng.random() < 0.5 else f"data: {n} without\n\n"
        for n in numbers
    ]
    known = {str(n) for n in range(25)}
    kept = [block for block in blocks if "without" in block or block.split()[1] not in known]
    events = skipping(["".join(blocks).encode()], *known)
    assert [event.data for event in events if isinstance(event, E)] == [
        block.split("data: ")[1].strip() for block in kept
    ]


def test_formats_without_ids() -> None:
    """Where frames have no IDs there is nothing to drop, and no time that a server asks for."""
    parser = NDJSON().parser()
    parser.skip({"1"})
    assert read(parser, [b'{"id": 1}\n']) == [Record('{"id": 1}')]
    assert parser.skipped == 0
    assert parser.retry is None
