"""Responses that are no stream: what their errors tell."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime
from operator import attrgetter
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.connection.asking import HELLO, ask, fail, failure_in
from tests.pipeline.worlds import MEMORY, WORLDS, Letters, World
from trio_stream.config import StreamConfig
from trio_stream.connection._refusal import retry_after
from trio_stream.errors import NotAStreamError, StreamErrorType, StreamStatusError
from trio_stream.framing import NDJSON, SSE
from trio_stream.outcome import Ending
from trio_stream.testing import Event, Head, Pieces, Raw, Send, Stall, Truncate, assert_no_leaks

Type = StreamErrorType
everywhere = pytest.mark.parametrize("world", WORLDS, ids=attrgetter("name"))
in_memory = pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))

# ---- a status of 400 or more -----------------------------------------------------------------

STATUSES = {
    400: (Type.CLIENT_ERROR, False),
    401: (Type.AUTHENTICATION_ERROR, False),
    403: (Type.AUTHENTICATION_ERROR, False),
    404: (Type.CLIENT_ERROR, False),
    407: (Type.AUTHENTICATION_ERROR, False),
    408: (Type.CLIENT_ERROR, True),
    409: (Type.CLIENT_ERROR, True),
    413: (Type.CLIENT_ERROR, False),
    422: (Type.CLIENT_ERROR, False),
    425: (Type.CLIENT_ERROR, True),
    429: (Type.RATE_LIMITED, True),
    500: (Type.SERVER_ERROR, True),
    501: (Type.SERVER_ERROR, False),
    502: (Type.SERVER_ERROR, True),
    503: (Type.SERVER_ERROR, True),
    504: (Type.SERVER_ERROR, True),
    505: (Type.SERVER_ERROR, False),
    529: (Type.SERVER_ERROR, True),
    599: (Type.SERVER_ERROR, True),
}


@in_memory
@pytest.mark.parametrize("status", STATUSES)
def test_status(world: World, status: int) -> None:
    """An error answer is typed by its status, whatever its content type, and has been read."""
    error = failure_in(world, [Head(status, headers={"X-Why": "so"}), Send("naïve ".encode() * 2)])
    assert isinstance(error, StreamStatusError)
    assert (error.error_type, error.is_retryable) == STATUSES[status]
    assert error.status_code == status
    assert error.response_body == "naïve naïve "
    assert error.response_headers is not None
    assert error.response_headers["x-why"] == "so"
    assert (error.retry_after, error.request_id) == (None, None)
    assert str(error).startswith(f"status {status} from http://memory.test: naïve")
    assert error.outcome is not None
    assert error.outcome.ending is Ending.FAILED


@everywhere
@pytest.mark.parametrize("max_bytes", [0, 1, 1000, 100_000])
def test_error_body_is_capped(world: World, max_bytes: int) -> None:
    """No more of an error answer is kept than was asked for; the text of the error is short."""
    script = [Head(500), Pieces(b"x" * 50_000, size=7_000), Send(b"y" * 50_001), Stall()]
    error = failure_in(
        world, [script, HELLO], config=StreamConfig(max_error_body_bytes=max_bytes, timeout=5)
    )
    assert error.response_body == ("x" * 50_000 + "y" * 50_001)[:max_bytes]
    assert len(str(error)) < 300


@in_memory
@pytest.mark.parametrize("status", [500, 302])
def test_error_body_that_drips_for_ever(world: World, status: int) -> None:
    """An error answer that never ends is read for five seconds, then told with what there was."""
    script = [Head(status), Pieces(b"." * 1000, size=1, every=1)]

    async def main() -> None:
        async with assert_no_leaks(), world.serve([script, HELLO]) as (client, server):
            start = trio.current_time()
            error = await fail(client, server.url)
            assert trio.current_time() - start == pytest.approx(5)
            assert error.status_code == status
            assert error.response_body in ("." * 5, "." * 6)
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@in_memory
@pytest.mark.parametrize("head", [Head(401), Head(content_type="text/html")], ids=["401", "html"])
def test_text_of_an_error_may_be_logged(world: World, head: Head) -> None:
    """Neither password nor query of the URL is in the text, nor a control character of the body."""

    async def main() -> None:
        async with world.serve([head, Send(b"a\x1b[31m\x00\n b\xff")]) as (client, server):
            url = server.url.replace("//", "//ada:secret@") + "/path?key=4f9a#here"
            error = await fail(client, url)
            assert f"from {server.url}/path?…" in str(error)
            assert str(error).endswith(": a\ufffd[31m\ufffd b\ufffd")
            assert error.response_body == "a\x1b[31m\x00\n b\ufffd"

    world.run(main)


@in_memory
def test_long_content_type(world: World) -> None:
    """Of a header that is not to be believed, an error has the beginning."""
    error = failure_in(world, [[Head(content_type="text/" + "x" * 9000)], HELLO])
    assert "not a stream: Content-Type is 'text/xxx" in str(error)
    assert len(str(error)) < 600


@in_memory
@pytest.mark.parametrize("hooked", [False, True], ids=["plain", "hook"])
@pytest.mark.parametrize(
    "target", ["https://user:SECRET@h/x#access_token=SECRET", "/x;k=1?key=SECRET", "//u:SECRET@h"]
)
def test_secrets_of_a_redirect(world: World, target: str, hooked: bool) -> None:
    """Of where a redirect leads, the text has neither password nor query nor fragment."""

    async def main() -> None:
        async def hook(response: Any) -> None:
            response.raise_for_status()

        away = Head(302, headers={"location": target}, length=0)
        async with world.serve([away]) as (client, server):
            client.event_hooks = {"response": [hook] if hooked else []}
            error = await fail(client, f"{server.url}/a?key=SECRET")
            assert isinstance(error, NotAStreamError)
            assert "SECRET" not in str(error)

    world.run(main)


@in_memory
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_that_is_not_followed(world: World, status: int) -> None:
    """A client that follows no redirects is told where to, without the query, and what to do."""
    error = failure_in(world, [[Head(status, headers={"location": "/next?key=4f9a"})], HELLO])
    assert isinstance(error, NotAStreamError)
    assert "a redirect to '/next?…', and the client has no follow_redirects=True" in str(error)


@in_memory
def test_error_body_within_the_time_of_the_stream(world: World) -> None:
    """The total time also bounds the reading of an error answer; the error is still the answer."""
    script = [Head(500), Pieces(b"." * 1000, size=1, every=1)]

    async def main() -> None:
        async with world.serve([script, HELLO]) as (client, server):
            start = trio.current_time()
            error = await fail(client, server.url, config=StreamConfig(timeout=2.5))
            assert trio.current_time() - start == pytest.approx(2.5)
            assert (error.status_code, error.response_body) == (500, "...")

    world.run(main)


@everywhere
@pytest.mark.parametrize(
    ("steps", "body"),
    [
        ((Send(b"half an expl"), Truncate()), "half an expl"),
        ((Send(b"\xff\xfe"),), "\ufffd\ufffd"),
        ((), ""),
        ((Send(b" \n "),), " \n "),
    ],
    ids=["cut", "not UTF-8", "empty", "blank"],
)
def test_error_body_that_is_broken(world: World, steps: Any, body: str) -> None:
    """Whatever is wrong with the body of an error answer, the answer is what is told."""
    error = failure_in(world, [[Head(503), *steps], HELLO])
    assert (error.status_code, error.response_body) == (503, body)


@everywhere
@pytest.mark.parametrize(
    ("head", "body"),
    [
        (Head(500, encoding="gzip"), "so it is"),
        (Head(500, headers={"content-encoding": "br"}), ""),
        (Head(500, headers={"content-encoding": "gzip"}), ""),
    ],
    ids=["gzip", "br", "not gzip"],
)
def test_error_body_that_is_compressed(world: World, head: Head, body: str) -> None:
    """A compressed error body is readable; one that cannot be read hides nothing else."""
    error = failure_in(world, [[head, Send(b"so it is")], HELLO])
    assert isinstance(error, StreamStatusError)
    assert error.response_body == body


@in_memory
@pytest.mark.parametrize(
    "name",
    [
        "Request-ID",
        "X-Request-ID",
        "apim-request-id",
        "x-amzn-RequestId",
        "X-Goog-Request-ID",
        "CF-Ray",
    ],
)
@pytest.mark.parametrize("status", [429, 200])
def test_request_id(world: World, name: str, status: int) -> None:
    """The server's name for the request is found under each of its usual names."""
    error = failure_in(world, Head(status, headers={name: "r-7"}, content_type="text/html"))
    assert error.request_id == "r-7"


