"""What a Google-style docstring says: its first paragraph, and the entries of a section."""

from __future__ import annotations

import re

__all__ = ["entries", "summary"]

# The head of a section, at the margin: "Args:".
_SECTION = re.compile(r"[A-Z][A-Za-z ]*:\s*$")
# An entry: "city: ...", "city (str, optional): ...", "lat, lon: ...", "*args: ...".
_ENTRY = re.compile(r"([*\w]+(?:\s*,\s*[*\w]+)*)\s*(?:\([^)]*\))?\s*:\s*(.*)")


def summary(docstring: str | None) -> str:
    """Return the first paragraph, on one line; ``""`` if there is none.

    Args:
        docstring: As `inspect.getdoc` returns it.
    """
    paragraph = (docstring or "").strip().partition("\n\n")[0]
    lines = paragraph.splitlines()
    if lines and _SECTION.match(lines[0]) and len(lines) > 1:
        return ""
    return " ".join(map(str.strip, lines))


def entries(docstring: str | None, *sections: str) -> dict[str, str]:
    """Return what a section says of each name, on one line.

    Args:
        docstring: As `inspect.getdoc` returns it.
        sections: What the section may be called, such as ``Args``.
    """
    found: dict[str, list[str]] = {}
    inside = False
    indent = 0
    current: list[str] = []
    for line in (docstring or "").splitlines():
        text = line.strip()
        margin = len(line) - len(line.lstrip())
        if text and margin == 0:
            inside = text.removesuffix(":") in sections and text.endswith(":")
            indent = 0
        elif inside and text:
            indent = indent or margin
            entry = _ENTRY.match(text) if margin <= indent else None
            if entry is not None:
                current = [entry[2]] if entry[2] else []
                for name in entry[1].split(","):
                    found[name.strip().lstrip("*")] = current
            else:
                current.append(text)
    return {name: " ".join(lines) for name, lines in found.items()}
