"""How to read a stream: of messages, or of items that are none."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, final

from ..config import StreamConfig
from ..dialects import Assembler, Decoder, Dialect
from ..framing import Framing
from ..items import Collector, item_decoder

__all__ = ["DialectGrammar", "ItemGrammar"]

T = TypeVar("T")
R = TypeVar("R")


@final
class DialectGrammar(Generic[T, R]):
    """How to read a stream of a dialect."""

    __slots__ = ("_dialect", "framing")

    is_dialect = True

    def __init__(self, dialect: Dialect[T, R]) -> None:
        self._dialect = dialect
        self.framing: Framing[Any] | None = dialect.framing

    def decoder(self) -> Decoder[T]:
        return self._dialect.decoder()

    def assembler(self) -> Assembler[T, R]:
        return self._dialect.assembler()


@final
class ItemGrammar:
    """How to read a stream of items that are no message."""

    __slots__ = ("_config", "_item", "framing")

    is_dialect = False

    def __init__(self, item: Any, framing: Framing[Any] | None, config: StreamConfig) -> None:
        self._item = item
        self._config = config
        self.framing = framing
        self.decoder()  # here, where a wrong type is the caller's mistake

    def decoder(self) -> Decoder[Any]:
        return item_decoder(self._item, on_bad_item=self._config.on_bad_item)

    def assembler(self) -> Assembler[Any, list[Any]]:
        collector: Collector[Any] = Collector(self._config.max_kept_items)
        return collector  # pyright: ignore[reportReturnType] (its `fold` is a property)
