"""How a conversation goes on: what is sent back of an answer, and how tools are declared."""

from __future__ import annotations

import copy
import json
from typing import Any

import attrs
import pytest

from tests.tools.streams import ANTHROPIC, CHAT, FORMATS, GEMINI, RESPONSES, Format
from trio_stream.dialects import (
    AnthropicMessages,
    IncompleteToolCall,
    MediaPart,
    Message,
    MessageDialect,
    RedactedThinkingPart,
    RefusalPart,
    ServerToolCall,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
)
from trio_stream.dialects._json import JsonObject
from trio_stream.framing import ServerSentEvent
from trio_stream.providers import ProviderRequest, ToolResult, ToolSpec, Turns, turns_for
from trio_stream.providers._turns import arguments_of


@attrs.frozen
class Spec:
    name: str
    description: str = ""
    schema: JsonObject = attrs.field(factory=lambda: {"type": "object", "properties": {}})
    is_custom: bool = False


def message_of(dialect: MessageDialect, *objects: JsonObject) -> Message:
    """The message that a stream of these objects folds into, whole or not."""
    decoder, assembler = dialect.decoder(), dialect.assembler()
    items: list[Any] = []
    frames = [ServerSentEvent(each.get("type", "message"), json.dumps(each)) for each in objects]
    decoder.decode(frames, items)
    for item in items:
        assembler.fold(item)
    message: Message = assembler.snapshot()
    return message


def turns(request: ProviderRequest, message: Message, *results: ToolResult) -> list[JsonObject]:
    """What is appended to a conversation."""
    before = copy.deepcopy(request["json"])
    answered = turns_for(request["dialect"]).answered(request, message, results)
    assert request["json"] == before, "a request is never changed"
    field = turns_for(request["dialect"]).field
    assert answered["json"].keys() == before.keys()
    appended: list[JsonObject] = answered["json"][field][len(before[field]) :]
    return appended


def result(call_id: str, name: str = "t", **options: Any) -> ToolResult:
    call = ToolCall(call_id, name, {}, raw=options.pop("raw", {}))
    return ToolResult(call, "text", **options)


UNFINISHED = Message(
    parts=(
        TextPart("half", finished=False),
        ThinkingPart("half", "seal", finished=False),
        IncompleteToolCall("a", "t", '{"b'),
        RefusalPart("half", finished=False),
        MediaPart(id="audio", data=("eA==",), finished=False),
        UnknownPart("new", {"type": "new"}, finished=False),
    )
)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
def test_nothing_unfinished_is_sent_back(format_: Format) -> None:
    """No unfinished part goes back, and a message without any other is no turn."""
    assert turns(format_.request(), UNFINISHED) == []


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
def test_user_goes_on(format_: Format) -> None:
    """What the user says next is appended."""
    request = format_.request()
    of_dialect = turns_for(request["dialect"])

    asked = of_dialect.asked(of_dialect.answered(request, Message(parts=(TextPart("Hi"),))), "Bye")

    field = of_dialect.field
    assert len(asked["json"][field]) == 3
    again = format_.request(**{field: "Bye"})
    assert asked["json"][field][-1] == again["json"][field][0]


def test_conversation_that_is_a_string() -> None:
    """A body whose conversation is only a string can be gone on with."""
    request = RESPONSES.request()
    request["json"]["input"] = "Hello"

    asked = turns_for(request["dialect"]).asked(request, "Bye")

    assert asked["json"]["input"] == [
        {"role": "user", "content": "Hello"},
        {"role": "user", "content": "Bye"},
    ]


