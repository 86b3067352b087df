import trio

from trio_stream import InBandError, open_stream
from trio_stream.dialects import BlockFinished, TextDelta, ThinkingDelta, ToolCall
from trio_stream.providers import openai
from trio_stream.testing import Event, serve

FIND_PARCEL = {
    "type": "function",
    "name": "find_parcel",
    "description": "Tell where a parcel is.",
    "parameters": {"type": "object", "properties": {"parcel": {"type": "string"}}},
}


async def ask(url, key):
    request = openai.responses(
        model="a-model",
        system="You answer the customers of a parcel service.",
        input="Where is parcel P1?",
        tools=[FIND_PARCEL],
        reasoning={"summary": "auto"},
        store=False,
        include=["reasoning.encrypted_content"],
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
    async with serve(
        [[*START, *CALL, *COMPLETED], [*START, *INCOMPLETE], [*START, FAILED]]
    ) as server:
        for _ in range(2):
            message = await ask(server.url, "a-key")
            print(message.stop_reason, message.provider_stop_reason)
            print(message.usage)

        try:
            await ask(server.url, "a-key")
        except InBandError as error:
            print(error, error.status_code, error.is_retryable)


# ---- what the server says ------------------------------------------------------------------------


def say(kind, **fields):
    return Event({"type": kind, **fields}, event=kind)


def response(kind, status, **fields):
    content = {"id": "resp_1", "model": "a-model", "status": status, **fields}
    return say(kind, response=content)


USAGE = {
    "input_tokens": 912,
    "input_tokens_details": {"cached_tokens": 900},
    "output_tokens": 40,
}
REASONING = {"type": "reasoning", "id": "rs_1", "encrypted_content": "c2VhbA=="}
SUMMARY = {"type": "summary_text", "text": "I should look it up."}
FUNCTION_CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "find_parcel",
}
ARGUMENTS = '{"parcel": "P1"}'
START = [
    response("response.created", "in_progress"),
    say("response.output_item.added", output_index=0, item={**REASONING, "summary": []}),
    say(
        "response.reasoning_summary_text.delta",
        item_id="rs_1",
        output_index=0,
        summary_index=0,
        delta="I should look it up.",
    ),
    say("response.output_item.done", output_index=0, item={**REASONING, "summary": [SUMMARY]}),
]
CALL = [
    say("response.output_item.added", output_index=1, item={**FUNCTION_CALL, "arguments": ""}),
    *(
        say(
            "response.function_call_arguments.delta",
            item_id="fc_1",
            output_index=1,
            delta=fragment,
        )
        for fragment in ['{"parc', 'el": "P1"}']
    ),
    say(
        "response.output_item.done",
        output_index=1,
        item={**FUNCTION_CALL, "arguments": ARGUMENTS, "status": "completed"},
    ),
]
COMPLETED = [response("response.completed", "completed", usage=USAGE)]
INCOMPLETE = [
    response(
        "response.incomplete",
        "incomplete",
        incomplete_details={"reason": "max_output_tokens"},
        usage=USAGE,
    )
]
FAILED = response(
    "response.failed",
    "failed",
    error={"code": "server_error", "message": "The server had an error."},
)

trio.run(main)
