"""The answer of a server that wants to be left alone for a while."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Literal

import attrs

from ._script import Head, Send, Step

if TYPE_CHECKING:
    from ._answer import Answer

__all__ = ["Busy"]


@attrs.frozen
class Busy(Step):
    """A whole answer: an error status, and when to come back.

    ::

        first([Busy(retry_after=5)] * 2, then=[Event("one")])
        faulty_in_turn(feed, [Instead(Busy(503, retry_after=60, form="date"))])

    Attributes:
        status: The status code.
        retry_after: Seconds to wait; `None`: it does not say. A string is sent as it is, sense or
            nonsense.
        form: ``"seconds"`` and ``"date"`` (in UTC, whole seconds, rounded up) are the two of RFC
            9110, 10.2.3; ``"milliseconds"`` is the ``retry-after-ms`` of LLM providers.
        body: The body, as text.
    """

    status: int = 429
    retry_after: float | str | None = attrs.field(default=None, kw_only=True)
    form: Literal["seconds", "milliseconds", "date"] = attrs.field(default="seconds", kw_only=True)
    body: str = attrs.field(default="busy", kw_only=True)

    def headers(self, now: float) -> Iterator[tuple[str, str]]:
        """The headers that say when, at ``now`` in Unix time."""
        if self.retry_after is None:
            return
        name = "retry-after-ms" if self.form == "milliseconds" else "retry-after"
        if isinstance(self.retry_after, str):
            yield name, self.retry_after
        elif self.form == "milliseconds":
            yield name, f"{self.retry_after * 1000:.12g}"
        elif self.form == "date":
            yield name, formatdate(math.ceil(now + self.retry_after), usegmt=True)
        else:
            yield name, f"{self.retry_after:.12g}"

    def unrolled(self) -> Sequence[Step]:
        # The time is that of the world, as in the client: trio's clock knows no dates.
        fields = tuple(self.headers(time.time()))
        body = self.body.encode()
        head = Head(self.status, headers=fields, content_type="text/plain", length=len(body))
        return head, Send(body)

    async def play(self, answer: Answer) -> None:
        for step in self.unrolled():
            await step.play(answer)
