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

Faults make a worse script of a script, and compose; a `Feed` is a server that can be resumed; a
`Cassette` is what a real server did, recorded by a `Recorder` and played like a script::

    feed = Feed(100)
    plan = first([Busy(retry_after=5)], then=faulty_in_turn(feed, [CutAt(333, "reset"), Lose(2)]))

    plan = Cassette.load("outage.jsonl").plan()

`check_parser`, `check_dialect` and `check_store` are the laws of formats, grammars and stores of
checkpoints, `assert_no_leaks` that of everything. Never imported by ``import trio_stream``. Needs
``h11``, which comes with httpx.
"""

from ._answer import Answer
from ._busy import Busy
from ._byte_faults import CutAt, LineEnds, SplitAt, SplitCRLF, SplitEvery, StallAt
from ._cassette import Cassette
from ._dialect_laws import check_dialect
from ._event_faults import (
    CutEvent,
    Duplicate,
    Goodbye,
    Insert,
    Instead,
    Late,
    Lose,
    Shuffle,
    Swap,
)
from ._exchange import (
    Exchange,
    ExchangeEnd,
    RecordedChunk,
    RecordedEnd,
    RecordedHead,
    RecordedRequest,
)
from ._fault import Fault, faulty, faulty_in_turn
from ._feed import Feed
from ._leaks import assert_no_leaks
from ._memory import MemoryServer, memory_client, serve_memory
from ._memory_transport import memory_transport
from ._parser_laws import check_parser
from ._plan import Plan, Scheme, Scripts, first
from ._recording import Recorder, recording
from ._request import Headers, Request
from ._script import (
    At,
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
from ._scrubbing import Scrubber
from ._server import ScriptedServer, closed_port, serve
from ._store_laws import check_store
from ._threaded import ServerFactory, ThreadedServer

__all__ = [
    "Answer",
    "At",
    "BadChunk",
    "Busy",
    "Cassette",
    "CutAt",
    "CutEvent",
    "Duplicate",
    "End",
    "Event",
    "Exchange",
    "ExchangeEnd",
    "Fault",
    "Feed",
    "Goodbye",
    "Head",
    "Headers",
    "Insert",
    "Instead",
    "Late",
    "LineEnds",
    "Lose",
    "MemoryServer",
    "Pieces",
    "Ping",
    "Plan",
    "Raw",
    "RecordedChunk",
    "RecordedEnd",
    "RecordedHead",
    "RecordedRequest",
    "Recorder",
    "Refuse",
    "Request",
    "Reset",
    "Scheme",
    "Script",
    "ScriptedServer",
    "Scripts",
    "Scrubber",
    "Send",
    "ServerFactory",
    "Shuffle",
    "SplitAt",
    "SplitCRLF",
    "SplitEvery",
    "Stall",
    "StallAt",
    "Step",
    "Swap",
    "ThreadedServer",
    "Truncate",
    "Until",
    "Wait",
    "assert_no_leaks",
    "check_dialect",
    "check_parser",
    "check_store",
    "closed_port",
    "faulty",
    "faulty_in_turn",
    "first",
    "memory_client",
    "memory_transport",
    "recording",
    "serve",
    "serve_memory",
]
