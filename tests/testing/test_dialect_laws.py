"""`check_dialect` passes what is right, and catches each way to be wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from trio_stream.dialects import AnthropicMessages
from trio_stream.errors import InBandError, StreamError, StreamTruncatedError
from trio_stream.framing import SSE, ServerSentEvent
from trio_stream.testing import check_dialect


def frames(*payloads: object) -> list[ServerSentEvent]:
    return [ServerSentEvent(data=json.dumps(payload)) for payload in payloads]


WORDS = frames({"say": "he"}, {"say": "llo"}, {}, {"say": "!"}, {"end": True})
ITEMS = ["he", "llo", "!", None]


class Decoder:
    """A right decoder, for the wrong ones below to differ from: words, `None` for the end."""

    def __init__(self) -> None:
        self.finished = False
        self.skipped_items = 0
        self.unknown_events = 0

    def decode(self, frames: Sequence[ServerSentEvent], out: list[Any]) -> None:
        for frame in frames:
            if self.finished:
                return
            self.decode_one(frame, out)

    def decode_one(self, frame: ServerSentEvent, out: list[Any]) -> None:
        try:
            payload = frame.json()
        except (ValueError, RecursionError) as exc:
            raise StreamError("not JSON", original_exception=exc) from exc
        if not isinstance(payload, dict):
            raise StreamError("not an object")
        if "error" in payload:
            raise InBandError("the stream says so", kind="error")
        if isinstance(payload.get("say"), str):
            out.append(payload["say"])
        if payload.get("end") is True:
            self.finished = True
            out.append(None)

    def close(self) -> None:
        if not self.finished:
            raise StreamTruncatedError("the end is missing")


class Assembler:
    """A right assembler: the words so far, and whether they are all."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.complete = False

    def fold(self, item: str | None) -> None:
        if item is None:
            self.complete = True
        else:
            self.words.append(item)

    def snapshot(self) -> Any:
        return "".join(self.words), self.complete


@attrs.frozen
class Words:
    decoder: type[Any] = Decoder
    assembler: type[Any] = Assembler
    framing: SSE = SSE()


def test_right_dialect_passes() -> None:
    """A dialect that keeps the contract is let through, whatever is asked about it."""
    check_dialect(Words(), WORDS)
    check_dialect(Words(), WORDS, ("hello!", True), expected_items=ITEMS)
    check_dialect(Words(), [*WORDS, *WORDS], ("hello!", True), expected_items=ITEMS)
    check_dialect(Words(), [], ("", False), expected_items=[])
    check_dialect(Words(), WORDS[:2], ("hello", False), hostile=False, max_splits=2, seed=3)


def test_reported_failure_passes() -> None:
    """A stream that reports a failure is checked up to there."""
    failing = [*WORDS[:2], *frames({"error": 1}), *WORDS]

    check_dialect(Words(), failing, ("hello", False), raises=InBandError)
    with pytest.raises(AssertionError, match="decode raised InBandError"):
        check_dialect(Words(), failing)
    with pytest.raises(AssertionError, match="decode raised None, not InBandError"):
        check_dialect(Words(), WORDS, raises=InBandError)


def test_dialect_of_the_package_passes() -> None:
    """The law fits a provider's grammar."""
    message = {"id": "m", "model": "x", "role": "assistant", "content": [], "usage": {}}
    payloads: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "h"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "i"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]

    check_dialect(
        AnthropicMessages(),
        [ServerSentEvent(payload["type"], json.dumps(payload)) for payload in payloads],
    )


def test_frames_without_text_are_not_tampered_with() -> None:
    """Frames that are bytes are decoded as they are."""

    class Raw(Decoder):
        def decode_one(self, frame: Any, out: list[Any]) -> None:
            out.append(frame.decode())

        def close(self) -> None:
            pass

    check_dialect(Words(Raw), [b"a", b"b"], ("ab", False))


