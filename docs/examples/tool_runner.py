import trio
from trio.testing import MockClock

from trio_stream import StreamTruncatedError, open_stream
from trio_stream.dialects import BlockFinished, TextPart
from trio_stream.providers import openai, turns_for
from trio_stream.testing import Event, Truncate, Wait, memory_client
from trio_stream.tools import ToolFinished, ToolRunner, ToolStarted, tool

TAKES = {"P1": 3, "P2": 9, "P3": 1}


@tool
async def find_parcel(parcel: str) -> str:
    """Tell where a parcel is."""
    await trio.sleep(TAKES[parcel])
    return f"{parcel} is in Oslo"


def tell(event):
    match event:
        case ToolStarted(call=call):
            said = f"{call.id} starts"
        case ToolFinished(result=result):
            said = f"{result.call.id} ends: {result.content}"
    print(f"{trio.current_time():4.1f} s  {said}")


async def play_round(client, request):
    runner = ToolRunner([find_parcel], max_concurrency=2, timeout=5, on_event=tell)
    async with open_stream(**request, client=client) as rx, runner:
        async for item in runner.watch(rx):
            if isinstance(item, BlockFinished) and isinstance(item.part, TextPart):
                print(f"{trio.current_time():4.1f} s  the model says: {item.part.text}")
        print(f"{trio.current_time():4.1f} s  the stream ends")
        results = await runner.results()
    return turns_for(request["dialect"]).answered(request, rx.outcome.value, results)


async def main():
    async with memory_client([[*CALLS, *END], [*CALLS, Truncate()]]) as (client, server):
        request = openai.chat(
            model="a-model",
            messages="Where are P1, P2 and P3?",
            tools=[find_parcel],
            base_url=server.url,
            api_key="a-key",
        )
        answered = await play_round(client, request)
        for turn in answered["json"]["messages"][2:]:
            print(turn)

        print("-- the stream breaks while calls run")
        try:
            await play_round(client, request)
        except StreamTruncatedError as error:
            print(error)


# ---- what the server says ------------------------------------------------------------------------


def chunk(delta, finish_reason=None):
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return Event({"id": "c1", "model": "a-model", "choices": [choice]})


def call(index):
    name = f"P{index + 1}"
    function = {"name": "find_parcel", "arguments": f'{{"parcel": "{name}"}}'}
    delta = {"index": index, "id": f"call_{name}", "type": "function", "function": function}
    return [chunk({"tool_calls": [delta]}), Wait(1)]


CALLS = [*call(0), *call(1), *call(2), chunk({"content": "I am looking."}), Wait(1.5)]
END = [chunk({}, "tool_calls"), Event("[DONE]")]

trio.run(main, clock=MockClock(autojump_threshold=0))
