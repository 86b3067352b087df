"""What goes back of recorded answers, checked against the request types of the official SDKs.

Needs the recorded streams (``TRIO_STREAM_CORPORA``), and `anthropic` and `openai`.
"""

from __future__ import annotations

import functools
import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from trio_stream.dialects import AnthropicMessages, Message, MessageDialect
from trio_stream.dialects.openai_chat import OpenAIChat
from trio_stream.dialects.openai_responses import OpenAIResponses
from trio_stream.errors import StreamError
from trio_stream.providers import turns_for

CORPORA = os.environ.get("TRIO_STREAM_CORPORA")
RECORDED = Path(CORPORA or "/nowhere", "recorded")
DIALECTS: dict[str, MessageDialect] = {
    "chat": OpenAIChat(),
    "messages": AnthropicMessages(),
    "responses": OpenAIResponses(),
    "v1chat": OpenAIChat(),
}
STREAMS = sorted((path, api) for api in DIALECTS for path in RECORDED.glob(f"*-{api}-*.sse"))

# A tool of xAI's own, under the name of one of OpenAI's that has other fields.
ANOTHER_API = {"xai-responses-15"}

pytestmark = pytest.mark.skipif(CORPORA is None, reason="TRIO_STREAM_CORPORA is not set")


def message_of(path: Path, dialect: MessageDialect) -> Message:
    """The message of a stream, as far as it came."""
    parser, decoder, assembler = dialect.framing.parser(), dialect.decoder(), dialect.assembler()
    items: list[Any] = []
    try:
        decoder.decode([*parser.feed(path.read_bytes()), *parser.close()], items)
    except StreamError:
        pass  # some report an error
    for item in items:
        assembler.fold(item)
    message: Message = assembler.snapshot()
    return message


@functools.cache
def adapter_of(api: str) -> Any:
    """What checks a turn by the types of the SDK."""
    pydantic = pytest.importorskip("pydantic")
    if api == "messages":
        kind: Any = pytest.importorskip("anthropic.types.beta").BetaMessageParam
    elif api == "responses":
        types = pytest.importorskip("openai.types.responses.response_input_item_param")
        kind = types.ResponseInputItemParam
    else:
        kind = pytest.importorskip("openai.types.chat").ChatCompletionMessageParam
    return pydantic.TypeAdapter(kind)


@pytest.mark.parametrize(("path", "api"), STREAMS, ids=[path.stem for path, _ in STREAMS])
def test_recorded_answer_goes_back(path: Path, api: str) -> None:
    """The turn made of a recorded answer is JSON, and one that the SDK would send."""
    dialect = DIALECTS[api]
    turns = turns_for(dialect).model_turns(message_of(path, dialect))

    assert json.loads(json.dumps(turns)) == turns
    if path.stem in ANOTHER_API:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydantic, about types of the SDK
        adapter = adapter_of(api)
    for turn in turns:
        adapter.validate_python(turn)


def test_all_streams_are_there() -> None:
    """The corpora hold streams of each API."""
    assert {api for _, api in STREAMS} == DIALECTS.keys()
    assert len(STREAMS) > 75
