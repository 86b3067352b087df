"""Bodies that are read piece by piece: what is sent, how often it can be, and what is left."""

from __future__ import annotations

import gzip
import io
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio

from tests.pipeline.test_cancel_everywhere import CancelAtStep
from tests.pipeline.worlds import MEMORY, SOCKETS, WORLDS, World
from trio_stream.config import StreamConfig
from trio_stream.connection import RequestSpec, connect
from trio_stream.errors import StreamError, StreamErrorType, StreamTimeoutError
from trio_stream.testing import Event, Head, Refuse, Request, assert_no_leaks

everywhere = pytest.mark.parametrize("world", WORLDS, ids=attrgetter("name"))
in_memory = pytest.mark.parametrize("world", MEMORY, ids=attrgetter("name"))
# Worker threads take real time.
over_sockets = pytest.mark.parametrize("world", SOCKETS, ids=attrgetter("name"))

HELLO = [Event("hello")]
PARTS = [b"one ", b"", b"two ", b"three"]
WHOLE = b"one two three"


def posting(**arguments: Any) -> RequestSpec:
    return RequestSpec(method="POST", url="/", **arguments)


async def send(client: Any, server: Any, spec: RequestSpec, **settings: Any) -> int:
    """Make a request, once; the status."""
    spec = attrs.evolve(spec, url=server.url + spec.url)
    connection = await connect(spec, client, StreamConfig(**settings))
    await connection.aclose()
    return connection.response.status_code


def sent(world: World, spec: RequestSpec, times: int = 1) -> list[Request]:
    """What a server saw of a request that was made several times, each time redirected."""

    def plan(request: Request) -> Any:
        return Head(307, headers={"location": "/there"}) if request.path == "/" else HELLO

    async def main() -> list[Request]:
        async with assert_no_leaks(), world.serve(plan) as (client, server):
            client.follow_redirects = True
            for _ in range(times):
                assert await send(client, server, spec) == 200
            return list(server.requests)

    requests: list[Request] = world.run(main)
    assert [request.path for request in requests] == ["/", "/there"] * times
    return requests


def sent_once(world: World, spec: RequestSpec) -> Request:
    """What a server saw of a request that was made once."""

    async def main() -> Request:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            assert await send(client, server, spec) == 200
            [request] = server.requests
            return request

    request: Request = world.run(main)
    return request


async def agenerated(closed: list[str] | None = None) -> AsyncIterator[bytes]:
    try:
        for part in PARTS:
            await trio.lowlevel.checkpoint()
            yield part
    finally:
        if closed is not None:
            closed.append("closed")


def generated(closed: list[str] | None = None) -> Iterator[bytes]:
    try:
        yield from PARTS
    finally:
        if closed is not None:
            closed.append("closed")


class Again:
    """An iterable that begins anew each time."""

    def __iter__(self) -> Iterator[bytes]:
        return generated()


