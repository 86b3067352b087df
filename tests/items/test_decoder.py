"""From frames to items: what `item` and `on_bad_item` mean."""

from __future__ import annotations

import functools
import gc
import json
import weakref
from datetime import date
from typing import Any, Literal, TypeVar

import attrs
import pytest

from tests.spelling import spelled
from trio_stream.errors import BadItemError, StreamError, StreamErrorType
from trio_stream.framing import Comment, Record, ServerSentEvent, UnknownEvent
from trio_stream.items import ItemDecoder, OnBadItem, item_decoder


@attrs.define
class Pet:
    name: str


@attrs.define
class Owner:
    pets: list[Pet]


class Plain:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw


def event(value: object, name: str = "message") -> ServerSentEvent:
    return ServerSentEvent(event=name, data=json.dumps(value))


def decode(decoder: ItemDecoder[Any], *frames: object) -> list[Any]:
    out: list[Any] = []
    decoder.decode(frames, out)
    return out


GOOD = event({"name": "Rex"})
BAD = event({"name": 1})


# ---- what item means ---------------------------------------------------------------------------


def test_without_an_item_type_frames_pass_through() -> None:
    """With `item=None` the items are the frames themselves, of whatever kind."""
    frames = [GOOD, Comment("ping"), Record("1"), b"raw"]

    out = decode(item_decoder(None), *frames)

    assert [id(each) for each in out] == [id(each) for each in frames]


def test_every_payload_becomes_an_item() -> None:
    """With a type each payload is read as JSON, and the items follow those that are there."""
    out: list[Any] = ["before"]
    decoder = item_decoder(Pet)

    decoder.decode([GOOD, Record('{"name": "Tom"}')], out)
    decoder.decode([], out)
    decoder.decode([GOOD], out)

    assert out == ["before", Pet("Rex"), Pet("Tom"), Pet("Rex")]


def test_comments_pass_through_untouched() -> None:
    """A comment is no payload: it passes a decoder of any kind."""
    ping = Comment("ping")

    for item in (None, Pet, {"message": Pet}, json.loads):
        assert decode(item_decoder(item), ping)[0] is ping


def test_a_decoder_of_plain_items_never_finishes() -> None:
    """Plain items have no terminal event, and any end of the frames is a good one."""
    decoder = item_decoder(Pet)
    decode(decoder, GOOD)
    decoder.close()

    assert decoder.finished is False
    assert (decoder.skipped_items, decoder.unknown_events) == (0, 0)


class Measure:
    def __call__(self, payload: bytes) -> int:
        return len(payload)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (json.loads, {"name": "Réx"}),
        (len, 16),
        (Measure(), 16),
        (functools.partial(json.loads, parse_int=str), {"name": "Réx"}),
        (lambda payload: Plain(payload).raw, '{"name": "Réx"}'.encode()),
    ],
    ids=spelled,
)
def test_a_function_is_given_the_bytes(item: Any, expected: object) -> None:
    """What is no type but can be called is given each payload as UTF-8 and returns the item."""
    frame = ServerSentEvent(data='{"name": "Réx"}')

    assert decode(item_decoder(item), frame) == [expected]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Plain, "Plain is no type that JSON can be read into: pass a function"),
        (bytes, "JSON has no bytes: take a str and decode it"),
        (TypeVar("T"), "nothing says what the type variable ~T stands for"),
        ("Pet", "item must be a type or a function from bytes to an item, got 'Pet'"),
        (5, "item must be a type or a function"),
        ([Pet], "item must be a type or a function"),
        ({"a": Pet, "b": bytes}, r"item\['b'\]: JSON has no bytes"),
        ({"a": None}, r"item\['a'\]: item must be a type or a function"),
        ({1: Pet}, "the keys of item are names of events, got 1"),
    ],
    ids=spelled,
)
def test_an_unusable_item_is_refused_at_once(item: Any, message: str) -> None:
    """What is no item type is an error when the decoder is made, and it says what to do."""
    with pytest.raises(TypeError, match=message):
        item_decoder(item)


def test_an_async_function_is_refused_at_once() -> None:
    """Items are made synchronously, so an async function is a mistake."""

    async def read(payload: bytes) -> int:
        return len(payload)

    with pytest.raises(TypeError, match="is async"):
        item_decoder(read)


