"""`trio-stream chat`."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.cli.commands import SOON, Done, Running, run
from trio_stream.cli import main
from trio_stream.cli._arguments import argument_parser
from trio_stream.cli._terminal import Style
from trio_stream.cli.chat import chat, chat_options
from trio_stream.cli.chat._conversation import Ask, Conversation, Provider, make_request
from trio_stream.cli.chat._mock import ANSWER, THOUGHTS, mock_provider, script_of
from trio_stream.cli.chat._show import Show, item_line
from trio_stream.dialects import (
    BlockFinished,
    BlockStarted,
    Message,
    MessageDelta,
    MessageStarted,
    Ping,
    RefusalDelta,
    RefusalPart,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCall,
    Usage,
)
from trio_stream.errors import StreamStatusError
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Event,
    Head,
    Script,
    Send,
    Stall,
    Step,
    Truncate,
    Until,
    memory_client,
    serve,
)

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="of POSIX")
each_provider = pytest.mark.parametrize(
    "provider", ["anthropic", "openai", "openai-responses", "gemini"]
)


async def ask(capfd: pytest.CaptureFixture[str], *arguments: str) -> Done:
    """Run the command in this process, which takes a tenth of the time."""
    code = await chat(chat_options(argument_parser().parse_args(["chat", *arguments])))
    out, err = capfd.readouterr()
    return Done(code, out.encode(), err)


async def ask_server(capfd: pytest.CaptureFixture[str], script: Script, *arguments: str) -> Done:
    """Run it against a server of ours, as if that were Anthropic's."""
    async with serve(script) as server:
        return await ask(capfd, "--model", "m", "--base-url", server.url, *arguments, "hi")


ANTHROPIC = list(script_of("anthropic", 0))


def asking(provider: Provider, **changes: Any) -> Ask:
    changes = {"model": "m", "base_url": "http://x/v1", "api_key": ""} | changes
    return Ask(provider=provider, **changes)


# ---- the scripted provider -----------------------------------------------------------------------


@each_provider
async def test_mock_speaks_the_format(provider: Provider, autojump_clock: MockClock) -> None:
    """The scripted answer is what the dialect of the provider takes for a whole message."""
    request = make_request(asking(provider), "hi")
    dialect = attrs.evolve(request["dialect"], strict=True)
    async with (
        memory_client(script_of(provider, 0.1)) as (client, server),
        open_stream("POST", server.url, client=client, dialect=dialect) as rx,
    ):
        message = await rx.result()

    assert message.text == ANSWER
    assert message.thinking == ("" if provider == "openai" else THOUGHTS)
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (12, 38)
    assert message.model == "scripted-model"
    assert rx.outcome.unknown_events == 0


@each_provider
async def test_mock(
    provider: Provider, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--mock answers in every provider's format, without a key and without a model."""
    monkeypatch.setattr("trio_stream.cli.chat._mock._PACE", 0)
    done = await ask(capfd, "--mock", "--provider", provider, "--thinking", "hi")

    assert (done.code, done.out) == (0, ANSWER + "\n")
    *thoughts, verdict = done.err.splitlines()
    assert thoughts == ([] if provider == "openai" else [THOUGHTS])
    assert verdict.startswith("trio-stream: complete · ")
    assert " s · end_turn" in verdict
    assert " · 12 tokens in, 38 out · first text " in verdict


async def test_command() -> None:
    """The command is there, as a process of its own."""
    done = await run("chat", "--mock", "hi")

    assert (done.code, done.out) == (0, ANSWER + "\n")
    assert done.err.count("\n") == 1


async def test_mock_looks_at_the_path() -> None:
    """The scripted provider serves its own path, and says so of any other."""
    async with mock_provider("openai") as url:
        with pytest.raises(StreamStatusError, match="nothing is served at /v1/other"):
            async with open_stream("POST", url + "/other"):
                pass


# ---- what is sent --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "path", "body"),
    [
        (
            "anthropic",
            "/v1/v1/messages",
            {
                "max_tokens": 7,
                "system": "Be brief.",
                "thinking": {"type": "adaptive", "display": "summarized"},
                "messages": [{"role": "user", "content": "hi"}],
            },
        ),
        (
            "openai",
            "/v1/chat/completions",
            {
                "max_tokens": 7,
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "hi"},
                ],
            },
        ),
        (
            "openai-responses",
            "/v1/responses",
            {
                "max_output_tokens": 7,
                "instructions": "Be brief.",
                "reasoning": {"summary": "auto"},
            },
        ),
        (
            "gemini",
            "/v1/v1beta/models/m:streamGenerateContent",
            {
                "generationConfig": {
                    "maxOutputTokens": 7,
                    "thinkingConfig": {"includeThoughts": True},
                },
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
            },
        ),
    ],
)
def test_request(provider: Provider, path: str, body: dict[str, Any]) -> None:
    """The options become what the provider calls them, and --body counts more than they."""
    more = {"temperature": 0, "seed": 1}
    ask = asking(provider, max_tokens=7, system="Be brief.", thinking=True, body=more)
    request = make_request(ask, "hi")

    assert request["url"].startswith(f"http://x{path}")
    assert body.items() <= request["json"].items()
    assert more.items() <= request["json"].items()
    changed = make_request(attrs.evolve(ask, body={**body, next(iter(body)): None}), "hi")
    assert changed["json"][next(iter(body))] is None


