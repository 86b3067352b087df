"""The request of a stream, the headers that make it one, and how it differs in another attempt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any, Self, cast
from urllib.parse import unquote_plus

import attrs
import trio

from ..retry import RequestChanges
from ._content import BodyFile, BodySource, Pieces, as_content, as_data, as_files, files_in

__all__ = ["RequestSpec", "event_id_bytes"]

_LAST_EVENT_ID = "last-event-id"

# RFC 9110, 5.5: a field value holds no control character but HTAB.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_BODY = ("json", "content", "data", "files")
# RFC 9112, 6.2 and 6.1: what a caller's header says of the length of a body is true of one body.
_LENGTH = ("content-length", "transfer-encoding")

_MAX_PORT = 65535


def _pairs(headers: Any) -> list[tuple[Any, Any]]:
    """Headers in any of the forms that the HTTP libraries take."""
    if headers is None:
        return []
    if hasattr(headers, "raw"):  # a `Headers` of either family: its items() join what is repeated
        headers = headers.raw
    pairs: Iterable[tuple[Any, Any]] = headers.items() if hasattr(headers, "items") else headers
    return [(name, value) for name, value in pairs]


@attrs.frozen(kw_only=True)
class RequestSpec:
    """What to ask for; the arguments are those of ``httpx.AsyncClient.build_request``.

    They are passed on, hence `Any`: their types are the HTTP library's own. A request may be made
    any number of times unless it is ``one_shot``; nothing is read before it is sent.

    Attributes:
        headers: As pairs. A ``Last-Event-ID`` among them is taken out: it goes before the
            argument, but not before the event ID of a later attempt (`attrs.evolve`).
        content: Also a plain iterable of bytes, or a binary file: from where it stands now.
        data: Also the old name of ``content``.
        files: As a list. Each file from its beginning, as httpx sends it.
        last_event_id: Sent as ``Last-Event-ID``.
        follow_redirects: Whether to, if that is not for the client to say.
        idempotency_key: Sent as ``Idempotency-Key``, unless ``headers`` have one.
        add_params: Merged over the query of the request that the client builds.

    Raises:
        TypeError: The event ID is no text, or a file is in text mode.
    """

    method: str
    url: Any
    params: Any = None
    headers: list[tuple[Any, Any]] = attrs.field(default=None, converter=_pairs)
    json: Any = None
    content: object = attrs.field(default=None, converter=as_content)
    data: object = attrs.field(default=None, converter=as_data)
    files: list[tuple[Any, object]] | None = attrs.field(default=None, converter=as_files)
    last_event_id: str = ""
    idempotency_key: str | None = None
    accept: str = "*/*"
    follow_redirects: bool | None = None
    add_params: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def __attrs_post_init__(self) -> None:
        event_id: object = self.last_event_id
        for name, value in self.headers:
            if _lower(name) == _LAST_EVENT_ID:
                event_id = value
        if isinstance(event_id, bytes):
            event_id = event_id.decode("utf-8", "replace")
        if not isinstance(event_id, str):
            raise TypeError(f"an event ID must be str or bytes, got {event_id!r}")
        object.__setattr__(self, "last_event_id", event_id)
        object.__setattr__(self, "headers", _without(self.headers, _LAST_EVENT_ID))

    @property
    def one_shot(self) -> str:
        """Why the request cannot be sent again, such as "its body is a generator"; or ``""``."""
        return next((source.one_shot for source in self._sources() if source.one_shot), "")

    @property
    def spent(self) -> str:
        """Why the request cannot be sent any more: it is one-shot, and its body was begun."""
        return self.one_shot if any(source.has_begun for source in self._sources()) else ""

    @property
    def _body(self) -> object:
        """What the client makes all of the body of, if it is not a form or JSON."""
        if self.data is None or isinstance(self.data, Mapping):
            return self.content
        return self.data

    def _sources(self) -> list[BodySource]:
        """All that is read piece by piece."""
        if self._body is not None:
            return [self._body] if isinstance(self._body, BodySource) else []
        return list(files_in(self.files))

    def changed(self, changes: RequestChanges) -> Self:
        """The request of another attempt.

        Raises:
            TypeError: They are no mapping, or have a key that is none of `RequestChanges`.
        """
        # They come from a function of the caller's: what a type checker would say is said here.
        if not hasattr(changes, "keys"):
            raise TypeError(f"changes of a request are a mapping, got {type(changes).__name__}")
        given = dict(cast("Mapping[str, Any]", changes))
        for key in given:
            if key not in RequestChanges.__annotations__:
                raise TypeError(f"{key!r} is nothing that can be changed in a request")
        add_params: Mapping[str, str] = given.pop("add_params", {})
        add_headers: Mapping[str, str] = given.pop("add_headers", {})
        headers = _pairs(given.pop("headers", self.headers))
        if any(name in given for name in _BODY):
            given = dict.fromkeys(_BODY) | given
            if "headers" not in changes:
                headers = _without(headers, *_LENGTH)
        headers = [*_without(headers, *map(_lower, add_headers)), *add_headers.items()]
        # What was added to a query that is gone is gone with it.
        if "params" not in given and "url" not in given:
            add_params = {**self.add_params, **add_params}
        return attrs.evolve(self, **given, headers=headers, add_params=add_params)

    async def measure(self) -> None:
        """Find out how long the files are, in a worker thread if that may block.

        Cancellation: waits for the file system.
        """
        for source in self._sources():
            if isinstance(source, BodyFile) and source.may_block and not source.one_shot:
                await trio.to_thread.run_sync(source.measure)
            elif isinstance(source, BodyFile):
                source.measure()

    def begin_body(self, stream: Any) -> Any:
        """Begin to read the body.

        Args:
            stream: The one that the client has made of it.

        Returns:
            An async iterator that has ``aclose``.
        """
        for source in self._sources():
            source.has_begun = True
        if isinstance(self._body, BodySource):
            return aiter(self._body)
        if any(isinstance(source, BodyFile) and source.may_block for source in self._sources()):
            return Pieces(iter(stream), in_thread=True, abandon=bool(self.one_shot))
        return stream.__aiter__()

    def build(self, client: Any, family: ModuleType, **options: Any) -> Any:
        """Build the request. ``options`` are more arguments of ``build_request``."""
        request = client.build_request(
            self.method,
            self.url,
            params=self.params,
            headers=self.build_headers(family),
            json=self.json,
            content=self.content,
            data=self.data,
            files=self.files,
            **options,
        )
        if self.add_params:
            query = _merged_query(request.url.query, family.QueryParams(self.add_params))
            request.url = request.url.copy_with(query=query)
        if (request.url.port or 0) > _MAX_PORT:  # else its rest by 65,536 is asked: somebody else
            raise family.InvalidURL(f"there is no port {request.url.port}")
        return request

    def build_headers(self, family: ModuleType) -> Any:
        """The caller's headers, and ours where the caller has none of that name."""
        merged = family.Headers(self.headers)
        merged.setdefault("accept", self.accept)
        merged.setdefault("cache-control", "no-cache")
        # A compressed event stream is held back until the compressor has a block.
        merged.setdefault("accept-encoding", "identity")
        if self.idempotency_key is not None:
            merged.setdefault("Idempotency-Key", self.idempotency_key)
        size = self._body.size if isinstance(self._body, BodyFile) else None
        if size is not None and "transfer-encoding" not in merged:
            merged.setdefault("content-length", str(size))
        if id_bytes := event_id_bytes(self.last_event_id):
            merged = family.Headers([*merged.raw, (b"Last-Event-ID", id_bytes)])
        return merged


