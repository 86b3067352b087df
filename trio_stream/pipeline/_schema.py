"""`JSONSchema`: a JSON Schema in the place of a type.

The schema language is big and `jsonschema` is its well-kept implementation in Python. It is an
extra, so it is imported when the first schema is made, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NoReturn, final

from ..items import MisfitError
from ..partial_json import Json

__all__ = ["JSONSchema"]

_MAX_SHOWN = 200


@final
class JSONSchema:
    """A JSON Schema, to be the ``item`` of `open_stream`; the items are plain JSON values.

    ::

        schema = JSONSchema({"type": "object", "properties": {"name": {"type": "string"}}})

    It is a function from the bytes of a JSON text to its value, which raises `ValueError` if the
    text is not JSON or its value does not fit. Values are checked and not changed: defaults are
    not filled in, formats (``"format": "date"``) are not looked at. Without ``$schema`` the schema
    is read as draft 2020-12. A ``$ref`` out of the schema is never fetched.

    Needs ``jsonschema``: ``pip install 'trio-stream[schema]'``.

    Attributes:
        schema: The schema, as it was given.

    Raises:
        ImportError: ``jsonschema`` is not installed.
        ValueError: It is no valid schema.
    """

    __slots__ = ("_best_match", "_validator", "schema")

    def __init__(self, schema: Mapping[str, Json]) -> None:
        try:
            validators, exceptions = map(
                import_module, ("jsonschema.validators", "jsonschema.exceptions")
            )
            registry = import_module("referencing").Registry()  # an empty one: it fetches nothing
        except ImportError as error:
            raise ImportError(
                "JSONSchema needs jsonschema: pip install 'trio-stream[schema]'"
            ) from error
        class_: Any = validators.validator_for(schema, default=validators.Draft202012Validator)
        try:
            class_.check_schema(schema)
        except exceptions.SchemaError as error:
            raise ValueError(f"no JSON schema: {error.message} at {error.json_path}") from error
        self.schema = schema
        self._validator: Any = class_(schema, registry=registry)
        self._best_match: Any = exceptions.best_match

    def __repr__(self) -> str:
        return f"JSONSchema({self.schema!r})"

    def __call__(self, payload: bytes | str) -> Json:
        """Read a JSON text; return its value.

        Raises:
            ValueError: It is not JSON, or does not fit.
        """
        try:
            value = json.loads(payload, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise MisfitError(f"not JSON: {_told(error)}") from error
        try:
            # The first fault alone: to collect those of a payload that was made for it would take
            # many times as long as to read it. `best_match` looks into the branches of that one.
            fault = self._best_match([*_first(self._validator.iter_errors(value))])
        except Exception as error:  # a reference that leads nowhere, a pattern that is none
            raise MisfitError(f"the schema cannot be applied: {_told(error)}") from error
        if fault is not None:
            raise MisfitError(_cut(fault.message), *reversed(fault.absolute_path))
        return value


def _first(errors: Any) -> Any:
    for error in errors:
        return [error]
    return []


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _told(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else _cut(str(error))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
