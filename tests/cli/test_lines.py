"""Items as lines: which of them, and in which form."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from trio_stream.cli._arguments import argument_parser
from trio_stream.cli._lines import Lines
from trio_stream.cli._options import tail_options
from trio_stream.cli._terminal import Style
from trio_stream.framing import Comment, Record, ServerSentEvent

EVENTS = [
    ServerSentEvent(data="plain"),
    ServerSentEvent("delta", '{"delta": {"text": "Hel"}, "n": 1.50}', "7"),
    ServerSentEvent("delta", '{"delta": {"text": "lo"},\n"n": 2}', "7"),
    ServerSentEvent("note", "two\nlines", "7", 1000),
]
RECORDS = [Record('{"n": 1.10}'), Record("not JSON"), Record('[{"n": "x"}]')]


def printed(items: Sequence[object], options: str = "", *, on_terminal: bool = False) -> str:
    arguments = argument_parser().parse_args(["tail", "http://x", *options.split()])
    lines = Lines(
        tail_options(arguments, on_terminal=on_terminal),
        style=Style(colours=False),
        on_terminal=on_terminal,
        elapsed=lambda: 1.25,
    )
    out = b""
    for item in items:
        if not lines.is_full:
            out += lines.write(item)
    return out.decode()


def test_events_as_json() -> None:
    """An event is one JSON object: name, data, and id and retry once they were set."""
    assert printed(EVENTS).splitlines() == [
        '{"event":"message","data":"plain"}',
        '{"event":"delta","data":{"delta": {"text": "Hel"}, "n": 1.50},"id":"7"}',
        '{"event":"delta","data":{"delta": {"text": "lo"}, "n": 2},"id":"7"}',
        '{"event":"note","data":"two\\nlines","id":"7","retry":1000}',
    ]


def test_records_as_json() -> None:
    """A record is the JSON that it is; what is no JSON becomes a JSON string."""
    assert printed(RECORDS).splitlines() == ['{"n": 1.10}', '"not JSON"', '[{"n": "x"}]']


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("--event note --text", "two\nlines\n"),
        ("--event note --event message --text", "plain\ntwo\nlines\n"),
        ("--event nobody", ""),
        ("--field delta.text", '"Hel"\n"lo"\n'),
        ("--field delta.text --text", "Hel\nlo\n"),
        ("--field delta --text", '{"text":"Hel"}\n{"text":"lo"}\n'),
        ("--field delta.text --join", "Hello"),
        ("--field n --max-items 1", "1.5\n"),
        ("--max-items 1", '{"event":"message","data":"plain"}\n'),
        ("--event message --timing", '{"time":1.250,"event":"message","data":"plain"}\n'),
        ("--event message --timing --text", "   1.250  plain\n"),
        (
            "--field delta.text --timing",
            '{"time":1.250,"data":"Hel"}\n{"time":1.250,"data":"lo"}\n',
        ),
    ],
)
def test_options_choose(options: str, expected: str) -> None:
    """The options choose by name, field and number, and the form; what has no field is skipped."""
    assert printed(EVENTS, options) == expected


def test_fields_of_records() -> None:
    """The path of a field may begin with a place in an array; names of events fit no record."""
    assert printed(RECORDS, "--field [0].n") == '"x"\n'
    assert printed(RECORDS, "--event message") == ""


def test_comments() -> None:
    """A comment is marked as one, whatever events are chosen, and has no fields."""
    assert printed([Comment("ping")], "--comments") == '{"comment":"ping"}\n'
    assert printed([Comment("ping")], "--comments --text --event x") == ": ping\n"
    assert printed([Comment("ping")], "--comments --field a") == ""
    assert printed([Comment("ping")], "--comments --field a --text") == ""


def test_half_a_surrogate_pair_is_no_trouble() -> None:
    """A string that JSON can hold and UTF-8 cannot is printed as its escape."""
    assert printed([Record('{"a": "x\\ud800"}')], "--field a") == '"x\\ud800"\n'


def test_terminals_are_protected_and_pipes_get_what_came() -> None:
    """Control characters are obeyed by no terminal and are withheld from no pipe."""
    event = ServerSentEvent("\x1b[1m", "\x1b[2J")

    assert printed([event], "--text") == "\x1b[2J\n"
    assert printed([event], "--text", on_terminal=True) == "\\u001b[2J\n"
    assert printed([event], on_terminal=True) == "\\u001b[1m  \\u001b[2J\n"
    assert printed([Record('"\x7f"')], "--json", on_terminal=True) == '"\\u007f"\n'
