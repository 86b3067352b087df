#!/usr/bin/env python3
"""The one door to work on this package. It needs Python 3.11 or newer, and nothing else.

A command makes `.venv` if there is none, installs into it what it needs (again whenever
pyproject.toml has changed), and runs. What follows a command of one step is passed on to it:

  python3 dev.py test -k sse
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / os.environ.get("TRIO_STREAM_VENV", ".venv")
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
VERSION = "{}.{}".format(*sys.version_info)

SPHINX = "python -m sphinx -n -W --keep-going -q -d docs/_build/doctrees docs docs/_build/html"

# Each command: what it does, the extra of pyproject.toml that it needs, and its steps.
COMMANDS = {
    "demo": ("watch streams arrive; no key, no network", "cli", ["python -m trio_stream demo"]),
    "test": ("run the tests", "test", ["python -m pytest -n auto"]),
    "lint": (
        "check the style and the house law",
        "lint",
        ["ruff format --check", "ruff check", "lint-imports --no-logo"],
    ),
    "types": ("check the types", "types", ["mypy", "pyright"]),
    "docs": ("build the documentation into docs/_build/html", "docs", [SPHINX]),
    "bench": ("measure, beside the peers", "bench", ["python -m benchmarks"]),
    "format": (
        "put the code into the house style",
        "lint",
        ["ruff check --fix --exit-zero --quiet", "ruff format"],
    ),
}


def main(name: str = "help", *arguments: str) -> int:
    """Do what the command line asks; return the exit code."""
    if sys.version_info < (3, 11):
        return fail(f"Python 3.11 or newer is needed, and this is {VERSION}")
    if name not in COMMANDS:
        print(__doc__, *(f"  {each:8}{COMMANDS[each][0]}" for each in COMMANDS), sep="\n")
        return 0 if name in {"help", "-h", "--help"} else 2
    _, extra, steps = COMMANDS[name]
    if arguments and len(steps) > 1:
        return fail(f"{name} has several steps and takes no arguments")

    # Ctrl-C is for the program that runs: it says how it ended, and we pass that on.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    code = make_environment() or install(extra)
    for step in steps:
        code = code or run(*step.split(), *arguments)
    return code


def make_environment() -> int:
    """Make the virtual environment, unless there is one for this version of Python."""
    config = VENV / "pyvenv.cfg"
    made_for = re.compile(rf"^version\w* *= *{re.escape(VERSION)}\b", re.MULTILINE)
    if config.exists() and made_for.search(config.read_text()) and shutil.which("python", path=BIN):
        return 0
    if importlib.util.find_spec("ensurepip") is None:
        return fail(f"this Python lacks ensurepip (on Debian: apt install python{VERSION}-venv)")
    say(f"making {VENV.name} with Python {VERSION}")
    try:
        venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(VENV, ignore_errors=True)  # half an environment looks like a whole one
        return fail(f"cannot make {VENV}: {error}")
    return 0


def install(extra: str) -> int:
    """Install the project, editable, with an extra, unless that has been done."""
    wanted = f"{ROOT} {hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()}"
    stamp = VENV / f"installed-{extra}"
    if stamp.exists() and stamp.read_text() == wanted:
        return 0
    say(f"installing trio-stream[{extra}] into {VENV.name}; the first time may take a minute")
    start = time.monotonic()
    if code := run("python", "-m", "pip", "install", "-qq", "--editable", f".[{extra}]"):
        return fail(f"pip could not install trio-stream[{extra}]", code)
    stamp.write_text(wanted)
    say(f"installed in {time.monotonic() - start:.0f} s")
    return 0


def run(program: str, *arguments: str) -> int:
    """Run a program of the environment in the project's folder; return its exit code."""
    settings = {
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(VENV),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_USER": "0",  # where it is set to 1, pip refuses to install into an environment
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # or it asks the network for a newer pyright
    }
    code = subprocess.call([BIN / program, *arguments], cwd=ROOT, env={**os.environ, **settings})
    return code if code >= 0 else 128 - code  # as a shell tells of a signal


def say(message: str) -> None:
    """Tell what goes on, apart from the output of the program."""
    print(f"dev.py: {message}", file=sys.stderr, flush=True)


def fail(message: str, code: int = 1) -> int:
    """Tell what went wrong; return the exit code."""
    say(message)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
