import os

import trio

from trio_stream import open_stream
from trio_stream.dialects import IncompleteToolCall, ToolInputDelta
from trio_stream.providers import openai, turns_for
from trio_stream.testing import Event, serve


async def show_text(request):
    async with open_stream(**request) as rx:
        async for piece in rx.text():
            print(piece, end="", flush=True)
        print()
        message = await rx.result()
    print(message.stop_reason, message.usage.output_tokens, "tokens")


async def show_calls(request):
    async with open_stream(**request) as rx:
        async for call in rx.tool_calls():
            print(call.name, call.input)


async def look_on_the_way(request):
    async with open_stream(**request) as rx:
        async for item in rx:
            if isinstance(item, ToolInputDelta):
                part = rx.snapshot().parts[item.index]
                assert isinstance(part, IncompleteToolCall)
                print(part.name, part.preview)


async def ask(request):
    async with open_stream(**request) as rx:
        return await rx.result()


async def go_on(request):
    turns = turns_for(request["dialect"])
    message = await ask(request)
    request = turns.asked(turns.answered(request, message), "And parcel P2?")
    print([turn["role"] for turn in request["json"]["messages"]])
    print((await ask(request)).text)


async def ask_for_two_answers(request):
    request["json"]["n"] = 2
    message = await ask(request)
    for answer in [message, *message.alternatives]:
        print(answer.stop_reason, repr(answer.text), repr(answer.refusal))


async def main():
    os.environ["OPENAI_API_KEY"] = "sk-a-secret"
    for function, *scripts in [
        (show_text, TEXT),
        (show_calls, CALL),
        (look_on_the_way, CALL),
        (go_on, TEXT, TEXT),
        (ask_for_two_answers, TWO_ANSWERS),
    ]:
        print(f"-- {function.__name__}")
        async with serve(scripts) as server:
            request = openai.chat(
                model="a-model", messages="Where is parcel P1?", base_url=server.url
            )
            await function(request)

    print("-- the request")
    print(request["headers"], request["json"]["stream_options"])


# ---- what the server says ------------------------------------------------------------------------


def chunk(*choices, **fields):
    return Event({"id": "c1", "model": "a-model", "choices": list(choices), **fields})


def say(delta, finish_reason=None, index=0):
    return {"index": index, "delta": delta, "finish_reason": finish_reason}


def call(**fields):
    return {"tool_calls": [{"index": 0, **fields}]}


DONE = Event("[DONE]")
TEXT = [
    chunk(say({"role": "assistant", "content": ""})),
    chunk(say({"content": "It is "})),
    chunk(say({"content": "in Oslo."})),
    chunk(say({}, "stop")),
    chunk(usage={"prompt_tokens": 12, "completion_tokens": 5}),
    DONE,
]
CALL = [
    chunk(say(call(id="call_1", function={"name": "find_parcel", "arguments": ""}))),
    chunk(say(call(function={"arguments": '{"parcel": "P'}))),
    chunk(say(call(function={"arguments": '1", "days": 1'}))),
    chunk(say(call(function={"arguments": "4}"}))),
    chunk(say({}, "tool_calls")),
    DONE,
]
TWO_ANSWERS = [
    chunk(say({"content": "In Oslo."}), say({"refusal": "I must not tell."}, index=1)),
    chunk(say({}, "stop"), say({}, "stop", index=1)),
    DONE,
]

trio.run(main)
