"""Amazon Bedrock's InvokeModelWithResponseStream: a model's own events, in an envelope.

Theory of operation
-------------------

Each ``chunk`` event of the binary event stream holds ``{"bytes": "..."}``: one event of the
model's own grammar, a JSON object in Base64. It is taken out and given, as a server-sent event
without a name, to the decoder of that grammar, which is Anthropic's for Claude. Everything but
the envelope is its business: the items, the ends, what is tolerated.

What is Bedrock's own are the exceptions beside the ``chunk`` events, which become `InBandError`,
and ``amazon-bedrock-invocationMetrics``, which it writes into the last event of the model and
which ends up in `Message.extra`.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import attrs

from ..framing import EventStream, EventStreamMessage, Framing, ServerSentEvent
from ._assembler import MessageAssembler
from ._bedrock_envelope import unwrap
from ._contract import Decoder, Dialect
from ._json import Misfit, get_optional_string
from ._message_dialect import Completion, MessageDecoder, MessageDialect
from .anthropic_messages import AnthropicMessages
from .items import MessageItem
from .message import Message

__all__ = ["BedrockInvoke"]


@attrs.frozen
class BedrockInvoke(Dialect[MessageItem, Message]):
    """The dialect of ``POST /model/{modelId}/invoke-with-response-stream``.

    Args:
        inner: The dialect of the model: `AnthropicMessages` for Claude, `BedrockConverse` for
            Amazon Nova, whose own events are those of ConverseStream. It must read server-sent
            events.

    Source: the API reference of Amazon Bedrock Runtime, "InvokeModelWithResponseStream".
    """

    inner: MessageDialect = attrs.field(factory=AnthropicMessages)

    @property
    def completion(self) -> Completion:
        """When a stream counts as complete: what the dialect of the model says."""
        return self.inner.completion

    @property
    def framing(self) -> Framing[Any]:
        """AWS's binary event stream."""
        return EventStream()

    def decoder(self) -> Decoder[MessageItem]:
        """Make a decoder for one stream."""
        return _Decoder(self.inner.decoder())

    def assembler(self) -> MessageAssembler:
        """Make an assembler for one stream."""
        return self.inner.assembler()


class _Decoder(MessageDecoder[EventStreamMessage]):
    """Frames in, items out: see "Theory of operation"."""

    __slots__ = ("_inner",)

    def __init__(self, inner: Decoder[MessageItem]) -> None:
        super().__init__()
        self._inner = inner

    @property
    def unknown_events(self) -> int:
        return self._unknown_events + self._inner.unknown_events

    def close(self) -> None:
        self._inner.close()

    def _read(self, frame: EventStreamMessage, out: list[MessageItem]) -> None:
        name, payload = unwrap(frame)
        text = get_optional_string(payload.object(), "bytes", "$") if name == "chunk" else None
        if not text:
            self._keep(name, payload.text, out)
            return
        try:
            event = b64decode(text, validate=True).decode("utf-8", "replace")
        except ValueError as exc:
            raise Misfit("$.bytes", f"not Base64: {exc}") from exc
        self._inner.decode([ServerSentEvent(data=event)], out)
        self._finished = self._inner.finished
