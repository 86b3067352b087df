"""The HTTP libraries, imported by name, only here, and only when they are asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

__all__ = ["core", "libraries_of", "library", "library_of_request", "preferred"]

_CORES = {"httpx": "httpcore", "httpx2": "httpcore2"}


def library(family: str | ModuleType) -> Any:
    """Import a family of clients.

    Args:
        family: ``"httpx"`` or ``"httpx2"``, or the module itself.
    """
    return import_module(_name(family))


def core(family: str | ModuleType) -> Any:
    """Import what that family is built upon: httpcore, or its namesake."""
    return import_module(_CORES[_name(family)])


def preferred() -> str:
    """The family that a client of our own is of: httpx2 where it is installed."""
    return "httpx2" if find_spec("httpx2") else "httpx"


def libraries_of(transport: object) -> list[Any]:
    """The families that a transport serves, that of a client of our own first.

    Raises:
        TypeError: It is no asynchronous transport of either.
    """
    found = _families(type(transport), "AsyncBaseTransport")
    if not found:
        raise TypeError(
            f"a transport must be an AsyncBaseTransport of httpx or httpx2: {transport!r}"
        )
    return [sys.modules[name] for name in sorted(found, key=lambda name: name != preferred())]


def library_of_request(request: object) -> Any:
    """The family that a request is of."""
    return sys.modules[_families(type(request), "Request")[0]]


def _families(type_: type, base: str) -> list[str]:
    """The families that have a class called ``base`` among the ancestors of a class."""
    roots = {cls: cls.__module__.partition(".")[0] for cls in type_.__mro__}
    return [name for cls, name in roots.items() if name in _CORES and cls.__name__ == base]


def _name(family: str | ModuleType) -> str:
    name = family if isinstance(family, str) else family.__name__
    if name not in _CORES:
        raise ValueError(f"family must be 'httpx' or 'httpx2', got {name!r}")
    return name