def test_on_bad_item_is_checked_at_once() -> None:
    """A value of `on_bad_item` that means nothing is an error when the decoder is made."""
    with pytest.raises(ValueError, match="must be 'raise', 'skip' or a callable, got 'ignore'"):
        item_decoder(Pet, on_bad_item="ignore")  # type: ignore[call-overload]


# ---- by the name of the event ------------------------------------------------------------------


def test_the_name_of_the_event_chooses_the_type() -> None:
    """With a mapping each payload is read as the name of its event says."""
    decoder = item_decoder({"pet": Pet, "owner": Owner, "raw": bytes.decode, "message": int})

    out = decode(
        decoder,
        event({"name": "Rex"}, "pet"),
        event({"pets": []}, "owner"),
        event(None, "raw"),
        event(5),
    )

    assert out == [Pet("Rex"), Owner([]), "null", 5]
    assert decoder.unknown_events == 0


def test_events_of_unknown_names_are_kept_and_counted() -> None:
    """An event whose name the mapping does not have becomes an `UnknownEvent`, unread."""
    decoder = item_decoder({"pet": Pet})

    out = decode(
        decoder, ServerSentEvent(event="new", data="{not json"), event({"name": "R"}, "pet")
    )
    out += decode(decoder, event(1, "other"))

    assert out == [UnknownEvent("new", "{not json"), Pet("R"), UnknownEvent("other", "1")]
    assert decoder.unknown_events == 2
    assert decoder.skipped_items == 0


# ---- frames of the wrong kind ------------------------------------------------------------------


@pytest.mark.parametrize("on_bad_item", ["raise", "skip", print])
@pytest.mark.parametrize(
    ("item", "frame", "message"),
    [
        (Pet, b"raw", "the frames of this stream are bytes: leave the item type out"),
        (json.loads, b"raw", "the frames of this stream are bytes"),
        ({"a": Pet}, b"raw", "the frames of this stream are bytes"),
        (
            {"a": Pet},
            Record("{}"),
            "Record, have no names: pass one item type instead of a mapping",
        ),
    ],
    ids=spelled,
)
def test_frames_that_cannot_be_read_so_are_an_error(
    item: Any, frame: object, message: str, on_bad_item: OnBadItem
) -> None:
    """Items that do not go with the framing are a mistake of the caller, and never skipped."""
    decoder = item_decoder(item, on_bad_item=on_bad_item)

    with pytest.raises(StreamError, match=message) as caught:
        decode(decoder, frame)

    assert type(caught.value) is StreamError
    assert caught.value.error_type is StreamErrorType.CLIENT_ERROR
    assert decoder.skipped_items == 0


# ---- bad items ---------------------------------------------------------------------------------


def test_items_before_a_bad_one_are_out_already() -> None:
    """A bad item is raised when its turn comes: what came before it is in `out`."""
    out: list[Any] = []
    decoder = item_decoder(Pet)

    with pytest.raises(BadItemError):
        decoder.decode([GOOD, Comment("ping"), BAD, GOOD], out)

    assert out == [Pet("Rex"), Comment("ping")]
    assert decoder.skipped_items == 0


def test_a_bad_item_carries_the_facts() -> None:
    """The error has the path, the payload as it came, the name of the event and the cause."""
    data = '{"pets": [{"name": "é"}, {"name": null}]}'
    decoder = item_decoder({"owner": Owner})

    with pytest.raises(BadItemError) as caught:
        decode(decoder, ServerSentEvent(event="owner", data=data))

    error = caught.value
    assert str(error) == ("bad item in event 'owner' at $.pets[1].name: expected str, got None")
    assert error.path == "$.pets[1].name"
    assert error.raw == data.encode()
    assert error.event == "owner"
    assert error.error_type is StreamErrorType.BAD_ITEM
    assert not error.is_retryable
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_record_has_no_event_name() -> None:
    """Where the framing has no names, the name of the event is empty."""
    with pytest.raises(BadItemError) as caught:
        decode(item_decoder(Pet), Record("[]"))

    assert caught.value.event == ""
    assert str(caught.value) == "bad item at $: expected Pet, got list"


def test_bad_items_are_skipped_and_counted() -> None:
    """With `skip` a bad item is left out and counted."""
    decoder = item_decoder(Pet, on_bad_item="skip")

    assert decode(decoder, BAD, GOOD, Record("nope"), GOOD) == [Pet("Rex"), Pet("Rex")]
    assert decoder.skipped_items == 2