def test_wrong_expectations_are_reported() -> None:
    """What differs from the expected items or result is shown."""
    with pytest.raises(AssertionError, match=r"the result is \('hello!', True\), expected None"):
        check_dialect(Words(), WORDS, None)
    with pytest.raises(AssertionError, match=r"the items are .* expected \['he'\]"):
        check_dialect(Words(), WORDS, expected_items=["he"])


class OnePerBatch(Decoder):
    """Loses all but the last item of a batch."""

    def decode(self, frames: Sequence[ServerSentEvent], out: list[Any]) -> None:
        items: list[Any] = []
        super().decode(frames, items)
        out += items[-1:]


class Late(Decoder):
    """Hands out each item with the next batch."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Any] = []

    def decode(self, frames: Sequence[ServerSentEvent], out: list[Any]) -> None:
        out += self.held
        self.held = []
        super().decode(frames, self.held)
        if self.finished:
            out += self.held


class Unstoppable(Decoder):
    """Goes on after the end, if more comes in the same batch."""

    def decode(self, frames: Sequence[ServerSentEvent], out: list[Any]) -> None:
        for frame in frames:
            self.decode_one(frame, out)


class Unfinished(Decoder):
    """Takes itself for finished only if nothing follows the end."""

    def decode(self, frames: Sequence[ServerSentEvent], out: list[Any]) -> None:
        super().decode(frames, out)
        self.finished = self.finished and "end" in frames[-1].json()


class Trusting(Decoder):
    """Takes every end for the right one."""

    def close(self) -> None:
        pass


class Suspicious(Decoder):
    """Takes no end for the right one."""

    def close(self) -> None:
        raise StreamTruncatedError("never enough")


class Misnaming(Decoder):
    def close(self) -> None:
        if not self.finished:
            raise StreamError("the end is missing")


class Crashing(Decoder):
    def close(self) -> None:
        if not self.finished:
            raise EOFError


class Confused(Decoder):
    """Stumbles over an object without words."""

    def decode_one(self, frame: ServerSentEvent, out: list[Any]) -> None:
        if not frame.json():
            raise KeyError("say")
        super().decode_one(frame, out)


class Gullible(Decoder):
    """Believes that what it gets is JSON, and of the right type."""

    def decode_one(self, frame: ServerSentEvent, out: list[Any]) -> None:
        payload = json.loads(frame.data)
        if "say" in payload:
            out.append(payload["say"])
        elif payload.get("end"):
            self.finished = True
            out.append(None)


class Sharing(Decoder):
    """Has one count for all decoders."""

    said = [0]  # noqa: RUF012 - this is the mistake

    def decode_one(self, frame: ServerSentEvent, out: list[Any]) -> None:
        super().decode_one(frame, out)
        self.said[0] += 1
        if self.finished:
            out.append(self.said[0])
            self.said[0] = 0


class Counting(Decoder):
    """Counts batches, not events."""

    def decode(self, frames: Sequence[ServerSentEvent], out: list[Any]) -> None:
        super().decode(frames, out)
        self.unknown_events += 1


@pytest.mark.parametrize(
    ("decoder", "complaint"),
    [
        (OnePerBatch, r"decoded in pieces of 5, the items are \[None\]; one by one"),
        (Late, r"items are out after \d frames; one by one"),
        (Unstoppable, r"the items are .*\[.*None, 'he'"),
        (Sharing, "decoded in pieces of .*, beside another decoder, the items are"),
        (Counting, r"skipped_items and unknown_events are \(0, 1\); one by one, they are \(0, 5\)"),
        (Trusting, "after 0 frames, close.. is silent, but the terminal event is missing"),
        (Suspicious, "after 5 frames, close.. raised though the decoder is finished"),
        (Misnaming, "after 0 frames, close.. raised StreamError"),
        (Crashing, "close.. raised EOFError.*, which is no StreamError"),
        (Confused, "decode raised KeyError.'say'., which is no StreamError"),
        (Gullible, "for the frame ServerSentEvent.*, decode raised .*, which is no StreamError"),
    ],
)
def test_wrong_decoder_is_caught(decoder: type, complaint: str) -> None:
    """A decoder that breaks the contract is caught, and the message says where."""
    with pytest.raises(AssertionError, match=complaint):
        check_dialect(Words(decoder), WORDS)


def test_decoder_that_forgets_its_end_is_caught() -> None:
    """Whether the terminal event was seen must not depend on what follows it."""
    with pytest.raises(AssertionError, match="it ends with error None and finished False"):
        check_dialect(Words(Unfinished), [*WORDS, *frames({})])


def test_early_end_is_allowed_where_the_result_is_complete() -> None:
    """A stream may lack its terminal event where the assembler has all it needs."""

    class Patient(Decoder):
        """Reads on to a mark that carries nothing, as that of OpenAI's chat streams."""

        done = False

        def decode_one(self, frame: ServerSentEvent, out: list[Any]) -> None:
            if frame.data == "[DONE]":
                self.finished = True
                return
            super().decode_one(frame, out)
            self.done, self.finished = self.finished or self.done, False

        def close(self) -> None:
            if not (self.done or self.finished):
                raise StreamTruncatedError("the end is missing")

    check_dialect(Words(Patient), [*WORDS, ServerSentEvent(data="[DONE]")], ("hello!", True))


