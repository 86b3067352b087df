"""Every exception of the HTTP libraries becomes one of ours, and says what was wrong."""

from __future__ import annotations

import errno
import inspect
import ssl
from importlib import import_module
from operator import attrgetter
from types import ModuleType
from typing import Any

import pytest
import trio

from tests.connection.asking import HELLO, ask, fail
from tests.pipeline.tls import contexts, needs_openssl, serve_tls
from tests.pipeline.worlds import FAMILIES, MEMORY, SOCKETS, World
from trio_stream.config import StreamConfig
from trio_stream.connection._errors import lacked_a_slot, map_error
from trio_stream.errors import (
    NotAStreamError,
    StreamError,
    StreamErrorType,
    StreamStatusError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from trio_stream.testing import (
    Head,
    Refuse,
    Send,
    Stall,
    Truncate,
    assert_no_leaks,
    closed_port,
    serve,
)

Type = StreamErrorType

# By name: the type before there is a response, and while it is read.
CONNECTION = (Type.CONNECTION_ERROR, Type.STREAM_INTERRUPTED)
TIMEOUT = (Type.TIMEOUT, Type.TIMEOUT)
REQUEST = (Type.CLIENT_ERROR, Type.CLIENT_ERROR)
FATAL = (Type.FATAL_ERROR, Type.FATAL_ERROR)
EXPECTED = {
    "CloseError": CONNECTION,
    "ConnectError": CONNECTION,
    "ConnectTimeout": TIMEOUT,
    "CookieConflict": REQUEST,
    "DecodingError": FATAL,
    "HTTPError": FATAL,
    "HTTPStatusError": (Type.SERVER_ERROR, Type.SERVER_ERROR),
    "InvalidURL": REQUEST,
    "LocalProtocolError": REQUEST,
    "NetworkError": CONNECTION,
    "PoolTimeout": TIMEOUT,
    "ProtocolError": CONNECTION,
    "ProxyError": CONNECTION,
    "ReadError": CONNECTION,
    "ReadTimeout": TIMEOUT,
    "RemoteProtocolError": CONNECTION,
    "RequestError": FATAL,
    "RequestNotRead": FATAL,
    "ResponseNotRead": FATAL,
    "SSEError": CONNECTION,
    "StreamClosed": FATAL,
    "StreamConsumed": FATAL,
    "StreamError": FATAL,
    "TimeoutException": TIMEOUT,
    "TooManyRedirects": FATAL,
    "TransportError": CONNECTION,
    "UnsupportedProtocol": REQUEST,
    "WriteError": CONNECTION,
    "WriteTimeout": TIMEOUT,
}
LAYERS = {
    "ConnectTimeout": ("connect", "connect"),
    "PoolTimeout": ("connect", "connect"),
    "ReadTimeout": ("headers", "idle"),
    "TimeoutException": ("headers", "idle"),
    "WriteTimeout": ("headers", "idle"),
}


def exceptions_of(family: ModuleType) -> list[type[Exception]]:
    return [
        thing
        for _, thing in inspect.getmembers(family, inspect.isclass)
        if issubclass(thing, Exception) and not issubclass(thing, Warning)
    ]


def instance_of(cls: type[Exception], family: ModuleType) -> Exception:
    """An exception with whatever its class asks for."""
    request = family.Request("GET", "http://x/")
    values = {"message": "so it went", "request": request, "response": family.Response(503)}
    values["response"].request = request
    parameters = list(inspect.signature(cls.__init__).parameters)[1:]
    return cls(**{name: values[name] for name in parameters})


@pytest.mark.parametrize(
    "cls",
    [cls for name in FAMILIES for cls in exceptions_of(import_module(name))],
    ids=lambda cls: f"{cls.__module__}.{cls.__name__}",
)
@pytest.mark.parametrize("streaming", [False, True])
def test_every_exception_is_mapped(cls: type[Exception], streaming: bool) -> None:
    """Each exception class of a library, a future one included, has its place in our tree."""
    family = import_module(cls.__module__.partition(".")[0])
    error = instance_of(cls, family)
    mapped = map_error(error, family, streaming=streaming)
    assert mapped is not None
    assert mapped.error_type is EXPECTED[cls.__name__][streaming]
    assert mapped.is_retryable is mapped.error_type.is_retryable
    assert mapped.original_exception is mapped.__cause__ is error
    if cls.__name__ in LAYERS:
        assert isinstance(mapped, StreamTimeoutError)
        assert lacked_a_slot(mapped) is (cls.__name__ == "PoolTimeout")
        assert mapped.layer == LAYERS[cls.__name__][streaming]
    elif cls.__name__ == "HTTPStatusError":
        assert isinstance(mapped, StreamStatusError)
    else:
        assert type(mapped) is StreamError
        assert cls.__name__ in str(mapped)


@pytest.mark.parametrize("name", FAMILIES)
def test_exceptions_of_others_are_left_alone(name: str) -> None:
    """What is no exception of the library is not ours to rename."""
    family = import_module(name)
    for error in (RuntimeError(), ValueError(), ExceptionGroup("", [OSError()])):
        assert map_error(error, family, streaming=False) is None
    assert map_error(UnicodeError(), family, streaming=True) is None


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "text",
    [
        "peer closed connection without sending complete message body (received 1 bytes)",
        "peer unexpectedly closed connection",
    ],
    ids=["in the body", "in its framing"],
)
def test_body_cut_short_is_truncated(name: str, text: str) -> None:
    """That the bytes ended too early is told apart from other breaches of the protocol."""
    family = import_module(name)
    error = family.RemoteProtocolError(text)
    assert isinstance(map_error(error, family, streaming=True), StreamTruncatedError)
    assert type(map_error(error, family, streaming=False)) is StreamError


