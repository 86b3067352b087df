"""The server in a thread of its own, used from where there is no Trio."""

from __future__ import annotations

import asyncio
import http.client
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from trio_stream.testing import (
    Answer,
    Event,
    Head,
    Request,
    Reset,
    Send,
    Stall,
    Step,
    Until,
    closed_port,
)
from trio_stream.testing._process_leaks import watching_leaks
from trio_stream.testing._threaded import ThreadedServer

HUNG_UP = (ConnectionError, http.client.HTTPException)
HI = [Head(framing="length"), Send(b"hi")]


def connect(server: ThreadedServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30)


def get(server: ThreadedServer, path: str = "/") -> bytes:
    """What a client without any event loop receives."""
    with closing(connect(server)) as client:
        client.request("GET", path)
        return client.getresponse().read()


def no_thread_is_left() -> bool:
    return not any("scripted server" in thread.name for thread in threading.enumerate())


def test_any_client_is_served() -> None:
    """A client without Trio gets what the script says, and the test sees what it asked."""
    closing_head = Head(framing="close")  # so the client leaves after the server
    with ThreadedServer([[closing_head, Send(b"hi")], [closing_head, Event("two")]]) as server:
        assert [get(server, "/a"), get(server, "/b")] == [b"hi", b"data: two\n\n"]
        server.wait_disconnected()

        assert [request.path for request in server.requests] == ["/a", "/b"]
        assert [request.client_left for request in server.requests] == [False, False]
        assert (server.connections, server.open_connections) == (2, 0)
    assert no_thread_is_left()


def test_servers_are_independent() -> None:
    """Each server has its own port, script and record."""
    with ThreadedServer(HI) as one, ThreadedServer([Head(framing="length"), Send(b"yo")]) as two:
        assert (get(one), get(two)) == (b"hi", b"yo")
        assert one.url != two.url
        assert len(one.requests) == 1


def test_list_of_requests_is_a_snapshot() -> None:
    """The list that a test holds does not change under its hands, nor do changes to it matter."""
    with ThreadedServer(HI) as server:
        get(server)
        before = server.requests
        get(server)
        assert len(before) == 1
        before.clear()
        assert len(server.requests) == 2


def test_what_happens_in_the_server_can_be_waited_for() -> None:
    """The waits return when the requests are there and when the connections are gone."""
    with ThreadedServer(Stall()) as server:
        clients = [connect(server) for _ in range(3)]
        waiting = threading.Thread(target=server.wait_requests, args=(3, 30.0))
        waiting.start()
        for client in clients:
            client.request("GET", "/")
        waiting.join()
        assert len(server.requests) == 3
        assert server.open_connections == 3
        for client in clients:
            client.close()
        server.wait_disconnected()
        assert [request.client_left for request in server.requests] == [True] * 3


def test_waits_end_in_an_error_that_says_how_far_it_got() -> None:
    """What does not happen in time is a `TimeoutError` that counts what did."""
    with ThreadedServer(Stall()) as server, closing(connect(server)) as client:
        client.request("GET", "/")
        server.wait_requests(1)
        with pytest.raises(TimeoutError, match=r"^after 0 s, 1 of 2 requests have arrived$"):
            server.wait_requests(2, timeout=0)
        with pytest.raises(TimeoutError, match=r"^after 0 s, connections still open: 1$"):
            server.wait_disconnected(timeout=0)


async def wait_in_the_loop(server: ThreadedServer) -> None:
    server.wait_requests(timeout=0)


@pytest.mark.parametrize("run", [trio.run, lambda main, *args: asyncio.run(main(*args))])
def test_wait_that_blocks_a_loop_says_so(run: Callable[..., Any]) -> None:
    """One who waits in an event loop, for a client in the same loop, learns what is wrong."""
    with ThreadedServer(HI) as server, pytest.raises(TimeoutError, match="wait in a thread"):
        run(wait_in_the_loop, server)


