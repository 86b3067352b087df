import httpx
import trio
from trio.testing import MockClock

from trio_stream import RetryBudget, StreamConfig, StreamError, StreamErrorType, open_stream
from trio_stream.providers import openai
from trio_stream.testing import Busy, Event, Reset, memory_client


async def ask(prompt, client, base_url):
    """Ask once, as far as anybody can tell."""
    request = openai.chat(model="a-model", messages=prompt, base_url=base_url, api_key="sk-1")
    async with open_stream(
        **request, client=client, reconnect="before_first_item", idempotency_key=True
    ) as rx:
        async for piece in rx.text():
            print(piece, end="")
        print()
        return await rx.result()


async def ask_when_it_is_busy():
    scripts = [Busy(429, retry_after=5), [ERROR], ANSWER]
    async with memory_client(scripts) as (client, server):
        start = trio.current_time()
        await ask("Where is P1?", client, server.url)
        print(len(server.requests), "requests,", trio.current_time() - start >= 5)
        print(len({request.headers["idempotency-key"] for request in server.requests}), "key")


async def ask_when_it_breaks():
    async with memory_client([[*ANSWER[:1], Reset()], ANSWER]) as (client, server):
        try:
            await ask("Where is P1?", client, server.url)
        except StreamError as error:
            print()
            print(repr(error.outcome.value.text), error.outcome.value.stop_reason)
            print(error.__notes__)
        print(len(server.requests), "request")


async def with_a_fresh_token():
    async def changes(attempt):
        try:
            token = await new_token()
        except httpx.HTTPError as error:  # ask again, as if the request had failed so
            raise StreamError("no token", error_type=StreamErrorType.CONNECTION_ERROR) from error
        return {"add_headers": {"Authorization": f"Bearer {token}"}}

    async with memory_client([Busy(503), ANSWER]) as (client, server):
        request = openai.chat(
            model="a-model", messages="Where is P1?", base_url=server.url, api_key="replaced"
        )
        async with open_stream(
            **request, client=client, reconnect="before_first_item", request_factory=changes
        ) as rx:
            await rx.result()
        print([request.headers["authorization"] for request in server.requests])
        print(rx.outcome.attempts, "attempts")


async def upload():
    yield b"half a gigabyte, "
    yield b"read from a pipe"


async def send_what_cannot_be_sent_twice():
    budget = RetryBudget()
    config = StreamConfig(retry_budget=budget)
    async with memory_client([Busy(503)]) as (client, server):
        try:
            async with open_stream(
                "POST",
                server.url,
                client=client,
                content=upload(),
                reconnect="before_first_item",
                config=config,
            ) as rx:
                await rx.result()
        except StreamError as error:
            print(error.status_code, error.__notes__)
        print(len(server.requests), "request,", budget.tokens(trio.current_time()), "tokens")


async def be_told_to_come_tomorrow():
    async with memory_client([Busy(429, retry_after=86_400)]) as (client, server):
        start = trio.current_time()
        try:
            async with open_stream("GET", server.url, client=client, reconnect="always") as rx:
                await rx.result()
        except StreamError as error:
            print(error.status_code, error.retry_after, error.__notes__)
        print("after", trio.current_time() - start, "s")


# ---- what the server says ------------------------------------------------------------------------

ERROR = Event({"error": {"message": "overloaded", "type": "server_error", "code": 503}})
ANSWER = [
    Event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "In"}}]}),
    Event({"choices": [{"index": 0, "delta": {"content": " Oslo."}}]}),
    Event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    Event("[DONE]"),
]
TOKENS = iter(["first", None, "second"])


async def new_token():
    token = next(TOKENS)
    if token is None:
        raise httpx.ConnectError("the server of the tokens is down")
    return token


async def main():
    for function in (
        ask_when_it_is_busy,
        ask_when_it_breaks,
        with_a_fresh_token,
        send_what_cannot_be_sent_twice,
        be_told_to_come_tomorrow,
    ):
        print("--", function.__name__)
        await function()


trio.run(main, clock=MockClock(autojump_threshold=0))
