"""What happens to tools, beside what comes over the stream."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ..dialects import ToolCall
from ..providers import ToolResult

__all__ = ["ToolEvent", "ToolFinished", "ToolStarted"]


@attrs.define
class ToolStarted:
    """A call is being made.

    Attributes:
        call: The call.
    """

    call: ToolCall


@attrs.define
class ToolFinished:
    """A call has a result.

    Attributes:
        result: The result, which may say that the call failed.
    """

    result: ToolResult


ToolEvent: TypeAlias = ToolStarted | ToolFinished
