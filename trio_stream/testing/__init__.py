"""For tests of applications, and for our own: servers that misbehave by script, and laws.

A script says what a server does with a request. It is played over a socket, for what crosses one,
or in memory under a mock clock, for what takes time::

    script = [Event("one", id="1"), Wait(30), Event("two"), Reset()]

    async with serve(script) as server:
        ...  # any client, at server.url

    async with memory_client(script, family="httpx2") as (client, server):
        ...  # with MockClock(autojump_threshold=0), thirty seconds take no time

    assert server.requests[0].headers["Accept"] == "text/event-stream"

Use the mock clock in memory only: with sockets it jumps while bytes are on their way.

`check_parser` and `check_dialect` are the laws of formats and grammars, `assert_no_leaks` that of
everything. Never imported by ``import trio_stream``. Needs ``h11``, which comes with httpx.
"""

from ._answer import Answer
from ._dialect_laws import check_dialect
from ._leaks import assert_no_leaks
from ._memory import MemoryServer, memory_client, serve_memory
from ._memory_transport import memory_transport
from ._parser_laws import check_parser
from ._plan import Plan
from ._request import Headers, Request
from ._script import (
    BadChunk,
    End,
    Event,
    Head,
    Pieces,
    Ping,
    Raw,
    Refuse,
    Reset,
    Script,
    Send,
    Stall,
    Step,
    Truncate,
    Until,
    Wait,
)
from ._server import ScriptedServer, closed_port, serve

__all__ = [
    "Answer",
    "BadChunk",
    "End",
    "Event",
    "Head",
    "Headers",
    "MemoryServer",
    "Pieces",
    "Ping",
    "Plan",
    "Raw",
    "Refuse",
    "Request",
    "Reset",
    "Script",
    "ScriptedServer",
    "Send",
    "Stall",
    "Step",
    "Truncate",
    "Until",
    "Wait",
    "assert_no_leaks",
    "check_dialect",
    "check_parser",
    "closed_port",
    "memory_client",
    "memory_transport",
    "serve",
    "serve_memory",
]
