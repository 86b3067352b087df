"""Heads of responses, good and bad, as RFC 9112 (HTTP/1.1) and RFC 9110 (HTTP) have them."""

from __future__ import annotations

from importlib import import_module

import pytest

from tests.transport.raw_server import (
    OK,
    Peer,
    each_family,
    exchange,
    exchange_if_taken,
    raw,
    refused,
)

BODY = b"Content-Length: 2\r\n\r\nok"


def with_field(line: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + line + b"\r\n" + BODY


# ---- where it is cut into pieces -----------------------------------------------------------


@each_family
async def test_head_is_split_anywhere(family: str) -> None:
    """A head means the same wherever TCP splits it, and leaves the connection in order."""
    answer = b"HTTP/1.1 200 Fine\r\nA: b\r\nX-Two:  c d\t\r\nX-Two:\r\nContent-Length: 2\r\n\r\nok"
    splits = [(answer[:at], answer[at:]) for at in range(1, len(answer))]
    splits.append(tuple(answer[at : at + 1] for at in range(len(answer))))

    async def talk(peer: Peer) -> None:
        for pieces in splits:
            await peer.answer(*pieces)
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in splits:
            response = await client.get(server.url)
            assert response.status_code == 200
            assert response.reason_phrase == "Fine"
            assert response.http_version == "HTTP/1.1"
            assert response.content == b"ok"
            assert response.headers.raw == [
                (b"A", b"b"),
                (b"X-Two", b"c d"),
                (b"X-Two", b""),
                (b"Content-Length", b"2"),
            ]
        assert len(server.peers) == 1


# ---- the status line (RFC 9112, 4) ---------------------------------------------------------


@each_family
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"HTTP/1.1 200 OK", "OK"),
        (b"HTTP/1.1 200 ", ""),  # the phrase may be empty
        (b"HTTP/1.1 200", ""),  # common, and a client ignores the phrase anyway
        (b"HTTP/1.1 200 All \t is well", "All \t is well"),
        (b"HTTP/1.1 200 Sch\xf6n", None),  # obs-text, in whatever charset
    ],
)
async def test_reason_phrase_says_nothing(family: str, line: bytes, reason: str | None) -> None:
    """A reason phrase may be anything or nothing (RFC 9112, 4: a client ignores it)."""
    response = await exchange(family, line + b"\r\n" + BODY)
    assert (response.status_code, response.content) == (200, b"ok")
    assert reason is None or response.reason_phrase == reason


@each_family
@pytest.mark.parametrize(
    "line",
    [
        b"http/1.1 200 OK",  # the name is case-sensitive (RFC 9112, 2.3)
        b"HTTP/2.0 200 OK",  # another major version is another syntax (RFC 9110, 2.5)
        b"HTTP/0.9 200 OK",
        b"HTTP/3.0 200 OK",
        b"HTTP/1 200 OK",
        b"HTTP/11 200 OK",
        b"HTTP/1.11 200 OK",
        b"HTTP/a.b 200 OK",
        b"HTTP 200 OK",
        b"HTTPS/1.1 200 OK",
        b"RTSP/1.0 200 OK",  # other protocols that look alike
        b"ICE/1.0 200 OK",
        b"ICY 200 OK",
        b"GET / HTTP/1.1",
        b" HTTP/1.1 200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1 20 OK",  # three digits, no more, no less (RFC 9112, 4)
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 abc OK",
        b"HTTP/1.1 2a0 OK",
        b"HTTP/1.1 -20 OK",
        b"HTTP/1.1 0x1 OK",
        b"HTTP/1.1 OK",
        b"HTTP/1.1",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 200 O\0K",
        b"SSH-2.0-OpenSSH_9.9",
        b"220 mail.test ESMTP",
        b"+OK",
        b"<html>",
        b'{"error": "no HTTP here"}',
        b"\x15\x03\x01\x00\x02\x02\x46",  # an alert of TLS
        b"\x00" * 24,
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",  # the SETTINGS of HTTP/2
    ],
)
async def test_bad_status_line(family: str, line: bytes) -> None:
    """What does not begin with a status line of HTTP/1.x is no response (RFC 9112, 4)."""
    assert await refused(family, line + b"\r\n" + BODY, stay=False)


@each_family
@pytest.mark.parametrize("status", [b"000", b"001", b"099", b"600", b"999"])
async def test_status_out_of_range(family: str, status: bytes) -> None:
    """A status beyond 100..599 is invalid, at best an error, and never passed over (9110, 15)."""
    answer = b"HTTP/1.1 " + status + b" OK\r\nContent-Length: 0\r\n\r\n"
    for behind in (b"", OK):
        response = await exchange_if_taken(family, answer + behind)
        if response is not None:
            assert not response.is_success
            assert not response.is_informational


