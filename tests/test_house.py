"""The house laws that linters cannot express."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import trio_stream

ROOT = Path(trio_stream.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
TESTS = sorted(Path(__file__).parent.rglob("test_*.py"))
EMPTY_NAMES = {"base", "common", "core", "helpers", "manager", "misc", "util", "utils"}
CHANNEL = re.compile(r"channel\w*(\[.*\])?$|(\b|_)(send|receive|tx)$|\.clone\(\)$")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def name_of(path: Path) -> str:
    return os.path.relpath(path, ROOT.parent)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """What belongs to a function itself and not to a function inside it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, FUNCTIONS):
            yield from own_nodes(child)


def makes_context_manager(function: ast.AsyncFunctionDef) -> bool:
    return any("asynccontextmanager" in ast.unparse(each) for each in function.decorator_list)


def async_generators(tree: ast.AST) -> Iterator[int]:
    """The lines of async generators, of functions and of expressions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef) and not makes_context_manager(node):
            if any(isinstance(each, ast.Yield) for each in own_nodes(node)):
                yield node.lineno
        elif isinstance(node, ast.GeneratorExp):
            clauses = node.generators
            # The outermost iterable is evaluated outside; an await elsewhere makes it async.
            inside = [node.elt, *(test for each in clauses for test in each.ifs)]
            inside += [each.iter for each in clauses[1:]]
            awaits = any(isinstance(each, ast.Await) for part in inside for each in ast.walk(part))
            if awaits or any(each.is_async for each in clauses):
                yield node.lineno


def async_closed_channels(tree: ast.AST) -> Iterator[int]:
    """The lines of ``async with`` on something that is called a channel, or one end of one."""
    for node in ast.walk(tree):
        for item in node.items if isinstance(node, ast.AsyncWith) else ():
            if CHANNEL.search(ast.unparse(item.context_expr)):
                yield item.context_expr.lineno


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("async def f():\n yield 1", [1]),
        ("async def f():\n def g():\n  yield 1", []),
        ("async def f():\n async def g():\n  for x in y:\n   yield x", [2]),
        ("@asynccontextmanager\nasync def f():\n yield 1", []),
        ("@contextlib.asynccontextmanager\nasync def f():\n yield 1", []),
        ("def f():\n yield 1", []),
        ("async def f():\n g(x async for x in y)", [2]),
        ("async def f():\n g(await x for x in y)", [2]),
        ("async def f():\n g(x for x in await y)", []),
        ("async def f():\n return [x async for x in y]", []),
    ],
)
def test_async_generators_are_recognized(source: str, lines: list[int]) -> None:
    """The law below sees every form of async generator, and nothing else."""
    assert list(async_generators(ast.parse(source))) == lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("async with send_channel: ...", [1]),
        ("async with self._send: ...", [1]),
        ("async with nursery, receive.clone(): ...", [1]),
        ("async with channels[0]: ...", [1]),
        ("with send_channel: ...", []),
        ("async with client.send(request): ...", []),
        ("async with open_stream() as rx: ...", []),
        ("async with trio.open_nursery() as nursery: ...", []),
    ],
)
def test_async_closed_channels_are_recognized(source: str, lines: list[int]) -> None:
    """The law below knows a channel by its name."""
    tree = ast.parse(f"async def f():\n {source}")

    assert list(async_closed_channels(tree)) == [line + 1 for line in lines]


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_keeps_the_law(path: Path) -> None:
    """A file has no async generators, unfinished business or empty name, and one subject."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)

    assert list(async_generators(tree)) == [], "async generators: write a class with __anext__"
    assert list(async_closed_channels(tree)) == [], "channels close with plain `with`"
    assert UNFINISHED.findall(text) == []
    assert len(text.splitlines()) <= 600, "split it"
    assert path.stem.strip("_") not in EMPTY_NAMES
    assert path.parent.name not in EMPTY_NAMES


def modules_after(statement: str) -> set[str]:
    """What a fresh interpreter has imported after a statement."""
    program = f"{statement}\nimport sys\nprint(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT.parent
    )
    return set(answer.stdout.split())


def test_import_brings_only_what_it_must() -> None:
    """`import trio_stream` imports no extra, no second HTTP library and no testing kit."""
    ours = modules_after("import trio_stream")
    # httpx, for one, imports rich by itself where it is installed.
    theirs = modules_after("import attrs, cattrs, httpx, trio")

    unwanted = {"h11", "httpx2", "hypothesis", "pytest", "rich", "trio.testing"}
    unwanted |= {"trio_stream.cli", "trio_stream.testing"}
    assert (ours - theirs) & unwanted == set()


PUBLIC = [
    module_of(path)
    for path in FILES
    if not any(part.startswith("_") for part in module_of(path).split("."))
]


@pytest.mark.parametrize("module_name", PUBLIC)
def test_public_names_exist_and_are_documented(module_name: str) -> None:
    """A public module says what it is, and every name in its `__all__` exists and says so too."""
    if module_name == "trio_stream.transport":
        pytest.importorskip("httptools")
    module = importlib.import_module(module_name)

    assert module.__doc__
    for name in getattr(module, "__all__", []):
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isroutine(thing):
            assert inspect.getdoc(thing), f"{name} has no docstring"


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_state_their_claims(path: Path) -> None:
    """Every test says what it claims."""
    tests = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]

    assert [test.name for test in tests if not ast.get_docstring(test)] == []


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_measure_no_time(path: Path) -> None:
    """No test has a clock of its own: what takes how long depends on the machine."""
    clocks = {"monotonic", "perf_counter", "process_time", "thread_time"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}

    assert names & clocks == set()
