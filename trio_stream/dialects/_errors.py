"""Failures that the stream itself reports, as typed errors with the status they amount to."""

from __future__ import annotations

from ..errors import InBandError, StreamErrorType
from ._json import Json

__all__ = ["in_band_error"]

# Said with a 4xx that may pass by itself: too early, in conflict, timed out.
_PASSING = frozenset({408, 409, 425})


def in_band_error(
    payload: str,
    *,
    status: int,
    kind: Json = "",
    message: Json = "",
    request_id: Json = None,
) -> InBandError:
    """Make the exception for a failure that is reported inside a stream.

    Never raises: a broken report of a failure is still a report of a failure. So it takes the
    provider's fields as they are, and passes over what is no string.

    Args:
        payload: The report as it came.
        status: The HTTP status that it amounts to.
        kind: The provider's word for it.
        message: What the provider says about it.
        request_id: The provider's name for the request.
    """
    kind = kind if isinstance(kind, str) else ""
    if not isinstance(message, str) or not message:
        message = payload[:200] or "the stream reported an error"
    return InBandError(
        f"{kind}: {message}" if kind else message,
        kind=kind,
        payload=payload,
        error_type=StreamErrorType.of_status(status),
        is_retryable=True if status in _PASSING else None,
        status_code=status,
        request_id=request_id if isinstance(request_id, str) else None,
    )
