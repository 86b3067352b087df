"""The scripted server in a thread of its own, for tests that do not run on Trio, or on nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Protocol, Self, cast

import trio

from ._plan import Plan
from ._request import Request
from ._server import ScriptedServer
from ._wire import Wire

__all__ = ["ServerFactory", "ThreadedServer"]

_PATIENCE = 10.0  # seconds, for a thread that has been told to stop


class ThreadedServer:
    """Plays scripts on a loopback port, whatever the test runs on: Trio, asyncio or nothing.

    ::

        with ThreadedServer([Event("one"), Reset()]) as server:
            answer = requests.get(server.url)

    The clock of the scripts is the real one. What a script or a plan calls runs in the thread of
    the server. No method needs Trio. `wait_requests` and `wait_disconnected` block, so in an
    async test they belong into a thread::

        await trio.to_thread.run_sync(server.wait_requests, 2)

    Theory of operation
    -------------------

    One thread runs one Trio loop with one `ScriptedServer` in it. Three things cross::

        thread of the test                       thread of the server
        ------------------                       --------------------
        stop, set_event     ──TrioToken──▶       the loop does it, some time later
        wait_...            ◀──Condition──       notified after each change, and at the end
        stop raises it      ◀──_failure───       the error that ended the loop

    What the test reads (the list of requests, the counters) only the server's thread writes, each
    before it notifies; so who looks with the condition in hand misses nothing.

    The thread is a daemon: a server that was forgotten does not keep the interpreter alive.

    Args:
        plan: One script, a list of scripts, or a callable from `Request` to script.
        port: Where to listen; 0: a free port.

    Raises:
        TypeError: The plan is none.
    """

    def __init__(self, plan: Plan, *, port: int = 0) -> None:
        self._news = threading.Condition()
        self._server = _Reporter(plan, self._news)
        self._port = port
        self._stop = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None  # from when it accepts connections
        self._over = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(
            target=self._run, name="trio_stream scripted server", daemon=True
        )

    @property
    def url(self) -> str:
        """Where it is reached, without a trailing slash; ``""`` before it has started."""
        return self._server.url

    @property
    def requests(self) -> list[Request]:
        """The requests so far, in the order in which they were complete: a list of your own.

        The last field of a `Request`, ``client_left``, is filled in when its script is over.
        """
        return list(self._server.requests)

    @property
    def connections(self) -> int:
        """How many connections were accepted so far."""
        return self._server.connections

    @property
    def open_connections(self) -> int:
        """How many of them the server has not yet seen the end of."""
        return self._server.open_connections

    def start(self) -> None:
        """Start the thread; return once the server accepts connections.

        Raises:
            OSError: It cannot listen there.
            RuntimeError: It was started before.
        """
        self._thread.start()
        try:
            self._wait_started()
        except BaseException:  # an interrupt
            self.stop()
            raise
        if self._over:
            self.stop()

    def stop(self) -> None:
        """Stop the server: close its connections, join its thread. Idempotent.

        Raises:
            BaseException: What ended the server before: what a plan raised, a `TypeError` for a
                script that is none. It is raised once, and as it is; several are raised in a
                group.
            RuntimeError: The thread does not end, because what a script or a plan has called
                blocks it. It is left behind.
        """
        if self._thread.ident is None:
            return  # never started
        self._wait_started()
        self._soon(self._stop.cancel)
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            raise RuntimeError(
                f"the server at {self.url} does not stop: a step or a plan blocks its thread"
            )
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure
            finally:
                del failure  # its traceback holds this frame

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def wait_requests(self, count: int = 1, timeout: float = 10.0) -> None:
        """Return once ``count`` requests have arrived, counted from the first one on. Blocks.

        Args:
            count: How many.
            timeout: How long to wait, in seconds of real time.

        Raises:
            TimeoutError: Fewer have arrived.
            RuntimeError: The server has stopped before; its error, if there is one, is the cause.
        """
        self._wait_until(
            lambda: len(self._server.requests) >= count,
            lambda: f"{len(self._server.requests)} of {count} requests have arrived",
            timeout,
        )

    def wait_disconnected(self, timeout: float = 10.0) -> None:
        """Return once no connection is open: the client or its script has closed each. Blocks.

        A connection that is still on its way to the server is not open yet: wait for its request
        first.

        Args:
            timeout: How long to wait, in seconds of real time.

        Raises:
            TimeoutError: A connection is still open.
        """
        self._wait_until(
            lambda: self._server.open_connections == 0,
            lambda: f"connections still open: {self._server.open_connections}",
            timeout,
        )

    def set_event(self, event: trio.Event) -> None:
        """Set an event that a script waits for with `Until`: `trio.Event.set`, from any thread."""
        self._soon(event.set)

    def _run(self) -> None:
        errors: list[BaseException] = []
        try:
            trio.run(self._serve)
        except BaseException as exc:  # noqa: BLE001 - not lost: stop() raises it, where it is seen
            errors = _errors(exc)
        errors = self._server.errors or errors
        with self._news:
            if errors:
                group = BaseExceptionGroup("several errors of the server", errors)
                self._failure = errors[0] if len(errors) == 1 else group
            self._over = True
            self._news.notify_all()

    async def _serve(self) -> None:
        with self._stop:
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(self._server.run, port=self._port))
                with self._news:
                    self._token = trio.lowlevel.current_trio_token()
                    self._news.notify_all()

    def _wait_started(self) -> None:
        with self._news:
            self._news.wait_for(lambda: self._token is not None or self._over)

    def _soon(self, call: Callable[[], object]) -> None:
        if self._token is not None:
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(call)

    def _wait_until(
        self, reached: Callable[[], bool], standing: Callable[[], str], timeout: float
    ) -> None:
        with self._news:
            self._news.wait_for(lambda: reached() or self._over, timeout)
            if reached():
                return
            if self._over:
                raise RuntimeError(f"the server has stopped; {standing()}") from self._failure
            raise TimeoutError(f"after {timeout} s, {standing()}{_loop_note()}")


class ServerFactory(Protocol):
    """What the fixture ``stream_server`` is: called with a plan, it gives a running server."""

    def __call__(self, plan: Plan, *, port: int = 0) -> ThreadedServer:
        """Start one more server, which is stopped when the test is over."""
        ...


class _Reporter(ScriptedServer):
    """Tells other threads whatever it tells its tasks, and keeps the errors of its scripts."""

    def __init__(self, plan: Plan, news: threading.Condition) -> None:
        super().__init__(plan)
        self.errors: list[BaseException] = []
        self._news = news

    async def _serve(self, wire: Wire) -> None:
        # Kept here, where nothing has been awaited since: on its way up, an error meets awaits,
        # and a server that is stopped meanwhile has a cancellation take its place.
        try:
            await super()._serve(wire)
        except BaseException as exc:
            self.errors += _errors(exc)
            raise

    def _notify(self) -> None:
        super()._notify()
        with self._news:
            self._news.notify_all()


def _errors(exc: BaseException) -> list[BaseException]:
    """The errors inside groups, without the cancellations beside them."""
    if isinstance(exc, BaseExceptionGroup):
        parts = cast("BaseExceptionGroup[BaseException]", exc).exceptions
        return [error for part in parts for error in _errors(part)]
    return [] if isinstance(exc, trio.Cancelled) else [exc]


def _loop_note() -> str:
    """What to say to one who has blocked a loop, in which the client may be that is waited for."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        in_loop = trio.lowlevel.in_trio_run()
    else:
        in_loop = True
    if not in_loop:
        return ""
    return (
        "; nothing else ran in this event loop meanwhile: "
        "wait in a thread, as with trio.to_thread.run_sync(server.wait_requests)"
    )
