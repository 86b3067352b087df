"""What the server plays: streams in Anthropic's format, written by hand."""

from __future__ import annotations

import itertools
import re
from typing import Any

from ...testing import Event, Head, Script, Stall, Step, Truncate, Wait

__all__ = ["MODEL", "scripts"]

MODEL = "scripted-model"

# How long one delta takes, as a part of the average: models do not tick like clocks.
_RHYTHM = (1.0, 0.6, 1.5, 0.8, 1.1, 0.7, 1.7, 0.6)


def scripts(pace: float) -> list[Script]:
    """The four answers, in the order in which the demo asks for them.

    Args:
        pace: Seconds between two deltas on average; 0: no waiting at all.
    """
    model = _Model(pace)
    return [
        [
            *model.start("msg_1", input_tokens=412),
            *model.text(0, "Let me look at tomorrow's forecast for both cities."),
            *model.call(1, "get_weather", '{"ci', 'ty": "Os', 'lo", ', '"day": "to', 'morrow"}'),
            *model.call(2, "get_weather", '{"ci', 'ty": "Ber', 'gen", ', '"day": "to', 'morrow"}'),
            *model.stop("tool_use", output_tokens=97),
        ],
        [
            *model.start("msg_2", input_tokens=593),
            *model.text(
                0,
                "Take Oslo. It stays dry there, with 14 °C and hardly any wind, while Bergen gets "
                "17 mm of rain. Start after nine: the morning is cold.",
            ),
            *model.stop("end_turn", output_tokens=41),
        ],
        [
            *model.start("msg_3", input_tokens=388),
            *model.text(0, "I'll send it right away."),
            *model.call(1, "send_money", '{"to":', ' "Ada"', ', "amo', 'unt": 1')[:-1],
            Truncate(),  # "250.00}" never comes
        ],
        [
            *model.start("msg_4", input_tokens=31),
            *model.text(0, "Once upon a time there was a stream that")[:-1],
            Stall(),
        ],
    ]


class _Model:
    """Makes the events of a message, at its pace."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._rhythm = itertools.cycle(_RHYTHM)
        self._calls = itertools.count(1)

    def start(self, message_id: str, *, input_tokens: int) -> list[Step]:
        message: dict[str, Any] = {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": input_tokens, "output_tokens": 1},
        }
        return [
            *self._wait(2),
            Head(headers={"request-id": f"req_{message_id}"}),
            *self._wait(4),
            _event("message_start", message=message),
        ]

    def text(self, index: int, text: str) -> list[Step]:
        """A text block, a delta for each word."""
        words = [{"type": "text_delta", "text": word} for word in re.findall(r"\S+\s*", text)]
        return self._block(index, {"type": "text", "text": ""}, words)

    def call(self, index: int, name: str, *pieces: str) -> list[Step]:
        """A tool call, a delta for each piece of its arguments."""
        block: dict[str, Any] = {
            "type": "tool_use",
            "id": f"call_{next(self._calls)}",
            "name": name,
            "input": {},
        }
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        return self._block(index, block, deltas)

    def stop(self, reason: str, *, output_tokens: int) -> list[Step]:
        delta = {"stop_reason": reason, "stop_sequence": None}
        usage = {"output_tokens": output_tokens}
        return [_event("message_delta", delta=delta, usage=usage), _event("message_stop")]

    def _block(self, index: int, block: dict[str, Any], deltas: list[Any]) -> list[Step]:
        steps: list[Step] = [_event("content_block_start", index=index, content_block=block)]
        for delta in deltas:
            steps += self._wait(next(self._rhythm))
            steps.append(_event("content_block_delta", index=index, delta=delta))
        return [*steps, _event("content_block_stop", index=index)]

    def _wait(self, beats: float) -> list[Step]:
        return [Wait(beats * self._pace)] if self._pace else []


def _event(kind: str, **fields: Any) -> Event:
    return Event({"type": kind, **fields}, event=kind)
