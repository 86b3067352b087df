import json
from typing import Literal

import attrs
import trio

from trio_stream import BadItemError, JSONSchema, StreamTruncatedError, open_stream
from trio_stream.providers import openai
from trio_stream.testing import Event, serve
from trio_stream.tools import schema_of


@attrs.frozen
class Stop:
    place: str
    minutes: int


@attrs.frozen
class Route:
    parcel: str
    due: Literal["today", "tomorrow", "later"]
    stops: list[Stop]


def make_request(url):
    schema = {"name": "route", "strict": True, "schema": schema_of(Route)}
    return openai.chat(
        model="a-model",
        messages="Which way does parcel P1 take?",
        response_format={"type": "json_schema", "json_schema": schema},
        base_url=url,
        api_key="a-key",
    )


async def watch_it_grow(request):
    async with open_stream(**request, item=Route) as rx:
        async for draft in rx:
            print(draft.value)
        answer = await rx.result()
    print(answer.value)
    print(answer.message.usage.output_tokens, "tokens")


async def what_can_go_wrong(request):
    try:
        async with open_stream(**request, item=Route) as rx:
            answer = await rx.result()
            print(answer.value)
    except BadItemError as error:
        print(error)
        print(error.outcome.value.message.stop_reason, error.outcome.value.draft)
    except StreamTruncatedError as error:
        print("TRUNCATED", error.outcome.value.draft)


async def by_json_schema(request):
    schema = JSONSchema({"type": "object", "required": ["parcel"]})
    async with open_stream(**request, item=schema) as rx:
        answer = await rx.result()
    print(answer.value)


async def main():
    whole = json.dumps(ROUTE)
    cases = [
        (watch_it_grow, say(whole, "stop")),
        (by_json_schema, say(whole, "stop")),
        (what_can_go_wrong, say(whole.replace("25", '"25"'), "stop")),
        (what_can_go_wrong, say(whole[:60], "length")),
        (what_can_go_wrong, say(whole[:60])),
        (what_can_go_wrong, refuse("I must not tell.")),
    ]
    for function, script in cases:
        print(f"-- {function.__name__}")
        async with serve(script) as server:
            await function(make_request(server.url))


# ---- what the server says ------------------------------------------------------------------------

ROUTE = {
    "parcel": "P1",
    "due": "tomorrow",
    "stops": [{"place": "Oslo", "minutes": 90}, {"place": "Bergen", "minutes": 25}],
}


def chunk(delta, finish_reason=None, **fields):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return Event({"id": "c1", "model": "a-model", "choices": [choice], **fields})


def say(text, finish_reason=None):
    pieces = [text[start : start + 24] for start in range(0, len(text), 24)]
    return [*(chunk({"content": piece}) for piece in pieces), *end(finish_reason)]


def refuse(text):
    return [chunk({"refusal": text}), *end("stop")]


def end(finish_reason):
    if finish_reason is None:
        return []
    return [chunk({}, finish_reason, usage={"completion_tokens": 42}), Event("[DONE]")]


trio.run(main)
