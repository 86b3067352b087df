"""Structured output: the text of a model's answer is one JSON document, read while it grows.

Theory of operation
-------------------

`Structured` is a dialect around a dialect of messages. It has the same two faces::

    frames ──▶ decoder of the dialect ──▶ items ──▶ Draft(item)          ahead of the consumer
    Draft  ──▶ `MessageAssembler` and `Preview`                         as it is delivered

Each item becomes one `Draft`, so whatever watches the stream sees the progress of the model,
thoughts included. Only pings are left out: within drafts they would count as progress.

*The live value* belongs to the assembler: it is made of what was delivered, not of what was
received, and only when somebody looks at it (see `PartialJSON`).

*The judgement* is the decoder's, since errors travel in order. It is passed when the message is
whole and not when its text is: only then it is known why the model stopped, and what it cost.

*The document* is the text of the first answer. A model that was made to call a tool, as an older
way to structured output has it, answers with one call and no text: the document is the arguments
of the call then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, final

import attrs

from ..dialects import (
    BlockStarted,
    Decoder,
    Dialect,
    IncompleteToolCall,
    Message,
    MessageAssembler,
    MessageItem,
    Ping,
    StopReason,
    TextDelta,
    TextPart,
    ToolInputDelta,
)
from ..errors import BadItemError
from ..framing import Framing, Record
from ..items import MisfitError, item_decoder
from ..partial_json import Json, PartialJSON, PartialJSONError
from ._schema import JSONSchema

__all__ = ["Draft", "Structured", "StructuredAnswer"]

T = TypeVar("T")


@attrs.define
class Draft:
    """One step of a structured answer.

    Attributes:
        item: What came: most of the time, a few characters of the document.
        preview: Where to look at the document; `None` until the draft is delivered.
    """

    item: MessageItem
    preview: Preview | None = attrs.field(default=None, init=False, eq=False, repr=False)

    @property
    def value(self) -> Json:
        """The document as far as it was delivered; `None` if no value has begun.

        It follows the rules of `trio_stream.partial_json`: texts and lists may go on, numbers and
        literals are final. It is plain JSON and not yet checked against the type.

        The value is live: the next drafts show the same objects, grown. Read it, do not keep it
        and do not change it; `StreamReceiver.snapshot` gives a value of its own.
        """
        return None if self.preview is None else self.preview.value()


@attrs.frozen
class StructuredAnswer(Generic[T]):
    """The result of a structured answer: whole, or as far as it came.

    Attributes:
        message: The whole message: why the model stopped, what it cost, what it thought.
        draft: The document as far as it came, as plain JSON; `None` if no value has begun.
    """

    message: Message
    draft: Json = None
    _value: tuple[T, ...] = attrs.field(default=(), alias="value", repr=False)

    @property
    def is_complete(self) -> bool:
        """Whether the document is whole and fits the type."""
        return bool(self._value)

    @property
    def value(self) -> T:
        """The document, as the type that was asked for.

        Raises:
            RuntimeError: It is not whole, or does not fit: see `is_complete`. The result of a
                stream that has completed always has a value.
        """
        if not self._value:
            raise RuntimeError("the answer is not whole: it has a draft and no value")
        return self._value[0]


@final
class Structured(Dialect[Draft, StructuredAnswer[T]]):
    """A dialect of messages, for answers that are one document of a type.

    Args:
        dialect: The dialect.
        item: The type, or a function from bytes to the value: see `open_stream`.

    Raises:
        TypeError: JSON cannot be read into ``item``.
        ValueError: The items of the dialect are not those of a message.
    """

    def __init__(
        self, dialect: Dialect[MessageItem, Message], item: type[T] | Callable[[bytes], T]
    ) -> None:
        if not isinstance(dialect.assembler(), MessageAssembler):
            raise ValueError(  # noqa: TRY004 - it is the two together that cannot be
                "a dialect has its own items: only one of messages can be given an item type, "
                "that of the document that the message is"
            )
        self._dialect = dialect
        self._reader = _Reader(item)

    @property
    def framing(self) -> Framing[Any]:
        """That of the dialect."""
        return self._dialect.framing

    def decoder(self) -> Decoder[Draft]:
        """Make a decoder for one stream."""
        dialect = self._dialect
        return _Decoder(dialect.decoder(), _message_assembler(dialect), self._reader)

    def assembler(self) -> _Assembler[T]:
        """Make an assembler for one stream."""
        return _Assembler(_message_assembler(self._dialect), self._reader)


def _message_assembler(dialect: Dialect[MessageItem, Message]) -> MessageAssembler:
    assembler = dialect.assembler()
    assert isinstance(assembler, MessageAssembler)  # noqa: S101 - by `Structured`
    return assembler


# ---- the judgement -------------------------------------------------------------------------------

# The model was cut off, and after these it may have been: what can go on, may have gone on.
_CUT: Final = frozenset({"max_tokens", "pause"})
_UNSURE: Final = _CUT | {"other"}
_MAX_SHOWN: Final = 200


class _Reader(Generic[T]):
    """Reads the document of a message that is whole.

    Both faces of the dialect need its value, the decoder before the assembler. So it is kept for
    the assembler: reading may be costly, and what it calls may be the user's.
    """

    def __init__(self, item: type[T] | Callable[[bytes], T]) -> None:
        if isinstance(item, Mapping):
            raise TypeError(
                "an answer is one document: item must be one type, and no mapping; a JSON schema "
                "is given as JSONSchema(...)"
            )
        self._parse: Callable[[str], Any] = (
            _schema_parser(item) if isinstance(item, JSONSchema) else _type_parser(item)
        )
        self._facts: tuple[str, StopReason, str] | None = None
        self._value: tuple[T, ...] = ()

    def read(self, message: Message) -> T:
        """Return the value of the document.

        Raises:
            BadItemError: There is none, it is not whole, or it does not fit.
        """
        facts = _document_of(message), message.stop_reason, message.refusal
        if facts != self._facts:
            self._value = (self._read(*facts),)
            self._facts = facts
        return self._value[0]

    def _read(self, document: str, stop_reason: StopReason, refusal: str) -> T:
        if refusal or stop_reason == "refusal":
            said = repr(refusal[:_MAX_SHOWN]) if refusal else "it gave no words for it"
            raise _bad(f"the model refused to answer: {said}", document)
        if stop_reason in _UNSURE and document.rstrip()[-1:].isdigit():
            why = f"the model stopped ({stop_reason}), perhaps within a number"
            raise _bad(why, document)
        try:
            value: T = self._parse(document)
        except BadItemError as error:
            if not document.strip():
                why = f"no document: no text and no single tool call ({stop_reason})"
            elif stop_reason in _CUT:
                why = f"the model stopped ({stop_reason}) within the document: {error}"
            else:
                why = f"the answer does not fit: {error}"
            cause = error.original_exception
            raise _bad(why, document, error.path, cause) from cause
        return value


def _type_parser(item: Any) -> Callable[[str], Any]:
    decoder = item_decoder(item)

    def parse(document: str) -> Any:
        values: list[Any] = []
        decoder.decode([Record(document)], values)
        return values[0]

    return parse


def _schema_parser(schema: JSONSchema) -> Callable[[str], Any]:
    def parse(document: str) -> Any:
        try:
            return schema(document)
        except MisfitError as misfit:
            message = f"bad item at {misfit.path}: {misfit.why}"
            raise _bad(message, document, misfit.path, misfit) from misfit

    return parse


def _document_of(message: Message) -> str:
    text, calls = message.text, message.tool_calls
    if text.strip() or len(calls) != 1:
        return text
    call = calls[0]
    return call.arguments or json.dumps(call.input)


def _bad(
    why: str, document: str, path: str = "$", original: BaseException | None = None
) -> BadItemError:
    raw = document.encode("utf-8", "surrogatepass")
    return BadItemError(why, path=path, raw=raw, original_exception=original)


# ---- the two faces -------------------------------------------------------------------------------


@final
class _Decoder(Generic[T]):
    """Frames in, drafts out, and in the end a fault if the document does not fit."""

    def __init__(
        self, inner: Decoder[MessageItem], assembler: MessageAssembler, reader: _Reader[T]
    ) -> None:
        self._inner = inner
        self._assembler = assembler
        self._reader = reader

    @property
    def finished(self) -> bool:
        """Whether the terminal event was seen."""
        return self._inner.finished

    @property
    def skipped_items(self) -> int:
        """As the dialect counts."""
        return self._inner.skipped_items

    @property
    def unknown_events(self) -> int:
        """As the dialect counts."""
        return self._inner.unknown_events

    def decode(self, frames: Sequence[Any], out: list[Draft]) -> None:
        """Append the drafts of ``frames`` to ``out``."""
        items: list[MessageItem] = []
        try:
            self._inner.decode(frames, items)
        finally:
            for item in items:
                if type(item) is not Ping:
                    self._assembler.fold(item)
                    out.append(Draft(item))
        if self._inner.finished:
            self._reader.read(self._assembler.snapshot())

    def close(self) -> None:
        """The frames have ended cleanly."""
        self._inner.close()
        self._reader.read(self._assembler.snapshot())


@final
class _Assembler(Generic[T]):
    """Drafts in, a `StructuredAnswer` out."""

    def __init__(self, inner: MessageAssembler, reader: _Reader[T]) -> None:
        self._inner = inner
        self._reader = reader
        self._preview = Preview()

    @property
    def complete(self) -> bool:
        """Whether the message is whole, and its document fits."""
        return self._inner.complete and self._read(self._inner.snapshot()) != ()

    def fold(self, draft: Draft, /) -> None:
        """Take the next draft. Never raises."""
        self._inner.fold(draft.item)
        self._preview.take(draft.item)
        draft.preview = self._preview

    def snapshot(self) -> StructuredAnswer[T]:
        """Return the answer so far, as a value of its own."""
        message = self._inner.snapshot()
        value = self._read(message) if self._inner.complete else ()
        if value:
            self._preview.settle()
        return StructuredAnswer(message, self._preview.value(copy=True), value)

    def _read(self, message: Message) -> tuple[T, ...]:
        try:
            return (self._reader.read(message),)
        except BadItemError:
            return ()  # the decoder tells of it


@final
class Preview:
    """The document as a live value, in the order in which its pieces are delivered."""

    __slots__ = ("_call", "_call_index", "_others", "_text")

    def __init__(self) -> None:
        self._text = _Growing()
        self._call = _Growing()
        self._call_index = -1
        self._others: set[int] = set()  # blocks of other answers

    def take(self, item: MessageItem) -> None:
        match item:
            case TextDelta(index=index, text=text) if index not in self._others:
                self._text.add(text)
            case ToolInputDelta(index=self._call_index, arguments=text):
                self._call.add(text)
            case BlockStarted(index=index, choice=choice) if choice:
                self._others.add(index)
            case BlockStarted(part=TextPart(text=text)):
                self._text.add(text)
            case BlockStarted(index=index, part=IncompleteToolCall(arguments=text)):
                if self._call_index < 0:
                    self._call_index = index
                    self._call.add(text)
            case _:
                pass

    def value(self, *, copy: bool = False) -> Json:
        value = self._text.value(copy=copy)
        return self._call.value(copy=copy) if value is None else value

    def settle(self) -> None:
        """The document is whole. If it is a number, only what follows shows that it is over."""
        self._text.add(" ")


@final
class _Growing:
    """A `PartialJSON` that nothing can upset: after a fault it stays as it is."""

    __slots__ = ("_is_spent", "_parser")

    def __init__(self) -> None:
        self._parser = PartialJSON()
        self._is_spent = False

    def add(self, text: str) -> None:
        if not self._is_spent:
            try:
                self._parser.feed(text)
            except PartialJSONError:
                self._is_spent = True

    def value(self, *, copy: bool) -> Json:
        try:
            return self._parser.snapshot(copy=copy)
        except PartialJSONError:  # in what had not been read yet
            self._is_spent = True
            return self._parser.snapshot(copy=copy)
