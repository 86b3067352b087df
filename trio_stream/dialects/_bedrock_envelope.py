"""What Bedrock's messages have in common, whichever operation sends them; and its failures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ..errors import StreamErrorType
from ._errors import in_band_error
from ._json import Json, JsonObject, Misfit, kind_of, parse_json

if TYPE_CHECKING:
    from ..errors import InBandError
    from ..framing import EventStreamMessage

__all__ = ["Payload", "is_failure", "read_failure", "unwrap"]

# The status that an exception amounts to: the pages of `ConverseStream` and of
# `InvokeModelWithResponseStream` in the API reference have the pairs.
_STATUSES: Final[Mapping[str, int]] = {
    "validationException": 400,
    "accessDeniedException": 403,
    "resourceNotFoundException": 404,
    "modelTimeoutException": 408,
    "modelErrorException": 424,
    "modelStreamErrorException": 424,
    "modelNotReadyException": 429,
    "throttlingException": 429,
    "internalServerException": 500,
    "serviceUnavailableException": 503,
}
_FAILURES: Final = frozenset({"exception", "error"})


class Payload:
    """The payload of an event, decoded; whether it had to be an object is judged later.

    Attributes:
        text: The payload as it came.
        value: What it says; `None` if it is not JSON.
    """

    __slots__ = ("_cause", "text", "value")

    def __init__(self, text: str) -> None:
        self.text = text
        self.value: Json = None
        self._cause: ValueError | None = None
        try:
            self.value = parse_json(text)
        except ValueError as exc:
            self._cause = exc

    @property
    def is_broken(self) -> bool:
        """Whether it looks like an object and is not JSON."""
        return self._cause is not None and self.text.lstrip().startswith("{")

    def object(self) -> JsonObject:
        """Return the object that it had to be."""
        if self._cause is not None:
            raise Misfit("$", f"not JSON: {self._cause}") from self._cause
        value: JsonObject = self.value
        if type(value) is not dict:
            raise Misfit("$", f"expected an object, got {kind_of(value)}")
        return value


def unwrap(message: EventStreamMessage) -> tuple[str, Payload]:
    """Return the name and the payload of an event.

    Raises:
        InBandError: It reports a failure.
    """
    name, headers = message.event, message.headers
    payload = Payload(message.payload.decode("utf-8", "replace"))
    if headers.get(":message-type") in _FAILURES or is_failure(name):
        raise read_failure(name, payload.text, payload.value, headers.get(":error-message"))
    return name, payload


def is_failure(name: str) -> bool:
    """Whether an event of this name reports that the stream has failed."""
    return name == "error" or name.endswith("Exception")


def read_failure(kind: str, data: str, body: JsonObject, message: Json = None) -> InBandError:
    """Make the exception for an event that reports a failure.

    Args:
        kind: The name of the exception, or the code of the error.
        data: The payload as it came.
        body: The object that it holds, or whatever it holds.
        message: What the headers say about it.
    """
    if type(body) is not dict:
        body = {"message": body}
    message = message or body.get("message") or body.get("Message")
    word = kind[:1].lower() + kind[1:]
    error = in_band_error(data, status=_STATUSES.get(word, 500), kind=kind, message=message)
    if error.status_code == 424:
        # What failed is the model, on which Bedrock depends. "Retry your request", it says.
        error.error_type, error.is_retryable = StreamErrorType.SERVER_ERROR, True
    return error
