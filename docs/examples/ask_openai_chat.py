import trio

from trio_stream import StreamError, open_stream
from trio_stream.providers import openai
from trio_stream.testing import Event, Send, serve

FIND_PARCEL = {
    "type": "function",
    "function": {
        "name": "find_parcel",
        "description": "Tell where a parcel is.",
        "parameters": {"type": "object", "properties": {"parcel": {"type": "string"}}},
    },
}


async def ask(url, key):
    request = openai.chat(
        model="a-model",
        system="You answer the customers of a parcel service.",
        messages="Where is parcel P1?",
        tools=[FIND_PARCEL],
        base_url=url,
        api_key=key,
    )
    async with open_stream(**request) as rx:
        return await rx.result()


async def main():
    for name, script in [
        ("by the book", BY_THE_BOOK),
        ("an imitator", IMITATOR),
        ("cut off", BY_THE_BOOK[:2]),
        ("an error in a chunk", [BY_THE_BOOK[0], ERROR]),
        ("an error in a comment", [BY_THE_BOOK[0], ERROR_IN_COMMENT]),
    ]:
        print(f"-- {name}")
        async with serve(script) as server:
            try:
                message = await ask(server.url, "a-key")
                print(message.stop_reason, "for", message.provider_stop_reason)
                print(message.usage)
            except StreamError as error:
                message = error.outcome.value
                print(f"{type(error).__name__}: {error}")
                print(f"status {error.status_code}, retryable: {error.is_retryable}")
        for part in message.parts:
            print(part)


# ---- what the server says ------------------------------------------------------------------------


def chunk(delta, finish_reason=None, **fields):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return Event({"id": "c1", "model": "a-model", "choices": [choice], **fields})


def call(**fields):
    return {"tool_calls": [{"index": 0, "type": "function", **fields}]}


USAGE = {
    "prompt_tokens": 912,
    "completion_tokens": 40,
    "prompt_tokens_details": {"cached_tokens": 900},
}
BY_THE_BOOK = [
    chunk({"role": "assistant", "content": "Let me look."}),
    chunk(call(id="call_1", function={"name": "find_parcel", "arguments": '{"parc'})),
    chunk(call(function={"arguments": 'el": "P1"}'})),
    chunk({}, "tool_calls"),
    Event({"id": "c1", "model": "a-model", "choices": [], "usage": USAGE}),
    Event("[DONE]"),
]
WHOLE_CALL = {"name": "find_parcel", "arguments": {"parcel": "P1"}}
IMITATOR = [
    chunk({"role": "assistant", "reasoning_content": "I should "}),
    chunk({"reasoning_content": "look it up."}),
    chunk({"tool_calls": [{"function": WHOLE_CALL}]}, "stop", usage=USAGE),
]
ERROR = Event({"error": {"message": "The engine is overloaded.", "code": 503}})
ERROR_IN_COMMENT = Send(b': {"error": {"message": "Provider returned error", "code": 502}}\n\n')

trio.run(main)
