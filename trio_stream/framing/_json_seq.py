"""JSON text sequences: ``application/json-seq`` (RFC 7464)."""

from __future__ import annotations

import json
from typing import ClassVar

import attrs

from ..errors import LimitExceededError
from ._contract import DEFAULT_MAX_BYTES, Framing, Parser
from ._frames import Record
from ._lines import decode

__all__ = ["JSONSequence", "JSONSequenceParser"]

_RS = b"\x1e"
_SELF_DELIMITED = ("{", "[", '"')
_SPACE = " \t\r\n"


class JSONSequenceParser(Parser[Record]):
    """Parse a JSON text sequence into `Record` objects.

    Each text begins with RS (0x1E) and ends in LF, but an LF may also stand inside it, so only
    the next RS proves its end. A text is handed out before that when it is at an LF and is
    already whole JSON, which is how everybody writes them.

    At the end of the body a text without its LF is kept if it is a whole object, array or string;
    anything else (RFC 7464, 2.4: ``12`` may be the half of ``123``) is dropped, and `truncated`
    says so. Text that is not JSON is handed out as it is: judging it is not this layer's task.

    Limits:
        A text is at most ``max_event_bytes`` long.
    """

    __slots__ = ("_max_event_bytes", "_text", "_truncated", "_try_at")

    def __init__(self, *, max_event_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._text = bytearray()
        # How long the text must be for the next try at reading it. It doubles with each miss, so
        # that all tries together stay linear in the length of the text.
        self._try_at = 0
        self._truncated = False

    @property
    def truncated(self) -> bool:
        """After `close`: whether the body ended inside a text, which was dropped."""
        return self._truncated

    def feed(self, data: bytes | bytearray) -> list[Record]:
        """Take the next piece of the body; return the texts that it completes.

        Raises:
            LimitExceededError: A text outgrew its limit. Its ``frames`` are those that this call
                had completed before. The parser is spent.
        """
        records: list[Record] = []
        rest, *texts = data.split(_RS)
        self._add(rest, records)
        for text in texts:
            self._hand_out(records)
            self._add(text, records)
        if self._text.endswith(b"\n") and len(self._text) >= self._try_at:
            if _is_json(decode(self._text)):
                self._hand_out(records)
            else:
                self._try_at = 2 * len(self._text)
        return records

    def close(self) -> list[Record]:
        """The body has ended; return the last text if it is whole."""
        records: list[Record] = []
        text = decode(self._text).strip(_SPACE)
        whole = self._text.endswith(b"\n") or (text.startswith(_SELF_DELIMITED) and _is_json(text))
        if text and not whole:
            self._truncated = True
            self._text.clear()
        self._hand_out(records)
        return records

    def _add(self, piece: bytes | bytearray, records: list[Record]) -> None:
        self._text += piece
        if len(self._text) > self._max_event_bytes:
            raise LimitExceededError(
                f"a JSON text grew past max_event_bytes={self._max_event_bytes}",
                limit="max_event_bytes",
                frames=records,
            )

    def _hand_out(self, records: list[Record]) -> None:
        text = decode(self._text).strip(_SPACE)
        if text:
            records.append(Record(text))
        self._text = bytearray()
        self._try_at = 0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


@attrs.frozen
class JSONSequence(Framing[Record]):
    """JSON text sequences (RFC 7464)."""

    media_types: ClassVar[tuple[str, ...]] = ("application/json-seq", "application/geo+json-seq")

    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> JSONSequenceParser:
        return JSONSequenceParser(max_event_bytes=max_event_bytes)
