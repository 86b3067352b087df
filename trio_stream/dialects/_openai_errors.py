"""What the error objects of OpenAI-like APIs mean: the status that each amounts to.

They have the fields ``message``, ``type``, ``code`` and ``param``, and every server fills them in
its own way: the status is a number, a number in a string, or no more than a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ._errors import in_band_error
from ._json import Json, JsonObject, empty_object

if TYPE_CHECKING:
    from ..errors import InBandError

__all__ = ["read_error"]

# By the provider's word, in lower case: OpenAI's codes and types, those of the Responses API, the
# names that vLLM takes from Python, the status words that Google's compatible endpoint keeps.
_STATUS: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "invalid_request": 400,
    "invalid_prompt": 400,
    "invalid_argument": 400,
    "invalid_parameter": 400,
    "invalidparameter": 400,
    "badrequesterror": 400,
    "bad_request": 400,
    "value_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "responsibleaipolicyviolation": 400,
    "bio_policy": 400,
    "cyber_policy": 400,
    "misalignment_policy_violation": 400,
    "data_residency_mismatch": 400,
    "failed_precondition": 400,
    "failed_to_download_image": 400,
    "image_content_policy_violation": 400,
    "image_file_not_found": 400,
    "tool_use_failed": 400,
    "string_above_max_length": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "unauthenticated": 401,
    "unauthorized": 401,
    "billing_error": 402,
    "billing_hard_limit_reached": 402,
    "payment_required": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "forbidden": 403,
    "model_not_found": 404,
    "not_found": 404,
    "not_found_error": 404,
    "previous_response_not_found": 404,
    "conflict": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "rate_limit_reached": 429,
    "requests": 429,
    "tokens": 429,
    "resource_exhausted": 429,
    "throttling": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "quota_exceeded": 429,
    "api_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "internal": 500,
    "server_error": 500,
    "vector_store_timeout": 500,
    "provider_error": 502,
    "network_error": 503,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "server_overloaded": 503,
    "engine_overloaded": 503,
    "overloaded": 503,
    "overloaded_error": 529,
    "unavailable": 503,
    "insufficient_system_resource": 503,
    "timeout": 504,
    "timeout_error": 504,
    "deadline_exceeded": 504,
}
_UNKNOWN_STATUS: Final = 500

# Families too long to list: ``invalid_image_format``, ``unsupported_parameter``.
_BAD_REQUESTS: Final = ("invalid_", "unsupported_", "missing_", "image_", "empty_image")

# Said with a 429, but waiting does not help: somebody has to pay first.
_EXHAUSTED: Final = frozenset({"insufficient_quota", "quota_exceeded"})


def read_error(error: Json, payload: str, *, request_id: Json = None) -> InBandError:
    """Make the exception for the error object of an OpenAI-like API. Never raises.

    The status is the first that can be had from, in this order: a number in ``code``,
    ``status_code`` or ``status``, or in the ``metadata`` that a gateway adds; the word in
    ``code``; the word in ``type``. The kind is the most exact word: that in ``code``, else the
    one in ``type``.

    Args:
        error: The error object, or whatever stands in its place: some servers send a string.
        payload: The report as it came.
        request_id: The provider's name for the request.
    """
    fields: JsonObject = error
    if type(fields) is not dict:
        fields = {"message": error}
    more: JsonObject | None = fields.get("metadata")
    if type(more) is not dict:
        more = empty_object()
    # The type of an ``error`` event says no more than its name.
    words = [
        word
        for word in (fields.get("code"), fields.get("type"), fields.get("status"), *_words(more))
        if isinstance(word, str) and word and word != "error" and _number(word) is None
    ]
    numbers = [
        number
        for source in (fields, more)
        for key in ("code", "status_code", "status", "http_status")
        if (number := _number(source.get(key))) is not None
    ]
    known = [status for word in words if (status := _status_of(word)) is not None]
    exception = in_band_error(
        payload,
        status=[*numbers, *known, _UNKNOWN_STATUS][0],
        kind=words[0] if words else "",
        message=fields.get("message"),
        request_id=request_id if isinstance(request_id, str) else fields.get("request_id"),
    )
    if not _EXHAUSTED.isdisjoint(words):
        exception.is_retryable = False
    return exception


def _words(metadata: JsonObject) -> tuple[Json, ...]:
    return metadata.get("error_type"), metadata.get("code"), metadata.get("type")


def _status_of(word: str) -> int | None:
    word = word.lower()
    status = _STATUS.get(word)
    if status is None and word.startswith(_BAD_REQUESTS):
        return 400
    return status


def _number(value: Json) -> int | None:
    """Return the HTTP status that a field holds, as a number or in a string."""
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is int and 400 <= value <= 599:
        return value
    return None
