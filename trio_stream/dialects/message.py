"""The one `Message` that every provider's dialect folds its stream into.

It has the shape that the providers have in common, a list of parts and a reason for stopping, and
keeps beside each normalised word what the provider itself said: `Message.provider_stop_reason`,
`Usage.raw`, the ``raw`` of a part, `Message.extra`. Nothing that arrived is lost for lack of a
field here.

A message may be a partial one, from a stream that was cut or is still running. It says so:

* ``stop_reason`` is ``"incomplete"`` until the message is known to be whole;
* an unfinished text is kept as far as it came, with ``finished=False``. It is worth keeping:
  half a sentence is readable;
* an unfinished thinking part is kept too, with ``finished=False``, to be looked at. It is not
  worth sending back: without its signature a provider refuses it;
* an unfinished tool call is an `IncompleteToolCall`, which has no ``input`` that could be mistaken
  for one, and is not among `Message.tool_calls`.

Parts and messages are values: they are frozen, and nothing changes them later. Parts are equal
when they mean the same; ``raw``, what a part was made from, is not compared.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from ._json import Json, JsonObject, empty_object

__all__ = [
    "IncompleteToolCall",
    "MediaPart",
    "Message",
    "Part",
    "RedactedThinkingPart",
    "RefusalPart",
    "ServerToolCall",
    "ServerToolResult",
    "StopReason",
    "TextPart",
    "ThinkingPart",
    "ToolCall",
    "UnknownPart",
    "Usage",
]

StopReason: TypeAlias = Literal[
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "refusal",
    "pause",
    "other",
    "incomplete",
]
"""Why the model stopped.

