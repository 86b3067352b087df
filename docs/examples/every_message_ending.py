"""Print a table: how the stream of a language model ends, and what is kept of its message."""

import csv
import json
import struct
import sys
from zlib import crc32

import trio
from trio.testing import MockClock

from trio_stream import StreamConfig, StreamError, open_stream
from trio_stream.dialects import (
    AnthropicMessages,
    BedrockConverse,
    CohereV2,
    Gemini,
    IncompleteToolCall,
    OllamaChat,
    OpenAIChat,
    OpenAIResponses,
    ToolCall,
)
from trio_stream.testing import Event, Head, Ping, Reset, Send, Truncate, memory_client

WHOLE, HALF, WRONG = '{"parcel": "P1"}', '{"parcel": "P', '{"parcel": P1}'
CALLS = ToolCall | IncompleteToolCall


# ---- Anthropic's Messages ------------------------------------------------------------------------


def event(kind, **fields):
    return Event({"type": kind, **fields}, event=kind)


def block(index, content_block, delta):
    return [
        event("content_block_start", index=index, content_block=content_block),
        event("content_block_delta", index=index, delta=delta),
    ]


def tool_use(arguments):
    content = {"type": "tool_use", "id": "call_1", "name": "find_parcel", "input": {}}
    return block(1, content, {"type": "input_json_delta", "partial_json": arguments})


def stop(reason):
    return event("message_delta", delta={"stop_reason": reason})


HI = [
    event("message_start", message={"id": "msg_1", "model": "a-model"}),
    *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Hi"}),
    event("content_block_stop", index=0),
]
CLOSE = event("content_block_stop", index=1)
STOP = event("message_stop")
BUSY = event("error", error={"type": "overloaded_error", "message": "busy"})

ANTHROPIC = [
    ("message_stop", [*HI, *tool_use(WHOLE), CLOSE, stop("tool_use"), STOP]),
    ("cut inside the arguments of a call", [*HI, *tool_use(HALF)]),
    ("cut after the arguments, inside the block", [*HI, *tool_use(WHOLE)]),
    ("cut after the block of the call", [*HI, *tool_use(WHOLE), CLOSE]),
    ("stop reason, but no message_stop", [*HI, *tool_use(WHOLE), CLOSE, stop("tool_use")]),
    ("stop reason, then a reset", [*HI, stop("end_turn"), Reset()]),
    ("a reset before it", [*HI, Reset()]),
    (
        "arguments that are not JSON, block closed",
        [*HI, *tool_use(WRONG), CLOSE, stop("tool_use"), STOP],
    ),
    ("max_tokens inside the arguments", [*HI, *tool_use(HALF), CLOSE, stop("max_tokens"), STOP]),
    ("max_tokens before the first argument", [*HI, *tool_use(""), CLOSE, stop("max_tokens"), STOP]),
    ("a call without arguments", [*HI, *tool_use(""), CLOSE, stop("tool_use"), STOP]),
    ("max_tokens inside the text", [*HI, stop("max_tokens"), STOP]),
    ("a refusal", [*HI, stop("refusal"), STOP]),
    ("an error event", [*HI, BUSY]),
    ("an error event after the stop reason", [*HI, stop("end_turn"), BUSY]),
    ("a second message_start", [*HI, event("message_start", message={"id": "msg_2"})]),
]
STRICT = [("stop reason, but no message_stop; strict=True", [*HI, stop("end_turn")])]


# ---- OpenAI's Chat Completions -------------------------------------------------------------------


def chunk(delta, reason=None, index=0):
    choice = {"index": index, "delta": delta, "finish_reason": reason}
    return Event({"id": "c1", "model": "a-model", "choices": [choice]})


def function(arguments):
    called = {"name": "find_parcel", "arguments": arguments}
    return chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": called}]})


HELLO = chunk({"content": "Hi"})
FAULT = {"error": {"message": "upstream failed", "code": 502}}
DONE = Event("[DONE]")

