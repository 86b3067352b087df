"""The command line: what it takes, and what it refuses."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from trio_stream.cli import main
from trio_stream.cli._arguments import argument_parser
from trio_stream.cli._options import tail_options


def code_of(arguments: list[str]) -> object:
    try:
        return main(arguments)
    except SystemExit as exit_:
        return exit_.code


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["tail"],
        ["nonsense"],
        ["tail", "no-url"],
        ["tail", "ftp://example.org"],
        ["tail", "http://[::1/"],
        ["tail", "http://a..b/"],
        ["tail", "http://127.0.0.1:1", "--field", "a..b"],
        ["tail", "http://127.0.0.1:1", "--timeout", "soon"],
        ["tail", "http://127.0.0.1:1", "--timeout", "-1"],
        ["tail", "http://127.0.0.1:1", "--max-items", "0"],
        ["tail", "http://127.0.0.1:1", "-X", "GE T"],
        ["tail", "http://127.0.0.1:1", "-H", "no colon"],
        ["tail", "http://127.0.0.1:1", "-d", "@/no/such/file"],
        ["tail", "http://127.0.0.1:1", "--json", "--raw"],
        ["tail", "http://127.0.0.1:1", "--json", "--framing", "raw"],
        ["tail", "http://127.0.0.1:1", "--raw", "--framing", "sse"],
        ["tail", "http://127.0.0.1:1", "--raw", "--max-items", "1"],
        ["tail", "http://127.0.0.1:1", "--join", "--timing"],
        ["tail", "http://127.0.0.1:1", "--comments", "--framing", "ndjson"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant ends with 2 and an explanation, before anything is asked for."""
    assert code_of(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "trio-stream" in err


def test_help_tells_the_exit_codes(capfd: pytest.CaptureFixture[str]) -> None:
    """--help documents each exit code."""
    assert code_of(["tail", "--help"]) == 0
    codes = capfd.readouterr().out.partition("exit codes:\n")[2].split("\n")
    assert [line.split()[0] for line in codes if line] == [
        "0", "1", "2", "3", "4", "129", "130", "141", "143",
    ]  # fmt: skip


def test_timeouts() -> None:
    """Timeouts are those of the library unless they are given; 0 is no limit."""
    arguments = ["tail", "http://x", "--timeout", "5.5", "--idle-timeout", "0"]
    config = tail_options(argument_parser().parse_args(arguments), on_terminal=False).config

    assert (config.timeout, config.idle_timeout, config.connect_timeout) == (5.5, None, 10.0)


def test_control_c_while_the_body_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before there is a stream ends with 130 too, without a traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trio_stream.cli._main.tail_options", interrupted)

    assert main(["tail", "http://x"]) == 130


def test_version(capfd: pytest.CaptureFixture[str]) -> None:
    """--version tells the version of the package."""
    assert code_of(["--version"]) == 0
    assert capfd.readouterr().out == f"trio-stream {version('trio-stream')}\n"