@pytest.mark.parametrize("name", FAMILIES)
def test_reasons_are_told_once_and_from_below(name: str) -> None:
    """The text has what the system said of each address, and nothing of what the caller handles."""
    family = import_module(name)
    refused = OSError(errno.ECONNREFUSED, "refused")
    unreachable = OSError(errno.ENETUNREACH, "unreachable")
    outer = family.ConnectError("all attempts failed")
    outer.__cause__ = OSError("all attempts failed")
    outer.__cause__.__cause__ = ExceptionGroup("", [unreachable, refused, refused])
    unreachable.__context__ = OSError("of the caller's")
    text = str(map_error(outer, family, streaming=False))
    assert text.count("unreachable") == text.count("refused") == text.count("all attempts") == 1
    assert "caller" not in text
    assert "no details" in str(map_error(family.ConnectError(""), family, streaming=False))


# ---- of the real libraries -------------------------------------------------------------------

BAD_URLS = {
    "http://a..b/": Type.CLIENT_ERROR,
    f"http://{'a' * 70}.test/": Type.CLIENT_ERROR,
    "ftp://x/": Type.CLIENT_ERROR,
    "data:text/plain,x": Type.CLIENT_ERROR,
    "/relative": Type.CLIENT_ERROR,
    "": Type.CLIENT_ERROR,
    "http://": Type.CLIENT_ERROR,
    "http://[::1": Type.CLIENT_ERROR,
    "http://x:port/": Type.CLIENT_ERROR,
    "http://x\0/": Type.CLIENT_ERROR,
    "http://\u2028.test/": Type.CLIENT_ERROR,
}


@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
@pytest.mark.parametrize("url", BAD_URLS, ids=lambda url: ascii(url)[:24])
async def test_bad_url(world: World, url: str) -> None:
    """A URL that cannot be asked is an error of the request, whoever finds it out."""
    async with assert_no_leaks(), world.new_client() as client:
        error = await fail(client, url)
        assert error.error_type is BAD_URLS[url]
        assert str(error).startswith("bad request: ")


@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_connection_refused(world: World) -> None:
    """A refused connection says so: not only that all attempts failed."""
    async with assert_no_leaks(), world.new_client() as client:
        with closed_port() as url:
            error = await fail(client, url)
    assert error.error_type is Type.CONNECTION_ERROR
    assert error.is_retryable
    assert "Connection refused" in str(error)


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_connection_refused_in_memory(world: World) -> None:
    """A refusal is no more than that: the next attempt finds the pool as it was."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve([[Refuse()], HELLO]) as (client, server):
            error = await fail(client, server.url)
            assert error.error_type is Type.CONNECTION_ERROR
            assert "refused" in str(error)
            assert await ask(client, server.url) == ["hello"]

    world.run(main)


@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_unknown_host(world: World) -> None:
    """A name that nobody knows is a failed connection, with the resolver's words."""

    class Resolver(trio.abc.HostnameResolver):
        async def getaddrinfo(self, *args: Any, **more: Any) -> Any:
            await trio.lowlevel.checkpoint()
            raise OSError(-2, "Name or service not known")

        async def getnameinfo(self, *args: Any, **more: Any) -> Any:
            raise NotImplementedError

    trio.socket.set_custom_hostname_resolver(Resolver())
    async with world.new_client() as client:
        error = await fail(client, "http://nowhere.invalid/")
    assert error.error_type is Type.CONNECTION_ERROR
    assert str(error).count("Name or service not known") == 1


