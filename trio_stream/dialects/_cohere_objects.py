"""What the JSON objects of Cohere's events mean: reasons, usage, failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ._errors import in_band_error
from ._json import Json, JsonObject, get_optional_int, get_optional_object
from .message import StopReason, Usage

if TYPE_CHECKING:
    from ..errors import InBandError

__all__ = ["FAILURES", "STOP_REASONS", "WHOLE", "read_error", "read_usage"]

STOP_REASONS: Final[Mapping[str, StopReason]] = {
    "COMPLETE": "end_turn",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "max_tokens",
    "ERROR_LIMIT": "max_tokens",  # the context is full
    "TOOL_CALL": "tool_use",
    "ERROR_TOXIC": "refusal",
}
"""The word for each ``finish_reason`` that is no failure."""

FAILURES: Final[Mapping[str, int]] = {"ERROR": 500, "TIMEOUT": 504}
"""Each ``finish_reason`` that is a failure, and the status that it amounts to."""

WHOLE: Final[frozenset[StopReason | None]] = frozenset({"end_turn", "stop_sequence", "tool_use"})
"""After these the last block is whole. After any other it may have been cut."""


def read_usage(source: JsonObject, path: str) -> Usage | None:
    """Read ``usage`` of ``source``, if it is there.

    The figures are the tokens that were counted, whose input has the cached ones in it, or if
    there are none, those that are billed.
    """
    usage = get_optional_object(source, "usage", path)
    if usage is None:
        return None
    path = f"{path}.usage"
    cached = _count(usage, "cached_tokens", path)
    counted = get_optional_object(usage, "tokens", path)
    billed = get_optional_object(usage, "billed_units", path)
    if counted is not None:
        given = _count(counted, "input_tokens", f"{path}.tokens")
        fresh = None if given is None else max(given - (cached or 0), 0)
        written = _count(counted, "output_tokens", f"{path}.tokens")
    elif billed is not None:
        fresh = _count(billed, "input_tokens", f"{path}.billed_units")
        written = _count(billed, "output_tokens", f"{path}.billed_units")
    else:
        fresh = written = None
    return Usage(fresh, written, cached, raw=usage)


def _count(source: JsonObject, field: str, path: str) -> int | None:
    """Take a number of tokens, which the API reference calls a double."""
    value: Json = source.get(field)
    if type(value) is float and value.is_integer():
        return int(value)
    return get_optional_int(source, field, path)


def read_error(report: JsonObject, data: str) -> InBandError:
    """Make the exception for what reports a failure.

    Args:
        report: The ``delta`` of an end, an error event, or the body of an error answer.
        data: The same as it came.
    """
    reason: Json = report.get("finish_reason")
    error: Json = report.get("error")
    nested: JsonObject = error
    if type(nested) is dict:
        error = nested.get("message")
    return in_band_error(
        data,
        status=FAILURES.get(reason, 500) if type(reason) is str else 500,
        kind=reason,
        message=error if type(error) is str else report.get("message"),
        request_id=report.get("id"),
    )
