"""Checkpoints in memory."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import trio

from trio_stream.checkpoints import CheckpointStore, MemoryCheckpoints
from trio_stream.testing import check_store


async def test_keeps_the_laws() -> None:
    """It is a checkpoint store, though not a durable one."""
    store = MemoryCheckpoints()

    await check_store(lambda: nullcontext(store))
    await check_store(lambda: nullcontext(MemoryCheckpoints()), durable=False)


async def test_positions_are_there_to_look_at() -> None:
    """What it holds is a dictionary, begun with a copy of what was given."""
    given = {"a": "1"}
    store = MemoryCheckpoints(given)

    await store.save("b", "2")

    assert await store.load("a") == "1"
    assert store.positions == {"a": "1", "b": "2"}
    assert given == {"a": "1"}


async def test_cancelled_save_does_not_happen() -> None:
    """A save that is cancelled leaves the old position."""
    store = MemoryCheckpoints({"a": "1"})

    with trio.CancelScope() as scope:
        scope.cancel()
        await store.save("a", "2")

    assert store.positions == {"a": "1"}


async def test_what_is_no_text_is_refused() -> None:
    """Lone surrogates are a `ValueError` that names the culprit, other types a `TypeError`."""
    store: CheckpointStore = MemoryCheckpoints()

    for call in (store.load, store.delete):
        with pytest.raises(ValueError, match=r"the key has lone surrogates: '\\ud800'"):
            await call("\ud800")
    with pytest.raises(ValueError, match="the position has lone surrogates"):
        await store.save("a", "1\udcff")
    with pytest.raises(TypeError, match="the position must be a str, got 1"):
        await store.save("a", 1)  # type: ignore[arg-type]
