"""What a Google-style docstring says."""

from __future__ import annotations

import inspect

import pytest

from trio_stream.tools._docstring import entries, summary

DOCSTRING = inspect.cleandoc(
    """Forecast the weather,
    everywhere.

    It may be wrong.

    Args:
        city: The name of the city,
            in English.
        days (int, optional): How many: from 1 to 7.
        lat, lon:
            Where.

            In degrees.
        **more: The rest.

    Returns:
        city: not an argument.
    """
)


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (DOCSTRING, "Forecast the weather, everywhere."),
        ("One line.", "One line."),
        ("Args:\n    city: The city.", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_summary(docstring: str | None, expected: str) -> None:
    """The summary is the first paragraph on one line, if that is no section."""
    assert summary(docstring) == expected


def test_entries() -> None:
    """A section's entries may go over lines, have types, and stand for several names."""
    assert entries(DOCSTRING, "Args") == {
        "city": "The name of the city, in English.",
        "days": "How many: from 1 to 7.",
        "lat": "Where. In degrees.",
        "lon": "Where. In degrees.",
        "more": "The rest.",
    }


@pytest.mark.parametrize("docstring", [None, "", "Args:", "Args:\n", "No sections.", "Args: none"])
def test_no_entries(docstring: str | None) -> None:
    """A docstring without entries has none."""
    assert entries(docstring, "Args") == {}


def test_text_before_the_first_entry() -> None:
    """Text in a section that belongs to no entry is passed over."""
    assert entries("Args:\n    see below\n    city: The city.", "Args") == {"city": "The city."}
