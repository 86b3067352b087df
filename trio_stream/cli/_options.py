"""What `trio-stream tail` was asked to do."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Literal, TypeAlias

import attrs

from ..config import StreamConfig
from ..framing import NDJSON, SSE, Framing, JSONSequence, RawBytes, accept_header
from ..retry import LastEventID, Reconnect
from ._fields import FieldPath

__all__ = ["FRAMINGS", "Mode", "TailOptions", "tail_options"]

Mode: TypeAlias = Literal["show", "text", "join", "json", "raw"]
"""How items are written: ``show`` is for people, the others are for programs and files."""

FRAMINGS: dict[str, Framing[Any]] = {
    "sse": SSE(),
    "ndjson": NDJSON(),
    "json-seq": JSONSequence(),
    "raw": RawBytes(),
}


@attrs.frozen(kw_only=True)
class TailOptions:
    """What to ask for, and what to show of it."""

    method: str
    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes | None
    framing: Framing[Any] | None
    config: StreamConfig
    mode: Mode
    events: frozenset[str]
    field: FieldPath
    timing: bool
    max_items: int | None
    reconnect: Reconnect
    last_event_id: str
    state: Path | None


def tail_options(arguments: argparse.Namespace, *, on_terminal: bool) -> TailOptions:
    """Make sense of the arguments.

    Raises:
        ValueError: They do not go together, or the body cannot be read.
    """
    mode, framing = _mode_and_framing(arguments, on_terminal=on_terminal)
    body = None if arguments.body is None else _read_body(arguments.body)
    method = arguments.method or ("GET" if body is None else "POST")
    if arguments.last_event_id and LastEventID().resume(arguments.last_event_id, 0) is None:
        raise ValueError("--last-event-id: HTTP cannot carry this ID")
    if arguments.max_retries is not None and not arguments.reconnect:
        raise ValueError("--max-retries is for --reconnect")
    if arguments.state is not None and mode == "raw":
        raise ValueError("raw bytes have no event IDs: they cannot go with --state")
    return TailOptions(
        method=method,
        url=arguments.url,
        headers=_complete_headers(arguments.headers, body, mode),
        body=body,
        framing=framing,
        config=_config(arguments, method),
        mode=mode,
        events=frozenset(arguments.events),
        field=arguments.field,
        timing=arguments.timing,
        max_items=arguments.max_items,
        reconnect=_reconnect(method) if arguments.reconnect else "never",
        last_event_id=arguments.last_event_id,
        state=arguments.state,
    )


def _reconnect(method: str) -> Reconnect:
    # What is sent again may be done again: only what is safe (RFC 9110, 9.2.1) is asked for anew
    # after something has come of it.
    return "always" if method in {"GET", "HEAD"} else "before_first_item"


def _mode_and_framing(
    arguments: argparse.Namespace, *, on_terminal: bool
) -> tuple[Mode, Framing[Any] | None]:
    mode: Mode = arguments.mode or ("show" if on_terminal else "json")
    if mode == "raw" or arguments.framing == "raw":
        for option in ("--event", "--field", "--max-items", "--comments", "--timing"):
            if getattr(arguments, _attribute(option)):
                raise ValueError(f"raw bytes have no items: they cannot go with {option}")
        if arguments.mode not in {None, "raw"} or arguments.framing not in {None, "raw"}:
            raise ValueError("raw bytes have no framing and no other form")
        return "raw", RawBytes()
    if mode == "join" and arguments.timing:
        raise ValueError("--join puts nothing between the items: it cannot go with --timing")
    if arguments.comments:
        if arguments.framing not in {None, "sse"}:
            raise ValueError(f"--framing {arguments.framing} has no --comments")
        return mode, SSE(comments=True)
    return mode, FRAMINGS.get(arguments.framing)


def _attribute(option: str) -> str:
    return "events" if option == "--event" else option.removeprefix("--").replace("-", "_")


def _read_body(text: str) -> bytes:
    try:
        if text == "@-":
            return sys.stdin.buffer.read()
        if text.startswith("@"):
            return Path(text[1:]).read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read the body from {text[1:]}: {error.strerror}") from error
    return text.encode("utf-8", "surrogateescape")  # the bytes that were typed


def _complete_headers(
    headers: list[tuple[bytes, bytes]], body: bytes | None, mode: Mode
) -> list[tuple[bytes, bytes]]:
    """The headers that were given, and those that follow from the rest."""
    given = {name.lower() for name, _ in headers}
    more: list[tuple[bytes, bytes]] = []
    if body is not None and b"content-type" not in given and _is_json(body):
        more.append((b"Content-Type", b"application/json"))
    if mode == "raw" and b"accept" not in given:
        # The bytes of what would have come without --raw.
        more.append((b"Accept", accept_header(None).encode()))
    return headers + more


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _config(arguments: argparse.Namespace, method: str) -> StreamConfig:
    usual = StreamConfig()
    retries = -1 if _reconnect(method) == "always" else usual.max_retries
    return StreamConfig(
        max_kept_items=0,
        max_retries=retries if arguments.max_retries is None else arguments.max_retries,
        # What was read is acknowledged when it has been written.
        auto_ack=False,
        timeout=_limit(arguments.timeout, usual.timeout),
        connect_timeout=_limit(arguments.connect_timeout, usual.connect_timeout),
        headers_timeout=_limit(arguments.headers_timeout, usual.headers_timeout),
        idle_timeout=_limit(arguments.idle_timeout, usual.idle_timeout),
        stall_timeout=_limit(arguments.stall_timeout, usual.stall_timeout),
    )


def _limit(given: float | None, usual: float | None) -> float | None:
    return usual if given is None else given or None
