"""Print what each mode does, by doing it."""

import csv
import sys

import trio
from trio.testing import MockClock

from trio_stream import Restarted, StreamConfig, StreamError, event_source, open_stream
from trio_stream.testing import Busy, Event, Head, Refuse, Reset, Stall, Truncate, memory_client

ITEM = Event("one")
WITH_ID = Event("one", id="1")
MODES = ["never", "before_first_item", "resume", "always", "event_source"]

# What the first request gets. The second one gets another item.
CASES = [
    ("no connection", "GET", [Refuse()]),
    ("status 503", "GET", [Busy(503)]),
    ("status 401", "GET", [Head(401)]),
    ("broken before the first item", "GET", [Head(), Reset()]),
    ("broken after an item, which has an ID", "GET", [WITH_ID, Reset()]),
    ("broken after an item, which has none", "GET", [ITEM, Reset()]),
    ("broken after an item, a POST", "POST", [WITH_ID, Reset()]),
    ("a good end, after an item with an ID", "GET", [WITH_ID]),
    ("a good end, after an item without", "GET", [ITEM]),
    ("a good end, of a POST", "POST", [WITH_ID]),
    ("cut, of a body without a length", "GET", [Head(framing="close"), WITH_ID, Truncate()]),
    ("status 204", "GET", [Head(204)]),
]
CONFIG = StreamConfig(initial_backoff=0.1)


def stream(method, url, client, mode):
    if mode == "event_source":
        return event_source(url, client=client, config=CONFIG)
    return open_stream(method, url, client=client, reconnect=mode, config=CONFIG)


async def try_out(method, script, mode):
    """Play a stream in a mode; return what came of it, in words."""
    if method == "POST" and mode == "event_source":
        return "-"
    items = []
    async with memory_client([script, [Event("again"), Stall()]]) as (client, server):
        try:
            async with stream(method, server.url, client, mode) as rx:
                async for item in rx:
                    items.append(item)
                    if getattr(item, "data", "") == "again":
                        break
        except StreamError:
            return "raises"
        if len(server.requests) + server.refused == 1:
            return "ends well"
        if "last-event-id" in server.requests[-1].headers:
            return "goes on"
    if any(isinstance(item, Restarted) for item in items):
        return "begins anew, says so"
    return "asks again" if len(items) == 1 else "begins anew"


async def main():
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["", *MODES])
    for name, method, script in CASES:
        table.writerow([name, *[await try_out(method, script, mode) for mode in MODES]])


trio.run(main, clock=MockClock(autojump_threshold=0))