async def test_waits_work_from_threads_of_a_loop() -> None:
    """An async test waits in a thread, and the client in its loop goes on meanwhile."""
    with ThreadedServer(HI) as server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, server.wait_requests, 2)
            for _ in range(2):
                nursery.start_soon(trio.to_thread.run_sync, get, server)


async def test_gate_is_opened_from_any_thread() -> None:
    """A script that waits for an event goes on when it is set from outside its loop."""
    first, second = trio.Event(), trio.Event()
    plan = [Head(framing="close"), Until(first), Send(b"now"), Until(second)]
    with ThreadedServer(plan) as server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, get, server)
            await trio.to_thread.run_sync(server.wait_requests)
            server.set_event(first)
            await trio.to_thread.run_sync(server.set_event, second)
    server.set_event(first)  # of no use any more, and no harm


def fail(error: BaseException, _: object) -> Event:
    raise error


def fail_with_path(request: Request) -> Event:
    raise KeyError(request.path)


@pytest.mark.parametrize("error", [KeyError("plan"), SystemExit(3), KeyboardInterrupt()])
def test_error_of_a_plan_is_raised_by_stop_once(error: BaseException) -> None:
    """What a plan raises, even an exit, ends no thread noisily: `stop` raises that very object."""
    server = ThreadedServer(partial(fail, error))
    server.start()
    with pytest.raises(HUNG_UP):
        get(server)
    with pytest.raises(RuntimeError, match=r"stopped; 1 of 2 requests") as caught:
        server.wait_requests(2)
    assert caught.value.__cause__ is error
    with pytest.raises(type(error)) as raised:
        server.stop()
    assert raised.value is error
    server.stop()
    assert no_thread_is_left()


def test_script_of_a_plan_that_is_none_is_an_error() -> None:
    """A callable that returns no script is found when it is called, a wrong plan at once."""
    wrong: Any = "script"
    server = ThreadedServer(lambda _: wrong)
    server.start()
    with pytest.raises(HUNG_UP):
        get(server)
    with pytest.raises(TypeError, match="a script is a list of steps"):
        server.stop()
    with pytest.raises(TypeError, match="a script is a list of steps"):
        ThreadedServer([wrong])
    with pytest.raises(TypeError, match=r"Stall\(\), not Stall"):
        ThreadedServer(Stall)  # type: ignore[arg-type]


@attrs.frozen
class FailTogether(Step):
    """Fails when all others fail."""

    gate: trio.Event

    async def play(self, answer: Answer) -> None:
        await self.gate.wait()
        raise KeyError(answer.request.path)


def test_several_errors_stay_together() -> None:
    """Errors that happened at the same time are raised in one group."""
    gate = trio.Event()
    server = ThreadedServer(FailTogether(gate))
    server.start()
    clients = [connect(server) for _ in range(2)]
    for client in clients:
        client.request("GET", "/")
    server.wait_requests(2)
    server.set_event(gate)
    for client in clients:
        with closing(client), pytest.raises(HUNG_UP):
            client.getresponse()
    with pytest.RaisesGroup(KeyError, KeyError):
        server.stop()


def test_error_of_the_server_is_raised_before_that_of_the_block() -> None:
    """Where a client fails because its server did, the cause is raised, and not only the effect."""
    with pytest.raises(KeyError) as caught, ThreadedServer(partial(fail, KeyError())) as server:
        get(server)
    assert isinstance(caught.value.__context__, HUNG_UP)


def test_error_is_not_lost_when_the_server_is_stopped_at_once() -> None:
    """An error that is still on its way through the server's tasks is raised all the same."""
    for path in map(str, range(50)):
        server = ThreadedServer(fail_with_path)
        server.start()
        with pytest.raises(HUNG_UP):
            get(server, path)
        with pytest.raises(KeyError, match=path):
            server.stop()