class AsyncAgain:
    """An async iterable that begins anew each time."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return agenerated()


class OtherIterator:
    """Its iterator is another object, though it looks like one itself."""

    def __iter__(self) -> Iterator[bytes]:
        return iter(PARTS)

    def __next__(self) -> bytes:
        raise AssertionError("nobody asks for this")


class BothFaces(AsyncAgain):
    """May be iterated over in both ways; an asynchronous client takes the one that is its own."""

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("nobody asks for this")


class BothFacesOnce(BothFaces):
    """The plain face is an iterator, but that is not the one that is used."""

    def __iter__(self) -> BothFacesOnce:
        return self

    def __next__(self) -> bytes:
        raise AssertionError("nobody asks for this")


class OwnAsyncIterator:
    def __init__(self) -> None:
        self._parts = iter(PARTS)

    def __aiter__(self) -> OwnAsyncIterator:
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            return part
        raise StopAsyncIteration


class NoSeek(io.BytesIO):
    """A file that can only be read on."""

    name = "<tape>"

    def seekable(self) -> bool:
        return False

    def seek(self, *where: int) -> int:
        raise io.UnsupportedOperation

    tell = seek


# ---- whether a request can be sent again -----------------------------------------------------

REPEATABLE: dict[str, Callable[[], dict[str, Any]]] = {
    "nothing": dict,
    "bytes": lambda: {"content": b"x"},
    "bytearray": lambda: {"content": bytearray(b"x")},
    "str": lambda: {"content": "x"},
    "json": lambda: {"json": [1]},
    "form": lambda: {"data": {"a": "b"}},
    "list": lambda: {"content": PARTS},
    "iterable": lambda: {"content": Again()},
    "async iterable": lambda: {"content": AsyncAgain()},
    "both faces": lambda: {"content": BothFacesOnce()},
    "its iterator is another": lambda: {"content": OtherIterator()},
    "BytesIO": lambda: {"content": io.BytesIO(WHOLE)},
    "data as content": lambda: {"data": PARTS},
    "files of bytes": lambda: {"files": {"f": b"x", "g": ("name", "text")}},
    "files": lambda: {"files": [("f", io.BytesIO(b"x"))]},
    "content before files": lambda: {"content": b"x", "files": {"f": NoSeek()}},
    "data before content": lambda: {"data": b"x", "content": generated()},
}

ONE_SHOT: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "generator": (lambda: {"content": generated()}, "its body is a generator"),
    "async generator": (lambda: {"content": agenerated()}, "its body is an async generator"),
    "iterator": (lambda: {"content": map(bytes, [])}, "its body is an iterator (map)"),
    "list iterator": (lambda: {"content": iter(PARTS)}, "its body is an iterator (list_iterator)"),
    "own iterator": (
        lambda: {"content": OwnAsyncIterator()},
        "its body is an async iterator (OwnAsyncIterator)",
    ),
    "file": (
        lambda: {"content": NoSeek(b"x")},
        "its body is a file that cannot be rewound (<tape>)",
    ),
    "data": (lambda: {"data": generated()}, "its body is a generator"),
    "data, file": (
        lambda: {"data": NoSeek(b"x")},
        "its body is a file that cannot be rewound (<tape>)",
    ),
    "read only": (
        lambda: {"content": SimpleNamespace(read=io.BytesIO(b"x").read)},
        "its body is a file that cannot be rewound (SimpleNamespace)",
    ),
    "files": (
        lambda: {"files": {"f": b"x", "g": NoSeek(b"x")}},
        "a file in its body cannot be rewound (<tape>)",
    ),
    "files, pairs": (
        lambda: {"files": [("f", NoSeek(b"x"))]},
        "a file in its body cannot be rewound (<tape>)",
    ),
    "files, tuples": (
        lambda: {"files": {"f": ("name", NoSeek(b"x"), "text/plain", {"X": "y"})}},
        "a file in its body cannot be rewound (<tape>)",
    ),
    "form and files": (
        lambda: {"data": {"a": "b"}, "files": {"f": NoSeek(b"x")}},
        "a file in its body cannot be rewound (<tape>)",
    ),
}


@pytest.mark.parametrize("name", REPEATABLE)
def test_request_that_can_be_sent_again(name: str) -> None:
    """A body that can be read from its beginning makes no request unrepeatable."""
    spec = posting(**REPEATABLE[name]())
    assert (spec.one_shot, spec.spent) == ("", "")
    assert attrs.evolve(spec, last_event_id="1").one_shot == ""


@pytest.mark.parametrize("name", ONE_SHOT)
def test_request_that_cannot_be_sent_again(name: str) -> None:
    """A body that is gone once it was read is known by its form, before it is read."""
    arguments, why = ONE_SHOT[name]
    spec = posting(**arguments())
    assert (spec.one_shot, spec.spent) == (why, "")
    assert attrs.evolve(spec, last_event_id="1").one_shot == why
    assert spec.changed({"add_headers": {"X": "y"}}).one_shot == why
    assert spec.changed({"json": [1]}).one_shot == ""


def test_looking_reads_nothing() -> None:
    """To find out whether a body can be sent again takes nothing from it."""

    class Watched(OwnAsyncIterator):
        async def __anext__(self) -> bytes:
            raise AssertionError("read")

    def watched() -> Iterator[bytes]:
        raise AssertionError("read")
        yield b""

    class Untold(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise AssertionError("read")

    for content in (Watched(), watched(), Untold(b"x"), map(watched, "ab")):
        spec = posting(content=content)
        assert spec.one_shot or isinstance(content, Untold)
        assert attrs.evolve(spec).spent == ""


def test_text_is_refused(tmp_path: Path) -> None:
    """A file in text mode is a mistake that is told before anything is sent."""
    path = tmp_path / "text"
    path.write_text("text", encoding="utf-8")
    with (
        path.open(encoding="utf-8") as text,
        tempfile.NamedTemporaryFile("w+") as named,
        tempfile.SpooledTemporaryFile(mode="w+") as spooled,
    ):
        for file in (text, named, spooled, io.StringIO("text")):
            arguments: list[dict[str, Any]] = [
                {"content": file},
                {"data": file},
                {"files": {"f": file}},
                {"files": [("f", ("name", file))]},
            ]
            for argument in arguments:
                with pytest.raises(TypeError, match="binary mode"):
                    posting(**argument)


def test_async_file_in_a_form(tmp_path: Path) -> None:
    """An asynchronous file among those of a form, which no client can send, is refused."""
    file = trio.wrap_file(io.BytesIO(b"x"))
    with pytest.raises(TypeError, match="async"):
        posting(files={"f": file})
    assert posting(content=file).one_shot == "its body is an async iterator (AsyncIOWrapper)"


# ---- what is sent ----------------------------------------------------------------------------

STREAMED: dict[str, Callable[[], Any]] = {
    "list": lambda: PARTS,
    "iterable": Again,
    "async iterable": AsyncAgain,
    "other iterator": OtherIterator,
    "both faces": BothFaces,
    "both faces, one of them once": BothFacesOnce,
    "bytearrays": lambda: [bytearray(WHOLE[:5]), memoryview(WHOLE[5:])],
}


@everywhere
@pytest.mark.parametrize("name", STREAMED)
def test_iterables_are_sent_again_and_again(world: World, name: str) -> None:
    """An iterable gives the same body to each attempt and each redirect."""
    requests = sent(world, posting(content=STREAMED[name]()), times=3)
    assert [request.body for request in requests] == [WHOLE] * 6
    assert all(request.headers["transfer-encoding"] == "chunked" for request in requests)


@in_memory
@pytest.mark.parametrize("name", ["generator", "async generator", "list iterator", "own iterator"])
def test_iterators_are_sent_once(world: World, name: str) -> None:
    """An iterator gives its body to the first attempt."""
    request = sent_once(world, posting(**ONE_SHOT[name][0]()))
    assert request.body == WHOLE


@in_memory
def test_lengths_of_the_caller_s(world: World) -> None:
    """A length that the caller knows is sent in place of chunks."""
    for content in (Again(), AsyncAgain(), PARTS, io.BytesIO(WHOLE), NoSeek(WHOLE)):
        headers = {"CONTENT-length": str(len(WHOLE))}
        request = sent_once(world, posting(content=content, headers=headers))
        assert request.headers["content-length"] == str(len(WHOLE))
        assert "transfer-encoding" not in request.headers
        assert request.body == WHOLE
    request = sent_once(
        world, posting(content=io.BytesIO(WHOLE), headers={"Transfer-Encoding": "chunked"})
    )
    assert "content-length" not in request.headers
    assert request.body == WHOLE


@in_memory
@pytest.mark.parametrize("start", [0, 4, len(WHOLE), 99])
def test_file_from_where_it_stands(world: World, start: int) -> None:
    """A file is sent from where it stood when the request was described, each time, measured."""
    file = io.BytesIO(WHOLE)
    file.seek(start)
    spec = posting(content=file)
    file.seek(7)
    requests = sent(world, attrs.evolve(spec), times=2)
    assert [request.body for request in requests] == [WHOLE[start:]] * 4
    lengths = [request.headers["content-length"] for request in requests]
    assert lengths == [str(len(WHOLE[start:]))] * 4
    assert not file.closed


@over_sockets
def test_large_file_on_disk(world: World, tmp_path: Path) -> None:
    """A file on disk is sent in pieces, from where it stood, each time, and stays open."""
    content = bytes(range(256)) * 1024
    path = tmp_path / "large"
    path.write_bytes(content)
    with path.open("rb") as file:
        file.seek(1000)
        requests = sent(world, posting(content=file), times=2)
        assert not file.closed
    assert [len(request.body) for request in requests] == [len(content) - 1000] * 4
    assert all(request.body == content[1000:] for request in requests)
    assert requests[0].headers["content-length"] == str(len(content) - 1000)


@over_sockets
def test_compressed_file(world: World, tmp_path: Path) -> None:
    """A file that is decompressed as it is read has the length of what is read."""
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(WHOLE * 1000))
    with gzip.open(path) as file:
        requests = sent(world, posting(content=file))
    assert [request.body for request in requests] == [WHOLE * 1000] * 2
    assert requests[0].headers["content-length"] == str(len(WHOLE) * 1000)


@over_sockets
def test_file_is_read_in_a_worker_thread(world: World) -> None:
    """No file but one in memory is read in the thread of the event loop."""
    import threading  # noqa: PLC0415 (a test of threads)

    threads = set()

    class Disk(io.RawIOBase):
        left = 3

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1, /) -> bytes:
            threads.add(threading.current_thread())
            self.left -= 1
            return b"x" if self.left >= 0 else b""

    for arguments in ({"content": Disk()}, {"files": {"f": Disk()}}):
        request = sent_once(world, posting(**arguments))
        assert b"xxx" in request.body
        assert request.headers["transfer-encoding"] == "chunked"
    assert threads
    assert threading.main_thread() not in threads


@over_sockets
def test_pipe(world: World) -> None:
    """A pipe is sent once, in chunks, for nobody knows its length."""
    for form in ("content", "files"):
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as file, open(write_end, "wb") as other:  # noqa: PTH123
            other.write(WHOLE)
            other.close()
            spec = posting(**{form: file if form == "content" else {"f": ("name", file)}})
            assert "cannot be rewound" in spec.one_shot
            request = sent_once(world, spec)
        assert WHOLE in request.body
        assert request.headers["transfer-encoding"] == "chunked"


@over_sockets
@pytest.mark.parametrize("form", ["content", "files"])
def test_pipe_that_never_brings_anything(world: World, form: str) -> None:
    """A file that is waited for keeps no request from being given up."""
    read_end, write_end = os.pipe()

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            spec = posting(**{form: file if form == "content" else {"f": file}})
            with pytest.raises(StreamTimeoutError):
                await send(client, server, spec, headers_timeout=0.05)
            assert await send(client, server, posting()) == 200

    with open(read_end, "rb", buffering=0) as file:  # noqa: PTH123
        try:
            world.run(main)
        finally:
            os.close(write_end)


@in_memory
def test_file_that_grows(world: World) -> None:
    """Of a file that grows as much is sent as was announced, in each attempt."""
    file = io.BytesIO(WHOLE)
    spec = posting(content=file)

    async def main() -> None:
        async with world.serve(HELLO) as (client, server):
            for _ in range(2):
                await send(client, server, spec)
                file.seek(0, os.SEEK_END)
                file.write(b"more")
            assert [request.body for request in server.requests] == [WHOLE] * 2

    world.run(main)


@in_memory
def test_file_that_shrinks(world: World) -> None:
    """A file that became shorter than was announced makes a bad request, and breaks no other."""
    file = io.BytesIO(WHOLE)
    spec = posting(content=file)

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            await send(client, server, spec)
            file.truncate(3)
            with pytest.raises(StreamError) as caught:
                await send(client, server, spec)
            assert caught.value.error_type is StreamErrorType.CLIENT_ERROR
            assert await send(client, server, posting()) == 200

    world.run(main)


@in_memory
@pytest.mark.parametrize("form", ["mapping", "pairs", "iterator", "tuples"])
def test_files_of_a_form(world: World, form: str) -> None:
    """The files of a form are sent whole and with their length, each time, wherever they stand."""

    def files() -> Any:
        one, two = io.BytesIO(b"of the first"), io.BytesIO(b"of the second")
        two.seek(5)
        if form == "tuples":
            return {"f": ("a.txt", one), "g": ("b.txt", two, "text/x", {"X-Y": "z"})}
        fields: dict[str, Any] = {"f": one, "g": two, "h": b"bytes", "i": ("name", "text")}
        pairs = list(fields.items())
        return {"mapping": fields, "pairs": pairs, "iterator": iter(pairs)}[form]

    requests = sent(world, posting(files=files(), data={"field": "value"}), times=2)
    for request in requests:
        assert int(request.headers["content-length"]) == len(request.body)
        for part in (b'name="field"', b'name="f"', b"of the first", b"of the second"):
            assert request.body.count(part) == 1
        assert (b"X-Y: z" in request.body) is (form == "tuples")


@over_sockets
def test_files_of_a_form_on_disk(world: World, tmp_path: Path) -> None:
    """Files on disk keep their names and lengths in a form, each time."""
    path = tmp_path / "named.csv"
    path.write_bytes(WHOLE * 10_000)
    with path.open("rb") as file, path.open("rb") as other:
        file.seek(10)
        requests = sent(world, posting(files={"f": file, "g": ("g", other)}), times=2)
    for request in requests:
        assert b'filename="named.csv"\r\nContent-Type: text/csv' in request.body
        assert request.body.count(WHOLE * 10_000) == 2
        assert int(request.headers["content-length"]) == len(request.body)


@in_memory
def test_data_in_place_of_content(world: World) -> None:
    """What is not a form is sent as it is, and the client still warns of the old name."""
    for data in (Again(), AsyncAgain(), io.BytesIO(WHOLE), PARTS, b"one two three"):
        with pytest.warns(DeprecationWarning, match="content="):
            request = sent_once(world, posting(data=data, content=b"not this"))
        assert request.body == WHOLE


@over_sockets
@pytest.mark.parametrize(
    "content",
    [["text"], [1], (None,), SimpleNamespace(read=lambda size: "text")],
    ids=["text", "number", "nothing", "reads text"],
)
def test_body_of_other_things(world: World, content: Any) -> None:
    """A body of anything but bytes is a mistake in the program, and breaks no other request."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            with pytest.raises(TypeError, match="made of bytes"):
                await send(client, server, posting(content=content))
            assert await send(client, server, posting()) == 200

    world.run(main)


