"""JSON that arrives in fragments: text in, a growing value out. Sans-IO, and in linear time.

The value so far follows these rules.

1. An object or array appears, empty, with its opening bracket; a string appears, empty, with its
   opening quote. Both then grow, and a value that has closed never changes.
2. A key appears when its value does.
3. A number appears when what follows shows that it is over: white space, a comma, a bracket, or
   `PartialJSON.close`.
4. ``true``, ``false`` and ``null`` appear with their last letter.
5. An escape appears when it is whole. One that is the first half of a surrogate pair waits for the
   second half, and appears alone as soon as it is certain that none will come. Alone it is a lone
   surrogate, which `json.loads` accepts, too.
6. Of equal keys the last wins: its value replaces the one before as soon as it appears, in the
   place of the first.
7. So each value so far is a truncation of the next, but for what rule 6 replaces.
8. What RFC 8259 does not allow is an error at the first character that shows it: text after the
   value other than space, tab, LF and CR; ``NaN`` and ``Infinity``; trailing commas; control
   characters in strings; leading zeros; a byte order mark.
9. No beginning of a valid text is an error. `PartialJSON.close` alone knows that no more will
   come, and either returns what `json.loads` makes of the whole text or says what is missing.
"""

from ._errors import PartialJSONError
from ._parser import DEFAULT_MAX_DEPTH, DEFAULT_MAX_LENGTH, PartialJSON
from ._path import Json, Path, format_path

__all__ = [
    "DEFAULT_MAX_DEPTH",
    "DEFAULT_MAX_LENGTH",
    "Json",
    "PartialJSON",
    "PartialJSONError",
    "Path",
    "format_path",
]
