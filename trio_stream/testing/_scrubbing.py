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

All of it is bytes. Headers in a cassette are Latin-1, so their text is the bytes that were sent;
URLs and errors are text, of which a letter that is not ASCII may be sent in UTF-8 or in Latin-1. A
server may take the one for the other, so a secret is looked for as either.

There are too many ways to escape the same bytes to list those, too: HTTP clients disagree on what
a URL must escape, JSON libraries on what a string must. So the escapes are undone, of the secret
and of where it is looked for; twice, since the arguments of a tool are JSON in JSON.
"""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property, lru_cache

import attrs

from ._exchange import Exchange, HeaderPairs, RecordedChunk, RecordedRequest

__all__ = ["Scrubber"]

_SCRUBBED = "SCRUBBED"
_SPACE = " \t\r\n"
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

# ASCII, since of UTF-8 that is read as Latin-1 every second byte may be a space: `à` ends in one.
_PARAMETER = re.compile(r"(?<=[?&#])([^=&?#\s\"'<>]+)=([^&#\s\"'<>]*)", re.ASCII)
_FORM = re.compile(r"(?:^|(?<=&))([^=&\s]+)=([^&\s]*)", re.ASCII)
# A name may be spelled in code points, as by a library that writes ASCII alone.
_MEMBER = re.compile(
    r'"([^"\\]*(?:\\u[0-9a-fA-F]{4}[^"\\]*)*)"\s*:\s*"((?:[^"\\]|\\.)*)"', re.ASCII
)
# A part of multipart/form-data (RFC 7578), from the name to the line end before the boundary.
_PART = re.compile(
    r'; ?name="([^"\r\n]*)"[^\r\n]*\r\n(?:[^\r\n]+\r\n){0,8}\r\n(.*?)(?=\r\n--|\Z)', re.DOTALL
)
_CREDENTIAL = re.compile(r"([\w-]+)=\"?([^\s,;\"]+)", re.ASCII)
_USERINFO = re.compile(r"(?<=://)[^/?#@\s]+(?=@)", re.ASCII)

# The escapes of URLs (RFC 3986, 2.1), of strings in JSON (RFC 8259, 7), and of bytes in what Python
# says of a bad header. One that the end of a body has cut short means nothing, nor does the first
# half of a surrogate pair there.
_PERCENT = re.compile(rb"%[0-9a-fA-F]{2}|%[0-9a-fA-F]?\Z")
_BACKSLASH = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
    rb"(?:\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z)|"
    rb"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\[\"\\/bfnrt]|\\(?:u[0-9a-fA-F]{0,3})?\Z"
)
_ESCAPE = re.compile(_PERCENT.pattern + b"|" + _BACKSLASH.pattern)
# How often they are undone.
_DEPTH = 2
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _as_sent(text: str) -> bytes:
    """The bytes that a text of a cassette stands for."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


@lru_cache(1024)
def _meaning(escape: bytes) -> bytes:
    try:
        if escape.startswith(b"\\x"):
            return bytes.fromhex(escape[2:].decode())
        if escape.startswith(b"\\"):
            return str.encode(json.loads(b'"%b"' % escape), "utf-8", "surrogatepass")
    except ValueError:
        return b""  # it is cut short
    return bytes.fromhex(escape[1:].decode()) if len(escape) == 3 else b""


def _unescaped(escape: re.Pattern[bytes], data: bytes) -> bytes:
    return escape.sub(lambda match: _meaning(match[0]), data)


def _plain(name: str) -> str:
    """A name, however it is spelled."""
    data = _unescaped(_ESCAPE, _as_sent(name))
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.lower().removesuffix("[]")


def _names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_plain, names))


