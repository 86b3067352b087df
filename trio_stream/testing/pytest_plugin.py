"""The fixtures of the testing kit, for pytest.

`stream_server` starts scripted servers, `cassette` loads what they may play, `no_stream_leaks`
lets a test fail that leaves something behind. All are synchronous, so tests may be plain
functions, or run under pytest-trio, AnyIO's plugin or pytest-asyncio::

    def test_reader(stream_server):
        server = stream_server([Event("one"), Reset()])
        with pytest.raises(ConnectionError):
            read(server.url)

    def test_outage(stream_server, cassette):
        server = stream_server(cassette("outage").plan(speed=100))
        assert read(server.url) == ...

They are there where the ``conftest.py`` at the top says::

    pytest_plugins = ["trio_stream.testing.pytest_plugin"]

With ``no_stream_leaks = true`` in the configuration of pytest every test is looked at.

It is not registered by itself: pytest would import all of trio_stream in each of its runs, needed
or not, and before a measurement of coverage can begin.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

from ._cassette import Cassette
from ._plan import Plan
from ._process_leaks import watching_leaks
from ._threaded import ServerFactory, ThreadedServer

__all__ = ["cassette", "no_stream_leaks", "stream_server"]

_PASSED = pytest.StashKey[bool]()


@pytest.fixture
def stream_server(request: pytest.FixtureRequest) -> Generator[ServerFactory]:
    """Start scripted servers, one for each call; any client can then ask at their ``url``.

    Each runs in a thread of its own, and is stopped when the test is over. A script or a plan
    that was wrong fails the test then, with its error.
    """
    if "no_stream_leaks" in request.fixturenames:
        # What is set up first is torn down last: the servers must be gone when leaks are sought.
        request.getfixturevalue("no_stream_leaks")
    with ExitStack() as servers:

        def start(plan: Plan, *, port: int = 0) -> ThreadedServer:
            server = ThreadedServer(plan, port=port)
            return servers.enter_context(server)

        yield start


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Callable[[str], Cassette]:
    """Load a cassette by its name: ``cassettes/NAME.jsonl`` beside the file of the test.

    Its plan is for `stream_server`, or for ``memory_client`` under a mock clock.
    """

    def load(name: str) -> Cassette:
        return Cassette.load(request.path.parent / "cassettes" / f"{name}.jsonl")

    return load


@pytest.fixture
def no_stream_leaks(request: pytest.FixtureRequest) -> Generator[None]:
    """Fail the test if it leaves a thread, socket or task behind, or provokes a ResourceWarning.

    A test that did not pass is not searched: what it has failed with keeps things alive. Fixtures
    that are torn down later than this one may still have something open, so name this one first.
    """
    with watching_leaks() as find:
        yield
        leaks = find() if request.node.stash.get(_PASSED, False) else []
    if leaks:
        pytest.fail("left behind: " + "; ".join(leaks), pytrace=False)


class _EveryTest:
    """A plugin of its own, so that a run without the option has no autouse fixture."""

    @pytest.fixture(autouse=True)
    def _no_stream_leaks_in_every_test(self, no_stream_leaks: None) -> None:
        """Look at every test, as the option ``no_stream_leaks`` asks."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Name the option."""
    parser.addini(
        "no_stream_leaks",
        "fail every test that leaves a thread, socket or task behind (fixture no_stream_leaks)",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Do what the option says."""
    if config.getini("no_stream_leaks"):
        config.pluginmanager.register(_EveryTest(), "trio_stream no_stream_leaks")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test passed: a fixture is not told."""
    report = yield
    if call.when == "call":
        item.stash[_PASSED] = report.passed
    return report
