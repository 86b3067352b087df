"""The attempts of one stream: what each asks for, and what its answer is taken for.

Between two attempts stands the judgement of the `Session`; what an attempt was told to do, it does
here: the request for what follows the position, and a connection whose answer is a stream.
"""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, TypeVar, final

import attrs
import trio

from ..connection import AsyncClient, RequestSpec, connect
from ..framing import SSE, Framing
from ._acceptance import framing_of, says_no_more
from ._order import Attempt, Grammar, Order
from ._reading import Owner
from ._stages import Stages

if TYPE_CHECKING:
    from ..config import StreamConfig
    from ..dialects import Decoder
    from ..errors import StreamError
    from ..retry import Recovery, RequestChanges
    from ._position import Position

__all__ = ["Attempts"]

T = TypeVar("T")

_BODY = frozenset({"json", "content", "data", "files"})
# For how long a connection may bring what is old, in seconds.
_OLD = 10.0


@final
class Attempts:
    """Makes the attempts of one stream, one after the other.

    Args:
        order: What to ask for.
        position: Where the stream is.
        recovery: Counts them, and is told of those that were accepted.
        client: Whom to ask; not closed here.
        config: Timeouts, limits, callbacks.
        total_end: The end of the whole stream's time, on trio's clock.
        reusable: Whether a connection can be of use when the stream is over.

    Attributes:
        one_shot: Why the newest request cannot be sent again; ``""``: it can.
        is_last: Whether the newest answer says that there is no more.
        began_behind: The position of the newest request that was accepted.
    """

    __slots__ = (
        "_client",
        "_config",
        "_live_from",
        "_live_until",
        "_order",
        "_position",
        "_recovery",
        "_reusable",
        "_total_end",
        "began_behind",
        "is_last",
        "one_shot",
    )

    def __init__(
        self,
        order: Order,
        position: Position,
        recovery: Recovery,
        client: AsyncClient,
        config: StreamConfig,
        *,
        total_end: float,
        reusable: bool,
    ) -> None:
        self._order = order
        self._position = position
        self._recovery = recovery
        self._client = client
        self._config = config
        self._total_end = total_end
        self._reusable = reusable
        # What a connection brings at first may be old, if it goes on from a position.
        self._live_from = self._live_until = -math.inf
        self.one_shot = order.spec.one_shot
        self.is_last = False
        self.began_behind = ""

    # ---- where to go on ----------------------------------------------------------------------

    @property
    def can_resume(self) -> bool:
        """Whether there is a position to go on from, and a way to say so."""
        cursor, position = self._position.cursor, self._position.received
        if cursor is None or not position or not self._order.resumes:
            return False
        return cursor.resume(position, self._silence) is not None

    def changes(self) -> RequestChanges | None:
        """What asks for the rest, beside an event ID; `None` if that cannot be asked for."""
        position = self._position
        if position.uses_event_ids or position.cursor is None or not position.received:
            return {}
        return position.cursor.resume(position.received, self._silence)

    def heard(self, when: float) -> None:
        """The newest connection is over; its last byte came then."""
        if when >= self._live_from:
            self._live_until = when

    @property
    def _silence(self) -> float:
        """Seconds since the stream was last known to be live; infinity if it never was."""
        return trio.current_time() - self._live_until

    # ---- asking ------------------------------------------------------------------------------

    async def request(self, changes: RequestChanges, error: StreamError | None) -> RequestSpec:
        """The request of an attempt.

        Args:
            changes: What asks for the rest.
            error: Why the one before has ended.

        Raises:
            Exception: What the ``request_factory`` has raised.
        """
        order, position = self._order, self._position
        spec = order.spec
        if position.uses_event_ids:
            spec = attrs.evolve(spec, last_event_id=position.received)
        if changes:
            spec = spec.changed(changes)
        if order.request_factory is not None:
            attempt = Attempt(self._recovery.attempts, position.received, error)
            made = order.request_factory(attempt)
            changes = ((await made) if inspect.isawaitable(made) else made) or {}
            spec = spec.changed(changes)
            # What has brought a body will bring one for the next attempt, too.
            self.one_shot = "" if _BODY & changes.keys() else spec.one_shot
        return spec

    async def make(
        self, spec: RequestSpec, grammar: Grammar[T, Any], decoder: Decoder[T], owner: Owner[T]
    ) -> Stages[T]:
        """Send a request, and accept the response or raise why not.

        Raises:
            StreamError: There is no response, or none that is a stream.
            Exception: What ``on_connect`` has raised.
        """
        config, order, position = self._config, self._order, self._position
        connection = await connect(spec, self._client, config, deadline=self._total_end)
        try:
            chosen = grammar.framing
            self.is_last = says_no_more(connection, order.mode)
            if self.is_last:
                framing: Framing[Any] = chosen or SSE()
            else:
                framing = await framing_of(connection, chosen, order.mode, deadline=self._total_end)
            event_ids = position.cursor is None or position.uses_event_ids
            parser = framing.parser(
                last_event_id=position.received if event_ids else "",
                max_line_bytes=config.max_line_bytes,
                max_event_bytes=config.max_event_bytes,
            )
            if order.tracks:
                position.reconnect()
                if position.uses_event_ids:
                    parser.skip(position.seen)
            stages = Stages(
                connection,
                parser,
                decoder,
                owner,
                position=position if order.tracks else None,
                config=config,
                total_end=self._total_end,
                reusable=self._reusable,
            )
            self._recovery.accepted(trio.current_time())
            self.began_behind = position.received
            may_be_old = position.received and position.cursor and position.cursor.brings_old
            self._live_from = trio.current_time() + (_OLD if may_be_old else 0.0)
            if config.on_connect is not None:
                config.on_connect()
        except BaseException:
            await connection.aclose()
            raise
        return stages
