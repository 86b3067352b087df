"""`trio-stream bench`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import ROOT
from trio_stream.cli._bench import BESIDE, bench


def program(folder: Path, source: str) -> Path:
    """A checkout whose benchmarks are this program."""
    package = folder / "benchmarks"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(source, encoding="utf-8")
    return folder


def test_benchmarks_of_the_checkout_are_found() -> None:
    """In a checkout, the folder beside the package is the one that is run."""
    assert BESIDE == ROOT
    assert (BESIDE / "benchmarks" / "__main__.py").is_file()


def test_arguments_are_passed_on(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The program has all arguments, options included, and its exit code is the command's."""
    checkout = program(tmp_path, "import sys\nprint(sys.argv[1:])\nsys.exit(7)")

    code = bench(["burst", "--smoke", "--output", "x y"], beside=checkout)

    assert code == 7
    assert capfd.readouterr().out == "['burst', '--smoke', '--output', 'x y']\n"


def test_folder_of_the_same_name_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A folder called benchmarks in the current directory does not get in the way."""
    elsewhere, here = tmp_path / "elsewhere", tmp_path / "here"
    elsewhere.mkdir()
    here.mkdir()
    program(here, "print('the wrong one')")
    monkeypatch.chdir(here)

    assert bench([], beside=program(elsewhere, "print('the right one')")) == 0
    assert capfd.readouterr().out == "the right one\n"


def test_program_that_a_signal_ends_is_told_as_a_shell_does(tmp_path: Path) -> None:
    """Of a program that is killed, the exit code is 128 and the number of the signal."""
    checkout = program(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")

    assert bench([], beside=checkout) == 137


def test_without_a_checkout_it_says_where_to_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the package is installed without its source, the command says so and ends with 2."""
    assert bench(["burst"], beside=tmp_path) == 2
    assert "In a checkout of it: python3 dev.py bench" in capsys.readouterr().err
