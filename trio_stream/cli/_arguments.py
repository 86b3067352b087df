"""The command line, as argparse sees it."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ._exit import EXIT_CODES
from ._fields import FieldPath, parse_path
from ._options import FRAMINGS

__all__ = ["argument_parser"]

_TAIL = """\
Print the items of a stream as they arrive: server-sent events, NDJSON, JSON text sequences.

On a terminal: the name of each event (unless it is "message") and its data.
In a pipe: JSON Lines, one line per item. An event becomes
  {"event": "order", "data": ..., "id": "7", "retry": 1000}
where data is JSON if it is JSON, else a string; id and retry are there if the stream
has set them. A record of NDJSON or of a JSON text sequence is the JSON that it is.
How the stream ended is told on stderr, in the last line.
"""

_EXAMPLES = """\
examples:
  trio-stream tail https://example.org/changes --field title
  trio-stream tail https://example.org/events --event order --max-items 1 | jq .data
  trio-stream tail https://example.org/events --reconnect --state events.json >> events.jsonl
  trio-stream tail https://api.example.com/v1/messages -H "x-api-key: $KEY" \\
      -d @request.json --field delta.text --join

"""

_RECORD = """\
Record a stream into a file, byte for byte as it comes, with its times and whatever goes wrong.

The file is a cassette: text, one JSON object a line. trio-stream replay plays it, and so does
trio_stream.testing in tests. What is known to be secret (authorization, cookies, API keys,
tokens in URLs) is not written into it. Ctrl-C ends the recording; the file is whole then.
What was recorded, and how the stream ended, is told on stderr.
"""

_RECORD_EXAMPLES = """\
examples:
  trio-stream record https://example.org/events events.jsonl --max-seconds 60
  trio-stream record https://api.example.com/v1/messages answer.jsonl -H "x-api-key: $KEY" \\
      -d @request.json

"""

_REPLAY = """\
Play a cassette: print its items as tail would have, each at its time, and tell how it ended.

If there are several exchanges in it, each is a stream, but for redirects; the last one decides on
the exit code. What was left by Ctrl-C, or by any other client, is complete at that point.
With --serve it is served on a local port for any client, from the start again after its end. The
URL is printed on stdout. Ctrl-C ends it.
"""

_REPLAY_EXAMPLES = """\
examples:
  trio-stream replay events.jsonl --fast | jq .data
  trio-stream replay answer.jsonl --field delta.text --join
  trio-stream replay answer.jsonl --serve 8080 --speed 10

"""

_CHAT = """\
Ask a language model, and print its answer as it comes.

The prompt is taken from the arguments, or else from stdin. If there is none and stdin is a
terminal, it is a conversation: Ctrl-C breaks an answer off, Ctrl-D ends it.
The key is taken from the environment: ANTHROPIC_API_KEY, OPENAI_API_KEY, or GOOGLE_API_KEY or
GEMINI_API_KEY.
How the answer ended is told on stderr, in the last line.
"""

_CHAT_EXAMPLES = """\
examples:
  trio-stream chat --mock "Who are you?"
  trio-stream chat --model $MODEL "Tell me about Trio." > answer.txt
  trio-stream chat --provider openai --base-url http://localhost:11434/v1 --model llama3.2 < prompt
  trio-stream chat --model $MODEL --body '{"temperature": 0}' --json "Hi" \\
      | jq -rj '.TextDelta.text // empty'

