"""`StreamConfig`: what it refuses."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest

from trio_stream import StreamConfig

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("timeout", (0, -1.0, NAN)),
        ("connect_timeout", (0, -1.0, NAN)),
        ("headers_timeout", (0, -1.0, NAN)),
        ("idle_timeout", (0, -1.0, NAN)),
        ("stall_timeout", (0, -1.0, NAN)),
        ("chunk_size", (0, -1)),
        ("max_line_bytes", (0, -1)),
        ("max_event_bytes", (0, -1)),
        ("max_error_body_bytes", (-1,)),
        ("max_kept_items", (-1,)),
        ("on_bad_item", ("ignore", None, 3)),
        ("max_retries", (-2, NAN)),
        ("max_retry_time", (0, -1.0, NAN)),
        ("initial_backoff", (-1.0, NAN, INF)),
        ("max_backoff", (-1.0, NAN, INF)),
        ("backoff_multiplier", (0.5, NAN)),
        ("max_retry_after", (-1.0, NAN)),
        ("retry_after_over_cap", ("wait", None)),
        ("dedup_window", (-1,)),
    ],
)
def test_refuses(name: str, bad: tuple[Any, ...]) -> None:
    """A value that makes no sense is refused with the name of its setting."""
    for value in bad:
        with pytest.raises(ValueError, match=name):
            StreamConfig(**{name: value})


@pytest.mark.parametrize(
    "name",
    [
        "timeout",
        "connect_timeout",
        "headers_timeout",
        "idle_timeout",
        "stall_timeout",
        "max_retry_time",
        "max_retry_after",
    ],
)
def test_no_limit(name: str) -> None:
    """`None` is no limit."""
    setting: dict[str, Any] = {name: None}
    assert getattr(StreamConfig(**setting), name) is None


async def _asynchronous(*_: object) -> None: ...


class _Callable:
    async def __call__(self, *_: object) -> None: ...


@pytest.mark.parametrize("callback", [_asynchronous, _Callable(), partial(_asynchronous, 1)])
@pytest.mark.parametrize(
    "name", ["on_connect", "on_disconnect", "on_error", "on_reconnect", "on_gap", "on_bad_item"]
)
def test_nobody_would_await_it(name: str, callback: Any) -> None:
    """An async callback is refused where it would be called and never run."""
    with pytest.raises(TypeError, match=f"{name} must be a plain function"):
        StreamConfig(**{name: callback})
    assert StreamConfig(on_outcome=callback).on_outcome is callback


def test_callbacks_of_any_kind() -> None:
    """Functions, methods, classes and other callables are taken."""
    # A class is called to make an object, whatever a call of the object does.
    callbacks: list[Any] = [print, str.upper, partial(print, 1), dict, _Callable]
    for callback in callbacks:
        assert StreamConfig(on_error=callback).on_error is callback