CHAT = [
    ("finish reason and [DONE]", [HELLO, function(WHOLE), chunk({}, "tool_calls"), DONE]),
    ("finish reason, but no [DONE]", [HELLO, function(WHOLE), chunk({}, "tool_calls")]),
    ("[DONE], but no finish reason", [HELLO, DONE]),
    ("[DONE], but no finish reason, after a call", [HELLO, function(WHOLE), DONE]),
    ("[DONE], but no finish reason, in a call", [HELLO, function(HALF), DONE]),
    ("neither: the body ends cleanly", [HELLO]),
    ("neither, after a whole call", [HELLO, function(WHOLE)]),
    ("cut inside the arguments of a call", [HELLO, function(HALF), Truncate()]),
    ("[DONE] and nothing else", [DONE]),
    (
        "finish reason length, inside the arguments",
        [HELLO, function(HALF), chunk({}, "length"), DONE],
    ),
    ("finish reason content_filter", [HELLO, chunk({}, "content_filter"), DONE]),
    ("a refusal", [chunk({"refusal": "I must not."}), chunk({}, "stop"), DONE]),
    (
        "one of two answers has no finish reason",
        [HELLO, chunk({}, "stop"), chunk({"content": "Hi"}, index=1)],
    ),
    ("an error object inside a chunk", [HELLO, Event(FAULT)]),
    ("an error in a comment", [HELLO, Ping(json.dumps(FAULT))]),
    ("an error as JSON that is not framed", [HELLO, Send(json.dumps(FAULT).encode())]),
    ("finish reason error", [HELLO, chunk({}, "error"), DONE]),
]
CHAT_STRICT = [("finish reason, but no [DONE]; strict=True", [HELLO, chunk({}, "stop")])]


# ---- OpenAI's Responses --------------------------------------------------------------------------


def response(status, **fields):
    return event(f"response.{status}", response={"id": "resp_1", "status": status, **fields})


def added(index, **item):
    return event("response.output_item.added", output_index=index, item=item)


def done(index, **item):
    return event("response.output_item.done", output_index=index, item=item)


SAID = {"type": "output_text", "text": "Hi"}
OPENED = [
    event("response.created", response={"id": "resp_1", "model": "a-model"}),
    added(0, id="m", type="message", role="assistant", content=[]),
    event("response.output_text.delta", output_index=0, item_id="m", content_index=0, delta="Hi"),
]
SPOKEN = [*OPENED, done(0, id="m", type="message", role="assistant", content=[SAID])]
NAMED = {"id": "f", "type": "function_call", "call_id": "call_1", "name": "find_parcel"}
ASKED = [
    *SPOKEN,
    added(1, **NAMED, arguments=""),
    event("response.function_call_arguments.delta", output_index=1, item_id="f", delta=HALF),
]
FINISHED = [*ASKED, done(1, **NAMED, arguments=WHOLE, status="completed")]
CUT = {"incomplete_details": {"reason": "max_output_tokens"}}

RESPONSES = [
    ("response.completed", [*FINISHED, response("completed")]),
    ("no terminal event", FINISHED),
    ("cut inside the arguments of a call", ASKED),
    ("response.incomplete: max_output_tokens", [*ASKED, response("incomplete", **CUT)]),
    (
        "response.failed",
        [*OPENED, response("failed", error={"code": "server_error", "message": "sorry"})],
    ),
    ("response.cancelled", [*OPENED, response("cancelled")]),
    ("an error event", [*OPENED, event("error", code="rate_limit_exceeded", message="wait")]),
]


# ---- Gemini --------------------------------------------------------------------------------------


def candidate(*parts, **fields):
    return Event({"candidates": [{"content": {"parts": parts}, **fields}]})


GREETING = candidate({"text": "Hi"})
CALLING = {"functionCall": {"name": "find_parcel", "args": {"parcel": "P1"}}}
PLAIN_ERROR = b'{\n  "error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}\n}\n'

GEMINI = [
    ("finishReason, and the body ends", [GREETING, candidate(CALLING, finishReason="STOP")]),
    ("no finishReason: the body ends cleanly", [GREETING]),
    ("no finishReason, after a call", [GREETING, candidate(CALLING)]),
    ("finishReason MAX_TOKENS", [GREETING, candidate(finishReason="MAX_TOKENS")]),
    ("finishReason SAFETY", [GREETING, candidate(finishReason="SAFETY")]),
    ("the prompt is blocked", [Event({"promptFeedback": {"blockReason": "SAFETY"}})]),
    ("an error as plain JSON", [GREETING, Send(PLAIN_ERROR)]),
]


