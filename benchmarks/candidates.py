"""Who is compared over loopback: each a client, and how it reads a stream of the server.

A candidate is made in a worker process of its own, and only where its library is installed. What
is imported by name only is an extra, or may not be there.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from types import ModuleType
from typing import Any, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

import attrs
import httpx
import trio

from trio_stream import StreamConfig, open_stream
from trio_stream.dialects import AnthropicMessages, OpenAIChat

from .runtimes import ASYNCIO, TRIO, Runtime
from .server import END, EVENT, HEAD, STAMP, burst, event_of, in_chunk

__all__ = [
    "ANTHROPIC",
    "BASE",
    "CANDIDATES",
    "MEMCPY",
    "NODE",
    "OPENAI",
    "OURS",
    "OURS_2",
    "OURS_KEEPS_NONE",
    "OURS_STOCK",
    "OURS_STOCK_2",
    "RAW",
    "SDK",
    "Candidate",
    "Kind",
]

Kind: TypeAlias = Literal["events", "typed"]
"""What the consumer is given: events, or their data as a value."""

NODE = "Node fetch"
"""The one candidate that is not Python: ``node_client.mjs``."""

ASKED = {"model": "m", "messages": [{"role": "user", "content": "go on"}]}
"""What the models are asked."""


class Candidate(Protocol):
    """A library, and the client that it streams with."""

    runtime: Runtime

    def client(self, url: str) -> AbstractAsyncContextManager[Any]:
        """Make a client; the URL is that of the server."""

    def open(self, client: Any, url: str) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Open a stream."""

    async def read(self, client: Any, url: str, kind: Kind) -> int:
        """Read a stream to its end; how many events were in it."""

    def stamp(self, item: Any) -> int:
        """When an event was sent."""


@attrs.define
class Reader:
    """A library that makes events.

    Attributes:
        make_client: Makes its client.
        opener: Opens a stream with a client.
        runtime: What it runs on.
    """

    make_client: Callable[[], AbstractAsyncContextManager[Any]]
    opener: Callable[[Any, str], AbstractAsyncContextManager[AsyncIterator[Any]]]
    runtime: Runtime = TRIO

    def client(self, url: str) -> AbstractAsyncContextManager[Any]:
        """Make its client."""
        return self.make_client()

    def open(self, client: Any, url: str) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Open a stream."""
        return self.opener(client, url)

    async def read(self, client: Any, url: str, kind: Kind) -> int:
        """Count the events, or the values that the standard library makes of their data."""
        seen = 0
        loads = json.loads
        async with self.opener(client, url) as events:
            if kind == "typed":
                async for event in events:
                    loads(event.data)
                    seen += 1
            else:
                async for _ in events:
                    seen += 1
        return seen

    def stamp(self, item: Any) -> int:
        """The stamp stands in the data."""
        return int(item.data[STAMP])


@attrs.frozen
class Delta:
    """What the typed items of the server are, in part."""

    type: str
    text: str


@attrs.frozen
class BlockDelta:
    """A typed item."""

    type: str
    index: int
    delta: Delta


@attrs.define
class Ours(Reader):
    """trio_stream, as it comes: watchdogs, limits, outcome; it makes messages, too.

    Attributes:
        options: For `StreamConfig`.
    """

    opener: Any = attrs.field(default=None, init=False)
    options: Mapping[str, Any] = attrs.field(factory=dict[str, Any], kw_only=True)

    def open(self, client: Any, url: str) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Open a stream."""
        return self._open(client, url)

    def _open(self, client: Any, url: str, **more: Any) -> AbstractAsyncContextManager[Any]:
        # Connections to a busy server may take their time.
        config = StreamConfig(connect_timeout=60, **self.options)
        return open_stream("GET", url, client=client, config=config, **more)

    async def read(self, client: Any, url: str, kind: Kind) -> int:
        """Count the items."""
        seen = 0
        more: dict[str, Any] = {"item": BlockDelta} if kind == "typed" else {}
        async with self._open(client, url, **more) as items:
            async for _ in items:
                seen += 1
        return seen

    async def assemble(self, client: Any, url: str) -> str:
        """Read a message, item by item; its text."""
        is_anthropic = "/anthropic/" in url
        dialect: Any = AnthropicMessages() if is_anthropic else OpenAIChat()
        url += "/v1/messages" if is_anthropic else "/chat/completions"
        body = {**ASKED, "stream": True}
        async with open_stream("POST", url, client=client, json=body, dialect=dialect) as items:
            async for _ in items:
                pass
            message = await items.result()
        assert message.is_complete
        return str(message.text)


