"""What a request may send besides plain bytes: iterables and files, and whether it can do so again.

Theory of operation
-------------------

The arguments of a request are looked at when it is described, before anything is read. Whatever is
read piece by piece becomes a `BodyIterable` or a `BodyFile`, which knows

* whether there is a second time (``one_shot``). An iterator is at its end after the first. A list,
  or an object whose ``__iter__`` or ``__aiter__`` begins anew, is not. A file is not if it can be
  rewound: as ``content`` to where it stood then, in ``files`` to its beginning, as httpx does.
* whether the first time has begun (``has_begun``). A request that never came so far can still be
  made, whatever its body is.

The httpx of today takes no plain iterable and no file as ``content`` of an asynchronous client, and
reads the files of a form in the thread of the event loop. Here they are read in worker threads. An
iterable is asked for its pieces in the event loop, where its own code belongs.
"""

from __future__ import annotations

import functools
import inspect
import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Final, Self, TypeAlias, cast, final

import trio

__all__ = [
    "BodyFile",
    "BodyIterable",
    "BodySource",
    "Pieces",
    "as_content",
    "as_data",
    "as_files",
    "files_in",
]

# As httpx reads files.
_PIECE_SIZE = 64 * 1024

_END: Final = object()


@final
class Pieces:
    """The pieces of a body out of a plain iterator, which may run in worker threads.

    Args:
        pieces: Yields bytes. A generator is closed in the end.
        in_thread: Whether each step is made in a worker thread, for it may block.
        abandon: Whether cancellation leaves a thread behind that may never return.
    """

    def __init__(
        self, pieces: Iterator[object], *, in_thread: bool = False, abandon: bool = False
    ) -> None:
        self._pieces = pieces
        self._in_thread = in_thread
        self._abandon = abandon

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._in_thread:
            piece = await trio.to_thread.run_sync(
                next, self._pieces, _END, abandon_on_cancel=self._abandon
            )
        else:
            piece = next(self._pieces, _END)
        if piece is _END:
            raise StopAsyncIteration
        return _as_bytes(piece)

    async def aclose(self) -> None:
        """Close the iterator if it is a generator."""
        if inspect.isgenerator(self._pieces):
            self._pieces.close()


@final
class _AsyncPieces:
    """The pieces of a body out of an async iterator."""

    def __init__(self, pieces: AsyncIterator[object]) -> None:
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return _as_bytes(await self._pieces.__anext__())

    async def aclose(self) -> None:
        """Close the iterator if it is a generator."""
        if inspect.isasyncgen(self._pieces):
            await self._pieces.aclose()


@final
class BodyIterable:
    """A body out of a plain or an asynchronous iterable of bytes.

    Attributes:
        one_shot: Why it cannot be sent again; ``""`` if it can.
        has_begun: Whether it was begun to be read.
    """

    def __init__(self, source: Iterable[object] | AsyncIterable[object]) -> None:
        self._source = source
        self.one_shot = _why_one_shot(source)
        self.has_begun = False

    def __aiter__(self) -> Pieces | _AsyncPieces:
        if isinstance(self._source, AsyncIterable):
            return _AsyncPieces(aiter(self._source))
        return Pieces(iter(self._source))


