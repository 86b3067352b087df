"""Where a request is on its way to the response head, as told by its ``trace`` extension.

The events are httpcore's: ``connection.connect_tcp.started``, ``…start_tls.complete``,
``http11.send_request_headers.started`` and so on. A transport that sends none spends all its time
in the ``headers`` phase.

They tell which timeout is running. They also make up for two connections that httpcore loses when
a request is given up:

* one that is cancelled between having been made and the first thing done with it: the pool keeps
  its slot for good, and the socket stays open. There is one checkpoint, an uncontended lock, in
  that moment. It is shielded.
* one that is cancelled in its TLS or proxy handshake: the socket is left to the garbage collector.
  It is remembered, and closed here.
"""

from __future__ import annotations

import math
from typing import Any, final

import trio

from ..config import StreamConfig
from ..errors import StreamTimeoutError, TimeoutLayer

__all__ = ["Progress"]

_CLOSE_TIME = 1.0


@final
class Progress:
    """The progress of one request, redirects included.

    Attributes:
        deadline_scope: Has the deadline of the phase that is running. Send the request in it,
        guard: and in this one inside of it.
        whom: The host that is asked.
    """

    def __init__(self, config: StreamConfig, total_deadline: float) -> None:
        self._config = config
        self._total_deadline = total_deadline
        self._layer: TimeoutLayer = "headers"
        self._stream: Any = None
        self._is_unfinished = False
        self.whom = "the server"
        self.deadline_scope = trio.CancelScope()
        self.guard = trio.CancelScope()
        self._begin("headers", config.headers_timeout)

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """The ``trace`` extension of the request."""
        what, _, stage = event.partition(".")[2].rpartition(".")
        if stage == "started":
            self._note_host(info)
        connecting = what.startswith("connect_") or what == "start_tls"
        self.guard.shield = connecting and stage == "complete"
        if connecting and stage == "started" and self._layer == "headers":
            self._begin("connect", self._config.connect_timeout)
        if connecting and stage == "complete" and what != "start_tls":
            self._stream = info.get("return_value")
            self._is_unfinished = True
        elif what == "start_tls":
            self._is_unfinished = stage != "complete"
        elif what == "send_request_headers" and stage == "started":
            self._is_unfinished = False
            self._begin("headers", self._config.headers_timeout)

    def _note_host(self, info: dict[str, Any]) -> None:
        # Behind a redirect it is another one. A kept connection is not made: its request tells.
        url = getattr(info.get("request"), "url", None)
        host = info.get("host") or getattr(url, "host", None)
        if host:
            self.whom = host.decode("ascii", "replace") if isinstance(host, bytes) else host

    async def close_unfinished(self) -> None:
        """The request was given up: close the connection that was being made, if there is one.

        Cancellation: shielded, for at most one second.
        """
        if self._is_unfinished and self._stream is not None:
            with trio.CancelScope(shield=True, relative_deadline=_CLOSE_TIME):
                await self._stream.aclose()

    def timeout_error(self) -> StreamTimeoutError:
        """The error of a `deadline_scope` that was cancelled by its deadline."""
        config = self._config
        if trio.current_time() >= self._total_deadline:
            return StreamTimeoutError(f"timeout={config.timeout} s was over", layer="total")
        if self._layer == "connect":
            text = f"no connection to {self.whom} within connect_timeout={config.connect_timeout} s"
        else:
            patience = f"headers_timeout={config.headers_timeout} s"
            text = f"no response head from {self.whom} within {patience}"
        return StreamTimeoutError(text, layer=self._layer)

    def _begin(self, layer: TimeoutLayer, timeout: float | None) -> None:
        self._layer = layer
        end = math.inf if timeout is None else trio.current_time() + timeout
        self.deadline_scope.deadline = min(end, self._total_deadline)