def test_stopping_hangs_up() -> None:
    """A stopped server has closed its connections and its port, and remembers what it was asked."""
    with ThreadedServer([Head(framing="close"), Send(b"hi"), Stall()]) as server:
        client = connect(server)
        client.request("GET", "/")
        response = client.getresponse()
        assert response.read(2) == b"hi"
    with closing(client), response:
        assert response.read() == b""
    assert len(server.requests) == 1
    assert server.open_connections == 0
    server.wait_requests(1)
    server.wait_disconnected()
    with pytest.raises(RuntimeError, match="stopped"):
        server.wait_requests(2)
    with pytest.raises(ConnectionRefusedError):
        get(server)


def test_port_can_be_chosen_and_taken_again() -> None:
    """A server can come back on its port, and on one that is taken says so when it is started."""
    with closed_port() as url:
        port = int(url.rpartition(":")[2])
    with ThreadedServer(HI, port=port) as server:
        assert server.url == url
        taken = ThreadedServer(HI, port=port)
        with pytest.raises(OSError, match="in use"):
            taken.start()
        taken.stop()
    with ThreadedServer(HI, port=port) as server:
        assert get(server) == b"hi"


def test_server_that_was_never_started_can_be_stopped() -> None:
    """Stopping is harmless at any time; a thread starts once."""
    server = ThreadedServer(HI)
    server.stop()
    assert server.url == ""
    with server, pytest.raises(RuntimeError):
        server.start()


def test_interrupted_start_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt that comes while the server starts stops it again."""
    server = ThreadedServer(HI)
    wait = server._wait_started

    def interrupt() -> None:
        monkeypatch.undo()
        wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "_wait_started", interrupt)
    with pytest.raises(KeyboardInterrupt):
        server.start()
    assert no_thread_is_left()


def test_server_that_is_blocked_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that blocks its thread cannot be stopped: that is an error and no endless wait."""
    monkeypatch.setattr("trio_stream.testing._threaded._PATIENCE", 0.0)
    gate = threading.Event()

    def block(_: object) -> list[Step]:
        gate.wait()
        return HI

    server = ThreadedServer(block)
    server.start()
    with closing(connect(server)) as client:
        client.request("GET", "/")
        server.wait_requests()
        with pytest.raises(RuntimeError, match="a step or a plan blocks its thread"):
            server.stop()
        gate.set()
        monkeypatch.undo()
        server.stop()
    assert no_thread_is_left()


def test_abrupt_clients_and_servers_are_no_errors() -> None:
    """Resets from either side are what the kit is for."""
    with ThreadedServer([Event("one"), Reset()]) as server:
        for _ in range(5):
            with pytest.raises((ConnectionError, http.client.IncompleteRead)):
                get(server)
        host, _, port = server.url.removeprefix("http://").partition(":")
        for _ in range(5):
            socket.create_connection((host, int(port))).close()
        server.wait_disconnected()


def test_many_waiters_and_clients_at_once() -> None:
    """Twenty clients and twenty waiters in threads of their own lose nothing."""
    with watching_leaks() as find:
        with ThreadedServer(HI) as server:
            threads = [threading.Thread(target=get, args=(server,)) for _ in range(20)]
            threads += [
                threading.Thread(target=server.wait_requests, args=(n, 30.0)) for n in range(20)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(server.requests) == 20
        assert find() == []


FORGETFUL = """
import socket
from trio_stream.testing import Event, Stall
from trio_stream.testing._threaded import ThreadedServer
server = ThreadedServer([Event("one"), Stall()])
server.start()
client = socket.create_connection(server.url.removeprefix("http://").split(":"))
client.sendall(b"GET / HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n")
server.wait_requests()
client.close()
{ending}
"""


@pytest.mark.parametrize(
    ("ending", "code", "complaint"),
    [("", 0, ""), ("raise KeyError", 1, "KeyError")],
)
def test_forgotten_server_ends_with_the_interpreter(ending: str, code: int, complaint: str) -> None:
    """A process whose server was not stopped exits at once and quietly, as it would without it."""
    answer = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", FORGETFUL.format(ending=ending)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert answer.returncode == code
    assert answer.stdout == ""
    assert answer.stderr.strip().splitlines()[-1:] == ([complaint] if complaint else [])
    assert "thread" not in answer.stderr
