import json

import pytest

from trio_stream import StreamTruncatedError
from trio_stream.providers import anthropic
from trio_stream.testing import Event, assert_no_leaks, memory_client
from trio_stream.tools import run_tools, tool


async def answer(client, url, question, bank):
    """The application: a model that may pay back."""

    @tool
    async def pay_back(parcel: str) -> str:
        """Pay back what a customer paid for a parcel."""
        bank.append(parcel)
        return "paid"

    request = anthropic.messages(
        model="a-model", max_tokens=1024, messages=question, base_url=url, api_key="a-key"
    )
    async with run_tools(request, [pay_back], client=client, max_rounds=3) as run:
        message = await run.result()
    return message.text


async def test_customer_is_paid_once(autojump_clock):
    """A call is made once, and the model is told of it."""
    bank = []
    async with assert_no_leaks(), memory_client([CALL, SORRY]) as (client, server):
        assert await answer(client, server.url, "P1 is lost!", bank) == "Sorry! It is paid."

    assert bank == ["P1"]
    told = json.loads(server.requests[1].body)["messages"][-1]
    assert told["content"] == [{"type": "tool_result", "tool_use_id": "call_1", "content": "paid"}]


async def test_nothing_is_paid_for_half_a_call(autojump_clock):
    """Wherever the stream ends before the call is whole, it is an error and no call."""
    for length in range(CALL.index(CLOSE) + 1):
        bank = []
        async with memory_client([CALL[:length]]) as (client, server):
            with pytest.raises(StreamTruncatedError):
                await answer(client, server.url, "P1 is lost!", bank)

        assert bank == []


# ---- what the server says ------------------------------------------------------------------------


def say(kind, **fields):
    return Event({"type": kind, **fields}, event=kind)


def begin(content_block, *deltas):
    return [
        say("message_start", message={"id": "msg_1", "model": "a-model"}),
        say("content_block_start", index=0, content_block=content_block),
        *(say("content_block_delta", index=0, delta=delta) for delta in deltas),
    ]


def end(reason):
    return [say("message_delta", delta={"stop_reason": reason}), say("message_stop")]


CLOSE = say("content_block_stop", index=0)
CALL = [
    *begin(
        {"type": "tool_use", "id": "call_1", "name": "pay_back", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"parcel": '},
        {"type": "input_json_delta", "partial_json": '"P1"}'},
    ),
    CLOSE,
    *end("tool_use"),
]
SORRY = [
    *begin({"type": "text", "text": ""}, {"type": "text_delta", "text": "Sorry! It is paid."}),
    CLOSE,
    *end("end_turn"),
]