@asynccontextmanager
async def open_httpx_sse(client: httpx.AsyncClient, url: str) -> AsyncGenerator[Any]:
    """httpx-sse."""
    module = importlib.import_module("httpx_sse")
    async with module.aconnect_sse(client, "GET", url) as source:
        yield source.aiter_sse()


@asynccontextmanager
async def open_httpx2_sse(client: Any, url: str) -> AsyncGenerator[Any]:
    """httpx2's own."""
    async with client.sse(url) as source:
        yield source.__aiter__()


@asynccontextmanager
async def open_launchdarkly(session: Any, url: str) -> AsyncGenerator[Any]:
    """launchdarkly-eventsource's asynchronous client."""
    strategies = importlib.import_module("ld_eventsource.config.async_connect_strategy")
    clients = importlib.import_module("ld_eventsource.async_client")
    strategy = strategies.AsyncConnectStrategy.http(url, session=session)
    async with clients.AsyncSSEClient(strategy) as source:
        yield source.events


def stock(family: ModuleType) -> AbstractAsyncContextManager[Any]:
    """A client of httpx or httpx2, without limits."""
    limits = family.Limits(max_connections=None, max_keepalive_connections=None)
    client: AbstractAsyncContextManager[Any] = family.AsyncClient(
        verify=False, timeout=None, limits=limits
    )
    return client


def on_own_transport(family: ModuleType, transport: Any) -> AbstractAsyncContextManager[Any]:
    """The same on our transport."""
    client: AbstractAsyncContextManager[Any] = family.AsyncClient(
        transport=transport(verify=False), timeout=None
    )
    return client


def _aiohttp_session() -> AbstractAsyncContextManager[Any]:
    aiohttp = importlib.import_module("aiohttp")
    session: AbstractAsyncContextManager[Any] = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    )
    return session


# --- those that make no events: the limits ------------------------------------------------------


def _in_path(url: str) -> tuple[int, int, int]:
    """How many events a URL asks for; the bytes of one, and of one in its HTTP chunk."""
    _, count, *size = urlsplit(url).path.strip("/").split("/")
    event = event_of(int(size[0])) if size else EVENT
    return int(count), len(event), len(in_chunk(event))


def _stamp_in(data: bytes) -> int:
    """The last stamp in what was read, which as a rule is the only one; 0: there is none."""
    start = data.rfind(b'{"t":"')
    return int(data[start:][STAMP]) if start >= 0 and len(data) - start >= STAMP.stop else 0


ONCE = "host: x\r\nconnection: close\r\n"


class RawTrio:
    """The physical limit: a socket of trio's, and nothing done with what comes."""

    runtime = TRIO

    @asynccontextmanager
    async def client(self, url: str) -> AsyncGenerator[Any]:
        """There is none."""
        yield None

    @asynccontextmanager
    async def open(self, client: Any, url: str) -> AsyncGenerator[AsyncIterator[Any]]:
        """Send a request, and hand out what comes."""
        parts = urlsplit(url)
        async with await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 80)) as stream:
            await stream.send_all(f"GET {parts.path} HTTP/1.1\r\n{ONCE}\r\n".encode())
            yield stream.__aiter__()

    async def read(self, client: Any, url: str, kind: Kind) -> int:
        """Count the bytes."""
        received = -len(HEAD) - len(END)
        async with self.open(client, url) as stream:
            async for data in stream:
                received += len(data)
        count, _, chunk = _in_path(url)
        return count if received == count * chunk else -1

    def stamp(self, item: Any) -> int:
        """Look for it."""
        return _stamp_in(item)


class RawAiohttp:
    """aiohttp on asyncio, and nothing done with the pieces of the body."""

    runtime = ASYNCIO

    def client(self, url: str) -> AbstractAsyncContextManager[Any]:
        """A session without limits."""
        return _aiohttp_session()

    @asynccontextmanager
    async def open(self, client: Any, url: str) -> AsyncGenerator[AsyncIterator[Any]]:
        """Hand out what comes."""
        async with client.get(url) as response:
            yield response.content.iter_any().__aiter__()

    async def read(self, client: Any, url: str, kind: Kind) -> int:
        """Count the bytes."""
        received = 0
        async with self.open(client, url) as pieces:
            async for data in pieces:
                received += len(data)
        count, event, _ = _in_path(url)
        return count if received == count * event else -1

    def stamp(self, item: Any) -> int:
        """Look for it."""
        return _stamp_in(item)