@in_memory
@pytest.mark.parametrize("content", [7, {"a": 1}, object()], ids=["int", "dict", "object"])
def test_body_that_is_none(world: World, content: Any) -> None:
    """What no client takes as a body it refuses in its own words."""

    async def main() -> None:
        async with world.serve(HELLO) as (client, server):
            with pytest.raises(TypeError, match="Unexpected type for 'content'"):
                await send(client, server, posting(content=content))
            assert server.requests == []

    world.run(main)


# ---- a body that is gone ---------------------------------------------------------------------


@over_sockets
@pytest.mark.parametrize("name", sorted(set(ONE_SHOT) - {"data", "data, file", "iterator"}))
def test_body_that_is_gone(world: World, name: str) -> None:
    """What was sent once is not sent a second time: neither whole nor as if it were empty."""
    spec = posting(**ONE_SHOT[name][0]())

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            await send(client, server, spec)
            assert spec.spent == spec.one_shot != ""
            for again in (spec, attrs.evolve(spec, last_event_id="1"), spec.changed({})):
                with pytest.raises(StreamError) as caught:
                    await send(client, server, again)
                assert not caught.value.is_retryable
                assert caught.value.__notes__ == [
                    f"The request cannot be sent again: {spec.one_shot}"
                ]
                assert isinstance(caught.value.__cause__, world.family.StreamConsumed)
            await send(client, server, spec.changed({"content": b"new"}))
            assert [request.body for request in server.requests][1:] == [b"new"]

    world.run(main)


