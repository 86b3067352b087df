import json

import trio
from trio.testing import MockClock

from trio_stream import BackfillMinutes, Cursor, StartingAfter, open_stream, stream_with_retry
from trio_stream.framing import NDJSON
from trio_stream.providers import openai
from trio_stream.testing import Event, Head, Reset, Send, Wait, memory_client


async def ask_for_a_long_answer(client, base_url):
    """A response in the background outlives the connection; it is not asked for again."""
    request = openai.responses(
        model="a-model",
        input="Where have all the parcels gone?",
        base_url=base_url,
        api_key="sk-1",
        background=True,
        store=True,
    )
    async with open_stream(
        **request, client=client, reconnect="resume", cursor=StartingAfter(request["url"])
    ) as rx:
        return await rx.result()


async def follow_posts(client, url):
    """A feed of X: the minutes of the silence come again, and what was there is dropped."""
    async with stream_with_retry(
        "GET", url, client=client, framing=NDJSON(), cursor=BackfillMinutes()
    ) as rx:
        async for record in rx:
            print(record.json()["data"]["text"])
    print(rx.outcome.duplicate_items, "came twice")


class Since(Cursor):
    """A feed of changes that is asked for with ``?since=SEQ``, as that of CouchDB."""

    def position(self, frame, previous):
        try:
            return str(json.loads(frame.data)["seq"])  # a position is a str
        except (ValueError, TypeError, KeyError):
            return None

    def resume(self, position, silence):
        return {"add_params": {"since": position}}


async def follow_changes(client, url):
    async with stream_with_retry("GET", url, client=client, framing=NDJSON(), cursor=Since()) as rx:
        async for record in rx:
            print(record.json()["id"])
    print("at", rx.outcome.last_event_id)


# ---- what the servers say ------------------------------------------------------------------------

LINES = Head(content_type="application/x-ndjson")


def line(value):
    return Send(json.dumps(value).encode() + b"\n")


def post(number, text):
    return line({"data": {"id": str(number), "text": text}})


def response(*events):
    return [
        Event({"type": name, "sequence_number": number, **rest}, event=name)
        for number, (name, rest) in enumerate(events)
    ]


def text(delta):
    fields = {"item_id": "m", "output_index": 0, "content_index": 0, "delta": delta}
    return "response.output_text.delta", fields


MESSAGE = {
    "type": "message",
    "id": "m",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "To Bergen.", "annotations": []}],
}
RESPONSE = response(
    ("response.created", {"response": {"id": "resp_1", "status": "in_progress"}}),
    ("response.output_item.added", {"output_index": 0, "item": {**MESSAGE, "content": []}}),
    text("To "),
    text("Bergen."),
    (
        "response.completed",
        {"response": {"id": "resp_1", "status": "completed", "output": [MESSAGE]}},
    ),
)


async def main():
    print("-- ask_for_a_long_answer")
    async with memory_client([[*RESPONSE[:3], Reset()], RESPONSE[3:]]) as (client, server):
        message = await ask_for_a_long_answer(client, server.url)
        print(message.text, message.stop_reason)
        print([f"{request.method} {request.target}" for request in server.requests])

    print("-- follow_posts")
    posts = [post(1, "Snow in Voss"), post(2, "Fog in Bergen"), post(3, "Rain again")]
    plan = [[LINES, *posts[:2], Wait(100), Reset()], [LINES, *posts]]
    async with memory_client(plan) as (client, server):
        await follow_posts(client, server.url)
        print([request.target for request in server.requests])

    print("-- follow_changes")
    changes = [line({"seq": n, "id": f"P{n}"}) for n in (1, 2, 3)]
    async with memory_client([[LINES, *changes[:2], Reset()], [LINES, changes[2]]]) as (
        client,
        server,
    ):
        await follow_changes(client, server.url)
        print([request.target for request in server.requests])


trio.run(main, clock=MockClock(autojump_threshold=0))