SHOULD_RETRY: dict[str, bool | None] = {
    "true": True,
    "false": False,
    " True ": True,
    "FALSE": False,
    "": None,
    "1": None,
    "no": None,
    "true, false": None,
}


@in_memory
@pytest.mark.parametrize("value", SHOULD_RETRY)
def test_server_says_whether_to_retry(world: World, value: str) -> None:
    """What the server says about another attempt goes before what its status means.

    But it cannot make a wrong key a right one.
    """
    for status in (400, 401, 408, 429, 500, 501):
        error = failure_in(world, Head(status, headers={"X-Should-Retry": value}))
        error_type, by_status = STATUSES[status]
        told = None if status == 401 else SHOULD_RETRY[value]
        assert error.is_retryable is (by_status if told is None else told)
        assert error.error_type is error_type


@in_memory
def test_server_cannot_make_html_a_stream(world: World) -> None:
    """What is no stream under a good status is not retried, whatever its headers say."""
    headers = {"X-Should-Retry": "true", "Retry-After": "7"}
    error = failure_in(world, Head(200, headers=headers, content_type="text/html"))
    assert (error.is_retryable, error.retry_after) == (False, 7.0)


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
WAITS: dict[str, float | None] = {
    "7": 7.0,
    " 7 ": 7.0,
    "0": 0.0,
    "1.5": 1.5,
    "1e3": None,
    "-5": None,
    "+5": None,
    "nan": None,
    "inf": None,
    ".": None,
    "": None,
    "soon": None,
    "7 seconds": None,
    "٧": None,
    "²": None,
    "9" * 18: float("9" * 18),
    "9" * 5000: math.inf,
    "Fri, 02 Jan 2026 03:04:35 GMT": 30.0,
    "Fri, 02 Jan 2026 04:04:35 +0100": 30.0,
    "Fri, 02 Jan 2026 03:04:35 -0000": 30.0,
    "Friday, 02-Jan-26 03:04:35 GMT": 30.0,
    "Fri Jan  2 03:04:35 2026": 30.0,
    "Fri, 02 Jan 2026 03:04:00 GMT": 0.0,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0.0,
    "02 Jan 2026 03:04:35 GMT": 30.0,
    "Fri, 02 Jan 2026 03:04:35": 30.0,
    "Fri, 02 Jan 2026 03:04:35 EST": 18030.0,
    "Fri, 31 Dec 9999 23:59:59 GMT": (
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() - NOW
    ),
    "5, 10": None,
    "1,5": None,
    "1_000": None,
    "0x10": None,
    "1.5.5": None,
    "1e400": None,
    "-0": None,
    "infinity": None,
    "10 jan 5": None,
    "10 jan 5 1:2": None,
    "2026-01-02T03:04:35Z": None,
    "Fri, 02 Jan 2026 25:61:61 GMT": None,
    "Fri, 02 Jan 2026 03:04:35 GMT" + " " * 5000 + "x": None,
    "Fri, 99 Jan 2026 03:04:35 GMT": None,
    "Fri, 02 Jan 99999999999 03:04:35 GMT": None,
    "Fri, 02 Jan 2026 03:04:35 +99999999": None,
}


