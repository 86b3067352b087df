"""The examples do what the pages say, and the pages show nothing else."""

from __future__ import annotations

import ast
import inspect
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest
import trio

from trio_stream import StreamConfig
from trio_stream.testing import Event, Feed, Head, Request, Step, serve

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PROGRAMS = sorted(path for path in EXAMPLES.glob("*.py") if path.with_suffix(".out").exists())
TESTS = sorted(EXAMPLES.glob("test_*.py"))
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)

# What may not be installed.
NEEDS = {
    "other_libraries": ["msgspec", "pydantic"],
    "own_client": ["httpx2"],
    "strict_http": ["httptools"],
    "structured_output": ["jsonschema"],
    "transport": ["httptools", "httpx2"],
    "transport_limits": ["httptools"],
    "transport_tls": ["httptools", "trustme"],
    "unix_socket": ["httptools"],
}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PROGRAMS, ids=name_of)
def test_program_prints_what_its_page_shows(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An example prints exactly what is in the file beside it, which is what the page shows."""
    for module in NEEDS.get(path.stem, []):
        pytest.importorskip(module)

    runpy.run_path(str(path), run_name="__main__")

    assert capsys.readouterr().out == path.with_suffix(".out").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_of_an_application_pass(path: Path) -> None:
    """The tests in the examples pass where they lie, as a reader would run them."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path.name],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr


def test_shell_commands_print_what_their_page_shows(tmp_path: Path) -> None:
    """The commands of `tail.sh`, run by a shell, print what is in the file beside it."""
    command = tmp_path / "trio-stream"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trio_stream "$@"\n')
    command.chmod(0o755)

    with server_in_a_thread() as url:
        run = subprocess.run(
            ["sh", str(EXAMPLES / "tail.sh")],
            env={
                **os.environ,
                "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "URL": url,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert run.stdout == (EXAMPLES / "tail.out").read_text(encoding="utf-8"), run.stderr


def test_every_example_is_run() -> None:
    """Each file among the examples is a program with its output, or is imported by one."""
    files = {path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh", ".out"}}
    run = {name.name for path in PROGRAMS for name in (path, path.with_suffix(".out"))}
    run |= {path.name for path in TESTS} | {"tail.sh", "tail.out", "parcels.py"}

    assert files == run


def test_pages_show_examples_only() -> None:
    """No page has code that is not in an executed file, and every example is on a page."""
    pages = {page: page.read_text(encoding="utf-8") for page in PAGES}
    own_code = [
        name_of(page)
        for page, text in pages.items()
        if re.search(
            r"^[`~:]{3,} *(\{code(-block)?\} *)?(py|pycon|console|sh|bash)", text, re.MULTILINE
        )
    ]
    unused = [
        path.name
        for path in EXAMPLES.iterdir()
        if path.is_file()
        and path.suffix != ".md"
        and not any(path.name in text for text in pages.values())
    ]

    assert own_code == []
    assert unused == []


def test_page_of_settings_tells_the_defaults() -> None:
    """The table of settings has each field of `StreamConfig`, in order, with its default."""
    page = (ROOT / "docs" / "reference" / "config.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", page, re.MULTILINE)

    fields = attrs.fields(StreamConfig)
    assert rows == [(field.name, default_of(field)) for field in fields]


def default_of(field: attrs.Attribute[object]) -> str:
    """A default as the table writes it."""
    default = field.default
    if isinstance(default, int) and default >= 10_000:
        mebibytes, rest = divmod(default, 1 << 20)
        return f"{default:_}" if rest else f"{mebibytes} MiB"
    return repr(default)


# ---- the README ----------------------------------------------------------------------------------


def test_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The Python blocks of the README run, one after the other, against a server of ours."""
    monkeypatch.chdir(tmp_path)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)

    with server_in_a_thread() as url:
        names = {"url": f"{url}/v1/messages", "request": {}, "key": {}}
        for block in blocks:
            source = re.sub(r"https?://[\w.:-]+(?=[/\"'])", url, block)
            run_source(source, names)

    # The feed is connected again after a good end of its body, and ends by 204.
    assert capsys.readouterr().out.endswith("1 1\n2 2\n3 3\n")
    assert FEED.asked[-2:] == [None, "3"]
    assert '"3"' in Path("positions.json").read_text(encoding="utf-8")


def run_source(source: str, names: dict[str, object]) -> None:
    """Run code, which may await at its top level."""
    code = compile(source, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def run() -> None:
        await eval(code, names)

    if code.co_flags & inspect.CO_COROUTINE:
        trio.run(run)
    else:
        exec(code, names)


# ---- a server for what is not ours ---------------------------------------------------------------

SCANNED = Event({"parcel": "P1", "place": "Oslo"}, event="scanned", id="1")
DELIVERED = Event({"parcel": "P1", "signed_by": "Ada"}, event="delivered", id="2")

MESSAGE = [
    {"type": "message_start", "message": {"id": "msg_1", "model": "m", "role": "assistant"}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
    {"type": "message_stop"},
]


FEED = Feed(3, at_end="204")


def answer(request: Request) -> Iterable[Step] | Step:
    """A message for what looks like a request to a model; else parcels."""
    if "messages" in request.path:
        return [Event(event, event=str(event["type"])) for event in MESSAGE]
    if "feed" in request.path:
        position = request.headers.get("last-event-id")
        FEED.asked.append(position)
        return FEED.answer(position)
    if "nowhere" in request.path:
        return Head(404)
    return [SCANNED, DELIVERED]


@contextmanager
def server_in_a_thread() -> Iterator[str]:
    """Serve for programs that have a trio, or a process, of their own."""
    started = threading.Event()
    urls: list[str] = []
    stop: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def run() -> None:
        with trio.CancelScope() as scope:
            async with serve(answer) as server:
                urls.append(server.url)
                stop.append((trio.lowlevel.current_trio_token(), scope))
                started.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    try:
        assert started.wait(10)
        yield urls[0]
    finally:
        token, scope = stop[0]
        token.run_sync_soon(scope.cancel)
        thread.join()
