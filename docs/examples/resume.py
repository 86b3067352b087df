import trio

from trio_stream import StreamError, open_stream
from trio_stream.testing import Event, Head, Reset, serve


async def watch(url, *, attempts=5):
    """Print each event once, whatever the connection does."""
    last_event_id = ""
    for attempt in range(attempts):
        try:
            async with open_stream("GET", url, last_event_id=last_event_id) as rx:
                async for event in rx:
                    print(event.data)
                    last_event_id = event.id  # after the work: now it need not come again
        except StreamError as error:
            if not error.is_retryable:
                raise
            delay = error.retry_after or min(0.01 * 2**attempt, 60)
            print(f"[{error.error_type.value}: again in {delay:g} s]")
            await trio.sleep(delay)
        else:
            return
    raise RuntimeError(f"gave up after {attempts} attempts")


async def main():
    # One script for each request.
    scripts = [
        [Event("one", id="1"), Event("two", id="2"), Reset()],
        [Head(503, headers={"Retry-After": "0.02"})],
        [Event("three", id="3")],
    ]
    async with serve(scripts) as server:
        await watch(server.url)
    print([request.headers.get("last-event-id") for request in server.requests])


trio.run(main)