def test_parts_that_were_made_by_hand() -> None:
    """Parts without anything of a provider's go back, too: from one provider to another."""
    message = Message(
        parts=(TextPart("Hi"), ToolCall("a", "t", {"b": 1}), ToolCall("", "t", {"ä": 2}))
    )

    assert turns(ANTHROPIC.request(), message)[0]["content"] == [
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "a", "name": "t", "input": {"b": 1}},
        {"type": "tool_use", "id": "", "name": "t", "input": {"ä": 2}},
    ]
    [answer] = turns(CHAT.request(), message)
    assert answer["content"] == "Hi"
    assert answer["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "t", "arguments": '{"b": 1}'}},
        {"type": "function", "function": {"name": "t", "arguments": '{"ä": 2}'}},
    ]
    function = {"type": "function_call", "name": "t"}
    assert turns(RESPONSES.request(), message) == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
        },
        {**function, "call_id": "a", "arguments": '{"b": 1}'},
        {**function, "call_id": "", "arguments": '{"ä": 2}'},
    ]
    sql = ToolCall("c", "sql", "SELECT 1", is_custom=True)
    parts = (RefusalPart("No"), sql, ToolCall("d", "computer", {}, raw={"type": "computer_call"}))
    assert turns(RESPONSES.request(), Message(parts=parts)) == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "No"}],
        },
        {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"},
        {"type": "computer_call", "call_id": "d"},
    ]
    assert turns(GEMINI.request(), message)[0]["parts"] == [
        {"text": "Hi"},
        {"functionCall": {"id": "a", "name": "t", "args": {"b": 1}}},
        {"functionCall": {"name": "t", "args": {"ä": 2}}},
    ]


def test_arguments_go_back_as_they_came() -> None:
    """The text of arguments is not written anew."""
    assert arguments_of(ToolCall("a", "t", {"b": 1}, '{"b":1 }')) == '{"b":1 }'
    assert arguments_of(ToolCall("a", "t", {})) == "{}"


# --- Anthropic -----------------------------------------------------------------------------------


def start_message(**fields: Any) -> JsonObject:
    return {"type": "message_start", "message": {"id": "m", "role": "assistant", **fields}}


def block(index: int, start: JsonObject, *deltas: JsonObject) -> list[JsonObject]:
    where = {"index": index}
    return [
        {"type": "content_block_start", **where, "content_block": start},
        *({"type": "content_block_delta", **where, "delta": each} for each in deltas),
        {"type": "content_block_stop", **where},
    ]


def test_anthropic_blocks_go_back_as_they_came() -> None:
    """Each kind of block goes back whole, and with nothing that was not in it."""
    citation = {"type": "char_location", "cited_text": "x"}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"url": "u"}]}
    caller = {"type": "direct"}
    message = message_of(
        AnthropicMessages(),
        start_message(),
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Hm"},
            {"type": "signature_delta", "signature": "seal"},
        ),
        *block(
            1, {"type": "thinking", "thinking": ""}, {"type": "signature_delta", "signature": "s"}
        ),
        *block(2, {"type": "thinking", "thinking": "no seal"}),
        *block(3, {"type": "redacted_thinking", "data": "xyz"}),
        *block(
            4,
            {"type": "text", "text": "", "citations": None},
            {"type": "text_delta", "text": "So"},
            {"type": "citations_delta", "citation": citation},
        ),
        *block(5, {"type": "text", "text": ""}),
        *block(
            6,
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query": "q"}'},
        ),
        *block(7, found),
        *block(8, {"type": "container_upload", "file_id": "f"}),
        *block(
            9,
            {"type": "compaction", "content": None},
            {"type": "compaction_delta", "content": "In short."},
        ),
        *block(10, {"type": "new", "a": 1}, {"type": "new_delta", "a": 2}),
        *block(
            11,
            {"type": "tool_use", "id": "t", "name": "tool", "input": {}, "caller": caller},
            {"type": "input_json_delta", "partial_json": '{"a": 1}'},
        ),
        *block(12, {"type": "tool_use", "id": "u", "name": "tool", "input": {}}),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )

    assert turns(ANTHROPIC.request(), message) == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "seal"},
                {"type": "thinking", "thinking": "", "signature": "s"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "text", "text": "So", "citations": [citation]},
                {
                    "type": "server_tool_use",
                    "id": "s",
                    "name": "web_search",
                    "input": {"query": "q"},
                },
                found,
                {"type": "container_upload", "file_id": "f"},
                {"type": "compaction", "content": "In short."},
                {
                    "type": "tool_use",
                    "id": "t",
                    "name": "tool",
                    "input": {"a": 1},
                    "caller": caller,
                },
                {"type": "tool_use", "id": "u", "name": "tool", "input": {}},
            ],
        }
    ]


