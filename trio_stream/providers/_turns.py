"""How a conversation goes on: tools are offered, a message is answered, something else is asked.

Each provider has its own format for that, and each format is a `Turns`. They never change a
request: they return a new one, so an older state of a conversation stays usable.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import attrs

from ..dialects import MessageDialect
from ..dialects._json import Json, JsonObject
from ._request import changed

if TYPE_CHECKING:
    from ..dialects import Message, ToolCall
    from ._request import ProviderRequest

__all__ = ["ToolDeclaration", "ToolResult", "ToolSpec", "Turns", "arguments_of", "turns_for"]


class ToolSpec(Protocol):
    """What a model is told about a tool. `trio_stream.tools.Tool` is one."""

    @property
    def name(self) -> str:
        """By what it is called."""
        ...

    @property
    def description(self) -> str:
        """What it does, in words; ``""`` for none."""
        ...

    @property
    def schema(self) -> JsonObject:
        """The JSON schema of its arguments: that of an object."""
        ...

    @property
    def is_custom(self) -> bool:
        """Whether it takes plain text, where the provider has such tools."""
        ...


ToolDeclaration: TypeAlias = ToolSpec | Mapping[str, Json]
"""A tool, or how the provider wants it declared, for those that the provider runs itself."""


@attrs.frozen
class ToolResult:
    """What came of a tool call.

    Attributes:
        call: The call.
        content: What the model is told, as text.
        value: What the tool returned; `None` if it failed.
        is_error: Whether it failed.
        error: Why it failed.
    """

    call: ToolCall
    content: str
    value: object = None
    is_error: bool = False
    error: BaseException | None = attrs.field(default=None, eq=False)


class Turns(ABC):
    """How a conversation goes on in one provider's format."""

    field: ClassVar[str]
    """The field of the body that holds the conversation: a list of turns."""

    def declared(self, request: ProviderRequest, tools: Sequence[ToolSpec]) -> ProviderRequest:
        """Offer tools to the model. One whose name is declared already stays as it was."""
        before: list[JsonObject] = request["json"].get("tools") or []
        names = self.declared_names(before)
        new = [tool for tool in tools if tool.name not in names]
        return changed(request, tools=self.declare([*before, *new])) if new else request

    def answered(
        self, request: ProviderRequest, message: Message, results: Sequence[ToolResult] = ()
    ) -> ProviderRequest:
        """Append what the model said, and the results of the calls that it made.

        What is sent back is what is whole: no unfinished part, no `IncompleteToolCall`. Of
        several answers it is the first.
        """
        return self.extended(request, [*self.model_turns(message), *self.result_turns(results)])

    def asked(self, request: ProviderRequest, text: str) -> ProviderRequest:
        """Append what the user says."""
        return self.extended(request, [self.user_turn(text)])

    def extended(self, request: ProviderRequest, turns: Sequence[JsonObject]) -> ProviderRequest:
        """Append turns as they are."""
        return changed(request, **{self.field: [*self.turns(request["json"][self.field]), *turns]})

    def turns(self, conversation: Json) -> list[JsonObject]:
        """Return the turns of a conversation, which may be no more than the user's words."""
        return [self.user_turn(conversation)] if type(conversation) is str else [*conversation]

    @abstractmethod
    def user_turn(self, text: str) -> JsonObject:
        """Write down what the user says."""

    @abstractmethod
    def model_turns(self, message: Message) -> list[JsonObject]:
        """Write down what the model said; empty if nothing of it can be sent back."""

    @abstractmethod
    def result_turns(self, results: Sequence[ToolResult]) -> list[JsonObject]:
        """Write down the results of tool calls; empty if there are none."""

    @abstractmethod
    def declaration(self, tool: ToolSpec) -> JsonObject:
        """Write down what the model is told about a tool."""

    def declare(self, tools: Sequence[ToolDeclaration]) -> list[JsonObject]:
        """Write down what the model is told about all of its tools."""
        return [{**tool} if isinstance(tool, Mapping) else self.declaration(tool) for tool in tools]

    def declared_names(self, declarations: Sequence[JsonObject]) -> set[str]:
        """Return the names of the tools that are declared."""
        return {str(each["name"]) for each in declarations if "name" in each}


@singledispatch
def turns_for(dialect: MessageDialect) -> Turns:
    """Return the `Turns` of a dialect, by its class.

    For a dialect of your own::

        @turns_for.register(MyDialect)
        def _(dialect: MyDialect) -> Turns:
            return MyTurns()

    Raises:
        TypeError: There are none for this dialect.
    """
    name = type(dialect).__name__
    raise TypeError(f"nothing says how a conversation goes on in {name}: see turns_for.register")


def arguments_of(call: ToolCall) -> str:
    """Return the arguments of a call as JSON text: as it came, if they came as text."""
    return call.arguments or json.dumps(call.input, ensure_ascii=False)
