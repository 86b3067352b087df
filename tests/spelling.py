"""Names for parameters of tests."""

from __future__ import annotations

import re

__all__ = ["spelled"]


def spelled(value: object) -> str:
    """Spell a value without its address, so that a test has the same name in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))