``end_turn``: it was done. ``max_tokens``: it ran into a limit, the one asked for or that of its
context. ``stop_sequence``: it wrote one of the sequences asked for. ``tool_use``: it waits for the
results of its tool calls. ``refusal``: it, or a filter, refused. ``pause``: the provider
interrupted a long turn, to be continued by sending it back. ``other``: another reason, or none was
given; see `Message.provider_stop_reason`. ``incomplete``: it is not known that it stopped; the
stream is still running or was cut.
"""


@attrs.frozen
class TextPart:
    """Text for the reader.

    Attributes:
        text: The text, as far as it came.
        citations: What it is based on, each as the provider describes it.
        finished: Whether its end was seen.
        raw: The provider's own object, as the part began.
    """

    text: str = ""
    citations: tuple[Json, ...] = ()
    finished: bool = True
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class RefusalPart:
    """What the model says instead of an answer, where the provider keeps the two apart.

    Attributes:
        text: The words, as far as they came.
        finished: Whether their end was seen.
        raw: The provider's own object, as the part began.
    """

    text: str = ""
    finished: bool = True
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class MediaPart:
    """An image, a sound, a file: kept as it was sent, not decoded.

    Attributes:
        media_type: What it is, such as ``image/png``; ``""`` if it was not told.
        uri: Where it is, if it was not sent itself.
        data: The content in Base64, in the pieces in which it came. Each piece is a text of its
            own: decode them one by one, then join.
        transcript: What is said in it, as far as that came.
        id: The provider's name for it.
        finished: Whether its end was seen.
        raw: The provider's own object, as the part began, without what is in ``data``.
    """

    media_type: str = ""
    uri: str = ""
    data: tuple[str, ...] = attrs.field(default=(), repr=lambda data: f"<{len(data)} pieces>")
    transcript: str = ""
    id: str = ""
    finished: bool = True
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class ThinkingPart:
    """What the model thought on the way.

    Attributes:
        text: The thoughts, as far as they came; ``""`` where the provider withholds them.
        signature: The provider's seal, needed to send the part back; ``""`` if none came.
        finished: Whether its end was seen. If not, the part cannot be sent back.
        raw: The provider's own object, as the part began.
    """

    text: str = ""
    signature: str = ""
    finished: bool = True
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class RedactedThinkingPart:
    """Thoughts that only the provider can read; they come whole.

    Attributes:
        data: The encrypted thoughts.
        raw: The provider's own object.
    """

    data: str = ""
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class ToolCall:
    """A call that the application is asked to make. It is whole: its end was seen.

    Attributes:
        id: The provider's name for the call, to answer it by.
        name: The tool.
        input: The arguments: `arguments`, parsed strictly. ``{}`` if there are none. The text
            itself if `is_custom`.
        arguments: The JSON text of the arguments, exactly as it came; ``""`` if the provider sent
            none, or sent them as a value and not as text.
        is_custom: Whether the tool takes plain text, and no JSON.
        raw: The provider's own object, as the part began.
    """

    id: str
    name: str
    input: Json
    arguments: str = ""
    is_custom: bool = False
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class IncompleteToolCall:
    """A call that has not become one. It must not be made, and has no ``input`` to make it with.

    Attributes:
        id: The provider's name for the call.
        name: The tool.
        arguments: The text of the arguments, as far as it came.
        error: Why the arguments are not final though their end was seen: they are not JSON, or
            none came and the model may have been cut off. ``""`` if their end was not seen.
        by_server: Whether it is the provider who makes the call.
        is_custom: Whether the tool takes plain text, and no JSON.
        preview: The arguments as far as they came, as a value: to be looked at, never to be used.
            It follows the rules of `trio_stream.partial_json`: texts and lists may go on, numbers
            and literals are final. `None` if no value has begun.
        raw: The provider's own object, as the part began.
    """

    id: str
    name: str
    arguments: str = ""
    error: str = ""
    by_server: bool = False
    is_custom: bool = False
    preview: Json = attrs.field(default=None, kw_only=True, eq=False, repr=False)
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class ServerToolCall:
    """A call that the provider makes itself, such as a web search. There is nothing to do.

    Attributes:
        id: The provider's name for the call.
        name: The tool.
        input: The arguments, parsed strictly.
        arguments: The JSON text of the arguments, exactly as it came.
        raw: The provider's own object, as the part began.
    """

    id: str
    name: str
    input: Json
    arguments: str = ""
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class ServerToolResult:
    """What a `ServerToolCall` returned; it comes whole.

    Attributes:
        call_id: The ``id`` of the call.
        type: The provider's word for this kind of result, such as ``web_search_tool_result``.
        content: The result, or the error, as the provider describes it.
        raw: The provider's own object.
    """

    call_id: str
    type: str
    content: Json
    raw: JsonObject = attrs.field(factory=empty_object, kw_only=True, eq=False, repr=False)


@attrs.frozen
class UnknownPart:
    """A part that has no class here: one provider's own kind, or newer than this library.

    Attributes:
        type: The provider's word for its kind.
        raw: The provider's own object, as the part began.
        deltas: What was added to it, each as the provider sent it.
        finished: Whether its end was seen.
    """

    type: str
    raw: JsonObject = attrs.field(factory=empty_object)
    deltas: tuple[JsonObject, ...] = ()
    finished: bool = True


Part: TypeAlias = (
    TextPart
    | RefusalPart
    | MediaPart
    | ThinkingPart
    | RedactedThinkingPart
    | ToolCall
    | IncompleteToolCall
    | ServerToolCall
    | ServerToolResult
    | UnknownPart
)
"""One part of a message."""


@attrs.frozen
class Usage:
    """What the message cost, in tokens. `None`: the provider did not say; ``0`` is a figure.

    The four figures are disjoint, so that each can be multiplied by its own price. Providers that
    count cached tokens among the input tokens are converted; `raw` has their own figures.

    Attributes:
        input_tokens: Input that was read afresh.
        output_tokens: Output, thoughts included.
        cache_read_tokens: Input that was read from a cache.
        cache_write_tokens: Input that was written to a cache.
        raw: The provider's own figures: those of the last report, and of earlier ones where the
            last is silent.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    raw: JsonObject = attrs.field(factory=empty_object, eq=False, repr=False)

    def updated(self, newer: Usage) -> Usage:
        """Return these figures with those of a newer report in their place.

        Reports are totals and not increments, so a newer one replaces; where it is silent, the
        older figure stands.
        """
        return Usage(
            _newest(newer.input_tokens, self.input_tokens),
            _newest(newer.output_tokens, self.output_tokens),
            _newest(newer.cache_read_tokens, self.cache_read_tokens),
            _newest(newer.cache_write_tokens, self.cache_write_tokens),
            self.raw | {key: value for key, value in newer.raw.items() if value is not None},
        )


def _newest(newer: int | None, older: int | None) -> int | None:
    return older if newer is None else newer


@attrs.frozen
class Message:
    """What a model said: whole, or as far as it came.

    Attributes:
        id: The provider's name for the message; ``""`` if none came.
        model: The model that wrote it, as the provider names it; ``""`` if none came.
        role: Who speaks; ``"assistant"``.
        parts: What was said, in order.
        stop_reason: Why the model stopped, in words that all providers share; ``"incomplete"``
            until the message is known to be whole.
        provider_stop_reason: The same in the provider's own word, if it gave one.
        stop_sequence: The stop sequence that the model wrote, if it was that.
        usage: What it cost.
        extra: What the provider said about the message that has no field here.
        alternatives: The other answers, where more than one was asked for (``n``,
            ``candidateCount``). They share the ``id``, ``model`` and ``usage`` of this one.
    """

    id: str = ""
    model: str = ""
    role: str = "assistant"
    parts: tuple[Part, ...] = ()
    stop_reason: StopReason = "incomplete"
    provider_stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage = attrs.field(factory=Usage)
    extra: JsonObject = attrs.field(factory=empty_object, repr=False)
    alternatives: tuple[Message, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the message is whole."""
        return self.stop_reason != "incomplete"

    @property
    def text(self) -> str:
        """All text, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def refusal(self) -> str:
        """What the model said instead of an answer, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, RefusalPart))

    @property
    def thinking(self) -> str:
        """All readable thoughts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, ThinkingPart))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the application is asked to make; only whole ones."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))