@final
class BodyFile:
    """A binary file as a body or as a part of one: the same bytes each time.

    It is measured once, and no more than that is ever read of it, however it grows: a length that
    was announced must be kept. Not thread-safe; the file is never closed.

    Args:
        file: Has ``read``.
        whole: Whether to begin at its beginning instead of where it stands.

    Attributes:
        name: The name of the file, if it has one.
        one_shot: Why it cannot be sent again; ``""`` if it can.
        has_begun: Whether it was begun to be read.
        size: How many bytes are sent; `None` until it is measured, or if that cannot be done.
        may_block: Whether reading may wait for a disk or a pipe.

    Raises:
        TypeError: It is in text mode, or asynchronous.
    """

    name: object

    def __init__(self, file: Any, *, whole: bool) -> None:
        name: object = getattr(file, "name", None)
        shown = type(file).__name__ if name is None else name
        # A temporary file that has a name is none of io's, but passes its encoding on.
        if isinstance(file, io.TextIOBase) or hasattr(file, "encoding"):
            raise TypeError(f"a file must be opened in binary mode, not as text ({shown})")
        if isinstance(file, AsyncIterable):
            raise TypeError(f"a file of a form must be a plain binary file, not async ({shown})")
        if name is not None:
            self.name = name
        self._file = file
        self._start = _position(file)
        if whole and self._start is not None:
            self._start = 0
        self.one_shot = ""
        if self._start is None:
            self.one_shot = f"its body is a file that cannot be rewound ({shown})"
            if whole:
                self.one_shot = f"a file in its body cannot be rewound ({shown})"
        self.has_begun = False
        self.size: int | None = None
        self.may_block = not isinstance(file, io.BytesIO)
        self._is_rewound = True
        self._left: int | None = None

    def measure(self) -> None:
        """Find ``size`` out. May block: the end of a compressed file is found by reading it."""
        if self.size is not None or self._start is None:
            return
        try:
            self._file.seek(0, os.SEEK_END)
            self.size = max(0, self._file.tell() - self._start)
        except (OSError, ValueError):
            pass  # it has no end that one could go to; if it is closed, reading it will say so

    def __aiter__(self) -> Pieces:
        self._is_rewound = True
        pieces = iter(functools.partial(self.read, _PIECE_SIZE), b"")
        return Pieces(pieces, in_thread=self.may_block, abandon=bool(self.one_shot))

    def read(self, size: int) -> bytes:
        """Read up to ``size`` bytes; ``b""`` is the end."""
        if self._is_rewound:
            if self._start is not None:
                self._file.seek(self._start)
            self._left = self.size
            self._is_rewound = False
        if self._left is not None:
            size = min(size, self._left)
        if size == 0:
            return b""
        piece = _as_bytes(self._file.read(size))
        if self._left is not None:
            self._left -= len(piece)
        return piece

    # This is how httpx finds out how long a file of a form is, and begins to read it.

    def tell(self) -> int:
        """Nothing has been read yet."""
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to the beginning, or say where the end is.

        Raises:
            OSError: The file cannot be rewound, or was not measured.
        """
        if whence == os.SEEK_END and self.size is not None:
            return self.size
        if whence == os.SEEK_END or self._start is None:
            raise io.UnsupportedOperation
        self._is_rewound = True
        return offset


BodySource: TypeAlias = BodyIterable | BodyFile


def as_content(content: Any) -> object:
    """``content`` with what is read piece by piece made a `BodySource`; the rest as it is.

    Raises:
        TypeError: A file in text mode.
    """
    if content is None or isinstance(content, str | bytes | dict | BodySource):
        return cast("object", content)
    if isinstance(content, bytearray | memoryview):
        return bytes(cast("bytearray", content))
    # The asynchronous face goes first if there are two.
    if isinstance(content, AsyncIterable):
        return BodyIterable(cast("AsyncIterable[object]", content))
    if _is_file(content):
        return BodyFile(content, whole=False)
    if isinstance(content, Iterable):
        return BodyIterable(cast("Iterable[object]", content))
    return content


def as_data(data: Any) -> object:
    """``data``: the fields of a form or, as an old name of it, ``content``.

    Raises:
        TypeError: A file in text mode.
    """
    return cast("object", data) if isinstance(data, Mapping) else as_content(data)


def as_files(files: Any) -> list[tuple[Any, object]] | None:
    """``files`` in any form that httpx takes, with a `BodyFile` in place of each file.

    Raises:
        TypeError: A file in text mode, or an asynchronous one.
    """
    if not files:
        return None
    pairs: Iterable[Any] = cast("Any", files).items() if isinstance(files, Mapping) else files
    return [(name, _as_file_field(field)) for name, field in pairs]


def files_in(files: list[tuple[Any, object]] | None) -> Iterator[BodyFile]:
    """The files in what `as_files` has made."""
    for _, field in files or ():
        for each in cast("Iterable[object]", field if isinstance(field, tuple) else (field,)):
            if isinstance(each, BodyFile):
                yield each


def _as_file_field(field: object) -> object:
    if isinstance(field, tuple):  # the file's name, the file, its content type, its headers
        return tuple(map(_as_file_field, cast("tuple[object, ...]", field)))
    if _is_file(field) and not isinstance(field, BodyFile):
        return BodyFile(field, whole=True)
    return field


def _is_file(thing: object) -> bool:
    return callable(getattr(thing, "read", None))


def _position(file: Any) -> int | None:
    """Where a file stands; `None` if one cannot return there."""
    if not (hasattr(file, "seek") and hasattr(file, "tell")):
        return None
    try:
        if hasattr(file, "seekable") and not file.seekable():
            return None
        return int(file.tell())
    except OSError:
        return None


def _why_one_shot(source: object) -> str:
    # Only what has __next__ can be its own iterator; no other object is asked for one so early.
    if inspect.isasyncgen(source):
        return "its body is an async generator"
    if isinstance(source, AsyncIterator):
        source = cast("AsyncIterator[object]", source)
        return f"its body is an async iterator ({_type(source)})" if aiter(source) is source else ""
    if inspect.isgenerator(source):
        return "its body is a generator"
    if isinstance(source, Iterator) and not isinstance(source, AsyncIterable):
        source = cast("Iterator[object]", source)
        return f"its body is an iterator ({_type(source)})" if iter(source) is source else ""
    return ""


def _type(thing: object) -> str:
    return type(thing).__qualname__


def _as_bytes(piece: object) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, bytearray | memoryview):
        return bytes(cast("bytearray", piece))
    raise TypeError(f"a body is made of bytes, got {type(piece).__name__}")
