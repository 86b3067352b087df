"""Colours, control characters and figures."""

from __future__ import annotations

import io
import json

import pytest

from trio_stream.cli._terminal import Style, human_bytes, visible


def test_control_characters_are_shown_not_obeyed() -> None:
    """A server cannot move the cursor, ring the bell or retitle the window; lines and tabs pass."""
    assert visible("a\x1b[2J\x07\r\x9b1m\x7f\tb\nc") == (
        "a\\u001b[2J\\u0007\\u000d\\u009b1m\\u007f\tb\nc"
    )


def test_visible_json_means_the_same() -> None:
    """In JSON the escapes read as the characters that they stand for."""
    text = '"del \x7f, csi \x9b"'

    assert json.loads(visible(text)) == json.loads(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (5_000_000_000_000, "5000.0 GB"),
    ],
)
def test_bytes_are_readable(count: int, text: str) -> None:
    """Sizes have one digit after the point, and the unit in which that says most."""
    assert human_bytes(count) == text


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_only_where_they_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours are for terminals that have them and for users who want them."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Style.of(FakeTerminal()).bad("x") == "\x1b[31mx\x1b[0m"
    assert Style.of(io.StringIO()).bad("x") == "x"
    assert Style.of(None).bad("x") == "x"

    monkeypatch.setenv("NO_COLOR", "1")
    assert Style.of(FakeTerminal()).bad("x") == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert Style.of(FakeTerminal()).bad("x") == "x"
