"""The one seam where exceptions of the HTTP library become ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TypeAlias, cast

import trio

from ..errors import StreamError, StreamErrorType, StreamTimeoutError, StreamTruncatedError
from ._refusal import not_a_stream, status_error
from ._response import StreamResponse

__all__ = ["bare", "lacked_a_slot", "map_error"]

# h11 has one exception for whatever a peer does wrong. That the bytes just ended is told only by
# the text: "peer closed connection without sending complete message body (...)", or, in the middle
# of a chunk's head or of the trailer, "peer unexpectedly closed connection".
_CUT_SHORT = ("peer closed connection", "peer unexpectedly closed connection")

_Group: TypeAlias = "BaseExceptionGroup[BaseException]"


def map_error(
    error: Exception, family: ModuleType, *, streaming: bool, whom: str = "the server"
) -> StreamError | None:
    """The `StreamError` that an exception of ``family`` amounts to; `None` if it is not one.

    Args:
        error: What the client raised.
        family: The HTTP library.
        streaming: Whether the response had begun.
        whom: The host that was asked.
    """
    mapped = _map(error, family, streaming=streaming, whom=whom)
    if mapped is not None:
        mapped.original_exception = mapped.__cause__ = error
    return mapped


def lacked_a_slot(error: StreamError | None) -> bool:
    """Whether the client's pool was full: the server has seen nothing of the request."""
    # Of either family, hence by its name.
    return error is not None and type(error.original_exception).__name__ == "PoolTimeout"


def bare(error: BaseException) -> BaseException:
    """A cancellation or Ctrl-C out of the group that the nursery of a connection attempt made.

    All else stays as it is. A group of errors is the caller's own, from the body that is sent.
    """
    if not isinstance(error, BaseExceptionGroup) or isinstance(error, Exception):
        return error
    cancelled, other = cast("_Group", error).split(trio.Cancelled)
    inner: BaseException | None = cancelled if other is None else other
    while isinstance(inner, BaseExceptionGroup):
        first, *more = cast("_Group", inner).exceptions
        if more and other is not None:
            break
        inner = first
    return error if inner is None else inner  # pyright: ignore[reportUnknownVariableType] (a group)


def _map(error: Exception, family: ModuleType, *, streaming: bool, whom: str) -> StreamError | None:
    text = _describe(error)
    match error:
        case family.ConnectTimeout():
            return StreamTimeoutError(f"no connection to {whom}: {text}", layer="connect")
        case family.PoolTimeout():
            return StreamTimeoutError("no free slot in the client's pool", layer="connect")
        case family.TimeoutException():
            return StreamTimeoutError(text, layer="idle" if streaming else "headers")
        case family.RemoteProtocolError() if streaming and str(error).startswith(_CUT_SHORT):
            return StreamTruncatedError(f"the body was cut short: {text}")
        case _ if _is_bad_request(error, family, streaming=streaming):
            return StreamError(f"bad request: {text}", error_type=StreamErrorType.CLIENT_ERROR)
        case family.HTTPStatusError():  # of a client that has a hook which calls raise_for_status
            return _refused_by_hook(error)
        case family.ProxyError() if str(error).startswith("407"):  # to CONNECT, so it is no answer
            wrong_key = StreamErrorType.AUTHENTICATION_ERROR
            text = f"no response from {whom}: {text}"
            return StreamError(text, error_type=wrong_key, status_code=407)
        case family.TransportError() | OSError() | trio.BrokenResourceError():
            return _broken(error, text, streaming=streaming, whom=whom)
        case family.HTTPError() | family.StreamError():
            return StreamError(text, error_type=StreamErrorType.FATAL_ERROR)
        case _:
            return None


def _is_bad_request(error: Exception, family: ModuleType, *, streaming: bool) -> bool:
    match error:
        case family.LocalProtocolError() | family.UnsupportedProtocol():
            return True
        case family.InvalidURL() | family.CookieConflict():
            return True
        case UnicodeError():
            # From encoders of Python: a host that IDNA cannot spell, a header that is not ASCII.
            return not streaming
        case _:
            # h11's own, which httpcore lets through while it sends a body: too short, too long.
            return type(error).__name__ == "LocalProtocolError"


def _broken(error: Exception, text: str, *, streaming: bool, whom: str) -> StreamError:
    if streaming:
        interrupted = StreamErrorType.STREAM_INTERRUPTED
        return StreamError(f"the stream broke off: {text}", error_type=interrupted)
    # The certificate will be the same the next time.
    untrusted = any(isinstance(root, ssl.SSLCertVerificationError) for root in _roots(error))
    return StreamError(
        f"no response from {whom}: {text}",
        error_type=StreamErrorType.CONNECTION_ERROR,
        is_retryable=False if untrusted else None,
    )


def _refused_by_hook(error: Any) -> StreamError:
    response = error.response
    head = StreamResponse.of(response)
    try:
        body = response.content
    except RuntimeError:  # the hook has not read it, or not as a whole
        body = b""
    if head.status_code < 400:
        return not_a_stream(head, "a hook of the client has refused it", body)
    return status_error(head, body)


def _describe(error: BaseException) -> str:
    text = str(error)
    # "all attempts to connect to example.org:443 failed", or nothing at all of a TLS handshake:
    # why is told by the exceptions below.
    below = (str(root) for root in _roots(error) if root is not error and isinstance(root, OSError))
    reasons = dict.fromkeys(reason for reason in below if reason not in text)
    told = ": ".join(part for part in (text, "; ".join(reasons)) if part)
    return f"{told or 'no details'} ({type(error).__name__})"


def _roots(error: BaseException) -> Iterator[BaseException]:
    """What lies at the root of ``error``, such as what the operating system or OpenSSL said."""
    # httpcore hides the cause of its exceptions, but each has what it stands for as its argument.
    # The way is not by __context__: that may lead to what the caller is handling.
    candidates: tuple[object, ...] = (error.__cause__, *error.args[:1])
    if isinstance(error, BaseExceptionGroup):  # one for each address of the host
        candidates = cast("BaseExceptionGroup[BaseException]", error).exceptions
    below = [each for each in candidates if isinstance(each, BaseException)]
    for each in below:
        yield from _roots(each)
    if not below:
        yield error
