"""What a dialect's stream consists of, in words that all providers share.

The life of a message::

    MessageStarted
      BlockStarted(0, TextPart())             one block becomes one part of the message
        TextDelta(0, "Hel")  TextDelta(0, "lo")
      BlockFinished(0, TextPart("Hello"))
      BlockStarted(1, IncompleteToolCall("call_1", "get_weather"))
        ToolInputDelta(1, '{"city": "Oslo"}')
      BlockFinished(1, ToolCall("call_1", "get_weather", {"city": "Oslo"}, ...))
    MessageDelta(stop_reason="tool_use", ...)
    MessageFinished

``index`` is the place of the part in `Message.parts`. Blocks may overlap. `Ping` and
`UnknownEvent` may stand anywhere.

Where more than one answer was asked for, `BlockStarted.choice` and `MessageDelta.choice` say which
one they belong to, and ``index`` runs through the blocks of all answers.

The classes are slotted and not frozen: one is made for each event.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ..framing import UnknownEvent
from ._json import Json, JsonObject, empty_object
from .message import Part, StopReason, Usage

__all__ = [
    "BlockDelta",
    "BlockFinished",
    "BlockStarted",
    "CitationDelta",
    "MediaDelta",
    "MessageDelta",
    "MessageFinished",
    "MessageItem",
    "MessageStarted",
    "Ping",
    "RefusalDelta",
    "SignatureDelta",
    "TextDelta",
    "ThinkingDelta",
    "ToolInputDelta",
    "UnknownDelta",
    "UnknownEvent",
]


@attrs.define
class MessageStarted:
    """A message begins.

    Attributes:
        id: The provider's name for it.
        model: The model that was asked, as the provider names it.
        role: Who speaks.
        usage: The cost so far, if it was told.
        extra: What has no field here.
    """

    id: str = ""
    model: str = ""
    role: str = "assistant"
    usage: Usage | None = None
    extra: JsonObject = attrs.field(factory=empty_object, repr=False)


@attrs.define
class BlockStarted:
    """A part begins.

    Attributes:
        index: Its place in the message.
        part: What is known of it so far; a tool call is an `IncompleteToolCall`.
        choice: Which of the answers it belongs to, counted from 0.
    """

    index: int
    part: Part
    choice: int = 0


@attrs.define
class TextDelta:
    """More text.

    Attributes:
        index: The place of the part in the message.
        text: What comes next.
    """

    index: int
    text: str


@attrs.define
class RefusalDelta:
    """More of a refusal.

    Attributes:
        index: The place of the part in the message.
        text: What comes next.
    """

    index: int
    text: str


@attrs.define
class MediaDelta:
    """More of an image, a sound or a file.

    Attributes:
        index: The place of the part in the message.
        data: A piece of the content, in Base64; ``""`` if only the transcript goes on.
        transcript: What comes next of the transcript.
    """

    index: int
    data: str = attrs.field(default="", repr=lambda data: f"<{len(data)} characters>")
    transcript: str = ""


@attrs.define
class ThinkingDelta:
    """More thoughts.

    Attributes:
        index: The place of the part in the message.
        text: What comes next.
    """

    index: int
    text: str


@attrs.define
class SignatureDelta:
    """The signature of a thinking part. It comes whole: a newer one replaces an older one.

    Attributes:
        index: The place of the part in the message.
        signature: The signature.
    """

    index: int
    signature: str


@attrs.define
class ToolInputDelta:
    """More of the arguments of a tool call.

    Attributes:
        index: The place of the part in the message.
        arguments: What comes next of the JSON text. It may be cut anywhere, or be empty.
    """

    index: int
    arguments: str


@attrs.define
class CitationDelta:
    """One more citation of a text part.

    Attributes:
        index: The place of the part in the message.
        citation: The citation, as the provider describes it.
    """

    index: int
    citation: Json


@attrs.define
class UnknownDelta:
    """An addition to an `UnknownPart`.

    Attributes:
        index: The place of the part in the message.
        delta: The addition, as the provider sent it.
    """

    index: int
    delta: JsonObject


@attrs.define
class BlockFinished:
    """A part has ended.

    Attributes:
        index: Its place in the message.
        part: The part, whole. The moment to make a tool call is when a `ToolCall` arrives here;
            arguments that cannot be final arrive as an `IncompleteToolCall`.
    """

    index: int
    part: Part


@attrs.define
class MessageDelta:
    """News about the message as a whole. `None`: no news.

    Attributes:
        stop_reason: Why the model stopped.
        provider_stop_reason: The same in the provider's own word.
        stop_sequence: The stop sequence that the model wrote.
        usage: The cost so far: totals, not increments.
        model: The model that really answers, where it is not the one of `MessageStarted`.
        extra: What has no field here.
        choice: Which of the answers has stopped, counted from 0; the rest of the news is about
            all of them.
    """

    stop_reason: StopReason | None = None
    provider_stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage | None = None
    model: str | None = None
    extra: JsonObject = attrs.field(factory=empty_object, repr=False)
    choice: int = 0


@attrs.define
class MessageFinished:
    """The terminal event: the message is whole.

    Attributes:
        extra: What the provider still had to say.
    """

    extra: JsonObject = attrs.field(factory=empty_object, repr=False)


@attrs.define
class Ping:
    """A sign of life, and nothing else."""


BlockDelta: TypeAlias = (
    TextDelta
    | ThinkingDelta
    | ToolInputDelta
    | RefusalDelta
    | MediaDelta
    | SignatureDelta
    | CitationDelta
    | UnknownDelta
)
"""An addition to a part."""

MessageItem: TypeAlias = (
    MessageStarted
    | BlockStarted
    | BlockDelta
    | BlockFinished
    | MessageDelta
    | MessageFinished
    | Ping
    | UnknownEvent
)
"""An item of a dialect's stream."""
