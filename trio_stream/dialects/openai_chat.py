"""OpenAI's Chat Completions API, as the provider and everything that imitates it streams it.

Theory of operation
-------------------

Each frame holds a chunk, a JSON object, and a chunk holds ``choices``, one for each answer that
goes on in it; there may be none. A choice holds a ``delta``, what is added to the answer, and in
the end a ``finish_reason``. The data ``[DONE]`` ends the stream::

    chunk ─▶ choices[] ─▶ delta           text, thoughts, refusal, sound, calls
                       └▶ finish_reason   why the answer stopped
          └▶ usage, and what else there is to say about the message; before, with or after that

Chunks know no blocks: a block begins with the first delta of its kind, and ends when one of
another kind begins or the answer stops. Only one block of an answer is open at a time, but for
tool calls: servers mix the deltas of several, and text with them. Which call a delta means, and
when it is whole, is told in `_openai_chat_calls`. Deltas that add nothing, such as an empty
``content`` beside thoughts, begin no block and become no item.

*Ends.* The terminal marker is ``[DONE]``. A stream that ends without it is truncated, unless every
answer has its reason and no block is open: the message is whole then. Many servers send no
``[DONE]``, and what follows the reason, such as the usage, is read as long as it comes. Others send
``[DONE]`` and no reason. Then the message is whole, with the stop reason ``"other"`` unless a call
or a refusal says better; but it is not known that the model was not cut off, so a call is made only
if its arguments came and cannot go on. With ``strict`` such a stream is truncated. ``[DONE]``
before any chunk is the end of nothing: the stream is truncated in any case.

*Calls at the end.* After ``stop`` or ``tool_calls`` the calls are final, and one without arguments
has none. After ``length``, ``content_filter`` or a word that nobody knows, the last may have been
cut, and a call is made only if arguments came and cannot go on. Servers say ``stop`` for
``tool_calls``, and some OpenAI models do when they must call a tool: what counts is that there are
calls. Likewise an answer that refuses stops with ``stop``.

*Errors* come as an ``error`` event, as an ``error`` object in a chunk, in a choice or in Groq's
``x_groq``, as a bare error object, as ``finish_reason: "error"``, or as a comment. Each raises.

*What is tolerated.* A chunk that is no chunk, data that is no JSON object, a kind of call or
content, a field of a delta that nobody knows: these are kept and counted. Content that has no
place is never dropped: a broken object, a field of the wrong type, arguments for a call that was
handed out are each a `BadItemError`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from ..errors import InBandError, StreamTruncatedError
from ..framing import SSE, Framing, ServerSentEvent
from ._contract import Decoder
from ._json import (
    Json,
    JsonObject,
    Misfit,
    get_objects,
    get_optional_object,
    get_optional_string,
    parse_json,
)
from ._message_dialect import Completion, MessageDialect, SSEMessageDecoder
from ._openai_chat_answer import Answer
from ._openai_chat_objects import (
    CHOICE_FIELDS,
    CHUNK_FIELDS,
    GATHERED,
    MESSAGE_FIELDS,
    Stop,
    is_bare_error,
    is_news,
    read_comment_error,
    read_index,
    read_listed_error,
    read_role,
    read_usage,
)
from ._openai_errors import read_error
from .items import MessageDelta, MessageFinished, MessageItem, MessageStarted, Ping
from .message import Usage

__all__ = ["OpenAIChat"]


@attrs.frozen
class OpenAIChat(MessageDialect):
    """The dialect of OpenAI's Chat Completions API (``POST /v1/chat/completions``, streamed).

    It reads what imitates that API too: Azure, OpenRouter, Mistral, Groq, DeepSeek, xAI,
    Cerebras, Ollama, vLLM and the like, and the older ``POST /v1/completions``.

    The result is a `Message`; with ``n`` greater than 1, the other answers are its
    `Message.alternatives`. A stream that ends before its message is whole raises
    `StreamTruncatedError`, with the partial message in its outcome; an error that the stream
    reports raises `InBandError`, with the status that it amounts to.

    What sending the answer back needs beyond the fields of the parts is in their ``raw``: in that
    of a `ThinkingPart` the field that the thoughts came in, and, once the part is finished,
    ``reasoning_details`` or ``thinking_blocks`` whole; in that of a `ToolCall` its first delta,
    and what later ones had beyond ID, name and arguments, such as Gemini's ``extra_content``.
    In `Message.extra` is what chunks, choices and deltas say about the message, by its name (the
    last value, if there were several; ``choices[1].name`` if it is about another answer);
    ``logprobs`` come there too, whole, when the answer stops.

    Thoughts that a server leaves in the text, between ``<think>`` tags, stay there.

    Source: OpenAI's API reference, "Chat Completions: streaming" and "Completions"; the references
    of the others.
    """

    completion: ClassVar[Completion] = Completion(
        terminal_markers=("[DONE]",),
        also="a finish_reason in every choice that has begun, while no block is open",
        quirks=(
            "no [DONE]: the finish_reason counts",
            "[DONE] without any finish_reason: complete, with the stop reason 'other'",
            "finish_reason 'stop' after tool calls or a refusal: read as what it means",
            "index of a tool call missing, always 0, or not counted from 0",
            "ID or name of a tool call missing, null, empty, repeated, or new in each delta",
            "arguments of a tool call null, or sent as an object",
            "whole tool calls in the chunk that finishes, or sent a second time",
            "function_call in place of tool_calls",
            "content as a list of typed pieces",
            "thoughts as reasoning_content, reasoning, reasoning_details or thinking_blocks",
            "message in place of delta, or beside it: read only if no delta came",
            "text in place of delta: the older completions",
            "chunks without choices: usage, content filters",
            "usage in every chunk, in a choice, in x_groq, or without the thoughts",
            "errors as event, in a chunk, in a choice, bare, as finish_reason, in a comment",
        ),
    )

    @property
    def framing(self) -> Framing[Any]:
        """Server-sent events; comments and unframed JSON may report an error."""
        return SSE(comments=True, unframed=True)

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder(strict=self.strict)


class _Decoder(SSEMessageDecoder):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = (
        "_answers",
        "_event",
        "_extra",
        "_has_news",
        "_has_started",
        "_model",
        "_news",
        "_strict",
        "_usage",
        "_usual_answer",
        "_usual_choice",
        "_usual_chunk",
    )

    def __init__(self, *, strict: bool) -> None:
        super().__init__()
        self._strict = strict
        self._event = ServerSentEvent()  # the one that is being read
        self._answers = {0: Answer(0, self._start_part)}
        self._has_started = False
        # What was said last about the message, and what of it is yet to be told. Most chunks
        # say nothing new.
        self._model = ""
        self._usage: Usage | None = None
        self._extra: JsonObject = {}
        self._news = MessageDelta()
        self._has_news = False
        # A shortcut for that: the last chunk without its choices, and the last choice without its
        # delta, if it said nothing besides. What is equal to them need not be read again.
        self._usual_chunk: JsonObject = {}
        self._usual_choice: JsonObject = {}
        self._usual_answer = self._answers[0]

    @property
    def unknown_events(self) -> int:
        """How many events, fields and parts were of a kind that nobody knew."""
        return self._unknown_events + sum(each.unknown_parts for each in self._answers.values())

    def close(self) -> None:
        answers = self._answers.values()
        whole = all(answer.stop is not None and not answer.has_open_block for answer in answers)
        if self._finished or (whole and not self._strict):
            return
        if not self._has_started:
            where = "before any chunk"
        elif whole:
            where = "after its finish_reason"
        else:
            where = "before a finish_reason"
        raise StreamTruncatedError(f"the stream ended {where} and without [DONE]")

    # Frames.

    def _read_comment(self, text: str, out: list[MessageItem]) -> None:
        error = read_comment_error(text)
        if error is not None:
            raise error
        out.append(Ping())

    def _read_event(self, event: ServerSentEvent, out: list[MessageItem]) -> None:
        self._event = event
        try:
            chunk: JsonObject = parse_json(event.data)  # if it is one
        except ValueError as exc:
            self._read_stray(event, out, exc)
            return
        if type(chunk) is not dict:
            error = read_listed_error(chunk)
            if error or event.event == "error":
                raise self._error(error or chunk)
            self._keep(event.event, event.data, out)
            return
        if event.event == "error":
            raise self._error(chunk.get("error") or chunk, chunk.get("request_id"))
        items: list[MessageItem] = []  # so that `out` never holds half of a chunk
        if "choices" in chunk or "usage" in chunk:
            self._read_chunk(chunk, items)
        else:
            self._read_other(chunk, items)
        out += items

    def _read_stray(
        self, event: ServerSentEvent, out: list[MessageItem], cause: ValueError
    ) -> None:
        """Read data that is no JSON."""
        data = event.data.strip()
        if data == "[DONE]":
            self._finish(out)
        elif event.event == "error":
            raise self._error(data)
        elif not data:
            out.append(Ping())
        elif data.startswith("{"):
            raise Misfit("$", f"not JSON: {cause}") from cause
        else:
            self._keep(event.event, event.data, out)

    def _read_other(self, chunk: JsonObject, out: list[MessageItem]) -> None:
        """Read an object that has neither ``choices`` nor ``usage``."""
        kind = chunk.get("object")
        if chunk.get("error") or is_bare_error(chunk):
            raise self._error(chunk.get("error") or chunk, chunk.get("request_id"))
        if chunk.get("type") == "ping":
            out.append(Ping())
        elif type(kind) is str and "completion" in kind:
            self._read_chunk(chunk, out)
        else:
            self._keep(self._event.event, self._event.data, out)

    def _error(self, error: Json, request_id: Json = None) -> InBandError:
        return read_error(error, self._event.data, request_id=request_id)

    def _finish(self, out: list[MessageItem]) -> None:
        """Read ``[DONE]``."""
        answers = self._answers.values()
        if not self._has_started:
            raise StreamTruncatedError("the stream ended before any chunk")
        if self._strict and any(answer.stop is None for answer in answers):
            raise StreamTruncatedError("the stream ended before a finish_reason")
        extra: JsonObject = {}
        for answer in answers:
            answer.settle(out, cut=True)
            if answer.gathered.has_more:
                extra |= answer.gathered_fields()
            if answer.stop is None and answer.word is not None:
                out.append(MessageDelta(answer.word, choice=answer.index))
        self._finished = True
        out.append(MessageFinished(extra))

    # Chunks.

    def _read_chunk(self, chunk: JsonObject, out: list[MessageItem]) -> None:
        listed: list[JsonObject] | None = chunk.get("choices")
        if type(listed) is list and len(listed) == 1 and type(listed[0]) is dict:
            choices = [(listed[0], "$.choices[0]")]  # nearly every chunk has one
        else:
            choices = get_objects(chunk, "choices", "$")
        chunk.pop("choices", None)
        chunk.pop("obfuscation", None)  # random padding
        if is_news(chunk, self._usual_chunk):
            self._usual_chunk = chunk
            self._read_head(chunk)
        if not self._has_started:
            message_id = get_optional_string(chunk, "id", "$") or ""
            if not (choices or message_id or self._news.usage):
                return  # Azure's verdict on the prompt comes before the message has an ID
            self._start(chunk, message_id, read_role(choices), out)
        for source, path in choices:
            self._read_choice(source, path, out)
        if self._has_news:
            self._tell(out)

    def _read_head(self, chunk: JsonObject) -> None:
        """Read what a chunk says besides its choices."""
        if chunk.get("error"):
            raise self._error(chunk["error"], chunk.get("request_id"))
        for field, value in chunk.items():
            if field not in CHUNK_FIELDS and value is not None:
                self._note(field, value)
        usage = read_usage(chunk, "$")
        if "x_groq" in chunk:
            groq = get_optional_object(chunk, "x_groq", "$") or {}
            if groq.get("error"):
                raise self._error(groq["error"], groq.get("id"))
            usage = usage or read_usage(groq, "$.x_groq")
        self._note_usage(usage)
        model = get_optional_string(chunk, "model", "$")
        if model and model != self._model:
            self._model = self._news.model = model
            self._has_news = True

    def _note(self, field: str, value: Json) -> None:
        """Take a field of the message."""
        if is_news(value, self._extra.get(field)):
            self._extra[field] = self._news.extra[field] = value
            self._has_news = True

    def _note_usage(self, usage: Usage | None) -> None:
        if usage and (self._usage is None or is_news(usage.raw, self._usage.raw)):
            self._usage = self._news.usage = usage
            self._has_news = True

    def _start(self, chunk: JsonObject, message_id: str, role: str, out: list[MessageItem]) -> None:
        self._has_started = True
        if "created" in chunk:
            self._extra["created"] = chunk["created"]
        out.append(MessageStarted(message_id, self._model, role, extra=self._extra.copy()))
        self._news = MessageDelta(usage=self._news.usage)
        self._has_news = self._news.usage is not None

    def _tell(self, out: list[MessageItem]) -> None:
        """Tell the news, together with a stop reason if one was just told."""
        news, self._news, self._has_news = self._news, MessageDelta(), False
        last = out[-1] if out else None
        if type(last) is MessageDelta:
            last.usage = news.usage
            last.model = news.model
            last.extra = last.extra | news.extra
        else:
            out.append(news)

    # Choices.

    def _read_choice(self, source: JsonObject, path: str, out: list[MessageItem]) -> None:
        delta: JsonObject | None = source.get("delta")
        if type(delta) is not dict:
            delta = get_optional_object(source, "delta", path)
        source.pop("delta", None)
        if not is_news(source, self._usual_choice):
            answer = self._usual_answer
            if delta and not answer.read_usual(delta, out):
                self._read_delta(answer, delta, f"{path}.delta", out)
            return
        answer = self._find_answer(source, path, out)
        if delta:
            self._read_delta(answer, delta, f"{path}.delta", out)
        elif "text" in source:
            text = get_optional_string(source, "text", path)
            if text:
                answer.add_text(text, out)
        elif answer.is_blank and "message" in source:
            message = get_optional_object(source, "message", path) or {}
            self._read_delta(answer, message, f"{path}.message", out)
        says_more = self._read_rest(answer, source, path)
        stop = Stop.read(source, path)
        if stop is not None:
            self._stop(answer, stop, out)
        elif not says_more:
            self._usual_choice = source
            self._usual_answer = answer

    def _read_rest(self, answer: Answer, source: JsonObject, path: str) -> bool:
        """Read what a choice says besides its delta; return whether that adds to the answer."""
        if source.get("error"):
            raise self._error(source["error"])
        says_more = "text" in source or "message" in source
        for field, value in source.items():
            if field in CHOICE_FIELDS or value is None:
                continue
            if field in GATHERED:
                answer.gathered.add(field, value)
                says_more = True
            else:
                self._note(answer.name(field), value)
        self._note_usage(read_usage(source, path))
        return says_more

    def _find_answer(self, source: JsonObject, path: str, out: list[MessageItem]) -> Answer:
        index = read_index(source, path)
        answer = self._answers.get(index)
        if answer is None:
            answer = self._answers[index] = Answer(index, self._start_part)
            out.append(MessageDelta(choice=index))  # now it is known that there is one
        return answer

    def _read_delta(
        self, answer: Answer, delta: JsonObject, path: str, out: list[MessageItem]
    ) -> None:
        answer.read(delta, path, out)
        if answer.aside:
            aside, answer.aside = answer.aside, {}
            for field, value in aside.items():
                if field in MESSAGE_FIELDS:
                    self._note(answer.name(field), value)
            if not MESSAGE_FIELDS.issuperset(aside):
                self._keep(self._event.event, self._event.data, out)

    def _stop(self, answer: Answer, stop: Stop, out: list[MessageItem]) -> None:
        if stop.is_failure:
            message = f"the model stopped with finish_reason {stop.reason!r}"
            raise self._error({"code": stop.reason, "message": message})
        told = answer.stop, answer.word
        answer.settle(out, cut=not stop.is_whole)
        answer.stop = stop
        if (stop, answer.word) != told:
            extra = answer.gathered_fields()
            out.append(MessageDelta(answer.word, stop.reason, extra=extra, choice=answer.index))
