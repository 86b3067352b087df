import json
from typing import Annotated, Literal

import attrs
import trio
from trio.testing import MockClock

from trio_stream.dialects import TextDelta
from trio_stream.providers import anthropic
from trio_stream.testing import Event, Wait, memory_client
from trio_stream.tools import ToolFinished, ToolStarted, run_tools, tool


@attrs.frozen
class Parcel:
    id: str
    place: str
    due: Literal["today", "tomorrow", "later"]


@tool
async def find_parcel(parcel: Annotated[str, "such as P1"]) -> Parcel:
    """Tell where a parcel is."""
    if parcel != "P1":
        raise LookupError(f"there is no parcel {parcel}")
    return Parcel("P1", "Oslo", due="today")


async def answer_customer(client, request):
    async with run_tools(request, [find_parcel], max_rounds=5, timeout=30, client=client) as run:
        async for item in run:
            match item:
                case TextDelta(text=text):
                    print(text)
                case ToolStarted(call=call):
                    print(f"  {call.name} with {call.input} ...")
                case ToolFinished(result=result):
                    print(f"  ... {'failed' if result.is_error else 'said'}: {result.content}")
        message = await run.result()
    print(message.stop_reason, "after", run.usage.output_tokens, "tokens; the conversation:")
    for turn in run.request["json"]["messages"]:
        print(turn)


async def main():
    scripts = [[*START, *CALLS, *STOP_FOR_TOOLS], [*START, *ANSWER, *STOP]]
    async with memory_client(scripts) as (client, server):
        request = anthropic.messages(
            model="a-model",
            max_tokens=1024,
            messages="Where are parcels P1 and P2?",
            base_url=server.url,
            api_key="a-key",
        )
        await answer_customer(client, request)


# ---- what the server says ------------------------------------------------------------------------


def say(kind, **fields):
    return Event({"type": kind, **fields}, event=kind)


def block(index, content_block, delta):
    return [
        say("content_block_start", index=index, content_block=content_block),
        say("content_block_delta", index=index, delta=delta),
        say("content_block_stop", index=index),
    ]


def call(index, parcel):
    content = {"type": "tool_use", "id": f"call_{index}", "name": "find_parcel", "input": {}}
    arguments = f'{{"parcel": "{parcel}"}}'
    return block(index, content, {"type": "input_json_delta", "partial_json": arguments})


def stop(reason):
    return [
        say("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 30}),
        say("message_stop"),
    ]


START = [say("message_start", message={"id": "msg_1", "model": "a-model"})]
CALLS = [*call(0, "P1"), Wait(1), *call(1, "P2")]
TEXT = "P1 is in Oslo and comes today. I cannot find P2."
ANSWER = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": TEXT})
STOP_FOR_TOOLS, STOP = stop("tool_use"), stop("end_turn")

print(json.dumps(find_parcel.schema, indent=2))
trio.run(main, clock=MockClock(autojump_threshold=0))
