import trio

from trio_stream import InBandError, open_stream
from trio_stream.dialects import BlockFinished, TextDelta, ThinkingDelta, ToolCall
from trio_stream.providers import anthropic
from trio_stream.testing import Event, serve

FIND_PARCEL = {
    "name": "find_parcel",
    "description": "Tell where a parcel is.",
    "input_schema": {"type": "object", "properties": {"parcel": {"type": "string"}}},
}


async def ask(url, key):
    request = anthropic.messages(
        model="a-model",
        max_tokens=4096,
        system="You answer the customers of a parcel service.",
        messages="Where is parcel P1?",
        tools=[FIND_PARCEL],
        thinking={"type": "enabled", "budget_tokens": 2048},
        base_url=url,
        api_key=key,
    )
    async with open_stream(**request) as rx:
        async for item in rx:
            match item:
                case ThinkingDelta(text=text):
                    print(f"({text})")
                case TextDelta(text=text):
                    print(text)
                case BlockFinished(part=ToolCall(id=call_id, name=name, input=arguments)):
                    print(f"{call_id}: {name} with {arguments}")
        return await rx.result()


async def main():
    async with serve([[*START, *TEXT, *CALL, *END], [*START, *TEXT, OVERLOADED]]) as server:
        message = await ask(server.url, "a-key")
        print(message.stop_reason, message.usage)

        try:
            await ask(server.url, "a-key")
        except InBandError as error:
            print(error, error.status_code, error.is_retryable)
            print("kept:", error.outcome.value.text)


# ---- what the server says ------------------------------------------------------------------------


def say(kind, **fields):
    return Event({"type": kind, **fields}, event=kind)


def block(index, content_block, *deltas):
    return [
        say("content_block_start", index=index, content_block=content_block),
        *(say("content_block_delta", index=index, delta=delta) for delta in deltas),
        say("content_block_stop", index=index),
    ]


START = [
    say(
        "message_start",
        message={
            "id": "msg_1",
            "model": "a-model",
            "usage": {"input_tokens": 12, "cache_read_input_tokens": 900, "output_tokens": 1},
        },
    ),
    say("ping"),
    *block(
        0,
        {"type": "thinking", "thinking": ""},
        {"type": "thinking_delta", "thinking": "I should look it up."},
        {"type": "signature_delta", "signature": "c2VhbA=="},
    ),
]
TEXT = block(1, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Let me look."})
CALL = block(
    2,
    {"type": "tool_use", "id": "call_1", "name": "find_parcel", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"parc'},
    {"type": "input_json_delta", "partial_json": 'el": "P1"}'},
)
END = [
    say("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 40}),
    say("message_stop"),
]
OVERLOADED = say("error", error={"type": "overloaded_error", "message": "Overloaded"})

trio.run(main)
