"""`tool`: from a typed function to something that a model can call."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast, get_type_hints, overload
from uuid import UUID

import attrs
import cattrs
import trio

from ..dialects import ToolCall
from ..dialects._json import Json, JsonObject, kind_of
from ..items._converter import hook_of
from ..items._misfit import MisfitError
from ..items._scalars import Hook
from ..items._types import unwrapped
from ._docstring import entries, summary
from ._schema import Schemas

__all__ = ["Tool", "ToolArgumentsError", "tool"]

P = ParamSpec("P")
R = TypeVar("R")


class ToolArgumentsError(ValueError):
    """The arguments of a call are not what the tool takes. Names all that is wrong with them."""


@attrs.frozen
class _Parameter:
    name: str
    hook: Hook
    required: bool


@attrs.frozen(eq=False)
class Tool(Generic[P, R]):
    """A function that a model can call; made by `tool`. Called in Python it is the function.

    Attributes:
        name: By what the model calls it.
        description: What the model is told about it.
        schema: The JSON schema of its arguments.
        is_custom: Whether it takes plain text, where the provider has such tools.
        timeout: Seconds that a call may take. `None`: what the `ToolRunner` says.
        function: The function.
    """

    name: str
    description: str
    schema: JsonObject = attrs.field(repr=False)
    is_custom: bool
    timeout: float | None
    function: Callable[P, R]
    _is_async: bool = attrs.field(repr=False, alias="is_async")
    _parameters: tuple[_Parameter, ...] = attrs.field(repr=False, alias="parameters")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self.function(*args, **kwargs)

    async def run(self, call: ToolCall) -> object:
        """Make a call: read its arguments, call the function, return what it returns.

        A function that is not async runs in a thread, so that it may block.

        Cancellation: as the function has it. A thread cannot be interrupted: the call is over when
        the function returns, unless it calls `trio.from_thread.check_cancelled` now and then.

        Raises:
            ToolArgumentsError: The arguments are not what the tool takes.
            Exception: Whatever the function raises.
        """
        known: Any = self.function
        function: Callable[[], Any] = functools.partial(known, **self.arguments(call))
        if self._is_async:
            value: object = await function()
            return value
        return await trio.to_thread.run_sync(function)

    def arguments(self, call: ToolCall) -> dict[str, Any]:
        """Read the arguments of a call, as typed values.

        Raises:
            ToolArgumentsError: They are not what the tool takes.
        """
        given: Json = call.input
        if call.is_custom and self.is_custom:
            given = {self._parameters[0].name: given}
        return _read(self._parameters, given)


def _read(parameters: tuple[_Parameter, ...], given: JsonObject) -> dict[str, Any]:
    if type(given) is not dict:
        raise ToolArgumentsError(f"$: expected an object, got {kind_of(given)}")
    arguments: dict[str, Any] = {}
    wrong: list[str] = []
    for parameter in parameters:
        name = parameter.name
        if name in given:
            try:
                arguments[name] = parameter.hook(given[name], None)
            except MisfitError as misfit:
                misfit.steps.append(name)
                wrong.append(f"{misfit.path}: {misfit.why}")
        elif parameter.required:
            wrong.append(f"$.{name}: the argument is missing")
    known = [parameter.name for parameter in parameters]
    wrong += [f"$.{name}: there is no such argument" for name in given if name not in known]
    if wrong:
        raise ToolArgumentsError("; ".join(wrong))
    return arguments


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    custom: bool = False,
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | None = None,
    custom: bool = False,
) -> Any:
    """Make a tool of a function, async or not.

    ::

        @tool
        async def get_weather(city: str, days: Annotated[int, "from 1 to 7"] = 1) -> Forecast:
            \"\"\"Forecast the weather.\"\"\"

    Its parameters become a JSON schema, and the arguments of a call are read by it: nothing is
    coerced, and a wrong, missing or unknown argument is told to the model with its place. What it
    returns becomes text for the model: a `str` as it is, ``""`` for `None`, else JSON.

    A function that is not async runs in a thread; see `Tool.run` for what that means when it is
    cancelled.

    Args:
        function: The function. Each of its parameters has a type that JSON can be read into, and
            can be passed by name.
        name: By what the model calls it. `None`: the name of the function.
        description: What the model is told about it. `None`: the first paragraph of the
            docstring. Parameters are described by ``Annotated[T, "..."]``, else by the section
            ``Args`` of the docstring.
        timeout: Seconds that a call may take. `None`: what the `ToolRunner` says.
        custom: Whether the tool takes plain text: OpenAI's custom tools. It has one parameter, a
            `str`. To other providers it is a tool with one argument.

    Raises:
        TypeError: A parameter has no type or one that JSON cannot be read into, or cannot be
            passed by name.
        ValueError: It has no name, or ``timeout`` is not greater than 0.
    """
    if function is None:
        return functools.partial(
            _made, name=name, description=description, timeout=timeout, custom=custom
        )
    return _made(function, name=name, description=description, timeout=timeout, custom=custom)


def _made(
    function: Callable[..., Any],
    *,
    name: str | None,
    description: str | None,
    timeout: float | None,
    custom: bool,
) -> Tool[..., Any]:
    if name is None:
        name = str(getattr(function, "__name__", "<nameless>"))
    if name.startswith("<"):
        raise ValueError(f"{function!r} has no name that a model could use: pass name=")
    if timeout is not None and not timeout > 0:
        raise ValueError(f"timeout must be greater than 0, got {timeout!r}")
    docstring = inspect.getdoc(function)
    described = entries(docstring, "Args", "Arguments", "Parameters")
    routine = _routine(function)
    hints = _hints(routine, name)
    schemas = Schemas()
    parameters: list[_Parameter] = []
    properties: JsonObject = {}
    for parameter in inspect.signature(function).parameters.values():
        what = f"parameter {parameter.name!r} of tool {name!r}"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{what} is {parameter.kind.description}: a tool has named ones only")
        if parameter.name not in hints:
            raise TypeError(f"{what} has no type")
        type_ = hints[parameter.name]
        try:
            schema = schemas.of(type_, described.get(parameter.name, ""))
            hook = hook_of(type_)
        except TypeError as error:
            raise TypeError(f"{what}: {error}") from error
        required = parameter.default is parameter.empty
        parameters.append(_Parameter(parameter.name, hook, required))
        properties[parameter.name] = schema | _default(parameter.default, schema)
    if custom and [unwrapped(hints[each.name]) for each in parameters] != [str]:
        raise TypeError(f"tool {name!r} is custom: it has one parameter, a str")
    schema = {
        "type": "object",
        "properties": properties,
        "required": [each.name for each in parameters if each.required],
        "additionalProperties": False,
    }
    return Tool(
        name=name,
        description=summary(docstring) if description is None else description,
        schema=schemas.finished(schema),
        is_custom=custom,
        timeout=timeout,
        function=function,
        is_async=inspect.iscoroutinefunction(routine),
        parameters=tuple(parameters),
    )


def _routine(function: Any) -> Any:
    """The function behind a partial, or behind an object that can be called."""
    while isinstance(function, functools.partial):
        function = cast("Any", function).func
    return function if inspect.isroutine(function) else type(function).__call__


def _hints(routine: Any, name: str) -> dict[str, Any]:
    """The types of the parameters."""
    try:
        return get_type_hints(routine, include_extras=True)
    except (AttributeError, NameError) as error:
        raise TypeError(f"an annotation of tool {name!r} leads nowhere: {error}") from error


def _default(default: Any, schema: JsonObject) -> JsonObject:
    """What the schema says of a default: only what JSON can say plainly."""
    value: Json = default.value if isinstance(default, Enum) else default
    if type(value) in (str, int, float, bool) and "$ref" not in schema:
        return {"default": value}
    return {}


# --- results -----------------------------------------------------------------------------------

_converter: Final = cattrs.Converter(use_alias=True)
for _class, _write in (
    (date, date.isoformat),
    (datetime, datetime.isoformat),
    (time, time.isoformat),
    (UUID, str),
    (Decimal, str),
    (PurePath, str),
):
    _converter.register_unstructure_hook(_class, _write)


def result_text(value: object) -> str:
    """Write down for a model what a tool returned.

    Raises:
        TypeError: There is no JSON for it.
        ValueError: It contains itself.
    """
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Enum):
        return value
    return json.dumps(_converter.unstructure(value), default=_written, ensure_ascii=False)


def _written(value: object) -> object:
    known: Any = value
    written: object = (
        list(known) if isinstance(value, AbstractSet) else _converter.unstructure(known)
    )
    if written is value:
        raise TypeError(f"there is no JSON for {type(known).__name__}")
    return written
