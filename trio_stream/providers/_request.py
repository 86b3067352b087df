"""What every provider's functions have in common: URL, headers, key, and the request they make."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TypedDict
from urllib.parse import urlsplit

from ..dialects import MessageDialect
from ..dialects._json import Json, JsonObject

__all__ = [
    "ProviderRequest",
    "Secret",
    "build_headers",
    "build_url",
    "changed",
    "from_environment",
    "given",
]

# Extra headers of these names hold keys too.
_CREDENTIALS = frozenset(
    {"api-key", "authorization", "cookie", "proxy-authorization", "x-api-key", "x-goog-api-key"}
)


class ProviderRequest(TypedDict):
    """A request to a provider, as arguments: ``open_stream(**request)``.

    A plain dictionary, so nothing is hidden, and whatever a provider's function did not foresee
    can be changed before it is sent. Printing it does not show the key.

    Attributes:
        method: The HTTP method.
        url: The URL.
        headers: The headers. Those that hold a key have a `Secret` for a value.
        json: The body.
        dialect: The grammar of the answer.
    """

    method: str
    url: str
    headers: dict[str, str]
    json: JsonObject
    dialect: MessageDialect


class Secret(str):
    """A string that does not show itself in a `repr`, where logs and tracebacks would keep it.

    ``str(secret)`` and f-strings are the string itself: it has to be sent.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


def from_environment(*variables: str) -> str:
    """Return the first of the environment variables that is set and not empty, else ``""``."""
    return next(filter(None, map(os.environ.get, variables)), None) or ""


def build_url(base_url: str, path: str, query: str = "") -> str:
    """Append a path to a base URL.

    Args:
        base_url: With or without a slash at its end. Its query stays one, so that
            ``?api-version=...`` may be part of it.
        path: Begins with a slash.
        query: Is added to that query.

    Raises:
        ValueError: The base URL is not absolute.
    """
    parts = urlsplit(base_url)
    if not parts.scheme or not parts.netloc:
        raise ValueError(f"a base URL is absolute, such as https://example.org/v1: {base_url!r}")
    queries = "&".join(filter(None, (parts.query, query)))
    return parts._replace(path=parts.path.rstrip("/") + path, query=queries, fragment="").geturl()


def build_headers(
    extra: Mapping[str, str] | None,
    ours: Mapping[str, str],
    *,
    key: str | None,
    key_header: str,
    variables: Sequence[str],
    required: bool,
) -> dict[str, str]:
    """Make the headers of a request.

    Args:
        extra: The caller's; they count more than ours.
        ours: Those that the API wants.
        key: The caller's key; ``""``: send none. `None`: that of the environment.
        key_header: The header that it goes into. ``Authorization`` gets it as a bearer token.
        variables: The environment variables in which it may be.
        required: Whether the request makes no sense without it.

    Raises:
        ValueError: It is required, and there is none.
    """
    headers = {
        name: Secret(value) if name.lower() in _CREDENTIALS else value
        for name, value in (extra or {}).items()
    }
    taken = {name.lower() for name in headers}
    if key is None:
        key = from_environment(*variables)
        if not key and required and taken.isdisjoint(_CREDENTIALS):
            raise ValueError(f"no API key: pass api_key, or set {' or '.join(variables)}")
    if key and key_header.lower() not in taken:
        bearer = key_header.lower() == "authorization"
        headers[key_header] = Secret(f"Bearer {key}" if bearer else key)
    return {name: value for name, value in ours.items() if name.lower() not in taken} | headers


def given(**fields: Json) -> JsonObject:
    """Return those fields of a body that the caller gave: not `None`."""
    return {key: value for key, value in fields.items() if value is not None}


def changed(request: ProviderRequest, **fields: Json) -> ProviderRequest:
    """Return the request with other values of some fields of its body."""
    return ProviderRequest(
        method=request["method"],
        url=request["url"],
        headers=request["headers"],
        json={**request["json"], **fields},
        dialect=request["dialect"],
    )
