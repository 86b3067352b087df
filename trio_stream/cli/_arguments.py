"""The command line, as argparse sees it."""

from __future__ import annotations

import argparse
import math
import re
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
  trio-stream tail https://api.example.com/v1/messages -H "x-api-key: $KEY" \\
      -d @request.json --field delta.text --join

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

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2


def argument_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="trio-stream",
        description="Streams over HTTP, every ending told truthfully.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
    _add_request(tail)
    _add_selection(tail)
    _add_form(tail)
    _add_timeouts(tail)
    _add_chat(commands)
    demo = commands.add_parser(
        "demo",
        help="watch streams arrive; no key, no network",
        description="Four streams of a language model, played by a scripted server on this "
        "machine: text and tool calls arrive live, and two of the streams break.",
    )
    demo.add_argument("--fast", action="store_true", help="as fast as it goes")
    return parser


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


def _add_request(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("the request").add_argument
    add("-X", dest="method", metavar="METHOD", type=_method, help="default: GET, with -d POST")
    text = "a header; may be repeated"
    add(
        "-H", dest="headers", metavar="HEADER", type=_header, action="append", default=[], help=text
    )
    text = "the body; @FILE: from a file, @-: from stdin; sent as application/json if it is JSON"
    add("-d", dest="body", metavar="BODY", help=text)
    text = "the format of the stream (default: what its Content-Type says)"
    add("--framing", choices=list(FRAMINGS), help=text)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what is printed").add_argument
    text = "only events of this name; may be repeated"
    add("--event", dest="events", metavar="NAME", action="append", default=[], help=text)
    text = "only this field of JSON data, such as choices[0].delta.content, where it is there"
    add("--field", metavar="PATH", type=_path, default=(), help=text)
    add("--max-items", metavar="N", type=_count, help="leave when N items have been printed")
    add("--comments", action="store_true", help="comments of server-sent events, too")


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


def _add_timeouts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("timeouts, in seconds; 0: no limit")
    group.add_argument("--timeout", metavar="S", type=_seconds, help="for the whole stream")
    for layer, text in _TIMEOUTS.items():
        group.add_argument(f"--{layer}-timeout", metavar="S", type=_seconds, help=text)


# ---- the types of arguments ----------------------------------------------------------------------


def _method(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no method")
    return text


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


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)
