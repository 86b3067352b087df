"""The one seam where exceptions of the HTTP library become ours."""

from __future__ import annotations

from types import ModuleType

import trio

from ..errors import StreamError, StreamErrorType, StreamTimeoutError, StreamTruncatedError

__all__ = ["map_error"]

# h11 has one exception for whatever a peer does wrong. That the bytes just ended is told only by
# the text: "peer closed connection without sending complete message body (...)".
_CUT_SHORT = "peer closed connection"


def map_error(error: Exception, family: ModuleType, *, streaming: bool) -> StreamError | None:
    """The `StreamError` that an exception of ``family`` amounts to; `None` if it is not one.

    Args:
        error: What the client raised.
        family: The HTTP library.
        streaming: Whether the response had begun.
    """
    mapped = _map(error, family, streaming=streaming)
    if mapped is not None:
        mapped.original_exception = mapped.__cause__ = error
    return mapped


def _map(error: Exception, family: ModuleType, *, streaming: bool) -> StreamError | None:
    text = f"{str(error) or 'no details'} ({type(error).__name__})"
    broken = StreamErrorType.STREAM_INTERRUPTED if streaming else StreamErrorType.CONNECTION_ERROR
    match error:
        case family.ConnectTimeout():
            return StreamTimeoutError(f"no connection: {text}", layer="connect")
        case family.PoolTimeout():
            return StreamTimeoutError("no free slot in the client's pool", layer="connect")
        case family.TimeoutException():
            return StreamTimeoutError(text, layer="idle" if streaming else "headers")
        case family.RemoteProtocolError() if streaming and _CUT_SHORT in str(error):
            return StreamTruncatedError(f"the body was cut short: {text}")
        case family.LocalProtocolError() | family.UnsupportedProtocol() | family.TooManyRedirects():
            return StreamError(f"bad request: {text}", error_type=StreamErrorType.CLIENT_ERROR)
        case family.InvalidURL() | family.CookieConflict():
            return StreamError(f"bad request: {text}", error_type=StreamErrorType.CLIENT_ERROR)
        case family.TransportError() | OSError() | trio.BrokenResourceError():
            what = "the stream broke off" if streaming else "no response"
            return StreamError(f"{what}: {text}", error_type=broken)
        case family.HTTPError() | family.StreamError():
            return StreamError(text, error_type=StreamErrorType.FATAL_ERROR)
        case _:
            return None
