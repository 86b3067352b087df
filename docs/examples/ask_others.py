import trio

from trio_stream import InBandError, open_stream
from trio_stream.dialects import CohereV2, OllamaChat
from trio_stream.testing import Event, Head, Send, serve


async def ask(url, headers, body, dialect):
    body = {"model": "a-model", "stream": True, **body}
    async with open_stream("POST", url, headers=headers, json=body, dialect=dialect) as rx:
        async for piece in rx.text():
            print(piece)
        message = await rx.result()
    if message.thinking:
        print(f"({message.thinking})")
    for call in message.tool_calls:
        print(f"{call.id}: {call.name} with {call.input}")
    print(message.stop_reason, message.provider_stop_reason, message.usage)


async def ask_cohere(base_url, key):
    body = {"messages": [{"role": "user", "content": "Where is parcel P1?"}]}
    headers = {"Authorization": f"Bearer {key}"}
    await ask(f"{base_url}/v2/chat", headers, body, CohereV2())


async def ask_ollama(base_url):
    body = {"messages": [{"role": "user", "content": "Where is parcel P1?"}]}
    await ask(f"{base_url}/api/chat", {}, body, OllamaChat())


async def main():
    async with serve(COHERE) as server:
        await ask_cohere(server.url, "a-key")
    async with serve([OLLAMA, [*OLLAMA[:2], OLLAMA_ERROR]]) as server:
        await ask_ollama(server.url)
        try:
            await ask_ollama(server.url)
        except InBandError as error:
            print(f"{error} ({error.status_code}), kept: {error.outcome.value.text!r}")


# ---- what the servers say ------------------------------------------------------------------------


def say(kind, delta=None, **fields):
    delta = {} if delta is None else {"delta": delta}
    return Event({"type": kind, **delta, **fields}, event=kind)


CALL = {"id": "call_1", "type": "function", "function": {"name": "find_parcel", "arguments": ""}}
COHERE = [
    say("message-start", {"message": {"role": "assistant"}}, id="m1"),
    say("tool-plan-delta", {"message": {"tool_plan": "I look it up."}}),
    say("tool-call-start", {"message": {"tool_calls": CALL}}, index=0),
    *(
        say("tool-call-delta", {"message": {"tool_calls": {"function": arguments}}}, index=0)
        for arguments in [{"arguments": '{"parcel"'}, {"arguments": ': "P1"}'}]
    ),
    say("tool-call-end", index=0),
    say(
        "message-end",
        {
            "finish_reason": "TOOL_CALL",
            "usage": {"tokens": {"input_tokens": 912, "output_tokens": 40}},
        },
    ),
]
OLLAMA = [
    Head(content_type="application/x-ndjson"),
    Send(
        b'{"model": "a-model", "message": {"role": "assistant", "content": "It is "}}\n'
        b'{"model": "a-model", "message": {"role": "assistant", "content": "in Oslo."}}\n'
    ),
    Send(
        b'{"model": "a-model", "message": {"role": "assistant", "content": ""}, "done": true,'
        b' "done_reason": "stop", "prompt_eval_count": 912, "eval_count": 5}\n'
    ),
]
OLLAMA_ERROR = Send(b'{"error": "model runner has unexpectedly stopped"}\n')

trio.run(main)
