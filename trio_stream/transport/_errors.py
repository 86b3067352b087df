"""What went wrong, in the terms of the client's own library."""

from __future__ import annotations

from types import ModuleType
from typing import Literal, TypeAlias

import trio

from ._dial import RefusedByProxyError
from ._request_head import BadRequestError
from ._response_parser import BadResponseError

__all__ = ["FAILURES", "Phase", "translated"]

Phase: TypeAlias = Literal["Connect", "Pool", "Read", "Write"]

FAILURES = (
    BadRequestError,
    BadResponseError,
    OSError,
    RefusedByProxyError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
)
"""What the network, the other side and the clock can raise."""


def translated(error: Exception, family: ModuleType, phase: Phase) -> Exception:
    """Make the exception of ``family`` for one of `FAILURES`. Raise it from that one."""
    match error:
        case BadRequestError():
            name = "LocalProtocolError"
        case BadResponseError():
            name = "RemoteProtocolError"
        case RefusedByProxyError():
            name = "ProxyError"
        case trio.TooSlowError():
            name = f"{phase}Timeout"
        case _ if phase == "Pool":  # there is no error of that name: it was closed
            name = "ConnectError"
        case _:
            name = f"{phase}Error"
    translation: Exception = getattr(family, name)(_told(error))
    return translation


def _told(error: BaseException | None) -> str:
    """The text of an error, or of its cause: trio's own errors for sockets mostly have none."""
    while error is not None:
        if text := str(error):
            return text
        error = error.__cause__
    return ""
