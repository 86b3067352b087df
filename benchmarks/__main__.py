"""``python -m benchmarks [NAME ...] [--quick | --smoke] [--output DIR]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from . import fragments, growth, lateness, many, messages, parser, picture, reading
from .candidates import CANDIDATES, NODE
from .compare import compare, figures_in
from .guard import STORED, check, environment, guard, merged, stored
from .lab import Lab, Scale
from .report import Figure, Report, head, write_json
from .targets import targets


@attrs.frozen
class Benchmark:
    """What can be measured.

    Attributes:
        about: In a line.
        run: Measures it.
    """

    about: str
    run: Callable[[Lab], Report]


BENCHMARKS: Mapping[str, Benchmark] = {
    "burst": Benchmark("events as fast as they go, over loopback", reading.burst),
    "typed": Benchmark("the same as typed items", reading.typed),
    "assembled": Benchmark("messages over loopback, beside official SDKs", reading.assembled),
    "paced": Benchmark("an event to a read, over loopback", reading.paced),
    "held": Benchmark("many streams opened, held, closed", many.held),
    "memory": Benchmark("what an idle stream holds", many.memory),
    "latency": Benchmark("how long an event takes, among 1,000 streams", lateness.latency),
    "fairness": Benchmark("how long a flood keeps others waiting", lateness.fairness),
    "growth": Benchmark("how cost grows with events and their size", growth.growth),
    "parser": Benchmark("the parser of events alone: bytes in, events out", parser.run),
    "fragments": Benchmark("JSON in fragments, as tool calls stream", fragments.run),
    "messages": Benchmark("whole answers without I/O: bytes in, one message out", messages.run),
    "guard": Benchmark("calls, blocks, instructions: free of noise", guard),
}

EPILOG = """\
{}

Everything takes about half an hour; --quick, a third of that. A machine with other things
to do gives good ratios, but not good latencies. See docs/benchmarks.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that were named, or all; return the exit code."""
    options = _parser().parse_args(arguments)
    if options.compare:
        return _compare(*options.compare)
    for name in options.names:
        if name not in BENCHMARKS:
            print(f"there is no {name!r}: choose from {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
    if options.check and options.names != ["guard"]:
        print("--check is for: guard --check", file=sys.stderr)
        return 2
    scale = Scale.SMOKE if options.smoke else Scale.QUICK if options.quick else Scale.FULL
    given = sys.argv[1:] if arguments is None else arguments
    command = " ".join(["python -m benchmarks", *given])
    figures: list[Figure] = []
    code = 0
    with Lab(scale) as lab:
        if scale is Scale.SMOKE and not options.names:
            lab.start([NODE, *CANDIDATES])  # they take most of the time, and it is not measured
        for name in options.names or BENCHMARKS:
            report = BENCHMARKS[name].run(lab)
            figures += report.figures
            if scale is Scale.SMOKE:
                print(f"{name}: everything runs", flush=True)
                continue
            lab.close_workers()  # who is asked next begins afresh
            print(report, flush=True)
            if options.check:
                code = _check(report)
            if options.output:
                _write(options.output, name, report, command)
    if scale is not Scale.SMOKE and not options.names:
        print(targets(figures), flush=True)
    if scale is not Scale.SMOKE and options.output:
        _sum_up(options.output)
    return code


def _parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, beside the peers that are installed.",
        epilog=EPILOG.format(
            "\n".join(f"{name:11}{each.about}" for name, each in BENCHMARKS.items())
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("names", nargs="*", metavar="NAME", help="what to measure (default: everything)")
    scale = found.add_mutually_exclusive_group()
    text = "fewer rounds, and not the largest cases"
    scale.add_argument("--quick", action="store_true", help=text)
    text = "only check, quickly, that everything runs"
    scale.add_argument("--smoke", action="store_true", help=text)
    text = "also write NAME.md, NAME.json and pictures there, and targets.md over all that is there"
    add("--output", type=Path, metavar="DIR", help=text)
    text = "only tell what has changed between two files, such as results.json of two runs"
    add("--compare", type=Path, nargs=2, metavar=("A.json", "B.json"), help=text)
    text = f"of guard: fail if work is not linear, or a count 5 %% above that in {STORED.name}"
    add("--check", action="store_true", help=text)
    return found


def _write(folder: Path, name: str, report: Report, command: str) -> None:
    if name == "guard":
        data = merged(report, folder / STORED.name)
        report.write(folder, name, command)
        write_json(folder / STORED.name, data)
        return
    report.write(folder, name, command)
    picture.draw(folder, name, report.figures)
    if name == "fragments":
        fragments.draw(folder)


def _sum_up(folder: Path) -> None:
    """Write what all the figures of a folder say together, whenever each was measured."""
    figures: list[Figure] = []
    for name in BENCHMARKS:
        try:
            figures += figures_in(folder / f"{name}.json").values()
        except (OSError, ValueError):  # not measured, or what is counted and not measured
            continue
    if not figures:
        return
    command = "python -m benchmarks --output DIR"
    Report([targets(figures)]).write(folder, "targets", command)
    (folder / "targets.json").unlink()  # the figures are in results.json
    every = {**head(command), "figures": [attrs.asdict(each) for each in figures]}
    write_json(folder / "results.json", every)
    picture.draw_results(folder, figures)


def _compare(before: Path, after: Path) -> int:
    try:
        print(compare(figures_in(before), figures_in(after)))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _check(report: Report) -> int:
    facts: dict[str, dict[str, dict[str, float]]] = report.facts  # type: ignore[assignment]
    here = environment()
    base = stored().get(here)
    if base is None:
        print(f"{STORED} has no counts for {here}", file=sys.stderr)
        return 2
    grown = check(facts[here], base["counts"])
    print("\n".join(grown) or "No count has grown.")
    return 1 if grown else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
