"""`trio-stream replay`: what was recorded, printed or served."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from pathlib import Path

import attrs
import httpx
import pytest

from tests.cli.commands import Running, run
from tests.cli.test_usage import code_of
from tests.testing.test_cassette import ASKED, exchange
from trio_stream.cli._arguments import argument_parser
from trio_stream.cli._replay import _ended, _patience, replay_options
from trio_stream.testing import (
    Cassette,
    Exchange,
    ExchangeEnd,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
)

HEADERS = (("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
SSE = RecordedHead(0.1, 200, headers=HEADERS)
EVENTS = (
    RecordedChunk(0.2, b'event: x\ndata: {"a": [1]}\n\ndata: tw'),
    RecordedChunk(0.3, b"o\n\n"),
)


def stream(end: ExchangeEnd, at: float = 0.4, *, start: float = 0.0) -> Exchange:
    return Exchange(ASKED, start, SSE, EVENTS, RecordedEnd(at, end))


def saved(path: Path, *exchanges: Exchange) -> str:
    file = path / "x.jsonl"
    Cassette(exchanges).save(file)
    return str(file)


@attrs.frozen
class Place:
    """Where files go, and where output is found."""

    path: Path
    capfd: pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, capfd)


def last_word(err: str) -> str:
    return err.splitlines()[-1].rpartition(" · ")[0]


@pytest.mark.parametrize(
    ("end", "at", "code", "word"),
    [
        ("complete", 0.4, 0, "complete · 2 items · 38 B"),
        ("cut", 0.4, 3, "truncated · 2 items · 38 B"),
        ("reset", 0.4, 1, "failed · 2 items · 38 B"),
        ("timed_out", 600, 4, "timed out (idle) · 2 items · 38 B"),
        ("timed_out", 0.35, 4, "timed out (idle) · 2 items · 38 B"),
        ("left", 600, 0, "stopped at the end of the recording · 2 items · 38 B"),
        ("open", 600, 0, "stopped at the end of the recording · 2 items · 38 B"),
    ],
)
def test_end_is_that_of_the_recording(
    end: ExchangeEnd, at: float, code: int, word: str, place: Place
) -> None:
    """Items and end are those of the stream that was recorded, as tail would have told them."""
    assert code_of(["replay", saved(place.path, stream(end, at)), "--fast"]) == code
    out, err = place.capfd.readouterr()

    assert out == '{"event":"x","data":{"a": [1]}}\n{"event":"message","data":"two"}\n'
    assert last_word(err) == f"trio-stream: {word}"


async def test_items_come_at_their_times(tmp_path: Path) -> None:
    """The times between items are those of the recording, and options are those of tail."""
    file = saved(tmp_path, stream("complete"))
    done = await run("replay", file, "--timing", "--field", "a[0]", "--speed", "0.5")

    [line] = done.lines
    assert (done.code, line.endswith(',"data":1}')) == (0, True)
    assert float(line.removeprefix('{"time":').partition(",")[0]) >= 0.4


def test_exchanges_are_played_one_after_the_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each exchange but a redirect is a stream, and the last one decides on the exit code."""
    moved = RecordedHead(0.0, 302, headers=(("location", "https://example.org"),))
    file = saved(
        tmp_path,
        Exchange(ASKED, 0.0, moved, (), RecordedEnd(0.1, "complete")),
        Exchange(ASKED, 1.0, None, (), RecordedEnd(0.0, "refused")),
        stream("cut", start=900.0),
        Exchange(ASKED, 1800.0, None, (), RecordedEnd(5.0, "left")),
    )
    assert code_of(["replay", file, "--fast", "--text"]) == 0
    out, err = capfd.readouterr()

    assert out == '{"a": [1]}\ntwo\n'
    titles = [line for line in err.splitlines() if "exchange" in line]
    assert titles == [f"trio-stream: exchange {n} of 3: GET http://memory.test/" for n in (1, 2, 3)]
    assert "connection refused" in err
    assert err.splitlines()[-1] == "trio-stream: the recording ends before an answer"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_control_c_ends_the_whole_replay(tmp_path: Path) -> None:
    """Ctrl-C ends the exchange that is played, and no other one begins."""
    file = saved(tmp_path, stream("complete", 900.0), stream("complete", start=900.0))
    playing = await Running.start("replay", file)
    await playing.read_until(b'"two"}\n')
    playing.signal(signal.SIGINT)
    done = await playing.end()

    assert done.code == 130
    assert done.last_word == "trio-stream: interrupted · 2 items · 38 B"
    assert "exchange 2" not in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
