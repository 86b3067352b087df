"""Frames in, typed items out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

from ..errors import BadItemError, StreamError, StreamErrorType
from ..framing import Comment, UnknownEvent
from ._misfit import MisfitError, told
from ._reader import Read, reader_of

__all__ = ["ItemDecoder", "OnBadItem", "item_decoder"]

T = TypeVar("T")

OnBadItem: TypeAlias = Literal["raise", "skip"] | Callable[[BadItemError], object]
"""What to do with a payload that does not fit: raise, skip it, or call this and skip it."""


class ItemDecoder(Generic[T]):
    """Turns the frames of one stream into items; made by `item_decoder`.

    Attributes:
        skipped_items: How many payloads did not fit and were skipped.
    """

    __slots__ = ("_on_bad_item", "_read", "skipped_items")

    def __init__(self, read: Read | None, on_bad_item: OnBadItem) -> None:
        self._read = read
        self._on_bad_item = on_bad_item
        self.skipped_items = 0

    @property
    def finished(self) -> bool:
        """Always `False`: a stream of plain items ends where its frames end."""
        return False

    @property
    def unknown_events(self) -> int:
        """How many events had a name that the mapping does not have."""
        return self._read.unknown_events if isinstance(self._read, _ReadByName) else 0

    def decode(self, frames: Sequence[Any], out: list[T]) -> None:
        """Append the items of ``frames`` to ``out``. Comments pass through as they are.

        Raises:
            BadItemError: A payload does not fit, and ``on_bad_item`` is ``"raise"``.
            StreamError: The frames are of a kind that cannot be read so: bytes, or records where
                items are told apart by the names of events. Its ``error_type`` is
                ``CLIENT_ERROR``, and ``on_bad_item`` has no say in it.
            Exception: What an ``on_bad_item`` callback raised, as it is.

        In each case ``out`` holds the items of the frames before.
        """
        read = self._read
        append: Callable[[Any], None] = out.append
        if read is None:
            out.extend(frames)
            return
        for frame in frames:
            if frame.__class__ is Comment:
                append(frame)
                continue
            try:
                append(read(frame))
            except Exception as error:  # noqa: BLE001 - whatever a payload can cause
                fault = self._fault(frame, error)
            else:
                continue
            # Out here, so that what a callback raises does not look like it came of the payload.
            try:
                self._dispose_of(fault)
            finally:
                del fault  # its traceback leads back to this frame: a cycle

    def close(self) -> None:
        """The frames have ended, and any end is a good one."""

    def _fault(self, frame: Any, error: Exception) -> StreamError:
        data = getattr(frame, "data", None)
        if not isinstance(data, str):
            return StreamError(
                "an item type needs events or records; the frames of this stream are "
                f"{type(frame).__name__}: leave the item type out, or choose another framing",
                error_type=StreamErrorType.CLIENT_ERROR,
            )
        if isinstance(self._read, _ReadByName) and not hasattr(frame, "event"):
            return StreamError(
                "items are told apart by the names of events, and the frames of this stream, "
                f"{type(frame).__name__}, have no names: pass one item type instead of a mapping",
                error_type=StreamErrorType.CLIENT_ERROR,
            )
        return _bad_item(data, getattr(frame, "event", ""), error)

    def _dispose_of(self, fault: StreamError) -> None:
        on_bad_item = self._on_bad_item
        if not isinstance(fault, BadItemError) or on_bad_item == "raise":
            try:
                raise fault
            finally:
                del fault  # as above
        if callable(on_bad_item):
            on_bad_item(fault)
        self.skipped_items += 1


class _ReadByName:
    """Reads a payload as the name of its event says."""

    __slots__ = ("_readers", "unknown_events")

    def __init__(self, readers: Mapping[str, Read]) -> None:
        self._readers = readers
        self.unknown_events = 0

    def __call__(self, frame: Any) -> Any:
        read = self._readers.get(frame.event)
        if read is not None:
            return read(frame)
        self.unknown_events += 1
        return UnknownEvent(frame.event, frame.data)


def _bad_item(data: str, event: str, error: Exception) -> BadItemError:
    if isinstance(error, MisfitError):
        path, why, cause = error.path, error.why, error.__cause__
    else:
        path, why, cause = "$", told(error), error
    where = f" in event {event!r}" if event not in ("", "message") else ""
    fault = BadItemError(
        f"bad item{where} at {path}: {why}",
        path=path,
        raw=data.encode("utf-8", "surrogatepass"),
        event=event,
        original_exception=cause,
    )
    fault.__cause__ = cause
    return fault


@overload
def item_decoder(item: None, *, on_bad_item: OnBadItem = "raise") -> ItemDecoder[Any]: ...
@overload
def item_decoder(
    item: Mapping[str, Any], *, on_bad_item: OnBadItem = "raise"
) -> ItemDecoder[Any]: ...
@overload
def item_decoder(
    item: type[T] | Callable[[bytes], T], *, on_bad_item: OnBadItem = "raise"
) -> ItemDecoder[T]: ...
@overload
def item_decoder(item: Any, *, on_bad_item: OnBadItem = "raise") -> ItemDecoder[Any]: ...
def item_decoder(item: Any, *, on_bad_item: OnBadItem = "raise") -> ItemDecoder[Any]:
    """Make the decoder of one stream.

    Args:
        item: What the items are:

            * `None`: the frames themselves;
            * a type: each payload is JSON for it. An attrs class (its aliases are the keys),
              dataclass, TypedDict, enum, `Literal`, union, ``list``, ``tuple``, ``set`` or
              ``dict`` of such, ``str``, ``int``, ``float``, ``bool``, ``None``, `datetime`,
              `date`, `time`, `UUID`, `Decimal` or `Any`. Nothing is coerced. Where msgspec is
              installed it reads the types that it reads alike, with the same items and errors;
            * any other callable: it is given each payload as UTF-8 bytes and returns the item
              (``msgspec.json.Decoder(T).decode``, ``Model.model_validate_json``);
            * a mapping from the names of events to types and callables. An event of another name
              becomes an `UnknownEvent`, is counted, and is not an error.
        on_bad_item: What to do with a payload that does not fit.

    Raises:
        TypeError: ``item`` is none of these, or holds a type that JSON cannot be read into.
        ValueError: ``on_bad_item`` is none of its values.
    """
    if on_bad_item not in ("raise", "skip") and not callable(on_bad_item):
        raise ValueError(f"on_bad_item must be 'raise', 'skip' or a callable, got {on_bad_item!r}")
    if item is None:
        return ItemDecoder(None, on_bad_item)
    if isinstance(item, Mapping):
        return ItemDecoder(_ReadByName(_readers_by_name(item)), on_bad_item)
    return ItemDecoder(reader_of(item), on_bad_item)


def _readers_by_name(items: Any) -> dict[str, Read]:
    readers: dict[str, Read] = {}
    for name, item in items.items():
        if not isinstance(name, str):
            raise TypeError(f"the keys of item are names of events, got {name!r}")
        try:
            readers[name] = reader_of(item)
        except TypeError as error:
            raise TypeError(f"item[{name!r}]: {error}") from error
    return readers
