"""Newline-delimited JSON: one JSON text a line (ndjson-spec, JSON Lines)."""

from __future__ import annotations

from typing import ClassVar

import attrs

from ._contract import DEFAULT_MAX_BYTES, Framing
from ._frames import Record
from ._lines import LineParser, has_long_lines, search_lines

__all__ = ["NDJSON", "NDJSONParser"]

_SHORT = 2048
_SPACE = " \t\r"  # to JSON, nothing else is white space inside a line


class NDJSONParser(LineParser[Record]):
    """Parse newline-delimited JSON into `Record` objects; the JSON itself is not looked at.

    Lines end in LF or CRLF, those of nothing but white space are skipped, and a last line without
    an end is a record. UTF-8, with U+FFFD for invalid bytes; a BOM before the first line is
    dropped.

    Limits:
        A line is at most ``max_line_bytes`` long, and at most ``max_event_bytes``; its LF is not
        counted.
    """

    __slots__ = ("_begun", "_limit_name")

    def __init__(
        self,
        *,
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        super().__init__(min(max_line_bytes, max_event_bytes))
        self._limit_name = (
            "max_line_bytes" if max_line_bytes <= max_event_bytes else "max_event_bytes"
        )
        self._begun = False

    def feed(self, data: bytes | bytearray) -> list[Record]:
        """Take the next piece of the body; return the records that it completes.

        Raises:
            LimitExceededError: A line outgrew its limit. Its ``frames`` are the records that this
                call had completed before. The parser is spent.
        """
        text = self._take(data)
        records = [] if text is None else self._records(text)
        if self._overflow:
            raise self._refuse(self._limit_name, records)
        return records

    def close(self) -> list[Record]:
        """The body has ended: what is left without a line end is a record."""
        text = self._rest.decode("utf-8", "replace")
        self._rest = bytearray()
        return self._records(text)

    def _records(self, text: str) -> list[Record]:
        if not self._begun:
            self._begun = True
            text = text.removeprefix("\ufeff")
        long = len(text) > _SHORT and has_long_lines(text)
        lines = search_lines(text) if long else text.split("\n")
        return [Record(line.removesuffix("\r")) for line in lines if line.strip(_SPACE)]


@attrs.frozen
class NDJSON(Framing[Record]):
    """Newline-delimited JSON."""

    media_types: ClassVar[tuple[str, ...]] = (
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
        "application/json-lines",
        "text/x-ndjson",
        "application/stream+json",
    )
    # Docker, X and many others label a stream of lines as plain JSON.
    tolerated_types: ClassVar[tuple[str, ...]] = (*Framing.tolerated_types, "application/json")

    def parser(
        self,
        *,
        last_event_id: str = "",
        max_line_bytes: int = DEFAULT_MAX_BYTES,
        max_event_bytes: int = DEFAULT_MAX_BYTES,
    ) -> NDJSONParser:
        return NDJSONParser(max_line_bytes=max_line_bytes, max_event_bytes=max_event_bytes)
