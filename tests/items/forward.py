"""Records that name themselves inside an annotation that is not a string as a whole."""

# No `from __future__ import annotations` here: that would make each annotation a string.
import dataclasses
from typing import Optional, TypedDict

import attrs


@attrs.define
class AttrsNode:
    """Of attrs."""

    name: str
    nodes: list["AttrsNode"] = attrs.field(factory=list)


@dataclasses.dataclass
class DataNode:
    """A dataclass."""

    name: str
    nodes: list["DataNode"] = dataclasses.field(default_factory=list)
    next: Optional["DataNode"] = None


class DictNode(TypedDict):
    """A TypedDict."""

    name: str
    nodes: list["DictNode"]
