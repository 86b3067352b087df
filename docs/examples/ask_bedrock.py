import hashlib
import hmac
import json
import struct
from datetime import UTC, datetime
from urllib.parse import quote
from zlib import crc32

import httpx
import trio

from trio_stream import InBandError, open_stream
from trio_stream.dialects import BedrockConverse, BlockFinished, TextDelta, ToolCall
from trio_stream.testing import Head, Send, serve


class SigV4(httpx.Auth):
    """AWS Signature Version 4, for requests to Bedrock."""

    requires_request_body = True

    def __init__(self, access_key, secret_key, region, session_token="", service="bedrock"):
        self.access_key, self.secret_key = access_key, secret_key
        self.region, self.session_token, self.service = region, session_token, service

    def auth_flow(self, request):
        now = datetime.now(UTC)
        request.headers["x-amz-date"] = now.strftime("%Y%m%dT%H%M%SZ")
        if self.session_token:
            request.headers["x-amz-security-token"] = self.session_token
        request.headers["authorization"] = self.authorization(request, now)
        yield request

    def authorization(self, request, now):
        headers = {
            name: request.headers[name].strip()
            for name in ("host", "x-amz-date", "x-amz-security-token")
            if name in request.headers
        }
        names = ";".join(headers)
        canonical = [
            request.method,
            # The path is encoded in the URL, and once more here.
            quote(request.url.raw_path.partition(b"?")[0], safe="/-_.~"),
            request.url.query.decode(),
            *(f"{name}:{value}" for name, value in headers.items()),
            "",
            names,
            hashlib.sha256(request.content).hexdigest(),
        ]
        scope = [f"{now:%Y%m%d}", self.region, self.service, "aws4_request"]
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{now:%Y%m%dT%H%M%SZ}\n{'/'.join(scope)}\n{digest}"
        key = f"AWS4{self.secret_key}".encode()
        for part in [*scope, to_sign]:
            key = hmac.digest(key, part.encode(), "sha256")
        credential = f"{self.access_key}/{'/'.join(scope)}"
        return (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, "
            f"Signature={key.hex()}"
        )


async def ask(client, base_url, model):
    url = f"{base_url}/model/{quote(model, safe='')}/converse-stream"
    body = {"messages": [{"role": "user", "content": [{"text": "Where is parcel P1?"}]}]}
    async with open_stream("POST", url, client=client, json=body, dialect=BedrockConverse()) as rx:
        async for item in rx:
            match item:
                case TextDelta(text=text):
                    print(text)
                case BlockFinished(part=ToolCall(name=name, input=arguments)):
                    print(name, arguments)
        message = await rx.result()
    print(message.stop_reason, message.usage)


async def main():
    auth = SigV4("an-access-key", "a-secret-key", "us-east-1")
    async with serve([[*START, *END], [*START, THROTTLED]]) as server:
        async with httpx.AsyncClient(auth=auth) as client:
            await ask(client, server.url, "a-model:0")
            try:
                await ask(client, server.url, "a-model:0")
            except InBandError as error:
                print(error, error.status_code, error.is_retryable)


# ---- what the server says ------------------------------------------------------------------------


def message(headers, body):
    """A message of AWS's binary event stream."""
    payload = json.dumps(body).encode()
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\7" + struct.pack("!H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    content = prelude + struct.pack("!I", crc32(prelude)) + head + payload
    return Send(content + struct.pack("!I", crc32(content)))


def event(name, **body):
    return message({":message-type": "event", ":event-type": name}, body)


TOOL_USE = {"toolUseId": "call_1", "name": "find_parcel"}
START = [
    Head(content_type="application/vnd.amazon.eventstream"),
    event("messageStart", role="assistant"),
    event("contentBlockDelta", contentBlockIndex=0, delta={"text": "Let me look."}),
    event("contentBlockStop", contentBlockIndex=0),
]
END = [
    event("contentBlockStart", contentBlockIndex=1, start={"toolUse": TOOL_USE}),
    event(
        "contentBlockDelta",
        contentBlockIndex=1,
        delta={"toolUse": {"input": '{"parcel": "P1"}'}},
    ),
    event("contentBlockStop", contentBlockIndex=1),
    event("messageStop", stopReason="tool_use"),
    event("metadata", usage={"inputTokens": 912, "outputTokens": 40}),
]
THROTTLED = message(
    {":message-type": "exception", ":exception-type": "throttlingException"},
    {"message": "Too many requests."},
)


def check_signature():
    """The request "get-vanilla" of AWS's own test suite."""
    auth = SigV4(
        "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1", service="service"
    )
    request = httpx.Request(
        "GET",
        "https://example.amazonaws.com/",
        headers={"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"},
    )
    signed = auth.authorization(request, datetime(2015, 8, 30, 12, 36, tzinfo=UTC))
    signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    assert signed.endswith(f"Signature={signature}")


check_signature()
trio.run(main)
