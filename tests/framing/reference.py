"""WHATWG HTML 9.2.6 read literally, over a whole body: slow, short, and obviously right.

Nothing here is shared with the parser. It is the standard's text, step by step, and works on the
whole body at once, so that chunks, buffers and shortcuts do not exist for it.
"""

from __future__ import annotations

import re

import attrs

from trio_stream.framing import MAX_RETRY_MS, Comment, ServerSentEvent


@attrs.define
class Interpretation:
    """What a body means.

    Attributes:
        frames: The events (and, on request, the comments), in order.
        last_event_id: The last event ID string in the end.
        retry: The reconnection time in the end.
        truncated: Whether the end of the body drops something that was no comment.
    """

    frames: list[ServerSentEvent | Comment] = attrs.Factory(list)
    last_event_id: str = ""
    retry: int | None = None
    truncated: bool = False


def interpret(body: bytes, *, last_event_id: str = "", comments: bool = False) -> Interpretation:
    """Interpret a body whose bytes are all here."""
    result = Interpretation(last_event_id=last_event_id)
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    *lines, unterminated = re.split(r"\r\n|\n|\r", text)
    id_buffer = last_event_id
    type_buffer = ""
    data_buffer = ""
    block_retry = None
    for line in lines:
        if line == "":
            result.last_event_id = id_buffer
            if data_buffer != "":
                result.frames.append(
                    ServerSentEvent(
                        event=type_buffer or "message",
                        data=data_buffer.removesuffix("\n"),
                        id=result.last_event_id,
                        retry=block_retry,
                    )
                )
            type_buffer = data_buffer = ""
            block_retry = None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "":
            if comments:
                result.frames.append(Comment(value))
        elif name == "event":
            type_buffer = value
        elif name == "data":
            data_buffer += value + "\n"
        elif name == "id":
            if "\0" not in value:
                id_buffer = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            block_retry = result.retry = _milliseconds(value)
    pending_field = data_buffer or type_buffer or id_buffer != result.last_event_id
    pending_line = unterminated != "" and not unterminated.startswith(":")
    result.truncated = bool(pending_field or pending_line)
    return result


def _milliseconds(digits: str) -> int:
    """Base ten, and at most a day: our only departure from the text."""
    number = 0
    for digit in digits:
        number = min(10 * number + int(digit), MAX_RETRY_MS)
    return number