def _without(headers: list[tuple[Any, Any]], *names: str) -> list[tuple[Any, Any]]:
    """The headers whose names are not among ``names``, which are in lower case."""
    return [(name, value) for name, value in headers if _lower(name) not in names]


def _lower(name: object) -> str:
    text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
    return text.lower()


def _merged_query(query: bytes, added: Any) -> bytes:
    """A query with ``added`` (a ``QueryParams``) in it, and each other byte as it was.

    ``URL.copy_merge_params`` would write all of it anew, which breaks signatures.
    """
    kept = [part for part in query.split(b"&") if part and _name_in_query(part) not in added]
    return b"&".join([*kept, str(added).encode("ascii")])


def _name_in_query(part: bytes) -> str:
    return unquote_plus(part.partition(b"=")[0].decode("ascii", "replace"))


def event_id_bytes(last_event_id: str) -> bytes:
    """An event ID as the value of a ``Last-Event-ID`` header: its UTF-8 bytes (WHATWG HTML 9.2.4).

    White space around a field value is not part of it (RFC 9110, 5.5), so none is sent. An ID with
    a control character cannot be sent at all: the result is then empty, as for no ID.
    """
    value = last_event_id.encode("utf-8", "replace").strip(b" \t")
    return b"" if _FORBIDDEN.search(value) else value
