"""The events of the Responses API that bring text, and what each of them adds to."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Final, TypeAlias

import attrs

from ._json import Json, JsonObject
from .items import (
    BlockDelta,
    MediaDelta,
    RefusalDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from .message import (
    IncompleteToolCall,
    MediaPart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
)

__all__ = [
    "CONTENTS",
    "FLOWS",
    "SECTIONS",
    "SOUND",
    "TEXT",
    "TRANSCRIPT",
    "Flow",
    "transcript_delta",
]

Adder: TypeAlias = Callable[[int, str], BlockDelta]


@attrs.frozen
class Flow:
    """A pair of events that bring text, ``*.delta`` and ``*.done``.

    Attributes:
        kind: The type of the items that take it.
        part: The class of the parts that take it, at their start.
        add: Makes the item for more of it.
        whole: The field of the ``done`` event that has all of it.
        section: The field that numbers the texts of a part, if it can have several.
    """

    kind: str
    part: type[Part]
    add: Adder
    whole: str
    section: str = ""

    def section_of(self, event: JsonObject) -> Hashable:
        """Return which text of its part an event is about."""
        if not self.section:
            return self.whole
        number: Json = event.get(self.section)
        return self.section, number if type(number) is int else None


def transcript_delta(place: int, text: str) -> MediaDelta:
    """Make the item for more of a transcript."""
    return MediaDelta(place, transcript=text)


TEXT: Final = Flow("message", TextPart, TextDelta, "text")
REFUSAL: Final = Flow("message", RefusalPart, RefusalDelta, "refusal")
THOUGHT: Final = Flow("reasoning", ThinkingPart, ThinkingDelta, "text", "content_index")
SUMMARY: Final = Flow("reasoning", ThinkingPart, ThinkingDelta, "text", "summary_index")
SOUND: Final = Flow("message", MediaPart, MediaDelta, "data")
TRANSCRIPT: Final = Flow("message", MediaPart, transcript_delta, "transcript")


def _input(kind: str, whole: str, section: str = "") -> Flow:
    return Flow(kind, IncompleteToolCall, ToolInputDelta, whole, section)


FLOWS: Final[Mapping[str, Flow]] = {
    "response.output_text": TEXT,
    "response.refusal": REFUSAL,
    "response.reasoning_text": THOUGHT,
    "response.reasoning_summary_text": SUMMARY,
    "response.function_call_arguments": _input("function_call", "arguments"),
    "response.custom_tool_call_input": _input("custom_tool_call", "input"),
    "response.mcp_call_arguments": _input("mcp_call", "arguments"),
    "response.code_interpreter_call_code": _input("code_interpreter_call", "code"),
    "response.shell_call_command": _input("shell_call", "command", "command_index"),
    "response.apply_patch_call_operation_diff": _input("apply_patch_call", "diff"),
    "response.audio": SOUND,
    "response.audio.transcript": TRANSCRIPT,
    "response.output_audio": SOUND,
    "response.output_audio_transcript": TRANSCRIPT,
}

# By the type of a content part, in the events that end it.
CONTENTS: Final[Mapping[str, Flow]] = {
    "output_text": TEXT,
    "text": TEXT,
    "refusal": REFUSAL,
    "reasoning_text": THOUGHT,
    "summary_text": SUMMARY,
}
SECTIONS: Final = ("reasoning_text", "summary_text")
