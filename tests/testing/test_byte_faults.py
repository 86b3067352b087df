"""Faults that are counted in bytes: as scripts, and as a client sees them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import trio
import trio.testing

from tests.testing.wires import GET, body, exchange
from trio_stream.testing import (
    Answer,
    BadChunk,
    CutAt,
    End,
    Event,
    Fault,
    Head,
    LineEnds,
    Pieces,
    Ping,
    Raw,
    Refuse,
    Reset,
    Script,
    Send,
    SplitAt,
    SplitCRLF,
    SplitEvery,
    Stall,
    StallAt,
    Step,
    Truncate,
    Wait,
    faulty,
    memory_client,
    serve_memory,
)

ONE, TWO = Event("one"), Event("two")  # 11 bytes each
HEAD = Head(framing="close")


def data(steps: Iterator[Step] | list[Step]) -> bytes:
    return b"".join(piece for step in steps for piece in step.pieces())


class Own(Step):
    """A step that nobody can look into, which says how long it is."""

    def pieces(self) -> list[bytes]:
        return [b"own"]

    async def play(self, answer: Answer) -> None:
        await answer.send(b"own")


OWN = Own()


@pytest.mark.parametrize(
    ("fault", "script", "worse"),
    [
        (CutAt(5), ONE, [Truncate(b"data:")]),
        (CutAt(5, "reset"), ONE, [Send(b"data:"), Reset()]),
        (CutAt(5, "end"), ONE, [Send(b"data:"), End()]),
        (CutAt(11), [ONE, TWO], [ONE, Truncate()]),
        (CutAt(11), [ONE, Wait(9), TWO], [ONE, Truncate()]),
        (CutAt(12), [ONE, Wait(9), TWO], [ONE, Wait(9), Truncate(b"d")]),
        (CutAt(22), [ONE, TWO], [ONE, TWO, Truncate()]),
        (CutAt(23), [ONE, TWO], [ONE, TWO]),
        (CutAt(0), [ONE], [Head(), Truncate()]),
        (CutAt(0), [], [Head(), Truncate()]),
        (CutAt(0), [Head(103), HEAD, ONE], [Head(103), HEAD, Truncate()]),
        (CutAt(0, "end"), [Wait(5), ONE], [Wait(5), Head(), End()]),
        (CutAt(3), [Pieces(b"abcde", size=2, every=9)], [Send(b"ab"), Wait(9), Truncate(b"c")]),
        (CutAt(2), [Truncate(b"abc")], [Truncate(b"ab")]),
        (CutAt(3), [Truncate(b"abc")], [Truncate(b"abc")]),
        (CutAt(2), [OWN, ONE], [OWN, Truncate()]),
        (CutAt(1, "reset"), [Raw(b"HTTP/1.1 200 OK\r\n\r\n"), Send(b"ab")],
         [Raw(b"HTTP/1.1 200 OK\r\n\r\n"), Send(b"a"), Reset()]),
        (CutAt(0), [End(), Raw(b"junk")], [Head(), Truncate()]),
        (CutAt(0), [BadChunk()], [Head(), Truncate()]),
        (StallAt(5), [ONE, TWO], [Send(b"data:"), Stall(), Send(b" one\n\n"), TWO]),
        (StallAt(5, 90), [ONE, TWO], [Send(b"data:"), Wait(90), Send(b" one\n\n"), TWO]),
        (StallAt(11, 90), [ONE, TWO], [ONE, Wait(90), TWO]),
        (StallAt(0, 90), [HEAD, ONE], [HEAD, Wait(90), ONE]),
        (StallAt(0, 90), [ONE], [Head(), Wait(90), ONE]),
        (StallAt(22, 90), [ONE, TWO], [ONE, TWO, Wait(90)]),
        (StallAt(23, 90), [ONE, TWO], [ONE, TWO]),
        (SplitAt(5), [ONE, TWO], [Send(b"data:"), Send(b" one\n\n"), TWO]),
        (SplitAt([13, 1, 1], every=2), [ONE, TWO],
         [Send(b"d"), Wait(2), Send(b"ata: one\n\n"), Send(b"da"), Wait(2), Send(b"ta: two\n\n")]),
        (SplitAt([0, 11, 99], every=2), [ONE, TWO], [ONE, TWO]),
        (SplitEvery(), [Send(b"ab"), Wait(9)], [Send(b"a"), Send(b"b"), Wait(9)]),
        (SplitEvery(2, every=1), [HEAD, Send(b"abc"), Send(b"d")],
         [HEAD, Send(b"ab"), Wait(1), Send(b"c"), Wait(1), Send(b"d")]),
        (SplitEvery(), [OWN, Send(b"")], [OWN, Send(b"")]),
        (SplitCRLF(), [Send(b"a\r\n\r\nb\rc\n"), ONE],
         [Send(b"a\r"), Send(b"\n\r"), Send(b"\nb\rc\n"), Send(b"data: one\n\n")]),
        (SplitCRLF(), [HEAD, OWN, Stall()], [HEAD, OWN, Stall()]),
        (SplitCRLF(every=3), [Send(b"\r\n")], [Send(b"\r"), Wait(3), Send(b"\n")]),
        (LineEnds(), [ONE, Ping("x"), Send(b"\n")],
         [Send(b"data: one\r\n\r\n"), Send(b": x\r\n\r\n"), Send(b"\n")]),
        (LineEnds("\r"), [ONE], [Send(b"data: one\r\r")]),
    ],
)  # fmt: skip
def test_fault_makes_a_worse_script(fault: Fault, script: Script, worse: list[Step]) -> None:
    """A fault is a function from script to script, and does what it says at its place."""
    assert fault(script) == worse


@pytest.mark.parametrize("step", [Refuse(), Reset(), Stall(), Truncate()])
@pytest.mark.parametrize("fault", [CutAt(0), CutAt(3), StallAt(0, 9), StallAt(3, 9), SplitAt(0)])
def test_what_comes_too_late_changes_nothing(fault: Fault, step: Step) -> None:
    """A script that ends before the place of a fault stays as it is."""
    assert fault(step) == [step]
    assert fault([Send(b"ab"), step])[-1] == (step if fault != CutAt(0) else Truncate())


def test_every_place_is_found() -> None:
    """Whatever the place, a cut keeps the bytes before it, and a pause or a split all of them."""
    script = [HEAD, ONE, Ping(), Wait(1), Pieces(b"x" * 9, sizes=[1, 2], size=4, every=2), OWN]
    whole = data(list(script))

    for place in range(len(whole) + 2):
        if place <= len(whole) - len(b"own"):
            assert data(CutAt(place, "reset")(script)) == whole[:place]
        assert data(StallAt(place, 5)(script)) == whole
        assert data(SplitAt([place, place + 2])(script)) == whole
        assert data(SplitEvery(place + 1)(script)) == whole


def test_endless_scripts_are_cut() -> None:
    """A fault takes no more of a script than it needs."""

    def endless() -> Iterator[Step]:
        while True:
            yield ONE

    faults = [
        SplitCRLF(),
        SplitEvery(3),
        StallAt(50, 1),
        SplitAt(17),
        LineEnds(),
        CutAt(100, "end"),
    ]
    steps: Iterator[Step] = endless()
    for fault in faults:
        steps = fault.apply(steps)
    assert len(data(steps)) == 100


@pytest.mark.parametrize("encoding", [None, "gzip"])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize("how", ["close", "reset", "end"])
@pytest.mark.parametrize("place", [0, 5, 11, 22])
async def test_cut_with_every_framing(place: int, how: Any, framing: Any, encoding: Any) -> None:
    """The bytes before the cut arrive, and then the end that was asked for."""
    plan = faulty([Head(framing=framing, encoding=encoding), ONE, TWO], CutAt(place, how))
    received, error = b"", ""
    async with memory_client(plan) as (client, server):
        try:
            async with client.stream("GET", server.url) as response:
                async for some in response.aiter_bytes():
                    received += some
        except Exception as exc:  # noqa: BLE001
            error = type(exc).__name__

    cut_is_seen = {"close": "RemoteProtocolError", "reset": "ReadError", "end": ""}
    assert received == b"data: one\n\ndata: two\n\n"[:place]
    if framing == "close" and how == "close":
        assert error == ""  # it looks like an end; that of gzip is missing
    else:
        assert error == cut_is_seen[how]


async def test_cut_falls_into_the_chunk() -> None:
    """A cut inside of a write leaves its chunk unfinished."""
    assert (await exchange(faulty(ONE, CutAt(5)))).endswith(b"\r\n\r\n6\r\ndata:")


async def test_place_is_counted_before_compression() -> None:
    """The bytes of a place are those of the body, not of its compressed form."""
    plan = faulty([Head(framing="close", encoding="gzip"), ONE, TWO], CutAt(13))
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    assert decompressor.decompress(await body(plan)) == b"data: one\n\nda"


async def test_trickle_on_the_clock(autojump_clock: trio.testing.MockClock) -> None:
    """A body that trickles takes its time, between events too."""
    plan = faulty([HEAD, Send(b"ab"), Send(b"c")], SplitEvery(every=10))
    async with serve_memory(plan) as server, await server.connect() as connection:
        await connection.send_all(GET)
        assert (await connection.receive_some()).startswith(b"HTTP/1.1 200")
        seen = [(await connection.receive_some(), trio.current_time()) for _ in range(4)]
    assert [part for part, _ in seen] == [b"a", b"b", b"c", b""]
    assert [time - seen[0][1] for _, time in seen] == [0, 10, 20, 20]


@pytest.mark.parametrize(("fault", "number"), [(CutAt, -1), (StallAt, -1), (SplitEvery, 0)])
def test_impossible_places_are_refused(fault: Any, number: int) -> None:
    """A place before the beginning is refused where it is written."""
    with pytest.raises(ValueError, match="must be >="):
        fault(number)
