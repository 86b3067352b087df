"""What few streams have: several answers, refusals, media, tools that take text; and strictness."""

from __future__ import annotations

import attrs
import pytest

from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    IncompleteToolCall,
    MediaDelta,
    MediaPart,
    Message,
    MessageAssembler,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    RefusalDelta,
    RefusalPart,
    TextDelta,
    TextPart,
    ToolCall,
    ToolInputDelta,
    Usage,
)
from trio_stream.dialects._open_parts import open_part

TWO_ANSWERS: list[MessageItem] = [
    MessageStarted("msg_1", "model-1"),
    BlockStarted(0, TextPart(finished=False), choice=1),
    BlockStarted(1, TextPart(finished=False)),
    TextDelta(0, "Ja"),
    TextDelta(1, "Nein"),
    TextDelta(0, "wohl"),
    BlockFinished(0, TextPart("Jawohl")),
    MessageDelta("max_tokens", "length", choice=1),
    BlockFinished(1, TextPart("Nein")),
    MessageDelta("end_turn", "stop"),
    MessageDelta(usage=Usage(3, 4)),
]


def folded(items: list[MessageItem], *, strict: bool = False) -> MessageAssembler:
    assembler = MessageAssembler(strict=strict)
    for item in items:
        assembler.fold(item)
    return assembler


def test_snapshot_is_linear_in_the_answers() -> None:
    """A snapshot asks once whether all answers are complete, however many there are."""
    asked: list[bool] = []

    class Asked(MessageAssembler):
        @property
        def complete(self) -> bool:
            asked.append(super().complete)
            return asked[-1]

    assembler = Asked()
    for index in range(50):
        assembler.fold(MessageDelta("end_turn", choice=index))

    assert len(assembler.snapshot().alternatives) == 49
    assert asked == [True]


def test_answers_are_kept_apart() -> None:
    """The first answer is the message; each other one is a message of its own among its parts."""
    message = folded(TWO_ANSWERS).snapshot()

    assert (message.text, message.stop_reason) == ("Nein", "end_turn")
    assert message.alternatives == (
        Message(
            id="msg_1",
            model="model-1",
            parts=(TextPart("Jawohl"),),
            stop_reason="max_tokens",
            provider_stop_reason="length",
            usage=Usage(3, 4),
        ),
    )


@pytest.mark.parametrize("count", range(len(TWO_ANSWERS)))
def test_several_answers_are_complete_together(count: int) -> None:
    """While one of the answers is unfinished, none is complete."""
    assembler = folded(TWO_ANSWERS[:count])
    message = assembler.snapshot()

    whole = count >= len(TWO_ANSWERS) - 1
    assert assembler.complete is whole
    assert {message.is_complete, *(each.is_complete for each in message.alternatives)} == {whole}


def test_first_answer_may_be_missing() -> None:
    """If only the second answer has come, the first is an empty message, and incomplete."""
    message = folded(
        [BlockStarted(0, TextPart("b"), 1), BlockFinished(0, TextPart("b"))]
    ).snapshot()

    assert message.parts == ()
    assert [each.text for each in message.alternatives] == ["b"]
    assert not message.is_complete


def test_strict_assembler_waits_for_the_terminal_item() -> None:
    """With ``strict``, a message that is whole in all but its terminal item is incomplete."""
    items: list[MessageItem] = [MessageStarted(), MessageDelta("end_turn")]

    assert folded(items).complete
    assert not folded(items, strict=True).complete
    assert folded(items, strict=True).snapshot().stop_reason == "incomplete"
    assert folded([*items, MessageFinished()], strict=True).complete


def test_refusal_is_no_text() -> None:
    """What the model says instead of an answer is kept apart from answers."""
    items: list[MessageItem] = [
        BlockStarted(0, RefusalPart("I ", finished=False)),
        RefusalDelta(0, "can"),
        RefusalDelta(0, "not."),
    ]
    message = folded(items).snapshot()

    assert message.parts == (RefusalPart("I cannot.", finished=False),)
    assert (message.refusal, message.text) == ("I cannot.", "")


def test_media_are_kept_in_pieces() -> None:
    """The content of a sound is not joined, since each piece is a Base64 text of its own."""
    part = open_part(MediaPart("audio/wav", id="audio_1", finished=False))

    for delta in (
        MediaDelta(0, "QQ=="),
        MediaDelta(0, transcript="A "),
        MediaDelta(0, "Qg==", "B"),
    ):
        assert part.add(delta)

    assert part.finished() == MediaPart("audio/wav", "", ("QQ==", "Qg=="), "A B", "audio_1")
    assert part.unfinished() == attrs.evolve(part.finished(), finished=False)


def test_long_media_are_not_printed() -> None:
    """The content of a picture does not fill the screen when its part is printed."""
    assert repr(MediaPart("image/png", data=("Q" * 1000,))) == (
        "MediaPart(media_type='image/png', uri='', data=<1 pieces>, transcript='', id='', "
        "finished=True)"
    )
    assert repr(MediaDelta(0, "Q" * 1000)) == (
        "MediaDelta(index=0, data=<1000 characters>, transcript='')"
    )


@pytest.mark.parametrize("text", ["", "*** Begin Patch", '{"not": "parsed"}'])
def test_custom_tool_takes_text(text: str) -> None:
    """The input of a tool that takes text is the text, whatever it looks like."""
    call = open_part(IncompleteToolCall("call_1", "patch", is_custom=True))
    call.add(ToolInputDelta(0, text))

    assert call.finished() == ToolCall("call_1", "patch", text, text, is_custom=True)
    unfinished = call.unfinished()
    assert isinstance(unfinished, IncompleteToolCall)
    assert unfinished.preview == text


def test_preview_is_the_value_so_far() -> None:
    """The arguments of an open call can be looked at as a value, and each look is kept as it is."""
    assembler = folded([BlockStarted(0, IncompleteToolCall("call_1", "f"))])
    looks: list[object] = []
    for fragment in ('{"to', 'wns": ["Os', 'lo", 1', "2", '], "x": tr', "ue}"):
        assembler.fold(ToolInputDelta(0, fragment))
        (call,) = assembler.snapshot().parts
        assert isinstance(call, IncompleteToolCall)
        looks.append(call.preview)

    assert looks == [
        {},
        {"towns": ["Os"]},
        {"towns": ["Oslo"]},
        {"towns": ["Oslo"]},
        {"towns": ["Oslo", 12]},
        {"towns": ["Oslo", 12], "x": True},
    ]


def test_preview_of_what_is_no_json() -> None:
    """Where the arguments stop being JSON, the preview stops, and the text goes on."""
    part = open_part(IncompleteToolCall("call_1", "f"))
    for fragment in ('{"a": 1, ', "b: 2, ", '"c": 3}'):
        part.add(ToolInputDelta(0, fragment))
        call = part.unfinished()

    assert isinstance(call, IncompleteToolCall)
    assert call.preview == {"a": 1}
    assert call.arguments == '{"a": 1, b: 2, "c": 3}'
    refused = part.finished()
    assert isinstance(refused, IncompleteToolCall)
    assert refused.preview == {"a": 1}
    assert refused.error