@pytest.mark.parametrize("value", WAITS, ids=lambda value: ascii(value)[:32])
def test_retry_after(value: str) -> None:
    """Seconds and dates are understood, the past is now, and nonsense is nothing."""
    assert retry_after({"retry-after": value}, now=NOW) == WAITS[value]


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [("1500", 1.5), ("12.5", 0.0125), ("0", 0.0), ("-1", 7.0), ("", 7.0), ("soon", 7.0)],
)
def test_retry_after_in_milliseconds(milliseconds: str, expected: float) -> None:
    """The header with milliseconds goes first if it makes sense."""
    headers = {"retry-after-ms": milliseconds, "retry-after": "7"}
    assert retry_after(headers, now=NOW) == expected


DATE_LIKE = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from(["", "Fri, ", "Friday, ", "Fri ", ","]),
    st.text(st.sampled_from("0123456789 ,-+JanMarDec"), max_size=12),
    st.from_regex(r" ?[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", fullmatch=True),
    st.text(st.sampled_from(" 0123456789-+:."), max_size=8),
    st.sampled_from(["", " GMT", " +0100", " -9999", " EST", " (x)", " -0000", " +"]),
)


@given(
    DATE_LIKE
    | st.floats().map(str)
    | st.integers().map(str)
    | st.text(st.sampled_from('0123456789 ,:-+()"\\GMTWedJan.;@[]\t'))
    | st.text()
)
def test_retry_after_never_raises(value: str) -> None:
    """No value of the header is an error; a wait is finite and never negative."""
    for headers in ({"retry-after": value}, {"retry-after-ms": value}):
        seconds = retry_after(headers, now=NOW)
        assert seconds is None or 0 <= seconds < math.inf


@in_memory
def test_retry_after_on_the_wire(world: World) -> None:
    """The wait that a server asks for is told, by a date that is judged by the clock."""
    date = format_datetime(datetime.fromtimestamp(datetime.now(UTC).timestamp() + 3600, UTC), True)
    for headers, low, high in (
        ({"Retry-After": "20"}, 20, 20),
        ({"Retry-After-Ms": "250"}, 0.25, 0.25),
        ({"Retry-After": date}, 3500, 3600),
    ):
        error = failure_in(world, Head(429, headers=headers))
        assert error.retry_after is not None
        assert low <= error.retry_after <= high


