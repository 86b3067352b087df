"""Where in a document a value is."""

from __future__ import annotations

import json
import re
from typing import Any, TypeAlias

__all__ = ["Json", "Path", "format_path"]

Json: TypeAlias = Any
"""A JSON value: `dict`, `list`, `str`, `int`, `float`, `bool` or `None`."""

Path: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value; the whole document has none."""

_NAME = re.compile(r"[^\W\d]\w*")


def format_path(path: Path) -> str:
    """Write a path as code would: ``edits[3].new_string``.

    A key that is no identifier is quoted: ``files["a.py"]``. The path of the whole document is
    the empty string.
    """
    steps: list[str] = []
    for step in path:
        if isinstance(step, int):
            steps.append(f"[{step}]")
        elif _NAME.fullmatch(step):
            steps.append(f".{step}" if steps else step)
        else:
            steps.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(steps)
