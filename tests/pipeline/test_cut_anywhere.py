"""An answer that is cut at any byte: one ending, the same over whatever transport."""

from __future__ import annotations

from typing import Any

import pytest

from tests.pipeline.worlds import SOCKETS, World
from trio_stream.config import StreamConfig
from trio_stream.errors import StreamError, StreamErrorType, StreamTruncatedError
from trio_stream.outcome import Ending, StreamOutcome
from trio_stream.pipeline import open_stream
from trio_stream.testing import Raw, assert_no_leaks

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
EVENTS = [b"data: 0\n\n", b"data: 1\n\n"]
CHUNKS = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in EVENTS) + b"0\r\n\r\n"
ANSWERS = {
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNKS),
    "length": (HEAD + b"Content-Length: 18\r\n\r\n", b"".join(EVENTS)),
}


@pytest.mark.parametrize("world", SOCKETS, ids=lambda world: world.name)
@pytest.mark.parametrize("framing", ANSWERS)
def test_cut_at_any_byte(world: World, framing: str) -> None:
    """Without a whole head it failed, without a whole body it is truncated, and nothing between."""
    head, body = ANSWERS[framing]
    answer = head + body

    async def main() -> None:
        plan = [[Raw(answer[:count])] for count in range(1, len(answer) + 1)]
        async with assert_no_leaks(), world.serve(plan) as (client, server):
            for count in range(1, len(answer) + 1):
                outcome, error = await ending_of(client, server.url)
                if count < len(head):
                    assert error is not None, count
                    assert outcome.ending is Ending.FAILED, count
                    assert error.error_type is StreamErrorType.CONNECTION_ERROR, count
                elif count < len(answer):
                    assert isinstance(error, StreamTruncatedError), count
                    assert outcome.ending is Ending.TRUNCATED, count
                else:
                    assert outcome.ending is Ending.COMPLETED
                events = [each.data for each in outcome.value]
                assert events == [str(i) for i in range(2) if EVENTS[i] in answer[:count]], count

    world.run(main)


async def ending_of(client: Any, url: str) -> tuple[StreamOutcome[Any], StreamError | None]:
    outcomes: list[StreamOutcome[Any]] = []
    try:
        config = StreamConfig(on_outcome=outcomes.append)
        async with open_stream("GET", url, client=client, config=config) as rx:
            await rx.result()
    except StreamError as error:
        return outcomes[0], error
    return outcomes[0], None
