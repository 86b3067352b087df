"""Many requests at once over few connections, to a server that does everything, cancelled anywhere.

`TRIO_STREAM_SOAK` says how many rounds there are.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from importlib import import_module
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.transport.raw_server import (
    CHUNKED,
    OK,
    FAMILIES,
    Peer,
    each_family,
    new_client,
    raw,
    serve_raw,
    statistics,
)
from trio_stream.testing import assert_no_leaks

ROUNDS = int(os.environ.get("TRIO_STREAM_SOAK", "1"))
TASKS = 200

POISON = b"HTTP/1.1 200 OK\r\nX-Number: 0\r\nContent-Length: 6\r\n\r\nPOISON"


async def answer_anyhow(peer: Peer) -> None:
    """Answer each request with its number, in the way that it asks for."""
    while request := await peer.request():
        number, kind = request.split(b" ")[1].strip(b"/").decode().split("/")
        if not await ANSWERS[kind](peer, number.encode()):
            return


def content(number: bytes) -> bytes:
    return number * 50


def head(number: bytes, *more: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"X-Number: " + number, *more, b"", b""])


def sized(number: bytes, *more: bytes) -> bytes:
    length = b"Content-Length: %i" % len(content(number))
    return head(number, length, *more) + content(number)


async def keep(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number))
    return True


async def in_chunks(peer: Peer, number: bytes) -> bool:
    data = content(number)
    await peer.stream.send_all(head(number, b"Transfer-Encoding: chunked"))
    for piece in (data[:1], data[1:60], data[60:]):
        if piece:
            await peer.stream.send_all(b"%x;x=y\r\n%b\r\n" % (len(piece), piece))
            await trio.lowlevel.checkpoint()
    await peer.stream.send_all(b"0\r\nX-Number: 0\r\n\r\n")
    return True


async def close(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number, b"Connection: close"))
    return False


async def close_untold(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number))
    return False


async def until_close(peer: Peer, number: bytes) -> bool:
    await peer.send(head(number) + content(number))
    return False


async def cut(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number)[:-3])
    return False


async def nothing(peer: Peer, number: bytes) -> bool:
    return False


async def reset(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number)[:-3])
    peer.reset()
    return False


async def stall(peer: Peer, number: bytes) -> bool:
    await peer.send(sized(number)[: -len(content(number)) // 2])
    await peer.gone()
    return False


async def interim(peer: Peer, number: bytes) -> bool:
    early = b"HTTP/1.1 103 Early Hints\r\nX-Number: 0\r\n\r\n"
    await peer.stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\n")
    await peer.stream.send_all(early + early)
    await trio.lowlevel.checkpoint()
    await peer.stream.send_all(sized(number))
    return True


async def poison(peer: Peer, number: bytes) -> bool:
    await peer.stream.send_all(sized(number) + POISON)
    return True


WHOLE = {
    "keep": keep,
    "in_chunks": in_chunks,
    "close": close,
    "close_untold": close_untold,
    "until_close": until_close,
    "interim": interim,
    "poison": poison,
}
BROKEN = {"cut": cut, "nothing": nothing, "reset": reset}
ANSWERS: dict[str, Any] = {**WHOLE, **BROKEN, "stall": stall}


@attrs.define
class Soak:
    """One round.

    Attributes:
        ended: How many requests have ended how.
    """

    client: Any
    url: str
    rng: random.Random
    ended: Counter[str] = attrs.Factory(Counter)

    async def one(self, number: int) -> None:
        """One request, or more of them, for as long as nobody cancels it."""
        kind = self.rng.choice(list(ANSWERS))
        steps = self.rng.randrange(300) if kind == "stall" or self.rng.random() < 0.5 else None
        async with trio.open_nursery() as nursery:
            if steps is not None:
                nursery.start_soon(self.cancel_after, steps, nursery.cancel_scope)
            how = "cancelled"
            try:
                how = await self.ask(number, kind)
            finally:
                self.ended[how] += 1
            nursery.cancel_scope.cancel()

    async def cancel_after(self, steps: int, scope: trio.CancelScope) -> None:
        for _ in range(steps):
            await trio.lowlevel.checkpoint()
        scope.cancel()

    async def ask(self, number: int, kind: str) -> str:
        http = import_module(type(self.client).__module__.partition(".")[0])
        method = self.rng.choice(["GET", "POST"])
        body = b"x" * self.rng.choice([0, 10, 100_000]) if method == "POST" else None
        url = f"{self.url}/{number}/{kind}"
        pieces = self.rng.choice([1, 1000])
        got = b""
        try:
            async with self.client.stream(method, url, content=body) as response:
                assert response.headers["X-Number"] == str(number)
                # The library's own iterator must be read to its end, or be left to be collected.
                body = response.aiter_raw() if pieces > 1 else response.extensions["trio_stream.body"]
                async for piece in body:
                    got += piece
                    pieces -= 1
                    if not pieces:
                        break
        except (http.NetworkError, http.RemoteProtocolError):
            # A request that cannot be repeated may die with the connection that it was given.
            assert kind in BROKEN or method == "POST"
            assert content(str(number).encode()).startswith(got)
            return "error"
        assert content(str(number).encode()).startswith(got)
        assert not pieces or (kind in WHOLE and len(got) == 50 * len(str(number)))
        return "answer"


@each_family
@pytest.mark.parametrize("limit", [3, None])
async def test_each_gets_its_own(family: str, limit: int | None) -> None:
    """Each request gets its own answer or an error, and nothing is left of those cancelled."""
    for number in range(ROUNDS):
        rng = random.Random(number)
        async with raw(family, answer_anyhow, max_connections=limit) as (client, server):
            soak = Soak(client, server.url, rng)
            async with trio.open_nursery() as nursery:
                for each in range(1, TASKS + 1):
                    nursery.start_soon(soak.one, each)
            now = statistics(client)
            assert (now.connections - now.idle, now.waiting) == (0, 0)
            assert now.idle <= (limit or TASKS)
            assert soak.ended.total() == TASKS
            assert min(soak.ended[how] for how in ("answer", "error", "cancelled")) > 5