@needs_openssl
@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_certificate_that_nobody_trusts(world: World) -> None:
    """A certificate that does not verify is named as the reason, and not asked for again."""
    verify = ssl.create_default_context(cafile=None)
    async with (
        assert_no_leaks(),
        serve_tls(HELLO) as server,
        world.new_client(verify=verify) as client,
        world.new_client(verify=contexts()[1]) as trusting,
    ):
        error = await fail(client, server.url)
        assert error.error_type is Type.CONNECTION_ERROR
        assert not error.is_retryable
        assert "certificate verify failed" in str(error)
        assert await ask(trusting, server.url) == ["hello"]


@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_tls_with_a_server_that_has_none(world: World) -> None:
    """A failed handshake has its reason in the text."""
    async with assert_no_leaks(), serve(HELLO) as server, world.new_client() as client:
        error = await fail(client, server.url.replace("http:", "https:"))
        assert error.error_type is Type.CONNECTION_ERROR
        assert "SSL" in str(error)


@pytest.mark.parametrize("name", FAMILIES)
async def test_proxy_that_wants_a_password(name: str) -> None:
    """A proxy that refuses its key will refuse it the next time; one that is busy may not."""
    family = import_module(name)
    answers = [[Head(407)], [Head(502)]]
    async with (
        assert_no_leaks(),
        serve(answers) as proxy,
        family.AsyncClient(proxy=proxy.url) as client,
    ):
        refused = await fail(client, "https://far.test/")
        busy = await fail(client, "https://far.test/")
    assert (refused.error_type, refused.status_code) == (Type.AUTHENTICATION_ERROR, 407)
    assert not refused.is_retryable
    assert (busy.error_type, busy.is_retryable) == (Type.CONNECTION_ERROR, True)


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_port_that_cannot_be(world: World) -> None:
    """A port past the last one is refused: systems cut it down, and ask another service."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            error = await fail(client, "http://127.0.0.1:99999/")
            assert error.error_type is Type.CLIENT_ERROR
            assert "there is no port 99999" in str(error)
            assert not server.requests

    world.run(main)


@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_host_in_the_text(world: World) -> None:
    """An error in front of a response names the host that gave none: behind a redirect, another."""
    with closed_port() as url:
        away = Head(302, headers={"location": url.replace("127.0.0.1", "localhost")}, length=0)
        silent = [Stall()]
        async with (
            assert_no_leaks(),
            serve([[away], HELLO, silent]) as server,
            world.new_client(follow_redirects=True) as client,
        ):
            error = await fail(client, server.url)
            assert str(error).startswith("no response from localhost: ")
            assert await ask(client, server.url) == ["hello"]
            error = await fail(client, server.url, config=StreamConfig(headers_timeout=0.05))
            assert "no response head from 127.0.0.1 within" in str(error)


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_too_many_redirects(world: World) -> None:
    """A circle of redirects is nothing that another attempt, or another request, could mend."""

    async def main() -> None:
        circle = Head(302, headers={"location": "/again", "content-length": "0"}, framing="close")
        async with assert_no_leaks(), world.serve(circle) as (client, server):
            client.follow_redirects = True
            client.max_redirects = 3
            error = await fail(client, server.url)
            assert error.error_type is Type.FATAL_ERROR
            assert isinstance(error.__cause__, world.family.TooManyRedirects)
            assert len(server.requests) == 4

    world.run(main)


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
def test_server_without_an_answer(world: World) -> None:
    """A server that hangs up without an answer did not respond, and may the next time."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve(Truncate()) as (client, server):
            error = await fail(client, server.url)
            assert error.error_type is Type.CONNECTION_ERROR
            assert error.is_retryable
            assert "disconnected without sending a response" in str(error)

    world.run(main)


# ---- of the client's own hooks ---------------------------------------------------------------


@pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
@pytest.mark.parametrize(("status", "cls"), [(429, StreamStatusError), (302, NotAStreamError)])
@pytest.mark.parametrize("reads", ["nothing", "lines", "all"])
def test_hook_that_raises_for_status(
    world: World, status: int, cls: type[StreamError], reads: str
) -> None:
    """A client whose hook calls ``raise_for_status`` loses nothing of the typed error."""

    async def hook(response: Any) -> None:
        if reads == "all":
            await response.aread()
        elif reads == "lines":
            assert [line async for line in response.aiter_lines()]
        response.raise_for_status()

    bad = [Head(status, headers={"retry-after": "3", "request-id": "r"}), Send(b"why")]

    async def main() -> None:
        async with assert_no_leaks(), world.serve([bad, HELLO]) as (client, server):
            client.event_hooks = {"request": [], "response": [hook]}
            error = await fail(client, server.url)
            assert type(error) is cls
            assert (error.status_code, error.retry_after) == (status, 3.0)
            assert error.request_id == "r"
            assert error.response_body == ("why" if reads == "all" else "")
            assert isinstance(error.__cause__, world.family.HTTPStatusError)
            client.event_hooks = {}
            assert await ask(client, server.url) == ["hello"]

    world.run(main)
