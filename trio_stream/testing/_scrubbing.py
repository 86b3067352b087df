"""Secrets, taken out of what was recorded before anybody can keep it.

Theory of operation
-------------------

A secret is known by the name that it goes by: of a header, of a parameter in a query or a form, of
a string in a JSON object. Names are told by what they contain, since there are too many to list.
Where there is one, the value becomes ``SCRUBBED``.

The values that were found are then looked for everywhere else in the cassette, since servers
repeat them in error messages, clients put them into paths, and what one answer has brought is sent
with the next request. There, and in bodies, a secret is masked by as many asterisks: lengths, and
so the framing and the pieces of a body, stay what they were. A body is masked in one piece, so a
secret is found across pieces too.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from urllib.parse import quote, unquote_to_bytes

import attrs

from ._exchange import Exchange, HeaderPairs, RecordedChunk, RecordedRequest

__all__ = ["Scrubber"]

_SCRUBBED = "SCRUBBED"
# Shorter values are no secrets worth the name, and would turn up in innocent words.
_MIN_SECRET = 8

# Of headers. What follows `token` and `key` spares `x-ratelimit-remaining-tokens` and its like,
# which are numbers, and keys that open nothing.
_HEADER = re.compile(
    r"authorization|^authentication$|^x-auth|cookie|secret|pass(w|phrase|code)|credential|"
    r"signature|[-_]sign$|api[-_]?key|(?<!idempotency-)(?<!cache-)(?<!surrogate-)key$|session|jwt|bearer|otp$|pwd$|"
    r"token(?!s)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"(api|app|application|access|account|auth|encryption|function|license|master|private|shared|"
    r"signing|subscription)[-_]?key([-_]?id)?$|token$|secret|pass(w|phrase|code)|^(pwd|pass)$|"
    r"credential|^authorization$|^jwt$|bearer|assertion$|code[-_]?verifier$",
    re.IGNORECASE,
)
# Too common in JSON, where `code` is a program and `signature` belongs to a thought.
_SHORT = re.compile(
    r"^(key|key-pair-id|sig|sign|hmac|auth|code|sid|otp|ticket|session|samlresponse)$|"
    r"signature$|session[-_]?id$",
    re.IGNORECASE,
)
# Of members of what a server says: not `token`, which models say.
_ANSWER = re.compile(
    r"(access|auth|bearer|id|refresh|session)[-_]?token$|client[-_]?secret$|passw|"
    r"(api|private)[-_]?key$",
    re.IGNORECASE,
)

_PARAMETER = re.compile(r"(?<=[?&#])([^=&?#\s\"'<>]+)=([^&#\s\"'<>]*)")
_FORM = re.compile(r"(?:^|(?<=&))([^=&\s]+)=([^&\s]*)")
_MEMBER = re.compile(r'"([^"\\]*)"\s*:\s*"((?:[^"\\]|\\.)*)"')
# A part of multipart/form-data (RFC 7578), from the name to the line end before the boundary.
_PART = re.compile(
    r'; ?name="([^"\r\n]*)"[^\r\n]*\r\n(?:[^\r\n]+\r\n){0,8}\r\n(.*?)(?=\r\n--|\Z)', re.DOTALL
)
_CREDENTIAL = re.compile(r"([\w-]+)=\"?([^\s,;\"]+)")
_USERINFO = re.compile(r"(?<=://)[^/?#@\s]+(?=@)")


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


@attrs.frozen
class Scrubber:
    """What is taken out of a cassette, beyond what everybody wants to be.

    Always scrubbed: headers such as ``Authorization``, ``Cookie`` and ``X-API-Key``; parameters
    such as ``key``, ``access_token`` and ``sig``, in URLs wherever they stand and in forms that
    are sent; strings of those names in JSON that is sent; tokens and passwords by their full names,
    such as ``access_token``, in JSON that is received; user and password in URLs; and the values of
    all of these where they turn up again, from eight bytes on. Not scrubbed: what else a server
    says in a body, and what is compressed; ask for ``identity`` while you record.

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
        return self.scrub_all([exchange])[0]

    def scrub_all(self, exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
        """Return exchanges without their secrets, each of which is looked for in all of them."""
        secrets: set[bytes] = set()
        named = [self._scrub_names(exchange, secrets) for exchange in exchanges]
        mask = _Mask(secrets)
        return tuple(self._scrub_values(exchange, received, mask) for exchange, received in named)

    def _scrub_names(self, exchange: Exchange, secrets: set[bytes]) -> tuple[Exchange, bytes]:
        """Scrub what goes by the name of a secret; the body of the response comes by itself."""
        request, head = exchange.request, exchange.head
        request = attrs.evolve(
            request,
            url=self._url(request.url, secrets),
            headers=self._headers(request.headers, secrets),
            body=self._fields(request, secrets),
        )
        if head is not None:
            head = attrs.evolve(head, headers=self._headers(head.headers, secrets))
        end = attrs.evolve(exchange.end, error=self._url(exchange.end.error, secrets))
        received = self._covered(_MEMBER, exchange.body, secrets, _ANSWER)
        return attrs.evolve(exchange, request=request, head=head, end=end), received

    def _scrub_values(self, exchange: Exchange, received: bytes, mask: _Mask) -> Exchange:
        """Cover secrets wherever they turn up again."""
        request, head = exchange.request, exchange.head
        sent = self._own(mask.bytes(request.body))
        received = self._own(mask.bytes(received, is_cut=exchange.end.end != "complete"))
        request = attrs.evolve(
            request,
            url=mask.text(request.url),
            headers=mask.headers(request.headers, grown=len(sent) - len(request.body)),
            body=sent,
        )
        if head is not None:
            grown = len(received) - len(exchange.body)
            head = attrs.evolve(
                head,
                reason=mask.text(head.reason),
                headers=mask.headers(head.headers, grown=grown),
            )
        return attrs.evolve(
            exchange,
            request=request,
            head=head,
            chunks=tuple(_cut_like(exchange.chunks, received)),
            end=attrs.evolve(exchange.end, error=mask.text(exchange.end.error)),
        )

    def _own(self, body: bytes) -> bytes:
        return self.body(body) if self.body is not None and body else body

    def _url(self, text: str, secrets: set[bytes]) -> str:
        """Scrub the URLs in a text."""

        def userinfo(match: re.Match[str]) -> str:
            user, _, password = match[0].partition(":")
            _note((password or user).encode(), secrets)  # a user alone is a token
            return _SCRUBBED

        def parameter(match: re.Match[str]) -> str:
            if not self._is_secret(match[1], _FIELD, _SHORT):
                return match[0]
            _note(match[2].encode(), secrets)
            return f"{match[1]}={_SCRUBBED}"

        return _PARAMETER.sub(parameter, _USERINFO.sub(userinfo, text))

    def _headers(self, headers: HeaderPairs, secrets: set[bytes]) -> HeaderPairs:
        return tuple((name, self._header(name, value, secrets)) for name, value in headers)

    def _header(self, name: str, value: str, secrets: set[bytes]) -> str:
        if not self._is_secret(name, _HEADER):
            return self._url(value, secrets)
        if name.lower() == "cookie":
            words = [pair.partition("=")[2].strip('"') for pair in value.split("; ")]
        elif name.lower() == "set-cookie":
            words = [value.partition(";")[0].partition("=")[2].strip('"')]
        else:
            words = self._credentials(value)
        for word in words:
            _note(word.encode(), secrets)
        return _SCRUBBED

    def _credentials(self, value: str) -> list[str]:
        """What is secret in a header: all of it, or what follows the scheme (RFC 9110, 11.4)."""
        scheme, _, rest = value.strip().partition(" ")
        words = [value.strip(), rest.strip()]
        if scheme.lower() == "basic":
            try:
                words.append(base64.b64decode(rest).decode().partition(":")[2])
            except ValueError:
                pass  # it is basic by name alone
        pairs: list[tuple[str, str]] = _CREDENTIAL.findall(rest)
        return words + [word for name, word in pairs if self._is_secret(name, _FIELD, _SHORT)]

    def _fields(self, request: RecordedRequest, secrets: set[bytes]) -> bytes:
        """Scrub a body that was sent: the fields of a form, or the strings of JSON."""
        kind = next((text for name, text in request.headers if name.lower() == "content-type"), "")
        if "x-www-form-urlencoded" in kind.lower():
            return self._covered(_FORM, request.body, secrets, _FIELD, _SHORT)
        if "multipart/form-data" in kind.lower():
            return self._covered(_PART, request.body, secrets, _FIELD, _SHORT)
        return self._covered(_MEMBER, request.body, secrets, _FIELD)

    def _covered(
        self,
        pattern: re.Pattern[str],
        body: bytes,
        secrets: set[bytes],
        *names: re.Pattern[str],
    ) -> bytes:
        """Cover the values in a body, found by a pattern, that go by the names of secrets."""

        def field(match: re.Match[str]) -> str:
            if not self._is_secret(match[1], *names):
                return match[0]
            _note(match[2].encode("latin-1"), secrets)
            start, end = match.start(2) - match.start(), match.end(2) - match.start()
            return match[0][:start] + "*" * (end - start) + match[0][end:]

        return pattern.sub(field, body.decode("latin-1")).encode("latin-1")

    def _is_secret(self, name: str, *patterns: re.Pattern[str]) -> bool:
        name = unquote_to_bytes(name).decode("latin-1").lower().removesuffix("[]")
        if name in self.names:
            return True
        return name not in self.keep and any(pattern.search(name) for pattern in patterns)


class _Mask:
    """Finds secrets wherever they are, and covers them by as many asterisks."""

    def __init__(self, secrets: set[bytes]) -> None:
        # The longest first: a part of it may be another one.
        self._words = sorted(secrets, key=len, reverse=True)

    def text(self, text: str) -> str:
        data = text.encode("utf-8", "surrogatepass")
        masked = self.bytes(data)
        return text if masked == data else masked.decode("utf-8", "replace")

    def bytes(self, data: bytes, *, is_cut: bool = False) -> bytes:
        """Cover them in a body; where it ``is_cut``, what begins one at its end, too."""
        for word in self._words:
            data = data.replace(word, b"*" * len(word))
        if is_cut:
            for word in self._words:
                start = data.find(word[:_MIN_SECRET], max(0, len(data) - len(word)))
                if start >= 0 and word.startswith(data[start:]):
                    data = data[:start] + b"*" * (len(data) - start)
        return data

    def headers(self, headers: HeaderPairs, *, grown: int) -> HeaderPairs:
        """Cover them in headers of a body that has ``grown`` by so many bytes."""
        pairs: list[tuple[str, str]] = []
        for name, value in headers:
            if grown and name.lower() == "content-length" and value.isdecimal():
                pairs.append((name, str(int(value) + grown)))
            else:
                pairs.append((name, self.text(value)))
        return tuple(pairs)


def _note(word: bytes, secrets: set[bytes]) -> None:
    """Remember a secret, as it stands and as it is meant, in the spellings of URLs and JSON."""
    if word == _SCRUBBED.encode() or not word.strip(b"*"):
        return
    meant = {word, unquote_to_bytes(word), unquote_to_bytes(word.replace(b"+", b" "))}
    try:
        meant.add(str.encode(json.loads(b'"%b"' % word)))
    except (ValueError, TypeError):
        pass  # it was no string of JSON
    forms = set(meant)
    for each in meant:
        for escaped in (quote(each), quote(each, safe="")):
            forms |= {escaped.encode(), escaped.replace("%20", "+").encode()}
            forms.add(re.sub("%..", lambda match: match[0].lower(), escaped).encode())
        forms.add(base64.b64encode(each).rstrip(b"="))
        text = each.decode("utf-8", "replace")
        for in_json in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
            forms |= {in_json[1:-1].encode(), in_json[1:-1].replace("/", "\\/").encode()}
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