@each_family
@pytest.mark.parametrize("status", [200, 299, 301, 418, 451, 500, 599])
async def test_any_status_has_its_body(family: str, status: int) -> None:
    """A status that nobody knows is treated as that of its class (RFC 9110, 15)."""
    response = await exchange(family, b"HTTP/1.1 %d What\r\n" % status + BODY)
    assert (response.status_code, response.content) == (status, b"ok")


# ---- fields (RFC 9112, 5; RFC 9110, 5) -----------------------------------------------------


@each_family
@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        (b"X-Empty:", b"X-Empty", b""),
        (b"X-Empty: \t ", b"X-Empty", b""),
        (b"X:a", b"X", b"a"),
        (b"X: \t a b \t", b"X", b"a b"),  # white space around it is no part of a value
        (b"x-LOW-hIGH: a", b"x-LOW-hIGH", b"a"),
        (b"!#$%&'*+-.^_`|~09aZ: a", b"!#$%&'*+-.^_`|~09aZ", b"a"),  # a token
        (b"X: \xe4\xff\xf6\x80", b"X", b"\xe4\xff\xf6\x80"),  # obs-text
        (b"X: \xe2\x82\xac", b"X", b"\xe2\x82\xac"),
        (b'X: a:b;c="d\\"", e', b"X", b'a:b;c="d\\"", e'),
        (b"X: a\tb", b"X", b"a\tb"),
    ],
)
async def test_field_is_kept(family: str, line: bytes, name: bytes, value: bytes) -> None:
    """A field keeps the case of its name and the bytes of its value (RFC 9110, 5.1 and 5.5)."""
    response = await exchange(family, with_field(line))
    assert response.headers.raw[0] == (name, value)
    assert response.content == b"ok"


@each_family
@pytest.mark.parametrize(
    "line",
    [
        b"X : a",  # no white space before the colon (RFC 9112, 5.1)
        b"X\t: a",
        b" X: a",  # nor before the first field (RFC 9112, 2.2)
        b"X: a\r\n b",  # obs-fold, which a strict reader does not take (RFC 9112, 5.2)
        b"X: a\r\n\tb",
        b"X: a\r\n ",
        b": a",
        b"X",
        b"",  # the end of the head, and no length: read below
        b"X y: a",
        b"X@: a",
        b"X\xe4: a",
        b"X\0: a",
        b"X: a\0b",  # NUL, CR and LF are dangerous in values (RFC 9110, 5.5)
        b"X: a\rb",
        b"X: a\r",
        b"X: a\nY: b",  # a bare LF, which a strict reader does not take (RFC 9112, 2.2)
        b"X: a\n",
        b"X: a\x01b",  # control characters (RFC 9110, 5.5)
        b"X: a\x1bb",
        b"X: a\x7fb",
    ],
)
async def test_bad_field(family: str, line: bytes) -> None:
    """A line that is no field line makes no response, nor are two made of one."""
    if not line:
        response = await exchange(family, with_field(line))
        assert response.headers.raw == []
        assert response.content == BODY  # all that follows an empty line is content
    else:
        assert await refused(family, with_field(line))