class Lending(Assembler):
    """Gives its own list away."""

    def snapshot(self) -> Any:
        return self.words


class Consuming(Assembler):
    """Forgets what it has told."""

    def snapshot(self) -> Any:
        words, self.words = self.words, []
        return words


class Asked(Assembler):
    """Tells how often it was asked."""

    asked = 0

    def snapshot(self) -> Any:
        self.asked += 1
        return "".join(self.words), self.asked // 3


class Strict(Assembler):
    """Insists on an order."""

    def fold(self, item: str | None) -> None:
        if item == "llo" and self.words != ["he"]:
            raise ValueError("out of order")
        super().fold(item)


class Eager(Assembler):
    """Takes itself for complete before there is anything."""

    def __init__(self) -> None:
        super().__init__()
        self.complete = True

    def snapshot(self) -> Any:
        return "".join(self.words)


class Particular(Assembler):
    """Cannot tell of nothing."""

    def snapshot(self) -> Any:
        return self.words[0]


@pytest.mark.parametrize(
    ("assembler", "complaint"),
    [
        (Lending, r"the snapshot after 0 items was \[\]; later folding made it \['he', 'llo'"),
        (Consuming, "after 1 items, two snapshots differ"),
        (Asked, "two snapshots differ|that of a fresh assembler"),
        (Strict, r"fold\('llo'\) raised ValueError"),
        (Eager, "after . frames, the assembler is complete, though it was given no item"),
        (Particular, r"snapshot\(\) raised IndexError"),
    ],
)
def test_wrong_assembler_is_caught(assembler: type, complaint: str) -> None:
    """An assembler that breaks the contract is caught, and the message says where."""
    with pytest.raises(AssertionError, match=complaint):
        check_dialect(Words(assembler=assembler), WORDS)


def test_assembler_that_remembers_its_telling_is_caught() -> None:
    """A snapshot depends on what was folded, not on the snapshots before it."""

    class Marking(Assembler):
        """Marks where it was asked."""

        def snapshot(self) -> Any:
            if self.words and self.words[-1] != "|":
                self.words.append("|")
            return "".join(self.words), self.complete

    with pytest.raises(AssertionError, match="that of a fresh assembler"):
        check_dialect(Words(assembler=Marking), WORDS)


def test_assembler_that_changes_items_is_caught() -> None:
    """Items belong to the consumer too: folding leaves them as they are."""

    class Listing(Decoder):
        def decode_one(self, frame: ServerSentEvent, out: list[Any]) -> None:
            items: list[Any] = []
            super().decode_one(frame, items)
            out += [[item] for item in items]

    class Marking(Assembler):
        def fold(self, item: Any) -> None:
            super().fold(item[0])
            item.append("seen")

    with pytest.raises(AssertionError, match="folding changed an item"):
        check_dialect(Words(Listing, Marking), WORDS)