@everywhere
def test_body_that_was_never_begun(world: World) -> None:
    """A request that never came to its body can be made again, whatever the body is."""
    for name in ("generator", "async generator", "own iterator", "list iterator"):
        spec = posting(**ONE_SHOT[name][0]())

        async def main(spec: RequestSpec = spec) -> None:
            async with assert_no_leaks(), world.serve([Refuse(), HELLO]) as (client, server):
                with pytest.raises(StreamError) as caught:
                    await send(client, server, spec)
                assert caught.value.is_retryable
                if spec.spent:  # over sockets the refusal may be seen only when the body is sent
                    return
                assert await send(client, server, spec) == 200
                [request] = server.requests
                assert request.body == WHOLE

        world.run(main)


class GivenUp:
    """An iterable that has its reader cancelled behind the first piece."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.events: list[str] = []

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield b"one"
            self.scope.cancel()
            yield b"two"
            self.events.append("read on")
        finally:
            self.events.append("closed")


class AsyncGivenUp(GivenUp):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            yield b"one"
            self.scope.cancel()
            yield b"two"
            self.events.append("read on")
        finally:
            self.events.append("closed")


@everywhere
@pytest.mark.parametrize("own", [False, True], ids=["theirs", "ours"])
@pytest.mark.parametrize("kind", [GivenUp, AsyncGivenUp])
def test_generators_are_closed(world: World, kind: type[GivenUp], own: bool) -> None:
    """A generator is closed when its request is given up, whoever has made it."""

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            body = kind()
            begin: Any = aiter if isinstance(body, AsyncGivenUp) else iter
            content = body if own else begin(body)
            with body.scope:
                await send(client, server, posting(content=content))
            assert body.scope.cancelled_caught
            del content
            assert body.events == ["closed"]
            assert await send(client, server, posting()) == 200

    world.run(main)


class SlowMemory(io.RawIOBase):
    """A file that is read in worker threads, as if it were on a disk."""

    def __init__(self) -> None:
        self._memory = io.BytesIO(WHOLE)

    def read(self, size: int = -1, /) -> bytes:
        return self._memory.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._memory.seek(offset, whence)

    def tell(self) -> int:
        return self._memory.tell()

    def seekable(self) -> bool:
        return True


CANCELLED: dict[str, Callable[[], dict[str, Any]]] = {
    "generator": lambda: {"content": generated()},
    "async generator": lambda: {"content": agenerated()},
    "iterable": lambda: {"content": Again()},
    "async iterable": lambda: {"content": AsyncAgain()},
    "file": lambda: {"content": io.BytesIO(WHOLE)},
    "form": lambda: {"files": {"f": io.BytesIO(WHOLE)}},
    "disk": lambda: {"content": SlowMemory()},
    "form, disk": lambda: {"files": {"f": SlowMemory()}},
}


# Over sockets: worker threads take real time.
@over_sockets
@pytest.mark.parametrize("name", CANCELLED)
def test_cancelled_at_every_step(world: World, name: str) -> None:
    """A request that is given up at any step leaves nothing; a body that can be is sent again."""

    async def attempt(client: Any, server: Any, n: int) -> bool:
        spec = posting(**CANCELLED[name]())
        canceller = CancelAtStep(n)

        async def root() -> None:
            canceller.root = trio.lowlevel.current_task()
            with canceller.scope:
                await send(client, server, spec)

        trio.lowlevel.add_instrument(canceller)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(root)
        trio.lowlevel.remove_instrument(canceller)
        server.requests.clear()
        if not spec.spent:
            assert await send(client, server, spec) == 200
            [request] = server.requests
            assert WHOLE in request.body
        return canceller.has_fired

    async def main() -> None:
        async with assert_no_leaks(), world.serve(HELLO) as (client, server):
            n = 1
            while await attempt(client, server, n):
                n += 1
            assert n > 5

    world.run(main)
