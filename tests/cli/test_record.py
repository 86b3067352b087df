"""`trio-stream record`: what gets into the file, and what is said of it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
import trio

from tests.cli.commands import SOON, Running, run
from tests.cli.test_usage import code_of
from trio_stream.testing import Cassette, Event, Head, Stall, Truncate, closed_port, first, serve


async def test_stream_is_recorded_with_its_fault(tmp_path: Path) -> None:
    """The file has the request without its secrets, the bytes, and how the stream ended."""
    path = tmp_path / "x.jsonl"
    path.write_text("what was there before")
    plan = first(
        [[Head(302, headers={"location": "/there"})]], then=[Event("one"), Truncate(b"da")]
    )
    async with serve(plan) as server:
        done = await run(
            "record", f"{server.url}/?key=4f9a0b7c8d", str(path), "-H", "X-Mine: 11112222",
            "--scrub", "x-mine", "-d", '{"q": 1}',
        )  # fmt: skip
        assert server.requests[0].headers["x-mine"] == "11112222"
    redirect, stream = Cassette.load(path).exchanges

    assert (done.code, done.out) == (3, "")
    assert done.err.splitlines()[-2] == f"trio-stream: recorded 2 exchanges, 2 pieces in {path}"
    assert done.last_word == "trio-stream: truncated · 13 B"
    assert redirect.request.method == "POST"
    assert redirect.request.body == b'{"q": 1}'
    assert redirect.request.url == f"{server.url}/?key=SCRUBBED"
    assert "11112222" not in path.read_text()
    assert (stream.body, stream.end.end) == (b"data: one\n\nda", "cut")


async def test_recording_stops_when_it_is_told(tmp_path: Path) -> None:
    """At --max-seconds the recording is complete, and says that the client has left."""
    path = tmp_path / "x.jsonl"
    async with serve([Event("one"), Stall()]) as server:
        for seconds in ("0.3", "1", "4", "15"):  # a busy machine may need them to connect
            done = await run("record", server.url, str(path), "--max-seconds", seconds)
            if not done.last_word.endswith(" 0 B"):
                break

    assert done.code == 0
    assert done.last_word == f"trio-stream: stopped at --max-seconds {seconds} · 11 B"
    [exchange] = Cassette.load(path).exchanges
    assert (exchange.body, exchange.end.end) == (b"data: one\n\n", "left")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(
    ("number", "code", "word"),
    [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated"), ("SIGHUP", 129, "hung up")],
)
async def test_signal_leaves_a_whole_file(
    number: str, code: int, word: str, tmp_path: Path
) -> None:
    """Ctrl-C, or a terminal that goes, ends the recording; what came until then is in the file."""
    path = tmp_path / "x.jsonl"
    async with serve([Event("one"), Stall()]) as server:
        record = await Running.start("record", server.url, str(path))
        with trio.fail_after(SOON):
            await server.wait_requests()
        record.signal(signal.Signals[number])
        done = await record.end()

    assert done.code == code
    assert done.err.splitlines()[-2].startswith("trio-stream: recorded 1 exchange, ")
    assert done.last_word.startswith(f"trio-stream: {word} · ")
    assert Cassette.load(path).exchanges[0].end.end == "left"


def test_failure_is_recorded_too(tmp_path: Path) -> None:
    """Where nobody listens, that is what the file says."""
    path = tmp_path / "x.jsonl"
    with closed_port() as url:
        assert code_of(["record", url, str(path)]) == 1

    assert [exchange.end.end for exchange in Cassette.load(path).exchanges] == ["refused"]


def test_file_that_cannot_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A place where nothing can be written is found out before anything is asked for."""
    with closed_port() as url:
        assert code_of(["record", url, str(tmp_path / "none" / "x")]) == 1

    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith("trio-stream: cannot write ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_full_disk(capfd: pytest.CaptureFixture[str]) -> None:
    """A cassette that did not get onto the disk is a failure, and is not said to be there."""
    with closed_port() as url:
        assert code_of(["record", url, "/dev/full"]) == 1

    err = capfd.readouterr().err
    assert "No space left on device" in err
    assert "recorded" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["record"],
        ["record", "http://127.0.0.1:1"],
        ["record", "http://127.0.0.1:1", "x", "--max-seconds", "0"],
        ["record", "http://127.0.0.1:1", "x", "--framing", "sse"],
        ["record", "http://127.0.0.1:1", "x", "-d", "@/no/such/file"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant ends with 2 and an explanation."""
    assert code_of(arguments) == 2
    assert "trio-stream" in capfd.readouterr().err


def test_url_that_cannot_be_one(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A URL that cannot be asked is a mistake of usage, as for tail."""
    assert code_of(["record", "ftp://example.org", str(tmp_path / "x")]) == 2
    assert "ftp" in capfd.readouterr().err
