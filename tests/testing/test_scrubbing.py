"""Secrets do not get into a cassette."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote, quote_plus

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.testing.recorded import exchanges
from trio_stream.testing import (
    Exchange,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
    RecordedRequest,
    Scrubber,
)

SECRET = 'sk-proj/4f+9 0b"é'
# In its UTF-8 are bytes that are spaces in Latin-1, at its end, too.
ODD = "p%41ß/(à)\\n+ 'Å"
FORM = ("content-type", "application/x-www-form-urlencoded")
PARTS = ("Content-Type", "multipart/form-data; boundary=x")


def parts(password: str) -> bytes:
    return (
        '--x\r\nContent-Disposition: form-data; name="password"\r\nContent-Type: text/plain\r\n'
        f'\r\n{password}\r\n--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n--x--\r\n'
    ).encode()


def exchange(
    *, url: str = "http://x/", headers: Any = (), body: bytes = b"", answer: Any = (),
    chunks: Any = (), error: str = "",
) -> Exchange:  # fmt: skip
    return Exchange(
        RecordedRequest("GET", url, tuple(headers), body),
        0.0,
        RecordedHead(0.0, 200, headers=tuple(answer)),
        tuple(RecordedChunk(number + 1.0, data) for number, data in enumerate(chunks)),
        RecordedEnd(9.0, "complete", error),
    )


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "proxy-authorization", "Cookie", "X-API-Key", "api-key", "x-goog-api-key",
        "X-Auth-Token", "x-amz-security-token", "X-CSRF-Token", "X-Client-Secret", "Mcp-Session-Id",
        "X-Hub-Signature-256", "ocp-apim-subscription-key", "x-mine", "X_API_Key_ID",
        "OK-ACCESS-KEY", "ok-access-passphrase", "OK-ACCESS-SIGN", "X-Bearer", "X-PWD",
        "Authentication",
    ],
)  # fmt: skip
def test_headers_that_are_secrets(name: str) -> None:
    """A header that goes by the name of a secret loses its value, in requests and responses."""
    scrubbed = Scrubber(names=["X-Mine"]).scrub(
        exchange(headers=[(name, SECRET)], answer=[(name, SECRET)])
    )

    assert scrubbed.request.headers == ((name, "SCRUBBED"),)
    assert scrubbed.head is not None
    assert scrubbed.head.headers == ((name, "SCRUBBED"),)


@pytest.mark.parametrize(
    "name",
    [
        "x-ratelimit-remaining-tokens", "anthropic-ratelimit-tokens-limit", "Idempotency-Key",
        "x-request-id", "Last-Event-ID", "content-type", "WWW-Authenticate", "x-api-key",
        "Surrogate-Key", "X-Cache-Key",
    ],
)  # fmt: skip
def test_headers_that_are_not(name: str) -> None:
    """What only looks like a secret stays, and what the caller says is none."""
    kept = exchange(headers=[(name, SECRET)], answer=[(name, SECRET)])

    assert Scrubber(keep=["X-Api-Key"]).scrub(kept) == kept


@pytest.mark.parametrize(
    ("url", "scrubbed"),
    [
        ("https://u:p@x/?a=1", "https://SCRUBBED@x/?a=1"),
        ("https://x/?key=12345678&alt=sse", "https://x/?key=SCRUBBED&alt=sse"),
        ("https://x/?a=1&X-Amz-Signature=ab%2F&access_token=c",
         "https://x/?a=1&X-Amz-Signature=SCRUBBED&access_token=SCRUBBED"),
        ("https://x/?apiKey=1&sig=2&AWSAccessKeyId=3",
         "https://x/?apiKey=SCRUBBED&sig=SCRUBBED&AWSAccessKeyId=SCRUBBED"),
        ("https://x/?max_tokens=5&monkey=6&sort_key=7#part",
         "https://x/?max_tokens=5&monkey=6&sort_key=7#part"),
        ("https://x/#access_token=5", "https://x/#access_token=SCRUBBED"),
        ("https://x/?api%5Fkey=1&token[]=2", "https://x/?api%5Fkey=SCRUBBED&token[]=SCRUBBED"),
        ("https://x/?mine=1", "https://x/?mine=SCRUBBED"),
    ],
)  # fmt: skip
def test_urls(url: str, scrubbed: str) -> None:
    """Parameters and user names are taken out of URLs, wherever a URL stands."""
    done = Scrubber(names={"mine"}).scrub(
        exchange(url=url, answer=[("Location", url), ("Link", f"<{url}>")], error=f"no {url} here")
    )

    assert done.request.url == scrubbed
    assert done.head is not None
    assert done.head.headers == (("Location", scrubbed), ("Link", f"<{scrubbed}>"))
    assert done.end.error == f"no {scrubbed} here"


@pytest.mark.parametrize(
    ("headers", "body", "scrubbed"),
    [
        ([FORM], b"grant=x&client_secret=abc%20&code=12", b"grant=x&client_secret=******&code=**"),
        ([], b'{"api_key": "ab\\"c", "n": 1}', b'{"api_key": "*****", "n": 1}'),
        ([], b'[{"password":"","aToken":"x\xc3\xa9"}]', b'[{"password":"","aToken":"***"}]'),
        ([], b'{"code": "print()", "key": "k", "max_tokens": "9"}', None),
        ([], b'{"mine": "abc"}', b'{"mine": "***"}'),
        ([], b"client_secret=abc", None),
        ([FORM], b'{"api_key": "abc"}', None),
        ([PARTS], parts("a\r\nb"), parts("****")),
    ],
)  # fmt: skip
def test_bodies_that_are_sent(headers: Any, body: bytes, scrubbed: bytes | None) -> None:
    """Fields of forms and strings of JSON are covered, and lengths stay what they were."""
    done = Scrubber(names={"mine"}).scrub(exchange(headers=headers, body=body))

    assert done.request.body == (body if scrubbed is None else scrubbed)
    assert len(done.request.body) == len(body)


@pytest.mark.parametrize(
    "sent",
    [
        exchange(headers=[("Authorization", "Bearer 4f9a0b7c8d")]),
        exchange(headers=[("x-api-key", "4f9a0b7c8d")]),
        exchange(headers=[("cookie", "a=b; sid=4f9a0b7c8d")]),
        exchange(answer=[("set-cookie", "sid=4f9a0b7c8d; Path=/")]),
        exchange(url="http://x/?key=4f9a0b7c8d"),
        exchange(url="http://u:4f9a0b7c8d@x/"),
        exchange(headers=[FORM], body=b"code=4f9a0b7c8d"),
        exchange(body=b'{"token": "4f9a0b7c8d"}'),
        exchange(url="http://4f9a0b7c8d@x/"),
        exchange(headers=[("cookie", 'sid="4f9a0b7c8d"')]),
        exchange(headers=[("Authorization", "Basic " + b64encode(b"u:4f9a0b7c8d").decode())]),
        exchange(headers=[("Authorization", "Basic 4f9a0b7c8d")]),
        exchange(
            headers=[
                (
                    "Authorization",
                    "AWS4-HMAC-SHA256 Credential=A/b, SignedHeaders=host, Signature=4f9a0b7c8d",
                )
            ]
        ),
        exchange(headers=[("Authorization", 'OAuth a="1",oauth_token="4f9a0b7c8d"')]),
    ],
)
def test_secret_is_found_wherever_it_is(sent: Exchange) -> None:
    """What was found in one place is covered in all others, in the middle of a piece or across."""
    chunks = [b"data: no such key: 4f9", b"a0b7c8d\n\n", b"4f9a0b7c8d4f9a"]
    assert sent.head is not None
    told = attrs.evolve(
        sent,
        head=attrs.evolve(
            sent.head, reason="4f9a0b7c8d?", headers=(*sent.head.headers, ("x", "4f9a0b7c8d!"))
        ),
        chunks=tuple(RecordedChunk(1.0, data) for data in chunks),
        end=RecordedEnd(2.0, "cut", "for 4f9a0b7c8d"),
    )
    done = Scrubber().scrub(told)

    assert [chunk.data for chunk in done.chunks] == [
        b"data: no such key: ***", b"*******\n\n", b"**********4f9a"
    ]  # fmt: skip
    assert "4f9a0b7c8d" not in repr(done)


def test_secret_is_found_in_other_spellings() -> None:
    """A value that is escaped in one way is found where it is escaped in another, or in none."""
    escaped = quote(SECRET, safe="")
    lower = escaped.replace("%2F", "%2f").replace("%2B", "%2b").replace("%C3%A9", "%c3%a9")
    in_json = json.dumps(SECRET)[1:-1]
    spellings = [
        SECRET, escaped, lower, quote_plus(SECRET), in_json, in_json.replace("/", "\\/"),
        b64encode(SECRET.encode()).decode(),
    ]  # fmt: skip
    chunks = [f"{spelling} ".encode() for spelling in spellings]
    for told in (
        exchange(url=f"http://x/?key={escaped}", chunks=chunks),
        exchange(url=f"http://x/?key={quote(SECRET)}", chunks=chunks),
        exchange(headers=[FORM], body=f"key={quote_plus(SECRET)}".encode(), chunks=chunks),
        exchange(body=json.dumps({"api_key": SECRET}).encode(), chunks=chunks),
        exchange(body=json.dumps({"api_key": SECRET}, ensure_ascii=False).encode(), chunks=chunks),
    ):
        assert not Scrubber().scrub(told).body.replace(b"*", b"").replace(b"=", b"").strip()


def latin(data: bytes) -> str:
    """The text of a header in a cassette."""
    return data.decode("latin-1")


def code_points(text: str) -> str:
    """What a library writes that escapes as much as it may, in capitals."""
    units = text.encode("utf-16-be").hex().upper()
    return "".join("\\u" + units[at : at + 4] for at in range(0, len(units), 4))


def spellings(secret: str, sent: bytes) -> list[bytes]:
    """What may become of a secret on its way through clients and servers."""
    in_json, readable = (json.dumps(secret, ensure_ascii=each)[1:-1] for each in (True, False))
    return [
        sent,
        secret.encode(),
        secret.encode("latin-1" if max(secret) < "Ā" else "utf-8"),
        quote(sent, safe="").encode(),
        quote(sent, safe="/:@!$&'()*+,;=").encode(),  # as an HTTP client does in a path
        quote_plus(secret).encode(),
        "".join(f"%{byte:02x}" for byte in sent).encode(),
        in_json.encode(),
        in_json.replace("/", "\\/").encode(),
        readable.encode(),
        code_points(secret).encode(),
        json.dumps(in_json)[1:-1].encode(),
        json.dumps(quote(readable))[1:-1].encode(),
        json.dumps(latin(sent))[1:-1].encode(),  # by a server that takes headers for Latin-1
        json.dumps(sent.decode("utf-8", "surrogateescape"))[1:-1].encode(),  # or for UTF-8
        sent.decode("utf-8", "replace").encode(),
        repr(sent + b"\"'")[2:-4].replace("\\'", "'").encode(),  # of a header that is not allowed
        b64encode(sent),
        urlsafe_b64encode(sent).rstrip(b"="),
    ]


PLACES: dict[str, Any] = {
    "header": lambda sent: {"headers": [("x-api-key", latin(sent))]},
    "bearer": lambda sent: {"headers": [("authorization", "Bearer " + latin(sent) + "\n")]},
    "basic": lambda sent: {
        "headers": [("authorization", "Basic " + b64encode(b"u:" + sent).decode())]
    },
    "cookie": lambda sent: {"headers": [("cookie", "a=b; sid=" + latin(sent))]},
    "set-cookie": lambda sent: {"answer": [("set-cookie", f"sid={latin(sent)}; Path=/")]},
    "url": lambda sent: {"url": "http://x/?key=" + quote(sent, safe="")},
    "location": lambda sent: {"answer": [("location", "/?sig=" + quote(sent, safe=""))]},
    "error": lambda sent: {"error": f"no http://x/?key={quote(sent, safe='')} here"},
    "user": lambda sent: {"url": f"http://u:{quote(sent, safe='')}@x/"},
    "form": lambda sent: {"headers": [FORM], "body": b"key=" + quote_plus(sent).encode()},
    "part": lambda sent: {"headers": [PARTS], "body": parts("\0").replace(b"\0", sent)},
    "json": lambda sent: {"body": b'{"token":"%b"}' % sent.replace(b"\\", b"\\\\")},
    "answer": lambda sent: {"chunks": [b'{"access_token":"%b"}' % sent.replace(b"\\", b"\\\\")]},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("secret", "charset"),
    [
        ("geheim-ü-123456", "utf-8"), ("geheim-ü-123456", "latin-1"), (ODD, "utf-8"),
        (ODD, "latin-1"), ("ключ-пароль", "utf-8"), ("k😀y 😀😀 é", "utf-8"),
    ],
)  # fmt: skip
def test_secret_that_is_not_ascii(place: str, secret: str, charset: str) -> None:
    """A secret in UTF-8 or Latin-1 is found wherever it stands, in either and in any escapes."""
    sent = secret.encode(charset)
    told = [exchange(**PLACES[place](sent))]
    for spelled in spellings(secret, sent):
        text = f"<{latin(spelled)}>"
        told.append(
            exchange(
                url="http://x/" + text, body=text.encode("latin-1"), answer=[("x", text)],
                chunks=[b"<" + spelled[:5], spelled[5:] + b">"], error=text,
            )
        )  # fmt: skip
        text = f"☃<{spelled.decode('utf-8', 'surrogateescape')}>"  # no bytes of a header
        told.append(exchange(url="http://x/" + text, answer=[("x", text)], error=text))
    for done in Scrubber().scrub_all(told)[1:]:
        assert done.head is not None
        shown = [done.request.url[9:], *dict(done.head.headers).values(), done.end.error]
        shown += [latin(done.request.body), latin(done.body)]
        assert not "".join(shown).strip("<*=>☃"), shown


@pytest.mark.parametrize(
    ("url", "scrubbed"),
    [
        ("http://x/?key=geheim-ü-123456&a=ü", "http://x/?key=SCRUBBED&a=ü"),
        ("http://u:geheim-ü-123456@x/ü", "http://SCRUBBED@x/ü"),
        (
            "http://x/geheim-ü-123456/☃/geheim-ü-123456",
            "http://x/****************/☃/****************",
        ),
    ],
)
def test_urls_that_were_written_by_hand(url: str, scrubbed: str) -> None:
    """A raw letter in a URL is taken for UTF-8 and for Latin-1, and innocent ones stay."""
    told = exchange(
        url=url, headers=[("x-api-key", "geheim-ü-123456")],
        chunks=["geheim-ü-123456".encode(), "geheim-ü-123456".encode("latin-1")],
    )  # fmt: skip
    alone = attrs.evolve(told, request=attrs.evolve(told.request, headers=()))
    done = Scrubber().scrub(told)

    assert done.request.url == scrubbed
    assert done.body == b"*" * 31
    assert "SCRUBBED" not in scrubbed or Scrubber().scrub(alone).body == b"*" * 31


@pytest.mark.parametrize("name", ["schlüssel", "SCHLÜSSEL", "schl%C3%BCssel"])
@pytest.mark.parametrize(
    ("told", "hidden"),
    [
        (exchange(url="http://x/?schlüssel=geheim12"), "SCRUBBED"),
        (exchange(url="http://x/?a=1&schl%C3%BCssel=geheim12"), "SCRUBBED"),
        (exchange(url="http://x/?Schl%fcssel[]=geheim12"), "SCRUBBED"),
        (exchange(headers=[FORM], body=b"schl%C3%BCssel=geheim12"), "********"),
        (exchange(headers=[FORM], body="schlüssel=geheim12".encode()), "********"),
        (exchange(headers=[PARTS], body=parts("geheim12").replace(b"password", b"schl\xfcssel")),
         "********"),
        (exchange(body='{"schlüssel": "geheim12"}'.encode()), "********"),
        (exchange(body=b'{"schl\\u00fcssel": "geheim12"}'), "********"),
        (exchange(body=b'{"Schl\\u00DCssel": "geheim12"}'), "********"),
        (exchange(answer=[(latin("x-schlüssel".encode()), "geheim12")]), "geheim12"),
        (exchange(answer=[(latin("schlüssel".encode()), "geheim12")]), "SCRUBBED"),
        (exchange(chunks=['{"schlüssel": "geheim12"}'.encode()]), "********"),
    ],
)  # fmt: skip
def test_names_that_are_not_ascii(name: str, told: Exchange, hidden: str) -> None:
    """A name is the same in UTF-8, in Latin-1 and escaped, in any case."""
    done = repr(Scrubber(names=[name]).scrub(told))

    assert hidden in done
    assert ("geheim12" in done) == (hidden == "geheim12")


def test_names_in_escapes() -> None:
    """A name that is escaped although it need not be is the same, and so is one to keep."""
    body = b'{"pass\\u0077ord": "geheim12", "\\u0061pi_key": "87654321"}'

    assert Scrubber(keep=["api_key"]).scrub(exchange(body=body)).request.body == (
        b'{"pass\\u0077ord": "********", "\\u0061pi_key": "87654321"}'
    )


def test_utf_8_is_no_space() -> None:
    """A byte of a letter that would be a space in Latin-1 ends no value: none of it stays."""
    secret = "à1234Å678à"
    raw = latin(secret.encode())
    done = Scrubber().scrub(
        exchange(
            url="http://u:àà@x/", headers=[FORM, ("x", f"http://{raw}@x/?key={raw}&a=à")],
            body=f"code={secret}&a=à".encode(),
            answer=[("authorization", f'OAuth a="à", oauth_token="{raw}"')],
            chunks=[raw.encode()],
        )
    )  # fmt: skip

    assert done.request.url == "http://SCRUBBED@x/"
    assert done.request.headers[1] == ("x", "http://SCRUBBED@x/?key=SCRUBBED&a=à")
    assert done.request.body == b"code=" + b"*" * len(raw) + "&a=à".encode()
    assert done.body == b"*" * len(raw.encode())


def test_only_the_secret_is_covered() -> None:
    """Escapes before, in and behind a secret stay in their places, and so do all lengths."""
    body = (
        rb'{"a":"100%25 \u00fc\ud83d\ude00\"geheim\u002D\u00fc\/%31\"\n","b":"geheim",'
        rb'"c":"%%41\q\xfc\u12"}'
        rb'{"d":"{\"e\":\"geheim-\\u00fc\\/1\\n\"}"}'
    )
    done = Scrubber().scrub(exchange(headers=[("x-api-key", "geheim-ü/1")], chunks=[body]))

    assert done.body == body.replace(rb"geheim\u002D\u00fc\/%31", b"*" * 23).replace(
        rb"geheim-\\u00fc\\/1", b"*" * 18
    )


@pytest.mark.parametrize("spell", [str, quote, code_points, lambda text: json.dumps(text)[1:-1]])
def test_secret_is_found_where_an_escape_is_cut_off(spell: Any) -> None:
    """Wherever a body ends, of a secret that it begins no 8 bytes are left, escaped or not."""
    secret = "x😀yü1234567"
    spelled = "".join(map(spell, secret)).encode()
    for size in range(len(spelled) + 1):
        whole = [n for n in range(12) if len("".join(map(spell, secret[:n])).encode()) <= size][-1]
        told = exchange(
            headers=[("x-api-key", latin(secret.encode()))], chunks=[b"key: x" + spelled[:size]]
        )
        done = Scrubber().scrub(attrs.evolve(told, end=RecordedEnd(2.0, "cut")))
        is_found = len(secret[:whole].encode()) >= 8

        assert done.body == b"key: x" + (b"*" * size if is_found else spelled[:size]), size


def test_beginning_of_a_secret_is_found_behind_another() -> None:
    """What only looks like the cut secret, before it, does not hide it."""
    told = exchange(headers=[("x-api-key", "ababababcdefgh")], chunks=[b"ababababababcd"])
    cut = attrs.evolve(told, end=RecordedEnd(2.0, "reset"))

    assert Scrubber().scrub(cut).body == b"abab**********"


@pytest.mark.parametrize("text", ["geheim-\udc80-1234", "\ud83dgeheim-☃ü1234\ude00\ud83d"])
def test_surrogates(text: str) -> None:
    """Half a character, which a cassette may hold, is no reason to fail, and hides no secret."""
    for told in (
        exchange(headers=[("authorization", f"Bearer {text}"), ("x", text)]),
        exchange(url=f"http://x/?key={text}", answer=[("x", text)], error=text),
        exchange(url=f"http://{text}@x/{text}"),
        exchange(error=f"no http://x/?key={text} for {text}", headers=[("x", text)]),
        exchange(headers=[("cookie", f"sid={text}")], chunks=[json.dumps(text).encode()]),
        exchange(body=json.dumps({"token": text}).encode(), answer=[("x", text)]),
    ):
        done = repr(Scrubber(names=[text]).scrub(told))

        assert "geheim" not in done
        assert "1234" not in done


PIECES = [
    "http://", "@", "?", "&", "=", "key", "token", ":", '"', "\\", "\\u", "\\ud83d", "%", "%C3",
    "%fc", "ü", "à", "☃", "😀", "\ud83d", "\udcfc", "geheim-ü-1", "geheim-1234", " ", "+", "Basic ",
    "; ", "*",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
NAMES = st.sampled_from(["authorization", "cookie", "set-cookie", "content-type", "x", "ü"])


@given(TEXTS, st.lists(st.tuples(NAMES, TEXTS), max_size=3), TEXTS, TEXTS, st.booleans())
def test_no_text_fails(url: str, headers: Any, body: str, error: str, is_form: bool) -> None:
    """Whatever stands in a cassette, it is scrubbed, and the pieces of bodies keep their sizes."""
    data = body.encode("utf-8", "surrogatepass")
    told = exchange(
        url=url, headers=[FORM, *headers] if is_form else headers, body=data, answer=headers,
        chunks=[each for each in (data[:7], data[7:]) if each], error=error,
    )  # fmt: skip
    done = Scrubber(names=[body]).scrub(attrs.evolve(told, end=RecordedEnd(9.0, "cut", error)))

    assert len(done.request.body) == len(data)
    assert [len(chunk.data) for chunk in done.chunks] == [len(chunk.data) for chunk in told.chunks]


def test_secret_is_found_in_every_exchange() -> None:
    """What one answer has brought and the next request sends is covered in both, and later."""
    token = "4f9a0b7c8d"
    done = Scrubber().scrub_all([
        exchange(chunks=[f'{{"hint": "{token}"}}'.encode()]),
        exchange(headers=[("authorization", f"Bearer {token}")]),
        exchange(chunks=[token.encode()]),
    ])  # fmt: skip

    assert [each.body for each in done] == [b'{"hint": "**********"}', b"", b"**********"]


@pytest.mark.parametrize(
    ("body", "scrubbed"),
    [
        (b'{"access_token": "abc", "expires_in": 5}', b'{"access_token": "***", "expires_in": 5}'),
        (b'{"refreshToken":"ab","api_key":"x"}', b'{"refreshToken":"**","api_key":"*"}'),
        (b'data: {"token": " the", "code": "x", "key": "y", "signature": "z"}', None),
        (b'{"arguments": "{\\"password\\": \\"abc\\"}"}', None),
    ],
)  # fmt: skip
def test_bodies_that_are_received(body: bytes, scrubbed: bytes | None) -> None:
    """Of an answer, tokens and passwords by their full names are covered, and no content is."""
    assert Scrubber().scrub(exchange(chunks=[body])).body == (scrubbed or body)


def test_secret_is_found_where_it_is_cut_off() -> None:
    """The beginning of a secret at the end of a body that was cut is covered, from 8 bytes on."""
    told = exchange(headers=[("x-api-key", "4f9a0b7c8d")], chunks=[b"no such key: 4f9a0b7c"])
    cut = attrs.evolve(told, end=RecordedEnd(2.0, "reset"))

    assert Scrubber().scrub(cut).body == b"no such key: ********"
    assert Scrubber().scrub(told).body == b"no such key: 4f9a0b7c"


def test_short_words_are_not_looked_for() -> None:
    """A secret of a few letters is taken out of its place, and no other."""
    done = Scrubber().scrub(exchange(url="http://data/?key=data", chunks=[b"data: x"]))

    assert done.request.url == "http://data/?key=SCRUBBED"
    assert done.body == b"data: x"


@pytest.mark.parametrize(
    ("body", "pieces", "length"),
    [
        (bytes.upper, [b"AB", b"CDE", b"F"], "6"),
        (lambda data: data[:4], [b"ab", b"cd"], "4"),
        (lambda data: data + b"gh", [b"ab", b"cde", b"fgh"], "8"),
        (lambda data: b"", [], "0"),
    ],
)
def test_scrubber_of_ones_own(body: Any, pieces: list[bytes], length: str) -> None:
    """The caller sees each body whole; its pieces keep their sizes, and its length is told."""
    recorded = exchange(
        headers=[("Content-Length", "6")], body=b"abcdef",
        answer=[("content-length", "6"), ("x", "6")], chunks=[b"ab", b"cde", b"f"],
    )  # fmt: skip
    done = Scrubber(body=body).scrub(recorded)

    assert [chunk.data for chunk in done.chunks] == pieces
    assert done.request.body == b"".join(pieces)
    assert done.request.headers == (("Content-Length", length),)
    assert done.head is not None
    assert done.head.headers == (("content-length", length), ("x", "6"))


@given(exchanges(0))
def test_nothing_else_is_touched(recorded: Exchange) -> None:
    """An exchange without secrets stays as it is, byte for byte, and so does a scrubbed one."""
    assert Scrubber().scrub(recorded) == recorded


def test_scrubbed_stays_scrubbed() -> None:
    """To scrub twice is to scrub once."""
    body = json.dumps({"api_key": "4f9a0b7c8d"}).encode()
    recorded = exchange(
        url="http://u:12345678@x/?key=87654321", headers=[("authorization", "Bearer SCRUBBED")],
        body=body, chunks=[b"SCRUBBED 12345678 4f9a0b7c8d"],
    )  # fmt: skip
    once = Scrubber().scrub(recorded)

    assert once.body == b"SCRUBBED ******** **********"
    assert Scrubber().scrub(once) == once


@pytest.mark.parametrize(
    "piece",
    [
        "?",
        "&",
        "=",
        "://",
        "@",
        "a=",
        '"',
        '":"',
        "\\",
        '\\"',
        " ",
        "?a",
        "%",
        '"\\u0041',
        "ü",
        '; name="a"\r\n',
        "4f9a0b7c",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    """A server cannot hold up the scrubber: 200 kB of any pattern are looked through at once."""
    flood = piece * (200_000 // len(piece))
    recorded = exchange(
        url=f"http://x/?key=4f9a0b7c8d&{flood}",
        headers=[FORM, ("x", flood)], body=flood.encode(), answer=[("location", flood)],
        chunks=[flood.encode()], error=flood,
    )  # fmt: skip
    plain = attrs.evolve(recorded, request=attrs.evolve(recorded.request, headers=()))
    parts = attrs.evolve(recorded, request=attrs.evolve(recorded.request, headers=(PARTS,)))

    for each in (recorded, plain, parts):
        assert "4f9a0b7c8d" not in repr(Scrubber().scrub(each))