def test_anthropic_results_stand_in_one_message() -> None:
    """All results go into one message of the user; failures are marked."""
    results = [result("a"), result("b", is_error=True, error=ValueError())]

    assert turns(ANTHROPIC.request(), Message(), *results) == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "text"},
                {"type": "tool_result", "tool_use_id": "b", "content": "text", "is_error": True},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"container": "c"}),
        ({"container": "old"}, {"container": "c"}),
        ({"container": {"skills": []}}, {"container": {"skills": [], "id": "c"}}),
    ],
    ids=["none", "another", "with skills"],
)
def test_anthropic_container_is_named(before: JsonObject, after: JsonObject) -> None:
    """The next request names the container in which the provider runs programs."""
    request = ANTHROPIC.request(**before)
    message = message_of(AnthropicMessages(), start_message(container={"id": "c"}))

    answered = turns_for(request["dialect"]).answered(request, message)

    assert answered["json"]["container"] == after["container"]


# --- OpenAI, Chat Completions --------------------------------------------------------------------


def chat(*deltas: JsonObject, reason: str = "stop") -> Message:
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return message_of(CHAT.request()["dialect"], *chunks, last)


def function(name: str, arguments: str = "{}") -> JsonObject:
    return {"name": name, "arguments": arguments}


CALLING = {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": function("t")}]}
CALLED = [{"id": "a", "type": "function", "function": function("t")}]


@pytest.mark.parametrize(
    ("deltas", "answer"),
    [
        ([{"content": "Hi"}, {"content": " there"}], {"content": "Hi there"}),
        ([{"refusal": "No"}], {"content": None, "refusal": "No"}),
        ([CALLING], {"content": None, "tool_calls": CALLED}),
        ([{"audio": {"id": "x", "data": "eA=="}}], {"content": None, "audio": {"id": "x"}}),
        ([{"reasoning_content": "Hm"}, {"content": "Hi"}], {"content": "Hi"}),
        (
            [{"reasoning_content": "Hm"}, CALLING],
            {"content": None, "reasoning_content": "Hm", "tool_calls": CALLED},
        ),
        (
            [{"reasoning": "H"}, {"reasoning": "m"}, CALLING],
            {"content": None, "reasoning": "Hm", "tool_calls": CALLED},
        ),
        (
            [
                {
                    "reasoning": "Hm",
                    "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}],
                },
                {"reasoning_details": [{"type": "reasoning.encrypted", "data": "xyz"}]},
                {"content": "Hi"},
            ],
            {
                "content": "Hi",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "Hm"},
                    {"type": "reasoning.encrypted", "data": "xyz"},
                ],
            },
        ),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
                {"content": [{"type": "text", "text": "Hi"}]},
            ],
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
                    {"type": "text", "text": "Hi"},
                ]
            },
        ),
        (
            [
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "a",
                            "function": function("t", '{"b":1}'),
                            "extra_content": {"google": {"thought_signature": "seal"}},
                        }
                    ]
                }
            ],
            {
                "content": None,
                "tool_calls": [
                    {
                        "id": "a",
                        "type": "function",
                        "function": function("t", '{"b":1}'),
                        "extra_content": {"google": {"thought_signature": "seal"}},
                    }
                ],
            },
        ),
        (
            [
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "a",
                            "type": "custom",
                            "custom": {"name": "t", "input": "SELECT 1"},
                        }
                    ]
                }
            ],
            {
                "content": None,
                "tool_calls": [
                    {"id": "a", "type": "custom", "custom": {"name": "t", "input": "SELECT 1"}}
                ],
            },
        ),
        (
            [{"function_call": function("t", '{"b": 1}')}],
            {"content": None, "function_call": function("t", '{"b": 1}')},
        ),
    ],
    ids=[
        "text",
        "refusal",
        "call",
        "audio",
        "thoughts",
        "thoughts and call",
        "reasoning and call",
        "typed thoughts",
        "thoughts in the content",
        "signed call",
        "custom call",
        "old call",
    ],
)
def test_chat_message_goes_back(deltas: list[JsonObject], answer: JsonObject) -> None:
    """An answer goes back as one message, each thing in the field that it came in."""
    assert turns(CHAT.request(), chat(*deltas)) == [{"role": "assistant", **answer}]


