"""`python -m benchmarks`: what it takes, and what it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as suite
from benchmarks.guard import Counts, environment
from benchmarks.lab import Lab, Scale
from benchmarks.report import Figure, Report, Spread, Table

COUNTS: Counts = {"path": {"calls": 10.0}}


def report_of(counts: Counts) -> Report:
    return Report(
        [Table("Counts", "n", ["", "calls"], [["path", "10"]])], (), {environment(): counts}
    )


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A guard that counts 10 calls, and a place of its own for what is stored."""
    path = tmp_path / "guard.json"
    monkeypatch.setattr("benchmarks.guard.STORED", path)
    monkeypatch.setattr("benchmarks.guard.stored.__defaults__", (path,))
    counts = suite.Benchmark("", lambda lab: report_of(COUNTS))
    monkeypatch.setattr(suite, "BENCHMARKS", {"guard": counts})
    return path


@pytest.mark.parametrize("arguments", [["nonsense"], ["--check"], ["burst", "--check"]])
def test_wrong_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that there is not, or a check of what cannot be checked, ends with 2 and a word."""
    assert suite.main(arguments) == 2
    assert capsys.readouterr().err


def test_comparison_needs_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is not one of ours, or not there, is refused by its name."""
    other = tmp_path / "other.json"
    other.write_text("nonsense", encoding="utf-8")

    assert suite.main(["--compare", str(other), str(other)]) == 2
    assert suite.main(["--compare", str(tmp_path / "absent.json"), str(other)]) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"{other} has no figures in it"


def test_counts_that_have_not_grown_pass(stored: Path) -> None:
    """What was written is what is checked against, and the same counts pass."""
    assert suite.main(["guard", "--check"]) == 2  # nothing is stored
    assert suite.main(["guard", "--output", str(stored.parent)]) == 0
    assert suite.main(["guard", "--check"]) == 0


def test_counts_that_have_grown_fail(stored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A count that has grown by more than 5 % is named, and the exit code is 1."""
    suite.main(["guard", "--output", str(stored.parent)])
    data = json.loads(stored.read_text("utf-8"))
    data[environment()]["counts"]["path"]["calls"] = 9.0
    stored.write_text(json.dumps(data), encoding="utf-8")
    capsys.readouterr()

    assert suite.main(["guard", "--check"]) == 1
    assert "path: calls per event were 9.00 and are 10.0" in capsys.readouterr().out


def test_counts_of_other_environments_are_kept(stored: Path) -> None:
    """Writing the counts of one version of Python leaves those of the others."""
    stored.write_text('{"CPython 2.7 vax": {"counts": {}}}', encoding="utf-8")

    suite.main(["guard", "--output", str(stored.parent)])

    assert set(json.loads(stored.read_text("utf-8"))) == {"CPython 2.7 vax", environment()}


def test_everything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all benchmarks, the figures, the tables, the promises and the pictures are written."""
    pytest.importorskip("matplotlib")
    figure = Figure("burst", "trio_stream", "CPU per event", "µs", Spread(2, 1, 3))
    report = Report([Table("Burst", "n", ["", "µs"], [["trio_stream", "2"]])], [figure])
    benchmark = suite.Benchmark("", lambda lab: report)
    monkeypatch.setattr(suite, "BENCHMARKS", {"burst": benchmark})

    assert suite.main(["--quick", "--output", str(tmp_path)]) == 0

    names = {"burst.json", "burst.md", "burst.svg", "results.json", "results.svg", "targets.md"}
    assert {path.name for path in tmp_path.iterdir()} == names
    (line,) = json.loads((tmp_path / "results.json").read_text("utf-8"))["figures"]
    assert Figure.from_json(line) == figure


def test_all_benchmarks_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The help names every benchmark, with a line on each."""
    with pytest.raises(SystemExit):
        suite.main(["--help"])
    told = capsys.readouterr().out
    for name, benchmark in suite.BENCHMARKS.items():
        assert f"{name:11}{benchmark.about}" in told


def test_scales_are_told_apart() -> None:
    """Each scale picks what belongs to it."""
    assert [scale.pick(1, 2, 3) for scale in Scale] == [1, 2, 3]
    with Lab(Scale.SMOKE) as lab:
        assert lab.notes == {}
