import json

import trio

from trio_stream import StreamError, open_stream
from trio_stream.dialects import BlockFinished, TextDelta, ThinkingDelta, ToolCall
from trio_stream.providers import gemini
from trio_stream.testing import Send, serve

FIND_PARCEL = {
    "name": "find_parcel",
    "description": "Tell where a parcel is.",
    "parametersJsonSchema": {"type": "object", "properties": {"parcel": {"type": "string"}}},
}


async def ask(url, key):
    request = gemini.generate(
        model="a-model",
        system="You answer the customers of a parcel service.",
        contents="Where is parcel P1?",
        tools=[{"functionDeclarations": [FIND_PARCEL]}],
        generationConfig={"thinkingConfig": {"includeThoughts": True}},
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
                case BlockFinished(part=ToolCall(name=name, input=arguments) as call):
                    print(f"{name} with {arguments}, sealed with {call.raw['thoughtSignature']}")
        return await rx.result()


async def main():
    async with serve([[*START, *CALL], BLOCKED, START, [*START, ERROR]]) as server:
        message = await ask(server.url, "a-key")
        print(message.stop_reason, message.provider_stop_reason, message.usage)

        message = await ask(server.url, "a-key")
        print(message.stop_reason, message.provider_stop_reason)

        for _ in range(2):
            try:
                await ask(server.url, "a-key")
            except StreamError as error:
                print(f"{type(error).__name__}: {error}")
                print(f"status {error.status_code}, retryable: {error.is_retryable}")


# ---- what the server says ------------------------------------------------------------------------


def chunk(*parts, **fields):
    content = {"candidates": [{"content": {"parts": parts}, **fields}], "usageMetadata": USAGE}
    return send(content)


def send(content):
    return Send(f"data: {json.dumps(content)}\r\n\r\n".encode())


USAGE = {
    "promptTokenCount": 912,
    "cachedContentTokenCount": 900,
    "candidatesTokenCount": 16,
    "thoughtsTokenCount": 24,
}
FUNCTION_CALL = {"name": "find_parcel", "args": {"parcel": "P1"}}
START = [
    chunk({"text": "I should look it up.", "thought": True}),
    chunk({"text": "Let me look."}),
]
CALL = [chunk({"functionCall": FUNCTION_CALL, "thoughtSignature": "c2VhbA=="}, finishReason="STOP")]
BLOCKED = send({"promptFeedback": {"blockReason": "SAFETY"}})
ERROR = Send(
    b"""{
  "error": {
    "code": 503,
    "message": "The model is overloaded.",
    "status": "UNAVAILABLE"
  }
}
"""
)

trio.run(main)
