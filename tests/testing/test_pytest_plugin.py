"""The plugin for pytest, in runs of pytest of its own.

The runs load only the plugins that they name: what is installed beside them changes nothing.
"""

from __future__ import annotations

import importlib.util

import pytest

from trio_stream.testing import (
    Cassette,
    Exchange,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
    RecordedRequest,
)

pytest_plugins = ("pytester",)

PLUGIN = "trio_stream.testing.pytest_plugin"

# Runs under every plugin for async tests: AnyIO finds out by itself what it runs on.
ON_ANYTHING = """
import anyio
import httpx
import pytest
from trio_stream.testing import Event, Stall

OPTIONS = {"trust_env": False, "verify": False}

def test_plain(stream_server, no_stream_leaks):
    one, two = stream_server([Event("one")]), stream_server([Event("two")])
    with httpx.Client(**OPTIONS) as client:
        answers = [client.get(server.url).text for server in (one, two)]
    assert answers == ["data: one\\n\\n", "data: two\\n\\n"]
    one.wait_requests(1, 30)
    one.wait_disconnected(30)
    assert [request.path for request in one.requests] == ["/"]

@pytest.mark.anyio
async def test_async(stream_server, no_stream_leaks):
    one, stalled = stream_server([Event("one")]), stream_server(Stall())
    async with httpx.AsyncClient(**OPTIONS) as client, anyio.create_task_group() as group:
        assert (await client.get(one.url)).text == "data: one\\n\\n"
        group.start_soon(client.get, stalled.url)
        await anyio.to_thread.run_sync(stalled.wait_requests)
        group.cancel_scope.cancel()
    await anyio.to_thread.run_sync(stalled.wait_disconnected)
    assert stalled.requests[0].client_left
"""


def run(
    pytester: pytest.Pytester, *args: str, plugin: str = PLUGIN, **environ: str
) -> pytest.RunResult:
    """Run pytest with this plugin and those that are named, where every warning is an error."""
    pytester.plugins = []  # those of this module would be passed on
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        patch.delenv("PYTEST_PLUGINS", raising=False)
        for name, value in environ.items():
            patch.setenv(name, value)
        return pytester.runpytest_subprocess("-p", plugin, "-W", "error", *args, timeout=60)


def nothing_noisy(result: pytest.RunResult) -> bool:
    output = result.stdout.str() + result.stderr.str()
    return not any(word in output for word in ("Exception in thread", "Exception ignored"))


def test_fixtures_work_under_pytest_trio(pytester: pytest.Pytester) -> None:
    """Under pytest-trio, in sync and async tests, and beside its own fixtures."""
    pytester.makeini("[pytest]\ntrio_mode = true")
    pytester.makepyfile(
        ON_ANYTHING.replace("@pytest.mark.anyio", ""),
        test_beside="""
        import trio
        from trio_stream.testing import Event, memory_client, Wait

        async def test_beside(no_stream_leaks, nursery, autojump_clock, stream_server):
            nursery.start_soon(trio.sleep_forever)
            server = stream_server([Event("one")])
            async with memory_client([Event("one"), Wait(3600)]) as (client, _):
                await client.get(server.url, timeout=None)
            assert trio.current_time() == 3600
        """,
    )
    run(pytester, "-p", "pytest_trio.plugin").assert_outcomes(passed=3)


def test_fixtures_work_under_anyio(pytester: pytest.Pytester) -> None:
    """Under AnyIO's plugin, without pytest-trio, on Trio and on asyncio; with the option, too."""
    pytester.makeini("[pytest]\nno_stream_leaks = true")
    pytester.makepyfile(ON_ANYTHING)
    result = run(pytester, "-p", "anyio.pytest_plugin", "-v")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(["*test_async?asyncio?*", "*test_async?trio?*"])


