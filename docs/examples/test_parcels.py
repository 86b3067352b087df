import pytest
import trio
from parcels import wait_for_delivery

from trio_stream import StreamStatusError, StreamTimeoutError
from trio_stream.testing import (
    Event,
    Head,
    Ping,
    Stall,
    Wait,
    assert_no_leaks,
    memory_client,
)

SCANNED = Event({"kind": "scanned", "parcel": "P1", "place": "Oslo"})
DELIVERED = Event({"kind": "delivered", "parcel": "P1", "signed_by": "Ada"})
OTHER = Event({"kind": "delivered", "parcel": "P2", "signed_by": "Bob"})


async def test_delivery_is_found(autojump_clock):
    """It waits past what does not matter, for as long as the feed is alive."""
    script = [SCANNED, Wait(50), OTHER, Wait(50), Ping(), Wait(50), DELIVERED, Stall()]
    async with assert_no_leaks(), memory_client(script) as (client, server):
        assert await wait_for_delivery(client, server.url, "P1") == "Ada"
        await server.wait_disconnected()

    assert server.requests[0].headers["accept"].startswith("text/event-stream")


async def test_silent_feed_is_given_up(autojump_clock):
    """A feed that says nothing for a minute is dead, and an hour of pings is no better."""
    async with memory_client([SCANNED, Stall()]) as (client, server):
        start = trio.current_time()
        with pytest.raises(StreamTimeoutError) as caught:
            await wait_for_delivery(client, server.url, "P1")

    assert caught.value.layer == "idle"
    assert 60 <= trio.current_time() - start <= 64

    pings = [step for _ in range(100) for step in (Wait(50), Ping())]
    async with memory_client([SCANNED, *pings, Stall()]) as (client, server):
        with pytest.raises(StreamTimeoutError) as caught:
            await wait_for_delivery(client, server.url, "P1")

    assert caught.value.layer == "stall"


async def test_feed_without_an_answer(autojump_clock):
    """An end without a delivery is told apart from a server that refuses."""
    async with memory_client([[SCANNED], [Head(503)]]) as (client, server):
        with pytest.raises(LookupError, match="before P1 was delivered"):
            await wait_for_delivery(client, server.url, "P1")
        with pytest.raises(StreamStatusError) as caught:
            await wait_for_delivery(client, server.url, "P1")

    assert caught.value.status_code == 503