def test_chat_results() -> None:
    """Each result is one message; the older calls, which have no ID, are answered by name."""
    old = result("", "old", raw={"function_call": {}})

    assert turns(CHAT.request(), Message(), result("a"), result(""), old) == [
        {"role": "tool", "tool_call_id": "a", "content": "text"},
        {"role": "tool", "content": "text"},
        {"role": "function", "name": "old", "content": "text"},
    ]


# --- OpenAI, Responses ---------------------------------------------------------------------------


def responses(*items: JsonObject) -> Message:
    added = [
        {"type": "response.output_item.done", "output_index": index, "item": item}
        for index, item in enumerate(items)
    ]
    response = {"id": "r", "status": "completed", "output": [*items]}
    return message_of(
        RESPONSES.request()["dialect"],
        {"type": "response.created", "response": {"id": "r", "output": []}},
        *added,
        {"type": "response.completed", "response": response},
    )


REASONING = {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "xyz"}
ITEMS: list[JsonObject] = [
    REASONING,
    {
        "type": "message",
        "id": "msg",
        "role": "assistant",
        "status": "completed",
        "phase": "commentary",
        "content": [
            {"type": "output_text", "text": "Hi", "annotations": [{"type": "url_citation"}]},
            {"type": "refusal", "refusal": "No"},
        ],
    },
    {"type": "web_search_call", "id": "ws", "status": "completed", "action": {"type": "search"}},
    {"type": "mcp_list_tools", "id": "mcp", "server_label": "s", "tools": []},
    {
        "type": "function_call",
        "id": "fc",
        "call_id": "a",
        "name": "t",
        "arguments": '{"b":1}',
        "status": "completed",
    },
    {
        "type": "custom_tool_call",
        "id": "ct",
        "call_id": "c",
        "name": "sql",
        "input": "SELECT 1",
        "status": "completed",
    },
    {"type": "code_interpreter_call", "id": "ci", "code": "1", "outputs": None},
    {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "eHl6"},
]


def test_responses_items_go_back_as_they_came() -> None:
    """Each item goes back once and whole, the parts of a message in one."""
    assert turns(RESPONSES.request(), responses(*ITEMS)) == ITEMS


def test_responses_reasoning_that_nobody_has() -> None:
    """Reasoning that the service neither stores nor has encrypted is not referred to."""
    bare = {"type": "reasoning", "id": "rs", "summary": []}
    message = responses(bare, REASONING)

    assert turns(RESPONSES.request(), message) == [bare, REASONING]
    assert turns(RESPONSES.request(store=True), message) == [bare, REASONING]
    assert turns(RESPONSES.request(store=False), message) == [REASONING]


def test_responses_conversation_of_the_service() -> None:
    """A conversation that the service keeps is sent the results only."""
    request = RESPONSES.request(conversation="conv")
    message = responses(*ITEMS)

    answered = turns_for(request["dialect"]).answered(request, message, [result("a")])

    assert answered["json"]["conversation"] == "conv"
    assert answered["json"]["input"] == [
        {"type": "function_call_output", "call_id": "a", "output": "text"}
    ]