# ---- a status below 400 ----------------------------------------------------------------------

PORTAL = [Head(content_type="text/html; charset=utf-8"), Send(b"<html>\n<b>Log in</b>")]
JSON_ERROR = [Head(content_type="application/json"), Send(b'{"error": "quota"}')]


@everywhere
@pytest.mark.parametrize(
    "options",
    [{}, {"framing": SSE()}, {"dialect": Letters()}, {"framing": NDJSON()}, {"item": int}],
    ids=["plain", "SSE", "dialect", "NDJSON", "item"],
)
def test_captive_portal(world: World, options: dict[str, Any]) -> None:
    """HTML is no stream, whatever was asked for; the error shows its beginning."""
    error = failure_in(world, PORTAL, **options)
    assert isinstance(error, NotAStreamError)
    assert error.error_type is Type.FATAL_ERROR
    assert not error.is_retryable
    assert error.status_code == 200
    assert error.response_body == "<html>\n<b>Log in</b>"
    assert error.response_headers is not None
    assert "text/html" in str(error)
    assert "<html> <b>Log in</b>" in str(error)


@everywhere
@pytest.mark.parametrize(
    "options",
    [{}, {"framing": SSE()}, {"dialect": Letters()}],
    ids=["plain", "SSE", "dialect"],
)
def test_json_error_under_a_good_status(world: World, options: dict[str, Any]) -> None:
    """A JSON document where events were asked for is an error that holds it."""
    error = failure_in(world, JSON_ERROR, **options)
    assert isinstance(error, NotAStreamError)
    assert error.response_body == '{"error": "quota"}'
    assert "application/json" in str(error)
    assert ("expected text/event-stream" in str(error)) is bool(options)


REDIRECT = Head(302, headers={"location": "/there"})


@everywhere
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ([Head(content_type=None), Send(b"?")], "Content-Type is none"),
        ([Head(content_type=""), Send(b"?")], "Content-Type is none"),
        ([Head(204)], "no body"),
        ([Head(304)], "no body"),
        ([Head(304, headers={"location": "/there"})], "no body"),
        ([REDIRECT, Send(b"?")], "a redirect to '/there'"),
        ([Head(302), Event("data")], "no body"),
        ([Head(headers={"content-encoding": "br"}), Send(b"?")], "content encoding 'br'"),
        ([Head(headers={"content-encoding": "zstd"}), Send(b"?")], "content encoding 'zstd'"),
        ([Head(headers={"content-encoding": "gzip, gzip"})], "content encoding 'gzip, gzip'"),
        ([Head(headers={"content-encoding": "?"})], "content encoding '?'"),
    ],
    ids=[
        "no type",
        "empty type",
        "204",
        "304",
        "304 with a location",
        "302",
        "302 with events",
        "br",
        "zstd",
        "gzip twice",
        "unknown encoding",
    ],
)
def test_not_a_stream(world: World, script: Any, why: str) -> None:
    """What cannot be read as a stream is refused with the reason."""
    error = failure_in(world, [script, HELLO])
    assert isinstance(error, NotAStreamError)
    assert why in str(error)
    assert error.status_code == script[0].status


@in_memory
def test_unasked_protocol_switch(world: World) -> None:
    """A server that switches protocols unasked is not waited for."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"
    error = failure_in(world, [[Raw(head), Stall()], HELLO])
    assert error.error_type is Type.CONNECTION_ERROR


@everywhere
def test_first_kib_of_what_is_no_stream(world: World) -> None:
    """Of a body that is no stream no more than a KiB is read, though it never ends."""
    script = [Head(content_type="text/html"), Send(b"x" * 1023), Send(b"yz" * 5000), Stall()]
    error = failure_in(world, [script, HELLO])
    assert error.response_body == "x" * 1023 + "y"
    assert len(str(error)) < 400


@in_memory
def test_compressed_html_is_readable(world: World) -> None:
    """The beginning of a compressed body that is no stream is shown as text."""
    head = Head(content_type="text/html", encoding="gzip")
    error = failure_in(world, [head, Send(b"<html>")])
    assert error.response_body == "<html>"


@everywhere
def test_interim_answers_are_passed_over(world: World) -> None:
    """Answers of 1xx announce the real one, and are not taken for it."""

    async def main() -> None:
        hints = Head(103, headers={"link": "</x>"})
        async with assert_no_leaks(), world.serve([Head(100), hints, *HELLO]) as (client, server):
            assert await ask(client, server.url) == ["hello"]

    world.run(main)