@attrs.frozen
class Scrubber:
    """What is taken out of a cassette, beyond what everybody wants to be.

    Always scrubbed: headers such as ``Authorization``, ``Cookie`` and ``X-API-Key``; parameters
    such as ``key``, ``access_token`` and ``sig``, in URLs wherever they stand and in forms that
    are sent; strings of those names in JSON that is sent; tokens and passwords by their full names,
    such as ``access_token``, in JSON that is received; user and password in URLs; and the values of
    all of these where they turn up again, from eight bytes on: in UTF-8 or Latin-1, escaped as in
    URLs or JSON, or in base64. Not scrubbed: what else a server says in a body, and what is
    compressed; ask for ``identity`` while you record.

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
        sent = self._own(mask.body(request.body))
        received = self._own(mask.body(received, is_cut=exchange.end.end != "complete"))
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
            _note(_as_sent(password or user), secrets)  # a user alone is a token
            return _SCRUBBED

        def parameter(match: re.Match[str]) -> str:
            if not self._is_secret(match[1], _FIELD, _SHORT):
                return match[0]
            _note(_as_sent(match[2]), secrets)
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
            _note(_as_sent(word), secrets)
        return _SCRUBBED

    def _credentials(self, value: str) -> list[str]:
        """What is secret in a header: all of it, or what follows the scheme (RFC 9110, 11.4)."""
        value = value.strip(_SPACE)
        scheme, _, rest = value.partition(" ")
        words = [value, rest.strip(_SPACE)]
        if scheme.lower() == "basic":
            try:
                words.append(base64.b64decode(rest).partition(b":")[2].decode("latin-1"))
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
        name = _plain(name)
        if name in self.names:
            return True
        return name not in self.keep and any(pattern.search(name) for pattern in patterns)


class _Mask:
    """Finds secrets wherever they are, and covers them by as many asterisks."""

    def __init__(self, secrets: Collection[bytes]) -> None:
        self._words = secrets

    def text(self, text: str) -> str:
        data = _as_sent(text)
        masked = self.body(data)
        if masked == data:
            return text
        is_latin = len(data) == len(text)
        return masked.decode("latin-1") if is_latin else masked.decode("utf-8", "replace")

    def body(self, data: bytes, *, is_cut: bool = False) -> bytes:
        """Cover them in a body; where it ``is_cut``, what begins one at its end, too."""
        if not self._words:
            return data
        covered = bytearray(data)
        for reading in _readings(data):
            for place in self._found(reading.data, is_cut=is_cut):
                start, end = map(reading.origin, place)
                covered[start:end] = b"*" * (end - start)
        return bytes(covered)

    def _found(self, data: bytes, *, is_cut: bool) -> Iterator[tuple[int, int]]:
        """Where they are, from and to."""
        data = _plus(data)
        for word in self._words:
            start = data.find(word)
            while start >= 0:
                yield start, start + len(word)
                start = data.find(word, start + len(word))
            if is_cut:
                start = data.find(word[:_MIN_SECRET], max(0, len(data) - len(word)))
                while start >= 0 and not word.startswith(data[start:]):
                    start = data.find(word[:_MIN_SECRET], start + 1)
                if start >= 0:
                    yield start, len(data)

    def headers(self, headers: HeaderPairs, *, grown: int) -> HeaderPairs:
        """Cover them in headers of a body that has ``grown`` by so many bytes."""
        pairs: list[tuple[str, str]] = []
        for name, value in headers:
            if grown and name.lower() == "content-length" and value.isdecimal():
                pairs.append((name, str(int(value) + grown)))
            else:
                pairs.append((name, self.text(value)))
        return tuple(pairs)


class _Reading:
    """A text as it stands or, of an ``outer`` one, with its escapes undone.

    Attributes:
        data: The text.
    """

    def __init__(self, data: bytes, outer: _Reading | None = None) -> None:
        self.data = data
        self._outer = outer

    def unescaped(self) -> _Reading:
        return _Reading(_unescaped(_ESCAPE, self.data), self)

    def origin(self, position: int) -> int:
        """Where a position was before any escape was undone."""
        if self._outer is None:
            return position
        here, there = self._marks
        mark = bisect_right(here, position) - 1
        return self._outer.origin(there[mark] + position - here[mark])

    @cached_property
    def _marks(self) -> tuple[list[int], list[int]]:
        """Where escapes, and what is between them, begin: here, and in the outer text.

        Most texts hold no secret, and never need them.
        """
        here, there = [0], [0]
        assert self._outer is not None
        for escape in _ESCAPE.finditer(self._outer.data):
            here.append(here[-1] + escape.start() - there[-1])
            here.append(here[-1] + len(_meaning(escape[0])))
            there += escape.span()
        return here, there


def _readings(data: bytes) -> Iterator[_Reading]:
    """A text as it stands, and as it is meant."""
    reading = _Reading(data)
    yield reading
    for _ in range(_DEPTH):
        if not _ESCAPE.search(reading.data):
            return
        reading = reading.unescaped()
        yield reading


def _plus(data: bytes) -> bytes:
    """A text with one spelling of a space: that of forms, of the same length."""
    return data.replace(b" ", b"+")


def _note(word: bytes, secrets: set[bytes]) -> None:
    """Remember a secret, as it stands and as it is meant, in UTF-8, Latin-1 and base64."""
    if word == _SCRUBBED.encode() or not word.strip(b"*"):
        return
    for each in (word, word.replace(b"+", b" ")):
        meant = {each}
        for _ in range(_DEPTH):
            kinds = (_PERCENT, _BACKSLASH, _ESCAPE)
            meant |= {_unescaped(kind, data) for data in meant for kind in kinds}
        # Twice: what is found in one charset may have been misread in the other.
        sent = {form for data in meant for form in _encoded(data)}
        for form in {form for data in sent for form in _encoded(data)}:
            in_base64 = base64.b64encode(form).rstrip(b"=")
            forms = (_plus(form), in_base64, in_base64.translate(_URL_SAFE))
            secrets.update(form for form in forms if len(form) >= _MIN_SECRET)


def _encoded(data: bytes) -> Iterator[bytes]:
    """The bytes, and others for the texts that they may be taken for."""
    # Some servers keep bytes that are not UTF-8 as surrogates.
    texts = [data.decode("utf-8", errors) for errors in ("replace", "surrogateescape")]
    for text in (*texts, data.decode("latin-1")):
        yield text.encode("utf-8", "surrogatepass")
        yield _as_sent(text)


def _cut_like(chunks: Iterable[RecordedChunk], body: bytes) -> Iterator[RecordedChunk]:
    """The pieces of another body: of the same sizes, the last one with what is left."""
    chunks = list(chunks)
    position = 0
    for chunk in chunks:
        end = len(body) if chunk is chunks[-1] else position + len(chunk.data)
        if piece := body[position:end]:
            yield RecordedChunk(chunk.at, piece)
        position = end
