"""Hooks for records: objects whose fields have a name and a type each.

The hook of a record runs for every event. It is generated as source and compiled, as attrs and
dataclasses do with ``__init__``, since a loop over the fields takes twice as long. That of ::

    @attrs.define
    class Pet:
        id: int
        owner: Owner | None = None

reads ::

    def hook(value):
        if value.__class__ is not dict:
            raise misfit(value, record)
        try:
            key = 'id'
            v0 = value[key]
            if v0.__class__ is not int: v0 = h0(v0)
            key = 'owner'
            if key in value:
                v1 = value[key]
                v1 = h1(v1)
            else:
                v1 = d1()
        except KeyError:
            raise absent(key, wanted[key]) from None
        except MisfitError as error:
            error.steps.append(key)
            raise
        try:
            return make(v0, v1)
        except Exception as error:
            raise refused(record, error) from error
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from types import NoneType
from typing import Any, get_args, get_origin

from ._fields import Field, is_typed_dict
from ._misfit import MisfitError, misfit, told
from ._scalars import Hook, is_primitive
from ._types import is_union, name_of

__all__ = ["record_hook"]

_SOURCE = """\
def hook(value):
    if value.__class__ is not dict:
        raise misfit(value, record)
    try:
        {body}
    except KeyError:
        raise absent(key, wanted[key]) from None
    except MisfitError as error:
        error.steps.append(key)
        raise
    try:
        return {result}
    except Exception as error:
        raise refused(record, error) from error
"""


def record_hook(record: Any, fields: Sequence[Field], hooks: Sequence[Hook]) -> Hook:
    """Make the hook of a record from its fields and the hook of each."""
    names: dict[str, Any] = {
        "MisfitError": MisfitError,
        "absent": _absent,
        "make": get_origin(record) or record,
        "misfit": misfit,
        "record": name_of(record),
        "refused": _refused,
        "wanted": {field.key: name_of(field.type) for field in fields},
    }
    for number, (field, hook) in enumerate(zip(fields, hooks, strict=True)):
        names[f"h{number}"] = hook
        names[f"d{number}"] = field.default
    # Nothing that a user has named gets into the source but as a literal or as an argument's name.
    body = ["given = {}"] if any(field.stays_absent for field in fields) else ["pass"]
    for number, field in enumerate(fields):
        body += _reading(number, field)
    source = _SOURCE.format(body="\n        ".join(body), result=_result(record, fields))
    filename = f"<trio_stream hook of {names['record']}>"
    exec(compile(source, filename, "exec"), names)  # noqa: S102 - see above
    made: Hook = names["hook"]
    return made


def _reading(number: int, field: Field) -> list[str]:
    """The lines that read one field into its variable, or into ``given`` if it may stay absent."""
    take = [f"v{number} = value[key]", *_checking(number, field.type)]
    named = f"key = {field.key!r}"
    if field.required:
        return [named, *take]
    otherwise = ["else:", f"    v{number} = d{number}()"]
    if field.stays_absent:
        take.append(f"given[{field.name!r}] = v{number}")
        otherwise = []
    return [named, "if key in value:", *(f"    {line}" for line in take), *otherwise]


def _checking(number: int, type_: Any) -> list[str]:
    """The lines that check one value, calling its hook where a look at its class will not do."""
    call = f"v{number} = h{number}(v{number})"
    if is_primitive(type_):
        return [f"if v{number}.__class__ is not {type_.__name__}: {call}"]
    if is_union(type_) and len(get_args(type_)) == 2 and get_args(type_)[1] is NoneType:
        inner = get_args(type_)[0]
        if is_primitive(inner):
            return [
                f"if v{number} is not None and v{number}.__class__ is not {inner.__name__}: {call}"
            ]
    return [call]


def _result(record: Any, fields: Sequence[Field]) -> str:
    """The expression that makes the record."""
    present = [(n, field) for n, field in enumerate(fields) if not field.stays_absent]
    given = ["**given"] if len(present) < len(fields) else []
    if is_typed_dict(record):
        return "{" + ", ".join([*(f"{field.key!r}: v{n}" for n, field in present), *given]) + "}"
    by_position = _count_positional(record, fields)
    arguments = [f"v{n}" if n < by_position else f"{field.name}=v{n}" for n, field in present]
    return f"make({', '.join([*arguments, *given])})"


def _count_positional(record: Any, fields: Sequence[Field]) -> int:
    """How many of the first fields the class takes by position, which is faster."""
    # The class may have an ``__init__`` of its own, with another order.
    parameters = inspect.signature(get_origin(record) or record).parameters.values()
    count = 0
    for field, parameter in zip(fields, parameters, strict=False):
        in_place = parameter.name == field.name
        by_position = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if not in_place or not by_position or field.stays_absent:
            break
        count += 1
    return count


def _absent(key: str, wanted: str) -> MisfitError:
    return MisfitError(f"the field is missing, expected {wanted}", key)


def _refused(record: str, error: Exception) -> MisfitError:
    return MisfitError(f"{record} refused it: {told(error)}")