def test_responses_results() -> None:
    """Each result is an item of the type that the call asks for."""
    custom = ToolResult(ToolCall("c", "sql", "SELECT 1", is_custom=True), "text")
    shell = result("d", raw={"type": "local_shell_call"})

    assert turns(RESPONSES.request(), Message(), result("a"), custom, shell) == [
        {"type": "function_call_output", "call_id": "a", "output": "text"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "text"},
        {"type": "local_shell_call_output", "call_id": "d", "output": "text"},
    ]


def test_responses_message_with_an_unfinished_part() -> None:
    """A message of which one part is unfinished stays here, for it is one item."""
    item = {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}
    parts = (TextPart("Hi", raw=item), TextPart("half", finished=False, raw=item))

    assert turns(RESPONSES.request(), Message(parts=parts)) == []


# --- Gemini --------------------------------------------------------------------------------------


def gemini(*parts: JsonObject) -> Message:
    chunks = [{"candidates": [{"content": {"parts": [part]}}]} for part in parts]
    last = {"candidates": [{"finishReason": "STOP"}]}
    return message_of(GEMINI.request()["dialect"], *chunks, last)


def test_gemini_parts_go_back_as_they_came() -> None:
    """Each part goes back with its signature, neither joined with others nor cut."""
    parts: list[JsonObject] = [
        {"text": "Hm", "thought": True},
        {"text": "So", "thoughtSignature": "one"},
        {"functionCall": {"id": "a", "name": "t", "args": {"b": 1}}, "thoughtSignature": "two"},
        {"functionCall": {"name": "t", "args": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"inlineData": {"mimeType": "image/png", "data": "eHl6"}, "thoughtSignature": "three"},
        {"fileData": {"mimeType": "image/png", "fileUri": "gs://x"}},
        {"new": {"a": 1}},
        {"text": "", "thoughtSignature": "four"},
    ]

    assert turns(GEMINI.request(), gemini(*parts)) == [{"role": "model", "parts": parts}]


def test_gemini_text_in_pieces() -> None:
    """Text that came in pieces goes back as one part."""
    message = gemini({"text": "He", "thought": True}, {"text": "llo"}, {"text": " there"})

    assert turns(GEMINI.request(), message)[0]["parts"] == [
        {"text": "He", "thought": True},
        {"text": "llo there"},
    ]


def test_gemini_sound_in_pieces() -> None:
    """Pieces of Base64 are decoded one by one and joined, whatever their padding."""
    raw = {"inlineData": {"mimeType": "audio/pcm"}}
    message = Message(parts=(MediaPart("audio/pcm", data=("eA==", "eXo="), raw=raw),))

    assert turns(GEMINI.request(), message)[0]["parts"] == [
        {"inlineData": {"mimeType": "audio/pcm", "data": "eHl6"}}
    ]


def test_gemini_results() -> None:
    """All results go into one turn; a failure stands under another key."""
    failed = result("", "t", is_error=True)

    assert turns(GEMINI.request(), Message(), result("a"), failed) == [
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "a", "name": "t", "response": {"output": "text"}}},
                {"functionResponse": {"name": "t", "response": {"error": "text"}}},
            ],
        }
    ]


def test_parts_that_a_format_has_no_place_for() -> None:
    """What another provider alone could read stays here."""
    message = Message(
        parts=(
            RedactedThinkingPart("xyz"),
            ServerToolCall("s", "web_search", {}),
            UnknownPart("new"),
        )
    )
    assert turns(CHAT.request(), message) == []
    assert turns(GEMINI.request(), message) == []


# --- tools -----------------------------------------------------------------------------------


SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
WEATHER = Spec("weather", "Tell it.", SCHEMA)
SQL = Spec("sql", is_custom=True)