@pytest.mark.skipif(
    importlib.util.find_spec("pytest_asyncio") is None, reason="pytest-asyncio is not installed"
)
def test_fixtures_work_under_pytest_asyncio(pytester: pytest.Pytester) -> None:
    """Under pytest-asyncio, in sync and async tests."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(ON_ANYTHING.replace("@pytest.mark.anyio", ""))
    run(pytester, "-p", "pytest_asyncio.plugin").assert_outcomes(passed=2)


OUTAGE = Cassette(
    tuple(
        Exchange(
            RecordedRequest("GET", "https://example.org/events"),
            start=float(number),
            head=RecordedHead(0.0, 200, headers=(("transfer-encoding", "chunked"),)),
            chunks=(RecordedChunk(600.0, b"data: %d\n\n" % number),),
            end=RecordedEnd(600.0, "complete"),
        )
        for number in range(2)
    )
)


def test_cassettes_lie_beside_the_test(pytester: pytest.Pytester) -> None:
    """A cassette is found by its name, from any directory, and played by a server or in memory."""
    here = pytester.mkdir("there")
    (here / "cassettes").mkdir()
    OUTAGE.save(here / "cassettes" / "outage.jsonl")
    (here / "test_cassette.py").write_text(
        """
import http.client, urllib.request
import pytest, trio
from trio.testing import MockClock
from trio_stream.testing import memory_client

def get(server):
    with urllib.request.urlopen(server.url) as answer:
        return answer.read()

def test_on_a_socket(cassette, stream_server):
    server = stream_server(cassette("outage").plan(speed=float("inf")))
    assert [get(server) for _ in range(2)] == [b"data: 0\\n\\n", b"data: 1\\n\\n"]

def test_one_request_too_many(cassette, stream_server):
    server = stream_server(cassette("outage").plan(speed=float("inf")))
    get(server), get(server)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        get(server)

def test_in_memory(cassette):
    async def main():
        async with memory_client(cassette("outage").plan()) as (client, server):
            await client.get(server.url, timeout=None)
            assert trio.current_time() == 600
    trio.run(main, clock=MockClock(autojump_threshold=0))

def test_missing(cassette):
    with pytest.raises(FileNotFoundError, match="cassettes/none.jsonl"):
        cassette("none")
