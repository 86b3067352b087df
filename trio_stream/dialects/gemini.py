"""Google's Gemini, as the Gemini API and Vertex AI stream it.

Theory of operation
-------------------

Each frame holds a ``GenerateContentResponse``, of which a non-streaming answer would be the sum::

    {"candidates": [{"content": {"parts": [{"text": "He"}]}}], "modelVersion": ..., ...}
    {"candidates": [{"content": {"parts": [{"text": "llo"}]}, "finishReason": "STOP"}],
     "usageMetadata": {...}}
                                                   the body ends

*Ends.* There is no terminal event. An answer is whole when its ``finishReason`` has come and no
part of it is open; the stream is complete if it ends when all answers are. The reason is not
the last word, the usage may follow, so the stream is read until it ends. Some models of the first
generation give a reason with every chunk; their answers go on after it, and look whole at each.
A prompt that is blocked has no answers, but a ``blockReason``, which is a refusal.

*Parts* have no numbers, no beginnings and no ends::

    a part that is          continues the open part if        else it is
    text and nothing else   that is text                      the start of one
    a thought, likewise     that is a thought                 the start of one
    inline sound            that is sound of the same type    the start of one
    anything more           never                             whole

An open part ends with the next one that does not continue it, or with the reason. Text with a
``thoughtSignature``, even empty text, is a part of its own: the API wants signed parts back as
they were, neither joined with others nor cut.

*Function calls* come whole, with their arguments as a value, and are handed out at once. Vertex can
stream the arguments instead: parts follow each other until one does not say ``willContinue``.
`PathWriter` makes text of the pieces. Where a call is not continued as announced, and another part
or the reason comes, it is refused. So is a call that ended without arguments, if what comes next
is a reason that says that the model was cut: it may have been cut before the first.

*Metadata* of an answer is kept in `Message.extra`, under its own name (that of other answers than
the first under ``candidates[1].name``). Grounding, URL contexts and log probabilities come in
pieces, and are handed out with the reason; of the rest the newest counts. Citations go with
the text that is open when they come.

*What is tolerated.* A frame with nothing known in it is kept as an `UnknownEvent`; an unknown part
as an `UnknownPart`; both are counted. Empty parts say nothing. Errors come as an object with
``error`` in it, in a frame or unframed, and may be in an array.
"""

from __future__ import annotations

from typing import ClassVar, Final

import attrs

from ..errors import StreamTruncatedError
from ..framing import ServerSentEvent
from ._assembler import MessageAssembler
from ._contract import Decoder
from ._gemini_objects import (
    data_field,
    merge_metadata,
    open_other_part,
    read_error,
    read_media,
    read_usage,
    stop_word,
)
from ._json import (
    Json,
    JsonObject,
    Misfit,
    get_int,
    get_object,
    get_objects,
    get_optional_list,
    get_optional_object,
    get_optional_string,
    kind_of,
    parse_json,
)
from ._message_dialect import Completion, MessageDialect, SSEMessageDecoder
from ._open_parts import OpenMedia, OpenPart, OpenText, OpenThinking, OpenToolCall
from ._path_writer import PathWriter
from .items import (
    BlockDelta,
    BlockFinished,
    CitationDelta,
    MediaDelta,
    MessageDelta,
    MessageItem,
    MessageStarted,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
)
from .message import IncompleteToolCall, Part, StopReason, TextPart, ThinkingPart

__all__ = ["Gemini"]

_CHUNK: Final = frozenset(
    {"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId", "createTime"}
)
# What has a place of its own.
_PLACED: Final = frozenset({"candidates", "usageMetadata", "modelVersion", "responseId"})
_PLACED_OF_CANDIDATE: Final = frozenset({"content", "finishReason", "index"})
_IN_PIECES: Final = frozenset(
    {"citationMetadata", "groundingMetadata", "urlContextMetadata", "logprobsResult"}
)
_CITATIONS: Final = ("citationSources", "citations")  # of the Gemini API, of Vertex
_UNSPECIFIED: Final = frozenset({"FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED"})

_NO_ARGUMENTS: Final = "no arguments came, and the model was cut off"
_NO_END: Final = "the rest of the arguments did not come"


@attrs.frozen
class Gemini(MessageDialect):
    """The dialect of Gemini's ``streamGenerateContent`` with ``alt=sse``, and Vertex AI's.

    The result is a `Message`; ``candidateCount`` gives it `Message.alternatives`. A stream that
    ends before every answer has its reason raises `StreamTruncatedError`, with the partial message
    in its outcome; an error inside it raises `InBandError`. As the only sign of completeness is
    the reason, ``strict`` changes nothing.

    Each part's ``raw`` is the provider's part as it began: to send a turn back, send
    ``thoughtSignature`` as it is there.

    Source: the API reference, "GenerateContentResponse"; "Thought signatures".
    """

    completion: ClassVar[Completion] = Completion(
        terminal_markers=("finishReason",),
        also="a promptFeedback.blockReason",
        quirks=(
            "nothing says that the stream ends: it is read on after the reason, until it ends",
            "a finishReason with every chunk: parts may follow it",
            "no ID in a function call: it is empty",
            "errors in an array, or unframed",
        ),
    )

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder()

    def assembler(self) -> MessageAssembler:
        """Make an assembler for one stream."""
        return MessageAssembler()


