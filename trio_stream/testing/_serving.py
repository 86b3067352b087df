"""What every scripted server does, whatever carries its connections: play and record."""

from __future__ import annotations

from collections.abc import Callable

import h11
import trio

from ._answer import Answer
from ._plan import Plan, start
from ._request import Request, read_request
from ._wire import Wire

__all__ = ["Server"]


class Server:
    """A server that plays scripts and records what it was asked.

    A client that leaves is never an error here, and one that only closes its sending side counts
    as one that leaves. A script that is wrong is an error, and is raised where the server runs.

    Attributes:
        url: Where it is reached, without a trailing slash.
        requests: The requests so far, in the order in which they were complete.
        connections: How many connections were accepted so far.
        open_connections: How many of them the server has not yet seen the end of.
    """

    def __init__(self, plan: Plan) -> None:
        self.url = ""
        self.requests: list[Request] = []
        self.connections = 0
        self.open_connections = 0
        self._scripts = start(plan)
        self._changed = trio.Event()

    async def wait_requests(self, count: int = 1) -> None:
        """Return once ``count`` requests have arrived, counted from the first one on."""
        await self._wait_until(lambda: len(self.requests) >= count)

    async def wait_disconnected(self) -> None:
        """Return once no connection is open: each was closed by the client or by its script."""
        await self._wait_until(lambda: self.open_connections == 0)

    async def _wait_until(self, reached: Callable[[], bool]) -> None:
        await trio.lowlevel.checkpoint()
        while not reached():
            await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _serve(self, wire: Wire) -> None:
        """Serve one connection from the first request to its end, and close it."""
        self.connections += 1
        self.open_connections += 1
        try:
            await self._answer_requests(wire, self.connections)
        except trio.BrokenResourceError:
            pass  # the client has left, as it may
        finally:
            wire.close()
            self.open_connections -= 1
            self._notify()

    async def _answer_requests(self, wire: Wire, connection: int) -> None:
        while True:
            try:
                request = await read_request(wire, connection)
            except h11.RemoteProtocolError as exc:
                complaint = f"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n{exc}\n"
                await wire.stream.send_all(complaint.encode())
                return
            if request is None:
                return
            self.requests.append(request)
            self._notify()
            answer = Answer(wire, request, self._scripts.take(request))
            await answer.play()
            if answer.aftermath == "reset":
                wire.reset()
            if answer.aftermath != "reuse":
                return