def test_bad_items_are_handed_to_the_callback() -> None:
    """A callback is given each error, and the item is skipped and counted."""
    errors: list[BadItemError] = []
    decoder = item_decoder(Pet, on_bad_item=errors.append)

    assert decode(decoder, BAD, GOOD, Record("nope")) == [Pet("Rex")]
    assert decoder.skipped_items == 2
    assert [error.raw for error in errors] == [b'{"name": 1}', b"nope"]


def test_what_the_callback_raises_comes_out_as_it_is() -> None:
    """An exception of the callback is the user's: the same object, with a context of its own."""
    failure = KeyError("mine")

    def fail(error: BadItemError) -> None:
        raise failure

    out: list[Any] = []
    with pytest.raises(KeyError) as caught:
        item_decoder(Pet, on_bad_item=fail).decode([GOOD, BAD, GOOD], out)

    assert caught.value is failure
    assert failure.__context__ is None
    assert failure.__cause__ is None
    assert out == [Pet("Rex")]


@pytest.mark.parametrize(
    ("function", "data", "message"),
    [
        (lambda raw: int(raw or b"0"), "x", "refused it: ValueError: invalid literal"),
        (lambda raw: {}[raw], "x", "refused it: KeyError: b'x'"),
        (json.loads, "[" * 100_000, "loads refused it: nested too deeply"),
    ],
    ids=["ValueError", "KeyError", "RecursionError"],
)
def test_whatever_a_function_raises_is_a_bad_item(function: Any, data: str, message: str) -> None:
    """An exception of the user's function becomes a bad item, with that exception as its cause."""
    with pytest.raises(BadItemError, match=message) as caught:
        decode(item_decoder(function), Record(data))

    assert caught.value.path == "$"
    assert caught.value.__cause__ is caught.value.original_exception is not None


def test_an_interruption_is_no_bad_item() -> None:
    """Only exceptions are the payload's fault: what interrupts a program passes."""

    def interrupt(payload: bytes) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(item_decoder(interrupt, on_bad_item="skip"), GOOD)


@attrs.define
class Picky:
    pets: list[Pet]
    pick: int = attrs.field(default=0, validator=attrs.validators.lt(5))


@pytest.mark.parametrize(
    ("item", "payloads"),
    [
        (Pet, ["[]", "{}", '{"name": 1}', '{"name": 1', "[{}]x", "", "[" * 5000]),
        (Picky, ['{"pets": 1}', '{"pets": [{"name": "a"}, {}]}', '{"pets": [], "pick": 7}']),
        (str | int | list[Pet], ["null", "{}", "[1]", "[{}]", '[{"name": 1}]']),
        (Literal["a"] | date | Pet, ['"b"', "1", "{}", '{"name": 1}']),
        (set[Any] | None, ["[[]]", "1"]),
        (json.loads, ["x", "[" * 5000]),
        ({"message": Picky}, ["[]", '{"pets": [{"name": 1}]}']),
    ],
    ids=lambda value: spelled(value)[:40],
)
def test_errors_are_freed_at_once(item: Any, payloads: list[str]) -> None:
    """An error, with the payload that it holds, is freed when its last user lets go of it."""
    seen: list[weakref.ref[BadItemError]] = []
    skipping = item_decoder(item, on_bad_item=lambda error: seen.append(weakref.ref(error)))
    raising = item_decoder(item)
    gc.collect()
    gc.disable()
    try:
        decode(skipping, *(ServerSentEvent(data=data) for data in payloads))
        for data in payloads:
            try:
                decode(raising, ServerSentEvent(data=data))
            except BadItemError as error:
                seen.append(weakref.ref(error))

        assert [ref() for ref in seen] == [None] * 2 * len(payloads)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_class_that_was_made_at_run_time_is_not_kept_for_ever() -> None:
    """Hooks are kept for the next stream, but only those of the newest types."""
    classes = [attrs.make_class(f"Made{number}", ["x"]) for number in range(300)]
    refs = [weakref.ref(each) for each in classes]
    while classes:
        item_decoder(classes.pop())
    gc.collect()

    assert sum(ref() is not None for ref in refs) <= 256
    assert decode(item_decoder(Pet), GOOD) == [Pet("Rex")]
