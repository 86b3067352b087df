"""Tools for models: declared from typed functions, run while the stream goes on.

::

    @tool
    async def get_weather(city: str) -> str:
        \"\"\"Tell the weather.\"\"\"
        ...

    request = anthropic.messages(model="...", max_tokens=4096, messages="Weather in Oslo?")
    async with run_tools(request, [get_weather]) as run:
        async for item in run:
            ...

`tool` makes a `Tool`; `ToolRunner` makes the calls of one stream; `run_tools` goes on until the
model stops.
"""

from ..providers import ToolResult
from ._events import ToolEvent, ToolFinished, ToolStarted
from ._run import RunItem, ToolRun, run_tools
from ._runner import ToolRunner, UnknownToolError, WatchedStream
from ._schema import schema_of
from ._tool import Tool, ToolArgumentsError, tool

__all__ = [
    "RunItem",
    "Tool",
    "ToolArgumentsError",
    "ToolEvent",
    "ToolFinished",
    "ToolResult",
    "ToolRun",
    "ToolRunner",
    "ToolStarted",
    "UnknownToolError",
    "WatchedStream",
    "run_tools",
    "schema_of",
    "tool",
]