def test_limit_of_openai_itself() -> None:
    """OpenAI has another name for the limit than its imitators."""
    ask = Ask(provider="openai", model="m", max_tokens=7, api_key="k", base_url=None)
    request = make_request(attrs.evolve(ask, base_url="https://api.openai.com/v1"), "hi")

    assert request["json"]["max_completion_tokens"] == 7
    assert "max_tokens" not in request["json"]


@each_provider
def test_conversation(provider: Provider) -> None:
    """The next request has what was said before; a question without an answer is forgotten."""
    conversation = Conversation(asking(provider))

    def answer(prompt: str, message: Message) -> str:
        request = conversation.ask(prompt)
        conversation.answered(request, message)
        return json.dumps(request["json"])

    answer("never asked", Message())
    answer("first", Message(parts=(TextPart("one"),), stop_reason="end_turn"))
    answer("second", Message(parts=(TextPart("tw", finished=False),)))
    answer("nothing", Message(parts=(TextPart(" \n", finished=False),)))
    call = ToolCall("call_1", "tool", {})
    answer("third", Message(parts=(TextPart("three"), call), stop_reason="tool_use"))
    last = answer("fourth \udcff", Message())

    words = ["first", "one", "second", "tw", "third", "three", "fourth \\ufffd"]
    places = [last.index(f'"{word}"') for word in words]
    assert places == sorted(places)
    assert "never" not in last
    assert "nothing" not in last
    assert "call_1" not in last


