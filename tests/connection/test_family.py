"""Clients: of either library, of the caller's or our own, used and left as they were."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Generator
from importlib import import_module
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import httpx
import httpx2
import pytest
import trio

from tests.connection.asking import HELLO, ask, fail
from tests.pipeline.worlds import FAMILIES, MEMORY, SOCKETS, WORLDS, World, is_ours
from trio_stream.config import StreamConfig
from trio_stream.connection import _family as family_module
from trio_stream.connection import own_client
from trio_stream.connection._family import family_of
from trio_stream.errors import StreamError, StreamStatusError, StreamTimeoutError
from trio_stream.outcome import Ending
from trio_stream.pipeline import open_stream
from trio_stream.testing import (
    Head,
    Raw,
    Request,
    Reset,
    Send,
    Stall,
    Step,
    Truncate,
    assert_no_leaks,
    serve,
)

in_memory = pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
families = pytest.mark.parametrize("family", [httpx, httpx2], ids=attrgetter("__name__"))

# ---- which library ---------------------------------------------------------------------------


@families
async def test_family_of_a_client(family: Any) -> None:
    """The library is found from the class, of a subclass of any depth too."""

    class Mine(family.AsyncClient):  # type: ignore[misc]
        pass

    class Deeper(Mine):
        pass

    for cls in (family.AsyncClient, Mine, Deeper):
        async with cls(verify=False) as client:
            assert family_of(client) is family


class AsyncClient:
    """A namesake."""


@pytest.mark.parametrize(
    "client",
    [AsyncClient(), httpx.AsyncClient, "http://x", SimpleNamespace(send=None), object()],
    ids=["namesake", "class", "str", "namespace", "object"],
)
async def test_something_else_as_a_client(client: Any) -> None:
    """What is no asynchronous client of either library is refused by name, on entering."""
    with pytest.raises(TypeError, match="AsyncClient"):
        await ask(client, "http://127.0.0.1:1/")


@families
async def test_synchronous_client(family: Any) -> None:
    """A synchronous client cannot be used, and is told apart."""
    with family.Client(verify=False) as client, pytest.raises(TypeError, match="AsyncClient"):
        await ask(client, "http://127.0.0.1:1/")


# ---- our own ---------------------------------------------------------------------------------


async def test_own_client_is_httpx2_s_if_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An own client is of the newer library, else of httpx."""
    async with own_client() as first:
        assert isinstance(first, httpx2.AsyncClient)
    monkeypatch.setattr(family_module, "_preferred", lambda: httpx)
    async with own_client() as second:
        assert isinstance(second, httpx.AsyncClient)