async def test_cassette_is_served(tmp_path: Path) -> None:
    """Any client can ask for it, again and again, at the URL on stdout, until Ctrl-C."""
    serving = await Running.start(
        "replay", saved(tmp_path, stream("complete")), "--fast", "--serve"
    )
    await serving.read_until(b"\n")
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:
        for _ in range(2):
            response = await client.get(serving.out.decode().strip())
            assert response.content == b"".join(chunk.data for chunk in EVENTS)
    serving.signal(signal.SIGINT)
    done = await serving.end()

    assert done.code == 130
    assert done.err == "trio-stream: interrupted · 2 requests\n"


def test_port_that_is_taken(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A port that another program has is a failure that says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert code_of(["replay", saved(tmp_path, stream("cut")), "--serve", port]) == 1

    [line] = capfd.readouterr().err.splitlines()
    assert line == f"trio-stream: cannot serve at port {port}: {os.strerror(errno.EADDRINUSE)}"


def test_nothing_but_redirects(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A cassette that has no stream in it is not played without a word."""
    head = RecordedHead(0.1, 302, headers=(("location", "/again"),))
    file = saved(tmp_path, exchange("complete", 0.2, head))

    assert code_of(["replay", file]) == 1
    assert "only redirects" in capfd.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["--speed", "0"], ["--speed", "2", "--fast"], ["--serve", "x"], ["--max-items", "1"],
     ["--raw", "--framing", "sse"]],
)  # fmt: skip
def test_wrong_usage(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What cannot be meant, or is no cassette, ends with 2 and an explanation."""
    file = saved(tmp_path, *([stream("cut")] if arguments else []))

    assert code_of(["replay", file, *arguments]) == 2
    assert "trio-stream" in capfd.readouterr().err


@pytest.mark.parametrize("text", [None, "data: one\n\n"])
def test_what_is_no_cassette(
    text: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there, or is none, is told by its name."""
    file = tmp_path / "x.jsonl"
    if text is not None:
        file.write_text(text)

    assert code_of(["replay", str(file)]) == 2
    assert "x.jsonl" in capfd.readouterr().err


def test_patience_is_that_of_the_recorded_client(tmp_path: Path) -> None:
    """A recorded timeout comes again at its time, scaled; nothing else is in a hurry."""
    file = saved(tmp_path, stream("cut"))
    arguments = argument_parser().parse_args(["replay", file, "--speed", "10"])
    options = replay_options(arguments, on_terminal=False)

    def limits(recorded: Exchange) -> tuple[float | None, float | None, float | None]:
        config = _patience(recorded, options)
        return config.headers_timeout, config.idle_timeout, config.timeout

    no_head = Exchange(ASKED, 0.0, None, (), RecordedEnd(50.0, "timed_out"))
    assert limits(stream("complete", 9999.0)) == (None, None, None)
    assert limits(stream("timed_out", 100.3)) == (None, 10.0, None)
    assert limits(no_head) == (5.0, None, None)
    assert limits(exchange("timed_out", 0.6)) == (None, None, pytest.approx(0.06))
    assert options.speed == 10
    assert limits(attrs.evolve(no_head, end=RecordedEnd(0.1, "timed_out")))[0] == 0.05


def test_left_stream_ends_in_good_order() -> None:
    """What was left in the middle of its length or of its chunks ends with its last byte."""
    head = RecordedHead(0.0, 200, "OK", "HTTP/2", (("Content-Length", "99"), ("x", "y")))
    ended = _ended(exchange("left", 9.0, head), head)

    assert ended.head == RecordedHead(0.0, 200, "OK", "HTTP/1.1", (("x", "y"),))
    assert ended.end == RecordedEnd(9.0, "complete")
