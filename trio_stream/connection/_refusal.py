"""Responses that are no stream, as typed errors."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..errors import NotAStreamError, StreamErrorType, StreamStatusError
from ._response import StreamResponse

__all__ = ["not_a_stream", "place_of", "retry_after", "status_error"]

_USER_INFO = re.compile(r"(?<=//)[^/]*@")
_SHOULD_RETRY = {"true": True, "false": False}

# What all forms of a date have (RFC 9110, 5.6.7). The parser takes much for a date that is none,
# and most of that for one long ago: a wait of no time.
_TIME_OF_DAY = re.compile(r"\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b")
_MAX_LENGTH = 64

# How many characters of what the other side has sent are in the text of an error.
_MAX_EXCERPT = 200
_MAX_REASON = 500


def status_error(response: StreamResponse, body: bytes) -> StreamStatusError:
    """The error for a status of 400 or more. ``body`` is what was read of its body.

    Whether another attempt could help is what the server says (``x-should-retry``, from OpenAI and
    Anthropic), else what its status means.
    """
    status = response.status_code
    text = body.decode("utf-8", "replace")
    error = StreamStatusError(
        f"status {status} from {place_of(response.url)}{_excerpt(text)}",
        error_type=StreamErrorType.of_status(status),
        status_code=status,
        response_body=text,
        response_headers=response.headers,
        retry_after=retry_after(response.headers, now=time.time()),
        request_id=response.request_id,
    )
    if status in (408, 409, 425):  # the client's fault by number, a matter of timing by meaning
        error.is_retryable = True
    if status in (501, 505):  # by number the server's trouble, which no repetition mends
        error.is_retryable = False
    told = _SHOULD_RETRY.get(response.headers.get("x-should-retry", "").strip().lower())
    # What would be the right key next time is not for the server to hope.
    if told is not None and error.error_type is not StreamErrorType.AUTHENTICATION_ERROR:
        error.is_retryable = told
    return error


def not_a_stream(response: StreamResponse, why: str, body: bytes) -> NotAStreamError:
    """The error for a good status that brings something else. ``body``: its first KiB."""
    text = body.decode("utf-8", "replace")
    return NotAStreamError(
        f"not a stream: {_line(why, _MAX_REASON)} "
        f"(status {response.status_code} from {place_of(response.url)}){_excerpt(text)}",
        error_type=StreamErrorType.FATAL_ERROR,
        status_code=response.status_code,
        response_body=text,
        response_headers=response.headers,
        retry_after=retry_after(response.headers, now=time.time()),
        request_id=response.request_id,
    )


def place_of(url: str) -> str:
    """A URL without what may be secret (user, password, query, fragment): errors are logged."""
    place, mark, _ = url.partition("#")[0].partition("?")
    place = _USER_INFO.sub("", place, count=1)
    return f"{place}?…" if mark else place


def _excerpt(text: str) -> str:
    line = _line(text, _MAX_EXCERPT)
    return f": {line}" if line else ""


def _line(text: str, limit: int) -> str:
    """The beginning of a text of the other side's, fit for a terminal and for a log."""
    line = " ".join(text.split())
    cut = f"{line[:limit]}…" if len(line) > limit else line
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in cut)


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that the server asks to wait: RFC 9110, 10.2.3, in its two forms.

    ``retry-after-ms``, which LLM providers send for short waits, goes first. What is neither a
    plain number nor a date is nothing. The result is not negative, and has no upper limit: what is
    more than any float is infinity.

    Args:
        headers: The response's.
        now: Unix time, for the date form.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _is_number(milliseconds):
        return float(milliseconds) / 1000
    value = headers.get("retry-after", "").strip()
    if _is_number(value):  # the standard has whole seconds; fractions are sent all the same
        return float(value)
    if len(value) > _MAX_LENGTH or not _TIME_OF_DAY.search(value):
        return None
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # RFC 5322, 3.3: "-0000" is a time in UTC
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()