async def test_own_client_has_our_transport() -> None:
    """Where httptools is installed, an own client sends its requests over our transport."""
    pytest.importorskip("httptools")
    async with own_client() as client:
        assert is_ours(client._transport)


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
async def test_own_client_and_a_proxy_of_another_kind(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A proxy that our transport does not speak to is left to that of the library."""
    monkeypatch.setenv(name, "https://proxy.test:3128")
    async with own_client() as client:
        assert not is_ours(client._transport)
        assert client._mounts


async def test_own_client_without_httptools(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, an own client is as the library makes it; certificates are loaded once."""
    found = importlib.util.find_spec
    hidden = lambda name: None if name == "httptools" else found(name)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    clients = [own_client(), own_client()]
    first, second = (client._transport._pool._ssl_context for client in clients)  # type: ignore[union-attr]
    assert first is second
    async with serve(HELLO) as server:
        for client in clients:
            assert await ask(client, server.url) == ["hello"]
            await client.aclose()


@pytest.mark.parametrize("family_name", FAMILIES)
@pytest.mark.parametrize("end", ["complete", "truncated", "status", "type", "leave", "cancel"])
async def test_own_client_is_closed(
    monkeypatch: pytest.MonkeyPatch, family_name: str, end: str
) -> None:
    """An own client is closed whatever happens; it follows redirects."""
    family = import_module(family_name)
    monkeypatch.setattr(family_module, "_preferred", lambda: family)
    made = []

    def make() -> Any:
        made.append(own_client())
        return made[-1]

    monkeypatch.setattr("trio_stream.pipeline._opening.own_client", make)
    steps = {
        "complete": HELLO,
        "truncated": [*HELLO, Truncate()],
        "status": [Head(500)],
        "type": [Head(content_type="text/html")],
    }.get(end, [*HELLO, Stall()])

    def plan(request: Request) -> Any:
        return Head(302, headers={"location": "/there"}) if request.path == "/" else steps

    async with assert_no_leaks(), serve(plan) as server:
        with trio.CancelScope() as scope:
            try:
                async with open_stream("GET", server.url) as rx:
                    if end == "cancel":
                        scope.cancel()
                        await trio.sleep_forever()
                    if end != "leave":
                        await rx.result()
            except StreamError:
                assert end in ("truncated", "status", "type")
        [client] = made
        assert client.is_closed
        await server.wait_disconnected()


@pytest.mark.parametrize("library", [True, False], ids=["stock", "ours"])
@pytest.mark.parametrize("family", [httpx, httpx2], ids=attrgetter("__name__"))
@pytest.mark.parametrize("end", [Stall(), Reset()], ids=["stall", "reset"])
@pytest.mark.parametrize("length", [None, 500])
async def test_own_client_does_not_read_what_comes_with_a_redirect(
    monkeypatch: pytest.MonkeyPatch, family: Any, library: bool, end: Step, length: int | None
) -> None:
    """A redirect is followed when its head has come: its body may be without an end."""
    monkeypatch.setattr(family_module, "_preferred", lambda: family)
    if library:
        monkeypatch.setattr(family_module, "_own_transport", lambda: None)
    away = Head(302, headers={"location": "/next"}, length=length)
    body = Send(b"x" * (65536 if length is None else length - 1))
    with trio.fail_after(10):
        async with assert_no_leaks(), serve([[away, body, end], HELLO]) as server:
            assert await ask(None, server.url) == ["hello"]
            assert [request.target for request in server.requests] == ["/", "/next"]


@pytest.mark.parametrize("family", [httpx, httpx2], ids=attrgetter("__name__"))
async def test_length_of_a_redirect_that_is_none(
    monkeypatch: pytest.MonkeyPatch, family: Any
) -> None:
    """Beside a Transfer-Encoding a length says nothing: a body without an end is not read."""
    monkeypatch.setattr(family_module, "_preferred", lambda: family)
    monkeypatch.setattr(family_module, "_own_transport", lambda: None)  # ours refuses both
    head = b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 5\r\n"
    away = [Raw(head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), Stall()]
    with trio.fail_after(10):
        async with assert_no_leaks(), serve([away, HELLO]) as server:
            assert await ask(None, server.url) == ["hello"]


@pytest.mark.parametrize("library", [True, False], ids=["stock", "ours"])
@pytest.mark.parametrize("family", [httpx, httpx2], ids=attrgetter("__name__"))
@pytest.mark.parametrize("body", [b"", b"moved"])
async def test_own_client_keeps_its_connection_over_a_redirect(
    monkeypatch: pytest.MonkeyPatch, family: Any, library: bool, body: bytes
) -> None:
    """A usual redirect has a short body or none: what follows is asked on the same connection."""
    monkeypatch.setattr(family_module, "_preferred", lambda: family)
    if library:
        monkeypatch.setattr(family_module, "_own_transport", lambda: None)
    away = Head(302, headers={"location": "/next"}, length=len(body))
    async with assert_no_leaks(), serve([[away, Send(body)], HELLO]) as server:
        assert await ask(None, server.url) == ["hello"]
        assert [request.connection for request in server.requests] == [1, 1]


# ---- the caller's ----------------------------------------------------------------------------


def state_of(client: Any) -> tuple[Any, ...]:
    return (
        client.is_closed,
        list(client.headers.raw),
        client.timeout,
        client.base_url,
        client.params,
        dict(client.cookies),
        client.auth,
        client.event_hooks,
        client.follow_redirects,
        client.trust_env,
    )


@pytest.mark.parametrize("world", WORLDS, ids=attrgetter("name"))
@pytest.mark.parametrize("end", ["complete", "truncated", "status", "type", "leave", "cancel"])
def test_the_caller_s_client_stays_as_it_is(world: World, end: str) -> None:
    """A client that was passed in is neither closed nor changed, however the stream ends."""
    steps: Any = {
        "complete": HELLO,
        "truncated": [*HELLO, Truncate()],
        "status": [Head(500)],
        "type": [Head(content_type="text/html")],
    }.get(end, [*HELLO, Stall()])

    async def main() -> None:
        async with assert_no_leaks(), world.serve([steps, HELLO]) as (client, server):
            client.headers["X-Client"] = "yes"
            client.timeout = 1e-9  # would end anything
            before = state_of(client)
            with trio.CancelScope() as scope:
                try:
                    async with open_stream(
                        "GET", server.url, client=client, headers={"X-Mine": "1"}
                    ) as rx:
                        if end == "cancel":
                            scope.cancel()
                            await trio.sleep_forever()
                        if end != "leave":
                            await rx.result()
                except StreamError:
                    assert end in ("truncated", "status", "type")
            assert state_of(client) == before
            assert await ask(client, server.url) == ["hello"]
            first, last = server.requests
            assert first.headers["x-client"] == last.headers["x-client"] == "yes"
            assert "x-mine" not in last.headers

    world.run(main)


@in_memory
def test_cookies_are_the_client_s_affair(world: World) -> None:
    """Cookies that a response sets are kept by the client and go out with its next request."""
    script = [Head(headers={"set-cookie": "a=1; Path=/"}), *HELLO]

    async def main() -> None:
        async with world.serve(script) as (client, server):
            await ask(client, f"{server.url}")
            assert dict(client.cookies) == {"a": "1"}
            await ask(client, server.url)
            assert [request.headers.get("cookie") for request in server.requests] == [None, "a=1"]

    world.run(main)


@in_memory
def test_base_url_and_parameters(world: World) -> None:
    """A relative URL is joined to the client's base URL, parameters to its own."""

    async def main() -> None:
        async with world.serve(HELLO) as (client, server):
            client.base_url = f"{server.url}/v1"
            client.params = {"key": "k"}
            assert await ask(client, "chat", params={"q": "…"}) == ["hello"]
            assert await ask(client, world.family.URL(f"{server.url}/whole")) == ["hello"]
            first, second = server.requests
            assert (first.path, second.path) == ("/v1/chat", "/whole")
            assert "key=k" in first.query
            assert "q=%E2%80%A6" in first.query

    world.run(main)


@in_memory
def test_subclass_of_a_client(world: World) -> None:
    """A subclass is used as it is, with what it overrides."""

    class Mine(world.family.AsyncClient):  # type: ignore[misc]
        sent = 0

        async def send(self, *args: Any, **options: Any) -> Any:
            self.sent += 1
            return await super().send(*args, **options)

    async def main() -> None:
        async with (
            world.serve(HELLO) as (client, server),
            Mine(transport=client._transport) as mine,
        ):
            assert await ask(mine, server.url) == ["hello"]
            assert mine.sent == 1

    world.run(main)


@in_memory
def test_closed_client(world: World) -> None:
    """A client that was closed says so itself: the program is wrong, not the network."""

    async def main() -> None:
        async with world.serve(HELLO) as (client, server):
            await client.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await ask(client, server.url)

    world.run(main)


# ---- what a client does on its own -----------------------------------------------------------


@in_memory
def test_hooks_of_a_client(world: World) -> None:
    """The hooks of a client run, and may change the request, or read the response first."""
    seen = []

    async def on_request(request: Any) -> None:
        request.headers["X-Signed"] = request.headers["accept"]

    async def on_response(response: Any) -> None:
        seen.append((response.status_code, await response.aread()))

    async def main() -> None:
        async with assert_no_leaks(), world.serve([HELLO, Head(500)]) as (client, server):
            client.event_hooks = {"request": [on_request], "response": [on_response]}
            assert await ask(client, server.url) == ["hello"]
            assert "event-stream" in server.requests[0].headers["x-signed"]
            assert isinstance(await fail(client, server.url), StreamStatusError)
            assert seen == [(200, b"data: hello\n\n"), (500, b"")]

    world.run(main)


@in_memory
def test_hook_that_raises(world: World) -> None:
    """What a hook raises is the caller's own, and the connection is free again."""
    mine = LookupError("mine")

    async def hook(response: Any) -> None:
        if not seen:
            seen.append(response)
            raise mine

    seen: list[Any] = []

    async def main() -> None:
        async with assert_no_leaks(), world.serve([[*HELLO, Stall()], HELLO]) as (client, server):
            client.event_hooks = {"request": [], "response": [hook]}
            with pytest.raises(LookupError) as caught:
                await ask(client, server.url)
            assert caught.value is mine
            assert await ask(client, server.url) == ["hello"]
            seen.clear()

    world.run(main)


@in_memory
def test_authentication_of_a_client(world: World) -> None:
    """A client that authenticates in several steps does so; ours is the last answer."""

    class Ask(world.family.Auth):  # type: ignore[misc]
        def auth_flow(self, request: Any) -> Generator[Any, Any, None]:
            response = yield request
            if response.status_code == 401:
                request.headers["Authorization"] = "token"
                yield request

    def plan(request: Request) -> Any:
        return HELLO if request.headers.get("authorization") == "token" else Head(401)

    async def main() -> None:
        async with assert_no_leaks(), world.serve(plan) as (client, server):
            assert (await fail(client, server.url)).status_code == 401
            client.auth = Ask()
            assert await ask(client, server.url) == ["hello"]
            client.auth = ("user", "password")
            error = await fail(client, server.url)
            assert error.status_code == 401
            assert server.requests[-1].headers["authorization"].startswith("Basic ")

    world.run(main)


# ---- transports without a network ------------------------------------------------------------


@in_memory
def test_mock_transport(world: World) -> None:
    """A client over a mock transport serves streams and errors."""
    family = world.family

    def handle(request: Any) -> Any:
        if request.url.path == "/500":
            return family.Response(500, text="broken")
        headers = {"content-type": "text/event-stream"}
        if request.url.path == "/gzip":
            headers["content-encoding"] = "gzip"
            return family.Response(200, headers=headers, content=gzip.compress(b"data: hello\n\n"))
        return family.Response(200, headers=headers, content=b"data: hello\n\n")

    async def main() -> None:
        async with family.AsyncClient(transport=family.MockTransport(handle)) as client:
            assert await ask(client, "http://x/") == ["hello"]
            assert await ask(client, "http://x/gzip") == ["hello"]
            error = await fail(client, "http://x/500")
            assert (error.status_code, error.response_body) == (500, "broken")

    world.run(main)


@in_memory
@pytest.mark.parametrize(("seconds", "fails"), [(50, False), (150, True)])
def test_slow_mock_transport(world: World, seconds: float, fails: bool) -> None:
    """A transport that reports no progress has the time for the response head, not to connect."""
    family = world.family

    async def handle(request: Any) -> Any:
        await trio.sleep(seconds)
        return family.Response(200, headers={"content-type": "text/event-stream"})

    async def main() -> None:
        config = StreamConfig(connect_timeout=1, headers_timeout=100)
        async with family.AsyncClient(transport=family.MockTransport(handle)) as client:
            if fails:
                error = await fail(client, "http://x/", config=config)
                assert isinstance(error, StreamTimeoutError)
                assert error.layer == "headers"
                assert trio.current_time() == pytest.approx(100)
            else:
                assert await ask(client, "http://x/", config=config) == []

    world.run(main)


@in_memory
def test_mock_transport_that_raises(world: World) -> None:
    """A transport's exceptions are mapped, its mistakes are not."""
    family = world.family
    errors: list[Exception] = [family.ConnectError("no"), LookupError("mistake")]

    def handle(request: Any) -> Any:
        raise errors.pop(0)

    async def main() -> None:
        async with family.AsyncClient(transport=family.MockTransport(handle)) as client:
            assert isinstance((await fail(client, "http://x/")).__cause__, family.ConnectError)
            with pytest.raises(LookupError, match="mistake"):
                await ask(client, "http://x/")

    world.run(main)


@in_memory
def test_asgi_transport(world: World) -> None:
    """A client over an ASGI application, which knows no progress either, reads its streams."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep(30)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number in range(3):
            body = b"data: %d\n\n" % number
            await send({"type": "http.response.body", "body": body, "more_body": number < 2})

    async def main() -> None:
        transport = world.family.ASGITransport(app)
        config = StreamConfig(connect_timeout=1)
        async with assert_no_leaks(), world.family.AsyncClient(transport=transport) as client:
            assert await ask(client, "http://x/", config=config) == ["0", "1", "2"]
            async with open_stream("GET", "http://x/", client=client, config=config) as rx:
                await rx.receive()
            assert rx.outcome.ending is Ending.CLOSED

    world.run(main)


@pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))
async def test_both_families_in_one_process(world: World) -> None:
    """Streams of both libraries run side by side."""
    async with (
        serve([Head(), Send(b"data: hello\n\n")]) as server,
        world.new_client() as client,
        open_stream("GET", server.url) as own,
        open_stream("GET", server.url, client=client) as given,
    ):
        assert [event.data for event in await own.result()] == ["hello"]
        assert [event.data for event in await given.result()] == ["hello"]