"""

# Those of `.chat`, which is imported only when it is needed.
_PROVIDERS = ("anthropic", "openai", "openai-responses", "gemini")

_TIMEOUTS = {
    "idle": "no byte at all (default: 300)",
    "stall": "bytes, such as pings, but no item",
    "connect": "for the connection (default: 10)",
    "headers": "from there to the head of the response (default: 120)",
}

# What tail can be asked for, where it is not.
_UNASKED: dict[str, Any] = {
    "url": "",
    "method": None,
    "headers": [],
    "body": None,
    "framing": None,
    "events": [],
    "field": (),
    "max_items": None,
    "comments": False,
    "mode": None,
    "timing": False,
    "reconnect": False,
    "max_retries": None,
    "last_event_id": "",
    "state": None,
    "timeout": None,
    **{f"{layer}_timeout": None for layer in _TIMEOUTS},
}

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def argument_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="trio-stream",
        description="Streams over HTTP, every ending told truthfully.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    tail = commands.add_parser(
        "tail",
        help="print the items of a stream as they arrive",
        usage="trio-stream tail URL [options]",
        description=_TAIL,
        epilog=_EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tail.set_defaults(fail=tail.error)
    tail.add_argument("url", metavar="URL", help="http or https")
    _add_framing(_add_request(tail))
    add = _add_selection(tail)
    add("--max-items", metavar="N", type=_count, help="leave when N items have been printed")
    _add_form(tail)
    _add_recovery(tail)
    _add_timeouts(tail)
    _add_record(commands)
    _add_replay(commands)
    _add_chat(commands)
    demo = commands.add_parser(
        "demo",
        help="watch streams arrive; no key, no network",
        description="Four streams of a language model, played by a scripted server on this "
        "machine: text and tool calls arrive live, and two of the streams break.",
    )
    demo.add_argument("--fast", action="store_true", help="as fast as it goes")
    # It has arguments of its own, and its own help.
    commands.add_parser("bench", help="measure, beside its peers; in a checkout", add_help=False)
    return parser


def _add_record(commands: Any) -> None:
    record: argparse.ArgumentParser = commands.add_parser(
        "record",
        help="record a stream into a file, with its times and faults",
        usage="trio-stream record URL FILE [options]",
        description=_RECORD,
        epilog=_RECORD_EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    record.set_defaults(fail=record.error, **{**_UNASKED, "mode": "raw"})
    record.add_argument("url", metavar="URL", help="http or https")
    record.add_argument("file", metavar="FILE", type=Path, help="written over if it is there")
    add = _add_request(record)
    text = "a header, parameter or field that is secret, too; may be repeated"
    add("--scrub", dest="secrets", metavar="NAME", action="append", default=[], help=text)
    text = "stop after S seconds"
    record.add_argument("--max-seconds", metavar="S", type=_positive, help=text)
    _add_timeouts(record)


def _add_replay(commands: Any) -> None:
    replay: argparse.ArgumentParser = commands.add_parser(
        "replay",
        help="play what was recorded: print it, or serve it",
        usage="trio-stream replay FILE [options]",
        description=_REPLAY,
        epilog=_REPLAY_EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    replay.set_defaults(fail=replay.error, **_UNASKED)
    replay.add_argument("file", metavar="FILE", type=Path, help="a cassette")
    group = replay.add_argument_group("how it is played")
    pace = group.add_mutually_exclusive_group()
    pace.add_argument(
        "--speed", metavar="N", type=_positive, default=1.0, help="N times as fast (default: 1)"
    )
    pace.add_argument(
        "--fast", dest="speed", action="store_const", const=math.inf, help="without a pause"
    )
    text = "serve it on this port of 127.0.0.1 (default: a free one), and print nothing else"
    group.add_argument("--serve", metavar="PORT", nargs="?", const=0, type=_port, help=text)
    _add_framing(_add_selection(replay))
    _add_form(replay)


def _add_chat(commands: Any) -> None:
    chat: argparse.ArgumentParser = commands.add_parser(
        "chat",
        help="ask a language model, and see the answer as it comes",
        usage="trio-stream chat [options] [PROMPT ...]",
        description=_CHAT,
        epilog=_CHAT_EXAMPLES + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chat.set_defaults(fail=chat.error)
    chat.add_argument("prompt", metavar="PROMPT", nargs="*", help="default: stdin")
    add = chat.add_argument_group("whom to ask").add_argument
    text = "whose format to speak (default: anthropic)"
    add("--provider", choices=_PROVIDERS, default="anthropic", help=text)
    add("--model", metavar="NAME", help="which model; needed unless it is --mock")
    add("--base-url", metavar="URL", help="where the service is, as its SDKs take it")
    add("--mock", action="store_true", help="a scripted server on this machine: no key, no network")
    add = chat.add_argument_group("what to ask for").add_argument
    add("--system", metavar="TEXT", help="the system prompt")
    add("--max-tokens", metavar="N", type=_count, help="how long the answer may get")
    add("--thinking", action="store_true", help="ask for thoughts, and show them on stderr")
    add("--body", metavar="JSON", help="an object with more fields of the request's body")
    add = chat.add_argument_group("in which form").add_argument
    text = 'JSON Lines, one for each item, such as {"TextDelta":{"index":0,"text":"Hel"}}'
    add("--json", action="store_true", help=text)
    _add_timeouts(chat)


def _add_request(parser: argparse.ArgumentParser) -> Callable[..., object]:
    add = parser.add_argument_group("the request").add_argument
    add("-X", dest="method", metavar="METHOD", type=_method, help="default: GET, with -d POST")
    text = "a header; may be repeated"
    add(
        "-H", dest="headers", metavar="HEADER", type=_header, action="append", default=[], help=text
    )
    text = "the body; @FILE: from a file, @-: from stdin; sent as application/json if it is JSON"
    add("-d", dest="body", metavar="BODY", help=text)
    return add


def _add_framing(add: Callable[..., object]) -> None:
    text = "the format of the stream (default: what its Content-Type says)"
    add("--framing", choices=list(FRAMINGS), help=text)


def _add_selection(parser: argparse.ArgumentParser) -> Callable[..., object]:
    add = parser.add_argument_group("what is printed").add_argument
    text = "only events of this name; may be repeated"
    add("--event", dest="events", metavar="NAME", action="append", default=[], help=text)
    text = "only this field of JSON data, such as choices[0].delta.content, where it is there"
    add("--field", metavar="PATH", type=_path, default=(), help=text)
    add("--comments", action="store_true", help="comments of server-sent events, too")
    return add


def _add_form(parser: argparse.ArgumentParser) -> None:
    forms = {
        "json": "JSON Lines, on a terminal too",
        "text": "the data alone, in a pipe too",
        "join": "the data with nothing in between: a text that comes in pieces",
        "raw": "the bytes of the body as they come",
    }
    group = parser.add_argument_group("in which form")
    exclusive = group.add_mutually_exclusive_group()
    for name, text in forms.items():
        exclusive.add_argument(
            f"--{name}", dest="mode", action="store_const", const=name, help=text
        )
    text = 'seconds since the start before each item; in JSON its "time"'
    group.add_argument("--timing", action="store_true", help=text)


def _add_recovery(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("after a break").add_argument
    text = (
        "connect again when the stream breaks or ends, and go on after the last event; "
        "with -d, only as long as nothing has come"
    )
    add("--reconnect", action="store_true", help=text)
    text = "how often in a row connecting may fail (default: no limit; with -d: 10)"
    add("--max-retries", metavar="N", type=_number, help=text)
    text = "go on after the event with this ID"
    add("--last-event-id", metavar="ID", default="", help=text)
    text = (
        "keep in this file the ID of the last event that was printed, or passed over by --event, "
        "and go on after it when started again; it counts more than --last-event-id"
    )
    add("--state", metavar="FILE", type=Path, help=text)


def _add_timeouts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("timeouts, in seconds; 0: no limit")
    group.add_argument("--timeout", metavar="S", type=_seconds, help="for the whole stream")
    for layer, text in _TIMEOUTS.items():
        group.add_argument(f"--{layer}-timeout", metavar="S", type=_seconds, help=text)


class _Version(argparse.Action):
    """Shows the version, which is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            number = version("trio-stream")
        except PackageNotFoundError:  # a checkout on the path
            number = "(not installed)"
        print(parser.prog, number)
        parser.exit()


# ---- the types of arguments ----------------------------------------------------------------------


def _method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no method")
    return text.upper()  # as the HTTP libraries send it


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not _TOKEN.fullmatch(name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 'Name: value'")
    return name.encode("ascii"), value.strip().encode("utf-8", "surrogateescape")


def _path(text: str) -> FieldPath:
    try:
        return parse_path(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _positive(text: str) -> float:
    number = _seconds(text)
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
