"""Frames whose payload was tampered with: what a broken or hostile server may send."""

from __future__ import annotations

import json
import random
from typing import Any, cast

import attrs

__all__ = ["can_tamper", "tamper"]

_TEXTS = (
    "",
    "null",
    "true",
    "7",
    "[]",
    "{}",
    '"text"',
    "[DONE]",
    "{" * 8,
    '{"type": "no such type"}',
    "[" * 100_000,  # deeper than a recursive parser can go
    "9" * 5_000,  # longer than int() takes
    '"\\ud800"',  # half a surrogate pair: cannot be encoded
    "\x00\ufffd",
)

_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    float("inf"),
    float("nan"),
    "",
    "text",
    "\ud800",
    [],
    [None],
    {},
    {"type": "no such type"},
)


def can_tamper(frame: object) -> bool:
    """Whether a frame has something to tamper with: a ``data`` string, or ``payload`` bytes."""
    return attrs.has(type(frame)) and (
        isinstance(getattr(frame, "data", None), str)
        or isinstance(getattr(frame, "payload", None), bytes)
    )


def tamper(frame: Any, rng: random.Random) -> Any:
    """Return a copy of ``frame`` whose payload is cut, replaced, or wrong in one place."""
    if hasattr(frame, "data"):
        return attrs.evolve(frame, data=_tampered(frame.data, rng))
    text = _tampered(frame.payload.decode("utf-8", "replace"), rng)
    return attrs.evolve(frame, payload=text.encode("utf-8", "surrogatepass"))


def _tampered(data: str, rng: random.Random) -> str:
    match rng.randrange(8):
        case 0:
            data = data[: rng.randint(0, len(data))]
        case 1:
            data = rng.choice(_TEXTS)
        case _:
            try:
                payload = json.loads(data)
            except ValueError:
                data = rng.choice(_TEXTS)
            else:
                data = json.dumps(_with_one_wrong(payload, rng))
    return data


def _with_one_wrong(payload: Any, rng: random.Random) -> Any:
    """Replace or drop one value, anywhere in a JSON payload."""
    spots = list(_spots(payload))
    if not spots:
        return rng.choice(_VALUES)
    container, key = rng.choice(spots)
    if isinstance(container, dict) and rng.random() < 0.25:
        del container[key]
    else:
        container[key] = rng.choice(_VALUES)
    return payload


def _spots(payload: Any) -> list[tuple[Any, Any]]:
    """Every place in a payload that holds a value, as container and key."""
    keys: list[Any] = []
    if isinstance(payload, dict):
        keys = list(cast("Any", payload))
    elif isinstance(payload, list):
        keys = list(range(len(cast("Any", payload))))
    spots: list[tuple[Any, Any]] = [(payload, key) for key in keys]
    return spots + [spot for key in keys for spot in _spots(payload[key])]
