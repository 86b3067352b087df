"""The tools that the model may call: small, local, and with a memory."""

from __future__ import annotations

import attrs
import trio

from ...dialects import ToolCall

__all__ = ["Toolbox"]

_FORECAST = {
    ("Oslo", "tomorrow"): "14 °C, dry, wind 2 m/s, cold until nine",
    ("Bergen", "tomorrow"): "9 °C, 17 mm of rain, wind 9 m/s",
}


@attrs.define
class Toolbox:
    """Runs calls.

    Attributes:
        delay: How many seconds looking something up takes.
        money_sent: Every amount that was ever sent.
    """

    delay: float
    money_sent: list[float] = attrs.field(factory=list[float])

    async def run(self, call: ToolCall) -> str:
        """Do what a call says. Its input is parsed JSON, not text."""
        match call.name, call.input:
            case "get_weather", {"city": str(city), "day": str(day)}:
                await trio.sleep(self.delay)
                return _FORECAST.get((city, day), "unknown")
            case "send_money", {"to": str(name), "amount": int() | float() as amount}:
                self.money_sent.append(amount)
                return f"sent {amount} to {name}"
            case _:
                return f"there is no such tool: {call.name}"