@each_family
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\n", b"\n\r\n", b"\r\r\n", b"\r\n\r"])
async def test_head_ends_in_an_empty_line_only(family: str, end: bytes) -> None:
    """The end of a head is CRLF CRLF, and nothing that looks alike (RFC 9112, 2.1 and 2.2)."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2" + end + b"ok"
    assert await refused(family, answer, stay=False)


@each_family
@pytest.mark.parametrize("empty", [b"\r\n", b"\r\n\r\n"])
async def test_empty_lines_before_the_status_line(family: str, empty: bytes) -> None:
    """Empty lines before a response are skipped or refused, never a part of it."""
    response = await exchange_if_taken(family, empty + OK)
    if response is not None:
        assert (response.status_code, response.content) == (200, b"ok")


# ---- limits --------------------------------------------------------------------------------


@each_family
async def test_head_of_a_good_size(family: str) -> None:
    """A head of 60 KB with 128 fields is within the limits."""
    fields = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 460) for n in range(127))
    response = await exchange(family, b"HTTP/1.1 200 OK\r\n" + fields + BODY)
    assert len(response.headers.raw) == 128
    assert response.content == b"ok"


OVERSIZE = {
    "a long value": b"X: " + b"v" * 70_000,
    "a long name": b"X" * 70_000 + b": v",
    "many fields": b"\r\n".join(b"X-%d: v" % n for n in range(128)),
    "many bytes": b"\r\n".join(b"X-%d: %s" % (n, b"v" * 1000) for n in range(70)),
}


@each_family
@pytest.mark.parametrize("field", OVERSIZE.values(), ids=list(OVERSIZE))
async def test_oversize_head(family: str, field: bytes) -> None:
    """A head of more than 64 KiB or more than 128 fields is refused."""
    assert await refused(family, with_field(field))


@each_family
async def test_oversize_head_in_small_pieces(family: str) -> None:
    """A head that outgrows the limit drop by drop is refused like one in one piece."""
    pieces = [b"X-%d: %s\r\n" % (n, b"v" * 500) for n in range(200)]
    assert await refused(family, b"HTTP/1.1 200 OK\r\n", *pieces, BODY, max_headers=1000)


@each_family
@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (b"", b"H" * 4096),
        (b"", b"\r\n" * 2048),
        (b"HTTP/1.1 200 ", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\n", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\nX: ", b" " * 4096),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\n", b"X:\r\n" * 100),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    ],
    ids=[
        "junk",
        "empty lines",
        "phrase",
        "name",
        "white space",
        "value",
        "fields",
        "empty fields",
        "100 Continue",
        "103 Early Hints",
    ],
)
async def test_head_without_end(family: str, begin: bytes, more: bytes) -> None:
    """A head that never ends is given up, whatever it is made of."""

    async def talk(peer: Peer) -> None:
        await peer.request()
        await peer.send(begin)
        await peer.pour(more)

    async with raw(family, talk) as (client, server):
        with pytest.raises(import_module(family).RemoteProtocolError):
            await client.get(server.url)


@each_family
async def test_limits_are_the_callers(family: str) -> None:
    """Both limits on heads can be set."""
    answer = with_field(b"A: b\r\nX: " + b"v" * 1000)
    assert (await exchange(family, answer, max_headers=3)).content == b"ok"
    assert await refused(family, answer, max_headers=2)
    assert (await exchange(family, answer, max_head_bytes=2000)).content == b"ok"
    assert await refused(family, answer, max_head_bytes=900)


# ---- interim responses (RFC 9110, 15.2) ----------------------------------------------------

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX: hint\r\n\r\n"


@each_family
@pytest.mark.parametrize(
    "interim",
    [
        [CONTINUE],
        [HINTS],
        [b"HTTP/1.1 102 Processing\r\n\r\n"],
        [b"HTTP/1.1 199 \r\n\r\n"],
        [CONTINUE, HINTS, HINTS, CONTINUE],
        [CONTINUE + HINTS],
        # It has no content, whatever it says (RFC 9112, 6.3, rule 1).
        [b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n"],
    ],
    ids=["100", "103", "102", "199", "several", "in one piece", "length", "chunked"],
)
@pytest.mark.parametrize("joined", [False, True])
async def test_interim_responses_are_passed_over(
    family: str, interim: list[bytes], joined: bool
) -> None:
    """A client reads 1xx responses, any number, and goes on to the final one (RFC 9110, 15.2)."""

    async def talk(peer: Peer) -> None:
        while await peer.answer(*([b"".join(interim) + OK] if joined else [*interim, OK])):
            pass

    async with raw(family, talk) as (client, server):
        for _ in range(2):
            response = await client.get(server.url)
            assert response.status_code == 200
            assert response.content == b"ok"
            assert response.headers.raw == [(b"Content-Length", b"2")]
        assert len(server.peers) == 1


@each_family
async def test_interim_responses_are_split_anywhere(family: str) -> None:
    """Interim responses mean the same wherever TCP splits them."""
    answer = CONTINUE + HINTS + OK

    async def talk(peer: Peer) -> None:
        for at in range(1, len(answer)):
            await peer.answer(answer[:at], answer[at:])
        await peer.gone()

    async with raw(family, talk) as (client, server):
        for _ in range(1, len(answer)):
            response = await client.get(server.url)
            assert (response.status_code, response.content) == (200, b"ok")
        assert len(server.peers) == 1


@each_family
@pytest.mark.parametrize(
    "fields",
    [b"", b"Upgrade: websocket\r\nConnection: upgrade\r\n", b"Content-Length: 0\r\n"],
)
async def test_protocol_is_not_switched(family: str, fields: bytes) -> None:
    """Nobody asked for another protocol, so 101 is refused (RFC 9110, 15.2.2)."""
    answer = b"HTTP/1.1 101 Switching Protocols\r\n" + fields + b"\r\n"
    assert await refused(family, answer + b"\x81\x05hello")
    assert await refused(family, answer + OK)


@each_family
async def test_hang_up_after_an_interim_response(family: str) -> None:
    """A 1xx response is no answer: without a final one, there was none."""
    assert await refused(family, HINTS, stay=False)
