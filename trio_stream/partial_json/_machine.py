"""The grammar: a machine that reads a text in pieces and builds its value.

Theory of operation
-------------------

What may come next is a table (`Table`) from characters to actions, at the end of the file. An
action takes the text and the position of its character, does what is to be done, sets the next
table and returns the position from which to go on::

    value ──▶ then, which is one of                      (in an object)
              · after_member   , ─▶ key ─▶ colon ─▶ value
              · after_element  , ─▶ value                (in an array)
              · end                                      (of the document)

    { ─▶ first_key      [ ─▶ first_element      } and ] restore what was before { and [

Of a token that the end of the text cuts, `resume` is the action that goes on with it; with a
string, the usual case, `Machine.read` itself goes on. What cannot be read before more has come,
such as half an escape, is `held` and put in front of the next text.

Each text gets a quote behind its end. It ends every scan, so none has to look where the text ends:
`scanstring` takes it for the closing quote of a string that is cut, and no number or word goes on
with a quote.

*Where a value goes* is `container` and `key`: a dict and the key, a list and `None`. The document
itself goes into the list `root`. A string that is cut is in its container already, and grows
there: taken out, it has one reference left, and CPython (3.11 to 3.13 at least) then appends in
place, so that growing by small pieces is linear. Keys and numbers that are cut grow the same way
in a list of their own, `token`.

The machine does not recurse: `stack` holds what is outside of the open container.

*Long texts* are read by `Bulk` as far as possible. Where nobody will look before the next text
(`is_lazy`), a container that may be whole then is left for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn, TypeAlias

from ._bulk import LEAST, Bulk
from ._errors import PartialJSONError
from ._numbers import NUMBER, NumberState, scan_number
from ._path import Json, Path
from ._strings import find_fault, scan_certain, scanstring

__all__ = ["Machine"]

Action: TypeAlias = Callable[["Machine", str, int], int]


class Machine:
    """Text in, value out: see "Theory of operation".

    Attributes:
        root: A list of the document's value, or empty while there is none.
        offset: The position of the first character that is not read, in the whole text.
        is_lazy: Whether nobody will look before the next text.
    """

    __slots__ = (
        "_bulk",
        "_on_value",
        "container",
        "expected",
        "fault",
        "held",
        "is_in_string",
        "is_lazy",
        "is_long",
        "key",
        "max_depth",
        "max_length",
        "number",
        "offset",
        "resume",
        "root",
        "stack",
        "then",
        "token",
        "word",
    )

    def __init__(
        self,
        max_depth: int,
        max_length: int,
        on_value: Callable[[Path, Json], object] | None,
    ) -> None:
        self.max_depth = max_depth
        self.max_length = max_length
        self._on_value = on_value
        self._bulk: Bulk | None = None
        self.root: list[Json] = []
        self.offset = 0
        # What comes next.
        self.expected = _VALUE
        self.is_in_string = False
        self.resume: Action | None = None
        self.held = ""
        self.fault: PartialJSONError | None = None
        self.is_lazy = False
        self.is_long: bool
        # Where the next value goes, and what comes after it; the same of the containers outside.
        self.container: Json = self.root
        self.key: str | None = None
        self.then = _END
        self.stack: list[tuple[Json, str | None, Table]] = []
        # The token that was cut: a key or number as far as it came, or a word and its rest.
        self.token: list[str]
        self.number: NumberState
        self.word: str

    @property
    def is_complete(self) -> bool:
        """Whether the document has closed."""
        return self.expected is _END and self.resume is None

    def read(self, text: str) -> int:
        """Read the next piece of the text; return the length of all that has come.

        Raises:
            PartialJSONError: It is not JSON, or too long. What came before is in `root`.
        """
        if self.held:
            text = self.held + text
            self.held = ""
        end = len(text)
        length = self.offset + end
        if length > self.max_length:
            return self.read_too_long(text)
        text += '"'
        if self.is_in_string:
            content, pos = self.scan(text, 0)
            self.grow_string(content)
            if pos <= end:
                self.is_in_string = False
                self.expected = self.then
                if self._on_value is not None:
                    self.report(text, pos, self.container[-1 if self.key is None else self.key])
        else:
            pos = 0 if self.resume is None else self.resume(self, text, 0)
        if pos < end:
            self.is_long = end > LEAST
            while pos < end:
                pos = self.expected[text[pos]](self, text, pos)
        if self.fault is not None:
            raise self.fault
        self.offset = length
        if self.held:
            self.offset -= len(self.held)
        return length

    def grow_string(self, content: str) -> None:
        """Append to the open string, in place: see "Where a value goes"."""
        container = self.container
        slot = -1 if self.key is None else self.key
        string = container[slot]
        container[slot] = None
        string += content
        container[slot] = string

    def read_too_long(self, text: str) -> NoReturn:
        """Read as much as may come of a text that is too long."""
        self.is_lazy = False
        self.read(text[: self.max_length - self.offset])
        raise PartialJSONError(f"longer than max_length={self.max_length}", self.max_length)

    def finish(self) -> None:
        """The text is over.

        Raises:
            PartialJSONError: The document is not.
        """
        if self.held or self.resume is not None:
            self.read("")  # what an exception of `on_value` left unread
        if self.resume is Machine.continue_number and not self.stack and self.number.convert:
            try:
                self.continue_number(' "', 0)
            finally:
                self.held = ""
        if not self.is_complete:
            wanted = _REST.get(self.resume, self.expected.wanted)
            if self.is_in_string:
                wanted = "the rest of a string"
            raise PartialJSONError(
                f"the text ends where {wanted} was expected", self.offset + len(self.held)
            )

    def copy(self) -> list[Json]:
        """Return `root` with copies of the open containers; what has closed is shared."""
        if not self.stack:
            return self.root.copy()
        value = self.container.copy()
        for container, key, _ in reversed(self.stack):
            outer = container.copy()
            outer[-1 if key is None else key] = value
            value = outer
        copied: list[Json] = value
        return copied

    # Actions of values.

    def begin_string(self, text: str, pos: int) -> int:
        content, end = self.scan(text, pos + 1)
        if self.key is None:  # `put`, without the call
            self.container.append(content)
        else:
            self.container[self.key] = content
        if end == len(text):
            self.is_in_string = True
            return end - 1
        self.expected = self.then
        return end if self._on_value is None else self.report(text, end, content)

    def begin_number(self, text: str, pos: int) -> int:
        state, end = scan_number(NUMBER, text, pos)
        if end == len(text) - 1:
            self.number = state
            self.token = [text[pos:end]]
            self.resume = Machine.continue_number
            return end
        return self.end_number(state, text[pos:end], text, end)

    def continue_number(self, text: str, pos: int) -> int:
        self.number, end = scan_number(self.number, text, pos)
        grow(self.token, text[pos:end])
        if end == len(text) - 1:
            return end
        self.resume = None
        return self.end_number(self.number, self.token.pop(), text, end)

    def end_number(self, state: NumberState, number: str, text: str, end: int) -> int:
        if state.convert is None:
            raise PartialJSONError(f"expected a digit, got {text[end]!r}", self.offset + end)
        try:
            value = state.convert(number)
        except ValueError as exc:  # `sys.set_int_max_str_digits` says how many digits are too many
            raise PartialJSONError(f"number: {exc}", self.offset + end - len(number)) from None
        self.put(value)
        self.expected = self.then
        return end if self._on_value is None else self.report(text, end, value)

    def begin_word(self, text: str, pos: int) -> int:
        self.word = _WORDS[text[pos]]
        self.token = [self.word]
        return self.continue_word(text, pos)

    def continue_word(self, text: str, pos: int) -> int:
        word = self.word
        for number, letter in enumerate(word):
            if text[pos] != letter:
                if pos < len(text) - 1:
                    raise PartialJSONError(
                        f"expected {self.token[0]}, got {text[pos]!r}", self.offset + pos
                    )
                self.word = word[number:]
                self.resume = Machine.continue_word
                return pos
            pos += 1
        self.resume = None
        value = _CONSTANTS[self.token.pop()]
        self.put(value)
        self.expected = self.then
        return pos if self._on_value is None else self.report(text, pos, value)

    def begin_object(self, text: str, pos: int) -> int:
        if self.is_long and (end := self.take(text, pos)):
            return end
        value: dict[str, Json] = {}
        self.enter(value, pos)
        self.expected = _FIRST_KEY
        self.then = _AFTER_MEMBER
        return pos + 1

    def begin_array(self, text: str, pos: int) -> int:
        if self.is_long and (end := self.take(text, pos)):
            return end
        value: list[Json] = []
        self.enter(value, pos)
        self.key = None
        self.expected = _FIRST_ELEMENT
        self.then = _AFTER_ELEMENT
        return pos + 1

    def take(self, text: str, pos: int) -> int:
        """Try to read a container at once; return where it ends, or 0."""
        if self._on_value is not None or len(text) - pos <= LEAST:
            return 0
        if self._bulk is None:
            self._bulk = Bulk()
        room = self.max_depth - len(self.stack)
        taken = self._bulk.take(text, pos, self.offset, room)
        if taken is None:
            if self.is_lazy and self._bulk.is_cut:
                self.held = text[pos:-1]
                return len(text) - 1
            return 0
        value, end = taken
        self.put(value)
        self.expected = self.then
        return end

    def enter(self, value: Json, pos: int) -> None:
        if len(self.stack) == self.max_depth:
            raise PartialJSONError(
                f"nested more than max_depth={self.max_depth} deep", self.offset + pos
            )
        if self.key is None:  # `put`, without the call
            self.container.append(value)
        else:
            self.container[self.key] = value
        self.stack.append((self.container, self.key, self.then))
        self.container = value

    def leave(self, text: str, pos: int) -> int:
        value = self.container
        self.container, self.key, self.then = self.stack.pop()
        self.expected = self.then
        return pos + 1 if self._on_value is None else self.report(text, pos + 1, value)

    # Actions between values.

    def begin_key(self, text: str, pos: int) -> int:
        key, end = self.scan(text, pos + 1)
        if end == len(text):
            self.token = [key]
            self.resume = Machine.continue_key
            return end - 1
        self.key = key
        if text[end] == ":":  # what follows next is done at once, here and below
            self.expected = _VALUE
            return end + 2 if text[end + 1] == " " else end + 1
        self.expected = _COLON
        return end

    def continue_key(self, text: str, pos: int) -> int:
        content, end = self.scan(text, pos)
        grow(self.token, content)
        if end == len(text):
            return end - 1
        self.resume = None
        self.key = self.token.pop()
        self.expected = _COLON
        return end if text[end] != ":" else self.next_value(text, end)

    def next_element(self, text: str, pos: int) -> int:
        if self.is_long and len(text) - pos > LEAST and self._bulk is not None:
            room = self.max_depth - len(self.stack)
            taken = self._bulk.take_elements(text, pos, self.offset, room)
            if taken is not None:
                self.container += taken[0]
                return taken[1]
        return self.next_value(text, pos)

    def next_value(self, text: str, pos: int) -> int:
        self.expected = _VALUE
        return pos + 2 if text[pos + 1] == " " else pos + 1

    def next_key(self, text: str, pos: int) -> int:
        self.expected = _KEY
        return pos + 2 if text[pos + 1] == " " else pos + 1

    def skip_space(self, text: str, pos: int) -> int:
        while text[pos] in " \t\n\r":
            pos += 1
        return pos

    def refuse(self, text: str, pos: int) -> NoReturn:
        raise PartialJSONError(
            f"expected {self.expected.wanted}, got {text[pos]!r}", self.offset + pos
        )

    # What actions share.

    def scan(self, text: str, pos: int) -> tuple[str, int]:
        """Read the content of a string; return it and the position behind its quote.

        If the string is cut, that is the quote behind the text. So it is if the string has a
        fault, which `read` raises when the content before it is where it belongs.
        """
        last = text.rfind("\\", -7)  # an escape that is cut, or a high surrogate, begins here
        if last < 0 or (last < len(text) - 2 and text[last + 1] != "u"):
            try:
                return scanstring(text, pos)
            except ValueError:
                pass
        elif last == len(text) - 2 and len(text) < LEAST and "\\" not in text[-8:-2]:
            # The usual cut: behind a backslash, and nothing else is uncertain.
            try:
                content, end = scanstring(text[:last] + '"', pos)
            except ValueError:
                pass
            else:
                if end <= last:
                    return content, end
                self.held = "\\"
                return content, len(text)
        # The end may cut an escape or a surrogate pair; or the string has a fault.
        end = len(text) - 1
        content, stop, is_cut = scan_certain(text, pos, end)
        if is_cut:
            self.held = text[stop:end]
        elif text[stop] == '"':
            return content, stop + 1
        else:
            self.fault = find_fault(text, stop, end, self.offset)
        return content, end + 1

    def put(self, value: Json) -> None:
        """Put a value where it goes."""
        if self.key is None:
            self.container.append(value)
        else:
            self.container[self.key] = value

    def report(self, text: str, end: int, value: Json) -> int:
        """Tell `on_value` of a value that has closed; return the position behind it."""
        if self._on_value is not None:
            levels = [*self.stack[1:], (self.container, self.key, self.then)]
            path = [len(level) - 1 if key is None else key for level, key, _ in levels]
            self.resume = Machine.refuse_reentry
            try:
                self._on_value(tuple(path) if self.stack else (), value)
            except BaseException:
                # What is left is read before the next piece.
                self.held = text[end:-1]
                self.offset += end
                raise
            finally:
                self.resume = None
        return end

    def refuse_reentry(self, _text: str, _pos: int) -> NoReturn:
        raise RuntimeError("on_value must not feed or close the parser that called it")


def grow(holder: list[str], piece: str) -> None:
    """Append to a string that a list holds, in place: see "Where a value goes"."""
    string = holder[0]
    holder[0] = ""
    string += piece
    holder[0] = string


class Table(dict[str, Action]):
    """What may come next, and what is done then.

    Attributes:
        wanted: The same in words.
    """

    __slots__ = ("wanted",)

    def __init__(self, wanted: str, actions: dict[str, Action]) -> None:
        super().__init__(actions | dict.fromkeys(" \t\n\r", Machine.skip_space))
        self.wanted = wanted

    def __missing__(self, character: str) -> Action:
        return Machine.refuse


_WORDS: Final = {"t": "true", "f": "false", "n": "null"}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}

_BEGIN: Final[dict[str, Action]] = {
    '"': Machine.begin_string,
    "{": Machine.begin_object,
    "[": Machine.begin_array,
    **dict.fromkeys("-0123456789", Machine.begin_number),
    **dict.fromkeys(_WORDS, Machine.begin_word),
}
_VALUE: Final = Table("a value", _BEGIN)
_FIRST_ELEMENT: Final = Table("a value or ']'", {**_BEGIN, "]": Machine.leave})
_AFTER_ELEMENT: Final = Table("',' or ']'", {",": Machine.next_element, "]": Machine.leave})
_FIRST_KEY: Final = Table("a key or '}'", {'"': Machine.begin_key, "}": Machine.leave})
_KEY: Final = Table("a key", {'"': Machine.begin_key})
_COLON: Final = Table("':'", {":": Machine.next_value})
_AFTER_MEMBER: Final = Table("',' or '}'", {",": Machine.next_key, "}": Machine.leave})
_END: Final = Table("nothing more", {})

_REST: Final[dict[Action | None, str]] = {
    Machine.continue_key: "the rest of a key",
    Machine.continue_number: "the rest of a number",
    Machine.continue_word: "the rest of true, false or null",
}