"""
    )
    result = run(pytester, "there")

    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(
        [
            "* ERROR at teardown of test_one_request_too_many *",
            "E *LookupError: the cassette has 2*",
        ]
    )


def test_errors_of_servers_fail_their_tests(pytester: pytest.Pytester) -> None:
    """A wrong script or a failing plan fails its test when it is over, and stops what else runs."""
    pytester.makepyfile(
        """
        import http.client, threading, urllib.request
        import pytest
        from trio_stream.testing import Stall

        def get(server):
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                urllib.request.urlopen(server.url)

        def test_wrong_script(stream_server):
            get(stream_server(lambda request: 7))

        def test_failing_plan(stream_server):
            def plan(request):
                pytest.fail(f"was asked for {request.path}")
            stream_server(Stall())
            get(stream_server(plan))
            stream_server(Stall())

        def test_failing_test(stream_server):
            stream_server(Stall())
            raise KeyError("mine")

        def test_wrong_plan(stream_server):
            with pytest.raises(TypeError):
                stream_server([1])

        def test_error_that_is_expected(stream_server):
            server = stream_server(lambda request: None)
            get(server)
            with pytest.raises(TypeError):
                server.stop()

        def test_nothing_is_left():
            assert not [each for each in threading.enumerate() if "server" in each.name]
        """
    )
    result = run(pytester)

    result.assert_outcomes(passed=5, failed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            "* ERROR at teardown of test_wrong_script *",
            "E *TypeError: a script is a list of steps, but there is 7",
            "* ERROR at teardown of test_failing_plan *",
            "E *Failed: was asked for /",
            "* test_failing_test *",
            "E *KeyError: 'mine'",
        ]
    )
    assert nothing_noisy(result)


def test_leaks_fail_their_tests(pytester: pytest.Pytester) -> None:
    """With the option, each test that leaves something is told what; one that fails, is not.

    In a process of xdist, which the option must reach, and from which the verdicts come back.
    """
    pytester.makeini("[pytest]\nno_stream_leaks = true")
    pytester.makepyfile(
        """
        import asyncio, gc, socket, threading, unittest
        import pytest
        from trio_stream.testing import Stall
        from trio_stream.testing._threaded import ThreadedServer

        KEPT = []

        def keep(thing):
            KEPT.append(thing)
            return thing

        @pytest.fixture(scope="module", autouse=True)
        def close_all():
            yield
            for each in KEPT:
                each.close()

        @pytest.fixture
        def closes_late():
            with socket.socket() as kept:
                yield kept

        def test_tidy(closes_late):
            closes_late.dup().close()

        def test_abandoned():
            cycle = [socket.socket()]
            cycle.append(cycle)

        def test_kept():
            server = ThreadedServer(Stall())
            server.close = keep(server).stop
            server.start()
            gate = threading.Event()
            gate.close = gate.set
            threading.Thread(target=keep(gate).wait, name="lingering").start()
            loop = keep(asyncio.new_event_loop())
            async def linger():
                await asyncio.sleep(3600)
            async def start():
                loop.kept = loop.create_task(linger())
            loop.run_until_complete(start())

        def test_failing():
            keep(socket.socket())
            raise KeyError("mine")

        @pytest.mark.xfail(strict=True)
        def test_failing_as_it_should():
            keep(socket.socket())
            raise KeyError("mine")

        class TestOld(unittest.TestCase):
            def test_tidy(self):
                pass

            def test_failing(self):
                keep(socket.socket())
                self.fail("mine")

            def test_abandoned(self):
                cycle = [socket.socket()]
                cycle.append(cycle)
        """
    )
    result = run(pytester, "-p", "xdist", "-n", "1")

    result.assert_outcomes(passed=5, failed=2, xfailed=1, errors=3)
    socket = "socket:[[]*] as file descriptor *"
    result.stdout.fnmatch_lines(
        [
            "* ERROR at teardown of test_abandoned *",
            "left behind: ResourceWarning: unclosed <socket.socket *",
            "* ERROR at teardown of test_kept *",
            f"left behind: thread trio_stream scripted server; thread lingering; {socket}; task *",
            "* ERROR at teardown of TestOld.test_abandoned *",
            "left behind: ResourceWarning: unclosed <socket.socket *",
        ]
    )
    result.stdout.fnmatch_lines_random(["*; task *ScriptedServer.run*", "*; task *.linger*"])
    assert nothing_noisy(result)


def test_interrupt_stops_servers_quietly(pytester: pytest.Pytester) -> None:
    """An interrupted run ends at once, as interrupted and nothing else, whatever a server does."""
    pytester.makepyfile(
        """
        import socket
        from trio_stream.testing import Stall

        def test_interrupted(stream_server):
            server = stream_server(Stall())
            with socket.create_connection(server.url[7:].split(":")) as client:
                client.sendall(b"GET / HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n")
                server.wait_requests()
                raise KeyboardInterrupt
        """
    )
    result = run(pytester)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert nothing_noisy(result)
    assert result.stderr.str() == ""


def test_conftest_brings_the_plugin(pytester: pytest.Pytester) -> None:
    """One line of a conftest brings it, and nothing else does.

    Without the option, there is no fixture that runs for tests that ask for none.
    """
    pytester.makeconftest(f"pytest_plugins = [{PLUGIN!r}]")
    pytester.makepyfile(
        """
        def test_plain(request):
            assert request.config.getini("no_stream_leaks") is False
            assert not [name for name in request.fixturenames if "stream" in name]

        def test_fixture(stream_server):
            pass
        """
    )
    run(pytester, plugin="no:cacheprovider").assert_outcomes(passed=2)
