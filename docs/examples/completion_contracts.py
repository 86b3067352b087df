"""Print a table: when a stream of each dialect is complete, and which deviations are understood."""

import csv
import sys

from trio_stream.dialects import (
    AnthropicMessages,
    BedrockConverse,
    CohereV2,
    Gemini,
    OllamaChat,
    OpenAIChat,
    OpenAIResponses,
)

DIALECTS = [
    AnthropicMessages,
    OpenAIChat,
    OpenAIResponses,
    Gemini,
    CohereV2,
    OllamaChat,
    BedrockConverse,
]


def listed(words):
    """A list in reStructuredText, or the one word that there is."""
    return "\n".join(f"* {word}" for word in words) if len(words) > 1 else "".join(words)


table = csv.writer(sys.stdout, lineterminator="\n")
table.writerow(["dialect", "ends with", "is complete without it after", "what is understood, too"])
for dialect in DIALECTS:
    completion = dialect.completion
    markers = [f"``{marker}``" for marker in completion.terminal_markers]
    table.writerow([dialect.__name__, listed(markers), completion.also, listed(completion.quirks)])
