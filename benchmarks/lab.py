"""The server, and a worker process for each candidate, which are asked in turns.

Each round asks every candidate once, in an order that rotates. A figure is the median over the
rounds, and a ratio the median of the ratios within each: neighbours on the machine come and go.
"""

from __future__ import annotations

import enum
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import attrs

from .candidates import NODE

__all__ = ["ROOT", "Answers", "Lab", "Scale", "WorkerError"]

ROOT = Path(__file__).parents[1]

Answers: TypeAlias = dict[str, list[dict[str, Any]]]
"""What the candidates answered, by name, one for each round."""


class Scale(enum.Enum):
    """How much is measured."""

    FULL = enum.auto()
    QUICK = enum.auto()
    """Fewer rounds, and not the largest cases."""
    SMOKE = enum.auto()
    """As little as possible, to see that everything runs."""

    def pick(self, full: Any, quick: Any, smoke: Any) -> Any:
        """What belongs to this scale."""
        return {Scale.FULL: full, Scale.QUICK: quick, Scale.SMOKE: smoke}[self]


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    """Start a process that we speak with, in a session of its own: Ctrl-C is for us alone.

    It ends when we close its stdin, or are no more.
    """
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, start_new_session=True)


class WorkerError(Exception):
    """A candidate could not do what it was asked."""


@attrs.define
class _Worker:
    """A process with one candidate in it.

    Attributes:
        process: The process.
        missing: Why the candidate is not here; `None`: it is not known yet; empty: it is here.
    """

    process: subprocess.Popen[bytes]
    missing: str | None = None

    @classmethod
    def start(cls, name: str, scale: Scale) -> _Worker:
        """Start the process."""
        command = [sys.executable, "-m", "benchmarks.worker", name, scale.name]
        if name == NODE:
            node = shutil.which("node") or "node"
            command = [node, "--expose-gc", str(ROOT / "benchmarks" / "node_client.mjs")]
        return cls(_start(command))

    def is_here(self) -> bool:
        """Whether the candidate can be measured."""
        if self.missing is None:
            self.missing = self._hear().get("missing", "")
        return not self.missing

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for something; waits for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(f"the process ended, code {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()


class Lab:
    """Where candidates are measured; a context manager.

    Attributes:
        scale: How much is measured.
        url: The server.
        notes: Who was left out, and why.
    """

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.notes: dict[str, str] = {}
        self._workers: dict[str, _Worker] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self._url = ""

    @property
    def url(self) -> str:
        """The server; it is started when it is first needed."""
        if self._server is None:
            command = [sys.executable, "-m", "benchmarks.server"]
            self._server = _start(command)
            assert self._server.stdout is not None
            self._url = f"http://127.0.0.1:{int(self._server.stdout.readline())}"
        return self._url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close_workers()
        if self._server is not None:
            self._server.communicate()

    def close_workers(self) -> None:
        """End all workers; whoever is asked next gets a new one."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()

    def start(self, names: Iterable[str]) -> None:
        """Start workers without waiting for them."""
        for name in names:
            if name == NODE and shutil.which("node") is None:
                self.notes[name] = "there is no node"
            elif name not in self.notes and name not in self._workers:
                self._workers[name] = _Worker.start(name, self.scale)

    def present(self, names: Sequence[str]) -> list[str]:
        """Start workers, all at the same time; those of the names that are here."""
        self.start(names)
        for name in names:
            worker = self._workers.get(name)
            if worker is not None and not worker.is_here():
                self.notes[name] = str(worker.missing)
                self._workers.pop(name).close()
        return [name for name in names if name in self._workers]

    def rounds(
        self,
        names: Sequence[str],
        order: Mapping[str, Any],
        rounds: int,
        *,
        warm_up: bool = True,
    ) -> Answers:
        """Ask everybody who is here, in turns.

        Args:
            names: Whom to ask.
            order: For what: the name of a ``task``, and its arguments but for the URL.
            rounds: How often.
            warm_up: Whether one round more, at the beginning, does not count.

        Raises:
            WorkerError: Someone cannot, and this is a smoke test; else it is left out.
        """
        names = self.present(names)
        answers: Answers = {name: [] for name in names}
        for number in range(-1 if warm_up else 0, rounds):
            shift = number % max(len(names), 1)
            for name in names[shift:] + names[:shift]:
                answer = self._ask(name, order) if name in answers else None
                if answer is None:
                    answers.pop(name, None)
                elif number >= 0:
                    answers[name].append(answer)
        return answers

    def fresh(self, name: str, order: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask a worker that nobody has asked before; `None`: it cannot, or is not here."""
        if self.scale is not Scale.SMOKE and (worker := self._workers.pop(name, None)):
            worker.close()
        if not self.present([name]):
            return None
        return self._ask(name, order)

    def _ask(self, name: str, order: Mapping[str, Any]) -> dict[str, Any] | None:
        try:
            return self._workers[name].ask({"url": self.url, **order})
        except WorkerError as error:
            if self.scale is Scale.SMOKE:
                raise WorkerError(f"{name}, {order}: {error}") from None
            print(f"{name} is left out of {dict(order)}: {error}", file=sys.stderr)
            self._workers.pop(name).close()
            return None
