"""The grammars of providers: frames to items to one message, sans-IO."""

from ._assembler import MessageAssembler
from ._contract import Assembler, Decoder, Dialect
from ._message_dialect import Completion, MessageDialect
from .anthropic_messages import AnthropicMessages
from .bedrock_converse import BedrockConverse
from .bedrock_invoke import BedrockInvoke
from .cohere_v2 import CohereV2
from .gemini import Gemini
from .items import (
    BlockDelta,
    BlockFinished,
    BlockStarted,
    CitationDelta,
    MediaDelta,
    MessageDelta,
    MessageFinished,
    MessageItem,
    MessageStarted,
    Ping,
    RefusalDelta,
    SignatureDelta,
    TextDelta,
    ThinkingDelta,
    ToolInputDelta,
    UnknownDelta,
    UnknownEvent,
)
from .message import (
    IncompleteToolCall,
    MediaPart,
    Message,
    Part,
    RedactedThinkingPart,
    RefusalPart,
    ServerToolCall,
    ServerToolResult,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCall,
    UnknownPart,
    Usage,
)
from .ollama import OllamaChat
from .openai_chat import OpenAIChat
from .openai_responses import OpenAIResponses

__all__ = [
    "AnthropicMessages",
    "Assembler",
    "BedrockConverse",
    "BedrockInvoke",
    "BlockDelta",
    "BlockFinished",
    "BlockStarted",
    "CitationDelta",
    "CohereV2",
    "Completion",
    "Decoder",
    "Dialect",
    "Gemini",
    "IncompleteToolCall",
    "MediaDelta",
    "MediaPart",
    "Message",
    "MessageAssembler",
    "MessageDelta",
    "MessageDialect",
    "MessageFinished",
    "MessageItem",
    "MessageStarted",
    "OllamaChat",
    "OpenAIChat",
    "OpenAIResponses",
    "Part",
    "Ping",
    "RedactedThinkingPart",
    "RefusalDelta",
    "RefusalPart",
    "ServerToolCall",
    "ServerToolResult",
    "SignatureDelta",
    "StopReason",
    "TextDelta",
    "TextPart",
    "ThinkingDelta",
    "ThinkingPart",
    "ToolCall",
    "ToolInputDelta",
    "UnknownDelta",
    "UnknownEvent",
    "UnknownPart",
    "Usage",
]
