import trio

from trio_stream import InBandError, open_stream
from trio_stream.providers import anthropic
from trio_stream.testing import Event, serve


async def ask(url):
    request = anthropic.messages(
        model="a-model",
        max_tokens=1024,
        messages="Where is parcel P1?",
        base_url=url,
        api_key="a-key",
    )
    async with open_stream(**request) as rx:
        async for piece in rx.text():
            print(piece, end="", flush=True)
        print()
        return await rx.result()


async def main():
    async with serve([say(*HEAD, *TEXT, *CALL, *END), say(*HEAD, *TEXT, OVERLOADED)]) as server:
        message = await ask(server.url)
        print(message.stop_reason, message.usage.input_tokens, message.usage.output_tokens)
        for call in message.tool_calls:
            print(call.name, call.input)

        try:
            await ask(server.url)
        except InBandError as error:
            print(f"\n{error} ({error.status_code}, retryable: {error.is_retryable})")
            print(error.outcome.value.stop_reason, repr(error.outcome.value.text))


# ---- what the server says ------------------------------------------------------------------------


def say(*events):
    return [Event(event, event=event["type"]) for event in events]


def block(index, content_block, *deltas):
    return [
        {"type": "content_block_start", "index": index, "content_block": content_block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


HEAD = [
    {
        "type": "message_start",
        "message": {"id": "msg_1", "model": "a-model", "usage": {"input_tokens": 12}},
    },
    {"type": "ping"},
]
TEXT = block(
    0,
    {"type": "text", "text": ""},
    {"type": "text_delta", "text": "Let me "},
    {"type": "text_delta", "text": "look."},
)
CALL = block(
    1,
    {"type": "tool_use", "id": "call_1", "name": "find_parcel", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"parc'},
    {"type": "input_json_delta", "partial_json": 'el": "P1"}'},
)
END = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use"},
        "usage": {"output_tokens": 30},
    },
    {"type": "message_stop"},
]
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

trio.run(main)