class Memcpy(RawTrio):
    """The other physical limit: the bytes of the stream, copied once, from memory to memory."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[memoryview, bytearray]] = {}

    async def read(self, client: Any, url: str, kind: Kind) -> int:
        """Copy what the server would send, as much at a time."""
        count, event, chunk = _in_path(url)
        place = self._places.get(urlsplit(url).path)
        if place is None:  # once, in the round that does not count
            piece = burst(count, 0 if event == len(EVENT) else event)
            place = self._places[urlsplit(url).path] = memoryview(piece), bytearray(len(piece))
        source, into = place
        whole, rest = divmod(count * chunk, len(source))
        for _ in range(whole):
            into[:] = source
        into[:rest] = source[:rest]
        return count


# --- official SDKs ------------------------------------------------------------------------------


@attrs.define
class SDK:
    """An official SDK, with the client that it makes, and the helper that accumulates.

    Attributes:
        make_client: Makes its client.
        assemble: Reads one answer, item by item, to its end; the text of the message.
    """

    make_client: Callable[[str], AbstractAsyncContextManager[Any]]
    assemble: Callable[[Any, str], Awaitable[str]]
    runtime: Runtime = TRIO

    def client(self, url: str) -> AbstractAsyncContextManager[Any]:
        """Make its client."""
        return self.make_client(url)


def _anthropic_client(url: str) -> AbstractAsyncContextManager[Any]:
    anthropic = importlib.import_module("anthropic")
    client: AbstractAsyncContextManager[Any] = anthropic.AsyncAnthropic(api_key="k", base_url=url)
    return client


async def _assemble_with_anthropic(client: Any, url: str) -> str:
    async with client.messages.stream(**ASKED, max_tokens=9) as stream:
        async for _ in stream:
            pass
        message = await stream.get_final_message()
    return "".join(block.text for block in message.content if block.type == "text")


def _openai_client(url: str) -> AbstractAsyncContextManager[Any]:
    openai = importlib.import_module("openai")
    client: AbstractAsyncContextManager[Any] = openai.AsyncOpenAI(api_key="k", base_url=url)
    return client


async def _assemble_with_openai(client: Any, url: str) -> str:
    async with client.chat.completions.stream(**ASKED) as stream:
        async for _ in stream:
            pass
        completion = await stream.get_final_completion()
    return completion.choices[0].message.content or ""


# --- by name ------------------------------------------------------------------------------------


def _family(name: str) -> ModuleType:
    return importlib.import_module(name)


def _own_client(name: str) -> Callable[[], AbstractAsyncContextManager[Any]]:
    transport = importlib.import_module("trio_stream.transport").TrioTransport
    return partial(on_own_transport, _family(name), transport)


def _launchdarkly() -> Reader:
    importlib.import_module("ld_eventsource.async_client")
    return Reader(_aiohttp_session, open_launchdarkly, ASYNCIO)


def _raw_aiohttp() -> RawAiohttp:
    importlib.import_module("aiohttp")
    return RawAiohttp()


def _httpx_sse_on(name: str) -> Reader:
    importlib.import_module("httpx_sse")
    return Reader(partial(stock, _family(name)), open_httpx_sse)


OURS = "trio_stream"
OURS_KEEPS_NONE = "trio_stream, keeps none"
"""With ``max_kept_items=0``: the others keep no events, while ours has a result."""
OURS_2 = "trio_stream, httpx2"
OURS_STOCK = "trio_stream on httpx"
OURS_STOCK_2 = "trio_stream on httpx2"
BASE = "httpx-sse on httpx"
RAW = "raw trio socket"
MEMCPY = "memcpy"

ANTHROPIC = "anthropic"
OPENAI = "openai"


def _sdk(name: str, make_client: Any, assemble: Any) -> SDK:
    importlib.import_module(name)
    return SDK(make_client, assemble)


CANDIDATES: Mapping[str, Callable[[], Candidate | SDK]] = {
    MEMCPY: Memcpy,
    RAW: RawTrio,
    OURS: lambda: Ours(_own_client("httpx")),
    OURS_KEEPS_NONE: lambda: Ours(_own_client("httpx"), options={"max_kept_items": 0}),
    OURS_2: lambda: Ours(_own_client("httpx2")),
    OURS_STOCK: lambda: Ours(partial(stock, _family("httpx"))),
    OURS_STOCK_2: lambda: Ours(partial(stock, _family("httpx2"))),
    BASE: lambda: _httpx_sse_on("httpx"),
    "httpx-sse on httpx2": lambda: _httpx_sse_on("httpx2"),
    "httpx2's sse": lambda: Reader(partial(stock, _family("httpx2")), open_httpx2_sse),
    "launchdarkly": _launchdarkly,
    "raw aiohttp": _raw_aiohttp,
    ANTHROPIC: lambda: _sdk("anthropic", _anthropic_client, _assemble_with_anthropic),
    OPENAI: lambda: _sdk("openai", _openai_client, _assemble_with_openai),
}
"""Makes each, by name; `ImportError`: it is not here."""
