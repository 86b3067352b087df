"""For tests of applications, and for our own: servers that misbehave by script, and laws.

Never imported by ``import trio_stream``. Needs ``h11``, which comes with httpx.
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
