"""What the fragment benchmark reads: arguments of tool calls, as models write them.

Everything is seeded, so that two runs read the same texts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping

__all__ = ["SHAPES", "Shape", "fragments_of"]

Shape = Callable[[int], str]
"""Makes a JSON text of about so many characters."""


def one_long_string(size: int) -> str:
    """A call that writes a file: one string of source code, an escape every few words."""
    rng = random.Random(1)
    words = ["def", "return", "self", "value", "for", "in", "range(10):", "print(x)", '"text"', "#"]
    source = ""
    while len(source) < size:
        indent = 4 * rng.randrange(3) * " "
        source += indent + " ".join(rng.choices(words, k=rng.randint(3, 9))) + "\n"
    return json.dumps({"path": "src/app.py", "text": source[: max(size - 60, 60)]})


def small_objects(size: int) -> str:
    """A call with many records: an array of objects of six members."""
    rng = random.Random(2)
    return _array_of(
        size,
        lambda: {
            "id": rng.randrange(10**6),
            "name": f"user {rng.randrange(1000)}",
            "active": rng.random() < 0.5,
            "score": round(rng.random(), 4),
            "tags": ["a", "bb"],
            "note": None,
        },
    )


def deep_nesting(size: int) -> str:
    """A call with trees: chains of objects and arrays, sixty levels deep."""
    rng = random.Random(3)

    def chain() -> object:
        value: object = rng.randrange(100)
        for level in range(60):
            value = {f"k{level}": value} if level % 2 else [value]
        return value

    return _array_of(size, chain)


def _array_of(size: int, make: Callable[[], object]) -> str:
    elements: list[str] = []
    length = 0
    while length < size:
        elements.append(json.dumps(make()))
        length += len(elements[-1]) + 2
    return f"[{', '.join(elements)}]"


SHAPES: Mapping[str, Shape] = {
    "one long string": one_long_string,
    "small objects": small_objects,
    "deep nesting": deep_nesting,
}


def fragments_of(text: str, least: int, most: int) -> list[str]:
    """The text in fragments of random lengths between two."""
    rng = random.Random(4)
    fragments: list[str] = []
    start = 0
    while start < len(text):
        end = start + rng.randint(least, most)
        fragments.append(text[start:end])
        start = end
    return fragments
