"""The arguments of recorded tool calls, in the fragments in which they came.

The recordings are not part of the repository: the environment variable ``TRIO_STREAM_CORPORA``
says where they are, and the tests skip without it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.partial_json.reference import is_truncation, look
from tests.partial_json.texts import CORPORA, same, value_of
from trio_stream.framing import select_framing
from trio_stream.partial_json import PartialJSON

INDEX = CORPORA / "index.json"
STREAMS: list[dict[str, Any]] = json.loads(INDEX.read_bytes()) if INDEX.exists() else []

pytestmark = pytest.mark.skipif(not STREAMS, reason="TRIO_STREAM_CORPORA names no corpora")


def payloads() -> Iterator[tuple[str, Any]]:
    """Each JSON payload of the recorded streams."""
    for stream in STREAMS:
        framing = select_framing(stream["content_type"] or "text/event-stream")
        assert framing is not None
        parser = framing.parser()
        body = (CORPORA / "recorded" / stream["file"]).read_bytes()
        for frame in [*parser.feed(body), *parser.close()]:
            try:
                yield stream["file"], json.loads(frame.data)
            except (ValueError, AttributeError):
                continue


def fragments_in(payload: Any) -> Iterator[tuple[object, str]]:
    """Pieces of tool arguments, and of which call: Anthropic's, OpenAI's chat and Responses."""
    if not isinstance(payload, dict):
        return
    delta = payload.get("delta")
    if isinstance(delta, dict) and "partial_json" in delta:
        yield payload.get("index"), delta["partial_json"]
    if payload.get("type") == "response.function_call_arguments.delta":
        yield payload.get("item_id"), payload["delta"]
    for choice in payload.get("choices") or ():
        for call in (choice.get("delta") or {}).get("tool_calls") or ():
            arguments = (call.get("function") or {}).get("arguments")
            if isinstance(arguments, str) and call.get("index") is not None:
                yield (choice.get("index"), call["index"]), arguments


def recorded_calls() -> list[list[str]]:
    """The fragments of each call, of those whose text is a JSON text."""
    calls: dict[object, list[str]] = defaultdict(list)
    for file, payload in payloads():
        for call, fragment in fragments_in(payload):
            calls[file, call].append(fragment)
    return [fragments for fragments in calls.values() if _is_json("".join(fragments))]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_recorded_tool_calls() -> None:
    """Each recorded call grows by truncations, as the reference has it, to what it is."""
    calls = recorded_calls()
    assert len(calls) == 33
    for fragments in calls:
        parser = PartialJSON()
        fed = ""
        before = value_of(parser)
        for number, fragment in enumerate(fragments):
            parser.feed(fragment)
            fed += fragment
            after = value_of(parser)
            assert is_truncation(before, after)
            if number % 8 == 0:
                assert repr(after) == repr(look(fed).value)
            before = after
        assert same(parser.close(), fed)
