"""The order of things: four streams, two of which go wrong."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import Any, final

import trio

from ...dialects import IncompleteToolCall, Message
from ...outcome import Ending, StreamOutcome
from ...testing import ScriptedServer, serve
from .._exit import Exit
from .._signals import run_until_signal
from .._terminal import is_terminal
from ._client import answer_of, stream_turn
from ._plain import PlainView
from ._streams import scripts
from ._tools import Toolbox
from ._view import View

__all__ = ["demo"]

_EXPECTED = [Ending.COMPLETED, Ending.COMPLETED, Ending.TRUNCATED, Ending.TIMED_OUT]


async def demo(*, fast: bool) -> Exit:
    """Run the demo.

    Args:
        fast: Without the pace of a real model.
    """
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="replace")  # not every encoding has an arrow
    pace = 0.0 if fast else 0.08
    endings: list[Ending] = []

    async def work() -> None:
        async with serve(scripts(pace)) as server:
            tools = Toolbox(delay=4 * pace)
            play = _Play(server, tools, _choose_view(), idle_timeout=0.3 if fast else 1.5)
            await play.run(endings)

    if stopped_by := await run_until_signal(work):
        return Exit.of_signal(stopped_by)
    return Exit.COMPLETE if endings == _EXPECTED else Exit.FAILED


@final
class _Play:
    def __init__(
        self, server: ScriptedServer, tools: Toolbox, view: View, *, idle_timeout: float
    ) -> None:
        self._server = server
        self._tools = tools
        self._view = view
        self._idle_timeout = idle_timeout

    async def run(self, endings: list[Ending]) -> None:
        """Play the acts; add how each stream ended."""
        say, line = self._view.say, self._view.line
        say(
            f"A scripted server on {self._server.url} plays a language model: "
            "no key, no network, but a real socket."
        )
        question = [_user("Oslo or Bergen for a bike ride tomorrow?")]
        with self._view.scene("1  Text and tool calls arrive live; a call runs once it is whole"):
            line("you", question[0]["content"])
            first, results = await self._turn(question)
        endings.append(first.ending)

        with self._view.scene("2  The next turn, with what the tools returned"):
            second, _ = await self._turn([*question, *answer_of(first.value, results)])
        endings.append(second.ending)

        with self._view.scene("3  A stream is cut inside a tool call"):
            request = _user("Send Ada the 1250 for the bike.")
            line("you", request["content"])
            cut, _ = await self._turn([request])
            for part in cut.value.parts:
                if isinstance(part, IncompleteToolCall):
                    call = f"{part.name} {part.arguments}"
                    line("kept", f"“{cut.value.text}” and, as an IncompleteToolCall, {call}")
            money_sent = sum(self._tools.money_sent)
            line("safe", f"half a call has no input to run it with; money sent: {money_sent}")
        endings.append(cut.ending)

        with self._view.scene("4  A stream falls silent"):
            request = _user("Tell me a story.")
            line("you", request["content"])
            silent, _ = await self._turn([request])
            line("kept", f"“{silent.value.text}”")
        endings.append(silent.ending)

        with trio.move_on_after(1):
            await self._server.wait_disconnected()
        say("")
        say(
            f"{len(endings)} streams, {len(endings)} outcomes, "
            f"{self._server.open_connections} connections left open. "
            "What an application would write is in trio_stream/cli/demo/_client.py."
        )

    async def _turn(self, messages: list[Any]) -> tuple[StreamOutcome[Message], dict[str, str]]:
        return await stream_turn(
            self._server.url, messages, self._tools, self._view, idle_timeout=self._idle_timeout
        )


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _choose_view() -> View:
    if (
        is_terminal(sys.stdout)
        and os.environ.get("TERM") != "dumb"
        and importlib.util.find_spec("rich") is not None
    ):
        from ._live import LiveView  # noqa: PLC0415 (only here is rich needed)

        return LiveView()
    return PlainView()