# ---- Cohere, Ollama, Bedrock ---------------------------------------------------------------------


def lines(*values):
    return [Head(content_type="application/x-ndjson"), Send("".join(values).encode())]


def framed(kind, name, *, corrupt=False, **body):
    payload = json.dumps(body).encode()
    headers = b"".join(
        bytes([len(key)]) + key.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for key, value in ((":message-type", kind), (f":{kind}-type", name))
    )
    prelude = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    content = prelude + struct.pack("!I", crc32(prelude)) + headers + payload
    return content + struct.pack("!I", crc32(content) ^ corrupt)


def messages(*frames):
    return [Head(content_type="application/vnd.amazon.eventstream"), Send(b"".join(frames))]


BEGUN = [
    event("message-start", id="m", delta={"message": {"role": "assistant"}}),
    event("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}}),
    event("content-delta", index=0, delta={"message": {"content": {"text": "Hi"}}}),
]
LINE = '{"model": "a-model", "message": {"role": "assistant", "content": "Hi"}}\n'
LAST = '{"model": "a-model", "done": true, "done_reason": "stop"}\n'
WORDS = framed("event", "contentBlockDelta", contentBlockIndex=0, delta={"text": "Hi"})
END_TURN = framed("event", "messageStop", stopReason="end_turn")
METADATA = framed("event", "metadata", usage={"inputTokens": 1, "outputTokens": 1})

COHERE = [
    ("message-end", [*BEGUN, event("message-end", delta={"finish_reason": "COMPLETE"})]),
    ("no message-end", [*BEGUN, event("content-end", index=0)]),
    ("finish reason ERROR", [*BEGUN, event("message-end", delta={"finish_reason": "ERROR"})]),
]
OLLAMA = [
    ('"done": true', lines(LINE, LAST)),
    ('no "done": true', lines(LINE)),
    ("an error line", lines(LINE, '{"error": "out of memory"}\n')),
]
BEDROCK = [
    ("metadata", messages(WORDS, END_TURN, METADATA)),
    ("messageStop, but no metadata", messages(WORDS, END_TURN)),
    ("no messageStop", messages(WORDS)),
    ("cut inside a frame", messages(WORDS, END_TURN[:-9])),
    ("a frame whose checksum is wrong", messages(WORDS, framed("event", "x", corrupt=True))),
    ("an exception in the stream", messages(WORDS, framed("exception", "throttlingException"))),
]

CASES = [
    (AnthropicMessages(), ANTHROPIC),
    (AnthropicMessages(strict=True), STRICT),
    (OpenAIChat(), CHAT),
    (OpenAIChat(strict=True), CHAT_STRICT),
    (OpenAIResponses(), RESPONSES),
    (Gemini(), GEMINI),
    (CohereV2(), COHERE),
    (OllamaChat(), OLLAMA),
    (BedrockConverse(), BEDROCK),
]


async def run(dialect, script):
    """Open one stream; return its outcome and its error."""
    outcomes, raised = [], None
    config = StreamConfig(on_outcome=outcomes.append)
    async with memory_client(script) as (client, server):
        try:
            async with open_stream(
                "POST", server.url, client=client, dialect=dialect, config=config
            ) as rx:
                await rx.result()
        except StreamError as error:
            raised = error
    return outcomes[0], raised


async def main():
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["dialect", "what happens", "ending", "raised", "stop_reason", "said", "call"])
    for dialect, cases in CASES:
        for name, script in cases:
            outcome, raised = await run(dialect, script)
            message = outcome.value
            calls = [each for each in message.parts if isinstance(each, CALLS)]
            table.writerow(
                [
                    type(dialect).__name__,
                    name,
                    outcome.ending.name,
                    "" if raised is None else told(raised),
                    message.stop_reason,
                    message.text or message.refusal,
                    ", ".join(type(call).__name__ for call in calls),
                ]
            )


def told(error):
    status = "" if error.status_code is None else f" ({error.status_code})"
    return type(error).__name__ + status


trio.run(main, clock=MockClock(autojump_threshold=0))
