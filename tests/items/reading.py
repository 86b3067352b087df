"""One payload at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trio_stream.errors import BadItemError
from trio_stream.framing import ServerSentEvent
from trio_stream.items import item_decoder


def read_text(item: Any, text: str) -> Any:
    """Read one payload."""
    out: list[Any] = []
    item_decoder(item).decode([ServerSentEvent(data=text)], out)
    [value] = out
    return value


def read(item: Any, value: object) -> Any:
    """Read one payload that is made of this value."""
    return read_text(item, json.dumps(value))


def fault_of_text(item: Any, text: str) -> BadItemError:
    """The error that one payload causes."""
    with pytest.raises(BadItemError) as caught:
        read_text(item, text)
    return caught.value


def fault_of(item: Any, value: object) -> BadItemError:
    """The error that one payload that is made of this value causes."""
    return fault_of_text(item, json.dumps(value))


def why(item: Any, value: object) -> str:
    """What that error says, without what stands before it."""
    return str(fault_of(item, value)).removeprefix("bad item at ")
