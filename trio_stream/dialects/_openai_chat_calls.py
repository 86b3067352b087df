"""The tool calls of one answer in an OpenAI-like chat stream, while they grow.

Theory of operation
-------------------

A delta of a call names the call by ``index``, and brings any of an ID, a name and a piece of the
arguments. OpenAI sends ID and name once, in the first delta, and one call strictly after the
other. Its imitators leave out the index, the ID or both, repeat name and ID in every delta or
send them null or empty, make up a new ID for each delta, call every call number 0, or mix the
deltas of several calls. What a delta means is decided here, by three questions.

*Which call does it point at?* (`Calls.find`) The one at its index, unless its ID is that of
another; without an index, the one with its ID; failing that, the one that was last written to.

*Does it continue that call, or begin another?* (`Call.is_other`) A name that is not the name of
the call begins another. Otherwise, what counts is whether the call's arguments are whole: after a
whole JSON object nothing but white space can follow, so what brings an ID or a name and more is
another call; and while they are not whole, an ID that changes is only a server that makes one up
for each delta. Only if there is no index to go by does the ID decide. So the texts of two calls are
never read as one, unless not one of index, ID, name and text tells them apart; and then they are
no JSON together, and nothing is called. One thing cannot be told from an ID that changes: a call
without arguments, before another of the same tool and under the same index. It is read as that one.

*When is a call finished?* At the ``finish_reason`` at the latest. But a tool should start as soon
as its call is whole: so when another block begins, the call that was written to last is finished
if its arguments are a whole object (`Call.early`), and is left open if not: then the server is
mixing the deltas of several calls, or there are no arguments and it is not known whether some
will come. A call is looked at in this way once, when it is the last one, so all of it is linear.
More for a call that was handed out has no place and is refused: it cannot be called back.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from ..partial_json import PartialJSON
from ._json import (
    Json,
    JsonObject,
    Misfit,
    get_optional_int,
    get_optional_object,
    get_optional_string,
)
from ._open_parts import OpenToolCall
from ._openai_chat_objects import is_news
from .items import ToolInputDelta
from .message import IncompleteToolCall, ServerToolCall, ToolCall

__all__ = ["Call", "CallDelta", "Calls", "read_call_delta", "read_function_call"]

_NO_NAME: Final = "the call has no name"
_NO_ARGUMENTS: Final = "no arguments came, and the model may have been cut off before them"
_MAY_GO_ON: Final = "the model may have been cut off inside the arguments"

# What a delta of a call consists of; anything else is kept with the call.
_FIELDS: Final = frozenset({"index", "id", "type", "function", "custom", "function_call"})

_KINDS: Final = (None, "", "function", "custom")

# Of these, a part can be taken for the whole: 12 may become 123.
_OPEN_ENDED: Final = frozenset({int, float})


class CallDelta:
    """What one delta says about a call.

    Attributes:
        index: The call's number, if there is one.
        id: Its ID; ``""`` if the delta has none.
        name: Its name; ``""`` if the delta has none.
        arguments: A piece of the text of its arguments.
        given: The arguments, if they were sent as a value and not as text.
        is_custom: Whether its tool takes plain text.
        raw: The delta.
        path: Where it stands.
    """

    __slots__ = ("arguments", "given", "id", "index", "is_custom", "name", "path", "raw")

    def __init__(self, index: int | None, call_id: str, raw: JsonObject, path: str) -> None:
        self.index = index
        self.id = call_id
        self.raw = raw
        self.path = path
        self.name = ""
        self.arguments = ""
        self.given: Json = None
        self.is_custom = False

    @property
    def has_arguments(self) -> bool:
        """Whether it brings arguments, and more than white space."""
        return self.given is not None or bool(self.arguments.strip())

    @property
    def is_blank(self) -> bool:
        """Whether it says nothing."""
        return not (self.id or self.name or self.has_arguments)


class Call:
    """A tool call that grows.

    Attributes:
        place: Its place in the message.
        id: Its ID, as far as it came.
        name: Its name, as far as it came.
        has_index: Whether it has a number.
        closed: Whether it was handed out.
    """

    __slots__ = (
        "_given",
        "_is_custom",
        "_length",
        "_parser",
        "_pieces",
        "_raw",
        "_read",
        "_tried",
        "closed",
        "has_index",
        "id",
        "name",
        "place",
    )

    def __init__(self, delta: CallDelta) -> None:
        self.place = -1
        self.id = delta.id
        self.name = delta.name
        self.has_index = delta.index is not None
        self.closed = False
        self._is_custom = delta.is_custom
        self._raw = delta.raw
        self._given = delta.given
        self._pieces = [delta.arguments]
        self._length = len(delta.arguments)
        self._tried = False
        # Follows the arguments, once somebody wants to know whether they are whole.
        self._parser: PartialJSON | None = None
        self._read = 0

    def start(self, arguments: str = "") -> IncompleteToolCall:
        """Return the call as far as it is known, with these arguments."""
        return IncompleteToolCall(
            self.id, self.name, arguments, is_custom=self._is_custom, raw=self._raw
        )

    def is_other(self, delta: CallDelta) -> bool:
        """Whether a delta that points at this call begins another."""
        if delta.name and self.name and delta.name != self.name:
            return True
        if delta.id and self.id and delta.id != self.id:
            if self._is_custom or (delta.index is None and delta.name):
                return True
            return bool(delta.name or delta.has_arguments) and self._is_whole()
        return (
            bool(delta.name)
            and delta.has_arguments
            and self._is_whole()
            and not self.is_repeated_by(delta)
        )

    def add(self, delta: CallDelta) -> str:
        """Take a delta of this call; return the piece of text that it brings.

        Raises:
            Misfit: It brings more than the call can take.
        """
        if self.is_repeated_by(delta):
            return ""
        if self.closed and delta.has_arguments:
            raise Misfit(delta.path, f"more arguments for the call {self.id!r}, which was whole")
        if delta.given is not None:
            if self._given is not None or self._length:
                raise Misfit(delta.path, f"the arguments of the call {self.id!r} come twice")
            self._given = delta.given
        self.id = self.id or delta.id
        self.name = self.name or delta.name
        if not _FIELDS.issuperset(delta.raw):
            more = {key: value for key, value in delta.raw.items() if key not in _FIELDS}
            self._raw = self._raw | more
        if self.closed or not delta.arguments:
            return ""
        self.grow(delta.arguments)
        return delta.arguments

    def grow(self, text: str) -> None:
        """Take a piece of the arguments."""
        self._pieces.append(text)
        self._length += len(text)

    def early(self) -> ToolCall | None:
        """Return the call if it is whole though its end was not told. Asked again: `None`."""
        if self._tried or self.closed or self._is_custom:
            return None
        self._tried = True
        part = self.settled(cut=True)
        if type(part) is ToolCall and type(part.input) is dict:
            self.closed = True
            return part
        return None

    def settled(self, *, cut: bool) -> ToolCall | ServerToolCall | IncompleteToolCall:
        """Return the call as it is in the end: final, or refused.

        Args:
            cut: Whether the model may have been cut off. Then only arguments that cannot go on
                make a call.
        """
        call = OpenToolCall(self.start("".join(self._pieces)), self._given)
        if not self.name:
            return call.refused(_NO_NAME)
        if not cut:
            return call.finished()
        if self._is_custom:
            return call.refused(_MAY_GO_ON)
        if not self._length and self._given is None:
            return call.refused(_NO_ARGUMENTS)
        part = call.finished()
        if type(part) is ToolCall and type(part.input) in _OPEN_ENDED:
            return call.refused(_MAY_GO_ON)
        return part

    def _is_whole(self) -> bool:
        """Whether the arguments are whole, so that nothing can follow but white space.

        Linear over all questions: what was read once is not read again.
        """
        if self.closed or self._given is not None:
            return True
        if self._is_custom:
            return False
        parser = self._parser = self._parser or PartialJSON()
        unread = self._pieces[self._read :]
        self._read = len(self._pieces)
        with suppress(ValueError):  # no JSON: the parser is spent, and never complete
            for piece in unread:
                parser.feed(piece)
            return parser.is_complete
        return False

    def is_repeated_by(self, delta: CallDelta) -> bool:
        """Whether a delta sends the whole call a second time."""
        if not delta.id or delta.id != self.id or (delta.name and delta.name != self.name):
            return False
        if delta.given is not None:
            return not is_news(delta.given, self._given)
        return (
            len(delta.arguments) == self._length > 0
            and self._is_whole()
            and delta.arguments == "".join(self._pieces)
        )


class Calls:
    """The calls of one answer.

    Attributes:
        open: Those that were not handed out, by their place in the message.
        last: The one that was written to last.
    """

    __slots__ = ("_by_id", "_by_index", "last", "open")

    def __init__(self) -> None:
        self.open: dict[int, Call] = {}
        self.last: Call | None = None
        self._by_index: dict[int, Call] = {}
        self._by_id: dict[str, Call] = {}

    def find(self, delta: CallDelta) -> Call | None:
        """Return the call that a delta points at, if there is one."""
        last = self.last
        if delta.index is None:
            return self._by_id.get(delta.id, last)
        call = self._by_index.get(delta.index)
        named = self._by_id.get(delta.id)
        if named is not None:
            # Servers that give all calls one ID are told by their indexes.
            is_meant = named.is_repeated_by(delta) if call is None else call.id != delta.id
            if is_meant:
                return named
        if call is None and last is not None and not last.has_index:
            return None if delta.id or delta.name else last
        return call

    def grow(self, source: JsonObject) -> ToolInputDelta | None:
        """Take a delta that brings nothing but a piece of text for the open call at its index.

        That is what most deltas of calls are, and about them there is nothing to decide. Of any
        other nothing is taken, and `None` returned.
        """
        index: Json = source.get("index")
        body: JsonObject | None = source.get("function")
        if type(index) is int and type(body) is dict and len(source) == 2 and len(body) == 1:
            text: Json = body.get("arguments")
            call = self._by_index.get(index)
            if type(text) is str and text and call is not None and not call.closed:
                call.grow(text)
                self.last = call
                if call.id:
                    self._by_id[call.id] = call
                return ToolInputDelta(call.place, text)
        return None

    def note(self, call: Call, delta: CallDelta) -> None:
        """Note where a call is found, which a delta has begun or continued."""
        self.last = call
        if delta.index is not None:
            self._by_index[delta.index] = call
        if call.id:
            self._by_id[call.id] = call


def read_call_delta(source: JsonObject, path: str) -> CallDelta | None:
    """Read one element of ``tool_calls``; `None` if it is of a kind that nobody knows."""
    index = get_optional_int(source, "index", path)
    delta = CallDelta(index, _read_id(source, path), source, path)
    body = get_optional_object(source, "function", path)
    if body is not None:
        _read_function(delta, body, f"{path}.function")
        return delta
    body = get_optional_object(source, "custom", path)
    if body is not None:
        delta.is_custom = True
        delta.name = get_optional_string(body, "name", f"{path}.custom") or ""
        delta.arguments = get_optional_string(body, "input", f"{path}.custom") or ""
        return delta
    return delta if source.get("type") in _KINDS else None


def read_function_call(body: JsonObject, path: str) -> CallDelta:
    """Read ``function_call``, which was there before ``tool_calls`` and has no ID."""
    delta = CallDelta(None, "", {"function_call": body}, path)
    _read_function(delta, body, path)
    return delta


def _read_id(source: JsonObject, path: str) -> str:
    # Mistral once spelled null as a string.
    call_id = get_optional_string(source, "id", path) or ""
    return "" if call_id == "null" else call_id


def _read_function(delta: CallDelta, body: JsonObject, path: str) -> None:
    delta.name = get_optional_string(body, "name", path) or ""
    arguments = body.get("arguments")
    if type(arguments) is str:
        delta.arguments = arguments
    else:
        delta.given = arguments