@attrs.define
class _Answer:
    """One candidate: its open part, and what was told of it beside its parts.

    Attributes:
        choice: Its index.
        part: The open part, if there is one.
        place: The place of that in the message.
        kind: What continues it: ``"text"``, ``"thought"``, a media type; ``""`` if nothing does.
        call: How the last call began.
        writer: Writes the arguments of the open call, until that has ended.
        called: Whether it has called a function.
        stop: Why it stopped: the provider's reason, and the word for it.
        metadata: Its metadata, each the newest.
        gathered: Metadata that comes in pieces, as far as it was not told.
    """

    choice: int
    part: OpenPart | None = None
    place: int = 0
    kind: str = ""
    call: IncompleteToolCall = attrs.field(factory=lambda: IncompleteToolCall("", ""))
    writer: PathWriter | None = None
    called: bool = False
    stop: tuple[str, StopReason] | None = None
    metadata: JsonObject = attrs.field(factory=dict[str, Json])
    gathered: JsonObject = attrs.field(factory=dict[str, Json])

    def name_of(self, field: str) -> str:
        """Return the name under which one of its fields is kept in `Message.extra`."""
        return f"candidates[{self.choice}].{field}" if self.choice else field


class _Decoder(SSEMessageDecoder):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = ("_answers", "_extra", "_figures", "_id", "_model", "_started", "_usage")

    def __init__(self) -> None:
        super().__init__()
        self._started = False
        self._answers = {0: _Answer(0)}
        # What was told of the message: its ID and model; all figures of the usage, and its last
        # report; the rest.
        self._id = ""
        self._model = ""
        self._figures: JsonObject = {}
        self._usage: JsonObject = {}
        self._extra: JsonObject = {}

    def close(self) -> None:
        answers = self._answers.values()
        cut = [answer.place for answer in answers if answer.part is not None]
        if not self._started:
            where = "before the first chunk"
        elif cut:
            where = f"inside part {min(cut)}"
        elif any(answer.stop is None for answer in answers):
            where = "before a finishReason"
        else:
            return
        raise StreamTruncatedError(f"the stream ended {where}")

    def _read_event(self, event: ServerSentEvent, out: list[MessageItem]) -> None:
        try:
            chunk = _parse_chunk(event.data)
        except ValueError as exc:
            self._read_stray(event, out, f"not JSON: {exc}", exc)
            return
        if type(chunk) is not dict:
            self._read_stray(event, out, f"expected an object, got {kind_of(chunk)}", None)
        elif chunk.get("error") is not None or event.event == "error":
            raise read_error(chunk, event.data)
        elif _CHUNK.isdisjoint(chunk):
            self._keep(event.event, event.data, out)
        else:
            items: list[MessageItem] = []
            self._read_chunk(chunk, items)
            out += items

    def _read_stray(
        self,
        event: ServerSentEvent,
        out: list[MessageItem],
        problem: str,
        cause: ValueError | None,
    ) -> None:
        """Read a frame that holds no JSON object."""
        if event.event == "error":
            raise read_error({}, event.data)
        if event.data.lstrip().startswith(("{", "[{")):
            raise Misfit("$", problem) from cause
        self._keep(event.event, event.data, out)

    def _read_chunk(self, chunk: JsonObject, out: list[MessageItem]) -> None:
        news = self._read_news(chunk)
        if not self._started:
            self._started = True
            out.append(MessageStarted(self._id, self._model, usage=news.usage, extra=news.extra))
            news = MessageDelta()
        for candidate, path in get_objects(chunk, "candidates", "$"):
            self._read_candidate(candidate, path, out)
        feedback = get_optional_object(chunk, "promptFeedback", "$")
        if feedback is not None:
            reason = get_optional_string(feedback, "blockReason", "$.promptFeedback")
            if reason is not None and reason not in _UNSPECIFIED:
                self._block(reason, out)
        if news.usage is not None or news.model is not None or news.extra:
            out.append(news)

    def _read_news(self, chunk: JsonObject) -> MessageDelta:
        """Read what a chunk says about the message as a whole that no other has said before."""
        news = MessageDelta()
        usage = get_optional_object(chunk, "usageMetadata", "$")
        if usage is not None and usage != self._usage:
            self._usage = usage
            self._figures |= {name: value for name, value in usage.items() if value is not None}
            news.usage = read_usage(self._figures, usage, "$.usageMetadata")
        model = get_optional_string(chunk, "modelVersion", "$")
        if model and model != self._model:
            self._model = news.model = model
        message_id = get_optional_string(chunk, "responseId", "$")
        if message_id and message_id != self._id:
            self._id = message_id
            if self._started:  # too late for its place
                news.extra["responseId"] = message_id
        if not _PLACED.issuperset(chunk):
            for name, value in chunk.items():
                if name not in _PLACED and value is not None and self._extra.get(name) != value:
                    news.extra[name] = self._extra[name] = value
        return news

    # One candidate.

    def _read_candidate(self, candidate: JsonObject, path: str, out: list[MessageItem]) -> None:
        index = 0 if candidate.get("index") is None else get_int(candidate, "index", path)
        if index < 0:
            raise Misfit(f"{path}.index", "an index is not negative")
        answer = self._answers.get(index) or self._answers.setdefault(index, _Answer(index))
        content = get_optional_object(candidate, "content", path)
        citations = get_optional_object(candidate, "citationMetadata", path)
        if citations is not None and self._cite(answer, citations, path, out):
            citations = None
        if content is not None:
            for part, where in get_objects(content, "parts", f"{path}.content"):
                self._read_part(answer, part, where, out)
        if citations is not None and not self._cite(answer, citations, path, out):
            merge_metadata(answer.gathered, "citationMetadata", citations)
        extra: JsonObject = {}
        if not _PLACED_OF_CANDIDATE.issuperset(candidate):
            extra = self._read_metadata(answer, candidate)
        reason = get_optional_string(candidate, "finishReason", path)
        if reason is not None and reason not in _UNSPECIFIED:
            self._end_part(answer, out, whole=reason == "STOP")
            self._stop(answer, reason, stop_word(reason, called=answer.called), extra, out)
        elif answer.stop is not None:  # a call makes another word of the reason that was told
            reason = answer.stop[0]
            self._stop(answer, reason, stop_word(reason, called=answer.called), extra, out)
        elif extra:
            out.append(MessageDelta(extra=extra, choice=answer.choice))

    def _stop(
        self,
        answer: _Answer,
        reason: str,
        word: StopReason,
        extra: JsonObject,
        out: list[MessageItem],
    ) -> None:
        """Tell why an answer stopped, and what was gathered until then, as far as it is news."""
        extra |= {answer.name_of(name): value for name, value in answer.gathered.items()}
        if extra or answer.stop != (reason, word):
            answer.stop = reason, word
            answer.gathered = {}
            out.append(MessageDelta(word, reason, extra=extra, choice=answer.choice))

    def _block(self, reason: str, out: list[MessageItem]) -> None:
        """The prompt was blocked: nothing more will come."""
        for answer in self._answers.values():
            if answer.stop is None:
                self._end_part(answer, out, whole=False)
                self._stop(answer, reason, "refusal", {}, out)

    def _read_metadata(self, answer: _Answer, candidate: JsonObject) -> JsonObject:
        """Read what has no place in the message; return what is news and comes whole."""
        extra: JsonObject = {}
        for field, value in candidate.items():
            if field in _IN_PIECES:
                if field != "citationMetadata" and value is not None:
                    merge_metadata(answer.gathered, field, value)
            elif (
                field not in _PLACED_OF_CANDIDATE
                and value is not None
                and answer.metadata.get(field) != value
            ):
                extra[answer.name_of(field)] = answer.metadata[field] = value
        return extra

    def _cite(
        self, answer: _Answer, metadata: JsonObject, path: str, out: list[MessageItem]
    ) -> bool:
        """Add citations to the open text; return whether there is one."""
        if type(answer.part) is not OpenText:
            return False
        for name in _CITATIONS:
            for citation in get_optional_list(metadata, name, f"{path}.citationMetadata") or ():
                self._grow(answer, answer.part, CitationDelta(answer.place, citation), out)
        return True

    # Its parts.

    def _read_part(
        self, answer: _Answer, part: JsonObject, path: str, out: list[MessageItem]
    ) -> None:
        if len(part) > 1:
            part = {name: value for name, value in part.items() if value is not None}
        name = "" if "text" in part and len(part) == 1 else data_field(part)
        text = get_optional_string(part, "text", path) or ""
        if name and text:  # two in one: neither may get lost
            self._read_text(answer, {"text": text}, text, path, out)
        match name:
            case "":
                self._read_text(answer, part, text, path, out)
            case "functionCall":
                self._read_call(answer, part, path, out)
            case "inlineData":
                self._read_media(answer, part, path, out)
            case _:
                opened, is_known = open_other_part(part, name, path)
                self._unknown_events += not is_known
                self._end_part(answer, out)
                self._add_part(opened, out, answer.choice)

    def _read_text(
        self, answer: _Answer, part: JsonObject, text: str, path: str, out: list[MessageItem]
    ) -> None:
        is_thought = part.get("thought") is True
        kind = "thought" if is_thought else "text"
        is_plain = len(part) == ("text" in part) + ("thought" in part)
        if is_plain and not text:
            return
        opened = answer.part
        if opened is None or answer.kind != kind or not is_plain:
            signature = get_optional_string(part, "thoughtSignature", path) or ""
            if is_thought:
                opened = OpenThinking(ThinkingPart("", signature, finished=False, raw=part))
            else:
                opened = OpenText(TextPart(finished=False, raw=part))
            self._open(answer, opened, kind, out)
        if text:
            make = ThinkingDelta if is_thought else TextDelta
            self._grow(answer, opened, make(answer.place, text), out)
        if not is_plain:
            self._end_part(answer, out)

    def _read_media(
        self, answer: _Answer, part: JsonObject, path: str, out: list[MessageItem]
    ) -> None:
        start, data = read_media(part, path)
        goes_on = start.media_type.startswith("audio/") and len(part) == 1
        opened = answer.part
        if opened is None or answer.kind != start.media_type or not goes_on:
            opened = OpenMedia(start)
            self._open(answer, opened, start.media_type, out)
        self._grow(answer, opened, MediaDelta(answer.place, data), out)
        if not goes_on:
            self._end_part(answer, out)

    def _read_call(
        self, answer: _Answer, part: JsonObject, path: str, out: list[MessageItem]
    ) -> None:
        call, path = get_object(part, "functionCall", path), f"{path}.functionCall"
        call_id = get_optional_string(call, "id", path) or ""
        name = get_optional_string(call, "name", path) or ""
        given = get_optional_object(call, "args", path)
        leaves = get_objects(call, "partialArgs", path)
        opened, writer = answer.part, answer.writer
        if writer is not None and (not name or (call_id and call_id == answer.call.id)):
            if call_id and call_id != answer.call.id:
                raise Misfit(f"{path}.id", "another call is open")
            if len(part) > 1:  # a late signature
                answer.call = attrs.evolve(answer.call, raw=part | answer.call.raw)
        elif name:
            answer.call = IncompleteToolCall(call_id, name, raw=part)
            answer.called = True
            opened, writer = None, PathWriter()
        elif call_id or given or leaves:
            raise Misfit(f"{path}.name", "a call without a name")
        else:
            return  # the end of a call that has ended
        if opened is None:
            opened = OpenToolCall(answer.call, given)
            self._open(answer, opened, "", out)
        elif given is not None:
            answer.part = opened = OpenToolCall(answer.call, given)  # instead of the pieces
            writer = PathWriter()
        answer.writer = writer
        for leaf, where in leaves:
            self._write(answer, opened, writer.write(leaf, where), out)
        if call.get("willContinue") is True:
            return
        self._write(answer, opened, writer.end(), out)
        answer.writer = None
        if not (isinstance(opened, OpenToolCall) and opened.is_empty):
            self._end_part(answer, out)

    def _write(
        self, answer: _Answer, opened: OpenPart, arguments: str, out: list[MessageItem]
    ) -> None:
        if arguments:
            self._grow(answer, opened, ToolInputDelta(answer.place, arguments), out)

    def _open(self, answer: _Answer, part: OpenPart, kind: str, out: list[MessageItem]) -> None:
        """Begin a part, which ends the open one."""
        self._end_part(answer, out)
        answer.part = part
        answer.kind = kind
        answer.place = self._start_part(part, out, answer.choice)

    def _grow(
        self, answer: _Answer, part: OpenPart, delta: BlockDelta, out: list[MessageItem]
    ) -> None:
        part.add(delta)
        out.append(delta)

    def _end_part(self, answer: _Answer, out: list[MessageItem], *, whole: bool = True) -> None:
        """End the open part, if there is one.

        Args:
            answer: Its answer.
            out: Where its end goes.
            whole: Whether the model cannot have been cut here.
        """
        opened = answer.part
        if opened is None:
            return
        part: Part
        if not isinstance(opened, OpenToolCall):
            part = opened.finished()
        elif answer.writer is not None:
            part = opened.refused(_NO_END)
        elif opened.is_empty and not whole:
            part = opened.refused(_NO_ARGUMENTS)
        else:
            part = attrs.evolve(opened.finished(), raw=answer.call.raw)
        answer.part = answer.writer = None
        answer.kind = ""
        out.append(BlockFinished(answer.place, part))


def _parse_chunk(text: str) -> JsonObject:
    """Decode a chunk, if it is one. Of an array, an error that stands first."""
    value: Json = parse_json(text)
    values: list[Json] = value
    if type(values) is list and values:
        first: JsonObject = values[0]
        if type(first) is dict and "error" in first:
            return first
    chunk: JsonObject = value
    return chunk
