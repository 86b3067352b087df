"""Items that other libraries make: pydantic, msgspec, cattrs."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from tests.items.reading import fault_of, read
from trio_stream.items import item_decoder

cattrs = pytest.importorskip("cattrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")


class Model(pydantic.BaseModel):  # type: ignore[name-defined,misc]
    name: str


class Struct(msgspec.Struct):  # type: ignore[name-defined,misc]
    name: str


@attrs.define
class HasModel:
    model: Model


@attrs.define
class Pet:
    name: str = attrs.field(validator=attrs.validators.min_len(1))


@attrs.define
class Owner:
    pets: list[Pet]
    by_name: dict[str, Pet] = attrs.field(factory=dict)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (Model.model_validate_json, Model(name="Rex")),
        (pydantic.TypeAdapter(list[Model] | Model).validate_json, Model(name="Rex")),
        (msgspec.json.Decoder(Struct).decode, Struct(name="Rex")),
        (msgspec.json.Decoder(Pet).decode, Pet("Rex")),
    ],
)
def test_their_validators_read_payloads(item: Any, expected: object) -> None:
    """A validator of another library is a function from bytes like any other."""
    assert read(item, {"name": "Rex"}) == expected


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Model, r"Model is a pydantic model: pass item=Model\.model_validate_json"),
        (Struct, r"Struct is a msgspec Struct: pass item=msgspec\.json\.Decoder\(Struct\)\.decode"),
        (HasModel, "HasModel: Model is a pydantic model"),
        (list[Model], "Model is a pydantic model"),
    ],
)
def test_their_classes_are_refused_with_advice(item: Any, message: str) -> None:
    """A class that only another library can fill is refused at once, and told what to pass."""
    with pytest.raises(TypeError, match=message):
        item_decoder(item)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Model.model_validate_json, "refused it: ValidationError: 1 validation error for Model"),
        (msgspec.json.Decoder(Struct).decode, "Decoder.decode refused it: ValidationError: Object"),
    ],
)
def test_their_errors_are_causes(item: Any, message: str) -> None:
    """What a validator raises is the cause of the bad item, and its words are in the message."""
    fault = fault_of(item, {})

    assert message in str(fault)
    assert fault.path == "$"
    assert fault.__cause__ is fault.original_exception is not None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"pets": [{"name": "a"}, {}]}, "$.pets[1].name"),
        ({"pets": [], "by_name": {"x y": {}}}, '$.by_name["x y"].name'),
        ({"pets": [{"name": ""}]}, "$.pets[0]"),
        ({"pets": 5}, "$.pets"),
        ({}, "$.pets"),
    ],
)
def test_cattrs_tells_the_path(value: object, path: str) -> None:
    """A function that structures with cattrs brings the path of the bad field with its error."""
    converter = cattrs.Converter()

    def read_owner(payload: bytes) -> object:
        return converter.structure(json.loads(payload), Owner)

    assert fault_of(read_owner, value).path == path
