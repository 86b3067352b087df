"""Whole streams of LLM APIs: bytes in, one message out, no I/O.

The streams are synthetic; with ``TRIO_STREAM_CORPORA`` the recorded ones of that folder, too.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from trio_stream.dialects import (
    AnthropicMessages,
    Message,
    MessageDialect,
    MessageItem,
    OpenAIChat,
    OpenAIResponses,
)

from .answers import anthropic_answer, openai_chat_answer, openai_responses_answer
from .lab import Lab, Scale
from .measure import Effort, Measured, measure
from .peers import OURS
from .report import Report, Table

__all__ = ["run"]

PIECE = 1400
"""Bytes in a piece: what a packet holds."""

Assemble = Callable[[Sequence[bytes]], Any]


@attrs.frozen
class Family:
    """The streams of one API, and who reads them.

    Attributes:
        name: The API.
        answer: Makes a synthetic stream of so many words, and as many fragments of arguments.
        api: What the index of the recorded streams calls it.
        dialect: Ours.
        sdk: The name of the peer.
        peer: Makes the peer's reader; raises `ImportError` if it is not installed.
    """

    name: str
    answer: Callable[[int], bytes]
    api: str
    dialect: MessageDialect
    sdk: str
    peer: Callable[[], Assemble]

    def ours(self, chunks: Sequence[bytes]) -> Message:
        """Read a stream with ours."""
        parser = self.dialect.framing.parser()
        decoder, assembler = self.dialect.decoder(), self.dialect.assembler()
        for chunk in chunks:
            items: list[MessageItem] = []
            decoder.decode(parser.feed(chunk), items)
            for item in items:
                assembler.fold(item)
        decoder.close()
        return assembler.snapshot()

    def recorded(self, peer: Assemble) -> Iterator[bytes]:
        """The recorded streams that both find whole, and the same text in."""
        corpora = os.environ.get("TRIO_STREAM_CORPORA")
        if corpora is None:
            return
        for entry in json.loads(Path(corpora, "index.json").read_bytes()):
            if (entry["provider"], entry["api"], entry["kind"]) == (self.sdk, self.api, "wire"):
                body = Path(corpora, "recorded", entry["file"]).read_bytes()
                with suppress(Exception):
                    if self.ours([body]).text == peer([body]):
                        yield body


def run(lab: Lab) -> Report:
    """Measure; or, for a smoke test, only check that both find the same message."""
    smoke = lab.scale is Scale.SMOKE
    results: list[tuple[str, int, str, Mapping[str, Measured]]] = []
    for family in FAMILIES:
        try:
            peer = family.peer()
        except ImportError:
            continue
        bodies = {
            f"{family.name}, {size:,} words": [family.answer(size)]
            for size in lab.scale.pick((20, 500, 5_000), (20, 500), (20,))
        }
        if recorded := list(family.recorded(peer)):
            bodies[f"{family.name}, {len(recorded)} recorded"] = recorded
        for name, streams in bodies.items():
            pieces = [
                [body[start : start + PIECE] for start in range(0, len(body), PIECE)]
                for body in streams
            ]
            for chunks in pieces:
                _check(name, family.ours(chunks), peer(chunks))
            if not smoke:
                measured = measure(
                    {
                        OURS: partial(_all, family.ours, pieces),
                        family.sdk: partial(_all, peer, pieces),
                    },
                    base=family.sdk,
                    effort=Effort(blocks=7, rounds=3),
                )
                results.append((name, len(streams), family.sdk, measured))
    if smoke:
        return Report([])
    figures = [
        each.figure(f"messages, {name}", who, count, base=sdk)
        for name, count, sdk, measured in results
        for who, each in measured.items()
    ]
    return Report([_table(results)], figures, [_facts(*result) for result in results])


def _all(assemble: Assemble, streams: Sequence[Sequence[bytes]]) -> None:
    for chunks in streams:
        assemble(chunks)


def _check(name: str, ours: Message, theirs: str) -> None:
    assert ours.is_complete, name
    assert ours.text == theirs, f"{name}: the two find other texts"


def _table(results: Sequence[tuple[str, int, str, Mapping[str, Measured]]]) -> Table:
    return Table(
        "Whole streams, assembled",
        f"Streams per CPU second, from pieces of {PIECE:,} bytes to the finished message, and how"
        " many times faster than the official SDK, medians of ratios. The SDK parses the arguments"
        " of a tool call anew at each fragment; ours parses them once, when they are whole.",
        ["streams", "SDK", "SDK, per s", "trio_stream, per s", "ratio"],
        [
            [
                name,
                sdk,
                _rate(count / result[sdk].seconds),
                _rate(count / result[OURS].seconds),
                f"{result[OURS].ratio:.1f}",
            ]
            for name, count, sdk, result in results
        ],
    )


def _rate(per_second: float) -> str:
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.3g}"


def _facts(name: str, count: int, sdk: str, result: Mapping[str, Measured]) -> dict[str, object]:
    return {
        "streams": name,
        "count": count,
        "sdk": sdk,
        "results": {who: attrs.asdict(measured) for who, measured in result.items()},
    }


# --- the peers ----------------------------------------------------------------------------------
# Each is run as its client runs it, without the client: its decoder of event streams, its models,
# its accumulator. What is imported is in part private to the libraries.


def _anthropic() -> Assemble:
    streaming: Any = importlib.import_module("anthropic._streaming")
    models: Any = importlib.import_module("anthropic._models")
    lib: Any = importlib.import_module("anthropic.lib.streaming._messages")
    types: Any = importlib.import_module("anthropic.types")

    def assemble(chunks: Sequence[bytes]) -> str:
        snapshot = None
        buffers: dict[int, bytes] = {}
        for event in streaming.SSEDecoder().iter_bytes(iter(chunks)):
            if event.event == "ping":
                continue
            raw = models.construct_type_unchecked(
                type_=types.RawMessageStreamEvent, value=event.json()
            )
            snapshot = lib.accumulate_event(event=raw, current_snapshot=snapshot, json_bufs=buffers)
        assert snapshot is not None
        return "".join(block.text for block in snapshot.content if block.type == "text")

    return assemble


def _openai_chat() -> Assemble:
    streaming: Any = importlib.import_module("openai._streaming")
    models: Any = importlib.import_module("openai._models")
    lib: Any = importlib.import_module("openai.lib.streaming.chat")
    types: Any = importlib.import_module("openai.types.chat")

    def assemble(chunks: Sequence[bytes]) -> str:
        state = lib.ChatCompletionStreamState()
        for event in streaming.SSEDecoder().iter_bytes(iter(chunks)):
            if event.data == "[DONE]":
                break
            state.handle_chunk(
                models.construct_type_unchecked(type_=types.ChatCompletionChunk, value=event.json())
            )
        return state.current_completion_snapshot.choices[0].message.content or ""

    return assemble


def _openai_responses() -> Assemble:
    streaming: Any = importlib.import_module("openai._streaming")
    models: Any = importlib.import_module("openai._models")
    lib: Any = importlib.import_module("openai.lib.streaming.responses._responses")
    types: Any = importlib.import_module("openai.types.responses")
    omit: Any = importlib.import_module("openai._types").omit

    def assemble(chunks: Sequence[bytes]) -> str:
        state = lib.ResponseStreamState(input_tools=omit, text_format=omit)
        for event in streaming.SSEDecoder().iter_bytes(iter(chunks)):
            state.handle_event(
                models.construct_type_unchecked(type_=types.ResponseStreamEvent, value=event.json())
            )
        response = state._completed_response
        assert response is not None
        return str(response.output_text)

    return assemble


FAMILIES = (
    Family(
        "Anthropic Messages",
        anthropic_answer,
        "messages",
        AnthropicMessages(),
        "anthropic",
        _anthropic,
    ),
    Family("OpenAI Chat", openai_chat_answer, "chat", OpenAIChat(), "openai", _openai_chat),
    Family(
        "OpenAI Responses",
        openai_responses_answer,
        "responses",
        OpenAIResponses(),
        "openai",
        _openai_responses,
    ),
)