@pytest.mark.parametrize(
    ("format_", "declarations"),
    [
        (
            ANTHROPIC,
            [
                {"name": "weather", "description": "Tell it.", "input_schema": SCHEMA},
                {"name": "sql", "input_schema": SQL.schema},
            ],
        ),
        (
            CHAT,
            [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "Tell it.",
                        "parameters": SCHEMA,
                    },
                },
                {"type": "custom", "custom": {"name": "sql"}},
            ],
        ),
        (
            RESPONSES,
            [
                {
                    "type": "function",
                    "name": "weather",
                    "description": "Tell it.",
                    "parameters": SCHEMA,
                    "strict": False,
                },
                {"type": "custom", "name": "sql"},
            ],
        ),
        (
            GEMINI,
            [
                {
                    "functionDeclarations": [
                        {
                            "name": "weather",
                            "description": "Tell it.",
                            "parametersJsonSchema": SCHEMA,
                        },
                        {"name": "sql", "parametersJsonSchema": SQL.schema},
                    ]
                }
            ],
        ),
    ],
    ids=[each.name for each in FORMATS],
)
def test_declaration(format_: Format, declarations: list[JsonObject]) -> None:
    """Tools are declared in the provider's format, when a request is made or later, and once."""
    request = format_.request(tools=[WEATHER, SQL])
    of_dialect = turns_for(request["dialect"])

    assert request["json"]["tools"] == declarations
    later = of_dialect.declared(format_.request(), [WEATHER, SQL])
    assert later["json"]["tools"] == declarations
    one_by_one = of_dialect.declared(format_.request(tools=[WEATHER]), [WEATHER, SQL])
    assert one_by_one["json"]["tools"] == declarations
    assert of_dialect.declared(later, [WEATHER, SQL]) is later
    assert "tools" not in of_dialect.declared(format_.request(tools=[]), [])["json"]


def test_gemini_functions_stand_beside_other_tools() -> None:
    """Functions go into one place, tools that Google runs stay where they are."""
    declared = [
        {"functionDeclarations": [{"name": "mine"}], "urlContext": {}},
        {"googleSearch": {}},
    ]
    request = GEMINI.request(tools=[*declared, WEATHER])

    functions, *others = request["json"]["tools"]

    assert [each["name"] for each in functions["functionDeclarations"]] == ["mine", "weather"]
    assert others == [{"urlContext": {}}, {"googleSearch": {}}]


# --- dialects of one's own -----------------------------------------------------------------------


@attrs.frozen
class Mine(AnthropicMessages):
    """A dialect that is spoken as its base is."""


class Other:
    """A dialect that nothing is known of."""


def test_turns_of_a_dialect() -> None:
    """The turns of a dialect are those of its class or of a base of it, until others are given."""
    assert turns_for(Mine()) is turns_for(AnthropicMessages())

    class MyTurns(Turns):
        field = "lines"

        def user_turn(self, text: str) -> JsonObject:
            return {"you": text}

        def model_turns(self, message: Message) -> list[JsonObject]:
            return [{"me": message.text}]

        def result_turns(self, results: Any) -> list[JsonObject]:
            return []

        def declaration(self, tool: ToolSpec) -> JsonObject:
            return {"name": tool.name}

    @turns_for.register(Mine)
    def _(dialect: Mine) -> Turns:
        return MyTurns()

    request = ProviderRequest(
        method="POST", url="http://x.test", headers={}, json={"lines": "Hi"}, dialect=Mine()
    )
    mine = turns_for(Mine())
    answered = mine.asked(mine.answered(request, Message(parts=(TextPart("Ho"),))), "Bye")
    assert answered["json"] == {"lines": [{"you": "Hi"}, {"me": "Ho"}, {"you": "Bye"}]}
    assert mine.declared(request, [WEATHER])["json"]["tools"] == [{"name": "weather"}]


def test_dialect_without_turns() -> None:
    """A dialect that nothing is known of has no turns, and the error says what to do."""
    other: Any = Other()
    with pytest.raises(TypeError, match=r"in Other: see turns_for\.register"):
        turns_for(other)
