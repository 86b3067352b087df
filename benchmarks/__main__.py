"""``python -m benchmarks [NAME ...] [--smoke] [--output DIR]``."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path

from . import fragments, picture

# Each is a module with `run(*, smoke: bool) -> Report`, and its docstring says what it measures.
NAMES = ("parser", "fragments", "messages", "endtoend")
BENCHMARKS = {name: f"benchmarks.{name}" for name in NAMES}


def main() -> None:
    """Run the benchmarks that were named, or all."""
    modules = {name: importlib.import_module(path) for name, path in BENCHMARKS.items()}
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure, beside the peers that are installed.",
        epilog="\n".join(f"{name}: {each.__doc__}" for name, each in modules.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="what to measure (default: everything)"
    )
    parser.add_argument(
        "--smoke", action="store_true", help="only check, quickly, that everything runs"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="also write NAME.md, NAME.json and pictures there",
    )
    options = parser.parse_args()
    for name in options.names:
        if name not in modules:
            parser.error(f"there is no {name!r}: choose from {', '.join(modules)}")
    for name in options.names or modules:
        report = modules[name].run(smoke=options.smoke)
        if options.smoke:
            print(f"{name}: everything runs")
            continue
        print(report)
        if options.output:
            report.write(options.output, name)
            if name == "fragments":
                fragments.draw(options.output)
    if options.output and not options.names:
        picture.draw(options.output)


if __name__ == "__main__":
    main()
