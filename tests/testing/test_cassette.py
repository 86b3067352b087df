"""Cassettes: their file, and how they are played."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import trio
import trio.testing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.testing.recorded import ask_again, cassettes
from trio_stream.testing import (
    At,
    BadChunk,
    Cassette,
    CutAt,
    End,
    Event,
    Exchange,
    ExchangeEnd,
    Head,
    Plan,
    Raw,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
    RecordedRequest,
    Refuse,
    Reset,
    Send,
    Stall,
    Step,
    Truncate,
    faulty,
    memory_client,
    serve,
    serve_memory,
)
from trio_stream.testing._playing import script_of

Clock = trio.testing.MockClock

ASKED = RecordedRequest("GET", "http://memory.test/", (("host", "memory.test"),))
CHUNKED = RecordedHead(0.5, 200, "OK", "HTTP/1.1", (("Transfer-Encoding", "chunked"),))
ONE = RecordedChunk(1.0, b"data: one\n\n")


def exchange(
    end: ExchangeEnd, at: float = 600.0, head: RecordedHead | None = CHUNKED, *data: RecordedChunk
) -> Exchange:
    return Exchange(ASKED, 0.0, head, data, RecordedEnd(at, end))


# ---- the file ------------------------------------------------------------------------------------

FILE = r"""
{"cassette":1}
{"start":0.000000,"request":"POST","url":"http://memory.test/","headers":[["host","memory.test"]],"data":"{}"}
{"at":0.500000,"status":200,"reason":"OK","http":"HTTP/1.1","headers":[["Transfer-Encoding","chunked"]]}
{"at":1.000000,"data":"data: ☃\r\n\u2028\u001b\n"}
{"at":1.000001,"base64":"/wA="}
{"at":600.000000,"end":"timed_out","error":"ReadTimeout"}
{"start":601.500000,"request":"GET","url":"http://memory.test/","headers":[],"data":""}
{"at":0.000000,"end":"refused"}
""".lstrip()

CASSETTE = Cassette(
    (
        Exchange(
            RecordedRequest("POST", ASKED.url, ASKED.headers, b"{}"),
            0.0,
            CHUNKED,
            (
                RecordedChunk(1.0, "data: ☃\r\n\u2028\x1b\n".encode()),
                RecordedChunk(1.000001, b"\xff\x00"),
            ),
            RecordedEnd(600.0, "timed_out", "ReadTimeout"),
        ),
        Exchange(RecordedRequest("GET", ASKED.url), 601.5, None, (), RecordedEnd(0.0, "refused")),
    )
)


def test_file_is_one_line_for_each_thing_that_happened() -> None:
    """A cassette is text that people read: JSON, a line for each piece, nothing invisible."""
    assert CASSETTE.text() == FILE
    assert Cassette.parse(FILE) == CASSETTE
    assert Cassette.parse(FILE).exchanges[0].end.error == "ReadTimeout"


def test_file_is_saved_and_loaded(tmp_path: Path) -> None:
    """A file has the same bytes on every system, and replaces what was there."""
    path = tmp_path / "outage.jsonl"
    path.write_text("something else, and longer" * 99)
    CASSETTE.save(path)

    assert path.read_bytes() == FILE.encode()
    assert Cassette.load(str(path)) == CASSETTE
    assert Cassette.parse(Cassette().text()) == Cassette()


@given(cassettes())
def test_file_keeps_everything(cassette: Cassette) -> None:
    """Whatever was recorded comes back from the file as it was, and the file is plain lines."""
    text = cassette.text()

    assert Cassette.parse(text) == cassette
    assert text.splitlines() == text.split("\n")[:-1]
    assert all(each.isprintable() for each in text.splitlines())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("[]", "line 1: .* no JSON object"),
        ("data: one", "line 1: no line of a cassette: no JSON, column 1"),
        ('{"log":{}}', "does not begin with"),
        ('{"cassette":2}', "line 1: .* has version 2, not {'cassette': 1}"),
        ('{"cassette":1}\n{"at":1,"end":"cut"}', "line 2: .* belongs to no request"),
        (FILE.replace('"end":"timed_out"', '"end":"happy"'), "line 6: .* 'happy' is no end"),
        (FILE.replace('"status":200', '"status":"200"'), "line 3: .* '200' is no status"),
        (FILE.replace('"status":200', '"status":100'), "line 3: .* 100 is no status"),
        (FILE.replace('"at":1.000000', '"at":-1'), "line 4: .* -1 is no time"),
        (FILE.replace('"at":1.000000', '"at":NaN'), "line 4: .* nan is no time"),
        (FILE.replace('"at":1.000000', '"at":true'), "line 4: .* True is no time"),
        (FILE.replace('"at":1.000000,', ""), "line 4: .* 'at' is missing"),
        (FILE.replace("/wA=", "/wA"), "line 5: .* no base64"),
        (FILE.replace('"base64":"/wA="', '"base64":7'), "line 5: .* 7 is no string"),
        (FILE.replace('[["host","memory.test"]]', '["host"]'), "line 2: no line of a cassette"),
        (FILE.replace('[["host","memory.test"]]', '"host"'), "line 2: .* list of pairs"),
        (FILE.replace('["host","memory.test"]', '"ab"'), "line 2: .* list of pairs"),
        (FILE.replace('"memory.test"', '"a\\r\\nb: c"'), "line 2: .* a line end in a header"),
        ("\n".join(FILE.split("\n")[:5]), "the last exchange has no end"),
        ("\n".join([*FILE.split("\n")[:2], FILE.split("\n")[1]]), "line 3: .* has no end"),
        (FILE.replace('"refused"', '"complete"'), "line 8: .* complete without a head"),
        ("\n".join([*FILE.split("\n")[:3], FILE.split("\n")[2]]), "line 4: .* second head"),
        ("\n".join([*FILE.split("\n")[:2], FILE.split("\n")[3]]), "line 3: .* without a head"),
        ('{"cassette":1}\n' + "[" * 100_000, "line 2: no line of a cassette"),
    ],
)
def test_what_is_no_cassette_is_refused(text: str, why: str, tmp_path: Path) -> None:
    """A file that is none, or was edited badly, is refused with its name and the line."""
    path = tmp_path / "x.jsonl"
    path.write_text(text)

    with pytest.raises(ValueError, match=why) as caught:
        Cassette.load(path)
    assert str(caught.value).startswith(str(path))


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
@example('{"cassette":1}\n{"request":{}}')
def test_garbage_is_refused_with_a_value_error(text: str) -> None:
    """Nothing that stands in a file brings another exception than the one that is promised."""
    for prefix in ("", '{"cassette":1}\n', FILE):
        try:
            Cassette.parse(prefix + text)
        except ValueError:
            pass


# ---- the plan ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "script"),
    [
        (exchange("refused", 0.0, None), [Refuse()]),
        (exchange("timed_out", 9.0, None), [Stall()]),
        (exchange("left", 9.0, None), [Stall()]),
        (exchange("reset", 9.0, None), [At(9.0), Reset()]),
        (exchange("cut", 9.0, None), [At(9.0), Truncate()]),
        (exchange("failed", 9.0, None), [At(9.0), Reset()]),
        (exchange("garbled", 9.0, None), [At(9.0), Raw(b"garbled\r\n\r\n")]),
    ],
)
def test_script_without_a_head(recorded: Exchange, script: list[Step]) -> None:
    """What happened before any answer happens again, at its time."""
    assert list(script_of(recorded)) == script


@pytest.mark.parametrize(
    ("end", "steps"),
    [
        ("complete", [At(300.0), End()]),
        ("cut", [At(300.0), Truncate()]),
        ("reset", [At(300.0), Reset()]),
        ("garbled", [At(300.0), BadChunk()]),
        ("timed_out", [Stall()]),
        ("left", [Stall()]),
        ("open", [Stall()]),
    ],
)
def test_script_with_a_body(end: ExchangeEnd, steps: list[Step]) -> None:
    """The pieces of a body come at their times, twice as fast if so wished, and then the end."""
    head = Head(200, headers=CHUNKED.headers, reason="OK", is_bare=True)
    script = list(script_of(exchange(end, 600.0, CHUNKED, ONE), speed=2))

    assert script == [At(0.25), head, At(0.5), Send(ONE.data), *steps]


def test_without_a_pause() -> None:
    """At infinite speed everything comes at once."""
    assert [step for step in script_of(exchange("complete"), math.inf) if isinstance(step, At)] == [
        At(0.0)
    ] * 2


@pytest.mark.parametrize(
    ("version", "fields", "framing"),
    [
        ("HTTP/1.1", {"content-length": "11"}, b"content-length: 11\r\n"),
        ("HTTP/1.1", {}, b""),
        ("HTTP/1.0", {}, b""),
        ("HTTP/2", {}, b"transfer-encoding: chunked\r\n"),
        ("HTTP/2", {"content-length": "11"}, b"content-length: 11\r\n"),
    ],
)
async def test_head_is_played_as_it_was(
    version: str, fields: dict[str, str], framing: bytes
) -> None:
    """No header is added but the one that HTTP/1.1 needs in the place of frames of HTTP/2."""
    head = RecordedHead(0.0, 200, "Fine", version, (("X", "y"), *fields.items()))
    plan = Cassette((exchange("complete", 2.0, head, ONE),)).plan(math.inf)
    async with serve_memory(plan) as server, await server.connect() as connection:
        await connection.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += await connection.receive_some()

    assert received.startswith(b"HTTP/1.1 200 Fine\r\nX: y\r\n" + framing + b"\r\n")


@settings(max_examples=60)
@given(cassettes(), st.sampled_from(["httpx", "httpx2"]))
def test_played_and_recorded_again_it_is_the_same(cassette: Cassette, family: str) -> None:
    """Recording what is played gives the cassette that was played: bytes, pieces, times, faults."""

    async def main() -> Cassette:
        with trio.fail_after(1e9):
            async with serve_memory(cassette.plan()) as server:
                return await ask_again(cassette, server, family)

    again = trio.run(main, clock=Clock(autojump_threshold=0))
    assert again == cassette
    assert Cassette.parse(again.text()) == cassette


async def test_ten_minutes_take_no_time(autojump_clock: Clock) -> None:
    """A recorded stall ends in the same timeout at the same time, on a clock that jumps."""
    plan = Cassette((exchange("timed_out", 601.0, CHUNKED, ONE),)).plan()
    async with memory_client(plan, timeout=600) as (client, server):
        start = trio.current_time()
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url)
        assert trio.current_time() - start == 601


@pytest.mark.parametrize("http", [httpx, httpx2])
async def test_played_on_a_socket(http: Any) -> None:
    """Over a socket a client gets the same, exchange by exchange, and again from the start."""
    cassette = Cassette(
        (
            exchange("refused", 0.0, None),
            exchange("cut", 1.0, CHUNKED, ONE),
            exchange("reset", 1.0, CHUNKED, ONE),
            exchange("complete", 1.0, CHUNKED, ONE),
        )
    )
    seen: list[str] = []
    async with (
        serve(cassette.plan(speed=1000, repeat=True)) as server,
        http.AsyncClient(trust_env=False, verify=False) as client,
    ):
        for _ in range(8):
            try:
                seen.append((await client.get(server.url)).text)
            except http.TransportError as error:
                seen.append(type(error).__name__)
            await server.wait_disconnected()  # or the pool may not have noticed yet

    assert seen == ["RemoteProtocolError", "RemoteProtocolError", "ReadError", "data: one\n\n"] * 2


async def test_one_request_more_is_an_error_of_the_test() -> None:
    """A client that asks more often than the recorded one is told so where the server runs."""
    with pytest.RaisesGroup(
        pytest.RaisesExc(LookupError, match="has 1 exchanges, .* one more request: GET /x"),
        flatten_subgroups=True,
    ):
        async with memory_client(Cassette((exchange("complete"),)).plan(math.inf)) as (
            client,
            server,
        ):
            await client.get(server.url)
            await client.get(f"{server.url}/x")


async def test_faults_over_a_cassette() -> None:
    """A cassette is a plan like others: what went well can be made to go wrong."""
    recorded = exchange("complete", 1.0, CHUNKED, ONE)
    plan: Plan = faulty(Cassette((recorded,)).plan(math.inf), CutAt(5, "reset"))
    async with memory_client(plan) as (client, server):
        with pytest.raises(httpx.ReadError):
            await client.get(server.url)


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_speed_is_above_zero(speed: float) -> None:
    """A cassette cannot be played backwards, nor stand still."""
    with pytest.raises(ValueError, match="speed must be above 0"):
        Cassette().plan(speed)


def test_event_is_a_piece_like_others() -> None:
    """What a script sends and what a cassette has of it are the same bytes."""
    assert list(Event("one").pieces()) == [ONE.data]
