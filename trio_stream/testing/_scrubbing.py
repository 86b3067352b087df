"""Secrets, taken out of what was recorded before anybody can keep it.

Theory of operation
-------------------

A secret is known by the name that it goes by: of a header, of a parameter in a query or a form, of
a string in a JSON object. Names are told by what they contain, since there are too many to list.
Where there is one, the value becomes ``SCRUBBED``.

Values that were found in a request are then looked for everywhere else in its exchange, since
servers repeat them in error messages and clients put them into paths. There, and in bodies, a
secret is masked by as many asterisks: lengths, and so the framing and the pieces of a body, stay
what they were. A body is masked in one piece, so a secret is found across pieces too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from urllib.parse import quote, unquote

import attrs

from ._exchange import Exchange, HeaderPairs, RecordedChunk, RecordedRequest

__all__ = ["Scrubber"]

_SCRUBBED = "SCRUBBED"
# Shorter values are no secrets worth the name, and would turn up in innocent words.
_MIN_SECRET = 8

# Of headers. The end of it spares `x-ratelimit-remaining-tokens` and its like, which are numbers.
_HEADER = re.compile(
    r"authorization|^x-auth|cookie|secret|passw|credential|signature|api-?key|session|jwt|"
    r"token(?!s)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(api|access|auth|private|subscription)[-_]?key([-_]?id)?$|token$|secret|passw|credential|"
    r"^authorization$|^jwt$",
    re.IGNORECASE,
)
# Too common in JSON, where `code` is a program and `signature` belongs to a thought.
_SHORT = re.compile(r"^(key|sig|auth|code|sid)$|signature$|session[-_]?id$", re.IGNORECASE)

_PARAMETER = re.compile(r"(?<=[?&])([^=&?#\s\"'<>]+)=([^&#\s\"'<>]*)")
_FORM = re.compile(r"(?:^|(?<=&))([^=&\s]+)=([^&\s]*)")
_MEMBER = re.compile(r'"([^"\\]*)"\s*:\s*"((?:[^"\\]|\\.)*)"')
_USERINFO = re.compile(r"(?<=://)[^/?#@\s]+(?=@)")


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


@attrs.frozen
class Scrubber:
    """What is taken out of a cassette, beyond what everybody wants to be.

    Always scrubbed: headers such as ``Authorization``, ``Cookie`` and ``X-API-Key``; parameters
    such as ``key``, ``access_token`` and ``sig``, in URLs wherever they stand and in forms that
    are sent; members of those names in JSON that is sent; user and password in URLs; and the
    values of all of these where they turn up again. Not scrubbed: what a server says in a body, but
    for such values, and what is compressed; ask for ``identity`` while you record.

    Attributes:
        names: More names of headers, parameters and members, in any case.
        keep: Names that are not scrubbed although they look like it.
        body: Called with each body, of requests and of responses, and returns what to keep of it.
            The pieces of a body keep their sizes, but for the last one, and its
            ``Content-Length`` is set right.
    """

    names: Collection[str] = attrs.field(default=(), converter=_names)
    keep: Collection[str] = attrs.field(default=(), converter=_names)
    body: Callable[[bytes], bytes] | None = None

    def scrub(self, exchange: Exchange) -> Exchange:
        """Return the exchange without its secrets."""
        secrets: set[str] = set()
        request, head = exchange.request, exchange.head
        request = attrs.evolve(
            request,
            url=self._url(request.url, secrets),
            headers=self._headers(request.headers, secrets),
            body=self._fields(request, secrets),
        )
        if head is not None:
            head = attrs.evolve(head, headers=self._headers(head.headers, secrets))
        error = self._url(exchange.end.error, secrets)

        mask = _Mask(secrets)
        sent = self._own(mask.bytes(request.body))
        received = self._own(mask.bytes(exchange.body))
        request = attrs.evolve(
            request,
            url=mask.text(request.url),
            headers=mask.headers(request.headers, grown=len(sent) - len(request.body)),
            body=sent,
        )
        if head is not None:
            grown = len(received) - len(exchange.body)
            head = attrs.evolve(head, headers=mask.headers(head.headers, grown=grown))
        return attrs.evolve(
            exchange,
            request=request,
            head=head,
            chunks=tuple(_cut_like(exchange.chunks, received)),
            end=attrs.evolve(exchange.end, error=mask.text(error)),
        )

    def _own(self, body: bytes) -> bytes:
        return self.body(body) if self.body is not None and body else body

    def _url(self, text: str, secrets: set[str]) -> str:
        """Scrub the URLs in a text."""

        def userinfo(match: re.Match[str]) -> str:
            _note(match[0].partition(":")[2], secrets)
            return _SCRUBBED

        def parameter(match: re.Match[str]) -> str:
            if not self._is_secret(match[1], _FIELD, _SHORT):
                return match[0]
            _note(match[2], secrets)
            return f"{match[1]}={_SCRUBBED}"

        return _PARAMETER.sub(parameter, _USERINFO.sub(userinfo, text))

    def _headers(self, headers: HeaderPairs, secrets: set[str]) -> HeaderPairs:
        return tuple((name, self._header(name, value, secrets)) for name, value in headers)

    def _header(self, name: str, value: str, secrets: set[str]) -> str:
        if not self._is_secret(name, _HEADER):
            return self._url(value, secrets)
        if name.lower() == "cookie":
            words = [pair.partition("=")[2] for pair in value.split("; ")]
        elif name.lower() == "set-cookie":
            words = [value.partition(";")[0].partition("=")[2]]
        else:
            words = value.split()[-1:] if len(value.split()) < 3 else []  # "Bearer" and its token
        for word in words:
            _note(word, secrets)
        return _SCRUBBED

    def _fields(self, request: RecordedRequest, secrets: set[str]) -> bytes:
        """Scrub a body that was sent: the fields of a form, or the strings of JSON."""
        kind = next((text for name, text in request.headers if name.lower() == "content-type"), "")
        is_form = "x-www-form-urlencoded" in kind
        patterns = (_FIELD, _SHORT) if is_form else (_FIELD,)

        def field(match: re.Match[str]) -> str:
            if not self._is_secret(match[1], *patterns):
                return match[0]
            _note(match[2], secrets)
            start = match.start(2) - match.start()
            end = match.end(2) - match.start()
            return match[0][:start] + "*" * (end - start) + match[0][end:]

        pattern = _FORM if is_form else _MEMBER
        return pattern.sub(field, request.body.decode("latin-1")).encode("latin-1")

    def _is_secret(self, name: str, *patterns: re.Pattern[str]) -> bool:
        name = name.lower()
        if name in self.names:
            return True
        return name not in self.keep and any(pattern.search(name) for pattern in patterns)


class _Mask:
    """Finds secrets wherever they are, and covers them by as many asterisks."""

    def __init__(self, secrets: set[str]) -> None:
        # The longest first: a part of it may be another one.
        words = [re.escape(word) for word in sorted(secrets, key=len, reverse=True)]
        self._pattern = re.compile("|".join(words)) if words else None

    def text(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: "*" * len(match[0]), text)

    def bytes(self, data: bytes) -> bytes:
        return (
            data if self._pattern is None else self.text(data.decode("latin-1")).encode("latin-1")
        )

    def headers(self, headers: HeaderPairs, *, grown: int) -> HeaderPairs:
        """Cover them in headers of a body that has ``grown`` by so many bytes."""
        pairs: list[tuple[str, str]] = []
        for name, value in headers:
            if grown and name.lower() == "content-length" and value.isdecimal():
                pairs.append((name, str(int(value) + grown)))
            else:
                pairs.append((name, self.text(value)))
        return tuple(pairs)


def _note(word: str, secrets: set[str]) -> None:
    """Remember a secret, as it stands and as it is meant."""
    if word != _SCRUBBED and word.strip("*"):
        meant = unquote(word)
        forms = {word, meant, quote(meant), quote(meant, safe="")}
        secrets.update(form for form in forms if len(form) >= _MIN_SECRET)


def _cut_like(chunks: Iterable[RecordedChunk], body: bytes) -> Iterator[RecordedChunk]:
    """The pieces of another body: of the same sizes, the last one with what is left."""
    chunks = list(chunks)
    position = 0
    for chunk in chunks:
        end = len(body) if chunk is chunks[-1] else position + len(chunk.data)
        if piece := body[position:end]:
            yield RecordedChunk(chunk.at, piece)
        position = end