async def test_prompt_and_key(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of the command line are the prompt; the key is that of the environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-environment")
    async with serve(ANTHROPIC) as server:
        url = server.url + "/proxy"
        done = await ask(capfd, "--model", "m", "--base-url", url, "Who", "are you?")

    assert done.out == ANSWER + "\n"
    (request,) = server.requests
    body = json.loads(request.body)
    assert (request.method, request.path) == ("POST", "/proxy/v1/messages")
    assert request.headers["x-api-key"] == "key-of-the-environment"
    assert body["messages"] == [{"role": "user", "content": "Who are you?"}]
    assert (body["model"], body["stream"]) == ("m", True)
    assert "thinking" not in body
    assert THOUGHTS not in done.err


async def test_prompt_from_stdin(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without words, stdin is the prompt, as it is."""
    prompt = "Grüße,\n\nAda\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(prompt.encode())))
    async with serve(ANTHROPIC) as server:
        await ask(capfd, "--model", "m", "--base-url", server.url)

    assert json.loads(server.requests[0].body)["messages"][0]["content"] == prompt


# ---- what is shown -------------------------------------------------------------------------------


def show(**changes: Any) -> Show:
    settings = {"as_json": False, "on_terminal": False, "thinking": True} | changes
    return Show(style=Style(colours=True), elapsed=lambda: 1.5, **settings)


def test_text_and_refusal_are_shown() -> None:
    """Stdout has what the model says to the user, and nothing else."""
    shown = show()
    items = [
        MessageStarted(),
        Ping(),
        BlockStarted(0, TextPart("He")),
        TextDelta(0, "llo\n"),
        BlockFinished(0, TextPart("Hello\n")),
        BlockStarted(1, RefusalPart("I ")),
        RefusalDelta(1, "won't"),
        BlockStarted(2, TextPart("other"), choice=1),
        TextDelta(2, "answer"),
    ]
    assert b"".join(map(shown.write, items)) == b"Hello\nI won't"
    assert shown.end() == b"\n"
    assert shown.first_text == 1.5


def test_last_line_is_ended_once() -> None:
    """A text that ends with a line break, or is no text at all, needs no other one."""
    assert show().end() == b""
    shown = show()
    shown.write(TextDelta(0, "\n"))
    assert shown.end() == b""


def test_thoughts_are_whispered() -> None:
    """Thoughts are said aside and dim, in a line of their own, if they are wanted."""
    items = [
        BlockStarted(0, ThinkingPart()),
        ThinkingDelta(0, "h\x1b"),
        ThinkingDelta(0, "m"),
        BlockFinished(0, ThinkingPart("h\x1bm")),
    ]
    for changes in ({"thinking": False}, {"as_json": True}):
        assert "".join(map(show(**changes).whisper, items)) == ""
    shown = show()
    assert "".join(map(shown.whisper, items[:-1])) == "\x1b[2mh\\u001b\x1b[0m\x1b[2mm\x1b[0m"
    assert shown.whispers
    assert shown.whisper(items[-1]) == "\n"
    assert not shown.whispers
    assert b"".join(map(shown.write, items)) == b""


def test_no_tricks_on_a_terminal() -> None:
    """A terminal sees control characters written out; a pipe gets what came."""
    assert show(on_terminal=True).write(TextDelta(0, "\x1b[2Jx\n")) == b"\\u001b[2Jx\n"
    assert show().write(TextDelta(0, "\x1b[2Jx\n")) == b"\x1b[2Jx\n"
    assert show().write(TextDelta(0, "\ud83d")) == b"\\ud83d"


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (TextDelta(0, ""), {"TextDelta": {"index": 0, "text": ""}}),
        (Ping(), {"Ping": {}}),
        (
            BlockFinished(1, ToolCall("c", "t", {"a": [None]}, raw={"type": "x"})),
            {
                "BlockFinished": {
                    "index": 1,
                    "part": {
                        "ToolCall": {
                            "id": "c",
                            "name": "t",
                            "input": {"a": [None]},
                            "raw": {"type": "x"},
                        }
                    },
                }
            },
        ),
        (
            MessageDelta("end_turn", usage=Usage(output_tokens=0)),
            {"MessageDelta": {"stop_reason": "end_turn", "usage": {"output_tokens": 0}}},
        ),
        (
            BlockStarted(0, TextPart("é", ({"url": "x"},), finished=False)),
            {
                "BlockStarted": {
                    "index": 0,
                    "part": {
                        "TextPart": {"text": "é", "citations": [{"url": "x"}], "finished": False}
                    },
                }
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_item_as_json(item: Any, line: Any) -> None:
    """An item is a line of JSON; what has its usual value is left out, and zero is a figure."""
    assert json.loads(item_line(item)) == line
    assert item_line(item).count("\n") == 1
    assert show(as_json=True).write(item) == item_line(item).encode()


async def test_json_lines(capfd: pytest.CaptureFixture[str]) -> None:
    """--json writes every item, and in a text the pieces as they came."""
    done = await ask_server(capfd, ANTHROPIC, "--json", "--thinking")
    items = [json.loads(line) for line in done.lines]

    assert "".join(each["TextDelta"]["text"] for each in items if "TextDelta" in each) == ANSWER
    assert [*items[0]] == ["MessageStarted"]
    assert items[-1] == {"MessageFinished": {}}
    assert done.err.count("\n") == 1


# ---- how it ends ---------------------------------------------------------------------------------


def anthropic_until(word: str) -> list[Step]:
    """The scripted answer as far as a word of it."""
    steps: list[Step] = []
    for step in ANTHROPIC:
        steps.append(step)
        if f'"text": "{word}'.encode() in step.pieces()[0]:
            return steps
    raise AssertionError(word)


CUT = "Hello! I am no "
CUT_WORD = "no "


@pytest.mark.parametrize(
    ("end", "options", "code", "verdict"),
    [
        ([Truncate()], (), 3, "truncated · "),
        ([Stall()], ("--idle-timeout", "0.2"), 4, "timed out (idle) · "),
        (
            [Event({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})],
            (),
            1,
            "failed · ",
        ),
    ],
    ids=["truncated", "silent", "overloaded"],
)
async def test_answer_that_breaks_off(
    capfd: pytest.CaptureFixture[str],
    end: list[Step],
    options: tuple[str, ...],
    code: int,
    verdict: str,
) -> None:
    """What was said is kept, in a line that is whole; exit code and verdict tell the end."""
    done = await ask_server(capfd, [*anthropic_until(CUT_WORD), *end], *options)

    assert (done.code, done.out) == (code, CUT + "\n")
    assert done.err.splitlines()[-1].startswith(f"trio-stream: {verdict}")
    assert "end_turn" not in done.err


async def test_refused(capfd: pytest.CaptureFixture[str]) -> None:
    """An answer that is none is told with what the server said."""
    script = [Head(401, content_type="application/json"), Send(b'{"error": "no such key"}')]
    done = await ask_server(capfd, script)

    assert (done.code, done.out) == (1, "")
    assert "no such key" in done.err


async def test_thoughts_that_break_off(capfd: pytest.CaptureFixture[str]) -> None:
    """Behind thoughts that broke off, the verdict has a line of its own."""
    done = await ask_server(capfd, [*ANTHROPIC[:4], Truncate()], "--thinking")

    assert done.code == 3
    assert done.err.splitlines()[0] == THOUGHTS[:5]


@POSIX
async def test_control_c() -> None:
    """Ctrl-C ends an answer with 130; what has come is written, and the connection closed."""
    async with serve([*anthropic_until(CUT_WORD), Stall()]) as server:
        running = await Running.start("chat", "--model", "m", "--base-url", server.url, "hi")
        await running.read_until(CUT.encode())
        running.signal(signal.SIGINT)
        done = await running.end()
        with trio.fail_after(SOON):
            await server.wait_disconnected()

    assert (done.code, done.out) == (130, CUT)
    assert done.err.startswith("trio-stream: interrupted · ")
    assert done.err.count("\n") == 1


@POSIX
async def test_text_is_live_and_its_reader_may_leave() -> None:
    """Text is written when it arrives; when the reader has left, the command ends quietly."""
    more = trio.Event()
    rest = [Until(more), *[Event({"type": "ping"})] * 2, *anthropic_until(CUT_WORD)[-1:], Stall()]
    async with serve([*anthropic_until(CUT_WORD), *rest]) as server:
        running = await Running.start("chat", "--model", "m", "--base-url", server.url, "hi")
        await running.read_until(CUT.encode())
        assert running.process.stdout is not None
        await running.process.stdout.aclose()
        more.set()
        done = await running.end()

    assert (done.code, done.err) == (141, "")


# ---- a conversation ------------------------------------------------------------------------------


@POSIX
async def test_conversation_at_the_terminal() -> None:
    """Turns build on one another; Ctrl-C breaks an answer off and Ctrl-D ends the talk."""
    from tests.cli.terminals import on_terminal  # noqa: PLC0415

    plan = [ANTHROPIC, [*anthropic_until(CUT_WORD), Stall()], ANTHROPIC]
    async with (
        serve(plan) as server,
        on_terminal("chat", "--model", "m", "--base-url", server.url) as terminal,
    ):

        async def read_prompt(after: str) -> None:
            with trio.fail_after(SOON):
                while not terminal.text.partition(after)[2].endswith("> "):
                    assert await terminal._read(), terminal.text

        await terminal.read_until("> ")
        terminal.type(b"first\n")
        await read_prompt("first\n")
        terminal.type(b"\n")
        await read_prompt("> \n")
        terminal.type(b"second\n")
        await terminal.read_until("second\n" + CUT)
        terminal.type(b"\x03")
        await read_prompt("interrupted")
        terminal.type(b"third\n")
        await read_prompt("third\n")
        terminal.type(b"\x04")
        assert await terminal.end() == 0

    assert terminal.text.count(ANSWER + "\ntrio-stream: complete · ") == 2
    turns = json.loads(server.requests[2].body)["messages"]
    said = [(turn["role"], turn["content"]) for turn in turns]
    assert [role for role, _ in said] == ["user", "assistant", "user", "assistant", "user"]
    assert said[2::2] == [("user", "second"), ("user", "third")]
    assert said[3][1] == [{"type": "text", "text": CUT}]


class Typed(io.StringIO):
    """A terminal on which everything has been typed already."""

    def isatty(self) -> bool:
        return True


async def test_conversation_into_a_file(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stdout in a file, the prompts stand beside it; a failed turn is forgotten."""
    monkeypatch.setattr("sys.stdin", Typed("first\n\nsecond\nthird\n"))
    plan = [[*anthropic_until(CUT_WORD), Truncate()], Head(500), ANTHROPIC]
    async with serve(plan) as server:
        done = await ask(capfd, "--model", "m", "--base-url", server.url)

    assert (done.code, done.out) == (0, CUT + "\n" + ANSWER + "\n")
    ends = ["> trio-stream: the body was cut", "trio-stream: truncated", "> > trio-stream: "]
    ends += ["trio-stream: failed", "> trio-stream: complete", "> "]
    for line, end in zip(done.err.splitlines(), ends, strict=True):
        assert line.startswith(end)
    said = [each["content"] for each in json.loads(server.requests[2].body)["messages"]]
    assert said == ["first", [{"type": "text", "text": CUT}], "third"]


@POSIX
async def test_control_c_at_the_prompt() -> None:
    """Ctrl-C where nothing is under way ends the conversation."""
    from tests.cli.terminals import on_terminal  # noqa: PLC0415

    async with on_terminal("chat", "--mock") as terminal:
        await terminal.read_until("> ")
        # The line break is for a Ctrl-C that comes between the prompt and the call that waits: it
        # does not wake that one.
        terminal.type(b"\x03\n")
        assert await terminal.end() == 130

    assert "Traceback" not in terminal.text


# ---- usage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["hi"], "--model"),
        (["--model", "m", "hi"], "ANTHROPIC_API_KEY"),
        (["--model", "m", "--provider", "openai", "hi"], "OPENAI_API_KEY"),
        (["--model", "m", "--provider", "gemini", "hi"], "GEMINI_API_KEY"),
        (["--model", "m", "--provider", "other", "hi"], "invalid choice"),
        (["--model", "m", "--base-url", "x", "hi"], "base URL"),
        (["--mock", "--base-url", "http://x", "hi"], "--base-url"),
        (["--mock", "--body", "[1]", "hi"], "--body"),
        (["--mock", "--body", "{", "hi"], "--body"),
        (["--mock", "--max-tokens", "0", "hi"], "above 0"),
        (["--mock", " "], "no prompt"),
        (["--mock"], "no prompt"),
    ],
    ids=str,
)
def test_wrong_usage(
    arguments: list[str],
    why: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What cannot be meant ends with 2 and an explanation, before anything is asked."""
    for vendor in ("ANTHROPIC", "OPENAI", "GEMINI", "GOOGLE", "GOOGLE_GEMINI"):
        monkeypatch.delenv(f"{vendor}_API_KEY", raising=False)
        monkeypatch.delenv(f"{vendor}_BASE_URL", raising=False)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SystemExit) as caught:
        main(["chat", *arguments])
    assert caught.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert why in err


def test_timeouts() -> None:
    """Timeouts are those of the library unless they are given; 0 is no limit."""
    arguments = ["chat", "--mock", "--timeout", "5.5", "--idle-timeout", "0", "hi"]
    config = chat_options(argument_parser().parse_args(arguments)).config

    assert (config.timeout, config.idle_timeout, config.connect_timeout) == (5.5, None, 10.0)


def test_stdin_that_cannot_be_read(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prompt that cannot be read is a wrong command line, too."""
    with Path(os.devnull).open("w") as for_writing:
        monkeypatch.setattr("sys.stdin", for_writing)
        with pytest.raises(SystemExit):
            main(["chat", "--mock"])
    assert "cannot read the prompt from stdin: read" in capfd.readouterr().err
