"""What the benchmarks read: event streams as they occur in life, each with the events in it.

Everything is seeded, so that two runs read the same bytes. `tests/benchmarks` checks that the
parser finds in each workload exactly the events that it claims to hold.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from typing import Literal

import attrs

from trio_stream.framing import ServerSentEvent

__all__ = [
    "ChunkSize",
    "Workload",
    "anthropic_text",
    "data_lines",
    "files_of_8_kib",
    "huge_line",
    "images_of_1_mib",
    "many_languages",
    "mixed_line_ends",
    "openai_chat",
]

ChunkSize = int | Literal["event"]
"""Bytes in a piece of the body, or a piece for each event: how a live stream arrives."""


@attrs.frozen
class Workload:
    """A body, block by block, and the events in it.

    Attributes:
        name: What it stands for.
        blocks: The bytes of each event, its blank line included.
        expected: The event type and the data of each event.
    """

    name: str
    blocks: list[bytes]
    expected: list[ServerSentEvent]

    @property
    def size(self) -> int:
        """The length of the body."""
        return sum(map(len, self.blocks))

    def chunks(self, size: ChunkSize) -> list[bytes]:
        """The body in pieces."""
        if size == "event":
            return list(self.blocks)
        body = b"".join(self.blocks)
        return [body[start : start + size] for start in range(0, len(body), size)]


def _workload(name: str, events: Iterable[tuple[bytes, ServerSentEvent]]) -> Workload:
    blocks, expected = zip(*events, strict=True)
    return Workload(name, list(blocks), list(expected))


def _words(rng: random.Random) -> Iterator[str]:
    vocabulary = ["the", "a", "stream", "of", "tokens", "and", "then", "some", ",", ".", "\n"]
    while True:
        yield " " + rng.choice(vocabulary)


def _named(event: str, data: str, end: str = "\n") -> tuple[bytes, ServerSentEvent]:
    return f"event: {event}{end}data: {data}{end}{end}".encode(), ServerSentEvent(event, data)


def _unnamed(data: str) -> tuple[bytes, ServerSentEvent]:
    return f"data: {data}\n\n".encode(), ServerSentEvent(data=data)


def anthropic_text(count: int = 300) -> Workload:
    """The answer of an Anthropic model: short text deltas, a ping now and then."""

    def events() -> Iterator[tuple[bytes, ServerSentEvent]]:
        rng = random.Random(1)
        for number, word in zip(range(count), _words(rng), strict=False):
            if number % 100 == 99:
                yield _named("ping", '{"type": "ping"}')
                continue
            delta = {"type": "text_delta", "text": word}
            payload = {"type": "content_block_delta", "index": 0, "delta": delta}
            padding = " " * rng.randrange(8)  # they pad their JSON, to hide the length of a token
            data = json.dumps(payload, separators=(",", ":"))[:-1] + padding + "}"
            yield _named("content_block_delta", data)

    return _workload("anthropic_text", events())


def openai_chat(count: int = 300) -> Workload:
    """The answer of an OpenAI model: unnamed events, much of the same in each."""

    def events() -> Iterator[tuple[bytes, ServerSentEvent]]:
        for _, word in zip(range(count - 1), _words(random.Random(2)), strict=False):
            payload = {
                "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
                "object": "chat.completion.chunk",
                "created": 1741569952,
                "model": "gpt-4o-mini-2024-07-18",
                "system_fingerprint": "fp_44709d6fcb",
                "choices": [
                    {
                        "index": 0,
                        "delta": {"content": word},
                        "logprobs": None,
                        "finish_reason": None,
                    }
                ],
            }
            yield _unnamed(json.dumps(payload, separators=(",", ":")))
        yield _unnamed("[DONE]")

    return _workload("openai_chat", events())


def many_languages(count: int = 300) -> Workload:
    """Text deltas in scripts that take two to four bytes a letter."""

    def events() -> Iterator[tuple[bytes, ServerSentEvent]]:
        rng = random.Random(3)
        words = ["ответ", " поток", "流れる", "文章", "réponse", "스트림", "🙂", "τέλος"]
        for _ in range(count):
            payload = {"type": "content_block_delta", "delta": {"text": rng.choice(words)}}
            data = json.dumps(payload, ensure_ascii=False)
            yield _named("content_block_delta", data)

    return _workload("many_languages", events())


def files_of_8_kib(count: int = 30) -> Workload:
    """Tool results: each a file of 8 KiB in one data line."""

    def events() -> Iterator[tuple[bytes, ServerSentEvent]]:
        for _ in range(count):
            yield _named("tool_result", 8192 * "a")

    return _workload("files_of_8_kib", events())


def images_of_1_mib(count: int = 2) -> Workload:
    """Generated images: each 1 MiB of base64 in one data line."""

    def events() -> Iterator[tuple[bytes, ServerSentEvent]]:
        rng = random.Random(5)
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for _ in range(count):
            yield _named("image", 1024 * "".join(rng.choices(alphabet, k=1024)))

    return _workload("images_of_1_mib", events())


def mixed_line_ends(count: int = 200) -> Workload:
    """What proxies and hand-made servers send: all line ends, IDs, comments, several data lines."""

    def events() -> Iterator[tuple[bytes, ServerSentEvent]]:
        rng = random.Random(6)
        for number in range(count):
            end = ("\n", "\r\n", "\r")[number % 3]
            data = [f"line {number}.{line}" for line in range(rng.randint(1, 3))]
            lines = ["event: update", f"id: {number}", *(f"data: {line}" for line in data)]
            if rng.random() < 0.3:
                lines.insert(rng.randrange(len(lines)), ": still here")
            block = "".join(line + end for line in [*lines, ""])
            yield block.encode(), ServerSentEvent("update", "\n".join(data), str(number))

    return _workload("mixed_line_ends", events())


def huge_line(size: int) -> Workload:
    """One event, one data line."""
    return _workload("huge_line", [_unnamed(size * "x")])


def data_lines(count: int) -> Workload:
    """One event, many data lines."""
    lines = [f"line {number:06}" for number in range(count)]
    block = "".join(f"data: {line}\n" for line in lines) + "\n"
    return _workload("data_lines", [(block.encode(), ServerSentEvent(data="\n".join(lines)))])
