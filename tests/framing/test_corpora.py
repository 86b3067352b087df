"""Recorded streams of real providers.

They are not part of the repository: the environment variable ``TRIO_STREAM_CORPORA`` says where
they are, and the tests skip without it.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.framing.cutting import cut, pieces_of, read
from tests.framing.reference import interpret
from trio_stream.framing import Framing, Record, SSEParser, select_framing

CORPORA = Path(os.environ.get("TRIO_STREAM_CORPORA", "/nowhere"))
INDEX = CORPORA / "index.json"
STREAMS: list[dict[str, Any]] = json.loads(INDEX.read_bytes()) if INDEX.exists() else []

pytestmark = pytest.mark.skipif(not STREAMS, reason="TRIO_STREAM_CORPORA names no corpora")


def framing_of(stream: dict[str, Any]) -> Framing[Any]:
    """The framing that the Content-Type of a recorded stream means."""
    framing = select_framing(stream["content_type"] or "text/event-stream")
    assert framing is not None
    return framing


def test_all_streams_are_here() -> None:
    """There is something to read: 117 streams."""
    assert len(STREAMS) == 117


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: str(stream["file"]))
def test_recorded_stream(stream: dict[str, Any]) -> None:
    """A recorded stream has its known number of events, however it is cut."""
    body = (CORPORA / "recorded" / stream["file"]).read_bytes()
    framing = framing_of(stream)
    parser = framing.parser()

    frames = read(parser, [body])

    if stream["kind"] == "wire":
        assert len(frames) == stream["events"]
    if isinstance(parser, SSEParser):
        meant = interpret(body)
        assert frames == meant.frames
        assert (parser.last_event_id, parser.retry) == (meant.last_event_id, meant.retry)
        assert parser.truncated == meant.truncated
    else:
        lines = body.decode().splitlines()
        assert frames == [Record(line) for line in lines if line]
        assert all(isinstance(frame.json(), dict) for frame in frames)
    rng = random.Random(stream["file"])
    for pieces in (
        pieces_of(body, 1),
        pieces_of(body, 64),
        pieces_of(body, 1400),
        cut(body, rng.choices(range(len(body) + 1), k=100)),
    ):
        assert read(framing.parser(), pieces) == frames
